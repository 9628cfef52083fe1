// Rendered from io.gpuos.abi; do not edit. Every word: unit, writer -> reader, order.
#pragma once

#define GPUOS_MAGIC 0x4750554f53303031ull
#define GPUOS_ABI_VERSION 5u
#define GPUOS_SCRATCH_BYTES 8192
#define GPUOS_FLAG_LINEAR 1u
#define GPUOS_FLAG_SEGMENT 2u
#define GPUOS_SECTORS_SHIFT 28
#define GPUOS_POSITIONS_PER_FIRST 256ull
#define GPUOS_SPACES_PER_PAGE 256u
#define GPUOS_MAX_WORKERS 2048u
#define GPUOS_MAX_OPERANDS 10
#define GPUOS_NEAR_BINDINGS 54
#define GPUOS_WIDE_BINDINGS 502
#define GPUOS_SEGMENT_TIMES 5
#define GPUOS_NODE_TIMES 2
#define GPUOS_LANES 4u
#define GPUOS_CELLS 32u
#define GPUOS_MAX_INSTRUCTIONS 467u
#ifdef __CUDACC_RTC__
#define GPUOS_OFFSET(type, member) __INTADDR__(&(((type*)0)->member))
#else
#define GPUOS_OFFSET(type, member) __builtin_offsetof(type, member)
#endif

// One task, or one tile of a task. Written by the submitting thread, read by one worker.
struct alignas(128) gpuos_task {
  unsigned long long sequence;  // sequence; host -> device, release/acquire: written last: publishes the record
  unsigned int logical_operator;  // index; host -> device, plain, covered by the stamp: what to run; 0 does nothing
  unsigned int space;  // index; host -> device, plain, covered by the stamp: interned iteration space; unused when linear
  unsigned int count;  // positions; host -> device, plain, covered by the stamp: positions in this tile
  unsigned int flags;  // bits; host -> device, plain, covered by the stamp: GPUOS_FLAG_*; bits 28..29: sectors in use after the first
  unsigned long long operand0;  // address or bits; host -> device, plain, covered by the stamp: operand 0
  unsigned int stamp1;  // sequence; host -> device, plain, covered by the stamp: low half of the sequence
  unsigned int after0;  // distances; host -> device, plain, covered by the stamp: first range of tasks to wait for: far << 16 | near; 0: none
  unsigned long long operand1[3];  // address or bits; host -> device, plain, covered by the stamp: operands 1 to 3
  unsigned int stamp2;  // sequence; host -> device, plain, covered by the stamp: low half of the sequence
  unsigned int after1;  // distances; host -> device, plain, covered by the stamp: second range of tasks to wait for
  unsigned long long operand4[3];  // address or bits; host -> device, plain, covered by the stamp: operands 4 to 6
  unsigned int stamp3;  // sequence; host -> device, plain, covered by the stamp: low half of the sequence
  unsigned int first;  // 256 positions; host -> device, plain, covered by the stamp: first position of the tile; in single positions for a reduction; unused when linear
  unsigned long long operand7[3];  // address or bits; host -> device, plain, covered by the stamp: operands 7 to 9
};
static_assert(sizeof(gpuos_task) == 128, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, sequence) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, logical_operator) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, space) == 12, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, count) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, flags) == 20, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, operand0) == 24, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, stamp1) == 32, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, after0) == 36, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, operand1) == 40, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, stamp2) == 64, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, after1) == 68, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, operand4) == 72, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, stamp3) == 96, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, first) == 100, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_task, operand7) == 104, "layout differs from io.gpuos.abi");

// One task of a program; becomes a gpuos_task when the bases are added to its operands.
struct alignas(128) gpuos_node {
  unsigned int bases0[2];  // 2 x 16 bits; host -> device, fixed: bases of operands 0 to 3
  unsigned int logical_operator;  // index; host -> device, fixed: as in gpuos_task, like all words of that name
  unsigned int space;  // index; host -> device, fixed: 
  unsigned int count;  // positions; host -> device, fixed: 
  unsigned int flags;  // bits; host -> device, fixed: GPUOS_FLAG_LINEAR
  unsigned long long operand0;  // bytes or bits; host -> device, fixed: from the base on
  unsigned int bases4[2];  // 2 x 16 bits; host -> device, fixed: bases of operands 4 to 7
  unsigned long long operand1[3];  // bytes or bits; host -> device, fixed: from the bases on
  unsigned int bases8;  // 2 x 16 bits; host -> device, fixed: bases of operands 8 and 9
  unsigned int unused0;  // -; host -> device, fixed: zero
  unsigned long long operand4[3];  // bytes or bits; host -> device, fixed: from the bases on
  unsigned int unused1;  // -; host -> device, fixed: zero
  unsigned int first;  // 256 positions; host -> device, fixed: 
  unsigned long long operand7[3];  // bytes or bits; host -> device, fixed: from the bases on
};
static_assert(sizeof(gpuos_node) == 128, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, bases0) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, logical_operator) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, space) == 12, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, count) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, flags) == 20, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, operand0) == 24, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, bases4) == 32, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, operand1) == 40, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, bases8) == 64, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, unused0) == 68, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, operand4) == 72, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, unused1) == 96, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, first) == 100, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_node, operand7) == 104, "layout differs from io.gpuos.abi");

// Coalesced sizes and strides of one operation.
struct alignas(16) gpuos_space {
  unsigned int rank;  // dimensions; host -> device, fixed: kept and reduced dimensions together
  unsigned int reduced;  // dimensions; host -> device, fixed: how many of them, the last ones, are folded
  unsigned int pad[2];  // -; host -> device, fixed: zero
  long long size[8];  // positions; host -> device, fixed: size of each dimension
  long long stride[10][8];  // elements; host -> device, fixed: stride of operand k in dimension d at [k * 8 + d]
};
static_assert(sizeof(gpuos_space) == 720, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_space, rank) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_space, reduced) == 4, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_space, pad) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_space, size) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_space, stride) == 80, "layout differs from io.gpuos.abi");

// Lease and completion words, in pinned host memory.
struct alignas(64) gpuos_control {
  unsigned long long magic;  // -; host -> device, fixed: GPUOS_MAGIC
  unsigned int version;  // -; host -> device, fixed: GPUOS_ABI_VERSION
  unsigned int bytes;  // bytes; host -> device, fixed: size of this record
  char gap0[48];
  unsigned long long parked_epoch;  // epoch; device -> host, sequentially consistent fence after the write: last launch whose workers mean to leave
  char gap1[56];
  unsigned long long completed_through;  // sequence; device -> host, release/acquire: every task up to and including it is complete
  char gap2[56];
  unsigned long long yield_epoch;  // epoch; host -> device, release/acquire: launches up to this one are asked to leave
  char gap3[56];
};
static_assert(sizeof(gpuos_control) == 256, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_control, magic) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_control, version) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_control, bytes) == 12, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_control, parked_epoch) == 64, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_control, completed_through) == 128, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_control, yield_epoch) == 192, "layout differs from io.gpuos.abi");

// What a logical operator stands for, in device memory.
struct alignas(16) gpuos_entry {
  unsigned long long alias;  // address; host -> device, relaxed: code of the generation that workers run; 0: none
  unsigned long long argument;  // any; host -> device, fixed: handed to the code with every task; set before alias
};
static_assert(sizeof(gpuos_entry) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_entry, alias) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_entry, argument) == 8, "layout differs from io.gpuos.abi");

// Claims, counters and the stop word, in device memory. Zero-filled, then head, reported, fetched and begun are set by the host before the first launch.
struct alignas(128) gpuos_state {
  unsigned long long head;  // sequence; device -> device, relaxed: next sequence that no worker has claimed
  char gap0[120];
  unsigned long long fetched;  // sequence; device -> device, relaxed: first sequence plus the number of tasks taken from the ring
  char gap1[120];
  unsigned long long stop;  // epoch << 2 | mode; device -> device, release/acquire: leave: mode 1 when the slot is empty, mode 2 at once
  unsigned long long left;  // workers; device -> device, release/acquire: workers that have left, over all launches
  char gap2[112];
  unsigned long long reported;  // sequence; device -> device, release/acquire: completed_through as last reported to the host
  char gap3[120];
  unsigned long long claim[2048];  // sequence; device -> device, release/acquire: what worker w had claimed when it left
  unsigned int held[2048];  // 0 or 1; device -> device, release/acquire: whether claim[w] is valid
  unsigned long long begun[2048];  // sequence; device -> host, relaxed: the task that worker w began last; the watchdog copies it
};
static_assert(sizeof(gpuos_state) == 41472, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, head) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, fetched) == 128, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, stop) == 256, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, left) == 264, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, reported) == 384, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, claim) == 512, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, held) == 16896, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_state, begun) == 25088, "layout differs from io.gpuos.abi");

// Parameter of the worker kernel.
struct alignas(16) gpuos_launch {
  unsigned long long control;  // address; host -> device, fixed: gpuos_control, host memory
  unsigned long long ring;  // address; host -> device, fixed: gpuos_task[mask + 1], host memory
  unsigned long long late;  // address; host -> device, fixed: u64[mask + 1], host memory: completed out of order
  unsigned long long completed;  // address; host -> device, fixed: u64[mask + 1], device memory: stamps of completed tasks
  unsigned long long state;  // address; host -> device, fixed: gpuos_state, device memory
  unsigned long long entries;  // address; host -> device, fixed: gpuos_entry[], device memory: by logical operator
  unsigned long long space_pages;  // address; host -> device, fixed: gpuos_space*[], device memory: pages of 256 spaces
  unsigned long long first_sequence;  // sequence; host -> device, fixed: the first sequence of this ring
  unsigned long long epoch;  // launches; host -> device, fixed: number of this launch
  unsigned long long linger;  // ns; host -> device, fixed: leave when idle for longer
  unsigned long long max_residency;  // ns; host -> device, fixed: leave when resident for longer
  unsigned int mask;  // -; host -> device, fixed: ring capacity - 1; the capacity is a power of two
  unsigned int near_window;  // tasks; host -> device, fixed: idle workers whose claim is further ahead poll seldom
  char gap0[32];
};
static_assert(sizeof(gpuos_launch) == 128, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, control) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, ring) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, late) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, completed) == 24, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, state) == 32, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, entries) == 40, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, space_pages) == 48, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, first_sequence) == 56, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, epoch) == 64, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, linger) == 72, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, max_residency) == 80, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, mask) == 88, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_launch, near_window) == 92, "layout differs from io.gpuos.abi");

// Nodes that one block runs one after the other.
struct alignas(16) gpuos_segment {
  unsigned long long nodes;  // address; host -> device, fixed: gpuos_node[count], device memory
  unsigned int count;  // nodes; host -> device, fixed: at least 1
  unsigned int after_begin;  // index; host -> device, fixed: first of the earlier segments it waits for
  unsigned int after_end;  // index; host -> device, fixed: behind the last one
  char gap0[12];
};
static_assert(sizeof(gpuos_segment) == 32, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_segment, nodes) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_segment, count) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_segment, after_begin) == 12, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_segment, after_end) == 16, "layout differs from io.gpuos.abi");

// Head of the parameter of a replay on a stream.
struct alignas(16) gpuos_replay {
  unsigned long long segments;  // address; host -> device, fixed: gpuos_segment[count], device memory
  unsigned long long after;  // address; host -> device, fixed: u32[], device memory: numbers of earlier segments
  unsigned long long state;  // address; host -> device, fixed: gpuos_replay_state, device memory
  unsigned long long entries;  // address; host -> device, fixed: gpuos_entry[], device memory: by logical operator
  unsigned long long space_pages;  // address; host -> device, fixed: gpuos_space*[], device memory: pages of 256 spaces
  unsigned long long bindings;  // address; host -> device, fixed: u64[], device memory, where they do not follow
  unsigned long long times;  // address; host -> device, fixed: u64[], device memory, for a replay that is traced
  unsigned long long nodes;  // address; host -> device, fixed: gpuos_node[], device memory: of all segments
  unsigned int count;  // segments; host -> device, fixed: at least 1
  char gap0[12];
};
static_assert(sizeof(gpuos_replay) == 80, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, segments) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, after) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, state) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, entries) == 24, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, space_pages) == 32, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, bindings) == 40, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, times) == 48, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, nodes) == 56, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay, count) == 64, "layout differs from io.gpuos.abi");

// Claims and epoch of a program's replays on streams, zero at first; stamps follow.
struct alignas(16) gpuos_replay_state {
  unsigned long long claimed;  // segments; device -> device, relaxed: next segment that no block has claimed
  unsigned long long left;  // blocks; device -> device, relaxed: blocks that have left
  unsigned long long epoch;  // replays; device -> device, relaxed: replays that are complete
  char gap0[8];
};
static_assert(sizeof(gpuos_replay_state) == 32, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay_state, claimed) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay_state, left) == 8, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_replay_state, epoch) == 16, "layout differs from io.gpuos.abi");

// Head of a program; its instructions follow.
struct alignas(16) gpuos_interpreter_program {
  unsigned int instructions;  // instructions; host -> device, fixed: how many follow; 1 to GPUOS_MAX_INSTRUCTIONS
  unsigned int cells_used;  // cells; host -> device, fixed: by all instructions; at most GPUOS_CELLS
  unsigned long long pad;  // -; host -> device, fixed: zero
};
static_assert(sizeof(gpuos_interpreter_program) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_interpreter_program, instructions) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_interpreter_program, cells_used) == 4, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_interpreter_program, pad) == 8, "layout differs from io.gpuos.abi");

// One instruction of an interpreter program.
struct alignas(16) gpuos_instruction {
  unsigned int operation;  // number; host -> device, fixed: what to do; below GPUOS_OPERATION_COUNT
  unsigned int cells;  // bytes; host -> device, fixed: first cell of the result, then of up to three arguments
  unsigned long long immediate;  // number or bits; host -> device, fixed: operand of a load or store; constant
};
static_assert(sizeof(gpuos_instruction) == 16, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_instruction, operation) == 0, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_instruction, cells) == 4, "layout differs from io.gpuos.abi");
static_assert(GPUOS_OFFSET(gpuos_instruction, immediate) == 8, "layout differs from io.gpuos.abi");

// Bits of operand K of a task.
template <int K>
__device__ __forceinline__ unsigned long long gpuos_operand(const gpuos_task* task) {
  static_assert(K >= 0 && K < 10, "a task has at most 10 operands");
  constexpr int offset = K == 0 ? 24 : K == 1 ? 40 : K == 2 ? 48 : K == 3 ? 56 : K == 4 ? 72 : K == 5 ? 80 : K == 6 ? 88 : K == 7 ? 104 : K == 8 ? 112 : 120;
  return *reinterpret_cast<const unsigned long long*>(
      reinterpret_cast<const char*>(task) + offset);
}

// Bits of operand k of a task.
__device__ __forceinline__ unsigned long long gpuos_operand_at(const gpuos_task* task, unsigned k) {
  return *reinterpret_cast<const unsigned long long*>(
      reinterpret_cast<const char*>(task) +
      (k == 0 ? 24 : 40 + 8 * (k - 1) + 8 * ((k - 1) / 3)));
}

// An operator: called by every thread of a worker's block; task and scratch in shared memory.
// The argument is that of the operator's entry.
typedef void (*gpuos_operator)(const gpuos_task* task, const gpuos_space* space, char* scratch,
                               unsigned long long argument);

// Before the definition of an operator, and before every statement that calls one through a
// pointer: an operator keeps two registers of its caller's, R16 and R17, where it returns to.
// By the usual convention it would keep half of all, and write to memory those it needs.
// Compilers before CUDA 13 do not know it; what they make is refused when it is read.
#if defined(__CUDACC_VER_MAJOR__) && __CUDACC_VER_MAJOR__ >= 13
#define GPUOS_CALLED _Pragma("nv_abi preserve_n_data(2)")
#else
#define GPUOS_CALLED
#endif
