#include "backend/cuda/plan_files.h"

#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/checksum.h"

namespace jcs::cuda {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "jcs-ct plan 1";

/// Lines of the header, then the plan, whose lines are its own.
std::string bodyOf(const std::string& key, const KeptPlan& plan) {
  return key + '\n' + plan.name + '\n' + (plan.fused ? "fused" : "bare") + '\n' + plan.json;
}

std::string temporaryNameOf(const fs::path& file) {
  static std::atomic<unsigned> count{0};
  return file.string() + '.' + std::to_string(::getpid()) + '.' + std::to_string(++count);
}

}  // namespace

fs::path PlanFiles::fileOf(const std::string& key) const { return folder_ / (digestOf(key) + ".plan"); }

std::optional<KeptPlan> PlanFiles::read(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream in(fileOf(key), std::ios::binary);
  std::string format, checksum;
  if (!std::getline(in, format) || !std::getline(in, checksum) || format != kFormat) return std::nullopt;
  const std::string body(std::istreambuf_iterator<char>(in), {});
  if (checksum != digestOf(body)) return std::nullopt;
  std::istringstream lines(body);
  std::string storedKey, kind;
  KeptPlan plan;
  if (!std::getline(lines, storedKey) || !std::getline(lines, plan.name) || !std::getline(lines, kind) ||
      storedKey != key)
    return std::nullopt;
  plan.fused = kind == "fused";
  plan.json.assign(std::istreambuf_iterator<char>(lines), {});
  return plan;
}

void PlanFiles::write(const std::string& key, const KeptPlan& plan) const noexcept {
  if (folder_.empty() || plan.json.empty()) return;
  try {
    std::error_code failed;
    fs::create_directories(folder_, failed);
    fs::permissions(folder_, fs::perms::owner_all, failed);  // what is read from here runs on the GPU
    const fs::path file = fileOf(key), temporary = temporaryNameOf(file);
    std::ofstream out(temporary, std::ios::binary);
    const std::string body = bodyOf(key, plan);
    out << kFormat << '\n' << digestOf(body) << '\n' << body;
    out.close();
    if (out) fs::rename(temporary, file, failed);
    if (!out || failed) fs::remove(temporary, failed);
  } catch (const std::exception&) {
    // Without the file the next process compiles, as this one did.
  }
}

}  // namespace jcs::cuda
