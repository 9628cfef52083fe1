package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.util.ArrayList;
import java.util.List;

/** Runs elementwise kernels on test tensors and compares the outputs with {@link NaiveKernel}'s. */
final class KernelRunner {

  private final Kernel.Elementwise kernel;
  private final CpuKernel compiled;
  private final List<TestTensor> tensors;
  private final long[] scalars;
  final long[] operands;
  final IterationSpace space;

  /**
   * @param tensors of the INPUT, then of the OUTPUT operands
   * @param scalars bits of the SCALAR operands
   */
  KernelRunner(Kernel.Elementwise kernel, long[] shape, List<TestTensor> tensors, long... scalars) {
    this.kernel = kernel;
    this.compiled = JvmGenerator.compile(kernel);
    this.tensors = tensors;
    this.scalars = scalars;
    int inputs = count(Role.INPUT);
    this.operands = new long[kernel.operands().size()];
    List<Layout> layouts = new ArrayList<>();
    for (int k = 0; k < operands.length; k++) {
      boolean scalar = kernel.operands().get(k).role() == Role.SCALAR;
      TestTensor tensor = scalar ? null : tensorOf(k);
      operands[k] = scalar ? scalars[k - inputs] : tensor.address();
      layouts.add(scalar ? IterationSpace.SCALAR : tensor.layout());
    }
    this.space = IterationSpace.elementwise(shape, layouts);
  }

  private int count(Role role) {
    return (int) kernel.operands().stream().filter(operand -> operand.role() == role).count();
  }

  private TestTensor tensorOf(int operand) {
    boolean input = kernel.operands().get(operand).role() == Role.INPUT;
    return tensors.get(input ? operand : operand - scalars.length);
  }

  /** Runs all positions. */
  void run(CpuScratch scratch) {
    run(0, space.count(), scratch);
  }

  void run(long first, long count, CpuScratch scratch) {
    compiled.run(operands, space, first, count, scratch);
  }

  /** Compares every output element; the inputs must still hold what the kernel read. */
  void check(double tolerance) {
    checkAgainst(expected(), tolerance);
  }

  /** What the outputs must become, from what the inputs hold now: per output, row-major. */
  List<List<Object>> expected() {
    List<List<Object>> results = new ArrayList<>();
    for (Kernel.Store store : kernel.stores()) {
      List<Object> values = new ArrayList<>();
      TestTensor output = tensorOf(store.operand());
      TestTensor.Index index = new TestTensor.Index(output.shape);
      if (index.isValid()) {
        do {
          Object value = NaiveKernel.evaluate(kernel, store.node(), k -> load(k, index.values()));
          values.add(NaiveKernel.convert(output.type, value));
        } while (index.next());
      }
      results.add(values);
    }
    return results;
  }

  private Object load(int operand, long[] index) {
    if (kernel.operands().get(operand).role() == Role.SCALAR) {
      return NaiveKernel.ofBits(
          kernel.operands().get(operand).type(), scalars[operand - count(Role.INPUT)]);
    }
    return tensorOf(operand).get(index);
  }

  void checkAgainst(List<List<Object>> expected, double tolerance) {
    for (int s = 0; s < kernel.stores().size(); s++) {
      TestTensor output = tensorOf(kernel.stores().get(s).operand());
      TestTensor.Index index = new TestTensor.Index(output.shape);
      for (Object value : expected.get(s)) {
        checkValue(output.type, value, output.get(index.values()), tolerance, kernel);
        index.next();
      }
      assertTrue(output.isUntouchedElsewhere(), () -> "wrote beside the output: " + kernel);
    }
  }

  /**
   * @param tolerance 0 for equality (zeros of different sign are equal), otherwise the error
   *     allowed in units in the last place of the type, or absolute in such units of 1
   */
  static void checkValue(
      DType type, Object expected, Object actual, double tolerance, Object context) {
    if (expected instanceof Long || tolerance == 0) {
      boolean equal = expected.equals(actual) || isZero(expected) && isZero(actual);
      assertTrue(equal, () -> "expected " + expected + ", was " + actual + ": " + context);
      return;
    }
    double truth = (Double) expected;
    if (!Double.isFinite(truth)) {
      assertEquals(truth, (Double) actual, context::toString);
      return;
    }
    double error = tolerance * epsilon(type) * Math.max(1, Math.abs(truth));
    assertEquals(truth, (Double) actual, error, context::toString);
  }

  private static boolean isZero(Object value) {
    return ((Number) value).doubleValue() == 0;
  }

  private static double epsilon(DType type) {
    return switch (type) {
      case F64 -> 0x1p-52;
      case F32 -> 0x1p-23;
      case F16 -> 0x1p-10;
      case BF16 -> 0x1p-7;
      default -> 0;
    };
  }
}
