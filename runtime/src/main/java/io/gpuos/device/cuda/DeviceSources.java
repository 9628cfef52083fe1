package io.gpuos.device.cuda;

import io.gpuos.abi.CudaHeader;
import io.gpuos.interpret.Operations;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/** The device-side sources: the rendered headers and the files beside this module's classes. */
public final class DeviceSources {

  private static final String FOLDER = "/io/gpuos/device/";
  private static final String WORKER = "gpuos_worker.cu";
  private static final String REPLAYS = "gpuos_replays.cu";
  private static final String INTERPRETER = "gpuos_interpret.cu";
  private static final String[] HEADER_FILES = {
    "gpuos_sync.cuh",
    "gpuos_segment.cuh",
    "gpuos_replay.cuh",
    "gpuos_reserve.cuh",
    "gpuos_ptx.cuh",
    "gpuos_types.cuh",
    "gpuos_math.cuh",
    "gpuos_operands.cuh",
    "gpuos_elementwise.cuh",
    "gpuos_reducers.cuh",
    "gpuos_reduce.cuh",
    "gpuos_rows.cuh",
    "gpuos_cells.cuh",
    "gpuos_interpret.cuh",
    "gpuos_block.cuh",
    "gpuos_tiles.cuh",
    "gpuos_thin.cuh",
    "gpuos_matmul.cuh",
    "gpuos_query.cuh",
    "gpuos_attention_runs.cuh",
    "gpuos_attention.cuh",
    "gpuos_gather.cuh",
    "gpuos_scan.cuh",
    "gpuos_scatter.cuh"
  };

  private DeviceSources() {}

  /** Text of the worker kernel. */
  public static String worker() {
    return read(WORKER);
  }

  /** Text of the kernels that replay programs on streams. */
  static String replays() {
    return read(REPLAYS);
  }

  /**
   * Text of the interpreter: an operator, to be compiled as generated ones are, whose argument is
   * the device address of a program ({@link io.gpuos.interpret.InterpreterProgram#bytes}).
   */
  public static String interpreter() {
    return read(INTERPRETER);
  }

  /** All headers a device source may include, by the name it includes them by; one map for all. */
  public static Map<String, String> headers() {
    return Headers.ALL;
  }

  /** Read and rendered when first asked for. */
  private static final class Headers {
    static final Map<String, String> ALL = Map.copyOf(readHeaders());
  }

  private static Map<String, String> readHeaders() {
    Map<String, String> headers = new TreeMap<>();
    headers.put(CudaHeader.NAME, CudaHeader.render());
    headers.put(Operations.HEADER_NAME, Operations.renderHeader());
    for (String file : HEADER_FILES) {
      headers.put(file, read(file));
    }
    return headers;
  }

  private static String read(String file) {
    try (InputStream in = DeviceSources.class.getResourceAsStream(FOLDER + file)) {
      if (in == null) {
        throw new IllegalStateException("device source missing from the module: file=" + file);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
