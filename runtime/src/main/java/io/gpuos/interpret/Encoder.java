package io.gpuos.interpret;

import io.gpuos.abi.InterpreterRecord;
import io.gpuos.interpret.Lowering.Leaves;
import io.gpuos.ir.Kernel;
import java.util.Locale;

/** Makes programs: {@link Lowering}, then {@link CellAllocator}. */
final class Encoder {

  private Encoder() {}

  static Encoding encode(Kernel.Elementwise kernel) {
    InterpreterProgram program = CellAllocator.allocate(Lowering.lower(kernel, Leaves.HELD));
    if (program.cells() > InterpreterRecord.MAX_CELLS) {
      program = CellAllocator.allocate(Lowering.lower(kernel, Leaves.REPEATED));
    }
    if (program.cells() > InterpreterRecord.MAX_CELLS) {
      return new NotInterpretable(
          String.format(
              Locale.ROOT,
              "values do not fit: cells=%d, expected=at most %d",
              program.cells(),
              InterpreterRecord.MAX_CELLS));
    }
    int instructions = program.instructions().size();
    if (instructions > InterpreterRecord.MAX_INSTRUCTIONS) {
      return new NotInterpretable(
          String.format(
              Locale.ROOT,
              "program too long: instructions=%d, expected=at most %d",
              instructions,
              InterpreterRecord.MAX_INSTRUCTIONS));
    }
    return program;
  }
}
