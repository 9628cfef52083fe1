package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.device.DeviceSettings.Injection;
import io.gpuos.device.cuda.LiveVerdicts.Verdict;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class InjectionChoiceTest {

  private static final Instant WHEN = Instant.parse("2026-01-02T03:04:05Z");

  private static InjectionChoice untested(Injection asked, String architecture) {
    return InjectionChoice.of(asked, architecture, Optional::empty);
  }

  private static InjectionChoice tested(boolean passed, String architecture) {
    return InjectionChoice.of(
        Injection.AUTO, architecture, () -> Optional.of(new Verdict(passed, "stack wrong", WHEN)));
  }

  @Test
  void shouldDoWhatIsAskedWithoutLookingForAVerdict() {
    for (Injection asked : new Injection[] {Injection.LIVE, Injection.DRIVER}) {
      InjectionChoice choice =
          InjectionChoice.of(
              asked,
              "sm_80",
              () -> {
                throw new AssertionError("looked for");
              });
      assertEquals(asked == Injection.LIVE, choice.live());
    }
    assertEquals("asked for: injection=live", untested(Injection.LIVE, "sm_80").reason());
    assertEquals("asked for: injection=driver", untested(Injection.DRIVER, "sm_90").reason());
  }

  @Test
  void shouldGoByTheSelfTestBeforeTheArchitecture() {
    assertEquals(
        new InjectionChoice(true, "the self-test of 2026-01-02T03:04:05Z passed on such a device"),
        tested(true, "sm_80"));
    assertEquals(
        new InjectionChoice(
            false,
            "the self-test of 2026-01-02T03:04:05Z failed on such a device: stack wrong; "
                + "gpuos doctor repeats it"),
        tested(false, "sm_90"));
  }

  @Test
  void shouldGoByTheArchitectureWhereNothingWasTested() {
    assertEquals(
        new InjectionChoice(true, "sm_90 is known to take live code"),
        untested(Injection.AUTO, "sm_90"));
    InjectionChoice unknown = untested(Injection.AUTO, "sm_80");
    assertFalse(unknown.live());
    assertTrue(unknown.reason().startsWith("sm_80 is not known to take live code"));
    assertTrue(unknown.reason().contains("gpuos doctor"), unknown.reason());
    assertTrue(unknown.reason().contains("--injection=live"), unknown.reason());
  }
}
