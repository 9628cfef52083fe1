package io.gpuos.codegen;

import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;

/** What {@code gpuos_reduce.cuh} calls a way to fold. */
final class CudaReducers {

  private CudaReducers() {}

  /** Whether the reducer is told the parameter, rather than chosen by it. */
  static boolean takesParameter(Reducer reducer, double parameter) {
    return switch (reducer) {
      case VAR, STD -> true;
      case NORM -> norm(parameter).equals("NormP");
      default -> false;
    };
  }

  /**
   * The struct that tells the order of a norm or the correction of a variance, empty for reducers
   * that take none.
   */
  static String parameter(String name, Reducer reducer, double parameter) {
    return takesParameter(reducer, parameter)
        ? """
          struct %s {
            static __device__ __forceinline__ double value() {
              return %s;
            }
          };

          """
            .formatted(name, CudaLiterals.of(parameter))
        : "";
  }

  /**
   * The C++ type that folds elements of a type.
   *
   * @param parameterName of the struct of {@link #parameter(String, Reducer, double)}
   */
  static String of(Reducer reducer, DType type, double parameter, String parameterName) {
    String name = name(reducer, parameter);
    if (reducer == Reducer.ANY || reducer == Reducer.ALL) {
      return "gpuos::" + name;
    }
    List<String> arguments = new ArrayList<>(List.of(accumulator(reducer, type)));
    if (takesParameter(reducer, parameter)) {
      arguments.add(parameterName);
    }
    return "gpuos::" + name + "<" + String.join(", ", arguments) + ">";
  }

  private static String name(Reducer reducer, double parameter) {
    return switch (reducer) {
      case SUM -> "Sum";
      case MEAN -> "Mean";
      case PROD -> "Prod";
      case MAX -> "Max";
      case MIN -> "Min";
      case ARGMAX -> "ArgMax";
      case ARGMIN -> "ArgMin";
      case ANY -> "Any";
      case ALL -> "All";
      case NORM -> norm(parameter);
      case VAR -> "Variance";
      case STD -> "Deviation";
    };
  }

  private static String norm(double order) {
    if (order == 0) {
      return "Norm0";
    } else if (order == 1) {
      return "Norm1";
    } else if (order == 2) {
      return "Norm2";
    } else if (order == Double.POSITIVE_INFINITY) {
      return "NormMax";
    } else if (order == Double.NEGATIVE_INFINITY) {
      return "NormMin";
    }
    return "NormP";
  }

  /** What partial results are kept in: 64 bits for sums of integers, else the computed type. */
  private static String accumulator(Reducer reducer, DType type) {
    boolean sums = reducer == Reducer.SUM || reducer == Reducer.PROD;
    boolean orders = !sums && type == DType.BOOL;
    if (orders) {
      return "int";
    }
    return sums && !type.isFloating() ? "long long" : CudaType.of(type).text();
  }
}
