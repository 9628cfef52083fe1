package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.layout.DType;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.classfile.instruction.OperatorInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;

/**
 * Emits the instructions of single nodes. Every method leaves exactly one value, the node's, on the
 * operand stack, in the node's {@link ComputeType} and within the range of its type.
 */
final class NodeEmitter {

  private static final ClassDesc SCALAR_MATH = ScalarMath.class.describeConstable().orElseThrow();
  private static final ClassDesc HALVES = Halves.class.describeConstable().orElseThrow();

  private final CodeBuilder code;
  private final List<Node> nodes;
  private final IntConsumer push;

  /**
   * @param nodes the kernel's, to look types up
   * @param push emits instructions that push the value of a node; without side effects
   */
  NodeEmitter(CodeBuilder code, List<Node> nodes, IntConsumer push) {
    this.code = code;
    this.nodes = nodes;
    this.push = push;
  }

  /** Computes a node from its arguments. */
  void compute(Node node) {
    switch (node) {
      case Node.Convert(DType to, int argument) -> convert(argument, to);
      case Node.Apply apply -> apply(apply);
      case Node.Load _, Node.Constant _, Node.Foreign _, Node.Fold _ ->
          throw new IllegalArgumentException(node.toString());
    }
  }

  /** Pushes a constant of a type. */
  void constant(DType type, long bits) {
    switch (ComputeType.of(type)) {
      case FLOAT -> code.loadConstant((float) Double.longBitsToDouble(bits));
      case DOUBLE -> code.loadConstant(Double.longBitsToDouble(bits));
      case LONG -> code.loadConstant(bits);
      case INT -> {
        boolean truth = bits != 0;
        code.loadConstant(type == DType.BOOL ? (truth ? 1 : 0) : wrapped(type, (int) bits));
      }
    }
  }

  /** Turns the bits of a SCALAR operand, a long on the stack, into its value. */
  void scalar(DType type) {
    switch (ComputeType.of(type)) {
      case FLOAT -> longBitsToDouble().d2f();
      case DOUBLE -> longBitsToDouble();
      case LONG -> {}
      case INT -> {
        if (type == DType.BOOL) {
          code.lconst_0().lcmp();
          zeroOrOne(Opcode.IFNE);
        } else {
          code.l2i();
          wrap(type);
        }
      }
    }
  }

  private CodeBuilder longBitsToDouble() {
    return code.invokestatic(
        Double.class.describeConstable().orElseThrow(),
        "longBitsToDouble",
        MethodTypeDesc.of(TypeKind.DOUBLE.upperBound(), TypeKind.LONG.upperBound()));
  }

  // ---------------------------------------------------------------- conversions

  private void convert(int argument, DType to) {
    DType from = nodes.get(argument).type();
    push.accept(argument);
    if (to == DType.BOOL) {
      compareWithZero(ComputeType.of(from));
      return;
    }
    TypeKind source = ComputeType.of(from).kind();
    TypeKind target = ComputeType.of(to).kind();
    if (source != target) {
      code.conversion(source, target);
    }
    switch (to) {
      case F16 -> round("roundToF16");
      case BF16 -> round("roundToBf16");
      default -> wrap(to);
    }
  }

  private void round(String method) {
    TypeKind kind = TypeKind.FLOAT;
    code.invokestatic(HALVES, method, MethodTypeDesc.of(kind.upperBound(), kind.upperBound()));
  }

  private void compareWithZero(ComputeType type) {
    switch (type) {
      case FLOAT -> code.fconst_0().fcmpl();
      case DOUBLE -> code.dconst_0().dcmpl();
      case LONG -> code.lconst_0().lcmp();
      case INT -> {}
    }
    zeroOrOne(Opcode.IFNE);
  }

  /** Wraps an int to the width of a type; other types stay. */
  private void wrap(DType type) {
    switch (type) {
      case I8 -> code.i2b();
      case I16 -> code.i2s();
      case U8 -> code.loadConstant(0xFF).iand();
      default -> {}
    }
  }

  private static int wrapped(DType type, int value) {
    return switch (type) {
      case I8 -> (byte) value;
      case I16 -> (short) value;
      case U8 -> value & 0xFF;
      default -> value;
    };
  }

  // ---------------------------------------------------------------- functions

  private void apply(Node.Apply apply) {
    Function function = apply.function();
    DType argumentType = nodes.get(apply.arguments().getLast()).type();
    switch (function) {
      case EQ, NE, LT, LE, GT, GE -> compare(apply, ComputeType.of(argumentType));
      case WHERE -> select(apply.arguments());
      case LOGICAL_NOT, BITWISE_NOT -> not(apply);
      case ADD, MAXIMUM -> operatorOrBoolean(apply, "or", argumentType);
      case MUL, MINIMUM -> operatorOrBoolean(apply, "and", argumentType);
      case FLOOR, CEIL, ROUND, TRUNC -> {
        if (argumentType.isFloating()) {
          call(apply, argumentType);
        } else {
          pushAll(apply);
        }
      }
      default -> operatorOrCall(apply, argumentType);
    }
    wrap(apply.type());
  }

  private void operatorOrBoolean(Node.Apply apply, String booleanMnemonic, DType type) {
    if (type == DType.BOOL) {
      operator(apply, booleanMnemonic, type);
    } else {
      operatorOrCall(apply, type);
    }
  }

  private void operatorOrCall(Node.Apply apply, DType type) {
    apply
        .function()
        .jvmMnemonic()
        .ifPresentOrElse(mnemonic -> operator(apply, mnemonic, type), () -> call(apply, type));
  }

  private void pushAll(Node.Apply apply) {
    apply.arguments().forEach(push::accept);
  }

  private void operator(Node.Apply apply, String mnemonic, DType type) {
    pushAll(apply);
    String name = ComputeType.of(type).mnemonicPrefix() + mnemonic;
    code.with(OperatorInstruction.of(Opcode.valueOf(name.toUpperCase(Locale.ROOT))));
  }

  private void call(Node.Apply apply, DType argumentType) {
    pushAll(apply);
    ClassDesc argument = ComputeType.of(argumentType).kind().upperBound();
    ClassDesc result = ComputeType.of(apply.type()).kind().upperBound();
    List<ClassDesc> parameters = Collections.nCopies(apply.arguments().size(), argument);
    code.invokestatic(
        SCALAR_MATH, apply.function().javaName(), MethodTypeDesc.of(result, parameters));
  }

  private void not(Node.Apply apply) {
    pushAll(apply);
    if (ComputeType.of(apply.type()) == ComputeType.LONG) {
      code.loadConstant(-1L).lxor();
    } else {
      code.loadConstant(apply.type() == DType.BOOL ? 1 : -1).ixor();
    }
  }

  /** {@code condition ? a : b}, as a branch the JIT compiler may turn into a conditional move. */
  private void select(List<Integer> arguments) {
    push.accept(arguments.get(0));
    code.ifThenElse(
        Opcode.IFNE, _ -> push.accept(arguments.get(1)), _ -> push.accept(arguments.get(2)));
  }

  /** A comparison with NaN is false, except NE: hence the choice between cmpl and cmpg. */
  private void compare(Node.Apply apply, ComputeType type) {
    pushAll(apply);
    Function function = apply.function();
    boolean nanIsGreater = function == Function.LT || function == Function.LE;
    switch (type) {
      case FLOAT -> code.with(OperatorInstruction.of(nanIsGreater ? Opcode.FCMPG : Opcode.FCMPL));
      case DOUBLE -> code.with(OperatorInstruction.of(nanIsGreater ? Opcode.DCMPG : Opcode.DCMPL));
      case LONG -> code.lcmp();
      case INT -> {}
    }
    String condition = (type == ComputeType.INT ? "IF_ICMP" : "IF") + function.name();
    zeroOrOne(Opcode.valueOf(condition));
  }

  private void zeroOrOne(Opcode condition) {
    code.ifThenElse(condition, CodeBuilder::iconst_1, CodeBuilder::iconst_0);
  }
}
