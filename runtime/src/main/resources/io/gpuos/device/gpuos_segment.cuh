// Running operators: one task, or the nodes of a program's segment one after the other.
//
// Nodes lie in device memory. While the block runs one, warp 0 has the next ones on their way to
// shared memory: first the node itself, which names its operator, its space and its bases, and when
// it is here, what those names stand for. Both are asked for two nodes ahead of their use, and a
// copy that is under way needs no register and nobody who waits.
#pragma once
#include "gpuos_abi.cuh"
#include "gpuos_sync.cuh"

namespace gpuos {

// What a task's words refer to.
struct Tables {
  const gpuos_entry* entries;
  const gpuos_space* const* space_pages;
};

// Nodes that are here or on their way: the one that runs, two whose names are being looked up, and
// two more that are being fetched.
constexpr u32 STAGES = 5;

// A node in shared memory with what its names stand for.
struct alignas(128) Stage {
  gpuos_task task;
  u64 base[GPUOS_MAX_OPERANDS];
  gpuos_entry entry;
  const gpuos_space* page;  // of its space
};

// Runs one operator. All threads of the block; barriers before and after are the caller's.
__device__ __forceinline__ void run(const gpuos_task* task, const gpuos_space* page,
                                    const gpuos_entry& entry, char* scratch) {
  const gpuos_space* space = nullptr;
  if ((task->flags & GPUOS_FLAG_LINEAR) == 0) {
    space = page + task->space % GPUOS_SPACES_PER_PAGE;
  }
  if (entry.alias != 0) {
    reinterpret_cast<gpuos_operator>(entry.alias)(task, space, scratch, entry.argument);
  }
}

// The same for a task of the ring, which has come without the page of its space.
__device__ __forceinline__ void run_task(const Tables& tables, const gpuos_task* task,
                                         const gpuos_entry& entry, char* scratch) {
  const gpuos_space* page = nullptr;
  if ((task->flags & GPUOS_FLAG_LINEAR) == 0) {
    page = tables.space_pages[task->space / GPUOS_SPACES_PER_PAGE];
  }
  run(task, page, entry, scratch);
}

// Starts to copy node `n`. Warp 0.
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
// generation it was prepared with. Warp 0.
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

// Makes a task of the node: adds the bases to its operands. Warp 0.
__device__ __forceinline__ void add_bases(Stage* stage, u32 lane) {
  if (lane < GPUOS_MAX_OPERANDS) {
    const u32 at = lane == 0 ? 24 : 40 + 8 * (lane - 1) + 8 * ((lane - 1) / 3);
    u64* operand = reinterpret_cast<u64*>(reinterpret_cast<char*>(&stage->task) + at);
    *operand += stage->base[lane];
  }
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
  const bool fetches = threadIdx.x < 32;
  const u32 lane = threadIdx.x;
  if (fetches) {
    for (u32 n = 0; n < STAGES - 1 && n < count; n++) {
      start_node(nodes, n, &stages[n], lane);
    }
    copies_commit();
    copies_wait<0>();
    __syncwarp();
    for (u32 n = 0; n < 2 && n < count; n++) {
      start_names(tables, bindings, &stages[n], lane);
    }
    copies_commit();
    copies_wait<0>();
    __syncwarp();
  }
  u32 at = 0;  // n % STAGES
  for (u32 n = 0; n < count; n++) {
    Stage* stage = &stages[at];
    if (fetches) {
      add_bases(stage, lane);
      if (n + 2 < count) {
        start_names(tables, bindings, &stages[(at + 2) % STAGES], lane);
      }
      if (n + STAGES - 1 < count) {
        start_node(nodes, n + STAGES - 1, &stages[(at + STAGES - 1) % STAGES], lane);
      }
      copies_commit();
    }
    __syncthreads();
    clocks.before(n);
    run(&stage->task, stage->page, stage->entry, scratch);
    clocks.after(n);
    if (fetches) {
      // All but the copies of this round: the next node's names, and the node after the next.
      copies_wait<1>();
      __syncwarp();
    }
    __syncthreads();
    at = at + 1 == STAGES ? 0 : at + 1;
  }
}

}  // namespace gpuos
