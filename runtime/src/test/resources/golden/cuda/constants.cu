#include "gpuos_elementwise.cuh"

struct Body {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F64>,  // 0
      gpuos::Output<gpuos::F64>,  // 1
      gpuos::Output<gpuos::F32>>;  // 2
  static constexpr int weight = 31;

  template <class E>
  static __device__ __forceinline__ void apply(const E& e) {
    const double v0 = gpuos::get<0>(e);
    const float v1 = gpuos::convert<gpuos::F32>(v0);
    const double v2 = 0x1.999999999999ap-4;
    const double v3 = gpuos::add(v0, v2);
    const float v4 = 0x1.99999ap-4f;
    const float v5 = gpuos::add(v1, v4);
    const double v6 = -0x0.0p0;
    const double v7 = gpuos::add(v3, v6);
    const float v8 = -0x0.0p0f;
    const float v9 = gpuos::add(v5, v8);
    const double v10 = gpuos::double_of(0x7ff0000000000000ull);
    const double v11 = gpuos::add(v7, v10);
    const float v12 = gpuos::float_of(0x7f800000u);
    const float v13 = gpuos::add(v9, v12);
    const double v14 = gpuos::double_of(0x7ff8000000000000ull);
    const double v15 = gpuos::add(v11, v14);
    const float v16 = gpuos::float_of(0x7fc00000u);
    const float v17 = gpuos::add(v13, v16);
    const long long v18 = (-9223372036854775807ll - 1);
    const int v19 = (-2147483647 - 1);
    const long long v20 = gpuos::convert<gpuos::I64>(v19);
    const long long v21 = gpuos::sub(v18, v20);
    const bool v22 = true;
    const long long v23 = gpuos::convert<gpuos::I64>(v22);
    const long long v24 = gpuos::maximum(v21, v23);
    const double v25 = gpuos::convert<gpuos::F64>(v24);
    const double v26 = gpuos::add(v25, v15);
    gpuos::set<1>(e, v26);
    gpuos::set<2>(e, v17);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::elementwise<Body>(task, space, scratch);
}
