#include "gpuos_reduce.cuh"

struct Parameter {
  static __device__ __forceinline__ double value() {
    return 0x1.cp1;
  }
};

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Output<gpuos::F16>>;  // 1
  using reducer = gpuos::NormP<float, Parameter>;
  static constexpr int weight = 100;

  template <class E>
  static __device__ __forceinline__ float value(const E& e) {
    const float v0 = gpuos::get<0>(e);
    return v0;
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::reduce<Body>(task, space, scratch);
}
