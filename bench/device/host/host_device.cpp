// See host_device.h.
#include "host_device.h"

#include <ucontext.h>

#include <cstdio>
#include <iterator>
#include <map>
#include <vector>

#include "check_run.h"

Dim threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr size_t STACK = 64 * 1024;

enum class State { ready, at_barrier, at_exchange, done };

struct Fiber {
  ucontext_t context;
  State state;
  int line;
  unsigned long long word;
};

std::map<unsigned long long, unsigned long long> allocations;  // begin to end, of device memory
std::vector<Fiber> fibers;
std::vector<char> stacks;
ucontext_t scheduler;
const std::function<void()>* running;

void enter() {
  (*running)();
  fibers[threadIdx.x].state = State::done;
}

void pause(State state, int line) {
  Fiber& mine = fibers[threadIdx.x];
  mine.state = state;
  mine.line = line;
  const unsigned self = threadIdx.x;
  swapcontext(&mine.context, &scheduler);
  threadIdx.x = self;
}

void resume(unsigned thread) {
  threadIdx.x = thread;
  fibers[thread].state = State::ready;
  swapcontext(&scheduler, &fibers[thread].context);
}

// Whether fibers [from, to) all wait at one and the same place of the given sort.
bool together(unsigned from, unsigned to, State state) {
  for (unsigned i = from; i < to; i++) {
    if (fibers[i].state != state || fibers[i].line != fibers[from].line) {
      return false;
    }
  }
  return true;
}

void run_block(unsigned threads) {
  for (unsigned i = 0; i < threads; i++) {
    Fiber& fiber = fibers[i];
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = &stacks[i * STACK];
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, enter, 0);
    resume(i);
  }
  while (!together(0, threads, State::done)) {
    bool moved = false;
    for (unsigned warp = 0; warp < threads; warp += 32) {
      while (together(warp, warp + 32, State::at_exchange)) {
        moved = true;
        for (unsigned i = warp; i < warp + 32; i++) {
          resume(i);
        }
      }
    }
    if (together(0, threads, State::at_barrier)) {
      moved = true;
      for (unsigned i = 0; i < threads; i++) {
        resume(i);
      }
    }
    host_check(moved, "threads wait at different barriers or shuffles");
  }
}

}  // namespace

void host_check(bool right, const char* what) {
  if (!right) {
    std::fprintf(stderr, "device error: %s\n", what);
    std::abort();
  }
}

void host_barrier(int line) { pause(State::at_barrier, line); }

unsigned long long host_exchange(unsigned long long word, int mask) {
  fibers[threadIdx.x].word = word;
  pause(State::at_exchange, 0);
  const unsigned long long other = fibers[threadIdx.x ^ mask].word;
  pause(State::at_exchange, 1);  // before anyone overwrites a word that is still to be read
  return other;
}

void host_launch(unsigned blocks, unsigned threads, const std::function<void()>& kernel) {
  fibers.resize(threads);
  stacks.resize(threads * STACK);
  running = &kernel;
  blockDim.x = threads;
  gridDim.x = blocks;
  for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
    run_block(threads);
  }
}

bool host_owns(unsigned long long at, size_t bytes) {
  auto behind = allocations.upper_bound(at);
  return behind != allocations.begin() && at + bytes <= std::prev(behind)->second;
}

void* device_allocate(size_t bytes) {
  void* at = std::aligned_alloc(256, (bytes + 511) / 256 * 256);
  allocations[(unsigned long long)at] = (unsigned long long)at + bytes;
  return at;
}
void device_free(void* at) {
  allocations.erase((unsigned long long)at);
  std::free(at);
}
void device_write(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }
void device_read(void* to, const void* from, size_t bytes) { std::memcpy(to, from, bytes); }
void device_wait(const char*) {}
