package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CloseStackTest {

  private final List<Integer> closed = new ArrayList<>();
  private final CloseStack stack = new CloseStack();

  @Test
  void shouldCloseTheLastMadeFirstAndOnce() {
    stack.push(() -> closed.add(1));
    stack.push(() -> closed.add(2));
    stack.close();
    stack.close();
    assertEquals(List.of(2, 1), closed);
  }

  @Test
  void shouldCloseTheOthersWhenOneFails() {
    RuntimeException first = new IllegalStateException("first");
    RuntimeException second = new IllegalStateException("second");
    stack.push(
        () -> {
          throw second;
        });
    stack.push(() -> closed.add(1));
    stack.push(
        () -> {
          throw first;
        });
    assertSame(first, assertThrows(IllegalStateException.class, stack::close));
    assertArrayEquals(new Throwable[] {second}, first.getSuppressed());
    assertEquals(List.of(1), closed);
  }

  @Test
  void shouldKeepTheFailureThatEndedTheMaking() {
    RuntimeException cause = new IllegalStateException("cause");
    RuntimeException also = new IllegalStateException("also");
    stack.push(
        () -> {
          throw also;
        });
    stack.closeAfter(cause);
    assertArrayEquals(new Throwable[] {also}, cause.getSuppressed());
  }
}
