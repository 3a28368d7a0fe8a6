#include "model/metadata.h"

#include "core/json.h"
#include "native/error_code.h"
#include "native/harness.h"

using namespace jcs;

namespace {

std::map<std::string, std::string> entriesOf(const nlohmann::json& json) { return {{"jcs", json.dump()}}; }

}  // namespace

TEST("metadata: what is written is read back, the window included") {
  model::ModelMetadata metadata = model::defaultMetadata({.network = "unet", .width = 0.5});
  metadata.inputSize = 192;
  metadata.window = {-300, 1950};
  metadata.provenance = R"({"seed":7})";
  const model::ModelMetadata read = model::fromSafetensors(model::toSafetensors(metadata), "it").value();
  CHECK(read.spec == metadata.spec && read.inputSize == 192 && read.window == metadata.window);
  CHECK_EQUAL(read.provenance, metadata.provenance);
}

TEST("metadata: readers that would ignore the window refuse the file") {
  nlohmann::json json =
      nlohmann::json::parse(model::toSafetensors(model::defaultMetadata({.network = "unet"})).at("jcs"));
  CHECK_EQUAL(json.at("format").get<int>(), 2);  // readers of format 1 know no window and take none but their own

  nlohmann::json older = json;
  older["format"] = 1;
  older.erase("window");
  CHECK(model::fromSafetensors(entriesOf(older), "it").value().window == data::kLungWindow);
  older["format"] = 4;
  CHECK_EQUAL(codeOf([&] { model::fromSafetensors(entriesOf(older), "it"); }), std::string(errors::kCorruptFile));
}

TEST("metadata: an output stride is kept, and only such files are closed to readers that would ignore it") {
  for (const int64_t stride : {32, 16, 8}) {
    const auto entries =
        model::toSafetensors(model::defaultMetadata({.network = "res2net50-v1b", .outputStride = stride}));
    CHECK_EQUAL(nlohmann::json::parse(entries.at("jcs")).at("format").get<int>(), stride == 32 ? 2 : 3);
    CHECK_EQUAL(model::fromSafetensors(entries, "it").value().spec.outputStride, stride);
  }
  nlohmann::json json =
      nlohmann::json::parse(model::toSafetensors(model::defaultMetadata({.network = "res2net50-v1b"})).at("jcs"));
  json["spec"].erase("outputStride");  // as files of format 2 were written
  CHECK_EQUAL(model::fromSafetensors(entriesOf(json), "it").value().spec.outputStride, int64_t{32});
}

TEST("metadata: a window that is none is an error that names the file") {
  nlohmann::json json =
      nlohmann::json::parse(model::toSafetensors(model::defaultMetadata({.network = "unet"})).at("jcs"));
  for (const char* window : {R"({"center":0,"width":0})", R"({"center":0})", R"("lung")"}) {
    json["window"] = nlohmann::json::parse(window);
    CHECK_EQUAL(codeOf([&] { model::fromSafetensors(entriesOf(json), "it"); }), std::string(errors::kCorruptFile));
  }
  json.erase("window");
  CHECK_EQUAL(codeOf([&] { model::fromSafetensors(entriesOf(json), "it"); }), std::string(errors::kCorruptFile));
}
