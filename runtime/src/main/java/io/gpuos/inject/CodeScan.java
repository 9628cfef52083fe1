package io.gpuos.inject;

import io.gpuos.inject.Cubin.Section;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Locale;
import java.util.Set;

/**
 * Looks at every instruction of a function and refuses those that would leave the operator, end the
 * worker, or need constants, barriers or jump tables that a running kernel does not have for it.
 */
final class CodeScan {

  private static final int DISTANCE_BITS = 48;
  private static final int REGION_DISTANCE_BITS = 30;

  /** The register that holds the return address of an operator: see {@code GPUOS_CALLED}. */
  private static final Set<Integer> RETURN_OF_ENTRY = Set.of(16);

  /** That of the functions it calls, by the usual convention, and see {@code GPUOS_APART}. */
  private static final Set<Integer> RETURN_OF_OTHERS = Set.of(20, 18);

  private static final int RETURN_IS_ABSOLUTE = 85;
  private static final int NO_REGISTER = 0xff;
  private static final int BAR_ARRIVE = 1;

  private final Architecture architecture;
  private final Section code;
  private final BitSet calls;
  private final Set<Integer> returnRegisters;

  /**
   * Scans {@code code}.
   *
   * @param calls offsets of the instructions whose call target a relocation fills in
   * @param isEntry whether the resident kernel calls it, and not another function of the operator
   */
  CodeScan(Architecture architecture, Section code, BitSet calls, boolean isEntry) {
    this.architecture = architecture;
    this.code = code;
    this.calls = calls;
    this.returnRegisters = isEntry ? RETURN_OF_ENTRY : RETURN_OF_OTHERS;
  }

  void check() {
    long size = code.size();
    if (size == 0 || size % Architecture.INSTRUCTION_BYTES != 0) {
      throw refused("code", "bytes=" + size, "whole instructions");
    }
    // In one piece into an array: word by word through the segment took most of the time.
    long[] words = code.bytes().toArray(ElfBytes.LONG);
    for (int k = 0; k < words.length; k += 2) {
      check(k * Long.BYTES, new Instruction(words[k], words[k + 1]));
    }
  }

  /** The instruction at {@code at} of {@code bytes}. */
  static Instruction instruction(MemorySegment bytes, long at) {
    return new Instruction(bytes.get(ElfBytes.LONG, at), bytes.get(ElfBytes.LONG, at + Long.BYTES));
  }

  private void check(int at, Instruction instruction) {
    switch (Opcodes.kind(instruction)) {
      case PLAIN -> {}
      case ARITHMETIC -> checkOperand(at, instruction);
      case LOAD_CONSTANT -> checkLoad(at, instruction);
      case BRANCH -> checkTarget(at, instruction, distance(instruction));
      case WARP_SYNC -> {
        if (architecture.splitsOffsets()) {
          checkTarget(at, instruction, distance(instruction));
        }
      }
      case REGION -> checkTarget(at, instruction, instruction.signed(34, REGION_DISTANCE_BITS) * 4);
      case CALL_RELATIVE -> {
        long distance = distance(instruction);
        if (distance < 0) {
          throw refused("recursion", at, instruction, "calls of other functions");
        }
        checkTarget(at, instruction, distance);
      }
      case CALL_ABSOLUTE -> {
        if (!calls.get(at)) {
          throw refused("call of a fixed address", at, instruction, "a relocation");
        }
      }
      case RETURN -> checkReturn(at, instruction);
      case BARRIER -> checkBarrier(at, instruction);
      case FORBIDDEN ->
          throw refused("instruction", at, instruction, "one that stays in the operator");
    }
  }

  /** From behind the instruction to the target, in bytes. */
  private long distance(Instruction instruction) {
    long words = instruction.signed(34, DISTANCE_BITS);
    return architecture.splitsOffsets() ? words * 1024 + instruction.bits(16, 8) * 4 : words * 4;
  }

  private void checkTarget(int at, Instruction instruction, long distance) {
    long target = at + Architecture.INSTRUCTION_BYTES + distance;
    if (target < 0 || target >= code.size() || target % Architecture.INSTRUCTION_BYTES != 0) {
      throw refused("branch out of the function", at, instruction, "a target in " + code.name());
    }
  }

  private void checkReturn(int at, Instruction instruction) {
    boolean toCaller =
        returnRegisters.contains((int) instruction.bits(24, 8))
            && instruction.bit(RETURN_IS_ABSOLUTE)
            && instruction.bits(16, 8) == 0
            && instruction.bits(32, 49) == 0;
    if (!toCaller) {
      throw refused("return to another place", at, instruction, "a return to the caller");
    }
  }

  /** Barrier 0, for all threads of the block, and no arriving without waiting. */
  private void checkBarrier(int at, Instruction instruction) {
    long number = instruction.bits(54, 4);
    long threads = instruction.bits(42, 12);
    if (number != 0 || threads != 0 || instruction.bits(77, 3) == BAR_ARRIVE) {
      String found = String.format(Locale.ROOT, "barrier %d for %d threads", number, threads);
      throw refused(found, at, instruction, "barrier 0 for the whole block");
    }
  }

  private void checkOperand(int at, Instruction instruction) {
    if (instruction.hasConstantForm()) {
      if (instruction.bit(91)) {
        throw refused("constants by descriptor", at, instruction, "constants of the launch");
      }
      checkConstant(at, instruction, (int) instruction.bits(38, 16), operandBytes(instruction));
    }
  }

  /** Bytes an operand may take: 8 for arithmetic of doubles, and where 64-bit sums are made. */
  private static int operandBytes(Instruction instruction) {
    return switch (instruction.operation()) {
      case 0x25, 0x28, 0x29, 0x2a, 0x2b -> Long.BYTES;
      default -> Integer.BYTES;
    };
  }

  private void checkLoad(int at, Instruction instruction) {
    boolean ofUniform = instruction.opcode() == Opcodes.LDCU;
    boolean indexed =
        instruction.bits(24, 8) != (instruction.opcode() == Opcodes.ULDC ? 0 : NO_REGISTER);
    // The uniform load of sm_100 has the bit always.
    boolean byDescriptor = !ofUniform && instruction.bit(91);
    if (indexed || byDescriptor) {
      throw refused("constants by index", at, instruction, "constants of the launch");
    }
    int offset = (int) (ofUniform ? instruction.bits(37, 17) : instruction.bits(38, 16));
    checkConstant(at, instruction, offset, loadBytes((int) instruction.bits(73, 3)));
  }

  /** Bytes of a load by its 3-bit size: 8, 8, 16, 16, 32, 64 and 128 bits. */
  private static int loadBytes(int size) {
    return switch (size) {
      case 0, 1 -> Byte.BYTES;
      case 2, 3 -> Short.BYTES;
      case 4 -> Integer.BYTES;
      case 5 -> Long.BYTES;
      default -> 2 * Long.BYTES;
    };
  }

  private void checkConstant(int at, Instruction instruction, int offset, int bytes) {
    long bank = instruction.bits(54, 5);
    if (bank != 0 || !architecture.isEnvironment(offset, offset + bytes)) {
      String found = String.format(Locale.ROOT, "constant c[%d][0x%x]", bank, offset);
      throw refused(found, at, instruction, "what every kernel of a launch has in common");
    }
  }

  private RuntimeException refused(String rule, int at, Instruction instruction, String expected) {
    String facts =
        String.format(
            Locale.ROOT,
            "offset=0x%x, opcode=%s, instruction=%s",
            at,
            Opcodes.name(instruction),
            instruction);
    return refused(rule, facts, expected);
  }

  private RuntimeException refused(String rule, String facts, String expected) {
    return Refusal.of(rule, code.name(), facts, expected);
  }
}
