// Included behind one generated relu(matmul(a, b) + bias): runs it on the host that plays the
// device, over sizes and layouts that reach every way a block is computed. The elements are small
// whole numbers, so sums are exact and every result must be right to the last bit.
#pragma once

#include <cstdio>
#include <vector>

#include "check_device.h"

using Tag = Body::operands::kind<0>::tag;

static __device__ gpuos_operator check_operator = gpuos_op;

struct Matmul {
  long long batch, rows, columns, depth;
  bool a_across, b_across;  // whether lines of a and b lie across memory
  bool shifted;             // whether b begins one element behind an aligned address
  int order;                // of the kept dimensions, outermost first: 0 batch row column,
                            // 1 batch column row, 2 row column batch
  long long tile;           // blocks of a task
};

static unsigned next_random() {
  static unsigned state = 12345;
  state = state * 1664525u + 1013904223u;
  return state >> 16;
}

struct Buffer {
  unsigned char* at;
  std::vector<Tag::value> values;

  explicit Buffer(long long elements) : values(elements) {
    at = (unsigned char*)device_allocate((elements > 0 ? elements : 1) * Tag::bytes);
    const bool sign = Tag::decode(Tag::encode(Tag::value(-1))) < Tag::value(0);
    for (long long i = 0; i < elements; i++) {
      values[i] = Tag::value((int)(next_random() % 5) - (sign ? 2 : 0));
      const Tag::word bits = Tag::encode(values[i]);
      std::memcpy(at + i * Tag::bytes, &bits, Tag::bytes);
    }
  }
  ~Buffer() { device_free(at); }

  Tag::word bits(long long i) const {
    Tag::word word = 0;
    std::memcpy(&word, at + i * Tag::bytes, Tag::bytes);
    return word;
  }
};

static void launch(const std::vector<gpuos_task>& tiles, const gpuos_space* space) {
  host_launch(1, 256, [&] { check_tiles(check_operator, tiles.data(), tiles.size(), space); });
}

// Whether all results are right.
static bool check(const Matmul& m) {
  Buffer a(m.batch * m.rows * m.depth), bias(m.columns);
  Buffer b(m.batch * m.columns * m.depth + m.shifted);
  Buffer out(m.batch * m.rows * m.columns);
  const long long sizes[3] = {m.batch, m.rows, m.columns};
  const long long strides[4][3] = {
      {m.rows * m.depth, m.a_across ? 1 : m.depth, 0},
      {m.columns * m.depth, 0, m.b_across ? 1 : m.depth},
      {0, 0, 1},
      {m.order == 2 ? 1 : m.rows * m.columns,
       m.order == 0 ? m.columns : m.order == 1 ? 1 : m.columns * m.batch,
       m.order == 0 ? 1 : m.order == 1 ? m.rows : m.batch}};
  const int orders[3][3] = {{0, 1, 2}, {0, 2, 1}, {1, 2, 0}};
  gpuos_space space = {};
  space.rank = 4;
  space.reduced = 1;
  for (int d = 0; d < 3; d++) {
    const int dim = orders[m.order][d];
    space.size[d] = sizes[dim];
    for (int k = 0; k < 4; k++) {
      space.stride[k][d] = strides[k][dim];
    }
  }
  space.size[3] = m.depth;
  space.stride[0][3] = m.a_across ? m.rows : 1;
  space.stride[1][3] = m.b_across ? m.columns : 1;

  const long long blocks =
      space.size[0] * ((space.size[1] + 31) / 32) * ((space.size[2] + 31) / 32);
  std::vector<gpuos_task> tiles;
  for (long long first = 0; first < blocks; first += m.tile) {
    gpuos_task task = {};
    task.first = (unsigned)first;
    task.count = (unsigned)(blocks - first < m.tile ? blocks - first : m.tile);
    task.operand0 = (unsigned long long)a.at;
    task.operand1[0] = (unsigned long long)(b.at + m.shifted * Tag::bytes);
    task.operand1[1] = (unsigned long long)bias.at;
    task.operand1[2] = (unsigned long long)out.at;
    tiles.push_back(task);
  }
  launch(tiles, &space);

  for (long long g = 0; g < m.batch; g++) {
    for (long long r = 0; r < m.rows; r++) {
      for (long long c = 0; c < m.columns; c++) {
        double sum = 0;
        for (long long k = 0; k < m.depth; k++) {
          sum += (double)a.values[g * strides[0][0] + r * strides[0][1] + k * space.stride[0][3]] *
                 (double)b.values[m.shifted + g * strides[1][0] + c * strides[1][2] + k * space.stride[1][3]];
        }
        Tag::value product = Tag::value(sum);
        if (Tag::bytes < 4 && Tag::value(0.5) == Tag::value(0)) {
          product = Tag::decode(Tag::encode(product));  // a narrow integer wraps
        }
        Tag::value x = product + bias.values[c];
        if (Tag::bytes < 4 && Tag::value(0.5) == Tag::value(0)) {
          x = Tag::decode(Tag::encode(x));
        }
        const Tag::word expected = Tag::encode(x > Tag::value(0) ? x : Tag::value(0));
        const Tag::word found =
            out.bits(g * strides[3][0] + r * strides[3][1] + c * strides[3][2]);
        if (found != expected) {
          std::printf("batch=%lld rows=%lld columns=%lld depth=%lld across=%d%d shifted=%d order=%d tile=%lld: at "
                      "%lld,%lld,%lld found=%llx expected=%llx\n",
                      m.batch, m.rows, m.columns, m.depth, m.a_across, m.b_across, m.shifted, m.order,
                      m.tile, g, r, c,
                      (unsigned long long)found, (unsigned long long)expected);
          return false;
        }
      }
    }
  }
  return true;
}

int main() {
  const long long sizes[][4] = {{1, 1, 1, 1},   {1, 1, 70, 130}, {2, 3, 33, 65}, {1, 40, 2, 67},
                                {1, 5, 5, 5},   {3, 33, 40, 50}, {1, 64, 32, 24}, {2, 9, 6, 0},
                                {1, 4, 200, 31}, {40, 6, 3, 9},  {2, 1, 45, 328}, {1, 37, 3, 264},
                                {1, 1, 64, 64}, {3, 1, 264, 41}, {1, 272, 1, 75}, {2, 3, 96, 19}};
  const long long tiles[] = {2, 1, 1000, 3};
  int passed = 0, failed = 0;
  for (const auto& s : sizes) {
    for (int variant = 0; variant < 12; variant++) {
      const bool shifted = s[3] % 8 == 0 && variant >= 8;
      Matmul m{s[0], s[1], s[2], s[3], (variant & 1) != 0, (variant & 2) != 0, shifted, variant / 4,
               tiles[(variant + s[1]) % 4]};
      (check(m) ? passed : failed)++;
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
