package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;

/**
 * Writes a rows kernel as CUDA C++ for the template of {@code gpuos_rows.cuh}. Values that are one
 * a row are fields of a struct, which every thread of a row's team has a copy of; each is computed
 * as soon as the folds it depends on are done, and used by the code for elements.
 */
final class CudaRows {

  private final Kernel.Rows kernel;
  private final boolean[] perRow;
  private final List<Integer> folds = new ArrayList<>();

  /** For each node that is per row, how many folds have to be done before it is known. */
  private final int[] known;

  private final ForeignSources foreign;
  private final CudaNodes nodes;
  private final StringBuilder out = new StringBuilder(2048);

  private CudaRows(Kernel.Rows kernel) {
    this.kernel = kernel;
    this.perRow = kernel.nodesPerRow();
    this.known = new int[kernel.nodes().size()];
    for (int node = 0; node < known.length; node++) {
      if (kernel.nodes().get(node) instanceof Node.Fold) {
        folds.add(node);
        known[node] = folds.size();
      } else {
        for (int argument : LoopPlan.arguments(kernel.nodes().get(node))) {
          known[node] = Math.max(known[node], known[argument]);
        }
      }
    }
    this.foreign = new ForeignSources(kernel);
    this.nodes = new CudaNodes(kernel, foreign, this::name);
  }

  /** The source; pure and deterministic as all of {@link CudaGenerator}. */
  static String render(Kernel.Rows kernel) {
    return new CudaRows(kernel).source();
  }

  private String source() {
    line("#include \"gpuos_rows.cuh\"");
    line("");
    out.append(foreign.declarations());
    for (int k = 0; k < folds.size(); k++) {
      Node.Fold fold = fold(k);
      out.append(CudaReducers.parameter("Parameter" + k, fold.reducer(), fold.parameter()));
    }
    operands("Elements", false);
    operands("PerRow", true);
    row();
    for (int k = 0; k < folds.size(); k++) {
      phase(k);
    }
    body();
    line("");
    line(CudaGenerator.CALLED + CudaGenerator.ENTRY);
    line("    (const gpuos_task* task, const gpuos_space* space, char* scratch,");
    line("     unsigned long long) {");
    line("  gpuos::rows<Body>(task, space, scratch);");
    line("}");
    return out.toString();
  }

  private Node.Fold fold(int k) {
    return (Node.Fold) kernel.nodes().get(folds.get(k));
  }

  /** The operands with one element a row, or the others; those not meant hold their place. */
  private void operands(String name, boolean wanted) {
    line("struct " + name + " {");
    line("  using operands = gpuos::Operands<");
    List<Operand> operands = kernel.operands();
    for (int i = 0; i < operands.size(); i++) {
      boolean skipped =
          operands.get(i).role() != Role.SCALAR && kernel.perRow().contains(i) != wanted;
      String kind = skipped ? "gpuos::Scalar<gpuos::I64>" : CudaNodes.kind(operands.get(i));
      String note = skipped ? ", not one of these" : "";
      line("      " + kind + (i + 1 < operands.size() ? "," : ">;") + "  // " + i + note);
    }
    line("};");
    line("");
  }

  /** Values that are one a row, but for constants, which are written where they are used. */
  private void row() {
    line("struct Row {");
    for (int node = 0; node < perRow.length; node++) {
      if (isField(node)) {
        line(String.format(Locale.ROOT, "  %s v%d;", text(type(node)), node));
      }
    }
    line("};");
    line("");
  }

  private boolean isField(int node) {
    return perRow[node] && !(kernel.nodes().get(node) instanceof Node.Constant);
  }

  private String name(int node) {
    return (isField(node) ? "row.v" : "v") + node;
  }

  private void phase(int k) {
    Node.Fold fold = fold(k);
    DType type = type(fold.argument());
    line("struct Phase" + k + " {");
    String reducer = CudaReducers.of(fold.reducer(), type, fold.parameter(), "Parameter" + k);
    line("  using reducer = " + reducer + ";");
    line("  using result = gpuos::" + fold.type() + ";");
    elementFunction(text(type) + " value", List.of(fold.argument()));
    line("    return " + name(fold.argument()) + ";");
    line("  }");
    line("  static __device__ __forceinline__ void keep(Row& row, result::value x) {");
    line("    row.v" + folds.get(k) + " = x;");
    int done = k + 1;
    fields(node -> known[node] == done && node != folds.get(done - 1));
    line("  }");
    line("};");
    line("");
  }

  private void body() {
    List<Store> stores = kernel.stores();
    List<Store> rowStores = stores.stream().filter(kernel::isPerRow).toList();
    List<Store> elementStores = stores.stream().filter(s -> !kernel.isPerRow(s)).toList();
    line("struct Body {");
    line("  using elements = Elements;");
    line("  using per_row = PerRow;");
    line("  using row = Row;");
    String phases =
        folds.stream().map(fold -> "Phase" + folds.indexOf(fold)).collect(Collectors.joining(", "));
    line("  using phases = gpuos::Phases<" + phases + ">;");
    line("  static constexpr int weight = " + CudaWeights.of(kernel) + ";");
    line("  static constexpr bool writes_elements = " + !elementStores.isEmpty() + ";");
    line("  static constexpr bool writes_rows = " + !rowStores.isEmpty() + ";");
    line("");
    line("  template <class E>");
    line("  static __device__ __forceinline__ void begin(const E& e, Row& row) {");
    fields(node -> known[node] == 0);
    line("  }");
    elementFunction("void apply", elementStores.stream().map(Store::node).toList());
    stores(elementStores);
    line("  }");
    line("  template <class E>");
    line("  static __device__ __forceinline__ void end(const E& e, const Row& row) {");
    constants(rowStores.stream().map(Store::node).toList());
    stores(rowStores);
    line("  }");
    line("};");
  }

  private void stores(List<Store> stores) {
    for (Store store : stores) {
      line("    gpuos::set<" + store.operand() + ">(e, " + name(store.node()) + ");");
    }
  }

  /** Computes fields of the row, with the constants they need. */
  private void fields(IntPredicate wanted) {
    List<Integer> fields = new ArrayList<>();
    for (int node = 0; node < perRow.length; node++) {
      if (isField(node) && wanted.test(node)) {
        fields.add(node);
      }
    }
    constants(
        fields.stream()
            .flatMap(field -> LoopPlan.arguments(kernel.nodes().get(field)).stream())
            .toList());
    for (int field : fields) {
      line("    row.v" + field + " = " + nodes.expression(field) + ";");
    }
  }

  private void constants(Collection<Integer> among) {
    for (int node : new TreeSet<>(among)) {
      if (kernel.nodes().get(node) instanceof Node.Constant) {
        line("    " + nodes.line(node));
      }
    }
  }

  /** Starts a function of an element, and computes everything that {@code roots} need there. */
  private void elementFunction(String declaration, List<Integer> roots) {
    line("  template <class E>");
    line("  static __device__ __forceinline__ " + declaration + "(const E& e, const Row& row) {");
    boolean[] needed = new boolean[perRow.length];
    roots.forEach(root -> needed[root] = true);
    for (int node = perRow.length - 1; node >= 0; node--) {
      if (needed[node] && !perRow[node]) {
        LoopPlan.arguments(kernel.nodes().get(node)).forEach(argument -> needed[argument] = true);
      }
    }
    for (int node = 0; node < perRow.length; node++) {
      if (needed[node] && !isField(node)) {
        line("    " + nodes.line(node));
      }
    }
  }

  private DType type(int node) {
    return kernel.nodes().get(node).type();
  }

  private static String text(DType type) {
    return CudaType.of(type).text();
  }

  private void line(String text) {
    out.append(text).append('\n');
  }
}
