#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <set>
#include <sstream>

#include "backend/loader.h"
#include "backend/reference/reference.h"
#include "conformance/case.h"
#include "conformance/fault_injection.h"
#include "conformance/gradient_check.h"
#include "conformance/network_coverage.h"
#include "conformance/node_check.h"
#include "conformance/pytorch_check.h"
#include "conformance/rate_check.h"
#include "cuda_emulation/emulated_backend.h"
#include "ops/all_ops.h"

/// Conformance of backends to the float64 reference, of the reference's gradients to central differences, and of the
/// reference to PyTorch.
///
///   jcs_conformance [--filter TEXT] [--backend NAME] [--shard I/N] [--list] [--verbose]
///
/// --filter keeps cases and ops whose label contains TEXT; --backend keeps one of reference, cpu, cuda, cuda-emulated,
/// cuda-emulated-reverse. The emulated ones are the CUDA backend's own kernels on the host, with the threads of a block
/// running in two orders. --shard 2/8 checks every eighth op from the second on, so that processes can share the work;
/// what is checked of a backend as a whole is the first shard's, and what of the table the reference's too. Backend
/// libraries are found as the engine finds them: in JCS_BACKEND_DIR, else beside this executable. A device that is not
/// there is skipped, unless JCS_REQUIRE names it ("cpu,cuda"). Exits with 1 when anything failed.
namespace jcs::conformance {

namespace {

struct Options {
  std::string filter, backend;
  size_t shard = 1, shards = 1;
  bool list = false, verbose = false;

  /// Whether what is checked of tables and backends as a whole is checked here.
  bool checksWhole() const { return filter.empty() && shard == 1; }
};

struct Totals {
  int passed = 0, failed = 0, skipped = 0;

  void count(const std::string& what, const std::string& failure) {
    if (failure.empty()) {
      ++passed;
    } else {
      ++failed;
      std::printf("FAIL %s\n     %s\n", what.c_str(), failure.c_str());
    }
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string typesText(std::span<const DType> types) {
  std::string text;
  for (DType type : types) text += (text.empty() ? "" : ",") + std::string(nameOf(type));
  return text;
}

/// Whether "ref" is a word of the name, as in oneDNN's "ref:any" and "gemm:ref".
bool isReferenceImplementation(const std::string& name) {
  for (size_t at = name.find("ref"); at != std::string::npos; at = name.find("ref", at + 1)) {
    const bool starts = at == 0 || !std::isalnum(static_cast<unsigned char>(name[at - 1]));
    const bool ends = at + 3 == name.size() || !std::isalnum(static_cast<unsigned char>(name[at + 3]));
    if (starts && ends) return true;
  }
  return false;
}

/// Instrumented loops are not those that are shipped, nor compiled for the processor's vectors: half an hour of rates
/// that say nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsInstrumented = true;
#else
constexpr bool kIsInstrumented = false;
#endif

bool hasAvx512() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
#else
  return false;
#endif
}

bool isRequired(const std::string& device) {
  const char* list = std::getenv("JCS_REQUIRE");
  std::istringstream names(list ? list : "");
  for (std::string name; std::getline(names, name, ',');)
    if (name == device) return true;
  return false;
}

/// The ops that a backend has to have, or all that there are.
std::vector<std::string_view> opNames(bool withByteOps) {
  std::vector<std::string_view> names(AllOps::names.begin(), AllOps::names.end());
  if (withByteOps) names.insert(names.end(), ByteOps::names.begin(), ByteOps::names.end());
  return names;
}

/// Every op has a kernel, and no kernel is for an op that nobody listed.
void checkCompleteness(const Backend& backend, Totals& totals) {
  const std::vector<std::string> ops = backend.ops();
  const std::vector<std::string_view> names = opNames(backend.supports(DType::kU8));
  for (std::string_view name : names)
    totals.count(backend.device().name + ": a kernel for " + std::string(name),
                 std::ranges::count(ops, name) == 1 ? "" : "the backend registers no kernel for this op");
  for (const std::string& name : ops)
    if (std::ranges::count(names, name) == 0)
      totals.count(backend.device().name + ": kernel '" + name + "'", "its op is not in ops/all_ops.h");
}

/// Every op is in the table of cases, and every op in a graph is in the list of names.
void checkTable(Totals& totals) {
  std::set<std::string, std::less<>> seen;
  for (const Case& row : cases()) {
    const CaseGraph built = buildGraph(row);
    for (const Node& node : built.graph->nodes()) seen.emplace(node.op->name());
  }
  const std::vector<std::string_view> names = opNames(true);
  for (std::string_view name : names)
    totals.count("table: a case for " + std::string(name), seen.contains(name) ? "" : "no row of the table has it");
  for (const std::string& name : seen)
    if (std::ranges::count(names, name) == 0) totals.count("table: op '" + name + "'", "it is not in ops/all_ops.h");
}

/// A node and the dtypes of its inputs.
struct Check {
  size_t node;
  std::vector<DType> types;
  auto operator<=>(const Check&) const = default;
};

/// Every node in every precision, but once where it has the same dtypes in both. Nodes of one op, attributes and shapes
/// in several cases are all checked: they differ in their values, such as ties or large logits.
std::vector<Check> checksOf(const std::vector<NodeCase>& nodes, std::span<const DType> activations, bool withByteOps) {
  std::set<Check> checks;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (nodes[n].takesByteOps && !withByteOps) continue;
    for (DType activation : activations)
      checks.insert({n, inputTypes(*nodes[n].op, nodes[n].graphTypes, activation, nodes[n].fixedTypes)});
  }
  return {checks.begin(), checks.end()};
}

void runBackend(const std::shared_ptr<Backend>& backend, Backend& reference, const std::vector<NodeCase>& nodes,
                const Options& options, Totals& totals) {
  const DeviceInfo device = backend->device();
  std::vector<DType> activations;
  for (DType dtype : {DType::kF64, DType::kF32, DType::kBF16})
    if (backend->supports(dtype)) activations.push_back(dtype);
  if (options.checksWhole()) checkCompleteness(*backend, totals);

  const bool mustBeFast = !kIsInstrumented && device.kind == "cpu" && device.name != "reference" && hasAvx512();
  if (mustBeFast && options.checksWhole())
    for (const RateResult& result : checkRates(backend)) totals.count(device.name + " " + result.name, result.failure);
  double worst[3] = {0, 0, 0};
  const int failedBefore = totals.failed;
  std::vector<Check> checks = checksOf(nodes, activations, backend->supports(DType::kU8));
  size_t position = 0;
  std::erase_if(checks, [&](const Check&) { return position++ % options.shards != options.shard - 1; });
  for (const Check& check : checks) {
    const NodeCase& node = nodes[check.node];
    NodeReport report = checkNode(backend, reference, node, check.types, std::max(device.threads, 1));
    if (report.failure.empty() && mustBeFast && isReferenceImplementation(report.implementation))
      report.failure = "runs the library's reference implementation '" + report.implementation + "'";
    const std::string what = device.name + " " + typesText(check.types) + " " + node.label;
    totals.count(what, report.failure);
    if (options.verbose)
      std::printf("     %.2e %-28s %s\n", report.worstError, report.implementation.c_str(), what.c_str());
    double& worstOfType = worst[static_cast<size_t>(report.dtype)];
    worstOfType = std::max(worstOfType, report.worstError);
  }
  std::printf("%s: %zu ops with their operands, %d failures; worst normalised error", device.name.c_str(),
              checks.size(), totals.failed - failedBefore);
  for (DType dtype : activations) std::printf(" %s %.2e", nameOf(dtype), worst[static_cast<size_t>(dtype)]);
  std::printf("\n");
}

int run(const Options& options) {
  // Results must not get lost when a kernel crashes the process.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::shared_ptr<Backend> reference = reference::createBackend();
  std::vector<NodeCase> nodes;
  Totals totals;
  const bool wantsReference = options.backend.empty() || options.backend == "reference";
  for (const Case& row : cases()) {
    std::vector<NodeCase> of =
        nodesOf(*reference, row, [&](const std::string& label) { return contains(label, options.filter); });
    if (of.empty()) continue;
    if (options.list) std::printf("%s\n", row.name.c_str());
    std::ranges::move(of, std::back_inserter(nodes));
    if (!options.list && wantsReference && row.differentiable)
      totals.count("gradient of " + row.name, checkGradient(*reference, row));
  }
  if (options.list) return 0;
  if (wantsReference && options.checksWhole()) {
    for (const FaultResult& result : checkFaultsAreFound(reference))
      totals.count("node check finds " + result.name, result.failure);
    checkTable(totals);
    const NetworkCoverage networks = checkNetworkCoverage();
    totals.passed += networks.coveredKinds;
    for (const auto& [key, where] : networks.uncovered)
      totals.count("table: " + where, "no row of the table covers " + key);
  }

  if (wantsReference)
    for (const PyTorchResult& result : checkAgainstPyTorch(*reference, options.filter))
      totals.count("reference against PyTorch: " + result.name, result.failure);
  if (wantsReference) runBackend(reference, *reference, nodes, options, totals);
  for (const auto order : {cuda_emulation::Order::kForward, cuda_emulation::Order::kReverse}) {
    const auto emulated = createEmulatedCudaBackend(order);
    if (options.backend.empty() || options.backend == emulated->device().name)
      runBackend(emulated, *reference, nodes, options, totals);
  }
  for (const std::string name : {"cpu", "cuda"}) {
    if (!options.backend.empty() && options.backend != name) continue;
    std::shared_ptr<Backend> backend;
    std::string reason;
    try {
      backend = loadBackend(name);
    } catch (const Error& error) {
      reason = error.what();
    }
    if (backend) {
      runBackend(backend, *reference, nodes, options, totals);
    } else if (isRequired(name)) {
      totals.count(name, "JCS_REQUIRE names this device: " + reason);
    } else {
      const DType activations[] = {DType::kF32, DType::kBF16};
      const auto count = static_cast<int>(checksOf(nodes, activations, name == "cpu").size());
      totals.skipped += count;
      std::printf("SKIP %s: %d cases, %s\n", name.c_str(), count, reason.c_str());
    }
  }
  if (totals.passed + totals.failed + totals.skipped == 0)
    totals.count("--filter " + options.filter, "matches nothing");
  std::printf("%d passed, %d failed, %d skipped\n", totals.passed, totals.failed, totals.skipped);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace jcs::conformance

int main(int count, char** arguments) {
  jcs::conformance::Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const bool hasValue = i + 1 < count;
    if (argument == "--filter" && hasValue) {
      options.filter = arguments[++i];
    } else if (argument == "--backend" && hasValue) {
      options.backend = arguments[++i];
    } else if (argument == "--shard" && hasValue &&
               std::sscanf(arguments[i + 1], "%zu/%zu", &options.shard, &options.shards) == 2 && options.shard >= 1 &&
               options.shard <= options.shards) {
      ++i;
    } else if (argument == "--list") {
      options.list = true;
    } else if (argument == "--verbose") {
      options.verbose = true;
    } else {
      std::fprintf(stderr,
                   "usage: %s [--filter TEXT] [--backend reference|cpu|cuda|cuda-emulated|cuda-emulated-reverse] "
                   "[--shard I/N] [--list] [--verbose]\n",
                   arguments[0]);
      return 2;
    }
  }
  return jcs::conformance::run(options);
}
