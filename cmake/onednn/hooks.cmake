# Included by oneDNN's own project() call (CMAKE_PROJECT_oneDNN_INCLUDE), and done when all its targets are there.
#
# Most of the library are JIT emitters: optimising them costs two thirds of the build and makes no generated kernel
# faster, so they are built for size, and those that run once are not optimised at all. Sections of what is not called
# leave libjcs_cpu.so when it is linked.
#
# The sources beside this file take the place of oneDNN's of the same names: lists of the implementations that we want.
# left-out.txt names the sources that nothing of ours reaches then. Were one of them wanted, linking would say so;
# `node scripts/onednn-unused.mjs` tells which ones they are.
function(jcs_trim_onednn)
  set(source "${PROJECT_SOURCE_DIR}/src")
  set(replaced cpu_convolution_list.cpp matmul/cpu_matmul_list.cpp reorder/cpu_reorder.cpp)
  set(lists "")
  foreach(file IN LISTS replaced)
    get_filename_component(name "${file}" NAME)
    list(APPEND lists "${JCS_ONEDNN_HOOKS}/${name}")
  endforeach()
  list(TRANSFORM replaced PREPEND "${source}/cpu/")
  file(STRINGS "${JCS_ONEDNN_HOOKS}/left-out.txt" left_out)
  list(TRANSFORM left_out PREPEND "${source}/")

  foreach(target IN ITEMS dnnl_common dnnl_cpu dnnl_cpu_x64)
    if(NOT TARGET ${target}) # of which there is none for other processors
      continue()
    endif()
    get_target_property(sources ${target} SOURCES)
    list(REMOVE_ITEM sources ${left_out} ${replaced})
    set_target_properties(${target} PROPERTIES SOURCES "${sources}")
    target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
  endforeach()
  target_sources(dnnl_cpu PRIVATE ${lists})
  set_source_files_properties(${lists} TARGET_DIRECTORY dnnl_cpu PROPERTIES COMPILE_OPTIONS -Os
                              SKIP_PRECOMPILE_HEADERS ON)
  target_compile_options(dnnl_common PRIVATE -Os)
  target_precompile_headers(dnnl_common PRIVATE "${source}/common/primitive_desc.hpp")
  target_precompile_headers(dnnl_cpu PRIVATE "${source}/cpu/cpu_engine.hpp")

  if(NOT TARGET dnnl_cpu_x64)
    return()
  endif()
  target_compile_options(dnnl_cpu_x64 PRIVATE -Os)
  target_precompile_headers(dnnl_cpu_x64 PRIVATE "${source}/cpu/x64/jit_generator.hpp")
  file(GLOB generated "${source}/cpu/x64/gemm/*/*_autogen.cpp")
  set_source_files_properties(${generated} TARGET_DIRECTORY dnnl_cpu_x64 PROPERTIES COMPILE_FLAGS -O0)
endfunction()
set(JCS_ONEDNN_HOOKS "${CMAKE_CURRENT_LIST_DIR}")
cmake_language(DEFER CALL jcs_trim_onednn)
