// Scaled dot-product attention: a task computes a run of units, each of up to 8 queries.
//
// A body is a struct with
//
//   operands   a gpuos::Operands list in the order of the task record: query, key, value, the mask
//              if there is one, inputs of what is computed of the result, last the Output
//   masked     whether operand 3 is a mask: of type BOOL, or one that is added
//   causal     whether query i sees keys 0 to i only
//   scale()    static; what products of queries and keys are multiplied with
//   apply(e)   static; as that of a matrix product: get<0>(e) is an element of the result
//
// The space has two reduced dimensions, keys and depth, and its last two kept ones are queries and
// columns. A warp has one query at a time. Where a unit has fewer queries than the block has warps,
// several warps share the keys of one, and are put together through scratch memory: with a single
// query, as in decoding, all eight. The running maximum and sum of the softmax are kept in float,
// and what was summed so far is scaled down when the maximum rises.
//
// There are two ways, by sizes, strides and alignment: gpuos_attention_runs.cuh, and for everything
// gpuos_query.cuh. The order of sums follows from these alone, so a result is the same on every run.
#pragma once

#include "gpuos_attention_runs.cuh"
#include "gpuos_query.cuh"

namespace gpuos {

// Ways to compute a unit, by their names.
struct Singly {
  template <class Body, int FACTORS>
  GPUOS_INLINE void run(const Block<Body, FACTORS>& block, unsigned long long first,
                        float* shared) {
    attend(block, first, shared);
  }
};
struct InRuns {
  template <class Body, int FACTORS>
  GPUOS_INLINE void run(const Block<Body, FACTORS>& block, unsigned long long first,
                        float* shared) {
    attend_in_runs<Body>(block, first, shared);
  }
};

// All units of a task.
GPUOS_APART template <class Body, class Way>
GPUOS_OUTLINE void attend_units(const gpuos_task* given, const gpuos_space* staged, char* memory) {
  using Kinds = typename Body::operands;
  const gpuos_task* task = in_shared(given);
  const gpuos_space* space = in_shared(staged);
  float* shared = (float*)in_shared(memory);
#pragma unroll 1
  for (unsigned i = 0; i < task->count; i++) {
    forget();
    const Words<Kinds> words(task);
    const unsigned kept = space->rank - 2;
    const unsigned long long rows = space->size[kept - 2];
    const unsigned long long columns = space->size[kept - 1];
    const unsigned long long down = (rows + UNIT_ROWS - 1) / UNIT_ROWS;
    const unsigned long long number = (unsigned long long)task->first + i;  // of the unit
    const unsigned long long batch = divide(number, down);
    const unsigned long long row = (number - batch * down) * UNIT_ROWS;
    Block<Body, Query<Body>::FACTORS> block{
        space, {&words, 0, {}}, kept, 1, 1, (unsigned long long)space->size[kept + 1]};
    block.rows = smaller(rows - row, UNIT_ROWS);
    block.columns = (unsigned)columns;
    Kinds::each([&](auto kind, auto operand) {
      constexpr int K = decltype(operand)::value;
      using Kind = decltype(kind);
      block.site.at[K] = words.of[K];
      if constexpr (Kind::input || Kind::output) {
        block.site.at[K] += row * (address)space->stride[K][kept - 2] * Kind::tag::bytes;
      }
    });
    if (batch > 0) {
      advance<1, true>(block.site, space, 0, kept - 2, batch);
    }
    Way::run(block, row, shared);
  }
}

// Called by all threads of a block.
template <class Body>
GPUOS_INLINE void attention(const gpuos_task* given, const gpuos_space* global, char* memory) {
  using Kinds = typename Body::operands;
  const gpuos_space* space = stage<Kinds>(global, in_shared(memory));
  if (in_attention_runs<Body>(Words<Kinds>(in_shared(given)), space)) {
    attend_units<Body, InRuns>(given, space, memory + SPACE_BYTES);
  } else {
    attend_units<Body, Singly>(given, space, memory + SPACE_BYTES);
  }
}

}  // namespace gpuos
