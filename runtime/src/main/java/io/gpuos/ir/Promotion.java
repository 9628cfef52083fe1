package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.List;

/**
 * The common type of several operands, as {@code torch.result_type}: tensors with dimensions come
 * first, then tensors without, then Python scalars. A lower class only matters if its category
 * (boolean, integral, floating) is higher.
 */
final class Promotion {

  /** What a floating scalar, or an integer where floating is wanted, becomes. */
  static final DType DEFAULT_FLOATING = DType.F32;

  private Promotion() {}

  /**
   * The common type; if all operands are scalars, that of Python's numbers: F64, I64 or BOOL.
   *
   * @param operands at least one
   */
  static DType common(List<TypedNode> operands) {
    DType dimensioned = null;
    DType zeroDimensional = null;
    DType scalar = null;
    for (TypedNode operand : operands) {
      if (operand.scalar()) {
        scalar = promote(scalar, operand.type());
      } else if (operand.shape().isEmpty()) {
        zeroDimensional = promote(zeroDimensional, operand.type());
      } else {
        dimensioned = promote(dimensioned, operand.type());
      }
    }
    DType tensors = combine(dimensioned, zeroDimensional);
    return tensors == null ? scalar : combine(tensors, scalar == null ? null : tensorType(scalar));
  }

  /** The type of the tensor that a scalar becomes. */
  static DType tensorType(DType scalar) {
    return scalar.isFloating() ? DEFAULT_FLOATING : scalar;
  }

  private static DType promote(DType a, DType b) {
    return a == null ? b : DType.promote(a, b);
  }

  private static DType combine(DType higher, DType lower) {
    if (higher == null || lower == null) {
      return higher == null ? lower : higher;
    }
    return lower.category().compareTo(higher.category()) > 0
        ? DType.promote(higher, lower)
        : higher;
  }
}
