# Included by oneDNN's own project() call (CMAKE_PROJECT_oneDNN_INCLUDE). dnnl_cpu_x64 consists of JIT emitters:
# optimising them costs two thirds of the build and makes no generated kernel faster, so that target is built at -O1.
cmake_language(DEFER CALL target_compile_options dnnl_cpu_x64 PRIVATE -O1)
