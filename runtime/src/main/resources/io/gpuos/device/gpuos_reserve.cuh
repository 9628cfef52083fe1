// What kernels that call operators through pointers set aside for them.
#pragma once
#include "gpuos_abi.cuh"

// Takes all an operator may: the registers and the stack that the kernel is launched with are those
// of the most demanding function it could call through a pointer, and only this one is known when
// the kernel is linked. Never called.
// The linker counts with it only if it is called as operators are.
GPUOS_CALLED extern "C" __device__ __noinline__ void gpuos_reserve(const gpuos_task* task,
                                                                   const gpuos_space*, char*,
                                                                   unsigned long long argument) {
  constexpr int REGISTERS = 64;  // of which some are for addresses: as many as a function may have
  volatile unsigned stack[GPUOS_STACK_BYTES / 4];
  unsigned* memory = reinterpret_cast<unsigned*>(argument);
  unsigned value[REGISTERS];
#pragma unroll
  for (int k = 0; k < REGISTERS; k++) {
    asm volatile("ld.global.u32 %0, [%1];" : "=r"(value[k]) : "l"(memory + 97 * k));
  }
  // No value is ready to be stored before all are loaded, so all are in registers then.
  unsigned all = 0;
#pragma unroll
  for (int k = 0; k < REGISTERS; k++) {
    all ^= value[k];
  }
  stack[task->count % (GPUOS_STACK_BYTES / 4)] = task->flags;
#pragma unroll
  for (int k = 0; k < REGISTERS; k++) {
    asm volatile("st.global.u32 [%0], %1;" ::"l"(memory + 89 * k), "r"(value[k] + all));
  }
  memory[0] = stack[task->space % (GPUOS_STACK_BYTES / 4)];
}
