#include "gpuos_attention.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Input<gpuos::F16>,  // 1
      gpuos::Input<gpuos::F16>,  // 2
      gpuos::Input<gpuos::BOOL>,  // 3
      gpuos::Input<gpuos::F16>,  // 4
      gpuos::Output<gpuos::F16>>;  // 5
  static constexpr bool masked = true;
  static constexpr bool causal = true;
  static __device__ __forceinline__ float scale() { return 0x1.0p-2f; }
  static constexpr int weight = 1;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const float v0 = gpuos::get<0>(e);
    const float v1 = gpuos::get<4>(e);
    const float v2 = gpuos::add(v0, v1);
    gpuos::set<5>(e, v2);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::attention<Body>(task, space, scratch);
}
