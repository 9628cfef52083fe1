package io.gpuos.device.cpu;

import io.gpuos.inject.OperatorTable;

/**
 * Opens the CPU device's operators to the concurrency tests: operator 1, whose code is nothing but
 * the number of its generation.
 */
public final class CpuGenerations {

  private final CpuOperators operators = new CpuOperators();

  /** With generation 1. */
  public CpuGenerations(OperatorTable.Progress progress) {
    operators.connect(progress);
    operators.table().add("op", code(1), "first");
  }

  /** Publishes generation {@code number}. */
  public void publish(int number) {
    operators.table().publish(1, code(number), "next");
  }

  /** Publishes the generation before again, and returns its number. */
  public int rollback() {
    return number(operators.table().rollback(1).code());
  }

  /** Whether the table says that no task can run the generation left last. */
  public boolean isDrained() {
    return operators.table().state(1).drained();
  }

  /** Number of the generation that is current to the table. */
  public int current() {
    return number(operators.table().state(1).current().code());
  }

  /** Number of the generation that a worker finds for {@code operator}. */
  public int installed(int operator) {
    return number(operators.installed(operator));
  }

  private static CpuOperators.Installed code(int number) {
    return new CpuOperators.Installed(null, null, number, null);
  }

  private static int number(CpuOperators.Installed code) {
    return code.operands();
  }
}
