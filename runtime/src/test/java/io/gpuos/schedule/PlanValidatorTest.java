package io.gpuos.schedule;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.schedule.Buffer.Kind;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Each rule of the validator is broken once, by a plan that keeps all others. */
class PlanValidatorTest {

  private static final Layout ROW = Layout.contiguous(DType.F32, 64);
  private static final Place INPUT = new Place(0, 0, ROW);
  private static final Place OUTPUT = new Place(1, 0, ROW);
  private static final Place FIRST = new Place(2, 0, ROW);
  private static final Place SECOND = new Place(3, 0, ROW);

  private static final List<Buffer> BUFFERS =
      List.of(
          new Buffer(Kind.INPUT, "in0", 256),
          new Buffer(Kind.OUTPUT, "out0", 256),
          new Buffer(Kind.TEMPORARY, "t2", 256),
          new Buffer(Kind.TEMPORARY, "t3", 256));

  /** first = in + 1; second = in * 2; out = first - second. */
  private static final List<Node> NODES =
      List.of(
          PlanTest.node("a + 1", INPUT, FIRST),
          PlanTest.node("a * 2", INPUT, SECOND),
          PlanTest.node("a - b", FIRST, SECOND, OUTPUT));

  private static final List<Slot> SLOTS =
      List.of(Slot.NONE, Slot.NONE, new Slot(0, 256, 0, 2), new Slot(256, 256, 1, 2));
  private static final List<Edge> EDGES = List.of(edge(0, 2), edge(1, 2));

  private static Edge edge(int from, int to) {
    return new Edge(from, to, Edge.Kind.READ_AFTER_WRITE);
  }

  private static void refused(
      String rule, List<Node> nodes, List<Slot> slots, long slabBytes, Edge... edges) {
    List<List<Slot>> scratch = new ArrayList<>();
    nodes.forEach(_ -> scratch.add(List.of()));
    refused(rule, new Plan(BUFFERS, nodes, slots, scratch, slabBytes, List.of(edges), 3));
  }

  private static void refused(String rule, Plan plan) {
    String message =
        assertThrows(IllegalStateException.class, () -> PlanValidator.validate(plan)).getMessage();
    assertTrue(message.startsWith(rule + ": "), message);
  }

  private static List<Slot> slots(Slot first, Slot second) {
    return List.of(Slot.NONE, Slot.NONE, first, second);
  }

  @Test
  void shouldAcceptAPlanThatKeepsAllRules() {
    List<List<Slot>> scratch = List.of(List.of(), List.of(), List.of());
    Plan plan = new Plan(BUFFERS, NODES, SLOTS, scratch, 512, EDGES, 3);
    assertDoesNotThrow(() -> PlanValidator.validate(plan));
  }

  @Test
  void shouldRefuseAnOpenHazard() {
    refused("open hazard", NODES, SLOTS, 512, edge(0, 2));
  }

  @Test
  void shouldRefuseAnOpenHazardOfSharedMemory() {
    List<Node> nodes =
        List.of(
            PlanTest.node("a + 1", INPUT, FIRST),
            PlanTest.node("-a", FIRST, OUTPUT),
            PlanTest.node("a * 2", INPUT, SECOND));
    List<Slot> shared = slots(new Slot(0, 256, 0, 1), new Slot(0, 256, 2, 2));
    refused("open hazard", nodes, shared, 256, edge(0, 1));
  }

  @Test
  void shouldRefuseACycle() {
    refused("cycle of dependencies", NODES, SLOTS, 512, edge(0, 2), edge(1, 2), edge(2, 1));
  }

  @Test
  void shouldRefuseADependencyAgainstTheOrder() {
    refused("dependency against the order", NODES, SLOTS, 512, edge(0, 2), edge(1, 2), edge(1, 0));
  }

  @Test
  void shouldRefuseAnOperandOutsideOfItsBuffer() {
    List<Node> nodes = List.of(PlanTest.node("-a", new Place(0, 4, ROW), OUTPUT));
    refused("operand outside of its buffer", nodes, SLOTS, 512);
    nodes = List.of(PlanTest.node("-a", new Place(0, -4, ROW), OUTPUT));
    refused("operand outside of its buffer", nodes, SLOTS, 512);
  }

  @Test
  void shouldRefuseASlotOutsideOfTheSlab() {
    refused("slot outside of the slab", NODES, SLOTS, 511, edge(0, 2), edge(1, 2));
  }

  @Test
  void shouldRefuseABufferLargerThanItsSlot() {
    List<Slot> small = slots(new Slot(0, 128, 0, 2), new Slot(256, 256, 1, 2));
    refused("buffer larger than its slot", NODES, small, 512, edge(0, 2), edge(1, 2));
  }

  /** All hazards are ordered, but the second temporary destroys the first before it is read. */
  @Test
  void shouldRefuseATemporaryOverwrittenWhileAlive() {
    List<Slot> shared = slots(new Slot(0, 256, 0, 2), new Slot(0, 256, 1, 2));
    refused(
        "temporary overwritten while alive",
        NODES,
        shared,
        256,
        edge(0, 1),
        edge(0, 2),
        edge(1, 2));
  }

  @Test
  void shouldRefuseTemporariesInsideOfANodeWithoutMemory() {
    // The factor that is computed, and the product.
    List<Node> nodes = List.of(PlanTest.node("a - matmul(a + 1, a)", INPUT, OUTPUT));
    refused("temporary without a slot", nodes, SLOTS, 512);
    Slot outside = new Slot(512, 256, 0, 0);
    refused(
        "slot outside of the slab",
        new Plan(BUFFERS, nodes, SLOTS, List.of(List.of(outside, outside)), 512, List.of(), 1));
    Slot small = new Slot(0, 2, 0, 0);
    refused(
        "temporary larger than its slot",
        new Plan(BUFFERS, nodes, SLOTS, List.of(List.of(small, small)), 512, List.of(), 1));
  }
}
