// How the checks run a kernel on a device: the one interface between checks, generated chunks and
// the two ways to compile them (nvcc, or a host compiler that plays the device).
#pragma once

#include <cstddef>

struct gpuos_task;
struct gpuos_space;

// One run of one kernel over tiles that the blocks share out. All memory is the device's.
struct Run {
  int kernel;
  const gpuos_task* tiles;
  unsigned tile_count;
  const gpuos_space* space;
  unsigned blocks;
  unsigned threads;  // a block
  unsigned long long argument = 0;  // of the interpreter: address of the program
};

// Defined by the chunk that holds the interpreter.
void run_interpreted(const Run&);

void* device_allocate(size_t bytes);
void device_free(void* at);
void device_write(void* to, const void* from, size_t bytes);
void device_read(void* to, const void* from, size_t bytes);
// Waits for everything; ends the program with the device's error if there is one.
void device_wait(const char* what);
