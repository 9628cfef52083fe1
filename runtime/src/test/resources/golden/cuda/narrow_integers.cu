#include "gpuos_elementwise.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::I8>,  // 0
      gpuos::Input<gpuos::U8>,  // 1
      gpuos::Output<gpuos::I8>,  // 2
      gpuos::Output<gpuos::U8>>;  // 3
  static constexpr int weight = 12;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const int v0 = gpuos::get<0>(e);
    const int v1 = gpuos::get<1>(e);
    const int v2 = gpuos::convert<gpuos::I16>(v1);
    const int v3 = gpuos::convert<gpuos::I16>(v0);
    const int v4 = gpuos::I16::wrap(gpuos::add(v3, v2));
    const int v5 = -100;
    const int v6 = 100;
    const int v7 = gpuos::I16::wrap(gpuos::clamp(v4, v5, v6));
    const int v8 = gpuos::convert<gpuos::I8>(v7);
    const int v9 = gpuos::U8::wrap(gpuos::neg(v1));
    gpuos::set<2>(e, v8);
    gpuos::set<3>(e, v9);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::elementwise<Body>(task, space, scratch);
}
