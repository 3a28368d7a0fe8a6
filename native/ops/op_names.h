#pragma once

#include <array>
#include <string_view>

namespace jcs {

/// Every op there is, by Op::name(). A backend is complete when it has a kernel for each: the conformance test compares
/// this list with Backend::ops() both ways, and with its own table of cases.
inline constexpr auto kOpNames = std::to_array<std::string_view>({
    // conv2d.h
    "conv2d",
    "conv2d_input_gradient",
    "conv2d_weight_gradient",
    // elementwise.h
    "unary",
    "unary_gradient",
    "binary",
    "affine",
    "cast",
    // reduce.h
    "reduce",
    "broadcast",
    // matmul.h
    "matmul",
    // batch_norm.h
    "batch_norm",
    "batch_norm_gradient",
    "batch_norm_scale_shift",
    // pool.h
    "max_pool2d",
    "max_pool2d_gradient",
    "average_pool2d",
    "average_pool2d_gradient",
    // resize.h
    "resize",
    "resize_gradient",
    // layout.h
    "concat",
    "split",
    "slice",
    "pad",
    "reshape",
    // loss.h
    "softmax",
    "softmax_cross_entropy",
    "sigmoid_cross_entropy",
    "min_max_normalize",
    "min_max_normalize_gradient",
    // images.h
    "pixels_to_images",
    "bits_to_masks",
    "augment_images",
    "mix_samples",
    "area_average",
    "maps_to_sources",
    // optimizer.h
    "sgd_update",
    "adam_update",
});

}  // namespace jcs
