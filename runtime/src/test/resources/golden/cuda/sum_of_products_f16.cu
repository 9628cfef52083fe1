#include "gpuos_reduce.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Input<gpuos::F32>,  // 1
      gpuos::Output<gpuos::F32>>;  // 2
  using reducer = gpuos::Sum<float>;
  static constexpr int weight = 4;

  template <class E>
  static __device__ __forceinline__ float value(const E& e) {
    const float v0 = gpuos::get<0>(e);
    const float v1 = gpuos::convert<gpuos::F32>(v0);
    const float v2 = gpuos::get<1>(e);
    const float v3 = gpuos::mul(v1, v2);
    return v3;
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::reduce<Body>(task, space, scratch);
}
