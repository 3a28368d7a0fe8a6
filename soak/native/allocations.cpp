// jcs_allocations: lists what it does, how often each asks for memory, and of these the first from each place.
// jcs_allocations SCENARIO N…: does it once for every N, whose Nth allocation is refused. Each has to end with
// OUT_OF_MEMORY, or as if nothing had been, and what follows as if nothing had been. Says `FAILED N: reason` of one
// that does not; the N that it is at when it crashes is its last line.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "core/current_error.h"
#include "refused_memory.h"
#include "scenarios.h"

namespace {

using jcs::Error;
using jcs::soak::Scenario;

struct Attempt {
  int64_t allocations = 0;
  std::string result;
  std::optional<Error> error;
};

Attempt attempt(const std::function<std::string()>& work, int64_t refused) {
  Attempt made;
  jcs::soak::countAllocations(refused);
  try {
    made.result = work();
    made.allocations = jcs::soak::stopCounting();
  } catch (...) {
    made.allocations = jcs::soak::stopCounting();
    made.error = jcs::currentError();
  }
  return made;
}

/// What is wrong with how it ended, or nothing.
std::string faultOf(const Attempt& hit, const std::string& expected) {
  if (hit.error && hit.error->code() != jcs::errors::kOutOfMemory) return hit.error->code() + ": " + hit.error->what();
  return !hit.error && hit.result != expected ? "nothing was said, and the result is another" : "";
}

/// What is wrong with what follows.
std::string faultAfter(const std::function<std::string()>& work, const std::string& expected) {
  const Attempt after = attempt(work, 0);
  if (after.error) return "afterwards " + after.error->code() + ": " + after.error->what();
  return after.result != expected ? "the result afterwards is another" : "";
}

int list(const std::vector<Scenario>& scenarios) {
  for (const Scenario& scenario : scenarios) {
    attempt(scenario.prepare(), 0);  // what is loaded and initialised once is so from then on
    const Attempt whole = attempt(scenario.prepare(), 0);
    if (whole.error) throw Error(*whole.error);
    const auto work = scenario.prepare();
    jcs::soak::findPlaces();
    work();
    const std::vector<int64_t> places = jcs::soak::stopFinding();
    std::printf("%s: %lld:", scenario.name.c_str(), static_cast<long long>(whole.allocations));
    for (const int64_t number : places) std::printf(" %lld", static_cast<long long>(number));
    std::printf("\n");
  }
  return 0;
}

int refuse(const Scenario& scenario, std::span<char*> numbers) {
  constexpr size_t kRefusals = 16;  // of those that leave nothing
  const Attempt whole = attempt(scenario.prepare(), 0);
  if (whole.error) throw Error(*whole.error);
  int64_t blocksAfterFirst = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    std::printf("%s\n", numbers[i]);
    std::fflush(stdout);
    const auto work = scenario.prepare();
    std::string wrong = faultOf(attempt(work, std::atoll(numbers[i])), whole.result);
    const bool isDue = !scenario.leavesNothing || (i + 1) % kRefusals == 0 || i + 1 == numbers.size();
    if (wrong.empty() && isDue) wrong = faultAfter(work, whole.result);
    if (!wrong.empty()) std::printf("FAILED %s: %s\n", numbers[i], wrong.c_str());
    if (blocksAfterFirst == 0) blocksAfterFirst = jcs::soak::blocksInUse();
  }
  std::printf("blocks %lld %lld\n", static_cast<long long>(blocksAfterFirst),
              static_cast<long long>(jcs::soak::blocksInUse()));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("jcs-allocations-" + std::to_string(getpid()));
  std::filesystem::create_directories(directory);
  int status = 1;
  try {
    const auto scenarios = jcs::soak::scenarios(directory.string());
    if (count == 1) status = list(scenarios);
    for (const Scenario& scenario : scenarios)
      if (count > 1 && scenario.name == arguments[1]) status = refuse(scenario, {arguments + 2, arguments + count});
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
  }
  std::filesystem::remove_all(directory);
  return status;
}
