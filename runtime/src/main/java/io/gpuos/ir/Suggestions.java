package io.gpuos.ir;

import java.util.Collection;
import java.util.Comparator;

/** Finds what somebody may have meant by a name that does not exist. */
final class Suggestions {

  private Suggestions() {}

  /**
   * {@code " (closest: floor)"}, or nothing if no candidate is similar: fewer edits than half the
   * name.
   */
  static String closest(String name, Collection<String> candidates) {
    return candidates.stream()
        .filter(candidate -> distance(name, candidate) <= Math.max(1, name.length() / 2))
        .min(Comparator.comparingInt((String c) -> distance(name, c)).thenComparing(c -> c))
        .map(candidate -> " (closest: " + candidate + ")")
        .orElse("");
  }

  /** Levenshtein distance: the fewest insertions, deletions and substitutions of characters. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
