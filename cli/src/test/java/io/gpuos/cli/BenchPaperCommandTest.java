package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchPaperCommandTest {

  @TempDir private Path directory;

  @Test
  void shouldMeasureTheJavaColumnOfEveryTable() {
    Program.Result result =
        Command.run(
            "bench",
            "paper",
            "--java-only",
            "--device=cpu",
            "--quick",
            "--units=2",
            "--rounds=3",
            "--json");
    assertEquals(0, result.exitCode(), result::err);
    Map<String, Object> json = JsonReader.object(result.out());
    assertEquals("gpuos-bench-paper", json.get("format"));
    assertEquals(1.0, json.get("version"));
    List<String> names = new ArrayList<>();
    for (Object each : (List<?>) json.get("tables")) {
      Map<?, ?> table = (Map<?, ?>) each;
      names.add((String) table.get("name"));
      for (Object row : (List<?>) table.get("rows")) {
        ((Map<?, ?>) ((Map<?, ?>) row).get("cells"))
            .values()
            .forEach(cell -> assertMeasured((Map<?, ?>) cell));
      }
    }
    assertEquals(List.of("adds", "mixed", "decode", "sums", "scale-workers"), names);
  }

  private static void assertMeasured(Map<?, ?> cell) {
    assertEquals("measured", cell.get("status"));
    List<Double> samples =
        ((List<?>) cell.get("samples")).stream().map(Double.class::cast).sorted().toList();
    assertEquals(3, samples.size());
    assertTrue(samples.getFirst() > 0, cell::toString);
    assertEquals(samples.get(1), cell.get("median"));
  }

  @Test
  void shouldSayThatThereIsNoPythonAndPrintTheJavaColumn() {
    Program.Result result = paper("--python=/no/such/python", "--only=sums");
    assertEquals(0, result.exitCode(), result::err);
    assertTrue(result.err().contains("the Java column alone: no Python"), result::err);
    assertEquals(
        5, result.out().lines().filter(line -> line.startsWith("sums ")).count(), result::out);
    assertFalse(result.out().contains("adds"));
  }

  @Test
  void shouldRefuseAReportWithoutPythonBeforeTheWork() {
    Program.Result result =
        paper("--python=/no/such/python", "--html", directory.resolve("a.html"));
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().contains("no report without Python: html="), result::err);
  }

  @Test
  void shouldHandTheJavaColumnToPythonAndPassOnWhatItSays() throws IOException {
    Path python =
        script(
            """
            #!/bin/sh
            case "$*" in *--list*) exit 0;; esac
            echo "$@"
            cat "${3#--java=}" >"$(dirname "$0")/java.json"
            exit 1
            """);
    Program.Result result =
        paper("--python", python, "--only=sums", "--html", directory.resolve("a.html"));
    assertEquals(1, result.exitCode(), result::err);
    assertTrue(result.out().contains("-m gpuos.bench --java="), result::out);
    assertTrue(
        result
            .out()
            .contains("--device=cpu --quick --html=" + directory.resolve("a.html") + " --units=2"),
        result::out);
    assertTrue(result.out().contains("--seed=1 --only=sums"), result::out);
    Map<String, Object> java = JsonReader.object(Files.readString(directory.resolve("java.json")));
    assertEquals(1, ((List<?>) java.get("tables")).size());
  }

  @Test
  void shouldRefuseWhatPythonRefusesBeforeTheWork() throws IOException {
    Path python = script("#!/bin/sh\necho 'unknown table: only=x' >&2\nexit 2\n");
    Program.Result result = paper("--python", python, "--only=x");
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().contains("unknown table: only=x"), result::err);
  }

  @Test
  void shouldRefuseNumbersAndTablesThatMakeNoSense() {
    assertEquals(2, paper("--rounds=0").exitCode());
    assertEquals(2, paper("--time-limit=0").exitCode());
    assertEquals(2, paper("--java-only", "--only=nothing").exitCode());
    assertEquals(2, paper("--json", directory.resolve("no/such/a.json")).exitCode());
  }

  private Path script(String text) throws IOException {
    Path file = Files.writeString(directory.resolve("python"), text);
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
  }

  private static Program.Result paper(Object... more) {
    List<Object> words =
        new ArrayList<>(List.of("bench", "paper", "--device=cpu", "--quick", "--units=2"));
    words.addAll(List.of(more));
    return Command.run(words.toArray());
  }
}
