package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Emits one loop of a {@link LoopPlan} as the body of a static method {@code (int n, CpuScratch
 * scratch, long[] operands)}: arrays and scalars go to local variables, then follows one counted
 * loop in the form javac gives it, which is what the JIT compiler recognises.
 */
final class LoopEmitter {

  private static final ClassDesc SCRATCH = CpuScratch.class.describeConstable().orElseThrow();
  private static final int N = 0;
  private static final int SCRATCH_LOCAL = 1;
  private static final int OPERANDS = 2;
  private static final int NONE = -1;

  private final CodeBuilder code;
  private final Kernel.Elementwise kernel;
  private final LoopPlan plan;
  private final LoopPlan.Loop loop;
  private final NodeEmitter nodeEmitter;
  private final int index;

  /** Local variable of each node's value, if it has one. */
  private final int[] values;

  /** Local variable of each slot's array. */
  private final Map<Integer, Integer> arrays = new HashMap<>();

  LoopEmitter(CodeBuilder code, Kernel.Elementwise kernel, LoopPlan plan, LoopPlan.Loop loop) {
    this.code = code;
    this.kernel = kernel;
    this.plan = plan;
    this.loop = loop;
    this.nodeEmitter = new NodeEmitter(code, kernel.nodes(), this::push);
    this.index = code.allocateLocal(TypeKind.INT);
    this.values = new int[kernel.nodes().size()];
    Arrays.fill(values, NONE);
  }

  void emit() {
    prepare();
    Label head = code.newLabel();
    Label end = code.newLabel();
    code.iconst_0().istore(index);
    code.labelBinding(head).iload(index).iload(N).if_icmpge(end);
    loop.nodes().forEach(this::compute);
    loop.stores().forEach(this::store);
    code.iinc(index, 1).goto_(head);
    code.labelBinding(end).return_();
  }

  // ---------------------------------------------------------------- before the loop

  private void prepare() {
    for (int node : loop.nodes()) {
      LoopPlan.arguments(kernel.nodes().get(node)).forEach(this::prepareRead);
      if (plan.slots()[node] != NONE) {
        prepareArray(plan.slots()[node], typeOf(node));
      }
    }
    for (Kernel.Store store : loop.stores()) {
      prepareRead(store.node());
      prepareArray(store.operand(), typeOf(store.node()));
    }
  }

  private void prepareRead(int node) {
    switch (kernel.nodes().get(node)) {
      case Node.Load load when isScalar(load) -> prepareScalar(node, load);
      case Node.Load load -> prepareArray(load.operand(), typeOf(node));
      case Node.Constant _ -> {}
      case Node.Apply _, Node.Foreign _, Node.Convert _, Node.Fold _ -> {
        if (plan.slots()[node] != NONE) {
          prepareArray(plan.slots()[node], typeOf(node));
        }
      }
    }
  }

  private void prepareScalar(int node, Node.Load load) {
    if (values[node] == NONE) {
      code.aload(OPERANDS).loadConstant(load.operand()).laload();
      nodeEmitter.scalar(load.type());
      keep(node);
    }
  }

  private void prepareArray(int slot, ComputeType type) {
    if (!arrays.containsKey(slot)) {
      ClassDesc array = type.kind().upperBound().arrayType();
      int local = code.allocateLocal(TypeKind.REFERENCE);
      code.aload(SCRATCH_LOCAL)
          .getfield(SCRATCH, type.arraysField(), array.arrayType())
          .loadConstant(slot)
          .aaload()
          .astore(local);
      arrays.put(slot, local);
    }
  }

  // ---------------------------------------------------------------- in the loop

  private void compute(int node) {
    LoopPlan.arguments(kernel.nodes().get(node)).forEach(this::materialize);
    nodeEmitter.compute(kernel.nodes().get(node));
    keep(node);
    if (plan.slots()[node] != NONE) {
      write(plan.slots()[node], node);
    }
  }

  private void store(Kernel.Store store) {
    materialize(store.node());
    write(store.operand(), store.node());
  }

  private void write(int slot, int node) {
    code.aload(arrays.get(slot)).iload(index);
    push(node);
    code.arrayStore(typeOf(node).kind());
  }

  /** Reads a node of another loop, or an input, into its local variable, unless it is there. */
  private void materialize(int node) {
    if (values[node] != NONE || kernel.nodes().get(node) instanceof Node.Constant) {
      return;
    }
    int slot =
        kernel.nodes().get(node) instanceof Node.Load load ? load.operand() : plan.slots()[node];
    code.aload(arrays.get(slot)).iload(index).arrayLoad(typeOf(node).kind());
    keep(node);
  }

  /** Pops the value on the stack into the node's local variable. */
  private void keep(int node) {
    values[node] = code.allocateLocal(typeOf(node).kind());
    code.storeLocal(typeOf(node).kind(), values[node]);
  }

  private void push(int node) {
    if (kernel.nodes().get(node) instanceof Node.Constant constant) {
      nodeEmitter.constant(constant.type(), constant.bits());
    } else {
      code.loadLocal(typeOf(node).kind(), values[node]);
    }
  }

  private boolean isScalar(Node.Load load) {
    return kernel.operands().get(load.operand()).role() == Kernel.Role.SCALAR;
  }

  private ComputeType typeOf(int node) {
    return ComputeType.of(kernel.nodes().get(node).type());
  }
}
