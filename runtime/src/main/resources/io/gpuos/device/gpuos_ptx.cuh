// What operators need of the machine beyond C++: the only assembly in them, so that everything else
// also compiles for a host, where tests run it (one with the same guard, included first, takes its place).
//
// Needs no include: the run-time compiler may have no headers beside it. The half types are
// converted by the instructions themselves, so cuda_fp16.h and cuda_bf16.h are not needed either.
#ifndef GPUOS_PTX_CUH
#define GPUOS_PTX_CUH

#define GPUOS_INLINE static __device__ __forceinline__
#define GPUOS_OUTLINE static __device__ __noinline__
// Before the template of an outlined function that operators call on their main ways: it keeps only
// the registers that the addresses to return to are in, its own and the operator's. To be called by
// an operator's entry alone.
// Compilers before CUDA 13.3 were seen to declare instances without it (13.0), or not to know it (12.9).
#if __CUDACC_VER_MAJOR__ > 13 || (__CUDACC_VER_MAJOR__ == 13 && __CUDACC_VER_MINOR__ >= 3)
#define GPUOS_APART _Pragma("nv_abi preserve_n_data(4)")
#else
#define GPUOS_APART
#endif
#define GPUOS_CONSTEXPR static __host__ __device__ constexpr

namespace gpuos {

// Bits of binary16 and bfloat16 from float: round to nearest even, overflow to infinity, any NaN to
// the quiet NaN 0x7fff.
GPUOS_INLINE unsigned half_bits(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

GPUOS_INLINE float half_value(unsigned bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"((unsigned short)bits));
  return x;
}

GPUOS_INLINE unsigned bfloat_bits(float x) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

// 1 / x to 22 bits, for positive x that is not subnormal.
GPUOS_INLINE float about_reciprocal(float x) {
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(x));
  return inverse;
}

// 1 / x to 20 bits, exactly 0 and infinity for infinity and 0.
GPUOS_INLINE double about_reciprocal(double x) {
  double inverse;
  asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(inverse) : "d"(x));
  return inverse;
}

// Whatever was read from memory has to be read again behind this: from shared memory that costs less
// than to keep it where registers are few.
GPUOS_INLINE void forget() { asm volatile("" ::: "memory"); }

using address = unsigned long long;

// A thread's own memory, by its place in there. A function that gets a pointer to it cannot tell
// what kind of memory it points to, and goes the slower generic way; one that gets the place can.
using local_address = unsigned;

template <class T> GPUOS_INLINE local_address to_local(T* own) {
  return (local_address)__cvta_generic_to_local(own);
}

template <class T> GPUOS_INLINE T* from_local(local_address at) {
  return (T*)__cvta_local_to_generic(at);
}

// Whether a pointer is to shared memory, and a pointer that is known to be: with instructions for
// shared memory, which are faster than those that have to look where an address lies.
GPUOS_INLINE bool is_shared(const void* at) { return __isShared(at); }
template <class T> GPUOS_INLINE T* in_shared(T* at) {
  __builtin_assume(__isShared(at));
  return at;
}

// Memory, in pieces of 1 to 16 bytes, each aligned to its size, moved through the words w.
//
// Assembly because the addresses come as integers and a plain dereference would go through the
// slower generic path. Volatile keeps loads and stores in program order, which in-place operands
// rely on. No memory clobber: only tensor elements move here, and nothing else reads those.

// Groups of 16 bytes are read and written once and leave no trace in the first-level cache.

template <int BYTES> struct Memory;

template <> struct Memory<1> {
  GPUOS_INLINE void load(address at, unsigned* w) {
    asm volatile("ld.global.u8 %0, [%1];" : "=r"(w[0]) : "l"(at));
  }
  GPUOS_INLINE void store(address at, const unsigned* w) {
    asm volatile("st.global.u8 [%0], %1;" ::"l"(at), "r"(w[0]));
  }
};
template <> struct Memory<2> {
  GPUOS_INLINE void load(address at, unsigned* w) {
    unsigned short bits;
    asm volatile("ld.global.u16 %0, [%1];" : "=h"(bits) : "l"(at));
    w[0] = bits;
  }
  GPUOS_INLINE void store(address at, const unsigned* w) {
    asm volatile("st.global.u16 [%0], %1;" ::"l"(at), "h"((unsigned short)w[0]));
  }
};
template <> struct Memory<4> {
  GPUOS_INLINE void load(address at, unsigned* w) {
    asm volatile("ld.global.u32 %0, [%1];" : "=r"(w[0]) : "l"(at));
  }
  GPUOS_INLINE void store(address at, const unsigned* w) {
    asm volatile("st.global.u32 [%0], %1;" ::"l"(at), "r"(w[0]));
  }
};
template <> struct Memory<8> {
  GPUOS_INLINE void load(address at, unsigned* w) {
    asm volatile("ld.global.v2.u32 {%0, %1}, [%2];" : "=r"(w[0]), "=r"(w[1]) : "l"(at));
  }
  GPUOS_INLINE void store(address at, const unsigned* w) {
    asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(at), "r"(w[0]), "r"(w[1]));
  }
};
template <> struct Memory<16> {
  GPUOS_INLINE void load(address at, unsigned* w) {
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
                 : "l"(at));
  }
  GPUOS_INLINE void store(address at, const unsigned* w) {
    asm volatile("st.global.L1::no_allocate.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(w[0]), "r"(w[1]),
                 "r"(w[2]), "r"(w[3]));
  }
};

}  // namespace gpuos
#endif
