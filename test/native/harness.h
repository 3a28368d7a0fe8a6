#pragma once

#include <cmath>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"

/// A test harness in one header:
///
///   TEST("shapes count their elements") { CHECK_EQUAL(Shape({2, 3}).elements(), 6); }
///
/// A failed check is reported with file, line and values, and the test goes on; an exception ends the test as failed.
/// `skip` ends it as skipped, for a reason that is printed. Test names are sentences about what holds.
namespace jcs::test {

struct Test {
  std::string name;
  std::function<void()> body;
};
std::vector<Test>& tests();

struct Registration {
  Registration(std::string name, std::function<void()> body) { tests().push_back({std::move(name), std::move(body)}); }
};

struct Skip {
  std::string reason;
};
[[noreturn]] inline void skip(const std::string& reason) { throw Skip{reason}; }

/// Records a failure of the running test.
void reportFailure(const char* file, int line, const std::string& what);

template <typename T>
std::string show(const T& value) {
  if constexpr (requires(std::ostream & out) { out << value; }) {
    std::ostringstream text;
    text.precision(9);
    text << value;
    return text.str();
  } else if constexpr (requires { value.toString(); }) {
    return value.toString();
  } else {
    return "(a value without text)";
  }
}

template <typename Actual, typename Expected>
void checkEqual(const Actual& actual, const Expected& expected, const char* text, const char* file, int line) {
  if (!(actual == expected))
    reportFailure(file, line, std::string(text) + " is " + show(actual) + ", expected " + show(expected));
}

inline void checkNear(double actual, double expected, double tolerance, const char* text, const char* file, int line) {
  if (!(std::abs(actual - expected) <= tolerance))
    reportFailure(
        file, line,
        std::string(text) + " is " + show(actual) + ", expected " + show(expected) + " within " + show(tolerance));
}

/// Runs `body`, which must throw a jcs::Error of that code, whose message contains every one of `parts`.
void checkError(const std::function<void()>& body, const std::string& code, const std::vector<std::string>& parts,
                const char* file, int line);

}  // namespace jcs::test

#define JCS_JOIN_(a, b) a##b
#define JCS_JOIN(a, b) JCS_JOIN_(a, b)
#define JCS_TEST(name, id)                                                                       \
  static void JCS_JOIN(test_, id)();                                                             \
  static const ::jcs::test::Registration JCS_JOIN(registration_, id)(name, JCS_JOIN(test_, id)); \
  static void JCS_JOIN(test_, id)()

#define TEST(name) JCS_TEST(name, __COUNTER__)
#define CHECK(condition) \
  ((condition) ? void() : ::jcs::test::reportFailure(__FILE__, __LINE__, "does not hold: " #condition))
#define CHECK_EQUAL(actual, expected) ::jcs::test::checkEqual(actual, expected, #actual, __FILE__, __LINE__)
#define CHECK_NEAR(actual, expected, tolerance) \
  ::jcs::test::checkNear(actual, expected, tolerance, #actual, __FILE__, __LINE__)
/// CHECK_ERROR([] { ... }, errors::kShapeMismatch, "conv2d", "[1, 2]")
#define CHECK_ERROR(body, code, ...) ::jcs::test::checkError(body, code, {__VA_ARGS__}, __FILE__, __LINE__)
