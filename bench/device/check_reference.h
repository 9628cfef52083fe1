// What a checked kernel is, and the scalar functions once more: for a host, in more precision than
// any device type has, and written from the definitions rather than from the device header.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "check_run.h"

using real = long double;

enum class Type { F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL };
enum class Role { input, scalar, output };

// One value: r of a floating type, i of an integer or bool.
struct Cell {
  real r = 0;
  long long i = 0;
  Cell() = default;
  explicit Cell(real x) : r(x) {}
  explicit Cell(long long x) : i(x) {}
  explicit Cell(bool x) : i(x) {}
};

struct Operand {
  Role role;
  Type type;
};

struct Case {
  std::string name;
  void (*run)(const Run&);  // of the chunk the kernel is in; null: interpreted only
  int index;                // in the chunk
  std::vector<Operand> operands;
  // Elementwise: cells of inputs and scalars to those of outputs, all by operand number. Reduction:
  // to out[0], the value to fold. Null: only compared with the interpreter.
  void (*reference)(const Cell* in, Cell* out);
  std::string reducer;  // empty: elementwise
  double parameter;
  Type folded;  // of the value to fold
  // For the interpreter, eight bytes at a time; empty: not interpreted.
  std::vector<unsigned long long> program;
};

extern const std::vector<Case> cases;

inline bool floating(Type t) { return t <= Type::BF16; }
inline int bytes_of(Type t) {
  static const int bytes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
  return bytes[(int)t];
}

// Bits of a half type with `mantissa` explicit bits, nearest even, from the bits of a float.
inline unsigned round_float(unsigned bits, int mantissa, int bias, int exponents) {
  const unsigned sign = bits >> 31;
  const int width = mantissa + exponents;
  const unsigned infinity = ((1u << exponents) - 1) << mantissa;
  float x;
  std::memcpy(&x, &bits, 4);
  if (std::isnan(x)) {
    return 0x7fff;
  }
  const real magnitude = std::fabs((real)x);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int least = 1 - bias;  // exponent of the smallest normal number
  const int scale = std::max(exponent - 1, least) - mantissa;
  const real units = std::nearbyint(std::ldexp(magnitude, -scale));
  const real rounded = std::ldexp(units, scale);
  unsigned result;
  if (std::isinf(x) || rounded >= std::ldexp((real)1, bias + 1)) {
    result = infinity;
  } else if (rounded < std::ldexp((real)1, least)) {
    result = (unsigned)units;
  } else {
    std::frexp(rounded, &exponent);
    result = ((unsigned)(exponent - 1 + bias) << mantissa) +
             ((unsigned)std::ldexp(rounded, mantissa - (exponent - 1)) - (1u << mantissa));
  }
  return sign << width | result;
}

inline real half_real(unsigned bits, int mantissa, int bias, int exponents) {
  const unsigned fraction = bits & ((1u << mantissa) - 1);
  const int exponent = bits >> mantissa & ((1 << exponents) - 1);
  const real sign = bits >> (mantissa + exponents) != 0 ? -1 : 1;
  if (exponent == (1 << exponents) - 1) {
    return fraction != 0 ? (real)NAN : sign * (real)INFINITY;
  }
  const real units = fraction + (exponent == 0 ? 0 : 1u << mantissa);
  return sign * std::ldexp(units, (exponent == 0 ? 1 : exponent) - bias - mantissa);
}

// Stored form of a value, and back.
inline void encode(Type type, const Cell& cell, void* at) {
  const float f = (float)cell.r;
  const double d = (double)cell.r;
  unsigned bits;
  std::memcpy(&bits, &f, 4);
  switch (type) {
    case Type::F64: std::memcpy(at, &d, 8); return;
    case Type::F32: std::memcpy(at, &f, 4); return;
    case Type::F16: bits = round_float(bits, 10, 15, 5); std::memcpy(at, &bits, 2); return;
    case Type::BF16: bits = round_float(bits, 7, 127, 8); std::memcpy(at, &bits, 2); return;
    default: std::memcpy(at, &cell.i, bytes_of(type)); return;
  }
}

inline Cell decode(Type type, const void* at) {
  unsigned short half;
  switch (type) {
    case Type::F64: { double x; std::memcpy(&x, at, 8); return Cell((real)x); }
    case Type::F32: { float x; std::memcpy(&x, at, 4); return Cell((real)x); }
    case Type::F16: std::memcpy(&half, at, 2); return Cell(half_real(half, 10, 15, 5));
    case Type::BF16: std::memcpy(&half, at, 2); return Cell(half_real(half, 7, 127, 8));
    case Type::I64: { int64_t x; std::memcpy(&x, at, 8); return Cell((long long)x); }
    case Type::I32: { int32_t x; std::memcpy(&x, at, 4); return Cell((long long)x); }
    case Type::I16: { int16_t x; std::memcpy(&x, at, 2); return Cell((long long)x); }
    case Type::I8: { int8_t x; std::memcpy(&x, at, 1); return Cell((long long)x); }
    case Type::U8: { uint8_t x; std::memcpy(&x, at, 1); return Cell((long long)x); }
    default: { uint8_t x; std::memcpy(&x, at, 1); return Cell(x != 0); }
  }
}

namespace ref {

using wide = long long;
using uwide = unsigned long long;

inline wide truncated(real x, real low, real high, wide least, wide most) {
  return std::isnan(x) ? 0 : x <= low ? least : x >= high ? most : (wide)x;
}
inline wide integer(real x, bool wide_type) {
  return wide_type ? truncated(x, (real)INT64_MIN, (real)INT64_MAX, INT64_MIN, INT64_MAX)
                   : truncated(x, (real)INT32_MIN, (real)INT32_MAX, INT32_MIN, INT32_MAX);
}
inline wide integer(wide x, bool) { return x; }
inline wide integer(bool x, bool) { return x; }

template <Type T, class S> auto convert(S x) {
  if constexpr (T <= Type::BF16) {
    // By way of float, as the device and PyTorch do it.
    unsigned char stored[8];
    encode(T, Cell(T == Type::F64 ? (real)(double)x : (real)(float)x), stored);
    return decode(T, stored).r;
  } else if constexpr (T == Type::BOOL) {
    return x != S(0);
  } else {
    const wide i = integer(x, T == Type::I64);
    unsigned char stored[8];
    std::memcpy(stored, &i, 8);
    return decode(T, stored).i;
  }
}

#define UNARY(name, expression) \
  inline real name(real x) { return expression; }
UNARY(exp, std::exp(x))
UNARY(exp2, std::exp2(x))
UNARY(expm1, std::expm1(x))
UNARY(log, std::log(x))
UNARY(log2, std::log2(x))
UNARY(log10, std::log10(x))
UNARY(log1p, std::log1p(x))
UNARY(sqrt, std::sqrt(x))
UNARY(rsqrt, 1 / std::sqrt(x))
UNARY(reciprocal, 1 / x)
UNARY(sin, std::sin(x))
UNARY(cos, std::cos(x))
UNARY(tan, std::tan(x))
UNARY(asin, std::asin(x))
UNARY(acos, std::acos(x))
UNARY(atan, std::atan(x))
UNARY(sinh, std::sinh(x))
UNARY(cosh, std::cosh(x))
UNARY(tanh, std::tanh(x))
UNARY(asinh, std::asinh(x))
UNARY(acosh, std::acosh(x))
UNARY(atanh, std::atanh(x))
UNARY(erf, std::erf(x))
UNARY(erfc, std::erfc(x))
UNARY(floor, std::floor(x))
UNARY(ceil, std::ceil(x))
UNARY(trunc, std::trunc(x))
UNARY(round, std::nearbyint(x))
UNARY(abs, std::fabs(x))
UNARY(neg, -x)
UNARY(sigmoid, 1 / (1 + std::exp(-x)))
UNARY(silu, std::isinf(x) && x < 0 ? (real)NAN : x / (1 + std::exp(-x)))
UNARY(mish, x * std::tanh(std::log1p(std::exp(x))))
UNARY(gelu, x * std::erfc(-x / std::sqrt((real)2)) / 2)
UNARY(gelu_tanh, x / (1 + std::exp(-2 * std::sqrt(2 / (real)M_PIl) * x * (1 + 0.044715L * x * x))))
UNARY(hardsigmoid, std::isnan(x) ? x : std::fmin(std::fmax(x + 3, 0), 6) / 6)
UNARY(hardswish, std::isnan(x) ? x : x * std::fmin(std::fmax(x + 3, 0), 6) / 6)
UNARY(relu6, std::isnan(x) ? x : std::fmin(std::fmax(x, 0), 6))
UNARY(selu, 1.0507009873554804934193349852946L *
                (x > 0 ? x : 1.6732632423543772848170429916717L * std::expm1(x)))
UNARY(sign, std::isnan(x) ? x : (real)((x > 0) - (x < 0)))
#undef UNARY

inline real lgamma(real x) { return std::isinf(x) ? (real)INFINITY : ::lgammal(x); }

inline wide same(wide x) { return x; }
inline wide floor(wide x) { return x; }
inline wide ceil(wide x) { return x; }
inline wide trunc(wide x) { return x; }
inline wide round(wide x) { return x; }
inline wide sign(wide x) { return (x > 0) - (x < 0); }
inline wide neg(wide x) { return (wide)(0 - (uwide)x); }
inline wide abs(wide x) { return x < 0 ? neg(x) : x; }

inline real add(real a, real b) { return a + b; }
inline real sub(real a, real b) { return a - b; }
inline real mul(real a, real b) { return a * b; }
inline real div(real a, real b) { return a / b; }
inline wide add(wide a, wide b) { return (wide)((uwide)a + (uwide)b); }
inline wide sub(wide a, wide b) { return (wide)((uwide)a - (uwide)b); }
inline wide mul(wide a, wide b) { return (wide)((uwide)a * (uwide)b); }
inline bool add(bool a, bool b) { return a || b; }
inline bool mul(bool a, bool b) { return a && b; }

inline real fmod(real a, real b) { return std::fmod(a, b); }
inline wide fmod(wide a, wide b) { return b == 0 || b == -1 ? 0 : a % b; }
inline real remainder(real a, real b) {
  const real rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
inline wide remainder(wide a, wide b) {
  const wide rest = fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
inline real floor_divide(real a, real b) {
  if (b == 0) {
    return a / b;
  }
  const real rest = std::fmod(a, b);
  real q = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    q -= 1;
  }
  return std::nearbyint(q);
}
inline wide floor_divide(wide a, wide b) {
  if (b == 0) {
    return 0;
  }
  if (b == -1) {
    return neg(a);
  }
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
inline real pow(real a, real b) { return std::pow(a, b); }
inline wide pow(wide a, wide b) {
  if (b < 0) {
    return a == 1 ? 1 : a == -1 ? (b % 2 != 0 ? -1 : 1) : 0;
  }
  wide result = 1;
  for (; b != 0; b /= 2, a = mul(a, a)) {
    if (b % 2 != 0) {
      result = mul(result, a);
    }
  }
  return result;
}
inline real atan2(real a, real b) { return std::atan2(a, b); }
inline real hypot(real a, real b) { return std::hypot(a, b); }

inline real maximum(real a, real b) { return std::isnan(a) ? a : std::isnan(b) ? b : a > b ? a : b; }
inline real minimum(real a, real b) { return std::isnan(a) ? a : std::isnan(b) ? b : a < b ? a : b; }
inline wide maximum(wide a, wide b) { return a > b ? a : b; }
inline wide minimum(wide a, wide b) { return a < b ? a : b; }
inline bool maximum(bool a, bool b) { return a || b; }
inline bool minimum(bool a, bool b) { return a && b; }
template <class T> T clamp(T x, T low, T high) { return minimum(maximum(x, low), high); }
template <class T> T relu(T x) { return maximum(x, T(0)); }
inline real hardtanh(real x, real low, real high) { return clamp(x, low, high); }

template <class T> bool eq(T a, T b) { return a == b; }
template <class T> bool ne(T a, T b) { return a != b; }
template <class T> bool lt(T a, T b) { return a < b; }
template <class T> bool le(T a, T b) { return a <= b; }
template <class T> bool gt(T a, T b) { return a > b; }
template <class T> bool ge(T a, T b) { return a >= b; }
inline bool logical_and(bool a, bool b) { return a & b; }
inline bool logical_or(bool a, bool b) { return a | b; }
inline bool logical_xor(bool a, bool b) { return a ^ b; }
inline bool logical_not(bool a) { return !a; }
template <class T> T where(bool condition, T a, T b) { return condition ? a : b; }
inline bool isnan(real x) { return std::isnan(x); }
inline bool isinf(real x) { return std::isinf(x); }
inline bool isfinite(real x) { return std::isfinite(x); }

template <class T> T bitwise_and(T a, T b) { return a & b; }
template <class T> T bitwise_or(T a, T b) { return a | b; }
template <class T> T bitwise_xor(T a, T b) { return a ^ b; }
inline wide bitwise_not(wide a) { return -1 - a; }
inline bool bitwise_not(bool a) { return !a; }
inline wide shift_left(wide a, wide count, int width) {
  return count < 0 || count >= width ? 0 : (wide)((uwide)a << count);
}
inline wide shift_right(wide a, wide count, int width) {
  return count < 0 || count >= width ? (a < 0 ? -1 : 0) : a >> count;
}

inline real leaky_relu(real x, real slope) { return x > 0 ? x : x * slope; }
inline real elu(real x, real alpha) { return x > 0 ? x : alpha * std::expm1(x); }
inline real celu(real x, real alpha) { return x > 0 ? x : alpha * std::expm1(x / alpha); }
inline real softplus(real x, real beta, real threshold) {
  return x * beta > threshold ? x : std::log1p(std::exp(x * beta)) / beta;
}

}  // namespace ref
