package io.gpuos.cli.bench;

import io.gpuos.cli.bench.ProgramWorkload.Mode;
import io.gpuos.cli.bench.ProgramsReport.Graph;
import io.gpuos.driver.CudaGraph;
import io.gpuos.error.GpuosException;
import io.gpuos.error.Messages;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The CUDA graphs beside the programs of a benchmark, checked and timed as those are. What fails is
 * told in the report, and stops nothing else. One thread.
 */
final class GraphRuns implements AutoCloseable {

  private static final String NONE_ON_CPU = "the CPU device has no CUDA graphs";

  /** A workload's graph, or why there is none. */
  private static final class One {
    private CudaGraph graph;
    private long nodes;
    private String failure;
    private final double[] samples;

    private One(int rounds) {
      this.samples = new double[rounds];
    }
  }

  private final GraphPeer peer;
  private final String what;
  private final int rounds;
  private final List<One> ones = new ArrayList<>();

  private GraphRuns(GraphPeer peer, String what, int rounds) {
    this.peer = peer;
    this.what = what;
    this.rounds = rounds;
  }

  /**
   * For a device.
   *
   * @param device {@code cpu}, for which there are none, or {@code cuda:N}
   */
  static GraphRuns open(String device, int rounds) {
    if (device.equals("cpu")) {
      return new GraphRuns(null, NONE_ON_CPU, rounds);
    }
    try {
      return new GraphRuns(GraphPeer.open(device), GraphPeer.WHAT, rounds);
    } catch (GpuosException e) {
      return new GraphRuns(null, "none: " + Messages.line(e.getMessage()), rounds);
    }
  }

  /** What they are, or why there are none. */
  String what() {
    return what;
  }

  /** Whether there are any to be timed. */
  boolean isThere() {
    return peer != null;
  }

  /** Captures the graph of the next workload, and checks it. */
  void add(ProgramsBenchmark.Running running) {
    if (peer == null) {
      return;
    }
    One one = new One(rounds);
    ones.add(one);
    guarded(
        one,
        () -> {
          peer.settle();
          one.graph = peer.capture(running.fixture().peer().launches());
          one.nodes = one.graph.nodes();
          check(one, running);
        });
  }

  /** Before a round's graphs: nothing else is on the GPU. */
  void settle() {
    if (peer != null) {
      peer.settle();
    }
  }

  /** Times the graph of a workload; a negative round is not kept. */
  void sample(int number, int round, ProgramsBenchmark.Running running) {
    One one = ones.get(number);
    guarded(
        one,
        () -> {
          double sample = sample(one, running);
          if (round >= 0) {
            one.samples[round] = sample;
          }
        });
  }

  private double sample(One one, ProgramsBenchmark.Running running) {
    running.fixture().reset();
    peer.settle();
    Mode mode = running.workload().mode();
    int launches = mode == Mode.REPLAY ? 1 : ProgramsBenchmark.IN_A_ROW;
    long begin = System.nanoTime();
    for (int k = 0; k < launches; k++) {
      peer.launch(one.graph);
    }
    long submitted = System.nanoTime();
    peer.await();
    long end = System.nanoTime();
    return ((mode == Mode.HOST ? submitted : end) - begin) / 1e3 / launches / running.units();
  }

  /** Checks the graph of a workload again. */
  void check(int number, ProgramsBenchmark.Running running) {
    One one = ones.get(number);
    guarded(one, () -> check(one, running));
  }

  private void check(One one, ProgramsBenchmark.Running running) {
    running.fixture().reset();
    peer.launch(one.graph);
    peer.await();
    running.fixture().check(running.workload().name() + " as a CUDA graph");
  }

  /** Does something for a workload whose graph has not failed yet. */
  private static void guarded(One one, Runnable body) {
    if (one.failure != null) {
      return;
    }
    try {
      body.run();
    } catch (WrongResult | GpuosException e) {
      one.failure = Messages.line(e.getMessage());
    }
  }

  /** What was measured of a workload; empty where there are no graphs. */
  Optional<Graph> result(int number) {
    if (peer == null) {
      return Optional.empty();
    }
    One one = ones.get(number);
    return Optional.of(
        one.failure == null ? Graph.measured(one.nodes, one.samples) : Graph.failed(one.failure));
  }

  @Override
  public void close() {
    if (peer != null) {
      peer.close();
    }
  }
}
