package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/** One instruction of an interpreter program. */
public final class InstructionRecord {

  static final Record RECORD =
      Record.builder("gpuos_instruction", 16, 16, "One instruction of an interpreter program.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U32, "operation", "number", "what to do; below GPUOS_OPERATION_COUNT")
          .word(U32, "cells", "bytes", "first cell of the result, then of up to three arguments")
          .word(U64, "immediate", "number or bits", "operand of a load or store; constant")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int OPERATION = RECORD.offset("operation");
  public static final int CELLS = RECORD.offset("cells");
  public static final int IMMEDIATE = RECORD.offset("immediate");

  /** Most arguments of an instruction. */
  public static final int MAX_ARGUMENTS = 3;

  private InstructionRecord() {}
}
