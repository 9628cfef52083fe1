package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Writes a kernel as CUDA C++: a body with one line per node, handed to the templates of the device
 * headers, behind the entry {@value #ENTRY} that workers call.
 *
 * <p>Pure and deterministic: equal kernels give equal text, which is what compiled forms are cached
 * by. Every function is rendered as a call into {@code gpuos_math.cuh}, never as an operator: there
 * sums are not contracted with products and integers wrap, which C++ operators do not promise.
 */
public final class CudaGenerator {

  /** Name of the device function every source defines. */
  public static final String ENTRY = "gpuos_op";

  private final Kernel kernel;
  private final ForeignSources foreign;
  private final StringBuilder out = new StringBuilder(1024);

  private CudaGenerator(Kernel kernel) {
    this.kernel = kernel;
    this.foreign = new ForeignSources(kernel);
  }

  /**
   * The source of {@code kernel}. Compile it with the device headers beside it and {@code
   * --std=c++17}, relocatable.
   */
  public static String render(Kernel kernel) {
    return new CudaGenerator(kernel).source();
  }

  private String source() {
    String form =
        switch (kernel) {
          case Kernel.Elementwise _ -> "elementwise";
          case Kernel.Reduction _ -> "reduce";
          case Kernel.Contraction _ -> "matmul";
        };
    line("#include \"gpuos_" + form + ".cuh\"");
    line("");
    out.append(foreign.declarations());
    body();
    line("");
    line("extern \"C\" __device__ void " + ENTRY);
    line("    (const gpuos_task* task, const gpuos_space* space, char* scratch,");
    line("     unsigned long long) {");
    boolean linear = kernel instanceof Kernel.Elementwise elementwise && elementwise.linear();
    line("  gpuos::" + form + (linear ? "_linear<Body>(task);" : "<Body>(task, space, scratch);"));
    line("}");
    return out.toString();
  }

  private void body() {
    parameter();
    line("struct Body {");
    operands();
    if (kernel instanceof Kernel.Reduction reduction) {
      line("  using reducer = " + reducer(reduction) + ";");
    }
    line("  static constexpr int weight = " + CudaWeights.of(kernel) + ";");
    line("");
    line("  template <class E>");
    switch (kernel) {
      case Kernel.Elementwise elementwise -> {
        line("  static __device__ __forceinline__ void apply(const E& e) {");
        nodes();
        for (Kernel.Store store : elementwise.stores()) {
          line("    gpuos::set<" + store.operand() + ">(e, v" + store.node() + ");");
        }
      }
      case Kernel.Reduction reduction -> {
        DType type = kernel.nodes().get(reduction.value()).type();
        line(
            "  static __device__ __forceinline__ "
                + CudaType.of(type).text()
                + " value(const E& e) {");
        nodes();
        line("    return v" + reduction.value() + ";");
      }
      case Kernel.Contraction contraction -> {
        line("  static __device__ __forceinline__ void apply(const E& e) {");
        nodes();
        int output = contraction.operands().size() - 1;
        line("    gpuos::set<" + output + ">(e, v" + contraction.value() + ");");
      }
    }
    line("  }");
    line("};");
  }

  private void operands() {
    line("  using operands = gpuos::Operands<");
    List<Operand> operands = kernel.operands();
    for (int i = 0; i < operands.size(); i++) {
      Operand operand = operands.get(i);
      String kind =
          switch (operand.role()) {
            case INPUT -> "Input";
            case SCALAR -> "Scalar";
            case OUTPUT -> "Output";
          };
      String end = i + 1 < operands.size() ? "," : ">;";
      line("      gpuos::" + kind + "<gpuos::" + operand.type() + ">" + end + "  // " + i);
    }
  }

  private void nodes() {
    List<Node> nodes = kernel.nodes();
    for (int i = 0; i < nodes.size(); i++) {
      Node node = nodes.get(i);
      line(
          "    const "
              + CudaType.of(node.type()).text()
              + " v"
              + i
              + " = "
              + expression(node)
              + ";");
    }
  }

  private String expression(Node computed) {
    return switch (computed) {
      case Node.Load load -> "gpuos::get<" + load.operand() + ">(e)";
      case Node.Constant constant -> CudaLiterals.of(constant);
      case Node.Convert convert ->
          String.format(
              Locale.ROOT, "gpuos::convert<gpuos::%s>(v%d)", convert.type(), convert.argument());
      case Node.Apply apply -> call(apply.function().cudaName(), apply.arguments(), apply.type());
      case Node.Foreign node ->
          call(foreign.callee(node.function()), node.arguments(), node.type());
    };
  }

  private static String call(String function, List<Integer> arguments, DType type) {
    String call =
        arguments.stream().map(i -> "v" + i).collect(Collectors.joining(", ", function + "(", ")"));
    return isNarrow(type) ? "gpuos::" + type + "::wrap(" + call + ")" : call;
  }

  /** Computed in more bits than it has, so every result is cut to its width. */
  private static boolean isNarrow(DType type) {
    return type.isIntegral() && type.bytes() < 4;
  }

  /** The order of a norm or the correction of a variance, for the reducers that take one. */
  private void parameter() {
    if (kernel instanceof Kernel.Reduction reduction && takesParameter(reduction)) {
      line("struct Parameter {");
      line("  static __device__ __forceinline__ double value() {");
      line("    return " + CudaLiterals.of(reduction.parameter()) + ";");
      line("  }");
      line("};");
      line("");
    }
  }

  /** Whether the reducer is told the kernel's parameter, rather than chosen by it. */
  static boolean takesParameter(Kernel.Reduction reduction) {
    return switch (reduction.reducer()) {
      case VAR, STD -> true;
      case NORM -> norm(reduction.parameter()).equals("NormP");
      default -> false;
    };
  }

  private static String reducer(Kernel.Reduction reduction) {
    DType type = reduction.nodes().get(reduction.value()).type();
    String name = reducerName(reduction);
    if (reduction.reducer() == Reducer.ANY || reduction.reducer() == Reducer.ALL) {
      return "gpuos::" + name;
    }
    List<String> arguments = new ArrayList<>(List.of(accumulator(reduction.reducer(), type)));
    if (takesParameter(reduction)) {
      arguments.add("Parameter");
    }
    return "gpuos::" + name + "<" + String.join(", ", arguments) + ">";
  }

  private static String reducerName(Kernel.Reduction reduction) {
    return switch (reduction.reducer()) {
      case SUM -> "Sum";
      case MEAN -> "Mean";
      case PROD -> "Prod";
      case MAX -> "Max";
      case MIN -> "Min";
      case ARGMAX -> "ArgMax";
      case ARGMIN -> "ArgMin";
      case ANY -> "Any";
      case ALL -> "All";
      case NORM -> norm(reduction.parameter());
      case VAR -> "Variance";
      case STD -> "Deviation";
    };
  }

  private static String norm(double order) {
    if (order == 0) {
      return "Norm0";
    } else if (order == 1) {
      return "Norm1";
    } else if (order == 2) {
      return "Norm2";
    } else if (order == Double.POSITIVE_INFINITY) {
      return "NormMax";
    } else if (order == Double.NEGATIVE_INFINITY) {
      return "NormMin";
    }
    return "NormP";
  }

  /** What partial results are kept in: 64 bits for sums of integers, else the computed type. */
  private static String accumulator(Reducer reducer, DType type) {
    boolean sums = reducer == Reducer.SUM || reducer == Reducer.PROD;
    boolean orders = !sums && type == DType.BOOL;
    if (orders) {
      return "int";
    }
    return sums && !type.isFloating() ? "long long" : CudaType.of(type).text();
  }

  private void line(String text) {
    out.append(text).append('\n');
  }
}
