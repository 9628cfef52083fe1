package io.gpuos;

import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.Kernel;
import io.gpuos.queue.Access;
import io.gpuos.queue.Invocation;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToLongBiFunction;
import java.util.function.ToLongFunction;

/** Gives the steps of a binding their addresses. */
final class Operands {

  /**
   * Memory of one operand.
   *
   * @param address of the element at index 0 in every dimension
   * @param access the bytes used
   */
  record Operand(long address, Access access) {
    static Operand of(Tensor tensor) {
      return new Operand(tensor.address(), tensor.access());
    }
  }

  private Operands() {}

  /** The step with the memory that {@code memory} names for each operand. */
  static Invocation invocation(Binding.Step step, Function<Source, Operand> memory) {
    List<Access> reads = new ArrayList<>();
    List<Access> writes = new ArrayList<>();
    Invocation.Builder builder =
        builder(
            step,
            (source, role) -> {
              Operand operand = memory.apply(source);
              (role == Kernel.Role.OUTPUT ? writes : reads).add(operand.access());
              return operand.address();
            });
    return builder
        .reads(reads.toArray(Access[]::new))
        .writes(writes.toArray(Access[]::new))
        .build();
  }

  /** The step with addresses, or what stands for them, and no word on what it reads and writes. */
  static Invocation.Builder builder(Binding.Step step, ToLongFunction<Source> address) {
    return builder(step, (source, _) -> address.applyAsLong(source));
  }

  private static Invocation.Builder builder(
      Binding.Step step, ToLongBiFunction<Source, Kernel.Role> address) {
    Invocation.Builder builder = Invocation.of(step.operator(), step.positions());
    if (step.kernel().folds()) {
      builder.reduction();
    }
    builder.tile(step.tilePositions());
    if (!step.linear()) {
      builder.space(step.space().value(), step.space());
    }
    for (int k = 0; k < step.operands().size(); k++) {
      Kernel.Operand operand = step.kernel().operands().get(k);
      builder.address(
          address.applyAsLong(step.operands().get(k), operand.role()), operand.type().bytes());
    }
    return builder;
  }
}
