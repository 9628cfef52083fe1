package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.ControlRecord;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The lease with workers played by the test: they park by writing the control word. */
@Timeout(30)
class LeaseTest {

  private final SharedWords control =
      new SharedWords(Arena.ofAuto().allocate(ControlRecord.BYTES, 64));
  private final List<Long> launched = Collections.synchronizedList(new ArrayList<>());
  private final List<Thread> launchers = Collections.synchronizedList(new ArrayList<>());
  private final AtomicBoolean outstanding = new AtomicBoolean();
  private final AtomicInteger checks = new AtomicInteger();
  private final AtomicBoolean launching = new AtomicBoolean();
  private final AtomicBoolean checkedDuringLaunch = new AtomicBoolean();

  private final Lease lease =
      new Lease(
          control,
          new Lease.Launcher() {
            @Override
            public void launch(long epoch) {
              launching.set(true);
              launchers.add(Thread.currentThread());
              pause(1);
              launched.add(epoch);
              launching.set(false);
            }

            @Override
            public void check() {
              checks.incrementAndGet();
              checkedDuringLaunch.compareAndSet(false, launching.get());
            }
          },
          outstanding::get,
          "test-keeper");

  @AfterEach
  void close() {
    lease.close();
  }

  private void park(long epoch) {
    control.putLongFenced(ControlRecord.PARKED_EPOCH, epoch);
  }

  private long yieldEpoch() {
    return control.longAcquire(ControlRecord.YIELD_EPOCH);
  }

  private static void pause(long milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + 10_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - deadline < 0, "condition not met within 10 s");
      pause(1);
    }
  }

  @Test
  void shouldStartParked() {
    assertTrue(lease.parked());
    assertEquals(0, lease.epoch());
    assertEquals(0, lease.launches());
  }

  @Test
  void shouldLaunchOnceForEachPark() {
    for (long epoch = 1; epoch <= 3; epoch++) {
      lease.wake();
      lease.wake();
      assertEquals(epoch, lease.epoch());
      assertFalse(lease.parked());
      park(epoch);
      assertTrue(lease.parked());
    }
    assertEquals(List.of(1L, 2L, 3L), launched);
  }

  @Test
  void shouldLaunchOnceHoweverManyWake() throws InterruptedException {
    for (long epoch = 1; epoch <= 20; epoch++) {
      CountDownLatch start = new CountDownLatch(1);
      List<Thread> threads = new ArrayList<>();
      for (int k = 0; k < 4; k++) {
        threads.add(
            Thread.ofPlatform()
                .start(
                    () -> {
                      awaitLatch(start);
                      lease.wake();
                    }));
      }
      start.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals(epoch, lease.launches());
      park(epoch);
    }
  }

  private static void awaitLatch(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void shouldNotLaunchWhileHeld() {
    lease.hold();
    lease.hold();
    outstanding.set(true);
    lease.wake();
    pause(20);
    assertEquals(0, lease.launches());
    lease.release();
    pause(20);
    assertEquals(0, lease.launches());
    lease.release();
    assertEquals(1, lease.launches());
  }

  @Test
  void shouldNotLaunchAtReleaseWithoutWork() {
    lease.hold();
    lease.release();
    assertEquals(0, lease.launches());
    lease.wake();
    assertEquals(1, lease.launches());
  }

  @Test
  void shouldAskTheRunningLaunchToLeaveAndNotTheNext() {
    lease.wake();
    lease.yieldWorkers();
    assertEquals(1, yieldEpoch());
    park(1);
    lease.wake();
    assertEquals(2, lease.epoch());
    assertEquals(1, yieldEpoch());
    lease.hold();
    assertEquals(2, yieldEpoch());
    lease.release();
  }

  /** A hold must stay asked for, whatever yields come from other threads meanwhile. */
  @Test
  void shouldNeverTakeAHoldBack() throws InterruptedException {
    Lease quick = new Lease(control, _ -> {}, () -> false, "test-keeper");
    AtomicBoolean done = new AtomicBoolean();
    Thread yielder =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!done.get()) {
                    quick.yieldWorkers();
                  }
                });
    long lost = 0;
    for (long epoch = 1; epoch <= 20_000; epoch++) {
      quick.wake();
      quick.hold();
      for (int k = 0; k < 20; k++) {
        lost += yieldEpoch() == epoch ? 0 : 1;
      }
      park(epoch);
      quick.release();
    }
    done.set(true);
    yielder.join();
    quick.close();
    assertEquals(0, lost);
  }

  @Test
  void shouldRelaunchWorkersThatLeftWorkBehind() {
    lease.wake();
    outstanding.set(true);
    park(1);
    // Nobody wakes, nobody waits: it is the keeper who notices.
    await(() -> lease.launches() == 2);
    outstanding.set(false);
    park(2);
    pause(20);
    assertEquals(2, lease.launches());
    assertTrue(launchers.get(1).getName().contains("keeper"));
  }

  @Test
  void shouldLaunchOnAPlatformThreadForAVirtualOne() throws InterruptedException {
    outstanding.set(true);
    Thread.ofVirtual().start(lease::wake).join();
    await(() -> lease.launches() == 1);
    assertFalse(launchers.getFirst().isVirtual());
    park(1);
    await(() -> lease.launches() == 2);
  }

  @Test
  void shouldRelaunchWhenAVirtualThreadReleases() throws InterruptedException {
    lease.hold();
    outstanding.set(true);
    Thread.ofVirtual().start(lease::wake).join();
    pause(10);
    assertEquals(0, lease.launches());
    Thread.ofVirtual().start(lease::release).join();
    await(() -> lease.launches() == 1);
  }

  @Test
  void shouldWatchResidentWorkersButNotDuringALaunch() {
    for (long epoch = 1; epoch <= 30; epoch++) {
      lease.wake();
      int before = checks.get();
      await(() -> checks.get() > before);
      park(epoch);
    }
    assertFalse(checkedDuringLaunch.get());
  }

  /**
   * A task that hangs keeps its worker from leaving, though the workers are said to have parked.
   */
  @Test
  void shouldWatchHeldWorkersThatHaveWorkLeft() {
    lease.wake();
    outstanding.set(true);
    lease.hold();
    park(1);
    pause(5);
    int before = checks.get();
    await(() -> checks.get() > before + 3);
    assertEquals(1, lease.launches());
    outstanding.set(false);
    pause(20);
    int idle = checks.get();
    pause(20);
    assertEquals(idle, checks.get());
    lease.release();
  }

  @Test
  void shouldWaitForTheWorkersToPark() throws InterruptedException {
    lease.wake();
    assertFalse(lease.awaitParked(Duration.ofMillis(20)));
    Thread worker =
        Thread.ofPlatform()
            .start(
                () -> {
                  pause(20);
                  park(1);
                });
    assertTrue(lease.awaitParked(Duration.ofSeconds(10)));
    worker.join();
  }

  @Test
  void shouldLaunchNoMoreWhenClosed() {
    lease.wake();
    lease.close();
    assertEquals(1, yieldEpoch());
    outstanding.set(true);
    park(1);
    lease.wake();
    pause(20);
    assertEquals(1, lease.launches());
    lease.close();
  }

  /** A submitter may come to its wake, or somebody ask, after the device is closed. */
  @Test
  void shouldStandLateCallers() throws InterruptedException {
    lease.wake();
    lease.close();
    park(1);
    lease.wake();
    lease.yieldWorkers();
    lease.hold();
    lease.release();
    assertTrue(lease.parked());
    Thread.ofVirtual().start(lease::wake).join();
    assertEquals(1, lease.launches());
  }

  @Test
  void shouldEndTheKeeperWhenClosed() {
    lease.wake();
    lease.close();
    assertTrue(
        Thread.getAllStackTraces().keySet().stream()
            .noneMatch(thread -> thread.getName().equals("test-keeper")));
  }
}
