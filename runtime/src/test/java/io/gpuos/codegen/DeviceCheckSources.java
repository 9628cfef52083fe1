package io.gpuos.codegen;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Verifier;
import io.gpuos.layout.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Writes what {@code bench/device/check_ops} is compiled from: the rendered sources of every
 * function, conversion, reducer and some fused kernels, a reference for each in plain C++ of higher
 * precision, and the device headers.
 *
 * <p>Usage: {@code DeviceCheckSources FOLDER}.
 */
public final class DeviceCheckSources {

  /** Kernels a file: small enough to compile several files at once. */
  private static final int CHUNK = 24;

  private final Path folder;

  private DeviceCheckSources(Path folder) {
    this.folder = folder;
  }

  /** Writes all sources into the folder named by the only argument. */
  public static void main(String[] arguments) throws IOException {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    kernels.putAll(DeviceKernels.composites());
    kernels.putAll(DeviceKernels.functions());
    kernels.putAll(DeviceKernels.conversions());
    kernels.putAll(DeviceKernels.reductions());
    write(Path.of(arguments[0]), kernels);
    System.out.println(kernels.size() + " kernels written to " + arguments[0]);
  }

  /** Writes the sources for {@code kernels} into {@code folder}, which is made if need be. */
  static void write(Path folder, Map<String, Kernel> kernels) throws IOException {
    new DeviceCheckSources(folder).write(kernels);
  }

  private void write(Map<String, Kernel> kernels) throws IOException {
    Files.createDirectories(folder);
    for (Map.Entry<String, String> header : DeviceSources.headers().entrySet()) {
      Files.writeString(folder.resolve(header.getKey()), header.getValue());
    }
    List<String> names = new ArrayList<>(kernels.keySet());
    int chunks = (names.size() + CHUNK - 1) / CHUNK;
    for (int chunk = 0; chunk < chunks; chunk++) {
      List<String> part = names.subList(chunk * CHUNK, Math.min(names.size(), (chunk + 1) * CHUNK));
      Files.writeString(folder.resolve("ops_" + chunk + ".cu"), device(chunk, part, kernels));
    }
    Files.writeString(folder.resolve("cases.cpp"), cases(names, chunks, kernels));
  }

  private static String device(int chunk, List<String> names, Map<String, Kernel> kernels) {
    StringBuilder out = new StringBuilder();
    out.append("#include \"gpuos_elementwise.cuh\"\n#include \"gpuos_reduce.cuh\"\n");
    out.append("#include \"check_device.h\"\n");
    for (String name : names) {
      // The headers' include guards make the includes of each source do nothing here.
      out.append("\n#define gpuos_op gpuos_op_").append(name).append("\nnamespace op_");
      out.append(name).append(" {\n").append(CudaGenerator.render(kernels.get(name)));
      out.append("}\n#undef gpuos_op\n");
    }
    out.append("\nCHECK_CHUNK(").append(chunk);
    names.forEach(name -> out.append(", op_").append(name).append("::gpuos_op_").append(name));
    return out.append(")\n").toString();
  }

  private static String cases(List<String> names, int chunks, Map<String, Kernel> kernels) {
    StringBuilder out = new StringBuilder("#include \"check_reference.h\"\n\n");
    names.forEach(name -> reference(out, name, kernels.get(name)));
    for (int chunk = 0; chunk < chunks; chunk++) {
      out.append("void run_chunk_").append(chunk).append("(const Run&);\n");
    }
    out.append("\nconst std::vector<Case> cases = {\n");
    for (int i = 0; i < names.size(); i++) {
      out.append("    ").append(entry(names.get(i), i, kernels.get(names.get(i)))).append(",\n");
    }
    return out.append("};\n").toString();
  }

  private static String entry(String name, int index, Kernel kernel) {
    String operands =
        kernel.operands().stream()
            .map(DeviceCheckSources::operand)
            .collect(Collectors.joining(", ", "{", "}"));
    String fold = "\"\", 0";
    if (kernel instanceof Kernel.Reduction reduction) {
      DType value = reduction.nodes().get(reduction.value()).type();
      fold =
          "\"%s\", %s, Type::%s"
              .formatted(reduction.reducer().functionName(), literal(reduction.parameter()), value);
    } else {
      fold += ", Type::F64";
    }
    return "{\"%s\", run_chunk_%d, %d, %s, reference_%s, %s}"
        .formatted(name, index / CHUNK, index % CHUNK, operands, name, fold);
  }

  private static String operand(Operand operand) {
    String role = operand.role().name().toLowerCase(Locale.ROOT);
    return "{Role::" + role + ", Type::" + operand.type() + "}";
  }

  private static void reference(StringBuilder out, String name, Kernel kernel) {
    Verifier.verify(kernel);
    out.append("static void reference_").append(name).append("(const Cell* in, Cell* out) {\n");
    for (int i = 0; i < kernel.nodes().size(); i++) {
      Node node = kernel.nodes().get(i);
      out.append("  const %s v%d = %s;\n".formatted(type(node.type()), i, value(kernel, node)));
    }
    switch (kernel) {
      case Kernel.Elementwise elementwise ->
          elementwise
              .stores()
              .forEach(
                  s -> out.append("  out[%d] = Cell(v%d);\n".formatted(s.operand(), s.node())));
      case Kernel.Reduction reduction ->
          out.append("  out[0] = Cell(v%d);\n".formatted(reduction.value()));
    }
    out.append("}\n\n");
  }

  private static String value(Kernel kernel, Node node) {
    return switch (node) {
      case Node.Load load -> "in[%d].%s".formatted(load.operand(), member(load.type()));
      case Node.Constant constant -> constant(constant);
      case Node.Convert convert ->
          "ref::convert<Type::%s>(v%d)".formatted(convert.type(), convert.argument());
      case Node.Foreign foreign -> throw new IllegalArgumentException(foreign.toString());
      case Node.Apply apply -> {
        DType type = kernel.nodes().get(apply.arguments().getLast()).type();
        String arguments =
            apply.arguments().stream().map(i -> "v" + i).collect(Collectors.joining(", "));
        String call = "ref::" + apply.function().functionName() + "(" + arguments + ")";
        if (apply.function().name().startsWith("SHIFT")) {
          call = call.replace(")", ", " + 8 * type.bytes() + ")");
        }
        yield apply.type().isIntegral()
            ? "ref::convert<Type::" + apply.type() + ">(" + call + ")"
            : call;
      }
    };
  }

  private static String constant(Node.Constant constant) {
    return constant.type().isFloating()
        ? literal(Double.longBitsToDouble(constant.bits()))
        : "(%s)0x%xull".formatted(type(constant.type()), constant.bits());
  }

  private static String literal(double value) {
    if (Double.isFinite(value)) {
      return Double.toHexString(value);
    }
    return Double.isNaN(value) ? "NAN" : value > 0 ? "INFINITY" : "-INFINITY";
  }

  private static String type(DType type) {
    return type.isFloating() ? "real" : type == DType.BOOL ? "bool" : "long long";
  }

  private static String member(DType type) {
    return type.isFloating() ? "r" : type == DType.BOOL ? "i != 0" : "i";
  }
}
