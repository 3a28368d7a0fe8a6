#pragma once

#include <array>

#include "backend/cuda/kernels/column_sums.h"
#include "core/dtype.h"

namespace jcs::cuda {

/// y[group, c] = scale · Σ x[group, row, c] over the rows of each group. Scratch: `columnReduceScratchBytes`.
struct ColumnReduce {
  ColumnCut cut;
  DType dtype;
  int64_t stride;
  double scale;
};
int64_t columnReduceScratchBytes(const ColumnReduce& r);
void reduceColumns(const Launcher& launcher, const ColumnReduce& r, const void* x, float* y, std::byte* scratch);

/// y[group] = scale · Σ x[group, row, c] over the rows and channels of each group. Scratch: `groupReduceScratchBytes`.
struct GroupReduce {
  int64_t groups, rows, channels;
  DType dtype;
  int64_t stride;
  double scale;
  int64_t parts;  ///< that a group is summed in, one after another at the end
};
/// Parts for groups of that size: enough to fill the device, none too small.
int64_t groupParts(int64_t groups, int64_t rows, int64_t channels, int multiprocessors);
int64_t groupReduceScratchBytes(const GroupReduce& r);
void reduceGroups(const Launcher& launcher, const GroupReduce& r, const void* x, float* y, std::byte* scratch);

/// Any pattern of kept and summed axes, a thread for each element of y.
struct AxisReduce {
  DType dtype;
  std::array<int64_t, 4> kept, keptStrides;      ///< extents of y, and how x advances along them; outermost first
  std::array<int64_t, 4> summed, summedStrides;  ///< of the axes that are summed, 1 for the others
  double scale;
};
void reduceAxes(const Launcher& launcher, const AxisReduce& r, const void* x, float* y);

}  // namespace jcs::cuda
