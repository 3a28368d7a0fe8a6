#include "conformance/case.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"

namespace jcs::conformance {

namespace {

struct Convolution {
  std::string name;
  Shape x;
  int64_t channels;  ///< of the result
  int64_t kernel;
  Conv2dAttributes attributes;
  bool bias = false;
};

void add(std::vector<Case>& table, const Convolution& c) {
  const Shape weight{c.channels, c.x[3] / c.attributes.groups, c.kernel, c.kernel};
  std::vector<Input> inputs{{c.x}, {weight}};
  if (c.bias) inputs.push_back({{c.channels}});
  table.push_back({"conv2d " + c.name, inputs, [c](std::span<const Value> in) {
                     return std::vector{
                         conv2d(in[0], in[1], c.bias ? std::optional(in[2]) : std::nullopt, c.attributes)};
                   }});
}

/// 3×3 with the padding that keeps the size, as nearly every layer of these networks.
Convolution same3x3(std::string name, Shape x, int64_t channels, int64_t dilation = 1, int64_t stride = 1) {
  return {std::move(name), std::move(x), channels, 3, {.stride = stride, .padding = dilation, .dilation = dilation}};
}

void addForward(std::vector<Case>& table) {
  add(table, {"3x3 of an image, with bias", {1, 9, 7, 3}, 16, 3, {.padding = 1}, true});
  add(table, same3x3("3x3 of images, 64 channels", {2, 5, 11, 3}, 64));
  add(table, {"3x3 of images, stride 2, with bias", {2, 10, 13, 3}, 32, 3, {.stride = 2, .padding = 1}, true});
  add(table, same3x3("3x3 of an image, stride 2", {1, 7, 18, 3}, 8, 1, 2));
  add(table, same3x3("3x3", {2, 7, 9, 16}, 8));
  add(table, same3x3("3x3, 26 channels", {2, 8, 5, 26}, 26));
  add(table, same3x3("3x3, 52 channels, batch 1", {1, 6, 7, 52}, 52));
  add(table, same3x3("3x3, 26 channels, stride 2", {2, 9, 8, 26}, 26, 1, 2));
  add(table, same3x3("3x3, 64 to 64", {1, 17, 33, 64}, 64));
  add(table, same3x3("3x3, 72 to 136", {1, 6, 10, 72}, 136));
  // Enough tiles of four by four for the CPU's Winograd kernels, with half-filled ones at the edges; in one block of
  // tiles that threads share, and in several.
  add(table, same3x3("3x3, 26 channels, 30 tiles", {1, 19, 22, 26}, 26));
  add(table, same3x3("3x3, 40 to 72, 36 tiles of two images", {2, 15, 18, 40}, 72));
  add(table, {"3x3, 24 to 16, 288 tiles, with bias", {2, 45, 47, 24}, 16, 3, {.padding = 1}, true});
  add(table, same3x3("3x3, 16 channels, dilation 2, 48 tiles", {1, 25, 29, 16}, 16, 2));
  add(table, {"3x3, 16 to 24 without padding, dilation 3", {1, 30, 28, 16}, 24, 3, {.dilation = 3}, true});
  add(table, same3x3("3x3, 5 to 7", {3, 5, 6, 5}, 7));
  add(table, same3x3("3x3 to one channel", {2, 6, 5, 24}, 1));
  add(table, {"3x3 to one channel, 40 channels, with bias", {1, 9, 11, 40}, 1, 3, {.padding = 1}, true});
  add(table, {"5x5 to one channel of 3, stride 2, with bias", {2, 9, 10, 3}, 1, 5, {.stride = 2, .padding = 2}, true});
  add(table, {"5x5 to one channel, wider than the image", {1, 4, 3, 7}, 1, 5, {.padding = 2}});
  for (int64_t dilation : {2, 3, 4, 6, 9}) {
    const std::string text = "3x3, dilation " + std::to_string(dilation);
    add(table, same3x3(text, {1, 11, 13, 16}, 16, dilation));
    add(table, {text + ", with bias", {2, 10, 7, 8}, 24, 3, {.padding = dilation, .dilation = dilation}, true});
  }
  add(table, {"3x3 without padding, with bias", {1, 8, 7, 6}, 10, 3, {}, true});
  add(table, {"3x3 without padding", {2, 5, 8, 16}, 16, 3, {}});
  add(table, {"3x3, padding beyond the kernel's half", {1, 5, 4, 8}, 8, 3, {.padding = 2}});
  add(table, {"1x1", {2, 5, 7, 32}, 48, 1, {}});
  add(table, {"1x1 with bias", {1, 7, 5, 26}, 13, 1, {}, true});
  add(table, {"1x1 on one pixel, with bias", {2, 1, 1, 36}, 9, 1, {}, true});
  add(table, {"1x1 on one pixel", {3, 1, 1, 9}, 36, 1, {}});
  add(table, {"1x1, stride 2", {2, 7, 6, 16}, 32, 1, {.stride = 2}});
  add(table, {"1x1, stride 2, with bias", {1, 6, 7, 16}, 24, 1, {.stride = 2}, true});
  add(table, {"1x1 to one channel, with bias", {2, 5, 5, 40}, 1, 1, {}, true});
  add(table, {"1x1 to one channel, 64 channels", {1, 23, 19, 64}, 1, 1, {}});
  add(table, {"1x1 to one channel, 300 channels, with bias", {1, 9, 7, 300}, 1, 1, {}, true});
  add(table, {"1x1 to one channel of 7", {3, 5, 7, 7}, 1, 1, {}});
  add(table, {"1x1, 256 to 64", {1, 4, 5, 256}, 64, 1, {}});
  add(table, {"7x7, stride 2", {1, 15, 13, 3}, 16, 7, {.stride = 2, .padding = 3}});
  add(table, {"7x7 with bias", {1, 9, 8, 4}, 8, 7, {.padding = 3}, true});
  add(table, {"5x5 with bias", {2, 9, 8, 16}, 24, 5, {.padding = 2}, true});
  add(table, {"5x5, stride 2", {2, 9, 9, 8}, 8, 5, {.stride = 2, .padding = 2}});
  add(table,
      {"3x3, stride 2, dilation 2, with bias", {1, 11, 9, 8}, 8, 3, {.stride = 2, .padding = 2, .dilation = 2}, true});
  add(table, {"3x3 in 2 groups", {2, 6, 5, 16}, 32, 3, {.padding = 1, .groups = 2}});
  add(table, {"3x3 in 4 groups, with bias", {1, 6, 7, 12}, 8, 3, {.padding = 1, .groups = 4}, true});
  add(table, {"3x3, a group a channel", {1, 7, 6, 16}, 16, 3, {.padding = 1, .groups = 16}});
}

struct Transposed {
  std::string name;
  Shape x;
  int64_t channels;
  int64_t kernel;
  Conv2dAttributes attributes;
};

void addTransposed(std::vector<Case>& table) {
  const Transposed rows[] = {
      {"2x2, stride 2", {2, 5, 4, 16}, 8, 2, {.stride = 2}},
      {"2x2, stride 2, odd channels, batch 1", {1, 3, 7, 13}, 5, 2, {.stride = 2}},
      {"4x4, stride 2", {1, 4, 5, 8}, 8, 4, {.stride = 2, .padding = 1}},
      {"3x3", {2, 5, 5, 8}, 16, 3, {.padding = 1}},
      {"3x3, dilation 3", {1, 6, 5, 16}, 8, 3, {.padding = 3, .dilation = 3}},
  };
  for (const Transposed& row : rows)
    table.push_back(
        {"transposed conv2d " + row.name,
         {{row.x}, {{row.x[3], row.channels, row.kernel, row.kernel}}},
         [a = row.attributes](std::span<const Value> in) { return std::vector{convTranspose2d(in[0], in[1], a)}; }});
}

/// Maps of one channel, enlarged by DSS; their gradients are sums where sides are enlarged for several others.
void addEnlargements(std::vector<Case>& table) {
  for (const int64_t factor : {2, 4, 8, 16, 32}) {
    const Conv2dAttributes attributes{.stride = factor, .padding = factor / 2};
    const int64_t kernel = 2 * factor;
    const Shape small = factor < 16 ? Shape{2, 3, 5, 1} : Shape{1, 2, 1, 1};
    const std::string text = std::to_string(kernel) + "x" + std::to_string(kernel) + " of one channel";
    table.push_back({"transposed conv2d " + text, {{small}, {{1, 1, kernel, kernel}}}, [=](std::span<const Value> in) {
                       return std::vector{convTranspose2d(in[0], in[1], attributes)};
                     }});
    for (const bool bias : {false, true}) {
      auto op = std::make_shared<Conv2d>();
      op->conv = attributes;
      op->bias = bias, op->residual = true;
      // Some rows more than the transposed convolution makes, so that the last window hangs over.
      std::vector<Input> inputs{{{small[0], small[1] * factor + 1, small[2] * factor, 1}}, {{1, 1, kernel, kernel}}};
      if (bias) inputs.push_back({{1}});
      inputs.push_back({small});
      table.push_back({"fused conv2d " + text + (bias ? " bias" : "") + " residual", inputs,
                       [op](std::span<const Value> in) { return addNodeWithOutputs(op, in); }, false});
    }
  }
}

/// What the compiler's fusion makes; fused ops are not differentiated.
void addFused(std::vector<Case>& table) {
  struct Fusion {
    Conv2dAttributes attributes;
    int64_t kernel;
    Shape x;
    int64_t channels;
  };
  std::vector<Fusion> fusions = {{{.padding = 1}, 3, {2, 6, 7, 16}, 26},
                                 {{}, 1, {1, 7, 5, 24}, 40},
                                 {{}, 1, {2, 1, 1, 18}, 5},
                                 {{.padding = 4, .dilation = 4}, 3, {1, 9, 11, 16}, 16},
                                 {{.padding = 1}, 3, {1, 6, 7, 3}, 24},
                                 {{.stride = 2, .padding = 3}, 7, {1, 12, 13, 3}, 16},
                                 {{.stride = 2, .padding = 1}, 3, {1, 8, 9, 26}, 26},
                                 {{.stride = 2}, 1, {1, 9, 8, 16}, 24},
                                 {{.padding = 2}, 5, {1, 8, 7, 16}, 24},
                                 {{.padding = 3}, 7, {1, 9, 10, 16}, 8}};
  for (int64_t dilation : {2, 3, 6, 9})
    fusions.push_back({{.padding = dilation, .dilation = dilation}, 3, {1, 8, 7, 16}, 24});
  for (const Fusion& fusion : fusions)
    for (Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid})
      for (bool bias : {false, true})
        for (bool residual : {false, true}) {
          if (activation == Activation::kNone && !residual) continue;
          auto op = std::make_shared<Conv2d>();
          op->conv = fusion.attributes;
          op->bias = bias;
          op->residual = residual;
          op->activation = activation;
          const auto extent = [&](int axis) { return fusion.attributes.outputExtent(fusion.x[axis], fusion.kernel); };
          std::vector<Input> inputs{{fusion.x}, {{fusion.channels, fusion.x[3], fusion.kernel, fusion.kernel}}};
          if (bias) inputs.push_back({{fusion.channels}});
          if (residual) inputs.push_back({{fusion.x[0], extent(1), extent(2), fusion.channels}});
          table.push_back({"fused conv2d " + std::to_string(fusion.kernel) + "x" + std::to_string(fusion.kernel) + " " +
                               fusion.x.toString() + (bias ? " bias" : "") + (residual ? " residual" : "") + " " +
                               nameOf(activation),
                           inputs, [op](std::span<const Value> in) { return addNodeWithOutputs(op, in); }, false});
        }
}

/// Logits, and probabilities where the sigmoid was fused.
void addFloat32Results(std::vector<Case>& table) {
  for (int64_t kernel : {1, 3})
    for (bool bias : {false, true}) {
      std::vector<Input> inputs{{{2, 6, 5, 16}}, {{3, 16, kernel, kernel}}};
      if (bias) inputs.push_back({{3}});
      const std::string text = std::to_string(kernel) + "x" + std::to_string(kernel) + " keeps float32 results" +
                               (bias ? ", with bias" : "");
      for (Activation activation : {Activation::kNone, Activation::kSigmoid})
        table.push_back({activation == Activation::kNone ? "conv2d " + text : "fused conv2d sigmoid " + text, inputs,
                         [=](std::span<const Value> in) {
                           auto op = std::make_shared<Conv2d>();
                           op->conv.padding = kernel / 2;
                           op->bias = bias;
                           op->activation = activation;
                           op->float32Output = true;
                           return addNodeWithOutputs(op, in);
                         },
                         activation == Activation::kNone});
    }
}

/// Enough pixels and channels for kernels that work in blocks to have several, and a last one that is cut off. Central
/// differences of these would take minutes; the gradients are rows of their own.
void addLarge(std::vector<Case>& table) {
  struct Sizes {
    Shape x;
    int64_t channels, dilation;
  };
  for (const Sizes& s :
       {Sizes{{1, 20, 22, 64}, 64, 1}, Sizes{{1, 20, 22, 64}, 64, 3}, Sizes{{1, 13, 12, 136}, 104, 1}}) {
    const Conv2dAttributes attributes{.padding = s.dilation, .dilation = s.dilation};
    const Shape y{s.x[0], s.x[1], s.x[2], s.channels}, w{s.channels, s.x[3], 3, 3};
    const std::string text = "3x3 in blocks " + s.x.toString() + " to " + std::to_string(s.channels) + ", dilation " +
                             std::to_string(s.dilation);
    table.push_back({"conv2d " + text,
                     {{s.x}, {w}, {{s.channels}}},
                     [=](std::span<const Value> in) { return std::vector{conv2d(in[0], in[1], in[2], attributes)}; },
                     false});
    table.push_back({"input gradient of conv2d " + text,
                     {{y}, {w}},
                     [=](std::span<const Value> in) { return std::vector{convTranspose2d(in[0], in[1], attributes)}; },
                     false});
    table.push_back({"weight gradient of conv2d " + text,
                     {{s.x}, {y}},
                     [=](std::span<const Value> in) {
                       auto op = std::make_shared<Conv2dWeightGradient>();
                       op->conv = attributes;
                       op->kernelHeight = op->kernelWidth = 3;
                       op->bias = true;
                       return addNodeWithOutputs(op, in);
                     },
                     false});
  }
}

/// The same for a weight gradient of few weights and many pixels.
void addManyPixels(std::vector<Case>& table) {
  for (int64_t groups : {1, 2})
    table.push_back({"weight gradient of conv2d 3x3 with many pixels, groups " + std::to_string(groups),
                     {{{2, 33, 31, 6}}, {{2, 33, 31, 4}}},
                     [groups](std::span<const Value> in) {
                       auto op = std::make_shared<Conv2dWeightGradient>();
                       op->conv = {.padding = 1, .groups = groups};
                       op->kernelHeight = op->kernelWidth = 3;
                       op->bias = true;
                       return addNodeWithOutputs(op, in);
                     },
                     false});
}

/// Both gradients of a convolution are linear in each operand and have gradients themselves.
void addSecondOrder(std::vector<Case>& table) {
  for (int64_t stride : {1, 2}) {
    const Conv2dAttributes attributes{.stride = stride, .padding = 1};
    const Shape x{2, 7, 6, 5};
    const Shape dy{2, attributes.outputExtent(7, 3), attributes.outputExtent(6, 3), 4};
    table.push_back({"weight gradient of conv2d 3x3, stride " + std::to_string(stride),
                     {{x}, {dy}},
                     [attributes](std::span<const Value> in) {
                       auto op = std::make_shared<Conv2dWeightGradient>();
                       op->conv = attributes;
                       op->kernelHeight = op->kernelWidth = 3;
                       return std::vector{addNode(op, {in[0], in[1]})};
                     }});
  }
}

void addReuse(std::vector<Case>& table) {
  table.push_back({"conv2d, then its input added: a value used twice",
                   {{{1, 6, 5, 8}, Fill::kAwayFromZero}, {{8, 8, 3, 3}}},
                   [](std::span<const Value> in) {
                     const Value y = conv2d(in[0], in[1], std::nullopt, {.padding = 1});
                     return std::vector{jcs::add(y, in[0]), multiply(y, y)};
                   }});
  table.push_back({"two conv2d with one weight", {{{1, 5, 5, 6}}, {{6, 6, 3, 3}}}, [](std::span<const Value> in) {
                     const Value y = conv2d(in[0], in[1], std::nullopt, {.padding = 1});
                     return std::vector{conv2d(y, in[1], std::nullopt, {.padding = 2, .dilation = 2})};
                   }});
}

}  // namespace

void addConvolutionCases(std::vector<Case>& table) {
  addForward(table);
  addTransposed(table);
  addEnlargements(table);
  addFused(table);
  addFloat32Results(table);
  addLarge(table);
  addManyPixels(table);
  addSecondOrder(table);
  addReuse(table);
}

}  // namespace jcs::conformance
