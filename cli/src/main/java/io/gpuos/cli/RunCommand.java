package io.gpuos.cli;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.cli.text.Units;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.npy.NpyArray;
import io.gpuos.npy.NpyFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gpuos run}: one expression over arrays in {@code .npy} files. */
@Command(
    name = "run",
    description = "Computes an expression over arrays in .npy files.",
    footer = {
      "",
      "Several expressions, separated by commas, have an --out each, in order. The type of a "
          + "result is that of its expression. gpuos ops lists the functions.",
      "",
      "Example: gpuos run 'relu(a*b + c)' --in a=a.npy --in b=b.npy --in c=c.npy --out y.npy"
    })
final class RunCommand implements Callable<Integer> {

  @Parameters(paramLabel = "EXPRESSION", description = "Such as 'sum(a*b, axis=-1), max(a)'.")
  private String expression;

  @Option(
      names = "--in",
      paramLabel = "NAME=FILE",
      description = "An input of the expression: its name there, and its file.")
  private List<String> inputs = List.of();

  @Option(
      names = "--out",
      paramLabel = "FILE",
      required = true,
      description = "Where a result goes. A file that is there is replaced.")
  private List<Path> outputs;

  @Mixin private DeviceOptions device;
  @Mixin private OutputOptions output;

  /** An array read or written, as the JSON document shows it. */
  private record Array(String name, Path file, DType dtype, long[] shape) {}

  private record Result(
      String expression,
      String device,
      String deviceDescription,
      List<Array> inputs,
      List<Array> outputs,
      int tasks,
      double openUs,
      double prepareUs,
      double runUs) {}

  @Override
  public Integer call() {
    Operator operator = Operator.of(expression);
    SequencedMap<String, Path> files = inputFiles(operator);
    requireAnOutputEach(operator);
    try (Arena arena = Arena.ofConfined()) {
      SequencedMap<String, NpyArray> arrays = new LinkedHashMap<>();
      files.forEach((name, file) -> arrays.put(name, NpyFile.read(file, arena)));
      requireWritable(resultTypes(operator, arrays));
      Result result = compute(operator, files, arrays);
      output.print(result, out -> out.println(sentence(result)));
    }
    return Main.EXIT_OK;
  }

  /** The file of each input, in the operator's order. */
  private SequencedMap<String, Path> inputFiles(Operator operator) {
    Map<String, Path> given = new LinkedHashMap<>();
    for (String input : inputs) {
      int equals = input.indexOf('=');
      if (equals < 1 || equals == input.length() - 1) {
        throw new InvalidInputException("malformed input: --in=" + input + ", expected=NAME=FILE");
      }
      String name = input.substring(0, equals).strip();
      if (given.put(name, path(input.substring(equals + 1))) != null) {
        throw new InvalidInputException(
            "input given twice: name=" + name + ", expected=one --in for each name");
      }
    }
    SequencedMap<String, Path> files = new LinkedHashMap<>();
    for (String name : operator.inputs()) {
      Path file = given.remove(name);
      if (file == null) {
        throw new ExpressionException(
            "input not given: name=%s, expression=%s, expected=--in %s=FILE"
                .formatted(name, expression, name));
      }
      files.put(name, file);
    }
    if (!given.isEmpty()) {
      String expected =
          operator.inputs().isEmpty() ? "none" : "one of " + String.join(", ", operator.inputs());
      throw new ExpressionException(
          "input not in the expression: name=%s, expression=%s, expected=%s"
              .formatted(given.keySet().iterator().next(), expression, expected));
    }
    return files;
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new InvalidInputException(
          "not a path: path=%s, expected=%s".formatted(text, e.getReason()), e);
    }
  }

  private void requireAnOutputEach(Operator operator) {
    if (outputs.size() != operator.outputs().size()) {
      throw new ExpressionException(
          String.format(
              Locale.ROOT,
              "number of outputs: --out=%d, expression=%s, expected=%d, one for each expression",
              outputs.size(),
              expression,
              operator.outputs().size()));
    }
    Set<Path> different = new HashSet<>();
    for (Path file : outputs) {
      if (!different.add(file.toAbsolutePath().normalize())) {
        throw new InvalidInputException(
            "output given twice: file=" + file + ", expected=a file for each result");
      }
    }
  }

  /** Types and shapes of the results; refuses what the expression cannot mean. */
  private static List<TensorType> resultTypes(
      Operator operator, SequencedMap<String, NpyArray> arrays) {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    arrays.forEach((name, array) -> types.put(name, TensorType.of(array.dtype(), array.shape())));
    return ExpressionPlan.of(operator.outputs(), types).outputs();
  }

  /** Before the work, so that it is not done for nothing. */
  private void requireWritable(List<TensorType> types) {
    for (int k = 0; k < types.size(); k++) {
      NpyFile.requireWritable(outputs.get(k), types.get(k).dtype());
    }
  }

  private Result compute(
      Operator operator, SequencedMap<String, Path> files, SequencedMap<String, NpyArray> arrays) {
    long begin = System.nanoTime();
    try (Gpuos gpu = device.open()) {
      long opened = System.nanoTime();
      List<Tensor> tensors = new ArrayList<>();
      for (NpyArray array : arrays.values()) {
        Tensor tensor = gpu.empty(array.dtype(), array.shape());
        tensor.write(array.data(), 0, array.layout());
        tensors.add(tensor);
      }
      List<Tensor> results = new ArrayList<>();
      for (TensorType type : resultTypes(operator, arrays)) {
        results.add(gpu.empty(type.dtype(), shape(type)));
      }
      long ready = System.nanoTime();
      try (Call call = gpu.prepare(operator, results, tensors.toArray(Tensor[]::new))) {
        long prepared = System.nanoTime();
        call.run();
        long done = System.nanoTime();
        List<Array> written = write(results);
        return new Result(
            expression,
            gpu.device().name(),
            gpu.device().description(),
            describe(files, arrays),
            written,
            call.tasks(),
            (opened - begin) / 1e3,
            (prepared - ready) / 1e3,
            (done - prepared) / 1e3);
      }
    }
  }

  private static long[] shape(TensorType type) {
    return type.shape().stream().mapToLong(Long::longValue).toArray();
  }

  private List<Array> write(List<Tensor> results) {
    List<Array> written = new ArrayList<>();
    for (int k = 0; k < results.size(); k++) {
      Tensor tensor = results.get(k);
      Path file = outputs.get(k);
      Layout layout = Layout.contiguous(tensor.dtype(), tensor.shape());
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment elements = arena.allocate(layout.byteSize(), Long.BYTES);
        tensor.read(elements);
        NpyFile.write(file, layout, elements, 0);
      }
      written.add(new Array("output " + k, file, tensor.dtype(), tensor.shape()));
    }
    return written;
  }

  private static List<Array> describe(
      SequencedMap<String, Path> files, SequencedMap<String, NpyArray> arrays) {
    List<Array> described = new ArrayList<>();
    arrays.forEach(
        (name, array) ->
            described.add(new Array(name, files.get(name), array.dtype(), array.shape())));
    return described;
  }

  private static String sentence(Result result) {
    String written =
        result.outputs().stream()
            .map(array -> array.file() + " " + TensorType.of(array.dtype(), array.shape()))
            .collect(Collectors.joining(", "));
    return "wrote %s, computed on %s in %s us"
        .formatted(written, result.device(), Units.digits(result.runUs()));
  }
}
