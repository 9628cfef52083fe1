package io.gpuos.interpret;

import io.gpuos.abi.InstructionRecord;
import io.gpuos.abi.InterpreterRecord;
import io.gpuos.ir.Kernel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Locale;

/**
 * An elementwise kernel as the interpreter on the device runs it: instructions over numbered cells,
 * each of which holds 32 bits of a value for every position a thread works on. Immutable.
 */
public final class InterpreterProgram implements Encoding {

  private final List<Instruction> instructions;
  private final int cells;

  InterpreterProgram(List<Instruction> instructions, int cells) {
    this.instructions = List.copyOf(instructions);
    this.cells = cells;
  }

  /**
   * Encodes a kernel. All functions, types and conversions can be interpreted; what cannot is a
   * reduction or a matrix product, a kernel with more values at a time than a thread has cells for,
   * and one of more instructions than fit the scratch memory.
   */
  public static Encoding encode(Kernel kernel) {
    return switch (kernel) {
      case Kernel.Elementwise elementwise
          when elementwise.nodes().stream().anyMatch(Kernel.Node.Foreign.class::isInstance) ->
          new NotInterpretable(
              "kernel calls a function given in CUDA C++, expected=functions of the table");
      case Kernel.Elementwise elementwise -> Encoder.encode(elementwise);
      case Kernel.Reduction _, Kernel.Rows _ ->
          new NotInterpretable("kernel is a reduction, expected=elementwise");
      case Kernel.Scan _, Kernel.Scatter _ ->
          new NotInterpretable("kernel goes along an axis, expected=elementwise");
      case Kernel.Gather _ -> new NotInterpretable("kernel reads by index, expected=elementwise");
      case Kernel.Attention _ -> new NotInterpretable("kernel is attention, expected=elementwise");
      case Kernel.Contraction _ ->
          new NotInterpretable("kernel is a matrix product, expected=elementwise");
    };
  }

  List<Instruction> instructions() {
    return instructions;
  }

  /** How many cells a thread needs. */
  public int cells() {
    return cells;
  }

  /** Bytes of {@link #bytes}. */
  public int byteSize() {
    return InterpreterRecord.BYTES + instructions.size() * InstructionRecord.BYTES;
  }

  /**
   * The program as device memory holds it, see {@link InterpreterRecord}: to be copied to an
   * address that is a multiple of 16, which is then the argument of the interpreter's operator.
   */
  public byte[] bytes() {
    ByteBuffer out = ByteBuffer.allocate(byteSize()).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(InterpreterRecord.INSTRUCTIONS, instructions.size());
    out.putInt(InterpreterRecord.CELLS_USED, cells);
    int at = InterpreterRecord.BYTES;
    for (Instruction instruction : instructions) {
      out.putInt(at + InstructionRecord.OPERATION, instruction.operation().number());
      out.putInt(at + InstructionRecord.CELLS, instruction.packedCells());
      out.putLong(at + InstructionRecord.IMMEDIATE, instruction.immediate());
      at += InstructionRecord.BYTES;
    }
    return out.array();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof InterpreterProgram program
        && program.cells == cells
        && program.instructions.equals(instructions);
  }

  @Override
  public int hashCode() {
    return instructions.hashCode();
  }

  /**
   * One line an instruction, for debugging and golden tests:
   *
   * <pre>
   * 3 instructions, 2 cells
   * c0 = load F32 operand 0
   * c0 = neg float c0
   * store F32 operand 1, c0
   * </pre>
   */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(Locale.ROOT, "%d instructions, %d cells\n", instructions.size(), cells));
    instructions.forEach(instruction -> text.append(instruction).append('\n'));
    return text.toString();
  }
}
