package io.gpuos.ir;

import io.gpuos.error.DTypeException;
import io.gpuos.ir.TypedNode.Operation;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The typed form of a whole expression: nodes in topological order, each of them once, however
 * often it was written.
 */
final class TypedGraph {

  private final List<TypedNode> nodes = new ArrayList<>();
  private final Map<TypedNode, Integer> indices = new HashMap<>();

  TypedNode node(int index) {
    return nodes.get(index);
  }

  int size() {
    return nodes.size();
  }

  List<TypedNode> nodes(List<Integer> indexes) {
    return indexes.stream().map(nodes::get).toList();
  }

  /** Index of the node, which is added if it is new. */
  int add(TypedNode node) {
    return indices.computeIfAbsent(
        node,
        _ -> {
          nodes.add(node);
          return nodes.size() - 1;
        });
  }

  int constant(DType type, long bits, boolean scalar) {
    return add(new TypedNode(new Operation.Constant(bits), type, List.of(), List.of(), scalar));
  }

  /** A tensor of one value. */
  int filled(DType type, long bits, List<Long> shape) {
    return add(new TypedNode(new Operation.Constant(bits), type, shape, List.of(), false));
  }

  /** The conversion of a node to a type, by the rules of a cast. */
  int cast(int index, DType type) {
    TypedNode node = nodes.get(index);
    if (node.operation() instanceof Operation.Constant(long bits)) {
      OptionalLong exact = Scalars.convertExactly(node.type(), bits, type);
      if (exact.isPresent()) {
        return filled(type, exact.getAsLong(), node.shape());
      }
    }
    return node.type() == type && !node.scalar() ? index : convert(index, type);
  }

  /**
   * The conversion of an operand to the type that promotion gave it. A literal becomes a constant
   * of that type; a floating one is rounded to it.
   *
   * @throws DTypeException if an integer literal is not in the range of the type
   */
  int promote(int index, DType type) {
    TypedNode node = nodes.get(index);
    if (node.type() == type) {
      return index;
    }
    if (!(node.operation() instanceof Operation.Constant(long bits))) {
      return convert(index, type);
    }
    if (type.isFloating()) {
      long converted =
          node.type().isFloating()
              ? Scalars.toFloating(type, Double.longBitsToDouble(bits))
              : Scalars.toFloating(type, bits);
      return filled(type, converted, node.shape());
    }
    if (!Scalars.fits(type, bits)) {
      throw new DTypeException(
          String.format(
              Locale.ROOT,
              "literal out of range: value=%d, type=%s, expected=%d to %d, or a cast of the tensor",
              bits,
              TypeNames.shortName(type),
              Scalars.min(type),
              Scalars.max(type)));
    }
    return filled(type, bits, node.shape());
  }

  /**
   * The tensor without dimensions that a scalar becomes where it meets no tensor; else the node.
   */
  int tensor(int index) {
    TypedNode node = nodes.get(index);
    if (!node.scalar()) {
      return index;
    }
    DType type = Promotion.tensorType(node.type());
    if (node.type() != type) {
      return promote(index, type);
    }
    return node.operation() instanceof Operation.Constant(long bits)
        ? constant(type, bits, false)
        : convert(index, type);
  }

  private int convert(int index, DType type) {
    List<Long> shape = nodes.get(index).shape();
    return add(new TypedNode(new Operation.Convert(), type, shape, List.of(index), false));
  }
}
