/*******************************************************************************
 * Copyright 2019-2025 Intel Corporation
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 *******************************************************************************/

// Takes the place of oneDNN's file of this name, and of those that it refers to: of its reorders those between float32
// and bf16, in its order. The first that says yes is taken.

#include "cpu/cpu_engine.hpp"
#include "cpu/reorder/simple_reorder.hpp"

#if DNNL_X64
#include "cpu/x64/jit_uni_reorder.hpp"
#include "cpu/x64/jit_uni_reorder_direct_copy.hpp"
#include "cpu/x64/matmul/brgemm_matmul_reorders.hpp"
#define JIT_REORDER(...) REORDER(x64::__VA_ARGS__)
#else
#define JIT_REORDER(...)
#endif

#define REORDER(...) impl_list_item_t(impl_list_item_t::reorder_type_deduction_helper_t<__VA_ARGS__::pd_t>()),

namespace dnnl {
namespace impl {
namespace cpu {

namespace {

using namespace dnnl::impl::data_type;

/// From and to tensors that lie anyhow.
template <data_type_t from, data_type_t to, typename... Kind>
using SimpleReorder = simple_reorder_t<from, format_tag::any, to, format_tag::any, fmt_order::any, Kind...>;

// clang-format off
const impl_list_item_t f32ToF32[] = {
  JIT_REORDER(brgemm_matmul_copy_reorder_t)
  JIT_REORDER(jit_uni_reorder_direct_copy_t)
  JIT_REORDER(jit_blk_reorder_t)
  JIT_REORDER(jit_uni_reorder_t)
  REORDER(SimpleReorder<f32, f32, spec::direct_copy>)
  REORDER(SimpleReorder<f32, f32, spec::direct_copy_except_dim_0>)
  REORDER(SimpleReorder<f32, f32, spec::reference>)
  nullptr};

const impl_list_item_t f32ToBf16[] = {
  JIT_REORDER(jit_uni_reorder_direct_copy_t)
  JIT_REORDER(jit_blk_reorder_t)
  JIT_REORDER(jit_uni_reorder_t)
  REORDER(SimpleReorder<f32, bf16, spec::reference>)
  nullptr};

const impl_list_item_t fromBf16[] = {
  JIT_REORDER(brgemm_matmul_copy_reorder_t)
  JIT_REORDER(jit_uni_reorder_direct_copy_t)
  JIT_REORDER(jit_blk_reorder_t)
  JIT_REORDER(jit_uni_reorder_t)
  REORDER(SimpleReorder<bf16, bf16, spec::reference>)
  REORDER(SimpleReorder<bf16, f32, spec::reference>)
  nullptr};
// clang-format on

}  // namespace

const impl_list_item_t* cpu_engine_impl_list_t::get_reorder_implementation_list(const memory_desc_t* from,
                                                                                const memory_desc_t* to) {
  static const impl_list_item_t none[] = {nullptr};
  if (to->data_type != f32 && to->data_type != bf16) return none;
  if (from->data_type == bf16) return fromBf16;
  if (from->data_type != f32) return none;
  return to->data_type == f32 ? f32ToF32 : f32ToBf16;
}

}  // namespace cpu
}  // namespace impl
}  // namespace dnnl
