# libjcs_cpu.so: the CPU backend with oneDNN inside.

jcs_sources(cpu_sources native/backend/cpu)

find_package(OneDnn 3.7 REQUIRED MODULE)

add_library(jcs_cpu MODULE ${cpu_sources})
jcs_compiler_options(jcs_cpu)
# What its loops need to be vectorised, and fused multiply-adds. Function attributes do not do: GCC applies them after
# it has inlined the loop bodies under the command line's options.
target_compile_options(jcs_cpu PRIVATE -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast)
jcs_instruction_sets(${cpu_sources})
target_link_libraries(jcs_cpu PRIVATE jcs_ops OneDnn::OneDnn Threads::Threads ${CMAKE_DL_LIBS})

# Only the C entry points of the backend contract leave the library, so that neither its oneDNN nor its copy of the
# engine meets another one in the process.
# What of oneDNN nothing calls stays out, too.
set(exports "${CMAKE_SOURCE_DIR}/cmake/backend.map")
target_link_options(jcs_cpu PRIVATE "LINKER:--version-script=${exports}" "LINKER:--exclude-libs,ALL"
                                    "LINKER:--gc-sections")
if(NOT JCS_SANITIZE) # a sanitizer's runtime is linked into the program alone
  target_link_options(jcs_cpu PRIVATE "LINKER:--no-undefined")
endif()
set_target_properties(jcs_cpu PROPERTIES LINK_DEPENDS "${exports}")
