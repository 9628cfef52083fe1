// The interpreter: one operator that computes any elementwise kernel, told by its argument which.
// Runs a kernel at once while its own operator is still being compiled.
#include "gpuos_interpret.cuh"

// `argument` is the address of a gpuos_interpreter_program in device memory.
GPUOS_CALLED extern "C" __device__ void gpuos_op(const gpuos_task* task, const gpuos_space* space,
                                                 char* scratch, unsigned long long argument) {
  gpuos::interpret(task, space, scratch, argument);
}
