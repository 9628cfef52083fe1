package io.gpuos.cli;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.cli.ArrayFiles.Array;
import io.gpuos.cli.text.Progress;
import io.gpuos.cli.text.Units;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.file.OutputFiles;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.TensorType;
import io.gpuos.npy.NpyArray;
import io.gpuos.npy.NpyFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
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
      "An expression may begin with a minus. One that is an option of this command goes last, after --.",
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
      description =
          "Where a result goes. A file that is there is replaced; a device or a pipe is written to; "
              + "- is standard output.")
  private List<Path> outputs;

  @Mixin private DeviceOptions device;
  @Mixin private OutputOptions output;

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
    SequencedMap<String, Path> files =
        ArrayFiles.inputs(inputs, operator.inputs(), "expression=" + operator);
    requireAnOutputEach(operator);
    outputs.forEach(output::leaveStandardOutputTo);
    try (Arena arena = Arena.ofConfined()) {
      SequencedMap<String, NpyArray> arrays = ArrayFiles.read(files, arena);
      requireWritable(resultTypes(operator, arrays));
      Result result = compute(operator, files, arrays);
      output.print(result, out -> out.println(sentence(result)));
    }
    return Main.EXIT_OK;
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
      if (!OutputFiles.replaced(file).map(different::add).orElse(true)) {
        throw new InvalidInputException(
            "output given twice: file=" + file + ", expected=a file for each result");
      }
    }
  }

  /** Types and shapes of the results; refuses what the expression cannot mean. */
  private static List<TensorType> resultTypes(
      Operator operator, SequencedMap<String, NpyArray> arrays) {
    return ExpressionPlan.of(operator.outputs(), ArrayFiles.types(arrays)).outputs();
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
    try (Progress progress = output.progress();
        Gpuos gpu = openVisibly(progress)) {
      long opened = System.nanoTime();
      progress.longStep("copying inputs");
      Tensor[] tensors = ArrayFiles.upload(gpu, arrays);
      List<Tensor> results = new ArrayList<>();
      for (TensorType type : resultTypes(operator, arrays)) {
        results.add(gpu.empty(type.dtype(), shape(type)));
      }
      progress.longStep("compiling");
      long ready = System.nanoTime();
      try (Call call = gpu.prepare(operator, results, tensors)) {
        progress.longStep("computing");
        long prepared = System.nanoTime();
        call.run();
        long done = System.nanoTime();
        progress.longStep("writing results");
        List<Array> written = ArrayFiles.write(outputs, results);
        return new Result(
            expression,
            gpu.device().name(),
            gpu.device().description(),
            ArrayFiles.describe(files, arrays),
            written,
            call.tasks(),
            (opened - begin) / 1e3,
            (prepared - ready) / 1e3,
            (done - prepared) / 1e3);
      }
    }
  }

  private Gpuos openVisibly(Progress progress) {
    progress.longStep("opening the device");
    return device.open();
  }

  private static long[] shape(TensorType type) {
    return type.shape().stream().mapToLong(Long::longValue).toArray();
  }

  private static String sentence(Result result) {
    String written =
        result.outputs().stream()
            .map(array -> array.file() + " " + TensorType.of(array.dtype(), array.shape()))
            .collect(Collectors.joining(", "));
    return "wrote %s, computed on %s in %s"
        .formatted(written, result.device(), Units.nanos(result.runUs() * 1e3));
  }
}
