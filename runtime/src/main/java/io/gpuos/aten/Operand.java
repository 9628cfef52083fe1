package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.layout.DType;

/**
 * An argument of an operator that computes element by element: a tensor or a number.
 *
 * @param dtype of a tensor; of a number F32, I64 or BOOL, what PyTorch makes of it
 * @param weight how much it counts in promotion
 */
record Operand(Expr value, DType dtype, Weight weight) {

  /** Classes of operands; a lower one matters only if its category of types is higher. */
  enum Weight {
    NUMBER,
    WITHOUT_DIMENSIONS,
    WITH_DIMENSIONS
  }

  /** The common type of operands, as {@code torch.result_type}. */
  static DType common(Operand... operands) {
    DType[] types = new DType[Weight.values().length];
    for (Operand operand : operands) {
      int weight = operand.weight.compareTo(Weight.NUMBER);
      types[weight] =
          types[weight] == null ? operand.dtype : DType.promote(types[weight], operand.dtype);
    }
    DType common = types[types.length - 1];
    for (int weight = types.length - 2; weight >= 0; weight--) {
      DType lower = types[weight];
      if (common == null) {
        common = lower;
      } else if (lower != null && lower.category().compareTo(common.category()) > 0) {
        common = DType.promote(common, lower);
      }
    }
    return common;
  }

  /** {@link #common}, and F32 where that is no floating type. */
  static DType floating(Operand... operands) {
    DType common = common(operands);
    return common.isFloating() ? common : DType.F32;
  }

  /** The type that PyTorch computes in: half types in float32, others in themselves. */
  static DType computeType(DType dtype) {
    return dtype == DType.F16 || dtype == DType.BF16 ? DType.F32 : dtype;
  }

  /** The value converted to a type; a number takes the type of what it meets. */
  Expr as(DType type) {
    return weight == Weight.NUMBER || dtype == type ? value : value.to(type);
  }

  /**
   * The value as an operator computes with it: a tensor is converted to the common type first, and
   * so rounded to it, then to the type that this is computed in. A number keeps its digits.
   */
  Expr in(DType common) {
    return weight == Weight.NUMBER ? value : rounded(common);
  }

  /** As {@link #in}, numbers rounded too. */
  Expr rounded(DType common) {
    return weight == Weight.NUMBER && computeType(common) == common
        ? value
        : as(common).to(common).to(computeType(common));
  }
}
