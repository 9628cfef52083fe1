package io.gpuos.device.cuda;

import io.gpuos.abi.EntryRecord;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaStream;
import io.gpuos.inject.OperatorTable;
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

  Aliases(CudaContext context, WorkerMemory memory) {
    this.memory = memory;
    this.stream = context.newStream();
  }

  @Override
  public synchronized void turn(int operator, Code code) {
    write(operator, code);
    stream.synchronize();
    current.put(operator, code);
  }

  private void write(int operator, Code code) {
    long entry = memory.entry(operator);
    if (code.argument() != 0) {
      // Of all generations of an operator at most one takes an argument, so the others do not mind.
      stream.writeValue64(entry + EntryRecord.ARGUMENT, code.argument());
    }
    stream.writeValue64(entry + EntryRecord.ALIAS, code.address());
  }

  /** Writes every alias again after {@code move} has moved functions. No worker may be resident. */
  synchronized void rewrite(Runnable move) {
    move.run();
    current.forEach(this::write);
    stream.synchronize();
  }

  @Override
  public synchronized void close() {
    stream.close();
  }
}
