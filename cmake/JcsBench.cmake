# jcs_device_bench: what networks cost on a device, without Node.

add_executable(jcs_device_bench bench/native/device.cpp)
jcs_compiler_options(jcs_device_bench)
target_link_libraries(jcs_device_bench PRIVATE jcs_ops jcs_core Threads::Threads ${CMAKE_DL_LIBS})
if(NOT JCS_CPU)
  return()
endif()

# jcs_int8_bench: our convolutions beside oneDNN's in int8. It has a copy of the backend's threads and of oneDNN.
find_package(OneDnn 3.7 REQUIRED MODULE)
add_executable(jcs_int8_bench bench/native/int8_convolutions.cpp native/backend/cpu/cpu_device.cpp
                              native/backend/cpu/onednn.cpp native/backend/cpu/thread_pool.cpp)
jcs_compiler_options(jcs_int8_bench)
target_link_libraries(jcs_int8_bench PRIVATE jcs_ops jcs_core OneDnn::OneDnn Threads::Threads ${CMAKE_DL_LIBS})
add_dependencies(jcs_int8_bench jcs_cpu)
