package io.gpuos.schedule;

import io.gpuos.layout.Layout;
import io.gpuos.layout.Overlap;

/**
 * Where a tensor of a program lies.
 *
 * @param buffer index among the program's buffers
 * @param offset of the element at index 0 in every dimension, in bytes from the buffer's begin
 * @param layout interned, so that equal places are {@code equals}
 */
public record Place(int buffer, long offset, Layout layout) {

  /** First byte touched, from the buffer's begin. */
  public long begin() {
    return offset + layout.minByteOffset();
  }

  /** One past the last byte touched. */
  public long end() {
    return offset + layout.maxByteOffset();
  }

  /** How the memory of two places meets; that of different buffers does not. */
  Overlap overlap(Place other) {
    return buffer == other.buffer
        ? Overlap.between(offset, layout, other.offset, other.layout)
        : Overlap.DISJOINT;
  }

  boolean meets(Place other) {
    return overlap(other) != Overlap.DISJOINT;
  }

  /** For messages: buffer, offset and layout. */
  String text(Buffer of) {
    boolean whole = offset == 0 && layout.isContiguous() && layout.byteSize() == of.bytes();
    return whole ? of.name() : of.name() + "+" + offset + " as " + layout;
  }
}
