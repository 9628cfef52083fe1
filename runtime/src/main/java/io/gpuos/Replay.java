package io.gpuos;

import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.queue.Access;
import io.gpuos.queue.AnalysedBatch;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.schedule.Buffer;
import io.gpuos.schedule.Node;
import io.gpuos.schedule.Place;
import io.gpuos.schedule.Plan;
import io.gpuos.schedule.Slot;
import java.util.ArrayList;
import java.util.List;

/**
 * A program with its tensors: all a submission needs. Holds their memory until closed. How a plan
 * comes to the workers is known here only.
 */
final class Replay {

  /** Where a buffer of the program lies: {@code offset} bytes into an allocation. */
  record Base(Storage storage, long offset) {
    long address(Place place) {
      return storage.block().address() + offset + place.offset();
    }

    Operands.Operand operand(Place place) {
      boolean empty = place.layout().isZeroSize();
      return new Operands.Operand(
          address(place),
          new Access(
              storage.block().history(),
              empty ? 0 : offset + place.begin(),
              empty ? 0 : offset + place.end()));
    }
  }

  private final SubmissionRing ring;
  private final Tensor[] inputs;
  private final Tensor[] outputs;
  private final List<Storage> memory;
  private final AnalysedBatch batch;
  private final boolean empty;

  /**
   * @param bindings of the plan's nodes
   * @param bases of the plan's buffers; null for those that no node uses
   * @param memory uses of the tensors' memory, taken over
   */
  Replay(
      SubmissionRing ring,
      Plan plan,
      List<Binding> bindings,
      Base[] bases,
      Storage slab,
      Tensor[] inputs,
      Tensor[] outputs,
      List<Storage> memory) {
    this.ring = ring;
    this.inputs = inputs;
    this.outputs = outputs;
    this.memory = memory;
    List<Invocation> invocations = new ArrayList<>();
    for (int n = 0; n < bindings.size(); n++) {
      for (Binding.Step step : bindings.get(n).steps()) {
        if (step.positions() != 0) {
          Node node = plan.nodes().get(n);
          List<Slot> scratch = plan.scratch().get(n);
          List<Place> reads = List.copyOf(node.reads());
          invocations.add(
              Operands.invocation(
                  step,
                  source ->
                      switch (source) {
                        case Source.Input(int index) -> operand(bases, reads.get(index));
                        case Source.Output(int index) -> operand(bases, node.outputs().get(index));
                        case Source.Temporary(int index) -> operand(slab, scratch.get(index));
                      }));
        }
      }
    }
    this.empty = invocations.isEmpty();
    this.batch = AnalysedBatch.of(invocations);
  }

  private static Operands.Operand operand(Base[] bases, Place place) {
    return bases[place.buffer()].operand(place);
  }

  private static Operands.Operand operand(Storage slab, Slot slot) {
    return new Operands.Operand(
        slab.block().address() + slot.offset(),
        new Access(slab.block().history(), slot.offset(), slot.offset() + slot.bytes()));
  }

  /** Bases of temporaries; those of other buffers are for the caller to fill in. */
  static Base[] bases(Plan plan, Storage slab) {
    Base[] bases = new Base[plan.buffers().size()];
    for (int b = 0; b < bases.length; b++) {
      if (plan.buffers().get(b).kind() == Buffer.Kind.TEMPORARY) {
        bases[b] = new Base(slab, plan.slots().get(b).offset());
      }
    }
    return bases;
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

  /** Submits all tasks, in order; sequence of the last one. */
  long submit() {
    return empty ? ring.beforeAll() : ring.submit(batch);
  }

  /** Gives up the tensors' memory; what was submitted is not disturbed. Once. */
  void close() {
    ring.close(batch);
    memory.forEach(Storage::release);
  }
}
