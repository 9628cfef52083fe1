package io.gpuos.aten;

import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Operator;
import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.ir.Definition;
import io.gpuos.ir.Expr;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * Operators that users injected, which calls name as {@code gpuos::NAME} with a tensor for each
 * input. They belong to the process, as names of PyTorch's operators do, and come into a runtime
 * when a program there first calls them. Programs run the generation that is current when they are
 * replayed, so such a call is a task of its own and not fused.
 *
 * <p>The only state of this package. Thread-safe.
 */
public final class InjectedOperators {

  private static final String NAMESPACE = "gpuos::";

  private static final Map<String, Body> BODIES = new ConcurrentHashMap<>();

  /** A result type that somebody was told, by the inputs it was asked for with. */
  private record Told(SequencedMap<String, TensorType> inputs, DType result) {}

  /**
   * What an operator computes.
   *
   * @param into brings it into a runtime, or publishes it there
   * @param told results by the types of the inputs; a replacement gives the same
   */
  private record Body(
      Definition definition,
      Function<Gpuos, LiveOperator> into,
      Map<List<TensorType>, Told> told) {}

  private InjectedOperators() {}

  /**
   * Makes an operator of an expression, or replaces the one of that name, also in programs.
   *
   * @param runtimes where it may be in use
   * @return names of the inputs, in order
   * @throws ExpressionException as {@link Gpuos#inject(String, String)}
   * @throws io.gpuos.error.GpuosException if results would change their type
   */
  public static List<String> inject(List<Gpuos> runtimes, String name, String expression) {
    List<Expr> outputs = Operator.of(expression).outputs();
    if (outputs.size() != 1) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of results: operator=%s, results=%d, expected=1; inject each under a name of its own",
              name,
              outputs.size()));
    }
    return inject(
        runtimes,
        name,
        Definition.of(name, outputs.getFirst()),
        runtime -> runtime.inject(name, expression));
  }

  /**
   * Makes an operator in CUDA C++, or replaces the one of that name. Compiled here, whatever
   * devices there are.
   *
   * @param runtimes where it may be in use
   * @return names of the inputs, in order
   * @throws io.gpuos.error.GpuosException as {@link Gpuos#inject(CudaOperator)}
   */
  public static List<String> inject(List<Gpuos> runtimes, CudaOperator operator) {
    operator.compile(CudaOperator.DEFAULT_ARCHITECTURE);
    Expr[] inputs = operator.inputs().stream().map(Expr::input).toArray(Expr[]::new);
    return inject(
        runtimes,
        operator.name(),
        Definition.of(operator.name(), operator.call(inputs)),
        runtime -> runtime.inject(operator));
  }

  private static synchronized List<String> inject(
      List<Gpuos> runtimes,
      String name,
      Definition definition,
      Function<Gpuos, LiveOperator> into) {
    if (definition.inputs().isEmpty()) {
      throw new ExpressionException(
          "operator without inputs: operator=%s, expected=at least one".formatted(name));
    }
    Body known = BODIES.get(name);
    Map<List<TensorType>, Told> told = new ConcurrentHashMap<>();
    Definition fitting = definition;
    if (known != null) {
      fitting = definition.requireSameForm(name, known.definition);
      for (Told answer : known.told.values()) {
        requireSameResult(name, fitting, answer);
      }
      told = known.told;
    }
    for (Gpuos runtime : runtimes) {
      if (runtime.live(name).isPresent()) {
        var _ = into.apply(runtime);
      }
    }
    BODIES.put(name, new Body(fitting, into, told));
    return fitting.inputs();
  }

  private static void requireSameResult(String name, Definition definition, Told answer) {
    DType result = definition.result(answer.inputs).dtype();
    if (result != answer.result) {
      throw new DTypeException(
          "result type of a replacement: operator=%s, inputs=%s, result=%s, expected=%s"
              .formatted(name, answer.inputs, result, answer.result));
    }
  }

  /** Whether the operator of that name reduces axes; else it computes element by element. */
  public static boolean isReduction(String name) {
    return BODIES.get(name).definition.expression() instanceof Expr.Reduce;
  }

  /** Whether a call names an operator of this kind, injected or not. */
  static boolean isNamedBy(AtenCall call) {
    return call.name().startsWith(NAMESPACE);
  }

  /**
   * Type and shape of a call's result.
   *
   * @throws InvalidInputException if there is no such operator, or it has other inputs
   * @throws io.gpuos.error.GpuosException if the inputs do not fit the operator
   */
  public static TensorType result(AtenCall call) {
    try {
      return infer(call);
    } catch (Refused refused) {
      throw new InvalidInputException(
          "call of an injected operator: call=%s, reason=%s, expected=tensors for its inputs"
              .formatted(call, refused.getMessage()),
          refused);
    }
  }

  private static TensorType infer(AtenCall call) {
    Body body = body(call);
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    inputs(call, body)
        .forEach((name, tensor) -> types.put(name, TensorType.of(tensor.dtype(), tensor.shape())));
    TensorType result = body.definition.result(types);
    body.told.putIfAbsent(
        types.values().stream().map(InjectedOperators::kind).toList(),
        new Told(types, result.dtype()));
    return result;
  }

  /** What the type of a result may depend on; the shape stands for any. */
  private static TensorType kind(TensorType type) {
    return new TensorType(type.dtype(), type.shape().isEmpty() ? List.of() : List.of(1L));
  }

  /** What a call computes; nothing if nobody keeps its result. */
  static List<Step> steps(AtenCall call) {
    Body body = body(call);
    SequencedMap<String, AtenTensor> inputs = inputs(call, body);
    List<Step> steps = new ArrayList<>();
    new Lowering(call, Lowering.Form.FUNCTIONAL, AtenTensor.FIRST_SCRATCH)
        .result(0)
        .map(target -> new Step.Write(target, body.definition.expression()))
        .ifPresent(write -> steps.add(new Step(List.of(write), inputs, Map.of())));
    return steps;
  }

  /** The operator of a call in a runtime. */
  static Operator operator(Gpuos runtime, AtenCall call) {
    // Not between the two parts of a replacement.
    synchronized (InjectedOperators.class) {
      Body body = body(call);
      return runtime.live(name(call)).orElseGet(() -> body.into.apply(runtime)).operator();
    }
  }

  private static SequencedMap<String, AtenTensor> inputs(AtenCall call, Body body) {
    Lowering lowering = new Lowering(call, Lowering.Form.FUNCTIONAL, AtenTensor.FIRST_SCRATCH);
    SequencedMap<String, AtenTensor> inputs = new LinkedHashMap<>();
    for (String name : body.definition.inputs()) {
      inputs.put(name, lowering.tensor(name));
    }
    if (!inputs.keySet().equals(call.arguments().keySet())) {
      throw new Refused(
          "arguments of an injected operator: found=%s, expected=%s"
              .formatted(call.arguments().keySet(), inputs.keySet()));
    }
    return inputs;
  }

  private static Body body(AtenCall call) {
    Body body = BODIES.get(name(call));
    if (body == null) {
      throw new Refused("operator is not injected");
    }
    return body;
  }

  private static String name(AtenCall call) {
    String name = call.name().substring(NAMESPACE.length());
    return name.endsWith(AtenTable.DEFAULT)
        ? name.substring(0, name.length() - AtenTable.DEFAULT.length())
        : name;
  }
}
