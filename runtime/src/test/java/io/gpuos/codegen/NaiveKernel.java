package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.layout.DType;
import java.math.BigInteger;
import java.util.List;
import java.util.function.IntFunction;

/**
 * The oracle for kernels: evaluates them node by node from the definitions, one element at a time.
 * Values are {@code Double} for floating types and {@code Long} for the others. Integers go through
 * {@link BigInteger}, floating values through {@code double}, rounded where {@link Kernel} says.
 */
final class NaiveKernel {

  private NaiveKernel() {}

  /**
   * @param operand the value of a Load of an operand
   */
  static Object evaluate(Kernel kernel, int node, IntFunction<Object> operand) {
    return switch (kernel.nodes().get(node)) {
      case Node.Load load -> operand.apply(load.operand());
      case Node.Constant(DType type, long bits) -> ofBits(type, bits);
      case Node.Convert(DType type, int argument) ->
          convert(type, evaluate(kernel, argument, operand));
      case Node.Foreign foreign -> throw new IllegalArgumentException(foreign.toString());
      case Node.Fold fold -> throw new IllegalArgumentException(fold.toString());
      case Node.Apply(Function function, DType type, List<Integer> arguments) -> {
        DType from = kernel.nodes().get(arguments.getLast()).type();
        List<Object> values =
            arguments.stream().map(argument -> evaluate(kernel, argument, operand)).toList();
        yield apply(function, from, type, values);
      }
    };
  }

  /** The value of a constant's or a SCALAR operand's bits. */
  static Object ofBits(DType type, long bits) {
    return switch (type) {
      case F64 -> Double.longBitsToDouble(bits);
      case F32, F16, BF16 -> (double) (float) Double.longBitsToDouble(bits);
      default -> wrap(type, BigInteger.valueOf(bits));
    };
  }

  static Object convert(DType type, Object value) {
    if (type == DType.BOOL) {
      return ((Number) value).doubleValue() != 0 ? 1L : 0L;
    }
    if (type.isFloating()) {
      return switch (type) {
        case F64 -> ((Number) value).doubleValue();
        case F16 -> (double) Float.float16ToFloat(Float.floatToFloat16(toFloat(value)));
        case BF16 -> (double) Float.intBitsToFloat(bf16(toFloat(value)) << 16);
        default -> (double) toFloat(value);
      };
    }
    if (value instanceof Double floating) {
      return type == DType.I64
          ? floating.longValue()
          : wrap(type, BigInteger.valueOf(floating.intValue()));
    }
    return wrap(type, BigInteger.valueOf((Long) value));
  }

  private static float toFloat(Object value) {
    return value instanceof Long integer ? (float) (long) integer : ((Double) value).floatValue();
  }

  /** Bits of the nearest bfloat16 by comparing the two neighbours; ties to even. */
  static short bf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    int below = bits >>> 16;
    int rest = bits & 0xFFFF;
    boolean up = rest > 0x8000 || (rest == 0x8000 && (below & 1) == 1);
    return (short) (up ? below + 1 : below);
  }

  private static Object apply(Function function, DType from, DType type, List<Object> values) {
    if (function == Function.WHERE) {
      return (Long) values.get(0) != 0 ? values.get(1) : values.get(2);
    }
    if (from.isFloating()) {
      double[] x = values.stream().mapToDouble(value -> (Double) value).toArray();
      double result = NaiveFunctions.floating(function, from == DType.F64, x);
      if (type == DType.BOOL) {
        return (long) result;
      }
      return type == DType.F64 ? result : (double) (float) result;
    }
    BigInteger[] x =
        values.stream().map(value -> BigInteger.valueOf((Long) value)).toArray(BigInteger[]::new);
    return wrap(type, NaiveFunctions.integral(function, from, x));
  }

  /** The value of the type that is equal modulo two to the width; BOOL is not 0. */
  private static Long wrap(DType type, BigInteger value) {
    return switch (type) {
      case I64 -> value.longValue();
      case I32 -> (long) value.intValue();
      case I16 -> (long) value.shortValue();
      case I8 -> (long) value.byteValue();
      case U8 -> value.longValue() & 0xFF;
      case BOOL -> value.signum() != 0 ? 1L : 0L;
      default -> throw new IllegalArgumentException(type.toString());
    };
  }
}
