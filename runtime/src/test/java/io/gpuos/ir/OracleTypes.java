package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.List;

/** PyTorch's type promotion, written down as its documentation has it, and number formats. */
final class OracleTypes {

  /** Rows and columns in the order of {@link DType}, from torch.promote_types. */
  private static final String[] PROMOTION = {
    //         f64  f32  f16  bf16 i64  i32  i16  i8   u8   bool
    /* f64  */ "F64  F64  F64  F64  F64  F64  F64  F64  F64  F64",
    /* f32  */ "F64  F32  F32  F32  F32  F32  F32  F32  F32  F32",
    /* f16  */ "F64  F32  F16  F32  F16  F16  F16  F16  F16  F16",
    /* bf16 */ "F64  F32  F32  BF16 BF16 BF16 BF16 BF16 BF16 BF16",
    /* i64  */ "F64  F32  F16  BF16 I64  I64  I64  I64  I64  I64",
    /* i32  */ "F64  F32  F16  BF16 I64  I32  I32  I32  I32  I32",
    /* i16  */ "F64  F32  F16  BF16 I64  I32  I16  I16  I16  I16",
    /* i8   */ "F64  F32  F16  BF16 I64  I32  I16  I8   I16  I8",
    /* u8   */ "F64  F32  F16  BF16 I64  I32  I16  I16  U8   U8",
    /* bool */ "F64  F32  F16  BF16 I64  I32  I16  I8   U8   BOOL",
  };

  private OracleTypes() {}

  static DType promote(DType a, DType b) {
    return DType.valueOf(PROMOTION[a.ordinal()].split(" +")[b.ordinal()]);
  }

  /** An operand of promotion. */
  record Operand(DType type, int rank, boolean pythonNumber) {}

  /** torch.result_type; a floating Python number counts as F32 beside a tensor. */
  static DType resultType(List<Operand> operands) {
    DType result = null;
    boolean onlyNumbers = operands.stream().allMatch(Operand::pythonNumber);
    for (int priority = 0; priority < 3; priority++) {
      DType level = null;
      for (Operand operand : operands) {
        int own = operand.pythonNumber() ? 2 : operand.rank() == 0 ? 1 : 0;
        if (own == priority) {
          boolean number = operand.pythonNumber() && operand.type() == DType.F64 && !onlyNumbers;
          DType type = number ? DType.F32 : operand.type();
          level = level == null ? type : promote(level, type);
        }
      }
      if (result == null) {
        result = level;
      } else if (level != null && kind(level) > kind(result)) {
        result = promote(result, level);
      }
    }
    return result;
  }

  private static int kind(DType type) {
    return type == DType.BOOL ? 0 : type.isFloating() ? 2 : 1;
  }

  /** The nearest value of a floating type, ties to even. */
  static double round(DType type, double value) {
    return switch (type) {
      case F64 -> value;
      case F32 -> (float) value;
      case F16 -> Float.float16ToFloat(Float.floatToFloat16(oddFloat(value)));
      case BF16 -> bfloat16(oddFloat(value));
      default -> throw new IllegalArgumentException("no floating type: " + type);
    };
  }

  /**
   * The double rounded to odd as a float: a second rounding to fewer bits is then correct (Boldo
   * and Melquiond, "When double rounding is odd", 2004).
   */
  private static float oddFloat(double value) {
    float nearest = (float) value;
    if (nearest == value || Double.isNaN(value) || Float.isInfinite(nearest)) {
      return nearest;
    }
    int bits = Float.floatToRawIntBits(nearest);
    boolean tooLarge = Math.abs((double) nearest) > Math.abs(value);
    return Float.intBitsToFloat((tooLarge ? bits - 1 : bits) | 1);
  }

  private static double bfloat16(float value) {
    if (Float.isNaN(value)) {
      return Double.NaN;
    }
    int bits = Float.floatToRawIntBits(value);
    int half = 0x7fff + (bits >>> 16 & 1);
    return Float.intBitsToFloat(bits + half & 0xffff0000);
  }

  /** The value in the type that a generator computes in. */
  static double computed(DType type, double value) {
    return type == DType.F64 ? value : (float) value;
  }

  /** Two's complement of the type's width. */
  static long wrap(DType type, long value) {
    return switch (type) {
      case I64 -> value;
      case I32 -> (int) value;
      case I16 -> (short) value;
      case I8 -> (byte) value;
      case U8 -> value & 0xff;
      case BOOL -> value == 0 ? 0 : 1;
      default -> throw new IllegalArgumentException("no integer type: " + type);
    };
  }
}
