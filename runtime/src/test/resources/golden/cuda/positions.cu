#include "gpuos_scan.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Output<gpuos::I64>>;  // 0
  static constexpr bool exclusive = true;
  static constexpr int weight = 1;

  template <class E>
  static __device__ __forceinline__ long long value(const E& e) {
    const long long v0 = 1ll;
    return v0;
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::scan<Body>(task, space, scratch);
}
