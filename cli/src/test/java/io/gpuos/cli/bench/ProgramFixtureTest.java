package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.cli.bench.ProgramFixture.Values;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ProgramFixtureTest {

  private static final Operator TWICE = Operator.of("2 * x");

  @Test
  void shouldFindResultsThatNobodyWroteOrThatAreOff() {
    try (Gpuos gpu = Gpuos.open("cpu");
        ProgramFixture fixture = new ProgramFixture(gpu, new SplittableRandom(1))) {
      Values x = fixture.random(1, 2, 3);
      double[] expected = new double[3];
      for (int k = 0; k < 3; k++) {
        expected[k] = 2 * x.values()[k];
      }
      Tensor y = fixture.result(expected, 3);
      fixture.record(scope -> scope.applyInto(scope.use(y), TWICE, scope.use(x.tensor())));
      assertTrue(message(fixture).contains("result=NaN"));
      fixture.submit().await();
      fixture.check("twice");
      expected[2] *= 1.001;
      assertTrue(message(fixture).startsWith("wrong result: workload=twice, tensor=0, element=2"));
      expected[2] /= 1.001;
      fixture.reset();
      assertTrue(message(fixture).contains("result=NaN"));
    }
  }

  private static String message(ProgramFixture fixture) {
    return assertThrows(WrongResult.class, () -> fixture.check("twice")).getMessage();
  }

  @Test
  void shouldPutStateBackBeforeEachRound() {
    try (Gpuos gpu = Gpuos.open("cpu");
        ProgramFixture fixture = new ProgramFixture(gpu, new SplittableRandom(1))) {
      Values x = fixture.random(1, 2, 3);
      float[] before = x.tensor().toFloats();
      double[] expected = x.values().clone();
      for (int k = 0; k < 3; k++) {
        expected[k] *= 2;
      }
      fixture.state(x, expected);
      fixture.record(scope -> scope.applyInto(scope.use(x.tensor()), TWICE, scope.use(x.tensor())));
      fixture.submit().await();
      fixture.check("state");
      fixture.submit().await();
      assertThrows(WrongResult.class, () -> fixture.check("state"));
      fixture.reset();
      assertArrayEquals(before, x.tensor().toFloats());
    }
  }

  @Test
  void shouldComputeReferencesByHand() {
    double[] two = {1, 2, 3, 4};
    assertArrayEquals(new double[] {7, 10, 15, 22}, Reference.matmul(two, two, 2, 2, 2));
    assertArrayEquals(
        new double[] {8, 8, 16, 20}, Reference.linear(two, two, new double[] {1, -2}, 2, 2, 2));
    assertArrayEquals(new double[] {3, 7}, Reference.sums(two, 2));
    // Equal keys weigh equally: the mean of the values.
    double[] mean =
        Reference.attention(new double[] {5, 6}, new double[] {1, 2, 1, 2}, two, 1, 2, 2);
    assertArrayEquals(new double[] {2, 3}, mean, 1e-12);
    assertEquals(1, Reference.layerNorm(two, 2)[1], 1e-4);
    assertEquals(-1, Reference.layerNorm(two, 2)[0], 1e-4);
  }
}
