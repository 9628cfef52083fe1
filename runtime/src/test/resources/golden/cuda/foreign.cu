#include "gpuos_elementwise.cuh"

namespace {
namespace gpuos_foreign_0 {
#line 1 "the \"mix\".cu"
#define HALF 0.5f
__device__ int mix(int a, float b) { return a * HALF + b; }

#undef HALF
#line 1 "signature of u8 mix(u8 a, f16 b)"
__device__ __forceinline__ int gpuos_call(int gpuos_a0, float gpuos_a1) {
  int (*const gpuos_function)(int, float) = mix;
  return gpuos_function(gpuos_a0, gpuos_a1);
}
}  // namespace gpuos_foreign_0
}  // namespace
#line 1 "operator.cu"
struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::U8>,  // 0
      gpuos::Input<gpuos::F16>,  // 1
      gpuos::Output<gpuos::U8>>;  // 2
  static constexpr int weight = 100;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const int v0 = gpuos::get<0>(e);
    const float v1 = gpuos::get<1>(e);
    const int v2 = gpuos::U8::wrap(gpuos_foreign_0::gpuos_call(v0, v1));
    gpuos::set<2>(e, v2);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::elementwise<Body>(task, space, scratch);
}
