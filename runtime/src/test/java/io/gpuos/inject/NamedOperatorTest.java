package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.CompileException;
import io.gpuos.error.DTypeException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.error.TransitionException;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Variants that change together. Code is text: the body's and the variant's. */
@Timeout(30)
class NamedOperatorTest {

  private static final Variant F32 = variant(DType.F32);
  private static final Variant F64 = variant(DType.F64);
  private static final Variant I32 = variant(DType.I32);

  private static Variant variant(DType type) {
    return new Variant(List.of(TensorType.of(type, 1)), type, type, false);
  }

  /** A body whose kernels say who they are. */
  private record Body(String text, Set<Variant> refused) implements NamedOperator.Body {
    Body(String text, Variant... refused) {
      this(text, Set.of(refused));
    }

    @Override
    public Kernel kernel(Variant variant) {
      if (refused.contains(variant)) {
        throw new DTypeException("no meaning: text=" + text + ", expected=another type");
      }
      List<Kernel.Operand> operand =
          List.of(new Kernel.Operand(Kernel.Role.OUTPUT, variant.stored()));
      long number = Long.parseLong(text);
      return new Kernel.Elementwise(
          operand,
          List.of(new Kernel.Node.Constant(variant.stored(), number)),
          List.of(new Kernel.Store(0, 0)));
    }
  }

  private final String[] aliases = new String[8];
  private final Set<String> brokenAliases = new HashSet<>();
  private final Set<String> brokenCode = new HashSet<>();
  private final List<String> compiled = new ArrayList<>();
  private volatile long submitted;
  private volatile long completed;
  private volatile Runnable whileCompiling = () -> {};

  /** Runs once, at the end of a wait. */
  private final AtomicReference<Runnable> afterWaiting = new AtomicReference<>(() -> {});

  private final OperatorTable.Progress progress =
      new OperatorTable.Progress() {
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
          while (completed < sequence) {
            if (System.nanoTime() - deadlineNanos > 0) {
              return false;
            }
            Thread.onSpinWait();
          }
          afterWaiting.getAndSet(() -> {}).run();
          return true;
        }
      };

  private final OperatorTable<String> table = table(TimeUnit.MILLISECONDS.toNanos(50));
  private final NamedOperator<Body, String> operator = operator(table);

  private OperatorTable<String> table(long waitNanos) {
    return new OperatorTable<>(4, this::turn, progress, waitNanos);
  }

  private NamedOperator<Body, String> operator(OperatorTable<String> on) {
    return new NamedOperator<>("f", new Body("1"), "one", on, this::code);
  }

  private void turn(int number, String code) {
    if (brokenAliases.contains(code)) {
      throw new CompileException("alias: code=" + code + ", expected=none of this");
    }
    aliases[number] = code;
  }

  private String code(String name, Kernel kernel) {
    assertEquals("f", name);
    long number = ((Kernel.Node.Constant) kernel.nodes().getFirst()).bits();
    String code = kernel.operands().getFirst().type() + " " + number;
    whileCompiling.run();
    if (brokenCode.contains(code)) {
      throw new CompileException("code: code=" + code + ", expected=none of this");
    }
    compiled.add(code);
    return code;
  }

  @Test
  void shouldGiveEachVariantItsNumberForGood() {
    int f32 = operator.number(F32);
    int f64 = operator.number(F64);
    assertNotEquals(f32, f64);
    assertEquals("F32 1", aliases[f32]);
    assertEquals("F64 1", aliases[f64]);
    operator.publish(new Body("2"), "two");
    assertEquals(f32, operator.number(F32));
    assertEquals("F32 2", aliases[f32]);
    assertEquals("F64 2", aliases[f64]);
    assertEquals(List.of("F32 1", "F32 2", "F64 1", "F64 2"), compiled.stream().sorted().toList());
  }

  @Test
  void shouldNeverShareANumber() {
    NamedOperator<Body, String> other = operator(table);
    assertNotEquals(operator.number(F32), other.number(F32));
  }

  @Test
  void shouldPublishNothingIfOneVariantDoesNotCompile() {
    int f32 = operator.number(F32);
    int f64 = operator.number(F64);
    for (String broken : List.of("F32 2", "F64 2")) {
      brokenCode.clear();
      brokenCode.add(broken);
      assertThrows(CompileException.class, () -> operator.publish(new Body("2"), "two"));
      assertEquals("F32 1", aliases[f32]);
      assertEquals("F64 1", aliases[f64]);
      assertEquals(1, operator.current().number());
      assertEquals("one", operator.current().origin());
    }
    assertThrows(DTypeException.class, () -> operator.publish(new Body("2", F64), "two"));
    assertEquals("F32 1", aliases[f32]);
    assertThrows(TransitionException.class, operator::rollback);
  }

  @Test
  void shouldTurnBackIfOneAliasCannotBeTurned() {
    int f32 = operator.number(F32);
    int f64 = operator.number(F64);
    operator.publish(new Body("2"), "two");
    for (String broken : List.of("F32 3", "F64 3")) {
      brokenAliases.clear();
      brokenAliases.add(broken);
      assertThrows(CompileException.class, () -> operator.publish(new Body("3"), "three"));
      assertEquals("F32 2", aliases[f32]);
      assertEquals("F64 2", aliases[f64]);
      assertEquals(2, operator.current().number());
    }
    brokenAliases.clear();
    // The slot that held the first generation was used for the third: there is no way back to it.
    TransitionException refused = assertThrows(TransitionException.class, operator::rollback);
    assertTrue(refused.getMessage().startsWith("no way back: operator=f"), refused::getMessage);
    assertEquals("F32 2", aliases[f32]);
    assertEquals("F64 2", aliases[f64]);
    assertEquals(3, operator.publish(new Body("4"), "four"));
    assertEquals(2, operator.rollback());
    assertEquals("F32 2", aliases[f32]);
    assertEquals("F64 2", aliases[f64]);
  }

  @Test
  void shouldRollBackVariantsThatCameLater() {
    int f32 = operator.number(F32);
    operator.publish(new Body("2"), "two");
    int f64 = operator.number(F64);
    assertEquals("F64 2", aliases[f64]);
    compiled.clear();
    assertEquals(1, operator.rollback());
    assertEquals(List.of(), compiled, "a rollback compiles nothing");
    assertEquals("F32 1", aliases[f32]);
    assertEquals("F64 1", aliases[f64]);
    int i32 = operator.number(I32);
    assertEquals("I32 1", aliases[i32]);
    assertEquals("one", operator.current().origin());
  }

  @Test
  void shouldRefuseToRollBackAVariantThatHasNoWayBack() {
    NamedOperator<Body, String> narrow =
        new NamedOperator<>("f", new Body("1", F64), "one", table, this::code);
    int f32 = narrow.number(F32);
    assertThrows(DTypeException.class, () -> narrow.number(F64));
    narrow.publish(new Body("2"), "two");
    int f64 = narrow.number(F64);
    TransitionException refused = assertThrows(TransitionException.class, narrow::rollback);
    assertTrue(refused.getMessage().contains("generation=2"), refused::getMessage);
    assertTrue(refused.getMessage().contains("no meaning: text=1"), refused::getMessage);
    assertEquals("F32 2", aliases[f32]);
    assertEquals("F64 2", aliases[f64]);
    narrow.publish(new Body("3"), "three");
    assertEquals(2, narrow.rollback());
    assertEquals("F64 2", aliases[f64]);
  }

  @Test
  void shouldBeDrainedWhenEveryVariantIs() {
    operator.number(F32);
    operator.number(F64);
    submitted = 5;
    operator.publish(new Body("2"), "two");
    assertFalse(operator.drained());
    assertFalse(operator.awaitDrained(System.nanoTime()));
    completed = 5;
    assertTrue(operator.drained());
    assertTrue(operator.awaitDrained(System.nanoTime()));
  }

  @Test
  void shouldRefuseAThirdGenerationDuringATransition() {
    int f32 = operator.number(F32);
    submitted = 5;
    operator.publish(new Body("2"), "two");
    assertThrows(TransitionException.class, () -> operator.publish(new Body("3"), "three"));
    assertEquals("F32 2", aliases[f32]);
    assertEquals(2, operator.current().number());
    completed = 5;
    assertEquals(3, operator.publish(new Body("3"), "three"));
  }

  /** A rollback neither waits for a publication that compiles or waits, nor disturbs it. */
  @Test
  void shouldRollBackWhileAnotherPublicationCompilesOrWaits() throws Exception {
    NamedOperator<Body, String> patient = operator(table(TimeUnit.SECONDS.toNanos(20)));
    int f32 = patient.number(F32);
    submitted = 5;
    patient.publish(new Body("2"), "two");
    CountDownLatch compiling = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    whileCompiling =
        () -> {
          compiling.countDown();
          await(goOn);
        };
    CompletableFuture<Integer> third =
        CompletableFuture.supplyAsync(() -> patient.publish(new Body("3"), "three"));
    await(compiling);
    assertEquals(1, patient.rollback());
    assertEquals("F32 1", aliases[f32]);
    submitted = 9;
    goOn.countDown();
    assertThrows(Exception.class, () -> third.get(30, TimeUnit.MILLISECONDS));
    assertEquals(1, patient.current().number());
    completed = 9;
    assertEquals(3, third.get(10, TimeUnit.SECONDS));
    assertEquals("F32 3", aliases[f32]);
    assertEquals(1, patient.rollback());
  }

  /** A rollback between the end of the wait and the turn begins another transition. */
  @Test
  void shouldWaitAgainAfterARollbackInTheLastMoment() throws Exception {
    NamedOperator<Body, String> patient = operator(table(TimeUnit.SECONDS.toNanos(20)));
    int f32 = patient.number(F32);
    patient.publish(new Body("2"), "two");
    CountDownLatch rolledBack = new CountDownLatch(1);
    afterWaiting.set(
        () -> {
          submitted = 5;
          patient.rollback();
          rolledBack.countDown();
        });
    CompletableFuture<Integer> third =
        CompletableFuture.supplyAsync(() -> patient.publish(new Body("3"), "three"));
    await(rolledBack);
    assertThrows(Exception.class, () -> third.get(30, TimeUnit.MILLISECONDS));
    // It waits without keeping others out.
    CompletableFuture<Integer> current =
        CompletableFuture.supplyAsync(
            () -> patient.current().number(), Thread.ofPlatform().daemon()::start);
    assertEquals(1, current.get(5, TimeUnit.SECONDS));
    completed = 5;
    assertEquals(3, third.get(10, TimeUnit.SECONDS));
    assertEquals("F32 3", aliases[f32]);
  }

  /** The generation that a variant was compiled for may be rolled back before it is there. */
  @Test
  void shouldCompileAVariantAgainAfterARollback() throws Exception {
    operator.publish(new Body("2"), "two");
    CountDownLatch compiling = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    whileCompiling =
        () -> {
          compiling.countDown();
          await(goOn);
        };
    CompletableFuture<Integer> number = CompletableFuture.supplyAsync(() -> operator.number(F32));
    await(compiling);
    operator.rollback();
    goOn.countDown();
    assertEquals("F32 1", aliases[number.get(10, TimeUnit.SECONDS)]);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(20, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void shouldRefuseMoreOperatorsThanThereIsRoomFor() {
    int f32 = operator.number(F32);
    operator.number(F64);
    operator.number(I32);
    assertThrows(OutOfMemoryException.class, () -> operator.number(variant(DType.I64)));
    assertThrows(OutOfMemoryException.class, () -> operator(table).number(F32));
    assertEquals(2, operator.publish(new Body("2"), "two"));
    assertEquals("F32 2", aliases[f32]);
    assertThrows(OutOfMemoryException.class, () -> operator.number(variant(DType.I64)));
    assertEquals(1, operator.rollback());
  }

  /** Tasks already written would read and write what is not there. */
  @Test
  void shouldRefuseKernelsOfOtherOperands() {
    NamedOperator<NamedOperator.Body, String> any =
        new NamedOperator<>("f", new Body("1"), "one", table, this::code);
    int number = any.number(F32);
    Body two = new Body("2");
    assertThrows(IllegalStateException.class, () -> any.publish(_ -> two.kernel(F64), "two"));
    assertEquals("F32 1", aliases[number]);
    assertEquals(1, any.current().number());
  }

  @Test
  void shouldCheckWithoutChangingAnything() {
    int f32 = operator.number(F32);
    brokenCode.add("F64 2");
    assertThrows(CompileException.class, () -> operator.check(new Body("2"), F64));
    operator.check(new Body("2"), F32);
    assertEquals("F32 1", aliases[f32]);
    assertEquals(1, operator.states().size());
    assertEquals("F32 1", operator.states().getFirst().current().code());
  }
}
