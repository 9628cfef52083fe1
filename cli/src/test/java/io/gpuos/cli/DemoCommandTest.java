package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DemoCommandTest {

  @Test
  void shouldVerifyEveryOperationAndSayWhatItMeasured() {
    Program.Result result =
        Command.run("demo", "--device", "cpu", "--operations", "1003", "--seed", "5", "--json");
    assertEquals(0, result.exitCode(), result::err);
    Map<String, Object> json = JsonReader.object(result.out());
    assertAll(
        () -> assertEquals("cpu", json.get("device")),
        () -> assertEquals(5.0, json.get("seed")),
        () -> assertEquals(1003.0, json.get("operations")),
        () -> assertEquals(1003.0, json.get("verified")),
        () -> assertEquals(0.0, json.get("mismatches")),
        () -> assertTrue((double) json.get("us_per_op") > 0),
        () -> assertTrue((double) json.get("worst_error") < 1e-4),
        () ->
            assertTrue(((Map<?, ?>) json.get("added")).get("expression").toString().length() > 5));
    Map<?, ?> sizes = (Map<?, ?>) json.get("elements");
    assertTrue((double) sizes.get("least") > 0, sizes::toString);
    assertTrue((double) sizes.get("median") > (double) sizes.get("least"), sizes::toString);
    assertTrue((double) sizes.get("most") > (double) sizes.get("median"), sizes::toString);
    List<?> groups = (List<?>) json.get("groups");
    assertEquals(9, groups.size());
    double sum = 0;
    for (Object group : groups) {
      Map<?, ?> members = (Map<?, ?>) group;
      assertTrue((double) members.get("tasks") >= (double) members.get("operations"));
      assertTrue((double) members.get("operations") > 0, members::toString);
      assertTrue((double) ((Map<?, ?>) members.get("elements")).get("median") >= 256);
      sum += (double) members.get("operations");
    }
    assertEquals(1003.0, sum);
  }

  @Test
  void shouldPrintATable() {
    Program.Result result = Command.run("demo", "--device", "cpu", "--operations", "100");
    assertEquals(0, result.exitCode(), result::err);
    assertTrue(result.out().startsWith("device: cpu (CPU, "), result::out);
    assertTrue(
        result.out().matches("(?s).*\\nall +100 +[0-9]+ +[0-9.]+ +[0-9.e-]+ +100 +0\\n.*"),
        result::out);
    assertTrue(
        result.out().matches("(?s).*\\nElements are .*; from [0-9]+ to [0-9]+ in all\\..*"),
        result::out);
    assertTrue(result.err().contains("gpuos: demo: 9 of 9: in place"), result::err);
  }

  @ParameterizedTest
  @ValueSource(strings = {"99", "-1", "10000001"})
  void shouldRefuseNumbersOutOfRange(String operations) {
    Program.Result result = Command.run("demo", "--operations", operations);
    assertEquals(2, result.exitCode());
    assertEquals(
        "gpuos: number of operations: --operations=%s, expected=100 to 10000000\n"
            .formatted(operations),
        result.err());
    assertEquals("", result.out());
  }

  @Test
  void shouldRefuseADeviceThatIsNotThere() {
    Program.Result result = Command.run("demo", "--device", "cuda:4711");
    assertEquals(2, result.exitCode());
    assertEquals(1, result.err().lines().count(), result::err);
    assertEquals("", result.out());
  }
}
