package io.gpuos.interpret;

import io.gpuos.codegen.CudaType;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * From nodes to steps. What a generated operator does in one line per node is done by one step per
 * node here, but for three: a result of a type narrower than 32 bits is cut to its width by a step
 * of its own, a conversion that changes nothing has none, and leaves come where they are first
 * used.
 *
 * <p>All stores come last, since an output may lie in the memory of an input.
 */
final class Lowering {

  /** How loads, scalars and constants are held. */
  enum Leaves {
    /** Until their last use: the fewest steps. */
    HELD,
    /** Made anew for each use: the fewest cells. */
    REPEATED
  }

  private final Kernel.Elementwise kernel;
  private final Leaves leaves;
  private final List<Step> steps = new ArrayList<>();

  /** The step that makes a node's value. */
  private final Map<Integer, Integer> made = new HashMap<>();

  private Lowering(Kernel.Elementwise kernel, Leaves leaves) {
    this.kernel = kernel;
    this.leaves = leaves;
  }

  static List<Step> lower(Kernel.Elementwise kernel, Leaves leaves) {
    Lowering lowering = new Lowering(kernel, leaves);
    for (int node : Schedule.order(kernel)) {
      lowering.compute(node);
    }
    lowering.store();
    return lowering.steps;
  }

  private void compute(int node) {
    switch (node(node)) {
      case Node.Load _, Node.Constant _ -> {} // where it is used
      case Node.Convert(DType to, int argument) ->
          made.put(node, convert(to, typeOf(argument), values(List.of(argument)).getFirst()));
      case Node.Apply apply -> {
        CudaType type = typeOf(apply.arguments().getLast());
        Operation operation = Operations.function(apply.function(), type);
        int result = add(operation, values(apply.arguments()), 0);
        made.put(node, isNarrow(apply.type()) ? convert(apply.type(), type, result) : result);
      }
      case Node.Foreign _, Node.Fold _ ->
          throw new IllegalStateException("not interpretable, see encode: node=" + node);
    }
  }

  /** Computed in more bits than it has. */
  private static boolean isNarrow(DType type) {
    return type.isIntegral() && type.bytes() < Integer.BYTES;
  }

  private int convert(DType to, CudaType from, int value) {
    return Operations.conversion(from, to)
        .map(operation -> add(operation, List.of(value), 0))
        .orElse(value);
  }

  private void store() {
    List<Store> stores = kernel.stores();
    List<Integer> values = values(stores.stream().map(Store::node).toList());
    for (int i = 0; i < stores.size(); i++) {
      int operand = stores.get(i).operand();
      DType type = kernel.operands().get(operand).type();
      add(Operations.store(type), List.of(values.get(i)), operand);
    }
  }

  /** The values of nodes that are used together; makes the leaves among them. */
  private List<Integer> values(List<Integer> nodes) {
    Map<Integer, Integer> leavesHere = leaves == Leaves.HELD ? made : new HashMap<>();
    List<Integer> values = new ArrayList<>();
    for (int node : nodes) {
      Integer value = made.get(node);
      if (value == null) {
        value = leavesHere.computeIfAbsent(node, this::leaf);
      }
      values.add(value);
    }
    return values;
  }

  private int leaf(int node) {
    return switch (node(node)) {
      case Node.Load(int operand, DType type) -> {
        boolean input = kernel.operands().get(operand).role() == Role.INPUT;
        Operation operation = input ? Operations.load(type) : Operations.scalar(CudaType.of(type));
        yield add(operation, List.of(), operand);
      }
      case Node.Constant constant -> {
        CudaType type = CudaType.of(constant.type());
        yield add(Operations.constant(type), List.of(), bits(type, constant.bits()));
      }
      case Node.Convert _, Node.Apply _, Node.Foreign _, Node.Fold _ ->
          throw new IllegalStateException("used before it is computed: node=" + node);
    };
  }

  /** A constant's bits in the type it is computed in; the same that {@code CudaLiterals} writes. */
  private static long bits(CudaType type, long bits) {
    return switch (type) {
      case DOUBLE -> Double.doubleToLongBits(Double.longBitsToDouble(bits));
      case FLOAT ->
          Integer.toUnsignedLong(Float.floatToIntBits((float) Double.longBitsToDouble(bits)));
      case LONG -> bits;
      case INT -> Integer.toUnsignedLong((int) bits);
      case BOOL -> bits != 0 ? 1 : 0;
    };
  }

  private int add(Operation operation, List<Integer> arguments, long immediate) {
    steps.add(new Step(operation, arguments, immediate));
    return steps.size() - 1;
  }

  private Node node(int node) {
    return kernel.nodes().get(node);
  }

  private CudaType typeOf(int node) {
    return CudaType.of(node(node).type());
  }
}
