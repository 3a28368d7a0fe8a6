# Finds the oneDNN that the CPU backend is built on: JCS_ONEDNN_ROOT, else what `npm run setup` built into the per-user
# cache, else the system's. Whichever it is must be 3.7 or newer with the THREADPOOL runtime (our threads, not OpenMP's)
# and, for x64, the BRGEMM ukernel API, which the other processors' has nothing behind.

include(FindPackageHandleStandardArgs)

include(JcsCache)

# The result is never kept in CMake's cache: setting JCS_ONEDNN_ROOT, or a new pin, takes effect at the next configure.
unset(dnnl_DIR CACHE)
if(JCS_ONEDNN_ROOT)
  find_package(dnnl ${OneDnn_FIND_VERSION} CONFIG QUIET PATHS "${JCS_ONEDNN_ROOT}" NO_DEFAULT_PATH)
elseif(EXISTS "${JCS_ONEDNN_CACHE}/lib")
  find_package(dnnl ${OneDnn_FIND_VERSION} CONFIG QUIET PATHS "${JCS_ONEDNN_CACHE}" NO_DEFAULT_PATH)
else()
  find_package(dnnl ${OneDnn_FIND_VERSION} CONFIG QUIET)
endif()

find_package_handle_standard_args(OneDnn
  REQUIRED_VARS dnnl_DIR
  VERSION_VAR dnnl_VERSION
  REASON_FAILURE_MESSAGE "Run `npm run setup`, which builds it into ${JCS_ONEDNN_CACHE}, or pass -DJCS_ONEDNN_ROOT=<prefix>.")

if(OneDnn_FOUND AND NOT TARGET OneDnn::OneDnn)
  get_target_property(onednn_include DNNL::dnnl INTERFACE_INCLUDE_DIRECTORIES)
  find_file(onednn_config oneapi/dnnl/dnnl_config.h PATHS ${onednn_include} NO_DEFAULT_PATH NO_CACHE REQUIRED)
  file(STRINGS "${onednn_config}" onednn_runtime REGEX "define DNNL_CPU_THREADING_RUNTIME +DNNL_RUNTIME_THREADPOOL")
  file(STRINGS "${onednn_config}" onednn_ukernel REGEX "define DNNL_EXPERIMENTAL_UKERNEL")
  if(NOT onednn_runtime OR (NOT onednn_ukernel AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64"))
    message(FATAL_ERROR "The oneDNN in ${dnnl_DIR} was built without ONEDNN_CPU_RUNTIME=THREADPOOL or, for x64, without "
            "ONEDNN_EXPERIMENTAL_UKERNEL=ON. Run `npm run setup`, which builds one that has both.")
  endif()
  add_library(OneDnn::OneDnn ALIAS DNNL::dnnl)
endif()
