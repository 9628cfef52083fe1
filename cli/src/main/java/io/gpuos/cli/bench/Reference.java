package io.gpuos.cli.bench;

/** Operations in double precision by plain loops, which results of programs are compared with. */
final class Reference {

  private Reference() {}

  /** Row-major {@code (n, k) x (k, m)}. */
  static double[] matmul(double[] a, double[] b, int n, int k, int m) {
    double[] c = new double[n * m];
    for (int i = 0; i < n; i++) {
      for (int l = 0; l < k; l++) {
        for (int j = 0; j < m; j++) {
          c[i * m + j] += a[i * k + l] * b[l * m + j];
        }
      }
    }
    return c;
  }

  /** {@code x w + bias}, the bias added to each of {@code n} rows. */
  static double[] linear(double[] x, double[] w, double[] bias, int n, int k, int m) {
    double[] y = matmul(x, w, n, k, m);
    for (int i = 0; i < y.length; i++) {
      y[i] += bias[i % m];
    }
    return y;
  }

  /** {@code softmax(q k^T / sqrt(d)) v} of one head; q is (n, d), k and v are (keys, d). */
  static double[] attention(double[] q, double[] k, double[] v, int n, int keys, int d) {
    double[] out = new double[n * d];
    for (int i = 0; i < n; i++) {
      double[] weight = new double[keys];
      double sum = 0;
      for (int j = 0; j < keys; j++) {
        double dot = 0;
        for (int l = 0; l < d; l++) {
          dot += q[i * d + l] * k[j * d + l];
        }
        weight[j] = Math.exp(dot / Math.sqrt(d));
        sum += weight[j];
      }
      for (int j = 0; j < keys; j++) {
        for (int l = 0; l < d; l++) {
          out[i * d + l] += weight[j] / sum * v[j * d + l];
        }
      }
    }
    return out;
  }

  /** Rows of {@code width}, with epsilon 1e-5, without weight and bias. */
  static double[] layerNorm(double[] x, int width) {
    double[] y = new double[x.length];
    for (int row = 0; row < x.length; row += width) {
      double mean = 0;
      double variance = 0;
      for (int j = row; j < row + width; j++) {
        mean += x[j] / width;
      }
      for (int j = row; j < row + width; j++) {
        variance += (x[j] - mean) * (x[j] - mean) / width;
      }
      for (int j = row; j < row + width; j++) {
        y[j] = (x[j] - mean) / Math.sqrt(variance + 1e-5);
      }
    }
    return y;
  }

  static double[] add(double[] a, double[] b) {
    double[] sum = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      sum[i] = a[i] + b[i];
    }
    return sum;
  }

  static double[] relu(double[] x) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = Math.max(0, x[i]);
    }
    return y;
  }

  static double[] tanh(double[] x) {
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = Math.tanh(x[i]);
    }
    return y;
  }

  /** Sums over rows of {@code width}. */
  static double[] sums(double[] x, int width) {
    double[] sum = new double[x.length / width];
    for (int i = 0; i < x.length; i++) {
      sum[i / width] += x[i];
    }
    return sum;
  }
}
