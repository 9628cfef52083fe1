// Included behind one generated attention, with or without a mask and something added to it: runs
// it on the host that plays the device, over sizes that share out the warps of a block in each way,
// and compares with plain loops in double.
#pragma once

#include <algorithm>
#include <cstdio>
#include <limits>
#include <vector>

#include "check_device.h"

using Kinds = Body::operands;
using Tag = Kinds::kind<0>::tag;
constexpr int FACTORS = Body::masked ? 4 : 3;
constexpr bool ADDED = Kinds::COUNT > FACTORS + 1;

static __device__ gpuos_operator check_operator = gpuos_op;

struct Attention {
  long long batch, queries, keys, depth, columns;
  bool across;  // whether keys lie side by side, and not their elements
};

static unsigned next_random() {
  static unsigned state = 12345;
  state = state * 1664525u + 1013904223u;
  return state >> 16;
}

// Random elements of one type, from -1 to 1, or about two truths in three.
template <class T> struct Buffer {
  unsigned char* at;
  std::vector<double> values;

  explicit Buffer(long long elements) : values(elements) {
    at = (unsigned char*)device_allocate((elements > 0 ? elements : 1) * T::bytes);
    for (long long i = 0; i < elements; i++) {
      const double x =
          T::bytes == 1 ? (double)(next_random() % 3 > 0) : (next_random() % 2048) / 1024.0 - 1;
      put(i, x);
    }
  }
  ~Buffer() { device_free(at); }

  void put(long long i, double x) {
    const typename T::word bits = T::encode((typename T::value)x);
    values[i] = (double)T::decode(bits);
    std::memcpy(at + i * T::bytes, &bits, T::bytes);
  }
  double read(long long i) const {
    typename T::word word = 0;
    std::memcpy(&word, at + i * T::bytes, T::bytes);
    return (double)T::decode(word);
  }
};

template <class... Values> static void set_strides(long long* stride, Values... values) {
  int d = 0;
  ((stride[d++] = values), ...);
}

// Whether all results are right.
static bool check(const Attention& a) {
  using Mask = Kinds::kind<Body::masked ? 3 : 0>::tag;
  Buffer<Tag> q(a.batch * a.queries * a.depth), k(a.batch * a.keys * a.depth);
  Buffer<Tag> v(a.batch * a.keys * a.columns), r(a.batch * a.queries * a.columns);
  Buffer<Mask> mask(a.batch * a.queries * a.keys);
  Buffer<Tag> out(a.batch * a.queries * a.columns);
  const double hidden = Mask::bytes == 1 ? 0 : -std::numeric_limits<double>::infinity();
  for (long long i = 0; i < a.batch * a.queries && a.keys > 0; i++) {
    mask.put(i * a.keys, 1);  // each query sees a key
    for (long long j = 0; j + 1 < a.keys && i % 3 == 2 && !Body::causal; j++) {
      mask.put(i * a.keys + j, hidden);
    }
    mask.put(i * a.keys + a.keys - 1, 1);
  }
  gpuos_space space = {};
  space.rank = 5;
  space.reduced = 2;
  set_strides(space.size, a.batch, a.queries, a.columns, a.keys, a.depth);
  set_strides(space.stride[0], a.queries * a.depth, a.depth, 0ll, 0ll, 1ll);
  set_strides(space.stride[1], a.keys * a.depth, 0ll, 0ll, a.across ? 1ll : a.depth,
              a.across ? a.keys : 1ll);
  set_strides(space.stride[2], a.keys * a.columns, 0ll, a.across ? a.keys : 1ll,
              a.across ? 1ll : a.columns, 0ll);
  if (Body::masked) {
    set_strides(space.stride[3], a.queries * a.keys, a.keys, 0ll, 1ll, 0ll);
  }
  for (int operand = FACTORS; operand < Kinds::COUNT; operand++) {
    set_strides(space.stride[operand], a.queries * a.columns, a.columns, 1ll, 0ll, 0ll);
  }
  std::vector<unsigned long long> words = {(unsigned long long)q.at, (unsigned long long)k.at,
                                           (unsigned long long)v.at};
  if (Body::masked) {
    words.push_back((unsigned long long)mask.at);
  }
  if (ADDED) {
    words.push_back((unsigned long long)r.at);
  }
  words.push_back((unsigned long long)out.at);
  const long long units = a.batch * ((a.queries + 7) / 8);
  std::vector<gpuos_task> tiles;
  for (long long first = 0; first < units; first += 2) {
    gpuos_task task = {};
    task.first = (unsigned)first;
    task.count = (unsigned)std::min(units - first, 2ll);
    task.operand0 = words[0];
    for (size_t i = 1; i < words.size(); i++) {
      (i < 4 ? task.operand1[i - 1] : task.operand4[i - 4]) = words[i];
    }
    tiles.push_back(task);
  }
  host_launch(1, 256, [&] { check_tiles(check_operator, tiles.data(), tiles.size(), &space); });

  std::vector<double> weights(a.keys);
  for (long long row = 0; row < a.batch * a.queries; row++) {
    const long long b = row / a.queries;
    double most = -std::numeric_limits<double>::infinity();
    for (long long j = 0; j < a.keys; j++) {
      double score = 0;
      for (long long d = 0; d < a.depth; d++) {
        score += q.values[row * a.depth + d] *
                 k.values[b * space.stride[1][0] + j * space.stride[1][3] + d * space.stride[1][4]];
      }
      const double m = mask.values.empty() ? 0 : mask.values[row * a.keys + j];
      bool hidden = Body::causal && j > row % a.queries;
      hidden |= Body::masked && Mask::bytes == 1 && m == 0;
      score = score * Body::scale() + (Body::masked && Mask::bytes > 1 ? m : 0);
      weights[j] = hidden ? -std::numeric_limits<double>::infinity() : score;
      most = std::max(most, weights[j]);
    }
    double sum = 0;
    for (double& weight : weights) {
      weight = std::exp(weight - most);
      sum += weight;
    }
    for (long long c = 0; c < a.columns; c++) {
      double expected = 0;
      for (long long j = 0; j < a.keys; j++) {
        expected += weights[j] / sum * v.values[b * space.stride[2][0] + c * space.stride[2][2] +
                                                j * space.stride[2][3]];
      }
      expected += ADDED ? r.values[row * a.columns + c] : 0;
      const double found = out.read(row * a.columns + c);
      const double step = Tag::bytes == 4 ? 2e-6 : std::fabs(expected) / 256 + 4e-6;
      if (!(std::fabs(found - expected) <= step)) {
        std::printf("batch=%lld queries=%lld keys=%lld depth=%lld columns=%lld across=%d: at "
                    "%lld,%lld found=%g expected=%g\n",
                    a.batch, a.queries, a.keys, a.depth, a.columns, a.across, row, c, found,
                    expected);
        return false;
      }
    }
  }
  return true;
}

int main() {
  const long long sizes[][5] = {{1, 1, 1, 1, 1},     {2, 1, 130, 40, 40}, {1, 1, 500, 64, 264},
                                {1, 2, 33, 32, 31},  {2, 3, 70, 9, 33},   {1, 4, 5, 70, 8},
                                {1, 5, 40, 16, 300}, {1, 8, 8, 8, 8},     {2, 9, 65, 33, 17},
                                {1, 17, 20, 5, 2},   {1, 3, 0, 4, 5},     {2, 2, 9, 0, 3},
                                {2, 1, 300, 64, 64}, {1, 5, 41, 96, 32},  {2, 2, 17, 8, 128},
                                {1, 3, 70, 128, 128}, {1, 9, 0, 8, 8},    {3, 4, 2, 16, 120}};
  int passed = 0, failed = 0;
  for (const auto& s : sizes) {
    for (bool across : {false, true}) {
      (check(Attention{s[0], s[1], s[2], s[3], s[4], across}) ? passed : failed)++;
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
