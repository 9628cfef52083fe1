package io.gpuos.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.ControlRecord;
import io.gpuos.device.SpaceNumber;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Lease;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SubmissionRing;
import java.lang.foreign.Arena;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CpuSpacesTest {

  private static final int SHAPES = 1_000;

  private final RingMemory memory =
      new RingMemory(Arena.ofAuto().allocate(RingMemory.bytes(64), 256), 64, 1);
  private final Lease lease = new Lease(memory.control(), _ -> {}, () -> false, "test-keeper");
  private final Completions completions = new Completions(memory, lease);
  private final SubmissionRing ring =
      new SubmissionRing(memory, lease, completions, Duration.ofMillis(10));
  private final CpuSpaces spaces = new CpuSpaces();

  @BeforeEach
  void connect() {
    spaces.connect(ring, completions);
  }

  @AfterEach
  void close() {
    lease.close();
  }

  private static IterationSpace space(int columns) {
    Layout layout = Layout.of(DType.F32, new long[] {3, columns}, new long[] {2L * columns, 1});
    return IterationSpace.elementwise(new long[] {3, columns}, List.of(layout, layout));
  }

  @Test
  void shouldNumberEqualSpacesAlikeWhileAnybodyHasTheNumber() {
    SpaceNumber one = spaces.intern(space(5));
    assertSame(one, spaces.intern(space(5)));
    assertNotEquals(one.value(), spaces.intern(space(6)).value());
    assertEquals(space(5), spaces.get(one.value()));
  }

  @Test
  void shouldUseNumbersAgainThatNobodyHas() {
    SpaceNumber held = spaces.intern(space(5));
    Invocation call = held(6);
    int named = spaces.intern(space(6)).value();
    for (int shape = 0; shape < SHAPES; shape++) {
      spaces.intern(space(1000 + shape));
    }
    int most = spaces.numbers();
    collect(most);
    assertEquals(space(5), spaces.get(held.value()));
    assertEquals(space(6), spaces.get(named), "an invocation names it");
    Reference.reachabilityFence(held);
    Reference.reachabilityFence(call);
  }

  @Test
  void shouldNotUseANumberAgainThatATaskMayName() {
    for (int shape = 0; shape < SHAPES; shape++) {
      spaces.intern(space(1000 + shape));
    }
    long last = ring.submit(held(7));
    System.gc();
    for (int shape = 0; shape < SHAPES; shape++) {
      spaces.intern(space(5000 + shape));
    }
    assertEquals(2 * SHAPES + 1, spaces.numbers(), "numbers used again with a task outstanding");
    memory.control().putLongRelease(ControlRecord.COMPLETED_THROUGH, last);
    collect(2 * SHAPES + 1);
  }

  private Invocation held(int columns) {
    SpaceNumber number = spaces.intern(space(columns));
    return Invocation.of(1, 3L * columns).space(number.value(), number).build();
  }

  /** Asks for ever new spaces until they take no new numbers. */
  private void collect(int most) {
    long deadline = System.nanoTime() + 60_000_000_000L;
    for (int round = 0; ; round++) {
      System.gc();
      int before = spaces.numbers();
      for (int shape = 0; shape < SHAPES / 2; shape++) {
        spaces.intern(space(10_000 + round * SHAPES + shape));
      }
      if (spaces.numbers() == before) {
        return;
      }
      assertTrue(System.nanoTime() < deadline, "more than " + most + ": " + spaces.numbers());
    }
  }
}
