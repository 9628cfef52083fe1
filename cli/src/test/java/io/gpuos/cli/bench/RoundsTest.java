package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RoundsTest {

  @Test
  void shouldTakeTheNearestRank() {
    double[] rounds = {5, 1, 4, 2, 3};
    assertAll(
        () -> assertEquals(3, Rounds.median(rounds)),
        () -> assertEquals(1, Rounds.percentile(rounds, 0)),
        () -> assertEquals(1, Rounds.percentile(rounds, 20)),
        () -> assertEquals(2, Rounds.percentile(rounds, 20.1)),
        () -> assertEquals(5, Rounds.percentile(rounds, 99)),
        () -> assertEquals(1, Rounds.least(rounds)),
        () -> assertEquals(5, Rounds.most(rounds)),
        () -> assertEquals(7, Rounds.median(new double[] {7})));
    assertArrayEquals(new double[] {5, 1, 4, 2, 3}, rounds);
  }
}
