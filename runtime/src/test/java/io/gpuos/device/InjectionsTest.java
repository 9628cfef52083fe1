package io.gpuos.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.device.Injections.Failure;
import io.gpuos.device.Injections.Injection;
import java.util.List;
import org.junit.jupiter.api.Test;

class InjectionsTest {

  @Test
  void shouldCountWhatStayedInterpretedApartFromWhatCameIn() {
    Injections injections = new Injections();
    injections.add(new Injection(3, 1));
    Failure failure = new Failure("exp", "stack: bytes=2048, expected=at most 1024");
    injections.add(failure);
    assertEquals(1, injections.count());
    assertEquals(1, injections.failed());
    assertEquals(List.of(failure), injections.failures());
  }

  @Test
  void shouldKeepTheLastAndCountAll() {
    Injections injections = new Injections();
    for (int k = 0; k < 5_000; k++) {
      injections.add(new Failure("f" + k, "refused"));
    }
    assertEquals(5_000, injections.failed());
    assertEquals(4_096, injections.failures().size());
    assertEquals("f904", injections.failures().getFirst().operator());
    assertEquals("f4999", injections.failures().getLast().operator());
  }
}
