package io.gpuos.conformance;

import io.gpuos.Gpuos;

/** The conformance suite on the first CUDA device; skipped where there is none. */
final class CudaConformanceTest extends DeviceConformance {

  CudaConformanceTest() {
    super("cuda:0");
  }

  @Override
  public int cases() {
    return 120;
  }

  @Override
  public int graphs() {
    return 25;
  }

  @Override
  public int generations() {
    return 60;
  }

  @Override
  public int openings() {
    return 5;
  }

  /** Loading an operator links all before it again, so few at a time are faster. */
  @Override
  public Gpuos renewed() {
    return reopen();
  }
}
