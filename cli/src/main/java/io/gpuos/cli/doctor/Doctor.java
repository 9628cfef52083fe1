package io.gpuos.cli.doctor;

import io.gpuos.cli.doctor.ProbeVerdict.Result;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.cuda.LiveVerdicts;
import io.gpuos.device.cuda.LiveVerdicts.Verdict;
import io.gpuos.driver.Cuda;
import io.gpuos.driver.DeviceAttribute;
import io.gpuos.driver.Library;
import io.gpuos.driver.LibrarySearch;
import io.gpuos.driver.Nvrtc;
import io.gpuos.error.GpuosException;
import io.gpuos.jit.DiskCache;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** Looks; nothing it finds, or does not find, makes it fail. */
public final class Doctor {

  /** 25.0.0 to 25.0.2 corrupt pinned objects (JDK-8377811). */
  private static final Runtime.Version OLDEST_JDK = Runtime.Version.parse("25.0.3");

  /** The libraries the runtime loads. */
  private static final List<Library> LIBRARIES = List.of(Library.CUDA, Library.NVRTC);

  private Doctor() {}

  /**
   * The account of this machine. Opens devices, and fills caches as any use of them does.
   *
   * @param settings to open devices with
   * @param selfTest whether to try in a process of its own if a GPU takes live code, and to keep
   *     the verdict
   */
  public static DoctorReport examine(
      DoctorReport.Build build, DeviceSettings settings, boolean selfTest, Progress progress) {
    progress.step("looking for libraries");
    List<DoctorReport.NativeLibrary> libraries = LIBRARIES.stream().map(Doctor::library).toList();
    DoctorReport.Driver driver = driver();
    DoctorReport.Compiler compiler = compiler();
    // Before a device is opened here: what is chosen there may depend on it.
    DoctorReport.SelfTest tested = selfTest(driver, selfTest, progress);
    List<DoctorReport.Trial> trials = new ArrayList<>();
    for (String device : devicesToTry(driver)) {
      progress.step("trying device " + device);
      trials.add(FirstOperation.on(device, settings));
    }
    return new DoctorReport(
        build,
        jdk(Runtime.version()),
        machine(),
        libraries,
        driver,
        compiler,
        DiskCache.open().status(),
        tested,
        trials);
  }

  private static DoctorReport.SelfTest selfTest(
      DoctorReport.Driver driver, boolean wanted, Progress progress) {
    if (!wanted) {
      return skipped("--no-self-test was given");
    }
    if (driver.devices().isEmpty()) {
      return skipped("no GPU: " + driver.problem().orElse("devices=0"));
    }
    String device = driver.devices().getFirst().name();
    progress.step("self-test of " + device + " in a process of its own");
    return selfTest(
        device,
        SelfTest.command(device),
        SelfTest.LIMIT,
        verdict -> LiveVerdicts.open().keep(Cuda.open().device(0), verdict));
  }

  private static DoctorReport.SelfTest skipped(String reason) {
    return new DoctorReport.SelfTest(Optional.empty(), Result.NOT_RUN, reason, 0, false);
  }

  /**
   * Runs a self-test, and keeps its verdict if it has one.
   *
   * @param keep says whether it could keep a verdict
   */
  static DoctorReport.SelfTest selfTest(
      String device, List<String> command, Duration limit, Predicate<Verdict> keep) {
    long begin = System.nanoTime();
    ProbeVerdict found = SelfTest.run(command, limit);
    double seconds = (System.nanoTime() - begin) / 1e9;
    boolean kept =
        found.result() != Result.NOT_RUN
            && keep.test(
                new Verdict(found.result() == Result.PASSED, found.reason(), Instant.now()));
    return new DoctorReport.SelfTest(
        Optional.of(device), found.result(), found.reason(), seconds, kept);
  }

  /** One GPU stands for all: each takes some hundred MB to open. */
  private static List<String> devicesToTry(DoctorReport.Driver driver) {
    Stream<String> gpu = driver.devices().stream().map(DoctorReport.CudaDevice::name).limit(1);
    return Stream.concat(Stream.of("cpu"), gpu).toList();
  }

  static DoctorReport.Jdk jdk(Runtime.Version version) {
    Optional<String> problem =
        version.compareToIgnoreOptional(OLDEST_JDK) >= 0
            ? Optional.empty()
            : Optional.of(
                "JDK too old: version=%s, expected=%s or newer; older ones corrupt pinned objects"
                    .formatted(version, OLDEST_JDK));
    return new DoctorReport.Jdk(
        version.toString(),
        System.getProperty("java.vendor"),
        System.getProperty("java.vm.name"),
        System.getProperty("java.home"),
        problem);
  }

  private static DoctorReport.Machine machine() {
    return new DoctorReport.Machine(
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("os.arch"),
        Runtime.getRuntime().availableProcessors());
  }

  private static DoctorReport.NativeLibrary library(Library library) {
    LibrarySearch.Result result = LibrarySearch.search(library);
    return new DoctorReport.NativeLibrary(
        library.name().toLowerCase(Locale.ROOT),
        result.path(),
        result.candidates().stream()
            .map(
                place ->
                    new DoctorReport.Place(
                        place.source(), place.path(), place.outcome(), place.reason()))
            .toList());
  }

  private static DoctorReport.Driver driver() {
    Optional<String> version = Optional.empty();
    Optional<String> path = Optional.empty();
    List<DoctorReport.CudaDevice> devices = new ArrayList<>();
    try {
      Cuda cuda = Cuda.open();
      version = Optional.of(cuda.driverVersion() / 1000 + "." + cuda.driverVersion() % 1000 / 10);
      path = Optional.of(cuda.libraryPath());
      cuda.devices().map(Doctor::device).forEach(devices::add);
      Optional<String> problem =
          devices.isEmpty()
              ? Optional.of("no device: devices=0, expected=at least one visible GPU")
              : Optional.empty();
      return new DoctorReport.Driver(version, path, devices, problem);
    } catch (GpuosException e) {
      return new DoctorReport.Driver(version, path, devices, Optional.of(e.getMessage()));
    }
  }

  private static DoctorReport.CudaDevice device(io.gpuos.driver.CudaDevice device) {
    return new DoctorReport.CudaDevice(
        device.toString(),
        device.name(),
        device.architecture(),
        device.totalMemory(),
        device.attribute(DeviceAttribute.MULTIPROCESSOR_COUNT),
        "GPU-" + device.uuid());
  }

  private static DoctorReport.Compiler compiler() {
    try {
      Nvrtc nvrtc = Nvrtc.open();
      return new DoctorReport.Compiler(
          Optional.of(nvrtc.version().toString()),
          Optional.of(nvrtc.libraryPath()),
          nvrtc.architectures(),
          Optional.empty());
    } catch (GpuosException e) {
      return new DoctorReport.Compiler(
          Optional.empty(), Optional.empty(), List.of(), Optional.of(e.getMessage()));
    }
  }
}
