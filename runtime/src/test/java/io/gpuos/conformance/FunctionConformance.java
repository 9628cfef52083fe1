package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.conformance.ExpressionCase.Destination;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.OracleTensor;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every function, conversion and reduction in every type it takes, against the oracle. */
interface FunctionConformance extends Target {

  /** Not a multiple of any vector or chunk, and more than one block of threads does in one go. */
  int ELEMENTS = 1_237;

  @ParameterizedTest
  @EnumSource
  default void shouldComputeTheFunction(Function function) {
    FunctionCase test = new FunctionCase(function.name().hashCode());
    for (DType type : DType.values()) {
      boolean converts = type.isIntegral() && function == Function.RELU6;
      if (converts || function.typeRule().accepts(type)) {
        test.add(call(function, type, test));
      }
    }
    CaseRunner.Tally tally = new CaseRunner.Tally();
    test.check(renewed(), tally);
    requireComparisons(tally);
  }

  /** The function of tensors; of numbers where an argument only tunes it. */
  private static Expr call(Function function, DType type, FunctionCase test) {
    List<Expr> arguments = new ArrayList<>();
    for (int k = 0; k < function.arity(); k++) {
      boolean condition = function == Function.WHERE && k == 0;
      arguments.add(
          switch (function) {
            case LEAKY_RELU, ELU, CELU, SOFTPLUS, HARDTANH ->
                k == 0 ? test.input(type, ELEMENTS) : Expr.of(0.25 + k);
            default -> test.input(condition ? DType.BOOL : type, ELEMENTS);
          });
    }
    return new Expr.Call(function, arguments);
  }

  @ParameterizedTest
  @EnumSource
  default void shouldConvertToEveryType(DType from) {
    FunctionCase test = new FunctionCase(from.name().hashCode());
    Expr input = test.input(from, ELEMENTS);
    for (DType to : DType.values()) {
      test.add(new Expr.Cast(to, input));
    }
    CaseRunner.Tally tally = new CaseRunner.Tally();
    test.check(renewed(), tally);
    requireComparisons(tally);
  }

  @ParameterizedTest
  @EnumSource
  default void shouldReduceEveryType(Reducer reducer) {
    double[] parameters =
        switch (reducer) {
          case NORM ->
              new double[] {
                2, 1, 0, 3, -1, 0.5, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY
              };
          case VAR, STD -> new double[] {1, 0};
          default -> new double[] {0};
        };
    Gpuos gpu = renewed();
    CaseRunner.Tally tally = new CaseRunner.Tally();
    for (int[] shape :
        new int[][] {{1_237}, {5, 1, 77}, {33, 4, 9}, {2, 3_000}, {600, 3}, {1, 1}}) {
      FunctionCase test = new FunctionCase(Arrays.hashCode(shape) ^ reducer.name().hashCode());
      for (DType type : DType.values()) {
        for (double parameter : reducer.accepts(type) ? parameters : new double[0]) {
          Expr input = test.reduced(type, shape);
          List<Integer> axes = test.axes(shape.length);
          test.add(new Expr.Reduce(reducer, input, axes, test.random.nextBoolean(), parameter));
        }
      }
      test.check(gpu, tally);
    }
    requireComparisons(tally);
  }

  /** A reduction that spans many tiles of results, and one whose single result spans many tiles. */
  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "F16", "I32", "F64", "U8"})
  default void shouldReduceLargeTensors(DType type) {
    Gpuos gpu = renewed();
    CaseRunner.Tally tally = new CaseRunner.Tally();
    for (int[] shape : new int[][] {{140_000}, {40_000, 3}, {3, 40_000}}) {
      for (Reducer reducer : List.of(Reducer.SUM, Reducer.MAX, Reducer.ARGMIN)) {
        for (List<Integer> axes : List.of(List.<Integer>of(), List.of(-1), List.of(0))) {
          FunctionCase test = new FunctionCase(Arrays.hashCode(shape));
          Expr input = test.tame(type, shape);
          test.add(new Expr.Reduce(reducer, input, axes, false, 0));
          test.check(gpu, tally);
        }
      }
    }
    requireComparisons(tally);
  }

  /** Views of many tiles: strided, backwards, turned and broadcast. */
  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F64", "F32", "F16", "I32", "U8"})
  default void shouldComputeLargeViews(DType type) {
    Gpuos gpu = renewed();
    CaseRunner.Tally tally = new CaseRunner.Tally();
    for (int round = 0; round < 4; round++) {
      FunctionCase test = new FunctionCase(31 * type.ordinal() + round);
      int[] shape = round == 0 ? new int[] {140_001} : new int[] {451, 311};
      int[] row = round == 2 ? new int[] {451, 1} : new int[] {shape[shape.length - 1]};
      Expr sum = test.window(type, shape).add(test.window(type, row));
      test.add(sum.mul(test.window(type, shape)));
      test.into(test.view(type, shape));
      test.check(gpu, tally);
    }
    requireComparisons(tally);
  }

  /** Expressions over inputs of its own. */
  final class FunctionCase {
    private final SplittableRandom random;
    private final TensorGenerator tensors;
    private final List<Expr> outputs = new ArrayList<>();
    private final Map<Integer, Destination> targets = new HashMap<>();
    private final SequencedMap<String, TensorCase> inputs = new LinkedHashMap<>();

    FunctionCase(int seed) {
      random = new SplittableRandom(Settings.seed() + seed);
      tensors = new TensorGenerator(random);
    }

    /** A new contiguous input, tame three times out of four. */
    Expr reduced(DType type, int... shape) {
      return random.nextInt(4) == 0 ? input(type, shape) : tame(type, shape);
    }

    /** A new contiguous input of one kind of values, without infinities and NaN. */
    Expr tame(DType type, int... shape) {
      String name = "x" + inputs.size();
      int kind = random.nextInt(TensorGenerator.TAME_KINDS);
      inputs.put(name, new TensorCase(tensors.valuesOfKind(type, kind, shape), List.of()));
      return Expr.input(name);
    }

    /** A new contiguous input of all kinds of values. */
    Expr input(DType type, int... shape) {
      String name = "x" + inputs.size();
      int count = PlainView.count(shape);
      OracleTensor[] kinds = new OracleTensor[TensorGenerator.KINDS];
      for (int kind = 0; kind < kinds.length; kind++) {
        int length = count * (kind + 1) / kinds.length - count * kind / kinds.length;
        kinds[kind] = tensors.valuesOfKind(type, kind, length);
      }
      inputs.put(name, new TensorCase(TensorGenerator.joined(kinds, shape), List.of()));
      return Expr.input(name);
    }

    /** A new input that is a view of something larger. */
    Expr window(DType type, int... shape) {
      String name = "x" + inputs.size();
      inputs.put(name, view(type, shape));
      return Expr.input(name);
    }

    TensorCase view(DType type, int... shape) {
      int size = 2 * PlainView.count(shape) + 100;
      OracleTensor base = tensors.valuesOfKind(type, 0, size);
      return new TensorCase(base, tensors.window(size, false, shape));
    }

    /** The last output goes into that tensor; others are new. */
    void into(TensorCase target) {
      targets.put(outputs.size() - 1, new Destination.Into(target));
    }

    List<Integer> axes(int rank) {
      List<Integer> axes = new ArrayList<>(IntStream.range(0, rank).boxed().toList());
      axes.removeIf(_ -> random.nextBoolean());
      return axes;
    }

    void add(Expr output) {
      outputs.add(output);
    }

    void check(Gpuos gpu, CaseRunner.Tally tally) {
      List<Destination> all = new ArrayList<>();
      for (int i = 0; i < outputs.size(); i++) {
        all.add(targets.getOrDefault(i, new Destination.Fresh()));
      }
      ExpressionCase test = new ExpressionCase(outputs, inputs, all);
      Optional<String> problem = new CaseRunner(gpu, tally).problem(test);
      assertEquals(Optional.empty(), problem, () -> "" + outputs);
      assertEquals(0, tally.refused, () -> "" + outputs);
    }
  }

  private static void requireComparisons(CaseRunner.Tally tally) {
    assertTrue(tally.compared > 2 * tally.unknown, () -> "the test tests too little: " + tally);
  }
}
