package io.gpuos.layout;

import java.util.Locale;
import java.util.Optional;

/** Element types. {@link #promote} follows PyTorch's {@code torch.promote_types}. */
public enum DType {
  F64(8, Category.FLOATING, "double"),
  F32(4, Category.FLOATING, "float"),
  F16(2, Category.FLOATING, "half"),
  BF16(2, Category.FLOATING, "bfloat16"),
  I64(8, Category.INTEGRAL, "int64"),
  I32(4, Category.INTEGRAL, "int32"),
  I16(2, Category.INTEGRAL, "int16"),
  I8(1, Category.INTEGRAL, "int8"),
  U8(1, Category.INTEGRAL, "uint8"),
  BOOL(1, Category.BOOLEAN, "bool");

  /** Promotion order of the three kinds of type: a higher one wins over any lower one. */
  public enum Category {
    BOOLEAN,
    INTEGRAL,
    FLOATING
  }

  private final int bytes;
  private final Category category;
  private final String longName;

  DType(int bytes, Category category, String longName) {
    this.bytes = bytes;
    this.category = category;
    this.longName = longName;
  }

  /** Number of this type in records shared with a device. */
  @SuppressWarnings("EnumOrdinal") // the order of the constants is the numbering, and is tested
  public int code() {
    return ordinal();
  }

  /** Size of one element in bytes. */
  public int bytes() {
    return bytes;
  }

  public Category category() {
    return category;
  }

  /** The name PyTorch and NumPy users know, such as {@code float16}'s {@code half}. */
  public String longName() {
    return longName;
  }

  public boolean isFloating() {
    return category == Category.FLOATING;
  }

  public boolean isIntegral() {
    return category == Category.INTEGRAL;
  }

  /**
   * The type of a name in any of the ways users write it: {@code f32}, {@code float32}, {@code
   * float}; in any case. Empty if there is none.
   */
  public static Optional<DType> named(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "f64", "float64", "double" -> Optional.of(F64);
      case "f32", "float32", "float" -> Optional.of(F32);
      case "f16", "float16", "half" -> Optional.of(F16);
      case "bf16", "bfloat16" -> Optional.of(BF16);
      case "i64", "int64", "long" -> Optional.of(I64);
      case "i32", "int32", "int" -> Optional.of(I32);
      case "i16", "int16", "short" -> Optional.of(I16);
      case "i8", "int8" -> Optional.of(I8);
      case "u8", "uint8" -> Optional.of(U8);
      case "bool" -> Optional.of(BOOL);
      default -> Optional.empty();
    };
  }

  /** Smallest type both operands convert to, as {@code torch.promote_types}. Symmetric. */
  public static DType promote(DType a, DType b) {
    if (a == b) {
      return a;
    }
    if (a.category != b.category) {
      return a.category.compareTo(b.category) > 0 ? a : b;
    }
    if (a.isFloating()) {
      return a == F64 || b == F64 ? F64 : F32;
    }
    if (a == U8 || b == U8) {
      DType signed = a == U8 ? b : a;
      return signed == I8 ? I16 : signed;
    }
    return a.bytes > b.bytes ? a : b;
  }
}
