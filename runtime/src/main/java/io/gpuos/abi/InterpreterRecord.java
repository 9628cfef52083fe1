package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U32;
import static io.gpuos.abi.Field.Type.U64;

/**
 * Head of an interpreter program in device memory, written once before its operator is first used;
 * its instructions ({@link InstructionRecord}) follow without a gap.
 */
public final class InterpreterRecord {

  static final Record RECORD =
      Record.builder(
              "gpuos_interpreter_program", 16, 16, "Head of a program; its instructions follow.")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U32, "instructions", "instructions", "how many follow; 1 to GPUOS_MAX_INSTRUCTIONS")
          .word(U32, "cells_used", "cells", "by all instructions; at most GPUOS_CELLS")
          .word(U64, "pad", "-", "zero")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int INSTRUCTIONS = RECORD.offset("instructions");
  public static final int CELLS_USED = RECORD.offset("cells_used");

  /** Positions a thread works on at once; a cell holds a 32-bit word for each. */
  public static final int LANES = 4;

  /** Cells of a thread: 512 bytes of its stack. */
  public static final int MAX_CELLS = 32;

  /** What fits the scratch memory beside a copy of the iteration space. */
  public static final int MAX_INSTRUCTIONS =
      (CudaHeader.SCRATCH_BYTES - SpaceRecord.BYTES) / InstructionRecord.BYTES;

  private InterpreterRecord() {}
}
