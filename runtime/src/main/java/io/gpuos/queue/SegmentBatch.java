package io.gpuos.queue;

/**
 * A replay of a program, ready to be submitted any number of times: its segments, the bindings they
 * take their addresses from, and all the memory that they use. Immutable but for its end.
 */
public final class SegmentBatch {

  final Segments segments;

  /** Device address of the bindings. */
  final long bindings;

  final Access[] reads;
  final Access[] writes;

  /** Not to be submitted any more; guarded by the ring's ordering section. */
  boolean closed;

  /**
   * @param reads bytes read by any node, those of nodes and bindings included
   * @param writes bytes written by any node
   */
  public SegmentBatch(Segments segments, long bindings, Access[] reads, Access[] writes) {
    this.segments = segments;
    this.bindings = bindings;
    this.reads = reads.clone();
    this.writes = writes.clone();
  }
}
