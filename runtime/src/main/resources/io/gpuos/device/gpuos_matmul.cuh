// Matrix products: a grid of blocks of 32 x 32 results, a task computing a run of them.
//
// A body is a struct with
//
//   operands   a gpuos::Operands list in the order of the task record: the factors, inputs of what
//              is computed of the product, last the Output
//   apply(e)   static; reads an element of the product with get<0>(e), inputs with get<K>(e), and
//              writes the result with set<K>(e, x)
//
// The space has one reduced dimension, the *depth*; the last two kept ones are the rows and columns
// of a grid, the others number the grids. A factor that stands still along the columns gives each
// row a *line*, one that stands still along the rows each column. A block is computed in one of
// four ways, chosen by the sizes and strides of the space alone, so that a result is the same on
// every run and however the blocks are shared out:
//
//   tiles      panels of both factors go through scratch memory; a thread has 4 results
//   dots       up to 4 rows or columns: a team of lanes takes lines whose elements lie side by side,
//              four of them for a single row, shares the depth, and adds up by shuffles
//   sums       up to 4 rows or columns: a lane takes neighbouring lines that lie side by side, all
//              warps share the depth, and shuffles and scratch memory add up
//   cells      rows or columns that both factors have, such as batches: a thread a result
//
// With few rows or columns, neighbouring blocks of a task are computed as one. What is computed of
// the product needs inputs of its own: they are asked for before the sums begin.
//
// A block has 256 threads. Floating sums are fused multiply-adds, of halves in float.
#pragma once

#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"

namespace gpuos {

constexpr unsigned BLOCK_LINES = 32;  // rows and columns of a block
constexpr unsigned BLOCK_WARPS = 8;
constexpr int THIN = 4;               // lines of the shorter side that need no tiles

// What products of elements are summed in. Integers wrap, which signed ones would not in C++.
template <class Tag> struct Sums {
  using type = unsigned;
  GPUOS_INLINE typename Tag::value finish(unsigned sum) { return Tag::decode(Tag::encode((int)sum)); }
};
template <> struct Sums<I64> {
  using type = unsigned long long;
  GPUOS_INLINE long long finish(type sum) { return (long long)sum; }
};
template <> struct Sums<F64> {
  using type = double;
  GPUOS_INLINE double finish(double sum) { return sum; }
};
template <> struct Sums<F32> {
  using type = float;
  GPUOS_INLINE float finish(float sum) { return sum; }
};
template <> struct Sums<F16> : Sums<F32> {};
template <> struct Sums<BF16> : Sums<F32> {};

GPUOS_INLINE float multiply_add(float a, float b, float sum) { return ::fmaf(a, b, sum); }
GPUOS_INLINE double multiply_add(double a, double b, double sum) { return ::fma(a, b, sum); }
GPUOS_INLINE unsigned multiply_add(unsigned a, unsigned b, unsigned sum) { return a * b + sum; }
GPUOS_INLINE unsigned long long multiply_add(unsigned long long a, unsigned long long b,
                                             unsigned long long sum) {
  return a * b + sum;
}

// The element of a body that computes a result of one element of the product.
template <class Body> struct Cell {
  Group<Body, 1>& group;
  typename Body::operands::template kind<0>::tag::value product;
};

template <int K, class Body> __device__ __forceinline__ auto get(const Cell<Body>& cell) {
  if constexpr (K == 0) {
    return cell.product;
  } else {
    return slot_of<K>(cell.group.slots).get(0);
  }
}

template <int K, class Body, class T>
__device__ __forceinline__ void set(const Cell<Body>& cell, T x) {
  slot_of<K>(cell.group.slots).set(0, x);
}

// One factor within a block: where its lines start, and the bytes from one line, and from one
// element of a line, to the next.
template <class Tag> struct Lines {
  using Sum = typename Sums<Tag>::type;
  address at;
  address line;
  address inner;
  unsigned count;

  __device__ __forceinline__ Sum read(unsigned index, unsigned long long k) const {
    Lanes<Tag, 1> lanes;
    Memory<Tag::bytes>::load(at + index * line + k * inner, lanes.w);
    return (Sum)Tag::decode(lanes.bits(0));
  }
  // Whether elements of a line lie closer together than lines.
  __device__ __forceinline__ bool side_by_side() const {
    return abs((long long)inner) <= abs((long long)line);
  }
};

// A block under way. The first FACTORS operands are read as a whole, not at the result's place.
template <class Body, int FACTORS = 2> struct Block {
  using Kinds = typename Body::operands;
  using Tag = typename Kinds::template kind<0>::tag;
  using Sum = typename Sums<Tag>::type;
  static constexpr int OUT = Kinds::COUNT - 1;

  const gpuos_space* space;
  Scattered<Kinds> site;  // of the first row and column
  unsigned kept;
  unsigned rows;
  unsigned columns;
  unsigned long long depth;

  template <int K> __device__ __forceinline__ address row_step() const {
    return rows > 1 ? (address)space->stride[K][kept - 2] * Kinds::template kind<K>::tag::bytes : 0;
  }
  template <int K> __device__ __forceinline__ address column_step() const {
    return columns > 1 ? (address)space->stride[K][kept - 1] * Kinds::template kind<K>::tag::bytes
                       : 0;
  }
  template <int K> __device__ __forceinline__ Lines<Tag> by_row() const {
    return {site.at[K], row_step<K>(), inner<K>(), rows};
  }
  template <int K> __device__ __forceinline__ Lines<Tag> by_column() const {
    return {site.at[K], column_step<K>(), inner<K>(), columns};
  }
  template <int K> __device__ __forceinline__ address inner() const {
    return (address)space->stride[K][kept] * Tag::bytes;
  }

  // Loads what the result at a row and column needs beside the product.
  __device__ __forceinline__ void ask(Group<Body, 1>& group, unsigned row, unsigned column) const {
    group.slots.template each<0>([&](auto kind, auto index, auto& slot) {
      constexpr int K = decltype(index)::value;
      using Kind = decltype(kind);
      if constexpr (Kind::input) {
        if constexpr (K >= FACTORS) {
          Memory<Kind::tag::bytes>::load(place<K>(row, column), slot.lanes.w);
        } else {
          slot.lanes.clear();
        }
      } else if constexpr (Kind::output) {
        slot.lanes.clear();
      } else {
        slot.value = ScalarWord<typename Kind::tag>::decode(site.words->of[K]);
      }
    });
  }

  // Computes and writes the result at a row and column from the sum of products there, and what was
  // asked for.
  __device__ __forceinline__ void finish(Group<Body, 1>& group, unsigned row, unsigned column,
                                         Sum sum) const {
    Body::apply(Cell<Body>{group, Sums<Tag>::finish(sum)});
    auto& result = slot_of<OUT>(group.slots);
    Memory<Kinds::template kind<OUT>::tag::bytes>::store(place<OUT>(row, column), result.lanes.w);
  }

  // Both at once.
  __device__ __forceinline__ void finish(unsigned row, unsigned column, Sum sum) const {
    Group<Body, 1> group;
    ask(group, row, column);
    finish(group, row, column, sum);
  }

 private:
  template <int K> __device__ __forceinline__ address place(unsigned row, unsigned column) const {
    return site.at[K] + row * row_step<K>() + column * column_step<K>();
  }
};

// ---- Tiles.

// Elements of a line in a panel: both panels fit the scratch memory beside the space.
template <class Sum> GPUOS_CONSTEXPR unsigned panel_depth() { return 96 / sizeof(Sum); }
template <class Sum> GPUOS_CONSTEXPR unsigned shares() {
  return (panel_depth<Sum>() * BLOCK_LINES + 255) / 256;
}
constexpr unsigned PADDED = BLOCK_LINES + 4;  // keeps groups of 4 together, and banks apart

// Panels that are on their way at a time, by registers.
template <class Sum> GPUOS_CONSTEXPR int panels_ahead() { return 2; }

// Panel of a factor in scratch, panel[k][line]. A thread carries its share of the next ones in
// registers meanwhile.
template <class Tag> struct Panel {
  using Sum = typename Sums<Tag>::type;
  static constexpr unsigned SHARES = shares<Sum>();
  Sum* panel;
  bool along;             // neighbouring threads take neighbouring elements of a line
  address at[SHARES];     // of this thread's elements in the panel to fetch next
  address next;           // bytes from a panel to the next
  unsigned there;         // bit i: element i has a line
  Sum share[panels_ahead<Sum>()][SHARES];

  __device__ __forceinline__ Panel(Sum* scratch, const Lines<Tag>& lines)
      : panel(scratch), along(lines.side_by_side()), next(panel_depth<Sum>() * lines.inner), there(0) {
#pragma unroll
    for (unsigned i = 0; i < SHARES; i++) {
      const unsigned index = threadIdx.x + i * 256;
      at[i] = lines.at + line_of(index) * lines.line + step_of(index) * lines.inner;
      there |= line_of(index) < lines.count ? 1u << i : 0;
    }
  }

  // `left`: elements of a line from this panel on.
  __device__ __forceinline__ void fetch(int slot, unsigned long long left) {
#pragma unroll
    for (unsigned i = 0; i < SHARES; i++) {
      const bool inside = (there >> i & 1) != 0 && step_of(threadIdx.x + i * 256) < left;
      Lanes<Tag, 1> lanes;
      lanes.clear();
      if (inside) {
        Memory<Tag::bytes>::load(at[i], lanes.w);
      }
      share[slot][i] = inside ? (Sum)Tag::decode(lanes.bits(0)) : Sum(0);
      at[i] += next;
    }
  }
  __device__ __forceinline__ void put(int slot) const {
#pragma unroll
    for (unsigned i = 0; i < SHARES; i++) {
      const unsigned index = threadIdx.x + i * 256;
      if (index < panel_depth<Sum>() * BLOCK_LINES) {
        panel[step_of(index) * PADDED + line_of(index)] = share[slot][i];
      }
    }
  }

 private:
  __device__ __forceinline__ unsigned line_of(unsigned index) const {
    return along ? index / panel_depth<Sum>() : index % BLOCK_LINES;
  }
  __device__ __forceinline__ unsigned step_of(unsigned index) const {
    return along ? index % panel_depth<Sum>() : index / BLOCK_LINES;
  }
};

template <class Sum> struct alignas(16) Four {
  Sum of[4];
};

// A warp has 4 rows, a lane one column.
template <class Body>
GPUOS_INLINE void tiles(const Block<Body>& block, const Lines<typename Block<Body>::Tag>& by_row,
                        const Lines<typename Block<Body>::Tag>& by_column, char* scratch) {
  using Tag = typename Block<Body>::Tag;
  using Sum = typename Sums<Tag>::type;
  constexpr unsigned DEPTH = panel_depth<Sum>();
  constexpr int AHEAD = panels_ahead<Sum>();
  static_assert(2 * DEPTH * PADDED * sizeof(Sum) <= GPUOS_SCRATCH_BYTES - SPACE_BYTES, "scratch");
  Sum* panels = (Sum*)scratch;
  Panel<Tag> left(panels, by_row);
  Panel<Tag> right(panels + DEPTH * PADDED, by_column);
  const unsigned row = threadIdx.x / 32 * 4;
  const unsigned column = threadIdx.x % 32;
  const unsigned long long depth = block.depth;
  Sum sums[4] = {};
#pragma unroll
  for (int slot = 0; slot < AHEAD; slot++) {
    if (slot * DEPTH < depth) {
      left.fetch(slot, depth - slot * DEPTH);
      right.fetch(slot, depth - slot * DEPTH);
    }
  }
#pragma unroll 1
  for (unsigned long long from = 0; from < depth; from += AHEAD * DEPTH) {
#pragma unroll
    for (int slot = 0; slot < AHEAD; slot++) {
      const unsigned long long k = from + slot * DEPTH;
      if (k < depth) {
        left.put(slot);
        right.put(slot);
        __syncthreads();
        if (k + AHEAD * DEPTH < depth) {  // on their way during these and the next
          left.fetch(slot, depth - k - AHEAD * DEPTH);
          right.fetch(slot, depth - k - AHEAD * DEPTH);
        }
        if (row < block.rows) {
#pragma unroll 4
          for (unsigned step = 0; step < DEPTH; step++) {
            const Four<Sum> a = *(const Four<Sum>*)(left.panel + step * PADDED + row);
            const Sum b = right.panel[step * PADDED + column];
#pragma unroll
            for (int i = 0; i < 4; i++) {
              sums[i] = multiply_add(a.of[i], b, sums[i]);
            }
          }
        }
        __syncthreads();  // before the panels are written again
      }
    }
  }
  Group<Body, 1> groups[4];
#pragma unroll
  for (unsigned i = 0; i < 4; i++) {
    if (row + i < block.rows && column < block.columns) {
      block.ask(groups[i], row + i, column);
    }
  }
#pragma unroll
  for (unsigned i = 0; i < 4; i++) {
    if (row + i < block.rows && column < block.columns) {
      block.finish(groups[i], row + i, column, sums[i]);
    }
  }
}

// ---- Few rows or columns: `thin` has up to THIN lines, `wide` any number.

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

// ---- Rows or columns that both factors have.

template <class Body> GPUOS_INLINE void cells(const Block<Body>& block) {
  using Tag = typename Block<Body>::Tag;
#pragma unroll 1
  for (unsigned cell = threadIdx.x; cell < block.rows * block.columns; cell += blockDim.x) {
    const unsigned row = cell / block.columns;
    const unsigned column = cell % block.columns;
    Lines<Tag> a = block.template by_row<0>();
    Lines<Tag> b = block.template by_row<1>();
    a.at += column * block.template column_step<0>();
    b.at += column * block.template column_step<1>();
    typename Block<Body>::Sum sum = 0;
#pragma unroll 1
    for (unsigned long long k = 0; k < block.depth; k++) {
      sum = multiply_add(a.read(row, k), b.read(row, k), sum);
    }
    block.finish(row, column, sum);
  }
}

// ---- The operator.

GPUOS_INLINE unsigned smaller(unsigned long long a, unsigned long long b) {
  return (unsigned)(a < b ? a : b);
}

// What holds for all blocks of a space.
template <class Body> struct Grid {
  using Kinds = typename Body::operands;
  using Tag = typename Block<Body>::Tag;
  const gpuos_space* space;
  unsigned kept;
  unsigned long long rows;
  unsigned long long columns;
  bool straight;  // whether operand 0 has the rows and operand 1 the columns, which ...
  bool crossed;   // ... may be the other way round, or neither
  Lines<Tag> by_row;  // of the first block, with the number of all lines as far as it matters
  Lines<Tag> by_column;

  __device__ __forceinline__ Grid(const gpuos_space* staged, const Words<Kinds>& words)
      : space(staged), kept(staged->rank - staged->reduced) {
    rows = kept < 2 ? 1 : space->size[kept - 2];
    columns = kept < 1 ? 1 : space->size[kept - 1];
    Block<Body> all{space, {&words, 0, {}}, kept, smaller(rows, 2), smaller(columns, 2), 0};
    all.site.at[0] = words.of[0];
    all.site.at[1] = words.of[1];
    straight = all.template column_step<0>() == 0 && all.template row_step<1>() == 0;
    crossed = all.template column_step<1>() == 0 && all.template row_step<0>() == 0;
    by_row = straight ? all.template by_row<0>() : all.template by_row<1>();
    by_column = straight ? all.template by_column<1>() : all.template by_column<0>();
  }

  __device__ __forceinline__ bool few_rows() const { return rows <= THIN; }
  __device__ __forceinline__ bool few_columns() const { return columns <= THIN; }
  // Lines of the thin factor and the wide one, where rows or columns are few.
  __device__ __forceinline__ const Lines<Tag>& thin() const {
    return few_rows() ? by_row : by_column;
  }
  __device__ __forceinline__ const Lines<Tag>& wide() const {
    return few_rows() ? by_column : by_row;
  }
  __device__ __forceinline__ unsigned long long wide_lines() const {
    return few_rows() ? columns : rows;
  }

  // Whether everywhere in the wide factor as many lines as a lane of sums() takes lie side by side,
  // and aligned.
  __device__ __forceinline__ bool in_line_groups() const {
    constexpr int V = lines_side_by_side<Tag>();
    const int factor = few_rows() == straight ? 1 : 0;
    address odd = 0;
#pragma unroll 1
    for (unsigned dim = 0; dim + 2 < kept; dim++) {
      odd |= (address)space->stride[factor][dim];
    }
    return wide_lines() % V == 0 && wide().line == Tag::bytes && (odd & (V - 1)) == 0 &&
           ((wide().at | wide().inner) & (V * Tag::bytes - 1)) == 0;
  }
};

// Ways to compute a block, by their names.
struct ByCells {
  template <class Body>
  GPUOS_INLINE void run(const Grid<Body>&, const Block<Body>& block, char*) {
    cells(block);
  }
};
struct ByTiles {
  template <class Body>
  GPUOS_INLINE void run(const Grid<Body>& grid, const Block<Body>& block, char* scratch) {
    tiles(block, grid.straight ? block.template by_row<0>() : block.template by_row<1>(),
          grid.straight ? block.template by_column<1>() : block.template by_column<0>(), scratch);
  }
};
template <class Body>
GPUOS_INLINE ThinBlock<Body> thin_block(const Grid<Body>& grid, const Block<Body>& block) {
  const auto by_row = grid.straight ? block.template by_row<0>() : block.template by_row<1>();
  const auto by_column =
      grid.straight ? block.template by_column<1>() : block.template by_column<0>();
  return {block,
          grid.few_rows() ? by_row : by_column,
          grid.few_rows() ? by_column : by_row,
          grid.few_rows(),
          grid.wide_lines(),
          has_runs(grid.by_row) && has_runs(grid.by_column)};
}
template <int WIDE, int THINS> struct ByDots {
  template <class Body>
  GPUOS_INLINE void run(const Grid<Body>& grid, const Block<Body>& block, char*) {
    dots<WIDE, THINS>(thin_block(grid, block));
  }
};
template <int V, int THINS> struct BySums {
  template <class Body>
  GPUOS_INLINE void run(const Grid<Body>& grid, const Block<Body>& block, char* scratch) {
    sums<V, THINS>(thin_block(grid, block), scratch);
  }
};

// All blocks of a task. A function for each way, since what one way needs many registers for would
// be kept in memory by all.
GPUOS_APART template <class Body, class Way>
GPUOS_OUTLINE void blocks(const gpuos_task* given, const gpuos_space* staged, char* memory) {
  using Kinds = typename Body::operands;
  const gpuos_task* task = in_shared(given);
  const gpuos_space* space = in_shared(staged);
  char* scratch = in_shared(memory);
#pragma unroll 1
  for (unsigned i = 0; i < task->count;) {
    forget();
    const Words<Kinds> words(task);
    const Grid<Body> grid(space, words);
    const unsigned kept = grid.kept;
    const unsigned count = task->count;
    const unsigned long long across = (grid.columns + BLOCK_LINES - 1) / BLOCK_LINES;
    const unsigned long long down = (grid.rows + BLOCK_LINES - 1) / BLOCK_LINES;
    const unsigned long long number = (unsigned long long)task->first + i;  // of the block
    const unsigned long long line = number < across ? 0 : divide(number, across);
    const unsigned long long batch = line < down ? 0 : divide(line, down);
    const unsigned long long row = (line - batch * down) * BLOCK_LINES;
    const unsigned long long column = (number - line * across) * BLOCK_LINES;
    const unsigned more = (count - i) * BLOCK_LINES;  // lines of this block and those behind it
    Block<Body> block{space, {&words, 0, {}}, kept, 1, 1, (unsigned long long)space->size[kept]};
    block.rows = smaller(grid.rows - row, grid.few_columns() ? more : BLOCK_LINES);
    block.columns = smaller(grid.columns - column, grid.few_rows() ? more : BLOCK_LINES);
    i += ((grid.few_columns() ? block.rows : block.columns) + BLOCK_LINES - 1) / BLOCK_LINES;
    Kinds::each([&](auto kind, auto operand) {
      constexpr int K = decltype(operand)::value;
      using Kind = decltype(kind);
      block.site.at[K] = words.of[K];
      if constexpr (Kind::input || Kind::output) {
        const address down_step = kept < 2 ? 0 : (address)space->stride[K][kept - 2];
        const address across_step = kept < 1 ? 0 : (address)space->stride[K][kept - 1];
        block.site.at[K] += (row * down_step + column * across_step) * Kind::tag::bytes;
      }
    });
    if (batch > 0) {
      advance<1, true>(block.site, space, 0, kept - 2, batch);
    }
    Way::run(grid, block, scratch);
  }
}

// Called by all threads of a block.
template <class Body>
GPUOS_INLINE void matmul(const gpuos_task* given, const gpuos_space* global, char* memory) {
  using Kinds = typename Body::operands;
  using Tag = typename Block<Body>::Tag;
  constexpr int V = lines_side_by_side<Tag>();
  const gpuos_space* space = stage<Kinds>(global, in_shared(memory));
  const Grid<Body> grid(space, Words<Kinds>(in_shared(given)));
  char* scratch = memory + SPACE_BYTES;
  if (!grid.straight && !grid.crossed) {
    blocks<Body, ByCells>(given, space, scratch);
  } else if (!grid.few_rows() && !grid.few_columns()) {
    blocks<Body, ByTiles>(given, space, scratch);
  } else if (grid.wide().side_by_side()) {
    if (grid.thin().count == 1) {
      blocks<Body, ByDots<4, 1>>(given, space, scratch);
    } else {
      blocks<Body, ByDots<2, THIN>>(given, space, scratch);
    }
  } else if (!grid.in_line_groups()) {
    blocks<Body, BySums<1, THIN>>(given, space, scratch);
  } else if (grid.thin().count == 1) {
    blocks<Body, BySums<V, 1>>(given, space, scratch);
  } else {
    blocks<Body, BySums<V, THIN>>(given, space, scratch);
  }
}

}  // namespace gpuos
