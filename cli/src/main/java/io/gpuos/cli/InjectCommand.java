package io.gpuos.cli;

import io.gpuos.Call;
import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.LiveOperator;
import io.gpuos.Tensor;
import io.gpuos.cli.ArrayFiles.Array;
import io.gpuos.cli.text.Units;
import io.gpuos.driver.Nvrtc;
import io.gpuos.error.CompileException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.ir.TensorType;
import io.gpuos.npy.NpyArray;
import io.gpuos.npy.NpyFile;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code gpuos inject}: an operator in CUDA C++, compiled, checked, and run where there is a GPU.
 */
@Command(
    name = "inject",
    description = {
      "Compiles an operator in CUDA C++, brings it into the running kernel and runs it over arrays "
          + "in .npy files. Without --out it is compiled only."
    },
    footer = {
      "",
      "The file defines a __device__ function, which is called for each element. Its signature "
          + "stands in a comment line before the code:",
      "",
      "  // gpuos: f32 swish(f32 x, f32 beta)",
      "  __device__ float swish(float x, float beta) { return x / (1.0f + expf(-beta * x)); }",
      "",
      "Types are those of cast; f16, bf16 and f32 are float in C++, i64 is long long, shorter "
          + "integers are int. Compiling needs NVRTC and no GPU; running needs a CUDA device.",
      "",
      "Example: gpuos inject swish.cu --in x=x.npy --in beta=beta.npy --out y.npy"
    })
final class InjectCommand implements Callable<Integer> {

  @Parameters(paramLabel = "FILE", description = "CUDA C++ in UTF-8.")
  private Path file;

  @Option(
      names = "--in",
      paramLabel = "NAME=FILE",
      description = "An input of the function: its name in the signature, and its file.")
  private List<String> inputs = List.of();

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where the result goes. A file that is there is replaced.")
  private Optional<Path> out;

  @Option(
      names = "--signature",
      paramLabel = "SIGNATURE",
      description = "Such as 'f32 swish(f32 x, f32 beta)'; by default that in the file.")
  private Optional<String> signature;

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "Name of the operator; by default that of the function.")
  private Optional<String> name;

  @Option(
      names = "--arch",
      paramLabel = "ARCHITECTURE",
      description =
          "What to compile for without a GPU: "
              + CudaOperator.DEFAULT_ARCHITECTURE
              + " by default.")
  private Optional<String> architecture;

  @Mixin private DeviceOptions device;
  @Mixin private OutputOptions output;

  /**
   * What became of the operator.
   *
   * @param device the one asked for, or none if it is only compiled
   * @param ran whether there are outputs; without a CUDA device there are none
   */
  private record Result(
      String operator,
      String signature,
      Path file,
      String architecture,
      String compiler,
      int cubinBytes,
      double compileUs,
      Optional<String> device,
      boolean ran,
      List<Array> inputs,
      List<Array> outputs,
      Optional<Double> injectUs,
      Optional<Double> runUs) {

    /** Of an operator that was compiled, and nothing more. */
    static Result of(CudaOperator operator, Path file, String architecture) {
      long begin = System.nanoTime();
      int bytes = operator.compile(architecture).length;
      return new Result(
          operator.name(),
          operator.signature(),
          file,
          architecture,
          "NVRTC " + Nvrtc.open().version(),
          bytes,
          micros(begin),
          Optional.empty(),
          false,
          List.of(),
          List.of(),
          Optional.empty(),
          Optional.empty());
    }

    Result on(Gpuos gpu, List<Array> read) {
      return new Result(
          operator,
          signature,
          file,
          architecture,
          compiler,
          cubinBytes,
          compileUs,
          Optional.of(gpu.device().name()),
          false,
          read,
          outputs,
          injectUs,
          runUs);
    }

    Result ran(List<Array> written, double inject, double run) {
      return new Result(
          operator,
          signature,
          file,
          architecture,
          compiler,
          cubinBytes,
          compileUs,
          device,
          true,
          inputs,
          written,
          Optional.of(inject),
          Optional.of(run));
    }
  }

  @Override
  public Integer call() {
    CudaOperator operator = CudaOperator.read(file, name, signature);
    if (out.isEmpty() && !inputs.isEmpty()) {
      throw new InvalidInputException(
          "no output: --in=%s, expected=--out FILE as well".formatted(inputs.getFirst()));
    }
    out.ifPresent(output::leaveStandardOutputTo);
    try {
      if (out.isEmpty()) {
        print(Result.of(operator, file, architecture.orElse(CudaOperator.DEFAULT_ARCHITECTURE)));
      } else {
        run(operator, out.get());
      }
    } catch (CompileException e) {
      // The first line is printed as for every error; of a source one wants the rest too.
      e.getMessage().lines().skip(1).forEach(output.err()::println);
      throw e;
    }
    return Main.EXIT_OK;
  }

  private void run(CudaOperator operator, Path target) {
    SequencedMap<String, Path> files =
        ArrayFiles.inputs(inputs, operator.inputs(), "operator=" + operator.name());
    try (Arena arena = Arena.ofConfined()) {
      SequencedMap<String, NpyArray> arrays = ArrayFiles.read(files, arena);
      TensorType type = operator.result(List.copyOf(ArrayFiles.types(arrays).values()));
      NpyFile.requireWritable(target, type.dtype());
      try (Gpuos gpu = open(operator)) {
        Result compiled =
            Result.of(operator, file, architectureFor(gpu))
                .on(gpu, ArrayFiles.describe(files, arrays));
        if (gpu.device().architecture().isEmpty()) {
          print(compiled);
          throw new DeviceUnavailableException(
              "operator needs a CUDA device: operator=%s, device=%s, expected=--device cuda:N on a machine with a GPU; it was compiled for %s and not run"
                  .formatted(operator.name(), gpu.device().name(), compiled.architecture()));
        }
        print(run(gpu, operator, arrays, type, target, compiled));
      }
    }
  }

  /** Opens the device; where it is not there, the operator is compiled before that is said. */
  private Gpuos open(CudaOperator operator) {
    try {
      return device.open();
    } catch (DeviceUnavailableException e) {
      print(Result.of(operator, file, architecture.orElse(CudaOperator.DEFAULT_ARCHITECTURE)));
      throw e;
    }
  }

  /** The device's own if it has one: nothing else runs on it. */
  private String architectureFor(Gpuos gpu) {
    Optional<String> own = gpu.device().architecture();
    if (own.isPresent() && architecture.isPresent() && !own.equals(architecture)) {
      throw new InvalidInputException(
          "architecture of another device: --arch=%s, device=%s, expected=%s; leave out --out to compile only"
              .formatted(architecture.get(), gpu.device().name(), own.get()));
    }
    return own.or(() -> architecture).orElse(CudaOperator.DEFAULT_ARCHITECTURE);
  }

  private static Result run(
      Gpuos gpu,
      CudaOperator operator,
      SequencedMap<String, NpyArray> arrays,
      TensorType type,
      Path target,
      Result compiled) {
    Tensor[] tensors = ArrayFiles.upload(gpu, arrays);
    Tensor result =
        gpu.empty(type.dtype(), type.shape().stream().mapToLong(Long::longValue).toArray());
    long begin = System.nanoTime();
    LiveOperator live = gpu.inject(operator);
    try (Call call = gpu.prepare(live.operator(), result, tensors)) {
      double injected = micros(begin);
      long start = System.nanoTime();
      call.run();
      double ran = micros(start);
      return compiled.ran(ArrayFiles.write(List.of(target), List.of(result)), injected, ran);
    }
  }

  private static double micros(long beginNanos) {
    return (System.nanoTime() - beginNanos) / 1e3;
  }

  private void print(Result result) {
    output.print(result, text -> print(result, text));
  }

  private static void print(Result result, PrintWriter text) {
    text.println("%s: %s".formatted(result.operator(), result.signature()));
    text.println(
        String.format(
            Locale.ROOT,
            "compiled for %s by %s: %d bytes in %s",
            result.architecture(),
            result.compiler(),
            result.cubinBytes(),
            Units.nanos(result.compileUs() * 1e3)));
    for (Array array : result.outputs()) {
      text.println(
          "wrote %s %s, injected into %s in %s, computed in %s"
              .formatted(
                  array.file(),
                  TensorType.of(array.dtype(), array.shape()),
                  result.device().orElseThrow(),
                  Units.nanos(result.injectUs().orElseThrow() * 1e3),
                  Units.nanos(result.runUs().orElseThrow() * 1e3)));
    }
  }
}
