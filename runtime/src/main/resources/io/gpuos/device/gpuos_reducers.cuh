// Reducers: ways to fold elements to one value.
//
// A reducer has a State (plain words, at most 24 bytes) and static functions
//
//   identity()             the state of no elements
//   fold(s, x, first)      takes in x[0..V), whose row-major positions start at first
//   merge(s, t)            takes in the elements of t, which may come from anywhere
//   across(s, mask)        the state of the lane whose number differs by mask; by a whole warp
//   finish(s, n)           the result for n elements
#pragma once

#include "gpuos_math.cuh"
#include "gpuos_operands.cuh"

namespace gpuos {

constexpr unsigned ALL_LANES = 0xffffffffu;

template <class A> struct Single {
  A value;
};

// Reducers whose state is one value and that fold with an associative operation.
template <class Derived, class A> struct Folding {
  using State = Single<A>;
  GPUOS_INLINE State identity() { return {Derived::zero()}; }

  template <class X, int V> GPUOS_INLINE void fold(State& s, const X (&x)[V], long long) {
    A part[V];
#pragma unroll
    for (int i = 0; i < V; i++) {
      part[i] = Derived::element(x[i]);
    }
#pragma unroll
    for (int width = V / 2; width > 0; width /= 2) {  // a tree: shorter chains, smaller errors
#pragma unroll
      for (int i = 0; i < width; i++) {
        part[i] = Derived::join(part[i], part[i + width]);
      }
    }
    s.value = Derived::join(s.value, part[0]);
  }

  GPUOS_INLINE void merge(State& s, const State& t) { s.value = Derived::join(s.value, t.value); }
  GPUOS_INLINE State across(const State& s, int mask) {
    return {__shfl_xor_sync(ALL_LANES, s.value, mask)};
  }
  GPUOS_INLINE A finish(const State& s, long long) { return s.value; }
};

template <class A> struct Sum : Folding<Sum<A>, A> {
  GPUOS_INLINE A zero() { return A(0); }
  template <class X> GPUOS_INLINE A element(X x) { return A(x); }
  GPUOS_INLINE A join(A a, A b) { return add(a, b); }
};

// NaN for no elements.
template <class A> struct Mean : Sum<A> {
  GPUOS_INLINE A finish(const Single<A>& s, long long n) { return div(s.value, A(n)); }
};

template <class A> struct Prod : Folding<Prod<A>, A> {
  GPUOS_INLINE A zero() { return A(1); }
  template <class X> GPUOS_INLINE A element(X x) { return A(x); }
  GPUOS_INLINE A join(A a, A b) { return mul(a, b); }
};

// The least and the greatest value of a computed type.
template <class A> struct Limits;
template <> struct Limits<float> {
  GPUOS_INLINE float low() { return float_of(0xff800000u); }
  GPUOS_INLINE float high() { return float_of(0x7f800000u); }
};
template <> struct Limits<double> {
  GPUOS_INLINE double low() { return double_of(0xfff0000000000000ull); }
  GPUOS_INLINE double high() { return double_of(0x7ff0000000000000ull); }
};
template <> struct Limits<int> {
  GPUOS_INLINE int low() { return -2147483647 - 1; }
  GPUOS_INLINE int high() { return 2147483647; }
};
template <> struct Limits<long long> {
  GPUOS_INLINE long long low() { return -9223372036854775807ll - 1; }
  GPUOS_INLINE long long high() { return 9223372036854775807ll; }
};

// NaN wins.
template <class A> struct Max : Folding<Max<A>, A> {
  GPUOS_INLINE A zero() { return Limits<A>::low(); }
  template <class X> GPUOS_INLINE A element(X x) { return A(x); }
  GPUOS_INLINE A join(A a, A b) { return maximum(a, b); }
};
template <class A> struct Min : Folding<Min<A>, A> {
  GPUOS_INLINE A zero() { return Limits<A>::high(); }
  template <class X> GPUOS_INLINE A element(X x) { return A(x); }
  GPUOS_INLINE A join(A a, A b) { return minimum(a, b); }
};

// Whether any, or all, elements differ from zero. NaN does.
struct Any : Folding<Any, int> {
  GPUOS_INLINE int zero() { return 0; }
  template <class X> GPUOS_INLINE int element(X x) { return x != X(0); }
  GPUOS_INLINE int join(int a, int b) { return a | b; }
};
struct All : Folding<All, int> {
  GPUOS_INLINE int zero() { return 1; }
  template <class X> GPUOS_INLINE int element(X x) { return x != X(0); }
  GPUOS_INLINE int join(int a, int b) { return a & b; }
};

// Vector norms, as torch.linalg.vector_norm; 0 for no elements whatever the order.
template <class A> struct Norm0 : Folding<Norm0<A>, A> {
  GPUOS_INLINE A zero() { return A(0); }
  GPUOS_INLINE A element(A x) { return x == A(0) ? A(0) : A(1); }
  GPUOS_INLINE A join(A a, A b) { return a + b; }
};
template <class A> struct Norm1 : Folding<Norm1<A>, A> {
  GPUOS_INLINE A zero() { return A(0); }
  GPUOS_INLINE A element(A x) { return abs(x); }
  GPUOS_INLINE A join(A a, A b) { return a + b; }
};
template <class A> struct Norm2 : Folding<Norm2<A>, A> {
  GPUOS_INLINE A zero() { return A(0); }
  GPUOS_INLINE A element(A x) { return x * x; }
  GPUOS_INLINE A join(A a, A b) { return a + b; }
  GPUOS_INLINE A finish(const Single<A>& s, long long) { return sqrt(s.value); }
};
template <class A> struct NormMax : Folding<NormMax<A>, A> {  // order +infinity
  GPUOS_INLINE A zero() { return A(0); }
  GPUOS_INLINE A element(A x) { return abs(x); }
  GPUOS_INLINE A join(A a, A b) { return maximum(a, b); }
};
template <class A> struct NormMin : Folding<NormMin<A>, A> {  // order -infinity
  GPUOS_INLINE A zero() { return Limits<A>::high(); }
  GPUOS_INLINE A element(A x) { return abs(x); }
  GPUOS_INLINE A join(A a, A b) { return minimum(a, b); }
  GPUOS_INLINE A finish(const Single<A>& s, long long n) { return n == 0 ? A(0) : s.value; }
};
// Any other order: Parameter::value().
template <class A, class Parameter> struct NormP : Folding<NormP<A, Parameter>, A> {
  GPUOS_INLINE A zero() { return A(0); }
  GPUOS_INLINE A element(A x) { return pow(abs(x), A(Parameter::value())); }
  GPUOS_INLINE A join(A a, A b) { return a + b; }
  GPUOS_INLINE A finish(const Single<A>& s, long long n) {
    return n == 0 ? A(0) : pow(s.value, A(1.0 / Parameter::value()));
  }
};

// Row-major position of the extremum among the reduced elements: the first of equals, the first NaN
// before any number; 0 for no elements.
template <class A> struct Placed {
  A value;
  long long place;
};

template <class Derived, class A> struct Arg {
  using State = Placed<A>;
  GPUOS_INLINE State identity() { return {Derived::zero(), Limits<long long>::high()}; }

  GPUOS_INLINE void merge(State& s, const State& t) {
    bool better = is_nan(s.value) ? is_nan(t.value) && t.place < s.place
                                  : is_nan(t.value) || Derived::beats(t.value, s.value) ||
                                        (t.value == s.value && t.place < s.place);
    if (better) {
      s = t;
    }
  }
  template <class X, int V> GPUOS_INLINE void fold(State& s, const X (&x)[V], long long first) {
#pragma unroll
    for (int i = 0; i < V; i++) {
      merge(s, {A(x[i]), first + i});
    }
  }
  GPUOS_INLINE State across(const State& s, int mask) {
    return {__shfl_xor_sync(ALL_LANES, s.value, mask), __shfl_xor_sync(ALL_LANES, s.place, mask)};
  }
  GPUOS_INLINE long long finish(const State& s, long long n) { return n == 0 ? 0 : s.place; }
};
template <class A> struct ArgMax : Arg<ArgMax<A>, A> {
  GPUOS_INLINE A zero() { return Limits<A>::low(); }
  GPUOS_INLINE bool beats(A a, A b) { return a > b; }
};
template <class A> struct ArgMin : Arg<ArgMin<A>, A> {
  GPUOS_INLINE A zero() { return Limits<A>::high(); }
  GPUOS_INLINE bool beats(A a, A b) { return a < b; }
};

// Variance by Welford's update, a group at a time, and Chan's merge of partial results.
template <class A> struct Moments {
  A mean;
  A squares;  // sum of squared distances from the mean
  long long n;
};

// Sum of squares / max(0, n - correction): NaN for no elements, as PyTorch.
template <class A, class Parameter> struct Variance {
  using State = Moments<A>;
  GPUOS_INLINE State identity() { return {A(0), A(0), 0}; }

  GPUOS_INLINE void merge(State& s, const State& t) {
    if (t.n == 0) {
      return;
    }
    if (s.n == 0) {
      s = t;
      return;
    }
    A distance = t.mean - s.mean;
    A share = div(A(t.n), A(s.n + t.n));
    s.squares += t.squares + distance * distance * A(s.n) * share;
    s.mean += distance * share;
    s.n += t.n;
  }
  template <class X, int V> GPUOS_INLINE void fold(State& s, const X (&x)[V], long long) {
    A sum = 0;
#pragma unroll
    for (int i = 0; i < V; i++) {
      sum += x[i];
    }
    State group{sum * A(1.0 / V), A(0), V};  // V is a power of 2
#pragma unroll
    for (int i = 0; i < V; i++) {
      A distance = x[i] - group.mean;
      group.squares += distance * distance;
    }
    merge(s, group);
  }
  GPUOS_INLINE State across(const State& s, int mask) {
    return {__shfl_xor_sync(ALL_LANES, s.mean, mask), __shfl_xor_sync(ALL_LANES, s.squares, mask),
            __shfl_xor_sync(ALL_LANES, s.n, mask)};
  }
  GPUOS_INLINE A finish(const State& s, long long n) {
    A divisor = A(n) - A(Parameter::value());
    return div(s.squares, divisor > A(0) ? divisor : A(0));
  }
};
template <class A, class Parameter> struct Deviation : Variance<A, Parameter> {
  GPUOS_INLINE A finish(const Moments<A>& s, long long n) {
    return sqrt(Variance<A, Parameter>::finish(s, n));
  }
};

}  // namespace gpuos
