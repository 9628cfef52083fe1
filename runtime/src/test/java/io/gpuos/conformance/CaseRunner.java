package io.gpuos.conformance;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.conformance.ExpressionCase.Destination;
import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Oracle;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Runs cases on a device and compares what comes out with the oracle. Not thread-safe. */
final class CaseRunner {

  /** How much was compared. */
  static final class Tally {
    int cases;
    int refused;
    long compared;
    long unknown;

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "cases=%d, refused=%d, elements compared=%d, undecidable=%d",
          cases,
          refused,
          compared,
          unknown);
    }
  }

  private final Gpuos gpu;
  private final Tally tally;

  CaseRunner(Gpuos gpu, Tally tally) {
    this.gpu = gpu;
    this.tally = tally;
  }

  /** What is wrong with the device's result, in words, or nothing. */
  Optional<String> problem(ExpressionCase test) {
    return problem(test, operator(test));
  }

  /** {@link #problem(ExpressionCase)} with an operator that may have been used before. */
  Optional<String> problem(ExpressionCase test, Operator operator) {
    if (!operator.outputs().equals(test.outputs())) {
      return Optional.of("the text of the expression parses to another one: " + operator.outputs());
    }
    Memory memory = new Memory(test);
    try {
      tally.cases++;
      List<Tensor> results = memory.run(operator);
      return memory.check(results);
    } catch (InvalidInputException refusal) {
      tally.refused++;
      return isJustified(test, refusal) ? memory.unchanged() : Optional.of("refused: " + refusal);
    } finally {
      memory.close();
    }
  }

  /** Whether the library may refuse the case, by what its documentation says. */
  private static boolean isJustified(ExpressionCase test, InvalidInputException refusal) {
    boolean empty =
        test.inputs().values().stream()
            .anyMatch(tensor -> Arrays.stream(tensor.plain().shape()).anyMatch(size -> size == 0));
    return switch (refusal) {
      case DTypeException _ -> true;
      case ShapeException shape ->
          empty && shape.getMessage().startsWith("nothing to reduce")
              || shape.getMessage().startsWith("output shape");
      case ExpressionException expression ->
          expression.getMessage().startsWith("integer literals overflow");
      case OverlapException _ ->
          test.targets().stream().anyMatch(Destination.InPlace.class::isInstance)
              && (test.outputs().size() > 1
                  || test.inputs().size() > 6
                  || !ExpressionGenerator.isElementwise(test.outputs()));
      default -> false;
    };
  }

  /** The device memory of one case. */
  private final class Memory {
    private final ExpressionCase test;
    private final Map<String, Tensor> bases = new HashMap<>();
    private final Map<String, Tensor> views = new HashMap<>();
    private final List<Tensor> targetBases = new ArrayList<>();
    private final List<Tensor> targetViews = new ArrayList<>();
    private final List<Tensor> fresh = new ArrayList<>();

    Memory(ExpressionCase test) {
      this.test = test;
      test.inputs()
          .forEach(
              (name, tensor) -> {
                bases.put(name, tensor.upload(gpu));
                views.put(name, tensor.view(bases.get(name)));
              });
    }

    List<Tensor> run(Operator operator) {
      Tensor[] inputs = operator.inputs().stream().map(views::get).toArray(Tensor[]::new);
      if (test.targets().stream().allMatch(Destination.Fresh.class::isInstance)) {
        fresh.addAll(gpu.submit(operator, inputs).results());
        return fresh;
      }
      List<Tensor> probe = gpu.submit(operator, inputs).results();
      List<Tensor> outputs = new ArrayList<>();
      try {
        for (int i = 0; i < probe.size(); i++) {
          outputs.add(target(test.targets().get(i), probe.get(i)));
        }
      } finally {
        probe.forEach(Tensor::close);
      }
      gpu.submitInto(operator, outputs, inputs);
      return outputs;
    }

    private Tensor target(Destination destination, Tensor natural) {
      return switch (destination) {
        case Destination.Fresh _ -> {
          fresh.add(gpu.empty(natural.dtype(), natural.shape()));
          yield fresh.getLast();
        }
        case Destination.Into(TensorCase tensor) -> {
          targetBases.add(tensor.upload(gpu));
          targetViews.add(tensor.view(targetBases.getLast()));
          yield targetViews.getLast();
        }
        case Destination.InPlace(String input) -> views.get(input);
      };
    }

    Optional<String> check(List<Tensor> results) {
      List<Expr> stored = new ArrayList<>();
      for (int i = 0; i < results.size(); i++) {
        stored.add(converted(test.outputs().get(i), test.targets().get(i)));
      }
      List<Oracle.Bounded> expected = Oracle.bounded(stored, test.values());
      for (int i = 0; i < results.size(); i++) {
        String name = "output " + i;
        OracleTensor actual = TensorCase.download(results.get(i));
        Optional<String> difference = Difference.between(name, expected.get(i), actual, tally);
        if (difference.isPresent()) {
          return difference;
        }
      }
      return untouched(results);
    }

    /** The expression with the conversion that the type of its output asks for. */
    private Expr converted(Expr output, Destination destination) {
      return switch (destination) {
        case Destination.Fresh _ -> output;
        case Destination.Into(TensorCase tensor) -> cast(output, tensor.dtype());
        case Destination.InPlace(String input) -> cast(output, test.inputs().get(input).dtype());
      };
    }

    private Expr cast(Expr output, DType type) {
      DType natural = Oracle.evaluate(output, test.values()).dtype();
      return natural == type ? output : new Expr.Cast(type, output);
    }

    /** Whether all memory holds what it did, but for the elements that were written. */
    private Optional<String> untouched(List<Tensor> results) {
      int into = 0;
      for (int i = 0; i < results.size(); i++) {
        if (test.targets().get(i) instanceof Destination.Into(TensorCase tensor)) {
          OracleTensor written = TensorCase.download(results.get(i));
          OracleTensor base = TensorCase.replaced(tensor.base(), tensor.plain(), written);
          if (!TensorCase.same(base, TensorCase.download(targetBases.get(into++)))) {
            return Optional.of("output " + i + ": memory beside the output changed");
          }
        }
        if (test.targets().get(i) instanceof Destination.InPlace(String input)) {
          TensorCase tensor = test.inputs().get(input);
          OracleTensor written = TensorCase.download(results.get(i));
          OracleTensor base = TensorCase.replaced(tensor.base(), tensor.plain(), written);
          if (!TensorCase.same(base, TensorCase.download(bases.get(input)))) {
            return Optional.of("input " + input + ": memory beside it changed");
          }
        }
      }
      return unchanged();
    }

    /** Whether the inputs that are no outputs hold what they did. */
    Optional<String> unchanged() {
      return test.inputs().keySet().stream()
          .filter(name -> !test.targets().contains(new Destination.InPlace(name)))
          .filter(
              name ->
                  !TensorCase.same(
                      test.inputs().get(name).base(), TensorCase.download(bases.get(name))))
          .map(name -> "input " + name + " changed")
          .findFirst();
    }

    void close() {
      views.values().forEach(Tensor::close);
      bases.values().forEach(Tensor::close);
      targetViews.forEach(Tensor::close);
      targetBases.forEach(Tensor::close);
      fresh.forEach(Tensor::close);
    }
  }

  /** From text where that is possible: expressions that share parts are several statements each. */
  static Operator operator(ExpressionCase test) {
    return test.outputs().size() == 1
        ? Operator.of(test.outputs().getFirst().toString())
        : Operator.of(test.outputs().toArray(Expr[]::new));
  }
}
