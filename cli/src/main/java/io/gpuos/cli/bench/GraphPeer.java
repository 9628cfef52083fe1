package io.gpuos.cli.bench;

import io.gpuos.driver.Cuda;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaFunction;
import io.gpuos.driver.CudaGraph;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.LaunchConfig;
import io.gpuos.driver.Nvrtc;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * CUDA graphs of ordinary launches of the kernels in {@code peer.cu}, which NVRTC compiles. Opening
 * loads a module, which waits until the resident workers have left. One thread.
 */
final class GraphPeer implements AutoCloseable {

  /** What stands beside the programs, for the report. */
  static final String WHAT =
      "ordinary kernels of the same operators, one launch each, captured once and launched as a graph";

  private static final String SOURCE = "peer.cu";

  private final CudaContext context;
  private final CudaModule module;
  private final CudaStream stream;
  private final Map<String, CudaFunction> functions = new HashMap<>();
  private final List<CudaGraph> graphs = new ArrayList<>();

  private GraphPeer(CudaContext context, CudaModule module, CudaStream stream) {
    this.context = context;
    this.module = module;
    this.stream = stream;
  }

  /**
   * Opens it on the GPU of that name, {@code cuda:N}.
   *
   * @throws io.gpuos.error.GpuosException if there is no compiler, or the driver refuses
   */
  static GraphPeer open(String device) {
    int ordinal = Integer.parseInt(device.substring(device.indexOf(':') + 1));
    CudaContext context = Cuda.open().device(ordinal).retainPrimaryContext();
    try {
      CudaModule module = context.loadModule(compile(context.device().architecture()));
      return new GraphPeer(context, module, context.newStream());
    } catch (Throwable failure) {
      context.close();
      throw failure;
    }
  }

  /** Machine code of the kernels, for an architecture such as {@code sm_90}. */
  static byte[] compile(String architecture) {
    return Nvrtc.open()
        .compile(
            source(),
            SOURCE,
            Map.of(),
            List.of("--gpu-architecture=" + architecture),
            Nvrtc.Target.CUBIN)
        .code();
  }

  private static String source() {
    try (InputStream in = GraphPeer.class.getResourceAsStream(SOURCE)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Captures launches, in their order; the graph is closed with this. */
  CudaGraph capture(List<PeerLaunch> launches) {
    // Looked up before, so that the capture sees launches alone.
    launches.forEach(launch -> functions.computeIfAbsent(launch.kernel(), module::function));
    CudaGraph graph =
        stream.capture(
            () -> {
              for (PeerLaunch launch : launches) {
                functions
                    .get(launch.kernel())
                    .launch(
                        stream,
                        LaunchConfig.of(launch.blocks(), launch.threads()),
                        launch.parameters());
              }
            });
    graphs.add(graph);
    return graph;
  }

  /** Waits until nothing runs on the GPU, resident workers included. */
  void settle() {
    context.synchronize();
  }

  void launch(CudaGraph graph) {
    graph.launch(stream);
  }

  /** Waits for the graphs that were launched. */
  void await() {
    stream.synchronize();
  }

  @Override
  public void close() {
    graphs.forEach(CudaGraph::close);
    stream.close();
    module.close();
    context.close();
  }
}
