// A block of the results of a matrix product, its factors, and what is computed of their product. See
// gpuos_matmul.cuh.
#pragma once

#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"

namespace gpuos {

GPUOS_INLINE unsigned smaller(unsigned long long a, unsigned long long b) {
  return (unsigned)(a < b ? a : b);
}

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

}  // namespace gpuos
