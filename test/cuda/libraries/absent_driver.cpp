// Stands in for the driver's libcuda.so.1 on machines that have none. cuDNN compiles kernels when it makes a plan, and
// does not begin to without the driver's functions; it calls none of these for a plan.
namespace {

constexpr int kStubLibrary = 34;  // CUDA_ERROR_STUB_LIBRARY

}  // namespace

#define ABSENT(name) \
  extern "C" __attribute__((visibility("default"))) int name() { return kStubLibrary; }

ABSENT(cuCtxGetCurrent)
ABSENT(cuCtxGetDevice)
ABSENT(cuCtxPopCurrent_v2)
ABSENT(cuCtxPushCurrent_v2)
ABSENT(cuCtxSetCurrent)
ABSENT(cuCtxSynchronize)
ABSENT(cuDeviceGet)
ABSENT(cuDeviceGetAttribute)
ABSENT(cuDeviceGetCount)
ABSENT(cuDevicePrimaryCtxRetain)
ABSENT(cuDriverGetVersion)
ABSENT(cuFuncGetAttribute)
ABSENT(cuFuncSetAttribute)
ABSENT(cuFuncSetCacheConfig)
ABSENT(cuGetErrorName)
ABSENT(cuGetErrorString)
ABSENT(cuGetProcAddress_v2)
ABSENT(cuInit)
ABSENT(cuLaunchCooperativeKernel)
ABSENT(cuLaunchKernel)
ABSENT(cuLaunchKernelEx)
ABSENT(cuLibraryGetKernel)
ABSENT(cuLibraryGetModule)
ABSENT(cuLibraryLoadData)
ABSENT(cuLibraryUnload)
ABSENT(cuLinkAddData_v2)
ABSENT(cuLinkAddFile_v2)
ABSENT(cuLinkComplete)
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
ABSENT(cuStreamGetCaptureInfo_v2)
ABSENT(cuStreamIsCapturing)
ABSENT(cuTensorMapEncodeIm2col)
ABSENT(cuTensorMapEncodeTiled)
