#include "gpuos_gather.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Input<gpuos::I64>,  // 1
      gpuos::Input<gpuos::F16>,  // 2
      gpuos::Output<gpuos::F16>>;  // 3
  static constexpr int weight = 1;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const float v0 = gpuos::get<0>(e);
    const float v1 = gpuos::get<2>(e);
    const float v2 = gpuos::add(v0, v1);
    gpuos::set<3>(e, v2);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::gather<Body>(task, space, scratch);
}
