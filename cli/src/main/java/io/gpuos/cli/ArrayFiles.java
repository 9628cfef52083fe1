package io.gpuos.cli;

import io.gpuos.Gpuos;
import io.gpuos.Tensor;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.file.OutputFiles;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * The arrays that a command reads and writes, for commands that compute over {@code .npy} files.
 */
final class ArrayFiles {

  /** An array read or written, as the JSON document shows it. */
  record Array(String name, Path file, DType dtype, long[] shape) {}

  private ArrayFiles() {}

  /**
   * The file of each input, in the order of {@code names}.
   *
   * @param options {@code NAME=FILE} each
   * @param subject what has these inputs, as {@code name=value} for messages
   */
  static SequencedMap<String, Path> inputs(
      List<String> options, List<String> names, String subject) {
    Map<String, Path> given = given(options);
    SequencedMap<String, Path> files = new LinkedHashMap<>();
    for (String name : names) {
      Path file = given.remove(name);
      if (file == null) {
        throw new ExpressionException(
            "input not given: name=%s, %s, expected=--in %s=FILE".formatted(name, subject, name));
      }
      files.put(name, file);
    }
    if (!given.isEmpty()) {
      throw new ExpressionException(
          "input not in the %s: name=%s, %s, expected=%s"
              .formatted(
                  subject.substring(0, subject.indexOf('=')),
                  given.keySet().iterator().next(),
                  subject,
                  names.isEmpty() ? "none" : "one of " + String.join(", ", names)));
    }
    return files;
  }

  private static Map<String, Path> given(List<String> options) {
    Map<String, Path> given = new LinkedHashMap<>();
    for (String input : options) {
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
    return given;
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new InvalidInputException(
          "not a path: path=%s, expected=%s".formatted(text, e.getReason()), e);
    }
  }

  /** Reads every file; the arrays live as long as {@code arena}. */
  static SequencedMap<String, NpyArray> read(SequencedMap<String, Path> files, Arena arena) {
    SequencedMap<String, NpyArray> arrays = new LinkedHashMap<>();
    files.forEach((name, file) -> arrays.put(name, NpyFile.read(file, arena)));
    return arrays;
  }

  static SequencedMap<String, TensorType> types(SequencedMap<String, NpyArray> arrays) {
    SequencedMap<String, TensorType> types = new LinkedHashMap<>();
    arrays.forEach((name, array) -> types.put(name, TensorType.of(array.dtype(), array.shape())));
    return types;
  }

  /** A tensor of each array, in order. */
  static Tensor[] upload(Gpuos gpu, SequencedMap<String, NpyArray> arrays) {
    List<Tensor> tensors = new ArrayList<>();
    for (NpyArray array : arrays.values()) {
      Tensor tensor = gpu.empty(array.dtype(), array.shape());
      tensor.write(array.data(), 0, array.layout());
      tensors.add(tensor);
    }
    return tensors.toArray(Tensor[]::new);
  }

  /** Writes each result to its file: all or none, where the files can be replaced. */
  static List<Array> write(List<Path> files, List<Tensor> results) {
    List<Array> written = new ArrayList<>();
    try (OutputFiles out = new OutputFiles()) {
      for (int k = 0; k < results.size(); k++) {
        Tensor tensor = results.get(k);
        Layout layout = Layout.contiguous(tensor.dtype(), tensor.shape());
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment elements = arena.allocate(layout.byteSize(), Long.BYTES);
          tensor.read(elements);
          NpyFile.write(out, files.get(k), layout, elements, 0);
        }
        written.add(new Array("output " + k, files.get(k), tensor.dtype(), tensor.shape()));
      }
      out.commit();
    }
    return written;
  }

  static List<Array> describe(
      SequencedMap<String, Path> files, SequencedMap<String, NpyArray> arrays) {
    List<Array> described = new ArrayList<>();
    arrays.forEach(
        (name, array) ->
            described.add(new Array(name, files.get(name), array.dtype(), array.shape())));
    return described;
  }
}
