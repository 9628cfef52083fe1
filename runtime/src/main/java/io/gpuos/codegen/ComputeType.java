package io.gpuos.codegen;

import io.gpuos.layout.DType;
import java.lang.classfile.TypeKind;

/** The four JVM types that values are computed in, see {@code Kernel}. */
enum ComputeType {
  FLOAT(TypeKind.FLOAT, "floats"),
  DOUBLE(TypeKind.DOUBLE, "doubles"),
  LONG(TypeKind.LONG, "longs"),
  INT(TypeKind.INT, "ints");

  private final TypeKind kind;
  private final String arraysField;

  ComputeType(TypeKind kind, String arraysField) {
    this.kind = kind;
    this.arraysField = arraysField;
  }

  /** What elements of a type are computed in. */
  static ComputeType of(DType type) {
    return switch (type) {
      case F64 -> DOUBLE;
      case F32, F16, BF16 -> FLOAT;
      case I64 -> LONG;
      case I32, I16, I8, U8, BOOL -> INT;
    };
  }

  /** The class-file view of the type. */
  TypeKind kind() {
    return kind;
  }

  /** Name of the field of {@link CpuScratch} that holds the arrays of this type. */
  String arraysField() {
    return arraysField;
  }

  /** First letter of the type's instructions: {@code f} of {@code fadd}. */
  char mnemonicPrefix() {
    return switch (this) {
      case FLOAT -> 'f';
      case DOUBLE -> 'd';
      case LONG -> 'l';
      case INT -> 'i';
    };
  }
}
