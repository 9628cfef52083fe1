package io.gpuos.cli;

import io.gpuos.cli.bench.Environment;
import io.gpuos.cli.text.Json;
import io.gpuos.device.ComputeDevice;
import io.gpuos.driver.Cuda;
import io.gpuos.error.InvalidInputException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
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
      description = "Also write the JSON document to a file.")
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
   * @throws InvalidInputException if it cannot
   */
  void requireWritable() {
    if (file != null) {
      try {
        Files.delete(Files.writeString(aside(), ""));
      } catch (IOException e) {
        throw refused(e);
      }
    }
  }

  /** Writes the document to the file, if one was named; readers see the old or the whole new. */
  void write(Object result) {
    if (file != null) {
      try {
        Files.writeString(aside(), Json.of(result) + "\n");
        Files.move(aside(), file, StandardCopyOption.REPLACE_EXISTING);
      } catch (IOException e) {
        throw refused(e);
      }
    }
  }

  private Path aside() {
    if (Files.isDirectory(file)) {
      throw new InvalidInputException(
          "cannot write: file=%s, found=a directory, expected=the path of a file".formatted(file));
    }
    return file.toAbsolutePath().resolveSibling(file.getFileName() + ".part");
  }

  private InvalidInputException refused(IOException e) {
    String reason =
        switch (e) {
          case NoSuchFileException _ -> "no such directory";
          case AccessDeniedException _ -> "permission denied";
          default -> e.getMessage();
        };
    return new InvalidInputException(
        "cannot write: file=%s, reason=%s, expected=a path that can be written"
            .formatted(file, reason),
        e);
  }
}
