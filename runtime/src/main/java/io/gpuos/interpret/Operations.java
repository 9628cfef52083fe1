package io.gpuos.interpret;

import io.gpuos.abi.InstructionRecord;
import io.gpuos.codegen.CudaType;
import io.gpuos.codegen.CudaWeights;
import io.gpuos.interpret.Operation.Kind;
import io.gpuos.ir.Function;
import io.gpuos.ir.TypeRule;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * All operations of the interpreter: each function in each type it is computed in, each conversion,
 * and what moves values between operands and cells. Follows from {@link Function} and {@link
 * DType}, so a new function is an operation too.
 *
 * <p>Rendered for the device as a macro that lists them, from which {@code gpuos_interpret.cuh}
 * makes its table. Numbers may change with every build: programs are not kept.
 */
public final class Operations {

  /** Name under which the device sources include the table. */
  public static final String HEADER_NAME = "gpuos_operations.cuh";

  /** Up to this weight, the code of an operation is repeated for each lane. */
  private static final int LIGHT = 8;

  private static final Operations TABLE = new Operations();

  private final List<Operation> all = new ArrayList<>();
  private final Map<List<?>, Operation> byUse = new HashMap<>();

  private Operations() {
    for (CudaType type : CudaType.values()) {
      for (Function function : Function.values()) {
        if (function.typeRule().accepts(type.own())) {
          addFunction(function, type);
        }
      }
    }
    for (CudaType from : CudaType.values()) {
      for (DType to : DType.values()) {
        if (from.own() != to) {
          String name = "convert<%s>".formatted(to);
          add(Kind.FUNCTION, to, name, Optional.of(CudaType.of(to)), List.of(from), false);
        }
      }
    }
    for (DType type : DType.values()) {
      CudaType value = CudaType.of(type);
      add(Kind.LOAD, type, type.name(), Optional.of(value), List.of(), false);
      add(Kind.STORE, type, type.name(), Optional.empty(), List.of(value), false);
    }
    for (CudaType type : CudaType.values()) {
      add(Kind.SCALAR, type, type.own().name(), Optional.of(type), List.of(), false);
    }
    for (CudaType bits : List.of(CudaType.INT, CudaType.LONG)) {
      add(Kind.CONSTANT, bits, bits.own().name(), Optional.of(bits), List.of(), false);
    }
  }

  private void addFunction(Function function, CudaType type) {
    List<CudaType> arguments = new ArrayList<>(Collections.nCopies(function.arity(), type));
    if (arguments.size() > InstructionRecord.MAX_ARGUMENTS) {
      throw new IllegalStateException("too many arguments: function=" + function);
    }
    if (function.typeRule() == TypeRule.WHERE) {
      arguments.set(0, CudaType.BOOL);
    }
    CudaType result = CudaType.of(function.typeRule().result(type.own()));
    // Lane by lane, results may take the cells of arguments only where both are of one size.
    boolean alike = arguments.stream().allMatch(argument -> argument == result);
    boolean heavy = alike && CudaWeights.of(function, type) > LIGHT;
    add(Kind.FUNCTION, function, function.functionName(), Optional.of(result), arguments, heavy);
  }

  private void add(
      Kind kind,
      Object what,
      String name,
      Optional<CudaType> result,
      List<CudaType> arguments,
      boolean heavy) {
    Operation operation = new Operation(all.size(), kind, name, result, arguments, heavy);
    all.add(operation);
    byUse.put(key(kind, what, arguments), operation);
  }

  private static List<?> key(Kind kind, Object what, List<CudaType> arguments) {
    // The last argument tells a function's type: the first of where() is always a bool.
    return List.of(kind, what, arguments.isEmpty() ? "" : arguments.getLast());
  }

  private static Operation find(Kind kind, Object what, List<CudaType> arguments) {
    Operation operation = TABLE.byUse.get(key(kind, what, arguments));
    if (operation == null) {
      throw new IllegalStateException(
          "no such operation: kind=%s, name=%s, arguments=%s".formatted(kind, what, arguments));
    }
    return operation;
  }

  static Operation function(Function function, CudaType type) {
    return find(Kind.FUNCTION, function, List.of(type));
  }

  /** Empty where every value stays as it is. */
  static Optional<Operation> conversion(CudaType from, DType to) {
    return from.own() == to
        ? Optional.empty()
        : Optional.of(find(Kind.FUNCTION, to, List.of(from)));
  }

  static Operation load(DType type) {
    return find(Kind.LOAD, type, List.of());
  }

  static Operation store(DType type) {
    return find(Kind.STORE, type, List.of(CudaType.of(type)));
  }

  static Operation scalar(CudaType type) {
    return find(Kind.SCALAR, type, List.of());
  }

  static Operation constant(CudaType type) {
    CudaType bits = Operation.cells(type) == 2 ? CudaType.LONG : CudaType.INT;
    return find(Kind.CONSTANT, bits, List.of());
  }

  static List<Operation> all() {
    return Collections.unmodifiableList(TABLE.all);
  }

  /** The text of {@value #HEADER_NAME}. */
  public static String renderHeader() {
    String kinds =
        List.of(Kind.values()).stream().map(Kind::name).collect(Collectors.joining(", "));
    return all().stream()
        .map(operation -> "  " + operation.cuda())
        .collect(
            Collectors.joining(
                " \\\n",
                String.format(
                    Locale.ROOT,
                    """
                // Rendered from io.gpuos.interpret; do not edit. All operations of the interpreter by number:
                //   FUNCTION(number, one copy of the code for all lanes?, name, result, arguments...)
                //   LOAD, STORE, SCALAR, CONSTANT(number, element type)
                #pragma once

                #define GPUOS_OPERATION_COUNT %d
                #define GPUOS_OPERATIONS(%s) \\
                """,
                    all().size(),
                    kinds),
                "\n"));
  }
}
