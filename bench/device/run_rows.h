// Runs kernels that go over rows on cases read from a file, and writes what their operands hold then.
// The file is made of 64-bit words, then bytes where told:
//
//   kernel, rank, reduced, 8 sizes, positions, positions a tile, operands, and for each operand
//   8 strides, bytes of memory, offset of its first element in them, the memory, filled up to words
//
//   run_rows CASES RESULTS
#pragma once

#include <cstdio>
#include <vector>

#include "check_device.h"

static void set_operand(gpuos_task& task, size_t k, unsigned long long word) {
  unsigned long long* words[] = {&task.operand0,    &task.operand1[0], &task.operand1[1],
                                 &task.operand1[2], &task.operand4[0], &task.operand4[1],
                                 &task.operand4[2], &task.operand7[0], &task.operand7[1],
                                 &task.operand7[2]};
  *words[k] = word;
}

static int run_rows(const char* cases, const char* results, gpuos_operator* kernels) {
  FILE* in = std::fopen(cases, "rb");
  FILE* out = std::fopen(results, "wb");
  long long word;
  auto next = [&] {
    host_check(std::fread(&word, 8, 1, in) == 1, "case ends early");
    return word;
  };
  while (std::fread(&word, 8, 1, in) == 1) {
    gpuos_operator kernel = kernels[word];
    gpuos_space* space = (gpuos_space*)device_allocate(sizeof(gpuos_space));
    *space = {};
    space->rank = (unsigned)next();
    space->reduced = (unsigned)next();
    for (int d = 0; d < 8; d++) {
      space->size[d] = next();
    }
    const long long positions = next();
    const long long step = next();
    const int operands = (int)next();
    std::vector<char*> memory;
    std::vector<long long> bytes;
    unsigned long long words[10] = {};
    for (int k = 0; k < operands; k++) {
      for (int d = 0; d < 8; d++) {
        space->stride[k][d] = next();
      }
      bytes.push_back(next());
      const long long offset = next();
      memory.push_back((char*)device_allocate((size_t)bytes[k]));
      host_check(std::fread(memory[k], 1, (size_t)bytes[k], in) == (size_t)bytes[k], "no memory");
      words[k] = (unsigned long long)memory[k] + (unsigned long long)offset;
    }
    std::vector<gpuos_task> tiles;
    for (long long first = 0; first < positions; first += step) {
      gpuos_task task = {};
      task.count = (unsigned)(step < positions - first ? step : positions - first);
      task.first = (unsigned)first;
      for (int k = 0; k < operands; k++) {
        set_operand(task, (size_t)k, words[k]);
      }
      tiles.push_back(task);
    }
    host_launch(2, 256, [&] { check_tiles(kernel, tiles.data(), (unsigned)tiles.size(), space); });
    for (int k = 0; k < operands; k++) {
      std::fwrite(memory[k], 1, (size_t)bytes[k], out);
      device_free(memory[k]);
    }
    device_free(space);
  }
  std::fclose(in);
  return std::fclose(out);
}
