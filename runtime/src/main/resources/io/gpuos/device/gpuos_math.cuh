// The scalar functions of the expression language, with PyTorch's meaning of each.
//
// One overload per computed type that has a meaning: float, double, int, long long, bool. The name
// is the function's own. All arguments of a call have one type, except where()'s condition.
//
// Rules that hold throughout:
//  - No fast-math, and no contraction (--fmad=false): sums and products are rounded one by one, so an
//    expression gives the same result fused, step by step and interpreted.
//  - Division and square root are IEEE; float division by zero gives infinity or NaN.
//  - NaN comes through maximum, minimum, clamp, relu and their kin.
//  - Integers wrap; nothing traps: division by zero gives 0, the least value / -1 wraps. A narrow
//    type's result is cut to its width by the caller, with Tag::wrap.
#pragma once

#include "gpuos_types.cuh"

namespace gpuos {

// ---- Primitives, for float and double, by the names the formulas below use.

#define GPUOS_UNARY(name)                                  \
  GPUOS_INLINE float name(float x) { return ::name##f(x); } \
  GPUOS_INLINE double name(double x) { return ::name(x); }
#define GPUOS_BINARY(name)                                             \
  GPUOS_INLINE float name(float a, float b) { return ::name##f(a, b); } \
  GPUOS_INLINE double name(double a, double b) { return ::name(a, b); }

GPUOS_UNARY(exp)
GPUOS_UNARY(exp2)
GPUOS_UNARY(expm1)
GPUOS_UNARY(log)
GPUOS_UNARY(log2)
GPUOS_UNARY(log10)
GPUOS_UNARY(log1p)
GPUOS_UNARY(sqrt)
GPUOS_UNARY(rsqrt)
GPUOS_UNARY(sin)
GPUOS_UNARY(cos)
GPUOS_UNARY(tan)
GPUOS_UNARY(asin)
GPUOS_UNARY(acos)
GPUOS_UNARY(atan)
GPUOS_UNARY(sinh)
GPUOS_UNARY(cosh)
GPUOS_UNARY(tanh)
GPUOS_UNARY(asinh)
GPUOS_UNARY(acosh)
GPUOS_UNARY(atanh)
GPUOS_UNARY(erf)
GPUOS_UNARY(erfc)
GPUOS_UNARY(lgamma)
GPUOS_UNARY(floor)
GPUOS_UNARY(ceil)
GPUOS_UNARY(trunc)
GPUOS_BINARY(pow)
GPUOS_BINARY(fmod)
GPUOS_BINARY(atan2)
GPUOS_BINARY(hypot)

#undef GPUOS_UNARY
#undef GPUOS_BINARY

GPUOS_INLINE float round(float x) { return ::rintf(x); }  // half to even
GPUOS_INLINE double round(double x) { return ::rint(x); }
GPUOS_INLINE float abs(float x) { return ::fabsf(x); }
GPUOS_INLINE double abs(double x) { return ::fabs(x); }
GPUOS_INLINE float copysign(float x, float sign) { return ::copysignf(x, sign); }
GPUOS_INLINE double copysign(double x, double sign) { return ::copysign(x, sign); }

// ---- Arithmetic. Integers go through the unsigned type: there overflow wraps by definition.

GPUOS_INLINE float add(float a, float b) { return __fadd_rn(a, b); }
GPUOS_INLINE double add(double a, double b) { return __dadd_rn(a, b); }
GPUOS_INLINE int add(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
GPUOS_INLINE long long add(long long a, long long b) {
  return (long long)((unsigned long long)a + (unsigned long long)b);
}
GPUOS_INLINE bool add(bool a, bool b) { return a || b; }

GPUOS_INLINE float sub(float a, float b) { return __fsub_rn(a, b); }
GPUOS_INLINE double sub(double a, double b) { return __dsub_rn(a, b); }
GPUOS_INLINE int sub(int a, int b) { return (int)((unsigned)a - (unsigned)b); }
GPUOS_INLINE long long sub(long long a, long long b) {
  return (long long)((unsigned long long)a - (unsigned long long)b);
}

GPUOS_INLINE float mul(float a, float b) { return __fmul_rn(a, b); }
GPUOS_INLINE double mul(double a, double b) { return __dmul_rn(a, b); }
GPUOS_INLINE int mul(int a, int b) { return (int)((unsigned)a * (unsigned)b); }
GPUOS_INLINE long long mul(long long a, long long b) {
  return (long long)((unsigned long long)a * (unsigned long long)b);
}
GPUOS_INLINE bool mul(bool a, bool b) { return a && b; }

// The quotient of any floats. In double, where none of them is subnormal or too large; there the
// quotient has more than twice the digits of a float, so that it is rounded right but for exact
// ties, which only subnormal results can be, and which the last step makes exact.
GPUOS_INLINE float div_rare(float a, float b) {
  const double x = a, y = b;
  double inverse = about_reciprocal(y);
  double q = x * inverse;
  if (q != 0.0 && q - q == 0.0) {  // else right already: 0, infinity or NaN
    inverse = ::fma(inverse, ::fma(-y, inverse, 1.0), inverse);
    inverse = ::fma(inverse, ::fma(-y, inverse, 1.0), inverse);
    q = x * inverse;
    q = ::fma(::fma(-y, q, x), inverse, q);
  }
  return (float)q;
}

// Whether 2^-60 <= |x| < 2^60.
GPUOS_INLINE bool is_moderate(float x) {
  return __float_as_uint(x) * 2 - (67u << 24) < 120u << 24;
}

// Rounded to nearest, as the operator of C++, which would call a function for the rare values, and all that
// the caller has in registers would be kept in memory for that.
GPUOS_INLINE float div(float a, float b) {
  if (is_moderate(b) && (is_moderate(a) || a == 0.0f)) {
    float inverse = about_reciprocal(b);
    inverse = ::fmaf(inverse, ::fmaf(-b, inverse, 1.0f), inverse);
    const float q = a * inverse;
    const float nearest = ::fmaf(inverse, ::fmaf(-b, q, a), q);
    return a == 0.0f ? q : nearest;
  }
  return div_rare(a, b);
}
GPUOS_INLINE double div(double a, double b) { return __ddiv_rn(a, b); }

GPUOS_INLINE float neg(float x) { return -x; }
GPUOS_INLINE double neg(double x) { return -x; }
GPUOS_INLINE int neg(int x) { return sub(0, x); }
GPUOS_INLINE long long neg(long long x) { return sub(0LL, x); }

GPUOS_INLINE int abs(int x) { return x < 0 ? neg(x) : x; }
GPUOS_INLINE long long abs(long long x) { return x < 0 ? neg(x) : x; }

// -1, 0 or 1; NaN stays NaN.
GPUOS_INLINE float sign(float x) { return is_nan(x) ? x : (float)((x > 0) - (x < 0)); }
GPUOS_INLINE double sign(double x) { return is_nan(x) ? x : (double)((x > 0) - (x < 0)); }
GPUOS_INLINE int sign(int x) { return (x > 0) - (x < 0); }
GPUOS_INLINE long long sign(long long x) { return (x > 0) - (x < 0); }

// Integers are their own floor, ceil, round and trunc.
GPUOS_INLINE int floor(int x) { return x; }
GPUOS_INLINE int ceil(int x) { return x; }
GPUOS_INLINE int round(int x) { return x; }
GPUOS_INLINE int trunc(int x) { return x; }
GPUOS_INLINE long long floor(long long x) { return x; }
GPUOS_INLINE long long ceil(long long x) { return x; }
GPUOS_INLINE long long round(long long x) { return x; }
GPUOS_INLINE long long trunc(long long x) { return x; }

// ---- Division with a rule for the remainder.

// Integer quotient rounded to zero, 0 where b is 0, wrapping for the least value / -1.
template <class T> GPUOS_INLINE T quotient(T a, T b) {
  if (b == 0) {
    return 0;
  }
  return b == -1 ? neg(a) : a / b;
}

template <class T> GPUOS_INLINE T integer_fmod(T a, T b) {
  return b == 0 ? 0 : sub(a, mul(quotient(a, b), b));
}

template <class T> GPUOS_INLINE T integer_remainder(T a, T b) {
  T rest = integer_fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? add(rest, b) : rest;
}

template <class T> GPUOS_INLINE T integer_floor_divide(T a, T b) {
  T q = quotient(a, b);
  T rest = b == 0 ? 0 : sub(a, mul(q, b));
  return rest != 0 && (rest < 0) != (b < 0) ? sub(q, T(1)) : q;
}

// Remainder with the sign of b, as Python's %.
template <class T> GPUOS_INLINE T floating_remainder(T a, T b) {
  T rest = fmod(a, b);
  return rest != 0 && (b < 0) != (rest < 0) ? add(rest, b) : rest;
}

// Python's //: consistent with remainder even where a / b rounds up to a whole number.
template <class T> GPUOS_INLINE T floating_floor_divide(T a, T b) {
  if (b == 0) {
    return div(a, b);
  }
  T rest = fmod(a, b);
  T q = div(sub(a, rest), b);
  if (rest != 0 && (b < 0) != (rest < 0)) {
    q = sub(q, T(1));
  }
  if (q == 0) {
    return copysign(T(0), div(a, b));
  }
  T whole = floor(q);
  return sub(q, whole) > T(0.5) ? add(whole, T(1)) : whole;
}

GPUOS_INLINE int fmod(int a, int b) { return integer_fmod(a, b); }
GPUOS_INLINE long long fmod(long long a, long long b) { return integer_fmod(a, b); }

GPUOS_INLINE float remainder(float a, float b) { return floating_remainder(a, b); }
GPUOS_INLINE double remainder(double a, double b) { return floating_remainder(a, b); }
GPUOS_INLINE int remainder(int a, int b) { return integer_remainder(a, b); }
GPUOS_INLINE long long remainder(long long a, long long b) { return integer_remainder(a, b); }

GPUOS_INLINE float floor_divide(float a, float b) { return floating_floor_divide(a, b); }
GPUOS_INLINE double floor_divide(double a, double b) { return floating_floor_divide(a, b); }
GPUOS_INLINE int floor_divide(int a, int b) { return integer_floor_divide(a, b); }
GPUOS_INLINE long long floor_divide(long long a, long long b) { return integer_floor_divide(a, b); }

// Integer power by squaring, wrapping. A negative exponent gives 0 except for the bases 1 and -1.
template <class T> GPUOS_INLINE T integer_pow(T base, T exponent) {
  if (exponent < 0) {
    return base == 1 ? 1 : base == -1 ? ((exponent & 1) != 0 ? -1 : 1) : 0;
  }
  T result = 1;
  while (exponent != 0) {
    if ((exponent & 1) != 0) {
      result = mul(result, base);
    }
    base = mul(base, base);
    exponent >>= 1;
  }
  return result;
}

GPUOS_INLINE int pow(int a, int b) { return integer_pow(a, b); }
GPUOS_INLINE long long pow(long long a, long long b) { return integer_pow(a, b); }

// ---- Extremes. NaN wins; of two zeros, +0 is the greater.

GPUOS_INLINE float maximum(float a, float b) { return is_nan(a) || is_nan(b) ? a + b : ::fmaxf(a, b); }
GPUOS_INLINE double maximum(double a, double b) { return is_nan(a) || is_nan(b) ? a + b : ::fmax(a, b); }
GPUOS_INLINE int maximum(int a, int b) { return a > b ? a : b; }
GPUOS_INLINE long long maximum(long long a, long long b) { return a > b ? a : b; }
GPUOS_INLINE bool maximum(bool a, bool b) { return a || b; }

GPUOS_INLINE float minimum(float a, float b) { return is_nan(a) || is_nan(b) ? a + b : ::fminf(a, b); }
GPUOS_INLINE double minimum(double a, double b) { return is_nan(a) || is_nan(b) ? a + b : ::fmin(a, b); }
GPUOS_INLINE int minimum(int a, int b) { return a < b ? a : b; }
GPUOS_INLINE long long minimum(long long a, long long b) { return a < b ? a : b; }
GPUOS_INLINE bool minimum(bool a, bool b) { return a && b; }

// The upper bound wins where the bounds cross.
template <class T> GPUOS_INLINE T clamp(T x, T low, T high) {
  return minimum(maximum(x, low), high);
}

// ---- Comparisons and logic.

template <class T> GPUOS_INLINE bool eq(T a, T b) { return a == b; }
template <class T> GPUOS_INLINE bool ne(T a, T b) { return a != b; }
template <class T> GPUOS_INLINE bool lt(T a, T b) { return a < b; }
template <class T> GPUOS_INLINE bool le(T a, T b) { return a <= b; }
template <class T> GPUOS_INLINE bool gt(T a, T b) { return a > b; }
template <class T> GPUOS_INLINE bool ge(T a, T b) { return a >= b; }

GPUOS_INLINE bool logical_and(bool a, bool b) { return a && b; }
GPUOS_INLINE bool logical_or(bool a, bool b) { return a || b; }
GPUOS_INLINE bool logical_xor(bool a, bool b) { return a != b; }
GPUOS_INLINE bool logical_not(bool a) { return !a; }

template <class T> GPUOS_INLINE T where(bool condition, T a, T b) { return condition ? a : b; }

template <class T> GPUOS_INLINE bool isnan(T x) { return is_nan(x); }
template <class T> GPUOS_INLINE bool isfinite(T x) { return x - x == 0; }
template <class T> GPUOS_INLINE bool isinf(T x) { return !is_nan(x) && !isfinite(x); }

// ---- Bits.

template <class T> GPUOS_INLINE T bitwise_and(T a, T b) { return (T)(a & b); }
template <class T> GPUOS_INLINE T bitwise_or(T a, T b) { return (T)(a | b); }
template <class T> GPUOS_INLINE T bitwise_xor(T a, T b) { return (T)(a ^ b); }
GPUOS_INLINE int bitwise_not(int a) { return ~a; }
GPUOS_INLINE long long bitwise_not(long long a) { return ~a; }
GPUOS_INLINE bool bitwise_not(bool a) { return !a; }

// A count that is negative or not below the width shifts everything out.
GPUOS_INLINE int shift_left(int a, int count) {
  return (unsigned)count < 32 ? (int)((unsigned)a << count) : 0;
}
GPUOS_INLINE long long shift_left(long long a, long long count) {
  return (unsigned long long)count < 64 ? (long long)((unsigned long long)a << count) : 0;
}
GPUOS_INLINE int shift_right(int a, int count) {
  return a >> ((unsigned)count < 32 ? count : 31);
}
GPUOS_INLINE long long shift_right(long long a, long long count) {
  return a >> ((unsigned long long)count < 64 ? count : 63);
}

// ---- Activations: the functions of PyTorch's CUDA kernels, in formulas that keep their accuracy
// where PyTorch's cancel.

GPUOS_INLINE float reciprocal(float x) { return div(1.0f, x); }
GPUOS_INLINE double reciprocal(double x) { return div(1.0, x); }

template <class T> GPUOS_INLINE T sigmoid(T x) { return div(T(1), T(1) + exp(-x)); }

template <class T> GPUOS_INLINE T relu(T x) { return maximum(x, T(0)); }
template <class T> GPUOS_INLINE T relu6(T x) { return clamp(x, T(0), T(6)); }
template <class T> GPUOS_INLINE T hardtanh(T x, T low, T high) { return clamp(x, low, high); }
template <class T> GPUOS_INLINE T leaky_relu(T x, T slope) { return x > T(0) ? x : x * slope; }
template <class T> GPUOS_INLINE T hardsigmoid(T x) { return relu6(x + T(3)) * T(1.0 / 6.0); }
template <class T> GPUOS_INLINE T hardswish(T x) { return x * hardsigmoid(x); }

template <class T> GPUOS_INLINE T elu(T x, T alpha) { return x > T(0) ? x : alpha * expm1(x); }

template <class T> GPUOS_INLINE T celu(T x, T alpha) {
  return x > T(0) ? x : alpha * expm1(div(x, alpha));
}

template <class T> GPUOS_INLINE T selu(T x) {
  const T scale = T(1.0507009873554804934193349852946);
  const T alpha = T(1.6732632423543772848170429916717);
  return x > T(0) ? scale * x : scale * alpha * expm1(x);
}

// x times the normal distribution function, from erfc: erf would cancel for negative x.
template <class T> GPUOS_INLINE T gelu(T x) {
  return T(0.5) * x * erfc(x * T(-0.70710678118654752440));  // 1 / sqrt(2)
}

// x (1 + tanh(u)) / 2 as the equal x sigmoid(2 u), which does not cancel.
template <class T> GPUOS_INLINE T gelu_tanh(T x) {
  const T scale = T(-2 * 0.79788456080286535588);  // sqrt(2 / pi)
  return div(x, T(1) + exp(scale * x * (T(1) + T(0.044715) * x * x)));
}

template <class T> GPUOS_INLINE T silu(T x) { return div(x, T(1) + exp(-x)); }

// x tanh(log(1 + e^x)), with tanh written out in e^x; beyond 20 that is x.
template <class T> GPUOS_INLINE T mish(T x) {
  T power = exp(x);
  T part = power * (power + T(2));
  return x > T(20) ? x : x * div(part, part + T(2));
}

// The identity above the threshold, where the exponential would overflow and not matter.
template <class T> GPUOS_INLINE T softplus(T x, T beta, T threshold) {
  T scaled = x * beta;
  return scaled > threshold ? x : div(log1p(exp(scaled)), beta);
}

}  // namespace gpuos
