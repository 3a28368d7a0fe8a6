#include "conformance/case.h"
#include "ops/elementwise.h"
#include "ops/layout.h"

namespace jcs::conformance {

namespace {

void addConcats(std::vector<Case>& table) {
  const auto join = [](std::span<const Value> in) { return std::vector{concat(in)}; };
  table.push_back({"concat of two", {{{2, 3, 5, 26}}, {{2, 3, 5, 13}}}, join});
  table.push_back({"concat of four", {{{1, 3, 5, 26}}, {{1, 3, 5, 26}}, {{1, 3, 5, 26}}, {{1, 3, 5, 26}}}, join});
  table.push_back({"concat of one", {{{1, 3, 5, 8}}}, join});
  table.push_back({"concat of vectors", {{{4, 3}}, {{4, 1}}, {{4, 6}}}, join});
  table.push_back({"concat of rank 1", {{{3}}, {{1}}, {{5}}}, join});
  table.push_back({"concat of single channels", {{{2, 3, 3, 1}}, {{2, 3, 3, 1}}}, join});
  table.push_back({"concat of a value with itself", {{{2, 3, 4, 7}}}, [](std::span<const Value> in) {
                     return std::vector{concat({in[0], in[0]})};
                   }});
}

void addSplits(std::vector<Case>& table) {
  const auto cut = [](std::vector<int64_t> sizes) {
    return [sizes](std::span<const Value> in) { return split(in[0], sizes); };
  };
  table.push_back({"split into four", {{{2, 3, 5, 104}}}, cut({26, 26, 26, 26})});
  table.push_back({"split unevenly", {{{1, 4, 3, 10}}}, cut({1, 6, 3})});
  table.push_back({"split into one", {{{1, 4, 3, 10}}}, cut({10})});
  table.push_back({"split of vectors", {{{5, 7}}}, cut({3, 4})});
  table.push_back({"split with a part that nothing reads", {{{1, 4, 3, 9}}}, [](std::span<const Value> in) {
                     const int64_t sizes[] = {4, 2, 3};
                     const std::vector<Value> parts = split(in[0], sizes);
                     return std::vector{parts[0], parts[2]};
                   }});
}

struct Box {
  Shape whole, begin, extent;
};

const Box kBoxes[] = {
    {{2, 6, 5, 26}, {0, 0, 0, 13}, {2, 6, 5, 13}},  // channels
    {{2, 6, 5, 26}, {0, 0, 0, 0}, {2, 6, 5, 3}},
    {{2, 6, 5, 8}, {0, 2, 1, 0}, {2, 3, 3, 8}},  // pixels
    {{1, 7, 5, 8}, {0, 2, 0, 0}, {1, 5, 5, 8}},
    {{1, 7, 5, 8}, {0, 0, 1, 0}, {1, 7, 3, 8}},
    {{4, 3, 2, 5}, {1, 0, 0, 0}, {2, 3, 2, 5}},  // samples
    {{3, 5, 4, 6}, {1, 1, 2, 3}, {2, 3, 2, 2}},  // everything
    {{2, 3, 3, 4}, {0, 0, 0, 0}, {2, 3, 3, 4}},  // nothing
    {{7, 9}, {2, 0}, {3, 9}},
    {{7, 9}, {0, 4}, {7, 5}},
    {{11}, {3}, {5}},
    {{5}, {0}, {5}},
};

void addBoxes(std::vector<Case>& table) {
  for (const Box& box : kBoxes) {
    const std::string text = box.extent.toString() + " at " + box.begin.toString() + " of " + box.whole.toString();
    table.push_back({"slice " + text, {{box.whole}}, [box](std::span<const Value> in) {
                       return std::vector{slice(in[0], box.begin, box.extent)};
                     }});
    table.push_back({"pad " + text, {{box.extent}}, [box](std::span<const Value> in) {
                       return std::vector{pad(in[0], box.begin, box.whole)};
                     }});
  }
  table.push_back({"two overlapping slices of one value", {{{1, 5, 5, 12}}}, [](std::span<const Value> in) {
                     const Value left = slice(in[0], {0, 0, 0, 0}, {1, 5, 5, 8});
                     const Value right = slice(in[0], {0, 0, 0, 4}, {1, 5, 5, 8});
                     return std::vector{multiply(left, right)};
                   }});
}

void addFlips(std::vector<Case>& table) {
  struct Flipped {
    Shape shape;
    std::vector<int64_t> axes;
  };
  for (const auto& [shape, axes] : {
           Flipped{{2, 6, 5, 3}, {2}},     // images, left to right
           Flipped{{2, 6, 5, 3}, {1}},     // upside down
           Flipped{{2, 6, 5, 3}, {1, 2}},  // both
           Flipped{{2, 7, 9, 1}, {2}},     // probabilities
           Flipped{{2, 7, 9, 1}, {1, 2}},
           Flipped{{1, 5, 4, 16}, {1}},
           Flipped{{3, 4, 2, 8}, {0, 3}},
           Flipped{{2, 3, 2, 5}, {0, 1, 2, 3}},
           Flipped{{1, 4, 1, 8}, {2}},  // of one pixel
           Flipped{{4, 6}, {1}},
           Flipped{{17}, {0}},
       }) {
    std::string text = "flip of " + shape.toString() + " along";
    for (int64_t axis : axes) text += " " + std::to_string(axis);
    table.push_back({text, {{shape}}, [axes](std::span<const Value> in) { return std::vector{flip(in[0], axes)}; }});
  }
  table.push_back({"flip of channels of a concat", {{{2, 3, 4, 3}}, {{2, 3, 4, 2}}}, [](std::span<const Value> in) {
                     return std::vector{flip(concat({in[0], in[1]}), {2})};
                   }});
}

void addReshapes(std::vector<Case>& table) {
  struct Pair {
    Shape from, to;
  };
  for (const auto& [from, to] :
       {Pair{{2, 1, 1, 26}, {2, 26}}, Pair{{2, 26}, {2, 1, 1, 26}}, Pair{{12}, {12, 1, 1, 1}},
        Pair{{2, 3, 5, 4}, {2, 60}}, Pair{{2, 3, 4, 1}, {2, 12}}, Pair{{1}, {}}, Pair{{}, {1, 1}}})
    table.push_back({"reshape " + from.toString() + " to " + to.toString(),
                     {{from}},
                     [to = to](std::span<const Value> in) { return std::vector{reshape(in[0], to)}; }});
}

}  // namespace

void addLayoutCases(std::vector<Case>& table) {
  addConcats(table);
  addSplits(table);
  addBoxes(table);
  addFlips(table);
  addReshapes(table);
}

}  // namespace jcs::conformance
