#pragma once

#include <chrono>
#include <cstddef>
#include <new>
#include <nlohmann/json_fwd.hpp>
#include <thread>
#include <type_traits>

namespace jcs {

/// What arrays of JSON values are kept in, and, which is why this is here, the list that nlohmann's destructor makes of
/// what is to go with a value: where the system refuses memory for it, the process would end. It is asked for again for
/// a second. Every file that uses JSON includes it through this one, lest there be two kinds of such lists.
template <typename Json>
struct JsonAllocator {
  using value_type = Json;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  Json* allocate(std::size_t count) {
    constexpr int kTries = 100;
    constexpr std::chrono::milliseconds kPause{10};
    if (count > std::size_t(-1) / sizeof(Json)) throw std::bad_array_new_length();
    for (int i = 0; i < kTries; ++i) {
      if (void* memory = ::operator new(count * sizeof(Json), std::nothrow)) return static_cast<Json*>(memory);
      std::this_thread::sleep_for(kPause);
    }
    throw std::bad_alloc();
  }
  void deallocate(Json* values, std::size_t /*count*/) noexcept { ::operator delete(values); }

  friend constexpr bool operator==(const JsonAllocator& /*a*/, const JsonAllocator& /*b*/) noexcept { return true; }
};

}  // namespace jcs

template <>
struct std::allocator<nlohmann::json> : jcs::JsonAllocator<nlohmann::json> {
  constexpr allocator() noexcept = default;
  template <typename Other>
  constexpr allocator(const std::allocator<Other>& /*other*/) noexcept {}
};

template <>
struct std::allocator<nlohmann::ordered_json> : jcs::JsonAllocator<nlohmann::ordered_json> {
  constexpr allocator() noexcept = default;
  template <typename Other>
  constexpr allocator(const std::allocator<Other>& /*other*/) noexcept {}
};

#include <nlohmann/json.hpp>
