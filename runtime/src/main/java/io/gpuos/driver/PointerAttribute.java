package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/** What the driver can say about an address. Numbers: {@code CUpointer_attribute}, cuda.h. */
public enum PointerAttribute {
  /** Context that owns the allocation. */
  CONTEXT(1, true),
  /** 1 host, 2 device, 3 array, 4 unified. */
  MEMORY_TYPE(2, false),
  /** Address for the device. */
  DEVICE_POINTER(3, true),
  /** Address for the host; only for memory the host can reach. */
  HOST_POINTER(4, true),
  /** Process-wide number of the allocation, never used again. */
  BUFFER_ID(7, true),
  /** Ordinal of the device that holds it. */
  DEVICE_ORDINAL(9, false),
  /** First address of the allocation. */
  RANGE_START(11, true),
  /** Bytes of the allocation. */
  RANGE_SIZE(12, true);

  private final int code;
  private final boolean wide;

  PointerAttribute(int code, boolean wide) {
    this.code = code;
    this.wide = wide;
  }

  int code() {
    return code;
  }

  /** Reads the result in the width the driver wrote it. */
  long read(MemorySegment result) {
    return wide ? result.get(JAVA_LONG, 0) : result.get(JAVA_INT, 0);
  }
}
