package io.gpuos.cli;

import io.gpuos.cli.text.Table;
import io.gpuos.ir.ArrayFunction;
import io.gpuos.ir.Composite;
import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionParser;
import io.gpuos.ir.Function;
import io.gpuos.ir.Parameter;
import io.gpuos.ir.Picker;
import io.gpuos.ir.ProductFunction;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code gpuos ops}: the functions of the expression language, from the tables they live in. */
@Command(name = "ops", description = "Lists the functions of the expression language.")
final class OpsCommand implements Callable<Integer> {

  private static final String REDUCTIONS = "Reductions";
  private static final String COMPOSITES = "Normalisations";
  private static final String PRODUCTS = "Matrix products";
  private static final String INDEXED = "Indexed reads";
  private static final String WRITES = "Indexed writes";
  private static final String PLACES = "Sums along an axis, places, new tensors";
  private static final String CONVERSION = "Conversion";

  /** Where each group begins in the order of the table. */
  private static final Map<Function, String> GROUP_STARTS =
      new EnumMap<>(
          Map.of(
              Function.ADD, "Arithmetic",
              Function.EQ, "Comparison and logic",
              Function.BITWISE_AND, "Bits",
              Function.FLOOR, "Rounding",
              Function.EXP, "Exponentials, logarithms, roots",
              Function.SIN, "Trigonometric and hyperbolic",
              Function.ERF, "Special functions",
              Function.RELU, "Activations"));

  private static final List<String> NOTES =
      List.of(
          "Arguments convert to their common type, which is the result's; comparisons and logic",
          "give bool; where only floating makes sense, integers become f32 first. Shapes"
              + " broadcast.",
          "An axis is a number or a list, negative from the end: sum(x, axis=[0, -1]).",
          "Constants: 1, 2.5e-3, inf, nan, pi, true, false. Operators and precedence are Python's.",
          "Name what is used twice: t = a*b; t + relu(t). Several results: a + b, a - b.");

  @Mixin private OutputOptions output;

  private record Argument(String name, Optional<String> defaultValue) {}

  private record Operation(
      String name,
      String group,
      String signature,
      Optional<String> symbol,
      List<String> aliases,
      List<Argument> parameters,
      String types,
      String definition) {}

  private record Type(String name, String longName, int bytes) {}

  private record Result(
      List<Operation> functions,
      List<Operation> reductions,
      List<Operation> composites,
      List<Type> types) {}

  @Override
  public Integer call() {
    Result result = new Result(functions(), reductions(), composites(), types());
    output.print(result, out -> print(result, out));
    return Main.EXIT_OK;
  }

  private static List<Operation> functions() {
    List<Operation> operations = new ArrayList<>();
    String group = null;
    for (Function function : Function.values()) {
      group = GROUP_STARTS.getOrDefault(function, group);
      operations.add(
          new Operation(
              function.functionName(),
              group,
              function.signature(),
              function.operator().map(Function.Operator::symbol),
              function.aliases(),
              arguments(function.parameters()),
              function.typeRule().summary(),
              function.definition()));
    }
    operations.add(
        new Operation(
            "cast",
            CONVERSION,
            ExpressionParser.CAST,
            Optional.empty(),
            List.of(),
            List.of(new Argument("x", Optional.empty()), new Argument("dtype", Optional.empty())),
            "any type -> dtype",
            "x as an element of that type; integers wrap, floating to integer is cut off, to the end of"
                + " i64 or i32 if out of range"));
    operations.add(
        new Operation(
            Expr.MatMul.NAME,
            PRODUCTS,
            Expr.MatMul.SIGNATURE,
            Optional.empty(),
            List.of(),
            List.of(new Argument("a", Optional.empty()), new Argument("b", Optional.empty())),
            "one type, no bool -> that type",
            "sums of rows of a times columns of b, batches broadcast; as torch.matmul"));
    for (ProductFunction product : ProductFunction.values()) {
      operations.add(
          new Operation(
              product.functionName(),
              PRODUCTS,
              product.signature(),
              Optional.empty(),
              List.of(),
              arguments(product.parameters()),
              product.types(),
              product.definition()));
    }
    for (Picker picker : Picker.values()) {
      String names =
          picker.parameters().stream().map(Parameter::name).collect(Collectors.joining(", "));
      operations.add(
          new Operation(
              picker.functionName(),
              INDEXED,
              picker.functionName() + "(" + names + ")",
              Optional.empty(),
              List.of(),
              arguments(picker.parameters()),
              "any type, index i64 or i32 -> that type",
              picker.definition()));
    }
    arrays(true).map(function -> operation(function, WRITES)).forEach(operations::add);
    arrays(false)
        .filter(function -> function != ArrayFunction.BATCH_NORM)
        .map(function -> operation(function, PLACES))
        .forEach(operations::add);
    return operations;
  }

  /** Functions of whole tensors, those that write by an index or the others. */
  private static Stream<ArrayFunction> arrays(boolean writes) {
    return Stream.of(ArrayFunction.values()).filter(function -> function.writes() == writes);
  }

  private static Operation operation(ArrayFunction function, String group) {
    return new Operation(
        function.functionName(),
        group,
        function.signature(),
        Optional.empty(),
        List.of(),
        arguments(function.parameters()),
        function.types(),
        function.definition());
  }

  private static List<Operation> reductions() {
    return Stream.of(Reducer.values())
        .map(
            reducer ->
                new Operation(
                    reducer.functionName(),
                    REDUCTIONS,
                    reducer.signature(),
                    Optional.empty(),
                    List.of(),
                    arguments(reducer.parameters()),
                    types(reducer),
                    reducer.definition()))
        .toList();
  }

  private static List<Operation> composites() {
    Stream<Operation> composites =
        Stream.of(Composite.values())
            .map(
                composite ->
                    new Operation(
                        composite.functionName(),
                        COMPOSITES,
                        composite.signature(),
                        Optional.empty(),
                        List.of(),
                        arguments(composite.parameters()),
                        composite.types(),
                        composite.definition()));
    return Stream.concat(composites, Stream.of(operation(ArrayFunction.BATCH_NORM, COMPOSITES)))
        .toList();
  }

  private static String types(Reducer reducer) {
    if (reducer.accepts(DType.BOOL)) {
      return "any type";
    }
    return reducer.accepts(DType.I32) ? "integer or floating" : "floating";
  }

  private static List<Argument> arguments(List<Parameter> parameters) {
    return parameters.stream()
        .map(parameter -> new Argument(parameter.name(), parameter.defaultValue()))
        .toList();
  }

  private static List<Type> types() {
    return Stream.of(DType.values())
        .map(type -> new Type(type.name().toLowerCase(Locale.ROOT), type.longName(), type.bytes()))
        .toList();
  }

  /** Group by group: what to write, what goes in, what comes out. */
  private static void print(Result result, PrintWriter out) {
    Map<String, List<Operation>> groups =
        Stream.of(result.functions(), result.reductions(), result.composites())
            .flatMap(List::stream)
            .collect(
                Collectors.groupingBy(
                    Operation::group, LinkedHashMap::new, Collectors.toUnmodifiableList()));
    groups.forEach(
        (group, operations) -> {
          out.println(group);
          Table table = Table.withoutTitles(3).indent(2);
          operations.forEach(o -> table.row(o.signature(), argumentTypes(o), definition(o)));
          table.print(out);
          out.println();
        });
    out.println("Types");
    out.println(
        result.types().stream()
            .map(type -> "%s (%s)".formatted(type.name(), type.longName()))
            .collect(Collectors.joining(", ", "  ", "")));
    out.println();
    NOTES.forEach(out::println);
  }

  private static String argumentTypes(Operation operation) {
    return operation.types().split(" -> ", 2)[0];
  }

  private static String definition(Operation operation) {
    List<String> others = new ArrayList<>(operation.aliases());
    operation
        .symbol()
        .filter(symbol -> !operation.definition().contains(symbol))
        .ifPresent(symbol -> others.addFirst(infix(operation, symbol)));
    return others.isEmpty()
        ? operation.definition()
        : "%s (also %s)".formatted(operation.definition(), String.join(", ", others));
  }

  private static String infix(Operation operation, String symbol) {
    return operation.parameters().stream()
        .map(Argument::name)
        .collect(Collectors.joining(" " + symbol + " "));
  }
}
