# jcs_fuzz: the targets of fuzz/native under libFuzzer, with the engine and the CPU backend that it watches. The preset
# `fuzz` has the options that this needs.

jcs_sources(fuzz_sources fuzz/native)
add_executable(jcs_fuzz fuzz/libfuzzer.cpp ${fuzz_sources} test/native/compiled.cpp)
jcs_compiler_options(jcs_fuzz)
target_include_directories(jcs_fuzz PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/test")
target_link_options(jcs_fuzz PRIVATE -fsanitize=fuzzer)
target_link_libraries(jcs_fuzz PRIVATE jcs_ops jcs_core Threads::Threads ${CMAKE_DL_LIBS})
add_dependencies(jcs_fuzz jcs_cpu)
