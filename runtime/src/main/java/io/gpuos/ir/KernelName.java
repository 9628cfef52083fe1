package io.gpuos.ir;

import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import java.util.List;
import java.util.stream.Collectors;

/**
 * What messages call a kernel: its expression, shortened, and the types of its results, such as
 * {@code relu(x0 * x1): f32}. {@code x0} is operand 0; a runtime scalar is {@code s} with its
 * number. Different kernels may have the same name; {@link KernelText} tells them apart.
 */
public final class KernelName {

  /** Characters of the longest name. */
  public static final int MAX_LENGTH = 100;

  /** Nesting that is shown; bounds the work where nodes are shared. */
  private static final int HEIGHT = 4;

  private static final String CUT = "...";

  private final Kernel kernel;

  private KernelName(Kernel kernel) {
    this.kernel = kernel;
  }

  /** The name, of one line and at most {@value #MAX_LENGTH} characters. */
  public static String of(Kernel kernel) {
    String types =
        kernel.operands().stream()
            .filter(operand -> operand.role() == Role.OUTPUT)
            .map(operand -> TypeNames.shortName(operand.type()))
            .collect(Collectors.joining(", ", ": ", ""));
    String text = new KernelName(kernel).text();
    int room = MAX_LENGTH - types.length();
    return (text.length() <= room ? text : text.substring(0, room - CUT.length()) + CUT) + types;
  }

  private String text() {
    return switch (kernel) {
      case Kernel.Elementwise elementwise -> results(elementwise.stores());
      case Kernel.Rows rows -> results(rows.stores());
      case Kernel.Reduction reduction ->
          "%s(%s)".formatted(reduction.reducer().functionName(), node(reduction.value(), HEIGHT));
      case Kernel.Contraction contraction -> node(contraction.value(), HEIGHT);
      case Kernel.Attention attention -> node(attention.value(), HEIGHT);
      case Kernel.Gather gather -> node(gather.value(), HEIGHT);
      case Kernel.Scan scan -> "cumsum(%s)".formatted(node(scan.value(), HEIGHT));
      case Kernel.Scatter scatter -> scatter.adds() ? "scatter_add(x0, x1)" : "scatter(x0, x1)";
    };
  }

  private String results(List<Store> stores) {
    return stores.stream()
        .map(Store::node)
        .map(node -> node(node, HEIGHT))
        .collect(Collectors.joining(", "));
  }

  private String node(int number, int height) {
    return switch (kernel.nodes().get(number)) {
      case Node.Load(int operand, _)
          when operand == Kernel.Contraction.PRODUCT && kernel instanceof Kernel.Contraction ->
          "matmul(x0, x1)";
      case Node.Load(int operand, _)
          when operand == Kernel.Attention.ATTENDED && kernel instanceof Kernel.Attention ->
          "attention(x0, x1, x2)";
      case Node.Load(int operand, _)
          when operand == Kernel.Gather.PICKED && kernel instanceof Kernel.Gather ->
          "gather(x0, x1)";
      case Node.Load(int operand, _) ->
          (kernel.operands().get(operand).role() == Role.SCALAR ? "s" : "x") + operand;
      case Node.Constant(var type, long bits) -> Scalars.text(type, bits);
      case Node.Convert(var type, int argument) ->
          "cast(%s, %s)".formatted(inner(argument, height), TypeNames.shortName(type));
      case Node.Fold(Reducer reducer, _, int argument, _) ->
          call(reducer.functionName(), List.of(argument), height);
      case Node.Foreign(ForeignFunction function, List<Integer> arguments) ->
          call(function.name(), arguments, height);
      case Node.Apply(Function function, _, List<Integer> arguments) ->
          apply(function, arguments, height);
    };
  }

  private String apply(Function function, List<Integer> arguments, int height) {
    if (function.operator().isEmpty() || arguments.size() != 2) {
      return call(function.functionName(), arguments, height);
    }
    return "%s %s %s"
        .formatted(
            side(arguments.get(0), height),
            function.operator().get().symbol(),
            side(arguments.get(1), height));
  }

  private String call(String name, List<Integer> arguments, int height) {
    return arguments.stream()
        .map(argument -> inner(argument, height))
        .collect(Collectors.joining(", ", name + "(", ")"));
  }

  /** One side of an infix operator, in parentheses if it is one itself. */
  private String side(int number, int height) {
    String text = inner(number, height);
    boolean infix =
        kernel.nodes().get(number) instanceof Node.Apply(Function function, _, var arguments)
            && function.operator().isPresent()
            && arguments.size() == 2;
    return infix && !text.equals(CUT) ? "(" + text + ")" : text;
  }

  private String inner(int number, int height) {
    return switch (kernel.nodes().get(number)) {
      case Node.Load _, Node.Constant _ -> node(number, 0);
      case Node.Apply _, Node.Convert _, Node.Foreign _, Node.Fold _ ->
          height > 1 ? node(number, height - 1) : CUT;
    };
  }
}
