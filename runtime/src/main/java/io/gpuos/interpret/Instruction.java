package io.gpuos.interpret;

import io.gpuos.codegen.CudaType;
import io.gpuos.interpret.Operation.Kind;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * One instruction of a program.
 *
 * @param operation what to do
 * @param result first cell of the result; 0 for a store
 * @param arguments first cell of each argument
 * @param immediate number of the operand that is loaded, stored or the value; bits of a constant; 0
 *     for a function
 */
record Instruction(Operation operation, int result, List<Integer> arguments, long immediate) {

  Instruction {
    arguments = List.copyOf(arguments);
  }

  /** The cells as {@code io.gpuos.abi.InstructionRecord} packs them. */
  int packedCells() {
    int packed = result;
    for (int i = 0; i < arguments.size(); i++) {
      packed |= arguments.get(i) << 8 * (i + 1);
    }
    return packed;
  }

  /** As {@code c2:3 = add double c0:1, c4:5}; both cells of a 64-bit value are named. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    operation.result().ifPresent(type -> text.append(cells(result, type)).append(" = "));
    text.append(operation).append(' ');
    if (operation.kind() == Kind.CONSTANT) {
      text.append("0x").append(Long.toHexString(immediate));
    } else if (operation.kind() != Kind.FUNCTION) {
      text.append("operand ").append(immediate);
    }
    if (operation.kind() == Kind.STORE) {
      text.append(", ");
    }
    return text.append(
            IntStream.range(0, arguments.size())
                .mapToObj(i -> cells(arguments.get(i), operation.arguments().get(i)))
                .collect(Collectors.joining(", ")))
        .toString();
  }

  private static String cells(int first, CudaType type) {
    return Operation.cells(type) == 1
        ? "c" + first
        : String.format(Locale.ROOT, "c%d:%d", first, first + 1);
  }
}
