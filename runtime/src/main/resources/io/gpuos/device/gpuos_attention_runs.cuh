// Attention in runs: where depth and columns lie side by side, and a warp holds a key and a value.
//
// A team of lanes takes a key at a time, with one instruction for the key and one for its value, and
// has four of both on their way. It keeps a softmax of its own, so teams meet only at the end: those
// of a warp by shuffles, and warps that share a query in scratch memory. See gpuos_attention.cuh.
#pragma once

#include "gpuos_query.cuh"

namespace gpuos {

constexpr int KEYS_AHEAD = 4;
constexpr unsigned RUN_COLUMNS = 128;  // at most, by scratch memory
constexpr unsigned MANY_KEYS = 1u << 30;  // at most, so that they are numbered in 32 bits

// Elements of a run.
template <class Tag> GPUOS_CONSTEXPR int attention_run() { return 16 / Tag::bytes; }

// Whether queries, keys and values are whole runs, aligned, and short enough.
template <class Body>
GPUOS_INLINE bool in_attention_runs(const Words<typename Body::operands>& words,
                                    const gpuos_space* space) {
  using Tag = typename Query<Body>::Tag;
  constexpr unsigned V = attention_run<Tag>();
  const unsigned kept = space->rank - 2;
  const unsigned long long depth = space->size[kept + 1], columns = space->size[kept - 1];
  if (depth > 32 * V || columns > RUN_COLUMNS || ((depth | columns) & (V - 1)) != 0 ||
      (unsigned long long)space->size[kept] > MANY_KEYS) {
    return false;
  }
  address odd = (words.of[0] | words.of[1] | words.of[2]) & (V * Tag::bytes - 1);
#pragma unroll 1
  for (unsigned dim = 0; dim <= kept; dim++) {  // in all dimensions but those of the runs
    odd |= (address)(space->stride[0][dim] | space->stride[1][dim]) & (V - 1);
    odd |= dim == kept - 1 ? 0 : (address)space->stride[2][dim] & (V - 1);
  }
  return odd == 0 && (depth <= V || (space->stride[0][kept + 1] == 1 && space->stride[1][kept + 1] == 1)) &&
         space->stride[2][kept - 1] == 1;
}

// What a team knows of its query; `columns` are those of the lane's run.
template <int V> struct TeamSoftmax {
  float most;
  float sum;
  float columns[V];

  // Takes in what another team has, scaled to the larger of both maxima.
  __device__ __forceinline__ void merge(float other_most, float other_sum, const float* other) {
    const float all = larger(most, other_most);
    const float shift = finite_shift(all);
    const float mine = exp(most - shift), theirs = exp(other_most - shift);
    most = all;
    sum = multiply_add(sum, mine, other_sum * theirs);
#pragma unroll
    for (int v = 0; v < V; v++) {
      columns[v] = multiply_add(columns[v], mine, other[v] * theirs);
    }
  }
};

// Takes in the keys of one team, `stride` apart from the first on.
template <class Body, int V>
GPUOS_INLINE void attend_team(TeamSoftmax<V>& state, const Query<Body>& query,
                              unsigned first, unsigned stride, unsigned lanes,
                              bool has_depth, bool has_columns) {
  using Tag = typename Query<Body>::Tag;
  const unsigned member = threadIdx.x & (lanes - 1);
  const unsigned kept = query.kept;
  Lanes<Tag, V> q;
  q.clear();
  if (has_depth) {
    Memory<16>::load(query.query + member * 16, q.w);
  }
  const address key_step = query.template step<1>(kept) * stride;
  const address value_step = query.template step<2>(kept) * stride;
  address key_at = query.key + first * query.template step<1>(kept) + member * 16;
  address value_at = query.value + first * query.template step<2>(kept) + member * 16;
  // All lanes of a warp take as many turns, for the shuffles.
  const unsigned keys = (unsigned)query.keys;
#pragma unroll 1
  for (unsigned from = first; from - threadIdx.x % 32 / lanes < keys; from += KEYS_AHEAD * stride) {
    Lanes<Tag, V> k[KEYS_AHEAD], values[KEYS_AHEAD];
    float scores[KEYS_AHEAD];
#pragma unroll
    for (int i = 0; i < KEYS_AHEAD; i++) {
      const bool there = from + i * stride < keys;
      k[i].clear();
      values[i].clear();
      if (there && has_depth) {
        Memory<16>::load(key_at, k[i].w);
      }
      if (there && has_columns) {
        Memory<16>::load(value_at, values[i].w);
      }
      key_at += key_step;
      value_at += value_step;
    }
#pragma unroll
    for (int i = 0; i < KEYS_AHEAD; i++) {
      scores[i] = 0.0f;
#pragma unroll
      for (int v = 0; v < V; v++) {
        scores[i] = multiply_add(Tag::decode(q.bits(v)), Tag::decode(k[i].bits(v)), scores[i]);
      }
    }
#pragma unroll
    for (int mask = 1; mask < 32; mask *= 2) {
      if (mask < lanes) {
#pragma unroll
        for (int i = 0; i < KEYS_AHEAD; i++) {
          scores[i] = scores[i] + __shfl_xor_sync(0xffffffffu, scores[i], mask);
        }
      }
    }
    float most = state.most;
#pragma unroll
    for (int i = 0; i < KEYS_AHEAD; i++) {
      const unsigned key = from + i * stride;
      scores[i] = key < keys ? query.masked(scores[i] * Body::scale(), key)
                                   : float_of(0xff800000u);
      // A NaN is not the largest: it reaches the sum by its weight.
      most = larger(most, is_nan(scores[i]) ? float_of(0xff800000u) : scores[i]);
    }
    const float shift = finite_shift(most);
    const float kept_part = exp(state.most - shift);
    state.most = most;
    state.sum = state.sum * kept_part;
#pragma unroll
    for (int v = 0; v < V; v++) {
      state.columns[v] = state.columns[v] * kept_part;
    }
#pragma unroll
    for (int i = 0; i < KEYS_AHEAD; i++) {
      const float weight = exp(scores[i] - shift);
      state.sum = state.sum + weight;
#pragma unroll
      for (int v = 0; v < V; v++) {
        state.columns[v] = multiply_add(weight, Tag::decode(values[i].bits(v)), state.columns[v]);
      }
    }
  }
}

// A unit: `first` is its first query's number within its batch.
template <class Body, int FACTORS>
GPUOS_INLINE void attend_in_runs(const Block<Body, FACTORS>& block, unsigned long long first,
                                 float* shared) {
  using Tag = typename Query<Body>::Tag;
  constexpr int V = attention_run<Tag>();
  constexpr unsigned PART = RUN_COLUMNS + 2;  // the maximum, the sum, the columns
  static_assert(BLOCK_WARPS * PART * sizeof(float) <= GPUOS_SCRATCH_BYTES - SPACE_BYTES, "scratch");
  const gpuos_space* space = block.space;
  const unsigned kept = block.kept;
  const unsigned share = warps_of_query(block.rows);
  const unsigned warp = threadIdx.x / 32;
  const unsigned lane = threadIdx.x % 32;
  const unsigned row = warp / share;
  const unsigned long long all = (unsigned long long)space->size[kept];
  const unsigned columns = block.columns;
  const unsigned depth = (unsigned)block.depth;
  const unsigned lanes = power_at_least((depth > columns ? depth : columns) / V, 1, 32);
  const unsigned member = lane & (lanes - 1);
  if (row < block.rows) {
    Query<Body> query{space, kept, 0, 0, 0, 0, all, block.depth};
    query.query = block.site.at[0] + row * block.template row_step<0>();
    query.key = block.site.at[1];
    query.value = block.site.at[2];
    query.mask = Body::masked ? block.site.at[3] + row * block.template row_step<3>() : 0;
    if (Body::causal) {
      query.keys = first + row < all ? first + row + 1 : all;
    }
    TeamSoftmax<V> state{float_of(0xff800000u), 0.0f, {}};
    const unsigned teams = 32 / lanes;  // of a warp
    attend_team<Body, V>(state, query, warp % share * teams + lane / lanes, share * teams, lanes,
                         member * V < depth, member * V < columns);
#pragma unroll 1
    for (unsigned mask = lanes; mask < 32; mask *= 2) {
      float other[V];
      const float most = __shfl_xor_sync(0xffffffffu, state.most, (int)mask);
      const float sum = __shfl_xor_sync(0xffffffffu, state.sum, (int)mask);
#pragma unroll
      for (int v = 0; v < V; v++) {
        other[v] = __shfl_xor_sync(0xffffffffu, state.columns[v], (int)mask);
      }
      state.merge(most, sum, other);
    }
    float* part = shared + warp * PART;
    if (lane == 0) {
      part[0] = state.most;
      part[1] = state.sum;
    }
    if (lane < lanes && member * V < columns) {
#pragma unroll
      for (int v = 0; v < V; v++) {
        part[2 + member * V + v] = state.columns[v];
      }
    }
  }
  __syncthreads();
  if (row < block.rows) {
    const float* parts = shared + row * share * PART;  // of the warps of this query
    float most = parts[0];
#pragma unroll 1
    for (unsigned i = 1; i < share; i++) {
      most = larger(most, parts[i * PART]);
    }
    const float shift = finite_shift(most);
#pragma unroll 1
    for (unsigned column = warp % share * 32 + lane; column < columns; column += share * 32) {
      float sum = 0.0f, value = 0.0f;
#pragma unroll 1
      for (unsigned i = 0; i < share; i++) {
        const float part = exp(parts[i * PART] - shift);
        sum = multiply_add(parts[i * PART + 1], part, sum);
        value = multiply_add(parts[i * PART + 2 + column], part, value);
      }
      block.finish(row, column, all == 0 ? 0.0f : div(value, sum));
    }
  }
  __syncthreads();  // before the parts are written again
}

}  // namespace gpuos
