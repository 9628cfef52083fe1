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
   * New expressions with nothing in any cache, one after the other.
   *
   * @param firstResultUs from the expression's text to its first result on the host
   * @param compiledMs from there to the publication of the compiled generation
   */
  public record FirstUse(
      int expressions,
      double firstResultP50Us,
      double firstResultWorstUs,
      double compiledP50Ms,
      double compiledWorstMs,
      double[] firstResultUs,
      double[] compiledMs) {}

  /**
   * Tasks with checked results under random publications, rollbacks and parks.
   *
   * @param verified tasks whose every element was the result of a generation that was current
   *     between its submission and its completion
   */
  public record Stress(
      long seed,
      long tasks,
      long verified,
      long wrong,
      int publications,
      int rollbacks,
      int parks,
      long launches,
      double seconds) {}
}
