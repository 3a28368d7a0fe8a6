# One set of compiler options for every target, and the per-file instruction sets.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# -O2 and frame pointers (profiles stay readable); assertions stay on, they guard invariants off the hot path.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -fno-omit-frame-pointer")

find_program(JCS_CCACHE ccache)
mark_as_advanced(JCS_CCACHE)
if(JCS_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${JCS_CCACHE}")
endif()

function(jcs_compiler_options target)
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/native")
  # Without -fno-semantic-interposition, PIC code may not inline a function that another library could replace.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -fno-semantic-interposition
                         $<$<BOOL:${JCS_WERROR}>:-Werror>)
  if(JCS_SANITIZE)
    # GCC's flow analysis sees the sanitizers' own branches and warns about code nobody wrote.
    target_compile_options(${target} PRIVATE -fsanitize=${JCS_SANITIZE} -fno-sanitize-recover=all -g
                           $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PUBLIC -fsanitize=${JCS_SANITIZE})
  endif()
endfunction()

# The build runs on machines older and newer than the one that made it, so no -march=native: a file whose name ends in
# an instruction set is compiled for that set, and is called only after the CPU was asked. Such a file must keep its
# functions in an anonymous namespace and include no header with inline functions of ours: the linker may pick this
# file's copy of an inline function for the whole library, and an older CPU would then meet an illegal instruction.
function(jcs_instruction_sets)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    return()
  endif()
  set(avx2 -mavx2 -mfma -mf16c)
  set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512)
  set(avx512bf16 ${avx512} -mavx512bf16)
  foreach(source IN LISTS ARGN)
    if(source MATCHES "_(avx2|avx512|avx512bf16)\\.cpp$")
      set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "${${CMAKE_MATCH_1}}")
    endif()
  endforeach()
endfunction()
