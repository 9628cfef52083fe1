package io.gpuos.device.cuda;

import io.gpuos.device.DeviceSettings.Injection;
import io.gpuos.device.cuda.LiveVerdicts.Verdict;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * How operators come into the kernel of one device: as asked for; else as the self-test found on
 * such a device; else live where that is known to work, and by the driver where it is not.
 *
 * @param live beside the running kernel, rather than by the driver
 * @param reason why, in one line
 */
record InjectionChoice(boolean live, String reason) {

  /** Where operators have been brought into a running kernel, with every check of the suite. */
  private static final Set<String> KNOWN_LIVE = Set.of("sm_90");

  /**
   * The choice for a device.
   *
   * @param tested the verdict of the self-test, looked for only where nothing is asked for
   */
  static InjectionChoice of(
      Injection asked, String architecture, Supplier<Optional<Verdict>> tested) {
    return switch (asked) {
      case LIVE, DRIVER ->
          new InjectionChoice(
              asked == Injection.LIVE,
              "asked for: injection=" + asked.name().toLowerCase(Locale.ROOT));
      case AUTO ->
          tested
              .get()
              .map(InjectionChoice::bySelfTest)
              .orElseGet(() -> byArchitecture(architecture));
    };
  }

  private static InjectionChoice bySelfTest(Verdict verdict) {
    String reason =
        verdict.passed()
            ? "the self-test of %s passed on such a device"
            : "the self-test of %s failed on such a device: %s; gpuos doctor repeats it";
    return new InjectionChoice(
        verdict.passed(), reason.formatted(verdict.when(), verdict.reason()));
  }

  private static InjectionChoice byArchitecture(String architecture) {
    boolean known = KNOWN_LIVE.contains(architecture);
    String reason =
        known
            ? architecture + " is known to take live code"
            : "%s is not known to take live code, as %s is; gpuos doctor tests it, --injection=live tries it"
                .formatted(architecture, String.join(", ", KNOWN_LIVE));
    return new InjectionChoice(known, reason);
  }
}
