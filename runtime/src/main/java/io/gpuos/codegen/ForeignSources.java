package io.gpuos.codegen;

import io.gpuos.ir.ForeignFunction;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Writes the sources of a kernel's foreign functions into the kernel's source. Each stands in an
 * unnamed namespace of its own, once, under its own file name and line numbers, and is followed by
 * a function {@code call} that holds it to its signature. Names clash neither between sources nor
 * with GPUOS, nothing is visible outside the operator, and macros end with the source.
 */
final class ForeignSources {

  /** File in which the compiler reports a function that is missing or has other parameters. */
  static final String SIGNATURE_FILE = "signature of ";

  private static final Pattern MACRO =
      Pattern.compile("^[ \\t]*#[ \\t]*define[ \\t]+(\\w+)", Pattern.MULTILINE);

  private final Map<ForeignFunction, String> namespaces = new LinkedHashMap<>();

  ForeignSources(Kernel kernel) {
    for (Node node : kernel.nodes()) {
      if (node instanceof Node.Foreign foreign) {
        namespaces.computeIfAbsent(foreign.function(), _ -> "gpuos_foreign_" + namespaces.size());
      }
    }
  }

  /** Everything the calls need, empty without foreign functions. */
  String declarations() {
    StringBuilder out = new StringBuilder();
    namespaces.forEach((function, namespace) -> declare(function, namespace, out));
    if (!namespaces.isEmpty()) {
      out.append("#line 1 \"operator.cu\"\n");
    }
    return out.toString();
  }

  private static void declare(ForeignFunction function, String namespace, StringBuilder out) {
    out.append("namespace {\nnamespace ").append(namespace).append(" {\n");
    out.append("#line 1 ").append(quoted(function.file())).append('\n');
    // A line of its own even after a backslash, or a comment without an end of line.
    out.append(function.source()).append("\n\n");
    Matcher macro = MACRO.matcher(function.source());
    while (macro.find()) {
      out.append("#undef ").append(macro.group(1)).append('\n');
    }
    String name = function.name();
    String result = CudaType.of(function.result()).text();
    List<DType> types =
        function.parameters().stream().map(ForeignFunction.Parameter::type).toList();
    out.append("#line 1 ").append(quoted(SIGNATURE_FILE + function.signature())).append('\n');
    out.append(
        "__device__ __forceinline__ %s gpuos_call(%s) {\n".formatted(result, list(types, true)));
    out.append(
        "  %s (*const gpuos_function)(%s) = %s;\n".formatted(result, list(types, false), name));
    out.append("  return gpuos_function(%s);\n}\n".formatted(arguments(types.size())));
    out.append("}  // namespace ").append(namespace).append("\n}  // namespace\n");
  }

  private static String list(List<DType> types, boolean named) {
    return IntStream.range(0, types.size())
        .mapToObj(k -> CudaType.of(types.get(k)).text() + (named ? " gpuos_a" + k : ""))
        .collect(Collectors.joining(", "));
  }

  private static String arguments(int count) {
    return IntStream.range(0, count).mapToObj(k -> "gpuos_a" + k).collect(Collectors.joining(", "));
  }

  private static String quoted(String file) {
    String safe = file.replaceAll("\\p{Cntrl}", "?");
    return '"' + safe.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  /** What calls the function, without its arguments. */
  String callee(ForeignFunction function) {
    return namespaces.get(function) + "::gpuos_call";
  }
}
