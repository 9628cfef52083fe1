// Stand-in for the header rendered from the records' declaration: what generated operators use of
// it, and nothing else.
#pragma once

#define GPUOS_SCRATCH_BYTES 8192
#define GPUOS_FLAG_LINEAR 1u

struct gpuos_task {
  unsigned count;
  unsigned first;
  unsigned flags;
  unsigned reserved;
  unsigned long long operand[10];
};

struct gpuos_space {
  unsigned rank;
  unsigned reduced;
  unsigned pad[2];
  long long size[8];
  long long stride[10][8];
};

template <int K> __device__ __forceinline__ unsigned long long gpuos_operand(const gpuos_task* task) {
  return task->operand[K];
}
