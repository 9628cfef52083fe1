package io.gpuos.cli.demo;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;

/**
 * The tensors and operations of one batch. Inputs that no operation writes are shared. Closing it
 * frees the tensors. One thread.
 */
final class Workspace implements AutoCloseable {

  /** Different contents of shared inputs of one type and shape. */
  private static final int VARIANTS = 3;

  private final Gpuos gpu;
  private final Map<String, Operator> operators;
  private final SplittableRandom random;
  private final Shapes shapes;
  private final int number;
  private final Map<String, Twin> inputs = new HashMap<>();
  private final List<Tensor> tensors = new ArrayList<>();
  private final List<Twin> written = new ArrayList<>();
  private final List<Operation> operations = new ArrayList<>();
  private final List<Operation> late = new ArrayList<>();

  /**
   * @param operators those made so far, by expression; an operator compiles once
   * @param number of the batch within its group, from 0
   */
  Workspace(
      Gpuos gpu,
      Map<String, Operator> operators,
      SplittableRandom random,
      Shapes shapes,
      int number) {
    this.gpu = gpu;
    this.operators = operators;
    this.random = random;
    this.shapes = shapes;
    this.number = number;
  }

  int number() {
    return number;
  }

  SplittableRandom random() {
    return random;
  }

  Shapes shapes() {
    return shapes;
  }

  /** One of {@code choices}. */
  <T> T any(List<T> choices) {
    return choices.get(random.nextInt(choices.size()));
  }

  // ---- tensors -------------------------------------------------------------------------------

  /**
   * A shared input, only to be read. Floating values lie in [-1, 2), so that both signs occur and
   * sums are well conditioned; integers fill their type.
   */
  Twin input(DType type, int... shape) {
    String key = type + Arrays.toString(shape) + random.nextInt(VARIANTS);
    return inputs.computeIfAbsent(key, _ -> fresh(type, shape));
  }

  /** A tensor with values of its own, to be read and written. */
  Twin state(DType type, int... shape) {
    Twin twin = fresh(type, shape);
    written.add(twin);
    return twin;
  }

  /** A tensor for results, poisoned. */
  Twin output(DType type, int... shape) {
    Twin twin = Twin.poisoned(empty(type, shape));
    written.add(twin);
    return twin;
  }

  /** A view that is freed with the workspace. */
  Tensor view(Twin twin, UnaryOperator<Tensor> change) {
    Tensor view = change.apply(twin.tensor());
    tensors.add(view);
    return view;
  }

  private Twin fresh(DType type, int... shape) {
    Tensor tensor = empty(type, shape);
    int length = (int) tensor.elements();
    if (type.isFloating()) {
      return Twin.of(tensor, random.doubles(length, -1, 2).toArray());
    }
    return Twin.of(
        tensor,
        type == DType.BOOL ? random.longs(length, 0, 2).toArray() : random.longs(length).toArray());
  }

  private Tensor empty(DType type, int... shape) {
    Tensor tensor = gpu.empty(type, Arrays.stream(shape).asLongStream().toArray());
    tensors.add(tensor);
    return tensor;
  }

  // ---- operations ----------------------------------------------------------------------------

  /** Adds an operation that writes the whole of {@code target}. */
  void add(String expression, Twin target, Runnable reference, Twin... reads) {
    add(expression, target, target.tensor(), reference, tensors(reads));
  }

  /** Adds an operation that writes {@code output}, a view of {@code target}. */
  void add(String expression, Twin target, Tensor output, Runnable reference, Tensor... reads) {
    operations.add(operation(expression, target, output, reference, reads));
  }

  /**
   * Adds an operation that is prepared only when half of the others are in flight. Its expression
   * must be new.
   */
  void addLate(String expression, Twin target, Runnable reference, Twin... reads) {
    late.add(operation(expression, target, target.tensor(), reference, tensors(reads)));
  }

  private Operation operation(
      String expression, Twin target, Tensor output, Runnable reference, Tensor... reads) {
    Operator operator = operators.computeIfAbsent(expression, Operator::of);
    return new Operation(operator, output, reads, target, reference);
  }

  private static Tensor[] tensors(Twin... twins) {
    return Arrays.stream(twins).map(Twin::tensor).toArray(Tensor[]::new);
  }

  /** Operations to prepare before the run, in order. */
  List<Operation> operations() {
    return operations;
  }

  /** Operations to prepare during the run, in order; they depend on no other. */
  List<Operation> late() {
    return late;
  }

  /** Puts every written tensor on the device back to what it was before the first operation. */
  void reset() {
    written.forEach(Twin::reset);
  }

  @Override
  public void close() {
    tensors.forEach(Tensor::close);
  }
}
