// Rows: several folds over the reduced dimensions, one after the other, and what follows from them.
// A row is all elements of one kept position.
//
// A body is a struct with
//
//   elements         a struct whose `operands` are those with an element per element of a row, in the
//                    order of the task record; a Scalar stands in the places of the others
//   per_row          the same for those with one element a row
//   row              a struct of the values that are one a row
//   phases           gpuos::Phases of the folds, in order
//   weight           about the instructions that an element takes, all phases together
//   writes_elements  whether apply() writes anything
//   writes_rows      whether end() does
//   begin(e, row)    static; computes what depends on no fold, from operands of per_row
//   apply(e, row)    static; writes the outputs of elements, from their operands
//   end(e, row)      static; writes the outputs of per_row
//
// and a phase is a struct with
//
//   reducer          one of those of gpuos_reduce.cuh
//   result           type tag of the folded result
//   value(e, row)    static; the element to fold
//   keep(row, x)     static; takes the result in, and computes what depends on it
//
// A *team* of threads has one row. Members hold the row's elements in registers from the first phase
// to the last if all of them fit there, and otherwise load them again in each phase, in groups that
// fill 16 bytes where elements lie side by side.
//
// The order of folding depends on shapes and strides only, so a result is the same on every run,
// however the rows are cut into tiles. Nothing of a row is written before all of it has been folded,
// and each element is written by the thread that read it: so an output may be the very same elements
// as an input.
#pragma once

#include "gpuos_elementwise.cuh"
#include "gpuos_reduce.cuh"

namespace gpuos {

template <class... P> struct Phases {
  // Bytes of the largest state, or of a result.
  GPUOS_CONSTEXPR unsigned state_bytes() {
    unsigned bytes = 8;
    ((bytes = sizeof(typename P::reducer::State) > bytes ? sizeof(typename P::reducer::State)
                                                         : bytes),
     ...);
    return bytes;
  }

  // Calls f(phase, index) for each.
  template <class F> GPUOS_INLINE void each(F&& f) { each_from<0, P...>(f); }

 private:
  template <int K, class First, class... Rest, class F> GPUOS_INLINE void each_from(F&& f) {
    f(First{}, Index<K>{});
    if constexpr (sizeof...(Rest) > 0) {
      each_from<K + 1, Rest...>(f);
    }
  }
};

// Groups of V elements that a member holds at once, as a power of two. Two of them hide latencies;
// more would hold longer rows by fewer threads, and take the compiler as much longer.
template <class Body, int V> GPUOS_CONSTEXPR int log_held() {
  int groups = 16 / Body::elements::operands::input_words(V);
  int by_code = 512 / (V * Body::weight);
  return groups < 2 || by_code < 2 ? 0 : 1;
}

// Whether the code for an element is repeated for each element of a group of V.
template <class Body, int V> GPUOS_CONSTEXPR bool unrolled() {
  return V == 1 || Body::weight <= 128;
}

// Folds the values of a group, whose elements start at place `first` of the row.
template <class Body, class Phase, int V>
GPUOS_INLINE void fold_held(typename Phase::reducer::State& state,
                            Group<typename Body::elements, V>& group,
                            const typename Body::row& row, long long first) {
  using Reducer = typename Phase::reducer;
  using Elements = typename Body::elements;
  using Value = decltype(Phase::value(Element<Elements, V>{group, 0, 0}, row));
  if constexpr (unrolled<Body, V>()) {
    constexpr int PART = V * sizeof(Value) <= 32 ? V : 32 / sizeof(Value);  // 8 registers of values
#pragma unroll
    for (int start = 0; start < V; start += PART) {
      Value x[PART];
#pragma unroll
      for (int lane = 0; lane < PART; lane++) {
        x[lane] = Phase::value(Element<Elements, V>{group, start + lane, start + lane}, row);
      }
      Reducer::fold(state, x, first + start);
    }
  } else {
    Group<Elements, V> turning = group;  // which leaves the group for the next phase
#pragma unroll 1
    for (int lane = 0; lane < V; lane++) {
      Value x[1] = {Phase::value(Element<Elements, V>{turning, 0, 0}, row)};
      Reducer::fold(state, x, first + lane);
      turning.template turn<false>();
    }
  }
}

// Computes the outputs of a group, in the last phase that needs it.
template <class Body, int V>
GPUOS_INLINE void apply_held(Group<typename Body::elements, V>& group,
                             const typename Body::row& row) {
  using Elements = typename Body::elements;
  if constexpr (unrolled<Body, V>()) {
#pragma unroll
    for (int lane = 0; lane < V; lane++) {
      Body::apply(Element<Elements, V>{group, lane, lane}, row);
    }
  } else {
#pragma unroll 1
    for (int lane = 0; lane < V; lane++) {
      group.template turn<true>();
      Body::apply(Element<Elements, V>{group, 0, V - 1}, row);
      group.template turn<false>();
    }
  }
}

// How the threads of a block are shared out over rows of `groups` groups, by the space alone.
// Members of a team lie within a warp, or are whole warps; as many as it takes to hold a row.
template <class Body, int V>
GPUOS_INLINE Teams row_teams(bool adjacent, unsigned long long groups, unsigned long long rows) {
  const unsigned threads = 31 - __clz(blockDim.x);
  const unsigned wanted = surplus(log_at_least(groups), log_held<Body, V>());
  if (adjacent) {
    // More than that, up to a warp, where threads would idle.
    const unsigned spare = least(surplus(threads, log_at_least(rows)), 5);
    const unsigned members = least(threads, greatest(wanted, least(spare, log_at_least(groups))));
    return {true, members, threads - members};
  }
  if ((Body::phases::state_bytes() << threads) > GPUOS_SCRATCH_BYTES - SPACE_BYTES) {
    return {false, 0, threads};
  }
  const unsigned members = least(wanted, threads - least(5, log_at_least(rows)));
  return {false, members, threads - members};
}

// The result of a team's first member, for all its members. Called by all threads of the block.
template <class T> GPUOS_INLINE T share(T result, const Teams& teams, char* scratch) {
  if (teams.log_members == 0) {
    return result;
  }
  if (teams.adjacent && teams.log_members <= 5) {
    return __shfl_sync(ALL_LANES, result, (threadIdx.x & 31) & ~((1u << teams.log_members) - 1));
  }
  T* results = (T*)scratch;
  if (teams.member() == 0) {
    results[teams.position()] = result;
  }
  __syncthreads();
  result = results[teams.position()];
  __syncthreads();  // before the next phase writes
  return result;
}

// All rows of a tile, in groups of V.
GPUOS_APART template <class Body, int V>
GPUOS_OUTLINE void rows_in_groups(const gpuos_task* given, const gpuos_space* staged,
                                  unsigned packed, char* memory) {
  using Elements = typename Body::elements;
  using Kinds = typename Elements::operands;
  using PerRow = typename Body::per_row;
  constexpr int U = 1 << log_held<Body, V>();
  const gpuos_task* task = in_shared(given);
  const gpuos_space* space = in_shared(staged);
  char* scratch = in_shared(memory);
  const Words<Kinds> words(task);
  const Words<typename PerRow::operands> row_words(task);
  const unsigned kept = space->rank - space->reduced;
  const unsigned count = task->count;
  const unsigned long long first = task->first;  // in single positions
  long long n = 1;
#pragma unroll 1
  for (unsigned dim = kept; dim < space->rank; dim++) {
    n *= space->size[dim];
  }
  unsigned long long rows = 1;
#pragma unroll 1
  for (unsigned dim = 0; dim < kept && rows < 32; dim++) {
    rows *= space->size[dim];
  }
  const long long groups = n / V;
  const Teams teams =
      row_teams<Body, V>(V > 1 || reduced_side_by_side<Kinds>(space), groups, rows);
  const unsigned member = teams.member();
  const long long step = (long long)U << teams.log_members;

#pragma unroll 1
  for (unsigned round = 0; round < count; round += 1u << teams.log_positions) {
    const unsigned mine = round + teams.position();
    const bool working = !teams.idle() && mine < count;
    const long long end = working ? groups : 0;
    typename Body::row row{};
    Scattered<typename PerRow::operands> row_site{&row_words, 0, {}};
    Scattered<Kinds> origin{&words, packed, {}};
    if (working) {
      PerRow::operands::each([&](auto, auto operand) {
        constexpr int K = decltype(operand)::value;
        row_site.at[K] = row_words.of[K];
        origin.at[K] = words.of[K];
      });
      advance<1, true>(origin, space, 0, kept, first + mine);
      advance<1, true>(row_site, space, 0, kept, first + mine);
      Group<PerRow, 1> group;
      group.load(row_site);
      Body::begin(Element<PerRow, 1>{group, 0, 0}, row);
    }
    Group<Elements, V> held[U];
    auto site_of = [&](long long index) {
      Scattered<Kinds> site = origin;
      advance<V, true>(site, space, kept, space->rank, (unsigned long long)index);
      return site;
    };
    auto load = [&](long long base) {
#pragma unroll
      for (int u = 0; u < U; u++) {
        const long long index = base + ((long long)u << teams.log_members) + member;
        if (index < end) {
          held[u].load(site_of(index));
        }
      }
    };
    Body::phases::each([&](auto phase, auto number) {
      using Phase = decltype(phase);
      using Reducer = typename Phase::reducer;
      typename Reducer::State state = Reducer::identity();
#pragma unroll 1
      for (long long base = 0; base < end; base += step) {
        if (decltype(number)::value == 0 || groups > step) {
          load(base);
        }
#pragma unroll
        for (int u = 0; u < U; u++) {
          const long long index = base + ((long long)u << teams.log_members) + member;
          if (index < end) {
            fold_held<Body, Phase, V>(state, held[u], row, index * V);
          }
        }
      }
      merge_team<Reducer>(state, teams, scratch);
      typename Phase::result::value result =
          convert<typename Phase::result>(Reducer::finish(state, n));
      Phase::keep(row, share(result, teams, scratch));
    });
    if constexpr (Body::writes_elements) {
#pragma unroll 1
      for (long long base = 0; base < end; base += step) {
        if (groups > step) {
          load(base);
        }
#pragma unroll
        for (int u = 0; u < U; u++) {
          const long long index = base + ((long long)u << teams.log_members) + member;
          if (index < end) {
            apply_held<Body, V>(held[u], row);
            held[u].store(site_of(index));
          }
        }
      }
    }
    if constexpr (Body::writes_rows) {
      if (working && member == 0) {
        Group<PerRow, 1> group;
        group.load(row_site);
        Body::end(Element<PerRow, 1>{group, 0, 0}, row);
        group.store(row_site);
      }
    }
  }
}

// The operator: called by all threads of the block.
template <class Body>
GPUOS_INLINE void rows(const gpuos_task* given, const gpuos_space* global, char* memory) {
  const gpuos_task* task = in_shared(given);
  char* scratch = in_shared(memory);
  using Kinds = typename Body::elements::operands;
  constexpr int WIDEST = 16 / Kinds::widest(true);
  constexpr int V = WIDEST > 8 ? 8 : WIDEST;
  const gpuos_space* space = stage<Kinds>(global, scratch);
  unsigned packed = 0;
  if (reduced_side_by_side<Kinds>(space) &&
      in_groups<Kinds, V>(Words<Kinds>(task), space, packed)) {
    rows_in_groups<Body, V>(task, space, packed, scratch + SPACE_BYTES);
  } else {
    rows_in_groups<Body, 1>(task, space, 0, scratch + SPACE_BYTES);
  }
}

}  // namespace gpuos
