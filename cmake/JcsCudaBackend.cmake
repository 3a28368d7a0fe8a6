# libjcs_cuda.so: the CUDA backend. It links the CUDA runtime statically and nothing else of CUDA: the driver, cuDNN and
# cuBLASLt are opened when a device is first asked for, so that the library loads on machines that have none of them.

set(JCS_CUDA AUTO CACHE STRING "Build the CUDA backend libjcs_cuda.so: ON, OFF, or AUTO: when nvcc and cuDNN's headers are found")
set_property(CACHE JCS_CUDA PROPERTY STRINGS AUTO ON OFF)
set(JCS_CUDA_ARCHITECTURES "" CACHE STRING "Compute capabilities to build for, such as '90'; empty: those of a release")
set(CUDNN_ROOT "$ENV{CUDNN_ROOT}" CACHE PATH "Where cuDNN 9 lies; empty: the active virtual environment, what `npm run setup -- --cuda` fetched, the system")
if(NOT JCS_CUDA OR JCS_SANITIZE) # sanitizers know nothing of the device
  return()
endif()

find_program(JCS_NVCC nvcc HINTS "$ENV{CUDA_HOME}/bin" "$ENV{CUDA_PATH}/bin" /usr/local/cuda/bin)
mark_as_advanced(JCS_NVCC)

include(JcsCache)

# pip's wheels put their headers into site-packages/nvidia/*/include.
set(wheel_includes "")
foreach(environment IN ITEMS "$ENV{VIRTUAL_ENV}" "$ENV{CONDA_PREFIX}" "${JCS_CUDA_CACHE}")
  if(NOT environment STREQUAL "")
    file(GLOB found LIST_DIRECTORIES true "${environment}/lib/python3*/site-packages/nvidia/*/include")
    list(APPEND wheel_includes ${found})
  endif()
endforeach()
unset(JCS_CUDNN_INCLUDE CACHE)
unset(JCS_CUBLASLT_INCLUDE CACHE)
find_path(JCS_CUDNN_INCLUDE cudnn_backend.h HINTS "${CUDNN_ROOT}" PATH_SUFFIXES include PATHS ${wheel_includes}
          /usr/local/cuda/include)
if(JCS_NVCC)
  get_filename_component(toolkit "${JCS_NVCC}" REALPATH)
  get_filename_component(toolkit "${toolkit}/../.." ABSOLUTE)
endif()
find_path(JCS_CUBLASLT_INCLUDE cublasLt.h PATHS ${wheel_includes} "${toolkit}/include" /usr/local/cuda/include)
mark_as_advanced(JCS_CUDNN_INCLUDE JCS_CUBLASLT_INCLUDE)

set(missing "")
if(NOT JCS_NVCC)
  list(APPEND missing "nvcc")
endif()
if(NOT JCS_CUDNN_INCLUDE)
  list(APPEND missing "cuDNN 9's headers")
endif()
if(NOT JCS_CUBLASLT_INCLUDE)
  list(APPEND missing "cuBLASLt's header")
endif()
if(missing)
  list(JOIN missing " and " missing)
  if(NOT JCS_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "JCS_CUDA is ON and there is no ${missing}. Run `npm run setup -- --cuda`, or set CUDNN_ROOT.")
  endif()
  message(STATUS "libjcs_cuda.so is not built: there is no ${missing}")
  return()
endif()

if(NOT JCS_CUDA_ARCHITECTURES)
  set(JCS_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120) # machine code, and PTX of the newest
endif()
string(REGEX MATCH "[0-9]+" oldest_architecture "${JCS_CUDA_ARCHITECTURES}") # the list begins with it; newer ones have PTX
if(NOT oldest_architecture)
  set(oldest_architecture 75)
endif()
set(CMAKE_CUDA_COMPILER "${JCS_NVCC}")
set(CMAKE_CUDA_ARCHITECTURES "${JCS_CUDA_ARCHITECTURES}")
enable_language(CUDA)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20") # CMake 3.25 does not know that nvcc has it
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
if(JCS_CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${JCS_CCACHE}")
endif()

jcs_sources(cuda_sources native/backend/cuda)
file(GLOB cuda_kernels CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/native/backend/cuda/kernels/*.cu")

add_library(jcs_cuda MODULE ${cuda_sources} ${cuda_kernels})
target_include_directories(jcs_cuda PRIVATE "${CMAKE_SOURCE_DIR}/native")
target_include_directories(jcs_cuda SYSTEM PRIVATE "${JCS_CUDNN_INCLUDE}" "${JCS_CUBLASLT_INCLUDE}"
                           ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_compile_options(jcs_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -fno-semantic-interposition $<$<BOOL:${JCS_WERROR}>:-Werror>>
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Xcompiler -Wall,-Wextra>"
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${JCS_WERROR}>>:--Werror=all-warnings>)
target_compile_definitions(jcs_cuda PRIVATE "JCS_CUDA_OLDEST_KERNELS=${oldest_architecture}")
target_link_libraries(jcs_cuda PRIVATE jcs_ops Threads::Threads ${CMAKE_DL_LIBS})
set(exports "${CMAKE_SOURCE_DIR}/cmake/backend.map")
target_link_options(jcs_cuda PRIVATE "LINKER:--version-script=${exports}" "LINKER:--exclude-libs,ALL"
                    "LINKER:--no-undefined")
set_target_properties(jcs_cuda PROPERTIES LINK_DEPENDS "${exports}")

# What tries a GPU before it is used (native/backend/device_trial.h); it goes where the library goes.
add_executable(jcs_device_trial native/trial/main.cpp)
jcs_compiler_options(jcs_device_trial)
target_link_libraries(jcs_device_trial PRIVATE jcs_core jcs_ops Threads::Threads ${CMAKE_DL_LIBS})

if(NOT JCS_TESTS)
  return()
endif()
# What needs no device: how libraries are found and checked, and which plans cuDNN has for the convolutions. Tests call
# it directly, and link no CUDA either.
set(host_sources convolution cudnn cudnn_graph device_check plan_files shared_library)
list(TRANSFORM host_sources REPLACE "(.+)" "native/backend/cuda/\\1.cpp")
jcs_sources(test_sources test/cuda)
file(GLOB case_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/test/conformance/case*.cpp")
add_executable(jcs_cuda_tests ${test_sources} ${case_sources} test/native/main.cpp ${host_sources})
jcs_compiler_options(jcs_cuda_tests)
target_include_directories(jcs_cuda_tests PRIVATE "${CMAKE_SOURCE_DIR}/test")
target_include_directories(jcs_cuda_tests SYSTEM PRIVATE "${JCS_CUDNN_INCLUDE}" "${JCS_CUBLASLT_INCLUDE}"
                           ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_link_libraries(jcs_cuda_tests PRIVATE jcs_ops jcs_core Threads::Threads ${CMAKE_DL_LIBS})
add_dependencies(jcs_cuda_tests jcs_cuda)

# Libraries that tests open: cuDNNs that have to be refused, a driver that does nothing, and backends to be tried.
function(jcs_fake_library name file source)
  add_library(${name} MODULE "${CMAKE_SOURCE_DIR}/test/cuda/libraries/${source}")
  set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME "${file}" SUFFIX ""
                        LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fake_libraries/${name}")
  target_compile_definitions(${name} PRIVATE ${ARGN})
  add_dependencies(jcs_cuda_tests ${name})
endfunction()
jcs_fake_library(old libcudnn.so.9 fake_cudnn.cpp JCS_FAKE_VERSION=90100 JCS_FAKE_MIXED=false)
jcs_fake_library(mixed libcudnn.so.9 fake_cudnn.cpp JCS_FAKE_VERSION=91000 JCS_FAKE_MIXED=true)
jcs_fake_library(incomplete libcudnn.so.9 fake_cudnn.cpp JCS_FAKE_VERSION=91000 JCS_FAKE_MIXED=false)
jcs_fake_library(driver libcuda.so.1 absent_driver.cpp)
target_link_options(driver PRIVATE "LINKER:-soname,libcuda.so.1") # what later openings by this name find
foreach(behaviour IN ITEMS crash exit fine hang)
  jcs_fake_library(trial_${behaviour} libjcs_cuda.so trial_backend.cpp "JCS_TRIAL_BEHAVIOUR=\"${behaviour}\"")
  target_link_libraries(trial_${behaviour} PRIVATE jcs_ops)
endforeach()
add_dependencies(jcs_cuda_tests jcs_device_trial)
target_compile_definitions(jcs_cuda_tests PRIVATE "JCS_TRIAL_PROGRAM=\"$<TARGET_FILE:jcs_device_trial>\"")
target_compile_definitions(jcs_cuda_tests PRIVATE "JCS_FAKE_LIBRARIES=\"${CMAKE_BINARY_DIR}/fake_libraries\"")
