// A host that plays the device: one block at a time, its threads as fibers that take turns at
// barriers and shuffles. Included before everything else in a chunk.
#pragma once

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "check_reference.h"

#define GPUOS_HOST
#define __device__
#define __host__
#define __global__
#define __shared__ static
#define __forceinline__ inline

struct Dim {
  unsigned x;
};
extern Dim threadIdx, blockIdx, blockDim, gridDim;

void host_launch(unsigned blocks, unsigned threads, const std::function<void()>& kernel);
void host_check(bool right, const char* what);
void host_barrier(int line);
// Whether all of these bytes belong to one allocation of device memory.
bool host_owns(unsigned long long at, size_t bytes);
// Gives `word` to the other lanes of the warp; the word of the lane whose number differs by mask.
unsigned long long host_exchange(unsigned long long word, int mask);

#define __syncthreads() host_barrier(__LINE__)

template <class T> T __shfl_xor_sync(unsigned, T value, int mask) {
  unsigned long long word = 0;
  std::memcpy(&word, &value, sizeof(T));
  word = host_exchange(word, mask);
  std::memcpy(&value, &word, sizeof(T));
  return value;
}

template <class T> T __shfl_sync(unsigned mask, T value, int lane) {
  return __shfl_xor_sync(mask, value, (int)(threadIdx.x & 31) ^ lane);
}

template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
  const unsigned lane = threadIdx.x & 31;
  return __shfl_sync(mask, value, (int)(lane < distance ? lane : lane - distance));
}

template <class To, class From> To host_bits(From x) {
  To y;
  std::memcpy(&y, &x, sizeof(To));
  return y;
}
inline float __uint_as_float(unsigned x) { return host_bits<float>(x); }
inline unsigned __float_as_uint(float x) { return host_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return host_bits<double>(x); }
inline long long __double_as_longlong(double x) { return host_bits<long long>(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline int __float2int_rz(float x) { return (int)ref::integer((real)x, false); }
inline int __double2int_rz(double x) { return (int)ref::integer((real)x, false); }
inline long long __float2ll_rz(float x) { return ref::integer((real)x, true); }
inline long long __double2ll_rz(double x) { return ref::integer((real)x, true); }
inline unsigned long long __float2ull_rz(float x) { return (unsigned long long)x; }
inline float __ull2float_rn(unsigned long long x) { return (float)x; }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return (unsigned)(((unsigned long long)high << 32 | low) >> (shift & 31));
}
// The greater of two zeros is +0 on the device; a host takes either.
template <class T> T host_max(T a, T b) {
  return a == b ? (std::signbit(a) ? b : a) : a > b || b != b ? a : b;
}
template <class T> T host_min(T a, T b) {
  return a == b ? (std::signbit(a) ? a : b) : a < b || b != b ? a : b;
}
#define fmaxf host_max<float>
#define fmax host_max<double>
#define fminf host_min<float>
#define fmin host_min<double>
inline float rsqrtf(float x) { return (float)(1 / std::sqrt((double)x)); }
inline double rsqrt(double x) { return (double)(1 / std::sqrt((long double)x)); }
