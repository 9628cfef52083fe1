package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(120)
class InjectStressTest {

  @Test
  void shouldMakeAsManyEventsAsAskedForAndAccountForEverything() {
    try (Gpuos gpu = Gpuos.open("cpu")) {
      InjectReport.Stress stress = new InjectStress(gpu, 5, 300, 20_500).run();
      assertTrue(stress.tasks() >= 20_500, stress::toString);
      assertEquals(stress.tasks(), stress.verified(), stress::toString);
      assertEquals(0, stress.wrong(), stress::toString);
      assertEquals(300, stress.events());
      long refused = stress.misfits() + stress.notCompiled() + stress.notVerified();
      assertEquals(refused, stress.failedAsExpected());
      assertEquals(300, stress.publications() + stress.rollbacks() + stress.parks() + refused);
      assertEquals(stress.submitted(), stress.verified() + refused);
      assertTrue(stress.rollbacks() > 0 && stress.parks() > 0, stress::toString);
      assertTrue(stress.notCompiled() > 0 && stress.notVerified() > 0, stress::toString);
    }
  }

  @Test
  void shouldNotReportWhatIsUnaccountedFor() {
    var lost = new InjectReport.Stress(1, 10, 12, 9, 2, 0, 4, 1, 1, 0, 1, 1, 0, 1, 1);
    assertThrows(WrongResult.class, lost::requireComplete);
    var idle = new InjectReport.Stress(1, 10, 12, 10, 2, 0, 5, 1, 1, 0, 1, 1, 0, 1, 1);
    assertThrows(WrongResult.class, idle::requireComplete);
  }

  @ParameterizedTest
  @EnumSource
  void shouldRefuseAndChangeNothing(BadOperator bad) {
    try (Gpuos gpu = Gpuos.open("cpu")) {
      LiveOperator live = gpu.inject("stress", "x + 1");
      assertTrue(bad.isRefused(gpu, "stress"), "there is a compiler");
      assertEquals(1, live.generation());
    }
  }

  @Test
  void shouldAllowTheGenerationsOfATasksLifetimeOnly() {
    StressHistory history = new StressHistory(7);
    history.begin(3);
    int during = history.mark();
    assertEquals(BitSet.valueOf(new long[] {1 << 7 | 1 << 3}), history.since(during));
    history.settle();
    int after = history.mark();
    history.begin(5);
    assertEquals(BitSet.valueOf(new long[] {1 << 3 | 1 << 5}), history.since(after));
    assertEquals(BitSet.valueOf(new long[] {1 << 7 | 1 << 3 | 1 << 5}), history.since(during));
  }

  @Test
  void shouldFindResultsOfOtherGenerationsAndMixedOnes() {
    BitSet allowed = BitSet.valueOf(new long[] {1 << 2 | 1 << 3});
    assertTrue(StressTasks.isRight(new float[] {2, 2}, allowed));
    assertFalse(StressTasks.isRight(new float[] {2, 3}, allowed));
    assertFalse(StressTasks.isRight(new float[] {4, 4}, allowed));
    assertFalse(StressTasks.isRight(new float[] {-1, -1}, allowed));
    assertFalse(StressTasks.isRight(new float[] {2.5f, 2.5f}, allowed));
    assertFalse(StressTasks.isRight(new float[] {Float.NaN, Float.NaN}, allowed));
  }
}
