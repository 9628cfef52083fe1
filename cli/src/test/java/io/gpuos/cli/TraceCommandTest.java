package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceCommandTest {

  @TempDir private Path directory;

  @Test
  void shouldWriteATimelineOfEveryNode() throws IOException {
    Path file = directory.resolve("trace.json");
    Program.Result result =
        Command.run("trace", "--device", "cpu", "--only", "chain", "--json", "--out", file);
    assertEquals(0, result.exitCode(), result::err);
    Map<String, Object> report = JsonReader.object(result.out());
    assertEquals("chain", report.get("workload"));
    assertEquals(20.0, report.get("nodes"));
    List<?> events = (List<?>) JsonReader.object(Files.readString(file)).get("traceEvents");
    double end = 0;
    int nodes = 0;
    for (Object each : events) {
      Map<?, ?> event = (Map<?, ?>) each;
      if (event.get("ph").equals("X")) {
        nodes++;
        double begin = (double) event.get("ts");
        assertTrue(begin >= end, "a node of a chain begins before the one it needs has ended");
        end = begin + (double) event.get("dur") - 1e-6 * begin;
      }
    }
    assertEquals(20, nodes);
  }

  @Test
  void shouldRefuseAnUnknownWorkload() {
    Program.Result result = Command.run("trace", "--device", "cpu", "--only", "nothing");
    assertEquals(2, result.exitCode());
    assertTrue(result.err().contains("unknown workload"), result::err);
  }
}
