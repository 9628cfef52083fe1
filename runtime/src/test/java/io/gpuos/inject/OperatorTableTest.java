package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.OutOfMemoryException;
import io.gpuos.error.TransitionException;
import io.gpuos.inject.OperatorTable.State;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class OperatorTableTest {

  private static final long WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /** A ring whose tasks complete when the test says so. */
  private static final class Tasks implements OperatorTable.Progress {
    private volatile long submitted;
    private volatile long completed;

    Tasks(long before) {
      submitted = before;
      completed = before;
    }

    @Override
    public long submitted() {
      return submitted;
    }

    @Override
    public long completedThrough() {
      return completed;
    }

    @Override
    public boolean awaitThrough(long sequence, long deadlineNanos) {
      while (completed - sequence < 0) {
        if (System.nanoTime() - deadlineNanos > 0) {
          return false;
        }
        Thread.onSpinWait();
      }
      return true;
    }
  }

  private final Tasks tasks = new Tasks(0);
  private final List<String> aliases = new ArrayList<>(List.of("", "", "", ""));
  private final OperatorTable<String> table = table(tasks);

  private OperatorTable<String> table(Tasks progress) {
    return new OperatorTable<>(4, aliases::set, progress, WAIT_NANOS);
  }

  @Test
  void shouldNumberOperatorsFromOne() {
    assertEquals(1, table.add("add", "add1", "compiled"));
    assertEquals(2, table.add("mul", "mul1", "interpreted"));
    assertEquals(List.of("", "add1", "mul1", ""), aliases);
    State<String> state = table.state(2);
    assertEquals("mul", state.name());
    assertEquals(1, state.current().number());
    assertEquals("interpreted", state.current().origin());
    assertEquals(Optional.empty(), state.previous());
    assertTrue(state.drained());
  }

  @Test
  void shouldTurnTheAliasAndKeepTheGenerationBefore() {
    int add = table.add("add", "one", "compiled");
    tasks.submitted = 7;
    assertEquals(2, table.publish(add, "two", "compiled").number());
    assertEquals("two", aliases.get(add));
    State<String> state = table.state(add);
    assertEquals("two", state.current().code());
    assertEquals("one", state.previous().orElseThrow().code());
    assertFalse(state.drained(), "tasks 1 to 7 may run the first generation");
    tasks.completed = 6;
    assertFalse(table.state(add).drained());
    tasks.completed = 7;
    assertTrue(table.state(add).drained());
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -5, Long.MAX_VALUE - 2, (1L << 32) - 3})
  void shouldCountAcrossAWrap(long before) {
    Tasks wrapping = new Tasks(before);
    OperatorTable<String> counted = table(wrapping);
    int add = counted.add("add", "one", "compiled");
    wrapping.submitted = before + 5;
    counted.publish(add, "two", "compiled");
    wrapping.completed = before + 4;
    assertFalse(counted.state(add).drained());
    wrapping.completed = before + 5;
    assertTrue(counted.state(add).drained());
  }

  @Test
  void shouldDescribeOperatorsForMessages() {
    int add = table.add("add", "one", "compiled");
    assertEquals("add", table.describe(add));
    tasks.submitted = 7;
    table.publish(add, "two", "x + 2");
    assertEquals("add (generation 2 or the one before it: x + 2)", table.describe(add));
    tasks.completed = 7;
    assertEquals("add (generation 2: x + 2)", table.describe(add));
    table.publish(add, "three", "x".repeat(1000));
    assertTrue(table.describe(add).length() < 200);
    assertEquals("nothing", table.describe(0));
    assertEquals("#9", table.describe(9));
    assertEquals("#-1", table.describe(-1));
  }

  /** Asked about an operator when something hangs, which may be this very publication. */
  @Test
  void shouldDescribeAnOperatorWhoseAliasIsBeingTurned() throws Exception {
    CompletableFuture<Void> turned = new CompletableFuture<>();
    CompletableFuture<Void> turning = new CompletableFuture<>();
    OperatorTable<String> hanging =
        new OperatorTable<>(
            4,
            (_, code) -> {
              if (code.equals("two")) {
                turning.complete(null);
                turned.join();
              }
            },
            tasks,
            WAIT_NANOS);
    int add = hanging.add("add", "one", "compiled");
    CompletableFuture<?> publication =
        CompletableFuture.runAsync(() -> hanging.publish(add, "two", "compiled"));
    turning.get(10, TimeUnit.SECONDS);
    assertEquals(
        "add",
        CompletableFuture.supplyAsync(() -> hanging.describe(add)).get(10, TimeUnit.SECONDS));
    turned.complete(null);
    publication.get(10, TimeUnit.SECONDS);
  }

  @Test
  void shouldPublishAtOnceAfterTheFirstGeneration() {
    tasks.submitted = 9;
    int add = table.add("add", "one", "interpreted");
    table.publish(add, "two", "compiled");
    assertEquals("two", aliases.get(add));
  }

  @Test
  void shouldRefuseAThirdGenerationDuringATransition() {
    int add = table.add("add", "one", "compiled");
    tasks.submitted = 1;
    table.publish(add, "two", "compiled");
    TransitionException refused =
        assertThrows(TransitionException.class, () -> table.publish(add, "three", "compiled"));
    assertTrue(refused.getMessage().contains("operator=add, generation=2"), refused::getMessage);
    assertEquals("two", aliases.get(add));
    assertEquals("one", table.state(add).previous().orElseThrow().code());
    tasks.completed = 1;
    assertEquals(3, table.publish(add, "three", "compiled").number());
  }

  @Test
  void shouldWaitForTheTransition() throws Exception {
    OperatorTable<String> patient =
        new OperatorTable<>(4, aliases::set, tasks, TimeUnit.SECONDS.toNanos(20));
    int add = patient.add("add", "one", "compiled");
    tasks.submitted = 1;
    patient.publish(add, "two", "compiled");
    CompletableFuture<Integer> third =
        CompletableFuture.supplyAsync(() -> patient.publish(add, "three", "compiled").number());
    assertThrows(Exception.class, () -> third.get(20, TimeUnit.MILLISECONDS));
    tasks.completed = 1;
    assertEquals(3, third.get(10, TimeUnit.SECONDS));
  }

  @Test
  void shouldRollBackDuringATransitionAndWhileAnotherPublishWaits() throws Exception {
    OperatorTable<String> patient =
        new OperatorTable<>(4, aliases::set, tasks, TimeUnit.SECONDS.toNanos(20));
    int add = patient.add("add", "one", "compiled");
    tasks.submitted = 1;
    patient.publish(add, "two", "compiled");
    CompletableFuture<String> third =
        CompletableFuture.supplyAsync(() -> patient.publish(add, "three", "compiled").code());
    assertEquals("one", patient.rollback(add).code());
    assertEquals("one", aliases.get(add));
    tasks.completed = 1;
    assertEquals("three", third.get(10, TimeUnit.SECONDS));
    assertEquals("one", patient.state(add).previous().orElseThrow().code());
  }

  @Test
  void shouldRollBackOnce() {
    int add = table.add("add", "one", "compiled");
    assertThrows(TransitionException.class, () -> table.rollback(add));
    table.publish(add, "two", "compiled");
    assertEquals(1, table.rollback(add).number());
    assertThrows(TransitionException.class, () -> table.rollback(add));
    assertEquals(3, table.publish(add, "three", "compiled").number());
  }

  @Test
  void shouldWaitForTasksOfTheGenerationRolledBack() {
    int add = table.add("add", "one", "compiled");
    table.publish(add, "two", "compiled");
    tasks.submitted = 4;
    table.rollback(add);
    assertFalse(table.awaitDrained(add, System.nanoTime()));
    tasks.completed = 4;
    assertTrue(table.awaitDrained(add, System.nanoTime()));
  }

  @Test
  void shouldRefuseMoreOperatorsThanThereIsRoomFor() {
    for (int k = 1; k < 4; k++) {
      table.add("op" + k, "code" + k, "compiled");
    }
    OutOfMemoryException refused =
        assertThrows(OutOfMemoryException.class, () -> table.add("op4", "code4", "compiled"));
    assertTrue(refused.getMessage().contains("operator=op4, operators=3"), refused::getMessage);
    assertEquals("code3", aliases.get(3));
  }

  @Test
  void shouldChangeNothingWhenTheAliasCannotBeTurned() {
    OperatorTable<String> failing =
        new OperatorTable<>(
            4,
            (_, code) -> {
              if (code.equals("bad")) {
                throw new IllegalStateException("bad");
              }
            },
            tasks,
            WAIT_NANOS);
    int add = failing.add("add", "one", "compiled");
    assertThrows(IllegalStateException.class, () -> failing.publish(add, "bad", "compiled"));
    assertThrows(IllegalStateException.class, () -> failing.add("mul", "bad", "compiled"));
    assertEquals("one", failing.state(add).current().code());
    assertEquals(1, failing.size());
    assertEquals(2, failing.publish(add, "two", "compiled").number());
  }
}
