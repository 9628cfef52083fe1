// Loads, stores and fences by memory order and scope. The only file with memory-model assembly:
// everything else says what it means by the name it calls.
#pragma once

namespace gpuos {

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

// ---- words in host memory (scope: system) --------------------------------------------------

__device__ __forceinline__ u32 load_relaxed_host(const u32* word) {
  u32 value;
  asm volatile("ld.relaxed.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}

__device__ __forceinline__ u64 load_relaxed_host(const u64* word) {
  u64 value;
  asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
}

__device__ __forceinline__ void store_relaxed_host(u64* word, u64 value) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

// ---- words in device memory (scope: this GPU) ----------------------------------------------

__device__ __forceinline__ u64 load_relaxed(const u64* word) {
  u64 value;
  asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
}

__device__ __forceinline__ u64 load_acquire(const u64* word) {
  u64 value;
  asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
  return value;
}

__device__ __forceinline__ void store_relaxed(u64* word, u64 value) {
  asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

__device__ __forceinline__ void store_release(u64* word, u64 value) {
  asm volatile("st.release.gpu.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

// Adds without waiting for the old value.
__device__ __forceinline__ void add_relaxed(u64* word, u64 value) {
  asm volatile("red.relaxed.gpu.global.add.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

__device__ __forceinline__ void add_release(u64* word, u64 value) {
  asm volatile("red.release.gpu.global.add.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

// ---- fences --------------------------------------------------------------------------------

// Orders this thread's accesses, and what it observed, for every thread of this GPU.
__device__ __forceinline__ void fence_device() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

// The same, for the host too.
__device__ __forceinline__ void fence_host() { asm volatile("fence.acq_rel.sys;" ::: "memory"); }

// Store-then-load order against the host: the device's half of the lease handshake.
__device__ __forceinline__ void fence_handshake() { asm volatile("fence.sc.sys;" ::: "memory"); }

// ---- copies from device to shared memory, under way while the thread goes on ------------------

// Starts to copy 16 bytes, aligned to that, past the first-level cache.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
  const u32 target = static_cast<u32>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(global) : "memory");
}

// Starts to copy 8 bytes, aligned to that.
__device__ __forceinline__ void copy_async_8(void* shared, const void* global) {
  const u32 target = static_cast<u32>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(target), "l"(global) : "memory");
}

// Ends a group of copies of this thread.
__device__ __forceinline__ void copies_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until all but the last N groups of this thread have arrived.
template <int N> __device__ __forceinline__ void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// Nanoseconds of the GPU's global timer; for durations.
__device__ __forceinline__ u64 now_ns() {
  u64 value;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(value));
  return value;
}

}  // namespace gpuos
