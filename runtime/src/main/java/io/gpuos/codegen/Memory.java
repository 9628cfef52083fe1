package io.gpuos.codegen;

import java.lang.foreign.MemorySegment;

/** All native memory as one segment: offsets are addresses. The caller vouches for them. */
@SuppressWarnings("restricted")
final class Memory {

  static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  private Memory() {}
}
