package io.gpuos.cli.bench;

import java.util.List;

/**
 * What {@code gpuos bench programs} measured. Every sample is kept.
 *
 * @param graphs why no CUDA graph stands beside the programs
 */
public record ProgramsReport(
    Environment environment,
    int warmUpRounds,
    int rounds,
    String graphs,
    List<Measured> workloads) {

  /**
   * A workload. Times are microseconds for one unit.
   *
   * @param timed what a sample is
   * @param units that one replay computes
   * @param goalUs to be reached on a large GPU; on the CPU device it means little
   * @param samplesUs in the order of the rounds
   */
  public record Measured(
      String name,
      String what,
      String timed,
      int units,
      double goalUs,
      double medianUs,
      double p25Us,
      double p75Us,
      double[] samplesUs) {}
}
