package io.gpuos.ir;

import io.gpuos.layout.DType;
import java.util.List;
import java.util.Set;

/**
 * A typed, verified operator body: what both code generators consume. Immutable and structural: two
 * kernels that are {@code equals} compute the same thing and share one compiled form.
 *
 * <p>Operands are numbered in the order of a task record: inputs, then runtime scalars, then
 * outputs; at most {@value #MAX_OPERANDS} in all, of which at most {@value #MAX_INPUTS} inputs.
 * Nodes are in topological order; a node is named by its index.
 *
 * <p>Compute types: F64 in {@code double}; F32, F16 and BF16 in {@code float}; I64 in 64-bit, the
 * other integers in 32-bit two's complement, wrapped to their width after each node; BOOL is 0 or
 * 1. A node of type F16 or BF16 is <em>not</em> rounded to that precision, except by {@link
 * Node.Convert} and by a store.
 */
public sealed interface Kernel
    permits Kernel.Elementwise,
        Kernel.Reduction,
        Kernel.Rows,
        Kernel.Contraction,
        Kernel.Attention,
        Kernel.Gather,
        Kernel.Scan,
        Kernel.Scatter {

  int MAX_INPUTS = 8;
  int MAX_OPERANDS = 10;

  List<Operand> operands();

  List<Node> nodes();

  /**
   * How many operands, the first ones, are read as a whole: the factors of a product. Of the others
   * such a kernel reads the element at the position that it then writes. 0 for other kernels.
   */
  default int factors() {
    return 0;
  }

  /**
   * Whether a position is one of the kept dimensions, along the others of which it folds, picks or
   * walks.
   */
  default boolean folds() {
    return !(this instanceof Elementwise);
  }

  /** What one operand slot of the task record holds. */
  record Operand(Role role, DType type) {}

  /** INPUT and OUTPUT slots hold addresses; a SCALAR slot holds the value's bits. */
  enum Role {
    /** Address of elements that are read. */
    INPUT,
    /**
     * The value itself: {@code Double.doubleToRawLongBits} for floating types, the sign-extended
     * integer for the others.
     */
    SCALAR,
    /** Address of elements that are written. */
    OUTPUT
  }

  /** One value per element of the iteration space. */
  sealed interface Node {
    DType type();

    /** The element of an INPUT operand, or the value of a SCALAR operand, in its own type. */
    record Load(int operand, DType type) implements Node {}

    /**
     * A constant. {@code bits}: {@code Double.doubleToRawLongBits} for floating types, the
     * sign-extended integer for the others.
     */
    record Constant(DType type, long bits) implements Node {}

    /**
     * A scalar function. {@code type} is the result's type; {@link Function} says which types the
     * arguments have for it.
     */
    record Apply(Function function, DType type, List<Integer> arguments) implements Node {
      public Apply {
        arguments = List.copyOf(arguments);
      }
    }

    /** A function in CUDA C++. Every argument has the type that its parameter declares. */
    record Foreign(ForeignFunction function, List<Integer> arguments) implements Node {
      public Foreign {
        arguments = List.copyOf(arguments);
      }

      @Override
      public DType type() {
        return function.result();
      }
    }

    /**
     * Conversion as {@code torch.Tensor.to}: anything to BOOL is {@code != 0}, floating to integer
     * is cut off towards 0. Where PyTorch leaves the value open: floating to I64 and I32 gives the
     * nearest end of the range, and 0 for NaN; to a narrower integer it goes through I32 and keeps
     * the low bits. Integer to a narrower integer keeps the low bits.
     */
    record Convert(DType type, int argument) implements Node {}

    /**
     * The result of folding {@code argument} over the reduced dimensions, rounded to {@code type}
     * as if it had been stored. Only in {@link Rows}.
     *
     * @param parameter as that of {@link Reduction}
     */
    record Fold(Reducer reducer, DType type, int argument, double parameter) implements Node {}
  }

  /** Writes node {@code node} to OUTPUT operand {@code operand}; both have the same type. */
  record Store(int operand, int node) {}

  /**
   * One value per element of the space, stored to each output.
   *
   * @param linear runs over linear spaces only, where all operands lie one element behind the
   *     other: machine code without a way for strides is a third of the size and of the work
   */
  record Elementwise(List<Operand> operands, List<Node> nodes, List<Store> stores, boolean linear)
      implements Kernel {
    public Elementwise {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
      stores = List.copyOf(stores);
    }

    /** A kernel for every space. */
    public Elementwise(List<Operand> operands, List<Node> nodes, List<Store> stores) {
      this(operands, nodes, stores, false);
    }

    /** The same for linear spaces only, or for all. */
    public Elementwise forLinear(boolean only) {
      return only == linear ? this : new Elementwise(operands, nodes, stores, only);
    }
  }

  /**
   * Folds node {@code value} over the reduced dimensions of the space and writes one element of the
   * last operand (its only OUTPUT) per kept position.
   *
   * @param parameter order of the norm, or the correction of var and std; otherwise 0
   */
  record Reduction(
      List<Operand> operands, List<Node> nodes, Reducer reducer, int value, double parameter)
      implements Kernel {
    public Reduction {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
    }
  }

  /**
   * Several folds over the same reduced dimensions, each of which may use the results of earlier
   * ones, and what follows from them: a value per element of a <em>row</em>, all elements of one
   * kept position, or a value per row.
   *
   * <p>A node is <em>per row</em> if it is a {@link Node.Fold}, a constant, a load of a SCALAR or
   * of an operand in {@code perRow}, or computed from such nodes only; the others are per element.
   * A store to an operand in {@code perRow} stores a node that is per row.
   *
   * @param perRow inputs and outputs that have one element a row
   */
  record Rows(List<Operand> operands, List<Node> nodes, Set<Integer> perRow, List<Store> stores)
      implements Kernel {
    public Rows {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
      perRow = Set.copyOf(perRow);
      stores = List.copyOf(stores);
    }

    /** For each node whether it is per row. */
    public boolean[] nodesPerRow() {
      boolean[] result = new boolean[nodes.size()];
      for (int i = 0; i < result.length; i++) {
        result[i] =
            switch (nodes.get(i)) {
              case Node.Load(int operand, _) ->
                  perRow.contains(operand) || operands.get(operand).role() == Role.SCALAR;
              case Node.Constant _, Node.Fold _ -> true;
              case Node.Convert(_, int argument) -> result[argument];
              case Node.Apply apply -> apply.arguments().stream().allMatch(a -> result[a]);
              case Node.Foreign foreign -> foreign.arguments().stream().allMatch(a -> result[a]);
            };
      }
      return result;
    }

    /** Whether a store has one element a row. */
    public boolean isPerRow(Store store) {
      return perRow.contains(store.operand());
    }
  }

  /**
   * A matrix product, and what is computed of each of its elements. The first two operands are the
   * factors: INPUTs of one type, any but BOOL. In {@code nodes} a {@link Node.Load} of operand
   * {@value #PRODUCT} is an element of the product, in the factors' type; operand 1 is not loaded.
   * Node {@code value} is written to the last operand, the only OUTPUT.
   *
   * <p>Products are summed in {@code double} for F64, in {@code float} for the other floating types
   * (a half type is rounded once, by the store), and for integers modulo 2^64, cut to their width.
   */
  record Contraction(List<Operand> operands, List<Node> nodes, int value) implements Kernel {
    /** The operand whose number stands for the product. */
    public static final int PRODUCT = 0;

    public Contraction {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
    }

    @Override
    public int factors() {
      return 2;
    }
  }

  /**
   * Attention, see {@link Expr.Attention}, and what is computed of each of its elements. The first
   * operands are query, key and value: INPUTs of one type, F32, F16 or BF16; then, if {@code
   * masked}, the mask: an INPUT of that type or BOOL. In {@code nodes} a {@link Node.Load} of
   * operand {@value #ATTENDED} is an element of the result, in the factors' type; the other factors
   * are not loaded. Node {@code value} is written to the last operand, the only OUTPUT.
   *
   * <p>Everything is computed in {@code float}; a half type is rounded once, by the store.
   */
  record Attention(
      List<Operand> operands,
      List<Node> nodes,
      int value,
      boolean masked,
      boolean causal,
      double scale)
      implements Kernel {
    /** The operand whose number stands for the result. */
    public static final int ATTENDED = 0;

    public Attention {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
    }

    @Override
    public int factors() {
      return masked ? 4 : 3;
    }
  }

  /**
   * Elements picked out of a tensor along one of its axes, and what is computed of each. Operand 0
   * is that source, an INPUT of any type; operand 1 is the index, an INPUT of type I64 or I32. The
   * one reduced dimension of the space is the source's axis. In {@code nodes} a {@link Node.Load}
   * of operand {@value #PICKED} is the picked element; operand 1 is not loaded. Node {@code value}
   * is written to the last operand, the only OUTPUT.
   *
   * <p>Where the index is negative or not below the size of the axis, nothing is read, and the
   * element is NaN in floating types, 0 in the others.
   */
  record Gather(List<Operand> operands, List<Node> nodes, int value) implements Kernel {
    /** The operand whose number stands for the picked element. */
    public static final int PICKED = 0;

    public Gather {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
    }

    @Override
    public int factors() {
      return 2;
    }
  }

  /**
   * Sums of node {@code value} up to each element of a row, which has one reduced dimension. The
   * last operand, the only OUTPUT, has an element for each, of the type of the value: I64 or
   * floating. Integers are summed modulo 2^64; F64 in {@code double}, other floating types at least
   * in {@code float}, rounded by the store only.
   *
   * @param exclusive whether a sum is without the element itself; of I64 only
   */
  record Scan(List<Operand> operands, List<Node> nodes, int value, boolean exclusive)
      implements Kernel {
    public Scan {
      operands = List.copyOf(operands);
      nodes = List.copyOf(nodes);
    }
  }

  /**
   * Writes elements to places that an index names. Operand 0 is the index, an INPUT of type I64 or
   * I32; operand 1 has the elements, an INPUT; operand 2, the only OUTPUT, is of the same type and
   * holds elements already. The last reduced dimension of the space is the axis of the output that
   * the index counts along; the others are <em>walked</em> row-major, for each kept position by
   * itself: every step reads the index and an element, and writes the element there.
   *
   * <p>Nothing is written where the index is not below the size of the axis, or negative.
   *
   * @param adds whether elements are added to what is there, rounding to the type each time, and
   *     wrapping or, for BOOL, as a logical or
   * @param wraps whether a negative index counts from the end of the axis
   */
  record Scatter(List<Operand> operands, boolean adds, boolean wraps) implements Kernel {
    public Scatter {
      operands = List.copyOf(operands);
    }

    @Override
    public List<Node> nodes() {
      return List.of();
    }
  }
}
