package io.gpuos.ir;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.layout.DType;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class VerifierTest {

  private static final Operand IN = new Operand(Role.INPUT, DType.F32);
  private static final Operand SCALAR = new Operand(Role.SCALAR, DType.F32);
  private static final Operand OUT = new Operand(Role.OUTPUT, DType.F32);
  private static final Node LOAD = new Node.Load(0, DType.F32);
  private static final Store STORE = new Store(1, 0);

  private static Kernel elementwise(List<Operand> operands, List<Node> nodes, Store... stores) {
    return new Kernel.Elementwise(operands, nodes, List.of(stores));
  }

  private static Kernel contraction(List<Operand> operands, List<Node> nodes, int value) {
    return new Kernel.Contraction(operands, nodes, value);
  }

  private static Node apply(Function function, DType type, Integer... arguments) {
    return new Node.Apply(function, type, List.of(arguments));
  }

  private static Node foreign(String signature, Integer... arguments) {
    return new Node.Foreign(ForeignFunction.of(signature, "f.cu", ""), List.of(arguments));
  }

  private static Kernel reduction(Reducer reducer, DType in, DType out, double parameter) {
    return new Kernel.Reduction(
        List.of(new Operand(Role.INPUT, in), new Operand(Role.OUTPUT, out)),
        List.of(new Node.Load(0, in)),
        reducer,
        0,
        parameter);
  }

  static Stream<Arguments> broken() {
    List<Operand> plain = List.of(IN, OUT);
    Node bool = new Node.Load(0, DType.BOOL);
    List<Operand> boolIn = List.of(new Operand(Role.INPUT, DType.BOOL), OUT);
    return Stream.of(
        Arguments.of("too many operands", elementwise(Collections.nCopies(11, OUT), List.of(LOAD))),
        Arguments.of("too many inputs", elementwise(Collections.nCopies(9, IN), List.of(LOAD))),
        Arguments.of("no output", elementwise(List.of(IN), List.of(LOAD))),
        Arguments.of("operands not in the order", elementwise(List.of(OUT, IN), List.of(LOAD))),
        Arguments.of(
            "operands not in the order", elementwise(List.of(SCALAR, IN, OUT), List.of(LOAD))),
        Arguments.of(
            "load of no input", elementwise(plain, List.of(new Node.Load(1, DType.F32)), STORE)),
        Arguments.of(
            "load of no input", elementwise(plain, List.of(new Node.Load(5, DType.F32)), STORE)),
        Arguments.of(
            "load in another type",
            elementwise(plain, List.of(new Node.Load(0, DType.F16)), STORE)),
        Arguments.of(
            "constant out of range",
            elementwise(plain, List.of(LOAD, new Node.Constant(DType.U8, -1)), STORE)),
        Arguments.of(
            "constant out of range",
            elementwise(plain, List.of(LOAD, new Node.Constant(DType.BOOL, 2)), STORE)),
        Arguments.of(
            "argument does not come first",
            elementwise(plain, List.of(LOAD, apply(Function.NEG, DType.F32, 1)), STORE)),
        Arguments.of(
            "argument does not come first",
            elementwise(plain, List.of(LOAD, new Node.Convert(DType.F16, 3)), STORE)),
        Arguments.of(
            "wrong number of arguments",
            elementwise(plain, List.of(LOAD, apply(Function.ADD, DType.F32, 0)), STORE)),
        Arguments.of(
            "type without meaning for the function",
            elementwise(plain, List.of(LOAD, apply(Function.BITWISE_NOT, DType.F32, 0)), STORE)),
        Arguments.of(
            "wrong type of the result",
            elementwise(plain, List.of(LOAD, apply(Function.NEG, DType.F64, 0)), STORE)),
        Arguments.of(
            "wrong type of the result",
            elementwise(plain, List.of(LOAD, apply(Function.LT, DType.F32, 0, 0)), STORE)),
        Arguments.of(
            "arguments of different types",
            elementwise(
                plain,
                List.of(LOAD, new Node.Convert(DType.F64, 0), apply(Function.ADD, DType.F64, 1, 0)),
                STORE)),
        Arguments.of(
            "condition is no bool",
            elementwise(plain, List.of(LOAD, apply(Function.WHERE, DType.F32, 0, 0, 0)), STORE)),
        Arguments.of(
            "wrong number of arguments",
            elementwise(plain, List.of(LOAD, foreign("f32 f(f32 x, f32 y)", 0)), STORE)),
        Arguments.of(
            "argument of another type than declared",
            elementwise(plain, List.of(LOAD, foreign("f32 f(f64 x)", 0)), STORE)),
        Arguments.of(
            "argument does not come first",
            elementwise(plain, List.of(LOAD, foreign("f32 f(f32 x)", 1)), STORE)),
        Arguments.of(
            "store in another type",
            elementwise(plain, List.of(LOAD, foreign("f64 f(f32 x)", 0)), new Store(1, 1))),
        Arguments.of("store to no operand", elementwise(plain, List.of(LOAD), new Store(2, 0))),
        Arguments.of("store to no output", elementwise(plain, List.of(LOAD), new Store(0, 0))),
        Arguments.of("output stored twice", elementwise(plain, List.of(LOAD), STORE, STORE)),
        Arguments.of("store of no node", elementwise(plain, List.of(LOAD), new Store(1, 1))),
        Arguments.of("store in another type", elementwise(boolIn, List.of(bool), STORE)),
        Arguments.of("output not stored", elementwise(List.of(IN, OUT, OUT), List.of(LOAD), STORE)),
        Arguments.of(
            "type without meaning for the reduction",
            reduction(Reducer.MEAN, DType.I32, DType.I32, 0)),
        Arguments.of(
            "type without meaning for the reduction",
            reduction(Reducer.SUM, DType.I32, DType.I64, 0)),
        Arguments.of(
            "wrong type of the result", reduction(Reducer.ARGMAX, DType.I32, DType.I32, 0)),
        Arguments.of(
            "parameter without meaning", reduction(Reducer.NORM, DType.F32, DType.F32, Double.NaN)),
        Arguments.of("parameter without meaning", reduction(Reducer.SUM, DType.F32, DType.F32, 1)),
        Arguments.of(
            "no source and index", new Kernel.Gather(List.of(IN, IN, OUT), List.of(LOAD), 0)),
        Arguments.of(
            "scan with several outputs",
            new Kernel.Scan(List.of(IN, OUT, OUT), List.of(LOAD), 0, false)),
        Arguments.of("scan of no node", new Kernel.Scan(plain, List.of(LOAD), 1, false)),
        Arguments.of("type without meaning", new Kernel.Scan(plain, List.of(LOAD), 0, true)),
        Arguments.of(
            "store in another type",
            new Kernel.Scan(
                List.of(IN, new Operand(Role.OUTPUT, DType.F64)), List.of(LOAD), 0, false)),
        Arguments.of(
            "no index, elements", new Kernel.Scatter(List.of(IN, IN, IN, OUT), true, false)),
        Arguments.of("no index", new Kernel.Scatter(List.of(IN, IN, OUT), true, false)),
        Arguments.of(
            "two types",
            new Kernel.Scatter(
                List.of(
                    new Operand(Role.INPUT, DType.I64), IN, new Operand(Role.OUTPUT, DType.F64)),
                true,
                false)),
        Arguments.of("no two factors", contraction(List.of(IN, OUT), List.of(LOAD), 0)),
        Arguments.of(
            "no two factors",
            contraction(List.of(IN, new Operand(Role.INPUT, DType.F64), OUT), List.of(LOAD), 0)),
        Arguments.of(
            "product with several outputs",
            contraction(List.of(IN, IN, OUT, OUT), List.of(LOAD), 0)),
        Arguments.of(
            "load of a factor",
            contraction(List.of(IN, IN, OUT), List.of(new Node.Load(1, DType.F32)), 0)),
        Arguments.of("store of no node", contraction(List.of(IN, IN, OUT), List.of(LOAD), 1)),
        Arguments.of(
            "store in another type",
            contraction(List.of(IN, IN, new Operand(Role.OUTPUT, DType.F64)), List.of(LOAD), 0)),
        Arguments.of(
            "reduction of no node", new Kernel.Reduction(plain, List.of(LOAD), Reducer.SUM, 1, 0)),
        Arguments.of(
            "reduction with several outputs",
            new Kernel.Reduction(List.of(IN, OUT, OUT), List.of(LOAD), Reducer.SUM, 0, 0)));
  }

  @ParameterizedTest
  @MethodSource("broken")
  void shouldRefuseBrokenKernels(String rule, Kernel kernel) {
    String message =
        assertThrows(IllegalStateException.class, () -> Verifier.verify(kernel)).getMessage();
    assertTrue(message.startsWith("kernel is broken: " + rule), message);
    assertEquals(1, message.lines().count());
  }

  @Test
  void shouldAcceptScalarsBetweenInputsAndOutputs() {
    Kernel kernel =
        elementwise(
            List.of(IN, SCALAR, OUT),
            List.of(LOAD, new Node.Load(1, DType.F32), apply(Function.MUL, DType.F32, 0, 1)),
            new Store(2, 2));
    assertDoesNotThrow(() -> Verifier.verify(kernel));
  }

  @Test
  void shouldWriteEveryKindOfNode() {
    Kernel kernel =
        elementwise(
            List.of(IN, SCALAR, new Operand(Role.OUTPUT, DType.BOOL)),
            List.of(
                LOAD,
                new Node.Load(1, DType.F32),
                new Node.Constant(DType.F32, Double.doubleToRawLongBits(-0.5)),
                new Node.Constant(DType.F32, 0x7ff8000000000001L),
                new Node.Constant(DType.I32, -7),
                new Node.Constant(DType.BOOL, 1),
                apply(Function.CLAMP, DType.F32, 0, 1, 2),
                new Node.Convert(DType.BOOL, 6)),
            new Store(2, 7));
    assertEquals(
        """
        elementwise(input f32, scalar f32, output bool)
        %0 = load 0: f32
        %1 = load 1: f32
        %2 = constant -0.5: f32
        %3 = constant nan 0x7ff8000000000001: f32
        %4 = constant -7: i32
        %5 = constant true: bool
        %6 = clamp %0 %1 %2: f32
        %7 = convert %6: bool
        store 2 = %7
        """,
        KernelText.of(kernel));
    assertEquals(
        """
        reduction(input f16, output f16)
        %0 = load 0: f16
        store 1 = norm %0 parameter Infinity
        """,
        KernelText.of(reduction(Reducer.NORM, DType.F16, DType.F16, Double.POSITIVE_INFINITY)));
  }
}
