// A replay of one program by a kernel of its own, on a stream: what ran there before is complete,
// and what comes after waits for the kernel, so nothing here concerns the host.
//
// Blocks claim segments in their order. A segment waits only for earlier ones, and those are
// claimed by blocks that run, so every wait ends, however few blocks are resident at once. The
// stamps of a replay are told from those before by its epoch. The last block that leaves makes
// ready for the next replay, which the stream holds back until then; so the host hands over nothing
// that differs from replay to replay but the bindings, and a captured launch can be repeated.
#pragma once
#include "gpuos_abi.cuh"
#include "gpuos_segment.cuh"
#include "gpuos_sync.cuh"

namespace gpuos {

// A launch parameter that brings its bindings along.
template <int N> struct Parameter {
  gpuos_replay head;
  u64 bindings[N];
};

template <int N> struct FollowingBindings {
  const Parameter<N>& parameter;

  __device__ __forceinline__ void start(u64* to, u32 number) const {
    *to = parameter.bindings[number];
  }
};

// Times of the nodes of one segment, in cycles of the multiprocessor, by thread 0. The segment's own
// words tie them to the GPU's clock: its time and the cycle before the first node, the cycle and the
// time after the last, and who ran it (block, multiprocessor << 32). After a node its warps may
// still run: the end is that of warp 0.
struct Clocks {
  u64* segment;
  u64* nodes;

  __device__ __forceinline__ Clocks(const gpuos_replay& head, u32 number, u64 first)
      : segment(reinterpret_cast<u64*>(head.times) + GPUOS_SEGMENT_TIMES * number),
        nodes(reinterpret_cast<u64*>(head.times) + GPUOS_SEGMENT_TIMES * head.count +
              GPUOS_NODE_TIMES * ((first - head.nodes) / sizeof(gpuos_node))) {}

  __device__ __forceinline__ void begin() const {
    if (threadIdx.x == 0) {
      u32 multiprocessor;
      asm("mov.u32 %0, %%smid;" : "=r"(multiprocessor));
      segment[0] = now_ns();
      segment[1] = clock64();
      segment[4] = static_cast<u64>(multiprocessor) << 32 | blockIdx.x;
    }
  }

  __device__ __forceinline__ void end() const {
    if (threadIdx.x == 0) {
      segment[2] = clock64();
      segment[3] = now_ns();
    }
  }

  __device__ __forceinline__ void before(u32 n) const {
    if (threadIdx.x == 0) {
      nodes[GPUOS_NODE_TIMES * n] = clock64();
    }
  }

  __device__ __forceinline__ void after(u32 n) const {
    if (threadIdx.x == 0) {
      nodes[GPUOS_NODE_TIMES * n + 1] = clock64();
    }
  }
};

// What a block shares about its current segment.
struct ReplayDesk {
  Stage stages[STAGES];
  gpuos_segment segment;
  u32 number;  // of the segment
};

// Waits until the segments that `segment` comes after carry the stamp of this replay. Warp 0.
__device__ __forceinline__ void wait_for_segments(const u32* after, const u64* stamps,
                                                  const gpuos_segment& segment, u64 epoch,
                                                  u32 lane) {
  for (u32 k = segment.after_begin; k < segment.after_end; k += 32) {
    const bool waits = k + lane < segment.after_end;
    const u64* stamp = &stamps[waits ? after[k + lane] : 0];
    bool complete = !waits;
    while (!__all_sync(~0u, complete)) {
      complete = complete || load_relaxed(stamp) == epoch;
    }
  }
  fence_device();
}

// The whole of a block's work. All threads of the block. `TRACED`: notes when each node runs.
template <bool TRACED, class Bindings>
__device__ __forceinline__ void replay(const gpuos_replay& head, const Bindings& bindings,
                                       gpuos_operator reserve) {
  __shared__ ReplayDesk desk;
  extern __shared__ __align__(16) char scratch[];
  const Tables tables{reinterpret_cast<const gpuos_entry*>(head.entries),
                      reinterpret_cast<const gpuos_space* const*>(head.space_pages)};
  if (head.count == 0) {
    // Never. The linker sees that the kernel may call what is stored here.
    const_cast<gpuos_entry*>(tables.entries)->alias = reinterpret_cast<u64>(reserve);
  }
  const gpuos_segment* segments = reinterpret_cast<const gpuos_segment*>(head.segments);
  const u32* after = reinterpret_cast<const u32*>(head.after);
  gpuos_replay_state* state = reinterpret_cast<gpuos_replay_state*>(head.state);
  u64* stamps = reinterpret_cast<u64*>(state + 1);
  const bool alone = gridDim.x == 1;
  const u32 lane = threadIdx.x;
  // Changes when all blocks have left, so after every read.
  const u64 epoch = alone ? 0 : load_relaxed(&state->epoch) + 1;
  for (u32 next = 0;; next++) {
    if (threadIdx.x < 32) {
      u64 number = next;
      if (!alone) {
        number = lane == 0 ? atomicAdd(&state->claimed, 1ull) : 0;
        number = __shfl_sync(~0u, number, 0);
      }
      if (number < head.count) {
        const gpuos_segment segment = segments[number];
        if (!alone) {
          wait_for_segments(after, stamps, segment, epoch, lane);
        }
        if (lane == 0) {
          desk.segment = segment;
        }
      }
      if (lane == 0) {
        desk.number = static_cast<u32>(number);
      }
    }
    __syncthreads();
    const u32 number = desk.number;
    if (number >= head.count) {
      break;
    }
    const gpuos_node* nodes = reinterpret_cast<const gpuos_node*>(desk.segment.nodes);
    const u32 count = desk.segment.count;
    if constexpr (TRACED) {
      const Clocks clocks(head, number, desk.segment.nodes);
      clocks.begin();
      run_segment(tables, nodes, count, bindings, desk.stages, scratch, clocks);
      clocks.end();
    } else {
      run_segment(tables, nodes, count, bindings, desk.stages, scratch);
    }
    if (!alone && threadIdx.x == 0) {
      // The last barrier of the segment is behind all of the block's writes.
      fence_device();
      store_relaxed(&stamps[number], epoch);
    }
  }
  if (!alone && threadIdx.x == 0 && atomicAdd(&state->left, 1ull) == gridDim.x - 1) {
    store_relaxed(&state->claimed, 0);
    store_relaxed(&state->left, 0);
    store_relaxed(&state->epoch, epoch);
  }
}

}  // namespace gpuos
