package io.gpuos;

import io.gpuos.queue.Invocation;
import io.gpuos.queue.SubmissionRing;
import java.util.ArrayList;
import java.util.List;

/** Submits a call together with the candidate on the same inputs and a copy of its result. */
final class SampledCall {

  private SampledCall() {}

  /**
   * Submits all three as one, if the ring has room. The candidate comes last, so that nothing that
   * waits for the call waits for it; first if the call may overwrite what the candidate is to read.
   *
   * @param bytes given back to {@code candidate} when the sample is over, if it was submitted
   * @return sequence of the call's last task; {@link SubmissionRing#beforeAll} if nothing was
   *     submitted
   */
  static long submit(Candidate candidate, Operator operator, Call call, long bytes) {
    call.retain();
    List<Tensor> operands = new ArrayList<>();
    try {
      Tensor[] inputs = call.inputs();
      for (int k = 0; k < inputs.length; k++) {
        inputs[k] = inputs[k].again();
        operands.add(inputs[k]);
      }
      Tensor output = call.outputs().getFirst().again();
      operands.add(output);
      return submit(candidate, operator, call, inputs, output, bytes);
    } finally {
      operands.forEach(Tensor::close);
      call.release();
    }
  }

  private static long submit(
      Candidate candidate,
      Operator operator,
      Call call,
      Tensor[] inputs,
      Tensor output,
      long bytes) {
    Gpuos runtime = candidate.runtime();
    Tensor tried = null;
    Tensor current = null;
    boolean submitted = false;
    try {
      tried = runtime.empty(output.dtype(), output.shape());
      current = runtime.empty(output.dtype(), output.shape());
      try (Call trial = Call.create(runtime, operator, new Tensor[] {tried}, inputs);
          Call copy =
              Call.create(runtime, Tensor.COPY, new Tensor[] {current}, new Tensor[] {output})) {
        Sample sample = new Sample(candidate, current, tried, bytes);
        long last = submit(runtime, call, trial, copy, overwrites(output, inputs), sample);
        submitted = last != runtime.device().ring().beforeAll();
        return last;
      }
    } finally {
      if (!submitted) {
        close(tried);
        close(current);
      }
    }
  }

  private static long submit(
      Gpuos runtime, Call call, Call trial, Call copy, boolean trialFirst, Sample sample) {
    SubmissionRing ring = runtime.device().ring();
    Invocation own = call.invocation();
    Invocation tried = trial.invocation();
    Invocation copied = copy.invocation();
    int tiles = own.tiles() + tried.tiles() + copied.tiles();
    long last =
        ring.submitIfRoom(
            trialFirst
                ? new Invocation[] {tried, own, copied}
                : new Invocation[] {own, copied, tried},
            tiles);
    if (last == ring.beforeAll()) {
      return last;
    }
    long first = last - tiles + 1;
    long triedFirst = trialFirst ? first : last - tried.tiles() + 1;
    sample.candidate().submitted();
    runtime.trials().add(sample.submitted(first, last, triedFirst, triedFirst + tried.tiles() - 1));
    return trialFirst ? last - copied.tiles() : first + own.tiles() - 1;
  }

  private static boolean overwrites(Tensor output, Tensor[] inputs) {
    for (Tensor input : inputs) {
      if (input.sharesMemory(output)) {
        return true;
      }
    }
    return false;
  }

  private static void close(Tensor tensor) {
    if (tensor != null) {
      tensor.close();
    }
  }
}
