package io.gpuos.ir;

import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.ir.Kernel.Store;
import io.gpuos.layout.DType;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Checks that a kernel keeps the rules of {@link Kernel}. A failure is an error of this library,
 * not of its user: whatever a user writes is refused before it becomes a kernel.
 */
public final class Verifier {

  private final Kernel kernel;

  private Verifier(Kernel kernel) {
    this.kernel = kernel;
  }

  /**
   * @throws IllegalStateException naming the node, operand or store that breaks a rule
   */
  public static void verify(Kernel kernel) {
    new Verifier(kernel).run();
  }

  private void run() {
    verifyOperands();
    for (int index = 0; index < kernel.nodes().size(); index++) {
      verifyNode(index);
    }
    switch (kernel) {
      case Kernel.Elementwise elementwise -> verifyStores(elementwise.stores());
      case Kernel.Reduction reduction -> verifyReduction(reduction);
      case Kernel.Rows rows -> verifyRows(rows);
      case Kernel.Contraction contraction -> verifyContraction(contraction);
      case Kernel.Attention attention -> verifyAttention(attention);
      case Kernel.Gather gather -> verifyGather(gather);
      case Kernel.Scan scan -> verifyScan(scan);
      case Kernel.Scatter scatter -> verifyScatter(scatter);
    }
  }

  private void verifyOperands() {
    List<Operand> operands = kernel.operands();
    check(operands.size() <= Kernel.MAX_OPERANDS, "too many operands", "count", operands.size());
    check(count(Role.INPUT) <= Kernel.MAX_INPUTS, "too many inputs", "count", count(Role.INPUT));
    check(count(Role.OUTPUT) > 0, "no output", "operands", operands);
    for (int i = 1; i < operands.size(); i++) {
      boolean ordered = operands.get(i - 1).role().compareTo(operands.get(i).role()) <= 0;
      check(ordered, "operands not in the order inputs, scalars, outputs", "operand", i);
    }
  }

  private long count(Role role) {
    return kernel.operands().stream().filter(operand -> operand.role() == role).count();
  }

  private void verifyNode(int index) {
    String where = index + " " + kernel.nodes().get(index);
    switch (kernel.nodes().get(index)) {
      case Node.Load(int operand, DType type) -> {
        boolean exists = operand >= 0 && operand < kernel.operands().size();
        check(exists && operand(operand).role() != Role.OUTPUT, "load of no input", "node", where);
        check(operand(operand).type() == type, "load in another type", "node", where);
      }
      case Node.Constant(DType type, long bits) ->
          check(Scalars.fits(type, bits), "constant out of range", "node", where);
      case Node.Convert(_, int argument) -> verifyArgument(argument, index, where);
      case Node.Fold fold -> {
        check(kernel instanceof Kernel.Rows, "fold in a kernel without rows", "node", where);
        verifyArgument(fold.argument(), index, where);
        DType type = type(fold.argument());
        verifyFold(fold.reducer(), type, fold.type(), fold.parameter(), where);
      }
      case Node.Apply(Function function, DType type, List<Integer> arguments) -> {
        check(arguments.size() == function.arity(), "wrong number of arguments", "node", where);
        arguments.forEach(argument -> verifyArgument(argument, index, where));
        verifyTypes(function.typeRule(), type, arguments, where);
      }
      case Node.Foreign(ForeignFunction function, List<Integer> arguments) -> {
        check(arguments.size() == function.arity(), "wrong number of arguments", "node", where);
        for (int k = 0; k < arguments.size(); k++) {
          verifyArgument(arguments.get(k), index, where);
          boolean declared = type(arguments.get(k)) == function.parameters().get(k).type();
          check(declared, "argument of another type than declared", "node", where);
        }
      }
    }
  }

  private void verifyArgument(int argument, int index, String where) {
    check(argument >= 0 && argument < index, "argument does not come first", "node", where);
  }

  private void verifyTypes(TypeRule rule, DType type, List<Integer> arguments, String where) {
    List<Integer> values = arguments;
    if (rule == TypeRule.WHERE) {
      check(type(arguments.getFirst()) == DType.BOOL, "condition is no bool", "node", where);
      values = arguments.subList(1, arguments.size());
    }
    DType common = type(values.getFirst());
    boolean equal = values.stream().allMatch(value -> type(value) == common);
    check(equal, "arguments of different types", "node", where);
    check(rule.accepts(common), "type without meaning for the function", "node", where);
    check(rule.result(common) == type, "wrong type of the result", "node", where);
  }

  private void verifyStores(List<Store> stores) {
    Set<Integer> stored = new HashSet<>();
    for (Store store : stores) {
      boolean exists = store.operand() >= 0 && store.operand() < kernel.operands().size();
      check(exists, "store to no operand", "store", store);
      check(operand(store.operand()).role() == Role.OUTPUT, "store to no output", "store", store);
      check(stored.add(store.operand()), "output stored twice", "store", store);
      boolean node = store.node() >= 0 && store.node() < kernel.nodes().size();
      check(node, "store of no node", "store", store);
      boolean typed = operand(store.operand()).type() == type(store.node());
      check(typed, "store in another type", "store", store);
    }
    check(stored.size() == count(Role.OUTPUT), "output not stored", "stores", stores);
  }

  private void verifyReduction(Kernel.Reduction reduction) {
    check(count(Role.OUTPUT) == 1, "reduction with several outputs", "operands", kernel.operands());
    Reducer reducer = reduction.reducer();
    boolean node = reduction.value() >= 0 && reduction.value() < kernel.nodes().size();
    check(node, "reduction of no node", "value", reduction.value());
    DType value = type(reduction.value());
    DType output = kernel.operands().getLast().type();
    verifyFold(reducer, value, output, reduction.parameter(), reducer);
  }

  private void verifyFold(
      Reducer reducer, DType value, DType result, double parameter, Object where) {
    boolean meaningful = reducer.accepts(value) && reducer.valueType(value) == value;
    check(meaningful, "type without meaning for the reduction", "fold", where);
    check(reducer.resultType(value) == result, "wrong type of the result", "fold", where);
    check(reducer.acceptsParameter(parameter), "parameter without meaning", "fold", where);
  }

  private void verifyRows(Kernel.Rows rows) {
    verifyStores(rows.stores());
    check(
        rows.nodes().stream().anyMatch(Node.Fold.class::isInstance),
        "rows without a fold",
        "stores",
        rows.stores());
    for (int operand : rows.perRow()) {
      boolean exists = operand >= 0 && operand < rows.operands().size();
      check(exists && operand(operand).role() != Role.SCALAR, "no such row", "operand", operand);
    }
    boolean[] perRow = rows.nodesPerRow();
    for (Store store : rows.stores()) {
      boolean fits = !rows.isPerRow(store) || perRow[store.node()];
      check(fits, "elements stored to a row's output", "store", store);
    }
  }

  private void verifyContraction(Kernel.Contraction contraction) {
    List<Operand> operands = contraction.operands();
    check(count(Role.OUTPUT) == 1, "product with several outputs", "operands", operands);
    boolean factors =
        count(Role.INPUT) >= 2
            && operand(0).type() == operand(1).type()
            && operand(0).type() != DType.BOOL;
    check(factors, "no two factors of one type", "operands", operands);
    verifyEpilogue(contraction.value());
  }

  private void verifyAttention(Kernel.Attention attention) {
    List<Operand> operands = attention.operands();
    check(count(Role.OUTPUT) == 1, "attention with several outputs", "operands", operands);
    int factors = attention.factors();
    check(count(Role.INPUT) >= factors, "too few factors", "operands", operands);
    DType type = operand(0).type();
    check(
        (type == DType.F32 || type == DType.F16 || type == DType.BF16)
            && operand(1).type() == type
            && operand(2).type() == type,
        "no three factors of one type",
        "operands",
        operands);
    boolean mask = factors == 3 || operand(3).type() == type || operand(3).type() == DType.BOOL;
    check(mask, "mask of another type", "operands", operands);
    verifyEpilogue(attention.value());
  }

  private void verifyGather(Kernel.Gather gather) {
    List<Operand> operands = gather.operands();
    check(count(Role.OUTPUT) == 1, "gather with several outputs", "operands", operands);
    boolean indexed =
        count(Role.INPUT) >= 2
            && (operand(1).type() == DType.I64 || operand(1).type() == DType.I32);
    check(indexed, "no source and index", "operands", operands);
    verifyEpilogue(gather.value());
  }

  private void verifyScan(Kernel.Scan scan) {
    check(count(Role.OUTPUT) == 1, "scan with several outputs", "operands", scan.operands());
    boolean node = scan.value() >= 0 && scan.value() < scan.nodes().size();
    check(node, "scan of no node", "value", scan.value());
    DType type = type(scan.value());
    check(scan.operands().getLast().type() == type, "store in another type", "value", type);
    boolean summed = type == DType.I64 || type.isFloating() && !scan.exclusive();
    check(summed, "type without meaning for the scan", "value", type);
  }

  private void verifyScatter(Kernel.Scatter scatter) {
    boolean roles = scatter.operands().size() == 3 && count(Role.INPUT) == 2;
    check(roles, "no index, elements and output", "operands", scatter.operands());
    boolean indexed = operand(0).type() == DType.I64 || operand(0).type() == DType.I32;
    check(indexed, "no index", "operand", operand(0));
    check(operand(1).type() == operand(2).type(), "two types", "operands", scatter.operands());
  }

  private void verifyEpilogue(int value) {
    boolean loaded =
        kernel.nodes().stream()
            .anyMatch(n -> n instanceof Node.Load(int k, _) && k > 0 && k < kernel.factors());
    check(!loaded, "load of a factor", "nodes", kernel.nodes());
    boolean node = value >= 0 && value < kernel.nodes().size();
    check(node, "store of no node", "value", value);
    boolean typed = kernel.operands().getLast().type() == type(value);
    check(typed, "store in another type", "value", value);
  }

  private Operand operand(int index) {
    return kernel.operands().get(index);
  }

  private DType type(int node) {
    return kernel.nodes().get(node).type();
  }

  private void check(boolean holds, String rule, String name, Object value) {
    if (!holds) {
      throw new IllegalStateException(
          "kernel is broken: %s: %s=%s, kernel=%s"
              .formatted(rule, name, value, KernelText.of(kernel).replace("\n", "; ")));
    }
  }
}
