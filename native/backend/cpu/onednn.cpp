#include "backend/cpu/onednn.h"

#include "backend/cpu/vectorise.h"

namespace jcs::cpu {

void failOnednn(const char* call, const dnnl::error& error) {
  if (error.status == dnnl_out_of_memory)
    fail(errors::kOutOfMemory, std::string("oneDNN ran out of memory in ") + call +
                                   "; use a smaller batch or image, or free memory of other processes");
  fail(errors::kInternal, std::string("oneDNN call '") + call + "' failed with status " +
                              std::to_string(static_cast<int>(error.status)) + ": " + error.what() +
                              "; please report this");
}

OnednnConcurrency::OnednnConcurrency(int threads) {
  dnnl_threadpool_interop_get_max_concurrency(&previous_);
  dnnl_threadpool_interop_set_max_concurrency(threads);
}

OnednnConcurrency::~OnednnConcurrency() { dnnl_threadpool_interop_set_max_concurrency(previous_); }

bool multipliesBf16() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
    case dnnl::cpu_isa::avx512_core_fp16:
    case dnnl::cpu_isa::avx512_core_amx_fp16: return true;
    default: return false;
  }
}

bool hasVnni() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx2_vnni:
    case dnnl::cpu_isa::avx2_vnni_2:
    case dnnl::cpu_isa::avx512_core_vnni: return true;
    default: return multipliesBf16();
  }
}

bool hasAvx512() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core:
    case dnnl::cpu_isa::avx512_core_vnni: return true;
    default: return multipliesBf16();
  }
}

InstructionSet usedInstructionSet() {
#if defined(__x86_64__)
  if (hasAvx512() && __builtin_cpu_supports("x86-64-v4")) return InstructionSet::kAvx512;
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx: return InstructionSet::kBaseline;
    default: return __builtin_cpu_supports("x86-64-v3") ? InstructionSet::kAvx2 : InstructionSet::kBaseline;
  }
#else
  return InstructionSet::kBaseline;
#endif
}

bool hasBf16MatrixUnit() {
  const auto isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_amx || isa == dnnl::cpu_isa::avx512_core_amx_fp16;
}

dnnl::memory::data_type onednnType(DType dtype) {
  invariant(dtype == DType::kF32 || dtype == DType::kBF16, "the CPU backend computes in float32 and bf16 only");
  return dtype == DType::kF32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

dnnl::memory::desc channelsLastDesc(const Operand& operand) {
  const Shape& s = operand.type.shape;
  const int64_t row = operand.rowStride;
  return {{s[0], s[3], s[1], s[2]}, onednnType(operand.type.dtype), {s[1] * s[2] * row, 1, s[2] * row, row}};
}

dnnl::memory::desc vectorDesc(const Operand& operand) {
  return {{operand.type.elements()}, onednnType(operand.type.dtype), dnnl::memory::format_tag::a};
}

dnnl::primitive_attr userScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

BoundPrimitive::BoundPrimitive(CpuDevice& device, int threads, dnnl::primitive primitive,
                               const dnnl::memory::desc& scratchpad, std::string implementation, Arguments arguments)
    : stream_(&device.stream(threads)),
      primitive_(std::move(primitive)),
      scratchBytes_(static_cast<int64_t>(scratchpad.get_size())),
      implementation_(std::move(implementation)) {
  onednnCall("memory", [&] {
    for (const auto& [argument, description] : arguments)
      if (description.get_size() > 0) arguments_.emplace(argument, dnnl::memory(description, device.engine(), nullptr));
    if (scratchBytes_ > 0) arguments_.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad, device.engine(), nullptr));
  });
}

void BoundPrimitive::execute(Pointers pointers, std::byte* scratch) {
  for (const auto& [argument, pointer] : pointers)
    if (const auto found = arguments_.find(argument); found != arguments_.end())
      found->second.set_data_handle(const_cast<void*>(pointer));
  if (scratchBytes_ > 0) arguments_.at(DNNL_ARG_SCRATCHPAD).set_data_handle(scratch);
  onednnCall("primitive::execute", [&] { primitive_.execute(*stream_, arguments_); });
}

BoundPrimitive makeReorder(CpuDevice& device, int threads, const dnnl::memory::desc& from,
                           const dnnl::memory::desc& to) {
  const auto description = onednnCall("reorder::primitive_desc", [&] {
    return dnnl::reorder::primitive_desc(device.engine(), from, device.engine(), to, userScratchpad());
  });
  return {device,
          threads,
          description,
          [](const auto& d) { return dnnl::reorder(d); },
          {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
}

}  // namespace jcs::cpu
