package io.gpuos.models;

import io.gpuos.models.ModelSearch.Outcome;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The lease's protocol: as it is, nothing hangs and every task runs once and in order; with any one
 * step left out, something does hang.
 */
@Timeout(300)
class LeaseModelTest {

  private ModelSearch model;

  @BeforeEach
  void open(@TempDir Path folder) {
    model = new ModelSearch("lease.pml", folder);
  }

  /** The handshake alone, and with all that happens around it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "PRODUCERS=1",
        "PRODUCERS=2 TASKS=2",
        "PRODUCERS=1 KEEPER STOP_NOW DEPENDENT",
        "PRODUCERS=1 TASKS=2 STOPS=1 LOADER",
        "PRODUCERS=1 TASKS=2 STOPS=1 KEEPER LOADER DEPENDENT"
      })
  void shouldLoseNothing(String parts) throws IOException, InterruptedException {
    model.assertHolds(parts);
  }

  /** Without the keeper: the fences and the second look suffice when workers leave idle. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "NO_HOST_FENCE",
        "NO_KERNEL_FENCE",
        "NO_SECOND_LOOK",
        "NO_LOOK_FENCE",
        "DROP_CLAIM",
        // Workers that leave with work outstanding need a keeper.
        "STOP_NOW",
        "DEPENDENT",
        // A worker that waits for a task must leave when asked: another that has left may hold it.
        "KEEPER DEPENDENT HOLD_ON",
        "KEEPER STOP_NOW DEPENDENT DROP_CLAIM",
        "TASKS=2 STOPS=1 KEEPER LOADER NO_RELEASE_WAKE"
      })
  void shouldHangWithoutAnyOneStep(String parts) throws IOException, InterruptedException {
    model.assertFails(Outcome.HANGS, "PRODUCERS=1 " + parts);
  }
}
