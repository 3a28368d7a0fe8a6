#include "networks/jcs_joint.h"

#include "networks/jcs_segmentation.h"
#include "networks/res2net.h"
#include "nn/jcs_blocks.h"
#include "ops/layout.h"

namespace jcs::networks {

namespace {

/// N_E of one level from the segmenter's map M_E and the classifier's A, with M_E's channels. Paper: at M_E's size,
/// 1×1, squeeze-and-excitation, 3×3. Authors: at A's size, three 3×3. Each convolution has a batch norm and a ReLU.
Value combine(const Scope& fuse, int level, Value m, Value a, Variant variant, const NormOptions& norm) {
  const bool paper = variant == Variant::kPaper;
  const int64_t channels = m.shape().channels();
  const NodeLabel label = (fuse / "cat_modules" / level).label();
  const Value both = paper ? concat({m, resizeLike(a, m)}) : concat({resizeLike(m, a), a});
  Value x = convBnRelu(fuse / "cat_modules" / level, both, {.channels = channels, .kernel = paper ? 1 : 3}, norm);
  x = paper ? squeezeExcitation(fuse / "se_modules" / level, x, reducedByFour(channels))
            : convBnRelu(fuse / "se_modules" / level, x, {.channels = channels}, norm);
  return convBnRelu(fuse / "fuse_modules" / level, x, {.channels = channels}, norm);
}

}  // namespace

SegmenterOutputs jcsJoint(const Scope& scope, Value image, const NetworkSpec& spec, const BuildOptions& options) {
  std::vector<Value> maps = jcsEncoder(scope, image, spec, options);

  NormOptions classifierNorm = trunkNorm(spec, options);
  classifierNorm.epsilon = classifierEpsilon(spec);
  if (!options.trainTrunk) classifierNorm.mode = BatchNormMode::kFrozen;
  const std::vector<Value> classifierMaps = res2net(scope / "res2net", image,
                                                    {.depth = spec.trunk,
                                                     .width = spec.width,
                                                     .outputStride = spec.outputStride,
                                                     .norm = classifierNorm,
                                                     .trainable = options.trainTrunk});

  // No pretrained file has the combination's statistics, so there is nothing to freeze: its scales are always learnt.
  const NormOptions norm{.mode = options.batchNorm == BatchNormMode::kFrozen ? BatchNormMode::kEval : options.batchNorm,
                         .training = options.training,
                         .ranks = options.ranks};
  for (int level = 0; level < 5; ++level)
    maps[size_t(level)] =
        combine(scope / "fuse", level, maps[size_t(level)], classifierMaps[size_t(level)], spec.variant, norm);
  return jcsDecoder(scope, maps, image, spec);
}

}  // namespace jcs::networks
