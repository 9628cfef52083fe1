package io.gpuos.codegen;

import io.gpuos.device.cuda.DeviceSources;
import io.gpuos.interpret.InterpreterProgram;
import io.gpuos.interpret.NotInterpretable;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Verifier;
import io.gpuos.layout.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * Writes what {@code bench/device/check_ops} is compiled from: the rendered sources of every
 * function, conversion, reducer and some fused kernels, a reference for each in plain C++ of higher
 * precision, the elementwise ones as programs for the interpreter, and the device headers.
 *
 * <p>Usage: {@code DeviceCheckSources FOLDER}.
 */
public final class DeviceCheckSources {

  /** Kernels a file: small enough to compile several files at once. */
  private static final int CHUNK = 24;

  /** How a kernel is checked; elementwise ones are interpreted in any case. */
  enum Check {
    /** Compiled, interpreted, and both compared with the reference. */
    ALL,
    /** Compiled and interpreted: for kernels in which the rounding of many nodes adds up. */
    WITHOUT_REFERENCE,
    /** Interpreted and compared with the reference: takes no time to compile. */
    WITHOUT_COMPILING
  }

  private final Path folder;
  private final Map<String, Kernel> kernels;
  private final Map<String, Check> checks;

  private DeviceCheckSources(Path folder, Map<String, Kernel> kernels, Map<String, Check> checks) {
    this.folder = folder;
    this.kernels = kernels;
    this.checks = checks;
  }

  /** Writes all sources into the folder named by the only argument. */
  public static void main(String[] arguments) throws IOException {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    kernels.putAll(DeviceKernels.composites());
    kernels.putAll(DeviceKernels.functions());
    kernels.putAll(DeviceKernels.conversions());
    kernels.putAll(DeviceKernels.reductions());
    Map<String, Kernel> mixed = DeviceKernels.mixed();
    kernels.putAll(mixed);
    Map<String, Check> checks = new HashMap<>();
    mixed.keySet().forEach(name -> checks.put(name, Check.WITHOUT_REFERENCE));
    write(Path.of(arguments[0]), kernels, checks);
    System.out.println(kernels.size() + " kernels written to " + arguments[0]);
  }

  /**
   * Writes the sources for {@code kernels} into {@code folder}, which is made if need be.
   *
   * @param checks how kernels are checked, by name; those not in it by {@link Check#ALL}
   */
  static void write(Path folder, Map<String, Kernel> kernels, Map<String, Check> checks)
      throws IOException {
    new DeviceCheckSources(folder, kernels, checks).write();
  }

  private Check check(String name) {
    return checks.getOrDefault(name, Check.ALL);
  }

  private void write() throws IOException {
    Files.createDirectories(folder);
    for (Map.Entry<String, String> header : DeviceSources.headers().entrySet()) {
      Files.writeString(folder.resolve(header.getKey()), header.getValue());
    }
    List<String> compiled =
        kernels.keySet().stream().filter(name -> check(name) != Check.WITHOUT_COMPILING).toList();
    int chunks = (compiled.size() + CHUNK - 1) / CHUNK;
    for (int chunk = 0; chunk < chunks; chunk++) {
      int end = Math.min(compiled.size(), (chunk + 1) * CHUNK);
      List<String> part = compiled.subList(chunk * CHUNK, end);
      Files.writeString(folder.resolve("ops_" + chunk + ".cu"), device(chunk, part));
    }
    Files.writeString(folder.resolve("ops_interpreted.cu"), interpreter());
    Files.writeString(folder.resolve("cases.cpp"), cases(compiled, chunks));
  }

  private String device(int chunk, List<String> names) {
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

  private static String interpreter() {
    return "#define gpuos_op gpuos_op_interpret\n"
        + DeviceSources.interpreter()
        + "#undef gpuos_op\n#include \"check_device.h\"\nCHECK_INTERPRETER\n";
  }

  private String cases(List<String> compiled, int chunks) {
    StringBuilder out = new StringBuilder("#include \"check_reference.h\"\n\n");
    kernels.forEach(
        (name, kernel) -> {
          Verifier.verify(kernel);
          if (check(name) != Check.WITHOUT_REFERENCE) {
            reference(out, name, kernel);
          }
        });
    for (int chunk = 0; chunk < chunks; chunk++) {
      out.append("void run_chunk_").append(chunk).append("(const Run&);\n");
    }
    out.append("\nconst std::vector<Case> cases = {\n");
    for (String name : kernels.keySet()) {
      out.append("    ").append(entry(name, compiled.indexOf(name))).append(",\n");
    }
    return out.append("};\n").toString();
  }

  private String entry(String name, int index) {
    Kernel kernel = kernels.get(name);
    String operands =
        kernel.operands().stream()
            .map(DeviceCheckSources::operand)
            .collect(Collectors.joining(", ", "{", "}"));
    String fold = "\"\", 0, Type::F64";
    if (kernel instanceof Kernel.Reduction reduction) {
      DType value = reduction.nodes().get(reduction.value()).type();
      fold =
          "\"%s\", %s, Type::%s"
              .formatted(reduction.reducer().functionName(), literal(reduction.parameter()), value);
    }
    String run =
        index < 0
            ? "nullptr, 0"
            : String.format(Locale.ROOT, "run_chunk_%d, %d", index / CHUNK, index % CHUNK);
    String reference = check(name) == Check.WITHOUT_REFERENCE ? "nullptr" : "reference_" + name;
    return "{\"%s\", %s, %s, %s, %s, %s}"
        .formatted(name, run, operands, reference, fold, program(kernel));
  }

  private static String program(Kernel kernel) {
    if (kernel instanceof Kernel.Reduction) {
      return "{}";
    }
    LongBuffer words =
        switch (InterpreterProgram.encode(kernel)) {
          case InterpreterProgram program ->
              ByteBuffer.wrap(program.bytes()).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
          case NotInterpretable(String reason) ->
              throw new IllegalStateException(reason + "; kernel=" + kernel);
        };
    return LongStream.generate(words::get)
        .limit(words.remaining())
        .mapToObj(word -> String.format(Locale.ROOT, "0x%xull", word))
        .collect(Collectors.joining(", ", "{", "}"));
  }

  private static String operand(Operand operand) {
    String role = operand.role().name().toLowerCase(Locale.ROOT);
    return "{Role::" + role + ", Type::" + operand.type() + "}";
  }

  private static void reference(StringBuilder out, String name, Kernel kernel) {
    out.append("static void reference_").append(name).append("(const Cell* in, Cell* out) {\n");
    for (int i = 0; i < kernel.nodes().size(); i++) {
      Node node = kernel.nodes().get(i);
      out.append(
          String.format(
              Locale.ROOT, "  const %s v%d = %s;\n", type(node.type()), i, value(kernel, node)));
    }
    switch (kernel) {
      case Kernel.Elementwise elementwise ->
          elementwise
              .stores()
              .forEach(
                  s ->
                      out.append(
                          String.format(
                              Locale.ROOT, "  out[%d] = Cell(v%d);\n", s.operand(), s.node())));
      case Kernel.Reduction reduction ->
          out.append(String.format(Locale.ROOT, "  out[0] = Cell(v%d);\n", reduction.value()));
      case Kernel.Rows rows -> throw new IllegalArgumentException(rows.toString());
      case Kernel.Contraction _,
          Kernel.Attention _,
          Kernel.Gather _,
          Kernel.Scan _,
          Kernel.Scatter _ ->
          throw new IllegalArgumentException("checked by conformance: " + name);
    }
    out.append("}\n\n");
  }

  private static String value(Kernel kernel, Node node) {
    return switch (node) {
      case Node.Load load ->
          String.format(Locale.ROOT, "in[%d].%s", load.operand(), member(load.type()));
      case Node.Constant constant -> constant(constant);
      case Node.Convert convert ->
          String.format(
              Locale.ROOT, "ref::convert<Type::%s>(v%d)", convert.type(), convert.argument());
      case Node.Foreign foreign -> throw new IllegalArgumentException(foreign.toString());
      case Node.Fold fold -> throw new IllegalArgumentException(fold.toString());
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
        : String.format(Locale.ROOT, "(%s)0x%xull", type(constant.type()), constant.bits());
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
