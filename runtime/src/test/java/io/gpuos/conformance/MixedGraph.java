package io.gpuos.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A random graph in which matrix products, functions over rows, folds and elementwise functions
 * read each other's results, often the same ones, and several of them are wanted. Each value has a
 * line of the expression language and the numbers that plain loops compute for it.
 */
final class MixedGraph {

  /**
   * A value of the graph.
   *
   * @param name what later lines call it
   * @param text its line; empty for an input
   */
  record Value(String name, String text, PlainTensor plain) {}

  private static final int[][] INPUTS = {{3, 4}, {4}, {4, 3}, {2, 3, 4}, {3, 1}, {3, 3}};
  private static final int MAX_ELEMENTS = 500;

  private final SplittableRandom random;
  final List<Value> inputs = new ArrayList<>();
  final List<Value> computed = new ArrayList<>();
  final List<Value> results = new ArrayList<>();

  MixedGraph(long seed) {
    random = new SplittableRandom(seed);
    for (int[] shape : INPUTS) {
      double[] values = random.doubles(PlainView.count(shape), -2, 2).toArray();
      inputs.add(new Value("i" + inputs.size(), "", new PlainTensor(shape, values)));
    }
    int length = random.nextInt(2, 14);
    while (computed.size() < length) {
      add();
    }
    results.add(computed.getLast());
    for (int k = random.nextInt(4); k > 0; k--) {
      results.add(computed.get(random.nextInt(length)));
    }
  }

  /** All lines and the results, as one operator. */
  String text() {
    StringBuilder text = new StringBuilder();
    computed.forEach(v -> text.append(v.name()).append(" = ").append(v.text()).append("; "));
    return text.append(String.join(", ", results.stream().map(Value::name).toList())).toString();
  }

  private void add() {
    Value a = any();
    Value value =
        switch (random.nextInt(5)) {
          case 0 -> new Value("", "tanh(" + a.name() + ")", a.plain().map(Math::tanh));
          case 1 -> pair(a, any());
          case 2 -> fold(a);
          case 3 -> product(a, any());
          default -> overRows(a);
        };
    if (value != null && value.plain() != null && value.plain().values().length <= MAX_ELEMENTS) {
      computed.add(new Value("t" + computed.size(), value.text(), value.plain()));
    }
  }

  /** Any value, late ones more often. */
  private Value any() {
    if (computed.isEmpty() || random.nextInt(3) == 0) {
      return inputs.get(random.nextInt(inputs.size()));
    }
    int back = Math.min(computed.size(), random.nextInt(1, 5));
    return computed.get(computed.size() - back);
  }

  private Value pair(Value a, Value b) {
    boolean larger = random.nextBoolean();
    String text = larger ? "maximum(%s, %s)" : "%s - 0.5 * %s";
    return new Value(
        "",
        text.formatted(a.name(), b.name()),
        a.plain().zip(b.plain(), larger ? Math::max : (x, y) -> x - 0.5 * y));
  }

  private Value product(Value a, Value b) {
    PlainTensor product = a.plain().matmul(b.plain());
    return product == null
        ? null
        : new Value(
            "", "matmul(%s, %s) / 4".formatted(a.name(), b.name()), product.map(x -> x / 4));
  }

  private Value fold(Value a) {
    int rank = a.plain().shape().length;
    if (rank == 0) {
      return null;
    }
    int axis = random.nextInt(rank);
    boolean keepdim = random.nextBoolean();
    boolean mean = random.nextBoolean();
    return new Value(
        "",
        "%s(%s, axis=%s, keepdim=%s)".formatted(mean ? "mean" : "max", a.name(), axis, keepdim),
        a.plain().fold(axis, keepdim, mean ? MixedGraph::mean : MixedGraph::max));
  }

  private Value overRows(Value a) {
    int rank = a.plain().shape().length;
    if (rank == 0) {
      return null;
    }
    int axis = random.nextInt(rank);
    boolean softmax = random.nextBoolean();
    return new Value(
        "",
        "%s(%s, axis=%s)".formatted(softmax ? "softmax" : "layer_norm", a.name(), axis),
        softmax ? softmax(a.plain(), axis) : layerNorm(a.plain(), axis));
  }

  private static PlainTensor softmax(PlainTensor x, int axis) {
    PlainTensor powers =
        x.zip(x.fold(axis, true, MixedGraph::max), (value, max) -> Math.exp(value - max));
    return powers.zip(
        powers.fold(axis, true, row -> Arrays.stream(row).sum()), (power, sum) -> power / sum);
  }

  private static PlainTensor layerNorm(PlainTensor x, int axis) {
    PlainTensor centred =
        x.zip(x.fold(axis, true, MixedGraph::mean), (value, mean) -> value - mean);
    PlainTensor variance = centred.map(value -> value * value).fold(axis, true, MixedGraph::mean);
    return centred.zip(variance, (value, square) -> value / Math.sqrt(square + 1e-5));
  }

  private static double mean(double[] row) {
    return Arrays.stream(row).sum() / row.length;
  }

  private static double max(double[] row) {
    return Arrays.stream(row).max().orElseThrow();
  }
}
