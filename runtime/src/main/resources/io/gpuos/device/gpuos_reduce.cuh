// Reductions: fold a value over the reduced dimensions, one result per kept position of a tile.
//
// A body is a struct with
//
//   operands   a gpuos::Operands list in the order of the task record; the last is the Output
//   weight     about the instructions it takes per element
//   value(e)   static; the element to fold, from operands read with get<K>(e)
//   reducer    one of gpuos_reducers.cuh
//
// A *team* of threads folds one kept position: each member takes every team-th group of elements,
// then the members' states are merged. Teams are chosen per tile, from sizes and strides:
//
//   adjacent   members are neighbouring threads; for reduced elements that lie side by side. Merged
//              by shuffles, and through scratch memory where a team is wider than a warp.
//   spread     neighbouring threads are different positions; for kept positions that lie side by
//              side. Merged through scratch memory.
//
// The order of folding depends on shapes and strides only, so a result is the same on every run.
#pragma once

#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"
#include "gpuos_reducers.cuh"

namespace gpuos {

// ---- One thread's share of one kept position.

// Folds the values of a loaded group, whose elements start at row-major position `first`.
template <class Body, int V>
GPUOS_INLINE void fold_group(typename Body::reducer::State& state, Group<Body, V>& group,
                             long long first) {
  using Reducer = typename Body::reducer;
  using Value = decltype(Body::value(Element<Body, V>{group, 0, 0}));
  if constexpr (V == 1 || Body::weight <= HEAVY) {
    constexpr int PART = V * sizeof(Value) <= 32 ? V : 32 / sizeof(Value);  // 8 registers of values
#pragma unroll
    for (int start = 0; start < V; start += PART) {
      Value x[PART];
#pragma unroll
      for (int lane = 0; lane < PART; lane++) {
        x[lane] = Body::value(Element<Body, V>{group, start + lane, start + lane});
      }
      Reducer::fold(state, x, first + start);
    }
  } else {
#pragma unroll 1
    for (int lane = 0; lane < V; lane++) {
      Value x[1] = {Body::value(Element<Body, V>{group, 0, 0})};
      Reducer::fold(state, x, first + lane);
      group.template turn<false>();
    }
  }
}

// Groups a thread loads before it folds the first, as a power of two: as many as so many registers
// and the size of the code allow.
template <class Body, int V, int REGISTERS = 20> GPUOS_CONSTEXPR int log_batch() {
  int groups = REGISTERS / Body::operands::input_words(V);
  int by_code = 256 / (V * Body::weight);
  groups = groups < by_code ? groups : by_code;
  return Body::weight > HEAVY || groups < 2 ? 0 : groups < 4 ? 1 : groups < 8 ? 2 : 3;
}

// Groups of a row that are numbered in 32 bits.
constexpr long long SHORT_ROW = 1ll << 30;

// Folds groups `index`, `index + step`, ... below `to` of one row of reduced elements. `site` is
// where the row starts, `place` the row-major position of its first element.
template <class Body, int V>
GPUOS_INLINE void fold_row(typename Body::reducer::State& state,
                           Scattered<typename Body::operands> site, const gpuos_space* space,
                           unsigned index, unsigned to, unsigned step, long long place) {
  using Kinds = typename Body::operands;
  constexpr int U = 1 << log_batch<Body, V>();
  address stride[Kinds::COUNT];  // bytes from one group of this thread to its next
  Kinds::each([&](auto kind, auto operand) {
    constexpr int K = decltype(operand)::value;
    using Kind = decltype(kind);
    if constexpr (Kind::input) {
      address group = (address)space->stride[K][space->rank - 1] * (Kind::tag::bytes * V);
      site.at[K] += index * group;
      stride[K] = step * group;
    }
  });
#pragma unroll 1
  for (; index < to; index += step * U) {
    Group<Body, V> groups[U];
#pragma unroll
    for (int u = 0; u < U; u++) {
      if (index + u * step < to) {
        groups[u].load(site);
      }
      Kinds::each([&](auto kind, auto operand) {
        constexpr int K = decltype(operand)::value;
        if constexpr (decltype(kind)::input) {
          site.at[K] += stride[K];
        }
      });
    }
#pragma unroll
    for (int u = 0; u < U; u++) {
      const unsigned mine = index + u * step;
      if (mine < to) {
        fold_group(state, groups[u], place + (long long)mine * V);
      }
    }
  }
}

// ---- Teams.

// How the threads of a block are shared out over a tile, by logarithms to base 2: threads per kept
// position, and kept positions at a time.
struct Teams {
  bool adjacent;
  unsigned log_members;
  unsigned log_positions;

  __device__ __forceinline__ unsigned member() const {
    return adjacent ? threadIdx.x & ((1u << log_members) - 1) : threadIdx.x >> log_positions;
  }
  __device__ __forceinline__ unsigned position() const {
    return adjacent ? threadIdx.x >> log_members : threadIdx.x & ((1u << log_positions) - 1);
  }
  // Threads beyond the last whole team.
  __device__ __forceinline__ bool idle() const {
    return threadIdx.x >> (log_members + log_positions) != 0;
  }
};

GPUOS_INLINE unsigned log_at_least(unsigned long long x) {
  return x <= 1 ? 0 : x > 1u << 30 ? 31 : 32 - __clz((unsigned)x - 1);
}
GPUOS_INLINE unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }
GPUOS_INLINE unsigned greatest(unsigned a, unsigned b) { return a > b ? a : b; }
GPUOS_INLINE unsigned surplus(unsigned a, unsigned b) { return a > b ? a - b : 0; }

// Whether the elements of one kept position lie closer together than those of neighbouring ones.
template <class Kinds> GPUOS_INLINE bool reduced_side_by_side(const gpuos_space* space) {
  unsigned kept = space->rank - space->reduced;
  if (kept == 0 || space->reduced == 0) {
    return true;
  }
  long long along = 0;
  long long between = 0;
  Kinds::each([&](auto kind, auto index) {
    if constexpr (decltype(kind)::input) {
      constexpr int K = decltype(index)::value;
      along += minimum(abs(space->stride[K][space->rank - 1]), 32ll);
      between += minimum(abs(space->stride[K][kept - 1]), 32ll);
    }
  });
  return along <= between;
}

// `groups`: groups of elements per kept position; a thread loads 1 << log_batch of them at once.
template <class State>
GPUOS_INLINE Teams share_out(bool adjacent, unsigned count, unsigned long long groups,
                             unsigned log_batch) {
  const unsigned threads = 31 - __clz(blockDim.x);
  const unsigned wanted = surplus(log_at_least(groups), log_batch);  // one batch a thread
  const unsigned spare = surplus(threads, log_at_least(count));
  if (adjacent) {
    // Up to a warp where a batch a thread needs it or threads would idle; more only for both.
    unsigned members = greatest(least(wanted, 5), least(least(spare, log_at_least(groups)), 5));
    members = greatest(members, least(spare, wanted));
    members = least(members, threads);
    return {true, members, threads - members};
  }
  if ((sizeof(State) << threads) > GPUOS_SCRATCH_BYTES - SPACE_BYTES) {
    return {false, 0, threads};
  }
  const unsigned members = least(spare, wanted);
  return {false, members, threads - members};
}

// Merges the states of each team into its first member's. Called by all threads of the block; teams
// that do not lie within a warp meet at barriers.
template <class Reducer>
GPUOS_INLINE void merge_team(typename Reducer::State& state, const Teams& teams, char* scratch) {
  typename Reducer::State* states = (typename Reducer::State*)scratch;
  const unsigned members = 1u << teams.log_members;
  if (teams.adjacent) {
    for (unsigned mask = least(members, 32) / 2; mask > 0; mask /= 2) {
      Reducer::merge(state, Reducer::across(state, mask));
    }
    if (members > 32) {
      const unsigned warp = threadIdx.x / 32;
      if (threadIdx.x % 32 == 0) {
        states[warp] = state;
      }
      __syncthreads();
      if (teams.member() == 0) {
        for (unsigned other = 1; other < members / 32; other++) {
          Reducer::merge(state, states[warp + other]);
        }
      }
      __syncthreads();  // before the next round writes
    }
  } else if (members > 1) {
    const unsigned member = teams.member();
    for (unsigned half = members / 2; half > 0; half /= 2) {
      if (member >= half && member < 2 * half) {
        states[threadIdx.x] = state;
      }
      __syncthreads();
      if (member < half) {
        Reducer::merge(state, states[threadIdx.x + (half << teams.log_positions)]);
      }
    }
    __syncthreads();  // before the next round writes
  }
}

// ---- The operator.

// Folds one kept position's elements, as one member of its team: row by row, a row being the
// elements along the innermost reduced dimension. A row of as many elements as the team has members
// is shared by all of them; shorter ones go to a part of the team each. `site` is where the
// position's first element lies.
template <class Body>
GPUOS_INLINE void fold_rows(typename Body::reducer::State& state,
                            const Scattered<typename Body::operands>& site,
                            const gpuos_space* space, const Teams& teams) {
  using Kinds = typename Body::operands;
  constexpr int V = 16 / Kinds::widest(false);
  const unsigned kept = space->rank - space->reduced;
  const unsigned inner = space->rank - 1;
  const long long length = space->size[inner];
  long long rows = 1;
#pragma unroll 1
  for (unsigned dim = kept; dim < inner; dim++) {
    rows *= space->size[dim];
  }
  const unsigned log_sharers =
      rows == 1 ? teams.log_members : least(teams.log_members, log_at_least(length / V));
  const unsigned sharers = 1u << log_sharers;
  const unsigned sharer = teams.member() & (sharers - 1);

#pragma unroll 1
  for (long long row = teams.member() >> log_sharers; row < rows;
       row += 1u << (teams.log_members - log_sharers)) {
    Scattered<Kinds> start = site;
    advance<1, false>(start, space, kept, inner, (unsigned long long)row);
    bool grouped = teams.adjacent;
    Kinds::each([&](auto kind, auto operand) {
      constexpr int K = decltype(operand)::value;
      using Kind = decltype(kind);
      if constexpr (Kind::input) {
        const long long stride = space->stride[K][inner];
        start.packed |= stride == 1 ? 1u << K : 0;
        grouped &= stride == 0 ||
                   (stride == 1 && (start.at[K] & (Kind::tag::bytes * V - 1)) == 0);
      }
    });
#pragma unroll 1
    for (long long from = 0; from < length; from += SHORT_ROW) {
      const unsigned here = (unsigned)minimum(length - from, SHORT_ROW);
      unsigned done = 0;
      if (grouped) {
        fold_row<Body, V>(state, start, space, sharer, here / V, sharers, row * length + from);
        done = here / V * V;
      }
      fold_row<Body, 1>(state, start, space, done + sharer, here, sharers, row * length + from);
      Kinds::each([&](auto kind, auto operand) {
        constexpr int K = decltype(operand)::value;
        if constexpr (decltype(kind)::input) {
          start.at[K] += SHORT_ROW * (address)space->stride[K][inner] * decltype(kind)::tag::bytes;
        }
      });
    }
  }
}

// Positions of any sort.
GPUOS_APART template <class Body>
GPUOS_OUTLINE void reduce_any(const gpuos_task* given, const gpuos_space* staged, char* memory) {
  using Kinds = typename Body::operands;
  using Reducer = typename Body::reducer;
  constexpr int V = 16 / Kinds::widest(false);
  constexpr int OUT = Kinds::COUNT - 1;
  using Result = typename Kinds::template kind<OUT>::tag;
  const gpuos_task* task = in_shared(given);
  const gpuos_space* space = in_shared(staged);
  char* scratch = in_shared(memory);
  const Words<Kinds> words(task);
  const unsigned kept = space->rank - space->reduced;
  const unsigned count = task->count;
  const unsigned long long first = task->first;  // in single positions, for a reduction
  long long n = 1;
#pragma unroll 1
  for (unsigned dim = kept; dim < space->rank; dim++) {
    n *= space->size[dim];
  }
  const bool adjacent = reduced_side_by_side<Kinds>(space);
  const Teams teams = share_out<typename Reducer::State>(
      adjacent, count, adjacent ? n / V : n, adjacent ? log_batch<Body, V>() : log_batch<Body, 1>());

#pragma unroll 1
  for (unsigned round = 0; round < count; round += 1u << teams.log_positions) {
    typename Reducer::State state = Reducer::identity();
    const unsigned mine = round + teams.position();
    const bool working = !teams.idle() && mine < count;
    Scattered<Kinds> site{&words, 0, {}};
    if (working) {
      Kinds::each([&](auto, auto operand) {
        constexpr int K = decltype(operand)::value;
        site.at[K] = words.of[K];
      });
      advance<1, true>(site, space, 0, kept, first + mine);
      if (space->reduced > 0) {
        fold_rows<Body>(state, site, space, teams);
      } else if (teams.member() == 0) {
        Group<Body, 1> group;
        group.load(site);
        fold_group(state, group, 0);
      }
    }
    merge_team<Reducer>(state, teams, scratch);
    if (working && teams.member() == 0) {
      Lanes<Result, 1> lanes;
      lanes.put(0, Result::encode(convert<Result>(Reducer::finish(state, n))));
      site.template store<OUT>(lanes);
    }
  }
}

// Whether the elements of every position are one row of whole groups of V, all aligned. The inputs
// whose elements lie side by side, and are not one and the same, go into `packed`, bit by bit.
template <class Body, int V>
GPUOS_INLINE bool in_whole_rows(const Words<typename Body::operands>& words,
                                const gpuos_space* space, unsigned& packed) {
  using Kinds = typename Body::operands;
  const unsigned inner = space->rank - 1;
  if (space->reduced != 1 || space->size[inner] % V != 0 || space->size[inner] >= SHORT_ROW) {
    return false;
  }
  bool possible = true;
  Kinds::each([&](auto kind, auto index) {
    constexpr int K = decltype(index)::value;
    using Kind = decltype(kind);
    if constexpr (Kind::input) {
      const long long stride = space->stride[K][inner];
      if (stride == 1) {
        address odd = words.of[K] & (Kind::tag::bytes * V - 1);
#pragma unroll 1
        for (unsigned dim = 0; dim < inner; dim++) {
          odd |= (address)space->stride[K][dim] & (V - 1);
        }
        possible &= odd == 0;
        packed |= 1u << K;
      } else {
        possible &= stride == 0;
      }
    }
  });
  return possible;
}

// The same for positions in whole rows, which leave more registers.
template <class Body, int V> GPUOS_CONSTEXPR int log_batch_of_row() {
  return Body::weight > 4 ? log_batch<Body, V>() : log_batch<Body, V, 32>();
}

// Positions in whole rows of groups, which most are, by themselves: with what the other sorts need
// to know in registers as well, some would be kept in memory.
GPUOS_APART template <class Body>
GPUOS_OUTLINE void reduce_whole_rows(const gpuos_task* given, const gpuos_space* staged, char* memory,
                                     unsigned packed) {
  using Kinds = typename Body::operands;
  using Reducer = typename Body::reducer;
  constexpr int V = 16 / Kinds::widest(false);
  constexpr int U = 1 << log_batch_of_row<Body, V>();
  constexpr int OUT = Kinds::COUNT - 1;
  using Result = typename Kinds::template kind<OUT>::tag;
  const gpuos_task* task = in_shared(given);
  const gpuos_space* space = in_shared(staged);
  const unsigned kept = space->rank - 1;
  const unsigned count = task->count;
  const unsigned groups = (unsigned)space->size[kept] / V;
  const Teams teams =
      share_out<typename Reducer::State>(true, count, groups, log_batch_of_row<Body, V>());
  const unsigned member = teams.member();
  const unsigned step = 1u << teams.log_members;
#pragma unroll 1
  for (unsigned round = 0; round < count; round += 1u << teams.log_positions) {
    forget();
    const Words<Kinds> words(task);
    Scattered<Kinds> site{&words, packed, {}};
    typename Reducer::State state = Reducer::identity();
    const unsigned mine = round + teams.position();
    if (mine < count) {
      Kinds::each([&](auto, auto operand) {
        constexpr int K = decltype(operand)::value;
        site.at[K] = words.of[K];
      });
      advance<1, true>(site, space, 0, kept, (unsigned long long)task->first + mine);
      unsigned index = member;
      Kinds::each([&](auto kind, auto operand) {
        constexpr int K = decltype(operand)::value;
        if constexpr (decltype(kind)::input) {
          site.at[K] += (packed >> K & 1) * index * (decltype(kind)::tag::bytes * V);
        }
      });
#pragma unroll 1
      for (; index < groups; index += step * U) {
        Group<Body, V> held[U];
#pragma unroll
        for (int u = 0; u < U; u++) {
          if (index + u * step < groups) {
            held[u].load(site);
          }
          Kinds::each([&](auto kind, auto operand) {
            constexpr int K = decltype(operand)::value;
            if constexpr (decltype(kind)::input) {
              site.at[K] += (packed >> K & 1) * step * (decltype(kind)::tag::bytes * V);
            }
          });
        }
#pragma unroll
        for (int u = 0; u < U; u++) {
          if (index + u * step < groups) {
            fold_group(state, held[u], (long long)(index + u * step) * V);
          }
        }
      }
    }
    merge_team<Reducer>(state, teams, memory);
    if (mine < count && member == 0) {
      Lanes<Result, 1> lanes;
      const long long n = space->size[kept];
      lanes.put(0, Result::encode(convert<Result>(Reducer::finish(state, n))));
      site.template store<OUT>(lanes);
    }
  }
}

// Called by all threads of a block.
template <class Body>
GPUOS_INLINE void reduce(const gpuos_task* given, const gpuos_space* global, char* memory) {
  using Kinds = typename Body::operands;
  constexpr int V = 16 / Kinds::widest(false);
  const gpuos_space* space = stage<Kinds>(global, in_shared(memory));
  unsigned packed = 0;
  if (V > 1 && reduced_side_by_side<Kinds>(space) &&
      in_whole_rows<Body, V>(Words<Kinds>(in_shared(given)), space, packed)) {
    reduce_whole_rows<Body>(given, space, memory + SPACE_BYTES, packed);
  } else {
    reduce_any<Body>(given, space, memory + SPACE_BYTES);
  }
}

}  // namespace gpuos
