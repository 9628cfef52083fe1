package io.gpuos.cli.demo;

import static io.gpuos.layout.DType.F32;

import java.util.List;
import java.util.function.DoubleBinaryOperator;

/** Elementwise operations on F32 tensors of one dimension, alone and in chains. */
final class Elementwise {

  /** An expression in a and b, and the same in plain Java. */
  private record Case(String expression, DoubleBinaryOperator reference) {}

  private static final List<Case> CASES =
      List.of(
          new Case("a + b", (a, b) -> a + b),
          new Case("a - b", (a, b) -> a - b),
          new Case("a * b", (a, b) -> a * b),
          new Case("a / b", (a, b) -> a / b),
          new Case("maximum(a, b)", Math::max),
          new Case("where(a > b, a, b - a)", (a, b) -> a > b ? a : b - a),
          new Case("clamp(a, -0.5, 0.5) + b", (a, b) -> Math.clamp(a, -0.5, 0.5) + b),
          new Case("sqrt(abs(a)) - exp(b)", (a, b) -> Math.sqrt(Math.abs(a)) - Math.exp(b)),
          new Case("tanh(a) * b", (a, b) -> Math.tanh(a) * b),
          new Case("a * sigmoid(a) + b", (a, b) -> a * Plain.sigmoid(a) + b));

  private Elementwise() {}

  /** Independent operations. */
  static void single(Workspace space, int operations) {
    for (int k = 0; k < operations; k++) {
      add(space, CASES.get(k % CASES.size()));
    }
  }

  private static void add(Workspace space, Case chosen) {
    int size = space.any(space.shapes().flat());
    Twin a = space.input(F32, size);
    Twin b = space.input(F32, size);
    Twin out = space.output(F32, size);
    space.add(chosen.expression(), out, () -> Plain.map(out, chosen.reference(), a, b), a, b);
  }

  /** {@code sigmoid(relu((a + b) * c)) / d}, one operation after the other. */
  static void chain(Workspace space, int operations) {
    for (int k = 0; k < operations; k += 5) {
      int steps = Math.min(5, operations - k);
      int size = space.any(space.shapes().flat());
      Twin t = space.input(F32, size);
      for (int step = 0; step < steps; step++) {
        t = chainStep(space, step, t, size);
      }
    }
  }

  private static Twin chainStep(Workspace space, int step, Twin t, int size) {
    Twin out = space.output(F32, size);
    Twin other = space.input(F32, size);
    switch (step) {
      case 0 -> space.add("a + b", out, () -> Plain.map(out, (a, b) -> a + b, t, other), t, other);
      case 1 -> space.add("a * b", out, () -> Plain.map(out, (a, b) -> a * b, t, other), t, other);
      case 2 -> space.add("relu(a)", out, () -> Plain.map(out, Plain::relu, t), t);
      case 3 -> space.add("sigmoid(a)", out, () -> Plain.map(out, Plain::sigmoid, t), t);
      default -> space.add("a / b", out, () -> Plain.map(out, (a, b) -> a / b, t, other), t, other);
    }
    return out;
  }

  /** The same chain as one operation. */
  static void fusedChain(Workspace space, int operations) {
    for (int k = 0; k < operations; k++) {
      int size = space.any(space.shapes().flat());
      Twin a = space.input(F32, size);
      Twin b = space.input(F32, size);
      Twin c = space.input(F32, size);
      Twin d = space.input(F32, size);
      Twin out = space.output(F32, size);
      Runnable reference =
          () -> {
            for (int i = 0; i < size; i++) {
              double relu = Plain.relu((a.real(i) + b.real(i)) * c.real(i));
              out.set(i, Plain.sigmoid(relu) / d.real(i));
            }
          };
      space.add("sigmoid(relu((a + b) * c)) / d", out, reference, a, b, c, d);
    }
  }

  /** Half of the operations use an operator that is first heard of while the rest is in flight. */
  static void added(Workspace space, int operations) {
    single(space, operations / 2);
    double offset = 1.5 + space.number();
    String expression = "a * sin(b) / (" + offset + " + a * a)";
    for (int k = operations / 2; k < operations; k++) {
      int size = space.any(space.shapes().flat());
      Twin x = space.input(F32, size);
      Twin y = space.input(F32, size);
      Twin out = space.output(F32, size);
      DoubleBinaryOperator reference = (a, b) -> a * Math.sin(b) / (offset + a * a);
      space.addLate(expression, out, () -> Plain.map(out, reference, x, y), x, y);
    }
  }
}
