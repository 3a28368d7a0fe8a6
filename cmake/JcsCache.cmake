# JCS_ONEDNN_CACHE and JCS_CUDA_CACHE: where set-up keeps oneDNN and NVIDIA's packages for this user. The scripts that put
# them there say so; without Node there is nothing of theirs to be found.

include_guard(DIRECTORY) # asked twice, answered once
find_program(JCS_NODE node)
mark_as_advanced(JCS_NODE)
set(JCS_ONEDNN_CACHE "")
set(JCS_CUDA_CACHE "")
if(JCS_NODE)
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env "JCS_TARGET=${JCS_TARGET}"
                          "${JCS_NODE}" "${CMAKE_SOURCE_DIR}/scripts/cache-folders.mjs"
                  OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  list(GET folders 0 JCS_ONEDNN_CACHE)
  list(GET folders 1 JCS_CUDA_CACHE)
endif()
# The name of oneDNN's folder is a hash of what defines the build.
file(GLOB pinned "${CMAKE_SOURCE_DIR}/cmake/onednn/*")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${pinned})
