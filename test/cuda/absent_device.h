#pragma once

#include "backend/cuda/cudnn_graph.h"

namespace jcs::test {

/// cuDNN, if this machine has it, else the test is skipped.
const cuda::CuDnn& cudnnOrSkip();

/// The properties of a GPU, as cuDNN writes them down, for plans on machines that have none. 80: an A100, 89: an RTX
/// 4090, 90: an H100, 100: a B200, 120: an RTX 5090.
cuda::PlanTarget absentDevice(int computeCapability);
cuda::PlanTarget absentH100();

}  // namespace jcs::test
