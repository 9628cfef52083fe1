package io.gpuos.aten;

import io.gpuos.error.FileFormatException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.Shapes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Pattern;

/** Reads the text of one graph, line by line. Used once, by one thread. */
final class GraphParser {

  private static final String HEADER = "gpuos-aten 1";
  private static final Pattern NAME =
      Pattern.compile("[A-Za-z_]\\w*::[A-Za-z_]\\w*(\\.[A-Za-z_]\\w*)?");
  private static final Pattern ARGUMENT = Pattern.compile("[A-Za-z_]\\w*");

  private final String[] lines;
  private final SequencedMap<Integer, AtenGraph.Storage> storages = new LinkedHashMap<>();
  private final SequencedMap<Integer, AtenValue> tensors = new LinkedHashMap<>();
  private final ValueParser values = new ValueParser(tensors);
  private final List<AtenCall> calls = new ArrayList<>();
  private int line;

  GraphParser(String text) {
    lines = text.split("\n", -1);
  }

  AtenGraph parse() {
    int count = lines[lines.length - 1].isEmpty() ? lines.length - 1 : lines.length;
    if (count == 0 || !lines[0].equals(HEADER)) {
      throw error(1, "first line", count == 0 ? "" : lines[0], HEADER);
    }
    for (line = 2; line <= count; line++) {
      try {
        record(lines[line - 1]);
      } catch (ValueParser.Malformed malformed) {
        throw error(line, malformed.rule(), malformed.value(), malformed.expected());
      } catch (ShapeException impossible) {
        throw new FileFormatException("line " + line + ": " + impossible.getMessage(), impossible);
      }
    }
    return new AtenGraph(storages, tensors, calls);
  }

  private void record(String text) {
    String[] fields = text.split(" ", -1);
    switch (fields[0]) {
      case "storage" -> storage(fields);
      case "tensor" -> tensor(fields);
      case "call" -> call(fields);
      default -> throw malformed("kind of record", fields[0], "storage, tensor or call");
    }
  }

  private void storage(String[] fields) {
    requireFields(fields, 4, "storage <id> <bytes> <role>");
    int id = id(fields[1]);
    AtenGraph.Role role =
        switch (fields[3]) {
          case "input" -> AtenGraph.Role.INPUT;
          case "output" -> AtenGraph.Role.OUTPUT;
          case "temporary" -> AtenGraph.Role.TEMPORARY;
          default -> throw malformed("role", fields[3], "input, output or temporary");
        };
    long bytes = ValueParser.integer(fields[2]);
    if (bytes < 0) {
      throw malformed("bytes of a storage", fields[2], "0 or more");
    }
    if (storages.putIfAbsent(id, new AtenGraph.Storage(id, bytes, role)) != null) {
      throw malformed("storage declared twice", fields[1], "each once");
    }
  }

  private void tensor(String[] fields) {
    requireFields(fields, 7, "tensor <id> <storage> <dtype> <offset> [sizes] [strides]");
    int id = id(fields[1]);
    AtenGraph.Storage storage = storages.get(id(fields[2]));
    if (storage == null) {
      throw malformed("storage", fields[2], "one that a line before declares");
    }
    Optional<DType> dtype = ValueParser.dtype(fields[3]);
    if (dtype.isEmpty()) {
      throw malformed("dtype", fields[3], "f64, f32, f16, bf16, i64, i32, i16, i8, u8 or bool");
    }
    AtenValue tensor =
        place(
            storage,
            dtype.get(),
            ValueParser.integer(fields[4]),
            ValueParser.integers(fields[5]),
            ValueParser.integers(fields[6]));
    if (tensors.putIfAbsent(id, tensor) != null) {
      throw malformed("tensor declared twice", fields[1], "each once");
    }
  }

  private AtenValue place(
      AtenGraph.Storage storage, DType dtype, long offset, long[] shape, long[] strides) {
    if (shape.length > Shapes.MAX_RANK) {
      return new AtenValue.Unknown("tensor of " + shape.length + " dimensions");
    }
    Layout layout = Layout.of(dtype, shape, strides);
    if (offset < 0 || offset > storage.bytes()) {
      throw malformed("offset of a tensor", Long.toString(offset), "inside of the storage");
    }
    AtenTensor tensor = new AtenTensor(storage.id(), offset * dtype.bytes(), layout);
    if (!layout.isZeroSize() && (tensor.begin() < 0 || tensor.end() > storage.bytes())) {
      throw malformed(
          "tensor outside of its storage",
          "bytes " + tensor.begin() + " to " + tensor.end(),
          "within the " + storage.bytes() + " bytes of storage " + storage.id());
    }
    return new AtenValue.Tensor(tensor);
  }

  private void call(String[] fields) {
    if (fields.length < 4) {
      throw malformed("call", String.join(" ", fields), "call <index> <name> arguments -> results");
    }
    int index = id(fields[1]);
    if (!calls.isEmpty() && index <= calls.getLast().index()) {
      throw malformed("index of a call", fields[1], "more than " + calls.getLast().index());
    }
    if (!NAME.matcher(fields[2]).matches()) {
      throw malformed("name of an operator", fields[2], "namespace::operator.overload");
    }
    SequencedMap<String, AtenValue> arguments = new LinkedHashMap<>();
    int field = 3;
    while (field < fields.length && !fields[field].equals("->")) {
      argument(fields[field++], arguments);
    }
    if (field == fields.length) {
      throw malformed("call without results", fields[2], "-> after the arguments");
    }
    calls.add(new AtenCall(index, fields[2], arguments, results(fields, field + 1)));
  }

  private void argument(String field, SequencedMap<String, AtenValue> arguments) {
    int equals = field.indexOf('=');
    if (equals < 0 || !ARGUMENT.matcher(field.substring(0, equals)).matches()) {
      throw malformed("argument", field, "<name>=<value>");
    }
    String name = field.substring(0, equals);
    if (arguments.put(name, values.value(field.substring(equals + 1))) != null) {
      throw malformed("argument given twice", name, "each once");
    }
  }

  private List<AtenValue> results(String[] fields, int from) {
    if (from == fields.length || from == fields.length - 1 && fields[from].isEmpty()) {
      return List.of();
    }
    if (from < fields.length - 1) {
      throw malformed("results", fields[from + 1], "one field, as %1,%2");
    }
    List<AtenValue> results = new ArrayList<>();
    for (String result : fields[from].split(",", -1)) {
      results.add(result.equals("%-") ? new AtenValue.None() : values.tensor(result));
    }
    return results;
  }

  private static int id(String text) {
    long id = ValueParser.integer(text);
    if (id < 0 || id > Integer.MAX_VALUE) {
      throw malformed("number", text, "0 to " + Integer.MAX_VALUE);
    }
    return (int) id;
  }

  private static void requireFields(String[] fields, int count, String form) {
    if (fields.length != count) {
      throw malformed("number of fields", Integer.toString(fields.length), form);
    }
  }

  private static ValueParser.Malformed malformed(String rule, String value, String expected) {
    return new ValueParser.Malformed(rule, value, expected);
  }

  private static FileFormatException error(int line, String rule, String value, String expected) {
    return new FileFormatException(
        String.format(
            Locale.ROOT,
            "%s: line=%d, value=%s, expected=%s; trace the graph again",
            rule,
            line,
            value,
            expected));
  }
}
