package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.TypeRule;
import io.gpuos.layout.DType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every function and every conversion, in every type it takes, against the definitions. */
class FunctionCodegenTest {

  private static final int ELEMENTS = 80;

  /** In double the oracle itself is that good only; {@code ScalarMathTest} is stricter. */
  private static final double DOUBLE_TOLERANCE = 500;

  private final CpuScratch scratch = new CpuScratch();

  @ParameterizedTest
  @EnumSource
  void shouldComputeTheFunction(Function function) {
    for (DType type : DType.values()) {
      if (function.typeRule().accepts(type)) {
        Kernels kernels = new Kernels();
        Integer[] arguments = arguments(kernels, function, type);
        Kernel.Elementwise kernel = kernels.store(kernels.apply(function, arguments));
        check(kernel, type == DType.F64 ? DOUBLE_TOLERANCE : 2);
      }
    }
  }

  /** Tensors for all arguments but those that are parameters of an activation. */
  private static Integer[] arguments(Kernels kernels, Function function, DType type) {
    Integer[] arguments = new Integer[function.arity()];
    boolean where = function.typeRule() == TypeRule.WHERE;
    for (int i = 0; i < arguments.length; i++) {
      arguments[i] =
          switch (function) {
            case LEAKY_RELU, ELU, CELU, SOFTPLUS, HARDTANH ->
                i == 0 ? kernels.input(type) : kernels.constant(type, 0.25 + i);
            default -> kernels.input(where && i == 0 ? DType.BOOL : type);
          };
    }
    return arguments;
  }

  @ParameterizedTest
  @EnumSource
  void shouldConvertToEveryType(DType from) {
    for (DType to : DType.values()) {
      Kernels kernels = new Kernels();
      check(kernels.store(kernels.convert(to, kernels.input(from))), 0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void shouldTakeConstantsAndScalarsOfEveryType(DType type) {
    boolean signed = type != DType.U8 && type != DType.BOOL;
    for (double value : new double[] {0, 1, signed ? -100 : 200, signed ? 127 : 255}) {
      Kernels kernels = new Kernels();
      int scalar = kernels.scalar(type);
      int constant = kernels.constant(type, value);
      Kernel.Elementwise kernel = kernels.store(scalar, constant);
      long bits = type.isFloating() ? Double.doubleToRawLongBits(value) : (long) value;
      check(kernel, 0, bits);
    }
  }

  @Test
  void shouldKeepTheSignOfAZeroConstant() {
    Kernels kernels = new Kernels();
    int one = kernels.constant(DType.F32, 1);
    int negativeZero = kernels.constant(DType.F32, -0.0);
    Kernel.Elementwise kernel = kernels.store(kernels.apply(Function.DIV, one, negativeZero));
    check(kernel, 0);
  }

  @Test
  void shouldNotRoundHalvesBetweenNodes() {
    for (DType type : new DType[] {DType.F16, DType.BF16}) {
      Kernels kernels = new Kernels();
      int one = kernels.constant(type, 1);
      int tiny = kernels.constant(type, 0x1p-14);
      int sum = kernels.apply(Function.ADD, one, tiny);
      int kept = kernels.apply(Function.SUB, sum, one);
      int lost = kernels.apply(Function.SUB, kernels.convert(type, sum), one);
      try (Arena arena = Arena.ofConfined()) {
        TestTensor first = TestTensor.contiguous(arena, type, 1);
        TestTensor second = TestTensor.contiguous(arena, type, 1);
        Kernel.Elementwise kernel = kernels.store(kept, lost);
        new KernelRunner(kernel, new long[] {1}, List.of(first, second)).run(scratch);
        assertEquals(0x1p-14, first.get(new long[] {0}));
        assertEquals(0.0, second.get(new long[] {0}));
      }
    }
  }

  private void check(Kernel.Elementwise kernel, double tolerance, long... scalars) {
    Random random = new Random(kernel.toString().hashCode());
    try (Arena arena = Arena.ofConfined()) {
      List<TestTensor> tensors = new ArrayList<>();
      for (Kernel.Operand operand : kernel.operands()) {
        if (operand.role() != Kernel.Role.SCALAR) {
          tensors.add(TestTensor.contiguous(arena, operand.type(), ELEMENTS));
          if (operand.role() == Kernel.Role.INPUT) {
            tensors.getLast().fill(random);
          }
        }
      }
      KernelRunner runner = new KernelRunner(kernel, new long[] {ELEMENTS}, tensors, scalars);
      runner.run(scratch);
      runner.check(tolerance);
    }
  }
}
