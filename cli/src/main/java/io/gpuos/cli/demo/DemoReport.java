package io.gpuos.cli.demo;

import java.util.List;

/**
 * What a demo came to.
 *
 * @param device {@code cpu} or {@code cuda:N}
 * @param operations operations that were timed, each of them once
 * @param verified operations whose result is right in every element
 * @param mismatches the others
 * @param usPerOp timed microseconds from first submit to all complete, summed over the groups and
 *     divided by the operations
 * @param worstError over all results; relative to the expected value or to 1, whichever is larger
 * @param elements how large the operations are
 * @param operators different operators that were compiled
 * @param openMs opening the device
 * @param prepareMs making tensors and compiling operators
 * @param rehearsalMs running everything once before it is timed
 * @param timedMs what {@code usPerOp} is of
 * @param checkMs computing the reference and comparing
 * @param added the operator that came in while others were in flight
 * @param groups in the order they ran
 */
public record DemoReport(
    String device,
    String deviceDescription,
    long seed,
    int operations,
    int verified,
    int mismatches,
    double usPerOp,
    double worstError,
    Elements elements,
    int operators,
    double openMs,
    double prepareMs,
    double rehearsalMs,
    double timedMs,
    double checkMs,
    Added added,
    List<GroupReport> groups) {

  /**
   * One group of operations.
   *
   * @param tasks records that went through the ring for them
   * @param examples what is wrong with the first mismatches
   */
  public record GroupReport(
      String name,
      int operations,
      long tasks,
      double usPerOp,
      double worstError,
      Elements elements,
      int verified,
      int mismatches,
      List<String> examples) {}

  /**
   * How large the largest tensor of an operation is: what {@code usPerOp} is for.
   *
   * @param least elements
   * @param median elements; the lower one of two
   * @param most elements
   */
  public record Elements(long least, long median, long most) {

    /** Of operations whose sizes are given in any order; zeros without one. */
    static Elements of(List<Long> sizes) {
      if (sizes.isEmpty()) {
        return new Elements(0, 0, 0);
      }
      List<Long> sorted = sizes.stream().sorted().toList();
      return new Elements(sorted.getFirst(), sorted.get((sorted.size() - 1) / 2), sorted.getLast());
    }
  }

  /**
   * An operator that was first heard of after half of the operations. The time until it could be
   * submitted is not part of any group's.
   *
   * @param inFlight tasks submitted and not complete when it came
   * @param readyMs from its expression to its first submission
   */
  public record Added(String expression, long inFlight, double readyMs) {}
}
