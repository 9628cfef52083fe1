package io.gpuos.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.error.CompileException;
import io.gpuos.error.DeviceUnavailableException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * The run-time compiler from CUDA C++ to machine code. Needs no GPU and no driver.
 *
 * <p>Thread-safe. A compile takes 10 to 100 ms and some hundred MB while it runs, so only {@link
 * #concurrency} run at once (property {@code gpuos.compile.concurrency}); further callers wait.
 * Give the calling thread a stack of a few MB where sources nest deeply: the compiler recurses on
 * it.
 */
public final class Nvrtc {

  /** How long the end of the process waits for compiles at most. */
  private static final int END_SECONDS = 30;

  private static final int SUCCESS = 0; // NVRTC_SUCCESS, nvrtc.h

  private static volatile Nvrtc instance;

  private final String path;
  private final SymbolLookup library;
  private final Version version;

  /** A compile takes a processor, and some hundred MB of memory. */
  private static final int CONCURRENCY =
      Math.max(
          1,
          Integer.getInteger(
              "gpuos.compile.concurrency",
              Math.clamp(Runtime.getRuntime().availableProcessors() / 4, 2, 4)));

  /** Fair, so that the end of the process comes to its turn. */
  private final Semaphore permits = new Semaphore(CONCURRENCY, true);

  /** Linked functions by name. Linking waits for the first use: a warm start compiles nothing. */
  private final ConcurrentHashMap<String, MethodHandle> functions = new ConcurrentHashMap<>();

  private Nvrtc(String path, SymbolLookup library) {
    this.path = path;
    this.library = library;
    this.version = version(library);
  }

  /** Version of the compiler, which is that of its CUDA toolkit. */
  public record Version(int major, int minor) {
    @Override
    public String toString() {
      return major + "." + minor;
    }
  }

  /** What to make of a source. */
  public enum Target {
    /** Machine code; wants {@code --gpu-architecture=sm_XX}. */
    CUBIN("nvrtcGetCUBINSize", "nvrtcGetCUBIN"),
    /** PTX text, to look at; the runtime itself never loads it. */
    PTX("nvrtcGetPTXSize", "nvrtcGetPTX");

    private final String size;
    private final String contents;

    Target(String size, String contents) {
      this.size = size;
      this.contents = contents;
    }
  }

  /**
   * Result of a compile.
   *
   * @param code machine code, or PTX text with its closing NUL
   * @param log warnings and remarks; empty when there are none
   */
  public record Compiled(byte[] code, String log) {}

  /**
   * The compiler, loaded at the first successful call; cheap after.
   *
   * @throws DeviceUnavailableException no usable library; the message says why
   */
  public static Nvrtc open() {
    Nvrtc open = instance;
    return open != null ? open : load();
  }

  private static synchronized Nvrtc load() {
    if (instance == null) {
      NativeLibrary library = LibrarySearch.find(Library.NVRTC, Surroundings.ofProcess()).orThrow();
      Nvrtc loaded = new Nvrtc(library.path(), library);
      Runtime.getRuntime().addShutdownHook(new Thread(loaded::awaitEnd, "gpuos-nvrtc-end"));
      instance = loaded;
    }
    return instance;
  }

  /**
   * Why this library cannot be the compiler; empty when nothing speaks against it. Its built-in
   * declarations come in a second file that must be of the very same version, so only the one
   * beside it will do; that one is loaded here, before the compiler looks for any.
   */
  static Optional<String> defect(NativeLibrary library) {
    if (library.find("nvrtcVersion").isEmpty()) {
      return Optional.of("exports no nvrtcVersion");
    }
    Optional<Path> file = Surroundings.path(library.path());
    if (file.isEmpty()) {
      return Optional.of(Surroundings.noPath("file", library.path()));
    }
    Path builtins = file.get().resolveSibling("libnvrtc-builtins.so." + version(library));
    if (!Files.exists(builtins)) {
      return Optional.of("no " + builtins.getFileName() + " beside " + library.path());
    }
    return Optional.ofNullable(NativeLibrary.open(builtins.toString()).reason());
  }

  /**
   * Lets compiles that have begun come to their end, and no other begin: the process ends with the
   * destructors of this library, and a compile that still runs then dies of it, with the process.
   */
  private void awaitEnd() {
    try {
      permits.tryAcquire(CONCURRENCY, END_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  /** How many compiles run at the same time at most; more wait for their turn. */
  public static int concurrency() {
    return CONCURRENCY;
  }

  /** File the compiler was loaded from. */
  public String libraryPath() {
    return path;
  }

  /** Version of the compiler. */
  public Version version() {
    return version;
  }

  /** Architectures it makes machine code for, as {@code sm_90}, ascending. */
  public List<String> architectures() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(JAVA_INT);
      check("nvrtcGetNumSupportedArchs", call(link("nvrtcGetNumSupportedArchs", ADDRESS), count));
      MemorySegment numbers = arena.allocate(JAVA_INT, count.get(JAVA_INT, 0));
      check("nvrtcGetSupportedArchs", call(link("nvrtcGetSupportedArchs", ADDRESS), numbers));
      return IntStream.of(numbers.toArray(JAVA_INT)).sorted().mapToObj(n -> "sm_" + n).toList();
    }
  }

  /**
   * Compiles a source.
   *
   * @param source CUDA C++
   * @param name what log lines call the source, such as {@code add.cu}
   * @param headers text by the name it is included by; nothing is read from disk unless an option
   *     says so
   * @param options such as {@code --gpu-architecture=sm_90}
   * @throws CompileException the source or an option was refused; the first line of the message
   *     names the file, line and error, and the log follows
   */
  public Compiled compile(
      String source,
      String name,
      Map<String, String> headers,
      List<String> options,
      Target target) {
    permits.acquireUninterruptibly();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment program = create(arena, source, name, headers);
      try {
        return compile(arena, program.get(JAVA_LONG, 0), name, options, target);
      } finally {
        call(link("nvrtcDestroyProgram", ADDRESS), program);
      }
    } finally {
      permits.release();
    }
  }

  private MemorySegment create(
      Arena arena, String source, String name, Map<String, String> headers) {
    List<String> names = List.copyOf(headers.keySet());
    MemorySegment program = arena.allocate(ADDRESS);
    int code =
        call(
            link("nvrtcCreateProgram", ADDRESS, ADDRESS, ADDRESS, JAVA_INT, ADDRESS, ADDRESS),
            program,
            arena.allocateFrom(source),
            arena.allocateFrom(name),
            names.size(),
            strings(arena, names.stream().map(headers::get).toList()),
            strings(arena, names));
    check("nvrtcCreateProgram", code);
    return program;
  }

  private Compiled compile(
      Arena arena, long program, String name, List<String> options, Target target) {
    MethodHandle compile = link("nvrtcCompileProgram", JAVA_LONG, JAVA_INT, ADDRESS);
    int code = call(compile, program, options.size(), strings(arena, options));
    String log = log(arena, program);
    if (code != SUCCESS) {
      throw new CompileException(CompileLog.message(name, errorText(code), options, log));
    }
    return new Compiled(contents(arena, program, target), log);
  }

  private String log(Arena arena, long program) {
    MemorySegment text = bytes(arena, program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
    return text.byteSize() == 0 ? "" : text.getString(0).strip();
  }

  private byte[] contents(Arena arena, long program, Target target) {
    MemorySegment contents = bytes(arena, program, target.size, target.contents);
    if (contents.byteSize() == 0) {
      throw new CompileException(
          "compiler made no " + target + ": expected=option --gpu-architecture=sm_XX");
    }
    return contents.toArray(JAVA_BYTE);
  }

  /** What a pair of NVRTC functions gives: one says the size, the other fills that many bytes. */
  private MemorySegment bytes(Arena arena, long program, String sizeOf, String contentsOf) {
    MemorySegment size = arena.allocate(JAVA_LONG);
    check(sizeOf, call(link(sizeOf, JAVA_LONG, ADDRESS), program, size));
    MemorySegment contents = arena.allocate(size.get(JAVA_LONG, 0));
    if (contents.byteSize() > 0) {
      check(contentsOf, call(link(contentsOf, JAVA_LONG, ADDRESS), program, contents));
    }
    return contents;
  }

  private static MemorySegment strings(Arena arena, List<String> texts) {
    MemorySegment pointers = arena.allocate(ADDRESS, Math.max(1, texts.size()));
    for (int i = 0; i < texts.size(); i++) {
      pointers.setAtIndex(ADDRESS, i, arena.allocateFrom(texts.get(i)));
    }
    return pointers;
  }

  private static Version version(SymbolLookup library) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(JAVA_INT, 2);
      call(link(library, "nvrtcVersion", JAVA_INT, ADDRESS, ADDRESS), out, out.asSlice(4));
      return new Version(out.getAtIndex(JAVA_INT, 0), out.getAtIndex(JAVA_INT, 1));
    }
  }

  private void check(String call, int code) {
    if (code != SUCCESS) {
      throw new CompileException(
          "compiler call failed: call=%s, error=%s, expected=NVRTC_SUCCESS"
              .formatted(call, errorText(code)));
    }
  }

  private String errorText(int code) {
    MethodHandle text = link(library, "nvrtcGetErrorString", ADDRESS, JAVA_INT);
    try {
      return Libc.string((MemorySegment) text.invokeExact(new Object[] {code}));
    } catch (Throwable e) {
      throw Libc.rethrow(e);
    }
  }

  private static int call(MethodHandle function, Object... arguments) {
    try {
      return (int) function.invokeExact(arguments);
    } catch (Throwable e) {
      throw Libc.rethrow(e);
    }
  }

  private MethodHandle link(String symbol, MemoryLayout... arguments) {
    return functions.computeIfAbsent(symbol, _ -> link(library, symbol, JAVA_INT, arguments));
  }

  private static MethodHandle link(
      SymbolLookup library, String symbol, MemoryLayout result, MemoryLayout... arguments) {
    MemorySegment address =
        library
            .find(symbol)
            .orElseThrow(
                () ->
                    new DeviceUnavailableException(
                        "compiler too old: function=" + symbol + ", expected=CUDA 12 or newer"));
    return Linker.nativeLinker()
        .downcallHandle(address, FunctionDescriptor.of(result, arguments))
        .asSpreader(Object[].class, arguments.length);
  }

  @Override
  public String toString() {
    return "NVRTC " + version + " (" + path + ")";
  }
}
