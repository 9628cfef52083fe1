package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Invocations that are submitted together again and again, with the dependencies among them worked
 * out once and their records written out, but for what depends on the sequence. Immutable but for
 * its end; {@link SubmissionRing#submit(AnalysedBatch)} uses it.
 */
public final class AnalysedBatch {

  final Invocation[] invocations;

  /** Records of the batch: tiles of all invocations. */
  final int records;

  /** Longs from one record to the next in {@link #images}. */
  final int stride;

  /**
   * The records one after another, so that submitting reads memory in one stream: as in the ring,
   * {@code after} words included, but with sequence and stamps zero.
   */
  final long[] images;

  /** Not to be submitted any more; guarded by the ring's ordering section. */
  boolean closed;

  private AnalysedBatch(Invocation[] invocations, int records, int sectors) {
    this.invocations = invocations;
    this.records = records;
    this.stride = (sectors + 1) * TaskRecord.SECTOR_BYTES / Long.BYTES;
    this.images = new long[Math.multiplyExact(records, stride)];
  }

  /** Works out which of {@code invocations} wait for which earlier ones. */
  public static AnalysedBatch of(List<Invocation> invocations) {
    int records = invocations.stream().mapToInt(Invocation::tiles).reduce(0, Math::addExact);
    // One range of dependencies fits sector 1; a second one needs more room, which is rare.
    int sectors = invocations.stream().mapToInt(invocation -> invocation.sectors).max().orElse(0);
    AnalysedBatch narrow =
        new AnalysedBatch(invocations.toArray(Invocation[]::new), records, Math.max(1, sectors));
    if (narrow.writeRecords()) {
      return narrow;
    }
    AnalysedBatch wide = new AnalysedBatch(narrow.invocations, records, 3);
    wide.writeRecords();
    return wide;
  }

  /**
   * Registers the invocations with histories of its own, in which nothing happened before.
   *
   * @return false if a record has more dependencies than the stride has room for
   */
  private boolean writeRecords() {
    Map<RegionMap, RegionMap> histories = new HashMap<>();
    Dependencies dependencies = new Dependencies();
    long first = 1;
    for (Invocation invocation : invocations) {
      long last = first + invocation.tiles - 1;
      register(invocation, histories, first, last, dependencies);
      for (int tile = 0; tile < invocation.tiles; tile++) {
        int at = (int) (first - 1 + tile) * stride;
        if (!invocation.writeImage(tile, dependencies, first + tile, images, at, stride)) {
          return false;
        }
      }
      first = last + 1;
    }
    return true;
  }

  private static void register(
      Invocation invocation,
      Map<RegionMap, RegionMap> histories,
      long first,
      long last,
      Dependencies dependencies) {
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
  }

  private static RegionMap history(Map<RegionMap, RegionMap> histories, Access access) {
    return histories.computeIfAbsent(access.map(), map -> new RegionMap(map.bytes(), 0));
  }
}
