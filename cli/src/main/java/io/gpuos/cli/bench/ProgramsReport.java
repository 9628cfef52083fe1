package io.gpuos.cli.bench;

import java.util.List;
import java.util.Optional;

/**
 * What {@code gpuos bench programs} measured. Every sample is kept.
 *
 * @param graphs what the CUDA graphs beside the programs are, or why there are none
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
   * @param graph a CUDA graph of the same work, in the same rounds; empty without a GPU
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
      double[] samplesUs,
      Optional<Graph> graph) {}

  /**
   * A CUDA graph of a workload. Times are as the program's, and none where {@code failure} says
   * why.
   *
   * @param nodes launches it consists of
   */
  public record Graph(
      String failure, long nodes, double medianUs, double p25Us, double p75Us, double[] samplesUs) {

    static Graph failed(String failure) {
      return new Graph(failure, 0, Double.NaN, Double.NaN, Double.NaN, new double[0]);
    }

    static Graph measured(long nodes, double[] samples) {
      return new Graph(
          null,
          nodes,
          Rounds.median(samples),
          Rounds.percentile(samples, 25),
          Rounds.percentile(samples, 75),
          samples);
    }
  }
}
