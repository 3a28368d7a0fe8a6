#include <algorithm>
#include <cstdlib>

#include "backend/cuda/cudnn.h"
#include "backend/cuda/device_check.h"
#include "backend/cuda/shared_library.h"
#include "backend/loader.h"
#include "core/cache_folder.h"
#include "cuda/environment.h"
#include "native/harness.h"
#include "native/temporary_directory.h"

namespace jcs::test {

namespace {

namespace fs = std::filesystem;

/// Opens cuDNN from one of the folders that the build filled with fakes.
void openFake(const char* name) { cuda::CuDnn(std::vector<fs::path>{fs::path(JCS_FAKE_LIBRARIES) / name}); }

cuda::MachineState machineWith(int driverVersion, cudaError_t status, int devices) {
  cuda::MachineState machine;
  machine.runtimeVersion = 13000;
  machine.driverVersion = driverVersion;
  machine.status = status;
  machine.statusText = "status text";
  machine.devices = devices;
  return machine;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST("a missing cuDNN is reported with how to get it") {
  CHECK_ERROR([] { openFake("nowhere"); }, errors::kDeviceUnavailable, "libcudnn.so.9 was not found",
              "pip install nvidia-cudnn-cu13", "npm run setup -- --cuda", "JCS_CUDA_PATH");
}

TEST("a cuDNN that is no library is reported with the loader's words") {
  const TemporaryDirectory folder;
  folder.write("libcudnn.so.9", "not a library");
  CHECK_ERROR([&] { cuda::CuDnn(std::vector<fs::path>{folder.path()}); }, errors::kDeviceUnavailable,
              "libcudnn.so.9 cannot be opened", "JCS_CUDA_PATH");
}

TEST("a cuDNN that is too old is refused with both versions") {
  CHECK_ERROR([] { openFake("old"); }, errors::kDeviceUnavailable, "cuDNN 9.1.0", "9.8.0");
}

TEST("a cuDNN of mixed versions is refused") {
  CHECK_ERROR([] { openFake("mixed"); }, errors::kDeviceUnavailable, "do not fit together", "cudnnOpsVersionCheck",
              "LD_LIBRARY_PATH");
}

TEST("a cuDNN without a function that is needed is refused by the function's name") {
  CHECK_ERROR([] { openFake("incomplete"); }, errors::kDeviceUnavailable, "cudnnBackendCreateDescriptor");
}

TEST("libraries are looked for where the environment says, first") {
  const TemporaryDirectory folder;
  const fs::path pip = fs::path(folder.path()) / "venv" / "lib" / "python3.11" / "site-packages" / "nvidia" / "cudnn";
  const fs::path fetched = fs::path(folder.path()) / "cache" / "jcs-ct" / "cuda13" / "lib" / "python3.12" /
                           "site-packages" / "nvidia" / "cu13";
  fs::create_directories(pip / "lib");
  fs::create_directories(fetched / "lib");
  const Environment given("JCS_CUDA_PATH", "/one:/two"),
      venv("VIRTUAL_ENV", (fs::path(folder.path()) / "venv").string()), conda("CONDA_PREFIX", ""),
      cache("JCS_CACHE", (fs::path(folder.path()) / "cache").string());
  const std::vector<fs::path> folders = cuda::cudaLibraryFolders();
  const auto place = [&](const fs::path& wanted) { return std::ranges::find(folders, wanted) - folders.begin(); };
  CHECK_EQUAL(place("/one"), 0);
  CHECK(place("/one") < place("/two"));
  CHECK(place("/two") < place(pip / "lib"));
  CHECK(place(pip / "lib") < place(fetched / "lib"));
  CHECK(place(fetched / "lib") < place(fs::path()));
  CHECK(static_cast<size_t>(place(fs::path())) < folders.size());
}

TEST("a machine that cannot run CUDA gets a reason that can be acted on") {
  using cuda::reasonAgainst;
  CHECK(contains(reasonAgainst(machineWith(0, cudaErrorInsufficientDriver, 0)), "no NVIDIA driver"));
  const std::string old = reasonAgainst(machineWith(12080, cudaErrorInsufficientDriver, 0));
  CHECK(contains(old, "up to 12.8") && contains(old, "needs 13.0") && contains(old, "newer driver"));
  CHECK(contains(reasonAgainst(machineWith(13000, cudaErrorNoDevice, 0)), "CUDA_VISIBLE_DEVICES"));
  CHECK(contains(reasonAgainst(machineWith(13000, cudaErrorSystemNotReady, 0)), "status text"));
  CHECK_EQUAL(reasonAgainst(machineWith(13000, cudaSuccess, 1)), std::string());
  CHECK_EQUAL(reasonAgainst(machineWith(14010, cudaSuccess, 1)), std::string());
}

TEST("a GPU that cannot be used gets a reason that can be acted on") {
  const cuda::MachineState machine = machineWith(13000, cudaSuccess, 2);
  const auto reason = [&](int index, int capability, bool pools, bool kernels) {
    return cuda::reasonAgainstDevice(machine, index, capability, pools, kernels);
  };
  CHECK(contains(reason(2, 0, false, false), "there are 2 GPUs"));
  CHECK(contains(reason(0, 70, true, false), "compute capability 7.0"));
  CHECK(contains(reason(0, 103, true, false), "JCS_CUDA_ARCHITECTURES=103"));
  CHECK(contains(reason(0, 90, false, true), "memory pools"));
  CHECK_EQUAL(reason(1, 90, true, true), std::string());
}

TEST("the CUDA backend loads here, and says why where it has no device") {
  int cudaDevices = 0;
  for (const DeviceInfo& device : listDevices()) {
    if (device.kind != "cuda") continue;
    ++cudaDevices;
    CHECK(device.available || !device.reason.empty());
    CHECK(!contains(device.reason, "not installed"));
    if (!device.available)
      CHECK_ERROR([&] { loadBackend(device.name); }, errors::kDeviceUnavailable, "device '" + device.name + "'");
  }
  CHECK(cudaDevices > 0);
  CHECK_ERROR([] { loadBackend("cuda:99"); }, errors::kDeviceUnavailable, "device 'cuda:99' cannot be used");
}

}  // namespace jcs::test
