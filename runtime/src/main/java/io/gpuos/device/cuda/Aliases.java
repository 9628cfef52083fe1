package io.gpuos.device.cuda;

import io.gpuos.abi.EntryRecord;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaStream;
import io.gpuos.inject.OperatorTable;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;

/**
 * The aliases in device memory, written by the driver's stream memory operations while workers read
 * them. Thread-safe; called with the context current.
 */
final class Aliases implements OperatorTable.Aliases<Code>, AutoCloseable {

  private final WorkerMemory memory;
  private final CudaStream stream;
  private final Map<Integer, Code> current = new HashMap<>();

  /**
   * What each operator was last handed. Kept when a generation without an argument follows: a
   * worker reads alias and argument by two loads, so a rollback must find the argument in its
   * place.
   */
  private final Map<Integer, Long> arguments = new HashMap<>();

  Aliases(CudaContext context, WorkerMemory memory) {
    this.memory = memory;
    this.stream = context.newStream();
  }

  @Override
  public synchronized void turn(int operator, Code code) {
    long entry = memory.entry(operator);
    if (code.argument() != 0) {
      // Of all generations of an operator at most one takes an argument, so the others do not mind.
      stream.writeValue64(entry + EntryRecord.ARGUMENT, code.argument());
      arguments.put(operator, code.argument());
    }
    stream.writeValue64(entry + EntryRecord.ALIAS, code.address());
    stream.synchronize();
    current.put(operator, code);
  }

  /**
   * Writes every alias again after {@code move} has moved functions, by one copy as a rule. No
   * worker may be resident.
   *
   * @param staging pinned memory for the copy, at least one record's
   */
  synchronized void rewrite(Runnable move, MemorySegment staging) {
    move.run();
    int end = current.keySet().stream().mapToInt(operator -> operator + 1).max().orElse(0);
    int room = (int) (staging.byteSize() / EntryRecord.BYTES);
    for (int from = 0; from < end; from += room) {
      int count = Math.min(room, end - from);
      MemorySegment entries = staging.asSlice(0, (long) count * EntryRecord.BYTES);
      for (int k = 0; k < count; k++) {
        fill(entries, (long) k * EntryRecord.BYTES, from + k);
      }
      stream.copyToDevice(memory.entry(from), entries);
      stream.synchronize();
    }
  }

  private void fill(MemorySegment entries, long at, int operator) {
    Code code = current.get(operator);
    entries.set(ValueLayout.JAVA_LONG, at + EntryRecord.ALIAS, code == null ? 0 : code.address());
    entries.set(
        ValueLayout.JAVA_LONG, at + EntryRecord.ARGUMENT, arguments.getOrDefault(operator, 0L));
  }

  @Override
  public synchronized void close() {
    stream.close();
  }
}
