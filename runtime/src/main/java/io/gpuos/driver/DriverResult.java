package io.gpuos.driver;

import io.gpuos.error.DeviceException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.OutOfMemoryException;

/** What each result code of the driver means to this project. Numbers: {@code CUresult}, cuda.h. */
final class DriverResult {

  static final int SUCCESS = 0;

  /** {@code CUDA_ERROR_INVALID_VALUE}. */
  static final int INVALID_VALUE = 1;

  /** {@code CUDA_ERROR_NOT_READY}: not an error, work is still under way. */
  static final int NOT_READY = 600;

  private DriverResult() {}

  /** Classes of error, one per exception type. */
  enum Kind {
    /** The call was refused; the context goes on. */
    REFUSED,
    /** Memory ran out. */
    OUT_OF_MEMORY,
    /** No device, or a driver that cannot serve this process. */
    UNAVAILABLE,
    /** Sticky: every later call on the context fails too. */
    FAULT
  }

  static Kind kind(int code) {
    return switch (code) {
      case 2 -> Kind.OUT_OF_MEMORY; // OUT_OF_MEMORY
      case 34, // STUB_LIBRARY
          36, // CALL_REQUIRES_NEWER_DRIVER
          46, // DEVICE_UNAVAILABLE
          100, // NO_DEVICE
          101, // INVALID_DEVICE
          102, // DEVICE_NOT_LICENSED
          802, // SYSTEM_NOT_READY
          803, // SYSTEM_DRIVER_MISMATCH
          804, // COMPAT_NOT_SUPPORTED_ON_DEVICE
          805, // MPS_CONNECTION_FAILED
          807, // MPS_SERVER_NOT_READY
          808, // MPS_MAX_CLIENTS_REACHED
          809 -> // MPS_MAX_CONNECTIONS_REACHED
          Kind.UNAVAILABLE;
      case 4, // DEINITIALIZED
          214, // ECC_UNCORRECTABLE
          220, // NVLINK_UNCORRECTABLE
          226, // CONTAINED
          700, // ILLEGAL_ADDRESS
          702, // LAUNCH_TIMEOUT
          709, // CONTEXT_IS_DESTROYED
          710, // ASSERT
          714, // HARDWARE_STACK_ERROR
          715, // ILLEGAL_INSTRUCTION
          716, // MISALIGNED_ADDRESS
          717, // INVALID_ADDRESS_SPACE
          718, // INVALID_PC
          719, // LAUNCH_FAILED
          721, // TENSOR_MEMORY_LEAK
          806, // MPS_RPC_FAILURE
          810 -> // MPS_CLIENT_TERMINATED
          Kind.FAULT;
      default -> Kind.REFUSED;
    };
  }

  /**
   * The exception for a failed call.
   *
   * @param call the call as {@link DriverFunction#describe} writes it
   * @param error code, name and text of the error
   */
  static GpuosException exception(int code, String call, String error) {
    return switch (kind(code)) {
      case OUT_OF_MEMORY ->
          new OutOfMemoryException(
              "memory exhausted: call=%s, error=%s, expected=free memory (close or shrink tensors)"
                  .formatted(call, error));
      case UNAVAILABLE ->
          new DeviceUnavailableException(
              "device not usable: call=%s, error=%s, expected=a working NVIDIA GPU and driver"
                  .formatted(call, error));
      case FAULT ->
          new DeviceFaultException(
              "device fault: call=%s, error=%s, expected=no fault (go on in a new process)"
                  .formatted(call, error));
      case REFUSED ->
          new DeviceException(
              "CUDA call failed: call=%s, error=%s, expected=CUDA_SUCCESS".formatted(call, error));
    };
  }
}
