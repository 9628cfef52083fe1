package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.bench.ProgramsBenchmark;
import io.gpuos.cli.text.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchProgramsCommandTest {

  private static final int QUICK_ROUNDS = 5;

  @TempDir private Path directory;

  @Test
  void shouldMeasureEveryWorkloadAndKeepEverySample() throws IOException {
    Path file = directory.resolve("programs.json");
    Program.Result result =
        Command.run(
            "bench",
            "programs",
            "--device",
            "cpu",
            "--quick",
            "--seed",
            "3",
            "--json",
            "--out",
            file);
    assertEquals(0, result.exitCode(), result::err);
    assertEquals(result.out(), Files.readString(file));
    Map<String, Object> json = JsonReader.object(result.out());
    Map<?, ?> environment = (Map<?, ?>) json.get("environment");
    assertEquals("cpu", environment.get("device"));
    assertEquals("none", environment.get("driver"));
    assertEquals(3.0, environment.get("seed"));
    assertEquals("the CPU device has no CUDA graphs", json.get("graphs"));
    List<String> names = new ArrayList<>();
    for (Object each : (List<?>) json.get("workloads")) {
      Map<?, ?> workload = (Map<?, ?>) each;
      names.add((String) workload.get("name"));
      assertOrdered(workload);
    }
    assertEquals(ProgramsBenchmark.names(), names);
  }

  private static void assertOrdered(Map<?, ?> workload) {
    List<Double> samples =
        ((List<?>) workload.get("samples_us")).stream().map(Double.class::cast).sorted().toList();
    assertEquals(QUICK_ROUNDS, samples.size(), workload::toString);
    assertTrue(samples.getFirst() > 0, workload::toString);
    assertEquals(samples.get(1), workload.get("p25_us"));
    assertEquals(samples.get(2), workload.get("median_us"));
    assertEquals(samples.get(3), workload.get("p75_us"));
  }

  @Test
  void shouldMeasureOneWorkloadByName() {
    Program.Result result =
        Command.run("bench", "programs", "--device", "cpu", "--quick", "--only", "encoder");
    assertEquals(0, result.exitCode(), result::err);
    assertEquals(1, result.out().lines().filter(line -> line.startsWith("encoder ")).count());
    assertEquals(0, result.out().lines().filter(line -> line.startsWith("mlp ")).count());
    assertTrue(result.out().contains("CUDA graphs: the CPU device has no CUDA graphs"));
  }

  @Test
  void shouldRefuseUnknownWorkloads() {
    Program.Result result = Command.run("bench", "programs", "--device", "cpu", "--only", "none");
    assertEquals(2, result.exitCode(), result::err);
    assertTrue(result.err().contains("unknown workload: only=none, expected=one of [chain, "));
  }
}
