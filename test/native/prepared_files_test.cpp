#include "model/prepared_files.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "model/model.h"
#include "native/compiled.h"
#include "native/error_code.h"
#include "native/harness.h"
#include "native/temporary_directory.h"

/// Prepared weights that are kept between processes. A process ends here when nothing holds its models and its pool any
/// more.

using namespace jcs;

namespace {

namespace fs = std::filesystem;

using Memory = std::shared_ptr<const compiler::DerivedMemory>;
using Values = std::vector<compiler::DerivedArchive::Value>;

constexpr int64_t kBytes = model::PreparedFiles::kLeastBytes;

Values valuesOf(const std::string& name) {
  return {{{name, "packed"}, kBytes / 2}, {{name, "as computed"}, kBytes / 2}};
}

Memory memoryOf(unsigned seed, int64_t bytes = kBytes) {
  const auto buffer = std::make_shared<HostBuffer>(bytes);
  for (int64_t i = 0; i < bytes; ++i) {
    seed = seed * 1664525u + 1013904223u;
    buffer->data()[i] = static_cast<std::byte>(seed >> 24);
  }
  return std::make_shared<const compiler::DerivedMemory>(buffer, buffer->data(), bytes);
}

bool sameBytes(const Memory& a, const Memory& b) {
  return a && b && a->bytes == b->bytes && std::equal(a->data, a->data + a->bytes, b->data);
}

struct Folder {
  const TemporaryDirectory directory;
  const fs::path path = directory.path();

  model::PreparedFiles files(const std::string& origin = "a model", int64_t limitBytes = 10 * kBytes) const {
    return {{path, limitBytes}, origin};
  }
  /// As a process would that ends when it has written everything.
  void keep(const std::string& name, const Memory& memory, const std::string& origin = "a model",
            int64_t limitBytes = 10 * kBytes) const {
    files(origin, limitBytes).keep(valuesOf(name), memory);
  }
  Memory find(const std::string& name, const std::string& origin = "a model") const {
    return files(origin).find(valuesOf(name));
  }
  fs::path onlyFile() const { return fs::directory_iterator(path)->path(); }
};

void damage(const fs::path& path, int64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(at);
  file.put(byte);
}

/// The user's cache is a folder of the test's.
class Cache {
 public:
  explicit Cache(const char* limitMiB = nullptr) {
    ::setenv("JCS_CACHE", directory_.path().c_str(), 1);
    if (limitMiB) ::setenv("JCS_PREPARED_MIB", limitMiB, 1);
  }
  ~Cache() {
    ::unsetenv("JCS_CACHE");
    ::unsetenv("JCS_PREPARED_MIB");
  }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  fs::path folder() const { return fs::path(directory_.path()) / "jcs-ct" / "prepared"; }
  int64_t files() const {
    return fs::exists(folder()) ? std::distance(fs::directory_iterator(folder()), fs::directory_iterator()) : 0;
  }

 private:
  const TemporaryDirectory directory_;
};

const model::RuntimeOptions kRuntime{.device = "cpu", .precision = "fp32"};

/// A model's file that was not changed just now.
std::string savedIn(const TemporaryDirectory& directory, const std::string& name, double width = 0.5) {
  const std::string path = directory / name;
  model::Model::create({.network = "res2net50-v1b", .width = width}, kRuntime, 1)->save(path);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  return path;
}

std::vector<float> logits(const std::string& path, int64_t batch = 1) {
  const auto model = model::Model::load(io::SafetensorsFile::open(path), std::nullopt, kRuntime);
  Tensor images = Tensor::zeros(DType::kF32, {batch, 64, 64, 3});
  float at = 0;
  for (float& value : images.as<float>()) value = std::sin(at += 0.37f);
  const auto outputs = model->forward(images, false);
  const auto values = outputs.at("logits").as<float>();
  return {values.begin(), values.end()};
}

}  // namespace

TEST("prepared files: what one process keeps another finds, byte for byte, and nothing else") {
  const Folder folder;
  const Memory memory = memoryOf(1);
  CHECK(!folder.find("x"));
  CHECK(!folder.files().hasAny());
  folder.keep("x", memory);
  CHECK(sameBytes(folder.find("x"), memory));
  CHECK(folder.files().hasAny());
  CHECK(!folder.find("y"));
  CHECK(!folder.find("x", "the model, written to meanwhile"));
  CHECK(!folder.files("the model, written to meanwhile").hasAny());
  Values more = valuesOf("x");
  more.push_back({{"z", "packed"}, 64});
  CHECK(!folder.files().find(more));
}

TEST("prepared files: what is written to found memory stays in the process") {
  const Folder folder;
  const Memory memory = memoryOf(1);
  folder.keep("x", memory);
  const Memory found = folder.find("x");
  found->data[5] ^= std::byte{1};
  CHECK(sameBytes(folder.find("x"), memory));
}

TEST("prepared files: a file that is damaged anywhere, or cut short, is not there, and is written anew") {
  const Folder folder;
  const Memory memory = memoryOf(1);
  folder.keep("x", memory);
  const auto bytes = static_cast<int64_t>(fs::file_size(folder.onlyFile()));
  for (const int64_t at :
       {int64_t{0}, int64_t{9}, int64_t{17}, int64_t{25}, int64_t{40}, bytes - kBytes, bytes / 2, bytes - 1}) {
    damage(folder.onlyFile(), at);
    CHECK(!folder.find("x"));
    CHECK_EQUAL(folder.directory.files(), size_t{0});
    folder.keep("x", memory);
    CHECK(sameBytes(folder.find("x"), memory));
  }
  for (const int64_t length : {bytes - 1, bytes - kBytes, int64_t{20}, int64_t{0}}) {
    fs::resize_file(folder.onlyFile(), static_cast<uintmax_t>(length));
    CHECK(!folder.find("x"));
    folder.keep("x", memory);
    CHECK(sameBytes(folder.find("x"), memory));
  }
}

TEST("prepared files: a file may be removed or replaced while it is used") {
  const Folder folder;
  const Memory memory = memoryOf(1);
  folder.keep("x", memory);
  const Memory found = folder.find("x");
  fs::remove(folder.onlyFile());
  CHECK(sameBytes(found, memory));
  folder.keep("x", memoryOf(2));
  CHECK(sameBytes(found, memory));
}

TEST("prepared files: many that keep the same at once leave one whole file") {
  const Folder folder;
  const Memory memory = memoryOf(1);
  std::atomic<bool> foundOther = false;
  std::vector<std::thread> processes;
  for (int i = 0; i < 4; ++i)
    processes.emplace_back([&] {
      for (int n = 0; n < 5; ++n) {
        folder.keep("x", memory);
        if (const Memory found = folder.find("x"); found && !sameBytes(found, memory)) foundOther = true;
      }
    });
  for (std::thread& process : processes) process.join();
  CHECK(!foundOther);
  CHECK(sameBytes(folder.find("x"), memory));
  CHECK_EQUAL(folder.directory.files(), size_t{1});
}

TEST("prepared files: beyond the limit those go first that were not used for longest") {
  const Folder folder;
  constexpr int64_t kTwo = 5 * kBytes / 2;
  const auto later = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  folder.keep("x", memoryOf(1), "a model", kTwo), later();
  folder.keep("y", memoryOf(2), "a model", kTwo), later();
  CHECK(folder.find("x") != nullptr);  // used last
  later();
  folder.keep("z", memoryOf(3), "a model", kTwo);
  CHECK(folder.find("x") != nullptr);
  CHECK(folder.find("y") == nullptr);
  CHECK(folder.find("z") != nullptr);
  folder.keep("larger than all", memoryOf(4), "a model", kBytes / 2);
  CHECK_EQUAL(folder.directory.files(), size_t{2});
}

TEST("prepared files: what a killed process left of one is taken away when it is written") {
  const Folder folder;
  folder.keep("x", memoryOf(1));
  const fs::path path = folder.onlyFile();
  fs::rename(path, path.string() + ".1-0.tmp");
  folder.keep("x", memoryOf(1));
  CHECK_EQUAL(folder.directory.files(), size_t{1});
  CHECK(folder.find("x") != nullptr);
}

TEST("prepared files: a folder that cannot be written keeps nothing, and nothing fails") {
  const TemporaryDirectory directory;
  directory.write("file", "");
  model::PreparedFiles files({fs::path(directory / "file") / "prepared", 10 * kBytes}, "a model");
  files.keep(valuesOf("x"), memoryOf(1));
  CHECK(!files.find(valuesOf("x")));
  CHECK(!files.hasAny());
}

TEST("a model that is loaded again computes the same bits from what was kept of it") {
  const Cache cache;
  const TemporaryDirectory directory;
  const std::string path = savedIn(directory, "model.safetensors");
  const auto alone = logits(path), three = logits(path, 3);
  const int64_t kept = cache.files();
  CHECK(kept > 0);
  CHECK(logits(path) == alone);
  CHECK(logits(path, 3) == three);
  CHECK_EQUAL(cache.files(), kept);
  damage(fs::directory_iterator(cache.folder())->path(), 1 << 20);
  CHECK(logits(path) == alone);
  CHECK(logits(path) == alone);
}

TEST("of a model that changes, of a file that has just been written, and of little, nothing is kept") {
  const Cache cache;
  const TemporaryDirectory directory;
  const std::string path = savedIn(directory, "model.safetensors"), small = savedIn(directory, "small", 0.125);
  {
    const auto model = model::Model::load(io::SafetensorsFile::open(path), std::nullopt, kRuntime);
    const std::string name = model->parameters().front().name;
    model->setParameter(name, model->parameter(name));
    model->forward(Tensor::zeros(DType::kF32, {1, 64, 64, 3}), false);
  }
  logits(small);
  fs::permissions(path, fs::perms::owner_all);
  logits(path);
  CHECK_EQUAL(cache.files(), int64_t{0});
}

TEST("JCS_PREPARED_MIB: 0 keeps nothing, and what is no number is INVALID_ARGUMENT") {
  const TemporaryDirectory directory;
  const std::string path = savedIn(directory, "model.safetensors");
  {
    const Cache cache("0");
    logits(path);
    CHECK_EQUAL(cache.files(), int64_t{0});
  }
  for (const char* text : {"-1", "many", "1.5", "1 ", "99999999999999999999"}) {
    const Cache cache(text);
    CHECK_ERROR([&] { logits(path); }, errors::kInvalidArgument, "JCS_PREPARED_MIB", text);
  }
}

TEST("others' folders keep nothing") {
  if (::geteuid() != 0) test::skip("only root can give a folder away");
  const Cache cache;
  const TemporaryDirectory directory;
  const std::string path = savedIn(directory, "model.safetensors");
  fs::create_directories(cache.folder());
  if (::chown(cache.folder().c_str(), 1, 1) != 0) test::skip("this folder cannot be given away");
  logits(path);
  CHECK_EQUAL(cache.files(), int64_t{0});
}
