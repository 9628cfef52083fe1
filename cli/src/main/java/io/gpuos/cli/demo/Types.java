package io.gpuos.cli.demo;

import io.gpuos.layout.DType;
import java.util.List;
import java.util.function.DoubleBinaryOperator;
import java.util.function.LongBinaryOperator;

/** Every element type; integers to the last bit, where they wrap too. */
final class Types {

  private sealed interface Case {}

  /** Floating arithmetic in one type. */
  private record Reals(DType type, String expression, DoubleBinaryOperator reference)
      implements Case {}

  /** Integers and BOOL. */
  private record Integers(
      DType a, DType b, DType result, String expression, LongBinaryOperator reference)
      implements Case {}

  private static final List<Case> CASES =
      List.of(
          new Reals(DType.F64, "a * b + a", (a, b) -> a * b + a),
          new Reals(DType.F64, "exp(a) - b", (a, b) -> Math.exp(a) - b),
          new Reals(DType.F16, "a * b + a", (a, b) -> a * b + a),
          new Reals(DType.BF16, "a + b", (a, b) -> a + b),
          integers(DType.I64, "a * b - a", (a, b) -> a * b - a),
          integers(DType.I32, "a * b + a", (a, b) -> a * b + a),
          integers(DType.I32, "a // b", (a, b) -> b == 0 ? 0 : Math.floorDiv(a, b)),
          integers(DType.I16, "a * b - b", (a, b) -> a * b - b),
          integers(DType.I8, "maximum(a, b) ^ 21", (a, b) -> Math.max(a, b) ^ 21),
          integers(DType.U8, "a + b", Long::sum),
          integers(DType.U8, "a % b", (a, b) -> b == 0 ? 0 : a % b),
          new Integers(DType.U8, DType.I8, DType.I16, "a + b", Long::sum),
          integers(DType.I64, "(a << 3) + (b >> 5)", (a, b) -> (a << 3) + (b >> 5)),
          integers(DType.BOOL, "logical_xor(a, b)", (a, b) -> a ^ b),
          new Integers(DType.I32, DType.I32, DType.BOOL, "a > b", (a, b) -> a > b ? 1 : 0),
          new Integers(DType.BOOL, DType.I16, DType.I16, "where(a, b, 7)", Types::select));

  private Types() {}

  private static Integers integers(DType type, String expression, LongBinaryOperator reference) {
    return new Integers(type, type, type, expression, reference);
  }

  private static long select(long condition, long value) {
    return condition != 0 ? value : 7;
  }

  static void fill(Workspace space, int operations) {
    for (int k = 0; k < operations; k++) {
      int size = space.any(space.shapes().flat());
      switch (CASES.get(k % CASES.size())) {
        case Reals reals -> add(space, reals, size);
        case Integers integers -> add(space, integers, size);
      }
    }
  }

  private static void add(Workspace space, Reals reals, int size) {
    Twin a = space.input(reals.type(), size);
    Twin b = space.input(reals.type(), size);
    Twin out = space.output(reals.type(), size);
    space.add(reals.expression(), out, () -> Plain.map(out, reals.reference(), a, b), a, b);
  }

  private static void add(Workspace space, Integers integers, int size) {
    Twin a = space.input(integers.a(), size);
    Twin b = space.input(integers.b(), size);
    Twin out = space.output(integers.result(), size);
    space.add(
        integers.expression(), out, () -> Plain.mapIntegers(out, integers.reference(), a, b), a, b);
  }
}
