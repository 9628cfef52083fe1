package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BenchInjectCommandTest {

  @Test
  void shouldVerifyEveryTaskUnderRandomEvents() {
    Program.Result result =
        Command.run("bench", "inject", "--device", "cpu", "--quick", "--seed", "3", "--json");
    assertEquals(0, result.exitCode(), result::err);
    Map<String, Object> json = JsonReader.object(result.out());
    Map<?, ?> stress = (Map<?, ?>) json.get("stress");
    assertTrue((double) stress.get("tasks") >= 50_000);
    assertEquals(stress.get("tasks"), stress.get("verified"));
    assertEquals(500.0, stress.get("events"));
    assertEquals(
        (double) stress.get("submitted"),
        (double) stress.get("verified") + (double) stress.get("failed_as_expected"));
    assertEquals(0.0, stress.get("wrong"));
    assertEquals(3.0, stress.get("seed"));
    for (String event : List.of("publications", "rollbacks", "parks")) {
      assertTrue((double) stress.get(event) > 0, event);
    }
    Map<?, ?> fed = (Map<?, ?>) json.get("fed");
    assertEquals(20, ((List<?>) fed.get("prepare_us")).size());
    assertEquals(7, ((List<?>) json.get("goals")).size());
  }
}
