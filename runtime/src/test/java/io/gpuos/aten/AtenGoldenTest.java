package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Program;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Graphs that PyTorch ran, which {@code aten_golden.py} wrote down with all memory before and
 * after: every storage has to come out as it did there, also what no call writes.
 */
class AtenGoldenTest {

  /** A traced graph, and the bytes of its storages. */
  record Case(String name, String text, Map<Integer, byte[]> before, Map<Integer, byte[]> after) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Gpuos gpu;

  @BeforeAll
  static void open() {
    gpu = Gpuos.open("cpu");
  }

  @AfterAll
  static void close() {
    gpu.close();
  }

  static Stream<Case> cases() throws IOException {
    try (InputStream in = AtenGoldenTest.class.getResourceAsStream("aten_golden.txt")) {
      byte[] bytes = Objects.requireNonNull(in).readAllBytes();
      return Stream.of(new String(bytes, StandardCharsets.UTF_8).split("(?m)^# ", -1))
          .filter(text -> !text.isEmpty())
          .map(AtenGoldenTest::read);
    }
  }

  private static Case read(String text) {
    StringBuilder graph = new StringBuilder();
    Map<Integer, byte[]> before = new HashMap<>();
    Map<Integer, byte[]> after = new HashMap<>();
    for (String line : text.lines().skip(1).toList()) {
      String[] words = line.split(" ", -1);
      switch (words[0]) {
        case "before" -> before.put(Integer.valueOf(words[1]), HexFormat.of().parseHex(words[2]));
        case "after" -> after.put(Integer.valueOf(words[1]), HexFormat.of().parseHex(words[2]));
        default -> graph.append(line).append('\n');
      }
    }
    return new Case(text.lines().findFirst().orElseThrow(), graph.toString(), before, after);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void shouldLeaveTheMemoryThatPyTorchLeft(Case traced) {
    AtenGraph graph = AtenGraph.parse(traced.text());
    for (AtenCall call : graph.calls()) {
      assertEquals(Optional.empty(), AtenTable.refusal(call), () -> "call " + call);
    }
    List<AtenGraph.Storage> inputs = graph.storages(AtenGraph.Role.INPUT);
    List<AtenGraph.Storage> outputs = graph.storages(AtenGraph.Role.OUTPUT);
    List<Tensor> tensors = new ArrayList<>();
    try (Program program = AtenProgram.record(gpu, graph)) {
      for (AtenGraph.Storage storage : inputs) {
        tensors.add(tensor(AtenProgram.layout(graph, storage), traced.before().get(storage.id())));
      }
      List<Tensor> results = program.run(tensors.toArray(Tensor[]::new));
      for (int k = 0; k < inputs.size(); k++) {
        check(graph, inputs.get(k), tensors.get(k), traced);
      }
      for (int k = 0; k < outputs.size(); k++) {
        check(graph, outputs.get(k), results.get(k), traced);
      }
      results.forEach(Tensor::close);
    } finally {
      tensors.forEach(Tensor::close);
    }
  }

  private static Tensor tensor(Layout layout, byte[] bytes) {
    Tensor tensor = gpu.empty(layout.dtype(), layout.shape());
    tensor.write(MemorySegment.ofArray(bytes), 0, layout);
    return tensor;
  }

  private static void check(
      AtenGraph graph, AtenGraph.Storage storage, Tensor result, Case traced) {
    try (Tensor expected = tensor(result.layout(), traced.after().get(storage.id()))) {
      double[] wanted = expected.toDoubles();
      double[] computed = result.toDoubles();
      for (int k = 0; k < wanted.length; k++) {
        int element = k;
        assertTrue(
            close(wanted[k], computed[k], result.dtype()),
            () ->
                "storage=%s, element=%s, computed=%s, expected=%s, calls=%s"
                    .formatted(
                        storage,
                        element,
                        computed[element],
                        wanted[element],
                        writers(graph, storage)));
      }
    }
  }

  private static List<AtenCall> writers(AtenGraph graph, AtenGraph.Storage storage) {
    return graph.calls().stream()
        .filter(
            call ->
                Stream.concat(call.results().stream(), call.arguments().values().stream())
                    .anyMatch(
                        value ->
                            value instanceof AtenValue.Tensor(AtenTensor tensor)
                                && tensor.storage() == storage.id()))
        .toList();
  }

  /** Integers equal; floating values within a few roundings, of sums too. */
  private static boolean close(double wanted, double computed, DType dtype) {
    double precision =
        switch (dtype) {
          case F64 -> 1e-11;
          case F32 -> 2e-5;
          case F16 -> 1.2e-3;
          case BF16 -> 8.5e-3;
          default -> 0;
        };
    boolean bothNan = Double.isNaN(wanted) && Double.isNaN(computed);
    return bothNan
        || wanted == computed
        || Math.abs(wanted - computed) <= precision * Math.max(Math.abs(wanted), 0.2);
  }
}
