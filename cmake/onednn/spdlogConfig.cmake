# Debian's patched oneDNN looks for a system spdlog at configure time, but compiles it only with
# ONEDNN_EXPERIMENTAL_LOGGING, which is off here. This file answers the look-up so that no package is needed.
set(spdlog_FOUND TRUE)
