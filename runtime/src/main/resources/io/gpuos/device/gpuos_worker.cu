// The resident kernel.
//
// Block 0 is the office: warp 0 reports completed tasks to the host, warp 1 keeps the lease.
// Every other block is a worker: it claims a sequence, polls that ring slot in host memory, waits
// for the tasks this one depends on, runs the operator and stamps the sequence as completed.
//
// State that outlives a launch is in gpuos_state. A worker that leaves writes down the sequence it
// had claimed, and the worker of the same number in the next launch starts with it; so no claimed
// record is ever lost, and a relaunched kernel starts from what the last one really did.
//
// Sequences wrap; they are only ever compared by their difference.
#include "gpuos_abi.cuh"
#include "gpuos_reserve.cuh"
#include "gpuos_segment.cuh"
#include "gpuos_sync.cuh"

namespace gpuos {

// Modes of gpuos_state::stop, in its two low bits; the other bits are the epoch it is meant for.
enum StopMode : u32 {
  STOP_NONE = 0,
  STOP_WHEN_EMPTY = 1,  // idle: run what is already published, then leave
  STOP_NOW = 2          // yield asked or lease over: leave at the next task boundary
};

enum Verdict : u32 { RUN, LEAVE };

// Polls of an empty slot before a worker far from the front starts to sleep.
constexpr u32 POLLS_BEFORE_SLEEP = 8;
// One sleep of such a worker, in ns, and how many it takes before it looks at its slot again.
constexpr u32 SLEEP_NS = 1000;
constexpr u32 SLEEPS_PER_LOOK = 64;
// Stamps each lane of the reporting warp looks at in one round.
constexpr u32 STAMPS_PER_LANE = 8;
// Completions behind a task that takes longer than this are reported one by one.
constexpr u64 LATE_AFTER_NS = 1000;
// Up to so many tasks in flight, workers write their completions to host memory themselves. (Each
// such write takes about 40 ns of the bus, which is why the reporter speaks for all under load.)
constexpr u64 DIRECT_IN_FLIGHT = 8;
// Tasks that may still be taken by a launch that leaves because it was idle. When more come, the few
// workers that are still here leave too, and all come back with the next launch.
constexpr i64 TASKS_WHILE_LEAVING = 32;
// Pause of the lease keeper between two looks.
constexpr u32 LEASE_PAUSE_NS = 500;

// The launch parameter with its addresses typed.
struct Context {
  gpuos_control* control;
  const gpuos_task* ring;
  u64* late;
  u64* completed;
  gpuos_state* state;
  const gpuos_entry* entries;
  const gpuos_space* const* space_pages;
  u64 epoch;
  u32 mask;
  u32 near_window;

  __device__ explicit Context(const gpuos_launch& launch)
      : control(reinterpret_cast<gpuos_control*>(launch.control)),
        ring(reinterpret_cast<const gpuos_task*>(launch.ring)),
        late(reinterpret_cast<u64*>(launch.late)),
        completed(reinterpret_cast<u64*>(launch.completed)),
        state(reinterpret_cast<gpuos_state*>(launch.state)),
        entries(reinterpret_cast<const gpuos_entry*>(launch.entries)),
        space_pages(reinterpret_cast<const gpuos_space* const*>(launch.space_pages)),
        epoch(launch.epoch),
        mask(launch.mask),
        near_window(launch.near_window) {}

  // How this launch was asked to stop, from a value of state->stop.
  __device__ u32 stop_mode(u64 stop) const {
    return (stop >> 2) == (epoch & (~0ull >> 2)) ? static_cast<u32>(stop & 3) : STOP_NONE;
  }
};

// ---- worker: fetch --------------------------------------------------------------------------
// These functions are called by all 32 lanes of a worker's warp 0; results are the same in each.

// Words of a record by 4-byte index: lane i of the fetching warp holds word i.
constexpr int WORD_OPERATOR = 2;
constexpr int WORD_FLAGS = 5;
constexpr int WORD_AFTER0 = 9;
constexpr int WORD_AFTER1 = 17;

// Whether the words just read make up the whole record of `sequence`: its 64-bit sequence, and the
// stamp of every sector in use, since sectors of one read may differ in age.
__device__ __forceinline__ bool is_record(u32 word, u64 sequence, u32 lane) {
  const u64 stamp = __shfl_sync(~0u, word, 0) | static_cast<u64>(__shfl_sync(~0u, word, 1)) << 32;
  const u32 sectors = __shfl_sync(~0u, word, WORD_FLAGS) >> GPUOS_SECTORS_SHIFT;
  const bool stamp_lane = (lane & 7) == 0 && lane != 0 && lane / 8 <= sectors;
  const bool matches = !stamp_lane || word == static_cast<u32>(sequence);
  return stamp == sequence && __all_sync(~0u, matches);
}

// Waits for the tasks named by `after` (far << 16 | near; 0: none): the oldest 32 first, then the
// next, each looked at until it is complete and not again. A worker must not hold on here when it is
// asked to leave: the task it waits for may be claimed by a worker that has left. Lanes decide
// together: each has read the stop word for itself.
__device__ __forceinline__ Verdict wait_for(const Context& c, u64 sequence, u32 after, u32 lane) {
  if (after == 0) {
    return RUN;
  }
  const u64 newest = sequence - (after & 0xffff);
  u64 oldest = sequence - (after >> 16);
  for (;;) {
    const u64 earlier = oldest + lane;
    const u64 stamp = load_relaxed(&c.completed[earlier & c.mask]);
    const u64 reported = load_relaxed(&c.state->reported);  // in flight with the stamp
    const bool complete = static_cast<i64>(earlier - newest) > 0 ||
                          static_cast<i64>(stamp - earlier) >= 0;
    if (__all_sync(~0u, complete)) {
      oldest += 32;
    }
    // The word may be of different age in different lanes.
    const bool all = static_cast<i64>(__shfl_sync(~0u, reported, 0) - newest) >= 0;
    if (all || static_cast<i64>(oldest - newest) > 0) {
      return RUN;
    }
    if (__any_sync(~0u, c.stop_mode(load_relaxed(&c.state->stop)) != STOP_NONE)) {
      return LEAVE;
    }
  }
}

// Sleeps while nothing happens and the claimed slot is far from the front, so that idle workers do
// not load the bus; wakes when the front moves or the worker is asked to leave.
__device__ __forceinline__ void sleep_far_from_front(const Context& c, u64 sequence, u64 front) {
  for (u32 sleeps = 0; sleeps < SLEEPS_PER_LOOK; sleeps++) {
    __nanosleep(SLEEP_NS);
    const bool wake = load_relaxed(&c.state->fetched) != front ||
                      c.stop_mode(load_relaxed(&c.state->stop)) != STOP_NONE;
    if (__any_sync(~0u, wake)) {
      return;
    }
  }
}

// What a worker's block shares about its current task.
struct Desk {
  gpuos_task task;
  gpuos_entry entry;  // code of the operator and what it is handed
  Stage stages[STAGES];  // nodes of a segment
  u32 verdict;
};

// Waits for the record of `sequence`, copies it to shared memory and resolves its operator. One
// coalesced 128-byte read both polls and fetches.
__device__ __forceinline__ Verdict fetch(const Context& c, u64 sequence, u32 lane, Desk* desk) {
  const u32* slot = reinterpret_cast<const u32*>(&c.ring[sequence & c.mask]);
  u32 word;
  bool second_look = false;
  for (u32 polls = 0;; polls++) {
    // All lanes together, so that a sector comes with one read and its words are of one age.
    __syncwarp();
    // Three independent loads, in flight together: a poll costs one trip to host memory.
    word = load_relaxed_host(slot + lane);
    const u64 stop = load_relaxed(&c.state->stop);
    const u64 front = load_relaxed(&c.state->fetched);
    const u32 mode = __shfl_sync(~0u, c.stop_mode(stop), 0);
    if (mode == STOP_NOW) {
      return LEAVE;
    }
    if (is_record(word, sequence, lane)) {
      break;
    }
    if (mode == STOP_WHEN_EMPTY) {
      if (second_look) {
        return LEAVE;
      }
      // Only a slot found empty by a read made after the stop word was seen, and so after the host
      // could see the lease as parked, may be left behind.
      second_look = true;
      fence_host();
      continue;
    }
    const u64 ahead = sequence - __shfl_sync(~0u, front, 0);
    if (polls > POLLS_BEFORE_SLEEP && static_cast<i64>(ahead) >= c.near_window) {
      sleep_far_from_front(c, sequence, front);
      polls = 0;
    }
  }
  const u32 sectors = __shfl_sync(~0u, word, WORD_FLAGS) >> GPUOS_SECTORS_SHIFT;
  const u32 after0 = __shfl_sync(~0u, word, WORD_AFTER0);
  const u32 after1 = __shfl_sync(~0u, word, WORD_AFTER1);
  // Counted as soon as it is here: who waits is in flight.
  if (lane == 0) {
    add_relaxed(&c.state->fetched, 1);
  }
  if ((sectors >= 1 && wait_for(c, sequence, after0, lane) == LEAVE) ||
      (sectors >= 2 && wait_for(c, sequence, after1, lane) == LEAVE)) {
    if (lane == 0) {
      add_relaxed(&c.state->fetched, ~0ull);  // not now: it will be fetched again
    }
    return LEAVE;
  }
  // The operator is resolved here, once: a task runs the generation it was fetched with.
  const u32 logical_operator = __shfl_sync(~0u, word, WORD_OPERATOR);
  const gpuos_entry* entry = &c.entries[logical_operator];
  const u64 alias = load_relaxed(&entry->alias);
  const u64 argument = load_relaxed(&entry->argument);
  // Acquire: what the submitter wrote before the record, and what the awaited tasks wrote, is
  // visible to this block's threads once they have passed the barrier that follows.
  fence_device();
  // Sectors not in use hold an older record: the operator finds zeros there.
  reinterpret_cast<u32*>(&desk->task)[lane] = lane / 8 <= sectors ? word : 0;
  if (lane == 0) {
    desk->entry.alias = alias;
    desk->entry.argument = argument;
  }
  return RUN;
}

// ---- worker -----------------------------------------------------------------------------------

__device__ __forceinline__ u64 claim(const Context& c, u32 lane) {
  u64 sequence = 0;
  if (lane == 0) {
    sequence = atomicAdd(&c.state->head, 1ull);
  }
  return __shfl_sync(~0u, sequence, 0);
}

// What is in flight when a task starts. Read early, so that the way to memory is covered by the
// task, and looked at late.
struct InFlight {
  u64 fetched;
  u64 reported;

  __device__ u64 tasks() const { return fetched - 1 - reported; }
};

// Publishes a completion: to the workers and the reporter always; to the host at once while few
// tasks are in flight, which saves the way through the reporter. One fence serves all: results lie
// in device memory, which the host reads by copies, and copies, like workers, read what a fence of
// this GPU has made visible. A stale count costs a microsecond or a write, never correctness.
// One thread, after a barrier of the whole block.
__device__ __forceinline__ void complete(const Context& c, u64 sequence, InFlight start) {
  fence_device();
  if (start.tasks() <= DIRECT_IN_FLIGHT) {
    store_relaxed_host(&c.late[sequence & c.mask], sequence);
  }
  store_relaxed(&c.completed[sequence & c.mask], sequence);
}

// Runs what the desk holds. All threads of the block; barriers before and after are the caller's.
__device__ __forceinline__ void run(const Context& c, Desk* desk, char* scratch) {
  const gpuos_task* task = &desk->task;
  const Tables tables{c.entries, c.space_pages};
  if ((task->flags & GPUOS_FLAG_SEGMENT) == 0) {
    run_task(tables, task, desk->entry, scratch);
  } else if (task->logical_operator != 0) {
    run_segment(tables, reinterpret_cast<const gpuos_node*>(task->operand0), task->count,
                DistantBindings{reinterpret_cast<const u64*>(task->operand1[0])}, desk->stages,
                scratch);
  }
}

__device__ __forceinline__ void work(const Context& c, u32 worker, Desk* desk, char* scratch) {
  const u32 lane = threadIdx.x % 32;
  u64 sequence = c.state->claim[worker];
  bool held = c.state->held[worker] != 0;
  for (;;) {
    if (threadIdx.x < 32) {
      if (!held) {
        sequence = claim(c, lane);
        held = true;
      }
      const Verdict decided = fetch(c, sequence, lane, desk);
      if (lane == 0) {
        desk->verdict = decided;
      }
    }
    __syncthreads();
    if (desk->verdict == LEAVE) {
      break;
    }
    const u64 done = desk->task.sequence;
    InFlight start{0, 0};
    if (threadIdx.x == 32) {
      // For the watchdog, should this task not come back. Nobody on the device waits for the store.
      store_relaxed(&c.state->begun[worker], done);
      start = InFlight{load_relaxed(&c.state->fetched), load_relaxed(&c.state->reported)};
    }
    run(c, desk, scratch);
    __syncthreads();
    held = false;
    // Warp 1 publishes the completion while warp 0 already claims and fetches the next record.
    if (threadIdx.x == 32) {
      complete(c, done, start);
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    c.state->claim[worker] = sequence;
    c.state->held[worker] = 1;
    add_release(&c.state->left, 1);
  }
}

// ---- reporter: completions -------------------------------------------------------------------
// One warp; every lane has the same arguments and results.

// One bit a ring slot: reported in `late` and not yet passed by `completed_through`.
struct LateBits {
  u32* words;

  __device__ bool has(u64 slot) const { return (words[slot / 32] >> (slot % 32) & 1) != 0; }
  __device__ void set(u64 slot) { atomicOr(&words[slot / 32], 1u << (slot % 32)); }
  __device__ void clear(u64 slot) { atomicAnd(&words[slot / 32], ~(1u << (slot % 32))); }
};

constexpr u32 WINDOW = STAMPS_PER_LANE * 32;

// Tells the host how far the tasks are complete, until `*finish` is set and nothing is left to
// tell. Under load one word speaks for all of them; when one task holds the others up, the ones
// behind it are reported singly.
__device__ __forceinline__ void report(const Context& c, volatile u32* finish, LateBits late) {
  const u32 lane = threadIdx.x % 32;
  u64 through = c.state->reported;
  u64 moved = now_ns();
  u32 window = 0;
  bool any_late = false;
  for (;;) {
    const bool last = __shfl_sync(~0u, *finish, 0) != 0;
    if (last) {
      fence_device();
      window = 0;
    }
    // All loads of a round are in flight together.
    bool done[STAMPS_PER_LANE];
#pragma unroll
    for (u32 k = 0; k < STAMPS_PER_LANE; k++) {
      const u64 sequence = through + 1 + window + k * 32 + lane;
      done[k] = load_relaxed(&c.completed[sequence & c.mask]) == sequence;
    }
    const u64 front = load_relaxed(&c.state->fetched);
    const u64 now = now_ns();
    u32 complete = 0;
#pragma unroll
    for (u32 k = 0; k < STAMPS_PER_LANE; k++) {
      const u32 lanes = __ballot_sync(~0u, done[k]);
      if (complete == k * 32) {
        complete += lanes == ~0u ? 32 : __ffs(~lanes) - 1;
      }
    }
    if (window == 0 && complete != 0) {
      // Release: the tasks' results are visible before the word that says so. The fence comes after
      // the barrier, so that lane 0's covers what the other lanes have seen.
      __syncwarp();
      fence_device();
      if (lane == 0) {
        store_relaxed_host(&c.control->completed_through, through + complete);
        store_relaxed(&c.state->reported, through + complete);
      }
      for (u32 k = lane; any_late && k < complete; k += 32) {
        late.clear((through + 1 + k) & c.mask);
      }
      through += complete;
      moved = now;
      continue;
    }
    if (last) {
      return;
    }
    const u64 behind = __shfl_sync(~0u, front, 0) - 1 - through;
    if (behind <= 1 || __any_sync(~0u, now - moved < LATE_AFTER_NS)) {
      window = 0;
      continue;
    }
#pragma unroll
    for (u32 k = 0; k < STAMPS_PER_LANE; k++) {
      const u64 sequence = through + 1 + window + k * 32 + lane;
      if (done[k] && !late.has(sequence & c.mask)) {
        fence_device();
        store_relaxed_host(&c.late[sequence & c.mask], sequence);
        late.set(sequence & c.mask);
      }
    }
    any_late = true;
    // Tasks are taken nearly in order: none is further ahead of the front than there are workers.
    window = window + WINDOW < behind + gridDim.x ? window + WINDOW : 0;
  }
}

// ---- lease keeper --------------------------------------------------------------------------------

// Decides when this launch leaves and tells the workers; returns when all of them have left.
// One thread.
__device__ __forceinline__ void keep_lease(const Context& c, const gpuos_launch& launch,
                                           u32 workers) {
  const u64 left_before = load_relaxed(&c.state->left);
  const u64 start = now_ns();
  u64 active = start;
  u64 seen = load_relaxed(&c.state->fetched);
  u64 fetched_at_stop = seen;
  u32 mode = STOP_NONE;
  while (mode != STOP_NOW && load_acquire(&c.state->left) - left_before != workers) {
    const u64 now = now_ns();
    const u64 fetched = load_relaxed(&c.state->fetched);
    const u64 reported = load_relaxed(&c.state->reported);
    if (fetched != seen || reported + 1 != fetched) {
      seen = fetched;
      active = now;
    }
    const u64 yield = load_relaxed_host(&c.control->yield_epoch);
    u32 wanted = mode;
    if (static_cast<i64>(yield - c.epoch) >= 0 || now - start > launch.max_residency) {
      wanted = STOP_NOW;
    } else if (mode == STOP_WHEN_EMPTY &&
               static_cast<i64>(fetched - fetched_at_stop) > TASKS_WHILE_LEAVING) {
      wanted = STOP_NOW;
    } else if (now - active > launch.linger) {
      wanted = STOP_WHEN_EMPTY;
    }
    if (wanted > mode) {
      // Handshake: parked first, then a full fence, then the workers' second look at the ring.
      store_relaxed_host(&c.control->parked_epoch, c.epoch);
      fence_handshake();
      store_release(&c.state->stop, c.epoch << 2 | wanted);
      mode = wanted;
      fetched_at_stop = fetched;
    }
    __nanosleep(LEASE_PAUSE_NS);
  }
  while (load_acquire(&c.state->left) - left_before != workers) {
    __nanosleep(LEASE_PAUSE_NS);
  }
}

}  // namespace gpuos

extern "C" __global__ void __launch_bounds__(GPUOS_BLOCK_THREADS, GPUOS_BLOCKS_PER_SM)
    gpuos_worker(const __grid_constant__ gpuos_launch launch) {
  using namespace gpuos;
  __shared__ Desk desk;
  extern __shared__ __align__(16) char scratch[];
  const Context c(launch);
  if (launch.epoch == 0) {
    // No launch has this number. The linker sees that the kernel may call what is stored here.
    const_cast<gpuos_entry*>(c.entries)->alias = reinterpret_cast<u64>(gpuos_reserve);
  }
  if (blockIdx.x != 0) {
    work(c, blockIdx.x - 1, &desk, scratch);
    return;
  }
  // The office uses the verdict as its own closing sign, and the scratch for one bit a ring slot.
  for (u32 k = threadIdx.x; k < GPUOS_SCRATCH_BYTES / 4; k += blockDim.x) {
    reinterpret_cast<u32*>(scratch)[k] = 0;
  }
  if (threadIdx.x == 0) {
    desk.verdict = 0;
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    report(c, &desk.verdict, LateBits{reinterpret_cast<u32*>(scratch)});
  } else if (threadIdx.x == 32) {
    keep_lease(c, launch, gridDim.x - 1);
    fence_device();
    *static_cast<volatile u32*>(&desk.verdict) = 1;
  }
}
