package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Turns a call as it is written, with positional and keyword arguments, into the expression it
 * means, with every default filled in.
 */
final class CallBinder {

  /** What stands for an argument. */
  sealed interface Value {
    record Of(Expr expr) implements Value {}

    record Axes(List<Integer> axes) implements Value {}

    record Text(String text) implements Value {}

    /** The word {@code none}. */
    record Nothing() implements Value {}
  }

  /**
   * An argument of a call.
   *
   * @param column where it stands in the text, from 1; 0 if there is no text
   */
  record Actual(Optional<String> keyword, Value value, int column) {}

  private static final String CAST = "cast";
  private static final List<Parameter> CAST_PARAMETERS = Parameter.parseList("x, dtype");
  private static final List<Parameter> PRODUCT_PARAMETERS = Parameter.parseList("a, b");

  /** Keywords that PyTorch users write for a parameter of a reduction. */
  private static final Map<String, String> REDUCTION_KEYWORDS =
      Map.of("dim", "axis", "p", "ord", "unbiased", "correction");

  /** Keywords that PyTorch users write for a parameter of a function of whole tensors. */
  private static final Map<String, String> ARRAY_KEYWORDS =
      Map.of(
          "dim",
          "axis",
          "input",
          "x",
          "size",
          "shape",
          "fill_value",
          "value",
          "n",
          "rows",
          "m",
          "columns");

  /** And for one of a function that writes by an index. */
  private static final Map<String, String> WRITE_KEYWORDS =
      Map.of("dim", "axis", "input", "x", "source", "src", "value", "src");

  /** What PyTorch calls {@code input}. */
  private static final Map<Picker, String> INPUT =
      Map.of(Picker.GATHER, "x", Picker.INDEX_SELECT, "x", Picker.EMBEDDING, "index");

  private final String name;
  private final int column;

  private CallBinder(String name, int column) {
    this.name = name;
    this.column = column;
  }

  /** A call with positional arguments and no text. */
  static Expr bind(String name, List<Expr> arguments) {
    return bind(
        name,
        0,
        arguments.stream()
            .map(expr -> new Actual(Optional.empty(), new Value.Of(expr), 0))
            .toList());
  }

  /**
   * @param column where the name stands in the text, from 1; 0 if there is no text
   * @throws ExpressionException if the function is unknown or the arguments do not match
   */
  static Expr bind(String name, int column, List<Actual> actuals) {
    CallBinder binder = new CallBinder(name, column);
    Optional<Function> function = Function.byName(name);
    if (function.isPresent()) {
      return binder.function(function.get(), actuals);
    }
    Optional<Reducer> reducer = Reducer.byName(name);
    if (reducer.isPresent()) {
      return binder.reduction(reducer.get(), actuals);
    }
    Optional<Composite> composite = Composite.byName(name);
    if (composite.isPresent()) {
      return binder.composite(composite.get(), actuals);
    }
    if (name.equals(CAST)) {
      return binder.cast(actuals);
    }
    if (name.equals(Expr.MatMul.NAME)) {
      return binder.product(actuals);
    }
    Optional<ProductFunction> product = ProductFunction.byName(name);
    if (product.isPresent()) {
      return binder.product(product.get(), actuals);
    }
    Optional<Picker> picker = Picker.byName(name);
    if (picker.isPresent()) {
      return binder.pick(picker.get(), actuals);
    }
    Optional<ArrayFunction> array = ArrayFunction.byName(name);
    if (array.isPresent()) {
      return binder.array(array.get(), actuals);
    }
    throw binder.error(
        "unknown function", "name=" + name, "a function that 'gpuos ops' lists" + closest(name));
  }

  private static String closest(String name) {
    Stream<String> functions =
        Stream.of(Function.values())
            .flatMap(f -> Stream.concat(Stream.of(f.functionName()), f.aliases().stream()));
    Stream<String> reducers = Stream.of(Reducer.values()).map(Reducer::functionName);
    Stream<String> composites = Stream.of(Composite.values()).map(Composite::functionName);
    Stream<String> pickers = Stream.of(Picker.values()).map(Picker::functionName);
    Stream<String> products =
        Stream.of(ProductFunction.values()).map(ProductFunction::functionName);
    Stream<String> arrays = Stream.of(ArrayFunction.values()).map(ArrayFunction::functionName);
    Stream<String> others = Stream.of(CAST, Expr.MatMul.NAME);
    return Suggestions.closest(
        name,
        Stream.of(functions, reducers, composites, pickers, products, arrays, others)
            .flatMap(s -> s)
            .toList());
  }

  private Expr function(Function function, List<Actual> actuals) {
    Map<String, Actual> given = assign(function.parameters(), actuals, Map.of());
    if (function == Function.CLAMP) {
      return clamp(given);
    }
    Function selected = function;
    List<Expr> arguments = new ArrayList<>();
    for (Parameter parameter : function.parameters()) {
      Actual actual = given.get(parameter.name());
      if (parameter.selects()) {
        selected = actual == null ? selected : variant(function, parameter, actual);
      } else if (actual == null) {
        arguments.add(number(parameter.defaultValue().orElseThrow()));
      } else {
        arguments.add(expr(parameter, actual));
      }
    }
    return new Expr.Call(selected, arguments);
  }

  /** One bound alone is a maximum or a minimum. */
  private Expr clamp(Map<String, Actual> given) {
    Parameter x = Function.CLAMP.parameters().getFirst();
    Optional<Expr> min = tensor(given, "min");
    Optional<Expr> max = tensor(given, "max");
    Expr value = expr(x, given.get(x.name()));
    if (min.isPresent() && max.isPresent()) {
      return new Expr.Call(Function.CLAMP, List.of(value, min.get(), max.get()));
    }
    if (min.isEmpty() && max.isEmpty()) {
      throw error("no bound", "function=" + name, "min, max or both");
    }
    Function function = min.isPresent() ? Function.MAXIMUM : Function.MINIMUM;
    return new Expr.Call(function, List.of(value, min.or(() -> max).get()));
  }

  /** {@code approximate='tanh'} of gelu is the function gelu_tanh. */
  private Function variant(Function function, Parameter parameter, Actual actual) {
    String text = actual.value() instanceof Value.Text(String value) ? value : null;
    if (("'" + text + "'").equals(parameter.defaultValue().orElseThrow())) {
      return function;
    }
    return Function.byName(function.functionName() + "_" + text)
        .orElseThrow(
            () ->
                mismatch(actual, parameter.name(), parameter.defaultValue().get() + " or 'tanh'"));
  }

  private Expr reduction(Reducer reducer, List<Actual> actuals) {
    rejectSecondTensor(reducer, actuals);
    Map<String, Actual> given = assign(reducer.parameters(), actuals, REDUCTION_KEYWORDS);
    Parameter x = reducer.parameters().getFirst();
    Expr argument = expr(x, given.get(x.name()));
    double parameter = reducer.defaultParameter();
    for (String parameterName : List.of("ord", "correction")) {
      if (given.get(parameterName) instanceof Actual actual) {
        parameter = real(actual, parameterName);
      }
    }
    return new Expr.Reduce(reducer, argument, axes(given), keepdim(given), parameter);
  }

  private Expr composite(Composite composite, List<Actual> actuals) {
    Map<String, Actual> given = assign(composite.parameters(), actuals, REDUCTION_KEYWORDS);
    for (Parameter parameter : composite.parameters()) {
      parameter
          .defaultValue()
          .ifPresent(text -> given.computeIfAbsent(parameter.name(), _ -> literal(text)));
    }
    Parameter x = composite.parameters().getFirst();
    return composite.expand(
        new Composite.Arguments(
            expr(x, given.get(x.name())),
            tensor(given, "weight"),
            tensor(given, "bias"),
            axes(given),
            keepdim(given),
            given.containsKey("ord") ? real(given.get("ord"), "ord") : 0,
            given.containsKey("eps") ? real(given.get("eps"), "eps") : 0));
  }

  /** A default that is a truth value, a number or {@code none}, as if it had been written. */
  private static Actual literal(String text) {
    Value value =
        switch (text) {
          case "none" -> new Value.Nothing();
          case "true", "false" -> new Value.Of(Expr.of(Boolean.parseBoolean(text)));
          default ->
              new Value.Of(
                  text.matches("-?\\d+")
                      ? Expr.of(Long.parseLong(text))
                      : Expr.of(Double.parseDouble(text)));
        };
    return new Actual(Optional.empty(), value, 0);
  }

  private Optional<Expr> tensor(Map<String, Actual> given, String parameter) {
    Actual actual = given.get(parameter);
    return actual == null || actual.value() instanceof Value.Nothing
        ? Optional.empty()
        : Optional.of(expr(new Parameter(parameter, Optional.empty()), actual));
  }

  /** {@code max(a, b)} of two tensors means maximum. */
  private void rejectSecondTensor(Reducer reducer, List<Actual> actuals) {
    boolean extremum = reducer == Reducer.MAX || reducer == Reducer.MIN;
    if (extremum
        && actuals.size() > 1
        && actuals.get(1).keyword().isEmpty()
        && actuals.get(1).value() instanceof Value.Of(Expr expr)
        && !(expr instanceof Expr.Literal)) {
      throw error(
          "a reduction takes one tensor",
          "function=" + name,
          (reducer == Reducer.MAX ? "maximum" : "minimum")
              + "(a, b) for two tensors, or axis=integer");
    }
  }

  private List<Integer> axes(Map<String, Actual> given) {
    Actual actual = given.get("axis");
    if (actual == null) {
      return List.of();
    }
    return switch (actual.value()) {
      case Value.Nothing _ -> List.of();
      case Value.Axes(List<Integer> axes) when !axes.isEmpty() -> axes;
      case Value.Of(Expr.Literal literal) when literal.type() == DType.I64 ->
          List.of(axis(literal, actual.column()));
      case Value.Axes _, Value.Of _, Value.Text _ ->
          throw mismatch(actual, "axis", "an integer or a list of them, such as [0, -1]");
    };
  }

  /** The number of an axis, as an int. */
  static int axis(Expr.Literal literal, int column) {
    if (literal.bits() != (int) literal.bits()) {
      throw new CallBinder("axis", column)
          .error("axis out of range", "axis=" + literal, "an axis of the tensor");
    }
    return (int) literal.bits();
  }

  private boolean keepdim(Map<String, Actual> given) {
    Actual actual = given.get("keepdim");
    if (actual == null) {
      return false;
    }
    if (actual.value() instanceof Value.Of(Expr.Literal(var type, long bits))
        && type == DType.BOOL) {
      return bits == 1;
    }
    throw mismatch(actual, "keepdim", "true or false");
  }

  private double real(Actual actual, String parameter) {
    if (actual.value() instanceof Value.Of(Expr.Literal(var type, long bits))) {
      return Scalars.asDouble(type, bits);
    }
    throw mismatch(actual, parameter, "a number");
  }

  private Expr cast(List<Actual> actuals) {
    Map<String, Actual> given = assign(CAST_PARAMETERS, actuals, Map.of());
    Expr argument = expr(CAST_PARAMETERS.getFirst(), given.get("x"));
    Actual type = given.get("dtype");
    if (type.value() instanceof Value.Of(Expr.Input(String typeName))) {
      Optional<DType> found = TypeNames.find(typeName);
      if (found.isPresent()) {
        return new Expr.Cast(found.get(), argument);
      }
    }
    throw mismatch(type, "dtype", "one of " + TypeNames.all());
  }

  private Expr product(List<Actual> actuals) {
    Map<String, Actual> given =
        assign(PRODUCT_PARAMETERS, actuals, Map.of("input", "a", "other", "b"));
    return new Expr.MatMul(
        expr(PRODUCT_PARAMETERS.getFirst(), given.get("a")),
        expr(PRODUCT_PARAMETERS.getLast(), given.get("b")));
  }

  private Expr product(ProductFunction product, List<Actual> actuals) {
    Map<String, Actual> given = assign(product.parameters(), actuals, product.keywords());
    Map<String, Expr> arguments = new LinkedHashMap<>();
    for (Parameter parameter : product.parameters()) {
      Actual actual =
          given.computeIfAbsent(
              parameter.name(), _ -> literal(parameter.defaultValue().orElseThrow()));
      boolean optional = parameter.defaultValue().isPresent();
      if (!(optional && actual.value() instanceof Value.Nothing)) {
        arguments.put(parameter.name(), expr(parameter, actual));
      }
    }
    return product.expand(arguments);
  }

  private Expr pick(Picker picker, List<Actual> actuals) {
    Map<String, Actual> given =
        assign(picker.parameters(), actuals, Map.of("dim", "axis", "input", INPUT.get(picker)));
    boolean embedding = picker == Picker.EMBEDDING;
    Parameter source = picker.parameters().get(embedding ? 1 : 0);
    Parameter index = picker.parameters().get(embedding ? 0 : 1);
    List<Integer> axes = embedding ? List.of(0) : axes(given);
    if (axes.size() != 1) {
      throw mismatch(given.get("axis"), "axis", "one integer");
    }
    return new Expr.Pick(
        picker,
        expr(source, given.get(source.name())),
        expr(index, given.get(index.name())),
        axes.getFirst());
  }

  private Expr array(ArrayFunction function, List<Actual> actuals) {
    Map<String, String> keywords = function.writes() ? WRITE_KEYWORDS : ARRAY_KEYWORDS;
    Map<String, Actual> given = assign(function.parameters(), actuals, keywords);
    if (function == ArrayFunction.ARANGE && absent(given.get("end"))) {
      given.put("end", given.get("start"));
      given.put("start", literal("0"));
    }
    List<Expr> arguments = new ArrayList<>();
    List<List<Long>> numbers = new ArrayList<>();
    for (Parameter parameter : function.parameters()) {
      Actual actual = given.get(parameter.name());
      if (absent(actual)) {
        actual = literal(parameter.defaultValue().orElse("none"));
      }
      if (ArrayFunction.isNumber(parameter)) {
        numbers.add(numbers(parameter, actual));
      } else {
        arguments.add(expr(parameter, actual));
      }
    }
    return new Expr.ArrayCall(function, arguments, numbers);
  }

  private static boolean absent(Actual actual) {
    return actual == null || actual.value() instanceof Value.Nothing;
  }

  /** An integer, a truth value, a list of integers, or nothing where that is the default. */
  private List<Long> numbers(Parameter parameter, Actual actual) {
    boolean list = ArrayFunction.isList(parameter);
    boolean truth = parameter.name().equals("accumulate");
    boolean optional = parameter.defaultValue().isPresent();
    return switch (actual.value()) {
      case Value.Nothing _ when optional -> List.of();
      case Value.Axes(List<Integer> all) when list -> all.stream().map(Long::valueOf).toList();
      case Value.Of(Expr.Literal(DType type, long bits))
          when type == (truth ? DType.BOOL : DType.I64) ->
          List.of(bits);
      default ->
          throw mismatch(
              actual,
              parameter.name(),
              truth ? "true or false" : list ? "integers, as [1, 2]" : "an integer");
    };
  }

  private static Expr number(String text) {
    return text.contains(".") ? Expr.of(Double.parseDouble(text)) : Expr.of(Long.parseLong(text));
  }

  private Expr expr(Parameter parameter, Actual actual) {
    if (actual.value() instanceof Value.Of(Expr expr)) {
      return expr;
    }
    throw mismatch(actual, parameter.name(), "an expression");
  }

  /** Gives each argument to its parameter; every parameter without a default gets one. */
  private Map<String, Actual> assign(
      List<Parameter> parameters, List<Actual> actuals, Map<String, String> otherKeywords) {
    Map<String, Actual> given = new LinkedHashMap<>();
    int positional = 0;
    for (Actual actual : actuals) {
      if (actual.keyword().isEmpty() && positional < given.size()) {
        throw error("positional argument after a keyword", at(actual), "positional ones first");
      }
      if (actual.keyword().isEmpty() && positional == parameters.size()) {
        throw wrongCount(parameters, actuals.size());
      }
      String parameter =
          actual.keyword().isEmpty()
              ? parameters.get(positional++).name()
              : keyword(parameters, actual, otherKeywords);
      if (given.put(parameter, actual) != null) {
        throw error("argument given twice", "name=" + parameter + ", " + at(actual), "once");
      }
    }
    for (Parameter parameter : parameters) {
      if (parameter.defaultValue().isEmpty() && !given.containsKey(parameter.name())) {
        throw wrongCount(parameters, actuals.size());
      }
    }
    return given;
  }

  private String keyword(
      List<Parameter> parameters, Actual actual, Map<String, String> otherKeywords) {
    String keyword = actual.keyword().orElseThrow();
    String parameter = otherKeywords.getOrDefault(keyword, keyword);
    if (parameters.stream().noneMatch(p -> p.name().equals(parameter))) {
      String names = parameters.stream().map(Parameter::name).collect(Collectors.joining(", "));
      throw error("unknown argument", "name=" + keyword + ", " + at(actual), "one of " + names);
    }
    return parameter;
  }

  private ExpressionException wrongCount(List<Parameter> parameters, int count) {
    String signature =
        parameters.stream()
            .map(Parameter::toString)
            .collect(Collectors.joining(", ", name + "(", ")"));
    return error(
        "wrong number of arguments",
        String.format(Locale.ROOT, "function=%s, count=%d", name, count),
        signature);
  }

  private ExpressionException mismatch(Actual actual, String parameter, String expected) {
    return error("argument has no meaning", "name=" + parameter + ", " + at(actual), expected);
  }

  private String at(Actual actual) {
    return "function="
        + name
        + (actual.column() == 0 ? "" : ", argument column=" + actual.column());
  }

  private ExpressionException error(String rule, String values, String expected) {
    String position = column == 0 ? "" : ", column=" + column;
    return new ExpressionException(rule + ": " + values + position + ", expected=" + expected);
  }
}
