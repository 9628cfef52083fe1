// Runs the kernels of peer.cu on the host that plays the device, with more than one block and sizes that are no
// multiple of a warp, and compares them with plain loops in double.
#include "host_device.h"

#include <cstdio>
#include <vector>

#include "peer.cu"

using Floats = std::vector<float>;
static bool right = true;

static Floats values(size_t count, unsigned seed) {
  Floats made(count);
  for (float &x : made) {
    seed = seed * 1664525u + 1013904223u;
    x = (float)(seed >> 16) / 32768.0f - 1.0f;
  }
  return made;
}

static void near(const char *what, double got, double wanted) {
  if (!(std::fabs(got - wanted) <= 1e-5 * (1 + std::fabs(wanted)))) {
    std::printf("%s: %g is not %g\n", what, got, wanted);
    right = false;
  }
}

static void elementwise() {
  const int n = 300;
  Floats a = values(n, 1), b = values(n, 2), y(n + 1, 7.0f);
  auto run = [&](auto kernel) { host_launch(2, 256, kernel); };
  run([&] { quotient(y.data(), a.data(), b.data(), n); });
  for (int i = 0; i < n; i++) near("quotient", y[i], (double)a[i] / b[i]);
  run([&] { sigmoid(y.data(), a.data(), n); });
  for (int i = 0; i < n; i++) near("sigmoid", y[i], 1 / (1 + std::exp(-(double)a[i])));
  near("behind the end", y[n], 7);
  Floats m = a, v(n, 0.5f), p = b;
  run([&] { adam_m(m.data(), b.data(), n); });
  run([&] { adam_v(v.data(), b.data(), n); });
  run([&] { adam_p(p.data(), m.data(), v.data(), n); });
  for (int i = 0; i < n; i++) {
    double g = b[i], first = 0.9 * a[i] + 0.1 * g, second = 0.999 * 0.5 + 0.001 * g * g;
    near("adam", p[i], g - 0.001 * (first / 0.1) / (std::sqrt(second / 0.001) + 1e-8));
  }
}

static void rows() {
  const int count = 3, width = 200;
  Floats x = values(count * width, 3), sums(count), norms(count * width), soft = x;
  host_launch(count, 224, [&] { row_sum(sums.data(), x.data(), width); });
  host_launch(count, 224, [&] { layer_norm(norms.data(), x.data(), width); });
  host_launch(count, 96, [&] { softmax(soft.data(), width); });
  for (int r = 0; r < count; r++) {
    double sum = 0, squares = 0, total = 0;
    for (int j = 0; j < width; j++) sum += x[r * width + j];
    for (int j = 0; j < width; j++) {
      double off = x[r * width + j] - sum / width;
      squares += off * off;
      total += std::exp((double)x[r * width + j]);
    }
    near("row_sum", sums[r], sum);
    for (int j = 0; j < width; j++) {
      double at = x[r * width + j];
      near("layer_norm", norms[r * width + j], (at - sum / width) / std::sqrt(squares / width + 1e-5));
      near("softmax", soft[r * width + j], std::exp(at) / total);
    }
  }
}

static void products() {
  const int n = 3, k = 40, m = 70;
  Floats x = values(n * k, 4), w = values(k * m, 5), bias = values(m, 6), y(n * m);
  host_launch(n, 96, [&] { linear(y.data(), x.data(), w.data(), bias.data(), k, m); });
  for (int i = 0; i < n * m; i++) {
    double sum = bias[i % m];
    for (int l = 0; l < k; l++) sum += (double)x[i / m * k + l] * w[l * m + i % m];
    near("linear", y[i], sum);
  }
}

static void attention(int n, int keys, int d, int heads) {
  const int pitch = heads * d;
  Floats q = values(n * pitch, 7), k = values(keys * pitch, 8), v = values(keys * pitch, 9);
  Floats s(heads * n * keys), y(n * pitch);
  const float scale = 1 / std::sqrt((float)d);
  const int threads = (keys + 31) / 32 * 32 < 256 ? (keys + 31) / 32 * 32 : 256;
  host_launch(heads * n, 256, [&] { scores(s.data(), q.data(), k.data(), n, keys, d, pitch, scale); });
  host_launch(heads * n, threads, [&] { softmax(s.data(), keys); });
  host_launch(heads * n, 4 * d, [&] { weighted(y.data(), s.data(), v.data(), n, keys, d, pitch); });
  for (int h = 0; h < heads; h++) {
    for (int i = 0; i < n; i++) {
      std::vector<double> weight(keys);
      double total = 0;
      for (int j = 0; j < keys; j++) {
        double dot = 0;
        for (int l = 0; l < d; l++) dot += (double)q[i * pitch + h * d + l] * k[j * pitch + h * d + l];
        total += weight[j] = std::exp(dot * scale);
      }
      for (int l = 0; l < d; l++) {
        double sum = 0;
        for (int j = 0; j < keys; j++) sum += weight[j] / total * v[j * pitch + h * d + l];
        near("attention", y[i * pitch + h * d + l], sum);
      }
    }
  }
}

int main() {
  elementwise();
  rows();
  products();
  attention(1, 131, 64, 1);
  attention(5, 16, 32, 4);
  std::puts(right ? "all right" : "wrong");
  return right ? 0 : 1;
}
