#include "core/philox.h"

#include <vector>

#include "native/harness.h"

namespace jcs {

TEST("Philox4x32-10 gives the paper's known answer for counter and key zero") {
  Philox random(0, 0, 0, RandomPurpose{0});
  for (uint32_t expected : {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}) CHECK_EQUAL(random.next(), expected);
}

// Expected values: an independent Philox4x32-10 in Python that reproduces all three known answers of Random123's
// kat_vectors. Counter words: block, purpose, epoch, sample; key words: the seed's low and high half.
TEST("seed, epoch, sample and purpose take their words of counter and key") {
  Philox random(0x0123456789abcdefu, 7, 42, RandomPurpose::kAugment);
  for (uint32_t expected : {0x485d35edu, 0x8f0d2817u, 0x4242af7fu, 0x9f3110b0u}) CHECK_EQUAL(random.next(), expected);
  for (uint32_t expected : {0xf685c38du, 0x9f493facu, 0x9e2913b9u, 0x3ff3ae41u}) CHECK_EQUAL(random.next(), expected);
}

TEST("streams that differ in one word of their name differ") {
  const uint32_t base = Philox(1, 2, 3, RandomPurpose::kMix).next();
  CHECK(base != Philox(2, 2, 3, RandomPurpose::kMix).next());
  CHECK(base != Philox(uint64_t{1} << 32 | 1, 2, 3, RandomPurpose::kMix).next());
  CHECK(base != Philox(1, 3, 3, RandomPurpose::kMix).next());
  CHECK(base != Philox(1, 2, 4, RandomPurpose::kMix).next());
  CHECK(base != Philox(1, 2, 3, RandomPurpose::kShuffle).next());
}

TEST("uniform numbers are in [0, 1), have mean 1/2 and variance 1/12") {
  Philox random(5, 0, 0, RandomPurpose::kInitialise);
  const int count = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double u = random.uniform();
    CHECK(u >= 0 && u < 1);
    sum += u, squares += u * u;
  }
  const double mean = sum / count;
  CHECK_NEAR(mean, 0.5, 4 * std::sqrt(1.0 / 12 / count));  // four standard errors
  CHECK_NEAR(squares / count - mean * mean, 1.0 / 12, 0.001);
}

TEST("below(7) stays below 7 and takes every value equally often") {
  Philox random(6, 0, 0, RandomPurpose::kShuffle);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) {
    const uint32_t value = random.below(7);
    CHECK(value < 7);
    ++counts[value % 7];
  }
  for (int count : counts) CHECK_NEAR(count, 10000, 4 * std::sqrt(70000 * (1.0 / 7) * (6.0 / 7)));
  CHECK_EQUAL(random.below(1), 0u);
}

TEST("normal numbers have mean 0, variance 1 and kurtosis 3") {
  Philox random(7, 0, 0, RandomPurpose::kInitialise);
  const int count = 100000;
  double sum = 0, squares = 0, fourths = 0;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    sum += x, squares += x * x, fourths += x * x * x * x;
  }
  CHECK_NEAR(sum / count, 0, 0.013);  // four standard errors each
  CHECK_NEAR(squares / count, 1, 0.018);
  CHECK_NEAR(fourths / count, 3, 0.13);
}

TEST("Beta(alpha, alpha) is in [0, 1] with mean 1/2 and variance 1/(4(2 alpha + 1))") {
  for (double alpha : {0.1, 1.0, 4.0}) {
    Philox random(8, 0, static_cast<uint32_t>(alpha * 10), RandomPurpose::kMix);
    const int count = 40000;
    double sum = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
      const double x = random.beta(alpha);
      CHECK(x >= 0 && x <= 1);
      sum += x, squares += x * x;
    }
    const double mean = sum / count, variance = 1 / (4 * (2 * alpha + 1));
    CHECK_NEAR(mean, 0.5, 4 * std::sqrt(variance / count));
    CHECK_NEAR(squares / count - mean * mean, variance, 0.02 * variance + 0.001);
  }
}

}  // namespace jcs
