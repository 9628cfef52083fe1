// Values of the interpreter: where a thread keeps them between two instructions.
//
// An instruction serves the GPUOS_LANES positions that a thread works on at once. A value is held in
// the type it is computed in; 32 bits of it for every lane make a cell. A float, an int and a bool
// take one cell, a double and a long long two, one behind the other. Cells lie in the thread's local
// memory and move whole, by one instruction of the machine.
#pragma once

#include "gpuos_abi.cuh"
#include "gpuos_types.cuh"

namespace gpuos {

constexpr unsigned LANES = GPUOS_LANES;

struct alignas(16) Cell {
  unsigned w[LANES];
};
static_assert(sizeof(Cell) == 4 * LANES, "a cell is a word per lane");

// The type whose stored form is that of values of type T in cells.
template <class T> struct HeldAs;
template <> struct HeldAs<double> {
  using tag = F64;
};
template <> struct HeldAs<float> {
  using tag = F32;
};
template <> struct HeldAs<long long> {
  using tag = I64;
};
template <> struct HeldAs<int> {
  using tag = I32;
};
template <> struct HeldAs<bool> {
  using tag = I32;
};

// The value of every lane, in registers.
template <class T> struct Values {
  using Tag = typename HeldAs<T>::tag;
  static constexpr int WORDS = Tag::bytes / 4;
  static constexpr unsigned CELLS = WORDS;
  unsigned w[LANES * WORDS];

  __device__ __forceinline__ T get(int lane) const {
    if constexpr (WORDS == 2) {
      return Tag::decode((unsigned long long)w[2 * lane + 1] << 32 | w[2 * lane]);
    } else {
      return (T)Tag::decode(w[lane]);
    }
  }

  __device__ __forceinline__ void set(int lane, T x) {
    const typename Tag::word bits = Tag::encode(x);
    if constexpr (WORDS == 2) {
      w[2 * lane] = (unsigned)bits;
      w[2 * lane + 1] = (unsigned)(bits >> 32);
    } else {
      w[lane] = bits;
    }
  }
};

// The cells of one thread.
struct Cells {
  Cell* first;

  template <class T> __device__ __forceinline__ Values<T> read(unsigned cell) const {
    Values<T> values;
#pragma unroll
    for (unsigned i = 0; i < Values<T>::CELLS; i++) {
      const Cell one = first[cell + i];
#pragma unroll
      for (unsigned k = 0; k < LANES; k++) {
        values.w[LANES * i + k] = one.w[k];
      }
    }
    return values;
  }

  template <class T> __device__ __forceinline__ void write(unsigned cell, const Values<T>& values) const {
#pragma unroll
    for (unsigned i = 0; i < Values<T>::CELLS; i++) {
      Cell one;
#pragma unroll
      for (unsigned k = 0; k < LANES; k++) {
        one.w[k] = values.w[LANES * i + k];
      }
      first[cell + i] = one;
    }
  }

  // One lane of a value, whose number need not be known to the compiler.
  template <class T> __device__ __forceinline__ T get(unsigned cell, unsigned lane) const {
    using Tag = typename Values<T>::Tag;
    const unsigned* w = words<T>(cell, lane);
    if constexpr (Tag::bytes == 8) {
      return Tag::decode((unsigned long long)w[1] << 32 | w[0]);
    } else {
      return (T)Tag::decode(w[0]);
    }
  }

  template <class T> __device__ __forceinline__ void set(unsigned cell, unsigned lane, T x) const {
    using Tag = typename Values<T>::Tag;
    unsigned* w = words<T>(cell, lane);
    const typename Tag::word bits = Tag::encode(x);
    w[0] = (unsigned)bits;
    if constexpr (Tag::bytes == 8) {
      w[1] = (unsigned)(bits >> 32);
    }
  }

 private:
  template <class T> __device__ __forceinline__ unsigned* words(unsigned cell, unsigned lane) const {
    return first->w + LANES * cell + Values<T>::WORDS * lane;
  }
};

}  // namespace gpuos
