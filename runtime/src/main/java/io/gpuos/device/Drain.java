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
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private Drain() {}

  /** As {@link #await(SubmissionRing, Completions, String, Duration)}, with the usual patience. */
  public static boolean await(SubmissionRing ring, Completions completions, String device) {
    return await(ring, completions, device, PATIENCE);
  }

  /**
   * Waits until every task of {@code ring}, which is closed, is complete. Gives up when the device
   * has failed, and when no task has completed for {@code patience}: the oldest one will hardly end
   * then, and whoever waits for one of the others is told when the completions are closed.
   *
   * @param device its name, for the log
   * @return whether all are complete
   */
  public static boolean await(
      SubmissionRing ring, Completions completions, String device, Duration patience) {
    return await(
        ring,
        completions,
        device,
        patience,
        warning -> LOG.log(System.Logger.Level.WARNING, warning));
  }

  static boolean await(
      SubmissionRing ring,
      Completions completions,
      String device,
      Duration patience,
      Consumer<String> log) {
    try {
      long begin = System.nanoTime();
      while (true) {
        long before = completions.through();
        if (ring.awaitAll(System.nanoTime() + patience.toNanos())) {
          return true;
        }
        boolean progress = completions.through() != before;
        log.accept(
            String.format(
                Locale.ROOT,
                "closing %s: device=%s, tasks=%d, waited_s=%d, expected=tasks that end",
                progress ? "waits for tasks" : "gives tasks up",
                device,
                ring.tail() - 1 - completions.through(),
                Duration.ofNanos(System.nanoTime() - begin).toSeconds()));
        if (!progress) {
          return false;
        }
      }
    } catch (DeviceFaultException _) {
      // Whoever waited for a result has been told.
      return false;
    }
  }
}
