package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * One GPU. Immutable and thread-safe; all methods ask the driver anew and may be called from any
 * platform thread. Errors as {@link Cuda} lists them.
 */
public final class CudaDevice {

  private static final int NAME_BYTES = 256;

  private final Cuda cuda;
  private final int ordinal;
  private final int handle;

  CudaDevice(Cuda cuda, int ordinal, int handle) {
    this.cuda = cuda;
    this.ordinal = ordinal;
    this.handle = handle;
  }

  /** The driver this device belongs to. */
  public Cuda cuda() {
    return cuda;
  }

  /** N of {@code cuda:N}. */
  public int ordinal() {
    return ordinal;
  }

  /** Marketing name, such as {@code NVIDIA H200}. */
  public String name() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(NAME_BYTES);
      cuda.calls().call(DriverFunction.DEVICE_GET_NAME, name, NAME_BYTES, handle);
      return name.getString(0);
    }
  }

  /** Identity of the physical device, the same in every process. */
  public UUID uuid() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(2 * Long.BYTES);
      cuda.calls().call(DriverFunction.DEVICE_GET_UUID, bytes, handle);
      var bigEndian = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
      return new UUID(bytes.get(bigEndian, 0), bytes.get(bigEndian, Long.BYTES));
    }
  }

  /** Bytes of device memory, used or not. */
  public long totalMemory() {
    return cuda.calls().callLong(DriverFunction.DEVICE_TOTAL_MEM, handle);
  }

  /** One number the device states about itself. */
  public int attribute(DeviceAttribute attribute) {
    return cuda.calls().callInt(DriverFunction.DEVICE_GET_ATTRIBUTE, attribute.code(), handle);
  }

  /** The architecture as the compiler names it: {@code sm_90} for compute capability 9.0. */
  public String architecture() {
    return "sm_"
        + attribute(DeviceAttribute.COMPUTE_CAPABILITY_MAJOR)
        + attribute(DeviceAttribute.COMPUTE_CAPABILITY_MINOR);
  }

  /**
   * The primary context, which this process shares with the CUDA runtime and so with PyTorch.
   * Created by the driver if nobody holds it; takes some 100 ms then.
   *
   * @return a context that must be closed; it lives on while others hold it
   */
  public CudaContext retainPrimaryContext() {
    long context = cuda.calls().callLong(DriverFunction.PRIMARY_CTX_RETAIN, handle);
    return new CudaContext(this, context);
  }

  int handle() {
    return handle;
  }

  @Override
  public String toString() {
    return "cuda:" + ordinal;
  }
}
