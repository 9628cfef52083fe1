// Attention element by element, whatever the sizes and strides. A warp takes 8 keys at once, its lanes
// sharing the depth; then its lanes share the columns of the values. Values of more than 256 columns
// are computed in parts, the scores anew for each. See gpuos_attention.cuh.
#pragma once

#include "gpuos_thin.cuh"

namespace gpuos {

constexpr unsigned UNIT_ROWS = 8;    // queries of a unit
constexpr unsigned KEYS = 8;         // that a warp takes at once
constexpr unsigned PART_LANES = 8;   // columns that a lane has of a part
constexpr unsigned PART_COLUMNS = 32 * PART_LANES;

// A maximum that is minus infinity is not subtracted: the difference to itself would be NaN.
GPUOS_INLINE float finite_shift(float most) { return most == float_of(0xff800000u) ? 0.0f : most; }

// The larger of two scores, neither of them NaN. Not the maximum of C: three of those in a row become
// an instruction of newer GPUs that the verifier of operators does not know.
GPUOS_INLINE float larger(float a, float b) { return a > b ? a : b; }

// What a warp knows of its query: weights are relative to the largest score so far.
struct Softmax {
  float most;
  float sum;
  float columns[PART_LANES];  // column lane + 32 j of the part
};

// The query of one warp, and the keys it sees.
template <class Body> struct Query {
  using Kinds = typename Body::operands;
  using Tag = typename Kinds::template kind<0>::tag;
  static constexpr int FACTORS = Body::masked ? 4 : 3;

  const gpuos_space* space;
  unsigned kept;
  address query, key, value, mask;  // of the first element, key and column
  unsigned long long keys;          // that the query sees
  unsigned long long depth;

  // Bytes from one index of a dimension to the next.
  template <int K> __device__ __forceinline__ address step(unsigned dim) const {
    return (address)space->stride[K][dim] * Kinds::template kind<K>::tag::bytes;
  }
  GPUOS_INLINE float read(address at) {
    Lanes<Tag, 1> lanes;
    Memory<Tag::bytes>::load(at, lanes.w);
    return Tag::decode(lanes.bits(0));
  }

  // The score of key from + reversed<KEYS>(lane); minus infinity where there is none.
  __device__ __forceinline__ float score(unsigned long long from) const {
    const unsigned lane = threadIdx.x % 32;
    const address key_step = step<1>(kept), element = step<1>(kept + 1);
    float sums[KEYS] = {};
#pragma unroll 1
    for (unsigned long long d = lane; d < depth; d += 32) {
      const float q = read(query + d * step<0>(kept + 1));
#pragma unroll
      for (unsigned i = 0; i < KEYS; i++) {
        if (from + i < keys) {
          sums[i] = multiply_add(q, read(key + (from + i) * key_step + d * element), sums[i]);
        }
      }
    }
    const float product = add_lanes<KEYS>(sums) * Body::scale();
    const unsigned long long mine = from + reversed<KEYS>(lane);
    return mine < keys ? masked(product, mine) : float_of(0xff800000u);
  }

  // Adds the values of 8 keys, as far as they are seen, to columns of a part of that width.
  __device__ __forceinline__ void add(Softmax& state, unsigned long long from, float score,
                                      unsigned width) const {
    const unsigned lane = threadIdx.x % 32;
    // A NaN is not the largest: it reaches the sum by its weight.
    float most = is_nan(score) ? float_of(0xff800000u) : score;
#pragma unroll
    for (int mask = KEYS / 2; mask > 0; mask /= 2) {
      most = larger(most, __shfl_xor_sync(0xffffffffu, most, mask));
    }
    most = larger(most, state.most);
    const float shift = finite_shift(most);
    const float kept_part = exp(state.most - shift);
    const float weight = exp(score - shift);
    float sum = weight;
#pragma unroll
    for (int mask = KEYS / 2; mask > 0; mask /= 2) {
      sum = sum + __shfl_xor_sync(0xffffffffu, sum, mask);
    }
    state.most = most;
    state.sum = multiply_add(state.sum, kept_part, sum);
#pragma unroll
    for (unsigned j = 0; j < PART_LANES; j++) {
      state.columns[j] = state.columns[j] * kept_part;
    }
    const address row_step = step<2>(kept), column_step = step<2>(kept - 1);
#pragma unroll 4
    for (unsigned i = 0; i < KEYS; i++) {
      const float w = __shfl_sync(0xffffffffu, weight, (int)reversed<KEYS>(i));
      if (from + i < keys) {
        const address row = value + (from + i) * row_step;
#pragma unroll
        for (unsigned j = 0; j < PART_LANES; j++) {
          const unsigned column = lane + 32 * j;
          if (column < width) {
            state.columns[j] = multiply_add(w, read(row + column * column_step), state.columns[j]);
          }
        }
      }
    }
  }

  // What the mask makes of the product of the query with a key.
  __device__ __forceinline__ float masked(float product, unsigned long long index) const {
    if constexpr (Body::masked) {
      using Mask = typename Kinds::template kind<3>::tag;
      Lanes<Mask, 1> lanes;
      Memory<Mask::bytes>::load(mask + index * step<3>(kept), lanes.w);
      const auto x = Mask::decode(lanes.bits(0));
      if constexpr (Mask::bytes == 1) {
        return x ? product : float_of(0xff800000u);
      } else {
        return product + x;
      }
    } else {
      return product;
    }
  }
};

// Puts together what the warps of one query have, in the order of their numbers; the first of them
// has the result. `share`: warps of a query. Called by all threads; ends with a barrier.
GPUOS_INLINE void gather_warps(Softmax& state, unsigned share, float* shared) {
  constexpr unsigned AT_ONCE = PART_LANES / 2;
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  const unsigned leader = warp / share * share;
  float* parts = shared + 2 * BLOCK_WARPS;  // [warp][j][lane]
  if (lane == 0) {
    shared[2 * warp] = state.most;
    shared[2 * warp + 1] = state.sum;
  }
  __syncthreads();
  float most = shared[2 * leader];
  for (unsigned i = 1; i < share; i++) {
    most = larger(most, shared[2 * (leader + i)]);
  }
  const float shift = finite_shift(most);
  float sum = 0.0f;
  for (unsigned i = 0; i < share; i++) {
    const float* other = shared + 2 * (leader + i);
    sum = multiply_add(other[1], exp(other[0] - shift), sum);
  }
  const float kept_part = exp(state.most - shift);
  state.sum = sum;
#pragma unroll
  for (unsigned from = 0; from < PART_LANES; from += AT_ONCE) {
#pragma unroll
    for (unsigned j = 0; j < AT_ONCE; j++) {
      parts[(warp * AT_ONCE + j) * 32 + lane] = state.columns[from + j] * kept_part;
    }
    __syncthreads();
    if (warp == leader) {
#pragma unroll
      for (unsigned j = 0; j < AT_ONCE; j++) {
        float column = 0.0f;
        for (unsigned i = 0; i < share; i++) {
          column = column + parts[((leader + i) * AT_ONCE + j) * 32 + lane];
        }
        state.columns[from + j] = column;
      }
    }
    __syncthreads();  // before the parts are written again
  }
}

// Warps that share a query, where so many queries are left.
GPUOS_INLINE unsigned warps_of_query(unsigned rows) {
  return rows > 4 ? 1 : rows > 2 ? 2 : rows > 1 ? 4 : 8;
}

// A unit: `first` is its first query's number within its batch.
template <class Body, int FACTORS>
GPUOS_INLINE void attend(const Block<Body, FACTORS>& block, unsigned long long first,
                         float* shared) {
  static_assert((2 * BLOCK_WARPS + BLOCK_WARPS * PART_LANES / 2 * 32) * sizeof(float) <=
                    GPUOS_SCRATCH_BYTES - SPACE_BYTES,
                "scratch");
  const gpuos_space* space = block.space;
  const unsigned kept = block.kept;
  const unsigned share = warps_of_query(block.rows);
  const unsigned warp = threadIdx.x / 32;
  const unsigned row = warp / share;
  const bool active = row < block.rows;
  const unsigned long long all = (unsigned long long)space->size[kept];
  const unsigned long long columns = (unsigned long long)space->size[kept - 1];
  Query<Body> query{space, kept, 0, 0, 0, 0, all, block.depth};
  query.query = block.site.at[0] + row * block.template row_step<0>();
  query.key = block.site.at[1];
  query.mask = Body::masked ? block.site.at[3] + row * block.template row_step<3>() : 0;
  if (Body::causal) {
    query.keys = first + row < all ? first + row + 1 : all;
  }
#pragma unroll 1
  for (unsigned long long from = 0; from < columns; from += PART_COLUMNS) {
    const unsigned width =
        (unsigned)minimum((long long)(columns - from), (long long)PART_COLUMNS);
    query.value = block.site.at[2] + from * query.template step<2>(kept - 1);
    Softmax state{float_of(0xff800000u), 0.0f, {}};
    if (active) {
#pragma unroll 1
      for (unsigned long long key = warp % share * KEYS; key < query.keys; key += share * KEYS) {
        query.add(state, key, query.score(key), width);
      }
    }
    if (share > 1) {  // the same for all threads
      gather_warps(state, share, shared);
    }
    if (active && warp % share == 0) {
#pragma unroll
      for (unsigned j = 0; j < PART_LANES; j++) {
        const unsigned column = threadIdx.x % 32 + 32 * j;
        if (column < width) {
          const float x = all == 0 ? 0.0f : div(state.columns[j], state.sum);
          block.finish(row, (unsigned)from + column, x);
        }
      }
    }
  }
}

}  // namespace gpuos
