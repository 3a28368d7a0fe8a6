#include "io/safetensors.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "io/file.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/temporary_directory.h"

using namespace jcs;

namespace {

std::string withLength(uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + rest;
}

/// A file of that header and `dataBytes` zeros.
std::string fileOf(const std::string& header, size_t dataBytes) {
  return withLength(header.size(), header + std::string(dataBytes, '\0'));
}

io::SafetensorsFile parse(const std::string& bytes) {
  return io::SafetensorsFile::parse(std::as_bytes(std::span(bytes)));
}

std::string codeOfParsing(const std::string& bytes) {
  return codeOf([&] { parse(bytes); });
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

template <typename T>
std::string bytesOf(std::initializer_list<T> values) {
  std::string bytes;
  for (T value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  return bytes;
}

}  // namespace

TEST("safetensors: what is written is read back, metadata and bits included") {
  const TemporaryDirectory directory;
  const std::string path = directory / "a.safetensors";
  const float values[] = {1.5f, -0.0f, std::numeric_limits<float>::infinity(), 1e-42f, 5, 6};
  const Tensor a = Tensor::fromFloats({2, 3}, values);
  const Tensor half = a.to(DType::kBF16);
  const Tensor scalar = Tensor::fromFloats({}, std::span(values, 1));
  const Tensor empty = Tensor::zeros(DType::kF32, {0, 7});
  const io::NamedTensor tensors[] = {{"half", &half}, {"layer.weight", &a}, {"empty", &empty}, {"scalar", &scalar}};
  io::writeSafetensors(path, tensors, {{"network", "unet"}, {"note", "ünïcode \" \n"}});

  const auto file = io::SafetensorsFile::open(path);
  CHECK(file.metadata().size() == 2 && file.metadata().at("note") == "ünïcode \" \n");
  CHECK(file.entries().size() == 4);
  CHECK(file.find("layer.weight")->dtype == "F32" && file.find("half")->dtype == "BF16" && !file.find("none"));
  CHECK(file.load("layer.weight").shape() == (Shape{2, 3}));
  CHECK(std::memcmp(file.load("layer.weight").data(), values, sizeof values) == 0);
  CHECK(file.load("half").as<float>()[0] == 1.5f && file.load("half").as<float>()[5] == 6);
  CHECK(file.load("scalar").shape().rank() == 0 && file.load("empty").elements() == 0);
  CHECK(directory.files() == 1);
}

TEST("safetensors: the bytes are those the format defines") {
  const TemporaryDirectory directory;
  const float values[] = {1, 2};
  const Tensor a = Tensor::fromFloats({2}, values);
  const io::NamedTensor tensors[] = {{"w", &a}};
  io::writeSafetensors(directory / "a", tensors, {});
  std::ifstream stream(directory / "a", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(stream)), {});
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  CHECK(bytes == withLength(header.size() + padding.size(), header + padding + bytesOf({1.0f, 2.0f})));
}

TEST("safetensors: half and double precision become float32") {
  // Bit patterns and their values by IEEE 754: 1, −2, the largest, the smallest normal and subnormal, ∞, NaN.
  const std::string halves =
      bytesOf<uint16_t>({0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x7e01, 0x03ff});
  const std::string header =
      "{" + entry("d", "F64", "[2]", "[0,16]") + "," + entry("h", "F16", "[10]", "[16,36]") + "}";
  const auto file = parse(withLength(header.size(), header + bytesOf<double>({0.1, -1e300}) + halves));
  const Tensor h = file.load("h");
  const float expected[] = {1, -2, 65504, 0x1p-14f, 0x1p-24f, -0.0f};
  for (size_t i = 0; i < 6; ++i) CHECK(h.as<float>()[i] == expected[i]);
  CHECK(std::signbit(h.as<float>()[5]));
  CHECK(h.as<float>()[6] == std::numeric_limits<float>::infinity());
  CHECK(h.as<float>()[7] == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(h.as<float>()[8]) && h.as<float>()[9] == 1023 * 0x1p-24f);
  CHECK(file.load("d").as<float>()[0] == 0.1f);
}

TEST("safetensors: integers are listed but not loaded as parameters") {
  const auto file = parse(fileOf("{" + entry("bn.num_batches_tracked", "I64", "[]", "[0,8]") + "}", 8));
  CHECK(file.find("bn.num_batches_tracked")->bytes == 8);
  CHECK(codeOf([&] { file.load("bn.num_batches_tracked"); }) == errors::kUnsupportedFormat);
  CHECK(codeOf([&] { file.load("absent"); }) == errors::kMissingParameter);
}

TEST("safetensors: five dimensions parse, but are no parameter") {
  const auto file = parse(fileOf("{" + entry("w", "F32", "[1,1,1,1,2]", "[0,8]") + "}", 8));
  CHECK(codeOf([&] { file.load("w"); }) == errors::kShapeMismatch);
}

TEST("safetensors: hostile lengths") {
  CHECK(codeOfParsing("") == errors::kCorruptFile);
  CHECK(codeOfParsing("1234567") == errors::kCorruptFile);
  CHECK(codeOfParsing(withLength(0, "")) == errors::kCorruptFile);
  CHECK(codeOfParsing(withLength(3, "{}")) == errors::kCorruptFile);
  CHECK(codeOfParsing(withLength(UINT64_MAX, "{}")) == errors::kCorruptFile);
  CHECK(codeOfParsing(withLength(uint64_t{1} << 63, "{}")) == errors::kCorruptFile);
  CHECK(codeOfParsing(withLength(100'000'001, std::string(100'000'001, ' '))) == errors::kCorruptFile);
  CHECK(codeOfParsing(withLength(2, "{}")) == "");
  CHECK(codeOfParsing(withLength(4, "{}  ")) == "");
  CHECK(codeOfParsing(withLength(2, "{}x")) == errors::kCorruptFile);
}

TEST("safetensors: hostile byte ranges") {
  const auto one = [](const std::string& shape, const std::string& offsets, size_t dataBytes = 8) {
    return codeOfParsing(fileOf("{" + entry("w", "F32", shape, offsets) + "}", dataBytes));
  };
  CHECK(one("[2]", "[0,8]") == "");
  CHECK(one("[2]", "[0,8]", 7) == errors::kCorruptFile);
  CHECK(one("[2]", "[0,8]", 9) == errors::kCorruptFile);
  CHECK(one("[2]", "[8,0]") == errors::kCorruptFile);
  CHECK(one("[2]", "[8,16]", 16) == errors::kCorruptFile);
  CHECK(one("[3]", "[0,8]") == errors::kCorruptFile);
  CHECK(one("[2]", "[0]") == errors::kCorruptFile);
  CHECK(one("[2]", "[0,4,8]") == errors::kCorruptFile);
  CHECK(one("[2]", "[-8,0]") == errors::kCorruptFile);
  CHECK(one("[2]", "[0,18446744073709551615]") == errors::kCorruptFile);
  CHECK(one("[2]", "[0,18446744073709551616]") == errors::kCorruptFile);
  CHECK(one("[2500000000]", "[0,10000000000]") == errors::kCorruptFile);
  CHECK(messageOf([&] {
          parse(fileOf("{" + entry("w", "F32", "[2500000000]", "[0,10000000000]") + "}", 8));
        }).find("tensor 'w' claims 10000000000 bytes") != std::string::npos);

  const auto two = [](const std::string& first, const std::string& second, size_t dataBytes) {
    return codeOfParsing(
        fileOf("{" + entry("a", "U8", "[4]", first) + "," + entry("b", "U8", "[4]", second) + "}", dataBytes));
  };
  CHECK(two("[0,4]", "[4,8]", 8) == "");
  CHECK(two("[4,8]", "[0,4]", 8) == "");
  CHECK(two("[0,4]", "[0,4]", 8) == errors::kCorruptFile);
  CHECK(two("[0,4]", "[2,6]", 8) == errors::kCorruptFile);
  CHECK(two("[0,4]", "[5,9]", 9) == errors::kCorruptFile);
}

TEST("safetensors: hostile shapes and dtypes") {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets = "[0,8]") {
    return codeOfParsing(fileOf("{" + entry("w", dtype, shape, offsets) + "}", 8));
  };
  CHECK(one("F33", "[2]") == errors::kCorruptFile);
  CHECK(one("", "[2]") == errors::kCorruptFile);
  CHECK(one("F32", "[NaN]") == errors::kCorruptFile);
  CHECK(one("F32", "[null]") == errors::kCorruptFile);
  CHECK(one("F32", "[-2]") == errors::kCorruptFile);
  CHECK(one("F32", "[-1,-2]") == errors::kCorruptFile);
  CHECK(one("F32", "[2.0]") == errors::kCorruptFile);
  CHECK(one("F32", "[2e0]") == errors::kCorruptFile);
  CHECK(one("F32", "[\"2\"]") == errors::kCorruptFile);
  CHECK(one("F32", "2") == errors::kCorruptFile);
  CHECK(one("F32", "[[2]]") == errors::kCorruptFile);
  // 2^32 · 2^32 elements wrap to 0 bytes when multiplied carelessly.
  CHECK(one("F32", "[4294967296,4294967296]", "[0,0]") == errors::kCorruptFile);
  CHECK(one("F32", "[4611686018427387905]", "[0,4]") == errors::kCorruptFile);
  CHECK(one("F32", "[9223372036854775808]") == errors::kCorruptFile);
  std::string manyAxes = "[1";
  for (int i = 0; i < 100'000; ++i) manyAxes += ",1";
  CHECK(one("F32", manyAxes + ",2]") == errors::kCorruptFile);
}

TEST("safetensors: hostile JSON") {
  const auto header = [](const std::string& json, size_t dataBytes = 8) {
    return codeOfParsing(fileOf(json, dataBytes));
  };
  const std::string w = entry("w", "F32", "[2]", "[0,8]");
  CHECK(header("{" + w + "," + w + "}") == errors::kCorruptFile);
  CHECK(header("{" + w + ",\"\\u0077\":{}}") == errors::kCorruptFile);
  CHECK(header(R"({"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})") == errors::kCorruptFile);
  CHECK(header(R"({"w":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})") == errors::kCorruptFile);
  CHECK(header(R"({"w":{"dtype":"F32","shape":[2]}})") == errors::kCorruptFile);
  CHECK(header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})") == errors::kCorruptFile);
  CHECK(header(R"({"w":[]})") == errors::kCorruptFile);
  CHECK(header(R"({"w":null})") == errors::kCorruptFile);
  CHECK(header(R"({"w":{"dtype":{}}})") == errors::kCorruptFile);
  CHECK(header(R"({"__metadata__":{"a":1}})", 0) == errors::kCorruptFile);
  CHECK(header(R"({"__metadata__":{"a":"1","a":"2"}})", 0) == errors::kCorruptFile);
  CHECK(header(R"({"__metadata__":{"a":"1"},"__metadata__":{"b":"2"}})", 0) == errors::kCorruptFile);
  CHECK(header(R"({"__metadata__":"a"})", 0) == errors::kCorruptFile);
  CHECK(header(R"({"__metadata__":{"a":{}}})", 0) == errors::kCorruptFile);
  CHECK(header("[]", 0) == errors::kCorruptFile);
  CHECK(header("1", 0) == errors::kCorruptFile);
  CHECK(header("", 0) == errors::kCorruptFile);
  CHECK(header("{" + w, 8) == errors::kCorruptFile);
  CHECK(header("{" + w + "}{}", 8) == errors::kCorruptFile);
  CHECK(header("{\"\xff\xfe\":1}", 0) == errors::kCorruptFile);
  CHECK(header("{\"\xed\xa0\x80\":1}", 0) == errors::kCorruptFile);
  CHECK(header(std::string(1'000'000, '['), 0) == errors::kCorruptFile);
  std::string nested;
  for (int i = 0; i < 200'000; ++i) nested += "{\"a\":";
  CHECK(header(nested, 0) == errors::kCorruptFile);
}

TEST("safetensors: every truncation and every changed header byte of a good file is survived") {
  const std::string good =
      fileOf("{" + entry("a", "F32", "[2,2]", "[0,16]") + "," + entry("b", "U8", "[3]", "[16,19]") + "}", 19);
  CHECK(codeOfParsing(good) == "");
  for (size_t length = 0; length < good.size(); ++length)
    CHECK(codeOfParsing(good.substr(0, length)) == errors::kCorruptFile);
  for (size_t i = 0; i < good.size() - 19; ++i)
    for (int value = 0; value < 256; value += 5) {
      std::string changed = good;
      changed[i] = static_cast<char>(value);
      const std::string code = codeOfParsing(changed);
      CHECK(code.empty() || code == errors::kCorruptFile);
    }
}

TEST("safetensors: messages quote hostile names without control characters and in moderation") {
  const std::string name = "\\u001b[2J" + std::string(5000, 'x');
  const std::string message = messageOf([&] { parse(fileOf("{" + entry(name, "F33", "[2]", "[0,8]") + "}", 8)); });
  CHECK(!message.empty() && message.size() < 400 && message.find('\x1b') == std::string::npos);
}

TEST("safetensors: files that cannot be read") {
  const TemporaryDirectory directory;
  CHECK(codeOf([&] { io::SafetensorsFile::open(directory / "absent"); }) == errors::kFileNotFound);
  CHECK(codeOf([&] { io::SafetensorsFile::open(directory.path()); }) == errors::kFileUnreadable);
  CHECK(codeOf([&] { io::SafetensorsFile::open("/dev/zero"); }) == errors::kFileUnreadable);
  CHECK(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  CHECK(codeOf([&] { io::SafetensorsFile::open(directory / "pipe"); }) == errors::kFileUnreadable);
  directory.write("short", "abc");
  CHECK(codeOf([&] { io::SafetensorsFile::open(directory / "short"); }) == errors::kCorruptFile);
  CHECK(codeOf([&] { io::SafetensorsFile::open((directory / "short") + "/x"); }) == errors::kFileNotFound);
  CHECK(codeOf([&] { io::SafetensorsFile::open(std::string("a\0b", 3)); }) == errors::kFileNotFound);
}

TEST("safetensors: a sparse file of 10 GB that its header does not describe takes no memory") {
  const TemporaryDirectory directory;
  directory.write("huge", withLength(2, "{}"));
  std::filesystem::resize_file(directory / "huge", 10'000'000'000);
  CHECK(codeOf([&] { io::SafetensorsFile::open(directory / "huge"); }) == errors::kCorruptFile);
}

TEST("safetensors: writing fails cleanly and keeps the old file") {
  const TemporaryDirectory directory;
  const float one = 1;
  const Tensor a = Tensor::fromFloats({1}, std::span(&one, 1));
  const io::NamedTensor twice[] = {{"w", &a}, {"w", &a}};
  const io::NamedTensor once[] = {{"w", &a}};
  const auto write = [&](const std::string& path, std::span<const io::NamedTensor> tensors,
                         const std::map<std::string, std::string>& metadata = {}) {
    return codeOf([&] { io::writeSafetensors(path, tensors, metadata); });
  };
  CHECK(write(directory / "a", once) == "");
  CHECK(write(directory / "a", twice) == errors::kInvalidArgument);
  CHECK(write(directory / "a", once, {{"bad", "\xff"}}) == errors::kInvalidArgument);
  CHECK(write(directory / "no/such/place", once) == errors::kFileUnwritable);
  CHECK(write(directory.path(), once) == errors::kFileUnwritable);
  CHECK(write("", once) == errors::kFileUnwritable);
  CHECK(write("/proc/jcs-test", once) == errors::kFileUnwritable);
  CHECK(directory.files() == 1);
  CHECK(io::SafetensorsFile::open(directory / "a").load("w").as<float>()[0] == 1);
}

TEST("atomic file: without commit nothing appears, and the old content stays") {
  const TemporaryDirectory directory;
  directory.write("a", "old");
  {
    io::AtomicFile file(directory / "a");
    file.write(std::string("new"));
    CHECK(directory.files() == 2);
  }
  CHECK(directory.files() == 1);
  CHECK(io::InputFile(directory / "a").bytes() == 3);
  io::AtomicFile file(directory / "a");
  file.write(std::string("newer"));
  file.commit();
  CHECK(directory.files() == 1);
  CHECK(io::InputFile(directory / "a").bytes() == 5);
}

TEST("atomic file: what a killed process left is removed, what is being written is not") {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    io::AtomicFile file(directory / "a");
    file.write(std::string("half"));
    ::_exit(0);  // as a kill ends it: nothing is destroyed
  }
  ::waitpid(child, nullptr, 0);
  directory.write("a.tmp", "another's");
  directory.write("b.1-0.tmp", "of another file");
  io::AtomicFile file(directory / "a");
  CHECK(directory.files() == 4);
  io::removeAbandoned(directory / "a");
  CHECK(directory.files() == 3);
  file.write(std::string("whole"));
  file.commit();
  CHECK(io::InputFile(directory / "a").bytes() == 5);
  io::removeAbandoned("/no/such/place");
}

TEST("atomic file: a full disk is DISK_FULL") {
  CHECK(codeOf([] { io::failWriting("x", ENOSPC); }) == errors::kDiskFull);
  CHECK(codeOf([] { io::failWriting("x", EDQUOT); }) == errors::kDiskFull);
  CHECK(codeOf([] { io::failWriting("x", EACCES); }) == errors::kFileUnwritable);
}

TEST("atomic file: a write that the system cuts short removes the temporary file") {
  const TemporaryDirectory directory;
  rlimit old;
  ::getrlimit(RLIMIT_FSIZE, &old);
  rlimit small = old;
  small.rlim_cur = 4096;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string code = codeOf([&] {
    io::AtomicFile file(directory / "a");
    file.write(std::string(10'000, 'x'));
    file.commit();
  });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(code == errors::kDiskFull);
  CHECK(directory.files() == 0);
}
