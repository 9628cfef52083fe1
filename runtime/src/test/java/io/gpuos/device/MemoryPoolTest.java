package io.gpuos.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.device.MemoryPool.Block;
import io.gpuos.error.ClosedException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.queue.Access;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MemoryPoolTest {

  private static final long SLAB = 32L << 20;

  /** Slabs that are only numbers, up to a limit. */
  private static final class Slabs implements MemoryPool.SlabSource {
    private final Map<Long, Long> slabs = new TreeMap<>();
    private final List<Long> freed = new ArrayList<>();
    private long limit = Long.MAX_VALUE;
    private long next = 1L << 40;

    @Override
    public long allocate(long bytes) {
      if (bytes > available()) {
        return 0;
      }
      long address = next;
      slabs.put(address, bytes);
      next += bytes; // Slabs may well lie side by side.
      return address;
    }

    @Override
    public void free(long address) {
      freed.add(address);
      slabs.remove(address);
    }

    @Override
    public long available() {
      return limit - slabs.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  private final RingMemory memory =
      new RingMemory(Arena.ofAuto().allocate(RingMemory.bytes(64), 256), 64, 1);
  private final Lease lease = new Lease(memory.control(), _ -> {}, () -> false, "test-keeper");
  private final Completions completions = new Completions(memory, lease);
  private final SubmissionRing ring =
      new SubmissionRing(memory, lease, completions, Duration.ofMillis(10));
  private final Slabs slabs = new Slabs();
  private final MemoryPool pool = new MemoryPool(slabs, ring, "test");

  @AfterEach
  void close() {
    lease.close();
  }

  private static Access whole(Block block) {
    return new Access(block.history(), 0, block.bytes());
  }

  /** The record's first range of tasks to wait for, as far and near distance; 0 if none. */
  private int after(long sequence) {
    long slot = memory.slot(sequence);
    int sectors = memory.records().intPlain(slot + TaskRecord.FLAGS) >>> TaskRecord.SECTORS_SHIFT;
    return sectors == 0 ? 0 : memory.records().intPlain(slot + TaskRecord.AFTER_0);
  }

  @Test
  void shouldRoundUpToTheAlignment() {
    assertEquals(256, pool.allocate(0).bytes());
    assertEquals(256, pool.allocate(1).bytes());
    assertEquals(256, pool.allocate(256).bytes());
    Block block = pool.allocate(257);
    assertEquals(512, block.bytes());
    assertEquals(0, block.address() % MemoryPool.ALIGNMENT);
    assertEquals(512 + 3 * 256, pool.usedBytes());
    assertEquals(SLAB, pool.heldBytes());
  }

  @Test
  void shouldTakeTheSmallestChunkThatFits() {
    Block large = pool.allocate(4096);
    pool.allocate(256);
    Block small = pool.allocate(1024);
    pool.allocate(256);
    pool.free(large);
    pool.free(small);
    assertEquals(small.address(), pool.allocate(1000).address());
    assertEquals(large.address(), pool.allocate(1000).address());
  }

  @Test
  void shouldJoinNeighboursOnBothSides() {
    Block a = pool.allocate(512);
    Block b = pool.allocate(512);
    Block c = pool.allocate(512);
    pool.allocate(256);
    pool.free(a);
    pool.free(c);
    pool.free(b);
    assertEquals(a.address(), pool.allocate(1536).address());
  }

  @Test
  void shouldNotJoinAcrossSlabs() {
    Block first = pool.allocate(SLAB);
    Block second = pool.allocate(SLAB);
    assertEquals(first.address() + SLAB, second.address());
    pool.free(first);
    pool.free(second);
    Block third = pool.allocate(2 * SLAB);
    assertNotEquals(first.address(), third.address());
  }

  @Test
  void shouldTakeASlabOfItsOwnForALargeBlock() {
    pool.allocate(SLAB + 1);
    assertEquals(SLAB + 256, pool.heldBytes());
  }

  @Test
  void shouldTakeASmallerSlabWhenMemoryIsShort() {
    slabs.limit = 1 << 20;
    pool.allocate(5000);
    assertEquals(5120, pool.heldBytes());
  }

  @Test
  void shouldSayWhatWasAskedWhenMemoryIsOut() {
    slabs.limit = 1 << 20;
    pool.allocate(1000);
    OutOfMemoryException out =
        assertThrows(OutOfMemoryException.class, () -> pool.allocate(1 << 20));
    assertTrue(
        out.getMessage()
            .startsWith(
                "out of memory: device=test, requested=1048576 bytes, in_use=1024 bytes,"
                    + " available="),
        out::getMessage);
    assertEquals(1024, pool.usedBytes());
    pool.allocate(1000);
  }

  @Test
  void shouldNotSayHowMuchThereIsIfNobodyKnows() {
    MemoryPool.SlabSource none =
        new MemoryPool.SlabSource() {
          @Override
          public long allocate(long bytes) {
            return 0;
          }

          @Override
          public void free(long address) {}

          @Override
          public long available() {
            return -1;
          }
        };
    try (MemoryPool empty = new MemoryPool(none, ring, "test")) {
      OutOfMemoryException out =
          assertThrows(OutOfMemoryException.class, () -> empty.allocate(1000));
      assertTrue(out.getMessage().contains("available=unknown"), out::getMessage);
    }
  }

  @Test
  void shouldRefuseSizesThatCannotBeRounded() {
    for (long bytes : new long[] {Long.MAX_VALUE, Long.MAX_VALUE - 254, Long.MAX_VALUE - 256}) {
      slabs.limit = 1 << 20;
      assertThrows(OutOfMemoryException.class, () -> pool.allocate(bytes), "bytes=" + bytes);
    }
  }

  @Test
  void shouldRefuseToFreeTwice() {
    Block block = pool.allocate(256);
    pool.free(block);
    assertThrows(IllegalStateException.class, () -> pool.free(block));
    assertEquals(0, pool.usedBytes());
    Block next = pool.allocate(256);
    assertEquals(block.address(), next.address());
    // The address is somebody else's by now.
    assertThrows(IllegalStateException.class, () -> pool.free(block));
    assertEquals(256, pool.usedBytes());
  }

  @Test
  void shouldOrderNewTasksBehindTheUsersOfReusedMemory() {
    Block left = pool.allocate(256);
    Block right = pool.allocate(256);
    ring.submit(Invocation.of(1, 1).reads(whole(left)).build()); // 1, slow
    ring.submit(Invocation.of(1, 1).build()); // 2
    ring.submit(Invocation.of(1, 1).writes(whole(right)).build()); // 3, fast
    pool.free(left);
    pool.free(right);
    Block joined = pool.allocate(512);
    assertEquals(left.address(), joined.address());
    ring.submit(Invocation.of(1, 1).writes(whole(joined)).build());
    assertEquals(3 << 16 | 1, after(4));
  }

  @Test
  void shouldGiveBothPartsOfACutChunkItsHistory() {
    Block block = pool.allocate(1024);
    ring.submit(Invocation.of(1, 1).writes(whole(block)).build());
    pool.free(block);
    for (long sequence = 2; sequence <= 3; sequence++) {
      Block part = pool.allocate(256);
      ring.submit(Invocation.of(1, 1).reads(whole(part)).build());
      long distance = sequence - 1;
      assertEquals(distance << 16 | distance, after(sequence));
    }
  }

  @Test
  void shouldStartFreshMemoryWithoutHistory() {
    ring.submit(Invocation.of(1, 1).writes(whole(pool.allocate(256))).build());
    ring.submit(Invocation.of(1, 1).writes(whole(pool.allocate(256))).build());
    assertEquals(0, after(2));
  }

  @Test
  void shouldForgetUsersThatAreComplete() {
    Block block = pool.allocate(256);
    ring.submit(Invocation.of(1, 1).writes(whole(block)).build());
    pool.free(block);
    memory.control().putLongRelease(ControlRecord.COMPLETED_THROUGH, 1);
    Block again = pool.allocate(256);
    assertEquals(block.address(), again.address());
    ring.submit(Invocation.of(1, 1).writes(whole(again)).build());
    assertEquals(0, after(2));
  }

  @Test
  void shouldGiveSlabsBackOnceWhenClosed() {
    Block block = pool.allocate(256);
    pool.allocate(SLAB);
    pool.close();
    pool.close();
    assertEquals(2, slabs.freed.size());
    pool.free(block);
    assertThrows(ClosedException.class, () -> pool.allocate(1));
  }

  /** Random use: blocks never overlap, and when all are free the slabs are whole again. */
  @Test
  void shouldNeverGiveTheSameByteTwice() {
    Random random = new Random(5);
    TreeMap<Long, Block> live = new TreeMap<>();
    for (int step = 0; step < 5_000; step++) {
      if (random.nextInt(5) < 3) {
        Block block = pool.allocate(random.nextInt(20_000));
        Map.Entry<Long, Block> before = live.floorEntry(block.address());
        Map.Entry<Long, Block> after = live.ceilingEntry(block.address());
        assertTrue(
            before == null || before.getKey() + before.getValue().bytes() - block.address() <= 0);
        assertTrue(after == null || block.address() + block.bytes() - after.getKey() <= 0);
        live.put(block.address(), block);
      } else if (!live.isEmpty()) {
        List<Block> blocks = List.copyOf(live.values());
        Block block = blocks.get(random.nextInt(blocks.size()));
        live.remove(block.address());
        pool.free(block);
      }
    }
    assertEquals(live.values().stream().mapToLong(Block::bytes).sum(), pool.usedBytes());
    live.values().forEach(pool::free);
    long held = pool.heldBytes();
    for (int slab = 0; slab < slabs.slabs.size(); slab++) {
      pool.allocate(SLAB);
    }
    assertEquals(held, pool.heldBytes());
  }
}
