package io.gpuos.queue;

/**
 * Bytes {@code [begin, end)} of one allocation whose last accesses are the same. Guarded by the
 * ring's ordering section.
 *
 * <p>Writers and readers are kept as closed ranges of sequences, because one operation may be several
 * tiles and a write must wait for every reader since the last write.
 */
final class Region {
  final long begin;
  final long end;

  /** Last write: from its first to its last tile. Valid if {@link #written}. */
  long writeFirst;

  long writeLast;
  boolean written;

  /** Reads since the last write. Valid if {@link #read}. */
  long readFirst;

  long readLast;
  boolean read;

  /** Set when the region was split: an {@link Access} that holds it must look again. */
  boolean stale;

  Region(long begin, long end) {
    this.begin = begin;
    this.end = end;
  }

  /** The part {@code [begin, end)} of this region, with the same history. */
  Region part(long partBegin, long partEnd) {
    Region part = new Region(partBegin, partEnd);
    part.writeFirst = writeFirst;
    part.writeLast = writeLast;
    part.written = written;
    part.readFirst = readFirst;
    part.readLast = readLast;
    part.read = read;
    return part;
  }

  void noteWrite(long first, long last) {
    writeFirst = first;
    writeLast = last;
    written = true;
    read = false;
  }

  void noteRead(long first, long last) {
    if (!read) {
      readFirst = first;
    }
    readLast = last;
    read = true;
  }
}
