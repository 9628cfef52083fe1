package io.gpuos.device;

import io.gpuos.error.ClosedException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.queue.RegionMap;
import io.gpuos.queue.SubmissionRing;
import io.gpuos.queue.Uses;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Device memory in blocks cut from large slabs, because giving memory back to a driver waits for
 * the resident kernel. Best fit over free chunks, neighbours joined. Thread-safe.
 *
 * <p>A freed chunk remembers the tasks that still use it; a block cut from it starts with that
 * history, so new tasks are ordered behind old ones and memory may be freed while tasks still use
 * it.
 */
public final class MemoryPool implements AutoCloseable {

  /** Where slabs come from. */
  public interface SlabSource {
    /**
     * Address of {@code bytes} fresh bytes, aligned to {@link #ALIGNMENT}, or 0 if there are none.
     */
    long allocate(long bytes);

    void free(long address);

    /** Bytes still to be had, for error messages; negative if unknown. */
    long available();
  }

  /** Alignment of every block, in bytes. */
  public static final int ALIGNMENT = 256;

  private static final long SLAB_BYTES = 32L << 20;

  private final SlabSource source;
  private final SubmissionRing ring;
  private final String device;
  private final List<Long> slabs = new ArrayList<>();
  private final TreeMap<Long, Chunk> freeByAddress = new TreeMap<>();
  private final TreeMap<Long, List<Chunk>> freeBySize = new TreeMap<>();
  private final Map<Long, Block> used = new HashMap<>();
  private final Map<Long, Long> slabOf = new HashMap<>();
  private long slabBytes;
  private long usedBytes;
  private boolean closed;

  public MemoryPool(SlabSource source, SubmissionRing ring, String device) {
    this.source = source;
    this.ring = ring;
    this.device = device;
  }

  /**
   * Memory of one allocation.
   *
   * @param address on the device, aligned to {@link #ALIGNMENT}
   * @param bytes usable bytes
   * @param history which tasks use which bytes of it
   */
  public record Block(long address, long bytes, RegionMap history) {}

  private record Chunk(long slab, long address, long bytes, Uses uses) {
    long end() {
      return address + bytes;
    }
  }

  /**
   * Allocates at least {@code bytes} bytes; contents are undefined.
   *
   * @throws OutOfMemoryException naming what was asked, used and available
   */
  public synchronized Block allocate(long bytes) {
    if (closed) {
      throw new ClosedException("device memory closed: device=" + device + ", expected=open");
    }
    if (bytes > Long.MAX_VALUE - ALIGNMENT) {
      throw outOfMemory(bytes);
    }
    long rounded = Math.max(ALIGNMENT, Math.ceilDiv(bytes, (long) ALIGNMENT) * ALIGNMENT);
    Map.Entry<Long, List<Chunk>> fit = freeBySize.ceilingEntry(rounded);
    if (fit == null) {
      grow(rounded);
      fit = freeBySize.ceilingEntry(rounded);
    }
    Chunk chunk = fit.getValue().getLast();
    removeFree(chunk);
    if (chunk.bytes > rounded) {
      addFree(new Chunk(chunk.slab, chunk.address + rounded, chunk.bytes - rounded, chunk.uses));
    }
    Block block = new Block(chunk.address, rounded, ring.reuse(rounded, chunk.uses));
    used.put(chunk.address, block);
    slabOf.put(chunk.address, chunk.slab);
    usedBytes += rounded;
    return block;
  }

  private void grow(long bytes) {
    long size = Math.max(bytes, SLAB_BYTES);
    long address = source.allocate(size);
    if (address == 0 && size > bytes) {
      size = bytes;
      address = source.allocate(size);
    }
    if (address == 0) {
      throw outOfMemory(bytes);
    }
    slabs.add(address);
    slabBytes += size;
    addFree(new Chunk(address, address, size, Uses.NONE));
  }

  private OutOfMemoryException outOfMemory(long bytes) {
    long available = source.available();
    return new OutOfMemoryException(
        String.format(
            Locale.ROOT,
            "out of memory: device=%s, requested=%d bytes, in_use=%d bytes, available=%s, expected=room; close tensors that are no longer needed",
            device,
            bytes,
            usedBytes,
            available < 0 ? "unknown" : available + " bytes"));
  }

  /** Gives {@code block} back. Tasks that still use it are not disturbed. Once per block. */
  public synchronized void free(Block block) {
    if (closed) {
      return;
    }
    if (!used.remove(block.address, block)) {
      throw new IllegalStateException("block freed twice: address=" + block.address);
    }
    usedBytes -= block.bytes;
    Chunk chunk =
        new Chunk(
            slabOf.remove(block.address), block.address, block.bytes, ring.uses(block.history));
    addFree(join(chunk));
  }

  private Chunk join(Chunk chunk) {
    Chunk joined = chunk;
    Map.Entry<Long, Chunk> before = freeByAddress.lowerEntry(joined.address);
    if (before != null
        && before.getValue().end() == joined.address
        && before.getValue().slab == joined.slab) {
      removeFree(before.getValue());
      joined = merged(before.getValue(), joined);
    }
    Chunk after = freeByAddress.get(joined.end());
    if (after != null && after.slab == joined.slab) {
      removeFree(after);
      joined = merged(joined, after);
    }
    return joined;
  }

  private static Chunk merged(Chunk left, Chunk right) {
    return new Chunk(left.slab, left.address, left.bytes + right.bytes, left.uses.and(right.uses));
  }

  private void addFree(Chunk chunk) {
    freeByAddress.put(chunk.address, chunk);
    freeBySize.computeIfAbsent(chunk.bytes, _ -> new ArrayList<>()).add(chunk);
  }

  private void removeFree(Chunk chunk) {
    freeByAddress.remove(chunk.address);
    List<Chunk> same = freeBySize.get(chunk.bytes);
    same.remove(chunk);
    if (same.isEmpty()) {
      freeBySize.remove(chunk.bytes);
    }
  }

  /** Bytes in live blocks. */
  public synchronized long usedBytes() {
    return usedBytes;
  }

  /** Bytes held from the device. */
  public synchronized long heldBytes() {
    return slabBytes;
  }

  /** Frees every slab. No task may be running. Idempotent. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    slabs.forEach(source::free);
    slabs.clear();
  }
}
