package io.gpuos.driver;

/** Numbers a device states about itself. Codes: {@code CUdevice_attribute}, cuda.h. */
public enum DeviceAttribute {
  MAX_THREADS_PER_BLOCK(1),
  /** Bytes a block may use without opting in to more. */
  MAX_SHARED_MEMORY_PER_BLOCK(8),
  WARP_SIZE(10),
  /** 32-bit registers a block may use. */
  MAX_REGISTERS_PER_BLOCK(12),
  /** Peak clock of the multiprocessors in kHz. */
  CLOCK_RATE(13),
  MULTIPROCESSOR_COUNT(16),
  /** 1 when kernels are killed after a time, as on a display. */
  KERNEL_EXEC_TIMEOUT(17),
  INTEGRATED(18),
  CAN_MAP_HOST_MEMORY(19),
  /** 0 default, 2 prohibited, 3 one process only. */
  COMPUTE_MODE(20),
  CONCURRENT_KERNELS(31),
  ECC_ENABLED(32),
  PCI_BUS_ID(33),
  PCI_DEVICE_ID(34),
  /** Peak clock of the memory in kHz. */
  MEMORY_CLOCK_RATE(36),
  /** Bits. */
  GLOBAL_MEMORY_BUS_WIDTH(37),
  /** Bytes. */
  L2_CACHE_SIZE(38),
  MAX_THREADS_PER_MULTIPROCESSOR(39),
  ASYNC_ENGINE_COUNT(40),
  /** 1 when host and device addresses never collide. */
  UNIFIED_ADDRESSING(41),
  PCI_DOMAIN_ID(50),
  COMPUTE_CAPABILITY_MAJOR(75),
  COMPUTE_CAPABILITY_MINOR(76),
  STREAM_PRIORITIES_SUPPORTED(78),
  /** Bytes. */
  MAX_SHARED_MEMORY_PER_MULTIPROCESSOR(81),
  MAX_REGISTERS_PER_MULTIPROCESSOR(82),
  /** 1 when atomics on host memory over the link work. */
  HOST_NATIVE_ATOMIC_SUPPORTED(86),
  /** 1 when the device reads memory the driver did not allocate. */
  PAGEABLE_MEMORY_ACCESS(88),
  COMPUTE_PREEMPTION_SUPPORTED(90),
  /** 1 when pinned memory has the same address on both sides. */
  CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM(91),
  COOPERATIVE_LAUNCH(95),
  /** Bytes a block may use after opting in. */
  MAX_SHARED_MEMORY_PER_BLOCK_OPTIN(97),
  MAX_BLOCKS_PER_MULTIPROCESSOR(106),
  /** Bytes the driver keeps for itself in each block. */
  RESERVED_SHARED_MEMORY_PER_BLOCK(111),
  CLUSTER_LAUNCH(120),
  /** 1 when 64-bit stream values can be waited for and written. */
  CAN_USE_64_BIT_STREAM_MEM_OPS(122);

  private final int code;

  DeviceAttribute(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
