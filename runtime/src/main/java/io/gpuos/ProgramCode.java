package io.gpuos;

import io.gpuos.abi.NodeRecord;
import io.gpuos.device.ComputeDevice;
import io.gpuos.device.NodeTime;
import io.gpuos.error.InvalidInputException;
import io.gpuos.ir.ExpressionPlan.Source;
import io.gpuos.queue.Access;
import io.gpuos.queue.Invocation;
import io.gpuos.queue.Segments;
import io.gpuos.schedule.Buffer;
import io.gpuos.schedule.CostModel;
import io.gpuos.schedule.Edge;
import io.gpuos.schedule.Explanation;
import io.gpuos.schedule.Node;
import io.gpuos.schedule.Place;
import io.gpuos.schedule.Placement;
import io.gpuos.schedule.PlacementValidator;
import io.gpuos.schedule.Plan;
import io.gpuos.schedule.Segment;
import io.gpuos.schedule.Slot;
import io.gpuos.schedule.Work;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * The tasks of a program in device memory, in segments. Operands are distances from bases: base 0
 * is address 0, base 1 the slab of temporaries, and each further one a buffer from outside; a
 * replay brings their addresses. Immutable.
 */
final class ProgramCode {

  private static final int NO_BASE = 0;
  static final int SLAB_BASE = 1;

  /** One kernel of the program, with the bases of its operands. */
  private record Unit(int node, Invocation invocation, int[] bases, long nanos) {}

  /** Where an operand lies. */
  private record Location(int base, long distance) {}

  private final ComputeDevice device;
  private final Plan plan;

  /** Number of the base of each buffer; 0 for those that no node uses. */
  private final int[] baseOf;

  private final int bases;
  private final List<Unit> units = new ArrayList<>();
  private final List<Segment> placement;
  private final Storage image;
  private final Segments segments;

  /**
   * @param bindings of the plan's nodes
   * @throws InvalidInputException if it uses more buffers than a node can number
   */
  ProgramCode(ComputeDevice device, Plan plan, List<Binding> bindings) {
    this.device = device;
    this.plan = plan;
    this.baseOf = new int[plan.buffers().size()];
    this.bases = numberBases();
    List<Work> works = works(bindings);
    this.placement = Placement.of(works, device.costs(), device.ring().maxTiles());
    PlacementValidator.validate(works, placement);
    int tasks = works.stream().mapToInt(Work::tiles).sum();
    this.image = Storage.allocate(device.memory(), (long) tasks * NodeRecord.BYTES);
    try {
      upload(tasks);
      this.segments = segments();
    } catch (Throwable failure) {
      image.release();
      throw failure;
    }
  }

  private int numberBases() {
    int next = SLAB_BASE + 1;
    for (Node node : plan.nodes()) {
      List<Place> places = new ArrayList<>(node.reads());
      places.addAll(node.outputs());
      for (Place place : places) {
        boolean temporary = plan.buffers().get(place.buffer()).kind() == Buffer.Kind.TEMPORARY;
        if (baseOf[place.buffer()] == NO_BASE) {
          baseOf[place.buffer()] = temporary ? SLAB_BASE : next++;
        }
      }
    }
    if (next > NodeRecord.MAX_BASES) {
      throw new InvalidInputException(
          String.format(
              Locale.ROOT,
              "program uses too many tensors: allocations=%d, expected=at most %d; record it in parts",
              next - 2,
              NodeRecord.MAX_BASES - 2));
    }
    return next;
  }

  // ---- works
  // ------------------------------------------------------------------------------------

  private List<Work> works(List<Binding> bindings) {
    List<Work> works = new ArrayList<>();
    int[] lastOf = new int[bindings.size()];
    Arrays.fill(lastOf, -1);
    for (int n = 0; n < bindings.size(); n++) {
      for (Binding.Step step : bindings.get(n).steps()) {
        if (step.positions() != 0) {
          Unit unit = unit(n, step);
          units.add(unit);
          works.add(
              new Work(unit.invocation().tiles(), unit.nanos(), List.copyOf(after(n, lastOf))));
          lastOf[n] = works.size() - 1;
        }
      }
    }
    return works;
  }

  /** The steps of a node run one after the other; the first after the nodes it waits for. */
  private TreeSet<Integer> after(int node, int[] lastOf) {
    TreeSet<Integer> after = new TreeSet<>();
    if (lastOf[node] >= 0) {
      after.add(lastOf[node]);
      return after;
    }
    for (Edge edge : plan.edges()) {
      if (edge.to() == node && lastOf[edge.from()] >= 0) {
        after.add(lastOf[edge.from()]);
      }
    }
    return after;
  }

  private Unit unit(int n, Binding.Step step) {
    Node node = plan.nodes().get(n);
    List<Place> reads = List.copyOf(node.reads());
    List<Slot> scratch = plan.scratch().get(n);
    Function<Source, Location> where =
        source ->
            switch (source) {
              case Source.Input(int index) -> location(reads.get(index));
              case Source.Output(int index) -> location(node.outputs().get(index));
              case Source.Temporary(int index) ->
                  new Location(SLAB_BASE, scratch.get(index).offset());
            };
    int[] numbers = step.operands().stream().map(where).mapToInt(Location::base).toArray();
    Invocation invocation =
        Operands.builder(step, source -> where.apply(source).distance()).build();
    CostModel costs = device.costs();
    int tiles = invocation.tiles();
    return new Unit(
        n, invocation, numbers, costs.nanos(step.bytes() / tiles, step.products() / tiles));
  }

  private Location location(Place place) {
    int base = baseOf[place.buffer()];
    long begin = base == SLAB_BASE ? plan.slots().get(place.buffer()).offset() : 0;
    return new Location(base, begin + place.offset());
  }

  // ---- device memory
  // ----------------------------------------------------------------------------

  private void upload(int tasks) {
    if (tasks == 0) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment nodes = arena.allocate((long) tasks * NodeRecord.BYTES, NodeRecord.BYTES);
      long at = 0;
      for (Segment segment : placement) {
        for (Segment.Task task : segment.tasks()) {
          Unit unit = units.get(task.work());
          unit.invocation()
              .writeNode(task.tile(), unit.bases(), nodes.asSlice(at, NodeRecord.BYTES));
          at += NodeRecord.BYTES;
        }
      }
      write(device, image, nodes);
    }
  }

  /** Fills fresh memory once nobody uses any more what it was before. */
  static void write(ComputeDevice device, Storage storage, MemorySegment content) {
    awaitTasks(device, storage);
    device.upload(storage.block().address(), content, content.byteSize());
  }

  /** Waits until no task uses the memory. */
  static void awaitTasks(ComputeDevice device, Storage storage) {
    device.ring().awaitAccess(whole(storage), true, System.nanoTime() + Long.MAX_VALUE / 2);
    device.completions().throwIfFailed();
  }

  static Access whole(Storage storage) {
    return new Access(storage.block().history(), 0, storage.block().bytes());
  }

  private Segments segments() {
    List<Segments.Part> parts = new ArrayList<>();
    long at = image.block().address();
    for (Segment segment : placement) {
      int[] operators =
          segment.tasks().stream()
              .mapToInt(task -> units.get(task.work()).invocation().operator())
              .toArray();
      parts.add(new Segments.Part(at, operators, segment.after()));
      at += (long) operators.length * NodeRecord.BYTES;
    }
    Segments made = new Segments(parts);
    device.ring().know(made);
    return made;
  }

  // ---- replays
  // ----------------------------------------------------------------------------------

  Segments parts() {
    return segments;
  }

  /** Memory of the nodes. */
  Storage image() {
    return image;
  }

  /**
   * The addresses that a replay adds to distances, in device memory.
   *
   * @param addresses of the plan's buffers; whatever for those that no node uses
   */
  Storage bindings(Storage slab, long[] addresses) {
    Storage storage = Storage.allocate(device.memory(), (long) bases * Long.BYTES);
    try {
      long[] words = new long[bases];
      words[SLAB_BASE] = slab.block().address();
      for (int b = 0; b < baseOf.length; b++) {
        if (baseOf[b] > SLAB_BASE) {
          words[baseOf[b]] = addresses[b];
        }
      }
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment content = arena.allocate((long) bases * Long.BYTES, Long.BYTES);
        content.copyFrom(MemorySegment.ofArray(words));
        write(device, storage, content);
      }
      return storage;
    } catch (Throwable failure) {
      storage.release();
      throw failure;
    }
  }

  /** Addresses that a replay brings, those of number 0 and of the slab included. */
  int bases() {
    return bases;
  }

  /** Number of the base of a buffer; 0 if no node uses it. */
  int base(int buffer) {
    return baseOf[buffer];
  }

  /** The nodes of a replay that ran at {@code times}; those of other programs are left out. */
  ProgramTrace trace(List<NodeTime> times) {
    List<ProgramTrace.Node> nodes = new ArrayList<>();
    double start = times.stream().mapToDouble(NodeTime::beginNanos).min().orElse(0);
    long begin = image.block().address();
    List<long[]> all = tasks();
    for (NodeTime time : times) {
      long number = (time.node() - begin) / NodeRecord.BYTES;
      if (time.node() >= begin && number < all.size()) {
        int operation = (int) all.get((int) number)[0];
        nodes.add(
            new ProgramTrace.Node(
                operation,
                Explanation.expressions(plan.nodes().get(operation)),
                (int) all.get((int) number)[1],
                time.worker(),
                time.beginNanos() - start,
                time.endNanos() - start));
      }
    }
    nodes.sort(Comparator.comparingDouble(ProgramTrace.Node::beginNanos));
    double end = nodes.stream().mapToDouble(ProgramTrace.Node::endNanos).max().orElse(0);
    return new ProgramTrace(nodes, end);
  }

  /** Operation and segment of each node, in the order of memory. */
  private List<long[]> tasks() {
    List<long[]> tasks = new ArrayList<>();
    for (int s = 0; s < placement.size(); s++) {
      for (Segment.Task task : placement.get(s).tasks()) {
        tasks.add(new long[] {units.get(task.work()).node(), s});
      }
    }
    return tasks;
  }

  /** The segments in words. */
  String explain() {
    return Explanation.segments(placement, units.stream().map(Unit::node).toList());
  }

  /** Gives up the memory; what was submitted is not disturbed. Once. */
  void close() {
    device.ring().forget(segments);
    image.release();
  }
}
