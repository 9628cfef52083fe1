package io.gpuos;

import java.util.List;

/**
 * One replay of a program as it ran: {@link Program#trace} makes it.
 *
 * @param nodes of the program's segments, in the order in which they began
 * @param nanos from the beginning of the first to the end of the last
 */
public record ProgramTrace(List<Node> nodes, double nanos) {

  /**
   * A node that ran: a kernel of an operation, or a tile of it.
   *
   * @param operation number of the operation in {@link Program#explain}
   * @param expressions what it computes
   * @param segment number of the segment it belongs to
   * @param worker who ran it, from 0
   * @param beginNanos from the beginning of the first node on; likewise {@code endNanos}
   */
  public record Node(
      int operation,
      String expressions,
      int segment,
      int worker,
      double beginNanos,
      double endNanos) {}

  public ProgramTrace {
    nodes = List.copyOf(nodes);
  }
}
