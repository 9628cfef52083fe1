package io.gpuos.interpret;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.InterpreterRecord;
import io.gpuos.codegen.CudaType;
import io.gpuos.codegen.Kernels;
import io.gpuos.codegen.RandomCases;
import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels as programs: that they say the same, in few cells, and what is refused. */
class InterpreterProgramTest {

  private static InterpreterProgram program(Kernel kernel) {
    return assertInstanceOf(InterpreterProgram.class, InterpreterProgram.encode(kernel));
  }

  private static String refusal(Kernel kernel) {
    return assertInstanceOf(NotInterpretable.class, InterpreterProgram.encode(kernel)).reason();
  }

  @Test
  void shouldPrintOneLineAnInstruction() {
    Kernels k = new Kernels();
    int half = k.input(DType.F16);
    int wide = k.input(DType.F64);
    int scalar = k.scalar(DType.I8);
    int sum = k.apply(Function.ADD, k.convert(DType.F64, half), wide);
    int small = k.apply(Function.MUL, scalar, k.constant(DType.I8, -3));
    int chosen =
        k.apply(
            Function.WHERE,
            k.apply(Function.GT, sum, k.constant(DType.F64, 0.5)),
            k.convert(DType.F64, small),
            sum);
    assertEquals(
        """
        14 instructions, 6 cells
        c0 = load F16 operand 0
        c0:1 = convert<F64> float c0
        c2:3 = load F64 operand 1
        c0:1 = add double c0:1, c2:3
        c2:3 = constant 0x3fe0000000000000
        c2 = gt double c0:1, c2:3
        c3 = scalar I32 operand 2
        c4 = constant 0xfffffffd
        c3 = mul int c3, c4
        c3 = convert<I8> int c3
        c4:5 = convert<F64> int c3
        c0:1 = where double c2, c4:5, c0:1
        store F64 operand 3, c0:1
        store I8 operand 4, c3
        """,
        program(k.store(chosen, small)).toString());
  }

  @Test
  void shouldLayBytesOutAsTheDeviceReadsThem() {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    int scale = k.constant(DType.F32, -2.5);
    InterpreterProgram program = program(k.store(k.apply(Function.MUL, x, scale)));
    ByteBuffer bytes = ByteBuffer.wrap(program.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(16 + 4 * 16, program.byteSize());
    assertEquals(program.byteSize(), bytes.remaining());
    assertEquals(List.of(4, 2, 0, 0), ints(bytes));
    assertEquals(List.of(Operations.load(DType.F32).number(), 0x00_00, 0, 0), ints(bytes));
    int constant = Operations.constant(CudaType.FLOAT).number();
    assertEquals(List.of(constant, 0x00_01, Float.floatToIntBits(-2.5f), 0), ints(bytes));
    int mul = Operations.function(Function.MUL, CudaType.FLOAT).number();
    assertEquals(List.of(mul, 0x01_00_00, 0, 0), ints(bytes));
    assertEquals(List.of(Operations.store(DType.F32).number(), 0x00_00, 1, 0), ints(bytes));
  }

  private static List<Integer> ints(ByteBuffer bytes) {
    return List.of(bytes.getInt(), bytes.getInt(), bytes.getInt(), bytes.getInt());
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 30, 90})
  void shouldStoreWhatTheKernelSays(int nodes) {
    int programs = 0;
    for (int seed = 0; seed < 200; seed++) {
      RandomCases cases = new RandomCases(seed);
      int inputs = cases.random().nextInt(Kernel.MAX_INPUTS);
      Kernel.Elementwise kernel = cases.elementwise(inputs, 1, inputs + nodes);
      if (InterpreterProgram.encode(kernel) instanceof InterpreterProgram program) {
        SymbolicRun.check(kernel, program);
        programs++;
      }
    }
    assertTrue(programs > 190, "programs=" + programs);
  }

  @ParameterizedTest
  @EnumSource(Function.class)
  void shouldEncodeEveryFunctionInEveryTypeItIsComputedIn(Function function) {
    for (DType type : DType.values()) {
      if (function.typeRule().accepts(type)) {
        Kernels k = new Kernels();
        Integer[] arguments = new Integer[function.arity()];
        for (int i = 0; i < arguments.length; i++) {
          arguments[i] = k.input(i == 0 && function == Function.WHERE ? DType.BOOL : type);
        }
        Kernel.Elementwise kernel = k.store(k.apply(function, arguments));
        SymbolicRun.check(kernel, program(kernel));
      }
    }
  }

  @Test
  void shouldEncodeEveryConversion() {
    for (DType from : DType.values()) {
      for (DType to : DType.values()) {
        Kernels k = new Kernels();
        Kernel.Elementwise kernel = k.store(k.convert(to, k.input(from)));
        SymbolicRun.check(kernel, program(kernel));
      }
    }
  }

  /** Outputs may lie in the inputs' memory: here they change places. */
  @Test
  void shouldLoadEverythingBeforeItStores() {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    int y = k.input(DType.F32);
    assertEquals(
        """
        4 instructions, 2 cells
        c0 = load F32 operand 1
        c1 = load F32 operand 0
        store F32 operand 2, c0
        store F32 operand 3, c1
        """,
        program(k.store(y, x)).toString());
  }

  @Test
  void shouldLeaveOutWhatIsNotStored() {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    int y = k.input(DType.F32);
    k.apply(Function.SIN, y);
    assertEquals(2, program(k.store(x)).instructions().size());
  }

  /** One after the other from the left, it would hold every sine. */
  @Test
  void shouldComputeTheDeeperArgumentFirst() {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    List<Integer> sines = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      sines.add(k.apply(Function.SIN, k.apply(Function.MUL, x, k.constant(DType.F32, i))));
    }
    int sum = x;
    for (int sine : sines.reversed()) {
      sum = k.apply(Function.ADD, sine, sum);
    }
    Kernel.Elementwise kernel = k.store(sum);
    assertEquals(3, program(kernel).cells());
    SymbolicRun.check(kernel, program(kernel));
  }

  /** Forty constants used twice each, all of the first uses before any of the second. */
  @Test
  void shouldMakeLeavesAnewWhereHoldingThemTakesTooManyCells() {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    List<Integer> constants = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      constants.add(k.constant(DType.F32, i));
    }
    int sum = x;
    int product = x;
    for (int i = 0; i < 40; i++) {
      sum = k.apply(Function.ADD, sum, constants.get(i));
      product = k.apply(Function.MUL, product, constants.get(39 - i));
    }
    Kernel.Elementwise kernel = k.store(sum, product);
    InterpreterProgram program = program(kernel);
    assertTrue(program.cells() <= 4, program::toString);
    SymbolicRun.check(kernel, program);
  }

  @Test
  void shouldRefuseMoreValuesThanCells() {
    assertInstanceOf(InterpreterProgram.class, InterpreterProgram.encode(usedTwice(29)));
    assertEquals("values do not fit: cells=34, expected=at most 32", refusal(usedTwice(32)));
  }

  /** That many values at a time: each is used by a sum, and once more by a product. */
  private static Kernel usedTwice(int values) {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    List<Integer> sines = new ArrayList<>();
    for (int i = 0; i < values; i++) {
      sines.add(k.apply(Function.SIN, k.apply(Function.MUL, x, k.constant(DType.F32, i))));
    }
    int sum = x;
    for (int sine : sines) {
      sum = k.apply(Function.ADD, sum, sine);
    }
    int product = sum;
    for (int sine : sines) {
      product = k.apply(Function.MUL, product, sine);
    }
    return k.store(product);
  }

  @Test
  void shouldRefuseProgramsThatDoNotFitTheScratchMemory() {
    int most = InterpreterRecord.MAX_INSTRUCTIONS;
    assertEquals(most, program(chain(most - 2)).instructions().size());
    assertEquals(
        "program too long: instructions=468, expected=at most 467", refusal(chain(most - 1)));
  }

  /** Deeper than any thread's stack, if it were walked by recursion. */
  @Test
  void shouldRefuseEvenTheDeepestExpressionWithItsLength() {
    assertEquals(
        "program too long: instructions=100002, expected=at most 467", refusal(chain(100_000)));
  }

  private static Kernel chain(int length) {
    List<Node> nodes = new ArrayList<>();
    nodes.add(new Node.Load(0, DType.F32));
    for (int i = 0; i < length; i++) {
      nodes.add(new Node.Apply(Function.NEG, DType.F32, List.of(i)));
    }
    return new Kernel.Elementwise(
        List.of(new Operand(Role.INPUT, DType.F32), new Operand(Role.OUTPUT, DType.F32)),
        nodes,
        List.of(new Store(1, length)));
  }

  @Test
  void shouldRefuseReductions() {
    Kernels k = new Kernels();
    int x = k.input(DType.F32);
    assertEquals(
        "kernel is a reduction, expected=elementwise",
        refusal(k.reduce(Reducer.SUM, x, 0, DType.F32)));
  }

  @Test
  void shouldBeEqualExactlyWhenKernelsSayTheSame() {
    Kernel one = usedTwice(3);
    assertEquals(program(one), program(usedTwice(3)));
    assertEquals(program(one).hashCode(), program(usedTwice(3)).hashCode());
    assertNotEquals(program(one), program(usedTwice(4)));
  }
}
