#include "gpuos_reduce.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::U8>,  // 0
      gpuos::Output<gpuos::I64>>;  // 1
  using reducer = gpuos::ArgMin<int>;
  static constexpr int weight = 8;

  template <class E>
  static __device__ __forceinline__ int value(const E& e) {
    const int v0 = gpuos::get<0>(e);
    return v0;
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::reduce<Body>(task, space, scratch);
}
