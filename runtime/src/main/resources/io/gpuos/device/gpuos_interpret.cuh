// Interprets elementwise kernels: the operations are compiled, which of them run is data.
//
// What a generated operator would compute is computed by the same functions and conversions, each
// rounded by itself, so the results are the same bits.
//
// A thread takes up to LANES positions at a time, a block apart, and runs the whole program over
// them: each instruction finds its operation by a tree of comparisons and does all lanes. All lanes
// are loaded before anything is stored, and a thread reads only positions that it writes itself, so
// an output may be the very same elements as an input.
//
// The tree is of `if`s, and ends in calls by name. A switch may become a jump through a table in a
// constant bank, which belongs to the kernel launched; calls through pointers would hide from the
// loader how deep the stack gets.
#pragma once

#include "gpuos_cells.cuh"
#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"
#include "gpuos_operations.cuh"

namespace gpuos {

// All that one thread knows, in its local memory, where every operation finds it.
struct Thread {
  Cell cells[GPUOS_CELLS];
  const gpuos_task* task;
  const gpuos_space* space;  // null: linear
  unsigned long long first;  // position of the space at which the tile starts
  unsigned position;         // of lane 0 in the tile; lane k is k blocks further
  unsigned lanes;            // that have a position, from lane 0 on
};

// ---- Functions and conversions.

// The cells an instruction names: 0 for the result, 1 to 3 for arguments.
template <int K> GPUOS_INLINE unsigned cell_of(const gpuos_instruction& it) {
  return it.cells >> 8 * K & 0xff;
}

template <class Function, class R, class... A>
GPUOS_INLINE void compute(Cells cells, unsigned result, const Values<A>&... arguments) {
  Values<R> results;
#pragma unroll
  for (unsigned lane = 0; lane < LANES; lane++) {
    results.set(lane, Function::call(arguments.get(lane)...));
  }
  cells.write(result, results);
}

// Types of a function, with the number of each argument.
template <class T, int K> struct Argument {
  using type = T;
  static constexpr int number = K;
};
template <class R, class... As> struct Signature {
  template <class Function> GPUOS_INLINE void all_lanes(Thread* me, const gpuos_instruction& it) {
    const Cells cells{me->cells};
    compute<Function, R, typename As::type...>(
        cells, cell_of<0>(it), cells.read<typename As::type>(cell_of<As::number>(it))...);
  }

  // One copy of the code for all lanes, and no work for lanes without a position. In front of a
  // lane's result its arguments have been read, so they may share cells if they are of one size.
  template <class Function> GPUOS_INLINE void lane_by_lane(Thread* me, const gpuos_instruction& it) {
    const Cells cells{me->cells};
    const unsigned lanes = me->lanes;
#pragma unroll 1
    for (unsigned lane = 0; lane < lanes; lane++) {
      cells.set<R>(cell_of<0>(it), lane,
                   Function::call(cells.get<typename As::type>(cell_of<As::number>(it), lane)...));
    }
  }
};
template <class R, class... A> struct SignatureOf;
template <class R, class A> struct SignatureOf<R, A> {
  using type = Signature<R, Argument<A, 1>>;
};
template <class R, class A, class B> struct SignatureOf<R, A, B> {
  using type = Signature<R, Argument<A, 1>, Argument<B, 2>>;
};
template <class R, class A, class B, class C> struct SignatureOf<R, A, B, C> {
  using type = Signature<R, Argument<A, 1>, Argument<B, 2>, Argument<C, 3>>;
};

template <class Function> GPUOS_OUTLINE void run_heavy(local_address thread, unsigned cells) {
  Function::signature::template lane_by_lane<Function>(from_local<Thread>(thread),
                                                       gpuos_instruction{0, cells, 0});
}

// ---- Loads and stores.

struct Sites {
  address of[LANES];
};

// Elements from an operand's first to its element at position `p` of the space.
GPUOS_INLINE address elements_to(const gpuos_space* space, unsigned operand, unsigned long long p) {
  address elements = 0;
#pragma unroll 1
  for (unsigned dim = space->rank; dim-- > 0;) {
    unsigned long long digit = p;
    if (dim > 0) {
      const unsigned long long size = (unsigned long long)space->size[dim];
      p = divide(p, size);
      digit -= p * size;
    }
    elements += digit * (address)space->stride[operand][dim];
  }
  return elements;
}

// Where an operand's elements lie. A lane without a position gets any address.
GPUOS_OUTLINE Sites sites_of(local_address thread, unsigned operand, unsigned bytes) {
  const Thread* me = from_local<Thread>(thread);
  const address base = gpuos_operand_at(me->task, operand);
  const unsigned lanes = me->lanes;
  const gpuos_space* space = me->space;
  Sites sites;
  if (space == nullptr) {
#pragma unroll
    for (unsigned lane = 0; lane < LANES; lane++) {
      sites.of[lane] = base + (address)(me->position + lane * blockDim.x) * bytes;
    }
    return sites;
  }
#pragma unroll
  for (unsigned lane = 0; lane < LANES; lane++) {
    sites.of[lane] = base;
  }
  unsigned long long p = me->first + me->position;
#pragma unroll 1
  for (unsigned lane = 0; lane < LANES; lane++) {
    // Registers have no numbers at run time: the addresses move past the place of the last one.
#pragma unroll
    for (unsigned k = 0; k + 1 < LANES; k++) {
      sites.of[k] = sites.of[k + 1];
    }
    if (lane < lanes) {
      sites.of[LANES - 1] = base + elements_to(space, operand, p) * bytes;
    }
    p += blockDim.x;
  }
  return sites;
}

template <class Tag> GPUOS_INLINE void load(Thread* me, const gpuos_instruction& it) {
  const Sites sites = sites_of(to_local(me), (unsigned)it.immediate, Tag::bytes);
  const unsigned lanes = me->lanes;
  Lanes<Tag, 1> raw[LANES];
#pragma unroll
  for (unsigned lane = 0; lane < LANES; lane++) {
    raw[lane].clear();
    if (lane < lanes) {
      Memory<Tag::bytes>::load(sites.of[lane], raw[lane].w);
    }
  }
  Values<typename Tag::value> values;
#pragma unroll
  for (unsigned lane = 0; lane < LANES; lane++) {
    values.set(lane, Tag::decode(raw[lane].bits(0)));
  }
  Cells{me->cells}.write(cell_of<0>(it), values);
}

template <class Tag> GPUOS_INLINE void store(Thread* me, const gpuos_instruction& it) {
  using T = typename Tag::value;
  const Sites sites = sites_of(to_local(me), (unsigned)it.immediate, Tag::bytes);
  const unsigned lanes = me->lanes;
  const Values<T> values = Cells{me->cells}.read<T>(cell_of<1>(it));
#pragma unroll
  for (unsigned lane = 0; lane < LANES; lane++) {
    Lanes<Tag, 1> raw;
    raw.put(0, Tag::encode(values.get(lane)));
    if (lane < lanes) {
      Memory<Tag::bytes>::store(sites.of[lane], raw.w);
    }
  }
}

template <class T> GPUOS_INLINE void fill(Thread* me, const gpuos_instruction& it, T x) {
  Values<T> values;
#pragma unroll
  for (unsigned lane = 0; lane < LANES; lane++) {
    values.set(lane, x);
  }
  Cells{me->cells}.write(cell_of<0>(it), values);
}

// ---- All operations, by number.

template <int NUMBER> struct Operation;

#define GPUOS_FUNCTION(number, heavy, name, ...)                                          \
  template <> struct Operation<number> {                                                  \
    using signature = typename SignatureOf<__VA_ARGS__>::type;                            \
    template <class... A> GPUOS_INLINE auto call(A... a) { return gpuos::name(a...); }    \
    GPUOS_INLINE void run(Thread* me, const gpuos_instruction& it) {                      \
      if constexpr (heavy) {                                                              \
        run_heavy<Operation>(to_local(me), it.cells);                                     \
      } else {                                                                            \
        signature::template all_lanes<Operation>(me, it);                                 \
      }                                                                                   \
    }                                                                                     \
  };
#define GPUOS_MOVE(number, statement)                                                     \
  template <> struct Operation<number> {                                                  \
    GPUOS_INLINE void run(Thread* me, const gpuos_instruction& it) { statement; }         \
  };
#define GPUOS_LOAD(number, tag) GPUOS_MOVE(number, load<tag>(me, it))
#define GPUOS_STORE(number, tag) GPUOS_MOVE(number, store<tag>(me, it))
#define GPUOS_SCALAR(number, tag)                                                         \
  GPUOS_MOVE(number, fill(me, it, ScalarWord<tag>::decode(gpuos_operand_at(               \
                                      me->task, (unsigned)it.immediate))))
#define GPUOS_CONSTANT(number, tag)                                                       \
  GPUOS_MOVE(number, fill(me, it, tag::decode((tag::word)it.immediate)))

GPUOS_OPERATIONS(GPUOS_FUNCTION, GPUOS_LOAD, GPUOS_STORE, GPUOS_SCALAR, GPUOS_CONSTANT)

#undef GPUOS_FUNCTION
#undef GPUOS_LOAD
#undef GPUOS_STORE
#undef GPUOS_SCALAR
#undef GPUOS_CONSTANT
#undef GPUOS_MOVE

// ---- The interpreter.

// Operations in one function of the machine code. One function of all would take the compiler twice
// as long.
constexpr int GROUP = 16;

template <int LOW, int HIGH> GPUOS_INLINE void run_one_of(Thread* me, const gpuos_instruction& it) {
  if constexpr (HIGH - LOW == 1) {
    Operation<LOW>::run(me, it);
  } else {
    constexpr int MIDDLE = (LOW + HIGH) / 2;
    if (it.operation < MIDDLE) {
      run_one_of<LOW, MIDDLE>(me, it);
    } else {
      run_one_of<MIDDLE, HIGH>(me, it);
    }
  }
}

template <int LOW, int HIGH>
GPUOS_OUTLINE void run_group(local_address thread, gpuos_instruction it) {
  run_one_of<LOW, HIGH>(from_local<Thread>(thread), it);
}

template <int LOW, int HIGH>
GPUOS_INLINE void dispatch(local_address thread, const gpuos_instruction& it) {
  if constexpr (HIGH - LOW <= GROUP) {
    run_group<LOW, HIGH>(thread, it);
  } else {
    constexpr int MIDDLE = (LOW + HIGH) / 2;
    if (it.operation < MIDDLE) {
      dispatch<LOW, MIDDLE>(thread, it);
    } else {
      dispatch<MIDDLE, HIGH>(thread, it);
    }
  }
}

// Brings the instructions into scratch, behind the space: all arrive after one wait. The caller
// synchronises.
GPUOS_INLINE const gpuos_instruction* stage_program(const gpuos_interpreter_program* program,
                                                    char* scratch) {
  static_assert(SPACE_BYTES + GPUOS_MAX_INSTRUCTIONS * sizeof(gpuos_instruction) <=
                    GPUOS_SCRATCH_BYTES,
                "the longest program does not fit the scratch memory");
  const gpuos_instruction* from = (const gpuos_instruction*)(program + 1);
  gpuos_instruction* to = (gpuos_instruction*)(scratch + SPACE_BYTES);
  const unsigned count = program->instructions;
#pragma unroll 1
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
    to[i] = from[i];
  }
  return to;
}

// All operands a task can have, for stage().
struct AnyOperands {
  static constexpr int COUNT = GPUOS_MAX_OPERANDS;
};

// Computes a tile. Called by all threads of a block.
GPUOS_INLINE void interpret(const gpuos_task* task, const gpuos_space* space, char* scratch,
                            unsigned long long argument) {
  const gpuos_interpreter_program* program = (const gpuos_interpreter_program*)argument;
  const unsigned instructions = program->instructions;
  const gpuos_instruction* code = stage_program(program, scratch);
  Thread me;
  me.task = task;
  me.space = nullptr;
  me.first = 0;
  if ((task->flags & GPUOS_FLAG_LINEAR) == 0) {
    me.space = stage<AnyOperands>(space, scratch);
    me.first = task->first * GPUOS_POSITIONS_PER_FIRST;
  }
  __syncthreads();
  const unsigned count = task->count;
#pragma unroll 1
  for (unsigned position = threadIdx.x; position < count; position += LANES * blockDim.x) {
    const unsigned lanes = (count - position + blockDim.x - 1) / blockDim.x;
    me.position = position;
    me.lanes = lanes < LANES ? lanes : LANES;
#pragma unroll 1
    for (unsigned at = 0; at < instructions; at++) {
      dispatch<0, GPUOS_OPERATION_COUNT>(to_local(&me), code[at]);
    }
  }
}

}  // namespace gpuos
