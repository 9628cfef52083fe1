// What kernels that call operators through pointers set aside for them.
#pragma once
#include "gpuos_abi.cuh"

// Takes all an operator may: the registers and the stack that the kernel is launched with are those
// of the most demanding function it could call through a pointer, and only this one is known when
// the kernel is linked. Never called.
extern "C" __device__ __noinline__ void gpuos_reserve(const gpuos_task* task, const gpuos_space*,
                                                      char*, unsigned long long argument) {
  constexpr int REGISTERS = 60;  // with addresses and the like, all 64
  volatile unsigned stack[GPUOS_STACK_BYTES / 4];
  unsigned* memory = reinterpret_cast<unsigned*>(argument);
  unsigned value[REGISTERS];
#pragma unroll
  for (int k = 0; k < REGISTERS; k++) {
    asm volatile("ld.global.u32 %0, [%1];" : "=r"(value[k]) : "l"(memory + 97 * k));
  }
  stack[task->count % (GPUOS_STACK_BYTES / 4)] = task->flags;
#pragma unroll
  for (int k = 0; k < REGISTERS; k++) {
    asm volatile("st.global.u32 [%0], %1;" ::"l"(memory + 89 * k), "r"(value[k]));
  }
  memory[0] = stack[task->space % (GPUOS_STACK_BYTES / 4)];
}
