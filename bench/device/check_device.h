// Compiled into every chunk of kernels: runs one of them over the tiles of a task, as a worker of the
// resident kernel would.
#pragma once

#include "check_run.h"

static __device__ void check_tiles(gpuos_operator kernel, const gpuos_task* tiles, unsigned count,
                                   const gpuos_space* space, unsigned long long argument = 0) {
  __shared__ gpuos_task task;
  alignas(16) __shared__ char scratch[GPUOS_SCRATCH_BYTES];
  for (unsigned tile = blockIdx.x; tile < count; tile += gridDim.x) {
    for (unsigned i = threadIdx.x; i < sizeof(task) / 4; i += blockDim.x) {
      ((unsigned*)&task)[i] = ((const unsigned*)&tiles[tile])[i];
    }
    for (unsigned i = threadIdx.x; i < sizeof(scratch) / 4; i += blockDim.x) {
      ((unsigned*)scratch)[i] = 0xdeadbeefu;  // an operator must not count on what it finds
    }
    __syncthreads();
    GPUOS_CALLED
    kernel(&task, space, scratch, argument);
    __syncthreads();
  }
}

#ifdef GPUOS_HOST
#define CHECK_LAUNCH(kernel, run, ...) host_launch((run).blocks, (run).threads, [&] { kernel(__VA_ARGS__); })
#else
#define CHECK_LAUNCH(kernel, run, ...) kernel<<<(run).blocks, (run).threads>>>(__VA_ARGS__)
#endif

// The chunk that holds the interpreter, whose entry has been renamed to gpuos_op_interpret.
#define CHECK_INTERPRETER                                                                     \
  static __global__ void check_interpreter(unsigned long long program, const gpuos_task* tiles, \
                                           unsigned count, const gpuos_space* space) {        \
    check_tiles(gpuos_op_interpret, tiles, count, space, program);                            \
  }                                                                                           \
  void run_interpreted(const Run& run) {                                                      \
    CHECK_LAUNCH(check_interpreter, run, run.argument, run.tiles, run.tile_count, run.space); \
  }

#define CHECK_CHUNK(number, ...)                                                             \
  static __device__ gpuos_operator check_kernels_##number[] = {__VA_ARGS__};                  \
  static __global__ void check_kernel_##number(int kernel, const gpuos_task* tiles,           \
                                               unsigned count, const gpuos_space* space) {    \
    check_tiles(check_kernels_##number[kernel], tiles, count, space);                         \
  }                                                                                           \
  void run_chunk_##number(const Run& run) {                                                   \
    CHECK_LAUNCH(check_kernel_##number, run, run.kernel, run.tiles, run.tile_count, run.space); \
  }
