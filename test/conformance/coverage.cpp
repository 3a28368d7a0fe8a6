#include "conformance/coverage.h"

#include "conformance/case.h"
#include "conformance/node_check.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/images.h"
#include "ops/layout.h"
#include "ops/optimizer.h"
#include "ops/pool.h"
#include "ops/quantized.h"
#include "ops/reduce.h"
#include "ops/resize.h"

namespace jcs::conformance {

namespace {

std::string flag(const char* name, bool value) { return value ? std::string(" ") + name : ""; }

std::string convText(const Conv2dAttributes& conv, int64_t kernelHeight, int64_t kernelWidth) {
  return std::to_string(kernelHeight) + "x" + std::to_string(kernelWidth) + " stride=" + std::to_string(conv.stride) +
         " padding=" + std::to_string(conv.padding) + " dilation=" + std::to_string(conv.dilation) +
         flag("grouped", conv.groups > 1);
}

/// One sign per axis of `large`: '=' where `small` has its extent, '1' where it is repeated.
std::string repetition(const Shape& small, const Shape& large) {
  if (small.elements() == 1) return "scalar";
  std::string text;
  const int lead = large.rank() - small.rank();
  for (int axis = 0; axis < large.rank(); ++axis) text += axis >= lead && small[axis - lead] == large[axis] ? '=' : '1';
  return text;
}

/// One sign per axis: '=' whole, '<' a part.
std::string parts(const Shape& part, const Shape& whole) {
  std::string text;
  for (int axis = 0; axis < whole.rank(); ++axis) text += part[axis] == whole[axis] ? '=' : '<';
  return text;
}

std::string direction(int64_t from, int64_t to) { return to > from ? "up" : to < from ? "down" : "same"; }

std::string resizeText(const Shape& from, int64_t height, int64_t width, bool alignCorners) {
  return direction(from[1], height) + "/" + direction(from[2], width) + flag("alignCorners", alignCorners);
}

std::string keyWithoutTypes(const Op& op, std::span<const TensorType> in) {
  const std::string name(op.name());
  const auto key = [&](const std::string& text) { return text.empty() ? name : name + " " + text; };
  if (const auto* conv = as<Conv2d>(op))
    return key(convText(conv->conv, in[1].shape[2], in[1].shape[3]) + flag("bias", conv->bias) +
               flag("residual", conv->residual) + " activation=" + nameOf(conv->activation) +
               flag("float32Output", conv->float32Output));
  if (const auto* conv = as<Conv2dInputGradient>(op)) return key(convText(conv->conv, in[1].shape[2], in[1].shape[3]));
  if (const auto* conv = as<Conv2dWeightGradient>(op))
    return key(convText(conv->conv, conv->kernelHeight, conv->kernelWidth) + flag("bias", conv->bias));
  // Which numbers bytes stand for is no kind of its own.
  if (is<Quantize>(op)) return name;
  if (const auto* conv = as<QuantizedConv2d>(op))
    return key(convText(conv->conv, in[1].shape[2], in[1].shape[3]) + flag("bias", conv->bias) +
               flag("residual", conv->residual) + " activation=" + nameOf(conv->activation) + " to " +
               nameOf(conv->dtype));
  if (is<Binary>(op)) {
    const bool same = in[0].shape == in[1].shape;
    return key(op.attributes() + " b=" + (same ? "same" : repetition(in[1].shape, in[0].shape)));
  }
  if (const auto* reduce = as<Reduce>(op))
    return key(std::string(reduce->mean ? "mean " : "sum ") + repetition(reduce->target, in[0].shape));
  if (const auto* broadcast = as<Broadcast>(op)) return key(repetition(in[0].shape, broadcast->target));
  if (const auto* batchNorm = as<BatchNorm>(op))
    return key(flag("residual", batchNorm->residual) + " activation=" + nameOf(batchNorm->activation));
  if (const auto* gradient = as<BatchNormGradient>(op)) return key(flag("relu", gradient->relu));
  if (const auto* scaleShift = as<BatchNormScaleShift>(op)) return key(flag("epsilon=0", scaleShift->epsilon == 0));
  if (const auto* pool = as<AveragePool2dGradient>(op)) return key(textOf(pool->pool));
  if (const auto* resize = as<Resize>(op))
    return key(resizeText(in[0].shape, resize->height, resize->width, resize->alignCorners));
  if (const auto* resize = as<ResizeGradient>(op))
    return key(resizeText(in[0].shape, resize->height, resize->width, resize->alignCorners));
  if (is<Split>(op) || is<Concat>(op)) return key("rank=" + std::to_string(in[0].shape.rank()));
  if (const auto* slice = as<Slice>(op)) return key(parts(slice->extent, in[0].shape));
  if (const auto* pad = as<Pad>(op)) return key(parts(in[0].shape, pad->extent));
  if (is<BitsToMasks>(op)) return key(flag("warped", in.size() == 3));
  if (const auto* maps = as<MapsToSources>(op)) return key(flag("probabilities", maps->probabilities));
  if (const auto* update = as<AdamUpdate>(op)) return key(flag("decoupled", update->decoupled));
  if (const auto* update = as<SgdUpdate>(op)) return key(flag("nesterov", update->nesterov));
  const bool isOneComputation = is<Reshape>(op) || is<PixelsToImages>(op) || is<AreaAverage>(op);
  // Kinds, activations, windows, transpositions: the attributes as they are.
  return isOneComputation ? name : key(op.attributes());
}

/// Neighbours of one dtype are written once: a concat of three is served by a concat of two.
std::string typesText(std::span<const TensorType> in) {
  std::string text;
  for (size_t i = 0; i < in.size(); ++i)
    if (i == 0 || in[i].dtype != in[i - 1].dtype) text += (i ? "," : "") + std::string(nameOf(in[i].dtype));
  return text;
}

}  // namespace

std::string coverageKey(const Op& op, std::span<const TensorType> inputs) {
  return keyWithoutTypes(op, inputs) + " (" + typesText(inputs) + ")";
}

const std::set<std::string>& coveredKeys() {
  static const std::set<std::string> keys = [] {
    std::set<std::string> found;
    for (const Case& row : cases()) {
      const CaseGraph built = buildGraph(row);
      for (const NodeId n : built.graph->nodes().ids()) {
        if (built.isProjection(n)) continue;  // not checked on backends
        const Node& node = built.graph->nodes()[n];
        std::vector<TensorType> types;
        for (const ValueId id : node.inputs) types.push_back(built.graph->values()[id].type);
        for (DType activation : {DType::kF32, DType::kBF16}) {
          const std::vector<DType> dtypes = inputTypes(*node.op, types, activation, row.fixedTypes);
          for (size_t i = 0; i < types.size(); ++i) types[i].dtype = dtypes[i];
          found.insert(coverageKey(*node.op, types));
        }
      }
    }
    return found;
  }();
  return keys;
}

}  // namespace jcs::conformance
