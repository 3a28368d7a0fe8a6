#include "conformance/case.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/reduce.h"

namespace jcs::conformance {

namespace {

constexpr Binary::Kind kKinds[] = {Binary::Kind::kAdd, Binary::Kind::kSubtract, Binary::Kind::kMultiply,
                                   Binary::Kind::kDivide};

void addUnary(std::vector<Case>& table) {
  struct Function {
    const char* name;
    Value (*apply)(Value);
    Fill fill;
  };
  const Function functions[] = {
      {"relu", relu, Fill::kAwayFromZero}, {"sigmoid", sigmoid, Fill::kSigned}, {"sqrt", jcs::sqrt, Fill::kPositive}};
  for (const Function& f : functions)
    for (const Shape& shape : {Shape{2, 5, 7, 26}, Shape{1, 3, 3, 1}, Shape{3, 10}, Shape{}})
      // A single number is positive, lest relu's gradient be zero.
      table.push_back({std::string(f.name) + " " + shape.toString(),
                       {{shape, shape.rank() == 0 ? Fill::kPositive : f.fill}},
                       [f](std::span<const Value> in) { return std::vector{f.apply(in[0])}; }});
  for (const Shape& shape : {Shape{2, 5, 7, 26}, Shape{1, 3, 3, 1}, Shape{3, 10}, Shape{4, 64}})
    table.push_back({"relu gradient of a sum " + shape.toString(),
                     {{shape}, {shape}, {shape, Fill::kAwayFromZero}},
                     [](std::span<const Value> in) {
                       auto op = std::make_shared<UnaryGradient>(Unary::Kind::kRelu);
                       op->ofSum = true;
                       return addNodeWithOutputs(op, in);
                     },
                     false});
}

/// Shapes of a and of the b that is repeated to it.
struct Pair {
  Shape a, b;
};

const std::vector<Pair>& pairs() {
  static const std::vector<Pair> list = {
      {{2, 5, 7, 26}, {2, 5, 7, 26}},  // the same
      {{1, 3, 5, 8}, {1, 3, 5, 8}},
      {{2, 5, 7, 26}, {}},  // a scalar
      {{2, 3, 3, 5}, {1}},
      {{2, 5, 7, 26}, {26}},  // per channel
      {{1, 4, 5, 64}, {64}},
      {{2, 5, 7, 26}, {2, 1, 1, 26}},  // per sample and channel: squeeze and excitation
      {{1, 5, 7, 16}, {1, 1, 1, 16}},
      {{2, 5, 7, 26}, {2, 5, 7, 1}},  // per pixel: attention maps
      {{1, 5, 7, 16}, {1, 5, 7, 1}},
      {{2, 5, 7, 3}, {2, 1, 1, 1}},  // per sample
      {{2, 5, 7, 1}, {2, 1, 1, 1}},
      {{2, 5, 7, 3}, {5, 1, 3}},     // a leading axis missing
      {{6, 4, 3, 3}, {6, 1, 1, 1}},  // weights scaled along their outputs
      {{6, 4, 1, 1}, {6, 1, 1, 1}},
      {{5, 3}, {5, 1}},
      {{5, 3}, {3}},
      {{5, 3}, {}},
      {{5, 1}, {5, 1}},
      {{26}, {26}},
      {{26}, {}},
      {{}, {}},  // arithmetic of losses
  };
  return list;
}

void addBinary(std::vector<Case>& table) {
  for (Binary::Kind kind : kKinds)
    for (const auto& [a, b] : pairs())
      table.push_back({std::string(nameOf(kind)) + " " + a.toString() + " " + b.toString(),
                       {{a}, {b, Fill::kPositive}},
                       [kind](std::span<const Value> in) {
                         return std::vector{addNode(std::make_shared<Binary>(kind), {in[0], in[1]})};
                       }});
  for (Binary::Kind kind : kKinds)
    table.push_back({std::string(nameOf(kind)) + " of a value and itself",
                     {{{2, 3, 5, 10}, Fill::kPositive}},
                     [kind](std::span<const Value> in) {
                       // Scaled once more, so that the gradient of x − x and x / x is not zero everywhere.
                       const Value y = addNode(std::make_shared<Binary>(kind), {in[0], in[0]});
                       return std::vector{add(multiply(y, in[0]), in[0])};
                     }});
  for (Binary::Kind kind : kKinds)
    for (const auto& [a, b] :
         {Pair{{2, 5, 7, 26}, {2, 5, 7, 26}}, Pair{{2, 5, 7, 26}, {26}}, Pair{{1, 4, 5, 16}, {1, 1, 1, 16}},
          Pair{{2, 4, 5, 16}, {2, 4, 5, 1}}, Pair{{2, 4, 5, 16}, {}}})
      for (Activation activation : {Activation::kRelu, Activation::kSigmoid})
        table.push_back({"fused " + std::string(nameOf(kind)) + " " + jcs::nameOf(activation) + " " + a.toString() +
                             " " + b.toString(),
                         {{a}, {b, Fill::kPositive}},
                         [kind, activation](std::span<const Value> in) {
                           auto op = std::make_shared<Binary>(kind);
                           op->activation = activation;
                           return std::vector{addNode(op, {in[0], in[1]})};
                         },
                         false});
}

void addAffine(std::vector<Case>& table) {
  for (const Shape& shape : {Shape{2, 5, 7, 26}, Shape{1, 3, 4, 64}, Shape{4, 9}}) {
    const Shape channels{shape.channels()};
    table.push_back({"affine " + shape.toString(), {{shape}, {channels}, {channels}}, [](std::span<const Value> in) {
                       return std::vector{affine(in[0], in[1], in[2])};
                     }});
    for (Activation activation : {Activation::kRelu, Activation::kSigmoid})
      table.push_back({"fused affine " + jcs::nameOf(activation) + " " + shape.toString(),
                       {{shape}, {channels}, {channels}},
                       [activation](std::span<const Value> in) {
                         auto op = std::make_shared<Affine>();
                         op->activation = activation;
                         return addNodeWithOutputs(op, in);
                       },
                       false});
  }
}

void addCasts(std::vector<Case>& table) {
  for (const Shape& shape : {Shape{2, 5, 7, 26}, Shape{1, 4, 4, 3}, Shape{37}, Shape{5, 3}}) {
    table.push_back({"cast f32 to bf16 " + shape.toString(), {{shape}}, [](std::span<const Value> in) {
                       return std::vector{cast(in[0], DType::kBF16)};
                     }});
    table.push_back({"cast bf16 to f32 " + shape.toString(),
                     {{shape, Fill::kSigned, true, DType::kBF16}},
                     [](std::span<const Value> in) { return std::vector{cast(in[0], DType::kF32)}; },
                     true,
                     true});
  }
}

void addReductions(std::vector<Case>& table) {
  for (const auto& [from, to] :
       {Pair{{2, 5, 7, 26}, {2, 1, 1, 26}}, Pair{{1, 5, 7, 64}, {1, 1, 1, 64}}, Pair{{2, 5, 7, 26}, {26}},
        Pair{{2, 5, 7, 26}, {}}, Pair{{2, 5, 7, 26}, {2, 5, 7, 1}}, Pair{{1, 3, 3, 16}, {1, 3, 3, 1}},
        Pair{{2, 5, 7, 26}, {2, 1, 1, 1}}, Pair{{2, 5, 7, 1}, {2, 1, 1, 1}}, Pair{{2, 5, 7, 6}, {5, 1, 6}},
        Pair{{2, 5, 7, 6}, {1, 5, 7, 6}}, Pair{{6, 4, 3, 3}, {6, 1, 1, 1}}, Pair{{5, 3}, {5, 1}}, Pair{{5, 3}, {3}},
        Pair{{5, 3}, {}}, Pair{{5, 1}, {}}, Pair{{26}, {}}, Pair{{2, 1, 1, 13}, {2, 1, 1, 13}},
        Pair{{2, 41, 43, 3}, {}}, Pair{{1, 41, 43, 8}, {8}}}) {
    for (bool mean : {false, true})
      table.push_back({std::string(mean ? "mean " : "sum ") + from.toString() + " to " + to.toString(),
                       {{from, Fill::kPositive}},
                       [to = to, mean](std::span<const Value> in) {
                         return std::vector{mean ? reduceMean(in[0], to) : reduceSum(in[0], to)};
                       }});
    table.push_back({"broadcast " + to.toString() + " to " + from.toString(),
                     {{to, Fill::kPositive}},
                     [from = from](std::span<const Value> in) { return std::vector{broadcast(in[0], from)}; }});
  }
  // Enough rows for sums that are cut into parts.
  for (const auto& [from, to] : {Pair{{1, 120, 100, 4}, {4}}, Pair{{2, 96, 95, 3}, {2, 1, 1, 1}},
                                 Pair{{1, 110, 100, 3}, {}}, Pair{{1, 64, 70, 26}, {1, 1, 1, 26}}})
    table.push_back({"sum in parts " + from.toString() + " to " + to.toString(),
                     {{from, Fill::kPositive}},
                     [to = to](std::span<const Value> in) { return std::vector{reduceSum(in[0], to)}; },
                     false});
  table.push_back({"scaled broadcast", {{{2, 1, 1, 13}}}, [](std::span<const Value> in) {
                     return std::vector{broadcast(in[0], {2, 3, 5, 13}, 0.0625f)};
                   }});
}

void addMatmul(std::vector<Case>& table) {
  struct Sizes {
    int64_t m, k, n;
  };
  for (const Sizes& s : {Sizes{3, 7, 5}, Sizes{1, 64, 2}, Sizes{16, 33, 48}})
    for (bool transposeA : {false, true})
      for (bool transposeB : {false, true}) {
        const Shape a = transposeA ? Shape{s.k, s.m} : Shape{s.m, s.k};
        const Shape b = transposeB ? Shape{s.n, s.k} : Shape{s.k, s.n};
        const std::string name = std::string(" ") + (transposeA ? "aT" : "a") + a.toString() + " " +
                                 (transposeB ? "bT" : "b") + b.toString();
        table.push_back({"matmul" + name, {{a}, {b}}, [=](std::span<const Value> in) {
                           return std::vector{matmul(in[0], in[1], transposeA, transposeB)};
                         }});
        table.push_back({"matmul with bias" + name, {{a}, {b}, {{s.n}}}, [=](std::span<const Value> in) {
                           return std::vector{matmul(in[0], in[1], transposeA, transposeB, in[2])};
                         }});
        for (Activation activation : {Activation::kRelu, Activation::kSigmoid})
          for (bool bias : {false, true}) {
            std::vector<Input> inputs{{a}, {b}};
            if (bias) inputs.push_back({{s.n}});
            table.push_back({"fused matmul " + jcs::nameOf(activation) + (bias ? " bias" : "") + name, inputs,
                             [=](std::span<const Value> in) {
                               auto op = std::make_shared<Matmul>();
                               op->transposeA = transposeA;
                               op->transposeB = transposeB;
                               op->bias = bias;
                               op->activation = activation;
                               return addNodeWithOutputs(op, in);
                             },
                             false});
          }
      }
}

}  // namespace

void addElementwiseCases(std::vector<Case>& table) {
  addUnary(table);
  addBinary(table);
  addAffine(table);
  addCasts(table);
  addReductions(table);
  addMatmul(table);
}

}  // namespace jcs::conformance
