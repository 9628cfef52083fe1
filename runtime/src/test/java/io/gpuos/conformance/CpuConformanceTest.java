package io.gpuos.conformance;

/** The conformance suite on the CPU device. */
final class CpuConformanceTest extends DeviceConformance {

  CpuConformanceTest() {
    super("cpu");
  }

  @Override
  public int cases() {
    return 1_000;
  }

  @Override
  public int graphs() {
    return 500;
  }

  @Override
  public int generations() {
    return 3_000;
  }

  @Override
  public int openings() {
    return 100;
  }
}
