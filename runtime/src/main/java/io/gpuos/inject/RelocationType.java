package io.gpuos.inject;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The relocations that code of operators has, and what each writes. Names and bit fields are those
 * of NVIDIA's linker; decision 0012 says how each was confirmed. All are absolute: none depends on
 * where the instruction lies.
 */
enum RelocationType {
  /** 64-bit address in data. */
  R_CUDA_64(0x02, Place.DATA),
  /** 64-bit address in data, in the generic address space, where global memory is itself. */
  R_CUDA_G64(0x04, Place.DATA),
  /** Low half of an address in an instruction's immediate. */
  R_CUDA_ABS32_LO_32(0x38, Place.IMMEDIATE),
  /** High half of an address in an instruction's immediate. */
  R_CUDA_ABS32_HI_32(0x39, Place.IMMEDIATE),
  /** Target of a call on sm_80. */
  R_CUDA_ABS47_34(0x3a, Place.CALL),
  /** Target of a call on sm_90 and sm_100. */
  R_CUDA_ABS55_16_34(0x4b, Place.CALL),
  /** 64-bit address of a function in data. */
  R_CUDA_UNIFIED(0x66, Place.DATA),
  /** Low half of a function's address in an instruction's immediate. */
  R_CUDA_UNIFIED32_LO_32(0x70, Place.IMMEDIATE),
  /** High half of a function's address in an instruction's immediate. */
  R_CUDA_UNIFIED32_HI_32(0x71, Place.IMMEDIATE);

  /** What a relocation changes. */
  enum Place {
    /** Eight bytes of data. */
    DATA,
    /** Bits 32 to 63 of an instruction. */
    IMMEDIATE,
    /** The target of an absolute call. */
    CALL
  }

  private static final int CALL_BITS = 47;
  private static final List<RelocationType> ALL = List.of(values());

  private final int code;
  private final Place place;

  RelocationType(int code, Place place) {
    this.code = code;
    this.place = place;
  }

  /** The type of number {@code code}, if it is one of these. */
  static Optional<RelocationType> of(int code) {
    for (RelocationType type : ALL) {
      if (type.code == code) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }

  Place place() {
    return place;
  }

  /** Bytes from the relocation's offset that belong to what it changes. */
  int bytes() {
    return place == Place.DATA ? Long.BYTES : Architecture.INSTRUCTION_BYTES;
  }

  /** The instruction with {@code address} filled in. Not for {@link Place#DATA}. */
  Instruction apply(Instruction instruction, long address) {
    return switch (this) {
      case R_CUDA_ABS32_LO_32, R_CUDA_UNIFIED32_LO_32 ->
          instruction.with(32, Integer.SIZE, address);
      case R_CUDA_ABS32_HI_32, R_CUDA_UNIFIED32_HI_32 ->
          instruction.with(32, Integer.SIZE, address >>> 32);
      case R_CUDA_ABS47_34 -> instruction.with(34, CALL_BITS, address >>> 2);
      case R_CUDA_ABS55_16_34 ->
          instruction.with(16, Byte.SIZE, address >>> 2).with(34, CALL_BITS, address >>> 10);
      case R_CUDA_64, R_CUDA_G64, R_CUDA_UNIFIED ->
          throw new IllegalArgumentException(name() + " changes data");
    };
  }

  /** Number and name, as messages show it. */
  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s(0x%x)", name(), code);
  }
}
