package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.driver.CudaDevice;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.jit.CacheKey;
import io.gpuos.jit.CompileService;
import io.gpuos.jit.DiskCache;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;

/**
 * What self-tests found: whether a device takes code beside its running kernel. Kept on disk in the
 * folder {@code live} of the cache, under the same rules of ownership and integrity as compiled
 * operators ({@link DiskCache}); a verdict that is damaged or not this user's counts as none.
 *
 * <p>A verdict holds for a device of that name and architecture with that driver, compiler and
 * build of GPUOS; after a change of any, there is none. Thread-safe.
 */
public final class LiveVerdicts {

  private static final String FOLDER = "live";
  private static final long LIMIT_BYTES = 1 << 20;

  /** Version of the loaded kernel module, which changes more often than the CUDA version. */
  private static final Path KERNEL_MODULE = Path.of("/sys/module/nvidia/version");

  private final DiskCache cache;

  LiveVerdicts(DiskCache cache) {
    this.cache = cache;
  }

  /** Those of this user. */
  public static LiveVerdicts open() {
    return new LiveVerdicts(DiskCache.beside(FOLDER, LIMIT_BYTES));
  }

  /**
   * The outcome of one self-test.
   *
   * @param passed whether every check passed
   * @param reason one line: what was checked, or what failed
   * @param when it was found, to the second
   */
  public record Verdict(boolean passed, String reason, Instant when) {

    public Verdict {
      reason = reason.lines().findFirst().orElse("");
      when = when.truncatedTo(ChronoUnit.SECONDS);
    }

    private byte[] encode() {
      return String.join("\n", passed ? "passed" : "failed", when.toString(), reason)
          .getBytes(StandardCharsets.UTF_8);
    }

    private static Optional<Verdict> decode(byte[] bytes) {
      String[] lines = new String(bytes, StandardCharsets.UTF_8).split("\n", -1);
      boolean known = lines.length == 3 && (lines[0].equals("passed") || lines[0].equals("failed"));
      try {
        return known
            ? Optional.of(new Verdict(lines[0].equals("passed"), lines[2], Instant.parse(lines[1])))
            : Optional.empty();
      } catch (DateTimeException _) {
        return Optional.empty();
      }
    }
  }

  /**
   * What a verdict is about.
   *
   * @param device name of the model
   * @param architecture such as {@code sm_90}
   * @param driver versions of CUDA that the driver serves and of its kernel module
   * @param compiler name and version
   * @param build version of GPUOS and digest of what runs on the device
   */
  public record Subject(
      String device, String architecture, String driver, String compiler, String build) {

    /**
     * That device, as it is used with that compiler.
     *
     * @throws DeviceUnavailableException if there is no compiler
     */
    static Subject of(CudaDevice device, CompileService compiler) {
      return new Subject(
          device.name(),
          device.architecture(),
          device.cuda().driverVersion() + " " + kernelModule(),
          compiler.compilerVersion(),
          buildOfGpuos());
    }

    private CacheKey key() {
      return CacheKey.of(List.of("live code", device, architecture, driver, compiler, build));
    }
  }

  /** The last verdict about {@code subject}. */
  public Optional<Verdict> find(Subject subject) {
    return cache.get(subject.key()).flatMap(Verdict::decode);
  }

  /** Keeps a verdict, in place of one before; returns whether it can be found from now on. */
  public boolean keep(Subject subject, Verdict verdict) {
    cache.put(subject.key(), verdict.encode());
    return find(subject).filter(verdict::equals).isPresent();
  }

  /**
   * Keeps a verdict about a device as {@link CudaComputeDevice#open} would use it.
   *
   * @return whether it can be found from now on
   */
  public boolean keep(CudaDevice device, Verdict verdict) {
    int driver = device.cuda().driverVersion();
    try (CompileService compiler = CompileService.open(driver, CudaHeader.ABI_VERSION)) {
      return keep(Subject.of(device, compiler), verdict);
    } catch (DeviceUnavailableException _) {
      return false;
    }
  }

  private static String kernelModule() {
    try {
      return Files.readString(KERNEL_MODULE).strip();
    } catch (IOException _) {
      return "unknown";
    }
  }

  private static String buildOfGpuos() {
    List<String> fields = new ArrayList<>();
    fields.add(DeviceSources.worker());
    new TreeMap<>(DeviceSources.headers()).forEach((name, text) -> fields.add(name + "\n" + text));
    return version() + " " + CacheKey.of(fields).hex();
  }

  /** Version of GPUOS, such as {@code 1.2.3}. */
  private static String version() {
    Properties properties = new Properties();
    try (InputStream in =
        LiveVerdicts.class.getResourceAsStream("/io/gpuos/device/build.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties.getProperty("version");
  }
}
