package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ClosedException;
import io.gpuos.error.DeviceFaultException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class CompletionsTest {

  private static final int CAPACITY = 16;
  private static final DeviceFaultException FAULT =
      new DeviceFaultException("device fault: a=b, expected=c", null);

  private RingFixture fixture = new RingFixture(CAPACITY, 1);

  @AfterEach
  void close() {
    fixture.close();
  }

  private static long in(long milliseconds) {
    return System.nanoTime() + milliseconds * 1_000_000;
  }

  private static void pause(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, (1L << 31) - 3, (1L << 32) - 3, Long.MAX_VALUE - 3, -3})
  void shouldCountOnAcrossAWrap(long first) {
    fixture.close();
    fixture = new RingFixture(CAPACITY, first);
    assertTrue(fixture.completions.isComplete(first - 1));
    for (long sequence = first; sequence - first < 10; sequence++) {
      assertFalse(fixture.completions.isComplete(sequence));
      fixture.completeThrough(sequence);
      assertTrue(fixture.completions.isComplete(sequence));
      assertTrue(fixture.completions.isComplete(first));
    }
  }

  @Test
  void shouldKnowTasksThatAreReportedSingly() {
    fixture.completeLate(3);
    assertTrue(fixture.completions.isComplete(3));
    assertFalse(fixture.completions.isComplete(1));
    assertFalse(fixture.completions.isComplete(3 + CAPACITY));
    assertEquals(0, fixture.completions.through());
  }

  @Test
  void shouldKnowATaskWhoseWordBelongsToALaterLap() {
    fixture.completeThrough(3);
    fixture.completeLate(3 + CAPACITY);
    assertTrue(fixture.completions.isComplete(3));
    assertTrue(fixture.completions.isComplete(3 + CAPACITY));
    assertFalse(fixture.completions.isComplete(4));
  }

  @Test
  void shouldWaitForEveryTaskOfARange() {
    fixture.completeLate(2);
    fixture.completeLate(4);
    assertFalse(fixture.completions.await(2, 4, in(10)));
    fixture.completeLate(3);
    assertTrue(fixture.completions.await(2, 4, in(10)));
    assertFalse(fixture.completions.await(1, 1, in(10)));
  }

  @Test
  void shouldComeBackAtTheDeadline() {
    long start = System.nanoTime();
    assertFalse(fixture.completions.await(1, 1, in(50)));
    long waited = System.nanoTime() - start;
    assertTrue(waited >= 50_000_000 && waited < 5_000_000_000L, "waited_ns=" + waited);
  }

  @Test
  void shouldNotWaitAtAllPastTheDeadline() {
    assertFalse(fixture.completions.await(1, 1, System.nanoTime() - 1));
    fixture.completeThrough(1);
    assertTrue(fixture.completions.await(1, 1, System.nanoTime() - 1));
  }

  /** A poll by way of a wait: many of them must not take long. */
  @Test
  void shouldOnlyLookWithADeadlineThatHasPassed() {
    long start = System.nanoTime();
    for (int k = 0; k < 2_000; k++) {
      assertFalse(fixture.completions.await(1, 1, System.nanoTime() - 1));
    }
    long each = (System.nanoTime() - start) / 2_000;
    assertTrue(each < 50_000, "ns_each=" + each);
  }

  @Test
  void shouldWakeASleepingWaiter() throws InterruptedException {
    Thread worker =
        Thread.ofPlatform()
            .start(
                () -> {
                  pause(50);
                  fixture.completeLate(2);
                });
    assertTrue(fixture.completions.await(2, 2, in(20_000)));
    worker.join();
  }

  /** Workers that left with work outstanding come back because somebody waits. */
  @Test
  void shouldWakeTheWorkersWhileWaiting() {
    fixture.lease.wake();
    fixture.park(1);
    assertFalse(fixture.completions.await(1, 1, in(20)));
    assertEquals(2, fixture.lease.launches());
  }

  @Test
  void shouldEndEveryWaitWhenTheDeviceFails() throws InterruptedException {
    int waiters = 6;
    CountDownLatch waiting = new CountDownLatch(waiters);
    CountDownLatch ended = new CountDownLatch(waiters);
    List<Throwable> failures = Collections.synchronizedList(new ArrayList<>());
    for (int k = 1; k <= waiters; k++) {
      long sequence = k;
      Thread.ofPlatform()
          .start(
              () -> {
                waiting.countDown();
                try {
                  fixture.completions.await(sequence, sequence, in(25_000));
                } catch (DeviceFaultException e) {
                  failures.add(e);
                }
                ended.countDown();
              });
    }
    waiting.await();
    pause(50);
    fixture.completions.fail(FAULT);
    assertTrue(ended.await(2, TimeUnit.SECONDS));
    assertEquals(waiters, failures.size());
    for (Throwable failure : failures) {
      assertEquals(FAULT.getMessage(), failure.getMessage());
      assertSame(FAULT, failure.getCause());
    }
    assertEquals(waiters, failures.stream().distinct().count());
  }

  @Test
  void shouldKeepTheFirstFailure() {
    fixture.completions.throwIfFailed();
    fixture.completions.fail(FAULT);
    fixture.completions.fail(new DeviceFaultException("second: a=b, expected=c", null));
    assertSame(FAULT, fixture.completions.fault());
    assertThrows(DeviceFaultException.class, fixture.completions::throwIfFailed);
  }

  @Test
  void shouldStillKnowWhatWasCompleteBeforeTheFailure() {
    fixture.completeThrough(1);
    fixture.completions.fail(FAULT);
    assertTrue(fixture.completions.await(1, 1, in(10)));
    assertThrows(DeviceFaultException.class, () -> fixture.completions.await(2, 2, in(10_000)));
  }

  @Test
  void shouldAnswerAfterTheEnd() {
    fixture.completeThrough(3);
    fixture.close();
    assertEquals(3, fixture.completions.through());
    assertTrue(fixture.completions.await(2, 3, in(10_000)));
    assertFalse(fixture.completions.isComplete(4));
    assertThrows(ClosedException.class, () -> fixture.completions.await(4, 4, in(10_000)));
    assertTrue(fixture.ring.awaitAll(in(10_000)));
  }

  @Test
  void shouldEndAWaitAtTheEnd() throws InterruptedException {
    List<Throwable> ends = Collections.synchronizedList(new ArrayList<>());
    List<Thread> waiters = new ArrayList<>();
    for (int k = 0; k < 4; k++) {
      waiters.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      fixture.completions.await(1, 1, in(25_000));
                    } catch (RuntimeException e) {
                      ends.add(e);
                    }
                  }));
    }
    pause(30);
    fixture.close();
    for (Thread waiter : waiters) {
      waiter.join();
    }
    assertEquals(
        4, ends.stream().filter(ClosedException.class::isInstance).count(), ends::toString);
  }
}
