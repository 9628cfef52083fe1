// Running operators: one task, or the nodes of a program's segment one after the other.
//
// Nodes lie in device memory. While the block runs one, the next ones are on their way to shared
// memory: first the node itself, which names its operator, its space and its bases, then what those
// names stand for, then the space. A copy that is under way needs no register and nobody who waits.
// Three warps each keep one of these steps going, in every round one node further, so that between
// two nodes there is one barrier, which also makes what they brought visible to all.
#pragma once
#include "gpuos_abi.cuh"
#include "gpuos_sync.cuh"

namespace gpuos {

// What a task's words refer to.
struct Tables {
  const gpuos_entry* entries;
  const gpuos_space* const* space_pages;
};

// Nodes that are here or on their way: the one that runs, the next one, one whose names are being
// looked up, and two more that are being fetched.
constexpr u32 STAGES = 5;

// Who keeps what going: the last warps, which small nodes leave without work.
constexpr u32 FETCHING_WARP = 5;   // of nodes
constexpr u32 NAMING_WARP = 6;
constexpr u32 FINISHING_WARP = 7;  // bases and spaces
static_assert(GPUOS_BLOCK_THREADS > 32 * FINISHING_WARP, "too few warps");

// A node in shared memory with what its names stand for.
struct alignas(128) Stage {
  gpuos_task task;
  u64 base[GPUOS_MAX_OPERANDS];
  gpuos_entry entry;
  const gpuos_space* page;  // of its space
  alignas(16) gpuos_space space;  // but for the first node of a segment, unless it is linear
};

// Calls an operator, if there is one. All threads of the block; barriers before and after are the
// caller's.
__device__ __forceinline__ void run(const gpuos_task* task, const gpuos_space* space,
                                    const gpuos_entry& entry, char* scratch) {
  if (entry.alias != 0) {
    GPUOS_CALLED
    reinterpret_cast<gpuos_operator>(entry.alias)(task, space, scratch, entry.argument);
  }
}

// Where a task's space lies within its page; null for a linear one.
__device__ __forceinline__ const gpuos_space* space_in(const gpuos_space* page,
                                                       const gpuos_task* task) {
  return (task->flags & GPUOS_FLAG_LINEAR) != 0 ? nullptr
                                                : page + task->space % GPUOS_SPACES_PER_PAGE;
}

// The same for a task of the ring, which has come without the page of its space.
__device__ __forceinline__ void run_task(const Tables& tables, const gpuos_task* task,
                                         const gpuos_entry& entry, char* scratch) {
  const gpuos_space* page = nullptr;
  if ((task->flags & GPUOS_FLAG_LINEAR) == 0) {
    page = tables.space_pages[task->space / GPUOS_SPACES_PER_PAGE];
  }
  run(task, space_in(page, task), entry, scratch);
}

// Starts to copy node `n`. One warp.
__device__ __forceinline__ void start_node(const gpuos_node* nodes, u32 n, Stage* stage,
                                           u32 lane) {
  if (lane < sizeof(gpuos_node) / 16) {
    copy_async_16(reinterpret_cast<char*>(&stage->task) + 16 * lane,
                  reinterpret_cast<const char*>(&nodes[n]) + 16 * lane);
  }
}

// Number of the base of operand `k` of a node that is still as it was fetched.
__device__ __forceinline__ u32 base_number(const gpuos_node* node, u32 k) {
  const u32 word = k < 4 ? node->bases0[k / 2] : k < 8 ? node->bases4[k / 2 - 2] : node->bases8;
  return word >> 16 * (k % 2) & 0xffff;
}

// Bindings that lie in device memory.
struct DistantBindings {
  const u64* at;

  __device__ __forceinline__ void start(u64* to, u32 number) const {
    copy_async_8(to, &at[number]);
  }
};

// Starts to look up what the node of `stage` names. The operator is resolved here: a node runs the
// generation it was prepared with. One warp.
template <class Bindings>
__device__ __forceinline__ void start_names(const Tables& tables, const Bindings& bindings,
                                            Stage* stage, u32 lane) {
  const gpuos_node* node = reinterpret_cast<const gpuos_node*>(&stage->task);
  if (lane < GPUOS_MAX_OPERANDS) {
    bindings.start(&stage->base[lane], base_number(node, lane));
  } else if (lane == GPUOS_MAX_OPERANDS) {
    copy_async_16(&stage->entry, &tables.entries[node->logical_operator]);
  } else if (lane == GPUOS_MAX_OPERANDS + 1) {
    copy_async_8(&stage->page, &tables.space_pages[node->space / GPUOS_SPACES_PER_PAGE]);
  }
}

// Makes a task of the node: adds the bases to its operands. One warp.
__device__ __forceinline__ void add_bases(Stage* stage, u32 lane) {
  if (lane < GPUOS_MAX_OPERANDS) {
    const u32 at = lane == 0 ? 24 : 40 + 8 * (lane - 1) + 8 * ((lane - 1) / 3);
    u64* operand = reinterpret_cast<u64*>(reinterpret_cast<char*>(&stage->task) + at);
    *operand += stage->base[lane];
  }
}

// Starts to copy the space of a node whose page is known. One warp.
__device__ __forceinline__ void start_space(Stage* stage, u32 lane) {
  const gpuos_space* space = space_in(stage->page, &stage->task);
  if (space != nullptr) {
    for (u32 at = 16 * lane; at < sizeof(gpuos_space); at += 16 * 32) {
      copy_async_16(reinterpret_cast<char*>(&stage->space) + at,
                    reinterpret_cast<const char*>(space) + at);
    }
  }
}

// Brings the first nodes of a segment so far that the first can run. All threads of the block.
template <class Bindings>
__device__ __forceinline__ void start_segment(const Tables& tables, const gpuos_node* nodes,
                                              u32 count, const Bindings& bindings, Stage* stages) {
  const u32 warp = threadIdx.x / 32;
  const u32 lane = threadIdx.x % 32;
  if (warp == FETCHING_WARP) {
    for (u32 n = 0; n < STAGES - 1 && n < count; n++) {
      start_node(nodes, n, &stages[n], lane);
    }
    copies_commit();
    copies_wait<0>();
  }
  __syncthreads();
  if (warp == NAMING_WARP) {
    for (u32 n = 0; n < 2 && n < count; n++) {
      start_names(tables, bindings, &stages[n], lane);
    }
    copies_commit();
    copies_wait<0>();
  }
  __syncthreads();
  if (warp == FINISHING_WARP) {
    add_bases(&stages[0], lane);
  }
  __syncthreads();
}

// Looks at no clock: for replays that are not traced.
struct NoClocks {
  __device__ __forceinline__ void before(u32) const {}
  __device__ __forceinline__ void after(u32) const {}
};

// Runs `count` nodes, at least one. All threads of the block; `nodes` and `bindings` are read
// through fences that the caller has made. What one node writes, the next may read: a barrier is
// between them.
template <class Bindings, class Clocks = NoClocks>
__device__ __forceinline__ void run_segment(const Tables& tables, const gpuos_node* nodes,
                                            u32 count, const Bindings& bindings, Stage* stages,
                                            char* scratch, const Clocks& clocks = Clocks()) {
  start_segment(tables, nodes, count, bindings, stages);
  const u32 warp = threadIdx.x / 32;
  const u32 lane = threadIdx.x % 32;
  u32 at = 0;  // n % STAGES
  for (u32 n = 0; n < count; n++) {
    Stage* stage = &stages[at];
    const u32 next = at + 1 == STAGES ? 0 : at + 1;
    if (warp == FETCHING_WARP) {
      if (n + STAGES - 1 < count) {
        start_node(nodes, n + STAGES - 1, &stages[at == 0 ? STAGES - 1 : at - 1], lane);
      }
      copies_commit();
    } else if (warp == NAMING_WARP) {
      if (n + 2 < count) {
        start_names(tables, bindings, &stages[next + 1 == STAGES ? 0 : next + 1], lane);
      }
      copies_commit();
    } else if (warp == FINISHING_WARP) {
      if (n + 1 < count) {
        start_space(&stages[next], lane);
        add_bases(&stages[next], lane);
      }
      copies_commit();
    }
    const bool linear = (stage->task.flags & GPUOS_FLAG_LINEAR) != 0;
    const gpuos_space* space = linear || n == 0 ? space_in(stage->page, &stage->task) : &stage->space;
    clocks.before(n);
    run(&stage->task, space, stage->entry, scratch);
    clocks.after(n);
    if (warp == FETCHING_WARP) {
      copies_wait<1>();  // the node that was asked for last has another round
    } else if (warp > FETCHING_WARP) {
      copies_wait<0>();
    }
    __syncthreads();
    at = next;
  }
}

}  // namespace gpuos
