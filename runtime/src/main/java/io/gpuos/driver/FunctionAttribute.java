package io.gpuos.driver;

/** Numbers a loaded kernel has. Codes: {@code CUfunction_attribute}, cuda.h. */
public enum FunctionAttribute {
  /** Threads a block may have, given the kernel's registers. */
  MAX_THREADS_PER_BLOCK(0),
  /** Bytes of static shared memory. */
  SHARED_SIZE_BYTES(1),
  /** Bytes of user constants. */
  CONST_SIZE_BYTES(2),
  /** Bytes of local memory a thread. */
  LOCAL_SIZE_BYTES(3),
  /** Registers a thread. */
  NUM_REGS(4),
  /** 10 * major + minor of the architecture its machine code is for. */
  BINARY_VERSION(6),
  /** Settable: bytes of dynamic shared memory a launch may ask for. */
  MAX_DYNAMIC_SHARED_SIZE_BYTES(8),
  /** Settable: percent of the unified cache wanted as shared memory; -1 leaves it to the driver. */
  PREFERRED_SHARED_MEMORY_CARVEOUT(9);

  private final int code;

  FunctionAttribute(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
