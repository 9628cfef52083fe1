package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/**
 * One call on its way to expressions: gives an entry of the table the call's arguments by name and
 * takes what it computes. Every argument has to be asked for, and every result that somebody keeps
 * to be written: what is left over refuses the call. Used once, by one thread.
 */
final class Lowering {

  /** Where a call writes to. */
  enum Form {
    /** New tensors. */
    FUNCTIONAL,
    /** Its argument {@code self}. */
    IN_PLACE,
    /** Tensors that are passed for it. */
    OUT
  }

  /** Arguments that say where or how memory is taken, which the results' tensors tell already. */
  private static final Set<String> PLACEMENT =
      Set.of("layout", "device", "pin_memory", "memory_format", "non_blocking");

  private final AtenCall call;
  private final Form form;
  private final Set<String> asked = new HashSet<>();
  private final Set<Integer> written = new HashSet<>();
  private final Map<AtenTensor, String> names = new LinkedHashMap<>();
  private final List<Step.Write> pending = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();
  private final Map<Integer, Layout> scratch = new HashMap<>();
  private int nextScratch;

  /**
   * @param nextScratch number of the first storage that is made for the call
   */
  Lowering(AtenCall call, Form form, int nextScratch) {
    this.call = call;
    this.form = form;
    this.nextScratch = nextScratch;
  }

  AtenCall call() {
    return call;
  }

  Form form() {
    return form;
  }

  // ---- arguments
  // ------------------------------------------------------------------------------------

  private AtenValue argument(String name) {
    asked.add(name);
    AtenValue value = call.arguments().getOrDefault(name, new AtenValue.None());
    if (value instanceof AtenValue.Unknown(String text)) {
      throw new Refused("argument " + name + " has no form here: " + text);
    }
    return value;
  }

  private static Refused wrong(String name, String expected) {
    return new Refused("argument " + name + " is no " + expected);
  }

  /** Whether an optional argument is given. */
  boolean has(String name) {
    return !(argument(name) instanceof AtenValue.None);
  }

  AtenTensor tensor(String name) {
    if (argument(name) instanceof AtenValue.Tensor(AtenTensor tensor)) {
      return tensor;
    }
    throw wrong(name, "tensor");
  }

  Optional<AtenTensor> optionalTensor(String name) {
    return has(name) ? Optional.of(tensor(name)) : Optional.empty();
  }

  List<AtenTensor> tensors(String name) {
    List<AtenTensor> tensors = new ArrayList<>();
    for (AtenValue value : items(name)) {
      if (!(value instanceof AtenValue.Tensor(AtenTensor tensor))) {
        throw wrong(name, "list of tensors");
      }
      tensors.add(tensor);
    }
    return tensors;
  }

  List<AtenValue> items(String name) {
    if (argument(name) instanceof AtenValue.Items(List<AtenValue> values)) {
      return values;
    }
    throw wrong(name, "list");
  }

  /** A tensor or a number. */
  Operand operand(String name) {
    return argument(name) instanceof AtenValue.Tensor(AtenTensor tensor)
        ? operand(tensor)
        : number(name);
  }

  Operand operand(AtenTensor tensor) {
    Operand.Weight weight =
        tensor.rank() == 0 ? Operand.Weight.WITHOUT_DIMENSIONS : Operand.Weight.WITH_DIMENSIONS;
    return new Operand(read(tensor), tensor.dtype(), weight);
  }

  Operand number(String name) {
    return switch (argument(name)) {
      case AtenValue.Int(long value) -> number(Expr.of(value), DType.I64);
      case AtenValue.Float(double value) -> number(Expr.of(value), DType.F32);
      case AtenValue.Bool(boolean value) -> number(Expr.of(value), DType.BOOL);
      default -> throw wrong(name, "number");
    };
  }

  private static Operand number(Expr value, DType dtype) {
    return new Operand(value, dtype, Operand.Weight.NUMBER);
  }

  /** A factor that is 1 if it is not given; empty where it changes nothing. */
  Optional<Expr> factor(String name) {
    return has(name) && real(name) != 1 ? Optional.of(number(name).value()) : Optional.empty();
  }

  double real(String name) {
    return switch (argument(name)) {
      case AtenValue.Int(long value) -> value;
      case AtenValue.Float(double value) -> value;
      case AtenValue.Bool(boolean value) -> value ? 1 : 0;
      default -> throw wrong(name, "number");
    };
  }

  double real(String name, double otherwise) {
    return has(name) ? real(name) : otherwise;
  }

  long integer(String name) {
    if (argument(name) instanceof AtenValue.Int(long value)) {
      return value;
    }
    throw wrong(name, "integer");
  }

  long integer(String name, long otherwise) {
    return has(name) ? integer(name) : otherwise;
  }

  /** A list of integers, or one integer; none if it is not given. */
  long[] integers(String name) {
    return switch (argument(name)) {
      case AtenValue.None() -> new long[0];
      case AtenValue.Int(long value) -> new long[] {value};
      case AtenValue.Items(List<AtenValue> values) ->
          values.stream().mapToLong(value -> integer(name, value)).toArray();
      default -> throw wrong(name, "list of integers");
    };
  }

  private static long integer(String name, AtenValue value) {
    if (value instanceof AtenValue.Int(long integer)) {
      return integer;
    }
    throw wrong(name, "list of integers");
  }

  /** A truth value; false if it is not given. */
  boolean flag(String name) {
    return switch (argument(name)) {
      case AtenValue.None() -> false;
      case AtenValue.Bool(boolean value) -> value;
      default -> throw wrong(name, "truth value");
    };
  }

  /** Which of several results are wanted. */
  boolean flag(String name, int index) {
    List<AtenValue> flags = items(name);
    return index < flags.size() && flags.get(index) instanceof AtenValue.Bool(boolean v) && v;
  }

  Optional<DType> type(String name) {
    return switch (argument(name)) {
      case AtenValue.None() -> Optional.empty();
      case AtenValue.Type(DType dtype) -> Optional.of(dtype);
      default -> throw wrong(name, "element type");
    };
  }

  String text(String name, String otherwise) {
    return switch (argument(name)) {
      case AtenValue.None() -> otherwise;
      case AtenValue.Text(String text) -> text;
      default -> throw wrong(name, "string");
    };
  }

  /** Marks arguments as without influence on the values. */
  void ignore(String... arguments) {
    asked.addAll(List.of(arguments));
  }

  // ---- values
  // ---------------------------------------------------------------------------------------

  /** The elements of a tensor. */
  Expr read(AtenTensor tensor) {
    return Expr.input(names.computeIfAbsent(tensor, _ -> "v" + names.size()));
  }

  /** The elements of a tensor, converted to a type. */
  Expr read(AtenTensor tensor, DType type) {
    return tensor.dtype() == type ? read(tensor) : read(tensor).to(type);
  }

  /** Memory of the call's own, undefined until it is written. */
  AtenTensor scratch(DType type, long... shape) {
    AtenTensor tensor = new AtenTensor(nextScratch--, 0, Layout.contiguous(type, shape));
    scratch.put(tensor.storage(), tensor.layout());
    return tensor;
  }

  /** A value in memory of the call's own, written before what follows. */
  AtenTensor kept(DType type, Expr value, long... shape) {
    AtenTensor tensor = scratch(type, shape);
    write(tensor, value);
    endStep();
    return tensor;
  }

  /** The elements one behind the other: the tensor itself, or a copy. */
  AtenTensor contiguous(AtenTensor tensor) {
    return tensor.isContiguous() ? tensor : kept(tensor.dtype(), read(tensor), tensor.shape());
  }

  /** A value that is the same at every position of a shape. */
  Expr everywhere(Expr value, long... shape) {
    return Exprs.where(read(AtenTensor.zeros(shape)).to(DType.BOOL), value, value);
  }

  // ---- results
  // --------------------------------------------------------------------------------------

  /** The tensor of a result, if somebody keeps it. */
  Optional<AtenTensor> result(int index) {
    if (form == Form.IN_PLACE) {
      return index == 0 ? Optional.of(tensor("self")) : Optional.empty();
    }
    List<AtenValue> results = results();
    AtenValue value = index < results.size() ? results.get(index) : new AtenValue.None();
    return switch (value) {
      case AtenValue.Tensor(AtenTensor tensor) -> Optional.of(tensor);
      case AtenValue.Unknown(String text) -> throw new Refused("result has no form here: " + text);
      default -> Optional.empty();
    };
  }

  /** Lists that are given with out= are not returned. */
  List<AtenValue> results() {
    return form == Form.OUT
            && call.results().isEmpty()
            && call.arguments().get("out") instanceof AtenValue.Items(List<AtenValue> values)
        ? values
        : call.results();
  }

  /** Stores a result, if somebody keeps it. */
  void write(int index, Expr value) {
    result(index).ifPresent(target -> write(target, value));
    written.add(index);
  }

  /** Stores a value into any tensor. */
  void write(AtenTensor target, Expr value) {
    pending.add(new Step.Write(target, value));
  }

  /** Leaves a result as it is: its contents are undefined. */
  void leave(int index) {
    written.add(index);
  }

  /** Ends what is computed together; what follows sees what was written. */
  void endStep() {
    if (!pending.isEmpty()) {
      steps.add(new Step(pending, inputs(), scratch));
      pending.clear();
    }
  }

  private Map<String, AtenTensor> inputs() {
    Map<String, AtenTensor> inputs = new LinkedHashMap<>();
    names.forEach((tensor, name) -> inputs.put(name, tensor));
    return inputs;
  }

  /** Adds the steps of another lowering. */
  void append(List<Step> others) {
    endStep();
    steps.addAll(others);
    for (Step step : others) {
      scratch.putAll(step.scratch());
      step.scratch().keySet().forEach(number -> nextScratch = Math.min(nextScratch, number - 1));
    }
  }

  /** Adds what another overload computes of given arguments. */
  void call(String overload, SequencedMap<String, AtenValue> arguments, AtenTensor... results) {
    endStep();
    List<AtenValue> values = new ArrayList<>();
    for (AtenTensor result : results) {
      values.add(new AtenValue.Tensor(result));
    }
    AtenCall other = new AtenCall(call.index(), overload, arguments, values);
    append(AtenTable.lower(overload, other, nextScratch));
  }

  /** Number of the next storage that is made for the call. */
  int nextScratch() {
    return nextScratch;
  }

  /** What the call computes, once the entry has said everything. */
  List<Step> finish() {
    endStep();
    if (form == Form.OUT && steps.size() > 1) {
      call.arguments().values().forEach(this::requireApart);
    }
    call.arguments().forEach(this::requireAsked);
    for (int k = 0; k < results().size() && form != Form.IN_PLACE; k++) {
      if (!written.contains(k) && result(k).isPresent()) {
        throw new Refused("result " + k + " is not computed here");
      }
    }
    return steps;
  }

  /** What a step has written, a later one must not take for an argument. */
  private void requireApart(AtenValue value) {
    if (value instanceof AtenValue.Items(List<AtenValue> values)) {
      values.forEach(this::requireApart);
    }
    boolean shared =
        value instanceof AtenValue.Tensor(AtenTensor tensor)
            && !results().contains(value)
            && results().stream()
                .anyMatch(
                    result ->
                        result instanceof AtenValue.Tensor(AtenTensor out)
                            && out.storage() == tensor.storage());
    if (shared) {
      throw new Refused("out= shares memory with what is read in several steps");
    }
  }

  private void requireAsked(String name, AtenValue value) {
    boolean outgoing =
        form == Form.OUT
            && (results().contains(value)
                || value instanceof AtenValue.Items(List<AtenValue> values)
                    && results().containsAll(values));
    boolean strided =
        !name.equals("layout")
            || !(value instanceof AtenValue.Unknown(String text))
            || text.equals("torch.strided");
    boolean known =
        asked.contains(name)
            || value instanceof AtenValue.None
            || outgoing
            || PLACEMENT.contains(name) && strided;
    if (!known) {
      throw new Refused("argument " + name + " is not understood for this operator");
    }
  }
}
