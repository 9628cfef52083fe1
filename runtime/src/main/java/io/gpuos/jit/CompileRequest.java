package io.gpuos.jit;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * One source to be made machine code. Immutable; equal requests give the same code.
 *
 * @param name what log lines call the source
 * @param source CUDA C++
 * @param headers text by the name it is included by
 * @param options of the compiler, without the architecture
 * @param architecture such as {@code sm_90}
 */
public record CompileRequest(
    String name,
    String source,
    Map<String, String> headers,
    List<String> options,
    String architecture) {

  public CompileRequest {
    headers = Map.copyOf(headers);
    options = List.copyOf(options);
  }

  /** A request under the name {@code operator.cu}. */
  public CompileRequest(
      String source, Map<String, String> headers, List<String> options, String architecture) {
    this("operator.cu", source, headers, options, architecture);
  }

  /** All options, the architecture's first. */
  public List<String> allOptions() {
    List<String> all = new ArrayList<>();
    all.add("--gpu-architecture=" + architecture);
    all.addAll(options);
    return List.copyOf(all);
  }

  /**
   * The key of the code this request gives.
   *
   * @param compiler name and version of the compiler
   * @param environment what else decides over it: versions of the driver and the records
   */
  CacheKey key(String compiler, List<String> environment) {
    List<String> fields = new ArrayList<>();
    fields.add(compiler);
    addAll(fields, environment);
    fields.add(name);
    fields.add(source);
    addAll(fields, allOptions());
    fields.add(digest(headers));
    return CacheKey.of(fields);
  }

  /** The last headers seen and their digest: nearly always the same ones. */
  private record Digested(Map<String, String> headers, String digest) {}

  private static volatile Digested latest = new Digested(Map.of(), "none");

  private static String digest(Map<String, String> headers) {
    Digested known = latest;
    if (known.headers != headers) {
      List<String> fields = new ArrayList<>();
      // Sorted: the order of a map's entries is nobody's intention.
      new TreeMap<>(headers)
          .forEach(
              (header, text) -> {
                fields.add(header);
                fields.add(text);
              });
      known = new Digested(headers, CacheKey.of(fields).hex());
      latest = known;
    }
    return known.digest;
  }

  /** With the number first, so that two lists in a row have one reading only. */
  private static void addAll(List<String> fields, List<String> list) {
    fields.add(Integer.toString(list.size()));
    fields.addAll(list);
  }
}
