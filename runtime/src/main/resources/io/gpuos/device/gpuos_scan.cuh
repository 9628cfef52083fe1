// Sums along rows: each element is replaced by the sum of the row up to it.
//
// A body is a struct with
//
//   operands   a gpuos::Operands list in the order of the task record; the last is the Output
//   exclusive  whether a sum is without the element itself; for I64 only
//   weight     about the instructions it takes per element
//   value(e)   static; the element to sum, from operands read with get<K>(e)
//
// Positions number the kept dimensions of the space; its one reduced dimension is the row. A row is
// summed by one thread, by a warp or by the block, in pieces of as many elements: short rows, and
// those of which neighbours lie closer together than their elements, by threads; the longest ones by
// the block. Which it is depends on sizes and strides only, so a sum is the same on every run,
// however rows are cut into tiles.
#pragma once

#include "gpuos_reduce.cuh"

namespace gpuos {

// Rows up to this long are summed by a thread each, and up to the next by a warp.
constexpr long long THREAD_ROW = 8;
constexpr long long WARP_ROW = 128;

// The sum of x over the lanes up to this one.
template <class A> GPUOS_INLINE A warp_sums(A x) {
#pragma unroll
  for (unsigned distance = 1; distance < 32; distance *= 2) {
    const A before = __shfl_up_sync(ALL_LANES, x, distance);
    x = threadIdx.x % 32 >= distance ? add(before, x) : x;
  }
  return x;
}

template <class Body> struct Scan {
  using Kinds = typename Body::operands;
  static constexpr int OUT = Kinds::COUNT - 1;
  using Result = typename Kinds::template kind<OUT>::tag;
  using Sum = typename Result::value;

  const gpuos_space* space;
  const Words<Kinds>* words;
  unsigned kept;
  long long length;

  // Where element `place` of row `position` lies.
  __device__ __forceinline__ Scattered<Kinds> site(unsigned long long position,
                                                   long long place) const {
    Scattered<Kinds> site{words, 0, {}};
    Kinds::each([&](auto, auto operand) {
      constexpr int K = decltype(operand)::value;
      site.at[K] = words->of[K];
    });
    advance<1, true>(site, space, 0, kept, position);
    advance<1, true>(site, space, kept, space->rank, (unsigned long long)place);
    return site;
  }

  __device__ __forceinline__ Sum value(const Scattered<Kinds>& site) const {
    Group<Body, 1> group;
    group.load(site);
    return Body::value(Element<Body, 1>{group, 0, 0});
  }

  // `sum` takes in x already.
  __device__ __forceinline__ void store(const Scattered<Kinds>& site, Sum sum, Sum x) const {
    if constexpr (Body::exclusive) {
      sum = sub(sum, x);
    }
    Lanes<Result, 1> lanes;
    lanes.put(0, Result::encode(sum));
    site.template store<OUT>(lanes);
  }

  // By one thread.
  __device__ __forceinline__ void row(unsigned long long position) const {
    Scattered<Kinds> at = site(position, 0);
    Sum sum = 0;
#pragma unroll 1
    for (long long place = 0; place < length; place++) {
      const Sum x = value(at);
      sum = add(sum, x);
      store(at, sum, x);
      Kinds::each([&](auto kind, auto operand) {
        constexpr int K = decltype(operand)::value;
        using Kind = decltype(kind);
        if constexpr (Kind::input || Kind::output) {
          at.at[K] += (address)space->stride[K][kept] * Kind::tag::bytes;
        }
      });
    }
  }

  // By all threads of `warps` warps, of which this is number `warp`. More than one must be the
  // whole block, which meets at barriers.
  __device__ __forceinline__ void shared_row(unsigned long long position, unsigned warp,
                                             unsigned warps, Sum* totals) const {
    const unsigned member = warp * 32 + threadIdx.x % 32;
    Sum before = 0;
#pragma unroll 1
    for (long long from = 0; from < length; from += warps * 32) {
      const long long place = from + member;
      const bool inside = place < length;
      const Scattered<Kinds> at = site(position, inside ? place : 0);
      const Sum x = inside ? value(at) : Sum(0);
      Sum sum = warp_sums(x);
      Sum total = __shfl_sync(ALL_LANES, sum, 31);
      if (warps > 1) {
        if (threadIdx.x % 32 == 0) {
          totals[warp] = total;
        }
        __syncthreads();
        Sum all = 0;
#pragma unroll 1
        for (unsigned other = 0; other < warps; other++) {
          sum = other < warp ? add(totals[other], sum) : sum;
          all = add(all, totals[other]);
        }
        total = all;
        __syncthreads();  // before the next piece's totals are written
      }
      sum = add(before, sum);
      before = add(before, total);
      if (inside) {
        store(at, sum, x);
      }
    }
  }
};

// Called by all threads of a block, which are whole warps.
template <class Body>
GPUOS_INLINE void scan(const gpuos_task* given, const gpuos_space* global, char* memory) {
  const gpuos_task* task = in_shared(given);
  char* scratch = in_shared(memory);
  using Kinds = typename Body::operands;
  using Sum = typename Scan<Body>::Sum;
  const gpuos_space* space = stage<Kinds>(global, scratch);
  const Words<Kinds> words(task);
  const unsigned kept = space->rank - space->reduced;
  const long long length = space->size[kept];
  const Scan<Body> rows{space, &words, kept, length};
  const unsigned count = task->count;
  const unsigned long long first = task->first;
  unsigned long long all = 1;
#pragma unroll 1
  for (unsigned dim = 0; dim < kept && all < 32; dim++) {
    all *= space->size[dim];
  }
  if (length <= THREAD_ROW || (all >= 32 && !reduced_side_by_side<Kinds>(space))) {
#pragma unroll 1
    for (unsigned mine = threadIdx.x; mine < count; mine += blockDim.x) {
      rows.row(first + mine);
    }
    return;
  }
  const unsigned warps = blockDim.x / 32;
  const bool by_warps = length <= WARP_ROW;
#pragma unroll 1
  for (unsigned mine = by_warps ? threadIdx.x / 32 : 0; mine < count; mine += by_warps ? warps : 1) {
    rows.shared_row(first + mine, by_warps ? 0 : threadIdx.x / 32, by_warps ? 1 : warps,
                    (Sum*)(scratch + SPACE_BYTES));
  }
}

}  // namespace gpuos
