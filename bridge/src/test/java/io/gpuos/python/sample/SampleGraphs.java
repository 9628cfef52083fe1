package io.gpuos.python.sample;

import io.gpuos.Gpuos;
import io.gpuos.error.FileFormatException;
import io.gpuos.python.Graphs;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Runs float32 additions, products and relu of tensors of equal shape, plainly, on the caller's
 * thread: what the tests of the bridge and of the Python package compile graphs with.
 */
public final class SampleGraphs implements Graphs {

  private static final Set<String> NATIVE =
      Set.of(
          "aten::add.Tensor",
          "aten::add_.Tensor",
          "aten::mul.Tensor",
          "aten::mul_.Tensor",
          "aten::relu");

  /** A view: storage, offset, sizes and strides in elements. */
  private record View(int storage, long offset, long[] sizes, long[] strides, String dtype) {

    long positions() {
      long count = 1;
      for (long size : sizes) {
        count *= size;
      }
      return count;
    }

    /** Element of the row-major position, broadcast from the end of {@code shape}. */
    long element(long position, long[] shape) {
      long element = offset;
      for (int k = shape.length - 1; k >= 0; k--) {
        long index = position % shape[k];
        position /= shape[k];
        int own = k - (shape.length - sizes.length);
        element += own < 0 || sizes[own] == 1 ? 0 : index * strides[own];
      }
      return element;
    }
  }

  private record Call(String name, Map<String, String> arguments, String result) {}

  private record Graph(
      Map<Integer, Long> addressed,
      Map<Integer, Long> own,
      Map<String, View> views,
      List<Call> calls) {}

  @Override
  public List<String> refusals(String text) {
    Graph graph = parse(text);
    return graph.calls.stream().map(call -> refusal(graph, call)).toList();
  }

  private static String refusal(Graph graph, Call call) {
    if (!NATIVE.contains(call.name)) {
      return "operator: name=" + call.name + ", expected=one of the sample's";
    }
    View result = graph.views.get(call.result);
    boolean floats = result != null && result.dtype.equals("f32");
    for (String operand : List.of("self", "other")) {
      String value = call.arguments.getOrDefault(operand, "1");
      View view = graph.views.get(value);
      floats &= view == null ? !value.startsWith("%") : view.dtype.equals("f32");
    }
    return floats ? "" : "type: call=" + call.name + ", expected=float32";
  }

  @Override
  public Program compile(Gpuos runtime, String text, String mode) {
    Graph graph = parse(text);
    return new Program() {
      @Override
      public void replay(MemorySegment addresses, long stream) {
        run(graph, addresses);
      }

      @Override
      public String explain() {
        return graph.calls.size() + " calls on " + runtime.device().name() + ", mode " + mode;
      }

      @Override
      public String svg() {
        return "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
      }

      @Override
      public void close() {}
    };
  }

  private static void run(Graph graph, MemorySegment addresses) {
    Map<Integer, MemorySegment> memory = new HashMap<>();
    int next = 0;
    for (Map.Entry<Integer, Long> storage : graph.addressed.entrySet()) {
      long address = addresses.getAtIndex(ValueLayout.JAVA_LONG, next++);
      memory.put(
          storage.getKey(), MemorySegment.ofAddress(address).reinterpret(storage.getValue()));
    }
    graph.own.forEach(
        (id, bytes) -> memory.put(id, MemorySegment.ofArray(new float[(int) (bytes / 4)])));
    graph.calls.forEach(call -> run(graph, call, memory));
  }

  private static void run(Graph graph, Call call, Map<Integer, MemorySegment> memory) {
    View to = graph.views.get(call.result);
    float[] values = new float[(int) to.positions()];
    float alpha = Float.parseFloat(call.arguments.getOrDefault("alpha", "1"));
    for (int k = 0; k < values.length; k++) {
      float a = operand(graph, call.arguments.get("self"), memory, k, to.sizes);
      float b = operand(graph, call.arguments.getOrDefault("other", "0"), memory, k, to.sizes);
      values[k] =
          switch (call.name) {
            case "aten::relu" -> a < 0 ? 0 : a;
            case "aten::mul.Tensor", "aten::mul_.Tensor" -> a * b;
            default -> a + alpha * b;
          };
    }
    for (int k = 0; k < values.length; k++) {
      memory
          .get(to.storage)
          .set(ValueLayout.JAVA_FLOAT_UNALIGNED, to.element(k, to.sizes) * 4, values[k]);
    }
  }

  private static float operand(
      Graph graph, String value, Map<Integer, MemorySegment> memory, long position, long[] shape) {
    View view = graph.views.get(value);
    return view == null
        ? Float.parseFloat(value)
        : memory
            .get(view.storage)
            .get(ValueLayout.JAVA_FLOAT_UNALIGNED, view.element(position, shape) * 4);
  }

  private static Graph parse(String text) {
    if (!text.startsWith("gpuos-aten 1\n")) {
      throw new FileFormatException("line 1: found=another, expected=gpuos-aten 1");
    }
    Graph graph =
        new Graph(new LinkedHashMap<>(), new HashMap<>(), new HashMap<>(), new ArrayList<>());
    for (String line : text.lines().skip(1).toList()) {
      String[] fields = line.split(" ", -1);
      switch (fields[0]) {
        case "storage" ->
            (fields[3].equals("temporary") ? graph.own : graph.addressed)
                .put(Integer.parseInt(fields[1]), Long.parseLong(fields[2]));
        case "tensor" ->
            graph.views.put(
                "%" + fields[1],
                new View(
                    Integer.parseInt(fields[2]),
                    Long.parseLong(fields[4]),
                    numbers(fields[5]),
                    numbers(fields[6]),
                    fields[3]));
        default -> graph.calls.add(call(fields));
      }
    }
    return graph;
  }

  private static Call call(String[] fields) {
    Map<String, String> arguments = new HashMap<>();
    int arrow = List.of(fields).indexOf("->");
    for (int k = 3; k < arrow; k++) {
      String[] argument = fields[k].split("=", 2);
      arguments.put(argument[0], argument[1]);
    }
    return new Call(fields[2], arguments, arrow + 1 < fields.length ? fields[arrow + 1] : "");
  }

  private static long[] numbers(String text) {
    String inner = text.substring(1, text.length() - 1);
    return inner.isEmpty()
        ? new long[0]
        : Arrays.stream(inner.split(",")).mapToLong(Long::parseLong).toArray();
  }
}
