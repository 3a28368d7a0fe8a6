#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"

/// One row of the table of cases: a graph of usually one op, from which every check follows. Its gradient adds the
/// ops of the backward pass, so that these need rows of their own only where no gradient rule makes them.
namespace jcs::conformance {

/// Which numbers an input is filled with.
enum class Fill {
  kSigned,         ///< uniform in [−1, 1]
  kAwayFromZero,   ///< ±[0.2, 1]: no element is near the kink of ReLU
  kDistinct,       ///< a shuffled grid over [−1, 1]: no two elements are near each other, so that maxima do not tie
  kPositive,       ///< uniform in [0.5, 1.5]
  kOffset,         ///< uniform in [4, 6]: a mean far from zero, where one-pass variances lose digits
  kUnit,           ///< uniform in [0, 1]
  kProbabilities,  ///< rows of the last axis that sum to one
  kCoarse,         ///< multiples of 1/2 in [−1, 1]: many elements are equal
  kConstant,       ///< every element 0.75
};

struct Input {
  Shape shape;
  Fill fill = Fill::kSigned;
  bool differentiable = true;                     ///< whether the gradient check asks for its gradient
  DType dtype = DType::kF32;                      ///< what the graph is built with
  std::shared_ptr<const Tensor> bytes = nullptr;  ///< instead of a fill, where `dtype` is kU8
};

struct Case {
  std::string name;
  std::vector<Input> inputs;
  /// Adds the op under test and returns the results that the gradient check projects to a loss.
  std::function<std::vector<Value>(std::span<const Value> inputs)> build;
  /// Fused ops, updates, and ops whose rule says so have no gradient.
  bool differentiable = true;
  /// Runs with the dtypes that its inputs say, and not once in each precision.
  bool fixedTypes = false;
};

/// All rows, in the order of the files cases_*.cpp.
const std::vector<Case>& cases();

/// One function a file; `cases` calls each.
void addConvolutionCases(std::vector<Case>& table);
void addElementwiseCases(std::vector<Case>& table);
void addSpatialCases(std::vector<Case>& table);
void addLayoutCases(std::vector<Case>& table);
void addTrainingCases(std::vector<Case>& table);
void addPixelCases(std::vector<Case>& table);
void addQuantizedCases(std::vector<Case>& table);

/// The numbers of input `index` of a case: the same on every machine and in every run.
Tensor makeInput(const Case& row, size_t index);

/// A case's graph in float32, its loss (a fixed random projection of the results) and the gradients of the loss.
struct CaseGraph {
  std::unique_ptr<Graph> graph;
  std::vector<Value> inputs;
  std::vector<Value> results;
  Value loss;                    ///< invalid when the case is not differentiable
  size_t caseNodes = 0;          ///< nodes that `Case::build` added; those up to the loss project its results
  size_t forwardNodes = 0;       ///< nodes up to the loss; the gradients follow
  std::vector<Value> gradients;  ///< per input; invalid where not differentiable

  bool isProjection(NodeId node) const {
    const auto place = static_cast<size_t>(node);
    return place >= caseNodes && place < forwardNodes;
  }
};
CaseGraph buildGraph(const Case& row);

}  // namespace jcs::conformance
