#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "native/reference_run.h"
#include "networks/spec.h"

namespace jcs {

/// The `spec` of an entry of test/fixtures/index.json.
networks::NetworkSpec fixtureSpec(const nlohmann::json& json);
/// Every float tensor of a file of test/fixtures, float32, as PyTorch lays them out.
NamedTensors fixtureTensors(const std::string& file);
/// Fixtures of the index whose file starts with `folder`.
std::vector<nlohmann::json> fixturesIn(const std::string& folder);

}  // namespace jcs
