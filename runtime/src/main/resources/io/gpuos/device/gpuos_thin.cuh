// Blocks of a matrix product with few rows or columns: `thin` has up to THIN lines, `wide` any number.
// See gpuos_matmul.cuh.
#pragma once

#include "gpuos_block.cuh"

namespace gpuos {

// The factors of such a block, and the place where their lines cross.
template <class Body> struct ThinBlock {
  using Tag = typename Block<Body>::Tag;
  using Sum = typename Sums<Tag>::type;
  const Block<Body>& block;
  Lines<Tag> thin;
  Lines<Tag> wide;
  bool thin_rows;          // whether the thin factor has the rows
  unsigned long long all;  // lines of the wide factor in the whole grid
  bool runs;               // whether all lines of the grid have runs, see has_runs()

  // For the result of line x of the thin factor and line y of the wide one.
  __device__ __forceinline__ void ask(Group<Body, 1>& group, unsigned x, unsigned y) const {
    block.ask(group, thin_rows ? x : y, thin_rows ? y : x);
  }
  __device__ __forceinline__ void finish(Group<Body, 1>& group, unsigned x, unsigned y,
                                         Sum sum) const {
    block.finish(group, thin_rows ? x : y, thin_rows ? y : x, sum);
  }
};

// Adds up N values, a power of 2, over teams of neighbouring lanes, `members` of them, at least N:
// lane i has the sum of value reversed<N>(i). Halving the values from step to step takes fewer
// shuffles than a sum of each.
template <int N, int MASK = 1, class Sum>
GPUOS_INLINE Sum add_lanes(Sum* values, unsigned members = 32) {
  if constexpr (N == 1) {
    Sum sum = values[0];
#pragma unroll
    for (int mask = MASK; mask < 32; mask *= 2) {
      if (mask < members) {
        sum = sum + __shfl_xor_sync(0xffffffffu, sum, mask);
      }
    }
    return sum;
  } else {
    const bool upper = (threadIdx.x & MASK) != 0;
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
      const Sum kept = upper ? values[i + N / 2] : values[i];
      const Sum given = upper ? values[i] : values[i + N / 2];
      values[i] = kept + __shfl_xor_sync(0xffffffffu, given, MASK);
    }
    return add_lanes<N / 2, MASK * 2>(values, members);
  }
}

// The last bits of a lane's number, as many as N has values, in reverse.
template <int N> GPUOS_INLINE unsigned reversed(unsigned lane) {
  if constexpr (N == 1) {
    return 0;
  } else {
    return (lane & 1) * (N / 2) + reversed<N / 2>(lane >> 1);
  }
}

// V elements that lie side by side. ALIGNED: one instruction loads them.
template <int V, bool ALIGNED, class Tag>
GPUOS_INLINE void load_run(Lanes<Tag, V>& lanes, address at) {
  if constexpr (ALIGNED || V == 1) {
    Memory<Tag::bytes * V>::load(at, lanes.w);
  } else {
    lanes.clear();
#pragma unroll
    for (int v = 0; v < V; v++) {
      Lanes<Tag, 1> one;
      Memory<Tag::bytes>::load(at + v * Tag::bytes, one.w);
      lanes.put(v, one.bits(0));
    }
  }
}

// Lines y to y + WIDE - 1 of the wide factor times up to THINS lines of the thin one, by one team.
template <int WIDE, int THINS, class Tag> struct Dots {
  using Sum = typename Sums<Tag>::type;
  const Lines<Tag>& thin;
  const Lines<Tag>& wide;
  unsigned y;
  Sum sums[WIDE * THINS];  // line y + i of wide times line x of thin at i * THINS + x

  // Adds the products of U runs of V elements of each line, from element k on and `step` elements
  // apart, as far as they begin before `end`. All loads are under way before the first is waited for.
  template <int V, int U, bool ALIGNED>
  __device__ __forceinline__ void add(unsigned long long k, unsigned step, unsigned long long end) {
    Lanes<Tag, V> a[U][THINS], b[U][WIDE];
#pragma unroll
    for (int u = 0; u < U; u++) {
      const bool there = u == 0 || k + u * step < end;
      address at = wide.at + y * wide.line + (k + u * step) * wide.inner;
#pragma unroll
      for (unsigned i = 0; i < WIDE; i++) {
        if (there && y + i < wide.count) {
          load_run<V, ALIGNED>(b[u][i], at);
        } else {
          b[u][i].clear();
        }
        at += wide.line;
      }
      at = thin.at + (k + u * step) * thin.inner;
#pragma unroll
      for (unsigned x = 0; x < THINS; x++) {
        if (there && x < thin.count) {
          load_run<V, ALIGNED>(a[u][x], at);
        } else {
          a[u][x].clear();
        }
        at += thin.line;
      }
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
      if (u == 0 || k + u * step < end) {  // products of zeros would make -0 of no elements a 0
#pragma unroll
        for (unsigned x = 0; x < THINS; x++) {
#pragma unroll
          for (int v = 0; v < V; v++) {
#pragma unroll
            for (unsigned i = 0; i < WIDE; i++) {
              Sum& sum = sums[i * THINS + x];
              sum = multiply_add((Sum)Tag::decode(a[u][x].bits(v)), (Sum)Tag::decode(b[u][i].bits(v)),
                                 sum);
            }
          }
        }
      }
    }
  }
};

template <class Tag> GPUOS_CONSTEXPR int run_length() { return Tag::bytes == 1 ? 8 : 16 / Tag::bytes; }

// Whether all runs of a factor's lines lie side by side, and as far from a multiple of their size
// as the factor does.
template <class Tag> GPUOS_INLINE bool has_runs(const Lines<Tag>& lines) {
  constexpr int BYTES = run_length<Tag>() * Tag::bytes;
  return lines.inner == Tag::bytes && (lines.count == 1 || lines.line % BYTES == 0);
}

GPUOS_INLINE unsigned power_at_least(unsigned long long x, unsigned least, unsigned most) {
  unsigned power = least;
#pragma unroll 1
  while (power < x && power < most) {
    power *= 2;
  }
  return power;
}

// A lane takes runs of elements where the strides allow, and whatever is left one by one. A team has
// as many lanes as a line has runs, up to a warp, so that short lines are all under way at once.
template <int WIDE, int THINS, class Body>
GPUOS_INLINE void dots(const ThinBlock<Body>& block) {
  using Tag = typename Block<Body>::Tag;
  constexpr int V = run_length<Tag>();
  constexpr int N = WIDE * THINS;
  const Lines<Tag>& thin = block.thin;
  const Lines<Tag>& wide = block.wide;
  const unsigned long long depth = block.block.depth;
  const bool runs = block.runs;
  const bool aligned = ((thin.at | wide.at) & (V * Tag::bytes - 1)) == 0;
  const unsigned long long whole = runs ? depth / V * V : 0;
  const unsigned members = power_at_least(runs ? depth / V : depth, N, 32);
  const unsigned member = threadIdx.x & (members - 1);
  const unsigned result = reversed<N>(member);
  const unsigned x = result % THINS;
#pragma unroll 1
  for (unsigned first = 0; first < wide.count; first += BLOCK_WARPS * 32 / members * WIDE) {
    Dots<WIDE, THINS, Tag> dots{thin, wide, first + threadIdx.x / members * WIDE, {}};
    const unsigned y = dots.y + result / THINS;
    const bool finishes = member < N && x < thin.count && y < wide.count;
    Group<Body, 1> group;
    if (finishes) {
      block.ask(group, x, y);
    }
    if (dots.y < wide.count) {
      if (aligned) {
#pragma unroll 1
        for (unsigned long long k = member * V; k < whole; k += members * V) {
          dots.template add<V, 1, true>(k, members * V, whole);
        }
      } else {
#pragma unroll 1
        for (unsigned long long k = member * V; k < whole; k += members * V) {
          dots.template add<V, 1, false>(k, members * V, whole);
        }
      }
      constexpr int U = THINS == 1 ? 4 : 2;  // single elements under way for each line
#pragma unroll 1
      for (unsigned long long k = whole + member; k < depth; k += U * members) {
        dots.template add<1, U, true>(k, members, depth);
      }
    }
    const typename Block<Body>::Sum sum = add_lanes<N>(dots.sums, members);
    if (finishes) {
      block.finish(group, x, y, sum);
    }
  }
}

// Lines of the wide factor that a lane of sums() takes where they lie side by side: as many as one
// instruction loads and whose sums fill 16 bytes.
template <class Tag> GPUOS_CONSTEXPR int lines_side_by_side() {
  return 16 / (int)sizeof(typename Sums<Tag>::type);
}

template <int V, int THINS, class Body>
GPUOS_INLINE void sums(const ThinBlock<Body>& block, char* scratch) {
  using Tag = typename Block<Body>::Tag;
  using Sum = typename Block<Body>::Sum;
  constexpr int U = V == 1 || THINS == 1 ? 4 : 2;  // elements under way for each line, by registers
  const Lines<Tag>& thin = block.thin;
  const Lines<Tag>& wide = block.wide;
  const unsigned long long depth = block.block.depth;
  const unsigned lanes = power_at_least((block.all + V - 1) / V, 1, 32);
  const unsigned span = lanes * V;  // lines at a time
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  const unsigned sharers = BLOCK_WARPS * 32 / lanes;  // of the depth
  Sum* shared = (Sum*)scratch;                        // [warp][line]
#pragma unroll 1
  for (unsigned first = 0; first < wide.count; first += span) {
    const unsigned y = first + lane % lanes * V;
    const unsigned mine = first + threadIdx.x;  // whose results this thread finishes
    const bool finishes = threadIdx.x < span && mine < wide.count;
    Group<Body, 1> group;
    if (finishes) {
      block.ask(group, 0, mine);
    }
    Sum parts[THINS][V] = {};
    if (y < wide.count) {
      unsigned long long k = threadIdx.x / lanes;
      address wide_at = wide.at + y * wide.line + k * wide.inner;
      address thin_at = thin.at + k * thin.inner;
#pragma unroll 1
      for (; k < depth; k += U * sharers) {
        Lanes<Tag, V> b[U];
        Lanes<Tag, 1> a[U][THINS];
#pragma unroll
        for (int u = 0; u < U; u++) {
          if (k + u * sharers < depth) {
            Memory<Tag::bytes * V>::load(wide_at, b[u].w);
            address at = thin_at;
#pragma unroll
            for (unsigned x = 0; x < THINS; x++) {
              if (x < thin.count) {
                Memory<Tag::bytes>::load(at, a[u][x].w);
              }
              at += thin.line;
            }
          }
          wide_at += sharers * wide.inner;
          thin_at += sharers * thin.inner;
        }
#pragma unroll
        for (int u = 0; u < U; u++) {
          if (k + u * sharers < depth) {
#pragma unroll
            for (unsigned x = 0; x < THINS; x++) {
              if (x < thin.count) {
#pragma unroll
                for (int v = 0; v < V; v++) {
                  parts[x][v] = multiply_add((Sum)Tag::decode(a[u][x].bits(0)),
                                             (Sum)Tag::decode(b[u].bits(v)), parts[x][v]);
                }
              }
            }
          }
        }
      }
    }
#pragma unroll
    for (unsigned x = 0; x < THINS; x++) {
      if (x < thin.count) {  // the same for all threads
#pragma unroll
        for (int v = 0; v < V; v++) {
#pragma unroll 1
          for (unsigned mask = lanes; mask < 32; mask *= 2) {
            parts[x][v] = parts[x][v] + __shfl_xor_sync(0xffffffffu, parts[x][v], mask);
          }
          if (lane < lanes) {
            shared[warp * span + lane * V + v] = parts[x][v];
          }
        }
        __syncthreads();
        if (finishes) {
          if (x > 0) {
            block.ask(group, x, mine);
          }
          Sum sum = shared[threadIdx.x];
#pragma unroll
          for (unsigned other = 1; other < BLOCK_WARPS; other++) {
            sum = sum + shared[other * span + threadIdx.x];
          }
          block.finish(group, x, mine, sum);
        }
        __syncthreads();  // before they are written again
      }
    }
  }
}

}  // namespace gpuos
