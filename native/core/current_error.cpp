#include "core/current_error.h"

#include <new>
#include <system_error>

namespace jcs {

Error currentError() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(errors::kOutOfMemory, "the system refused memory; use a smaller batch or image, or free memory");
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again)
      return Error(errors::kOutOfMemory,
                   "the system refused a thread; free memory, or raise the limit of threads (ulimit -u, pids.max)");
    return Error(errors::kInternal, error.what());
  } catch (const std::exception& error) {
    return Error(errors::kInternal, error.what());
  } catch (...) {
    return Error(errors::kInternal, "an exception of unknown type");
  }
}

}  // namespace jcs
