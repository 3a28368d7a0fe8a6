// Stands in for the driver's libcuda.so.1 on machines that have none. cuDNN compiles kernels when it makes a plan, and
// does not begin to without the driver's functions: here they are, of a driver that has no device.
namespace {

constexpr int kStubLibrary = 34;  // CUDA_ERROR_STUB_LIBRARY

}  // namespace

#define DRIVER extern "C" __attribute__((visibility("default")))

DRIVER int cuInit(unsigned) { return 0; }
DRIVER int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
DRIVER int cuDeviceGetCount(int* count) {
  *count = 0;
  return 0;
}
/// Any function: one that answers as the others do.
DRIVER int cuGetProcAddress_v2(const char*, void** function, int, unsigned long long, int* found) {
  *function = reinterpret_cast<void*>(+[] { return kStubLibrary; });
  if (found) *found = 0;
  return 0;
}

#define ABSENT(name) \
  DRIVER int name() { return kStubLibrary; }

ABSENT(cuCtxGetCurrent)
ABSENT(cuCtxGetDevice)
ABSENT(cuCtxGetLimit)
ABSENT(cuCtxPopCurrent)
ABSENT(cuCtxPopCurrent_v2)
ABSENT(cuCtxPushCurrent)
ABSENT(cuCtxPushCurrent_v2)
ABSENT(cuCtxSetCurrent)
ABSENT(cuCtxSynchronize)
ABSENT(cuDeviceGet)
ABSENT(cuDeviceGetAttribute)
ABSENT(cuDevicePrimaryCtxRetain)
ABSENT(cuFuncGetAttribute)
ABSENT(cuFuncSetAttribute)
ABSENT(cuFuncSetCacheConfig)
ABSENT(cuGetErrorName)
ABSENT(cuGetErrorString)
ABSENT(cuGetExportTable)
ABSENT(cuKernelGetAttribute)
ABSENT(cuKernelSetAttribute)
ABSENT(cuLaunchCooperativeKernel)
ABSENT(cuLaunchKernel)
ABSENT(cuLaunchKernelEx)
ABSENT(cuLibraryGetKernel)
ABSENT(cuLibraryGetModule)
ABSENT(cuLibraryLoadData)
ABSENT(cuLibraryLoadFromFile)
ABSENT(cuLibraryUnload)
ABSENT(cuLinkAddData)
ABSENT(cuLinkAddData_v2)
ABSENT(cuLinkAddFile_v2)
ABSENT(cuLinkComplete)
ABSENT(cuLinkCreate)
ABSENT(cuLinkCreate_v2)
ABSENT(cuLinkDestroy)
ABSENT(cuMemAlloc_v2)
ABSENT(cuMemFree_v2)
ABSENT(cuMemcpyDtoH_v2)
ABSENT(cuMemcpyHtoD_v2)
ABSENT(cuMemsetD32Async)
ABSENT(cuMemsetD8Async)
ABSENT(cuModuleGetFunction)
ABSENT(cuModuleGetGlobal_v2)
ABSENT(cuModuleLoadData)
ABSENT(cuModuleLoadDataEx)
ABSENT(cuModuleUnload)
ABSENT(cuOccupancyMaxActiveBlocksPerMultiprocessor)
ABSENT(cuOccupancyMaxActiveClusters)
ABSENT(cuOccupancyMaxPotentialClusterSize)
ABSENT(cuStreamGetCaptureInfo_v2)
ABSENT(cuStreamGetCtx)
ABSENT(cuStreamIsCapturing)
ABSENT(cuTensorMapEncodeIm2col)
ABSENT(cuTensorMapEncodeTiled)
