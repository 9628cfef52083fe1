package io.gpuos.device.cuda;

import io.gpuos.abi.EntryRecord;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaStream;
import io.gpuos.inject.OperatorTable;

/**
 * The aliases in device memory, written by the driver's stream memory operations while workers read
 * them. Thread-safe; called with the context current.
 */
final class Aliases implements OperatorTable.Aliases<Code>, AutoCloseable {

  private final WorkerMemory memory;
  private final CudaStream stream;

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
    }
    stream.writeValue64(entry + EntryRecord.ALIAS, code.address());
    stream.synchronize();
  }

  @Override
  public synchronized void close() {
    stream.close();
  }
}
