package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * A CUDA driver written in Java: each method is a C function of that name, reached through an
 * upcall stub, so the bindings run as they are, types and all. "Device" memory is host memory;
 * streams run at once. Signatures are written down from cuda.h, not from the table under test.
 */
public class FakeDriver implements SymbolLookup {

  static final long CONTEXT = 0xC0DE_0000_0001L;
  static final long STREAM = 0x57EA_0000_0001L;
  static final long EVENT = 0xEEEE_0000_0001L;
  static final long GRAPH = 0x6A00_0000_0001L;
  static final long GRAPH_EXEC = 0x6AEC_0000_0001L;
  private static final long LINKER = 0x11AA;
  private final ByteArrayOutputStream linked = new ByteArrayOutputStream();
  private final List<MemorySegment> images = new ArrayList<>();
  static final long MODULE = 0x30D0_0000_0001L;
  static final long FUNCTION = 0xF00D_0000_0001L;

  /** Calls in order, by exported name, without the error-text and current-context functions. */
  final List<String> calls = Collections.synchronizedList(new ArrayList<>());

  /** Names asked for through cuGetProcAddress, with the version. */
  final Map<String, Integer> resolved = new ConcurrentSkipListMap<>();

  /** Result codes to give, once each, by function. */
  final Map<String, Integer> failures = new ConcurrentHashMap<>();

  /** Exported names to leave out, as an older driver would. */
  final Set<String> missing = ConcurrentHashMap.newKeySet();

  /** Every launch: grid, block, shared, stream, parameters, as text. */
  final List<String> launches = Collections.synchronizedList(new ArrayList<>());

  int devices = 1;
  int retained;
  boolean ready = true;

  private final Arena arena = Arena.ofAuto();
  static final ThreadLocal<Integer> captureMode = ThreadLocal.withInitial(() -> 0);
  private final ThreadLocal<Deque<Long>> current = ThreadLocal.withInitial(ArrayDeque::new);
  private final Map<String, MemorySegment> stubs = new ConcurrentHashMap<>();

  @Override
  public Optional<MemorySegment> find(String name) {
    return missing.contains(name)
        ? Optional.empty()
        : method(name).map(method -> stubs.computeIfAbsent(name, _ -> stub(method)));
  }

  /** Innermost context of the calling thread; 0 when it has none. */
  long currentContext() {
    return current.get().isEmpty() ? 0 : current.get().peek();
  }

  void setCurrentContext(long context) {
    current.get().clear();
    current.get().push(context);
  }

  private Optional<Method> method(String name) {
    return Arrays.stream(getClass().getMethods())
        .filter(method -> method.getName().equals(name))
        .findFirst();
  }

  private MemorySegment stub(Method method) {
    try {
      var handle = MethodHandles.lookup().unreflect(method).bindTo(this);
      MemoryLayout[] arguments =
          Arrays.stream(method.getParameterTypes())
              .map(FakeDriver::layout)
              .toArray(MemoryLayout[]::new);
      return Linker.nativeLinker()
          .upcallStub(handle, FunctionDescriptor.of(JAVA_INT, arguments), arena);
    } catch (IllegalAccessException e) {
      throw new AssertionError(e);
    }
  }

  private static MemoryLayout layout(Class<?> type) {
    if (type == int.class) {
      return JAVA_INT;
    }
    if (type == long.class) {
      return JAVA_LONG;
    }
    return type == byte.class ? JAVA_BYTE : ADDRESS;
  }

  private int result(String function) {
    calls.add(function);
    Integer failure = failures.remove(function);
    return failure == null ? 0 : failure;
  }

  int inContext(String function) {
    int result = result(function);
    return currentContext() == CONTEXT ? result : 201; // CUDA_ERROR_INVALID_CONTEXT
  }

  static int giveLong(int result, MemorySegment out, long value) {
    if (result == 0) {
      out.reinterpret(8).set(JAVA_LONG, 0, value);
    }
    return result;
  }

  private int giveInt(int result, MemorySegment out, int value) {
    if (result == 0) {
      out.reinterpret(4).set(JAVA_INT, 0, value);
    }
    return result;
  }

  private static void copyBytes(long target, long source, long bytes) {
    MemorySegment.ofAddress(target)
        .reinterpret(bytes)
        .copyFrom(MemorySegment.ofAddress(source).reinterpret(bytes));
  }

  public int cuGetProcAddress_v2(
      MemorySegment name, MemorySegment out, int version, long flags, MemorySegment status) {
    String base = name.reinterpret(256).getString(0);
    resolved.put(base, version);
    Optional<MemorySegment> found =
        Arrays.stream(getClass().getMethods())
            .map(Method::getName)
            .filter(symbol -> symbol.replaceFirst("_v\\d+$", "").equals(base))
            .findFirst()
            .flatMap(this::find);
    out.reinterpret(8).set(ADDRESS, 0, found.orElse(MemorySegment.NULL));
    return flags == 1 ? 0 : 1;
  }

  public int cuGetErrorName(int code, MemorySegment out) {
    out.reinterpret(8).set(ADDRESS, 0, arena.allocateFrom("CUDA_ERROR_" + code));
    return code == 12345 ? 1 : 0;
  }

  public int cuGetErrorString(int code, MemorySegment out) {
    out.reinterpret(8).set(ADDRESS, 0, arena.allocateFrom("text of " + code));
    return code == 12345 ? 1 : 0;
  }

  public int cuInit(int flags) {
    return flags == 0 ? result("cuInit") : 1;
  }

  public int cuDriverGetVersion(MemorySegment out) {
    return giveInt(result("cuDriverGetVersion"), out, 13000);
  }

  public int cuDeviceGetCount(MemorySegment out) {
    return giveInt(result("cuDeviceGetCount"), out, devices);
  }

  public int cuDeviceGet(MemorySegment out, int ordinal) {
    return giveInt(result("cuDeviceGet"), out, 70 + ordinal);
  }

  public int cuDeviceGetName(MemorySegment name, int length, int device) {
    name.reinterpret(length).setString(0, "Fake " + device);
    return result("cuDeviceGetName");
  }

  public int cuDeviceGetAttribute(MemorySegment out, int attribute, int device) {
    int value =
        switch (attribute) {
          case 75 -> 9; // COMPUTE_CAPABILITY_MAJOR
          case 76 -> 0; // COMPUTE_CAPABILITY_MINOR
          case 16 -> 132; // MULTIPROCESSOR_COUNT
          default -> -device;
        };
    return giveInt(result("cuDeviceGetAttribute"), out, value);
  }

  public int cuDeviceGetUuid_v2(MemorySegment out, int device) {
    for (int i = 0; i < 16; i++) {
      out.reinterpret(16).set(JAVA_BYTE, i, (byte) (i * 0x11));
    }
    return result("cuDeviceGetUuid_v2");
  }

  public int cuDeviceTotalMem_v2(MemorySegment out, int device) {
    return giveLong(result("cuDeviceTotalMem_v2"), out, 141L << 30);
  }

  public int cuDevicePrimaryCtxRetain(MemorySegment out, int device) {
    retained++;
    return giveLong(result("cuDevicePrimaryCtxRetain"), out, CONTEXT);
  }

  public int cuDevicePrimaryCtxRelease_v2(int device) {
    retained--;
    return result("cuDevicePrimaryCtxRelease_v2");
  }

  public int cuCtxSetCurrent(long context) {
    setCurrentContext(context);
    return result("cuCtxSetCurrent");
  }

  public int cuCtxGetCurrent(MemorySegment out) {
    return giveLong(0, out, currentContext());
  }

  public int cuCtxPushCurrent_v2(long context) {
    current.get().push(context);
    return 0;
  }

  public int cuCtxPopCurrent_v2(MemorySegment out) {
    return giveLong(0, out, current.get().pop());
  }

  public int cuCtxSynchronize() {
    return inContext("cuCtxSynchronize");
  }

  public int cuCtxSetLimit(int limit, long bytes) {
    return limit == 0 && bytes == 4096 ? inContext("cuCtxSetLimit") : 1;
  }

  public int cuCtxGetLimit(MemorySegment out, int limit) {
    return giveLong(inContext("cuCtxGetLimit"), out, 1000 + limit);
  }

  public int cuCtxGetStreamPriorityRange(MemorySegment least, MemorySegment greatest) {
    giveInt(0, least, 0);
    giveInt(0, greatest, -5);
    return inContext("cuCtxGetStreamPriorityRange");
  }

  public int cuMemAlloc_v2(MemorySegment out, long bytes) {
    int result = inContext("cuMemAlloc_v2");
    return result != 0 ? result : giveLong(0, out, arena.allocate(bytes, 256).address());
  }

  public int cuMemFree_v2(long address) {
    return inContext("cuMemFree_v2");
  }

  public int cuMemGetInfo_v2(MemorySegment free, MemorySegment total) {
    giveLong(0, free, 7L << 32);
    giveLong(0, total, 9L << 32);
    return inContext("cuMemGetInfo_v2");
  }

  public int cuMemHostRegister_v2(MemorySegment address, long bytes, int flags) {
    return flags == 3 ? inContext("cuMemHostRegister_v2") : 1;
  }

  public int cuMemHostUnregister(MemorySegment address) {
    return inContext("cuMemHostUnregister");
  }

  public int cuMemHostGetDevicePointer_v2(MemorySegment out, MemorySegment host, int flags) {
    return giveLong(inContext("cuMemHostGetDevicePointer_v2"), out, host.address());
  }

  public int cuPointerGetAttribute(MemorySegment out, int attribute, long address) {
    int result = result("cuPointerGetAttribute");
    return attribute == 2 ? giveInt(result, out, 2) : giveLong(result, out, address);
  }

  public int cuMemcpyHtoD_v2(long target, MemorySegment source, long bytes) {
    copyBytes(target, source.address(), bytes);
    return inContext("cuMemcpyHtoD_v2");
  }

  public int cuMemcpyDtoH_v2(MemorySegment target, long source, long bytes) {
    copyBytes(target.address(), source, bytes);
    return inContext("cuMemcpyDtoH_v2");
  }

  public int cuMemcpyDtoD_v2(long target, long source, long bytes) {
    copyBytes(target, source, bytes);
    return inContext("cuMemcpyDtoD_v2");
  }

  public int cuMemcpyHtoDAsync_v2(long target, MemorySegment source, long bytes, long stream) {
    copyBytes(target, source.address(), bytes);
    return onStream("cuMemcpyHtoDAsync_v2", stream);
  }

  public int cuMemcpyDtoHAsync_v2(MemorySegment target, long source, long bytes, long stream) {
    copyBytes(target.address(), source, bytes);
    return onStream("cuMemcpyDtoHAsync_v2", stream);
  }

  public int cuMemcpyDtoDAsync_v2(long target, long source, long bytes, long stream) {
    copyBytes(target, source, bytes);
    return onStream("cuMemcpyDtoDAsync_v2", stream);
  }

  public int cuMemsetD8Async(long target, byte value, long count, long stream) {
    MemorySegment.ofAddress(target).reinterpret(count).fill(value);
    return onStream("cuMemsetD8Async", stream);
  }

  public int cuMemsetD32Async(long target, int value, long count, long stream) {
    MemorySegment words = MemorySegment.ofAddress(target).reinterpret(count * 4);
    for (long i = 0; i < count; i++) {
      words.setAtIndex(JAVA_INT, i, value);
    }
    return onStream("cuMemsetD32Async", stream);
  }

  int onStream(String function, long stream) {
    int result = inContext(function);
    return stream == STREAM || stream == 0 ? result : 400; // CUDA_ERROR_INVALID_HANDLE
  }

  public int cuStreamCreateWithPriority(MemorySegment out, int flags, int priority) {
    return flags == 1 ? giveLong(inContext("cuStreamCreateWithPriority"), out, STREAM) : 1;
  }

  public int cuStreamDestroy_v2(long stream) {
    return onStream("cuStreamDestroy_v2", stream);
  }

  public int cuStreamQuery(long stream) {
    int result = onStream("cuStreamQuery", stream);
    return result == 0 && !ready ? 600 : result;
  }

  public int cuStreamIsCapturing(long stream, MemorySegment out) {
    return giveInt(onStream("cuStreamIsCapturing", stream), out, 1);
  }

  public int cuStreamBeginCapture_v2(long stream, int mode) {
    return mode == 1 ? onStream("cuStreamBeginCapture_v2", stream) : 1;
  }

  public int cuStreamEndCapture(long stream, MemorySegment out) {
    return giveLong(onStream("cuStreamEndCapture", stream), out, GRAPH);
  }

  public int cuGraphGetNodes(long graph, MemorySegment nodes, MemorySegment count) {
    boolean asked = graph == GRAPH && nodes.address() == 0;
    return asked ? giveLong(inContext("cuGraphGetNodes"), count, 3) : 1;
  }

  public int cuGraphInstantiateWithFlags(MemorySegment out, long graph, long flags) {
    boolean asked = graph == GRAPH && flags == 0;
    return asked ? giveLong(inContext("cuGraphInstantiateWithFlags"), out, GRAPH_EXEC) : 1;
  }

  public int cuGraphLaunch(long graph, long stream) {
    return graph == GRAPH_EXEC ? onStream("cuGraphLaunch", stream) : 400;
  }

  public int cuGraphExecDestroy(long graph) {
    return graph == GRAPH_EXEC ? inContext("cuGraphExecDestroy") : 400;
  }

  public int cuGraphDestroy(long graph) {
    return graph == GRAPH ? inContext("cuGraphDestroy") : 400;
  }

  /** Exchanges the mode with that of the thread; it is 0 at first, "global". */
  public int cuThreadExchangeStreamCaptureMode(MemorySegment mode) {
    int before = captureMode.get();
    captureMode.set(mode.reinterpret(4).get(JAVA_INT, 0));
    return giveInt(result("cuThreadExchangeStreamCaptureMode"), mode, before);
  }

  public int cuStreamSynchronize(long stream) {
    return onStream("cuStreamSynchronize", stream);
  }

  public int cuStreamWaitEvent(long stream, long event, int flags) {
    return event == EVENT ? onStream("cuStreamWaitEvent", stream) : 400;
  }

  public int cuStreamWaitValue32_v2(long stream, long address, int value, int flags) {
    int word = MemorySegment.ofAddress(address).reinterpret(4).get(JAVA_INT, 0);
    return flags == 1 && word == value ? onStream("cuStreamWaitValue32_v2", stream) : 1;
  }

  public int cuStreamWaitValue64_v2(long stream, long address, long value, int flags) {
    long word = MemorySegment.ofAddress(address).reinterpret(8).get(JAVA_LONG, 0);
    return flags == 0 && word >= value ? onStream("cuStreamWaitValue64_v2", stream) : 1;
  }

  public int cuStreamWriteValue32_v2(long stream, long address, int value, int flags) {
    MemorySegment.ofAddress(address).reinterpret(4).set(JAVA_INT, 0, value);
    return onStream("cuStreamWriteValue32_v2", stream);
  }

  public int cuStreamWriteValue64_v2(long stream, long address, long value, int flags) {
    MemorySegment.ofAddress(address).reinterpret(8).set(JAVA_LONG, 0, value);
    return onStream("cuStreamWriteValue64_v2", stream);
  }

  public int cuEventCreate(MemorySegment out, int flags) {
    return giveLong(inContext("cuEventCreate"), out, EVENT);
  }

  public int cuEventRecord(long event, long stream) {
    return event == EVENT ? onStream("cuEventRecord", stream) : 400;
  }

  public int cuEventQuery(long event) {
    int result = inContext("cuEventQuery");
    return result == 0 && !ready ? 600 : result;
  }

  public int cuEventSynchronize(long event) {
    return event == EVENT ? inContext("cuEventSynchronize") : 400;
  }

  public int cuEventElapsedTime(MemorySegment out, long start, long end) {
    out.reinterpret(4).set(JAVA_FLOAT, 0, 1.5f);
    return inContext("cuEventElapsedTime");
  }

  public int cuEventDestroy_v2(long event) {
    return event == EVENT ? inContext("cuEventDestroy_v2") : 400;
  }

  public int cuModuleLoadDataEx(
      MemorySegment out,
      MemorySegment image,
      int count,
      MemorySegment options,
      MemorySegment values) {
    int[] codes = options.reinterpret(4L * count).toArray(JAVA_INT);
    long[] pointers = values.reinterpret(8L * count).toArray(JAVA_LONG);
    int result = inContext("cuModuleLoadDataEx");
    for (int i = 0; i < count; i++) {
      if (codes[i] == 5) { // CU_JIT_ERROR_LOG_BUFFER
        String log = result == 0 ? "" : "ptxas fatal : bad image";
        MemorySegment.ofAddress(pointers[i]).reinterpret(256).setString(0, log);
      }
      if (codes[i] == 3) { // CU_JIT_INFO_LOG_BUFFER
        MemorySegment.ofAddress(pointers[i]).reinterpret(256).setString(0, "loaded " + text(image));
      }
    }
    return giveLong(result, out, MODULE);
  }

  static String text(MemorySegment pointer) {
    return pointer.reinterpret(1 << 16).getString(0);
  }

  public int cuModuleUnload(long module) {
    return module == MODULE ? inContext("cuModuleUnload") : 400;
  }

  public int cuModuleGetFunction(MemorySegment out, long module, MemorySegment name) {
    boolean known = module == MODULE && text(name).equals("kernel");
    return known ? giveLong(inContext("cuModuleGetFunction"), out, FUNCTION) : 500;
  }

  public int cuModuleGetGlobal_v2(
      MemorySegment out, MemorySegment bytes, long module, MemorySegment name) {
    if (module != MODULE || !text(name).equals("table")) {
      return 500; // CUDA_ERROR_NOT_FOUND
    }
    giveLong(0, bytes, 24);
    return giveLong(inContext("cuModuleGetGlobal_v2"), out, 0xABCDEF00L);
  }

  public int cuLinkCreate_v2(
      int count, MemorySegment options, MemorySegment values, MemorySegment out) {
    return giveLong(inContext("cuLinkCreate_v2"), out, LINKER);
  }

  /** Linking, here, is putting the objects one after another. */
  public int cuLinkAddData_v2(
      long state,
      int type,
      MemorySegment data,
      long bytes,
      MemorySegment name,
      int count,
      MemorySegment options,
      MemorySegment values) {
    if (state != LINKER || type != 0 || text(name).isEmpty()) {
      return 1; // CUDA_ERROR_INVALID_VALUE
    }
    linked.writeBytes(data.reinterpret(bytes).toArray(JAVA_BYTE));
    return inContext("cuLinkAddData_v2");
  }

  public int cuLinkComplete(long state, MemorySegment image, MemorySegment bytes) {
    MemorySegment all = Arena.ofAuto().allocateFrom(JAVA_BYTE, linked.toByteArray());
    images.add(all);
    giveLong(0, bytes, all.byteSize());
    return giveLong(inContext("cuLinkComplete"), image, all.address());
  }

  public int cuLinkDestroy(long state) {
    linked.reset();
    return state == LINKER ? inContext("cuLinkDestroy") : 400;
  }

  public int cuFuncGetAttribute(MemorySegment out, int attribute, long function) {
    return giveInt(inContext("cuFuncGetAttribute"), out, attribute == 4 ? 64 : -1);
  }

  public int cuFuncSetAttribute(long function, int attribute, int value) {
    boolean right = function == FUNCTION && attribute == 9 && value == 100;
    return right ? inContext("cuFuncSetAttribute") : 1;
  }

  public int cuFuncSetCacheConfig(long function, int preference) {
    return function == FUNCTION && preference == 1 ? inContext("cuFuncSetCacheConfig") : 1;
  }

  public int cuOccupancyMaxActiveBlocksPerMultiprocessor(
      MemorySegment out, long function, int threads, long shared) {
    return giveInt(
        inContext("cuOccupancyMaxActiveBlocksPerMultiprocessor"),
        out,
        (int) (2048 / threads + shared));
  }

  public int cuLaunchKernel(
      long function,
      int gridX,
      int gridY,
      int gridZ,
      int blockX,
      int blockY,
      int blockZ,
      int shared,
      long stream,
      MemorySegment parameters,
      MemorySegment extra) {
    int[] shape = {gridX, gridY, gridZ, blockX, blockY, blockZ, shared};
    launches.add(Arrays.toString(shape) + parameters(parameters) + extra.address());
    return onStream("cuLaunchKernel", stream);
  }

  public int cuLaunchKernelEx(
      MemorySegment config, long function, MemorySegment parameters, MemorySegment extra) {
    MemorySegment struct = config.reinterpret(56);
    int[] shape = struct.asSlice(0, 28).toArray(JAVA_INT);
    MemorySegment attribute = struct.get(ADDRESS, 40).reinterpret(72);
    launches.add(
        String.format(
            Locale.ROOT,
            "%s%s attribute %d=%d of %d",
            Arrays.toString(shape),
            parameters(parameters),
            attribute.get(JAVA_INT, 0),
            attribute.get(JAVA_INT, 8),
            struct.get(JAVA_INT, 48)));
    return onStream("cuLaunchKernelEx", struct.get(JAVA_LONG, 32));
  }

  /** The first two parameters: an address of 8 bytes and a number of 4. */
  private static String parameters(MemorySegment pointers) {
    MemorySegment two = pointers.reinterpret(16);
    return String.format(
        Locale.ROOT,
        "(%d, %d)",
        two.getAtIndex(ADDRESS, 0).reinterpret(8).get(JAVA_LONG, 0),
        two.getAtIndex(ADDRESS, 1).reinterpret(4).get(JAVA_INT, 0));
  }
}
