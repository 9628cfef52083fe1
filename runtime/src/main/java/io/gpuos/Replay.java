package io.gpuos;

import io.gpuos.queue.Access;
import io.gpuos.queue.SegmentBatch;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.schedule.Place;
import java.util.ArrayList;
import java.util.List;

/** A program with its tensors: all a submission needs. Holds their memory until closed. */
final class Replay {

  /** Where a buffer of the program lies: {@code offset} bytes into an allocation. */
  record Base(Storage storage, long offset) {
    long address() {
      return storage.block().address() + offset;
    }

    Access access(Place place) {
      boolean empty = place.layout().isZeroSize();
      return new Access(
          storage.block().history(),
          empty ? 0 : offset + place.begin(),
          empty ? 0 : offset + place.end());
    }
  }

  private final SubmissionRing ring;
  private final Tensor[] inputs;
  private final Tensor[] outputs;
  private final List<Storage> memory;
  private final Storage bindings;
  private final SegmentBatch batch;

  /**
   * @param bases of the plan's buffers; null for those that no node uses
   * @param uses of memory from outside
   * @param memory uses of the tensors' memory, taken over unless this throws
   */
  Replay(
      SubmissionRing ring,
      ProgramCode code,
      Base[] bases,
      Iterable<Program.Use> uses,
      Storage slab,
      Tensor[] inputs,
      Tensor[] outputs,
      List<Storage> memory) {
    this.ring = ring;
    this.inputs = inputs;
    this.outputs = outputs;
    this.memory = memory;
    long[] addresses = new long[bases.length];
    for (int b = 0; b < bases.length; b++) {
      addresses[b] = bases[b] == null ? 0 : bases[b].address();
    }
    this.bindings = code.bindings(slab, addresses);
    List<Access> reads = new ArrayList<>();
    List<Access> writes = new ArrayList<>();
    reads.add(ProgramCode.whole(code.image()));
    reads.add(ProgramCode.whole(bindings));
    writes.add(ProgramCode.whole(slab));
    for (Program.Use use : uses) {
      (use.write() ? writes : reads).add(bases[use.place().buffer()].access(use.place()));
    }
    this.batch =
        new SegmentBatch(
            code.parts(),
            bindings.block().address(),
            reads.toArray(Access[]::new),
            writes.toArray(Access[]::new));
  }

  /** Whether these very tensors are its operands. */
  boolean isFor(Tensor[] otherInputs, Tensor[] otherOutputs) {
    return same(inputs, otherInputs) && same(outputs, otherOutputs);
  }

  private static boolean same(Tensor[] a, Tensor[] b) {
    for (int k = 0; k < a.length; k++) {
      if (a[k] != b[k]) {
        return false;
      }
    }
    return true;
  }

  /** Submits all segments; sequence of the last one, or one long complete if there is none. */
  long submit() {
    return ring.submit(batch);
  }

  /** Gives up the tensors' memory; what was submitted is not disturbed. Once. */
  void close() {
    ring.close(batch);
    bindings.release();
    memory.forEach(Storage::release);
  }
}
