package io.gpuos.inject;

/** Numbers of section types: those of ELF, and NVIDIA's, which start at 0x70000000. */
final class SectionTypes {

  static final int CODE_OR_DATA = 1;
  static final int SYMBOLS = 2;
  static final int STRINGS = 3;
  static final int RELA = 4;
  static final int NO_BITS = 8;
  static final int REL = 9;

  /** {@code .nv.info}: attributes. */
  static final int INFO = 0x70000000;

  /** {@code .nv.global}: variables that start as zeros. */
  static final int GLOBAL = 0x70000007;

  /** {@code .nv.global.init}: variables with their first values. */
  static final int GLOBAL_INIT = 0x70000008;

  /** {@code .nv.local}: memory of a thread. */
  static final int LOCAL = 0x70000009;

  /** {@code .nv.shared}: memory of a block. */
  static final int SHARED = 0x7000000a;

  private static final int SHARED_RESERVED = 0x70000015;

  private SectionTypes() {}

  /** Whether sections of that type have a size, but no bytes in the file. */
  static boolean isZeros(int type) {
    return type == NO_BITS
        || type == GLOBAL
        || type == LOCAL
        || type == SHARED
        || type == SHARED_RESERVED;
  }
}
