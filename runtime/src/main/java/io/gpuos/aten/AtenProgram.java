package io.gpuos.aten;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Program;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.error.GpuosException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.ir.Expr;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Makes a {@link Program} of a traced graph.
 *
 * <p>Its inputs are the input storages and its results the output storages, each in the order of
 * the text, as one flat tensor: {@link #layout} tells its type and size. Input storages are written
 * in place where the graph does that.
 */
public final class AtenProgram {

  private static final Operator COPY = Operator.of("x");

  private final Gpuos runtime;
  private final AtenGraph graph;
  private final Recording scope;
  private final Map<Integer, SymbolicTensor> storages = new HashMap<>();

  private AtenProgram(Gpuos runtime, AtenGraph graph, Recording scope) {
    this.runtime = runtime;
    this.graph = graph;
    this.scope = scope;
  }

  /**
   * Records a graph, none of whose calls is refused. Close the program when it is no longer needed.
   *
   * @throws InvalidInputException naming the call and the reason, if {@link AtenTable#refusal} has
   *     one for a call of the graph
   */
  public static Program record(Gpuos runtime, AtenGraph graph) {
    Map<AtenCall, List<Step>> steps = new HashMap<>();
    long numbers = 1;
    for (AtenCall call : graph.calls()) {
      List<Step> lowered = steps(call);
      steps.put(call, lowered);
      numbers = Math.max(numbers, numbers(lowered));
    }
    try (Tensor count = count(runtime, numbers)) {
      return runtime.record(scope -> new AtenProgram(runtime, graph, scope).record(count, steps));
    }
  }

  /**
   * The tensor as which a storage is passed: as many elements of its widest type, among its tensors
   * in the graph, as it has room for. Storages without tensors are bytes, as are those that are no
   * multiple of that type.
   */
  public static Layout layout(AtenGraph graph, AtenGraph.Storage storage) {
    DType widest = DType.U8;
    for (AtenValue value : graph.tensors().values()) {
      if (value instanceof AtenValue.Tensor(AtenTensor tensor)
          && tensor.storage() == storage.id()
          && (tensor.dtype().bytes() > widest.bytes() || widest == DType.U8)) {
        widest = tensor.dtype();
      }
    }
    DType dtype = storage.bytes() % widest.bytes() == 0 ? widest : DType.U8;
    return Layout.contiguous(dtype, storage.bytes() / dtype.bytes());
  }

  private static List<Step> steps(AtenCall call) {
    AtenTable.refusal(call)
        .ifPresent(
            reason -> {
              throw refused(call, reason);
            });
    return AtenTable.steps(call);
  }

  private static InvalidInputException refused(AtenCall call, String reason) {
    return new InvalidInputException(
        "call is refused: call=%s, reason=%s, expected=a call that AtenTable.refusal accepts; run it in PyTorch"
            .formatted(call, reason));
  }

  /** How many of the numbers 0, 1, 2, ... the steps read. */
  private static long numbers(List<Step> steps) {
    return steps.stream()
        .flatMap(step -> step.inputs().values().stream())
        .filter(tensor -> tensor.storage() == AtenTensor.COUNT)
        .mapToLong(tensor -> tensor.end() / DType.I64.bytes())
        .max()
        .orElse(0);
  }

  private static Tensor count(Gpuos runtime, long size) {
    long[] numbers = new long[Math.toIntExact(size)];
    for (int k = 0; k < numbers.length; k++) {
      numbers[k] = k;
    }
    return runtime.tensor(numbers, size);
  }

  private List<SymbolicTensor> record(Tensor count, Map<AtenCall, List<Step>> steps) {
    storages.put(AtenTensor.COUNT, scope.use(count));
    for (AtenGraph.Storage storage : graph.storages().values()) {
      Layout flat = layout(graph, storage);
      boolean input = storage.role() == AtenGraph.Role.INPUT;
      storages.put(
          storage.id(), input ? scope.input(flat) : scope.empty(flat.dtype(), flat.shape()));
    }
    for (AtenCall call : graph.calls()) {
      try {
        for (Step step : steps.get(call)) {
          record(step, operator(call, step));
        }
        storages.keySet().removeIf(number -> number <= AtenTensor.FIRST_SCRATCH);
      } catch (GpuosException failure) {
        throw new InvalidInputException(
            "call cannot be recorded: call=%s, reason=%s, expected=a call of AtenTable"
                .formatted(call, failure.getMessage()),
            failure);
      }
    }
    return graph.storages(AtenGraph.Role.OUTPUT).stream()
        .map(storage -> storages.get(storage.id()))
        .toList();
  }

  private Operator operator(AtenCall call, Step step) {
    return InjectedOperators.isNamedBy(call)
        ? InjectedOperators.operator(runtime, call)
        : Operator.of(step.values().toArray(Expr[]::new));
  }

  private void record(Step step, Operator operator) {
    step.scratch()
        .forEach(
            (number, layout) ->
                storages.computeIfAbsent(
                    number, _ -> scope.empty(layout.dtype(), layout.elements())));
    if (step.targets().stream().allMatch(target -> target.layout().isZeroSize())) {
      return;
    }
    SymbolicTensor[] operands =
        operator.inputs().stream()
            .map(name -> place(step.inputs().get(name)))
            .toArray(SymbolicTensor[]::new);
    List<SymbolicTensor> targets =
        new ArrayList<>(step.targets().stream().map(this::place).toList());
    boolean inPlace = StepCheck.check(step, false).conflict().isEmpty();
    if (inPlace) {
      scope.applyInto(targets, operator, operands);
      return;
    }
    // A value would be read after it was overwritten: write elsewhere, then copy.
    List<SymbolicTensor> aside = new ArrayList<>();
    for (SymbolicTensor target : targets) {
      aside.add(scope.empty(target.dtype(), target.shape()));
    }
    scope.applyInto(aside, operator, operands);
    for (int k = 0; k < targets.size(); k++) {
      scope.applyInto(targets.get(k), COPY, aside.get(k));
    }
  }

  private SymbolicTensor place(AtenTensor tensor) {
    return storages.get(tensor.storage()).reinterpret(tensor.layout(), tensor.offset());
  }
}
