// Ordinary kernels for the operators of the programs that bench programs measures, one launch an operator: what a
// CUDA graph of the same work consists of. Plain code that reads memory in order; float32 throughout.

#define INDEX(n)                                          \
  int i = blockIdx.x * blockDim.x + threadIdx.x;          \
  if (i >= (n)) return

extern "C" __global__ void add(float *y, const float *a, const float *b, int n) {
  INDEX(n);
  y[i] = a[i] + b[i];
}

extern "C" __global__ void mul(float *y, const float *a, const float *b, int n) {
  INDEX(n);
  y[i] = a[i] * b[i];
}

extern "C" __global__ void quotient(float *y, const float *a, const float *b, int n) {
  INDEX(n);
  y[i] = a[i] / b[i];
}

extern "C" __global__ void relu(float *y, const float *x, int n) {
  INDEX(n);
  y[i] = fmaxf(x[i], 0.0f);
}

extern "C" __global__ void sigmoid(float *y, const float *x, int n) {
  INDEX(n);
  y[i] = 1.0f / (1.0f + expf(-x[i]));
}

extern "C" __global__ void hyperbolic(float *y, const float *x, int n) {
  INDEX(n);
  y[i] = tanhf(x[i]);
}

extern "C" __global__ void adam_m(float *m, const float *g, int n) {
  INDEX(n);
  m[i] = 0.9f * m[i] + 0.1f * g[i];
}

extern "C" __global__ void adam_v(float *v, const float *g, int n) {
  INDEX(n);
  v[i] = 0.999f * v[i] + 0.001f * g[i] * g[i];
}

extern "C" __global__ void adam_p(float *p, const float *m, const float *v, int n) {
  INDEX(n);
  p[i] -= 0.001f * (m[i] / 0.1f) / (sqrtf(v[i] / 0.001f) + 1e-8f);
}

// Of all threads of a block, known to all of them. Called by all; synchronizes before it returns.
template <bool MAXIMUM>
__device__ float fold(float value) {
  __shared__ float parts[32];
  for (int step = 16; step > 0; step /= 2) {
    float other = __shfl_xor_sync(0xffffffffu, value, step);
    value = MAXIMUM ? fmaxf(value, other) : value + other;
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = parts[0];
  for (int warp = 1; warp < blockDim.x / 32; warp++) {
    value = MAXIMUM ? fmaxf(value, parts[warp]) : value + parts[warp];
  }
  return value;
}

// A row a block.
extern "C" __global__ void row_sum(float *y, const float *x, int width) {
  const float *row = x + (size_t)blockIdx.x * width;
  float sum = 0;
  for (int j = threadIdx.x; j < width; j += blockDim.x) sum += row[j];
  sum = fold<false>(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// A row a block, in place.
extern "C" __global__ void softmax(float *x, int width) {
  float *row = x + (size_t)blockIdx.x * width;
  float most = -3.4e38f, sum = 0;
  for (int j = threadIdx.x; j < width; j += blockDim.x) most = fmaxf(most, row[j]);
  most = fold<true>(most);
  for (int j = threadIdx.x; j < width; j += blockDim.x) sum += expf(row[j] - most);
  sum = fold<false>(sum);
  for (int j = threadIdx.x; j < width; j += blockDim.x) row[j] = expf(row[j] - most) / sum;
}

// A row a block, epsilon 1e-5, without weight and bias.
extern "C" __global__ void layer_norm(float *y, const float *x, int width) {
  const float *row = x + (size_t)blockIdx.x * width;
  float sum = 0, squares = 0;
  for (int j = threadIdx.x; j < width; j += blockDim.x) sum += row[j];
  float mean = fold<false>(sum) / width;
  for (int j = threadIdx.x; j < width; j += blockDim.x) squares += (row[j] - mean) * (row[j] - mean);
  float scale = rsqrtf(fold<false>(squares) / width + 1e-5f);
  for (int j = threadIdx.x; j < width; j += blockDim.x) {
    y[(size_t)blockIdx.x * width + j] = (row[j] - mean) * scale;
  }
}

// y (n, m) = x (n, k) w (k, m) + bias; a row a block of m threads at least.
extern "C" __global__ void linear(float *y, const float *x, const float *w, const float *bias, int k, int m) {
  int j = threadIdx.x;
  if (j >= m) return;
  const float *row = x + (size_t)blockIdx.x * k;
  float sum = bias[j];
  for (int l = 0; l < k; l++) sum += row[l] * w[(size_t)l * m + j];
  y[(size_t)blockIdx.x * m + j] = sum;
}

// s (heads, n, keys) = q k' scale; a query of a head a block, a key a warp. Rows of q and k lie `pitch` apart, heads
// side by side in them.
extern "C" __global__ void scores(
    float *s, const float *q, const float *k, int n, int keys, int d, int pitch, float scale) {
  int head = blockIdx.x / n, row = blockIdx.x % n, lane = threadIdx.x % 32;
  for (int j = threadIdx.x / 32; j < keys; j += blockDim.x / 32) {
    float sum = 0;
    for (int l = lane; l < d; l += 32) {
      sum += q[(size_t)row * pitch + head * d + l] * k[(size_t)j * pitch + head * d + l];
    }
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane == 0) s[((size_t)head * n + row) * keys + j] = sum * scale;
  }
}

// y = s v, laid out as v; a query of a head a block of four groups of d threads, keys shared out among the groups.
extern "C" __global__ void weighted(
    float *y, const float *s, const float *v, int n, int keys, int d, int pitch) {
  __shared__ float parts[4][64];
  int head = blockIdx.x / n, row = blockIdx.x % n, group = threadIdx.x / d, l = threadIdx.x % d;
  float sum = 0;
  for (int j = group; j < keys; j += 4) {
    sum += s[((size_t)head * n + row) * keys + j] * v[(size_t)j * pitch + head * d + l];
  }
  parts[group][l] = sum;
  __syncthreads();
  if (group == 0) {
    y[(size_t)row * pitch + head * d + l] = parts[0][l] + parts[1][l] + parts[2][l] + parts[3][l];
  }
}
