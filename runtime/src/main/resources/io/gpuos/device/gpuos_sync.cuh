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

// Nanoseconds of the GPU's global timer; for durations.
__device__ __forceinline__ u64 now_ns() {
  u64 value;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(value));
  return value;
}

}  // namespace gpuos
