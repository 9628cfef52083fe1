package io.gpuos.python;

import io.gpuos.Gpuos;
import io.gpuos.Tensor;
import io.gpuos.aten.AtenGraph;
import io.gpuos.aten.AtenProgram;
import io.gpuos.aten.AtenTable;
import io.gpuos.error.InvalidInputException;
import io.gpuos.layout.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Graphs by the table of ATen operators, on memory of PyTorch. */
final class AtenGraphs implements Graphs {

  @Override
  public List<String> refusals(String graph) {
    return AtenGraph.parse(graph).calls().stream()
        .map(call -> AtenTable.refusal(call).orElse(""))
        .toList();
  }

  @Override
  public Graphs.Program compile(Gpuos runtime, String graph, String mode) {
    boolean streams = runtime.device().streams().isPresent();
    if (streams && mode.equals("resident")) {
      throw new InvalidInputException(
          "mode of a graph: mode=resident, device=%s, expected=stream or auto; resident workers do not follow the order of a stream"
              .formatted(runtime.device().name()));
    }
    AtenGraph parsed = AtenGraph.parse(graph);
    io.gpuos.Program program = AtenProgram.record(runtime, parsed);
    return streams ? new OnStreams(parsed, program) : new Compiled(runtime, parsed, program);
  }

  private static List<AtenGraph.Storage> addressed(AtenGraph graph) {
    return graph.storages().values().stream()
        .filter(storage -> storage.role() != AtenGraph.Role.TEMPORARY)
        .toList();
  }

  private static void requireCount(MemorySegment addresses, int expected) {
    if (addresses.byteSize() != (long) expected * Long.BYTES) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "addresses of storages: count=%d, expected=%d",
              addresses.byteSize() / Long.BYTES,
              expected));
    }
  }

  /** A program that is launched on the caller's stream. */
  private static final class OnStreams implements Graphs.Program {
    private final io.gpuos.Program program;

    /** For each storage where its address goes: inputs first, then outputs. */
    private final int[] places;

    /** Freed by the collector: a launch may be under way when the program is closed. */
    private final MemorySegment operands;

    OnStreams(AtenGraph graph, io.gpuos.Program program) {
      this.program = program;
      // Now, and not at the first replay, which may be captured.
      program.prepareLaunch();
      List<AtenGraph.Storage> storages = addressed(graph);
      this.places = new int[storages.size()];
      int next = 0;
      for (AtenGraph.Role role : List.of(AtenGraph.Role.INPUT, AtenGraph.Role.OUTPUT)) {
        for (int k = 0; k < places.length; k++) {
          if (storages.get(k).role() == role) {
            places[k] = next++;
          }
        }
      }
      this.operands = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, Math.max(1, places.length));
    }

    @Override
    public synchronized void replay(MemorySegment addresses, long stream) {
      requireCount(addresses, places.length);
      for (int k = 0; k < places.length; k++) {
        long address = addresses.getAtIndex(ValueLayout.JAVA_LONG, k);
        operands.setAtIndex(ValueLayout.JAVA_LONG, places[k], address);
      }
      program.launch(stream, operands.asSlice(0, (long) places.length * Long.BYTES));
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
    public void close() {
      program.close();
    }
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
      this.storages = addressed(graph);
      this.layouts = storages.stream().map(storage -> AtenProgram.layout(graph, storage)).toList();
      this.last = new long[storages.size()];
    }

    @Override
    public synchronized void replay(MemorySegment addresses, long stream) {
      requireCount(addresses, last.length);
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
