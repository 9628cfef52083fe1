#include "gpuos_scatter.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::I64>,  // 0
      gpuos::Input<gpuos::F32>,  // 1
      gpuos::Output<gpuos::F32>>;  // 2
  static constexpr bool adds = true;
  static constexpr bool wraps = true;
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::scatter<Body>(task, space, scratch);
}
