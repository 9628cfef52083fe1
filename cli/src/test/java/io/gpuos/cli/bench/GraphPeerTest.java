package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.Gpuos;
import io.gpuos.driver.Nvrtc;
import io.gpuos.error.GpuosException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launches beside the programs, without a GPU: which kernels, with how many parameters. */
class GraphPeerTest {

  private static final Pattern KERNEL =
      Pattern.compile("__global__ void (\\w+)\\(([^)]*)\\)", Pattern.DOTALL);

  private static String source() throws IOException {
    try (InputStream in = GraphPeer.class.getResourceAsStream("peer.cu")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static Map<String, Long> parameters() throws IOException {
    Matcher matcher = KERNEL.matcher(source());
    return Stream.iterate(matcher.find(), found -> found, _ -> matcher.find())
        .map(_ -> Map.entry(matcher.group(1), count(matcher.group(2))))
        .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
  }

  private static long count(String parameters) {
    return parameters.chars().filter(c -> c == ',').count() + 1;
  }

  @Test
  void shouldLaunchKernelsThatThereAreWithAllTheirParameters() throws IOException {
    Map<String, Long> kernels = parameters();
    Set<String> launched = new TreeSet<>();
    try (Gpuos gpu = Gpuos.open("cpu")) {
      for (ProgramWorkload workload : ProgramWorkloads.all()) {
        try (ProgramFixture fixture = new ProgramFixture(gpu, new SplittableRandom(1))) {
          workload.make().accept(fixture, workload.quickUnits());
          List<PeerLaunch> launches = fixture.peer().launches();
          assertTrue(launches.size() >= workload.quickUnits(), workload.name());
          for (PeerLaunch launch : launches) {
            launched.add(launch.kernel());
            assertEquals(
                kernels.get(launch.kernel()),
                (long) launch.parameters().length,
                () -> workload.name() + ": " + launch.kernel());
            assertTrue(launch.threads() % 32 == 0 && launch.threads() <= 1024, launch::kernel);
          }
        }
      }
    }
    assertEquals(new TreeSet<>(kernels.keySet()), launched);
  }

  @Test
  void shouldCompile() {
    String found = compiler();
    assumeTrue(found.isEmpty(), found);
    assertTrue(GraphPeer.compile("sm_90").length > 0);
  }

  private static String compiler() {
    try {
      Nvrtc.open();
      return "";
    } catch (GpuosException e) {
      return e.getMessage();
    }
  }

  /** By fibers that play the threads of a block. */
  @Test
  void shouldComputeRightOnAHostThatPlaysTheDevice(@TempDir Path folder)
      throws IOException, InterruptedException {
    assumeTrue(
        Stream.of(System.getenv("PATH").split(":"))
            .anyMatch(path -> Files.isExecutable(Path.of(path, "g++"))),
        "no g++ to make device code host code with");
    Path checks = Path.of("..", "bench", "device").toAbsolutePath();
    Path kernels = Path.of("src", "main", "resources", "io", "gpuos", "cli", "bench");
    Path check = Path.of("src", "test", "resources", "io", "gpuos", "cli", "bench");
    String log =
        run(
            List.of(
                "g++",
                "-std=c++17",
                "-O1",
                "-w",
                "-I" + checks.resolve("host"),
                "-I" + checks,
                "-I" + kernels.toAbsolutePath(),
                check.resolve("peer_host.cpp").toAbsolutePath().toString(),
                checks.resolve("host/host_device.cpp").toString(),
                "-o",
                folder.resolve("check").toString()));
    assertEquals("", log);
    assertEquals("all right\n", run(List.of(folder.resolve("check").toString())));
  }

  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output;
  }

  @Test
  void shouldHaveNoGraphsOnTheCpu() {
    try (GraphRuns graphs = GraphRuns.open("cpu", 1)) {
      assertEquals("the CPU device has no CUDA graphs", graphs.what());
      assertTrue(graphs.result(0).isEmpty());
    }
  }
}
