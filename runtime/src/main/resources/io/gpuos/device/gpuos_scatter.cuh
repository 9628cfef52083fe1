// Elements written where an index says.
//
// A body is a struct with
//
//   operands   Input of the index, I64 or I32; Input of the elements; Output
//   adds       whether elements are added to what is there
//   wraps      whether a negative index counts from the end
//
// Positions number the kept dimensions of the space. For each, the reduced dimensions but the last
// are walked row-major; the last one is the axis of the output that the index counts along. Nothing
// is written where the index is not on the axis.
//
// What is written for one position no other position writes. Where a tile has fewer positions than
// the block has threads, several threads walk for one position, and each writes a share of the
// places along the axis. So one thread writes to a place, in the order of the walk: the result is the
// same on every run, without atomics.
#pragma once

#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"

namespace gpuos {

// Writes, or adds, the element of a site to a place on the output's axis.
template <class Body>
GPUOS_INLINE void put(const Scattered<typename Body::operands>& site, address at) {
  using Tag = typename Body::operands::template kind<2>::tag;
  Lanes<Tag, 1> lanes;
  site.template load<1>(lanes);
  typename Tag::value x = Tag::decode(lanes.bits(0));
  if constexpr (Body::adds) {
    Lanes<Tag, 1> before;
    Memory<Tag::bytes>::load(at, before.w);
    x = add(Tag::decode(before.bits(0)), x);
  }
  lanes.put(0, Tag::encode(x));
  Memory<Tag::bytes>::store(at, lanes.w);
}

// Called by all threads of a block.
template <class Body>
GPUOS_INLINE void scatter(const gpuos_task* given, const gpuos_space* global, char* memory) {
  const gpuos_task* task = in_shared(given);
  char* scratch = in_shared(memory);
  using Kinds = typename Body::operands;
  using Number = typename Kinds::template kind<0>::tag;
  using Tag = typename Kinds::template kind<2>::tag;
  const gpuos_space* space = stage<Kinds>(global, scratch);
  const Words<Kinds> words(task);
  const unsigned kept = space->rank - space->reduced;
  const unsigned axis = space->rank - 1;
  const long long size = space->size[axis];
  const address stride = (address)space->stride[2][axis] * Tag::bytes;
  long long steps = 1;
#pragma unroll 1
  for (unsigned dim = kept; dim < axis; dim++) {
    steps *= space->size[dim];
  }
  const unsigned count = task->count;
  unsigned owners = 1;  // threads that share a position: a power of two
#pragma unroll 1
  while (owners * 2 <= blockDim.x / count) {
    owners *= 2;
  }
  const unsigned columns = owners == 1 ? blockDim.x : count;
  const unsigned owner = threadIdx.x / columns;
  if (owner >= owners) {
    return;
  }
#pragma unroll 1
  for (unsigned mine = threadIdx.x % columns; mine < count; mine += columns) {
    Scattered<Kinds> origin{&words, 0, {}};
    Kinds::each([&](auto, auto operand) {
      constexpr int K = decltype(operand)::value;
      origin.at[K] = words.of[K];
    });
    advance<1, true>(origin, space, 0, kept, (unsigned long long)task->first + mine);
#pragma unroll 1
    for (long long step = 0; step < steps; step++) {
      Scattered<Kinds> site = origin;
      advance<1, false>(site, space, kept, axis, (unsigned long long)step);
      Lanes<Number, 1> lanes;
      site.template load<0>(lanes);
      long long index = Number::decode(lanes.bits(0));
      if constexpr (Body::wraps) {
        index = index < 0 ? index + size : index;
      }
      if (index >= 0 && index < size && ((unsigned)index & (owners - 1)) == owner) {
        put<Body>(site, site.at[2] + (address)index * stride);
      }
    }
  }
}

}  // namespace gpuos
