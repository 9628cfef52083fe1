package io.gpuos.models;

import io.gpuos.models.ModelSearch.Outcome;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Publishing, rolling back and retiring generations: as it is, every task runs one whole
 * generation, none older than the last published before it was submitted, and none that is gone;
 * with any one step changed, some task does not.
 */
@Timeout(300)
class PublishModelTest {

  private ModelSearch model;

  @BeforeEach
  void open(@TempDir Path folder) {
    model = new ModelSearch("publish.pml", folder);
  }

  /** Two publications one after another, with rollbacks and parked workers. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "TASKS=2 PARKS=2",
        "TASKS=2 ROLLBACKS=1",
        "TASKS=2 ROLLBACKS=2 GENERATIONS=2",
        "TASKS=1 ROLLBACKS=1 PARKS=1"
      })
  void shouldRunOneWholeCurrentGeneration(String parts) throws IOException, InterruptedException {
    model.assertHolds(parts);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "NO_READ_BACK",
        "TURN_FIRST",
        "NO_TURN_FENCE",
        "LATE_TURN_FENCE",
        "SNAPSHOT_FIRST",
        "NO_GRACE",
        "NO_WAIT",
        "ROLLBACKS=1 NO_RECHECK",
        "ROLLBACKS=1 ROLLBACK_FREES",
        "REUSE",
        "PACKED",
        "ALIAS_EARLY",
        "ALIAS_TWICE",
        "STAMP_FIRST"
      })
  void shouldRunTheWrongCodeWithAnyOneStepChanged(String parts)
      throws IOException, InterruptedException {
    model.assertFails(Outcome.BREAKS, "TASKS=2 " + parts);
  }

  /** Tasks that workers left behind when they parked would keep the operator in transition. */
  @Test
  void shouldHangWhenWaitersDoNotLaunch() throws IOException, InterruptedException {
    model.assertFails(Outcome.HANGS, "TASKS=2 PARKS=1 NO_WAKE");
  }

  /** It is the instruction cache, and nothing else, that forbids using an address again. */
  @Test
  void shouldAllowAnAddressAgainWithoutACache() throws IOException, InterruptedException {
    model.assertHolds("TASKS=2 REUSE NO_CACHE");
  }
}
