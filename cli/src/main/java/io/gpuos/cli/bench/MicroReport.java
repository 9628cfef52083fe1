package io.gpuos.cli.bench;

import java.util.List;

/** What {@code gpuos bench micro} measured. Every number of every round is kept. */
public record MicroReport(
    Environment environment,
    Submit submit,
    Latency latency,
    List<Throughput> throughput,
    Bandwidth bandwidth,
    Open open) {

  /**
   * Host time to submit one prepared call, into a ring that has room.
   *
   * @param calls submitted in a row in each round, each with its own output
   * @param size elements of each operation
   * @param roundsNs nanoseconds a call, for each round
   */
  public record Submit(
      int calls, int size, double medianNs, double bestNs, double worstNs, double[] roundsNs) {}

  /**
   * From the submission of one operation, with nothing else in flight, to the return of the wait
   * for it.
   *
   * @param samplesNs nanoseconds, one number an operation
   */
  public record Latency(
      int operations,
      int size,
      double p50Us,
      double p99Us,
      double bestUs,
      double worstUs,
      double[] samplesNs) {}

  /**
   * Independent additions, from the first submission to the completion of all.
   *
   * @param inputPairs different pairs of inputs among them; outputs are all different
   * @param medianUs microseconds an operation
   * @param roundsUs microseconds an operation, for each round
   */
  public record Throughput(
      int operations,
      int size,
      int inputPairs,
      double medianUs,
      double bestUs,
      double[] roundsUs) {}

  /**
   * One large elementwise operation beside copies. A byte that is read counts, and one that is
   * written.
   *
   * @param elements F32 elements of each operand
   * @param addOverCopy median of the addition by that of the device's own copy
   */
  public record Bandwidth(
      long elements, Moved add, Moved copyOperator, Moved deviceCopy, double addOverCopy) {}

  /**
   * Bytes moved through device memory.
   *
   * @param bytes read and written in each round
   * @param roundsGbS 10^9 bytes a second, for each round
   */
  public record Moved(long bytes, double medianGbS, double bestGbS, double[] roundsGbS) {}

  /**
   * Opening the device, to be ready for the first submission.
   *
   * @param firstMs the first time in this process
   * @param againMs later times, each after a close
   */
  public record Open(double firstMs, double[] againMs) {}
}
