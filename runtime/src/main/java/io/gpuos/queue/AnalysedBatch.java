package io.gpuos.queue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Invocations that are submitted together again and again, with the dependencies among them worked
 * out once. Immutable; {@link SubmissionRing#submit(AnalysedBatch)} uses it.
 */
public final class AnalysedBatch {

  final Invocation[] invocations;

  /** For each invocation the {@code after} words of its first tile, counting this batch only. */
  final int[] after0;

  final int[] after1;
  final int tiles;

  private AnalysedBatch(Invocation[] invocations, int tiles) {
    this.invocations = invocations;
    this.tiles = tiles;
    this.after0 = new int[invocations.length];
    this.after1 = new int[invocations.length];
  }

  /** Works out which of {@code invocations} wait for which earlier ones. */
  public static AnalysedBatch of(List<Invocation> invocations) {
    int tiles = invocations.stream().mapToInt(Invocation::tiles).reduce(0, Math::addExact);
    AnalysedBatch batch = new AnalysedBatch(invocations.toArray(Invocation[]::new), tiles);
    batch.analyse();
    return batch;
  }

  /** Registers the invocations with histories of its own, in which nothing happened before. */
  private void analyse() {
    Map<RegionMap, RegionMap> histories = new HashMap<>();
    Dependencies dependencies = new Dependencies();
    long first = 1;
    for (int k = 0; k < invocations.length; k++) {
      Invocation invocation = invocations[k];
      long last = first + invocation.tiles - 1;
      dependencies.reset(0);
      for (Access access : invocation.reads) {
        Access own = access.in(history(histories, access));
        for (int offset : own.offsets(0)) {
          own.map().read(offset, first, last, 0, dependencies);
        }
      }
      for (Access access : invocation.writes) {
        Access own = access.in(history(histories, access));
        for (int offset : own.offsets(0)) {
          own.map().write(offset, first, last, 0, dependencies);
        }
      }
      after0[k] = dependencies.after0(first);
      after1[k] = dependencies.after1(first);
      first = last + 1;
    }
  }

  private static RegionMap history(Map<RegionMap, RegionMap> histories, Access access) {
    return histories.computeIfAbsent(access.map(), map -> new RegionMap(map.bytes(), 0));
  }
}
