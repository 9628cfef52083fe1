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

#include "gpuos_block.cuh"
#include "gpuos_thin.cuh"
#include "gpuos_tiles.cuh"

namespace gpuos {

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
