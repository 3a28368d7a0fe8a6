# The native test executables. Each opens libjcs_cpu.so as the addon does, and links the float64 reference.

function(jcs_test target folder)
  jcs_sources(sources ${folder})
  add_executable(${target} ${sources})
  jcs_compiler_options(${target})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/test")
  target_link_libraries(${target} PRIVATE jcs_ops jcs_reference jcs_core Threads::Threads
                        ${CMAKE_DL_LIBS})
  if(TARGET jcs_cpu)
    add_dependencies(${target} jcs_cpu)
  endif()
endfunction()

jcs_test(jcs_native_tests test/native)
jcs_test(jcs_conformance test/conformance)
