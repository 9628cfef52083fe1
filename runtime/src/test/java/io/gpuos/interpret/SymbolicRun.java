package io.gpuos.interpret;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.CudaType;
import io.gpuos.interpret.Operation.Kind;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs a program on terms instead of numbers: a cell holds one half of the term a value was
 * computed by. What is stored must be the terms of the kernel's nodes, which are written down
 * independently of how kernels are encoded.
 */
final class SymbolicRun {

  /** A term, numbered: equal ones have one number. */
  private record Term(String operation, List<Integer> arguments) {}

  /** What a cell holds: the word `half` of a term's value. */
  private record Held(int term, int half) {}

  private final Kernel.Elementwise kernel;
  private final InterpreterProgram program;
  private final Map<Term, Integer> terms = new HashMap<>();
  private final Map<Integer, Held> cells = new HashMap<>();
  private final Map<Integer, Integer> stored = new HashMap<>();

  private SymbolicRun(Kernel.Elementwise kernel, InterpreterProgram program) {
    this.kernel = kernel;
    this.program = program;
  }

  /** Fails unless the program stores what the kernel says. */
  static void check(Kernel.Elementwise kernel, InterpreterProgram program) {
    SymbolicRun run = new SymbolicRun(kernel, program);
    program.instructions().forEach(run::execute);
    assertEquals(run.expected(), run.stored, program::toString);
    assertTrue(run.cells.keySet().stream().allMatch(cell -> cell < program.cells()));
  }

  private void execute(Instruction instruction) {
    Operation operation = instruction.operation();
    List<Integer> arguments = new ArrayList<>();
    for (int i = 0; i < operation.arguments().size(); i++) {
      arguments.add(read(instruction.arguments().get(i), operation.arguments().get(i)));
    }
    if (operation.kind() == Kind.STORE) {
      assertFalse(stored.containsKey((int) instruction.immediate()));
      stored.put((int) instruction.immediate(), arguments.getFirst());
      return;
    }
    assertTrue(operation.kind() != Kind.LOAD || stored.isEmpty(), "a load behind a store");
    if (operation.heavy()) {
      checkOverlap(instruction);
    }
    String text =
        operation.kind() == Kind.FUNCTION
            ? operation.toString()
            : operation + " " + instruction.immediate();
    int result = term(text, arguments);
    for (int half = 0; half < Operation.cells(operation.result().get()); half++) {
      cells.put(instruction.result() + half, new Held(result, half));
    }
  }

  /** A heavy operation goes lane by lane: its result has an argument's cells or none of them. */
  private static void checkOverlap(Instruction instruction) {
    Operation operation = instruction.operation();
    int width = Operation.cells(operation.result().get());
    for (int i = 0; i < operation.arguments().size(); i++) {
      int distance = Math.abs(instruction.arguments().get(i) - instruction.result());
      assertEquals(width, Operation.cells(operation.arguments().get(i)), operation::toString);
      assertTrue(distance == 0 || distance >= width, instruction::toString);
    }
  }

  private int read(int cell, CudaType type) {
    Held first = cells.get(cell);
    for (int half = 0; half < Operation.cells(type); half++) {
      assertEquals(new Held(first.term(), half), cells.get(cell + half), program::toString);
    }
    return first.term();
  }

  private Map<Integer, Integer> expected() {
    List<Integer> values = new ArrayList<>();
    for (Node node : kernel.nodes()) {
      values.add(termOf(node, values));
    }
    Map<Integer, Integer> expected = new HashMap<>();
    kernel.stores().forEach(store -> expected.put(store.operand(), values.get(store.node())));
    return expected;
  }

  private int termOf(Node node, List<Integer> values) {
    return switch (node) {
      case Node.Load(int operand, DType type) -> {
        boolean input = kernel.operands().get(operand).role() == Role.INPUT;
        String from = input ? "load " + type : "scalar " + CudaType.of(type).own();
        yield term(from + " " + operand, List.of());
      }
      case Node.Constant(DType type, long bits) ->
          term("constant " + constant(type, bits), List.of());
      case Node.Foreign _, Node.Fold _ ->
          throw new IllegalArgumentException("a function in CUDA C++");
      case Node.Convert(DType to, int argument) ->
          convert(to, kernel.nodes().get(argument).type(), values.get(argument));
      case Node.Apply apply -> {
        DType type = kernel.nodes().get(apply.arguments().getLast()).type();
        String text = apply.function().functionName() + " " + CudaType.of(type).text();
        int result = term(text, apply.arguments().stream().map(values::get).toList());
        yield switch (apply.type()) {
          case I16, I8, U8 -> convert(apply.type(), DType.I32, result);
          default -> result;
        };
      }
    };
  }

  private int convert(DType to, DType from, int value) {
    return CudaType.of(from).own() == to
        ? value
        : term("convert<%s> %s".formatted(to, CudaType.of(from).text()), List.of(value));
  }

  private static long constant(DType type, long bits) {
    double value = Double.longBitsToDouble(bits);
    return switch (type) {
      case F64 -> Double.doubleToLongBits(value);
      case F32, F16, BF16 -> Float.floatToIntBits((float) value) & 0xffffffffL;
      case I64, BOOL -> bits;
      case I32, I16, I8, U8 -> bits & 0xffffffffL;
    };
  }

  private int term(String operation, List<Integer> arguments) {
    return terms.computeIfAbsent(new Term(operation, arguments), _ -> terms.size());
  }
}
