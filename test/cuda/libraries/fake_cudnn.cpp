// A libcudnn.so.9 as far as our checks get before they refuse it.
#include <cstddef>

#define FAKE extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kMixed = 1002;  // CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH

int check() { return JCS_FAKE_MIXED ? kMixed : 0; }

}  // namespace

FAKE size_t cudnnGetVersion() { return JCS_FAKE_VERSION; }
FAKE const char* cudnnGetErrorString(int) { return "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"; }
FAKE void cudnnGetLastErrorString(char*, size_t) {}
FAKE int cudnnGraphVersionCheck() { return 0; }
FAKE int cudnnOpsVersionCheck() { return check(); }
FAKE int cudnnCnnVersionCheck() { return check(); }
