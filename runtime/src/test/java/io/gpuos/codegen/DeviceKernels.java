package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.ir.Reducer;
import io.gpuos.ir.TypeRule;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/** Kernels by name that exercise the CUDA generator: each function, conversion and reducer. */
public final class DeviceKernels {

  private DeviceKernels() {}

  /** One kernel that does nothing but {@code function} on arguments of type {@code type}. */
  public static Kernel single(Function function, DType type) {
    Builder builder = new Builder();
    List<Integer> arguments = new ArrayList<>();
    for (DType argument : argumentTypes(function, type)) {
      arguments.add(builder.input(argument));
    }
    return builder.elementwise(builder.apply(function, type, arguments));
  }

  /** Every type {@code function} computes in. */
  public static List<DType> types(Function function) {
    return Stream.of(DType.values()).filter(function.typeRule()::accepts).toList();
  }

  /** Each function on each of its types, by a name such as {@code add_f32}. */
  public static Map<String, Kernel> functions() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (Function function : Function.values()) {
      for (DType type : types(function)) {
        kernels.put(function.functionName() + "_" + lower(type), single(function, type));
      }
    }
    return kernels;
  }

  /** Each conversion, by a name such as {@code f64_to_i8}. */
  public static Map<String, Kernel> conversions() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType from : DType.values()) {
      for (DType to : DType.values()) {
        Builder builder = new Builder();
        kernels.put(
            lower(from) + "_to_" + lower(to),
            builder.elementwise(builder.convert(to, builder.input(from))));
      }
    }
    return kernels;
  }

  /** All functions on the same arguments of type {@code type}, their results added up. */
  public static Kernel all(List<Function> functions, DType type) {
    Builder b = new Builder();
    List<Integer> inputs = List.of(b.input(type), b.input(type), b.input(type));
    int sum = inputs.getFirst();
    for (Function function : functions) {
      List<Integer> arguments = new ArrayList<>();
      for (DType argument : argumentTypes(function, type)) {
        int input = inputs.get(arguments.size());
        arguments.add(argument == type ? input : b.convert(argument, input));
      }
      int result = b.apply(function, type, arguments);
      int same = function.typeRule().result(type) == type ? result : b.convert(type, result);
      sum = b.apply(Function.ADD, type, List.of(sum, same));
    }
    return b.elementwise(sum);
  }

  /** An input of type {@code from} to every type and on to F64, added up. */
  public static Kernel conversionsFrom(DType from) {
    Builder b = new Builder();
    int input = b.input(from);
    int sum = b.convert(DType.F64, input);
    for (DType to : DType.values()) {
      int there = b.convert(DType.F64, b.convert(to, input));
      sum = b.apply(Function.ADD, DType.F64, List.of(sum, there));
    }
    return b.elementwise(sum);
  }

  /** Each reducer on each type it takes, by a name such as {@code sum_bf16}. */
  public static Map<String, Kernel> reductions() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType type : DType.values()) {
      for (Reducer reducer : Reducer.values()) {
        for (double parameter : parameters(reducer)) {
          if (reducer.accepts(type)) {
            String order = reducer == Reducer.NORM ? "_" + order(parameter) : "";
            Builder builder = new Builder();
            kernels.put(
                reducer.functionName() + order + "_" + lower(type),
                builder.reduction(reducer, builder.input(type), parameter));
          }
        }
      }
    }
    return kernels;
  }

  /** Kernels of several nodes, operands and types. */
  public static Map<String, Kernel> composites() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    kernels.put("fused_relu_f32", fusedRelu());
    kernels.put("two_outputs_mixed", twoOutputs());
    kernels.put("scalars_f16", scalars());
    kernels.put("eight_inputs_f32", eightInputs());
    kernels.put("fill_i64", fill());
    kernels.put("heavy_bf16", heavy());
    kernels.put("sum_of_products_f16", sumOfProducts());
    kernels.put("any_of_comparison", anyOfComparison());
    for (int seed = 0; seed < 12; seed++) {
      kernels.put("random_" + seed, random(seed));
    }
    return kernels;
  }

  /** Random kernels of many nodes, of any types, whose functions are exact. */
  static Map<String, Kernel> mixed() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (int seed = 0; seed < 12; seed++) {
      RandomCases cases = new RandomCases(seed);
      int inputs = cases.random().nextInt(Kernel.MAX_INPUTS);
      int scalars = cases.random().nextInt(1 + Math.min(3, Kernel.MAX_INPUTS - inputs));
      int nodes = inputs + scalars + 4 + cases.random().nextInt(60);
      kernels.put("mixed_" + seed, cases.elementwise(inputs, scalars, nodes));
    }
    return kernels;
  }

  private static Kernel fusedRelu() {
    Builder b = new Builder();
    int x = b.input(DType.F32);
    int y = b.input(DType.F32);
    int z = b.input(DType.F32);
    int product = b.apply(Function.MUL, DType.F32, List.of(x, y));
    int sum = b.apply(Function.ADD, DType.F32, List.of(product, z));
    return b.elementwise(b.apply(Function.RELU, DType.F32, List.of(sum)));
  }

  private static Kernel twoOutputs() {
    Builder b = new Builder();
    int half = b.convert(DType.F32, b.input(DType.F16));
    int wide = b.input(DType.F32);
    int index = b.convert(DType.F32, b.input(DType.I32));
    int greater = b.apply(Function.GT, DType.BOOL, List.of(half, wide));
    int quarter = b.constant(DType.F32, Double.doubleToRawLongBits(0.25));
    int scaled = b.apply(Function.MUL, DType.F32, List.of(index, quarter));
    return b.elementwise(
        b.apply(Function.WHERE, DType.F32, List.of(greater, scaled, half)), greater);
  }

  private static Kernel scalars() {
    Builder b = new Builder();
    int x = b.input(DType.F16);
    int slope = b.scalar(DType.F16);
    int shift = b.scalar(DType.F16);
    int product = b.apply(Function.MUL, DType.F16, List.of(x, slope));
    return b.elementwise(b.apply(Function.SUB, DType.F16, List.of(product, shift)));
  }

  private static Kernel eightInputs() {
    Builder b = new Builder();
    int extreme = b.input(DType.F32);
    for (int i = 1; i < Kernel.MAX_INPUTS; i++) {
      Function function = i % 2 == 0 ? Function.MAXIMUM : Function.MINIMUM;
      extreme = b.apply(function, DType.F32, List.of(extreme, b.input(DType.F32)));
    }
    int negative = b.apply(Function.NEG, DType.F32, List.of(extreme));
    return b.elementwise(extreme, negative);
  }

  private static Kernel fill() {
    Builder b = new Builder();
    return b.elementwise(b.constant(DType.I64, Long.MIN_VALUE));
  }

  private static Kernel heavy() {
    Builder b = new Builder();
    int x = b.input(DType.BF16);
    int y = b.input(DType.U8);
    int angle = b.apply(Function.SIN, DType.BF16, List.of(x));
    int count = b.convert(DType.BF16, y);
    return b.elementwise(b.apply(Function.HYPOT, DType.BF16, List.of(angle, count)), y);
  }

  private static Kernel sumOfProducts() {
    Builder b = new Builder();
    int x = b.convert(DType.F32, b.input(DType.F16));
    int y = b.input(DType.F32);
    int product = b.apply(Function.MUL, DType.F32, List.of(x, y));
    return b.reduction(Reducer.SUM, product, 0);
  }

  private static Kernel anyOfComparison() {
    Builder b = new Builder();
    int x = b.input(DType.I16);
    int y = b.scalar(DType.I16);
    return b.reduction(Reducer.ANY, b.apply(Function.EQ, DType.BOOL, List.of(x, y)), 0);
  }

  /** Integer arithmetic, which is exact: a result is right or wrong. */
  static Kernel random(int seed) {
    Random random = new Random(seed);
    Builder b = new Builder();
    DType[] types = {DType.I64, DType.I32, DType.I16, DType.I8, DType.U8};
    DType type = types[random.nextInt(types.length)];
    List<Integer> values = new ArrayList<>();
    int inputs = 1 + random.nextInt(Kernel.MAX_INPUTS - 2);
    for (int i = 0; i < inputs; i++) {
      DType own = types[random.nextInt(types.length)];
      int input = b.input(own);
      values.add(own == type ? input : b.convert(type, input));
    }
    values.add(b.scalar(type));
    values.add(b.constant(type, 1 + random.nextInt(100)));
    List<Function> functions =
        Stream.of(Function.values()).filter(f -> f.typeRule().accepts(type)).toList();
    for (int i = 0; i < 3 + random.nextInt(12); i++) {
      Function function = functions.get(random.nextInt(functions.size()));
      List<Integer> arguments = new ArrayList<>();
      for (DType argument : argumentTypes(function, type)) {
        int value = values.get(random.nextInt(values.size()));
        arguments.add(argument == type ? value : b.convert(argument, value));
      }
      int result = b.apply(function, type, arguments);
      values.add(function.typeRule().result(type) == type ? result : b.convert(type, result));
    }
    int sum = values.getFirst();
    for (int value : values.subList(1, values.size())) {
      sum = b.apply(Function.ADD, type, List.of(sum, value));
    }
    return seed % 4 == 3 ? b.reduction(Reducer.SUM, sum, 0) : b.elementwise(sum);
  }

  /** Types of the arguments of {@code function} where it computes in {@code type}. */
  static List<DType> argumentTypes(Function function, DType type) {
    List<DType> types = new ArrayList<>();
    for (int i = 0; i < function.arity(); i++) {
      types.add(function.typeRule() == TypeRule.WHERE && i == 0 ? DType.BOOL : type);
    }
    return types;
  }

  public static String lower(DType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  private static double[] parameters(Reducer reducer) {
    return switch (reducer) {
      case NORM -> new double[] {0, 1, 2, 3.5, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
      case VAR, STD -> new double[] {1};
      default -> new double[] {0};
    };
  }

  private static String order(double parameter) {
    return Double.isInfinite(parameter)
        ? parameter > 0 ? "max" : "min"
        : Double.toString(parameter).replace('.', 'p');
  }

  /** Numbers nodes and operands as the planner does: inputs, scalars, outputs. */
  static final class Builder {
    private final List<Operand> inputs = new ArrayList<>();
    private final List<Operand> scalars = new ArrayList<>();
    private final List<Node> nodes = new ArrayList<>();

    int input(DType type) {
      inputs.add(new Operand(Role.INPUT, type));
      return add(new Node.Load(inputs.size() - 1, type));
    }

    /** Its operand number is known only when all inputs are: see {@link #numbered}. */
    int scalar(DType type) {
      scalars.add(new Operand(Role.SCALAR, type));
      return add(new Node.Load(-scalars.size(), type));
    }

    int constant(DType type, long bits) {
      return add(new Node.Constant(type, bits));
    }

    int convert(DType type, int argument) {
      return add(new Node.Convert(type, argument));
    }

    int apply(Function function, DType type, List<Integer> arguments) {
      return add(new Node.Apply(function, function.typeRule().result(type), arguments));
    }

    Kernel elementwise(int... results) {
      List<Operand> operands = sources();
      List<Store> stores = new ArrayList<>();
      for (int result : results) {
        stores.add(new Store(operands.size(), result));
        operands.add(new Operand(Role.OUTPUT, nodes.get(result).type()));
      }
      return new Kernel.Elementwise(operands, numbered(), stores);
    }

    Kernel reduction(Reducer reducer, int value, double parameter) {
      DType type = nodes.get(value).type();
      DType folded = reducer.valueType(type);
      int converted = folded == type ? value : convert(folded, value);
      List<Operand> operands = sources();
      operands.add(new Operand(Role.OUTPUT, reducer.resultType(type)));
      return new Kernel.Reduction(operands, numbered(), reducer, converted, parameter);
    }

    private List<Operand> sources() {
      List<Operand> operands = new ArrayList<>(inputs);
      operands.addAll(scalars);
      return operands;
    }

    private List<Node> numbered() {
      return nodes.stream()
          .map(
              node ->
                  node instanceof Node.Load(int operand, DType type) && operand < 0
                      ? new Node.Load(inputs.size() - operand - 1, type)
                      : node)
          .toList();
    }

    private int add(Node node) {
      nodes.add(node);
      return nodes.size() - 1;
    }
  }
}
