package io.gpuos.schedule;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionParser;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import io.gpuos.schedule.Buffer.Kind;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Dead code, fusion, memory and order of small graphs, looked at node by node. */
class PlanTest {

  private static final long BYTES = 1024;

  /** Buffers 0 and 1 come from outside, 2 is the result, the others are temporaries. */
  private static final List<Buffer> BUFFERS =
      List.of(
          new Buffer(Kind.INPUT, "in0", BYTES),
          new Buffer(Kind.HELD, "held0", BYTES),
          new Buffer(Kind.OUTPUT, "out0", BYTES),
          new Buffer(Kind.TEMPORARY, "t3", BYTES),
          new Buffer(Kind.TEMPORARY, "t4", BYTES),
          new Buffer(Kind.TEMPORARY, "t5", BYTES));

  private static Place whole(int buffer) {
    return new Place(buffer, 0, Layout.contiguous(DType.F32, 16, 16));
  }

  /** A node over inputs a and perhaps b, and then a place for each result. */
  static Node node(String text, Place... places) {
    List<Expr> expressions = ExpressionParser.parse(text);
    int inputs = places.length - expressions.size();
    return Node.of(
        expressions,
        Map.of("a", places[0], "b", places[inputs - 1]),
        List.of(places).subList(inputs, places.length),
        1,
        Node.FREE);
  }

  private static Plan plan(Node... nodes) {
    return Plan.of(BUFFERS, List.of(nodes), true);
  }

  private static Plan unfused(Node... nodes) {
    return Plan.of(BUFFERS, List.of(nodes), false);
  }

  private static List<String> expressions(Plan plan) {
    return plan.nodes().stream().map(Explanation::expressions).toList();
  }

  @Test
  void shouldDropWhatNobodyReads() {
    Plan plan =
        unfused(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", whole(3), whole(4)),
            node("-a", whole(0), whole(2)));
    assertEquals(List.of("-a"), expressions(plan));
    assertEquals(0, plan.slabBytes());
  }

  @Test
  void shouldDropOneOfSeveralResults() {
    Plan plan =
        unfused(
            node("a + 1, b - 1", whole(0), whole(1), whole(3), whole(4)),
            node("-a", whole(4), whole(2)));
    assertEquals(List.of("b - 1", "-a"), expressions(plan));
    assertEquals(List.of(whole(1)), List.copyOf(plan.nodes().getFirst().reads()));
  }

  @Test
  void shouldDropWhatIsOverwrittenAsAWhole() {
    Plan plan =
        unfused(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", whole(0), whole(3)),
            node("-a", whole(3), whole(2)));
    assertEquals(List.of("a * 2", "-a"), expressions(plan));
  }

  @Test
  void shouldKeepWhatChangesAnInputOrATensorInUse() {
    Plan plan = unfused(node("a + 1", whole(0), whole(0)), node("a + 1", whole(0), whole(1)));
    assertEquals(2, plan.nodes().size());
  }

  @Test
  void shouldFuseAChain() {
    Plan plan =
        plan(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", whole(3), whole(4)),
            node("-a", whole(4), whole(2)));
    assertEquals(List.of("-((v0 + 1) * 2)"), expressions(plan));
    assertEquals(3, plan.nodes().getFirst().operations());
  }

  @Test
  void shouldStoreAFusedResultThatOthersRead() {
    Plan plan =
        plan(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", whole(3), whole(2)),
            node("max(a)", whole(3), new Place(1, 0, Layout.contiguous(DType.F32))));
    assertEquals(List.of("v0 + 1, (v0 + 1) * 2", "max(a)"), expressions(plan));
  }

  @Test
  void shouldNotFuseAcrossAWriteToWhatTheProducerReads() {
    Plan plan =
        plan(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", whole(1), whole(0)),
            node("a - b", whole(3), whole(1), whole(2)));
    assertEquals(3, plan.nodes().size());
    assertEquals(Edge.Kind.WRITE_AFTER_READ, plan.edges().getFirst().kind());
  }

  @Test
  void shouldNotFuseWhatIsReadThroughAnotherView() {
    View turned = View.of(whole(3).layout()).transpose(0, 1);
    Plan plan =
        plan(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", new Place(3, 0, turned.layout()), whole(2)));
    assertEquals(2, plan.nodes().size());
  }

  @Test
  void shouldNotComputeAgainForEachRepetition() {
    Place row = new Place(3, 0, Layout.contiguous(DType.F32, 16));
    Place input = new Place(0, 0, row.layout());
    Plan plan = plan(node("exp(a)", input, row), node("a + b", row, whole(1), whole(2)));
    assertEquals(2, plan.nodes().size());
  }

  @Test
  void shouldFuseIntoAReductionButNotAfterIt() {
    Place sums = new Place(4, 0, Layout.contiguous(DType.F32, 16));
    Place result = new Place(2, 0, Layout.contiguous(DType.F32, 16));
    Plan plan =
        plan(
            node("a + 1", whole(0), whole(3)),
            node("sum(a, axis=-1)", whole(3), sums),
            node("a * 2", sums, result));
    assertEquals(List.of("sum(v0 + 1, axis=-1)", "a * 2"), expressions(plan));
  }

  @Test
  void shouldFuseWhatFollowsAProduct() {
    Plan plan =
        plan(
            node("matmul(a, b)", whole(0), whole(1), whole(3)),
            node("a + b", whole(3), whole(1), whole(4)),
            node("gelu(a)", whole(4), whole(2)));
    assertEquals(List.of("gelu(matmul(v0, v1) + v1)"), expressions(plan));
    assertEquals(1, plan.nodes().getFirst().plan().steps().size());
  }

  @Test
  void shouldAddAProductInPlaceButNotToItsOwnFactor() {
    Node product = node("matmul(a, b)", whole(1), whole(1), whole(3));
    assertEquals(1, plan(product, node("a + b", whole(0), whole(3), whole(0))).nodes().size());
    assertEquals(2, plan(product, node("a + b", whole(1), whole(3), whole(1))).nodes().size());
  }

  @Test
  void shouldKeepAProductThatSomebodyElseReads() {
    Plan plan =
        plan(
            node("matmul(a, b)", whole(0), whole(1), whole(3)),
            node("a + 1", whole(3), whole(1)),
            node("-a", whole(3), whole(2)));
    // The two that read it are one kernel, if at all; the product is not computed twice.
    assertEquals(1, expressions(plan).stream().filter(text -> text.contains("matmul")).count());
    assertEquals("matmul(a, b)", expressions(plan).getFirst());
  }

  @Test
  void shouldNotComputeAProductAgainForEachRepetition() {
    Place row = new Place(3, 0, Layout.contiguous(DType.F32, 16));
    Place vector = new Place(0, 0, row.layout());
    Plan plan =
        plan(node("matmul(a, b)", vector, whole(1), row), node("a + b", row, whole(1), whole(2)));
    assertEquals(2, plan.nodes().size());
  }

  @Test
  void shouldFuseWhatFollowsAnIndexedRead() {
    Place index = new Place(1, 0, Layout.contiguous(DType.I64, 16));
    Plan plan =
        plan(node("embedding(b, a)", whole(0), index, whole(3)), node("a * 2", whole(3), whole(2)));
    assertEquals(List.of("embedding(v0, v1) * 2"), expressions(plan));
  }

  @Test
  void shouldLetTemporariesShareMemoryWhoseNodesFollowAnyway() {
    Plan plan =
        unfused(
            node("a + 1", whole(0), whole(3)),
            node("-a", whole(3), whole(4)),
            node("a * 2", whole(4), whole(5)),
            node("-a", whole(5), whole(2)));
    assertEquals(2 * BYTES, plan.slabBytes());
    assertEquals(plan.slots().get(3).offset(), plan.slots().get(5).offset());
  }

  @Test
  void shouldNotMakeIndependentNodesWaitForMemory() {
    Plan plan =
        unfused(
            node("a + 1", whole(0), whole(3)),
            node("a + 1", whole(3), whole(1)),
            node("a * 2", whole(0), whole(4)),
            node("-a", whole(4), whole(2)));
    assertEquals(2 * BYTES, plan.slabBytes());
    assertNotEquals(plan.slots().get(3).offset(), plan.slots().get(4).offset());
    assertTrue(
        plan.edges().stream().noneMatch(edge -> edge.from() < 2 && edge.to() >= 2),
        plan.edges()::toString);
  }

  @Test
  void shouldKeepTemporariesApartThatLiveAtTheSameTime() {
    Plan plan =
        unfused(
            node("a + 1", whole(0), whole(3)),
            node("a * 2", whole(0), whole(4)),
            node("a - b", whole(3), whole(4), whole(2)));
    assertEquals(2 * BYTES, plan.slabBytes());
    assertNotEquals(plan.slots().get(3).offset(), plan.slots().get(4).offset());
  }

  @Test
  void shouldExplainInWordsAndAsAPicture() {
    Plan plan =
        plan(
            node("a + 1", whole(0), whole(3)),
            node(
                "max(a) < b",
                whole(3),
                whole(1),
                new Place(2, 0, Layout.contiguous(DType.BOOL, 16, 16))),
            node("sum(a)", whole(3), new Place(1, 0, Layout.contiguous(DType.F32))));
    String words = Explanation.of(plan);
    assertTrue(words.startsWith("program: recorded=3, dead=0, nodes=3, kernels=3"), words);
    assertTrue(words.contains("after 0 (reads its result)"), words);
    String picture = GraphPicture.of(plan);
    assertTrue(picture.startsWith("<svg xmlns=") && picture.endsWith("</svg>\n"), picture);
    assertTrue(picture.contains("max(a) &lt; b"), picture);
    assertEquals(3, picture.split("<rect ", -1).length - 1);
    assertEquals(plan.edges().size(), picture.split("<line ", -1).length - 1);
  }
}
