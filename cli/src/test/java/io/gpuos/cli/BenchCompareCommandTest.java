package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BenchCompareCommandTest {

  @TempDir private Path directory;

  private static String measured(double p25, double median, double p75) {
    return "{\"status\": \"measured\", \"p25\": %s, \"median\": %s, \"p75\": %s}"
        .formatted(p25, median, p75);
  }

  private Path paper(String name, String device, String cell) throws IOException {
    return Files.writeString(
        directory.resolve(name),
        """
        {"format": "gpuos-bench-paper", "environment": {"device_description": "%s"},
         "tables": [{"name": "adds", "rows": [{"name": "256", "cells": {"eager": %s}}]}]}
        """
            .formatted(device, cell));
  }

  private Program.Result compare(String before, String after) throws IOException {
    return Command.run(
        "bench", "compare", paper("a.json", "H", before), paper("b.json", "H", after));
  }

  @Test
  void shouldFlagOnlyWhatIsSlowerByMoreThanTheNoise() throws IOException {
    Program.Result slower = compare(measured(1, 2, 3), measured(3.1, 4, 5));
    assertEquals(1, slower.exitCode(), slower::err);
    assertTrue(slower.out().contains("adds / 256 / eager  slower"), slower::out);
    assertTrue(slower.out().contains("slower: 1"), slower::out);
    Program.Result noise = compare(measured(1, 2, 3), measured(3, 4, 5));
    assertEquals(0, noise.exitCode(), noise::err);
    assertFalse(noise.out().contains("eager"), noise::out);
    assertTrue(noise.out().contains("same: 1"), noise::out);
    Program.Result faster = compare(measured(1, 2, 3), measured(0.1, 0.5, 0.9));
    assertEquals(0, faster.exitCode(), faster::err);
    assertTrue(faster.out().contains("faster: 1"), faster::out);
  }

  @Test
  void shouldFlagWhatDoesNotWorkAnyMore() throws IOException {
    String failed = "{\"status\": \"wrong\", \"reason\": \"far off\"}";
    Program.Result result = compare(measured(1, 2, 3), failed);
    assertEquals(1, result.exitCode(), result::err);
    assertTrue(result.out().contains("broken"), result::out);
    assertTrue(result.out().contains("far off"), result::out);
    assertEquals(0, compare(failed, measured(1, 2, 3)).exitCode());
    Program.Result gone = compare(measured(1, 2, 3), "{\"status\": \"absent\", \"reason\": \"\"}");
    assertEquals(0, gone.exitCode(), gone::err);
    assertTrue(gone.out().contains("gone: 1"), gone::out);
  }

  @Test
  void shouldSayThatDevicesDiffer() throws IOException {
    String cell = measured(1, 2, 3);
    Program.Result result =
        Command.run(
            "bench", "compare", paper("a.json", "H", cell), paper("b.json", "I", cell), "--json");
    assertTrue(result.err().contains("different devices: before=H, after=I"), result::err);
    Map<String, Object> json = JsonReader.object(result.out());
    assertEquals(false, json.get("same_device"));
    assertEquals(1.0, ((Map<?, ?>) json.get("counts")).get("same"));
  }

  @Test
  void shouldReadDocumentsOfBenchProgramsToo() {
    Path file = directory.resolve("programs.json");
    Command.run(
        "bench", "programs", "--device=cpu", "--quick", "--only=sums", "--quiet", "--out", file);
    Program.Result result = Command.run("bench", "compare", file, file);
    assertEquals(0, result.exitCode(), result::err);
    assertTrue(result.out().contains("same: 1"), result::out);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{}",
        "{\"format\": \"gpuos-bench-paper\"}",
        "{\"format\": \"gpuos-bench-paper\", \"tables\": [1], \"environment\": {}}",
        "{\"format\": \"gpuos-bench-paper\", \"tables\": {}, \"environment\": 3}",
        "{\"workloads\": [{\"name\": \"a\"}], \"environment\": {}}",
        "{\"a\": 1",
        "{\"a\": \"\\",
        "{\"a\": \"\\u12",
        "{\"a\": \"",
      })
  void shouldRefuseOtherFilesWithALine(String content) throws IOException {
    Path file = Files.writeString(directory.resolve("x.json"), content);
    Program.Result result = Command.run("bench", "compare", file, file);
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().contains("not a document of a benchmark: file=" + file), result::err);
    assertEquals(1, result.err().lines().count(), result::err);
  }

  @Test
  void shouldRefuseEndlessNesting() throws IOException {
    Path file = Files.writeString(directory.resolve("x.json"), "[".repeat(1_000_000));
    Program.Result result = Command.run("bench", "compare", file, file);
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().contains("at most 100 levels"), result::err);
  }
}
