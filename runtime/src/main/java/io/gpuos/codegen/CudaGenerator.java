package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;

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

  /** What precedes its name: it is called as workers call. */
  static final String CALLED = "GPUOS_CALLED extern \"C\" __device__ void ";

  private final Kernel kernel;
  private final ForeignSources foreign;
  private final CudaNodes nodes;
  private final StringBuilder out = new StringBuilder(1024);

  private CudaGenerator(Kernel kernel) {
    this.kernel = kernel;
    this.foreign = new ForeignSources(kernel);
    this.nodes = new CudaNodes(kernel, foreign, node -> "v" + node);
  }

  /**
   * The source of {@code kernel}. Compile it with the device headers beside it and {@code
   * --std=c++17}, relocatable.
   */
  public static String render(Kernel kernel) {
    return kernel instanceof Kernel.Rows rows
        ? CudaRows.render(rows)
        : new CudaGenerator(kernel).source();
  }

  private String source() {
    String form =
        switch (kernel) {
          case Kernel.Elementwise _ -> "elementwise";
          case Kernel.Reduction _ -> "reduce";
          case Kernel.Rows _ -> throw new IllegalArgumentException("see CudaRows");
          case Kernel.Contraction _ -> "matmul";
          case Kernel.Attention _ -> "attention";
          case Kernel.Gather _ -> "gather";
          case Kernel.Scan _ -> "scan";
          case Kernel.Scatter _ -> "scatter";
        };
    line("#include \"gpuos_" + form + ".cuh\"");
    line("");
    out.append(foreign.declarations());
    body();
    line("");
    line(CALLED + ENTRY);
    line("    (const gpuos_task* task, const gpuos_space* space, char* scratch,");
    line("     unsigned long long) {");
    boolean linear = kernel instanceof Kernel.Elementwise elementwise && elementwise.linear();
    line("  gpuos::" + form + (linear ? "_linear<Body>(task);" : "<Body>(task, space, scratch);"));
    line("}");
    return out.toString();
  }

  private void body() {
    if (kernel instanceof Kernel.Reduction reduction) {
      out.append(CudaReducers.parameter("Parameter", reduction.reducer(), reduction.parameter()));
    }
    line("struct Body {");
    operands();
    if (kernel instanceof Kernel.Scatter scatter) {
      line("  static constexpr bool adds = " + scatter.adds() + ";");
      line("  static constexpr bool wraps = " + scatter.wraps() + ";");
      line("};");
      return;
    }
    if (kernel instanceof Kernel.Scan scan) {
      line("  static constexpr bool exclusive = " + scan.exclusive() + ";");
    }
    if (kernel instanceof Kernel.Reduction reduction) {
      DType type = kernel.nodes().get(reduction.value()).type();
      String reducer =
          CudaReducers.of(reduction.reducer(), type, reduction.parameter(), "Parameter");
      line("  using reducer = " + reducer + ";");
    }
    if (kernel instanceof Kernel.Attention attention) {
      line("  static constexpr bool masked = " + attention.masked() + ";");
      line("  static constexpr bool causal = " + attention.causal() + ";");
      String scale = CudaLiterals.of((float) attention.scale());
      line("  static __device__ __forceinline__ float scale() { return " + scale + "; }");
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
      case Kernel.Reduction reduction -> value(reduction.value());
      case Kernel.Scan scan -> value(scan.value());
      case Kernel.Scatter _ -> throw new IllegalArgumentException("has no value");
      case Kernel.Rows _ -> throw new IllegalArgumentException("see CudaRows");
      case Kernel.Contraction contraction -> epilogue(contraction.value());
      case Kernel.Attention attention -> epilogue(attention.value());
      case Kernel.Gather gather -> epilogue(gather.value());
    }
    line("  }");
    line("};");
  }

  private void value(int value) {
    String type = CudaType.of(kernel.nodes().get(value).type()).text();
    line("  static __device__ __forceinline__ " + type + " value(const E& e) {");
    nodes();
    line("    return v" + value + ";");
  }

  private void epilogue(int value) {
    line("  static __device__ __forceinline__ void apply(const E& e) {");
    nodes();
    line("    gpuos::set<" + (kernel.operands().size() - 1) + ">(e, v" + value + ");");
  }

  private void operands() {
    line("  using operands = gpuos::Operands<");
    int last = kernel.operands().size() - 1;
    for (int i = 0; i <= last; i++) {
      line(
          "      "
              + CudaNodes.kind(kernel.operands().get(i))
              + (i < last ? "," : ">;")
              + "  // "
              + i);
    }
  }

  private void nodes() {
    for (int i = 0; i < kernel.nodes().size(); i++) {
      line("    " + nodes.line(i));
    }
  }

  private void line(String text) {
    out.append(text).append('\n');
  }
}
