package io.gpuos.cli.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class JsonTest {

  private enum Kind {
    NOT_TRIED
  }

  private record Inner(Kind kind, Path file, Optional<String> reason) {}

  private record Outer(String name, double usPerOp, long[] shape, List<Inner> places, int[] none) {}

  @Test
  void shouldWriteRecordsAsIndentedObjectsWithSnakeCaseNames() {
    Outer outer =
        new Outer(
            "a",
            0.25,
            new long[] {2, 3},
            List.of(
                new Inner(Kind.NOT_TRIED, Path.of("b.npy"), Optional.empty()),
                new Inner(Kind.NOT_TRIED, Path.of("c"), Optional.of("d"))),
            new int[0]);
    assertEquals(
        """
        {
          "name": "a",
          "us_per_op": 0.25,
          "shape": [2, 3],
          "places": [
            {
              "kind": "not_tried",
              "file": "b.npy",
              "reason": null
            },
            {
              "kind": "not_tried",
              "file": "c",
              "reason": "d"
            }
          ],
          "none": []
        }\
        """,
        Json.of(outer));
  }

  @Test
  void shouldWriteEveryCharacterInAscii() {
    String text = "\"\\/\b\f\n\r\t\u0000\u001f\u007f\u00e9\u20ac\ud83d\ude00";
    assertEquals(text, JsonReader.read(Json.of(text)));
    assertEquals(Map.of(text, text), JsonReader.read(Json.of(Map.of(text, text))));
  }

  @Test
  void shouldWriteNumbersThatJsonKnows() {
    assertEquals(
        Arrays.asList(1.0, -2.5, 1e300, 1e-300, null, null, null, 0.0, 1e15, 123456.789),
        JsonReader.read(
            Json.of(
                new double[] {
                  1,
                  -2.5,
                  1e300,
                  1e-300,
                  Double.NaN,
                  Double.POSITIVE_INFINITY,
                  Double.NEGATIVE_INFINITY,
                  -0.0,
                  1e15,
                  123456.78900001
                })));
    assertEquals("9223372036854775807", Json.of(Long.MAX_VALUE));
    assertEquals(
        "[true, null]".replace(" ", "\n  ").replace("[", "[\n  ").replace("]", "\n]"),
        Json.of(Arrays.asList(true, null)));
  }
}
