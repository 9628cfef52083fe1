package io.gpuos.conformance;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.conformance.RandomProgram.Step;
import io.gpuos.ir.OracleTensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/** Runs a program in one of two ways that must have the same results. */
final class ProgramRunner {

  /**
   * @param reads what the host read on the way
   * @param memory all buffers at the end
   */
  record Outcome(List<OracleTensor> reads, List<OracleTensor> memory) {

    /** What differs from {@code other}, in words; empty if nothing does. */
    String difference(Outcome other) {
      String difference = difference("host read", reads, other.reads);
      return difference.isEmpty() ? difference("buffer", memory, other.memory) : difference;
    }

    private static String difference(String what, List<OracleTensor> a, List<OracleTensor> b) {
      for (int i = 0; i < a.size(); i++) {
        for (int k = 0; k < a.get(i).count(); k++) {
          if (Double.compare(a.get(i).doubleAt(k), b.get(i).doubleAt(k)) != 0) {
            return String.format(
                Locale.ROOT,
                "%s %d: element %d is %s, one by one it is %s",
                what,
                i,
                k,
                b.get(i).doubleAt(k),
                a.get(i).doubleAt(k));
          }
        }
      }
      return "";
    }
  }

  private ProgramRunner() {}

  /** One step at a time, each waited for. */
  static Outcome oneByOne(Gpuos gpu, RandomProgram program) {
    List<OracleTensor> reads = new ArrayList<>();
    try (RandomProgram.Memory memory = program.new Memory(gpu)) {
      for (Step step : program.steps()) {
        switch (step) {
          case Step.Compute compute -> {
            try (Call call = memory.prepare(gpu, compute)) {
              call.run();
              gpu.synchronize();
            }
          }
          case Step.Read read -> reads.add(memory.read(read));
          case Step.Write write -> memory.write(write);
        }
      }
      return new Outcome(reads, memory.contents());
    }
  }

  /** All steps as fast as they can be submitted, each in one of the ways to submit. */
  static Outcome allAtOnce(Gpuos gpu, RandomProgram program, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<OracleTensor> reads = new ArrayList<>();
    Map<Step, Call> calls = new HashMap<>();
    try (RandomProgram.Memory memory = program.new Memory(gpu)) {
      for (Step step : program.steps()) {
        if (step instanceof Step.Compute compute && random.nextInt(4) != 0) {
          calls.put(step, memory.prepare(gpu, compute));
        }
      }
      for (int i = 0; i < program.steps().size(); ) {
        Step step = program.steps().get(i);
        List<Call> group = new ArrayList<>();
        int most = random.nextInt(12) == 0 ? random.nextInt(2, 40) : 1;
        while (i + group.size() < program.steps().size()
            && group.size() < most
            && calls.containsKey(program.steps().get(i + group.size()))) {
          group.add(calls.get(program.steps().get(i + group.size())));
        }
        if (group.size() > 1) {
          if (random.nextBoolean()) {
            gpu.synchronize(); // with nothing outstanding, batches take a short cut
          }
          try (Batch batch = gpu.batch(group)) {
            batch.submit();
          }
          i += group.size();
          continue;
        }
        switch (step) {
          case Step.Compute compute when calls.containsKey(step) -> calls.get(step).submit();
          case Step.Compute compute -> memory.submit(gpu, compute);
          case Step.Read read -> reads.add(memory.read(read));
          case Step.Write write -> memory.write(write);
        }
        i++;
      }
      gpu.synchronize();
      Outcome outcome = new Outcome(reads, memory.contents());
      calls.values().forEach(Call::close);
      return outcome;
    }
  }
}
