package io.gpuos.queue;

/**
 * The tasks a new task waits for, as at most two closed ranges of sequences. More are merged into
 * the two whose hulls grow least; a hull may hold tasks that did not need waiting for, which costs
 * parallelism, never order. One instance a ring, guarded by its ordering section.
 */
final class Dependencies {
  private long completedThrough;
  private int count;
  private long firstA;
  private long lastA;
  private long firstB;
  private long lastB;

  void reset(long completed) {
    completedThrough = completed;
    count = 0;
  }

  /** Adds the tasks {@code first..last}, less those already complete. */
  void add(long first, long last) {
    if (last - completedThrough <= 0) {
      return;
    }
    long from = first - completedThrough <= 0 ? completedThrough + 1 : first;
    if (count == 0) {
      firstA = from;
      lastA = last;
      count = 1;
    } else if (touches(from, last, firstA, lastA)) {
      firstA = earlier(from, firstA);
      lastA = later(last, lastA);
    } else if (count == 1) {
      firstB = from;
      lastB = last;
      count = 2;
    } else {
      mergeThird(from, last);
    }
  }

  private void mergeThird(long from, long last) {
    long growA = hull(from, last, firstA, lastA) - (lastA - firstA);
    long growB = hull(from, last, firstB, lastB) - (lastB - firstB);
    if (growA <= growB) {
      firstA = earlier(from, firstA);
      lastA = later(last, lastA);
    } else {
      firstB = earlier(from, firstB);
      lastB = later(last, lastB);
    }
  }

  int count() {
    return count;
  }

  /** First range for the task {@code sequence}, in the form of a record's {@code after} word. */
  int after0(long sequence) {
    return count < 1 ? 0 : encode(sequence, firstA, lastA);
  }

  /** Second range for the task {@code sequence}. */
  int after1(long sequence) {
    return count < 2 ? 0 : encode(sequence, firstB, lastB);
  }

  private static int encode(long sequence, long first, long last) {
    return (int) (sequence - first) << 16 | (int) (sequence - last);
  }

  private static boolean touches(long firstX, long lastX, long firstY, long lastY) {
    return firstX - lastY <= 1 && firstY - lastX <= 1;
  }

  private static long hull(long firstX, long lastX, long firstY, long lastY) {
    return later(lastX, lastY) - earlier(firstX, firstY);
  }

  private static long earlier(long a, long b) {
    return a - b < 0 ? a : b;
  }

  private static long later(long a, long b) {
    return a - b > 0 ? a : b;
  }
}
