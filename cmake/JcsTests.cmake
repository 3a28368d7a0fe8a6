# The native test executables. Each opens libjcs_cpu.so as the addon does, and links the float64 reference.

# The CUDA backend's own kernels, compiled for the host: each .cu as C++, with CUDA's headers and its execution model
# replaced by test/cuda_emulation. Host code of that backend that calls no library of NVIDIA's comes along.
file(GLOB kernels CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/native/backend/cuda/kernels/*.cu")
set(emulated_sources "")
foreach(kernel IN LISTS kernels)
  get_filename_component(name "${kernel}" NAME_WE)
  set(source "${CMAKE_BINARY_DIR}/cuda_emulation/${name}_kernels.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"backend/cuda/kernels/${name}.cu\"\n")
  list(APPEND emulated_sources "${source}")
endforeach()
foreach(name IN ITEMS batch_norm communication direct_kernels elementwise images layout loss optimizer pool preferred_kernels
        reduce resize)
  list(APPEND emulated_sources "${CMAKE_SOURCE_DIR}/native/backend/cuda/${name}.cpp")
endforeach()
jcs_sources(emulation_sources test/cuda_emulation)
add_library(jcs_cuda_emulated STATIC ${emulated_sources} ${emulation_sources})
jcs_compiler_options(jcs_cuda_emulated)
target_include_directories(jcs_cuda_emulated PUBLIC "${CMAKE_SOURCE_DIR}/test/cuda_emulation")
target_compile_options(jcs_cuda_emulated PRIVATE -Wno-unknown-pragmas) # unroll is nvcc's
set_source_files_properties("${CMAKE_SOURCE_DIR}/test/native/cuda_emulation_test.cpp" PROPERTIES COMPILE_OPTIONS
                            -Wno-unknown-pragmas)

function(jcs_test target)
  jcs_sources(sources ${ARGN})
  add_executable(${target} ${sources})
  jcs_compiler_options(${target})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/test" "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE jcs_ops jcs_cuda_emulated jcs_reference jcs_core Threads::Threads
                        ${CMAKE_DL_LIBS})
  if(TARGET jcs_cpu)
    add_dependencies(${target} jcs_cpu)
  endif()
endfunction()

# With the targets of fuzz/native, which test/native/fuzz_test.cpp gives random bytes.
jcs_test(jcs_native_tests test/native fuzz/native)
# The CPU backend's thread pool is tested by itself: it needs nothing of oneDNN.
target_sources(jcs_native_tests PRIVATE "${CMAKE_SOURCE_DIR}/native/backend/cpu/thread_pool.cpp")
jcs_test(jcs_conformance test/conformance)

# jcs_allocations: what becomes of refused memory. It defines malloc, which a sanitizer does, too.
if(TARGET jcs_cpu AND NOT JCS_SANITIZE)
  jcs_sources(allocations_sources soak/native)
  add_executable(jcs_allocations ${allocations_sources})
  jcs_compiler_options(jcs_allocations)
  target_link_libraries(jcs_allocations PRIVATE jcs_ops jcs_core Threads::Threads ${CMAKE_DL_LIBS})
  add_dependencies(jcs_allocations jcs_cpu)
endif()
