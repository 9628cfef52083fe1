package io.gpuos;

import io.gpuos.layout.DType;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;

/**
 * One submission that a candidate was run beside: what both computed, the time the candidate took,
 * and how far the comparison is. Made by the thread that submits, from then on used by that of
 * {@link Trials} alone.
 */
final class Sample implements AutoCloseable {

  /** Elements compared in one piece: some milliseconds. */
  private static final long PIECE = 1 << 16;

  /** Most that is counted between two looks: a process that was stopped must not blame others. */
  private static final long LONGEST_LOOK_NANOS = 200_000_000;

  private final Candidate candidate;
  private final Tensor current;
  private final Tensor tried;
  private final long bytes;

  /** Tasks of the whole sample, and those of them that are the candidate's. */
  private long first;

  private long last;
  private long candidateFirst;
  private long candidateLast;

  private boolean running;
  private long lookedAt;
  private long ranNanos;
  private long compared;
  private boolean over;

  /**
   * Takes over both tensors.
   *
   * @param current where the current generation's result is copied to, without gaps
   * @param tried where the candidate's result goes, of the same layout
   * @param bytes of both, given back when the sample is closed
   */
  Sample(Candidate candidate, Tensor current, Tensor tried, long bytes) {
    this.candidate = candidate;
    this.current = current;
    this.tried = tried;
    this.bytes = bytes;
  }

  /** Sequences the tasks were submitted with. */
  Sample submitted(long sampleFirst, long sampleLast, long triedFirst, long triedLast) {
    first = sampleFirst;
    last = sampleLast;
    candidateFirst = triedFirst;
    candidateLast = triedLast;
    return this;
  }

  Candidate candidate() {
    return candidate;
  }

  /**
   * Looks whether the sample is complete, and at the clock. The candidate's time runs while all
   * tasks before it are complete and the workers are there, from one look that finds it unfinished
   * to the next that does: never longer than it really ran.
   */
  boolean look(long now) {
    Completions completions = candidate.runtime().device().completions();
    Lease lease = candidate.runtime().device().lease();
    boolean begun = completions.through() - (candidateFirst - 1) >= 0;
    boolean unfinished = !complete(completions, candidateFirst, candidateLast);
    boolean runs = begun && unfinished && !lease.parked();
    if (runs && running) {
      ranNanos += Math.min(now - lookedAt, LONGEST_LOOK_NANOS);
    }
    running = runs;
    lookedAt = now;
    if (ranNanos > candidate.chosen().deadline().toNanos()) {
      candidate.endOverdue(ranNanos);
    }
    return !unfinished && complete(completions, first, last);
  }

  private static boolean complete(Completions completions, long from, long to) {
    for (long sequence = to; sequence - from >= 0; sequence--) {
      if (completions.through() - to >= 0) {
        return true;
      }
      if (!completions.isComplete(sequence)) {
        return false;
      }
    }
    return true;
  }

  /** Compares the next elements of a complete sample, and tells the candidate what came of it. */
  void comparePiece() {
    long elements = current.elements();
    long end = Math.min(compared + PIECE, elements);
    Comparison comparison = new Comparison(candidate.chosen(), compared);
    try (Tensor one = piece(current, end);
        Tensor other = piece(tried, end)) {
      if (one.dtype() == DType.I64) {
        comparison.compare(one.toLongs(), other.toLongs());
      } else {
        comparison.compare(one.toDoubles(), other.toDoubles());
      }
    }
    compared = end;
    over = candidate.found(comparison, compared == elements) || compared == elements;
  }

  private Tensor piece(Tensor tensor, long end) {
    try (Tensor flat = tensor.reshape(-1)) {
      return flat.slice(0, compared, end);
    }
  }

  /** There is nothing more to learn from this. */
  void giveUp() {
    over = true;
  }

  /** Whether everything is compared, or the candidate's trial has ended. */
  boolean over() {
    return over || candidate.isOver();
  }

  /** Gives the memory back. Tasks that still use it are not disturbed. */
  @Override
  public void close() {
    current.close();
    tried.close();
    candidate.closed(bytes);
  }
}
