package io.gpuos;

import io.gpuos.error.InvalidInputException;
import io.gpuos.error.Messages;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.error.TransitionException;
import io.gpuos.inject.Variant;
import io.gpuos.ir.Definition;
import io.gpuos.layout.Layout;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A generation of a {@link LiveOperator} that is tried before it is published: for a share of the
 * operator's submissions it is run beside the current generation, on the same inputs, and the
 * results are compared on the host.
 *
 * <pre>{@code
 * Candidate faster = swish.candidate("x * sigmoid(beta * x)", Candidate.options().share(0.1));
 * ...                                     // submit as ever
 * if (faster.await(Duration.ofSeconds(10)).verdict() == Candidate.Verdict.PASSED) {
 *   faster.promote();
 * }
 * }</pre>
 *
 * <p><b>What users see.</b> During a trial every output holds what the current generation computes,
 * also of submissions that are sampled. The candidate's results go to memory of the trial, which
 * nothing but the comparison reads. Only {@link #promote} changes what users get.
 *
 * <p><b>What it costs them.</b> A sampled submission is three operations in the ring instead of
 * one: the operator, a copy of its result, and the candidate. Its result does not wait for the
 * other two, unless the output shares an allocation with an input; then the candidate has to read
 * first. What overwrites an input later waits for the candidate, as for any reader. Other
 * submissions cost a counter. Memory of samples under way is bounded by {@link Options#memory}; a
 * submission for which there is none, or no room in the ring, or whose types the candidate is still
 * being compiled for, is not sampled but counted as skipped. Batches and programs are never
 * sampled.
 *
 * <p><b>When it ends.</b> The candidate is withdrawn by itself, with a line in the log, at the
 * first element that differs by more than the tolerance ({@link Verdict#MISMATCH}) or is NaN where
 * the current one is not ({@link Verdict#NAN}), when one run takes longer than the deadline ({@link
 * Verdict#OVERDUE}), or when it cannot be compiled for types that come up ({@link Verdict#FAILED}).
 * After {@link Options#samples} samples without any of these it has {@link Verdict#PASSED}, and
 * goes on being tried until it is promoted or withdrawn. A run that is withdrawn is not stopped:
 * one that never returns is the watchdog's business and ends the runtime, and so does one that
 * faults; a trial guards against wrong results and slow ones, not against those.
 *
 * <p>A candidate is its operator's transition: until it is promoted or withdrawn, publishing and
 * rolling back are refused, and so is another candidate. Thread-safe. Closing the runtime withdraws
 * it.
 */
public final class Candidate {

  /** How a trial stands, or how it ended. */
  public enum Verdict {
    /** On trial; fewer samples than asked for are compared. */
    TRYING,
    /** On trial; enough samples are compared and all fit. */
    PASSED,
    /** Published. */
    PROMOTED,
    /** A result differed by more than the tolerance. */
    MISMATCH,
    /** A result was NaN where the current generation's was not. */
    NAN,
    /** A run took longer than the deadline. */
    OVERDUE,
    /** It could not be compiled or compared, or the device failed. */
    FAILED,
    /** By {@link Candidate#withdraw}, or because the runtime was closed. */
    WITHDRAWN;

    /** Whether the trial is over. */
    public boolean ended() {
      return this != TRYING && this != PASSED;
    }
  }

  /**
   * How a candidate is tried. Immutable; each method that takes a value returns a changed copy.
   *
   * @param share of submissions to sample, above 0 and up to 1: the first, and then evenly
   * @param relative tolerance, as a part of the current result's size
   * @param absolute tolerance, added to the relative one
   * @param deadline of one run of the candidate, counted while workers are at it
   * @param samples to be compared without a fault for {@link Verdict#PASSED}
   * @param memory bytes that samples under way may take; a sample takes twice its result
   */
  public record Options(
      double share, double relative, double absolute, Duration deadline, int samples, long memory) {

    /**
     * @throws InvalidInputException if a value is out of range
     */
    public Options {
      require(share > 0 && share <= 1, "share", share, "above 0 and at most 1");
      require(relative >= 0, "relative tolerance", relative, "0 or more");
      require(absolute >= 0, "absolute tolerance", absolute, "0 or more");
      require(deadline.isPositive(), "deadline", deadline, "a time above zero");
      require(samples > 0, "samples", samples, "at least 1");
      require(memory > 0, "memory", memory, "at least 1 byte");
    }

    private static void require(boolean holds, String name, Object value, String expected) {
      if (!holds) {
        throw new InvalidInputException(
            "option of a candidate: %s=%s, expected=%s".formatted(name, value, expected));
      }
    }

    /** With another share of submissions. */
    public Options share(double part) {
      return new Options(part, relative, absolute, deadline, samples, memory);
    }

    /** With {@code |candidate - current| <= atol + rtol * |current|} as what fits. */
    public Options tolerance(double rtol, double atol) {
      return new Options(share, rtol, atol, deadline, samples, memory);
    }

    /**
     * With another limit of a run, kept to about a millisecond. Below the device's own, {@link
     * io.gpuos.device.DeviceSettings#taskDeadline}, which ends the runtime.
     */
    public Options deadline(Duration limit) {
      return new Options(share, relative, absolute, limit, samples, memory);
    }

    /** With another number of samples to pass. */
    public Options samples(int count) {
      return new Options(share, relative, absolute, deadline, count, memory);
    }

    /** With another bound of memory, in bytes. */
    public Options memory(long bytes) {
      return new Options(share, relative, absolute, deadline, samples, bytes);
    }
  }

  /**
   * A trial in numbers.
   *
   * @param operator its operator's name
   * @param origin what the candidate computes
   * @param calls submissions during the trial
   * @param tried of these, how many the candidate was run beside
   * @param compared of these, how many were compared in full and fit
   * @param skipped how many were to be sampled and could not
   * @param worst largest difference of two numbers met so far; 0 if all were equal
   * @param verdict how it stands, or ended
   * @param why it ended, in words; empty while it is on trial
   */
  public record Report(
      String operator,
      String origin,
      long calls,
      long tried,
      long compared,
      long skipped,
      double worst,
      Verdict verdict,
      String why) {

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "candidate of %s: verdict=%s, calls=%d, tried=%d, compared=%d, skipped=%d, worst=%s%s; %s",
          operator,
          verdict.name().toLowerCase(Locale.ROOT),
          calls,
          tried,
          compared,
          skipped,
          Double.toString(worst),
          why.isEmpty() ? "" : ", why=" + why,
          Messages.quoted(origin));
    }
  }

  private static final System.Logger LOG = System.getLogger("io.gpuos");

  private static final Options DEFAULTS =
      new Options(0.1, 1e-5, 1e-8, Duration.ofSeconds(1), 100, 256L << 20);

  /** Samples under way at most, whatever their size. */
  private static final int MAX_UNDER_WAY = 64;

  /** How long {@link #promote} waits for samples under way. */
  private static final Duration PROMOTION_WAIT = Duration.ofSeconds(10);

  private final LiveOperator live;
  private final LiveOperator shadow;
  private final Definition definition;
  private final String origin;
  private final Options options;

  /** Logical operators of the current generation whose variant the candidate is compiled for. */
  private final Set<Integer> ready = ConcurrentHashMap.newKeySet();

  private final Set<Integer> preparing = ConcurrentHashMap.newKeySet();
  private final AtomicLong calls = new AtomicLong();
  private final AtomicLong tried = new AtomicLong();
  private final AtomicLong skipped = new AtomicLong();
  private final AtomicLong memory = new AtomicLong();
  private final AtomicInteger underWay = new AtomicInteger();

  /** Takes no more samples: promoted just now, or over. */
  private volatile boolean paused;

  // Guarded by this; what threads wait for is told by notifyAll.
  private long compared;
  private double worst;
  private Verdict verdict = Verdict.TRYING;
  private String why = "";

  /** Being published; what would end the trial meanwhile is too late, unless that fails. */
  private boolean publishing;

  /** Why it was to be withdrawn meanwhile, or null. */
  private String withdrawal;

  /**
   * @param shadow what the candidate runs as
   */
  Candidate(
      LiveOperator live,
      LiveOperator shadow,
      Definition definition,
      String origin,
      Options options) {
    this.live = live;
    this.shadow = shadow;
    this.definition = definition;
    this.origin = origin;
    this.options = options;
  }

  /**
   * Options to begin with: a tenth of the submissions, tolerances 1e-5 relative and 1e-8 absolute,
   * a deadline of a second, 100 samples, 256 MiB.
   */
  public static Options options() {
    return DEFAULTS;
  }

  /** What the candidate computes: its expression, or file and signature. */
  public String origin() {
    return origin;
  }

  synchronized boolean isOver() {
    return verdict.ended();
  }

  /** How the trial stands, or how it ended. */
  public synchronized Report report() {
    return new Report(
        live.name(),
        origin,
        calls.get(),
        tried.get(),
        compared,
        skipped.get(),
        worst,
        verdict,
        why);
  }

  /**
   * Waits at most {@code limit} until the candidate has passed or the trial is over. Submissions
   * have to come from elsewhere meanwhile. An interrupt does not end the wait; it is pending
   * afterwards.
   */
  public Report await(Duration limit) {
    awaitUntil(() -> verdict != Verdict.TRYING, limit);
    return report();
  }

  /**
   * Publishes the candidate, once it has passed and all samples under way are compared: as {@link
   * Gpuos#inject(String, String)} does, so that it can be rolled back.
   *
   * @return the number of the generation that is current now
   * @throws TransitionException if it has not passed, or was withdrawn, or samples or tasks of the
   *     generation before the current one do not end in 10 s; the trial is as it was
   */
  public int promote() {
    live.runtime().checkOpen();
    synchronized (this) {
      requirePassed();
      if (paused) {
        throw new TransitionException(
            refusal("candidate being promoted", "one promotion at a time"));
      }
      paused = true;
    }
    try {
      boolean over =
          awaitUntil(() -> underWay.get() == 0 || verdict != Verdict.PASSED, PROMOTION_WAIT);
      if (!over) {
        throw new TransitionException(
            refusal("samples under way", "an end within " + PROMOTION_WAIT.toSeconds() + " s"));
      }
      return publish();
    } finally {
      synchronized (this) {
        // Not while another thread ends the trial, which is over for good.
        paused = verdict.ended();
      }
    }
  }

  private int publish() {
    synchronized (this) {
      requirePassed();
      publishing = true;
    }
    int generation = 0;
    try {
      generation = live.promote(definition, origin);
      return generation;
    } finally {
      String instead;
      synchronized (this) {
        publishing = false;
        instead = withdrawal;
      }
      if (generation != 0) {
        end(Verdict.PROMOTED, "published as generation " + generation);
      } else if (instead != null) {
        end(Verdict.WITHDRAWN, instead);
      }
    }
  }

  private synchronized void requirePassed() {
    if (verdict != Verdict.PASSED) {
      throw new TransitionException(
          refusal(
              verdict.ended() ? "candidate's trial is over" : "candidate not proven yet",
              "verdict passed after "
                  + options.samples
                  + " samples"
                  + (verdict.ended() ? "" : "; wait for it, or withdraw it and inject")));
    }
  }

  private String refusal(String rule, String expected) {
    Report now = report();
    return "%s: operator=%s, candidate=%s, verdict=%s, compared=%s%s, expected=%s"
        .formatted(
            rule,
            now.operator,
            Messages.quoted(origin),
            now.verdict.name().toLowerCase(Locale.ROOT),
            Long.toString(now.compared),
            now.why.isEmpty() ? "" : ", why=" + Messages.quoted(now.why),
            expected);
  }

  /**
   * Ends the trial; the current generation stays, as if there had been no candidate. What of the
   * candidate is under way runs to its end unseen. Does nothing if the trial is over, or another
   * thread is promoting the candidate and succeeds.
   */
  public void withdraw() {
    end(Verdict.WITHDRAWN, "withdrawn");
  }

  // ---- submitting threads ------------------------------------------------------------------

  Gpuos runtime() {
    return live.runtime();
  }

  Options chosen() {
    return options;
  }

  /**
   * Counts a submission of {@code call}, and if it is to be sampled submits it with a copy and the
   * candidate.
   *
   * @return sequence of the call's own last task; {@link SubmissionRing#beforeAll} if nothing was
   *     submitted
   */
  long sample(Call call) {
    SubmissionRing ring = runtime().device().ring();
    if (paused || !isChosen(calls.getAndIncrement())) {
      return ring.beforeAll();
    }
    long last = trySample(call, ring);
    if (last == ring.beforeAll()) {
      skipped.incrementAndGet();
    }
    return last;
  }

  /** The first one, and then evenly: so often that the sum of shares passes a whole number. */
  private boolean isChosen(long call) {
    return Math.ceil((call + 1) * options.share) > Math.ceil(call * options.share);
  }

  private long trySample(Call call, SubmissionRing ring) {
    if (!isReady(call.invocation().operator())) {
      return ring.beforeAll();
    }
    Layout result = call.outputs().getFirst().layout();
    long bytes = 2 * Layout.contiguous(result.dtype(), result.shape()).byteSize();
    boolean room = underWay.incrementAndGet() <= MAX_UNDER_WAY;
    room &= memory.addAndGet(bytes) <= options.memory;
    long last = ring.beforeAll();
    try {
      // After counting, so that a promotion that saw no sample under way sees none come.
      if (room && !paused) {
        last = SampledCall.submit(this, shadow.operator(), call, bytes);
      }
    } catch (OutOfMemoryException _) {
      // As if there were no room in the bound.
    } finally {
      if (last == ring.beforeAll()) {
        closed(bytes);
      }
    }
    return last;
  }

  private boolean isReady(int operator) {
    if (ready.contains(operator)) {
      return true;
    }
    if (preparing.add(operator)) {
      Thread.ofPlatform().daemon().name("gpuos-candidate").start(() -> prepare(operator));
    }
    return false;
  }

  /** Compiles for a variant that came up during the trial. */
  private void prepare(int operator) {
    try {
      live.variants()
          .forEach(
              (variant, number) -> {
                if (number == operator) {
                  prepare(variant, number);
                }
              });
    } catch (RuntimeException failure) {
      end(Verdict.FAILED, failure.getMessage());
    }
  }

  /** Compiles for a variant, and whatever else its samples need. */
  void prepare(Variant variant, int operator) {
    int _ = shadow.number(variant);
    try (Tensor from = runtime().empty(variant.stored());
        Tensor to = runtime().empty(variant.stored())) {
      runtime().prepare(Tensor.COPY, to, from).close();
    }
    ready.add(operator);
  }

  // ---- the thread of Trials ----------------------------------------------------------------

  /** A sample is submitted, and nobody watches it yet. */
  void submitted() {
    tried.incrementAndGet();
  }

  /** A sample's memory is given back. */
  void closed(long bytes) {
    memory.addAndGet(-bytes);
    underWay.decrementAndGet();
    synchronized (this) {
      notifyAll();
    }
  }

  /**
   * What came of comparing a piece of a sample.
   *
   * @param last whether it was the last piece
   * @return whether the trial is over
   */
  boolean found(Comparison comparison, boolean last) {
    synchronized (this) {
      worst = Math.max(worst, comparison.worst());
      if (comparison.verdict() == null && last) {
        compared++;
        if (verdict == Verdict.TRYING && compared >= options.samples) {
          verdict = Verdict.PASSED;
          notifyAll();
        }
      }
    }
    if (comparison.verdict() != null) {
      end(comparison.verdict(), comparison.why());
    }
    return comparison.verdict() != null;
  }

  void endOverdue(long ranNanos) {
    end(
        Verdict.OVERDUE,
        String.format(
            Locale.ROOT,
            "deadline: ran_ms=%s, expected=an end within %s ms",
            Double.toString(ranNanos / 1_000 / 1e3),
            Double.toString(options.deadline.toNanos() / 1_000 / 1e3)));
  }

  /** Ends the trial, unless it is over. */
  void end(Verdict outcome, String reason) {
    synchronized (this) {
      if (publishing) {
        withdrawal = reason;
        return;
      }
      if (verdict.ended()) {
        return;
      }
      verdict = outcome;
      why = reason;
      paused = true;
      // Inside, so that who sees the verdict finds the way free for another transition.
      live.endTrial(this);
      notifyAll();
    }
    if (outcome != Verdict.PROMOTED && outcome != Verdict.WITHDRAWN) {
      LOG.log(System.Logger.Level.WARNING, "withdrawn: {0}", report());
    }
  }

  /** A condition under the monitor. */
  private interface Condition {
    boolean holds();
  }

  /** Whether {@code condition} came to hold within {@code limit}. */
  private synchronized boolean awaitUntil(Condition condition, Duration limit) {
    long deadline = Gpuos.deadline(limit);
    boolean interrupted = false;
    long left = deadline - System.nanoTime();
    while (!condition.holds() && left > 0) {
      try {
        wait(left / 1_000_000, (int) (left % 1_000_000));
      } catch (InterruptedException e) {
        interrupted = true;
      }
      left = deadline - System.nanoTime();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return condition.holds();
  }

  @Override
  public String toString() {
    return report().toString();
  }
}
