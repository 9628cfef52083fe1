// Elementwise operators: apply a body to every position of a tile.
//
// A body is a struct with
//
//   operands   a gpuos::Operands list in the order of the task record
//   weight     about the instructions it takes per element
//   apply(e)   static; reads operands with get<K>(e), writes every output with set<K>(e, x)
//
// Every path loads all inputs of an element before it stores any output of it, and a thread reads
// only positions that it writes itself. So an output may be the very same elements as an input.
#pragma once

#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"

namespace gpuos {

// Computes the outputs of a loaded group.
template <class Body, int V> GPUOS_INLINE void apply(Group<Body, V>& group) {
  if constexpr (V == 1 || Body::weight <= HEAVY) {
#pragma unroll
    for (int lane = 0; lane < V; lane++) {
      Body::apply(Element<Body, V>{group, lane, lane});
    }
  } else {
#pragma unroll 1
    for (int lane = 0; lane < V; lane++) {
      group.template turn<true>();
      Body::apply(Element<Body, V>{group, 0, V - 1});
      group.template turn<false>();
    }
  }
}

// Groups a thread holds at once, to have many bytes under way: as many as registers and the size of
// the code allow. 16 registers of inputs move as many bytes of large tensors as more do (on an H200);
// twice as many bring a small one with one wait.
template <class Body, int V> GPUOS_CONSTEXPR int groups_in_flight(int most) {
  if (Body::weight > HEAVY) {
    return 1;
  }
  int by_registers = 32 / Body::operands::input_words(V);
  int by_code = 640 / (V * Body::weight);
  int groups = by_registers < by_code ? by_registers : by_code;
  groups = groups < most ? groups : most;
  return groups < 1 ? 1 : groups;
}

// Loads, computes and stores groups `mine`, `mine` + step, ... as far as they are below `total`; with
// ALL of them there are U. All loads are under way before the first is waited for.
template <class Body, int V, int U, bool ALL, class SiteOf>
GPUOS_INLINE void sweep_once(unsigned mine, unsigned step, unsigned total, SiteOf& site_of) {
  decltype(site_of(0)) sites[U];
  Group<Body, V> groups[U];
#pragma unroll
  for (int u = 0; u < U; u++) {
    if (ALL || mine + u * step < total) {
      sites[u] = site_of(mine + u * step);
      groups[u].load(sites[u]);
    }
  }
#pragma unroll
  for (int u = 0; u < U; u++) {
    if (ALL || mine + u * step < total) {
      apply(groups[u]);
      groups[u].store(sites[u]);
    }
  }
}

// Runs the body over `total` groups of V; site_of(i) says where group i lies. Full strides first,
// without a question, which moves 5 % more bytes on an H100 than to ask for each group whether it
// is there; then the rest.
template <class Body, int V, int U, class SiteOf>
GPUOS_INLINE void sweep(unsigned total, SiteOf site_of) {
  const unsigned step = blockDim.x;
  unsigned first = 0;
  if constexpr (U > 1) {
#pragma unroll 1
    for (; first + step * U <= total; first += step * U) {
      sweep_once<Body, V, U, true>(first + threadIdx.x, step, total, site_of);
    }
  }
#pragma unroll 1
  for (; first < total; first += step * U) {
    sweep_once<Body, V, U, false>(first + threadIdx.x, step, total, site_of);
  }
}

// A linear tile of more elements than threads.
template <class Body>
GPUOS_INLINE void many_linear(const Words<typename Body::operands>& words, unsigned count) {
  using Kinds = typename Body::operands;
  constexpr int V = 16 / Kinds::widest(true);
  unsigned done = 0;
  if (words.template aligned<V>()) {
    sweep<Body, V, groups_in_flight<Body, V>(8)>(
        count / V, [&](unsigned i) { return Linear<Kinds>{&words, i * V}; });
    done = count / V * V;
  }
  // What is left of a group, or operands that do not lie on whole groups, which is rare.
  sweep<Body, 1, 1>(count - done, [&](unsigned i) { return Linear<Kinds>{&words, done + i}; });
}

// Whether a space can be swept in groups of V along its innermost dimension: every operand's
// elements lie there side by side and every group of them is aligned, or, for an input, are one and
// the same. The operands of the first sort go into `packed`, bit by bit.
template <class Kinds, int V>
GPUOS_INLINE bool in_groups(const Words<Kinds>& words, const gpuos_space* space, unsigned& packed) {
  const unsigned inner = space->rank - 1;
  bool possible = space->size[inner] % V == 0;
  Kinds::each([&](auto kind, auto index) {
    constexpr int K = decltype(index)::value;
    using Kind = decltype(kind);
    if constexpr (Kind::input || Kind::output) {
      address odd = words.of[K] & (Kind::tag::bytes * V - 1);
#pragma unroll 1
      for (unsigned dim = 0; dim < inner; dim++) {
        odd |= (address)space->stride[K][dim] & (V - 1);
      }
      if (space->stride[K][inner] == 1) {
        possible &= odd == 0;
        packed |= 1u << K;
      } else {
        possible &= Kind::input && space->stride[K][inner] == 0;
      }
    }
  });
  return possible;
}

// Groups of a strided tile that a thread holds at once: each takes an address an operand.
template <class Body, int V> GPUOS_CONSTEXPR int strided_in_flight() {
  constexpr int OPERANDS = Body::operands::COUNT;
  return groups_in_flight<Body, V>(OPERANDS > 6 ? 1 : 6 / OPERANDS);
}

// Single positions of a strided tile, `first` being where it starts, of type P as in advance().
template <class Body, int U, class P>
GPUOS_INLINE void sweep_positions(const Scattered<typename Body::operands>& origin,
                                  const gpuos_space* space, P first, unsigned count) {
  sweep<Body, 1, U>(count, [&](unsigned i) {
    Scattered<typename Body::operands> site = origin;
    advance<1, true>(site, space, 0, space->rank, first + i);
    return site;
  });
}

// A tile of any iteration space. Tiles have less than 2^31 positions.
template <class Body>
GPUOS_INLINE void strided(const gpuos_task* task, const gpuos_space* global, char* scratch) {
  using Kinds = typename Body::operands;
  constexpr int V = 16 / Kinds::widest(true);
  const gpuos_space* space = stage<Kinds>(global, scratch);
  const Words<Kinds> words(task);
  const unsigned rank = space->rank;
  const unsigned count = task->count;
  const unsigned long long first = task->first * GPUOS_POSITIONS_PER_FIRST;
  Scattered<Kinds> origin{&words, 0, {}};
  Kinds::each([&](auto, auto index) {
    constexpr int K = decltype(index)::value;
    origin.at[K] = words.of[K];
  });
  if (first + count >= SHORT_POSITIONS) {
    sweep_positions<Body, 1>(origin, space, first, count);
    return;
  }
  if constexpr (Body::weight <= HEAVY) {
    if (count > blockDim.x && rank > 0 && in_groups<Kinds, V>(words, space, origin.packed)) {
      // Tiles start at multiples of 256 and end at one or with the space: no group is cut.
      sweep<Body, V, strided_in_flight<Body, V>()>(count / V, [&](unsigned i) {
        Scattered<Kinds> site = origin;
        advance<V, true>(site, space, 0, rank, (unsigned)first / V + i);
        return site;
      });
      return;
    }
  }
  sweep_positions<Body, strided_in_flight<Body, 1>()>(origin, space, (unsigned)first, count);
}

// At most one group a thread, linear.
template <class Body, int V>
GPUOS_INLINE void one_linear(const Words<typename Body::operands>& words, unsigned groups) {
  if (threadIdx.x < groups) {
    const Linear<typename Body::operands> site{&words, threadIdx.x * V};
    Group<Body, V> group;
    group.load(site);
    apply(group);
    group.store(site);
  }
}

// The operator for linear tiles only: called by all threads of a block. Small tiles, by far the most
// frequent, come first.
template <class Body> GPUOS_INLINE void elementwise_linear(const gpuos_task* given) {
  constexpr int V = Body::weight <= HEAVY ? 16 / Body::operands::widest(true) : 1;
  const gpuos_task* task = in_shared(given);
  const Words<typename Body::operands> words(task);
  const unsigned count = task->count;
  if (count <= blockDim.x) {
    one_linear<Body, 1>(words, count);
  } else if ((count <= blockDim.x * V) & (count % V == 0) && words.template aligned<V>()) {
    one_linear<Body, V>(words, count / V);
  } else {
    many_linear<Body>(words, count);
  }
}

// The operator for tiles of every kind: called by all threads of a block.
template <class Body>
GPUOS_INLINE void elementwise(const gpuos_task* given, const gpuos_space* space, char* scratch) {
  const gpuos_task* task = in_shared(given);
  if ((task->flags & GPUOS_FLAG_LINEAR) != 0) {
    elementwise_linear<Body>(task);
  } else {
    strided<Body>(task, space, scratch);
  }
}

}  // namespace gpuos
