package io.gpuos.schedule;

/**
 * About what things cost on a device, to place tasks by. Errors of a factor of two do no harm.
 *
 * @param workers that tasks are spread over
 * @param taskNanos of a task that moves and computes next to nothing
 * @param bytesPerNano that one worker moves
 * @param productsPerNano multiplications of a matrix product that one worker does
 * @param handOverNanos from the end of a segment to the begin of one that waits for it
 * @param segmentNanos after which a segment ends at the latest, so that workers can leave
 */
public record CostModel(
    int workers,
    long taskNanos,
    double bytesPerNano,
    double productsPerNano,
    long handOverNanos,
    long segmentNanos) {

  /** Time of a task, at least 1 ns. */
  public long nanos(double bytes, double products) {
    return Math.max(1, taskNanos + (long) (bytes / bytesPerNano + products / productsPerNano));
  }
}
