package io.gpuos.device;

import io.gpuos.error.DeviceFaultException;
import io.gpuos.queue.Completions;
import io.gpuos.queue.SubmissionRing;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * The end of a device's work: nothing that was submitted is dropped, so it takes as long as the
 * tasks do. A wait of minutes is told in the log, since it may mean an operator that never returns.
 */
public final class Drain {

  private static final System.Logger LOG = System.getLogger("io.gpuos");
  private static final Duration BETWEEN_WARNINGS = Duration.ofSeconds(60);

  private Drain() {}

  /**
   * Waits until every task of {@code ring}, which is closed, is complete, or the device has failed;
   * whoever waits for a result is told of a failure.
   *
   * @param device its name, for the log
   */
  public static void await(SubmissionRing ring, Completions completions, String device) {
    await(
        ring,
        completions,
        device,
        BETWEEN_WARNINGS,
        warning -> LOG.log(System.Logger.Level.WARNING, warning));
  }

  static void await(
      SubmissionRing ring,
      Completions completions,
      String device,
      Duration betweenWarnings,
      Consumer<String> log) {
    try {
      long begin = System.nanoTime();
      while (!ring.awaitAll(System.nanoTime() + betweenWarnings.toNanos())) {
        log.accept(
            String.format(
                Locale.ROOT,
                "closing waits for tasks: device=%s, tasks=%d, waited_s=%d, expected=tasks that end",
                device,
                ring.tail() - 1 - completions.through(),
                Duration.ofNanos(System.nanoTime() - begin).toSeconds()));
      }
    } catch (DeviceFaultException _) {
      // Whoever waited for a result has been told.
    }
  }
}
