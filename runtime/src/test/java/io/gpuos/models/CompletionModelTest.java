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
 * How a completed task's result becomes visible: a fence of the GPU suffices while results lie in
 * device memory; in host memory they would need a system fence.
 */
@Timeout(60)
class CompletionModelTest {

  private ModelSearch model;

  @BeforeEach
  void open(@TempDir Path folder) {
    model = new ModelSearch("completion.pml", folder);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "HOST_RESULT SYSTEM_FENCE"})
  void shouldFindTheResult(String parts) throws IOException, InterruptedException {
    model.assertHolds(parts);
  }

  @ParameterizedTest
  @ValueSource(strings = {"NO_WORKER_FENCE", "NO_DEPENDENT_FENCE", "HOST_RESULT"})
  void shouldMissTheResultWithoutAFence(String parts) throws IOException, InterruptedException {
    model.assertFails(Outcome.BREAKS, parts);
  }
}
