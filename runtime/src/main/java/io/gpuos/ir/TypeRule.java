package io.gpuos.ir;

import io.gpuos.layout.DType;

/**
 * How a {@link Function} takes its argument types and what it returns; the rules are PyTorch's. The
 * <em>common type</em> of several arguments is that of {@code torch.result_type}.
 */
public enum TypeRule {
  /** Arguments convert to their common type, which is also the result's; any type. */
  ANY("any type -> common type"),
  /** As {@link #ANY} without BOOL. */
  NUMERIC("integer or floating -> common type"),
  /** As {@link #ANY}; integers and BOOL convert to F32 first. */
  FLOATING("any type -> floating; integers become f32"),
  /** As {@link #ANY}, floating types only: nothing is converted silently. */
  FLOATING_ONLY("floating -> common type"),
  /** Arguments convert to their common type, any type; the result is BOOL. */
  COMPARISON("any type -> bool"),
  /** Each argument converts to BOOL by itself; the result is BOOL. */
  LOGICAL("any type -> bool"),
  /** As {@link #ANY}, integers and BOOL only. */
  BITWISE("integer or bool -> common type"),
  /** As {@link #ANY}, integers only. */
  SHIFT("integer -> common type"),
  /** A BOOL, then two arguments that convert to their common type, which is the result's. */
  WHERE("bool, any type, any type -> common type"),
  /** One argument; integers and BOOL convert to F32 first; the result is BOOL. */
  PREDICATE("any type -> bool");

  private final String summary;

  TypeRule(String summary) {
    this.summary = summary;
  }

  /** One phrase for documentation: what goes in and what comes out. */
  public String summary() {
    return summary;
  }

  /** Whether the common type of the arguments may be {@code common}, once converted. */
  public boolean accepts(DType common) {
    return switch (this) {
      case ANY, COMPARISON, WHERE -> true;
      case NUMERIC -> common != DType.BOOL;
      case FLOATING, FLOATING_ONLY, PREDICATE -> common.isFloating();
      case LOGICAL -> common == DType.BOOL;
      case BITWISE -> !common.isFloating();
      case SHIFT -> common.isIntegral();
    };
  }

  /** Type of the result in a {@link Kernel}, given the common type of its arguments. */
  public DType result(DType common) {
    return switch (this) {
      case COMPARISON, LOGICAL, PREDICATE -> DType.BOOL;
      case ANY, NUMERIC, FLOATING, FLOATING_ONLY, BITWISE, SHIFT, WHERE -> common;
    };
  }
}
