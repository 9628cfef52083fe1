package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Locale;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/** Writes single nodes of a kernel in CUDA C++, and the kinds of its operands. */
final class CudaNodes {

  private final Kernel kernel;
  private final ForeignSources foreign;
  private final IntFunction<String> name;

  /**
   * @param name what a node that has been computed is called
   */
  CudaNodes(Kernel kernel, ForeignSources foreign, IntFunction<String> name) {
    this.kernel = kernel;
    this.foreign = foreign;
    this.name = name;
  }

  /** What the device headers call an operand. */
  static String kind(Operand operand) {
    String kind =
        switch (operand.role()) {
          case INPUT -> "Input";
          case SCALAR -> "Scalar";
          case OUTPUT -> "Output";
        };
    return "gpuos::" + kind + "<gpuos::" + operand.type() + ">";
  }

  /** Declares the local variable {@code v} of a node. */
  String line(int node) {
    return String.format(
        Locale.ROOT,
        "const %s v%d = %s;",
        CudaType.of(kernel.nodes().get(node).type()).text(),
        node,
        expression(node));
  }

  /** The value of a node, from operands of the element {@code e} and other nodes. */
  String expression(int node) {
    return switch (kernel.nodes().get(node)) {
      case Node.Load load -> "gpuos::get<" + load.operand() + ">(e)";
      case Node.Constant constant -> CudaLiterals.of(constant);
      case Node.Convert convert ->
          "gpuos::convert<gpuos::%s>(%s)".formatted(convert.type(), name.apply(convert.argument()));
      case Node.Apply apply -> call(apply.function().cudaName(), apply.arguments(), apply.type());
      case Node.Foreign call ->
          call(foreign.callee(call.function()), call.arguments(), call.type());
      case Node.Fold _ -> throw new IllegalArgumentException("folded elsewhere: node=" + node);
    };
  }

  private String call(String function, List<Integer> arguments, DType type) {
    String call =
        arguments.stream().map(name::apply).collect(Collectors.joining(", ", function + "(", ")"));
    return isNarrow(type) ? "gpuos::" + type + "::wrap(" + call + ")" : call;
  }

  /** Computed in more bits than it has, so every result is cut to its width. */
  private static boolean isNarrow(DType type) {
    return type.isIntegral() && type.bytes() < 4;
  }
}
