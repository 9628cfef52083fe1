package io.gpuos.inject;

import java.util.Arrays;
import java.util.Locale;

/**
 * Code and variables of one operator as they are to lie in device memory. Immutable.
 *
 * @param base device address of the first byte
 * @param entryOffset of the function to call, in bytes
 * @param codeBytes how many of the first bytes are functions
 * @param bytes all of it, functions, guard and variables; a copy is kept and given
 */
public record CodeImage(long base, int entryOffset, int codeBytes, byte[] bytes) {

  public CodeImage {
    bytes = bytes.clone();
  }

  @Override
  public byte[] bytes() {
    return bytes.clone();
  }

  /** Size in bytes, a multiple of {@link CodeArena#ALIGNMENT}. */
  public int size() {
    return bytes.length;
  }

  /** Device address of the function to call. */
  public long entry() {
    return base + entryOffset;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CodeImage image
        && base == image.base
        && entryOffset == image.entryOffset
        && codeBytes == image.codeBytes
        && Arrays.equals(bytes, image.bytes);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(base) * 31 + Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "CodeImage[base=0x%x, entry=0x%x, code=%d, bytes=%d]",
        base,
        entry(),
        codeBytes,
        bytes.length);
  }
}
