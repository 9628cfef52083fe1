package io.gpuos.inject;

import java.util.Locale;

/**
 * One instruction, 128 bits, the same layout on all {@link Architecture}s. Bit 0 is the lowest of
 * {@code low}, bit 64 the lowest of {@code high}. Bits 0 to 8 are the operation and 9 to 11 the
 * form of its operands; together they are the {@linkplain #opcode opcode}. Bits 12 to 15 are the
 * predicate.
 */
record Instruction(long low, long high) {

  private static final int FORM_CONSTANT_C = 3;
  private static final int FORM_CONSTANT_B = 5;

  /** Operation and form. */
  int opcode() {
    return (int) bits(0, 12);
  }

  /** The operation without its form. */
  int operation() {
    return (int) bits(0, 9);
  }

  /** Whether an arithmetic instruction of this form takes an operand from a constant bank. */
  boolean hasConstantForm() {
    int form = opcode() >>> 9;
    return form == FORM_CONSTANT_B || form == FORM_CONSTANT_C;
  }

  /** {@code count} bits from bit {@code from}, unsigned; at most 64. */
  long bits(int from, int count) {
    long value = from >= Long.SIZE ? high >>> (from - Long.SIZE) : low >>> from;
    if (from < Long.SIZE && from > 0 && from + count > Long.SIZE) {
      value |= high << (Long.SIZE - from);
    }
    return value & mask(count);
  }

  /** {@code count} bits from bit {@code from}, the highest of them the sign. */
  long signed(int from, int count) {
    int rest = Long.SIZE - count;
    return bits(from, count) << rest >> rest;
  }

  boolean bit(int index) {
    return bits(index, 1) != 0;
  }

  /** This instruction with the low {@code count} bits of {@code value} from bit {@code from}. */
  Instruction with(int from, int count, long value) {
    long part = value & mask(count);
    if (from >= Long.SIZE) {
      int shift = from - Long.SIZE;
      return new Instruction(low, high & ~(mask(count) << shift) | part << shift);
    }
    long newLow = low & ~(mask(count) << from) | part << from;
    int above = from + count - Long.SIZE;
    if (above <= 0) {
      return new Instruction(newLow, high);
    }
    return new Instruction(newLow, high & ~mask(above) | part >>> (count - above));
  }

  private static long mask(int count) {
    return count == Long.SIZE ? -1 : (1L << count) - 1;
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%016x_%016x", high, low);
  }
}
