#include "conformance/case.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace jcs::conformance {

namespace {

struct Window {
  Shape x;
  PoolAttributes pool;
};

const Window kWindows[] = {
    {{2, 8, 6, 26}, {.kernel = 2, .stride = 2}},
    {{1, 7, 9, 16}, {.kernel = 2, .stride = 2}},  // the last row and column are left out
    {{1, 7, 9, 16}, {.kernel = 2, .stride = 2, .ceilMode = true}},
    {{2, 8, 7, 5}, {.kernel = 2, .stride = 2, .ceilMode = true}},
    {{1, 9, 8, 13}, {.kernel = 3, .stride = 2, .padding = 1}},
    {{2, 8, 8, 64}, {.kernel = 3, .stride = 2, .padding = 1}},
    {{1, 6, 7, 26}, {.kernel = 3, .stride = 1, .padding = 1}},
    {{1, 7, 8, 8}, {.kernel = 3, .stride = 2, .ceilMode = true}},
    {{1, 8, 9, 8}, {.kernel = 3, .stride = 2, .padding = 1, .ceilMode = true}},
    {{1, 5, 5, 4}, {.kernel = 5, .stride = 5}},
    {{1, 7, 9, 8}, {.kernel = 3, .stride = 3}},
    {{2, 9, 8, 16}, {.kernel = 4, .stride = 4}},
    {{1, 17, 16, 8}, {.kernel = 8, .stride = 8}},
    {{2, 4, 5, 3}, {.kernel = 1, .stride = 1}},
    {{1, 5, 6, 8}, {.kernel = 1, .stride = 1, .ceilMode = true}},
    {{1, 5, 6, 8}, {.kernel = 1, .stride = 2}},
};

void addAdaptivePools(std::vector<Case>& table) {
  const std::pair<Shape, int64_t> rows[] = {
      {{2, 10, 12, 16}, 3},                                         // neighbouring windows share rows
      {{1, 10, 12, 8}, 5},  {{1, 9, 7, 26}, 1}, {{2, 2, 3, 5}, 5},  // more windows than pixels
      {{1, 6, 6, 13}, 3},
  };
  for (const auto& [x, bins] : rows)
    table.push_back(
        {"adaptive average pool " + x.toString() + " to " + std::to_string(bins),
         {{x}},
         [bins = bins](std::span<const Value> in) { return std::vector{adaptiveAveragePool2d(in[0], bins)}; }});
}

void addPools(std::vector<Case>& table) {
  for (const Window& w : kWindows) {
    table.push_back({"max pool " + w.x.toString() + " " + textOf(w.pool),
                     {{w.x, Fill::kDistinct}},
                     [pool = w.pool](std::span<const Value> in) { return std::vector{maxPool2d(in[0], pool)}; }});
    for (bool countIncludePad : {false, true}) {
      PoolAttributes pool = w.pool;
      pool.countIncludePad = countIncludePad;
      table.push_back({"average pool " + w.x.toString() + " " + textOf(pool),
                       {{w.x}},
                       [pool](std::span<const Value> in) { return std::vector{averagePool2d(in[0], pool)}; }});
    }
    // Ties have no derivative, but a rule: the first maximum takes all.
    const Shape pooled{w.x[0], w.pool.outputExtent(w.x[1]), w.pool.outputExtent(w.x[2]), w.x[3]};
    const auto gradient = [pool = w.pool](std::span<const Value> in) {
      auto op = std::make_shared<MaxPool2dGradient>();
      op->pool = pool;
      return addNodeWithOutputs(op, in);
    };
    const std::string text = w.x.toString() + " " + textOf(w.pool);
    table.push_back({"max pool gradient with ties " + text, {{pooled}, {w.x, Fill::kCoarse}}, gradient, false});
    // Not of one shape, hence perhaps not of one dtype after the compiler lowered the precision.
    table.push_back({"max pool gradient of float32 from bf16 " + text,
                     {{pooled, Fill::kSigned, true, DType::kBF16}, {w.x}},
                     gradient,
                     false,
                     true});
  }
}

void addResizes(std::vector<Case>& table) {
  struct Sizes {
    Shape x;
    int64_t height, width;
  };
  const Sizes rows[] = {
      {{2, 4, 5, 26}, 8, 10},                         // twice
      {{1, 3, 4, 16}, 12, 16},                        // four times
      {{1, 2, 3, 1}, 32, 48},                         // sixteen times: side outputs
      {{2, 5, 7, 8}, 11, 9},                          // uneven
      {{1, 8, 10, 16}, 4, 5},                         // half
      {{1, 9, 7, 5}, 4, 3},    {{1, 4, 8, 3}, 8, 4},  // up and down
      {{1, 8, 4, 3}, 4, 8},    {{1, 4, 8, 3}, 8, 8},  // along one axis
      {{1, 4, 8, 3}, 4, 4},    {{1, 8, 4, 3}, 8, 8}, {{1, 8, 4, 3}, 4, 4}, {{2, 1, 1, 26}, 5, 7},  // from one pixel
      {{2, 5, 7, 26}, 1, 1},                                                                       // to one pixel
      {{1, 1, 6, 4}, 3, 3},
  };
  for (const Sizes& row : rows)
    for (bool alignCorners : {false, true})
      table.push_back(
          {"resize " + row.x.toString() + " to " + std::to_string(row.height) + "x" + std::to_string(row.width) +
               (alignCorners ? ", corners aligned" : ""),
           {{row.x}},
           [=](std::span<const Value> in) { return std::vector{resize(in[0], row.height, row.width, alignCorners)}; }});
}

}  // namespace

void addSpatialCases(std::vector<Case>& table) {
  addPools(table);
  addAdaptivePools(table);
  addResizes(table);
}

}  // namespace jcs::conformance
