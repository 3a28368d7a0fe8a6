#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace jcs::soak {

/// Something that takes memory, done again and again.
struct Scenario {
  std::string name;
  /// Makes what is needed beforehand; what it gives does the work and says what came of it, in bytes that are the same
  /// every time. Asked twice, the second after a refusal, it starts from what that left.
  std::function<std::function<std::string()>()> prepare;
  /// Nothing but what the process keeps is left of it, so that the work may be asked a second time after some refusals.
  bool leavesNothing = false;
};

/// `directory`: for files of theirs.
std::vector<Scenario> scenarios(const std::string& directory);

}  // namespace jcs::soak
