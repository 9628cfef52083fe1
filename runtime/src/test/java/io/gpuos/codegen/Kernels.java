package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Builds kernels node by node; each method returns the number of the node it adds. */
public final class Kernels {

  private final List<Operand> operands = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();

  public int input(DType type) {
    return operand(Role.INPUT, type);
  }

  /** All inputs must come first. */
  public int scalar(DType type) {
    return operand(Role.SCALAR, type);
  }

  private int operand(Role role, DType type) {
    operands.add(new Operand(role, type));
    return add(new Node.Load(operands.size() - 1, type));
  }

  public int constant(DType type, double value) {
    long bits = type.isFloating() ? Double.doubleToRawLongBits(value) : (long) value;
    return add(new Node.Constant(type, bits));
  }

  public int convert(DType type, int argument) {
    return add(new Node.Convert(type, argument));
  }

  public int apply(Function function, Integer... arguments) {
    DType type = function.typeRule().result(typeOf(arguments[arguments.length - 1]));
    return add(new Node.Apply(function, type, List.of(arguments)));
  }

  public DType typeOf(int node) {
    return nodes.get(node).type();
  }

  public int size() {
    return nodes.size();
  }

  /** One output per node. */
  public Kernel.Elementwise store(int... values) {
    List<Operand> all = new ArrayList<>(operands);
    Arrays.stream(values).forEach(value -> all.add(new Operand(Role.OUTPUT, typeOf(value))));
    List<Store> stores =
        IntStream.range(0, values.length)
            .mapToObj(i -> new Store(operands.size() + i, values[i]))
            .toList();
    return new Kernel.Elementwise(all, nodes, stores);
  }

  public Kernel.Reduction reduce(Reducer reducer, int value, double parameter, DType result) {
    List<Operand> all = new ArrayList<>(operands);
    all.add(new Operand(Role.OUTPUT, result));
    return new Kernel.Reduction(all, nodes, reducer, value, parameter);
  }

  private int add(Node node) {
    nodes.add(node);
    return nodes.size() - 1;
  }
}
