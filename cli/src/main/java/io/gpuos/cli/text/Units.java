package io.gpuos.cli.text;

import java.util.Locale;

/** Numbers with their units, the same in every locale. */
public final class Units {

  private static final String[] BINARY = {"KiB", "MiB", "GiB", "TiB"};

  private Units() {}

  /** {@link String#format} in the root locale. */
  public static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }

  /**
   * Three significant digits where there are fewer before the point: {@code 4.13}, {@code 41.3}.
   */
  public static String digits(double number) {
    double magnitude = Math.abs(number);
    return format(magnitude < 9.995 ? "%.2f" : magnitude < 99.95 ? "%.1f" : "%.0f", number);
  }

  /** As {@link #digits}, and three significant digits below one too, to a ten-thousandth. */
  public static String small(double number) {
    double magnitude = Math.abs(number);
    if (magnitude >= 0.9995 || magnitude == 0) {
      return digits(number);
    }
    return format(magnitude < 0.09995 ? "%.4f" : "%.3f", number);
  }

  /** A duration in the unit that suits it, from ns to s. */
  public static String nanos(double nanos) {
    if (nanos < 999.5) {
      return digits(nanos) + " ns";
    }
    if (nanos < 999.5e3) {
      return digits(nanos / 1e3) + " us";
    }
    return nanos < 999.5e6 ? digits(nanos / 1e6) + " ms" : digits(nanos / 1e9) + " s";
  }

  /** A number of bytes in the binary unit that suits it. */
  public static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + (bytes == 1 ? " byte" : " bytes");
    }
    double number = bytes;
    int unit = -1;
    while (number >= 1023.5 && unit < BINARY.length - 1) {
      number /= 1024;
      unit++;
    }
    String text = number == Math.rint(number) ? format("%.0f", number) : digits(number);
    return text + " " + BINARY[unit];
  }

  /** An error as people read it: {@code 0} or {@code 1.2e-07}. */
  public static String error(double error) {
    return error == 0 ? "0" : format("%.1e", error);
  }

  /** A count with its noun: {@code 1 task}, {@code 2 tasks}. */
  public static String count(long count, String noun) {
    return count + " " + noun + (count == 1 ? "" : "s");
  }
}
