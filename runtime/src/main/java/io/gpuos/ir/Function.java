package io.gpuos.ir;

/** The scalar functions of the expression language: one table for every generator. */
public enum Function {
  ADD
}
