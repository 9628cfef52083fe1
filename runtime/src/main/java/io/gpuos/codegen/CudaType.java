package io.gpuos.codegen;

import io.gpuos.layout.DType;

/** The C++ types that device code computes in, see {@link io.gpuos.ir.Kernel}. */
public enum CudaType {
  DOUBLE("double", DType.F64),
  FLOAT("float", DType.F32),
  LONG("long long", DType.I64),
  INT("int", DType.I32),
  BOOL("bool", DType.BOOL);

  private final String text;
  private final DType own;

  CudaType(String text, DType own) {
    this.text = text;
    this.own = own;
  }

  /** What elements of a type are computed in. */
  public static CudaType of(DType type) {
    return switch (type) {
      case F64 -> DOUBLE;
      case F32, F16, BF16 -> FLOAT;
      case I64 -> LONG;
      case I32, I16, I8, U8 -> INT;
      case BOOL -> BOOL;
    };
  }

  /** The type in C++. */
  public String text() {
    return text;
  }

  /** The element type with the same values: neither rounded nor cut by a store. */
  public DType own() {
    return own;
  }
}
