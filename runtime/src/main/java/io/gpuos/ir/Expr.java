package io.gpuos.ir;

import io.gpuos.error.ExpressionException;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedSet;

/**
 * An expression over named tensors, without types or shapes: what a user writes, as text through
 * {@link ExpressionParser} or by the methods here. Immutable; types and shapes enter with {@link
 * ExpressionPlan}.
 *
 * <p>An expression may share subexpressions and may be of any depth: equality, hashing and {@link
 * Object#toString} work on the graph, without recursion. Two expressions are equal if they have the
 * same structure, shared or not. {@code toString} is text that parses to an equal expression.
 */
public sealed interface Expr {

  /** A named tensor. The name starts with a letter or _, then letters, digits and _. */
  record Input(String name) implements Expr {
    public Input {
      if (!Lexer.isName(name)) {
        throw new ExpressionException(
            "not a name: name=" + name + ", expected=a letter or _, then letters, digits or _");
      }
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /**
   * A number or truth value. Like a Python scalar in PyTorch it takes part in type promotion by its
   * kind only.
   *
   * @param type I64, F64 or BOOL
   * @param bits as in {@link Kernel.Node.Constant}
   */
  record Literal(DType type, long bits) implements Expr {
    public Literal {
      if (type != DType.I64 && type != DType.F64 && type != DType.BOOL) {
        throw new ExpressionException(
            "no literal type: type=" + type + ", expected=I64, F64, BOOL");
      }
      if (!Scalars.fits(type, bits)) {
        throw new ExpressionException("no truth value: bits=" + bits + ", expected=0 or 1");
      }
    }

    @Override
    public String toString() {
      return Scalars.text(type, bits);
    }
  }

  /** A scalar function of all its arguments, defaults filled in. */
  record Call(Function function, List<Expr> arguments) implements Expr {
    public Call {
      arguments = List.copyOf(arguments);
      if (arguments.size() != function.arity()) {
        throw new ExpressionException(
            String.format(
                Locale.ROOT,
                "wrong number of arguments: function=%s, count=%d, expected=%d",
                function.functionName(),
                arguments.size(),
                function.arity()));
      }
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Call call && ExprGraph.equal(this, call);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /**
   * A function in CUDA C++ of all its arguments. The only expression whose {@code toString} does
   * not parse: the language has no names for such functions.
   */
  record Foreign(ForeignFunction function, List<Expr> arguments) implements Expr {
    public Foreign {
      arguments = List.copyOf(arguments);
      if (arguments.size() != function.arity()) {
        throw new ExpressionException(
            String.format(
                Locale.ROOT,
                "wrong number of arguments: function=%s, count=%d, expected=%d",
                function,
                arguments.size(),
                function.arity()));
      }
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Foreign foreign && ExprGraph.equal(this, foreign);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /** Conversion to {@code type}, as {@code torch.Tensor.to}. */
  record Cast(DType type, Expr argument) implements Expr {
    @Override
    public boolean equals(Object other) {
      return other instanceof Cast cast && ExprGraph.equal(this, cast);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /**
   * A reduction.
   *
   * @param axes the axes to fold, negative ones from the last; empty means all
   * @param keepdim whether folded axes stay, with size 1
   * @param parameter order of the norm, or the correction of var and std; otherwise 0
   */
  record Reduce(
      Reducer reducer, Expr argument, List<Integer> axes, boolean keepdim, double parameter)
      implements Expr {
    public Reduce {
      axes = List.copyOf(axes);
      if (!reducer.acceptsParameter(parameter)) {
        throw new ExpressionException(
            "parameter has no meaning: function=%s, value=%s, expected=a number"
                .formatted(reducer.functionName(), parameter));
      }
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Reduce reduce && ExprGraph.equal(this, reduce);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /**
   * The matrix product, by the rules of {@code torch.matmul}: the last axis of {@code left} is
   * summed with the last but one of {@code right}, or with its only one; axes before the last two
   * broadcast; an argument of one axis is a row on the left and a column on the right, and that
   * axis is not in the result.
   *
   * @param transposed whether the last two axes of {@code right} are swapped first, if it has two:
   *     the language writes such a product {@code linear(left, right)}
   */
  record MatMul(Expr left, Expr right, boolean transposed) implements Expr {
    /** What the language calls it. */
    public static final String NAME = "matmul";

    /** Its signature in the language. */
    public static final String SIGNATURE = "matmul(a, b)";

    /** The product of two expressions as they are. */
    public MatMul(Expr left, Expr right) {
      this(left, right, false);
    }

    /** The function of the language that this is a call of. */
    String functionName() {
      return transposed ? ProductFunction.LINEAR.functionName() : NAME;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof MatMul product && ExprGraph.equal(this, product);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /**
   * Scaled dot-product attention, {@code softmax(query key^T * scale + mask) value}, as {@code
   * torch.nn.functional.scaled_dot_product_attention}. Factors are of one type, F32, F16 or BF16:
   * queries {@code [.., M, D]}, keys {@code [.., N, D]}, values {@code [.., N, E]}, of which axes
   * before the last two broadcast. It is computed in float; nothing is rounded but the result.
   *
   * <p>A row that a mask excludes every key from is NaN, as the softmax of infinities is. Without
   * keys the result is 0.
   *
   * @param mask broadcasts to {@code [.., M, N]}; where a BOOL one is false, and where others are
   *     minus infinity, a key counts nothing; others are added
   * @param causal whether query i sees keys 0 to i only; both counted from the first
   * @param scale 1 / sqrt(D) if empty
   */
  record Attention(
      Expr query, Expr key, Expr value, Optional<Expr> mask, boolean causal, OptionalDouble scale)
      implements Expr {

    /** Factors, and the mask if there is one. */
    List<Expr> arguments() {
      return mask.isEmpty() ? List.of(query, key, value) : List.of(query, key, value, mask.get());
    }

    /** The same of other arguments, in the order of {@link #arguments}. */
    Attention with(List<Expr> arguments) {
      Optional<Expr> last = mask.map(_ -> arguments.get(3));
      return new Attention(
          arguments.get(0), arguments.get(1), arguments.get(2), last, causal, scale);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Attention attention && ExprGraph.equal(this, attention);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /**
   * Elements of {@code source} picked along an axis by {@code index}, which is of type I64 or I32.
   *
   * @param axis of the source, a negative one from the last; 0 for an embedding
   */
  record Pick(Picker picker, Expr source, Expr index, int axis) implements Expr {

    /** Source and index in the order in which the language writes them. */
    List<Expr> arguments() {
      return picker == Picker.EMBEDDING ? List.of(index, source) : List.of(source, index);
    }

    /** The same of other arguments, in the order of {@link #arguments}. */
    Pick with(List<Expr> arguments) {
      Expr first = arguments.getFirst();
      Expr last = arguments.getLast();
      return picker == Picker.EMBEDDING
          ? new Pick(picker, last, first, axis)
          : new Pick(picker, first, last, axis);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Pick pick && ExprGraph.equal(this, pick);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /**
   * A function of whole tensors.
   *
   * @param arguments the tensors, and numbers that convert to the type of one, in the order of the
   *     function's parameters
   * @param numbers the axes, sizes and switches, in that order; a list for each, empty where none
   *     was given
   */
  record ArrayCall(ArrayFunction function, List<Expr> arguments, List<List<Long>> numbers)
      implements Expr {
    public ArrayCall {
      arguments = List.copyOf(arguments);
      numbers = numbers.stream().map(List::copyOf).toList();
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof ArrayCall call && ExprGraph.equal(this, call);
    }

    @Override
    public int hashCode() {
      return ExprGraph.hash(this);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(List.of(this));
    }
  }

  /** The tensor of that name. */
  static Expr input(String name) {
    return new Input(name);
  }

  static Expr of(long value) {
    return new Literal(DType.I64, value);
  }

  static Expr of(double value) {
    return new Literal(DType.F64, Scalars.bits(value));
  }

  static Expr of(boolean value) {
    return new Literal(DType.BOOL, value ? 1 : 0);
  }

  /**
   * A function or reduction by its name in the language, with positional arguments: {@code
   * call("leaky_relu", x)}, {@code call("sum", x, Expr.of(-1))}.
   *
   * @throws ExpressionException if there is no such function or the arguments do not match it
   */
  static Expr call(String name, Expr... arguments) {
    return CallBinder.bind(name, Arrays.asList(arguments));
  }

  /** Names of the inputs of all {@code outputs}, in the order of their first appearance. */
  static SequencedSet<String> inputNames(List<Expr> outputs) {
    LinkedHashSet<String> names = new LinkedHashSet<>();
    for (Expr expr : ExprGraph.postOrder(outputs)) {
      if (expr instanceof Input(String name)) {
        names.add(name);
      }
    }
    return names;
  }

  default Expr add(Expr other) {
    return new Call(Function.ADD, List.of(this, other));
  }

  default Expr sub(Expr other) {
    return new Call(Function.SUB, List.of(this, other));
  }

  default Expr mul(Expr other) {
    return new Call(Function.MUL, List.of(this, other));
  }

  default Expr div(Expr other) {
    return new Call(Function.DIV, List.of(this, other));
  }

  default Expr pow(Expr exponent) {
    return new Call(Function.POW, List.of(this, exponent));
  }

  default Expr neg() {
    return new Call(Function.NEG, List.of(this));
  }

  /** The matrix product of this and {@code other}; see {@link MatMul}. */
  default Expr matmul(Expr other) {
    return new MatMul(this, other);
  }

  /** The matrix product of this and {@code weight} with its last two axes swapped. */
  default Expr linear(Expr weight) {
    return new MatMul(this, weight, true);
  }

  /** Picks elements of this along an axis; see {@link Picker#GATHER}. */
  default Expr gather(Expr index, int axis) {
    return new Pick(Picker.GATHER, this, index, axis);
  }

  /** Picks slices of this along an axis; see {@link Picker#INDEX_SELECT}. */
  default Expr indexSelect(Expr index, int axis) {
    return new Pick(Picker.INDEX_SELECT, this, index, axis);
  }

  default Expr to(DType type) {
    return new Cast(type, this);
  }

  /** Folds the given axes, or all if none is given, and drops them from the shape. */
  default Expr reduce(Reducer reducer, Integer... axes) {
    return new Reduce(reducer, this, List.of(axes), false, reducer.defaultParameter());
  }

  /** Folds as {@link #reduce} and keeps the folded axes, with size 1. */
  default Expr reduceKeeping(Reducer reducer, Integer... axes) {
    return new Reduce(reducer, this, List.of(axes), true, reducer.defaultParameter());
  }
}
