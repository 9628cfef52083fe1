// Operands of one thread: what is loaded, computed on and stored, in registers.
//
// A kernel's body names its operands in the order of the task record,
//
//   using operands = gpuos::Operands<gpuos::Input<gpuos::F16>, gpuos::Scalar<gpuos::F32>, ...>;
//
// and a thread works on a *group*: V consecutive elements of every operand. Groups hold raw words,
// so a group whose widest operand fills 16 bytes moves with one instruction per operand. Where a
// group lies in memory is a *site*: Linear (one behind the other) or Strided (an iteration space).
#pragma once

#include "gpuos_abi.cuh"
#include "gpuos_types.cuh"

namespace gpuos {

// ---- V elements of one type, packed as they lie in memory.

template <class Tag, int V> struct Lanes {
  static constexpr int BYTES = Tag::bytes * V;
  static constexpr int WORDS = BYTES < 4 ? 1 : BYTES / 4;
  unsigned w[WORDS];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < WORDS; i++) {
      w[i] = 0;
    }
  }

  __device__ __forceinline__ typename Tag::word bits(int lane) const {
    if constexpr (Tag::bytes == 8) {
      return (unsigned long long)w[2 * lane + 1] << 32 | w[2 * lane];
    } else if constexpr (Tag::bytes == 4 || V == 1) {
      return w[lane];
    } else {
      constexpr int PER_WORD = 4 / Tag::bytes;
      return w[lane / PER_WORD] >> (lane % PER_WORD * 8 * Tag::bytes) & MASK;
    }
  }

  __device__ __forceinline__ void put(int lane, typename Tag::word bits) {
    if constexpr (Tag::bytes == 8) {
      w[2 * lane] = (unsigned)bits;
      w[2 * lane + 1] = (unsigned)(bits >> 32);
    } else if constexpr (Tag::bytes == 4 || V == 1) {
      w[lane] = bits;
    } else {
      constexpr int PER_WORD = 4 / Tag::bytes;
      int shift = lane % PER_WORD * 8 * Tag::bytes;
      w[lane / PER_WORD] = (w[lane / PER_WORD] & ~(MASK << shift)) | bits << shift;
    }
  }

  // Moves every element one lane down; the last lane becomes 0.
  __device__ __forceinline__ void shift_down() {
    constexpr int STEP = Tag::bytes == 8 ? 2 : 1;
#pragma unroll
    for (int i = 0; i < WORDS; i++) {
      unsigned above = i + STEP < WORDS ? w[i + STEP] : 0;
      w[i] = Tag::bytes >= 4 ? above : __funnelshift_r(w[i], above, 8 * Tag::bytes);
    }
  }

 private:
  static constexpr unsigned MASK = Tag::bytes == 1 ? 0xffu : 0xffffu;
};

// ---- Operands by role. Each holds what one thread has of it for a group of V elements.

template <class Tag> struct Input {
  using tag = Tag;
  static constexpr bool input = true, output = false;
};
template <class Tag> struct Scalar {
  using tag = Tag;
  static constexpr bool input = false, output = false;
};
template <class Tag> struct Output {
  using tag = Tag;
  static constexpr bool input = false, output = true;
};

template <class Kind, int V> struct Slot;

template <class Tag, int V> struct Slot<Input<Tag>, V> {
  Lanes<Tag, V> lanes;
  __device__ __forceinline__ typename Tag::value get(int lane) const {
    return Tag::decode(lanes.bits(lane));
  }
};
template <class Tag, int V> struct Slot<Scalar<Tag>, V> {
  typename Tag::value value;
  __device__ __forceinline__ typename Tag::value get(int) const { return value; }
};
template <class Tag, int V> struct Slot<Output<Tag>, V> {
  Lanes<Tag, V> lanes;
  __device__ __forceinline__ void set(int lane, typename Tag::value x) {
    lanes.put(lane, Tag::encode(x));
  }
};

template <int K> struct Index {
  static constexpr int value = K;
};

template <int V, class... Kinds> struct Slots {
  template <int K, class F> __device__ __forceinline__ void each(F&&) {}
};
template <int V, class Kind, class... Rest> struct Slots<V, Kind, Rest...> {
  Slot<Kind, V> head;
  Slots<V, Rest...> tail;

  // Calls f(kind, index, slot) for each operand; kind and index are told by their types.
  template <int K, class F> __device__ __forceinline__ void each(F&& f) {
    f(Kind{}, Index<K>{}, head);
    tail.template each<K + 1>(f);
  }
};

template <int K, class S> __device__ __forceinline__ auto& slot_of(S& slots) {
  if constexpr (K == 0) {
    return slots.head;
  } else {
    return slot_of<K - 1>(slots.tail);
  }
}

template <int K, class Kind, class... Rest> struct KindAt {
  using type = typename KindAt<K - 1, Rest...>::type;
};
template <class Kind, class... Rest> struct KindAt<0, Kind, Rest...> {
  using type = Kind;
};

template <class... Kinds> struct Operands {
  static constexpr int COUNT = sizeof...(Kinds);
  template <int V> using slots = Slots<V, Kinds...>;

  // Calls f(kind, index) for each operand.
  template <class F> GPUOS_INLINE void each(F&& f) { each_from<0, Kinds...>(f); }

  template <int K> using kind = typename KindAt<K, Kinds...>::type;

  // Bytes of the widest element that is loaded, or stored too.
  GPUOS_CONSTEXPR int widest(bool stored) {
    int bytes = 1;
    ((bytes = (Kinds::input || (stored && Kinds::output)) && Kinds::tag::bytes > bytes
                  ? Kinds::tag::bytes
                  : bytes),
     ...);
    return bytes;
  }

  // Bit K is set where operand K is loaded.
  GPUOS_CONSTEXPR unsigned inputs() {
    unsigned mask = 0, bit = 1;
    ((mask |= Kinds::input ? bit : 0, bit <<= 1), ...);
    return mask;
  }

  // Registers that the loaded elements of a group of v take; at least 1.
  GPUOS_CONSTEXPR int input_words(int v) {
    int words = 0;
    ((words += Kinds::input ? (Kinds::tag::bytes * v + 3) / 4 : 0), ...);
    return words < 1 ? 1 : words;
  }

 private:
  template <int K, class Kind, class... Rest, class F> GPUOS_INLINE void each_from(F&& f) {
    f(Kind{}, Index<K>{});
    if constexpr (sizeof...(Rest) > 0) {
      each_from<K + 1, Rest...>(f);
    }
  }
};

// ---- A group, and one element of it as a body sees it.

// A body names its cost: Body::weight, about the instructions it takes per element. Above this
// weight its code is not repeated for every element of a group; the group turns instead, element by
// element, past one copy of the code (registers cannot be indexed at run time).
constexpr int HEAVY = 96;

template <class Body, int V> struct Group {
  typename Body::operands::template slots<V> slots;

  template <class Site> __device__ __forceinline__ void load(const Site& site) {
    slots.template each<0>([&](auto kind, auto index, auto& slot) {
      constexpr int K = decltype(index)::value;
      using Kind = decltype(kind);
      if constexpr (Kind::input) {
        site.template load<K>(slot.lanes);
      } else if constexpr (Kind::output) {
        slot.lanes.clear();
      } else {
        slot.value = ScalarWord<typename Kind::tag>::decode(site.words->of[K]);
      }
    });
  }

  template <class Site> __device__ __forceinline__ void store(const Site& site) {
    slots.template each<0>([&](auto kind, auto index, auto& slot) {
      if constexpr (decltype(kind)::output) {
        site.template store<decltype(index)::value>(slot.lanes);
      }
    });
  }

  // Brings element 1 to lane 0, and so on, of inputs or of outputs.
  template <bool OUTPUTS> __device__ __forceinline__ void turn() {
    slots.template each<0>([&](auto kind, auto, auto& slot) {
      using Kind = decltype(kind);
      if constexpr (OUTPUTS ? Kind::output : Kind::input) {
        slot.lanes.shift_down();
      }
    });
  }
};

// The element a body works on: it reads lane `in` and writes lane `out`.
template <class Body, int V> struct Element {
  Group<Body, V>& group;
  int in;
  int out;
};

template <int K, class Body, int V>
__device__ __forceinline__ auto get(const Element<Body, V>& element) {
  return slot_of<K>(element.group.slots).get(element.in);
}

template <int K, class Body, int V, class T>
__device__ __forceinline__ void set(const Element<Body, V>& element, T x) {
  slot_of<K>(element.group.slots).set(element.out, x);
}

// ---- Sites: where a group lies.

// The operand words of a task: addresses, and the bits of scalars.
template <class Kinds> struct Words {
  unsigned long long of[Kinds::COUNT];

  explicit __device__ __forceinline__ Words(const gpuos_task* given) {
    const gpuos_task* task = in_shared(given);
    Kinds::each([&](auto, auto index) {
      constexpr int K = decltype(index)::value;
      of[K] = gpuos_operand<K>(task);
    });
  }

  // Whether all operands that are loaded or stored are aligned to a group of V.
  template <int V> __device__ __forceinline__ bool aligned() const {
    address odd = 0;
    Kinds::each([&](auto kind, auto index) {
      using Kind = decltype(kind);
      if constexpr (Kind::input || Kind::output) {
        odd |= of[decltype(index)::value] & (Kind::tag::bytes * V - 1);
      }
    });
    return odd == 0;
  }
};

// All operands one behind the other; `index` is the first element of the group.
template <class Kinds> struct Linear {
  const Words<Kinds>* words;
  unsigned index;

  template <int K, class Tag, int V>
  __device__ __forceinline__ void load(Lanes<Tag, V>& lanes) const {
    Memory<Tag::bytes * V>::load(at<K, Tag>(), lanes.w);
  }
  template <int K, class Tag, int V>
  __device__ __forceinline__ void store(const Lanes<Tag, V>& lanes) const {
    Memory<Tag::bytes * V>::store(at<K, Tag>(), lanes.w);
  }

 private:
  template <int K, class Tag> __device__ __forceinline__ address at() const {
    return words->of[K] + (address)index * Tag::bytes;
  }
};

// One address an operand. Groups of more than one element run along one dimension, where bit K of
// `packed` says that operand K's elements lie side by side; where it is clear, an input is one
// element for the whole group.
template <class Kinds> struct Scattered {
  const Words<Kinds>* words;
  unsigned packed;
  address at[Kinds::COUNT];

  template <int K, class Tag, int V>
  __device__ __forceinline__ void load(Lanes<Tag, V>& lanes) const {
    if constexpr (V == 1) {
      Memory<Tag::bytes>::load(at[K], lanes.w);
    } else if ((packed >> K & 1) != 0) {
      Memory<Tag::bytes * V>::load(at[K], lanes.w);
    } else {
      Lanes<Tag, 1> one;
      Memory<Tag::bytes>::load(at[K], one.w);
      lanes.clear();
#pragma unroll
      for (int lane = 0; lane < V; lane++) {
        lanes.put(lane, one.bits(0));
      }
    }
  }

  template <int K, class Tag, int V>
  __device__ __forceinline__ void store(const Lanes<Tag, V>& lanes) const {
    Memory<Tag::bytes * V>::store(at[K], lanes.w);
  }
};

// ---- The iteration space.

// The kernel's copy of the space takes this much of the scratch memory, from its start.
constexpr unsigned SPACE_BYTES = (sizeof(gpuos_space) + 15) / 16 * 16;

// Brings the space into scratch, unless it has come in shared memory: all its words arrive after one
// wait, where walking it in global memory would wait for each. Called by all threads; ends with a
// barrier if it copies.
template <class Kinds>
GPUOS_INLINE const gpuos_space* stage(const gpuos_space* space, char* scratch) {
  if (is_shared(space)) {
    return in_shared(space);
  }
  constexpr unsigned WORDS =
      (sizeof(gpuos_space) - sizeof(space->stride) + Kinds::COUNT * sizeof(space->stride[0])) / 8;
  const unsigned long long* from = (const unsigned long long*)space;
  unsigned long long* to = (unsigned long long*)in_shared(scratch);
#pragma unroll 1
  for (unsigned i = threadIdx.x; i < WORDS; i += blockDim.x) {
    to[i] = from[i];
  }
  __syncthreads();
  return in_shared((const gpuos_space*)scratch);
}

// Positions below this are walked in 32 bits; a larger size counts as this one, which they never
// reach.
constexpr unsigned SHORT_POSITIONS = 0xffffffffu;

// p / size. The short form is the compiler's; its long form would be a call, so here it is done by
// estimates from below, 19 bits at a time.
GPUOS_INLINE unsigned divide(unsigned p, unsigned long long size) {
  return p / (size < SHORT_POSITIONS ? (unsigned)size : SHORT_POSITIONS);
}

GPUOS_INLINE unsigned long long divide(unsigned long long p, unsigned long long size) {
  if (((p | size) >> 32) == 0) {
    return (unsigned)p / (unsigned)size;
  }
  const float inverse = about_reciprocal(__ull2float_rn(size)) * (1.0f - 0x1p-20f);
  unsigned long long quotient = 0;
#pragma unroll 1
  while (p >= size) {
    unsigned long long part = __float2ull_rz(__ull2float_rn(p) * inverse);
    part = part == 0 ? 1 : part;
    quotient += part;
    p -= part * size;
  }
  return quotient;
}

// Moves a site on by position `p` of dimensions [from, to), row-major, the innermost of them
// counted in groups of V (which must divide its size). P: unsigned for positions below
// SHORT_POSITIONS, else unsigned long long. With OUTPUTS, output operands move too.
template <int V, bool OUTPUTS, class P, class Kinds>
GPUOS_INLINE void advance(Scattered<Kinds>& site, const gpuos_space* space, unsigned from,
                          unsigned to, P p) {
  unsigned shift = V == 1 ? 0 : V == 2 ? 1 : V == 4 ? 2 : V == 8 ? 3 : 4;
#pragma unroll 1
  for (unsigned dim = to; dim-- > from;) {
    P digit = p;
    if (dim > from) {
      unsigned long long size = (unsigned long long)space->size[dim] >> shift;
      p = divide(p, size);
      digit -= p * (P)size;
    }
    address elements = (address)digit << shift;
    shift = 0;
    Kinds::each([&](auto kind, auto index) {
      constexpr int K = decltype(index)::value;
      using Kind = decltype(kind);
      if constexpr (Kind::input || (OUTPUTS && Kind::output)) {
        site.at[K] += elements * (address)space->stride[K][dim] * Kind::tag::bytes;
      }
    });
  }
}

}  // namespace gpuos
