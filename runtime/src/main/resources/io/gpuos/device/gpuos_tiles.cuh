// Blocks of a matrix product by tiles: panels of both factors go through scratch memory. See
// gpuos_matmul.cuh.
#pragma once

#include "gpuos_block.cuh"

namespace gpuos {

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

}  // namespace gpuos
