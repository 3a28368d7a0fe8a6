#include "compiler/derived_values.h"

#include "compiler/passes.h"
#include "core/json.h"
#include "native/fixtures.h"
#include "native/harness.h"
#include "networks/registry.h"
#include "ops/conv2d.h"

using namespace jcs;

TEST("what a network derives from its parameters, evaluated apart and put back as constants, changes nothing") {
  const auto fixtures = fixturesIn("forward/res2net50-v1b-paper.safetensors");
  CHECK_EQUAL(fixtures.size(), 1u);
  const networks::NetworkSpec spec = fixtureSpec(fixtures.at(0).at("spec"));
  const NamedTensors states = fixtureTensors(fixtures.at(0).at("weights"));
  NamedTensors inputs;
  inputs.emplace(networks::kImageInput.name, channelsLast(fixtureTensors("images.safetensors").at("images")));
  const Shape& s = inputs.at(networks::kImageInput.name).shape();
  const auto graph = compiler::optimize(*networks::inferenceGraph(spec, s[0], s[1], s[2]), DType::kF32);
  const compiler::DerivedValues derived = compiler::derivedValues(*graph);
  CHECK(derived.values.size() > 50u);  // folded weights and biases
  for (const ValueInfo& value : derived.graph->values()) CHECK(value.kind != ValueInfo::Kind::kInput);
  ReferenceRun evaluated = runOnReference(*derived.graph, {}, states);
  std::map<ValueId, Tensor> values;
  for (const auto& [name, id] : derived.values) values.emplace(id, evaluated.outputs.at(name).to(DType::kF32));
  const auto constant = compiler::withConstants(*graph, std::move(values));
  for (const Node& node : constant->nodes())
    if (is<Conv2d>(*node.op)) CHECK(constant->values()[node.inputs[1]].kind != ValueInfo::Kind::kComputed);
  const ReferenceRun expected = runOnReference(*graph, inputs, states),
                     actual = runOnReference(*constant, inputs, states);
  for (const auto& [name, value] : expected.outputs) CHECK(relativeError(actual.outputs.at(name), value) < 1e-5);
}
