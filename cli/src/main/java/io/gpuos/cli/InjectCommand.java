package io.gpuos.cli;

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
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gpuos inject}: an operator in CUDA C++, compiled, checked, and run where there is a GPU. */
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
      description = "What to compile for without a GPU: " + CudaOperator.DEFAULT_ARCHITECTURE
          + " by default.")
  private Optional<String> architecture;

  @Mixin private DeviceOptions device;
  @Mixin private OutputOptions output;

  private record Result(
      String operator,
      String signature,
      Path file,
      String architecture,
      String compiler,
      int cubinBytes,
      double compileUs,
      String device,
      boolean ran,
      List<Array> inputs,
      List<Array> outputs,
      OptionalDouble injectUs,
      OptionalDouble runUs) {}

  /** What is known of an operator that was compiled. */
  private record Compiled(String architecture, int bytes, double micros) {}

  @Override
  public Integer call() {
    CudaOperator operator = CudaOperator.read(file, name, signature);
    if (out.isEmpty() && !inputs.isEmpty()) {
      throw new InvalidInputException(
          "no output: --in=%s, expected=--out FILE as well".formatted(inputs.getFirst()));
    }
    try {
      if (out.isEmpty()) {
        compileOnly(operator);
      } else {
        run(operator, out.get());
      }
    } catch (CompileException e) {
      // The first line is printed as for every error; here the rest of the log is wanted too.
      e.getMessage().lines().skip(1).forEach(output.err()::println);
      throw e;
    }
    return Main.EXIT_OK;
  }

  private void compileOnly(CudaOperator operator) {
    Compiled compiled =
        compile(operator, architecture.orElse(CudaOperator.DEFAULT_ARCHITECTURE));
    print(result(operator, compiled, "none", List.of()));
  }

  private static Compiled compile(CudaOperator operator, String architecture) {
    long begin = System.nanoTime();
    byte[] cubin = operator.compile(architecture);
    return new Compiled(architecture, cubin.length, (System.nanoTime() - begin) / 1e3);
  }

  private Result result(
      CudaOperator operator, Compiled compiled, String deviceName, List<Array> read) {
    return new Result(
        operator.name(),
        operator.signature(),
        file,
        compiled.architecture(),
        "NVRTC " + Nvrtc.open().version(),
        compiled.bytes(),
        compiled.micros(),
        deviceName,
        false,
        read,
        List.of(),
        OptionalDouble.empty(),
        OptionalDouble.empty());
  }

  private void run(CudaOperator operator, Path target) {
    SequencedMap<String, Path> files =
        ArrayFiles.inputs(inputs, operator.inputs(), "operator=" + operator);
    try (Arena arena = Arena.ofConfined()) {
      SequencedMap<String, NpyArray> arrays = ArrayFiles.read(files, arena);
      TensorType type = operator.result(List.copyOf(ArrayFiles.types(arrays).values()));
      NpyFile.requireWritable(target, type.dtype());
      try (Gpuos gpu = device.open()) {
        Optional<String> native_ = gpu.device().architecture();
        Compiled compiled =
            compile(
                operator,
                native_.or(() -> architecture).orElse(CudaOperator.DEFAULT_ARCHITECTURE));
        Result checked =
            result(
                operator, compiled, gpu.device().name(), ArrayFiles.describe(files, arrays));
        if (native_.isEmpty()) {
          print(checked);
          throw needsCuda(operator, gpu);
        }
        print(run(gpu, operator, arrays, type, target, checked));
      }
    }
  }
}
