package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class WarmUpTest {

  private static final long MINUTE = 60_000_000_000L;

  private int rounds;

  @Test
  void shouldGoOnUntilTwoMediansAgree() {
    // Ten rounds take 1000, the next ten 500 and so on; the eighth and the ninth ten take 10.
    WarmUp warmUp = new WarmUp(1, 0, MINUTE);
    assertEquals(90, warmUp.run(() -> Math.max(10, 1000 >> rounds++ / 10)));
  }

  @Test
  void shouldDoTheLeastRounds() {
    assertEquals(50, new WarmUp(50, 0, MINUTE).run(() -> 7));
  }

  @Test
  void shouldTakeTheLeastTime() {
    long begin = System.nanoTime();
    new WarmUp(1, 20_000_000, MINUTE).run(() -> 7);
    assertTrue(System.nanoTime() - begin >= 20_000_000);
  }

  @Test
  void shouldEndWhenItNeverSettles() {
    assertTrue(new WarmUp(30, 0, 1_000_000).run(() -> 1 << rounds++ / 10 % 30) >= 30);
  }
}
