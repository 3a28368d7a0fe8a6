#include "compiler/bindings.h"

#include "native/compiled.h"
#include "native/harness.h"
#include "ops/elementwise.h"

namespace jcs {

namespace {

constexpr InputPort<float> kIn{"in"};
constexpr OutputPort<float> kOut{"out"};

/// out = relu(in), of four values.
compiler::Program makeProgram() {
  Graph graph;
  graph.output(kOut, relu(graph.input(kIn, {4})));
  return compiler::Program(graph, testBackend(), {});
}

void run(compiler::Program& program, const compiler::Bindings& bindings) {
  compiler::StateStore states(testBackend());
  DeviceBuffer arena(testBackend(), program.arenaBytes());
  program.run(states, arena.data(), bindings);
}

}  // namespace

TEST("a run reads and writes the memory that is bound, and no more of it than was given") {
  compiler::Program program = makeProgram();
  const std::vector<float> in{-1, 2, -3, 4};
  std::vector<float> out(4);
  compiler::Bindings whole;
  whole.input(kIn, in);
  whole.output(kOut, out);
  run(program, whole);
  CHECK(out == std::vector<float>({0, 2, 0, 4}));

  std::vector<float> first(2);
  compiler::Bindings beginning;
  beginning.input(kIn, in);
  beginning.beginning(kOut, first);
  run(program, beginning);
  CHECK(first == std::vector<float>({0, 2}));
}

TEST("memory of another size, and none, are refused by name") {
  compiler::Program program = makeProgram();
  std::vector<float> four(4), three(3), five(5);
  compiler::Bindings none;
  CHECK_ERROR([&] { run(program, none); }, errors::kInternal, "'in' is not bound");
  for (const auto& values : {three, five}) {
    compiler::Bindings wrong;
    wrong.input(kIn, values);
    CHECK_ERROR([&] { run(program, wrong); }, errors::kInternal, "'in' takes 16 bytes");
  }
  compiler::Bindings small;
  small.input(kIn, four);
  small.output(kOut, three);
  CHECK_ERROR([&] { run(program, small); }, errors::kInternal, "'out' takes 16 bytes, bound are 12");
  compiler::Bindings large;
  large.input(kIn, four);
  large.beginning(kOut, five);
  CHECK_ERROR([&] { run(program, large); }, errors::kInternal, "'out' takes 16 bytes, bound are 20");
}

TEST("tables of records are bytes, as many as a record has") {
  struct Record {
    float a;
    int32_t b;
  };
  CHECK((typeOf<Record>({3}) == TensorType{DType::kU8, {3, 8}}));
  CHECK((typeOf<float>({3, 2}) == TensorType{DType::kF32, {3, 2}}));
  CHECK((typeOf<std::byte>({3}) == TensorType{DType::kU8, {3}}));
}

}  // namespace jcs
