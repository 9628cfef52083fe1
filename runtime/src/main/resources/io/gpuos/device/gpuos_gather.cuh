// Elements picked by an index: read a source where the index says, and compute with what is there.
//
// A body is as that of an elementwise operator. Operand 0 is the source, operand 1 the index, of
// type I64 or I32. Positions number the kept dimensions of the space; its one reduced dimension is
// the axis of the source that the index counts along. get<0> is the picked element, NaN or 0 where
// the index is not on the axis; nothing is read there.
//
// Consecutive threads have consecutive positions, in the order of the output's strides: where the
// index stands still for them, as in a row of an embedding, they read neighbouring elements.
#pragma once

#include "gpuos_elementwise.cuh"

namespace gpuos {

// The bits of an element that is not there: a quiet NaN, or 0.
template <class Tag> struct Nowhere {
  static constexpr typename Tag::word bits = 0;
};
template <> struct Nowhere<F64> {
  static constexpr unsigned long long bits = 0x7ff8000000000000ull;
};
template <> struct Nowhere<F32> {
  static constexpr unsigned bits = 0x7fc00000u;
};
template <> struct Nowhere<F16> {
  static constexpr unsigned bits = 0x7e00u;
};
template <> struct Nowhere<BF16> {
  static constexpr unsigned bits = 0x7fc0u;
};

// Sends the source of a site on to the picked element; says whether there is one.
template <class Kinds>
GPUOS_INLINE bool pick(Scattered<Kinds>& site, const gpuos_space* space, unsigned kept) {
  using Source = typename Kinds::template kind<0>::tag;
  using Number = typename Kinds::template kind<1>::tag;
  Lanes<Number, 1> lanes;
  site.template load<1>(lanes);
  const long long index = Number::decode(lanes.bits(0));
  const bool inside = index >= 0 && index < (long long)space->size[kept];
  site.at[0] += (address)index * (address)space->stride[0][kept] * Source::bytes;
  return inside;
}

// Called by all threads of a block.
template <class Body>
GPUOS_INLINE void gather(const gpuos_task* given, const gpuos_space* global, char* memory) {
  const gpuos_task* task = in_shared(given);
  char* scratch = in_shared(memory);
  using Kinds = typename Body::operands;
  using Source = typename Kinds::template kind<0>::tag;
  const gpuos_space* space = stage<Kinds>(global, scratch);
  const Words<Kinds> words(task);
  const unsigned kept = space->rank - space->reduced;
  Scattered<Kinds> origin{&words, 0, {}};
  Kinds::each([&](auto, auto index) {
    constexpr int K = decltype(index)::value;
    origin.at[K] = words.of[K];
  });
#pragma unroll 1
  for (unsigned i = threadIdx.x; i < task->count; i += blockDim.x) {
    Scattered<Kinds> site = origin;
    advance<1, true>(site, space, 0, kept, (unsigned long long)task->first + i);
    const bool inside = pick(site, space, kept);
    Group<Body, 1> group;
    group.slots.template each<0>([&](auto kind, auto index, auto& slot) {
      constexpr int K = decltype(index)::value;
      using Kind = decltype(kind);
      if constexpr (Kind::output || K == 1) {
        slot.lanes.clear();
      } else if constexpr (K == 0) {
        if (inside) {
          site.template load<0>(slot.lanes);
        } else {
          slot.lanes.put(0, Nowhere<Source>::bits);
        }
      } else if constexpr (Kind::input) {
        site.template load<K>(slot.lanes);
      } else {
        slot.value = ScalarWord<typename Kind::tag>::decode(words.of[K]);
      }
    });
    Body::apply(Element<Body, 1>{group, 0, 0});
    group.store(site);
  }
}

}  // namespace gpuos
