package io.gpuos.queue;

import io.gpuos.abi.TaskRecord;

/**
 * Writes task records into the ring so that a worker that sees a stamp also sees the words it
 * stands for: within a sector the stamp comes last, and in the record the sequence. Called for
 * claimed sequences only, each by one thread.
 */
final class RecordWriter {

  private final RingMemory memory;
  private final SharedWords records;

  RecordWriter(RingMemory memory) {
    this.memory = memory;
    this.records = memory.records();
  }

  /**
   * Writes a record that is complete but for sequence and stamps; each sector's stamp last.
   *
   * @param what operator and space
   */
  void writeImage(long[] images, int at, long sequence, long what, boolean fenced) {
    long slot = memory.slot(sequence);
    long stamp = sequence & 0xffffffffL;
    long flags = images[at + 2];
    for (int sector = (int) (flags >>> 32 + TaskRecord.SECTORS_SHIFT); sector > 0; sector--) {
      long target = slot + sector * TaskRecord.SECTOR_BYTES;
      int source = at + sector * TaskRecord.SECTOR_BYTES / Long.BYTES;
      records.putLongPlain(target + 8, images[source + 1]);
      records.putLongPlain(target + 16, images[source + 2]);
      records.putLongPlain(target + 24, images[source + 3]);
      records.putLongRelease(target, images[source] | stamp);
    }
    records.putLongPlain(slot + TaskRecord.LOGICAL_OPERATOR, what);
    records.putLongPlain(slot + TaskRecord.COUNT, flags);
    records.putLongPlain(slot + TaskRecord.operand(0), images[at + 3]);
    if (fenced) {
      records.putLongFenced(slot + TaskRecord.SEQUENCE, sequence);
    } else {
      records.putLongRelease(slot + TaskRecord.SEQUENCE, sequence);
    }
  }

  /**
   * Writes the record of a segment.
   *
   * @param first sequence of the replay's first segment
   * @param after0 what entries wait for, from there; each segment is one further away
   * @param runs false for a record that does nothing, but waits for the same tasks
   */
  void writeSegment(
      SegmentBatch batch,
      int segment,
      long first,
      int after0,
      int after1,
      boolean runs,
      boolean fenced) {
    Segments segments = batch.segments;
    long[] images = segments.images;
    int at = segment * segments.stride;
    long sequence = first + segment;
    long slot = memory.slot(sequence);
    long stamp = sequence & 0xffffffffL;
    long word1 = images[at + TaskRecord.STAMP_1 / Long.BYTES];
    long word2 = images[at + TaskRecord.STAMP_2 / Long.BYTES];
    long counts = images[at + TaskRecord.COUNT / Long.BYTES];
    if (segments.entry[segment]) {
      word1 = shifted(after0, segment) << 32;
      word2 = shifted(after1, segment) << 32;
      counts += (long) (after1 != 0 ? 1 : 0) << TaskRecord.SECTORS_SHIFT + 32;
    }
    if (word2 != 0) {
      records.putLongRelease(slot + TaskRecord.STAMP_2, word2 | stamp);
    }
    records.putLongPlain(slot + TaskRecord.operand(1), batch.bindings);
    records.putLongRelease(slot + TaskRecord.STAMP_1, word1 | stamp);
    long what = runs ? images[at + TaskRecord.LOGICAL_OPERATOR / Long.BYTES] : 0;
    records.putLongPlain(slot + TaskRecord.LOGICAL_OPERATOR, what);
    records.putLongPlain(slot + TaskRecord.COUNT, counts);
    records.putLongPlain(slot + TaskRecord.operand(0), images[at + TaskRecord.operand(0) / 8]);
    if (fenced) {
      records.putLongFenced(slot + TaskRecord.SEQUENCE, sequence);
    } else {
      records.putLongRelease(slot + TaskRecord.SEQUENCE, sequence);
    }
  }

  /**
   * Writes one record: each sector's words before its stamp, the sequence last.
   *
   * @param image the tile's record, without stamps and dependencies
   * @param after0 dependencies of the first tile; this one is {@code tile} further away from them
   * @param fenced whether a full fence follows the publication
   */
  void write(
      Invocation invocation,
      long[] image,
      int tile,
      long sequence,
      int after0,
      int after1,
      boolean fenced) {
    long slot = memory.slot(sequence);
    long stamp = sequence & 0xffffffffL;
    int sectors = invocation.sectors;
    if (after0 != 0) {
      sectors = Math.max(sectors, after1 != 0 ? 2 : 1);
    }
    if (sectors >= 1) {
      if (sectors >= 2) {
        if (sectors >= 3) {
          putOperands(slot + TaskRecord.STAMP_3, image, 13);
          long position = (long) invocation.first(tile) << 32;
          records.putLongRelease(slot + TaskRecord.STAMP_3, position | stamp);
        }
        putOperands(slot + TaskRecord.STAMP_2, image, 9);
        records.putLongRelease(slot + TaskRecord.STAMP_2, shifted(after1, tile) << 32 | stamp);
      }
      putOperands(slot + TaskRecord.STAMP_1, image, 5);
      records.putLongRelease(slot + TaskRecord.STAMP_1, shifted(after0, tile) << 32 | stamp);
    }
    long flags = (long) sectors << TaskRecord.SECTORS_SHIFT + 32;
    records.putLongPlain(slot + TaskRecord.LOGICAL_OPERATOR, image[1]);
    records.putLongPlain(slot + TaskRecord.COUNT, image[2] | flags);
    records.putLongPlain(slot + TaskRecord.operand(0), image[3]);
    if (fenced) {
      records.putLongFenced(slot + TaskRecord.SEQUENCE, sequence);
    } else {
      records.putLongRelease(slot + TaskRecord.SEQUENCE, sequence);
    }
  }

  /** The three operands of a sector, which follow its stamp; none if only dependencies need it. */
  private void putOperands(long sector, long[] image, int word) {
    if (word >= image.length) {
      return;
    }
    records.putLongPlain(sector + 8, image[word]);
    records.putLongPlain(sector + 16, image[word + 1]);
    records.putLongPlain(sector + 24, image[word + 2]);
  }

  private static long shifted(int after, int tile) {
    return after == 0 ? 0 : Integer.toUnsignedLong(after + tile * 0x10001);
  }
}
