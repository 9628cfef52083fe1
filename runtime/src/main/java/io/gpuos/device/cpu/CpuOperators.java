package io.gpuos.device.cpu;

import io.gpuos.abi.TaskRecord;
import io.gpuos.codegen.CpuKernel;
import io.gpuos.codegen.JvmGenerator;
import io.gpuos.inject.OperatorTable;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.KernelName;
import io.gpuos.layout.IterationSpace;
import io.gpuos.layout.Layout;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The operators of the CPU device. Workers look them up in {@link #aliases}, which {@link
 * OperatorTable} turns; a worker that reads a record reads aliases at least as new as the record.
 * Thread-safe.
 */
final class CpuOperators implements OperatorTable.Aliases<CpuOperators.Installed> {

  private static final int MAX_OPERATORS = 65_536;
  private static final long TRANSITION_NANOS = Duration.ofSeconds(10).toNanos();

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
      return source instanceof Kernel.Elementwise
          ? TaskRecord.POSITIONS_PER_FIRST
          : TaskRecord.POSITIONS_PER_FIRST_OF_REDUCTION;
    }
  }

  private final Map<Kernel, Integer> numbers = new HashMap<>();
  private volatile Installed[] aliases = new Installed[64];
  private OperatorTable<Installed> table;

  /** Before the first operator. */
  void connect(OperatorTable.Progress progress) {
    table = new OperatorTable<>(MAX_OPERATORS, this, progress, TRANSITION_NANOS);
  }

  /** Generations and aliases of the operators. */
  OperatorTable<Installed> table() {
    return table;
  }

  synchronized int install(Kernel asked) {
    Kernel kernel = general(asked);
    Integer known = numbers.get(kernel);
    if (known != null) {
      return known;
    }
    int number = table.add(KernelName.of(kernel), compile(kernel), "compiled");
    numbers.put(kernel, number);
    return number;
  }

  /** Bytecode knows linear operands when it meets them, so there is no need for two classes. */
  private static Kernel general(Kernel kernel) {
    return kernel instanceof Kernel.Elementwise elementwise ? elementwise.forLinear(false) : kernel;
  }

  /** Makes code of a kernel, which no task runs yet. */
  static Installed compile(Kernel asked) {
    Kernel kernel = general(asked);
    return new Installed(
        kernel,
        JvmGenerator.compile(kernel),
        kernel.operands().size(),
        kernel instanceof Kernel.Elementwise ? linearSpace(kernel) : null);
  }

  /**
   * A store into the array that workers read, published by the ring like the task that names it.
   */
  @Override
  public synchronized void turn(int operator, Installed code) {
    Installed[] grown =
        operator < aliases.length ? aliases : java.util.Arrays.copyOf(aliases, operator * 2);
    grown[operator] = code;
    aliases = grown;
    // Who asks next which task was submitted last must not be told before workers find the code: a
    // task submitted in between would run the old code, and nobody would wait for it.
    VarHandle.fullFence();
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

  Installed installed(int operator) {
    return aliases[operator];
  }
}
