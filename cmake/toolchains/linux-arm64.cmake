# Cross compilation for Linux on arm64 with Debian's compiler. scripts/target.mjs knows what runs it here.
set(JCS_TARGET linux-arm64) # as scripts know it
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
