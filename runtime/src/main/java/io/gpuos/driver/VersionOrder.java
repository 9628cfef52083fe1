package io.gpuos.driver;

import java.math.BigInteger;
import java.nio.file.Path;
import java.util.Comparator;

/**
 * Orders names as people do: runs of digits by value, so {@code 13.10} comes after {@code 13.9}.
 */
final class VersionOrder {

  static final Comparator<Path> BY_FILE_NAME =
      (a, b) -> compare(a.getFileName().toString(), b.getFileName().toString());

  private VersionOrder() {}

  static int compare(String a, String b) {
    int i = 0;
    int j = 0;
    while (i < a.length() && j < b.length()) {
      int order;
      if (isDigit(a.charAt(i)) && isDigit(b.charAt(j))) {
        int startA = i;
        int startB = j;
        i = endOfDigits(a, i);
        j = endOfDigits(b, j);
        order = compareNumbers(a.substring(startA, i), b.substring(startB, j));
      } else {
        order = Character.compare(a.charAt(i++), b.charAt(j++));
      }
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(a.length() - i, b.length() - j);
  }

  private static int compareNumbers(String a, String b) {
    return new BigInteger(a).compareTo(new BigInteger(b));
  }

  private static int endOfDigits(String text, int from) {
    int end = from;
    while (end < text.length() && isDigit(text.charAt(end))) {
      end++;
    }
    return end;
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }
}
