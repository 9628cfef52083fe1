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
    assertEquals(50_000.0, stress.get("tasks"));
    assertEquals(stress.get("tasks"), stress.get("verified"));
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
