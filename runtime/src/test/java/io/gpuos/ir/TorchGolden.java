package io.gpuos.ir;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/** Reads the files that torch_golden.py wrote: lines of the form {@code words: answer}. */
final class TorchGolden {

  record Line(List<String> words, String answer) {
    @Override
    public String toString() {
      return String.join(" ", words) + ": " + answer;
    }
  }

  private TorchGolden() {}

  static List<Line> lines(String file) {
    try (InputStream in = TorchGolden.class.getResourceAsStream(file)) {
      byte[] bytes = Objects.requireNonNull(in, file).readAllBytes();
      return new String(bytes, StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.startsWith("#"))
          .map(TorchGolden::line)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Line line(String text) {
    int colon = text.lastIndexOf(": ");
    return new Line(List.of(text.substring(0, colon).split(" ")), text.substring(colon + 2));
  }
}
