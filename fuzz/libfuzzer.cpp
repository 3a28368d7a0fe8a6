// jcs_fuzz: libFuzzer, on the target that JCS_FUZZ_TARGET names.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz/native/targets.h"

namespace {

const jcs::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("JCS_FUZZ_TARGET");
  for (const jcs::fuzz::Target& target : jcs::fuzz::targets())
    if (name != nullptr && target.name == name) chosen = &target;
  if (chosen != nullptr) return 0;
  std::fprintf(stderr, "JCS_FUZZ_TARGET names no target; there are:\n");
  for (const jcs::fuzz::Target& target : jcs::fuzz::targets())
    std::fprintf(stderr, "%.*s %zu %lld\n", static_cast<int>(target.name.size()), target.name.data(), target.longest,
                 static_cast<long long>(target.runs));
  std::exit(1);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen->run({data, size});
  return 0;
}
