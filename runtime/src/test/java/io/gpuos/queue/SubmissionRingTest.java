package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.RingFullException;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class SubmissionRingTest {

  private static final int CAPACITY = 16;

  private RingFixture fixture = new RingFixture(CAPACITY, 1);

  @AfterEach
  void close() {
    fixture.close();
  }

  private void startAt(long first, Duration fullWait) {
    fixture.close();
    fixture = new RingFixture(CAPACITY, first, fullWait);
  }

  private static Invocation task(int operator) {
    return Invocation.of(operator, 1).build();
  }

  private static Invocation tiled(int operator, int tiles) {
    return Invocation.of(operator, 256L * tiles).tile(256).address(0, 1).build();
  }

  /** The slot's bytes as they lie in memory. */
  private ByteBuffer slot(long sequence) {
    byte[] record =
        fixture
            .bytes
            .asSlice(ControlRecord.BYTES + fixture.memory.slot(sequence), TaskRecord.BYTES)
            .toArray(ValueLayout.JAVA_BYTE);
    return ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteBuffer record() {
    return ByteBuffer.allocate(TaskRecord.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  }

  // ---- records ---------------------------------------------------------------------------------

  @Test
  void shouldWriteALinearRecordOfTenOperandsByteForByte() {
    startAt(0x1_2345_6789L, Duration.ofMillis(50));
    Invocation.Builder builder = Invocation.of(77, 300);
    for (int k = 0; k < 9; k++) {
      builder.address(0x1111_0000_0000L * (k + 1), 4);
    }
    fixture.ring.submit(builder.scalar(0xfedc_ba98_7654_3210L).build());

    ByteBuffer expected = record();
    expected.putLong(0x1_2345_6789L).putInt(77).putInt(0).putInt(300).putInt(1 | 3 << 28);
    expected.putLong(0x1111_0000_0000L);
    for (int sector = 1; sector <= 3; sector++) {
      expected.putInt(0x2345_6789).putInt(0);
      for (int k = 0; k < 3; k++) {
        int operand = 3 * sector - 2 + k;
        expected.putLong(operand == 9 ? 0xfedc_ba98_7654_3210L : 0x1111_0000_0000L * (operand + 1));
      }
    }
    assertArrayEquals(expected.array(), slot(0x1_2345_6789L).array());
  }

  @Test
  void shouldLeaveSectorsThatAreNotInUseAsTheyWere() {
    ByteBuffer before = slot(1);
    fixture.ring.submit(Invocation.of(5, 9).address(0xabcdL, 8).build());
    ByteBuffer expected = before.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    expected.putLong(1).putInt(5).putInt(0).putInt(9).putInt(TaskRecord.FLAG_LINEAR);
    expected.putLong(0xabcdL);
    assertArrayEquals(expected.array(), slot(1).array());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 4, 5, 7, 8, 10})
  void shouldUseAsManySectorsAsTheOperandsNeed(int operands) {
    Invocation.Builder builder = Invocation.of(1, 1);
    for (int k = 0; k < operands; k++) {
      builder.scalar(100 + k);
    }
    fixture.ring.submit(builder.build());
    RingFixture.Task task = fixture.task(1);
    assertEquals(TaskRecord.sectors(operands), task.sectors());
    for (int k = 0; k < operands; k++) {
      assertEquals(100 + k, task.operands().get(k));
    }
  }

  @Test
  void shouldUseFurtherSectorsForWhatIsWaitedFor() {
    Access[] accesses = new Access[3];
    for (int k = 0; k < accesses.length; k++) {
      accesses[k] = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    }
    Invocation writeA = Invocation.of(1, 1).writes(accesses[0]).build();
    Invocation writeB = Invocation.of(1, 1).writes(accesses[1]).build();
    fixture.ring.submit(writeA);
    fixture.ring.submit(task(1));
    fixture.ring.submit(writeB);
    fixture.ring.submit(task(1));
    fixture.ring.submit(Invocation.of(1, 1).reads(accesses[0]).build());
    fixture.ring.submit(Invocation.of(1, 1).reads(accesses).build());
    assertEquals(0, fixture.task(4).sectors());
    assertEquals(1, fixture.task(5).sectors());
    assertEquals(List.of(new RingFixture.Range(1, 1)), fixture.task(5).after());
    assertEquals(2, fixture.task(6).sectors());
    assertEquals(
        List.of(new RingFixture.Range(1, 1), new RingFixture.Range(3, 3)), fixture.task(6).after());
  }

  @Test
  void shouldMoveLinearAddressesFromTileToTile() {
    fixture.ring.submit(
        Invocation.of(3, 1_000).tile(512).address(0x1000, 4).address(0x9000, 2).scalar(42).build());
    RingFixture.Task first = fixture.task(1);
    RingFixture.Task second = fixture.task(2);
    assertEquals(List.of(512, 488), List.of(first.count(), second.count()));
    assertEquals(List.of(0x1000L, 0x9000L, 42L), first.operands().subList(0, 3));
    assertEquals(
        List.of(0x1000L + 512 * 4, 0x9000L + 512 * 2, 42L), second.operands().subList(0, 3));
    assertTrue(second.linear());
  }

  @Test
  void shouldNumberThePositionsOfTilesThatAreNotLinear() {
    fixture.ring.submit(
        Invocation.of(3, 1_000).tile(512).space(7, "holder").address(0x1000, 4).build());
    for (long sequence = 1; sequence <= 2; sequence++) {
      RingFixture.Task task = fixture.task(sequence);
      assertFalse(task.linear());
      assertEquals(7, task.space());
      assertEquals(3, task.sectors());
      assertEquals(512 * (sequence - 1), task.first());
      assertEquals(0x1000L, task.operands().getFirst());
    }
  }

  @Test
  void shouldLetEveryTileWaitForTheSameTasks() {
    Access access = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    fixture.ring.submit(Invocation.of(1, 512).tile(256).address(0, 1).writes(access).build());
    fixture.ring.submit(Invocation.of(1, 1024).tile(256).address(0, 1).writes(access).build());
    for (long sequence = 3; sequence <= 6; sequence++) {
      assertEquals(List.of(new RingFixture.Range(1, 2)), fixture.task(sequence).after());
    }
  }

  @Test
  void shouldRefuseATileTheRecordCannotAddress() {
    Invocation.Builder builder = Invocation.of(1, 1);
    for (long tile : new long[] {0, -256, 255, 257, 1L << 31, 1L << 40}) {
      assertThrows(IllegalArgumentException.class, () -> builder.tile(tile), "tile=" + tile);
    }
  }

  // ---- order of the stores ---------------------------------------------------------------------

  /** An invocation whose image is cut short: it fails while records are written. */
  private static Invocation failing(int tiles, Access written) throws ReflectiveOperationException {
    Invocation invocation =
        Invocation.of(9, 256L * tiles)
            .tile(256)
            .address(0, 1)
            .address(0, 1)
            .writes(written)
            .build();
    Field image = Invocation.class.getDeclaredField("image");
    image.setAccessible(true);
    image.set(invocation, new long[1]);
    return invocation;
  }

  @Test
  void shouldBuryWhatAFailingSubmitterHasClaimed() throws ReflectiveOperationException {
    Access access = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    fixture.ring.submit(Invocation.of(1, 1).writes(access).build());
    Invocation failing = failing(3, access);
    assertThrows(IndexOutOfBoundsException.class, () -> fixture.ring.submit(failing));
    fixture.ring.submit(Invocation.of(2, 1).writes(access).build());
    for (long sequence = 2; sequence <= 4; sequence++) {
      RingFixture.Task buried = fixture.task(sequence);
      assertEquals(TaskRecord.OPERATOR_NOTHING, buried.operator());
      assertEquals(0, buried.count());
      // What comes after the buried tiles relies on them for the order behind the first task.
      assertTrue(buried.waitsFor(1), buried::toString);
    }
    assertEquals(List.of(new RingFixture.Range(2, 4)), fixture.task(5).after());
  }

  @Test
  void shouldGoOnAfterAFailingSubmissionOfSeveralSteps() throws ReflectiveOperationException {
    Access access = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    Invocation[] steps = {task(4), failing(1, access), task(5)};
    assertThrows(IndexOutOfBoundsException.class, () -> fixture.ring.submit(steps, 3));
    assertEquals(3, fixture.ring.submit(task(6)));
    assertEquals(4, fixture.task(1).operator());
    assertEquals(TaskRecord.OPERATOR_NOTHING, fixture.task(2).operator());
    assertEquals(6, fixture.task(3).operator());
  }

  /** Each lap overwrites the records of the last; a reader that sees a sequence sees its words. */
  @Test
  void shouldPublishARecordOnlyWhenItsWordsAreThere() throws InterruptedException {
    int tasks = 10_000;
    List<String> wrong = Collections.synchronizedList(new ArrayList<>());
    Thread worker =
        Thread.ofPlatform()
            .start(
                () -> {
                  for (long sequence = 1; sequence <= tasks; sequence++) {
                    while (!fixture.isPublished(sequence)) {
                      Thread.yield();
                    }
                    RingFixture.Task task = fixture.task(sequence);
                    if (task.operator() != (int) sequence
                        || task.operands().get((int) (sequence % 10)) != ~sequence) {
                      wrong.add(task.toString());
                    }
                    fixture.completeThrough(sequence);
                  }
                });
    for (long sequence = 1; sequence <= tasks; sequence++) {
      Invocation.Builder builder = Invocation.of((int) sequence, 1);
      for (int k = 0; k <= sequence % 10; k++) {
        builder.scalar(k == sequence % 10 ? ~sequence : 0);
      }
      Invocation invocation = builder.build();
      while (!fixture.ring.trySubmit(invocation)) {
        Thread.yield();
      }
    }
    worker.join();
    assertEquals(List.of(), wrong);
  }

  // ---- back-pressure ---------------------------------------------------------------------------

  @Test
  void shouldRefuseAndChangeNothingWhenTheRingIsFull() {
    Access access = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    for (int k = 0; k < CAPACITY; k++) {
      assertTrue(fixture.ring.trySubmit(task(1)));
    }
    ByteBuffer oldest = slot(1);
    assertFalse(fixture.ring.trySubmit(Invocation.of(2, 1).writes(access).build()));
    assertFalse(fixture.ring.trySubmit(new Invocation[] {task(2)}, 1));
    assertEquals(CAPACITY + 1, fixture.ring.tail());
    assertArrayEquals(oldest.array(), slot(1).array());
    fixture.completeThrough(1);
    assertTrue(fixture.ring.trySubmit(Invocation.of(3, 1).writes(access).build()));
    // The refused write has left no trace to wait for.
    assertEquals(List.of(), fixture.task(CAPACITY + 1).after());
  }

  @Test
  void shouldNeedRoomForAllTiles() {
    for (int k = 0; k < CAPACITY; k++) {
      fixture.ring.submit(task(1));
    }
    fixture.completeThrough(7);
    assertFalse(fixture.ring.trySubmit(tiled(2, 8)));
    assertTrue(fixture.ring.trySubmit(tiled(2, 7)));
  }

  @Test
  void shouldKeepWaitingForTheOldestEvenIfLaterTasksAreComplete() {
    for (int k = 0; k < CAPACITY; k++) {
      fixture.ring.submit(task(1));
    }
    for (long sequence = 2; sequence <= CAPACITY; sequence++) {
      fixture.completeLate(sequence);
    }
    assertFalse(fixture.ring.trySubmit(task(2)));
  }

  @Test
  void shouldWaitForRoom() throws InterruptedException {
    startAt(1, Duration.ofSeconds(30));
    for (int k = 0; k < CAPACITY; k++) {
      fixture.ring.submit(task(1));
    }
    Thread worker =
        Thread.ofPlatform()
            .start(
                () -> {
                  pause(30);
                  fixture.completeThrough(1);
                });
    assertEquals(CAPACITY + 1, fixture.ring.submit(task(2)));
    worker.join();
  }

  @Test
  void shouldGiveUpAfterTheConfiguredWait() {
    for (int k = 0; k < CAPACITY; k++) {
      fixture.ring.submit(task(1));
    }
    long start = System.nanoTime();
    RingFullException full =
        assertThrows(RingFullException.class, () -> fixture.ring.submit(task(2)));
    assertTrue(System.nanoTime() - start >= 50_000_000);
    assertTrue(full.getMessage().startsWith("ring full: capacity=16, "), full::getMessage);
    assertEquals(CAPACITY + 1, fixture.ring.tail());
  }

  @Test
  void shouldEndTheWaitForRoomWhenTheDeviceFails() {
    startAt(1, Duration.ofSeconds(30));
    for (int k = 0; k < CAPACITY; k++) {
      fixture.ring.submit(task(1));
    }
    fixture.completions.fail(new DeviceFaultException("gone: a=b, expected=c", null));
    assertThrows(DeviceFaultException.class, () -> fixture.ring.submit(task(2)));
  }

  @Test
  void shouldRefuseMoreTilesThanHalfTheRing() {
    assertEquals(CAPACITY / 2, fixture.ring.maxTiles());
    Invocation tooMany = tiled(1, CAPACITY / 2 + 1);
    assertThrows(IllegalArgumentException.class, () -> fixture.ring.submit(tooMany));
    assertThrows(IllegalArgumentException.class, () -> fixture.ring.trySubmit(tooMany));
    assertEquals(1, fixture.ring.tail());
  }

  /** Many threads through a tiny ring: every task arrives exactly once, in one piece. */
  @ParameterizedTest
  @ValueSource(longs = {1, (1L << 31) - 2_000, (1L << 32) - 2_000, Long.MAX_VALUE - 2_000, -2_000})
  void shouldLoseNothingUnderPressure(long first) throws InterruptedException {
    startAt(first, Duration.ofSeconds(30));
    int producers = 4;
    int each = 1_000;
    List<Thread> threads = new ArrayList<>();
    for (int p = 0; p < producers; p++) {
      int base = p * each;
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int k = 0; k < each; k++) {
                      Invocation one = Invocation.of(1 + base + k, 1).scalar(base + k).build();
                      if (k % 2 == 0) {
                        fixture.ring.submit(one);
                      } else {
                        while (!fixture.ring.trySubmit(one)) {
                          Thread.yield();
                        }
                      }
                    }
                  }));
    }
    Set<Long> seen = new TreeSet<>();
    for (long k = 0; k < (long) producers * each; k++) {
      while (!fixture.isPublished(first + k)) {
        Thread.yield();
      }
      RingFixture.Task task = fixture.task(first + k);
      assertEquals(task.operator() - 1, task.operands().getFirst());
      assertTrue(seen.add(task.operands().getFirst()), task::toString);
      fixture.completeThrough(first + k);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(producers * each, seen.size());
    assertFalse(fixture.ring.outstanding());
  }

  // ---- several invocations as one --------------------------------------------------------------

  @Test
  void shouldLetNoOtherTaskBetweenTheStepsOfASubmission() throws InterruptedException {
    startAt(1, Duration.ofSeconds(30));
    int rounds = 500;
    List<Thread> threads = new ArrayList<>();
    for (int p = 1; p <= 3; p++) {
      Invocation[] steps = {task(10 * p), tiled(10 * p + 1, 2), task(10 * p + 2)};
      Invocation single = task(99);
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int k = 0; k < rounds; k++) {
                      fixture.ring.submit(steps, 4);
                      fixture.ring.submit(single);
                    }
                  }));
    }
    int inGroup = 0;
    int group = 0;
    for (long sequence = 1; sequence <= 3L * rounds * 5; sequence++) {
      while (!fixture.isPublished(sequence)) {
        Thread.yield();
      }
      int operator = fixture.task(sequence).operator();
      fixture.completeThrough(sequence);
      if (inGroup == 0) {
        if (operator == 99) {
          continue;
        }
        group = operator / 10;
      }
      assertEquals(List.of(0, 1, 1, 2).get(inGroup), operator - 10 * group, "at " + sequence);
      inGroup = (inGroup + 1) % 4;
    }
    for (Thread thread : threads) {
      thread.join();
    }
  }

  @Test
  void shouldOrderTheStepsOfASubmission() {
    Access a = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    Access b = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    Invocation[] steps = {
      Invocation.of(1, 512).tile(256).address(0, 1).writes(a).build(),
      Invocation.of(2, 1).reads(a).writes(b).build(),
      Invocation.of(3, 1).reads(b).build()
    };
    assertEquals(4, fixture.ring.submit(steps, 4));
    assertEquals(List.of(new RingFixture.Range(1, 2)), fixture.task(3).after());
    assertEquals(List.of(new RingFixture.Range(3, 3)), fixture.task(4).after());
  }

  // ---- waiting for memory, and the end ----------------------------------------------------------

  @Test
  void shouldWaitForConflictsWithTheHostOnly() {
    RegionMap map = fixture.ring.reuse(16, Uses.NONE);
    Access low = new Access(map, 0, 8);
    Access high = new Access(map, 8, 16);
    fixture.ring.submit(Invocation.of(1, 1).reads(low).writes(high).build());
    assertTrue(fixture.ring.awaitAccess(low, false, System.nanoTime()));
    assertFalse(fixture.ring.awaitAccess(low, true, System.nanoTime()));
    assertFalse(fixture.ring.awaitAccess(high, false, System.nanoTime()));
    fixture.completeThrough(1);
    assertTrue(fixture.ring.awaitAccess(low, true, System.nanoTime()));
    assertTrue(fixture.ring.awaitAccess(high, true, System.nanoTime()));
  }

  @Test
  void shouldWaitForAll() {
    assertTrue(fixture.ring.awaitAll(System.nanoTime()));
    fixture.ring.submit(task(1));
    fixture.ring.submit(task(1));
    assertTrue(fixture.ring.outstanding());
    fixture.completeLate(2);
    assertFalse(fixture.ring.awaitAll(System.nanoTime()));
    fixture.completeThrough(2);
    assertTrue(fixture.ring.awaitAll(System.nanoTime()));
    assertFalse(fixture.ring.outstanding());
  }

  /** The last user of the memory may be done while an earlier one still runs. */
  @Test
  void shouldWaitForEveryUserOfReusedMemory() {
    RegionMap map = fixture.ring.reuse(16, Uses.NONE);
    Access slow = new Access(map, 0, 8);
    Access fast = new Access(map, 8, 16);
    fixture.ring.submit(Invocation.of(1, 1).reads(slow).build());
    fixture.ring.submit(task(1));
    fixture.ring.submit(Invocation.of(1, 1).writes(fast).build());
    RegionMap renewed = fixture.ring.reuse(16, fixture.ring.uses(map));
    Access all = new Access(renewed, 0, 16);
    fixture.ring.submit(Invocation.of(1, 1).writes(all).build());
    assertTrue(fixture.task(4).waitsFor(1));
    assertTrue(fixture.task(4).waitsFor(3));
  }

  @Test
  void shouldForgetUsersThatAreComplete() {
    RegionMap map = fixture.ring.reuse(16, Uses.NONE);
    Access access = new Access(map, 0, 16);
    fixture.ring.submit(Invocation.of(1, 1).writes(access).build());
    Uses uses = fixture.ring.uses(map);
    assertEquals(new Uses(true, 1, 1), uses);
    fixture.completeThrough(1);
    assertEquals(Uses.NONE, fixture.ring.uses(map));
    Access again = new Access(fixture.ring.reuse(16, uses), 0, 16);
    fixture.ring.submit(Invocation.of(1, 1).writes(again).build());
    assertEquals(List.of(), fixture.task(2).after());
  }

  @Test
  void shouldRefuseSubmissionsAfterTheEnd() {
    fixture.ring.submit(task(1));
    fixture.ring.close();
    assertThrows(ClosedException.class, () -> fixture.ring.submit(task(1)));
    assertThrows(ClosedException.class, () -> fixture.ring.trySubmit(task(1)));
    assertThrows(ClosedException.class, () -> fixture.ring.submit(new Invocation[] {task(1)}, 1));
    assertEquals(2, fixture.ring.tail());
  }

  @Test
  void shouldRefuseAnInvocationThatIsClosed() {
    startAt(1, Duration.ofMillis(50));
    Invocation ended = task(1);
    Invocation other = task(2);
    AnalysedBatch batch = AnalysedBatch.of(List.of(ended));
    fixture.ring.close(new Invocation[] {ended});
    assertThrows(ClosedException.class, () -> fixture.ring.submit(ended));
    assertThrows(ClosedException.class, () -> fixture.ring.trySubmit(ended));
    assertThrows(
        ClosedException.class, () -> fixture.ring.submit(new Invocation[] {other, ended}, 2));
    assertThrows(ClosedException.class, () -> fixture.ring.trySubmit(new Invocation[] {ended}, 1));
    // Nothing was taken, nobody is in the section, and a batch has an end of its own.
    assertEquals(1, fixture.ring.submit(batch));
    assertEquals(2, fixture.ring.submit(batch));
  }

  @Test
  void shouldRefuseABatchThatIsClosed() {
    startAt(1, Duration.ofMillis(50));
    AnalysedBatch batch = AnalysedBatch.of(List.of(task(1), task(2)));
    fixture.ring.close(batch);
    assertThrows(ClosedException.class, () -> fixture.ring.submit(batch));
    fixture.ring.submit(task(3));
    assertThrows(ClosedException.class, () -> fixture.ring.submit(batch));
    assertEquals(2, fixture.ring.tail());
  }

  @Test
  void shouldEndAWaitForRoomAtTheEnd() throws InterruptedException {
    startAt(1, Duration.ofSeconds(30));
    for (int k = 0; k < CAPACITY; k++) {
      fixture.ring.submit(task(1));
    }
    AtomicBoolean ended = new AtomicBoolean();
    CountDownLatch done = new CountDownLatch(1);
    Thread.ofPlatform()
        .start(
            () -> {
              try {
                fixture.ring.submit(task(2));
              } catch (ClosedException _) {
                ended.set(true);
              }
              done.countDown();
            });
    pause(20);
    fixture.ring.close();
    assertTrue(done.await(20, TimeUnit.SECONDS));
    assertTrue(ended.get());
  }

  private static void pause(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
