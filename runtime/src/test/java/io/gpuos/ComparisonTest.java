package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ComparisonTest {

  private static final Candidate.Options TOLERANT = Candidate.options().tolerance(0.5, 1);

  @ParameterizedTest
  @CsvSource({
    "2, 4,",
    "2, 0,",
    "2, 4.1, MISMATCH",
    "-2, -4,",
    "-2, -4.1, MISMATCH",
    "0, -0.0,",
    "NaN, NaN,",
    "1, NaN, NAN",
    "Infinity, NaN, NAN",
    "NaN, 1, MISMATCH",
    "NaN, Infinity, MISMATCH",
    "Infinity, Infinity,",
    "Infinity, -Infinity, MISMATCH",
    "Infinity, 1e300, MISMATCH",
    "1e300, Infinity, MISMATCH",
    "-1.7e308, 1.7e308, MISMATCH",
  })
  void shouldCompareNumbersThatAreNone(double current, double candidate, Candidate.Verdict found) {
    Comparison comparison = new Comparison(TOLERANT, 0);
    comparison.compare(new double[] {current}, new double[] {candidate});
    assertEquals(found, comparison.verdict(), comparison.why());
  }

  /** A tolerance without bounds takes any number, and still no infinity for a number. */
  @Test
  void shouldRefuseInfinityUnderAnyTolerance() {
    Candidate.Options any = Candidate.options().tolerance(0, Double.POSITIVE_INFINITY);
    Comparison comparison = new Comparison(any, 10);
    comparison.compare(new double[] {1, 2}, new double[] {-5, Double.NEGATIVE_INFINITY});
    assertEquals(Candidate.Verdict.MISMATCH, comparison.verdict());
    assertTrue(comparison.why().contains("element=11, candidate=-Infinity"), comparison.why());
  }

  @Test
  void shouldTellTheLargestDifference() {
    Comparison comparison = new Comparison(TOLERANT, 0);
    comparison.compare(new double[] {1, 8, 3}, new double[] {1.5, 5.5, 3});
    assertNull(comparison.verdict());
    assertEquals(2.5, comparison.worst());
  }

  @ParameterizedTest
  @CsvSource({
    "9223372036854775807, 9223372036854775806, 1",
    "-9223372036854775808, 9223372036854775807, 1.8446744073709552e19",
    "9223372036854775807, -9223372036854775808, 1.8446744073709552e19",
    "-1, 1, 2",
  })
  void shouldTellDifferencesOfAnyIntegers(long current, long candidate, double difference) {
    Comparison comparison = new Comparison(Candidate.options().tolerance(0, 0), 0);
    comparison.compare(new long[] {5, current}, new long[] {5, candidate});
    assertEquals(Candidate.Verdict.MISMATCH, comparison.verdict());
    assertEquals(difference, comparison.worst());
    assertTrue(comparison.why().startsWith("mismatch: element=1, candidate=" + candidate + ", "));
  }
}
