# libjcs_mpi.so: what lets processes train together. The only file that is compiled and linked with MPI, and opened when
# a training asks for it; without MPI here it is left out, and everything else works.

enable_language(C) # FindMPI asks the C compiler wrapper
find_package(MPI QUIET COMPONENTS C)
if(NOT MPI_C_FOUND)
  message(STATUS "libjcs_mpi.so is not built: there is no MPI (on Debian: libopenmpi-dev)")
  return()
endif()

jcs_sources(mpi_sources native/communication/mpi)
add_library(jcs_mpi MODULE ${mpi_sources})
jcs_compiler_options(jcs_mpi)
target_compile_definitions(jcs_mpi PRIVATE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX) # the C++ bindings of MPI-2 are gone
# As a system's headers, whatever warnings they have.
target_include_directories(jcs_mpi SYSTEM PRIVATE ${MPI_C_INCLUDE_DIRS})
target_link_libraries(jcs_mpi PRIVATE ${MPI_C_LIBRARIES} Threads::Threads)
set(exports "${CMAKE_SOURCE_DIR}/cmake/backend.map")
target_link_options(jcs_mpi PRIVATE "LINKER:--version-script=${exports}")
set_target_properties(jcs_mpi PROPERTIES LINK_DEPENDS "${exports}")
