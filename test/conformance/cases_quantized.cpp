#include "conformance/case.h"
#include "ops/layout.h"
#include "ops/quantized.h"

namespace jcs::conformance {

namespace {

/// Of numbers in [0, 1], and of such in [−1, 1]. Some of both lie outside: they become the nearest byte. No number of
/// bf16 lies in the middle of two bytes, where the rounding of the scale would decide.
const Quantization kUnsigned{0.93f / 255, 0}, kSignedBytes{1.8f / 255, 131};
/// Of results: wide enough for sums.
const Quantization kResults{0.04f, 97}, kProbabilities{1.0f / 255, 0}, kPositiveResults{0.02f, 0};

void addQuantize(std::vector<Case>& table) {
  const auto row = [&](const std::string& name, Shape shape, Fill fill, Quantization to) {
    table.push_back({"quantize " + name,
                     {{std::move(shape), fill}},
                     [to](std::span<const Value> in) { return std::vector{quantize(in[0], to)}; },
                     false});
  };
  row("numbers from 0 to 1", {2, 5, 7, 26}, Fill::kUnit, kUnsigned);
  row("signed numbers", {1, 9, 11, 64}, Fill::kSigned, kSignedBytes);
  row("numbers of which most are out of range", {1, 4, 5, 7}, Fill::kOffset, kSignedBytes);
  // Multiples of the half step: ties go to even, also where the zero is odd.
  row("ties", {1, 3, 5, 33}, Fill::kCoarse, {1, 5});
}

struct Convolution {
  Shape x;
  int64_t channels, kernel;
  Conv2dAttributes conv;
};

enum class Residual { kNone, kNumbers, kBytes };

struct Row {
  Convolution shapes;
  bool isSigned = false, bias = true;
  Residual residual = Residual::kNone;
  Activation activation = Activation::kRelu;
  DType dtype = DType::kU8;
};

std::string textOfRow(const Row& row) {
  const Convolution& c = row.shapes;
  const char* residuals[] = {"", " residual", " residual of bytes"};
  return "quantized conv2d " + std::to_string(c.kernel) + "x" + std::to_string(c.kernel) + " " + c.x.toString() +
         " to " + std::to_string(c.channels) + " " + textOf(c.conv) + (row.isSigned ? " signed" : "") +
         (row.bias ? " bias" : "") + residuals[static_cast<int>(row.residual)] + " " + nameOf(row.activation) + " " +
         nameOf(row.dtype);
}

void add(std::vector<Case>& table, const Row& row) {
  const Convolution& c = row.shapes;
  const Shape y{c.x[0], c.conv.outputExtent(c.x[1], c.kernel), c.conv.outputExtent(c.x[2], c.kernel), c.channels};
  std::vector<Input> inputs{{c.x, row.isSigned ? Fill::kSigned : Fill::kUnit},
                            {{c.channels, c.x[3], c.kernel, c.kernel}}};
  if (row.bias) inputs.push_back({{c.channels}});
  if (row.residual != Residual::kNone) inputs.push_back({y});
  auto op = std::make_shared<QuantizedConv2d>();
  op->conv = c.conv;
  op->bias = row.bias;
  op->residual = row.residual != Residual::kNone;
  op->activation = row.activation;
  op->dtype = row.dtype;
  op->input = row.isSigned ? kSignedBytes : kUnsigned;
  op->residualBytes = kSignedBytes;
  op->output = row.activation == Activation::kNone      ? kResults
               : row.activation == Activation::kSigmoid ? kProbabilities
                                                        : kPositiveResults;
  table.push_back({textOfRow(row), inputs,
                   [op, bytes = row.residual == Residual::kBytes](std::span<const Value> in) {
                     std::vector<Value> operands(in.begin(), in.end());
                     operands[0] = quantize(in[0], op->input);
                     if (bytes) operands.back() = quantize(in.back(), op->residualBytes);
                     return addNodeWithOutputs(op, operands);
                   },
                   false});
}

void addConvolutions(std::vector<Case>& table) {
  // Every kind of result, from windows that hang over the edge, and from a 1×1 that reads its operand in place.
  for (const Convolution& c :
       {Convolution{{1, 6, 7, 26}, 20, 3, {.padding = 1}}, Convolution{{2, 5, 4, 24}, 40, 1, {}}})
    for (const bool isSigned : {false, true})
      for (const bool bias : {false, true})
        for (const Residual residual : {Residual::kNone, Residual::kNumbers, Residual::kBytes})
          for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid})
            for (const DType dtype : {DType::kF32, DType::kBF16, DType::kU8})
              add(table, {c, isSigned, bias, residual, activation, dtype});
  // Every kind of window.
  std::vector<Convolution> windows{{{2, 7, 9, 16}, 8, 3, {}},
                                   {{1, 9, 8, 3}, 64, 3, {.stride = 2, .padding = 1}},
                                   {{2, 9, 8, 26}, 26, 3, {.stride = 2, .padding = 1}},
                                   {{1, 5, 4, 8}, 8, 3, {.padding = 2}},
                                   {{1, 7, 5, 26}, 13, 1, {}},
                                   {{2, 7, 6, 16}, 32, 1, {.stride = 2}},
                                   {{2, 1, 1, 36}, 9, 1, {}},
                                   {{1, 15, 13, 3}, 16, 7, {.stride = 2, .padding = 3}},
                                   {{1, 9, 8, 16}, 8, 7, {.padding = 3}},
                                   {{2, 9, 8, 16}, 24, 5, {.padding = 2}},
                                   {{1, 11, 9, 8}, 8, 3, {.stride = 2, .padding = 2, .dilation = 2}},
                                   // Several blocks of outputs, of rows and of pixels.
                                   {{1, 6, 10, 72}, 136, 3, {.padding = 1}},
                                   {{1, 20, 57, 64}, 64, 3, {.padding = 1}},
                                   {{1, 17, 23, 136}, 104, 1, {}},
                                   {{3, 13, 12, 40}, 72, 1, {}}};
  for (const int64_t dilation : {2, 3, 4, 6, 9})
    windows.push_back({{1, 11, 13, 16}, 16, 3, {.padding = dilation, .dilation = dilation}});
  for (const Convolution& c : windows)
    for (const bool isSigned : {false, true}) {
      for (const DType dtype : {DType::kF32, DType::kBF16, DType::kU8})
        add(table, {.shapes = c, .isSigned = isSigned, .dtype = dtype});
      add(table, {.shapes = c, .isSigned = isSigned, .residual = Residual::kBytes, .dtype = DType::kF32});
      for (const DType dtype : {DType::kF32, DType::kBF16})
        if (c.kernel == 1)
          add(table, {.shapes = c, .isSigned = isSigned, .activation = Activation::kNone, .dtype = dtype});
    }
}

void addLayouts(std::vector<Case>& table) {
  table.push_back({"concat and slice of bytes",
                   {{{2, 4, 5, 26}, Fill::kUnit}, {{2, 4, 5, 13}, Fill::kUnit}},
                   [](std::span<const Value> in) {
                     const Value joined = concat({quantize(in[0], kUnsigned), quantize(in[1], kUnsigned)});
                     return std::vector{slice(joined, {0, 0, 0, 13}, {2, 4, 5, 20})};
                   },
                   false});
}

}  // namespace

void addQuantizedCases(std::vector<Case>& table) {
  addQuantize(table);
  addConvolutions(table);
  addLayouts(table);
}

}  // namespace jcs::conformance
