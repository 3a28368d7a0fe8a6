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

// Takes the place of oneDNN's file of this name: of its convolutions those of float32 and bf16 tensors that lie
// channels-last, in its order. The first that says yes is taken.

#include <map>
#include <vector>

#include "common/c_types_map.hpp"
#include "common/convolution_pd.hpp"
#include "cpu/cpu_engine.hpp"
#include "cpu/gemm_convolution.hpp"
#include "cpu/ref_convolution.hpp"

#if DNNL_X64
#include "cpu/x64/gemm_bf16_convolution.hpp"
#include "cpu/x64/jit_avx2_1x1_convolution.hpp"
#include "cpu/x64/jit_avx2_convolution.hpp"
#include "cpu/x64/jit_avx512_common_1x1_convolution.hpp"
#include "cpu/x64/jit_avx512_common_convolution.hpp"
#include "cpu/x64/jit_avx512_core_amx_1x1_convolution.hpp"
#include "cpu/x64/jit_avx512_core_amx_convolution.hpp"
#include "cpu/x64/jit_avx512_core_bf16_1x1_convolution.hpp"
#include "cpu/x64/jit_avx512_core_bf16_convolution.hpp"
#include "cpu/x64/jit_brdgmm_dw_conv.hpp"
#include "cpu/x64/jit_brgemm_1x1_conv.hpp"
#include "cpu/x64/jit_brgemm_conv.hpp"
#include "cpu/x64/jit_brgemm_conv_bwd.hpp"
#include "cpu/x64/jit_brgemm_conv_bwd_strided.hpp"
#include "cpu/x64/jit_brgemm_conv_bwd_w.hpp"
#include "cpu/x64/jit_uni_dw_convolution.hpp"
using namespace dnnl::impl::cpu::x64;
#endif

namespace dnnl {
namespace impl {
namespace cpu {

namespace {

using namespace dnnl::impl::data_type;
using namespace dnnl::impl::prop_kind;

// clang-format off
#define BF16_FORWARD(result) \
  CPU_INSTANCE_AVX512(brdgmm_dw_convolution_fwd_t) \
  CPU_INSTANCE_AMX(brgemm_1x1_convolution_fwd_t<avx512_core_amx>) \
  CPU_INSTANCE_AMX(brgemm_convolution_fwd_t<avx512_core_amx>) \
  CPU_INSTANCE_AMX(jit_avx512_core_amx_1x1_convolution_fwd_t) \
  CPU_INSTANCE_AMX(jit_avx512_core_amx_convolution_fwd_t) \
  CPU_INSTANCE_AVX512(brgemm_1x1_convolution_fwd_t<avx512_core_bf16>) \
  CPU_INSTANCE_AVX512(brgemm_convolution_fwd_t<avx512_core_bf16>) \
  CPU_INSTANCE_AVX512(jit_uni_dw_convolution_fwd_t<avx512_core, bf16, result>) \
  CPU_INSTANCE_AVX512(jit_avx512_core_bf16_1x1_convolution_fwd_t<result>) \
  CPU_INSTANCE_AVX512(jit_avx512_core_bf16_convolution_fwd_t) \
  CPU_INSTANCE_AVX512(gemm_bf16_convolution_fwd_t<result>) \
  CPU_INSTANCE(ref_convolution_fwd_t)

#define BF16_BACKWARD_DATA(result) \
  CPU_INSTANCE_AMX(brgemm_convolution_bwd_t<avx512_core_amx>) \
  CPU_INSTANCE_AMX(brgemm_convolution_bwd_strided_t<avx512_core_amx>) \
  CPU_INSTANCE_AMX(jit_avx512_core_amx_convolution_bwd_data_t) \
  CPU_INSTANCE_AVX512(brgemm_convolution_bwd_t<avx512_core_bf16>) \
  CPU_INSTANCE_AVX512(brgemm_convolution_bwd_strided_t<avx512_core_bf16>) \
  CPU_INSTANCE_AVX512(jit_uni_dw_convolution_bwd_data_t<avx512_core, bf16, result>) \
  CPU_INSTANCE_AVX512(jit_avx512_core_bf16_1x1_convolution_bwd_data_t<result>) \
  CPU_INSTANCE_AVX512(jit_avx512_core_bf16_convolution_bwd_data_t) \
  CPU_INSTANCE_AVX512(gemm_bf16_convolution_bwd_data_t<result>) \
  CPU_INSTANCE(ref_convolution_bwd_data_t)

#define BF16_BACKWARD_WEIGHTS(result) \
  CPU_INSTANCE_AVX512(jit_uni_dw_convolution_bwd_weights_t<avx512_core, bf16, result>) \
  CPU_INSTANCE_AMX(brgemm_convolution_bwd_weights_t) \
  CPU_INSTANCE_AMX(jit_avx512_core_amx_convolution_bwd_weights_t) \
  CPU_INSTANCE_AVX512(jit_avx512_core_bf16_1x1_convolution_bwd_weights_t<result>) \
  CPU_INSTANCE_AVX512(jit_avx512_core_bf16_convolution_bwd_weights_t) \
  CPU_INSTANCE_AVX512(gemm_bf16_convolution_bwd_weights_t<result>) \
  CPU_INSTANCE(ref_convolution_bwd_weights_t)
// clang-format on

using Implementations = std::map<pk_dt_impl_key_t, std::vector<impl_list_item_t>>;

/// By direction and the dtypes of source, weights and destination.
const Implementations& implementations() {
  // clang-format off
  static const Implementations all {
          {{forward, f32, f32, f32},
                  {
                    CPU_INSTANCE_AVX512(brdgmm_dw_convolution_fwd_t)
                    CPU_INSTANCE_AMX(brgemm_1x1_convolution_fwd_t<avx512_core_amx>)
                    CPU_INSTANCE_AMX(brgemm_convolution_fwd_t<avx512_core_amx>)
                    CPU_INSTANCE_AVX512(brgemm_1x1_convolution_fwd_t<avx512_core>)
                    CPU_INSTANCE_AVX512(brgemm_convolution_fwd_t<avx512_core>)
                    CPU_INSTANCE_AVX512(jit_avx512_common_dw_convolution_fwd_t)
                    CPU_INSTANCE_AVX512(jit_avx512_common_1x1_convolution_fwd_f32_t)
                    CPU_INSTANCE_AVX512(jit_avx512_common_convolution_fwd_t<f32>)
                    CPU_INSTANCE_AVX2(jit_avx2_dw_convolution_fwd_t)
                    CPU_INSTANCE_AVX2(brgemm_1x1_convolution_fwd_t<avx2>)
                    CPU_INSTANCE_AVX2(brgemm_convolution_fwd_t<avx2>)
                    CPU_INSTANCE_AVX2(jit_avx2_1x1_convolution_fwd_t)
                    CPU_INSTANCE_AVX2(jit_avx2_convolution_fwd_t)
                    CPU_INSTANCE(gemm_convolution_fwd_t)
                    CPU_INSTANCE(ref_convolution_fwd_t)
                    nullptr}},
          {{forward, bf16, bf16, f32}, {BF16_FORWARD(f32) nullptr}},
          {{forward, bf16, bf16, bf16}, {BF16_FORWARD(bf16) nullptr}},
          {{backward_data, f32, f32, f32},
                  {
                    CPU_INSTANCE_AMX(brgemm_convolution_bwd_t<avx512_core_amx>)
                    CPU_INSTANCE_AVX512(brgemm_convolution_bwd_t<avx512_core>)
                    CPU_INSTANCE_AVX512(brgemm_convolution_bwd_strided_t<avx512_core>)
                    CPU_INSTANCE_AVX512(jit_avx512_common_dw_convolution_bwd_data_t)
                    CPU_INSTANCE_AVX512(jit_avx512_common_1x1_convolution_bwd_data_f32_t)
                    CPU_INSTANCE_AVX512(jit_avx512_common_convolution_bwd_data_t<f32>)
                    CPU_INSTANCE_AVX2(brgemm_convolution_bwd_t<avx2>)
                    CPU_INSTANCE_AVX2(brgemm_convolution_bwd_strided_t<avx2>)
                    CPU_INSTANCE_AVX2(jit_avx2_dw_convolution_bwd_data_t)
                    CPU_INSTANCE_AVX2(jit_avx2_1x1_convolution_bwd_data_t)
                    CPU_INSTANCE_AVX2(jit_avx2_convolution_bwd_data_t)
                    CPU_INSTANCE(gemm_convolution_bwd_data_t)
                    CPU_INSTANCE(ref_convolution_bwd_data_t)
                    nullptr}},
          {{backward_data, f32, bf16, bf16}, {BF16_BACKWARD_DATA(f32) nullptr}},
          {{backward_data, bf16, bf16, bf16}, {BF16_BACKWARD_DATA(bf16) nullptr}},
          {{backward_weights, f32, f32, f32},
                  {
                    CPU_INSTANCE_AVX512(jit_avx512_common_dw_convolution_bwd_weights_t)
                    CPU_INSTANCE_AVX512(jit_avx512_common_1x1_convolution_bwd_weights_t)
                    CPU_INSTANCE_AVX512(jit_avx512_common_convolution_bwd_weights_t<f32>)
                    CPU_INSTANCE_AVX2(jit_avx2_dw_convolution_bwd_weights_t)
                    CPU_INSTANCE_AVX2(jit_avx2_1x1_convolution_bwd_weights_t)
                    CPU_INSTANCE_AVX2(jit_avx2_convolution_bwd_weights_t)
                    CPU_INSTANCE(gemm_convolution_bwd_weights_t)
                    CPU_INSTANCE(ref_convolution_bwd_weights_t)
                    nullptr}},
          {{backward_weights, bf16, f32, bf16}, {BF16_BACKWARD_WEIGHTS(f32) nullptr}},
          {{backward_weights, bf16, bf16, bf16}, {BF16_BACKWARD_WEIGHTS(bf16) nullptr}},
  };
  // clang-format on
  return all;
}

}  // namespace

const impl_list_item_t* get_convolution_impl_list(const convolution_desc_t* desc) {
  static const impl_list_item_t none[] = {nullptr};
  const bool isForward = utils::one_of(desc->prop_kind, forward_training, forward_inference);
  const auto found =
      implementations().find({isForward ? forward : desc->prop_kind, conv_prop_invariant_src_d(desc)->data_type,
                              conv_prop_invariant_wei_d(desc)->data_type, conv_prop_invariant_dst_d(desc)->data_type});
  return found == implementations().end() ? none : found->second.data();
}

}  // namespace cpu
}  // namespace impl
}  // namespace dnnl
