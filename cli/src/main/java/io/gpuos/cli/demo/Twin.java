package io.gpuos.cli.demo;

import io.gpuos.Tensor;
import io.gpuos.cli.text.Units;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;

/**
 * A contiguous tensor on the device and what it must hold, in a Java array: {@code double} for
 * floating types, {@code long} for integers and BOOL. The reference computes in the array and
 * rounds what it stores to the tensor's type.
 */
final class Twin {

  /** The bytes of poison: NaN in every floating type, and neither 0 nor 1 as a BOOL. */
  private static final byte REAL_POISON = (byte) 0xff;

  private static final byte INTEGER_POISON = 0x5a;

  private final Tensor tensor;
  private final DType type;
  private final boolean poisoned;
  private final double[] reals;
  private final long[] integers;

  /** How far the device is from the reference: the worst error, and the first element too far. */
  record Verdict(double worstError, long wrong, Optional<String> firstWrong) {}

  private Twin(Tensor tensor, boolean poisoned, double[] reals, long[] integers) {
    this.tensor = tensor;
    this.type = tensor.dtype();
    this.poisoned = poisoned;
    this.reals = reals;
    this.integers = integers;
  }

  /** A tensor for results, which holds none yet: every byte of it is poison. */
  static Twin poisoned(Tensor tensor) {
    int length = (int) tensor.elements();
    Twin twin =
        tensor.dtype().isFloating()
            ? new Twin(tensor, true, new double[length], null)
            : new Twin(tensor, true, null, new long[length]);
    if (twin.isReal()) {
      Arrays.fill(twin.reals, Double.NaN);
    } else {
      Arrays.fill(twin.integers, twin.wrapped(0x0101_0101_0101_0101L * INTEGER_POISON));
    }
    twin.reset();
    return twin;
  }

  /** A floating tensor of these values. */
  static Twin of(Tensor tensor, double[] values) {
    Twin twin = new Twin(tensor, false, values, null);
    twin.round();
    twin.reset();
    return twin;
  }

  /** An integer or BOOL tensor of these values. */
  static Twin of(Tensor tensor, long[] values) {
    Twin twin = new Twin(tensor, false, null, values);
    for (int i = 0; i < values.length; i++) {
      values[i] = twin.wrapped(values[i]);
    }
    twin.reset();
    return twin;
  }

  Tensor tensor() {
    return tensor;
  }

  DType type() {
    return type;
  }

  int length() {
    return isReal() ? reals.length : integers.length;
  }

  private boolean isReal() {
    return reals != null;
  }

  // ---- the reference's side ------------------------------------------------------------------

  /** Element {@code index} of a floating tensor. */
  double real(int index) {
    return reals[index];
  }

  /** Element {@code index} of an integer tensor, 0 or 1 of a BOOL one. */
  long integer(int index) {
    return integers[index];
  }

  /** Stores a result, rounded to the type. */
  void set(int index, double value) {
    reals[index] = rounded(value);
  }

  /** Stores a result, wrapped to the type. */
  void set(int index, long value) {
    integers[index] = wrapped(value);
  }

  /** The elements themselves; who writes them calls {@link #round} after. */
  double[] reals() {
    return reals;
  }

  /** Rounds every element to the type. */
  void round() {
    if (type == DType.F32) {
      for (int i = 0; i < reals.length; i++) {
        reals[i] = (float) reals[i];
      }
    } else if (type != DType.F64) {
      for (int i = 0; i < reals.length; i++) {
        reals[i] = rounded(reals[i]);
      }
    }
  }

  private double rounded(double value) {
    return switch (type) {
      case F32 -> (float) value;
      case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) value));
      case BF16 -> bfloat16((float) value);
      default -> value;
    };
  }

  /** To the nearest number of 8 significant bits, halves to even; for finite values. */
  private static float bfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int up = 0x7fff + (bits >>> 16 & 1);
    return Float.isFinite(value) ? Float.intBitsToFloat((bits + up) & 0xffff0000) : value;
  }

  private long wrapped(long value) {
    return switch (type) {
      case I32 -> (int) value;
      case I16 -> (short) value;
      case I8, BOOL -> (byte) value;
      case U8 -> value & 0xff;
      default -> value;
    };
  }

  // ---- the device's side ---------------------------------------------------------------------

  /** Makes the tensor on the device what it was at first; before the reference has computed. */
  void reset() {
    if (poisoned) {
      byte[] poison = new byte[length() * type.bytes()];
      Arrays.fill(poison, isReal() ? REAL_POISON : INTEGER_POISON);
      tensor.write(MemorySegment.ofArray(poison), 0, contiguous());
    } else if (isReal()) {
      tensor.write(reals);
    } else {
      tensor.write(integers);
    }
  }

  private Layout contiguous() {
    return Layout.contiguous(type, tensor.shape());
  }

  /** Compares every element on the device with the array. */
  Verdict compare() {
    return isReal() ? compareReals(downloadReals()) : compareIntegers(downloadIntegers());
  }

  private double[] downloadReals() {
    if (type != DType.F32) {
      return tensor.toDoubles();
    }
    float[] values = new float[reals.length];
    tensor.read(MemorySegment.ofArray(values));
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return doubles;
  }

  /** BOOL as the bytes that are there, since whatever is not 0 would read as true. */
  private long[] downloadIntegers() {
    if (type != DType.BOOL) {
      return tensor.toLongs();
    }
    byte[] bytes = new byte[integers.length];
    tensor.read(MemorySegment.ofArray(bytes));
    long[] values = new long[bytes.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = bytes[i];
    }
    return values;
  }

  private Verdict compareReals(double[] found) {
    double tolerance = tolerance();
    double worst = 0;
    long wrong = 0;
    int first = -1;
    for (int i = 0; i < found.length; i++) {
      double error = error(found[i], reals[i]);
      worst = Math.max(worst, error);
      if (error > tolerance) {
        first = wrong++ == 0 ? i : first;
      }
    }
    return new Verdict(
        worst, wrong, wrong == 0 ? Optional.empty() : describe(first, found[first], reals[first]));
  }

  private Verdict compareIntegers(long[] found) {
    long wrong = 0;
    int first = -1;
    for (int i = 0; i < found.length; i++) {
      if (found[i] != integers[i]) {
        first = wrong++ == 0 ? i : first;
      }
    }
    return wrong == 0
        ? new Verdict(0, 0, Optional.empty())
        : new Verdict(
            Double.POSITIVE_INFINITY, wrong, describe(first, found[first], integers[first]));
  }

  private static Optional<String> describe(int index, Object found, Object expected) {
    return Optional.of(Units.format("element=%d, result=%s, expected=%s", index, found, expected));
  }

  /**
   * Relative to the expected value, or to 1 where that is larger. NaN is expected only where
   * nothing may be written.
   */
  static double error(double found, double expected) {
    if (found == expected || Double.isNaN(found) && Double.isNaN(expected)) {
      return 0;
    }
    double error = Math.abs(found - expected) / Math.max(Math.abs(expected), 1);
    return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
  }

  /** A few units in the last place; F32 results may be sums and functions of several roundings. */
  private double tolerance() {
    return switch (type) {
      case F64 -> 1e-12;
      case F32 -> 1e-5;
      case F16 -> 2e-3;
      default -> 1.6e-2;
    };
  }
}
