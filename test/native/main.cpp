#include <cstdio>

#include "native/harness.h"

namespace jcs::test {

namespace {

bool failed = false;

}  // namespace

std::vector<Test>& tests() {
  static std::vector<Test> list;  // not a global: registrations in other files may run first
  return list;
}

void reportFailure(const char* file, int line, const std::string& what) {
  failed = true;
  std::printf("     %s:%d: %s\n", file, line, what.c_str());
}

void checkError(const std::function<void()>& body, const std::string& code, const std::vector<std::string>& parts,
                const char* file, int line) {
  try {
    body();
  } catch (const Error& error) {
    if (error.code() != code)
      reportFailure(file, line, "threw " + error.code() + " instead of " + code + ": " + error.what());
    for (const std::string& part : parts)
      if (std::string(error.what()).find(part) == std::string::npos)
        reportFailure(file, line, "the message lacks '" + part + "': " + error.what());
    return;
  } catch (const std::exception& error) {
    return reportFailure(file, line, "threw something else than jcs::Error: " + std::string(error.what()));
  }
  reportFailure(file, line, "threw nothing instead of " + code);
}

static int run(const std::string& filter) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  int passed = 0, failures = 0, skipped = 0;
  for (const Test& test : tests()) {
    if (test.name.find(filter) == std::string::npos) continue;
    failed = false;
    try {
      test.body();
    } catch (const Skip& reason) {
      std::printf("SKIP %s: %s\n", test.name.c_str(), reason.reason.c_str());
      // A failure before the skip still counts.
      if (!failed) {
        ++skipped;
        continue;
      }
    } catch (const std::exception& error) {
      reportFailure(__FILE__, __LINE__, std::string("threw ") + error.what());
    }
    failed ? ++failures : ++passed;
    if (failed) std::printf("FAIL %s\n", test.name.c_str());
  }
  if (passed + failures + skipped == 0) {
    std::printf("FAIL --filter %s matches nothing\n", filter.c_str());
    ++failures;
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failures, skipped);
  return failures == 0 ? 0 : 1;
}

}  // namespace jcs::test

/// jcs_native_tests [--filter TEXT]
int main(int count, char** arguments) {
  const bool filtered = count == 3 && std::string(arguments[1]) == "--filter";
  if (count != 1 && !filtered) {
    std::fprintf(stderr, "usage: %s [--filter TEXT]\n", arguments[0]);
    return 2;
  }
  return jcs::test::run(filtered ? arguments[2] : "");
}
