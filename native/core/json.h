#pragma once

#include <chrono>
#include <cstddef>
#include <new>
#include <nlohmann/json_fwd.hpp>
#include <thread>
#include <type_traits>

/// What arrays of JSON values are kept in, and, which is why this is here, the list that nlohmann's destructor makes of
/// what is to go with a value: where the system refuses memory for it, the process would end. It is asked for again for
/// a second. Every file that uses JSON includes it through this one, lest there be two kinds of such lists.
template <>
struct std::allocator<nlohmann::json> {
  using value_type = nlohmann::json;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  constexpr allocator() noexcept = default;
  template <typename Other>
  constexpr allocator(const std::allocator<Other>& /*other*/) noexcept {}

  nlohmann::json* allocate(std::size_t count);
  void deallocate(nlohmann::json* values, std::size_t /*count*/) noexcept { ::operator delete(values); }

  friend constexpr bool operator==(const allocator& /*a*/, const allocator& /*b*/) noexcept { return true; }
};

#include <nlohmann/json.hpp>

inline nlohmann::json* std::allocator<nlohmann::json>::allocate(std::size_t count) {
  constexpr int kTries = 100;
  constexpr std::chrono::milliseconds kPause{10};
  if (count > std::size_t(-1) / sizeof(nlohmann::json)) throw std::bad_array_new_length();
  for (int i = 0; i < kTries; ++i) {
    if (void* memory = ::operator new(count * sizeof(nlohmann::json), std::nothrow))
      return static_cast<nlohmann::json*>(memory);
    std::this_thread::sleep_for(kPause);
  }
  throw std::bad_alloc();
}
