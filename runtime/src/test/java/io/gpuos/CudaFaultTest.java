package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.codegen.CudaGenerator;
import io.gpuos.driver.Cuda;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.inject.Injector;
import io.gpuos.inject.Limits;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Operators in CUDA C++ that never return or write where nothing is, each in a process of its own;
 * skipped by name where there is no GPU.
 */
@Timeout(300)
class CudaFaultTest {

  @TempDir Path directory;

  /** What the children do must come as far as the GPU. */
  @ParameterizedTest
  @ValueSource(strings = {"hang", "poke"})
  void shouldAcceptTheOperatorsThatFail(String name) {
    byte[] cubin = CudaFaultChild.operator(name).compile("sm_90");
    Injector.verify(cubin, CudaGenerator.ENTRY, new Limits("sm_90", 64, 1024));
  }

  @Test
  void shouldNameTheOperatorThatNeverReturns() throws Exception {
    Map<String, String> said = child("hang");
    String message = said.get("await");
    assertTrue(
        message.matches("task overdue: device=cuda:0, operator=hang, worker=\\d+, .*"), message);
    requireFailedForGood(said, message);
    long failed = Long.parseLong(said.get("failed_after_ms"));
    long deadline = CudaFaultChild.DEADLINE.toMillis();
    assertTrue(failed >= deadline - 10 && failed <= deadline + 1_000, said::toString);
  }

  @Test
  void shouldNameTheOperatorThatWritesWhereNothingIs() throws Exception {
    Map<String, String> said = child("poke");
    String message = said.get("await");
    assertTrue(message.contains("operator=poke,"), message);
    assertTrue(message.contains("CUDA_ERROR_"), message);
    requireFailedForGood(said, message);
    assertTrue(Long.parseLong(said.get("failed_after_ms")) <= 1_000, said::toString);
  }

  private static void requireFailedForGood(Map<String, String> said, String message) {
    assertEquals("true", said.get("healthy_before"));
    for (String call : List.of("again", "synchronize", "submit", "read")) {
      assertEquals(message, said.get(call), call);
    }
    assertEquals("false", said.get("healthy"));
    assertTrue(Long.parseLong(said.get("closed_after_ms")) <= 5_000, said::toString);
  }

  /** Lines that the child printed, by name; it has ended, and in good order. */
  private Map<String, String> child(String function) throws IOException, InterruptedException {
    assumeTrue(hasGpu(), "needs an NVIDIA GPU and driver");
    Path output = directory.resolve(function + ".txt");
    Process process =
        new ProcessBuilder(command(function))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    boolean ended = process.waitFor(120, TimeUnit.SECONDS);
    String text = Files.readString(output);
    if (!ended) {
      process.destroyForcibly();
    }
    assertTrue(ended, () -> "the process did not end; it said:\n" + text);
    assertEquals(0, process.exitValue(), text);
    Map<String, String> said = new LinkedHashMap<>();
    text.lines()
        .filter(line -> line.matches("[a-z_]+=.*"))
        .forEach(line -> said.put(line.split("=", 2)[0], line.split("=", 2)[1]));
    return said;
  }

  private static List<String> command(String function) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--class-path=" + classes(Gpuos.class) + ":" + classes(CudaFaultChild.class));
    command.add("--enable-native-access=ALL-UNNAMED");
    String nvrtc = System.getProperty("gpuos.library.nvrtc");
    if (nvrtc != null) {
      command.add("-Dgpuos.library.nvrtc=" + nvrtc);
    }
    command.add(CudaFaultChild.class.getName());
    command.add(function);
    return command;
  }

  private static boolean hasGpu() {
    try {
      return Cuda.open().deviceCount() > 0;
    } catch (DeviceUnavailableException _) {
      return false;
    }
  }

  /** Folder or archive a class comes from, also where it is patched into a module. */
  private static Path classes(Class<?> type) {
    String name = "/" + type.getName().replace('.', '/') + ".class";
    String location = type.getResource(name).toString();
    String root = location.substring(0, location.length() - name.length());
    return Path.of(URI.create(root.replaceFirst("^jar:", "").replaceFirst("!$", "")));
  }
}
