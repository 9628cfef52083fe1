package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Every function of the CUDA driver this project calls: exported symbol, the CUDA version (1000 *
 * major + 10 * minor) that introduced this binary interface, as {@code cudaTypedefs.h} lists it,
 * and the argument types. All return a {@code CUresult}.
 *
 * <p>Host memory and out-parameters are {@code ADDRESS}; device addresses and opaque handles are 64
 * bits ({@code HANDLE}), since Java only passes them on.
 */
enum DriverFunction {
  GET_PROC_ADDRESS("cuGetProcAddress_v2", 12000, T.TEXT, T.OUT, T.INT, T.LONG, T.OUT),
  GET_ERROR_NAME("cuGetErrorName", 6000, T.INT, T.OUT),
  GET_ERROR_STRING("cuGetErrorString", 6000, T.INT, T.OUT),

  INIT("cuInit", 2000, T.INT),
  DRIVER_GET_VERSION("cuDriverGetVersion", 2020, T.OUT),
  DEVICE_GET_COUNT("cuDeviceGetCount", 2000, T.OUT),
  DEVICE_GET("cuDeviceGet", 2000, T.OUT, T.INT),
  DEVICE_GET_NAME("cuDeviceGetName", 2000, T.OUT, T.INT, T.INT),
  DEVICE_GET_ATTRIBUTE("cuDeviceGetAttribute", 2000, T.OUT, T.INT, T.INT),
  DEVICE_GET_UUID("cuDeviceGetUuid_v2", 11040, T.OUT, T.INT),
  DEVICE_TOTAL_MEM("cuDeviceTotalMem_v2", 3020, T.OUT, T.INT),

  PRIMARY_CTX_RETAIN("cuDevicePrimaryCtxRetain", 7000, T.OUT, T.INT),
  PRIMARY_CTX_RELEASE("cuDevicePrimaryCtxRelease_v2", 11000, T.INT),
  CTX_SET_CURRENT("cuCtxSetCurrent", 4000, T.HANDLE),
  CTX_GET_CURRENT("cuCtxGetCurrent", 4000, T.OUT),
  CTX_PUSH_CURRENT("cuCtxPushCurrent_v2", 4000, T.HANDLE),
  CTX_POP_CURRENT("cuCtxPopCurrent_v2", 4000, T.OUT),
  CTX_SYNCHRONIZE("cuCtxSynchronize", 2000),
  CTX_SET_LIMIT("cuCtxSetLimit", 3010, T.INT, T.LONG),
  CTX_GET_LIMIT("cuCtxGetLimit", 3010, T.OUT, T.INT),
  CTX_GET_STREAM_PRIORITY_RANGE("cuCtxGetStreamPriorityRange", 5050, T.OUT, T.OUT),

  MEM_ALLOC("cuMemAlloc_v2", 3020, T.OUT, T.LONG),
  MEM_FREE("cuMemFree_v2", 3020, T.HANDLE),
  MEM_GET_INFO("cuMemGetInfo_v2", 3020, T.OUT, T.OUT),
  MEM_HOST_REGISTER("cuMemHostRegister_v2", 6050, T.HOST, T.LONG, T.INT),
  MEM_HOST_UNREGISTER("cuMemHostUnregister", 4000, T.HOST),
  MEM_HOST_GET_DEVICE_POINTER("cuMemHostGetDevicePointer_v2", 3020, T.OUT, T.HOST, T.INT),
  POINTER_GET_ATTRIBUTE("cuPointerGetAttribute", 4000, T.OUT, T.INT, T.HANDLE),
  MEMCPY_HTOD("cuMemcpyHtoD_v2", 3020, T.HANDLE, T.HOST, T.LONG),
  MEMCPY_DTOH("cuMemcpyDtoH_v2", 3020, T.HOST, T.HANDLE, T.LONG),
  MEMCPY_DTOD("cuMemcpyDtoD_v2", 3020, T.HANDLE, T.HANDLE, T.LONG),
  MEMCPY_HTOD_ASYNC("cuMemcpyHtoDAsync_v2", 3020, T.HANDLE, T.HOST, T.LONG, T.HANDLE),
  MEMCPY_DTOH_ASYNC("cuMemcpyDtoHAsync_v2", 3020, T.HOST, T.HANDLE, T.LONG, T.HANDLE),
  MEMCPY_DTOD_ASYNC("cuMemcpyDtoDAsync_v2", 3020, T.HANDLE, T.HANDLE, T.LONG, T.HANDLE),
  MEMSET_D8_ASYNC("cuMemsetD8Async", 3020, T.HANDLE, T.BYTE, T.LONG, T.HANDLE),
  MEMSET_D32_ASYNC("cuMemsetD32Async", 3020, T.HANDLE, T.INT, T.LONG, T.HANDLE),

  STREAM_CREATE("cuStreamCreateWithPriority", 5050, T.OUT, T.INT, T.INT),
  STREAM_DESTROY("cuStreamDestroy_v2", 4000, T.HANDLE),
  STREAM_QUERY("cuStreamQuery", 2000, T.HANDLE),
  STREAM_IS_CAPTURING("cuStreamIsCapturing", 10000, T.HANDLE, T.OUT),
  THREAD_EXCHANGE_STREAM_CAPTURE_MODE("cuThreadExchangeStreamCaptureMode", 10010, T.OUT),
  STREAM_SYNCHRONIZE("cuStreamSynchronize", 2000, T.HANDLE),
  STREAM_WAIT_EVENT("cuStreamWaitEvent", 3020, T.HANDLE, T.HANDLE, T.INT),
  STREAM_WAIT_VALUE_32("cuStreamWaitValue32_v2", 11070, T.HANDLE, T.HANDLE, T.INT, T.INT),
  STREAM_WAIT_VALUE_64("cuStreamWaitValue64_v2", 11070, T.HANDLE, T.HANDLE, T.LONG, T.INT),
  STREAM_WRITE_VALUE_32("cuStreamWriteValue32_v2", 11070, T.HANDLE, T.HANDLE, T.INT, T.INT),
  STREAM_WRITE_VALUE_64("cuStreamWriteValue64_v2", 11070, T.HANDLE, T.HANDLE, T.LONG, T.INT),

  STREAM_BEGIN_CAPTURE("cuStreamBeginCapture_v2", 10010, T.HANDLE, T.INT),
  STREAM_END_CAPTURE("cuStreamEndCapture", 10000, T.HANDLE, T.OUT),
  GRAPH_GET_NODES("cuGraphGetNodes", 10000, T.HANDLE, T.HOST, T.OUT),
  GRAPH_INSTANTIATE("cuGraphInstantiateWithFlags", 11040, T.OUT, T.HANDLE, T.LONG),
  GRAPH_LAUNCH("cuGraphLaunch", 10000, T.HANDLE, T.HANDLE),
  GRAPH_EXEC_DESTROY("cuGraphExecDestroy", 10000, T.HANDLE),
  GRAPH_DESTROY("cuGraphDestroy", 10000, T.HANDLE),

  EVENT_CREATE("cuEventCreate", 2000, T.OUT, T.INT),
  EVENT_RECORD("cuEventRecord", 2000, T.HANDLE, T.HANDLE),
  EVENT_QUERY("cuEventQuery", 2000, T.HANDLE),
  EVENT_SYNCHRONIZE("cuEventSynchronize", 2000, T.HANDLE),
  EVENT_ELAPSED_TIME("cuEventElapsedTime", 2000, T.OUT, T.HANDLE, T.HANDLE),
  EVENT_DESTROY("cuEventDestroy_v2", 4000, T.HANDLE),

  MODULE_LOAD_DATA_EX("cuModuleLoadDataEx", 2010, T.OUT, T.HOST, T.INT, T.HOST, T.HOST),
  MODULE_UNLOAD("cuModuleUnload", 2000, T.HANDLE),
  MODULE_GET_FUNCTION("cuModuleGetFunction", 2000, T.OUT, T.HANDLE, T.TEXT),
  MODULE_GET_GLOBAL("cuModuleGetGlobal_v2", 3020, T.OUT, T.OUT, T.HANDLE, T.TEXT),

  LINK_CREATE("cuLinkCreate_v2", 6050, T.INT, T.HOST, T.HOST, T.OUT),
  LINK_ADD_DATA(
      "cuLinkAddData_v2", 6050, T.HANDLE, T.INT, T.HOST, T.LONG, T.TEXT, T.INT, T.HOST, T.HOST),
  LINK_COMPLETE("cuLinkComplete", 5050, T.HANDLE, T.OUT, T.OUT),
  LINK_DESTROY("cuLinkDestroy", 5050, T.HANDLE),

  FUNC_GET_ATTRIBUTE("cuFuncGetAttribute", 2020, T.OUT, T.INT, T.HANDLE),
  FUNC_SET_ATTRIBUTE("cuFuncSetAttribute", 9000, T.HANDLE, T.INT, T.INT),
  FUNC_SET_CACHE_CONFIG("cuFuncSetCacheConfig", 3000, T.HANDLE, T.INT),
  OCCUPANCY("cuOccupancyMaxActiveBlocksPerMultiprocessor", 6050, T.OUT, T.HANDLE, T.INT, T.LONG),
  LAUNCH_KERNEL(
      "cuLaunchKernel",
      4000,
      T.HANDLE,
      T.INT,
      T.INT,
      T.INT,
      T.INT,
      T.INT,
      T.INT,
      T.INT,
      T.HANDLE,
      T.HOST,
      T.HOST),
  LAUNCH_KERNEL_EX("cuLaunchKernelEx", 11060, T.HOST, T.HANDLE, T.HOST, T.HOST);

  /** Short names of the argument types, so that a signature above fits its line. */
  private static final class T {
    static final ValueLayout INT = JAVA_INT;
    static final ValueLayout LONG = JAVA_LONG;
    static final ValueLayout BYTE = JAVA_BYTE;

    /** Opaque handle or device address. */
    static final ValueLayout HANDLE = JAVA_LONG;

    /** Memory the driver writes a result to. */
    static final ValueLayout OUT = ADDRESS;

    /** Other host memory. */
    static final ValueLayout HOST = ADDRESS;

    /** NUL-terminated string. */
    static final ValueLayout TEXT = ADDRESS;
  }

  private final String symbol;
  private final int version;
  private final ValueLayout[] arguments;

  DriverFunction(String symbol, int version, ValueLayout... arguments) {
    this.symbol = symbol;
    this.version = version;
    this.arguments = arguments;
  }

  /** Name the library exports, with the suffix of this binary interface. */
  String symbol() {
    return symbol;
  }

  /** Name {@code cuGetProcAddress} knows it by: without a suffix, the version selects. */
  String baseName() {
    return symbol.replaceFirst("_v\\d+$", "");
  }

  /** CUDA version that introduced this binary interface. */
  int version() {
    return version;
  }

  int arity() {
    return arguments.length;
  }

  FunctionDescriptor descriptor() {
    return FunctionDescriptor.of(JAVA_INT, (MemoryLayout[]) arguments);
  }

  /** One line for error messages: the name with the arguments that are plain numbers. */
  String describe(Object[] values) {
    StringBuilder text = new StringBuilder(baseName()).append('(');
    for (int i = 0; i < values.length; i++) {
      text.append(i == 0 ? "" : ", ");
      switch (values[i]) {
        case MemorySegment _ -> text.append("ptr");
        case Long value when Math.abs(value) >= 1L << 32 ->
            text.append("0x").append(Long.toHexString(value));
        case Object value -> text.append(value);
      }
    }
    return text.append(')').toString();
  }
}
