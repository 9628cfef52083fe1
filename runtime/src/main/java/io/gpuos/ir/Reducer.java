package io.gpuos.ir;

/** How a reduction folds; semantics, NaN handling and result types are PyTorch's. */
public enum Reducer {
  SUM,
  MEAN,
  PROD,
  MAX,
  MIN,
  ARGMAX,
  ARGMIN,
  ANY,
  ALL,
  NORM,
  VAR,
  STD
}
