package io.gpuos.python;

import io.gpuos.error.GpuosException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.ConcurrentHashMap;

/** Texts that cross to C: UTF-8, ended by a zero byte. Thread-safe. */
final class Texts {

  /** What C holds, by address. The collector frees a text some time after it was given back. */
  private static final Map<Long, MemorySegment> HELD = new ConcurrentHashMap<>();

  private static final MemorySegment NO_MEMORY =
      Arena.global().allocateFrom("OutOfMemoryError\nno memory for the text of an error");

  private Texts() {}

  /** The address of a copy of {@code text} that lives until {@link #free}. */
  static long give(String text) {
    MemorySegment segment = Arena.ofAuto().allocateFrom(text.replace('\0', ' '));
    HELD.put(segment.address(), segment);
    return segment.address();
  }

  /** Takes a text back. Unknown addresses are passed over. */
  static void free(long address) {
    HELD.remove(address);
  }

  /** Reads {@code length} bytes from memory of the caller. */
  static String read(long address, long length) {
    byte[] bytes = new byte[Math.toIntExact(length)];
    MemorySegment.copy(
        MemorySegment.ofAddress(address).reinterpret(length),
        0,
        MemorySegment.ofArray(bytes),
        0,
        length);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /**
   * The address of a text that names an error: a line with its type and supertypes up to {@link
   * GpuosException}, nearest first and separated by spaces, then the message; for what is not of
   * GPUOS, the stack trace. Never throws.
   */
  static long error(Throwable failure) {
    try {
      return give(types(failure) + "\n" + message(failure));
    } catch (Throwable _) {
      return NO_MEMORY.address();
    }
  }

  private static String types(Throwable failure) {
    StringJoiner names = new StringJoiner(" ");
    for (Class<?> type = failure.getClass();
        type != RuntimeException.class && type != Error.class && type != Throwable.class;
        type = type.getSuperclass()) {
      names.add(type.getSimpleName());
    }
    return names.toString();
  }

  private static String message(Throwable failure) {
    if (failure instanceof GpuosException) {
      return failure.getMessage();
    }
    StringWriter trace = new StringWriter();
    failure.printStackTrace(new PrintWriter(trace));
    return "defect of GPUOS: " + trace.toString().strip();
  }
}
