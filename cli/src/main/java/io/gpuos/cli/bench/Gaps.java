package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import java.util.ArrayList;
import java.util.List;

/**
 * Watches, on a thread of its own that spins, how far tasks are complete, and keeps the times for
 * which nothing was.
 */
final class Gaps implements AutoCloseable {

  /** Shorter ones are the device's ordinary rhythm. */
  private static final long LEAST_NANOS = 20_000;

  private static final int MOST = 1 << 20;

  /**
   * A time for which no task became complete.
   *
   * @param begin the last was seen complete, as of {@link System#nanoTime}
   * @param end the next was
   */
  record Gap(long begin, long end) {}

  private final Gpuos gpu;
  private final Thread thread = new Thread(this::watch, "gaps");
  private volatile boolean stopped;

  // Of the watching thread until it has ended.
  private final List<Gap> found = new ArrayList<>();

  private Gaps(Gpuos gpu) {
    this.gpu = gpu;
  }

  static Gaps watch(Gpuos gpu) {
    Gaps gaps = new Gaps(gpu);
    gaps.thread.setDaemon(true);
    gaps.thread.start();
    return gaps;
  }

  private void watch() {
    long before = gpu.device().completions().through();
    long begin = System.nanoTime();
    while (!stopped) {
      long through = gpu.device().completions().through();
      if (through == before) {
        Thread.onSpinWait();
        continue;
      }
      long now = System.nanoTime();
      if (now - begin >= LEAST_NANOS && found.size() < MOST) {
        found.add(new Gap(begin, now));
      }
      before = through;
      begin = now;
    }
  }

  /** What was found. After {@link #close}. */
  List<Gap> found() {
    return found;
  }

  /**
   * When the first task after {@code moment} was seen complete: the end of the gap around it, or
   * the moment itself if tasks went on becoming complete.
   */
  static long firstAfter(List<Gap> gaps, long moment) {
    for (Gap gap : gaps) {
      if (gap.begin() - moment <= 0 && gap.end() - moment >= 0) {
        return gap.end();
      }
    }
    return moment;
  }

  @Override
  public void close() {
    stopped = true;
    Feeder.join(thread);
  }
}
