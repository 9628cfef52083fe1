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
  private final Queue<String> messages = new ConcurrentLinkedQueue<>();

  @AfterEach
  void close() {
    lease.close();
  }

  @Test
  void shouldWaitForEveryTaskAndTellThatItWaits() throws InterruptedException {
    long last = ring.submit(Invocation.of(1, 1).build());
    Thread closing = closing();
    assertFalse(closing.join(Duration.ofMillis(150)), "gave up with a task outstanding");
    assertTrue(
        messages.stream().anyMatch(text -> text.contains("device=test, tasks=1")),
        messages::toString);
    memory.control().putLongRelease(ControlRecord.COMPLETED_THROUGH, last);
    assertTrue(closing.join(Duration.ofSeconds(20)), "waits for nothing");
  }

  @Test
  void shouldNotWaitForADeviceThatFailed() throws InterruptedException {
    ring.submit(Invocation.of(1, 1).build());
    completions.fail(new DeviceFaultException("operator failed"));
    assertTrue(closing().join(Duration.ofSeconds(20)), "waits for a device that failed");
  }

  private Thread closing() {
    return Thread.ofPlatform()
        .start(() -> Drain.await(ring, completions, "test", Duration.ofMillis(20), messages::add));
  }
}
