package io.gpuos.ir;

import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.ir.ExpressionPlan.Step;
import io.gpuos.ir.TypedNode.Operation;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.stream.Stream;

/**
 * Cuts a typed graph into kernels.
 *
 * <p>First it chooses what has to lie in memory: outputs, results of reductions, and <em>cuts</em>,
 * arguments of nodes that would otherwise need more operands or nodes than a kernel has, and
 * factors of matrix products, sources and indices of picked elements, and what an index writes.
 * {@link RowPlanner} finds which of these are computed together row by row. Then it goes through
 * them in topological order and emits a step for each; elementwise values of one shape share a step
 * while they fit and do not wait for each other.
 *
 * <p>Invariant: a group of values that is not emitted yet depends on emitted values only.
 */
final class Planner {

  /** Values of one shape that one elementwise step will compute. */
  private record Group(List<Integer> nodes, List<Source> targets, Region region) {}

  private final TypedGraph graph;
  private final List<Integer> outputs;
  private final Set<Integer> cuts = new HashSet<>();
  private final Map<Integer, Integer> fused = new HashMap<>();
  private final Map<Integer, Source> stored = new HashMap<>();
  private final Map<List<Long>, Group> pending = new LinkedHashMap<>();
  private final List<TensorType> temporaries = new ArrayList<>();
  private final List<Step> steps = new ArrayList<>();

  Planner(TypedGraph graph, List<Integer> outputs) {
    this.graph = graph;
    this.outputs = outputs;
  }

  ExpressionPlan plan(List<TensorType> inputs) {
    List<Integer> reachable = reachable();
    storeFactors(reachable);
    cutUntilAllFit(reachable);
    fuseProducts(reachable);
    SortedSet<Integer> values = values(reachable);
    RowPlanner rows = new RowPlanner(graph, values, outputs, this::mustBeRead, this::isAlone);
    rows.plan().forEach(this::emit);
    flush(List.copyOf(pending.values()));
    return new ExpressionPlan(
        inputs, temporaries, outputs.stream().map(this::tensorType).toList(), steps);
  }

  private TensorType tensorType(int node) {
    return new TensorType(graph.node(node).type(), graph.node(node).shape());
  }

  /** What the outputs depend on, ascending. Records where the inputs lie. */
  private List<Integer> reachable() {
    boolean[] reached = new boolean[graph.size()];
    outputs.forEach(output -> reached[output] = true);
    List<Integer> nodes = new ArrayList<>();
    for (int node = graph.size() - 1; node >= 0; node--) {
      if (reached[node]) {
        nodes.add(node);
        graph.node(node).arguments().forEach(argument -> reached[argument] = true);
        if (graph.node(node).operation() instanceof Operation.Input(int index)) {
          stored.put(node, new Source.Input(index));
        }
      }
    }
    return nodes.reversed();
  }

  /**
   * Cuts until one kernel can compute any node from what lies in memory. A cut adds a source to
   * nodes that were looked at before, so this goes on until a round finds nothing to cut.
   */
  private void cutUntilAllFit(List<Integer> reachable) {
    int before;
    do {
      before = cuts.size();
      int[] nodes = new int[graph.size()];
      int[] sources = new int[graph.size()];
      reachable.forEach(node -> cutArguments(node, nodes, sources));
    } while (cuts.size() > before);
  }

  /**
   * Puts arguments of {@code node} into memory until one kernel can compute it.
   *
   * @param nodes upper bounds of the sizes of regions, which save computing most of them
   * @param sources upper bounds of their numbers of sources
   */
  private void cutArguments(int node, int[] nodes, int[] sources) {
    TypedNode typed = graph.node(node);
    nodes[node] = 1;
    sources[node] = typed.operation() instanceof Operation.Constant ? 0 : 1;
    if (!typed.elementwise()) {
      return;
    }
    sources[node] = 0;
    for (int argument : typed.arguments()) {
      nodes[node] += cuts.contains(argument) ? 1 : nodes[argument];
      sources[node] += cuts.contains(argument) ? 1 : sources[argument];
    }
    if (nodes[node] <= ExpressionPlan.MAX_NODES && sources[node] <= Kernel.MAX_INPUTS) {
      return;
    }
    Region region = region(List.of(node), this::mustBeRead);
    while (!region.fits(1)) {
      cuts.add(largestArgument(node, region.sources().size() > Kernel.MAX_INPUTS));
      region = region(List.of(node), this::mustBeRead);
    }
    nodes[node] = region.nodes().size();
    sources[node] = region.sources().size();
  }

  private int largestArgument(int node, boolean bySources) {
    return graph.node(node).arguments().stream()
        .filter(argument -> graph.node(argument).elementwise() && !cuts.contains(argument))
        .max(Comparator.comparingInt(argument -> size(argument, bySources)))
        .orElseThrow();
  }

  private int size(int node, boolean bySources) {
    Region region = region(List.of(node), this::mustBeRead);
    return bySources ? region.sources().size() : region.nodes().size();
  }

  /** Factors of matrix products are read as they are, so those that are computed go to memory. */
  private void storeFactors(List<Integer> reachable) {
    for (int node : reachable) {
      if (graph.node(node).takesEpilogue()) {
        graph.node(node).arguments().stream().filter(this::isComputed).forEach(cuts::add);
      } else if (graph.node(node).operation() instanceof Operation.Scatter) {
        graph.node(node).arguments().stream().skip(1).filter(this::isComputed).forEach(cuts::add);
      }
    }
  }

  private boolean isComputed(int node) {
    return !graph.node(node).folds() && !(graph.node(node).operation() instanceof Operation.Input);
  }

  /**
   * Finds for each matrix product the value that its kernel computes in its place: the first of the
   * product's shape that lies in memory and that everything else needs instead of the product.
   */
  private void fuseProducts(List<Integer> reachable) {
    TreeSet<Integer> roots = new TreeSet<>(outputs);
    roots.addAll(cuts);
    for (int node : reachable) {
      if (graph.node(node).folds()) {
        roots.addAll(graph.node(node).arguments());
      }
    }
    for (int node : reachable) {
      if (graph.node(node).takesEpilogue()) {
        fuse(node, roots);
      }
    }
  }

  private void fuse(int product, TreeSet<Integer> roots) {
    List<Integer> users = roots.stream().filter(root -> reads(root, product)).toList();
    if (users.isEmpty()) {
      return;
    }
    int first = users.getFirst();
    Region region = epilogue(first);
    boolean possible =
        graph.node(first).elementwise()
            && graph.node(first).shape().equals(graph.node(product).shape())
            && !fused.containsKey(first)
            && region.nodes().size() <= ExpressionPlan.MAX_NODES
            && region.sources().size() - 1 + graph.node(product).arguments().size()
                <= Kernel.MAX_INPUTS;
    if (!possible) {
      return;
    }
    boolean added = cuts.add(first);
    if (users.stream().skip(1).noneMatch(root -> reads(root, product))) {
      fused.put(first, product);
    } else if (added) {
      cuts.remove(first);
    }
  }

  private boolean reads(int root, int product) {
    return epilogue(root).sources().contains(product);
  }

  /** What a kernel computes for {@code root} from values in memory. */
  private Region epilogue(int root) {
    boolean computed = graph.node(root).elementwise();
    return Region.of(graph, List.of(root), node -> mustBeRead(node) && !(computed && node == root));
  }

  /** The region of roots, which are themselves computed unless they lie in memory. */
  private Region region(List<Integer> roots, IntPredicate isSource) {
    Set<Integer> computed = new HashSet<>(roots);
    return Region.of(
        graph,
        roots,
        node ->
            stored.containsKey(node) && computed.contains(node)
                || !computed.contains(node) && isSource.test(node));
  }

  /** Whether no kernel may compute the node in passing, as each may a constant. */
  private boolean mustBeRead(int node) {
    Operation operation = graph.node(node).operation();
    return operation instanceof Operation.Input
        || graph.node(node).folds()
        || cuts.contains(node) && !(operation instanceof Operation.Constant);
  }

  /** Whether the node's value lies in memory, or will when its group is emitted. */
  private boolean mayBeRead(int node) {
    return mustBeRead(node) || stored.containsKey(node) || groupOf(node) != null;
  }

  private Group groupOf(int node) {
    Group group = pending.get(graph.node(node).shape());
    return group != null && group.nodes().contains(node) ? group : null;
  }

  /** The values that lie in memory if no rows are computed together. */
  private SortedSet<Integer> values(List<Integer> reachable) {
    SortedSet<Integer> values = new TreeSet<>(outputs);
    for (int node : reachable) {
      boolean folded = graph.node(node).folds() && !fused.containsValue(node);
      if (folded || cuts.contains(node)) {
        values.add(node);
      }
    }
    return values;
  }

  /** Where a value is written to: all outputs that it is, or else a temporary. */
  private List<Source> targets(int node) {
    List<Source> targets = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      if (outputs.get(i) == node) {
        targets.add(new Source.Output(i));
      }
    }
    if (targets.isEmpty()) {
      targets.add(new Source.Temporary(temporaries.size()));
      temporaries.add(tensorType(node));
    }
    return targets;
  }

  private void emit(RowPlanner.Together together) {
    if (together.rows().isPresent()) {
      emitRows(together.rows().get(), together.stored());
      return;
    }
    int node = together.members().first();
    targets(node).forEach(target -> emit(node, target));
  }

  private void emit(int node, Source target) {
    Operation operation = graph.node(node).operation();
    if (isProduct(node) && !stored.containsKey(node)) {
      emitProduct(fused.getOrDefault(node, node), node, target);
    } else if (operation instanceof Operation.Scatter scatter && !stored.containsKey(node)) {
      emitScatter(scatter, node, target);
    } else if (graph.node(node).folds() && !stored.containsKey(node)) {
      emitFold(node, target);
    } else {
      addToGroup(node, target);
    }
  }

  /** Whether the node is computed by the kernel of a matrix product, or of picked elements. */
  private boolean isProduct(int node) {
    return graph.node(node).takesEpilogue() || fused.containsKey(node);
  }

  /** Whether the node has a step of its own in any case. */
  private boolean isAlone(int node) {
    return isProduct(node) || graph.node(node).walks();
  }

  private void emitRows(RowPlanner.Rows rows, List<Integer> members) {
    List<Integer> sources =
        rows.region().sources().stream().map(RowDomain.Placed::node).distinct().toList();
    flushSources(sources);
    Map<Integer, List<Source>> targets = new LinkedHashMap<>();
    members.forEach(member -> targets.put(member, targets(member)));
    List<Source> firsts = targets.values().stream().map(List::getFirst).toList();
    steps.add(RowsBuilder.step(graph, rows, members, stored, firsts));
    targets.forEach((member, all) -> stored.put(member, all.getFirst()));
    // A value that is several outputs is copied to the others.
    targets.forEach(
        (member, all) -> all.stream().skip(1).forEach(target -> addToGroup(member, target)));
  }

  /** A step for a reduction, or for sums along an axis. */
  private void emitFold(int node, Source target) {
    TypedNode typed = graph.node(node);
    int value = typed.arguments().getFirst();
    Region region = Region.of(graph, List.of(value), this::mayBeRead);
    if (!region.fits(1)) {
      region = Region.of(graph, List.of(value), this::mustBeRead);
    }
    flushSources(region.sources());
    Kernel kernel;
    List<Integer> axes;
    if (typed.operation() instanceof Operation.Fold fold) {
      kernel = KernelBuilder.reduction(graph, region, fold, value, typed.type());
      axes = fold.axes();
    } else {
      Operation.Scan scan = (Operation.Scan) typed.operation();
      kernel = KernelBuilder.scan(graph, region, scan, value);
      axes = List.of(scan.axis());
    }
    List<Source> operands = operands(region, List.of(target));
    steps.add(new Step(kernel, operands, graph.node(value).shape(), axes));
    stored.put(node, target);
  }

  /** Brings what is written to into the target, and then writes by the index. */
  private void emitScatter(Operation.Scatter scatter, int node, Source target) {
    int before = graph.node(node).arguments().get(0);
    int index = graph.node(node).arguments().get(1);
    int elements = graph.node(node).arguments().get(2);
    flushSources(List.of(index, elements));
    addToGroup(before, target);
    flush(List.of(pending.get(graph.node(before).shape())));
    stored.remove(before, target);
    Kernel kernel =
        KernelBuilder.scatter(scatter, graph.node(index).type(), graph.node(elements).type());
    List<Source> operands = List.of(stored.get(index), stored.get(elements), target);
    steps.add(new Step(kernel, operands, graph.node(node).shape(), List.of(scatter.axis())));
    stored.put(node, target);
  }

  /**
   * A step for the value {@code node} of a product, which may be the product itself. Picked
   * elements are planned like a product, with source and index as the factors.
   */
  private void emitProduct(int product, int node, Source target) {
    Region region = epilogue(node);
    List<Integer> factors = graph.node(product).arguments();
    SequencedSet<Integer> read = new LinkedHashSet<>(region.sources());
    read.remove(product);
    SequencedSet<Integer> needed = new LinkedHashSet<>(factors);
    needed.addAll(read);
    flushSources(needed);
    List<Source> operands = new ArrayList<>();
    factors.forEach(factor -> operands.add(stored.get(factor)));
    read.forEach(source -> operands.add(stored.get(source)));
    operands.add(target);
    List<Long> shape = new ArrayList<>(graph.node(product).shape());
    int axis =
        switch (graph.node(product).operation()) {
          case Operation.Pick(int picked) -> picked;
          case Operation.Contract(int summed) -> summed;
          default -> shape.size(); // the keys of attention
        };
    shape.add(folded(product));
    Kernel kernel = KernelBuilder.withEpilogue(graph, region, product, node);
    steps.add(new Step(kernel, operands, shape, List.of(axis)));
    stored.put(node, target);
  }

  /** The size that a product sums over, that of the axis picked from, or the number of keys. */
  private long folded(int product) {
    List<Integer> arguments = graph.node(product).arguments();
    List<Long> first = graph.node(arguments.getFirst()).shape();
    return switch (graph.node(product).operation()) {
      case Operation.Pick(int axis) -> first.get(axis);
      case Operation.Attend _ -> graph.node(arguments.get(1)).shape().reversed().get(1);
      default -> first.getLast();
    };
  }

  /** Computes the node together with others of its shape, if that is possible. */
  private void addToGroup(int node, Source target) {
    List<Long> shape = graph.node(node).shape();
    Group group = pending.get(shape);
    Region region = group == null ? null : joint(append(group.nodes(), node));
    if (region == null) {
      if (group != null) {
        flush(List.of(group));
      }
      group = new Group(List.of(), List.of(), null);
      region = joint(List.of(node));
    }
    flushSources(region.sources());
    pending.put(
        shape, new Group(append(group.nodes(), node), append(group.targets(), target), region));
  }

  /**
   * The region of values that one step is to compute, or null if they do not fit into one. A single
   * value always fits, if need be by computing again what an output already holds.
   */
  private Region joint(List<Integer> nodes) {
    Region reading = region(nodes, this::mayBeRead);
    if (reading.fits(nodes.size())) {
      return reading;
    }
    return nodes.size() == 1 ? region(nodes, this::mustBeRead) : null;
  }

  private static <T> List<T> append(List<T> list, T element) {
    return Stream.concat(list.stream(), Stream.of(element)).toList();
  }

  /** Emits the groups that compute what is read. */
  private void flushSources(Collection<Integer> sources) {
    flush(
        sources.stream()
            .filter(source -> !stored.containsKey(source))
            .map(this::groupOf)
            .distinct()
            .toList());
  }

  private void flush(Collection<Group> groups) {
    for (Group group : groups) {
      List<Long> shape = graph.node(group.nodes().getFirst()).shape();
      Kernel kernel = KernelBuilder.elementwise(graph, group.region(), group.nodes());
      steps.add(new Step(kernel, operands(group.region(), group.targets()), shape, List.of()));
      for (int i = 0; i < group.nodes().size(); i++) {
        stored.putIfAbsent(group.nodes().get(i), group.targets().get(i));
      }
      pending.remove(shape);
    }
  }

  private List<Source> operands(Region region, List<Source> targets) {
    return Stream.concat(region.sources().stream().map(stored::get), targets.stream()).toList();
  }
}
