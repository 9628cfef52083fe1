package io.gpuos.conformance;

import io.gpuos.conformance.ExpressionCase.Destination;
import io.gpuos.ir.Expr;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.SplittableRandom;

/** Makes the random case of a number; the same one for the same seed and number, on any machine. */
final class CaseGenerator {

  private static final int MAX_ELEMENTS = 160;

  private final SplittableRandom random;
  private final TensorGenerator tensors;
  private final List<ExpressionGenerator.Part> parts = new ArrayList<>();
  private final SequencedMap<String, ExpressionGenerator.Input> inputs;

  CaseGenerator(long seed, int number) {
    // Far apart, so that neighbouring numbers share nothing.
    random = new SplittableRandom(seed + number * 0x9e37_79b9_7f4a_7c15L);
    tensors = new TensorGenerator(random);
    boolean large = random.nextInt(16) == 0;
    int[] shape = tensors.shape(large ? 16 : MAX_ELEMENTS);
    ExpressionGenerator generator =
        new ExpressionGenerator(random, shape, large ? 14 : random.nextInt(1, 9));
    int outputs = random.nextInt(3) == 0 ? random.nextInt(2, 4) : 1;
    for (int i = 0; i < outputs; i++) {
      parts.add(generator.expression(large ? 8 : random.nextInt(1, 5)));
    }
    inputs = generator.inputs();
  }

  /** The case with new values and views; each call gives others. */
  ExpressionCase next() {
    List<Expr> outputs = parts.stream().map(ExpressionGenerator.Part::expr).toList();
    SequencedMap<String, TensorCase> values = new LinkedHashMap<>();
    for (String name : Expr.inputNames(outputs)) {
      values.put(name, tensors.tensor(inputs.get(name).type(), inputs.get(name).shape()));
    }
    List<Destination> targets = new ArrayList<>();
    parts.forEach(part -> targets.add(target(part, values, targets)));
    return new ExpressionCase(outputs, values, targets);
  }

  private Destination target(
      ExpressionGenerator.Part part,
      SequencedMap<String, TensorCase> values,
      List<Destination> others) {
    return switch (random.nextInt(4)) {
      case 0, 1 -> new Destination.Fresh();
      case 2 -> {
        List<DType> types =
            Arrays.stream(DType.values())
                .filter(type -> type.category().compareTo(part.category()) >= 0)
                .toList();
        DType type = types.get(random.nextInt(types.size()));
        yield new Destination.Into(tensors.tensor(type, false, part.shape()));
      }
      default ->
          values.keySet().stream()
              .filter(name -> inputs.get(name).type().category() == part.category())
              .filter(name -> Arrays.equals(inputs.get(name).shape(), part.shape()))
              .filter(name -> hasDistinctElements(values.get(name)))
              .map(name -> (Destination) new Destination.InPlace(name))
              .filter(target -> !others.contains(target))
              .findFirst()
              .orElse(new Destination.Fresh());
    };
  }

  private static boolean hasDistinctElements(TensorCase tensor) {
    int[] positions = tensor.plain().positions();
    return Arrays.stream(positions).distinct().count() == positions.length;
  }
}
