package io.gpuos.python;

import io.gpuos.Gpuos;
import io.gpuos.Tensor;
import io.gpuos.aten.AtenGraph;
import io.gpuos.aten.AtenProgram;
import io.gpuos.aten.AtenTable;
import io.gpuos.error.InvalidInputException;
import io.gpuos.layout.Layout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Graphs by the table of ATen operators, on tensors in the memory of the CPU. */
final class AtenGraphs implements Graphs {

  @Override
  public List<String> refusals(String graph) {
    return AtenGraph.parse(graph).calls().stream()
        .map(call -> AtenTable.refusal(call).orElse(""))
        .toList();
  }

  @Override
  public Graphs.Program compile(Gpuos runtime, String graph, String mode) {
    if (!runtime.device().name().equals("cpu")) {
      throw new InvalidInputException(
          "device of a graph: device=%s, expected=cpu; tensors of other devices stay in PyTorch"
              .formatted(runtime.device().name()));
    }
    AtenGraph parsed = AtenGraph.parse(graph);
    return new Compiled(runtime, parsed, AtenProgram.record(runtime, parsed));
  }

  /** A program over the storages of a graph, with the memory it last ran on. */
  private static final class Compiled implements Graphs.Program {
    private final Gpuos runtime;
    private final io.gpuos.Program program;
    private final List<AtenGraph.Storage> storages;
    private final List<Layout> layouts;

    /** Where the storages lay last. */
    private final long[] last;

    private final List<Tensor> inputs = new ArrayList<>();
    private final List<Tensor> outputs = new ArrayList<>();

    Compiled(Gpuos runtime, AtenGraph graph, io.gpuos.Program program) {
      this.runtime = runtime;
      this.program = program;
      this.storages =
          graph.storages().values().stream()
              .filter(storage -> storage.role() != AtenGraph.Role.TEMPORARY)
              .toList();
      this.layouts = storages.stream().map(storage -> AtenProgram.layout(graph, storage)).toList();
      this.last = new long[storages.size()];
    }

    @Override
    public synchronized void replay(MemorySegment addresses, long stream) {
      if (addresses.byteSize() != (long) last.length * Long.BYTES) {
        throw new InvalidInputException(
            String.format(
                Locale.ROOT,
                "addresses of storages: count=%d, expected=%d",
                addresses.byteSize() / Long.BYTES,
                last.length));
      }
      bind(addresses);
      program.runInto(outputs, inputs.toArray(Tensor[]::new));
    }

    /** Tensors over the memory; the same ones as long as it is the same memory. */
    private void bind(MemorySegment addresses) {
      MemorySegment words = MemorySegment.ofArray(last);
      boolean bound = inputs.size() + outputs.size() == last.length;
      if (bound && words.mismatch(addresses) < 0) {
        return;
      }
      forget();
      MemorySegment.copy(addresses, ValueLayout.JAVA_LONG, 0, last, 0, last.length);
      for (int k = 0; k < last.length; k++) {
        Layout layout = layouts.get(k);
        Tensor tensor = runtime.wrap(last[k], layout.dtype(), layout.shape());
        (storages.get(k).role() == AtenGraph.Role.INPUT ? inputs : outputs).add(tensor);
      }
    }

    private void forget() {
      inputs.forEach(Tensor::close);
      outputs.forEach(Tensor::close);
      inputs.clear();
      outputs.clear();
    }

    @Override
    public String explain() {
      return program.explain();
    }

    @Override
    public String svg() {
      return program.explainSvg();
    }

    @Override
    public synchronized void close() {
      forget();
      program.close();
    }
  }
}
