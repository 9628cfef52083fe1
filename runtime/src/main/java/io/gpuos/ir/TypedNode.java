package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.List;

/**
 * A node of a {@link TypedGraph}: an operation with its type and shape. Structural, so that equal
 * nodes compute the same.
 *
 * @param arguments indices of nodes of the same graph, all of them smaller than this node's
 * @param scalar whether it stands for a Python scalar: computed from literals only, F64, I64 or
 *     BOOL, and with the weakest say in type promotion
 */
record TypedNode(
    Operation operation, DType type, List<Long> shape, List<Integer> arguments, boolean scalar) {

  /** What a node does with its arguments. */
  sealed interface Operation {
    /** An input tensor of the expression. */
    record Input(int index) implements Operation {}

    /** A value, as in {@link Kernel.Node.Constant}. */
    record Constant(long bits) implements Operation {}

    /** A function of arguments that have the types it wants. */
    record Apply(Function function) implements Operation {}

    /** A function in CUDA C++ of arguments that have the types it declares. */
    record Foreign(ForeignFunction function) implements Operation {}

    record Convert() implements Operation {}

    /** A reduction over {@code axes} of the argument's shape, ascending. */
    record Fold(Reducer reducer, List<Integer> axes, double parameter) implements Operation {}

    /**
     * The matrix product of two arguments of one type.
     *
     * @param axis of the second argument that is summed over, from 0
     */
    record Contract(int axis) implements Operation {}

    /** Attention of three arguments of one type, and a mask if there is a fourth. */
    record Attend(boolean causal, double scale) implements Operation {}

    /**
     * The first argument at the places that the second one names along an axis.
     *
     * @param axis of the first argument, from 0
     */
    record Pick(int axis) implements Operation {}

    /**
     * Sums of the argument up to each element along an axis.
     *
     * @param exclusive whether without that element, as only a sum of I64 can be
     */
    record Scan(int axis, boolean exclusive) implements Operation {}

    /**
     * The first argument with elements of the third one at the places that the second one names
     * along an axis, as {@link Kernel.Scatter} writes them.
     */
    record Scatter(int axis, boolean adds, boolean wraps) implements Operation {}
  }

  /** Whether a step of its own computes it, from values that lie in memory or go in with it. */
  boolean folds() {
    return operation instanceof Operation.Fold || takesEpilogue() || walks();
  }

  /** Whether its step goes along an axis, and computes nothing before and after. */
  boolean walks() {
    return operation instanceof Operation.Scan || operation instanceof Operation.Scatter;
  }

  /** Whether its step reads all arguments from memory and goes on computing with the result. */
  boolean takesEpilogue() {
    return operation instanceof Operation.Contract
        || operation instanceof Operation.Attend
        || operation instanceof Operation.Pick;
  }

  /** An elementwise operation, as against a source or a reduction. */
  boolean elementwise() {
    return operation instanceof Operation.Apply
        || operation instanceof Operation.Foreign
        || operation instanceof Operation.Convert;
  }
}
