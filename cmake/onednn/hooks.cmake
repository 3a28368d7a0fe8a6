# Included by oneDNN's own project() call (CMAKE_PROJECT_oneDNN_INCLUDE), and done when all its targets are there.
#
# dnnl_cpu_x64 consists of JIT emitters: optimising them costs two thirds of the build and makes no generated kernel
# faster, so that target is built for size; sections of what is not called leave libjcs_cpu.so when it is linked.
# left-out.txt names sources that nothing of ours reaches. Were one of them wanted, linking would say so; which ones they
# are the linker's map of libjcs_cpu.so tells.
function(jcs_trim_onednn)
  target_compile_options(dnnl_cpu_x64 PRIVATE -Os -ffunction-sections -fdata-sections)
  target_precompile_headers(dnnl_cpu_x64 PRIVATE "${PROJECT_SOURCE_DIR}/src/cpu/x64/jit_generator.hpp")
  file(STRINGS "${JCS_ONEDNN_HOOKS}/left-out.txt" left_out)
  list(TRANSFORM left_out PREPEND "${PROJECT_SOURCE_DIR}/src/")
  foreach(target IN ITEMS dnnl_common dnnl_cpu dnnl_cpu_x64)
    get_target_property(sources ${target} SOURCES)
    list(REMOVE_ITEM sources ${left_out})
    set_target_properties(${target} PROPERTIES SOURCES "${sources}")
  endforeach()
endfunction()
set(JCS_ONEDNN_HOOKS "${CMAKE_CURRENT_LIST_DIR}")
cmake_language(DEFER CALL jcs_trim_onednn)
