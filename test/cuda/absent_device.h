#pragma once

#include "backend/cuda/cudnn_graph.h"

namespace jcs::test {

/// cuDNN, if this machine has it, else the test is skipped.
const cuda::CuDnn& cudnnOrSkip();

/// The properties of an H100, as cuDNN writes them down, for plans on machines that have none.
cuda::PlanTarget absentH100();

}  // namespace jcs::test
