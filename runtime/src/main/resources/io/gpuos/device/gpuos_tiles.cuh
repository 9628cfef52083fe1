// Blocks of a matrix product by tiles: panels of both factors go through scratch memory. See
// gpuos_matmul.cuh.
#pragma once

#include "gpuos_block.cuh"

namespace gpuos {

// Elements of a line in a panel: both panels fit the scratch memory beside the space.
template <class Sum> GPUOS_CONSTEXPR unsigned panel_depth() { return 64 / sizeof(Sum); }
constexpr unsigned PADDED = BLOCK_LINES + 4;  // keeps groups of 4 together, and banks apart

// Panels that are on their way at a time, by registers.
constexpr int PANELS_AHEAD = 3;

// Panel of a factor in scratch, panel[k][line]. A thread carries its share of the next ones in
// registers meanwhile: elements `apart` from each other, as they lie in memory.
template <class Tag> struct Panel {
  using Sum = typename Sums<Tag>::type;
  static constexpr unsigned DEPTH = panel_depth<Sum>();
  static constexpr unsigned SHARES = DEPTH * BLOCK_LINES / 256;
  Sum* panel;
  bool along;      // neighbouring threads take neighbouring elements of a line, else of lines
  unsigned lines;  // that there are
  address at;      // of this thread's first element in the panel to fetch next
  address apart;   // bytes from an element of this thread to its next
  address next;    // bytes from a panel to the next
  Lanes<Tag, 1> share[PANELS_AHEAD][SHARES];

  __device__ __forceinline__ Panel(Sum* scratch, const Lines<Tag>& factor)
      : panel(scratch), along(factor.side_by_side()), lines(factor.count) {
    at = factor.at + line_of(0) * factor.line + step_of(0) * factor.inner;
    apart = along ? 256 / DEPTH * factor.line : 256 / BLOCK_LINES * factor.inner;
    next = DEPTH * factor.inner;
  }

  // `left`: elements of a line from this panel on.
  __device__ __forceinline__ void fetch(int slot, unsigned long long left) {
#pragma unroll
    for (unsigned i = 0; i < SHARES; i++) {
      share[slot][i].clear();
      if (line_of(i) < lines && step_of(i) < left) {
        Memory<Tag::bytes>::load(at + i * apart, share[slot][i].w);
      }
    }
    at += next;
  }
  __device__ __forceinline__ void put(int slot) const {
    Sum* to = panel + step_of(0) * PADDED + line_of(0);
    const unsigned elements = along ? 256 / DEPTH : 256 / BLOCK_LINES * PADDED;
#pragma unroll
    for (unsigned i = 0; i < SHARES; i++) {
      to[i * elements] = (Sum)Tag::decode(share[slot][i].bits(0));
    }
  }

 private:
  __device__ __forceinline__ unsigned line_of(unsigned i) const {
    return along ? threadIdx.x / DEPTH + i * (256 / DEPTH) : threadIdx.x % BLOCK_LINES;
  }
  __device__ __forceinline__ unsigned step_of(unsigned i) const {
    return along ? threadIdx.x % DEPTH : threadIdx.x / BLOCK_LINES + i * (256 / BLOCK_LINES);
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
  constexpr int AHEAD = PANELS_AHEAD;
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
  if (row >= block.rows) {
    return;
  }
  forget();
  Group<Body, 1> groups[4];
#pragma unroll
  for (unsigned i = 0; i < 4; i++) {  // without a branch, some of them twice
    block.ask(groups[i], smaller(row + i, block.rows - 1), smaller(column, block.columns - 1));
  }
#pragma unroll
  for (unsigned i = 0; i < 4; i++) {
    if (row + i < block.rows && column < block.columns) {
      block.finish(groups[i], row + i, column, sums[i]);
    }
  }
}

}  // namespace gpuos
