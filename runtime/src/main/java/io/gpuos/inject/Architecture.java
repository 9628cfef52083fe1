package io.gpuos.inject;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A generation of GPUs whose machine code is known well enough to be checked and linked. What is
 * said here was observed in code that NVRTC 13.3 makes for it; other architectures are refused.
 */
enum Architecture {
  SM_80(80, 0x6005004, 0x118, 0x0, 0xc, new Range(0x18, 0x20), false),
  SM_90(90, 0x6005a04, 0x208, 0x0, 0xc, Range.NONE, true),
  SM_100(100, 0x6006402, 0x358, 0x360, 0x370, Range.NONE, true);

  /** ABI version in the ELF header of the cubins observed. */
  static final int ABI_VERSION = 8;

  /** Bytes of an instruction. */
  static final int INSTRUCTION_BYTES = 16;

  private static final int THREE_WORDS = 12;
  private static final int TWO_WORDS = 8;

  /** A range of bytes in constant bank 0, {@code begin} to below {@code end}. */
  record Range(int begin, int end) {
    static final Range NONE = new Range(0, 0);
  }

  private final int number;
  private final int flags;
  private final List<Range> environment;
  private final boolean splitOffsets;

  Architecture(
      int number,
      int flags,
      int descriptor,
      int block,
      int grid,
      Range windows,
      boolean splitOffsets) {
    this.number = number;
    this.flags = flags;
    this.environment =
        List.of(
            new Range(descriptor, descriptor + TWO_WORDS),
            new Range(block, block + THREE_WORDS),
            new Range(grid, grid + THREE_WORDS),
            windows);
    this.splitOffsets = splitOffsets;
  }

  /** The one called {@code name}, such as {@code sm_90}, if it is known. */
  static Optional<Architecture> of(String name) {
    return Stream.of(values()).filter(a -> a.toString().equals(name)).findFirst();
  }

  /** {@code e_flags} of a cubin for it. */
  int flags() {
    return flags;
  }

  /**
   * Whether the bytes {@code begin} to below {@code end} of constant bank 0 describe the launch,
   * not a kernel: sizes of block and grid, the descriptor of generic memory, and where in it a
   * thread sees shared memory, where that is not a special register. They mean the same to every
   * function of a launch; what lies behind them are parameters of the kernel.
   */
  boolean isEnvironment(int begin, int end) {
    for (int at = begin; at < end; at++) {
      boolean found = false;
      for (Range range : environment) {
        found |= range.begin() <= at && at < range.end();
      }
      if (!found) {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether branches keep the low 8 bits of their distance in bits 16 to 23 and the rest from bit
   * 34; else all of it from bit 34. In instructions' words of 4 bytes either way.
   */
  boolean splitsOffsets() {
    return splitOffsets;
  }

  /** A branch to itself: what lies between and behind functions, so that nothing runs on there. */
  Instruction branchToItself() {
    long low = splitOffsets ? 0xfffffffc00fc7947L : 0xfffffff000007947L;
    return new Instruction(low, 0x000fc0000383ffffL);
  }

  @Override
  public String toString() {
    return "sm_" + number;
  }
}
