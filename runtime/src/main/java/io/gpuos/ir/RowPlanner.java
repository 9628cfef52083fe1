package io.gpuos.ir;

import io.gpuos.ir.RowDomain.Frame;
import io.gpuos.ir.TypedNode.Operation;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntPredicate;

/**
 * Decides which values are computed together, row by row. Values here are those that a plan without
 * rows keeps in memory: outputs, results of folds, and cuts.
 *
 * <p>Goes through the values in topological order, and adds each to the rows of what it reads, if
 * it goes over the same rows, one kernel holds it all, and nothing outside would have to be
 * computed between two of its parts. Folds that read the same values go together as well.
 */
final class RowPlanner {

  /**
   * Values to compute in one step.
   *
   * @param rows what folds and what follows from it have in common; empty for a single value that
   *     is not a fold
   * @param members ascending; of several, the first is a fold
   */
  private record Cluster(Optional<Rows> rows, SortedSet<Integer> members) {

    boolean isOver(RowDomain domain) {
      return rows.isPresent() && rows.get().domain().equals(domain);
    }
  }

  /** The rows of a cluster, and all that is computed there. */
  record Rows(RowDomain domain, RowRegion region) {}

  /**
   * What one step computes.
   *
   * @param members ascending
   * @param rows for a step of several members
   * @param stored members that have to lie in memory, ascending
   */
  record Together(SortedSet<Integer> members, Optional<Rows> rows, List<Integer> stored) {}

  private final TypedGraph graph;
  private final SortedSet<Integer> values;
  private final Set<Integer> outputs;
  private final IntPredicate alone;

  /** Values that each value reads, where every value but itself lies in memory. */
  private final Map<Integer, Set<Integer>> reads = new HashMap<>();

  /** Values that may read each value, also where they compute again what other values hold. */
  private final Map<Integer, Set<Integer>> users = new HashMap<>();

  private final Map<Integer, Cluster> clusterOf = new HashMap<>();

  /**
   * @param mustBeRead which nodes no kernel without rows may compute in passing
   * @param alone which values have a step of their own in any case
   */
  RowPlanner(
      TypedGraph graph,
      SortedSet<Integer> values,
      List<Integer> outputs,
      IntPredicate mustBeRead,
      IntPredicate alone) {
    this.graph = graph;
    this.alone = alone;
    this.values = values;
    this.outputs = Set.copyOf(outputs);
    for (int value : values) {
      reads.put(value, sources(value, this::isSource));
      reads.get(value).forEach(read -> addUser(read, value));
      sources(value, mustBeRead).forEach(read -> addUser(read, value));
    }
  }

  private void addUser(int read, int value) {
    users.computeIfAbsent(read, _ -> new HashSet<>()).add(value);
  }

  private Set<Integer> sources(int value, IntPredicate isSource) {
    int root = isFold(value) ? graph.node(value).arguments().getFirst() : value;
    Region region = Region.of(graph, List.of(root), node -> node != value && isSource.test(node));
    Set<Integer> sources = new LinkedHashSet<>(region.sources());
    for (int node : region.nodes()) {
      if (!region.sources().contains(node) && readsFromMemory(node)) {
        sources.addAll(graph.node(node).arguments()); // constants too, which others do not read
      }
    }
    sources.retainAll(values);
    return sources;
  }

  private boolean readsFromMemory(int node) {
    return graph.node(node).takesEpilogue() || graph.node(node).walks();
  }

  private boolean isSource(int node) {
    Operation operation = graph.node(node).operation();
    return operation instanceof Operation.Input
        || values.contains(node) && !(operation instanceof Operation.Constant);
  }

  private boolean isFold(int node) {
    return graph.node(node).operation() instanceof Operation.Fold;
  }

  /** All values, in an order in which each step comes after what it reads. */
  List<Together> plan() {
    values.forEach(this::place);
    Map<Integer, Cluster> ordered = new LinkedHashMap<>();
    values.forEach(value -> order(clusterOf.get(value), ordered));
    return ordered.values().stream()
        .map(
            cluster ->
                new Together(
                    cluster.members(),
                    cluster.rows().filter(_ -> cluster.members().size() > 1),
                    stored(cluster.members())))
        .toList();
  }

  /**
   * Appends a cluster after those that it reads; without recursion, as chains may be long.
   *
   * @param ordered clusters by their first member
   */
  private void order(Cluster wanted, Map<Integer, Cluster> ordered) {
    Deque<Cluster> stack = new ArrayDeque<>(List.of(wanted));
    while (!stack.isEmpty()) {
      Cluster cluster = stack.peek();
      List<Cluster> missing =
          outsideReads(cluster.members()).stream()
              .map(clusterOf::get)
              .filter(read -> !ordered.containsKey(read.members().first()))
              .toList();
      if (missing.isEmpty()) {
        ordered.putIfAbsent(cluster.members().first(), cluster);
        stack.pop();
      } else {
        missing.reversed().forEach(stack::push);
      }
    }
  }

  private Set<Integer> outsideReads(Set<Integer> members) {
    Set<Integer> result = new LinkedHashSet<>();
    members.forEach(member -> result.addAll(reads.get(member)));
    result.removeAll(members);
    return result;
  }

  private void place(int value) {
    Map<RowDomain, List<Cluster>> candidates = alone.test(value) ? Map.of() : candidates(value);
    for (Map.Entry<RowDomain, List<Cluster>> entry : candidates.entrySet()) {
      RowDomain domain = entry.getKey();
      List<Cluster> clusters = entry.getValue();
      if (clusters.size() > 1 && domain.spreads() && join(domain, clusters, value)) {
        return;
      }
      for (Cluster cluster : clusters.reversed()) {
        if (join(domain, List.of(cluster), value)) {
          return;
        }
      }
    }
    SortedSet<Integer> single = new TreeSet<>(Set.of(value));
    clusterOf.put(
        value,
        new Cluster(
            isFold(value) ? rows(RowDomain.of(graph, value), single) : Optional.empty(), single));
  }

  private Optional<Rows> rows(RowDomain domain, SortedSet<Integer> members) {
    return RowRegion.of(graph, domain, members, this::isSource)
        .map(region -> new Rows(domain, region));
  }

  /** The rows that a value may belong to, by domain. */
  private Map<RowDomain, List<Cluster>> candidates(int value) {
    Map<RowDomain, List<Cluster>> candidates = new LinkedHashMap<>();
    Map<Integer, Cluster> found = new LinkedHashMap<>();
    for (int read : reads.get(value)) {
      Cluster cluster = clusterOf.get(read);
      found.put(cluster.members().first(), cluster);
    }
    Optional<RowDomain> own =
        isFold(value) ? Optional.of(RowDomain.of(graph, value)) : Optional.empty();
    own.filter(RowDomain::spreads)
        .ifPresent(
            domain ->
                readingTheSame(domain, value)
                    .forEach(cluster -> found.put(cluster.members().first(), cluster)));
    for (Cluster cluster : found.values()) {
      cluster
          .rows()
          .map(Rows::domain)
          .filter(domain -> own.map(domain::equals).orElseGet(() -> mayFollow(domain, value)))
          .ifPresent(
              domain -> candidates.computeIfAbsent(domain, _ -> new ArrayList<>()).add(cluster));
    }
    return candidates;
  }

  /** Whether an elementwise value may be computed where rows are folded. */
  private boolean mayFollow(RowDomain domain, int value) {
    List<Long> shape = graph.node(value).shape();
    Optional<Frame> frame = domain.frame(shape);
    return frame.isPresent() && (domain.spreads() || domain.isPerRow(shape, frame.get()));
  }

  /** Clusters over the same rows that read an input, or another value, that the fold reads. */
  private List<Cluster> readingTheSame(RowDomain domain, int fold) {
    int argument = graph.node(fold).arguments().getFirst();
    Set<Integer> sources =
        new HashSet<>(Region.of(graph, List.of(argument), this::isSource).sources());
    Map<Integer, Cluster> result = new TreeMap<>();
    for (Cluster cluster : clusterOf.values()) {
      if (cluster.isOver(domain)
          && cluster.rows().orElseThrow().region().sources().stream()
              .anyMatch(source -> sources.contains(source.node()))) {
        result.put(cluster.members().first(), cluster);
      }
    }
    return List.copyOf(result.values());
  }

  /** Makes one cluster of several and a value, if that is possible. */
  private boolean join(RowDomain domain, List<Cluster> clusters, int value) {
    SortedSet<Integer> members = new TreeSet<>(Set.of(value));
    clusters.forEach(cluster -> members.addAll(cluster.members()));
    Optional<Rows> rows = rows(domain, members);
    if (rows.isEmpty()
        || !rows.get().region().fits(graph, stored(members).size())
        || isWaitedFor(members)) {
      return false;
    }
    Cluster joined = new Cluster(rows, members);
    members.forEach(member -> clusterOf.put(member, joined));
    return true;
  }

  /**
   * Members that are needed outside. Values that are not placed yet count as outside, so there will
   * not be more when they are.
   */
  private List<Integer> stored(Set<Integer> members) {
    return members.stream()
        .filter(
            member ->
                !isFold(member)
                    || outputs.contains(member)
                    || !members.containsAll(users.getOrDefault(member, Set.of())))
        .toList();
  }

  /** Whether something outside reads a member, and is read by another. */
  private boolean isWaitedFor(Set<Integer> members) {
    Deque<Integer> open = new ArrayDeque<>(outsideReads(members));
    Set<Integer> seen = new HashSet<>(open);
    while (!open.isEmpty()) {
      int value = open.pop();
      if (members.contains(value)) {
        return true;
      }
      for (int member : clusterOf.get(value).members()) {
        for (int read : reads.get(member)) {
          if (seen.add(read)) {
            open.push(read);
          }
        }
      }
    }
    return false;
  }
}
