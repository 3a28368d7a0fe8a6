#pragma once

#include <string>

#include "core/error.h"

namespace jcs {

/// The code of the jcs::Error that `action` throws; "" when it throws none. Anything else thrown passes through.
template <typename Action>
std::string codeOf(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return "";
}

/// Likewise its message.
template <typename Action>
std::string messageOf(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace jcs
