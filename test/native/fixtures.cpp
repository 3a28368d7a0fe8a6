#include "native/fixtures.h"

#include <fstream>

#include "core/json.h"
#include "io/safetensors.h"
#include "native/test_files.h"

namespace jcs {

using Json = nlohmann::json;

networks::NetworkSpec fixtureSpec(const Json& json) {
  networks::NetworkSpec spec;
  spec.network = json.at("network");
  spec.variant = networks::parseVariant(json.at("variant"));
  spec.width = json.at("width");
  spec.efm = json.value("efm", true);
  spec.aff = json.value("aff", true);
  spec.trunk = json.value("trunk", spec.trunk);
  spec.outputStride = json.value("outputStride", spec.outputStride);
  return spec;
}

NamedTensors fixtureTensors(const std::string& file) {
  const io::SafetensorsFile content = io::SafetensorsFile::open(fixturePath(file));
  NamedTensors tensors;
  for (const io::SafetensorsEntry& entry : content.entries())
    if (entry.dtype != "I64") tensors[entry.name] = content.load(entry.name);
  return tensors;
}

std::vector<Json> fixturesIn(const std::string& folder) {
  std::ifstream in(fixturePath("index.json"));
  const Json index = Json::parse(in);
  std::vector<Json> found;
  for (const Json& fixture : index.at("fixtures"))
    if (fixture.at("file").get<std::string>().starts_with(folder)) found.push_back(fixture);
  return found;
}

}  // namespace jcs
