package io.gpuos.error;

/** What messages quote from users: on one line, and no longer than a reader wants it. */
public final class Messages {

  /** Characters shown of a text at most. */
  private static final int LONGEST = 160;

  private static final String GAP = " ... ";

  private Messages() {}

  /**
   * The text on one line, line breaks and other control characters as spaces; of a long one, its
   * begin and its end.
   */
  public static String quoted(String text) {
    if (text.length() <= LONGEST) {
      return line(text);
    }
    int head = (LONGEST - GAP.length()) * 2 / 3;
    int tail = LONGEST - GAP.length() - head;
    return line(text.substring(0, head)) + GAP + line(text.substring(text.length() - tail));
  }

  /** The whole text on one line. */
  public static String line(String text) {
    return text.replaceAll("[\\p{Cc}\\p{Zl}\\p{Zp}][\\p{Cc}\\p{Zl}\\p{Zp} ]*", " ").strip();
  }
}
