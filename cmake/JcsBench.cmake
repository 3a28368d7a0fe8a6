# jcs_device_bench: what networks cost on a device, without Node.

add_executable(jcs_device_bench bench/native/device.cpp)
jcs_compiler_options(jcs_device_bench)
target_link_libraries(jcs_device_bench PRIVATE jcs_ops jcs_core Threads::Threads ${CMAKE_DL_LIBS})
