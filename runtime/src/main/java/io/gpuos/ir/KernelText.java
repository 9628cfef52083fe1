package io.gpuos.ir;

import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Store;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Writes a kernel as text, for cache keys, golden tests and debugging. Two kernels have the same
 * text exactly if they are equal. One line for the operands, one for each node, named {@code %0},
 * {@code %1} and so on, and one for each result:
 *
 * <pre>
 * elementwise(input f32, input f32, output f32)
 * %0 = load 0: f32
 * %1 = load 1: f32
 * %2 = mul %0 %1: f32
 * store 2 = %2
 * </pre>
 */
public final class KernelText {

  private KernelText() {}

  /** The text; every line ends with a line feed. */
  public static String of(Kernel kernel) {
    StringBuilder text = new StringBuilder();
    text.append(
        switch (kernel) {
          case Kernel.Elementwise _ -> "elementwise";
          case Kernel.Reduction _ -> "reduction";
          case Kernel.Rows _ -> "rows";
          case Kernel.Contraction _ -> "contraction";
          case Kernel.Attention attention -> attention(attention);
          case Kernel.Gather _ -> "gather";
          case Kernel.Scan _ -> "scan";
          case Kernel.Scatter _ -> "scatter";
        });
    text.append(
        IntStream.range(0, kernel.operands().size())
            .mapToObj(k -> operand(kernel, k))
            .collect(Collectors.joining(", ", "(", ")\n")));
    List<Node> nodes = kernel.nodes();
    for (int i = 0; i < nodes.size(); i++) {
      text.append(
          String.format(Locale.ROOT, "%%%d = %s: %s\n", i, node(nodes.get(i)), type(nodes.get(i))));
    }
    switch (kernel) {
      case Kernel.Elementwise elementwise -> stores(text, elementwise.stores());
      case Kernel.Rows rows -> stores(text, rows.stores());
      case Kernel.Reduction reduction ->
          text.append(
              String.format(
                  Locale.ROOT,
                  "store %d = %s %%%d parameter %s\n",
                  reduction.operands().size() - 1,
                  reduction.reducer().functionName(),
                  reduction.value(),
                  reduction.parameter()));
      case Kernel.Contraction contraction ->
          stores(text, List.of(new Store(kernel.operands().size() - 1, contraction.value())));
      case Kernel.Attention attention ->
          stores(text, List.of(new Store(kernel.operands().size() - 1, attention.value())));
      case Kernel.Gather gather ->
          stores(text, List.of(new Store(kernel.operands().size() - 1, gather.value())));
      case Kernel.Scan scan ->
          text.append(
              String.format(
                  Locale.ROOT,
                  "store %d = sums %s %%%d\n",
                  scan.operands().size() - 1,
                  scan.exclusive() ? "before" : "up to",
                  scan.value()));
      case Kernel.Scatter scatter ->
          text.append(scatter.adds() ? "add" : "store")
              .append(scatter.wraps() ? ", negative from the end\n" : "\n");
    }
    return text.toString();
  }

  private static String attention(Kernel.Attention attention) {
    return "attention scale %s%s%s "
        .formatted(
            attention.scale(),
            attention.causal() ? " causal" : "",
            attention.masked() ? " masked" : "");
  }

  private static void stores(StringBuilder text, List<Store> stores) {
    for (Store store : stores) {
      text.append(String.format(Locale.ROOT, "store %d = %%%d\n", store.operand(), store.node()));
    }
  }

  private static String operand(Kernel kernel, int index) {
    Operand operand = kernel.operands().get(index);
    boolean row = kernel instanceof Kernel.Rows rows && rows.perRow().contains(index);
    return operand.role().name().toLowerCase(Locale.ROOT)
        + (row ? " row " : " ")
        + TypeNames.shortName(operand.type());
  }

  private static String type(Node node) {
    return TypeNames.shortName(node.type());
  }

  private static String node(Node node) {
    return switch (node) {
      case Node.Foreign(ForeignFunction function, List<Integer> arguments) ->
          "foreign %s %s %s".formatted(function, quoted(function.file()), quoted(function.source()))
              + arguments(arguments);
      case Node.Load(int operand, _) -> "load " + operand;
      case Node.Constant(var type, long bits) -> constant(type.isFloating(), bits, node);
      case Node.Convert(_, int argument) -> "convert %" + argument;
      case Node.Fold(Reducer reducer, _, int argument, double parameter) ->
          "fold %s %%%s parameter %s".formatted(reducer.functionName(), argument, parameter);
      case Node.Apply(Function function, _, List<Integer> arguments) ->
          function.functionName() + arguments(arguments);
    };
  }

  private static String arguments(List<Integer> arguments) {
    return arguments.stream().map(argument -> " %" + argument).collect(Collectors.joining());
  }

  /** On one line, with one reading only. */
  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }

  /** NaNs differ by their bits; every other number is exact in its usual form. */
  private static String constant(boolean floating, long bits, Node node) {
    boolean nan = floating && Double.isNaN(Double.longBitsToDouble(bits));
    return "constant "
        + (nan ? String.format(Locale.ROOT, "nan 0x%016x", bits) : Scalars.text(node.type(), bits));
  }
}
