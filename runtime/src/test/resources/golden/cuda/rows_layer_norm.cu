#include "gpuos_rows.cuh"

struct Parameter1 {
  static __device__ __forceinline__ double value() {
    return 0x0.0p0;
  }
};

struct Elements {
  using operands = gpuos::Operands<
      gpuos::Input<gpuos::F16>,  // 0
      gpuos::Input<gpuos::F16>,  // 1
      gpuos::Scalar<gpuos::I64>,  // 2, not one of these
      gpuos::Output<gpuos::F16>,  // 3
      gpuos::Scalar<gpuos::I64>>;  // 4, not one of these
};

struct PerRow {
  using operands = gpuos::Operands<
      gpuos::Scalar<gpuos::I64>,  // 0, not one of these
      gpuos::Scalar<gpuos::I64>,  // 1, not one of these
      gpuos::Input<gpuos::F16>,  // 2
      gpuos::Scalar<gpuos::I64>,  // 3, not one of these
      gpuos::Output<gpuos::F16>>;  // 4
};

struct Row {
  float v1;
  float v2;
  float v4;
  float v6;
  float v7;
  float v12;
  float v13;
};

struct Phase0 {
  using reducer = gpuos::Mean<float>;
  using result = gpuos::F16;
  template <class E>
  static __device__ __forceinline__ float value(const E& e, const Row& row) {
    const float v0 = gpuos::get<0>(e);
    return v0;
  }
  static __device__ __forceinline__ void keep(Row& row, result::value x) {
    row.v1 = x;
    row.v13 = gpuos::mul(row.v1, row.v12);
  }
};

struct Phase1 {
  using reducer = gpuos::Deviation<float, Parameter1>;
  using result = gpuos::F16;
  template <class E>
  static __device__ __forceinline__ float value(const E& e, const Row& row) {
    const float v0 = gpuos::get<0>(e);
    return v0;
  }
  static __device__ __forceinline__ void keep(Row& row, result::value x) {
    row.v2 = x;
    const float v5 = 0x1.4f8b58p-17f;
    row.v4 = gpuos::mul(row.v2, row.v2);
    row.v6 = gpuos::add(row.v4, v5);
    row.v7 = gpuos::sqrt(row.v6);
  }
};

struct Body {
  using elements = Elements;
  using per_row = PerRow;
  using row = Row;
  using phases = gpuos::Phases<Phase0, Phase1>;
  static constexpr int weight = 67;
  static constexpr bool writes_elements = true;
  static constexpr bool writes_rows = true;

  template <class E>
  static __device__ __forceinline__ void begin(const E& e, Row& row) {
    row.v12 = gpuos::get<2>(e);
  }
  template <class E>
  static __device__ __forceinline__ void apply(const E& e, const Row& row) {
    const float v0 = gpuos::get<0>(e);
    const float v3 = gpuos::sub(v0, row.v1);
    const float v8 = gpuos::div(v3, row.v7);
    const float v9 = gpuos::get<1>(e);
    const float v10 = gpuos::mul(v8, v9);
    const float v11 = gpuos::add(v10, v9);
    gpuos::set<3>(e, v11);
  }
  template <class E>
  static __device__ __forceinline__ void end(const E& e, const Row& row) {
    gpuos::set<4>(e, row.v13);
  }
};

GPUOS_CALLED extern "C" __device__ void gpuos_op
    (const gpuos_task* task, const gpuos_space* space, char* scratch,
     unsigned long long) {
  gpuos::rows<Body>(task, space, scratch);
}
