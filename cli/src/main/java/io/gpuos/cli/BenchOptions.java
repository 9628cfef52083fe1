package io.gpuos.cli;

import io.gpuos.cli.bench.Environment;
import io.gpuos.cli.text.Json;
import io.gpuos.device.ComputeDevice;
import io.gpuos.driver.Cuda;
import io.gpuos.file.OutputFiles;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** What benchmarks share: how long, which numbers, and the file the results go to. */
final class BenchOptions {

  @Spec(Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--quick", description = "Few rounds, to see that it works.")
  private boolean quick;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Decides over the values; 1 by default.")
  private long seed;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description =
          "Also write the JSON document to a file; - is standard output, which then holds it alone.")
  private Path file;

  boolean quick() {
    return quick;
  }

  /** Describes the run. */
  Environment environment(ComputeDevice device) {
    List<String> commandLine = command.root().commandLine().getParseResult().originalArgs();
    String driver = device.name().startsWith("cuda") ? Cuda.open().toString() : "none";
    return Environment.of(
        device,
        new Environment.Run(Version.version(), Version.commit(), driver, seed, commandLine));
  }

  /**
   * Checks that the file can be written, before the work.
   *
   * @throws io.gpuos.error.FileFormatException if it cannot
   */
  void requireWritable() {
    if (file != null) {
      OutputFiles.requireWritable(file);
    }
  }

  /** The file the results go to, if one was named. */
  Optional<Path> file() {
    return Optional.ofNullable(file);
  }

  /** Writes the document to the file, if one was named. */
  void write(Object result) {
    if (file != null) {
      byte[] document = (Json.of(result) + "\n").getBytes(StandardCharsets.UTF_8);
      OutputFiles.writeOne(file, channel -> channel.write(ByteBuffer.wrap(document)));
    }
  }
}
