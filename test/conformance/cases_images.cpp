#include <bit>
#include <cmath>
#include <cstring>

#include "conformance/case.h"
#include "core/philox.h"
#include "ops/images.h"

namespace jcs::conformance {

namespace {

Input bytesInput(std::span<const std::byte> bytes) {
  auto tensor = std::make_shared<Tensor>(DType::kU8, Shape{static_cast<int64_t>(bytes.size())});
  std::ranges::copy(bytes, tensor->data());
  return {tensor->shape(), Fill::kSigned, false, DType::kU8, tensor};
}

template <typename Record>
Input tableInput(const std::vector<Record>& records) {
  auto tensor = std::make_shared<Tensor>(TensorType(tableOf<Record>(static_cast<int64_t>(records.size()))));
  std::memcpy(tensor->data(), records.data(), records.size() * sizeof(Record));
  return {tensor->shape(), Fill::kSigned, false, DType::kU8, tensor};
}

/// Images and masks of random bits, end to end.
class Sources {
 public:
  explicit Sources(uint32_t stream) : random_(7, 0, stream, RandomPurpose::kInitialise) {}

  /// `windowed`: signed values always are.
  void add(PixelFormat format, int32_t channels, int32_t height, int32_t width, int32_t resizedHeight,
           int32_t resizedWidth, int32_t top, int32_t left, bool windowed = false) {
    ImageRecord s;
    bytes_.resize((bytes_.size() + 15) / 16 * 16);
    s.offset = static_cast<int64_t>(bytes_.size());
    s.width = width;
    s.height = height;
    s.channels = channels;
    s.format = format;
    s.resizedWidth = resizedWidth;
    s.resizedHeight = resizedHeight;
    s.left = left;
    s.top = top;
    if (format == PixelFormat::kI16) {
      s.windowLow = -900;
      s.windowWidth = 1500;
    } else if (windowed) {
      s.windowLow = 0.2f;
      s.windowWidth = 0.7f;
    }
    for (int64_t i = 0; i < int64_t{height} * width * channels; ++i) addValue(format);
    s.maskOffset = static_cast<int64_t>(bytes_.size());
    for (int64_t i = 0; i < (int64_t{height} * width + 7) / 8; ++i) append(static_cast<uint8_t>(random_.next() >> 24));
    records_.push_back(s);
  }
  std::vector<ImageRecord>& records() { return records_; }
  Input bytes() const { return bytesInput(bytes_); }
  Input table() const { return tableInput(records_); }

 private:
  void addValue(PixelFormat format) {
    switch (format) {
      case PixelFormat::kU8: return append(static_cast<uint8_t>(random_.below(256)));
      case PixelFormat::kU16: return append(static_cast<uint16_t>(random_.below(65536)));
      case PixelFormat::kF32: return append(random_.uniform());
      case PixelFormat::kI16: return append(static_cast<int16_t>(static_cast<int>(random_.below(2400)) - 1300));
    }
  }
  template <typename T>
  void append(T value) {
    const auto raw = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  }

  Philox random_;
  std::vector<std::byte> bytes_;
  std::vector<ImageRecord> records_;
};

struct Size {
  int32_t height, width;
};

void addImages(std::vector<Case>& table) {
  const auto add = [&](const std::string& name, const Sources& sources, Size size) {
    table.push_back(
        {"pixels to images " + name,
         {sources.bytes(), sources.table()},
         [=](std::span<const Value> in) { return std::vector{pixelsToImages(in[0], in[1], size.height, size.width)}; },
         false});
    table.push_back({"bits to masks " + name,
                     {sources.bytes(), sources.table()},
                     [=](std::span<const Value> in) {
                       return std::vector{bitsToMasks(in[0], in[1], Value{}, size.height, size.width)};
                     },
                     false});
  };
  uint32_t stream = 0;
  for (const PixelFormat format : {PixelFormat::kU8, PixelFormat::kU16, PixelFormat::kF32, PixelFormat::kI16})
    for (const int32_t channels : {1, 3}) {
      // Reduced, enlarged, both, as it is, to and from single pixels and lines.
      for (const auto& [from, to] :
           {std::pair{Size{13, 17}, Size{6, 5}}, std::pair{Size{4, 3}, Size{9, 11}}, std::pair{Size{5, 20}, Size{8, 6}},
            std::pair{Size{6, 7}, Size{6, 7}}, std::pair{Size{9, 8}, Size{1, 1}}, std::pair{Size{1, 1}, Size{3, 4}},
            std::pair{Size{1, 30}, Size{5, 4}}}) {
        Sources sources(stream++);
        sources.add(format, channels, from.height, from.width, to.height, to.width, 0, 0);
        add("format " + std::to_string(static_cast<int>(format)) + " of " + std::to_string(channels) + " channels " +
                std::to_string(from.height) + "x" + std::to_string(from.width) + " to " + std::to_string(to.height) +
                "x" + std::to_string(to.width),
            sources, to);
      }
    }
  for (const PixelFormat format : {PixelFormat::kU8, PixelFormat::kU16, PixelFormat::kF32})
    for (const int32_t channels : {1, 3}) {
      Sources sources(stream++);
      sources.add(format, channels, 9, 15, 8, 6, 0, 0, true);
      add("format " + std::to_string(static_cast<int>(format)) + " of " + std::to_string(channels) +
              " channels through a window",
          sources, {8, 6});
    }
  Sources batch(stream++);
  batch.add(PixelFormat::kU8, 1, 40, 30, 33, 32, 4, 5);  // cut out
  batch.add(PixelFormat::kF32, 3, 7, 9, 21, 23, 0, 7);
  batch.add(PixelFormat::kI16, 1, 50, 64, 16, 16, 0, 0);
  batch.add(PixelFormat::kU16, 1, 300, 8, 16, 16, 0, 0);  // reduced by a lot
  batch.add(PixelFormat::kU8, 3, 16, 16, 16, 16, 0, 0);
  batch.add(PixelFormat::kU8, 1, 20, 18, 16, 16, 0, 0, true);
  add("of a batch", batch, {16, 16});

  // Nothing of what such records claim may be read.
  Sources broken(stream++);
  for (int i = 0; i < 12; ++i) broken.add(PixelFormat::kU16, 1, 6, 5, 8, 8, 0, 0);
  std::vector<ImageRecord>& r = broken.records();
  r[0].offset = r[0].maskOffset = -8;
  r[1].offset = r[1].maskOffset = int64_t{1} << 62;
  r[2].width = r[2].height = 1 << 30;
  r[3].channels = 2;
  r[4].format = static_cast<PixelFormat>(9);
  r[5].resizedHeight = 7;
  r[6].left = 1;
  r[7].top = -1;
  r[8].offset += 1;
  r[9].width = 0;
  r[10].height = -6;
  r[11].offset = r[11].maskOffset = r[11].offset + 40;  // the last runs over the end
  add("of unusable sources", broken, {8, 8});
}

/// A turned, flipped and shifted frame whose edges show.
Augmentation augmentationOf(uint32_t sample, Size size, double degrees, double zoom, bool flip) {
  const double angle = degrees * 3.14159265358979 / 180;
  const auto fixed = [](double pixels) { return static_cast<int64_t>(std::llround(pixels * 0x1p40)); };
  Augmentation a;
  a.warp.centreX = fixed((size.width - 1) / 2.0 + 0.3);
  a.warp.centreY = fixed((size.height - 1) / 2.0 - 0.2);
  a.warp.xu = fixed(std::cos(angle) * zoom / 2 * (flip ? -1 : 1));
  a.warp.xv = fixed(-std::sin(angle) * zoom / 2);
  a.warp.yu = fixed(std::sin(angle) * zoom / 2 * (flip ? -1 : 1));
  a.warp.yv = fixed(std::cos(angle) * zoom / 2);
  a.seedLow = 12345;
  a.seedHigh = 6;
  a.epoch = 3;
  a.sample = sample;
  return a;
}

std::vector<Augmentation> augmentationsOf(Size size) {
  std::vector<Augmentation> all(10);
  all[0].warp.centreX = (size.width - 1) * (Warp::kOne / 2);  // leaves the image as it is
  all[0].warp.centreY = (size.height - 1) * (Warp::kOne / 2);
  all[1] = augmentationOf(1, size, 20, 1.2, false);
  all[2] = augmentationOf(2, size, -70, 0.7, true);
  all[2].gamma = 0.6f;
  all[2].gain = 1.1f;
  all[2].offset = -0.05f;
  all[3] = augmentationOf(3, size, 3, 1, false);
  all[3].noise = 0.2f;
  all[4] = all[0];
  all[4].noise = 0.05f;
  all[4].gamma = 1.7f;
  all[5].warp = {INT64_MAX, INT64_MIN, INT64_MAX / 3, INT64_MIN / 5, INT64_MAX / 7, 1};  // nonsense stays inside
  all[6] = augmentationOf(6, size, 10, 0.9, false);
  all[6].elasticX = size.width * Warp::kOne / 13;
  all[6].elasticY = size.height * Warp::kOne / 17;
  all[7] = all[0];
  all[7].elasticX = all[7].elasticY = INT64_MAX;
  all[8] = augmentationOf(8, size, 4, 1, true);
  all[8].sharpness = -1;
  all[9] = all[0];
  all[9].sharpness = 0.8f;
  all[9].gamma = 1.2f;
  return all;
}

void addAugmentations(std::vector<Case>& table) {
  uint32_t stream = 100;
  for (const Size& size : {Size{8, 11}, Size{1, 1}, Size{5, 64}, Size{33, 7}}) {
    const std::vector<Augmentation> augmentations = augmentationsOf(size);
    const auto count = static_cast<int64_t>(augmentations.size());
    const std::string text = std::to_string(size.height) + "x" + std::to_string(size.width);
    table.push_back({"augment images " + text,
                     {{{count, size.height, size.width, 3}, Fill::kUnit, false}, tableInput(augmentations)},
                     [](std::span<const Value> in) { return std::vector{augmentImages(in[0], in[1])}; },
                     false});
    Sources sources(stream++);
    for (int64_t i = 0; i < count; ++i)
      sources.add(PixelFormat::kU8, 1, static_cast<int32_t>(9 + i), 12, size.height, size.width, 0, 0);
    sources.records()[3].maskOffset = -1;
    table.push_back({"bits to masks, warped " + text,
                     {sources.bytes(), sources.table(), tableInput(augmentations)},
                     [=](std::span<const Value> in) {
                       return std::vector{bitsToMasks(in[0], in[1], in[2], size.height, size.width)};
                     },
                     false});
  }
}

void addMixing(std::vector<Case>& table) {
  const std::vector<MixedSample> mixed{{2, 0.25f}, {0, 0.9f}, {4, 0.5f}, {-1, 0.3f}, {1 << 30, 0.6f}};
  for (const Shape& x : {Shape{5, 4, 3, 3}, Shape{7, 2}, Shape{5, 9, 17, 1}})
    table.push_back({"mix samples " + x.toString(),
                     {{x, Fill::kSigned, false}, tableInput(mixed)},
                     [](std::span<const Value> in) { return std::vector{mixSamples(in[0], in[1])}; },
                     false});
}

void addAverages(std::vector<Case>& table) {
  for (const auto& [x, size] : {std::pair{Shape{2, 8, 12, 1}, Size{2, 3}}, std::pair{Shape{3, 7, 5, 1}, Size{3, 2}},
                                std::pair{Shape{1, 75, 109, 1}, Size{3, 4}}, std::pair{Shape{2, 4, 4, 1}, Size{4, 4}},
                                std::pair{Shape{1, 3, 5, 1}, Size{1, 1}}, std::pair{Shape{1, 3, 3, 1}, Size{4, 5}}})
    table.push_back(
        {"area average " + x.toString() + " to " + std::to_string(size.height) + "x" + std::to_string(size.width),
         {{x, Fill::kUnit, false}},
         [=](std::span<const Value> in) { return std::vector{areaAverage(in[0], size.height, size.width)}; },
         false});
}

void addMaps(std::vector<Case>& table) {
  for (const Shape& x : {Shape{4, 6, 9, 1}, Shape{4, 1, 1, 1}, Shape{4, 16, 16, 1}}) {
    std::vector<MapTarget> targets;
    int64_t pixels = 0;
    for (const Size& size : {Size{16, 16}, Size{1, 1}, Size{3, 21}, Size{40, 7}}) {
      targets.push_back({pixels, size.width, size.height, 0.3f + 0.1f * static_cast<float>(targets.size()), 0});
      pixels += int64_t{size.height} * size.width;
    }
    for (const bool probabilities : {false, true})
      table.push_back({"maps to sources " + x.toString() + (probabilities ? ", with probabilities" : ""),
                       {{x, Fill::kUnit, false}, tableInput(targets)},
                       [=](std::span<const Value> in) { return mapsToSources(in[0], in[1], pixels, probabilities); },
                       false});
  }
  // Of these only the first may be written; it covers everything.
  const std::vector<MapTarget> broken{{0, 5, 6, 0.5f, 0},
                                      {1, 5, 6, 0.5f, 0},
                                      {-1, 2, 2, 0.5f, 0},
                                      {0, 0, 6, 0.5f, 0},
                                      {0, 1 << 30, 1 << 30, 0.5f, 0},
                                      {INT64_MAX, 1, 1, 0.5f, 0}};
  table.push_back({"maps to unusable sources",
                   {{{6, 4, 4, 1}, Fill::kUnit, false}, tableInput(broken)},
                   [](std::span<const Value> in) { return mapsToSources(in[0], in[1], 30, true); },
                   false});
}

}  // namespace

void addPixelCases(std::vector<Case>& table) {
  addImages(table);
  addAugmentations(table);
  addMixing(table);
  addAverages(table);
  addMaps(table);
}

}  // namespace jcs::conformance
