package io.gpuos.device.cpu;

import io.gpuos.abi.TaskRecord;
import io.gpuos.codegen.CpuKernel;
import io.gpuos.codegen.JvmGenerator;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The operator table and the interned iteration spaces of the CPU device. Entries are only ever
 * added; a worker that reads a record reads tables at least as new as the record. Thread-safe.
 */
final class CpuOperators {

  /** Positions of the space that stands for "linear, from the operands' addresses on". */
  private static final long ENDLESS = 1L << 40;

  /**
   * One operator, ready to run.
   *
   * @param kernel compiled form
   * @param operands operand slots a record for it uses
   * @param linear space for linear tasks of any count
   */
  record Installed(Kernel source, CpuKernel kernel, int operands, IterationSpace linear) {

    /** Unit of a record's {@code first} word. */
    int positionsPerFirst() {
      return source instanceof Kernel.Reduction
          ? TaskRecord.POSITIONS_PER_FIRST_OF_REDUCTION
          : TaskRecord.POSITIONS_PER_FIRST;
    }
  }

  private final Map<Kernel, Integer> numbers = new HashMap<>();
  private final Map<IterationSpace, Integer> spaceNumbers = new HashMap<>();
  private volatile Installed[] table = new Installed[64];
  private volatile IterationSpace[] spaces = new IterationSpace[64];
  private int operators = 1; // 0 is the operator that does nothing
  private int spaceCount;

  synchronized int install(Kernel kernel) {
    Integer known = numbers.get(kernel);
    if (known != null) {
      return known;
    }
    Installed installed =
        new Installed(
            kernel,
            JvmGenerator.compile(kernel),
            kernel.operands().size(),
            kernel instanceof Kernel.Elementwise ? linearSpace(kernel) : null);
    int number = operators++;
    Installed[] grown = number < table.length ? table : java.util.Arrays.copyOf(table, number * 2);
    grown[number] = installed;
    table = grown;
    numbers.put(kernel, number);
    return number;
  }

  private static IterationSpace linearSpace(Kernel kernel) {
    List<Layout> layouts = new ArrayList<>();
    for (Kernel.Operand operand : kernel.operands()) {
      layouts.add(
          operand.role() == Kernel.Role.SCALAR
              ? IterationSpace.SCALAR
              : Layout.contiguous(operand.type(), ENDLESS));
    }
    return IterationSpace.elementwise(new long[] {ENDLESS}, layouts);
  }

  synchronized int intern(IterationSpace space) {
    Integer known = spaceNumbers.get(space);
    if (known != null) {
      return known;
    }
    int number = spaceCount++;
    IterationSpace[] grown =
        number < spaces.length ? spaces : java.util.Arrays.copyOf(spaces, number * 2);
    grown[number] = space;
    spaces = grown;
    spaceNumbers.put(space, number);
    return number;
  }

  Installed installed(int operator) {
    return table[operator];
  }

  IterationSpace space(int number) {
    return spaces[number];
  }

  String describe(int operator) {
    Installed installed = table[operator];
    return installed == null ? "#" + operator : installed.source().toString();
  }
}
