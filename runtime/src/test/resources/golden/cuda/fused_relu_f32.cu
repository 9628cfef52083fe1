#include "gpuos_elementwise.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F32>,  // 0
      gpuos::Input<gpuos::F32>,  // 1
      gpuos::Input<gpuos::F32>,  // 2
      gpuos::Output<gpuos::F32>>;  // 3
  static constexpr int weight = 6;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const float v0 = gpuos::get<0>(e);
    const float v1 = gpuos::get<1>(e);
    const float v2 = gpuos::get<2>(e);
    const float v3 = gpuos::mul(v0, v1);
    const float v4 = gpuos::add(v3, v2);
    const float v5 = gpuos::relu(v4);
    gpuos::set<3>(e, v5);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::elementwise<Body>(task, space, scratch);
}
