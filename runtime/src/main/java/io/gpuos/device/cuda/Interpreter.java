package io.gpuos.device.cuda;

import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaStream;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.interpret.InterpreterProgram;
import io.gpuos.ir.Kernel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Computes elementwise kernels before they are compiled: an operator whose argument is a program in
 * device memory. The interpreter itself is compiled and brought in like any operator, in the
 * background; until then nothing can be interpreted. Thread-safe; called with the context current.
 */
final class Interpreter implements AutoCloseable {

  private static final long CHUNK_BYTES = 1 << 20;
  private static final int ALIGNMENT = 16;

  private final CudaContext context;
  private final CudaStream stream;
  private final CompletableFuture<Code.Function> function;
  private final List<Long> chunks = new ArrayList<>();
  private long next;
  private long end;

  /**
   * @param function the interpreter's own code, once it has been brought in
   */
  Interpreter(CudaContext context, CompletableFuture<Code.Function> function) {
    this.context = context;
    this.stream = context.newStream();
    this.function = function;
  }

  /** Code that interprets {@code kernel}; empty if that cannot be done, or not yet. */
  Optional<Code> code(Kernel kernel) {
    if (!function.isDone() || function.isCompletedExceptionally()) {
      return Optional.empty();
    }
    if (!(InterpreterProgram.encode(kernel) instanceof InterpreterProgram program)) {
      return Optional.empty();
    }
    try {
      return Optional.of(Code.of(function.join(), place(program.bytes())));
    } catch (OutOfMemoryException _) {
      // The compiled operator may need less; if not, it says so.
      return Optional.empty();
    }
  }

  /** Copies a program to memory that is never used again. */
  private synchronized long place(byte[] program) {
    if (next + program.length > end) {
      next = context.memory().allocate(CHUNK_BYTES);
      end = next + CHUNK_BYTES;
      chunks.add(next);
    }
    long target = next;
    next += Math.ceilDiv(program.length, ALIGNMENT) * (long) ALIGNMENT;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment staging = arena.allocate(program.length, ALIGNMENT);
      staging.copyFrom(MemorySegment.ofArray(program));
      stream.copyToDevice(target, staging);
      stream.synchronize();
    }
    return target;
  }

  @Override
  public synchronized void close() {
    chunks.forEach(context.memory()::free);
    chunks.clear();
    stream.close();
  }
}
