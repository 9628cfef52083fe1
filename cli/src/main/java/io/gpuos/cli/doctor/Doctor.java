package io.gpuos.cli.doctor;

import io.gpuos.cli.text.Progress;
import io.gpuos.device.DeviceSettings;
import io.gpuos.driver.Cuda;
import io.gpuos.driver.DeviceAttribute;
import io.gpuos.driver.Library;
import io.gpuos.driver.LibrarySearch;
import io.gpuos.driver.Nvrtc;
import io.gpuos.error.GpuosException;
import io.gpuos.jit.DiskCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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
   */
  public static DoctorReport examine(
      DoctorReport.Build build, DeviceSettings settings, Progress progress) {
    progress.step("looking for libraries");
    List<DoctorReport.NativeLibrary> libraries = LIBRARIES.stream().map(Doctor::library).toList();
    DoctorReport.Driver driver = driver();
    DoctorReport.Compiler compiler = compiler();
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
        trials);
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
