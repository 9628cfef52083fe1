package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;

/**
 * About how many instructions a kernel takes per element, by which the device templates decide how
 * often to repeat its code. Counted from {@code sm_90} machine code of each function alone; a wrong
 * weight costs speed, never correctness.
 */
public final class CudaWeights {

  /** Unknown; as of something long, whose code is not repeated. */
  private static final int FOREIGN = 100;

  private CudaWeights() {}

  /** Sum over the nodes, and the fold of a reduction; at least 1. */
  static int of(Kernel kernel) {
    int nodes = kernel.nodes().stream().mapToInt(node -> of(kernel, node)).sum();
    return Math.max(
        1,
        nodes
            + (kernel instanceof Kernel.Reduction fold
                ? of(fold.reducer(), fold.nodes().get(fold.value()).type(), fold.parameter())
                : 0));
  }

  private static int of(Reducer reducer, DType type, double parameter) {
    int scale = type.bytes() == 8 ? 3 : 1;
    return scale
        * switch (reducer) {
          case SUM, MEAN, PROD, ANY, ALL -> 1;
          case MAX, MIN -> 4;
          case ARGMAX, ARGMIN, VAR, STD -> 8;
          case NORM -> CudaReducers.takesParameter(reducer, parameter) ? ofFloat(Function.POW) : 4;
        };
  }

  private static int of(Kernel kernel, Node node) {
    return switch (node) {
      case Node.Load _, Node.Constant _ -> 0;
      case Node.Convert _ -> 2;
      case Node.Foreign _ -> FOREIGN;
      case Node.Fold fold ->
          of(fold.reducer(), kernel.nodes().get(fold.argument()).type(), fold.parameter());
      case Node.Apply apply ->
          of(apply.function(), CudaType.of(kernel.nodes().get(apply.arguments().getLast()).type()));
    };
  }

  /** Of one function on arguments that are computed in {@code type}. */
  public static int of(Function function, CudaType type) {
    return switch (type) {
      case DOUBLE -> 3 * ofFloat(function);
      case FLOAT -> ofFloat(function);
      case LONG -> 2 * ofInt(function);
      case INT -> ofInt(function);
      case BOOL -> 1;
    };
  }

  private static int ofFloat(Function function) {
    return switch (function) {
      case MAXIMUM, MINIMUM, RELU, EXP2, RSQRT, ISINF -> 4;
      case SIGN, CLAMP, RELU6, HARDTANH, HARDSIGMOID, HARDSWISH -> 8;
      case EXP -> 10;
      case COSH, TANH, ATAN -> 18;
      case EXPM1, LOG, LOG2, LOG10, SQRT, RECIPROCAL, DIV, ASIN, ACOS, SINH, ERF -> 26;
      case LOG1P, SIGMOID, SILU, SELU, ELU -> 36;
      case ASINH, ACOSH, ATANH, ERFC, HYPOT, GELU, GELU_TANH, MISH -> 48;
      case CELU, ATAN2 -> 64;
      case SOFTPLUS, FMOD, REMAINDER -> 80;
      case SIN, COS, TAN, POW -> 100;
      case FLOOR_DIVIDE -> 160;
      case LGAMMA -> 220;
      default -> 1;
    };
  }

  private static int ofInt(Function function) {
    return switch (function) {
      case FMOD, REMAINDER, FLOOR_DIVIDE, POW -> 50;
      case SIGN, CLAMP, SHIFT_LEFT, SHIFT_RIGHT -> 4;
      default -> 1;
    };
  }
}
