// Checks every generated kernel against a reference in higher precision: each on linear tiles of
// many sizes, aligned and not, in place, and on random strided, broadcast and negative layouts;
// reductions over random axes. Outputs are poisoned, and what a kernel must not write is compared
// too. Elementwise kernels also go through the interpreter, which must leave the same bytes. One line
// a kernel; the last line says how many passed. Exit code 1 if any failed.
//
//   check_ops [seed] [part of a kernel's name]
//   check_ops bandwidth NAME...     elementwise kernels over 64 M elements, compiled and interpreted,
//                                   against a plain copy
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#ifdef GPUOS_HOST
#define __device__
#define __forceinline__ inline
#endif
#include "check_reference.h"
#include "gpuos_abi.cuh"

namespace {

constexpr int GUARD = 64;  // elements before and behind each operand that must stay untouched
constexpr unsigned char POISON = 0xa5;

struct Random {
  uint64_t state;
  uint64_t next() {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  int below(int n) { return (int)(next() % (uint64_t)n); }
  bool once_in(int n) { return below(n) == 0; }
  double uniform(double low, double high) { return low + (high - low) * (next() >> 11) * 0x1p-53; }
};

// ---- Values.

struct Precision {
  int mantissa;  // explicit bits
  int least;     // exponent of the smallest normal number
  int most;      // exponent of the largest
};
Precision precision(Type type) {
  switch (type) {
    case Type::F64: return {52, -1022, 1023};
    case Type::F32: return {23, -126, 127};
    case Type::F16: return {10, -14, 15};
    default: return {7, -126, 127};
  }
}

int width(Type type) { return type == Type::BOOL ? 1 : 8 * bytes_of(type); }

// What kind of values a kernel is fed. PARAMETERS: any for the first operand, near one and positive
// for the rest, which are parameters of an activation.
enum class Values { any, moderate, near_one, parameters };

// Where extreme values would overflow on the way or make the result a matter of rounding.
Values values_for(const std::string& name) {
  for (const char* function : {"celu_", "softplus_"}) {
    if (name.find(function) == 0) {
      return Values::parameters;
    }
  }
  for (const char* function : {"fused_", "scalars_", "heavy_", "two_"}) {
    if (name.find(function) == 0) {
      return Values::moderate;
    }
  }
  return Values::any;
}

Cell random_cell(Random& random, Type type, Values values) {
  if (!floating(type)) {
    static const long long special[] = {0, 1, -1, 2, -2, 3, 7, 31, 32, 33, 63, 64, 255};
    long long x;
    if (random.once_in(5)) {
      x = special[random.below(13)];
    } else if (random.once_in(8)) {
      x = (random.once_in(2) ? 1ll : -1ll) << (width(type) - 1);
      x -= random.below(2);
    } else {
      x = random.once_in(3) ? (long long)random.next() : random.below(41) - 20;
    }
    if (type == Type::BOOL) {
      return Cell((long long)(random.once_in(2) ? 0 : random.once_in(3) ? 1 + random.below(255) : 1));
    }
    unsigned char stored[8];
    encode(type, Cell(x), stored);
    return decode(type, stored);
  }
  const Precision p = precision(type);
  real x;
  if (values == Values::near_one) {
    x = random.uniform(0.5, 1.5) * (random.once_in(8) ? -1 : 1);
  } else if (values == Values::moderate) {
    x = random.uniform(-4, 4);
  } else if (random.once_in(6)) {
    const real special[] = {0.0L, -0.0L, 1, -1, 0.5L, -0.5L, 2, -2, INFINITY, -INFINITY, NAN,
                            std::ldexp((real)1, p.least - p.mantissa), std::ldexp((real)1, p.least),
                            (2 - std::ldexp((real)1, -p.mantissa)) * std::ldexp((real)1, p.most)};
    x = special[random.below(14)];
  } else if (random.once_in(4)) {
    x = std::ldexp(random.uniform(-2, 2), p.least + random.below(p.most - p.least));
  } else if (random.once_in(3)) {
    x = random.below(41) / (real)2 - 10;
  } else {
    x = random.once_in(2) ? random.uniform(-4, 4) : random.uniform(-100, 100);
  }
  unsigned char stored[8];
  encode(type, Cell(x), stored);
  return decode(type, stored);
}

// ---- How far a result may be off.

struct Tolerance {
  double ulps;      // of the computed type
  double absolute;  // in units of its precision, times the greatest argument
};

Tolerance tolerance(const std::string& name) {
  static const struct {
    const char* function;
    Tolerance tolerance;
  } table[] = {
      {"add", {0, 0}}, {"sub", {0, 0}}, {"mul", {0, 0}}, {"div", {0, 0}}, {"sqrt", {0, 0}},
      {"reciprocal", {0, 0}}, {"fmod", {0, 0}}, {"remainder", {1, 1}}, {"floor_divide", {2, 0}},
      {"maximum", {0, 0}}, {"minimum", {0, 0}}, {"clamp", {0, 0}}, {"relu", {0, 0}},
      {"relu6", {0, 0}}, {"hardtanh", {0, 0}}, {"leaky_relu", {0, 0}}, {"sign", {0, 0}},
      {"floor", {0, 0}}, {"ceil", {0, 0}}, {"round", {0, 0}}, {"trunc", {0, 0}}, {"abs", {0, 0}},
      {"neg", {0, 0}}, {"where", {0, 0}}, {"exp", {2, 0}}, {"tan", {4, 0}}, {"pow", {8, 0}},
      {"erfc", {6, 0}}, {"lgamma", {8, 30}}, {"gelu", {8, 0}}, {"gelu_tanh", {8, 0}},
      {"hardsigmoid", {2, 1}}, {"hardswish", {4, 4}}, {"mish", {6, 0}}, {"softplus", {6, 1}},
      {"selu", {4, 0}}, {"celu", {4, 0}}, {"silu", {4, 1}}, {"sinh", {4, 0}}, {"cosh", {4, 0}},
      {"fused_relu", {4, 2}}, {"scalars", {4, 4}}, {"heavy", {8, 4}},
  };
  const std::string function = name.substr(0, name.rfind('_'));
  for (const auto& entry : table) {
    if (function == entry.function) {
      return entry.tolerance;
    }
  }
  return {3, 0};
}

// Further ulps for functions whose tails turn the rounding of an exponent into a larger error.
double steepness(const std::string& name, double x) {
  if (name.find("gelu_tanh_") == 0) {
    return 4 * std::fabs(x) + std::fabs(x * x * x) / 5;
  }
  return name.find("gelu_") == 0 ? 2 * x * x : 0;
}

real ulp(real x, const Precision& p) {
  int exponent = p.least + 1;
  if (x != 0 && std::isfinite(x)) {
    std::frexp(x, &exponent);
  }
  return std::ldexp((real)1, std::max(exponent - 1, p.least) - p.mantissa);
}

// Error of `got` as a share of what is allowed; above 1 is wrong.
double excess(Type type, const Cell& got, const Cell& want, real allowed) {
  if (!floating(type)) {
    return got.i == want.i ? 0 : INFINITY;
  }
  if (std::isnan(want.r) || std::isnan(got.r)) {
    return std::isnan(want.r) && std::isnan(got.r) ? 0 : INFINITY;
  }
  const Precision p = precision(type);
  const real beyond = std::ldexp((real)1, p.most + 1);  // what overflow to infinity stands for
  const real w = std::fabs(want.r) > beyond ? std::copysign(beyond, want.r) : want.r;
  const real g = std::isinf(got.r) ? std::copysign(beyond, got.r) : got.r;
  const real error = std::fabs(g - w);
  return (double)(error / (allowed + ulp(w, p) * 0.5005L));
}

Precision computed(Type type) { return precision(type == Type::F64 ? Type::F64 : Type::F32); }

// ---- Layouts.

struct Layout {
  std::vector<long long> strides;
  long long base = 0;  // element of position 0
  long long span = 0;  // elements in all
};

Layout make_layout(Random& random, const std::vector<long long>& sizes, bool plain, bool input) {
  Layout layout;
  const int rank = (int)sizes.size();
  layout.strides.resize(rank);
  std::vector<int> order(rank);
  for (int i = 0; i < rank; i++) {
    order[i] = i;
  }
  if (!plain && random.once_in(2)) {
    for (int i = rank - 1; i > 0; i--) {
      std::swap(order[i], order[random.below(i + 1)]);
    }
  }
  long long stride = 1;
  if (!plain && random.once_in(4)) {
    stride = 2 + random.below(3);
  }
  long long low = 0;
  long long high = 0;
  for (int i = rank - 1; i >= 0; i--) {
    const int dim = order[i];
    const long long size = std::max(sizes[dim], 1ll);
    if (!plain && input && random.once_in(4)) {
      continue;  // broadcast
    }
    const bool negative = !plain && random.once_in(6);
    layout.strides[dim] = negative ? -stride : stride;
    (negative ? low : high) += (size - 1) * layout.strides[dim];
    stride *= size;
    if (!plain && random.once_in(5)) {
      stride += 1 + random.below(8);
    }
  }
  layout.base = GUARD - low;
  layout.span = high - low + 1 + 2 * GUARD;
  return layout;
}

// ---- One run.

struct Job {
  std::vector<long long> sizes;  // kept, then reduced
  int reduced = 0;
  bool linear = false;
  bool plain = false;     // contiguous
  int shift = 0;          // elements all operands are moved by, against alignment
  bool in_place = false;  // where types allow
  unsigned threads = 256;
  unsigned tile = 0;  // positions; 0: all in one
  // Only these positions, of a space that repeats its innermost kept dimension without end: to reach
  // positions that do not fit 32 bits.
  long long from = 0;
  long long positions = -1;  // -1: all
  Values values = Values::any;
};

struct Buffer {
  std::vector<unsigned char> before;  // as given to the device
  std::vector<unsigned char> after;
  std::vector<unsigned char> interpreted;  // what the interpreter left; empty: not compared
  void* device = nullptr;
  Layout layout;
  int shares = -1;  // operand whose memory this is
};

void set_operand(gpuos_task& task, size_t k, unsigned long long word) {
  unsigned long long* words[] = {&task.operand0,    &task.operand1[0], &task.operand1[1],
                                 &task.operand1[2], &task.operand4[0], &task.operand4[1],
                                 &task.operand4[2], &task.operand7[0], &task.operand7[1],
                                 &task.operand7[2]};
  *words[k] = word;
}

long long product(const std::vector<long long>& sizes, size_t from, size_t to) {
  long long n = 1;
  for (size_t i = from; i < to; i++) {
    n *= sizes[i];
  }
  return n;
}

long long offset(const std::vector<long long>& sizes, const Layout& layout, size_t from, size_t to,
                 long long position) {
  long long at = 0;
  for (size_t i = to; i-- > from;) {
    at += position % sizes[i] * layout.strides[i];
    position /= sizes[i];
  }
  return at;
}

// A reduction in higher precision, and how far the device may be off.
struct Fold {
  const Case& what;
  long long n = 0;
  long long place = 0;
  bool some = false;
  bool any = false;
  bool all = true;
  Cell best;
  real sum = 0, magnitude = 0, product = 1, power = 0;
  long long integer_sum = 0, integer_product = 1;
  std::vector<real> values;

  explicit Fold(const Case& what) : what(what) {}

  void add(const Cell& x) {
    const std::string& name = what.reducer;
    const bool real_type = floating(what.folded);
    bool better = !some;
    if (some && real_type) {
      const real a = name == "norm" ? std::fabs(x.r) : x.r;
      better = !std::isnan(best.r) &&
               (std::isnan(a) || (least() ? a < best.r : a > best.r));
    } else if (some) {
      better = least() ? x.i < best.i : x.i > best.i;
    }
    if (better) {
      best = x;
      if (name == "norm") {
        best.r = std::fabs(x.r);
      }
      place = n;
    }
    some = true;
    any |= real_type ? x.r != 0 : x.i != 0;
    all &= real_type ? x.r != 0 : x.i != 0;
    sum += x.r;
    magnitude += std::fabs(x.r);
    product *= x.r;
    integer_sum = ref::add(integer_sum, x.i);
    integer_product = ref::mul(integer_product, x.i);
    if (name == "norm") {
      power += what.parameter == 0 ? x.r != 0 : std::pow(std::fabs(x.r), (real)what.parameter);
    }
    if (name == "var" || name == "std") {
      values.push_back(x.r);
    }
    n++;
  }

  bool least() const {
    return what.reducer == "min" || what.reducer == "argmin" ||
           (what.reducer == "norm" && what.parameter == -INFINITY);
  }

  Cell result(real& allowed) const {
    const std::string& name = what.reducer;
    const real eps = std::ldexp((real)1, -computed(what.folded).mantissa);
    const real growth = 4 * eps * std::log2((real)n + 2);
    const real infinity = INFINITY;
    allowed = 0;
    if (name == "any") return Cell(any);
    if (name == "all") return Cell(all);
    if (name == "argmax" || name == "argmin") return Cell(place);
    if (name == "max" || name == "min") return best;
    if (!floating(what.folded)) return Cell(name == "sum" ? integer_sum : integer_product);
    if (name == "sum" || name == "mean") {
      allowed = growth * magnitude / (name == "mean" ? n : 1);
      return Cell(name == "mean" ? sum / n : sum);
    }
    if (name == "prod") {
      allowed = eps * (n + 1) * std::fabs(product) + std::ldexp((real)1, computed(what.folded).least);
      return Cell(product);
    }
    if (name == "norm") {
      if (n == 0) return Cell((real)0);
      if (std::fabs(what.parameter) == infinity) return best;
      if (what.parameter == 0) return Cell(power);
      const real norm = std::pow(power, 1 / (real)what.parameter);
      allowed = 8 * growth * norm;
      return Cell(norm);
    }
    const real mean = sum / n;
    real squares = 0;
    for (real x : values) {
      squares += (x - mean) * (x - mean);
    }
    const real divisor = std::max((real)n - (real)what.parameter, (real)0);
    const real variance = squares / divisor;
    allowed = 4 * growth * (variance + std::fabs(mean) * std::sqrt(variance));
    if (name == "std" && variance > 0) {
      allowed /= std::sqrt(variance);
    }
    return Cell(name == "var" ? variance : std::sqrt(variance));
  }
};

struct Outcome {
  double worst = 0;
  std::string first;  // account of the first wrong element
};

std::string describe(const Job& job) {
  std::string text = job.linear ? "linear [" : "strided [";
  for (size_t i = 0; i < job.sizes.size(); i++) {
    text += (i == job.sizes.size() - job.reduced ? " | " : i > 0 ? ", " : "") +
            std::to_string(job.sizes[i]);
  }
  return text + "] shift " + std::to_string(job.shift) + (job.plain ? " plain" : "") +
         (job.in_place ? " in place" : "") + " threads " + std::to_string(job.threads) + " tile " +
         std::to_string(job.tile) + (job.from > 0 ? " from " + std::to_string(job.from) : "");
}

// A case's program in device memory.
struct Program {
  void* at;
  explicit Program(const Case& what) {
    const size_t bytes = what.program.size() * sizeof(what.program[0]);
    at = device_allocate(bytes);
    device_write(at, what.program.data(), bytes);
  }
  ~Program() { device_free(at); }
  Program(const Program&) = delete;

  void run(Run run) const {
    run.argument = (unsigned long long)at;
    run_interpreted(run);
  }
};

// An account of the first element that differs between interpreter and generated operator.
std::string difference(const Buffer& buffer, Type type, size_t operand) {
  const size_t bytes = bytes_of(type);
  size_t at = 0;
  while (std::memcmp(&buffer.interpreted[at], &buffer.after[at], bytes) == 0) {
    at += bytes;
  }
  const Cell one = decode(type, &buffer.interpreted[at]);
  const Cell other = decode(type, &buffer.after[at]);
  char text[200];
  std::snprintf(text, sizeof text, "operand %zu, element %lld: interpreted %.9Lg %lld, compiled %.9Lg %lld",
                operand, (long long)(at / bytes) - buffer.layout.base, one.r, one.i, other.r, other.i);
  return text;
}

// Takes what the interpreter wrote, and puts back what was there before.
void take_interpreted(const Case& what, std::vector<Buffer>& buffers) {
  for (size_t k = 0; k < buffers.size(); k++) {
    if (what.operands[k].role == Role::output) {
      Buffer& buffer = buffers[k];
      buffer.interpreted.resize(buffer.before.size());
      device_read(buffer.interpreted.data(), buffer.device, buffer.interpreted.size());
      device_write(buffer.device, buffer.before.data(), buffer.before.size());
    }
  }
}

Outcome run(const Case& what, const Job& job, Random& random) {
  const size_t operands = what.operands.size();
  const size_t rank = job.sizes.size();
  const size_t kept = rank - job.reduced;
  const long long end = job.positions < 0 ? product(job.sizes, 0, kept) : job.from + job.positions;
  const long long n = product(job.sizes, kept, rank);
  const bool reduction = !what.reducer.empty();

  gpuos_space space = {};
  space.rank = (unsigned)rank;
  space.reduced = (unsigned)job.reduced;
  for (size_t i = 0; i < rank; i++) {
    space.size[i] = job.sizes[i];
  }

  std::vector<Buffer> buffers(operands);
  std::vector<unsigned long long> words(operands);
  std::vector<Cell> scalars(operands);
  for (size_t k = 0; k < operands; k++) {
    Buffer& buffer = buffers[k];
    const Type type = what.operands[k].type;
    const int bytes = bytes_of(type);
    const bool input = what.operands[k].role == Role::input;
    const Values values = job.values != Values::parameters ? job.values
                          : k == 0                         ? Values::any
                                                           : Values::near_one;
    if (what.operands[k].role == Role::scalar) {
      scalars[k] = random_cell(random, type, Values::moderate);
      const double d = (double)scalars[k].r;
      std::memcpy(&words[k], &d, 8);
      if (!floating(type)) {
        words[k] = (unsigned long long)scalars[k].i;
      }
      continue;
    }
    if (!input && job.in_place && !reduction) {
      for (size_t j = 0; j < k && buffer.shares < 0; j++) {
        bool taken = what.operands[j].role != Role::input || what.operands[j].type != type;
        for (size_t other = 0; other < k; other++) {
          taken |= buffers[other].shares == (int)j;
        }
        bool broadcast = false;
        for (size_t d = 0; d < rank; d++) {
          broadcast |= buffers[j].layout.strides.size() == rank &&
                       buffers[j].layout.strides[d] == 0 && job.sizes[d] > 1;
        }
        if (!taken && !broadcast) {
          buffer.shares = (int)j;
        }
      }
    }
    if (buffer.shares >= 0) {
      buffer.layout = buffers[buffer.shares].layout;
      buffer.before = buffers[buffer.shares].before;
      buffer.device = buffers[buffer.shares].device;
    } else {
      std::vector<long long> sizes = job.sizes;
      if (!input && reduction) {
        sizes.resize(kept);
      }
      if (job.positions >= 0) {
        std::fill(sizes.begin(), sizes.begin() + kept - 1, 1);
      }
      buffer.layout = make_layout(random, sizes, job.plain || job.linear, input);
      buffer.layout.strides.resize(rank);
      if (job.positions >= 0) {
        std::fill(buffer.layout.strides.begin(), buffer.layout.strides.begin() + kept - 1, 0);
      }
      buffer.layout.base += job.shift;
      buffer.layout.span += job.shift;
      buffer.before.assign(buffer.layout.span * bytes, POISON);
      if (input) {
        for (long long i = 0; i < buffer.layout.span; i++) {
          Cell cell = random_cell(random, type, values);
          if (job.values == Values::parameters && k > 0) {
            cell.r = std::fabs(cell.r);
          }
          encode(type, cell, &buffer.before[i * bytes]);
        }
      }
      buffer.device = device_allocate(buffer.before.size());
      device_write(buffer.device, buffer.before.data(), buffer.before.size());
    }
    words[k] = (unsigned long long)buffer.device + buffer.layout.base * bytes;
    for (size_t d = 0; d < rank; d++) {
      space.stride[k][d] = buffer.layout.strides[d];
    }
  }

  std::vector<gpuos_task> tiles;
  const long long step = job.tile == 0 ? std::max(end - job.from, 1ll) : job.tile;
  for (long long start = job.from; start < end; start += step) {
    gpuos_task task = {};
    task.count = (unsigned)std::min(step, end - start);
    task.first = (unsigned)(reduction ? start : start / GPUOS_POSITIONS_PER_FIRST);
    task.flags = job.linear ? GPUOS_FLAG_LINEAR : 0;
    for (size_t k = 0; k < operands; k++) {
      const bool scalar = what.operands[k].role == Role::scalar;
      const long long moved = job.linear && !scalar ? start * bytes_of(what.operands[k].type) : 0;
      set_operand(task, k, words[k] + moved);
    }
    tiles.push_back(task);
  }
  if (!tiles.empty()) {
    void* device_tiles = device_allocate(tiles.size() * sizeof(gpuos_task));
    void* device_space = device_allocate(sizeof(space));
    device_write(device_tiles, tiles.data(), tiles.size() * sizeof(gpuos_task));
    device_write(device_space, &space, sizeof(space));
    const Run tiled = {what.index, (const gpuos_task*)device_tiles, (unsigned)tiles.size(),
                       (const gpuos_space*)device_space, (unsigned)tiles.size(), job.threads};
    if (!what.program.empty()) {
      Program(what).run(tiled);
      device_wait(what.name.c_str());
      if (what.run != nullptr) {
        take_interpreted(what, buffers);
      }
    }
    if (what.run != nullptr) {
      what.run(tiled);
      device_wait(what.name.c_str());
    }
    device_free(device_tiles);
    device_free(device_space);
  }

  Outcome outcome;
  std::vector<std::vector<bool>> written(operands);
  for (size_t k = 0; k < operands; k++) {
    if (what.operands[k].role == Role::output) {
      buffers[k].after.resize(buffers[k].before.size());
      device_read(buffers[k].after.data(), buffers[k].device, buffers[k].after.size());
      written[k].resize(buffers[k].layout.span);
    }
  }
  for (size_t k = 0; k < operands; k++) {
    const Buffer& buffer = buffers[k];
    if (!buffer.interpreted.empty() && buffer.interpreted != buffer.after) {
      outcome.worst = INFINITY;
      outcome.first = describe(job) + ": " + difference(buffer, what.operands[k].type, k);
    }
  }
  const Tolerance allowance = tolerance(what.name);
  std::vector<Cell> in(operands), out(operands);
  for (long long position = job.from; position < end; position++) {
    real greatest = 0;
    auto read = [&](size_t k, long long at) {
      const Buffer& buffer = buffers[k];
      const Type type = what.operands[k].type;
      in[k] = decode(type, &buffer.before[(buffer.layout.base + at) * bytes_of(type)]);
      if (floating(type) && std::isfinite(in[k].r)) {
        greatest = std::max(greatest, std::fabs(in[k].r));
      }
    };
    std::vector<long long> starts(operands);
    for (size_t k = 0; k < operands; k++) {
      if (what.operands[k].role == Role::scalar) {
        in[k] = scalars[k];
      } else {
        starts[k] = offset(job.sizes, buffers[k].layout, 0, kept, position);
      }
    }
    std::vector<real> allowed(operands);
    if (reduction) {
      Fold fold(what);
      for (long long r = 0; r < n; r++) {
        for (size_t k = 0; k < operands; k++) {
          if (what.operands[k].role == Role::input) {
            read(k, starts[k] + offset(job.sizes, buffers[k].layout, kept, rank, r));
          }
        }
        what.reference(in.data(), out.data());
        fold.add(out[0]);
      }
      real tolerated = 0;
      out[operands - 1] = fold.result(tolerated);
      allowed[operands - 1] = tolerated;
    } else {
      for (size_t k = 0; k < operands; k++) {
        if (what.operands[k].role == Role::input) {
          read(k, starts[k]);
        }
      }
      if (what.reference != nullptr) {
        what.reference(in.data(), out.data());
      }
      for (size_t k = 0; k < operands; k++) {
        if (floating(what.operands[k].type)) {
          const Precision p = computed(what.operands[k].type);
          const real eps = std::ldexp((real)1, -p.mantissa);
          const double ulps = allowance.ulps + steepness(what.name, (double)in[0].r);
          allowed[k] = ulps * ulp(out[k].r, p) + allowance.absolute * eps * greatest;
          if (allowance.ulps > 0) {
            // What underflows, or overflows in a divisor, on the way.
            allowed[k] += std::ldexp(std::min(1 + greatest, (real)100), p.least);
          }
        }
      }
    }
    for (size_t k = 0; k < operands; k++) {
      if (what.operands[k].role != Role::output) {
        continue;
      }
      const Type type = what.operands[k].type;
      const long long element = buffers[k].layout.base + starts[k];
      const unsigned char* at = &buffers[k].after[element * bytes_of(type)];
      const Cell got = decode(type, at);
      double over = what.reference == nullptr ? 0 : excess(type, got, out[k], allowed[k]);
      if (type == Type::BOOL && *at > 1) {
        over = INFINITY;
      }
      written[k][element] = true;
      if (over > outcome.worst) {
        outcome.worst = over;
        if (over > 1) {
          char text[400];
          std::snprintf(text, sizeof text, "%s: operand %zu at %lld: got %.9Lg %lld, want %.9Lg %lld, in %.9Lg %.9Lg %lld %lld",
                        describe(job).c_str(), k, position, got.r, got.i, out[k].r, out[k].i,
                        in[0].r, operands > 1 ? in[1].r : 0, in[0].i, operands > 1 ? in[1].i : 0);
          outcome.first = text;
        }
      }
    }
  }
  for (size_t k = 0; k < operands; k++) {
    if (what.operands[k].role == Role::output) {
      const int bytes = bytes_of(what.operands[k].type);
      for (long long i = 0; i < buffers[k].layout.span; i++) {
        if (!written[k][i] &&
            std::memcmp(&buffers[k].after[i * bytes], &buffers[k].before[i * bytes], bytes) != 0) {
          outcome.worst = INFINITY;
          outcome.first = describe(job) + ": wrote element " + std::to_string(i) + " of operand " +
                          std::to_string(k) + ", which is not its own";
        }
      }
    }
    if (buffers[k].shares < 0 && buffers[k].device != nullptr) {
      device_free(buffers[k].device);
    }
  }
  return outcome;
}

// ---- What each kernel is run on.

// A fourth of the jobs, another one for each case: a kernel that is interpreted only differs from the
// others in its functions, not in the ways it reaches its operands.
std::vector<Job> fourth(const std::vector<Job>& jobs, size_t number) {
  std::vector<Job> some;
  for (size_t i = number % 4; i < jobs.size(); i += 4) {
    some.push_back(jobs[i]);
  }
  return some;
}

std::vector<Job> elementwise_jobs(Random& random, const Case& what) {
  std::vector<Job> jobs;
  for (long long count : {1, 7, 255, 256, 257, 512, 1000, 1024, 2048, 4096, 5003, 20000}) {
    Job job;
    job.sizes = {count};
    job.linear = true;
    job.in_place = random.once_in(2);
    if (random.once_in(3)) {
      job.shift = 1 + random.below(15);
    }
    job.tile = random.once_in(2) ? 0 : 256 * (1 + random.below(12));
    job.threads = random.once_in(4) ? 32 * (1 + random.below(12)) : 256;
    jobs.push_back(job);
  }
  for (int i = 0; i < 10; i++) {
    Job job;
    const int rank = 1 + random.below(i < 7 ? 3 : 8);
    long long count = 1;
    for (int d = 0; d < rank; d++) {
      const long long most = std::max(1ll, std::min(60ll, 6000 / count));
      long long size = 1 + random.below((int)most);
      if (d == rank - 1 && random.once_in(2)) {
        size = (size + 15) / 16 * 16;
      }
      job.sizes.push_back(size);
      count *= size;
    }
    job.plain = random.once_in(4);
    job.in_place = random.once_in(3);
    job.shift = random.once_in(3) ? 1 + random.below(8) : 0;
    job.tile = random.once_in(2) ? 0 : 256 * (1 + random.below(6));
    job.threads = random.once_in(4) ? 32 * (1 + random.below(12)) : 256;
    jobs.push_back(job);
  }
  jobs.push_back(Job());  // no dimensions: one position
  for (long long inner : {304, 77}) {
    Job far;
    far.sizes = {1ll << 40, 3, inner};
    far.plain = true;
    far.from = (1ll << 32) + 256 * (long long)random.below(1 << 30);
    far.positions = 2 * inner;
    jobs.push_back(far);
  }
  for (Job& job : jobs) {
    job.values = values_for(what.name);
  }
  return jobs;
}

std::vector<Job> reduction_jobs(Random& random, const Case& what) {
  std::vector<Job> jobs;
  auto job = [&](std::vector<long long> sizes, int reduced, bool plain) {
    Job j;
    j.sizes = sizes;
    j.reduced = reduced;
    j.plain = plain;
    j.shift = random.once_in(4) ? 1 + random.below(3) : 0;
    j.tile = random.once_in(2) ? 0 : 256;
    j.threads = random.once_in(5) ? 32 * (1 + random.below(32)) : 256;
    j.values = what.reducer == "prod"  ? Values::near_one
               : what.reducer == "max" || what.reducer == "min" || what.reducer == "any" ||
                       what.reducer == "all" || what.reducer[0] == 'a'
                   ? (random.once_in(2) ? Values::any : Values::moderate)
                   : Values::moderate;
    jobs.push_back(j);
  };
  job({1, 20011}, 1, true);
  job({20000}, 1, true);
  job({8, 256}, 1, true);
  job({3, 1000}, 1, true);
  job({40, 128}, 1, true);
  job({300, 3}, 1, true);
  job({700, 16}, 1, true);
  job({5, 1}, 1, true);
  job({9}, 0, true);
  job({}, 0, true);
  for (int i = 0; i < 14; i++) {
    const int rank = 1 + random.below(i < 10 ? 4 : 8);
    std::vector<long long> sizes;
    long long count = 1;
    for (int d = 0; d < rank; d++) {
      const long long most = std::max(1ll, std::min(random.once_in(2) ? 600ll : 20ll, 12000 / count));
      long long size = 1 + random.below((int)most);
      if (d == rank - 1 && random.once_in(2)) {
        size = std::min((size + 7) / 8 * 8, 600ll);
      }
      sizes.push_back(size);
      count *= size;
    }
    job(sizes, 1 + random.below(rank), random.once_in(4));
  }
  job({1ll << 36, 5, 7}, 1, true);
  jobs.back().from = (1ll << 33) + 256 * (long long)random.below(1 << 30);
  jobs.back().positions = 13;
  const bool empty = what.reducer != "max" && what.reducer != "min" && what.reducer[0] != 'a' &&
                     !(what.reducer == "norm" && !(what.parameter >= 0 && what.parameter < INFINITY));
  if (empty || what.reducer == "any" || what.reducer == "all") {
    job({4, 0}, 1, true);
  }
  return jobs;
}

}  // namespace

#ifndef GPUOS_HOST
static void check(cudaError_t code, const char* what) {
  if (code != cudaSuccess) {
    std::printf("device error: %s: %s\n", what, cudaGetErrorString(code));
    std::exit(1);
  }
}
void* device_allocate(size_t bytes) {
  void* at;
  check(cudaMalloc(&at, bytes), "cudaMalloc");
  return at;
}
void device_free(void* at) { check(cudaFree(at), "cudaFree"); }
void device_write(void* to, const void* from, size_t bytes) {
  check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
}
void device_read(void* to, const void* from, size_t bytes) {
  check(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
}
void device_wait(const char* what) {
  check(cudaGetLastError(), what);
  check(cudaDeviceSynchronize(), what);
}

// Milliseconds that one call of `work` takes, of the device's time.
template <class Work> static double milliseconds(Work work) {
  constexpr int ROUNDS = 10;
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start), "event");
  check(cudaEventCreate(&stop), "event");
  work();
  check(cudaEventRecord(start), "record");
  for (int i = 0; i < ROUNDS; i++) {
    work();
  }
  check(cudaEventRecord(stop), "record");
  device_wait("bandwidth");
  float time;
  check(cudaEventElapsedTime(&time, start, stop), "elapsed");
  return time / ROUNDS;
}

// As the resident kernel runs them: two blocks of 256 threads a multiprocessor, tiles of 64 K.
static void bandwidth(const std::vector<std::string>& names) {
  constexpr long long COUNT = 64ll << 20;
  constexpr unsigned TILE = 64 << 10;
  cudaDeviceProp device;
  check(cudaGetDeviceProperties(&device, 0), "properties");
  char* from = (char*)device_allocate(COUNT * 4);
  char* to = (char*)device_allocate(COUNT * 4);
  const double copy = COUNT * 8 / 1e6 / milliseconds([&] {
    check(cudaMemcpyAsync(to, from, COUNT * 4, cudaMemcpyDeviceToDevice), "copy");
  });
  device_free(from);
  device_free(to);
  std::printf("%-24s %7.0f GB/s\n", "copy", copy);
  for (const Case& what : cases) {
    if (std::find(names.begin(), names.end(), what.name) == names.end()) {
      continue;
    }
    std::vector<gpuos_task> tiles(COUNT / TILE);
    std::vector<void*> memory;
    long long bytes = 0;
    for (size_t k = 0; k < what.operands.size(); k++) {
      const int size = bytes_of(what.operands[k].type);
      memory.push_back(device_allocate(COUNT * size));
      check(cudaMemset(memory.back(), 0, COUNT * size), "memset");
      bytes += COUNT * size;
      for (size_t i = 0; i < tiles.size(); i++) {
        set_operand(tiles[i], k, (unsigned long long)memory.back() + i * TILE * size);
        tiles[i].count = TILE;
        tiles[i].flags = GPUOS_FLAG_LINEAR;
      }
    }
    memory.push_back(device_allocate(tiles.size() * sizeof(gpuos_task)));
    device_write(memory.back(), tiles.data(), tiles.size() * sizeof(gpuos_task));
    const Run run = {what.index,       (const gpuos_task*)memory.back(), (unsigned)tiles.size(),
                     nullptr,          2u * device.multiProcessorCount,  256};
    const double rate = bytes / 1e6 / milliseconds([&] { what.run(run); });
    std::printf("%-24s %7.0f GB/s, %.0f %% of a copy", what.name.c_str(), rate, 100 * rate / copy);
    if (!what.program.empty()) {
      const Program program(what);
      std::printf("; interpreted %.0f GB/s",
                  bytes / 1e6 / milliseconds([&] { program.run(run); }));
    }
    std::printf("\n");
    for (void* at : memory) {
      device_free(at);
    }
  }
}
#endif

int main(int argc, char** argv) {
#ifndef GPUOS_HOST
  if (argc > 1 && std::string(argv[1]) == "bandwidth") {
    bandwidth(std::vector<std::string>(argv + 2, argv + argc));
    return 0;
  }
#endif
  const uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::string part = argc > 2 ? argv[2] : "";
  int passed = 0;
  int failed = 0;
  for (const Case& what : cases) {
    if (what.name.find(part) == std::string::npos) {
      continue;
    }
    Random random{seed};
    Outcome all;
    size_t runs = 0;
    std::vector<Job> jobs =
        what.reducer.empty() ? elementwise_jobs(random, what) : reduction_jobs(random, what);
    if (what.run == nullptr) {
      jobs = fourth(jobs, &what - cases.data());
    }
    for (const Job& job : jobs) {
      const Outcome one = run(what, job, random);
      if (one.worst > all.worst) {
        all.worst = one.worst;
      }
      if (all.first.empty()) {
        all.first = one.first;
      }
      runs++;
    }
    const bool right = all.worst <= 1;
    (right ? passed : failed)++;
    std::printf("%s %-24s %zu runs, worst error %.3g of what is allowed%s%s\n",
                right ? "ok  " : "FAIL", what.name.c_str(), runs, all.worst,
                all.first.empty() ? "" : "; ", all.first.c_str());
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
