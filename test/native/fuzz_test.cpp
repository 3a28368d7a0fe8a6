#include <algorithm>
#include <string>

#include "core/philox.h"
#include "fuzz/native/targets.h"
#include "native/harness.h"

/// What `npm run fuzz` looks for with a guide, for a short while without one, so that its targets keep up with the
/// code.

using namespace jcs;

TEST("bytes of nonsense end in an error of theirs, or in what holds for any") {
  for (const fuzz::Target& target : fuzz::targets()) {
    const auto times = static_cast<uint32_t>(std::min<int64_t>(300, target.runs / 100));
    for (uint32_t i = 0; i < times; ++i) {
      Philox random(11, 0, i, RandomPurpose::kShuffle);
      std::vector<uint8_t> bytes(random.below(static_cast<uint32_t>(target.longest)));
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.below(256));
      try {
        target.run(bytes);
      } catch (const std::logic_error& error) {
        const std::string which = std::string(target.name) + ", input " + std::to_string(i) + ": ";
        return test::reportFailure(__FILE__, __LINE__, which + error.what());
      }
    }
  }
}
