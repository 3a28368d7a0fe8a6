#pragma once

#include <array>
#include <string_view>

#include "ops/batch_norm.h"
#include "ops/communication.h"
#include "ops/conv2d.h"
#include "ops/elementwise.h"
#include "ops/images.h"
#include "ops/layout.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/optimizer.h"
#include "ops/pool.h"
#include "ops/quantized.h"
#include "ops/reduce.h"
#include "ops/resize.h"

namespace jcs {

template <typename... Ops>
struct OpList {
  static constexpr std::array<std::string_view, sizeof...(Ops)> names{Ops::kName...};
};

/// Every op there is, but for those that follow. A backend is complete when it has a kernel for each: the conformance
/// test compares this list with Backend::ops() both ways, and with its own table of cases.
using AllOps = OpList<
    // conv2d.h
    Conv2d, Conv2dInputGradient, Conv2dWeightGradient,
    // elementwise.h
    Unary, UnaryGradient, Binary, Affine, Cast,
    // reduce.h
    Reduce, Broadcast,
    // matmul.h
    Matmul,
    // batch_norm.h
    BatchNorm, BatchNormGradient, BatchNormScaleShift,
    // pool.h
    MaxPool2d, MaxPool2dGradient, AveragePool2d, AveragePool2dGradient,
    // resize.h
    Resize, ResizeGradient,
    // layout.h
    Concat, Split, Slice, Pad, Flip, Reshape,
    // loss.h
    Softmax, SoftmaxCrossEntropy, SigmoidCrossEntropy, MinMaxNormalize, MinMaxNormalizeGradient,
    // images.h
    PixelsToImages, BitsToMasks, AugmentImages, MixSamples, AreaAverage, MapsToSources,
    // optimizer.h
    SgdUpdate, AdamUpdate,
    // communication.h
    AllReduceStart, AllReduceFinish>;

/// Those of convolutions of bytes, which only a backend has that supports kU8.
using ByteOps = OpList<Quantize, QuantizedConv2d>;

}  // namespace jcs
