package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DeviceException;
import io.gpuos.error.InjectionException;
import io.gpuos.error.OutOfMemoryException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CodeArenaTest {

  private static final int PAGE = CodeArena.ALIGNMENT;
  private static final long CHUNK = 8L * PAGE;

  /** Memory of a device that is not there: remembers what was written, and can go wrong. */
  private static final class FakeMemory implements CodeMemory {
    private final TreeMap<Long, byte[]> chunks = new TreeMap<>();
    private final Set<Long> written = new TreeSet<>();
    private long next = 0x7f00_0000_0000L;
    private long shift;
    private boolean damages;
    private boolean fails;

    @Override
    public long allocate(long bytes) {
      long address = next + shift;
      chunks.put(address, new byte[(int) bytes]);
      next += bytes + (1L << 24);
      return address;
    }

    @Override
    public byte[] write(long address, byte[] code) {
      if (fails) {
        throw new DeviceException("copy failed");
      }
      assertTrue(written.add(address), () -> "written twice: " + address);
      var chunk = chunks.floorEntry(address);
      System.arraycopy(code, 0, chunk.getValue(), (int) (address - chunk.getKey()), code.length);
      if (damages) {
        chunk.getValue()[(int) (address - chunk.getKey()) + 17] ^= 4;
      }
      return read(address, code.length);
    }

    byte[] read(long address, int bytes) {
      var chunk = chunks.floorEntry(address);
      int from = (int) (address - chunk.getKey());
      return java.util.Arrays.copyOfRange(chunk.getValue(), from, from + bytes);
    }
  }

  private final FakeMemory memory = new FakeMemory();

  private CodeArena arena(long limit) {
    return new CodeArena(memory, CHUNK, limit);
  }

  private static CodeImage image(long base, int bytes, int filling) {
    byte[] code = new byte[bytes];
    java.util.Arrays.fill(code, (byte) filling);
    return new CodeImage(base, 0, bytes, code);
  }

  private static CodeImage place(CodeArena arena, int pages) {
    return arena.place(pages * PAGE, base -> image(base, pages * PAGE, pages));
  }

  @Test
  void shouldGiveEachImageAddressesOfItsOwnAndUploadIt() {
    CodeArena arena = arena(Long.MAX_VALUE);
    TreeMap<Long, Integer> placed = new TreeMap<>();
    for (int i = 0; i < 100; i++) {
      int pages = 1 + i % 5;
      CodeImage image = place(arena, pages);
      assertEquals(0, image.base() % PAGE);
      assertArrayEquals(image.bytes(), memory.read(image.base(), pages * PAGE));
      placed.put(image.base(), pages * PAGE);
    }
    assertEquals(100, placed.size());
    long end = 0;
    for (var image : placed.entrySet()) {
      assertTrue(image.getKey() >= end, "images overlap");
      end = image.getKey() + image.getValue();
    }
  }

  @Test
  void shouldCountWhatIsUsed() {
    CodeArena arena = arena(3 * CHUNK);
    assertEquals(new CodeArena.Usage(0, 0, 0, 3 * CHUNK, 0, 0), arena.usage());
    place(arena, 5);
    place(arena, 2);
    assertEquals(new CodeArena.Usage(7 * PAGE, 0, CHUNK, 3 * CHUNK, 2, 1), arena.usage());
    place(arena, 3);
    assertEquals(new CodeArena.Usage(10 * PAGE, PAGE, 2 * CHUNK, 3 * CHUNK, 3, 2), arena.usage());
    assertTrue(arena.toString().contains("images=3"), arena::toString);
  }

  @Test
  void shouldRefuseBeyondTheLimitAndGoOnWithWhatIsLeft() {
    CodeArena arena = arena(CHUNK);
    place(arena, 6);
    var e = assertThrows(OutOfMemoryException.class, () -> place(arena, 3));
    assertEquals(
        "code arena full: used=24576, reserved=32768, image=12288, expected=at most 32768 bytes;"
            + " raise the limit or use fewer operators",
        e.getMessage());
    place(arena, 2);
    assertThrows(OutOfMemoryException.class, () -> place(arena, 1));
    assertEquals(1, memory.chunks.size());
  }

  @Test
  void shouldTakeChunksOfAnyAlignmentAndImagesLargerThanAChunk() {
    memory.shift = 256;
    CodeArena arena = arena(Long.MAX_VALUE);
    CodeImage large = place(arena, 20);
    CodeImage small = place(arena, 1);
    assertEquals(0, large.base() % PAGE);
    assertEquals(0, small.base() % PAGE);
    assertArrayEquals(large.bytes(), memory.read(large.base(), 20 * PAGE));
    CodeArena.Usage usage = arena.usage();
    assertEquals(21 * PAGE, usage.usedBytes());
    assertTrue(usage.usedBytes() + usage.burnedBytes() <= usage.reservedBytes());
  }

  @Test
  void shouldRefuseWhatArrivedDifferentlyAndBurnTheAddress() {
    CodeArena arena = arena(Long.MAX_VALUE);
    CodeImage first = place(arena, 1);
    memory.damages = true;
    var e = assertThrows(InjectionException.class, () -> place(arena, 1));
    assertTrue(
        e.getMessage()
            .startsWith(
                String.format(
                    Locale.ROOT,
                    "code arrived differently: address=0x%x, offset=17, expected=",
                    first.base() + PAGE)),
        e.getMessage());
    memory.damages = false;
    assertEquals(first.base() + 2 * PAGE, place(arena, 1).base());
    assertEquals(PAGE, arena.usage().burnedBytes());
    assertEquals(2, arena.usage().images());
  }

  @Test
  void shouldBurnTheAddressOfACopyThatFailed() {
    CodeArena arena = arena(Long.MAX_VALUE);
    memory.fails = true;
    assertThrows(DeviceException.class, () -> place(arena, 1));
    memory.fails = false;
    CodeImage second = place(arena, 1);
    assertEquals(memory.chunks.firstKey() + PAGE, second.base());
  }

  @Test
  void shouldRefuseImagesThatAreNotAsAnnounced() {
    CodeArena arena = arena(Long.MAX_VALUE);
    assertThrows(
        IllegalArgumentException.class, () -> arena.place(PAGE, base -> image(base, 2 * PAGE, 1)));
    assertThrows(
        IllegalArgumentException.class, () -> arena.place(PAGE, base -> image(base + 1, PAGE, 1)));
    assertThrows(
        IllegalArgumentException.class, () -> arena.place(100, base -> image(base, 100, 1)));
    assertThrows(IllegalArgumentException.class, () -> new CodeArena(memory, 100, 1000));
    assertTrue(memory.written.isEmpty());
  }

  @Test
  void shouldServeManyThreads() {
    CodeArena arena = arena(Long.MAX_VALUE);
    Set<Long> addresses = ConcurrentHashMap.newKeySet();
    List<CompletableFuture<Void>> threads = new ArrayList<>();
    for (int t = 0; t < 4; t++) {
      threads.add(
          CompletableFuture.runAsync(
              () ->
                  IntStream.range(0, 250)
                      .forEach(i -> assertTrue(addresses.add(place(arena, 1 + i % 3).base())))));
    }
    threads.forEach(CompletableFuture::join);
    assertEquals(1000, addresses.size());
    assertEquals(1000, arena.usage().images());
  }
}
