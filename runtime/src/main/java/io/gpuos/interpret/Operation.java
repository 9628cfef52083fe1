package io.gpuos.interpret;

import io.gpuos.codegen.CudaType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One thing the interpreter can do, a row of {@link Operations}.
 *
 * @param number of the operation in instructions
 * @param kind how it is done
 * @param name of the device function, or of the element type that is moved
 * @param result what it makes; empty for a store
 * @param arguments what it takes from cells, at most three
 * @param heavy whether its code is worth one copy for all lanes rather than one for each
 */
record Operation(
    int number,
    Kind kind,
    String name,
    Optional<CudaType> result,
    List<CudaType> arguments,
    boolean heavy) {

  /** How operations are done; the name is that of the macro that defines one on the device. */
  enum Kind {
    /** Calls a function of {@code gpuos_math.cuh} or a conversion. */
    FUNCTION,
    /** Reads the elements of an INPUT operand. */
    LOAD,
    /** Writes the elements of an OUTPUT operand. */
    STORE,
    /** Takes the value of a SCALAR operand. */
    SCALAR,
    /** Takes the instruction's own bits. */
    CONSTANT
  }

  Operation {
    arguments = List.copyOf(arguments);
  }

  /** Cells that a value takes. */
  static int cells(CudaType type) {
    return type.own().bytes() == Long.BYTES ? 2 : 1;
  }

  /** The line of the device's table. */
  String cuda() {
    String start = String.format(Locale.ROOT, "%s(%d, ", kind, number);
    if (kind != Kind.FUNCTION) {
      return start + name + ")";
    }
    return Stream.concat(result.stream(), arguments.stream())
        .map(CudaType::text)
        .collect(Collectors.joining(", ", start + heavy + ", " + name + ", ", ")"));
  }

  /** As programs are printed: {@code add float}, {@code load F16}. */
  @Override
  public String toString() {
    return switch (kind) {
      case FUNCTION -> name + " " + arguments.getLast().text();
      case LOAD -> "load " + name;
      case STORE -> "store " + name;
      case SCALAR -> "scalar " + name;
      case CONSTANT -> "constant";
    };
  }
}
