package io.gpuos.conformance;

import static io.gpuos.conformance.LiveConformance.LONG;
import static io.gpuos.conformance.LiveConformance.first;
import static io.gpuos.conformance.Refusals.goesOn;
import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Batch;
import io.gpuos.Call;
import io.gpuos.Candidate;
import io.gpuos.Candidate.Report;
import io.gpuos.Candidate.Verdict;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.TransitionException;
import io.gpuos.layout.DType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Candidates: generations that are tried beside the current one before they are published. */
interface CandidateConformance extends Target {

  /** Every submission is sampled, and none need be quick. */
  Candidate.Options ALL = Candidate.options().share(1).deadline(LONG);

  private static void until(BooleanSupplier condition) throws InterruptedException {
    long deadline = System.nanoTime() + LONG.toNanos();
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - deadline < 0, "waited too long");
      Thread.sleep(1);
    }
  }

  /** Samples under way are all compared. */
  private static void settle(Candidate candidate) throws InterruptedException {
    until(
        () -> {
          Report report = candidate.report();
          return report.compared() == report.tried() || report.verdict().ended();
        });
  }

  @Test
  default void shouldPromoteACandidateThatPasses() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {1, 2, 3});
        Tensor y = gpu.empty(DType.F32, 3)) {
      LiveOperator f = gpu.inject("f", "x * 2");
      try (Call call = gpu.prepare(f.operator(), y, x)) {
        Candidate candidate = f.candidate("x + x", ALL.samples(5));
        assertEquals("x + x", candidate.origin());
        refused(
            TransitionException.class,
            candidate::promote,
            "not proven yet",
            "operator=f",
            "compared=0",
            "passed after 5");
        assertEquals(Verdict.TRYING, candidate.await(Duration.ZERO).verdict());
        for (int k = 0; k < 5; k++) {
          call.run();
          assertArrayEquals(new float[] {2, 4, 6}, y.toFloats());
        }
        assertEquals(Verdict.PASSED, candidate.await(LONG).verdict());
        assertEquals(1, f.generation(), "passing alone publishes nothing");

        assertEquals(2, candidate.promote());
        assertEquals(2, f.generation());
        assertEquals("x + x", f.origin());
        Report report = candidate.report();
        assertEquals(
            new Report("f", "x + x", 5, 5, 5, 0, 0, Verdict.PROMOTED, "published as generation 2"),
            report);
        call.run();
        assertArrayEquals(new float[] {2, 4, 6}, y.toFloats());
        assertEquals(5, candidate.report().calls(), "nothing is sampled after the trial");
        refused(TransitionException.class, candidate::promote, "over", "verdict=promoted");
        candidate.withdraw();
        assertEquals(Verdict.PROMOTED, candidate.report().verdict());

        assertEquals(1, f.rollback());
        assertEquals("x * 2", f.origin());
      }
    }
  }

  /** Right within the tolerance is right; what users get meanwhile is the current result. */
  @Test
  default void shouldTolerateWhatIsWithinTheTolerance() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new double[] {100, 0, Double.NaN, Double.POSITIVE_INFINITY})) {
      LiveOperator f = gpu.inject("f", "x * 1");
      assertEquals(100, first(gpu, f.operator(), x));
      Candidate near = f.candidate("x * 1.25 + 0.5", ALL.tolerance(0.25, 0.5).samples(1));
      assertEquals(100, first(gpu, f.operator(), x));
      assertEquals(Verdict.PASSED, near.await(LONG).verdict());
      assertEquals(25.5, near.report().worst());
      near.withdraw();
      assertEquals("withdrawn", near.report().why());

      Candidate far = f.candidate("x * 1.25 + 0.5", ALL.tolerance(0.25, 0.4).samples(1));
      assertEquals(100, first(gpu, f.operator(), x));
      assertEquals(Verdict.MISMATCH, far.await(LONG).verdict());
      assertEquals(25.5, far.report().worst());
      refused(TransitionException.class, far::promote, "over", "verdict=mismatch");
      assertEquals(1, f.generation());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "x * 2, 'where(x > 3, x, x * 2)', MISMATCH, 'element=4, candidate=4.0, expected=8.0 within'",
    "x * 2, 'x * 2 + log(x)', NAN, 'NaN: element=0, candidate=NaN, expected=-2.0'",
    "'sqrt(x)', 'sqrt(abs(x))', MISMATCH, 'element=0, candidate=1.0, expected=NaN'",
    "x * 2, 'x * 2 + 1 / (x - 3)', MISMATCH, 'candidate='",
  })
  default void shouldWithdrawACandidateThatIsWrong(
      String current, String wrong, Verdict verdict, String why) {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {-1, 1, 2, 3, 4});
        Tensor y = gpu.run(Operator.of(current), x)) {
      LiveOperator f = gpu.inject("f", current);
      Candidate candidate = f.candidate(wrong, ALL);
      float[] expected = y.toFloats();
      while (!candidate.report().verdict().ended()) {
        try (Tensor result = gpu.run(f.operator(), x)) {
          assertArrayEquals(expected, result.toFloats(), "a user saw the candidate");
        }
      }
      Report report = candidate.report();
      assertEquals(verdict, report.verdict());
      assertTrue(report.why().contains(why), report.why());
      assertEquals(0, report.compared());
      assertTrue(report.toString().contains("verdict=" + verdict.name().toLowerCase(Locale.ROOT)));
      assertEquals(1, f.generation());
      assertEquals(current, f.origin());
      // The way is free for others.
      gpu.inject("f", "x * 3");
      assertEquals(-3, first(gpu, f.operator(), x));
      goesOn(gpu);
    }
  }

  /** Integers are not compared as floating numbers. */
  @Test
  default void shouldSeeTheLastBitOfAnInteger() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new long[] {1L << 60, Long.MIN_VALUE})) {
      LiveOperator f = gpu.inject("f", "x | 0");
      gpu.run(f.operator(), x).close();
      Candidate candidate = f.candidate("x | 1", ALL.tolerance(0, 0.5));
      gpu.run(f.operator(), x).close();
      assertEquals(Verdict.MISMATCH, candidate.await(LONG).verdict());
      assertEquals(1, candidate.report().worst());
    }
  }

  @Test
  default void shouldWithdrawACandidateThatIsSlow() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.zeros(DType.F32, 1 << 23)) {
      LiveOperator f = gpu.inject("f", "max(x)");
      assertEquals(0, first(gpu, f.operator(), x));
      Candidate slow =
          f.candidate(
              "max(lgamma(tan(sin(exp(x)))) * 0)",
              ALL.tolerance(0, 1e30).deadline(Duration.ofMillis(1)));
      assertEquals(0, first(gpu, f.operator(), x));
      Report report = slow.await(LONG);
      assertEquals(Verdict.OVERDUE, report.verdict(), report::toString);
      assertTrue(report.why().startsWith("deadline: ran_ms="), report.why());
      assertTrue(report.why().contains("within 1.0 ms"), report.why());
      assertTrue(gpu.healthy());
      assertEquals(0, first(gpu, f.operator(), x));
    }
  }

  /** Waiting is not running: neither for workers nor behind other tasks. */
  @Test
  default void shouldNotBlameACandidateForWaiting() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3})) {
      LiveOperator f = gpu.inject("f", "x * 2");
      assertEquals(6, first(gpu, f.operator(), x));
      Candidate candidate = f.candidate("x + x", ALL.deadline(Duration.ofMillis(300)).samples(1));
      Tensor result;
      try (Hold _ = Hold.of(gpu)) {
        result = gpu.submit(f.operator(), x).results().getFirst();
        Thread.sleep(800);
        assertEquals(Verdict.TRYING, candidate.report().verdict());
      }
      assertEquals(6, result.toFloats()[0]);
      result.close();
      assertEquals(Verdict.PASSED, candidate.await(LONG).verdict());
    }
  }

  /** The candidate reads what the call overwrites. */
  @Test
  default void shouldTryCallsInPlace() throws Exception {
    try (Gpuos gpu = open(Settings.restless(2));
        Tensor x = gpu.zeros(DType.I64, 1000)) {
      LiveOperator f = gpu.inject("f", "x + 1");
      try (Call call = gpu.prepare(f.operator(), x, x)) {
        Candidate candidate = f.candidate("1 + x", ALL.samples(30));
        for (int k = 0; k < 200; k++) {
          call.submit();
        }
        gpu.synchronize();
        assertEquals(200, x.toLongs()[999]);
        while (candidate.await(Duration.ZERO).verdict() == Verdict.TRYING) {
          call.run();
        }
        settle(candidate);
        assertEquals(Verdict.PASSED, candidate.report().verdict(), candidate::toString);
        long calls = candidate.report().calls();
        assertEquals(calls, x.toLongs()[0]);
        assertEquals(calls, candidate.report().tried() + candidate.report().skipped());
        assertEquals(2, candidate.promote());
        call.run();
        assertEquals(calls + 1, x.toLongs()[500]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'sum(x, axis=0)', '0 + sum(x, axis=0)', false",
    "'sum(x * 2, axis=0)', 'sum(x + x, axis=0)', true",
    "'max(x)', 'max(x * 1)', true",
    "'max(x)', 'min(x)', false",
  })
  default void shouldTryReductions(String current, String other, boolean right) {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {0, 1, 9, 3, -4, 5}, 2, 3).transpose(0, 1)) {
      LiveOperator r = gpu.inject("r", current);
      gpu.run(r.operator(), x).close();
      if (other.startsWith("0 +")) {
        refused(ExpressionException.class, () -> r.candidate(other, ALL), "not one kernel");
        return;
      }
      Candidate candidate = r.candidate(other, ALL.samples(1));
      try (Tensor result = gpu.run(r.operator(), x);
          Tensor expected = gpu.run(Operator.of(current), x)) {
        assertArrayEquals(expected.toFloats(), result.toFloats());
      }
      assertEquals(right ? Verdict.PASSED : Verdict.MISMATCH, candidate.await(LONG).verdict());
    }
  }

  /** Types that were in use before the trial, and those that come up in it; any layout. */
  @Test
  default void shouldTryEveryVariant() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults())) {
      LiveOperator f = gpu.inject("f", "x * 2");
      List<Tensor> inputs = new ArrayList<>();
      for (DType type : DType.values()) {
        if (type != DType.BOOL) {
          inputs.add(gpu.tensor(type, new double[] {3, 5, 7, 9}, 2, 2).transpose(0, 1));
          inputs.add(gpu.tensor(type, new double[] {3}).expand(5));
          inputs.add(gpu.scalar(type, 3));
          inputs.add(gpu.empty(type, 0, 3));
        }
      }
      for (Tensor input : inputs.subList(0, 10)) {
        gpu.run(f.operator(), input).close();
      }
      Candidate candidate = f.candidate("x + x", ALL.samples(1));
      for (Tensor input : inputs) {
        long before = candidate.report().tried();
        do {
          try (Tensor result = gpu.run(f.operator(), input)) {
            for (double value : result.toDoubles()) {
              assertEquals(0, value % 2);
            }
          }
          // A new type is compiled for beside its first calls.
          Thread.sleep(1);
        } while (input.elements() > 0 && candidate.report().tried() == before);
      }
      settle(candidate);
      assertEquals(Verdict.PASSED, candidate.report().verdict(), candidate::toString);
      assertEquals(2, candidate.promote());
      for (Tensor input : inputs) {
        gpu.run(f.operator(), input).close();
      }
    }
  }

  /** A type that the candidate has no meaning for ends the trial, not the call. */
  @Test
  default void shouldWithdrawACandidateThatATypeDoesNotFit() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor integers = gpu.tensor(new long[] {7});
        Tensor floats = gpu.tensor(new float[] {7})) {
      LiveOperator f = gpu.inject("f", "x * 1");
      assertEquals(7, first(gpu, f.operator(), integers));
      refused(DTypeException.class, () -> f.candidate("x > 1", ALL), "BOOL");
      Candidate candidate = f.candidate("x & 7", ALL);
      assertEquals(7, first(gpu, f.operator(), floats));
      Report report = candidate.await(LONG);
      assertEquals(Verdict.FAILED, report.verdict());
      assertEquals(1, report.skipped());
      assertEquals(7, first(gpu, f.operator(), floats));
      refused(DTypeException.class, () -> f.candidate("x & 7", ALL));
      // Another type of result for integers.
      refused(DTypeException.class, () -> f.candidate("x / 1", ALL), "result type");
    }
  }

  @ParameterizedTest
  @CsvSource({"0.1, 10", "0.25, 25", "0.5, 50", "1, 100", "0.003, 1"})
  default void shouldSampleTheShareAskedFor(double share, long samples) throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3});
        Tensor y = gpu.empty(DType.F32, 1)) {
      LiveOperator f = gpu.inject("f", "x * 2");
      try (Call call = gpu.prepare(f.operator(), y, x)) {
        Candidate candidate = f.candidate("x + x", ALL.share(share).samples(1));
        for (int k = 0; k < 100; k++) {
          if (k % 2 == 0) {
            call.run();
          } else {
            assertTrue(call.trySubmit());
            gpu.synchronize();
          }
          settle(candidate);
        }
        Report report = candidate.report();
        assertEquals(100, report.calls());
        assertEquals(samples, report.tried());
        assertEquals(samples, report.compared());
        assertEquals(0, report.skipped());
        assertEquals(Verdict.PASSED, report.verdict());
      }
    }
  }

  /** What there is no memory for is counted, and computed all the same. */
  @Test
  default void shouldSkipWhatThereIsNoRoomFor() {
    try (Gpuos gpu = open(Settings.restless(1));
        Tensor x = gpu.tensor(new float[] {3, 4});
        Tensor y = gpu.empty(DType.F32, 2)) {
      LiveOperator f = gpu.inject("f", "x * 2");
      try (Call call = gpu.prepare(f.operator(), y, x)) {
        Candidate poor = f.candidate("x + x", ALL.memory(15));
        call.run();
        assertArrayEquals(new float[] {6, 8}, y.toFloats());
        assertEquals(0, poor.report().tried());
        assertEquals(1, poor.report().skipped());
        poor.withdraw();

        Candidate candidate = f.candidate("x + x", ALL);
        int submitted = 0;
        try (Hold _ = Hold.of(gpu)) {
          while (call.trySubmit()) {
            submitted++;
          }
        }
        gpu.synchronize();
        Report report = candidate.report();
        assertTrue(report.tried() > 0 && report.tried() < 22, report::toString);
        assertTrue(report.tried() + report.skipped() >= submitted, report::toString);
        assertArrayEquals(new float[] {6, 8}, y.toFloats());
      }
    }
  }

  /** Calls may be closed, and their tensors, while samples of them are under way. */
  @Test
  default void shouldOutliveWhatIsSampled() throws Exception {
    try (Gpuos gpu = open(DeviceSettings.defaults())) {
      LiveOperator f = gpu.inject("f", "x * 2");
      long before = 0;
      for (int k = 0; k < 2; k++) {
        Tensor x = gpu.tensor(new float[] {3});
        Tensor y = gpu.empty(DType.F32, 1);
        Call call = gpu.prepare(f.operator(), y, x);
        Candidate candidate = f.candidate("x + x", ALL.samples(20));
        x.close();
        y.close();
        try (Hold _ = Hold.of(gpu)) {
          for (int n = 0; n < 20; n++) {
            call.submit();
          }
          call.close();
        }
        assertEquals(Verdict.PASSED, candidate.await(LONG).verdict());
        assertEquals(2 * k + 2, candidate.promote());
        gpu.inject("f", "x * 2");
        if (k == 0) {
          before = gpu.device().memory().usedBytes();
        }
      }
      assertEquals(before, gpu.device().memory().usedBytes(), "a trial keeps memory");
    }
  }

  @Test
  default void shouldRefuseOtherTransitionsMeanwhile() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3})) {
      LiveOperator f = gpu.inject("f", "x * 2");
      gpu.inject("f", "x * 3");
      LiveOperator other = gpu.inject("other", "x * 2");
      Candidate candidate = f.candidate("x + x + x");
      String[] parts = {"candidate on trial", "operator=f", "candidate=x + x + x"};
      refused(TransitionException.class, () -> gpu.inject("f", "x * 4"), parts);
      refused(TransitionException.class, f::rollback, parts);
      refused(TransitionException.class, () -> f.candidate("x * 5"), parts);
      assertEquals(2, f.generation());
      other.candidate("x + x").withdraw();
      gpu.inject("other", "x * 4");
      candidate.withdraw();
      assertEquals(Verdict.WITHDRAWN, candidate.report().verdict());
      assertEquals(1, f.rollback());
      assertEquals(6, first(gpu, f.operator(), x));
    }
  }

  @Test
  default void shouldRefuseCandidatesThatDoNotFit() {
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor x = gpu.tensor(new float[] {3})) {
      LiveOperator f = gpu.inject("f", "x * 2");
      assertEquals(6, first(gpu, f.operator(), x));
      refused(ExpressionException.class, () -> f.candidate("y * 2"), "[y]", "[x]");
      refused(ExpressionException.class, () -> f.candidate("x *"));
      refused(ExpressionException.class, () -> f.candidate("x, x"), "results=2");
      refused(DTypeException.class, () -> f.candidate("x > 1"), "BOOL");
      for (double share : new double[] {0, -1, 1.01, Double.NaN}) {
        refused(InvalidInputException.class, () -> ALL.share(share), "share=");
      }
      refused(InvalidInputException.class, () -> ALL.tolerance(-1, 0), "relative");
      refused(InvalidInputException.class, () -> ALL.tolerance(0, Double.NaN), "absolute");
      refused(InvalidInputException.class, () -> ALL.deadline(Duration.ZERO), "deadline");
      refused(InvalidInputException.class, () -> ALL.samples(0), "samples");
      refused(InvalidInputException.class, () -> ALL.memory(0), "memory");
      f.candidate("x + x").withdraw();
      gpu.inject("f", "x * 3");
      assertEquals(9, first(gpu, f.operator(), x));
    }
  }

  /** Many threads, calls of every kind, and candidates that come and go; users see no candidate. */
  @Test
  default void shouldTryUnderLoad() throws Exception {
    int users = 4;
    AtomicInteger rounds = new AtomicInteger();
    try (Gpuos gpu = open(Settings.restless(3));
        ExecutorService executor = Executors.newFixedThreadPool(users)) {
      LiveOperator f = gpu.inject("f", "x * 2 + 1");
      List<Future<?>> work = new ArrayList<>();
      for (int t = 0; t < users; t++) {
        int user = t;
        work.add(executor.submit(() -> use(gpu, f, user, rounds)));
      }
      try {
        for (int k = 0; k < 10; k++) {
          boolean right = k % 2 == 0;
          Candidate candidate =
              f.candidate(right ? "1 + x + x" : "x * 2", ALL.share(0.3).samples(20));
          Report report = candidate.await(LONG);
          assertEquals(right ? Verdict.PASSED : Verdict.MISMATCH, report.verdict());
          if (right) {
            candidate.promote();
          }
          gpu.inject("f", "x * 2 + 1");
        }
      } finally {
        rounds.set(-1);
      }
      for (Future<?> user : work) {
        user.get();
      }
      assertEquals(11 + 5, f.generation());
    }
  }

  private static void use(Gpuos gpu, LiveOperator f, int user, AtomicInteger rounds) {
    try (Tensor x = gpu.tensor(new float[] {user});
        Tensor y = gpu.empty(DType.F32, 1);
        Call call = gpu.prepare(f.operator(), y, x);
        Batch batch = gpu.batch(List.of(call))) {
      while (rounds.get() >= 0) {
        switch (user) {
          case 0 -> gpu.runInto(f.operator(), y, x);
          case 1 -> gpu.await(batch.submit());
          default -> call.run();
        }
        assertEquals(2 * user + 1, y.toFloats()[0]);
      }
    }
  }

  @Test
  default void shouldWithdrawWhenTheRuntimeIsClosed() throws Exception {
    for (int k = 0; k < 5; k++) {
      Gpuos gpu = open(DeviceSettings.defaults());
      Tensor x = gpu.zeros(DType.F32, 100_000);
      LiveOperator f = gpu.inject("f", "x * 2");
      Candidate candidate = f.candidate("x + x", ALL.samples(1_000));
      for (int n = 0; n < 30; n++) {
        gpu.submit(f.operator(), x);
      }
      try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
        Future<Report> waiting = executor.submit(() -> candidate.await(LONG));
        gpu.close();
        assertEquals(Verdict.WITHDRAWN, waiting.get().verdict());
      }
      assertEquals("runtime closed", candidate.report().why());
      refused(ClosedException.class, candidate::promote);
      refused(ClosedException.class, () -> f.candidate("x + x"));
      candidate.withdraw();
      assertFalse(gpu.healthy());
    }
  }
}
