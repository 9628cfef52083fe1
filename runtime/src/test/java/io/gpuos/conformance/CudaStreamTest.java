package io.gpuos.conformance;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.driver.Cuda;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaStream;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Replays on a stream have the results of replays by the resident workers, bit by bit. Skipped by
 * name where there is no GPU.
 */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CudaStreamTest {

  private interface Body {
    void run(Gpuos gpu, CudaStream stream);
  }

  private static void onGpu(Body body) {
    assumeTrue(hasGpu(), "needs an NVIDIA GPU and driver");
    try (Gpuos gpu = Gpuos.open("cuda:0");
        CudaContext context = Cuda.open().device(0).retainPrimaryContext();
        CudaStream stream = context.newStream()) {
      body.run(gpu, stream);
    }
  }

  private static boolean hasGpu() {
    try {
      return Cuda.open().deviceCount() > 0;
    } catch (DeviceUnavailableException _) {
      return false;
    }
  }

  private static void launch(Program program, CudaStream stream, List<Tensor> operands) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment addresses = arena.allocate(JAVA_LONG, Math.max(1, operands.size()));
      for (int k = 0; k < operands.size(); k++) {
        addresses.setAtIndex(JAVA_LONG, k, operands.get(k).address());
      }
      program.launch(stream.handle(), addresses.asSlice(0, (long) operands.size() * Long.BYTES));
    }
  }

  @Test
  void shouldReplayRandomGraphsAsTheOracleSays() {
    DType[] types = {DType.F32, DType.I32, DType.F16, DType.I64, DType.BF16, DType.U8, DType.F64};
    onGpu(
        (gpu, stream) -> {
          for (int k = 0; k < 60; k++) {
            long seed = Settings.seed() + k;
            RandomGraph graph = new RandomGraph(seed, types[k % types.length], 4 + k % 12);
            try (Tensor held = new TensorCase(graph.values(seed).getLast(), List.of()).upload(gpu);
                Program program = graph.record(gpu, held, k % 4 != 3)) {
              for (int replay = 0; replay < 3; replay++) {
                List<OracleTensor> values = graph.values(seed + replay);
                same(
                    graph.byOracle(values),
                    graph.replay(
                        gpu,
                        program,
                        held,
                        values,
                        operands -> launched(gpu, program, stream, operands)),
                    String.format(Locale.ROOT, "seed=%d, replay=%d%n%s", seed, replay, graph));
              }
            }
          }
        });
  }

  private static List<Tensor> launched(
      Gpuos gpu, Program program, CudaStream stream, List<Tensor> inputs) {
    List<Tensor> outputs = new ArrayList<>();
    program.outputs().forEach(layout -> outputs.add(gpu.empty(layout.dtype(), layout.shape())));
    List<Tensor> operands = new ArrayList<>(inputs);
    operands.addAll(outputs);
    launch(program, stream, operands);
    stream.synchronize();
    return outputs;
  }

  private static void same(List<OracleTensor> expected, List<OracleTensor> actual, String origin) {
    assertEquals(expected.size(), actual.size());
    for (int k = 0; k < expected.size(); k++) {
      OracleTensor a = expected.get(k);
      OracleTensor b = actual.get(k);
      for (int i = 0; i < a.count(); i++) {
        assertTrue(a.doubleAt(i) == b.doubleAt(i) || a.doubleAt(i) != a.doubleAt(i), origin);
      }
    }
  }

  /** Wide and deep: many segments that wait for each other, replayed without a pause. */
  @Test
  void shouldHaveTheBitsOfResidentReplays() {
    onGpu(
        (gpu, stream) -> {
          try (Program program =
                  gpu.record(scope -> layers(scope, scope.input(DType.F32, 64, 4096)));
              Tensor x = gpu.empty(DType.F32, 64, 4096);
              Tensor y = gpu.empty(DType.F32, 64, 4096)) {
            float[] values = new float[64 * 4096];
            for (int replay = 0; replay < 20; replay++) {
              for (int k = 0; k < values.length; k++) {
                values[k] = (float) Math.sin(k * 0.37 + replay);
              }
              x.write(values);
              float[] expected;
              try (Tensor result = program.run(x).getFirst()) {
                expected = result.toFloats();
              }
              y.write(new float[values.length]);
              for (int repeat = 0; repeat < 5; repeat++) {
                launch(program, stream, List.of(x, y));
              }
              stream.synchronize();
              assertArrayEquals(expected, y.toFloats());
            }
          }
        });
  }

  private static List<SymbolicTensor> layers(Recording scope, SymbolicTensor x) {
    SymbolicTensor y = x;
    for (int k = 0; k < 8; k++) {
      y = scope.apply(Operator.of("a - sum(a, axis=-1, keepdim=true) / 4096"), y);
      y = scope.apply(Operator.of("sigmoid(a) + max(a, axis=0, keepdim=true)"), y);
    }
    return List.of(y);
  }

  /** More allocations than a launch can bring addresses for. */
  @Test
  void shouldReplayWithManyOperands() {
    int count = 700;
    onGpu(
        (gpu, stream) -> {
          Function<Recording, List<SymbolicTensor>> body =
              scope -> {
                List<SymbolicTensor> results = new ArrayList<>();
                for (int k = 0; k < count; k++) {
                  results.add(scope.apply(Operator.of("a * 2 + 1"), scope.input(DType.I64, 3)));
                }
                return results;
              };
          List<Tensor> operands = new ArrayList<>();
          try (Program program = gpu.record(body::apply)) {
            for (int k = 0; k < count; k++) {
              operands.add(gpu.tensor(new long[] {k, -k, 7}));
            }
            for (int k = 0; k < count; k++) {
              operands.add(gpu.zeros(DType.I64, 3));
            }
            launch(program, stream, operands);
            stream.synchronize();
            for (int k = 0; k < count; k++) {
              assertArrayEquals(
                  new long[] {2L * k + 1, 1 - 2L * k, 15}, operands.get(count + k).toLongs());
            }
          } finally {
            operands.forEach(Tensor::close);
          }
        });
  }
}
