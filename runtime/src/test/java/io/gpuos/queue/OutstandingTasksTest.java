package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OutstandingTasksTest {

  private static final int CAPACITY = 64;

  private RingFixture fixture = new RingFixture(CAPACITY, 1);

  @AfterEach
  void close() {
    fixture.close();
  }

  private OutstandingTasks tasks() {
    return new OutstandingTasks(
        fixture.memory, fixture.ring, fixture.completions, number -> "op" + number);
  }

  private void submit(int operator) {
    fixture.ring.submit(Invocation.of(operator, 1).build());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 0, -5, (1L << 32) - 5, Long.MAX_VALUE - 5})
  void shouldNameTheOneOperatorThatIsPossible(long first) {
    fixture.close();
    fixture = new RingFixture(CAPACITY, first);
    for (int k = 0; k < 10; k++) {
      submit(k < 4 ? 1 : k < 8 ? 2 : 3);
    }
    fixture.completeThrough(first + 4);
    fixture.completeLate(first + 8);
    fixture.completeLate(first + 9);
    assertEquals("operator=op2", tasks().suspects());
  }

  @Test
  void shouldListSeveralOldestFirst() {
    submit(9);
    submit(3);
    submit(9);
    submit(4);
    assertEquals("operator=one of [op9; op3; op4]", tasks().suspects());
  }

  @Test
  void shouldListTasksThatWaitForOthersLast() {
    Access a = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    Access b = new Access(fixture.ring.reuse(8, Uses.NONE), 0, 8);
    fixture.ring.submit(Invocation.of(1, 1).writes(a).build());
    fixture.ring.submit(Invocation.of(2, 1).reads(a).build());
    fixture.ring.submit(Invocation.of(3, 1).writes(b).build());
    assertEquals("operator=one of [op1; op3; op2]", tasks().suspects());
    fixture.completeThrough(1);
    assertEquals("operator=one of [op2; op3]", tasks().suspects());
  }

  @Test
  void shouldStayShort() {
    for (int k = 0; k < CAPACITY; k++) {
      submit(100 + k);
    }
    String suspects = tasks().suspects();
    assertTrue(suspects.startsWith("operator=one of [op100; op101; "), suspects);
    assertTrue(suspects.endsWith("; op115; ...]"), suspects);
  }

  @Test
  void shouldNameTheLastOneWhenAllAreComplete() {
    assertEquals("operator=unknown, last_complete=unknown", tasks().suspects());
    submit(5);
    fixture.completeThrough(1);
    assertEquals("operator=unknown, last_complete=op5", tasks().suspects());
  }
}
