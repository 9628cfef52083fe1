// Takes the place of the device header of this name where a host plays the device.
#ifndef GPUOS_PTX_CUH
#define GPUOS_PTX_CUH

#define GPUOS_INLINE static inline
#define GPUOS_OUTLINE static
#define GPUOS_APART
#define GPUOS_CONSTEXPR static constexpr

namespace gpuos {

GPUOS_INLINE unsigned half_bits(float x) {
  return round_float(__float_as_uint(x), 10, 15, 5);
}
GPUOS_INLINE float half_value(unsigned bits) { return (float)half_real(bits & 0xffff, 10, 15, 5); }
GPUOS_INLINE unsigned bfloat_bits(float x) { return round_float(__float_as_uint(x), 7, 127, 8); }
GPUOS_INLINE float about_reciprocal(float x) { return 1 / x * (1 - 0x1p-22f); }
GPUOS_INLINE double about_reciprocal(double x) { return 1 / x * (1 - 0x1p-20); }

GPUOS_INLINE void forget() {}

using address = unsigned long long;

using local_address = unsigned long long;

template <class T> GPUOS_INLINE local_address to_local(T* own) { return (local_address)own; }
template <class T> GPUOS_INLINE T* from_local(local_address at) { return (T*)at; }

GPUOS_INLINE bool is_shared(const void* at) { return !host_owns((address)at, 1); }
template <class T> GPUOS_INLINE T* in_shared(T* at) {
  host_check(is_shared(at), "not shared memory");
  return at;
}

template <int BYTES> struct Memory {
  GPUOS_INLINE void load(address at, unsigned* w) {
    host_check(at % BYTES == 0, "misaligned load");
    host_check(host_owns(at, BYTES), "load outside of allocated memory");
    w[0] = 0;
    std::memcpy(w, (const void*)at, BYTES);
  }
  GPUOS_INLINE void store(address at, const unsigned* w) {
    host_check(at % BYTES == 0, "misaligned store");
    host_check(host_owns(at, BYTES), "store outside of allocated memory");
    std::memcpy((void*)at, w, BYTES);
  }
};

}  // namespace gpuos
#endif
