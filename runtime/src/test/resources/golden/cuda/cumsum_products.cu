#include "gpuos_scan.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Input<gpuos::F16>,  // 1
      gpuos::Output<gpuos::F16>>;  // 2
  static constexpr bool exclusive = false;
  static constexpr int weight = 1;

  template <class E>
  static __device__ __forceinline__ float value(const E& e) {
    const float v0 = gpuos::get<0>(e);
    const float v1 = gpuos::get<1>(e);
    const float v2 = gpuos::mul(v0, v1);
    return v2;
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::scan<Body>(task, space, scratch);
}
