package io.gpuos.cli.bench;

import java.util.List;
import java.util.Optional;

/**
 * What {@code gpuos bench inject} measured. Every sample is kept.
 *
 * @param fresh bringing operators in for the first time in this process, by code that the JVM
 *     mostly interprets
 * @param fed the same after several rounds, each in a runtime of its own
 * @param driverPauses what workers are away for; empty where code comes in live
 */
public record InjectReport(
    Environment environment,
    List<Goal> goals,
    Fed fresh,
    Fed fed,
    Optional<DriverPauses> driverPauses,
    Throughput throughput,
    FirstUse firstUse,
    Stress stress) {

  /**
   * Operators with code in the cache, brought in while the ring is fed without pause.
   *
   * @param launchesBefore launches of the worker kernel before, of which there are to be no more
   * @param p50Us of {@code totalUs}; of {@code prepareUs} on a device where nothing is brought in
   * @param totalUs from machine code in host memory to the turned alias, for each operator whose
   *     code came within a millisecond; the others were interpreted first
   * @param prepareUs what a caller waits who prepares such an operator: also looking it up on disk
   */
  public record Fed(
      int operators,
      long launchesBefore,
      long launchesAfter,
      double p50Us,
      double p99Us,
      double worstUs,
      double prepareP50Us,
      double prepareP99Us,
      double[] loadUs,
      double[] turnUs,
      double[] totalUs,
      double[] prepareUs) {}

  /**
   * Operators that the driver brought in, each in an image with all before it, while the ring is
   * fed without pause.
   *
   * @param totalUs from asking the workers to leave until the first task after their return was
   *     seen complete: the sum of the five that follow
   * @param leaveUs until no worker is resident
   * @param loadUs the driver loads the image, which was linked before
   * @param turnUs functions tell their addresses, and aliases are written
   * @param releaseUs the image before is unloaded and the workers are launched
   * @param firstUs until their first task is complete
   */
  public record DriverPauses(
      int loads,
      double p50Us,
      double p99Us,
      double worstUs,
      double[] totalUs,
      double[] leaveUs,
      double[] loadUs,
      double[] turnUs,
      double[] releaseUs,
      double[] firstUs) {}

  /**
   * Tasks completed in windows of 10 ms, undisturbed and while operators are brought in, published
   * and rolled back.
   *
   * @param changes of which half bring new code in and publish it, half roll back
   * @param undisturbed median, tasks a window
   * @param undisturbedLeast the slowest window without disturbance
   * @param least the slowest window with
   * @param ratio of it to the undisturbed median
   */
  public record Throughput(
      int changes,
      double undisturbed,
      double undisturbedLeast,
      double median,
      double least,
      double ratio,
      double[] undisturbedWindows,
      double[] windows) {}

  /**
   * New expressions, which no cache holds, one after the other on a device that is ready to
   * interpret: its own code is compiled, and the JVM has compiled the host's.
   *
   * @param firstResultUs from the expression's text to its first result on the host
   * @param compiledMs from there to the publication of the compiled generation
   * @param emptyCache the same where nothing at all is compiled
   */
  public record FirstUse(
      int expressions,
      double firstResultP50Us,
      double firstResultWorstUs,
      double compiledP50Ms,
      double compiledWorstMs,
      double[] firstResultUs,
      double[] compiledMs,
      EmptyCacheUse emptyCache) {}

  /**
   * The first expression of a device that was opened with an empty cache on disk, used at once:
   * also the interpreter may still be with the compiler. Each with a device and a cache of its own.
   *
   * @param openMs opening the device, for which its own code is compiled
   * @param firstResultUs from the expression's text to its first result on the host
   * @param compiledMs from there to the publication of the compiled generation
   */
  public record EmptyCacheUse(
      int openings,
      double openP50Ms,
      double firstResultP50Us,
      double firstResultWorstUs,
      double[] openMs,
      double[] firstResultUs,
      double[] compiledMs) {}

  /**
   * Tasks with checked results under random events.
   *
   * @param tasks that were submitted, by another thread than the one that made the events
   * @param submitted tasks, and replacements that had to be refused
   * @param verified tasks whose every element was the result of a generation that was current
   *     between its submission and its completion
   * @param failedAsExpected replacements that were refused for the reason they had to be; the
   *     operator went on as it was
   * @param wrong tasks with another result
   * @param events that took effect: the sum of the six that follow
   * @param parks requests that workers leave, made while they were resident
   * @param misfits refused as they had other inputs
   * @param notCompiled refused by the compiler
   * @param notVerified compiled, and refused as machine code
   */
  public record Stress(
      long seed,
      long tasks,
      long submitted,
      long verified,
      long failedAsExpected,
      long wrong,
      int events,
      int publications,
      int rollbacks,
      int parks,
      int misfits,
      int notCompiled,
      int notVerified,
      long launches,
      double seconds) {

    /**
     * This.
     *
     * @throws WrongResult if something is unaccounted for
     */
    Stress requireComplete() {
      int happened = publications + rollbacks + parks + misfits + notCompiled + notVerified;
      if (submitted != verified + failedAsExpected + wrong || events != happened) {
        throw new WrongResult(
            "lost under random events: %s, expected=submitted = verified + failed as expected"
                .formatted(this));
      }
      return this;
    }
  }
}
