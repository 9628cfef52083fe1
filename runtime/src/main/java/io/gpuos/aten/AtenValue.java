package io.gpuos.aten;

import io.gpuos.layout.DType;
import java.util.List;

/** An argument or a result of a call, as the text of a graph says it. Immutable. */
public sealed interface AtenValue {

  /** A tensor. */
  record Tensor(AtenTensor tensor) implements AtenValue {}

  /** A Python integer. */
  record Int(long value) implements AtenValue {}

  /** A Python float. */
  record Float(double value) implements AtenValue {}

  /** A Python truth value. */
  record Bool(boolean value) implements AtenValue {}

  /** Nothing: an optional argument that is not given, or a result that nobody keeps. */
  record None() implements AtenValue {}

  /** A string. */
  record Text(String text) implements AtenValue {}

  /** An element type. */
  record Type(DType dtype) implements AtenValue {}

  /** A list. */
  record Items(List<AtenValue> values) implements AtenValue {
    public Items {
      values = List.copyOf(values);
    }
  }

  /**
   * Something that has no form in the text, or that this library has no form for.
   *
   * @param text what it is, for a refusal
   */
  record Unknown(String text) implements AtenValue {}
}
