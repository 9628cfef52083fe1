package io.gpuos.device;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DrainTest {

  private final RingMemory memory =
      new RingMemory(Arena.ofAuto().allocate(RingMemory.bytes(64), 256), 64, 1);
  private final Lease lease = new Lease(memory.control(), _ -> {}, () -> false, "test-keeper");
  private final Completions completions = new Completions(memory, lease);
  private final SubmissionRing ring =
      new SubmissionRing(memory, lease, completions, Duration.ofMillis(10));
  private volatile boolean complete;
  private final Queue<String> messages = new ConcurrentLinkedQueue<>();

  @AfterEach
  void close() {
    lease.close();
  }

  @Test
  void shouldWaitWhileTasksCompleteAndTellThatItWaits() throws InterruptedException {
    long last = 0;
    for (int k = 0; k < 20; k++) {
      last = ring.submit(Invocation.of(1, 1).build());
    }
    Thread closing = closing(Duration.ofMillis(500));
    for (long task = 1; task <= 12; task++) {
      memory.control().putLongRelease(ControlRecord.COMPLETED_THROUGH, task);
      assertFalse(closing.join(Duration.ofMillis(100)), "gave up while tasks completed");
    }
    assertTrue(
        messages.stream().anyMatch(text -> text.contains("closing waits for tasks: device=test")),
        messages::toString);
    memory.control().putLongRelease(ControlRecord.COMPLETED_THROUGH, last);
    assertTrue(closing.join(Duration.ofSeconds(20)), "waits for nothing");
    assertTrue(complete);
  }

  @Test
  void shouldGiveUpWhenNothingCompletes() throws InterruptedException {
    ring.submit(Invocation.of(1, 1).build());
    assertTrue(closing(Duration.ofMillis(20)).join(Duration.ofSeconds(20)), "waits for ever");
    assertFalse(complete);
    assertTrue(
        messages.stream().anyMatch(text -> text.contains("gives tasks up: device=test, tasks=1")),
        messages::toString);
  }

  @Test
  void shouldNotWaitForADeviceThatFailed() throws InterruptedException {
    ring.submit(Invocation.of(1, 1).build());
    completions.fail(new DeviceFaultException("operator failed"));
    assertTrue(
        closing(Duration.ofMillis(20)).join(Duration.ofSeconds(20)),
        "waits for a device that failed");
  }

  private Thread closing(Duration patience) {
    return Thread.ofPlatform()
        .start(() -> complete = Drain.await(ring, completions, "test", patience, messages::add));
  }
}
