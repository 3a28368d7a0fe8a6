#include "backend/cpu/product_loops.h"

#include <algorithm>

#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

namespace {

/// Part of a product: so much of its depth.
template <typename A, typename B>
struct Part {
  const A* a;
  const B* b;
  int64_t depth;
};

/// Of B's lines, what stays in the first-level cache while all rows of A pass by. It is also what is summed before it
/// is added to what other depths gave, so that sums of many thousands lose no more than such short ones.
constexpr int64_t kDepth = 256;

/// Calls body(parts) for parts of the batch, together at most kDepth deep.
template <typename A, typename B, typename Body>
JCS_INLINE void forEachDepth(const ProductShape& shape, const std::byte* a, const std::byte* b,
                             const ProductOffsets& offsets, const Body& body) {
  std::vector<Part<A, B>> parts;
  int64_t depth = 0;
  for (const auto& [offsetA, offsetB] : offsets)
    for (int64_t k = 0; k < shape.depth;) {
      const int64_t count = std::min(shape.depth - k, kDepth - depth);
      parts.push_back({reinterpret_cast<const A*>(a + offsetA) + k,
                       reinterpret_cast<const B*>(b + offsetB) + k * shape.ldb, count});
      k += count, depth += count;
      if (depth < kDepth) continue;
      body(parts);
      parts.clear(), depth = 0;
    }
  if (!parts.empty()) body(parts);
}

/// Sums of blocks of kRows rows of C by kLanes columns, in registers: multiply<rows>(parts, sums) for kRows of them,
/// then for single ones. B is padded to whole lines of kLanes; C may end before.
template <int64_t kRows, typename A, typename B, typename C, typename Multiply>
JCS_INLINE void forEachBlockOfSums(const ProductShape& shape, const std::byte* a, const std::byte* b,
                                   const ProductOffsets& offsets, C* c, const Multiply& multiply) {
  bool adds = shape.adds;
  forEachDepth<A, B>(shape, a, b, offsets, [&](const std::vector<Part<A, B>>& depths) JCS_INLINE_LAMBDA {
    for (int64_t column = 0; column < shape.columns; column += kLanes) {
      std::vector<Part<A, B>> parts = depths;
      for (Part<A, B>& part : parts) part.b += column * (4 / sizeof(B));
      for (int64_t row = 0; row < shape.rows; row += kRows) {
        const int64_t count = std::min(kRows, shape.rows - row), width = std::min(kLanes, shape.columns - column);
        C* const to = c + row * shape.ldc + column;
        C sums[kRows][kLanes];
        if (count == kRows) {
          multiply.template operator()<kRows>(parts, sums);
          for (Part<A, B>& part : parts) part.a += kRows * shape.lda;
        } else {
          for (int64_t i = 0; i < count; ++i) {
            multiply.template operator()<1>(parts, sums + i);
            for (Part<A, B>& part : parts) part.a += shape.lda;
          }
        }
        for (int64_t i = 0; i < count; ++i)
          for (int64_t j = 0; j < width; ++j) {
            C& sum = to[i * shape.ldc + j];
            sum = adds ? sum + sums[i][j] : sums[i][j];
          }
      }
    }
    adds = true;
  });
}

/// Only where registers hold four numbers: for wider ones there are ukernels. NEON has 32 of them, which 24 of sums,
/// four of B and one of A nearly fill; SSE has 16.
#if defined(__aarch64__)
constexpr int64_t kFloatRows = 6;
#else
constexpr int64_t kFloatRows = 2;
#endif

void multiplyFloats(const ProductShape& shape, const std::byte* a, const std::byte* b, const ProductOffsets& offsets,
                    float* c) {
  using Number = Lanes<4>::Floats;
  constexpr int64_t kVectors = kLanes / 4;
  forEachBlockOfSums<kFloatRows, float, float>(
      shape, a, b, offsets, c, [&]<int64_t kRows>(const auto& parts, float(*sums)[kLanes]) JCS_INLINE_LAMBDA {
        Number total[kRows][kVectors] = {};
        for (const auto& part : parts) {
          const float *x = part.a, *weights = part.b;
          for (int64_t k = 0; k < part.depth; ++k, ++x, weights += shape.ldb) {
            Number line[kVectors];
            for (int64_t v = 0; v < kVectors; ++v) line[v] = load<Number>(weights + v * 4);
            for (int64_t row = 0; row < kRows; ++row)
              for (int64_t v = 0; v < kVectors; ++v) total[row][v] += line[v] * x[row * shape.lda];
          }
        }
        for (int64_t row = 0; row < kRows; ++row)
          for (int64_t v = 0; v < kVectors; ++v) store(sums[row] + v * 4, total[row][v]);
      });
}

constexpr int64_t kByteRows = 4;

JCS_VECTORISED void multiplyBytes(const ProductShape& shape, const std::byte* a, const std::byte* b,
                                  const ProductOffsets& offsets, int32_t* c) {
  forEachBlockOfSums<kByteRows, uint8_t, int8_t>(
      shape, a, b, offsets, c, [&]<int64_t kRows>(const auto& parts, int32_t(*sums)[kLanes]) JCS_INLINE_LAMBDA {
        Flags total[kRows] = {};
        for (const auto& part : parts)
          for (int64_t k = 0; k < part.depth; k += 4) {
            Flags words;  // four weights of each column
            std::memcpy(&words, part.b + k * shape.ldb, sizeof words);
            for (int byte = 0; byte < 4; ++byte) {
              const Flags weights = (words << (24 - 8 * byte)) >> 24;
              for (int64_t row = 0; row < kRows; ++row) total[row] += weights * part.a[row * shape.lda + k + byte];
            }
          }
        std::memcpy(sums, total, sizeof total);
      });
}

}  // namespace

void multiplyByLoops(const ProductShape& shape, const std::byte* a, const std::byte* b, const ProductOffsets& offsets,
                     std::byte* c) {
  if (shape.dtype == DType::kU8)
    multiplyBytes(shape, a, b, offsets, reinterpret_cast<int32_t*>(c));
  else
    multiplyFloats(shape, a, b, offsets, reinterpret_cast<float*>(c));
}

}  // namespace jcs::cpu
