package io.gpuos.cli;

import io.gpuos.cli.doctor.Doctor;
import io.gpuos.cli.doctor.DoctorReport;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Table;
import io.gpuos.cli.text.Units;
import io.gpuos.device.InjectionStatus;
import io.gpuos.device.OpenPhases;
import io.gpuos.driver.Candidate;
import io.gpuos.jit.DiskCache;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gpuos doctor}: what this machine has of what GPUOS needs. */
@Command(
    name = "doctor",
    description = "Says what was found on this machine, what was not, and why.",
    footer = {
      "",
      "Exit code 1 if a device opens and then does not compute right; a missing GPU is no error."
    })
final class DoctorCommand implements Callable<Integer> {

  @Mixin private InjectionOption injection;
  @Mixin private OutputOptions output;

  @Option(
      names = "--no-self-test",
      description =
          "Do not try, in a process of its own, whether the GPU takes operators while its kernel "
              + "runs. The last verdict stays.")
  private boolean withoutSelfTest;

  @Override
  public Integer call() {
    DoctorReport report;
    try (Progress progress = output.progress()) {
      report =
          Doctor.examine(
              new DoctorReport.Build(Version.version(), Version.commit()),
              injection.settings(),
              !withoutSelfTest,
              progress);
    }
    output.print(report, out -> print(report, out));
    boolean wrong = report.trials().stream().anyMatch(trial -> trial.opened() && !trial.correct());
    return wrong ? Main.EXIT_WRONG : Main.EXIT_OK;
  }

  private static void print(DoctorReport report, PrintWriter out) {
    printHost(report, out);
    printLibraries(report, out);
    printDevices(report, out);
    printInjection(report, out);
  }

  /** By trial, since it depends on the device and on what was asked for. */
  private static void printInjection(DoctorReport report, PrintWriter out) {
    out.println();
    out.println("New operators while the workers run");
    Table table = Table.withoutTitles(3).indent(2);
    DoctorReport.SelfTest test = report.selfTest();
    table.row("self-test", words(test.result()), describe(test));
    for (DoctorReport.Trial trial : report.trials()) {
      trial
          .injection()
          .ifPresent(
              status -> {
                table.row(trial.device(), status.live() ? "live" : "by the driver", status.way());
                table.row("", "", status.reason());
                status.arena().ifPresent(arena -> table.row("", "", describe(arena)));
              });
    }
    if (report.trials().stream().noneMatch(DoctorCommand::isOpenGpu)) {
      table.row(
          "cuda",
          "not open",
          "depends on the GPU: live where the self-test passed or that is known to work");
    }
    table.print(out);
  }

  private static String describe(DoctorReport.SelfTest test) {
    return test.device()
        .map(
            device ->
                String.format(
                    Locale.ROOT,
                    "%s, %.1f s, %s: %s",
                    device,
                    test.seconds(),
                    test.kept() ? "kept for such devices" : "not kept",
                    test.reason()))
        .orElse(test.reason());
  }

  private static boolean isOpenGpu(DoctorReport.Trial trial) {
    return trial.opened() && trial.device().startsWith("cuda");
  }

  private static String describe(InjectionStatus.Arena arena) {
    return "code arena: %s in %s, %s reserved, %s at most"
        .formatted(
            Units.count(arena.operators(), "operator"),
            Units.bytes(arena.usedBytes()),
            Units.bytes(arena.reservedBytes()),
            Units.bytes(arena.limitBytes()));
  }

  private static void printHost(DoctorReport report, PrintWriter out) {
    DoctorReport.Jdk jdk = report.jdk();
    DoctorReport.Machine machine = report.machine();
    Table.withoutTitles(2)
        .row("gpuos", "%s, commit %s".formatted(report.gpuos().version(), report.gpuos().commit()))
        .row("system", "%s, %s".formatted(machine.system(), machine.architecture()))
        .row("processors", Integer.toString(machine.processors()))
        .row("JDK", "%s, %s, %s".formatted(jdk.version(), jdk.vendor(), jdk.machine()))
        .row("", jdk.home())
        .row("cache", cache(report.cache()))
        .print(out);
    jdk.problem().ifPresent(problem -> out.println("warning: " + problem));
  }

  private static String cache(DiskCache.Status cache) {
    if (cache.folder().isEmpty()) {
      return "none: " + cache.reason();
    }
    return "%s, %s of compiled operators, %s of at most %s; %s"
        .formatted(
            cache.folder().get(),
            cache.entries() == 1 ? "1 entry" : cache.entries() + " entries",
            Units.bytes(cache.bytes()),
            Units.bytes(cache.limit()),
            cache.reason());
  }

  private static void printLibraries(DoctorReport report, PrintWriter out) {
    for (DoctorReport.NativeLibrary library : report.libraries()) {
      out.println();
      out.println(
          "Library %s: %s"
              .formatted(library.name(), library.path().orElse("none of these places has it")));
      Table table = Table.withoutTitles(3).indent(2);
      for (DoctorReport.Place place : library.candidates()) {
        table.row(words(place.source()), words(place.outcome()), account(place));
      }
      table.print(out);
    }
  }

  /** Where, and unless it was taken, why not. */
  private static String account(DoctorReport.Place place) {
    if (place.outcome() == Candidate.Outcome.TAKEN) {
      return place.path();
    }
    return place.reason().startsWith(place.path())
        ? place.reason()
        : place.path() + ": " + place.reason();
  }

  private static String words(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private static void printDevices(DoctorReport report, PrintWriter out) {
    DoctorReport.Driver driver = report.driver();
    DoctorReport.Compiler compiler = report.compiler();
    out.println();
    out.println("Devices");
    Table table = Table.withoutTitles(2).indent(2);
    table.row("driver", driver.version().map(v -> "CUDA " + v).orElse("none"));
    driver.problem().ifPresent(problem -> table.row("", problem));
    table.row("compiler", compiler(compiler));
    for (DoctorReport.CudaDevice device : driver.devices()) {
      table.row(device.name(), describe(device));
    }
    if (driver.devices().isEmpty()) {
      table.row("GPU", "none; --device auto takes the CPU, where everything works");
    }
    for (DoctorReport.Trial trial : report.trials()) {
      table.row("trial of " + trial.device(), describe(trial));
      if (!trial.openPhases().isEmpty()) {
        table.row("", "to open it: " + phases(trial.openPhases()));
      }
    }
    table.print(out);
  }

  private static String phases(List<OpenPhases.Phase> phases) {
    return phases.stream()
        .map(phase -> "%s %s".formatted(phase.name(), Units.nanos(phase.millis() * 1e6)))
        .collect(Collectors.joining(", "));
  }

  private static String compiler(DoctorReport.Compiler compiler) {
    List<String> architectures = compiler.architectures();
    return compiler
        .version()
        .map(version -> "NVRTC %s for %s".formatted(version, String.join(" ", architectures)))
        .orElseGet(() -> "none: " + compiler.problem().orElse("unknown"));
  }

  private static String describe(DoctorReport.CudaDevice device) {
    return String.format(
        Locale.ROOT,
        "%s, %s, %s, %d multiprocessors, %s",
        device.model(),
        device.architecture(),
        Units.bytes(device.memoryBytes()),
        device.multiprocessors(),
        device.uuid());
  }

  private static String describe(DoctorReport.Trial trial) {
    if (!trial.opened()) {
      return "does not open: " + trial.problem().orElse("unknown");
    }
    String result = trial.problem().orElse("results correct");
    return "%s; open after %s, first results after another %s, %s"
        .formatted(
            trial.description().orElse(""),
            Units.nanos(trial.openMs() * 1e6),
            Units.nanos(trial.firstMs() * 1e6),
            result);
  }
}
