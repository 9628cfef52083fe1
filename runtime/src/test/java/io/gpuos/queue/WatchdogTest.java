package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.DeviceFaultException;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The watchdog with time, workers and their progress played by the test. */
class WatchdogTest {

  private static final long MILLISECOND = 1_000_000;
  private static final int WORKERS = 3;
  private static final Duration DEADLINE = Duration.ofSeconds(2);
  private static final RuntimeException POSITION = new IllegalStateException("here");

  private RingFixture fixture;
  private final long[] begun = new long[WORKERS];
  private boolean answers = true;
  private int asked;
  private Watchdog watchdog;
  private long now = -500 * MILLISECOND;

  private final Watchdog.Workers workers =
      new Watchdog.Workers() {
        @Override
        public int count() {
          return WORKERS;
        }

        @Override
        public boolean begun(long[] sequences) {
          asked++;
          if (answers) {
            System.arraycopy(begun, 0, sequences, 0, WORKERS);
          }
          return answers;
        }

        @Override
        public String name(int worker) {
          return "w" + worker;
        }

        @Override
        public Throwable position(int worker) {
          return POSITION;
        }

        @Override
        public String remedy() {
          return "try another";
        }
      };

  WatchdogTest() {
    start(1, DEADLINE);
  }

  private void start(long first, Duration deadline) {
    if (fixture != null) {
      fixture.close();
    }
    fixture = new RingFixture(16, first);
    Arrays.fill(begun, first - 1);
    OutstandingTasks tasks =
        new OutstandingTasks(
            fixture.memory, fixture.ring, fixture.completions, number -> "op" + number);
    watchdog = new Watchdog("test", deadline, workers, tasks, fixture.completions);
  }

  @AfterEach
  void close() {
    fixture.close();
  }

  private void submit(int operator) {
    fixture.ring.submit(Invocation.of(operator, 1).build());
  }

  /** Lets time pass, with looks as often as the keeper's on a busy machine. */
  private void pass(long milliseconds) {
    for (long k = 0; k < milliseconds; k += 5) {
      now += 5 * MILLISECOND;
      watchdog.look(now);
    }
  }

  private String failure() {
    DeviceFaultException fault = fixture.completions.fault();
    return fault == null ? null : fault.getMessage();
  }

  @Test
  void shouldNameOperatorWorkerAndTimeOfATaskThatDoesNotComeBack() {
    pass(100);
    submit(7);
    begun[1] = 1;
    pass(2_000);
    assertNull(failure());
    pass(400);
    String message = failure();
    assertTrue(
        message.matches(
            "task overdue: device=test, operator=op7, worker=w1, task=1, ran_ms=20\\d\\d,"
                + " expected=an end within 2000 ms; try another, or raise .*"),
        message);
    assertSame(POSITION, fixture.completions.fault().getCause());
  }

  /** Nothing may be reported before a task has had its deadline, and everything soon after. */
  @ParameterizedTest
  @ValueSource(longs = {1, 40, 1_000, 30_000})
  void shouldComeWithinASecondAfterTheDeadline(long deadline) {
    start(1, Duration.ofMillis(deadline));
    pass(50);
    submit(1);
    begun[0] = 1;
    long waited = 0;
    while (failure() == null) {
      pass(5);
      waited += 5;
      assertTrue(waited < deadline + 1_000, "waited=" + waited);
    }
    assertTrue(waited >= deadline, "waited=" + waited);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 0, -1, (1L << 32) - 2, Long.MAX_VALUE - 1, -3})
  void shouldCountOnAcrossAWrap(long first) {
    start(first, DEADLINE);
    for (int k = 0; k < 3; k++) {
      submit(k + 1);
    }
    fixture.completeThrough(first + 1);
    begun[0] = first + 1;
    begun[1] = first;
    begun[2] = first + 2;
    pass(2_500);
    assertTrue(
        failure().contains("operator=op3, worker=w2, task=" + Long.toUnsignedString(first + 2)),
        failure());
  }

  @Test
  void shouldNotBlameATaskThatWaitsForWorkers() {
    submit(1);
    submit(2);
    pass(60_000);
    assertNull(failure());
    begun[0] = 1;
    pass(1_900);
    assertNull(failure(), "the time before it began counted");
    pass(500);
    assertNotNull(failure());
  }

  /** The oldest one has been claimed by a worker that has left; the relaunch waits for task 2. */
  @Test
  void shouldBlameTheTaskThatRunsAndNotTheOldest() {
    submit(1);
    submit(2);
    begun[2] = 2;
    pass(2_500);
    assertTrue(failure().contains("operator=op2, worker=w2, task=2"), failure());
  }

  @Test
  void shouldNotBlameTasksThatEndWhileOthersBegin() {
    for (int k = 1; k < 40; k += 2) {
      submit(1);
      submit(2);
      begun[k % WORKERS] = k;
      begun[(k + 1) % WORKERS] = k + 1;
      pass(1_500);
      // The newer one first: it is complete, though it is counted only with the other.
      fixture.completeLate(k + 1);
      pass(400);
      fixture.completeThrough(k + 1);
      assertNull(failure(), "tasks " + k);
    }
  }

  @Test
  void shouldBlameAnOldTaskThoughYoungerOnesEnd() {
    submit(1);
    begun[0] = 1;
    for (int k = 2; failure() == null; k++) {
      submit(k);
      begun[1] = k;
      pass(250);
      fixture.completeLate(k);
    }
    assertTrue(failure().contains("operator=op1, worker=w0"), failure());
  }

  @Test
  void shouldNameOthersThatRunAsLong() {
    for (int k = 1; k <= 3; k++) {
      submit(k);
    }
    begun[0] = 1;
    begun[1] = 2;
    pass(1_500);
    begun[2] = 3;
    pass(900);
    assertTrue(failure().contains("operator=op1, worker=w0"), failure());
    assertTrue(failure().endsWith(" (also running: op2 on w1)"), failure());
  }

  @Test
  void shouldTakeAPauseOfTheProcessForNoTime() {
    submit(1);
    begun[0] = 1;
    pass(1_000);
    now += 3_600_000 * MILLISECOND;
    pass(300);
    assertNull(failure());
    pass(1_000);
    assertNotNull(failure());
  }

  @Test
  void shouldNotLookAtWorkersWhileTasksComplete() {
    pass(1_000);
    for (int k = 1; k <= 200; k++) {
      submit(1);
      begun[0] = k;
      pass(50);
      fixture.completeThrough(k);
    }
    pass(1_000);
    assertEquals(0, asked);
  }

  @Test
  void shouldWaitForeverIfAskedTo() {
    start(1, Duration.ofDays(100_000));
    submit(1);
    begun[0] = 1;
    pass(100_000);
    assertNull(failure());
    assertEquals(0, asked);
  }

  @Test
  void shouldFailWhenTheWorkersAreNotSeen() {
    answers = false;
    submit(7);
    pass(2_000);
    assertNull(failure());
    pass(300);
    assertTrue(
        failure().matches("workers not seen: device=test, operator=op7, waited_ms=20\\d\\d, .*"),
        failure());
  }

  @Test
  void shouldStayFailedWhenTheTaskEndsAfterAll() {
    submit(1);
    begun[0] = 1;
    pass(2_500);
    String first = failure();
    assertNotNull(first);
    fixture.completeThrough(1);
    pass(5_000);
    assertEquals(first, failure());
    assertEquals(first, assertThrows(DeviceFaultException.class, () -> submit(2)).getMessage());
    assertThrows(
        DeviceFaultException.class, () -> fixture.ring.trySubmit(Invocation.of(1, 1).build()));
  }
}
