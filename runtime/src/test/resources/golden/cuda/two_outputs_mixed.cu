#include "gpuos_elementwise.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Input<gpuos::F32>,  // 1
      gpuos::Input<gpuos::I32>,  // 2
      gpuos::Output<gpuos::F32>,  // 3
      gpuos::Output<gpuos::BOOL>>;  // 4
  static constexpr int weight = 7;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const float v0 = gpuos::get<0>(e);
    const float v1 = gpuos::convert<gpuos::F32>(v0);
    const float v2 = gpuos::get<1>(e);
    const int v3 = gpuos::get<2>(e);
    const float v4 = gpuos::convert<gpuos::F32>(v3);
    const bool v5 = gpuos::gt(v1, v2);
    const float v6 = 0x1.0p-2f;
    const float v7 = gpuos::mul(v4, v6);
    const float v8 = gpuos::where(v5, v7, v1);
    gpuos::set<3>(e, v8);
    gpuos::set<4>(e, v5);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::elementwise<Body>(task, space, scratch);
}
