package io.gpuos.cli.bench;

import io.gpuos.device.OpenPhases;
import java.util.List;

/**
 * What {@code gpuos bench micro} measured. Every number of every round is kept.
 *
 * @param goals what is to be reached on a large GPU; on the CPU device they mean little
 * @param submit a few calls in turn, so that host memory is in the cache
 * @param submitDistinct every call once
 */
public record MicroReport(
    Environment environment,
    List<Goal> goals,
    Submit submit,
    Submit submitDistinct,
    Latency latency,
    List<Throughput> throughput,
    Bandwidth bandwidth,
    Open open) {

  /**
   * Host time to submit one prepared call, into a ring that has room.
   *
   * @param calls submitted in a row in each round
   * @param distinct different calls among them, taken in turn
   * @param size elements of each operation
   * @param roundsNs nanoseconds a call, for each round
   */
  public record Submit(
      int calls,
      int distinct,
      int size,
      int warmUpRounds,
      double medianNs,
      double bestNs,
      double p90Ns,
      double[] roundsNs) {}

  /**
   * From the submission of one operation, with nothing else in flight, to the return of the wait
   * for it.
   *
   * @param samplesNs nanoseconds, one number an operation
   */
  public record Latency(
      int operations,
      int size,
      double p10Us,
      double p50Us,
      double p90Us,
      double p99Us,
      double bestUs,
      double worstUs,
      double[] samplesNs) {}

  /**
   * Independent additions, all operands different, from the first submission to the completion of
   * all. Numbers are for one operation.
   *
   * @param storage {@code slab}: operands are rows of large tensors; {@code separate}: tensors
   * @param how {@code call}: submitted one by one; {@code batch}: all together
   * @param medianUs microseconds to completion
   * @param roundsUs microseconds to completion, for each round
   * @param hostMedianNs nanoseconds of host time to submit
   * @param hostRoundsNs nanoseconds of host time to submit, for each round
   */
  public record Throughput(
      String storage,
      String how,
      int operations,
      int size,
      int warmUpRounds,
      double medianUs,
      double bestUs,
      double p90Us,
      double[] roundsUs,
      double hostMedianNs,
      double hostBestNs,
      double hostP90Ns,
      double[] hostRoundsNs) {}

  /**
   * Large elementwise operations beside copies, in turn in each round. A byte that is read counts,
   * and one that is written.
   *
   * @param elements F32 elements of each operand of one operation
   * @param pieces operations of a round, one behind the other, each on memory of its own; the
   *     device's own copy moves as much with one call
   * @param addOverCopy median over the rounds of the addition's rate by that of the device's own
   *     copy in the same round
   */
  public record Bandwidth(
      long elements,
      long pieces,
      Moved add,
      Moved copyOperator,
      Moved deviceCopy,
      double addOverCopy,
      double[] roundsAddOverCopy) {}

  /**
   * Bytes moved through device memory.
   *
   * @param bytes read and written in each round
   * @param medianUs from submission to completion
   * @param roundsGbS 10^9 bytes a second, for each round
   */
  public record Moved(
      long bytes,
      double medianUs,
      double bestUs,
      double p90Us,
      double medianGbS,
      double bestGbS,
      double[] roundsGbS) {}

  /**
   * Opening the device, to be ready for the first submission.
   *
   * @param firstMs the first time in this process
   * @param firstPhases what that spent its time on, as far as the device tells
   * @param againMs later times, each after a close
   */
  public record Open(double firstMs, List<OpenPhases.Phase> firstPhases, double[] againMs) {}
}
