// Element types: how each is stored, what it is computed in, and how values convert.
//
// One tag per DType, of the same name. A tag says the size of a stored element, the C++ type it is
// computed in, and translates between the stored bits and that type:
//
//   tag                   computed in   note
//   F64                   double
//   F32, F16, BF16        float         a half value is rounded by a conversion and by a store only
//   I64                   long long
//   I32, I16, I8, U8      int           wrap() cuts a result back to the type's width
//   BOOL                  bool          any non-zero byte is true; stored as 0 or 1
//
#pragma once

#include "gpuos_ptx.cuh"

namespace gpuos {

GPUOS_INLINE bool is_nan(float x) { return x != x; }
GPUOS_INLINE bool is_nan(double x) { return x != x; }
GPUOS_INLINE bool is_nan(long long) { return false; }
GPUOS_INLINE bool is_nan(int) { return false; }
GPUOS_INLINE bool is_nan(bool) { return false; }

struct F64 {
  using value = double;
  using word = unsigned long long;
  static constexpr int bytes = 8;
  GPUOS_INLINE value decode(word bits) { return __longlong_as_double((long long)bits); }
  GPUOS_INLINE word encode(value x) { return (word)__double_as_longlong(x); }
};

struct F32 {
  using value = float;
  using word = unsigned;
  static constexpr int bytes = 4;
  GPUOS_INLINE value decode(word bits) { return __uint_as_float(bits); }
  GPUOS_INLINE word encode(value x) { return __float_as_uint(x); }
};

struct F16 {
  using value = float;
  using word = unsigned;
  static constexpr int bytes = 2;
  GPUOS_INLINE value decode(word bits) { return half_value(bits); }
  GPUOS_INLINE word encode(value x) { return half_bits(x); }
};

struct BF16 {
  using value = float;
  using word = unsigned;
  static constexpr int bytes = 2;
  GPUOS_INLINE value decode(word bits) { return __uint_as_float(bits << 16); }
  GPUOS_INLINE word encode(value x) { return bfloat_bits(x); }
};

struct I64 {
  using value = long long;
  using word = unsigned long long;
  static constexpr int bytes = 8;
  GPUOS_INLINE value decode(word bits) { return (value)bits; }
  GPUOS_INLINE word encode(value x) { return (word)x; }
};

struct I32 {
  using value = int;
  using word = unsigned;
  static constexpr int bytes = 4;
  GPUOS_INLINE value decode(word bits) { return (value)bits; }
  GPUOS_INLINE word encode(value x) { return (word)x; }
};

struct I16 {
  using value = int;
  using word = unsigned;
  static constexpr int bytes = 2;
  GPUOS_INLINE value wrap(value x) { return (short)x; }
  GPUOS_INLINE value decode(word bits) { return (short)bits; }
  GPUOS_INLINE word encode(value x) { return (unsigned short)x; }
};

struct I8 {
  using value = int;
  using word = unsigned;
  static constexpr int bytes = 1;
  GPUOS_INLINE value wrap(value x) { return (signed char)x; }
  GPUOS_INLINE value decode(word bits) { return (signed char)bits; }
  GPUOS_INLINE word encode(value x) { return (unsigned char)x; }
};

struct U8 {
  using value = int;
  using word = unsigned;
  static constexpr int bytes = 1;
  GPUOS_INLINE value wrap(value x) { return (unsigned char)x; }
  GPUOS_INLINE value decode(word bits) { return (int)(unsigned char)bits; }
  GPUOS_INLINE word encode(value x) { return (unsigned char)x; }
};

struct BOOL {
  using value = bool;
  using word = unsigned;
  static constexpr int bytes = 1;
  GPUOS_INLINE value decode(word bits) { return (bits & 0xff) != 0; }
  GPUOS_INLINE word encode(value x) { return x ? 1 : 0; }
};

// Integers from floating values: truncate, saturate at the ends of the integer type, NaN to 0. This
// is Java's (int) and (long), so both devices agree where C leaves the result open.
GPUOS_INLINE int to_int(float x) { return __float2int_rz(x); }  // the instruction maps NaN to 0
GPUOS_INLINE int to_int(double x) { return is_nan(x) ? 0 : __double2int_rz(x); }
GPUOS_INLINE int to_int(long long x) { return (int)(unsigned)x; }
GPUOS_INLINE int to_int(int x) { return x; }
GPUOS_INLINE int to_int(bool x) { return x; }

GPUOS_INLINE long long to_long(float x) { return is_nan(x) ? 0 : __float2ll_rz(x); }
GPUOS_INLINE long long to_long(double x) { return is_nan(x) ? 0 : __double2ll_rz(x); }
GPUOS_INLINE long long to_long(long long x) { return x; }
GPUOS_INLINE long long to_long(int x) { return x; }
GPUOS_INLINE long long to_long(bool x) { return x; }

template <class Tag> struct Conversion;

template <> struct Conversion<F64> {
  template <class S> GPUOS_INLINE double from(S x) { return (double)x; }
};
template <> struct Conversion<F32> {
  template <class S> GPUOS_INLINE float from(S x) { return (float)x; }
};
// To the half types by way of float, as PyTorch: a double is rounded twice.
template <> struct Conversion<F16> {
  template <class S> GPUOS_INLINE float from(S x) { return F16::decode(half_bits((float)x)); }
};
template <> struct Conversion<BF16> {
  template <class S> GPUOS_INLINE float from(S x) { return BF16::decode(bfloat_bits((float)x)); }
};
template <> struct Conversion<I64> {
  template <class S> GPUOS_INLINE long long from(S x) { return to_long(x); }
};
template <> struct Conversion<I32> {
  template <class S> GPUOS_INLINE int from(S x) { return to_int(x); }
};
// To the narrow integers by way of int: saturated at its ends, then cut to the width.
template <> struct Conversion<I16> {
  template <class S> GPUOS_INLINE int from(S x) { return I16::wrap(to_int(x)); }
};
template <> struct Conversion<I8> {
  template <class S> GPUOS_INLINE int from(S x) { return I8::wrap(to_int(x)); }
};
template <> struct Conversion<U8> {
  template <class S> GPUOS_INLINE int from(S x) { return U8::wrap(to_int(x)); }
};
template <> struct Conversion<BOOL> {
  template <class S> GPUOS_INLINE bool from(S x) { return x != S(0); }
};

// The value of type Tag nearest to x, as torch.Tensor.to; NaN is true.
template <class Tag, class S> GPUOS_INLINE typename Tag::value convert(S x) {
  return Conversion<Tag>::from(x);
}

// The value of a runtime scalar from its operand word: double bits for floating types, the
// sign-extended integer for the others.
template <class Tag> struct ScalarWord {
  GPUOS_INLINE typename Tag::value decode(unsigned long long bits) {
    return (typename Tag::value)(long long)bits;
  }
};
template <> struct ScalarWord<F64> {
  GPUOS_INLINE double decode(unsigned long long bits) { return F64::decode(bits); }
};
template <> struct ScalarWord<F32> {
  GPUOS_INLINE float decode(unsigned long long bits) { return (float)F64::decode(bits); }
};
template <> struct ScalarWord<F16> : ScalarWord<F32> {};
template <> struct ScalarWord<BF16> : ScalarWord<F32> {};

// Constants that have no literal.
GPUOS_INLINE float float_of(unsigned bits) { return __uint_as_float(bits); }
GPUOS_INLINE double double_of(unsigned long long bits) {
  return __longlong_as_double((long long)bits);
}

}  // namespace gpuos
