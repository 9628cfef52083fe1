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
//   dots       up to 4 rows or columns: a warp takes lines whose elements lie side by side, four of
//              them for a single row, its lanes share the depth, and shuffles add up
//   sums       up to 4 rows or columns: a lane takes a line, neighbouring lines lying side by side,
//              the warps share the depth, and scratch memory adds up
//   cells      rows or columns that both factors have, such as batches: a thread a result
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

  // Computes and writes the result at a row and column from the sum of products there.
  __device__ __forceinline__ void finish(unsigned row, unsigned column, Sum sum) const {
    Group<Body, 1> group;
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
    Body::apply(Cell<Body>{group, Sums<Tag>::finish(sum)});
    auto& result = slot_of<OUT>(group.slots);
    Memory<Kinds::template kind<OUT>::tag::bytes>::store(place<OUT>(row, column), result.lanes.w);
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

// Panel of a factor in scratch, panel[k][line]. A thread carries its share in registers meanwhile.
template <class Tag> struct Panel {
  using Sum = typename Sums<Tag>::type;
  Sum* panel;
  Lines<Tag> lines;
  bool along;  // neighbouring threads take neighbouring elements of a line
  Sum share[shares<Sum>()];

  __device__ __forceinline__ void fetch(unsigned long long from, unsigned long long depth) {
#pragma unroll
    for (unsigned i = 0; i < shares<Sum>(); i++) {
      const unsigned index = threadIdx.x + i * 256;
      const unsigned line = line_of(index);
      const unsigned long long k = from + step_of(index);
      share[i] = line < lines.count && k < depth ? lines.read(line, k) : Sum(0);
    }
  }
  __device__ __forceinline__ void put() const {
#pragma unroll
    for (unsigned i = 0; i < shares<Sum>(); i++) {
      const unsigned index = threadIdx.x + i * 256;
      if (index < panel_depth<Sum>() * BLOCK_LINES) {
        panel[step_of(index) * PADDED + line_of(index)] = share[i];
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
  static_assert(2 * DEPTH * PADDED * sizeof(Sum) <= GPUOS_SCRATCH_BYTES - SPACE_BYTES, "scratch");
  Sum* panels = (Sum*)scratch;
  Panel<Tag> left{panels, by_row, by_row.side_by_side(), {}};
  Panel<Tag> right{panels + DEPTH * PADDED, by_column, by_column.side_by_side(), {}};
  const unsigned row = threadIdx.x / 32 * 4;
  const unsigned column = threadIdx.x % 32;
  Sum sums[4] = {};
  left.fetch(0, block.depth);
  right.fetch(0, block.depth);
#pragma unroll 1
  for (unsigned long long k = 0; k < block.depth; k += DEPTH) {
    left.put();
    right.put();
    __syncthreads();
    if (k + DEPTH < block.depth) {  // the next panels are on their way during these
      left.fetch(k + DEPTH, block.depth);
      right.fetch(k + DEPTH, block.depth);
    }
#pragma unroll 4
    for (unsigned step = 0; step < DEPTH; step++) {
      const Four<Sum> a = *(const Four<Sum>*)(left.panel + step * PADDED + row);
      const Sum b = right.panel[step * PADDED + column];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        sums[i] = multiply_add(a.of[i], b, sums[i]);
      }
    }
    __syncthreads();  // before the panels are written again
  }
#pragma unroll
  for (unsigned i = 0; i < 4; i++) {
    if (row + i < block.rows && column < block.columns) {
      block.finish(row + i, column, sums[i]);
    }
  }
}

// ---- Few rows or columns: `wide` has up to 32 lines, `thin` up to THIN.

// Line x of the thin factor crosses line y of the wide one in this cell.
template <class Body>
GPUOS_INLINE void finish(const Block<Body>& block, bool thin_rows, unsigned x, unsigned y,
                         typename Block<Body>::Sum sum) {
  block.finish(thin_rows ? x : y, thin_rows ? y : x, sum);
}

// Adds up N values over the lanes of a warp, N a power of 2: lane i has the sum of value
// i / (32 / N). Halving the values from step to step takes fewer shuffles than a sum of each.
template <int N, int MASK = 16, class Sum> GPUOS_INLINE Sum add_lanes(Sum* values) {
  if constexpr (MASK == 0) {
    return values[0];
  } else if constexpr (N == 1) {
    values[0] = values[0] + __shfl_xor_sync(0xffffffffu, values[0], MASK);
    return add_lanes<1, MASK / 2>(values);
  } else {
    const bool upper = (threadIdx.x & MASK) != 0;
#pragma unroll
    for (int i = 0; i < N / 2; i++) {
      const Sum kept = upper ? values[i + N / 2] : values[i];
      const Sum given = upper ? values[i] : values[i + N / 2];
      values[i] = kept + __shfl_xor_sync(0xffffffffu, given, MASK);
    }
    return add_lanes<N / 2, MASK / 2>(values);
  }
}

// Elements of a line that lie side by side from k on. `aligned`: one instruction loads them.
template <int V, class Tag>
GPUOS_INLINE void load_run(Lanes<Tag, V>& lanes, const Lines<Tag>& lines, unsigned index,
                           unsigned long long k, bool aligned) {
  const address at = lines.at + index * lines.line + k * lines.inner;
  if constexpr (V == 1) {
    Memory<Tag::bytes>::load(at, lanes.w);
  } else if (aligned) {
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

// Lines y to y + WIDE - 1 of the wide factor times up to THINS lines of the thin one, by one warp.
template <int WIDE, int THINS, class Tag> struct Dots {
  using Sum = typename Sums<Tag>::type;
  const Lines<Tag>& thin;
  const Lines<Tag>& wide;
  unsigned y;
  Sum sums[WIDE * THINS];  // line y + i of wide times line x of thin at i * THINS + x

  // Adds the products of V elements of each line.
  template <int V> __device__ __forceinline__ void add(unsigned long long k, bool aligned) {
    Lanes<Tag, V> b[WIDE];
#pragma unroll
    for (unsigned i = 0; i < WIDE; i++) {
      if (y + i < wide.count) {
        load_run<V>(b[i], wide, y + i, k, aligned);
      } else {
        b[i].clear();
      }
    }
#pragma unroll
    for (unsigned x = 0; x < THINS; x++) {
      if (x < thin.count) {
        Lanes<Tag, V> a;
        load_run<V>(a, thin, x, k, aligned);
#pragma unroll
        for (int v = 0; v < V; v++) {
#pragma unroll
          for (unsigned i = 0; i < WIDE; i++) {
            Sum& sum = sums[i * THINS + x];
            sum = multiply_add((Sum)Tag::decode(a.bits(v)), (Sum)Tag::decode(b[i].bits(v)), sum);
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

// A lane takes runs of elements where the strides allow, and whatever is left one by one.
template <int WIDE, int THINS, class Body>
GPUOS_INLINE void dots(const Block<Body>& block, const Lines<typename Block<Body>::Tag>& thin,
                       const Lines<typename Block<Body>::Tag>& wide, bool thin_rows) {
  using Tag = typename Block<Body>::Tag;
  constexpr int V = run_length<Tag>();
  constexpr unsigned SHARE = 32 / (WIDE * THINS);  // lanes that have the same sum in the end
  const unsigned lane = threadIdx.x % 32;
  const bool runs = has_runs(thin) && has_runs(wide);
  const bool aligned = ((thin.at | wide.at) & (V * Tag::bytes - 1)) == 0;
  const unsigned long long whole = runs ? block.depth / V * V : 0;
#pragma unroll 1
  for (unsigned y = threadIdx.x / 32 * WIDE; y < wide.count; y += BLOCK_WARPS * WIDE) {
    Dots<WIDE, THINS, Tag> dots{thin, wide, y, {}};
#pragma unroll 1
    for (unsigned long long k = lane * V; k < whole; k += 32 * V) {
      dots.template add<V>(k, aligned);
    }
#pragma unroll 2
    for (unsigned long long k = whole + lane; k < block.depth; k += 32) {
      dots.template add<1>(k, true);
    }
    const typename Block<Body>::Sum sum = add_lanes<WIDE * THINS>(dots.sums);
    const unsigned x = lane / SHARE % THINS;
    const unsigned i = y + lane / SHARE / THINS;
    if (lane % SHARE == 0 && x < thin.count && i < wide.count) {
      finish(block, thin_rows, x, i, sum);
    }
  }
}

template <class Body>
GPUOS_INLINE void sums(const Block<Body>& block, const Lines<typename Block<Body>::Tag>& thin,
                       const Lines<typename Block<Body>::Tag>& wide, bool thin_rows,
                       char* scratch) {
  using Sum = typename Block<Body>::Sum;
  const unsigned y = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  Sum parts[THIN] = {};
  if (y < wide.count) {
#pragma unroll 4
    for (unsigned long long k = warp; k < block.depth; k += BLOCK_WARPS) {
      const Sum b = wide.read(y, k);
#pragma unroll
      for (unsigned x = 0; x < THIN; x++) {
        if (x < thin.count) {
          parts[x] = multiply_add(thin.read(x, k), b, parts[x]);
        }
      }
    }
  }
  Sum* shared = (Sum*)scratch;  // [warp][y]
#pragma unroll
  for (unsigned x = 0; x < THIN; x++) {
    if (x < thin.count) {  // the same for all threads
      shared[threadIdx.x] = parts[x];
      __syncthreads();
      if (warp == x && y < wide.count) {
        Sum sum = shared[y];
        for (unsigned other = 1; other < BLOCK_WARPS; other++) {
          sum = sum + shared[other * 32 + y];
        }
        finish(block, thin_rows, x, y, sum);
      }
      __syncthreads();  // before they are written again
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

// `few`: whether the whole grid has at most THIN rows, or columns.
template <class Body>
GPUOS_INLINE void multiply(const Block<Body>& block, bool few_rows, bool few_columns,
                           char* scratch) {
  using Tag = typename Block<Body>::Tag;
  const bool straight = block.template column_step<0>() == 0 && block.template row_step<1>() == 0;
  const bool crossed = block.template column_step<1>() == 0 && block.template row_step<0>() == 0;
  if (!straight && !crossed) {
    cells(block);
    return;
  }
  const Lines<Tag> by_row = straight ? block.template by_row<0>() : block.template by_row<1>();
  const Lines<Tag> by_column =
      straight ? block.template by_column<1>() : block.template by_column<0>();
  if (!few_rows && !few_columns) {
    tiles(block, by_row, by_column, scratch);
    return;
  }
  const Lines<Tag> thin = few_rows ? by_row : by_column;
  const Lines<Tag> wide = few_rows ? by_column : by_row;
  if (!wide.side_by_side()) {
    sums(block, thin, wide, few_rows, scratch);
  } else if (thin.count == 1) {
    dots<4, 1>(block, thin, wide, few_rows);
  } else {
    dots<2, THIN>(block, thin, wide, few_rows);
  }
}

// Called by all threads of a block.
template <class Body>
GPUOS_INLINE void matmul(const gpuos_task* given, const gpuos_space* global, char* memory) {
  const gpuos_task* task = in_shared(given);
  char* scratch = in_shared(memory);
  using Kinds = typename Body::operands;
  const gpuos_space* space = stage<Kinds>(global, scratch);
  const Words<Kinds> words(task);
  const unsigned kept = space->rank - space->reduced;
  const unsigned long long rows = kept < 2 ? 1 : space->size[kept - 2];
  const unsigned long long columns = kept < 1 ? 1 : space->size[kept - 1];
  const unsigned long long across = (columns + BLOCK_LINES - 1) / BLOCK_LINES;
  const unsigned long long down = (rows + BLOCK_LINES - 1) / BLOCK_LINES;
#pragma unroll 1
  for (unsigned i = 0; i < task->count; i++) {
    const unsigned long long number = (unsigned long long)task->first + i;  // of the block
    const unsigned long long line = divide(number, across);
    const unsigned long long grid = divide(line, down);
    const unsigned long long row = (line - grid * down) * BLOCK_LINES;
    const unsigned long long column = (number - line * across) * BLOCK_LINES;
    Block<Body> block{space, {&words, 0, {}}, kept, 1, 1, (unsigned long long)space->size[kept]};
    block.rows = (unsigned)minimum((long long)(rows - row), (long long)BLOCK_LINES);
    block.columns = (unsigned)minimum((long long)(columns - column), (long long)BLOCK_LINES);
    Kinds::each([&](auto, auto operand) {
      constexpr int K = decltype(operand)::value;
      block.site.at[K] = words.of[K];
    });
    advance<1, true>(block.site, space, 0, kept, (grid * rows + row) * columns + column);
    multiply(block, rows <= THIN, columns <= THIN, scratch + SPACE_BYTES);
  }
}

}  // namespace gpuos
