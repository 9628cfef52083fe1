package io.gpuos.driver;

/** Sizes, in bytes, that hold for every kernel of a context. Codes: {@code CUlimit}, cuda.h. */
public enum ContextLimit {
  /** Stack of each thread. */
  STACK_SIZE(0),
  /** Buffer behind the device's {@code printf}. */
  PRINTF_FIFO_SIZE(1),
  /** Heap behind the device's {@code malloc}. */
  MALLOC_HEAP_SIZE(2),
  /** Part of L2 that keeps persisting lines. */
  PERSISTING_L2_CACHE_SIZE(6);

  private final int code;

  ContextLimit(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
