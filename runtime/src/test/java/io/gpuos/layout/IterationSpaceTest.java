package io.gpuos.layout;

import static io.gpuos.layout.LayoutTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ShapeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class IterationSpaceTest {

  private static final Layout SCALAR = IterationSpace.SCALAR;

  @Test
  void shouldVisitTheElementsOfTheBroadcastShape() {
    Random random = new Random(5);
    for (int i = 0; i < 5000; i++) {
      long[] shape = Cases.shape(random, i % 50 == 0 ? 8 : 5);
      List<Layout> operands = inputs(random, shape, 4);
      operands.add(Cases.layout(random, Cases.dtype(random), shape));
      IterationSpace space = IterationSpace.elementwise(shape, operands);
      assertEquals(0, space.reduced());
      assertEquals(1, space.reducedCount());
      assertEquals(operands.size(), space.operands());
      assertEquals(Shapes.elements(shape), space.count());
      assertTrue(space.rank() >= 1 && space.rank() <= Math.max(1, shape.length));
      assertEquals(counted(naive(shape, operands)), counted(walked(space)), space::toString);
      assertEquals(isLinear(space, operands), space.linear(), space::toString);
      assertSame(space, IterationSpace.elementwise(shape, operands));
    }
  }

  @Test
  void shouldFoldTheElementsOfEachResult() {
    Random random = new Random(6);
    for (int i = 0; i < 5000; i++) {
      long[] shape = Cases.shape(random, i % 50 == 0 ? 8 : 5);
      int[] axes = axes(random, shape.length);
      List<Layout> inputs = inputs(random, shape, 3);
      boolean keepdim = random.nextBoolean();
      boolean ordered = random.nextBoolean();
      Layout output =
          Cases.layout(random, Cases.dtype(random), Shapes.reduced(shape, axes, keepdim));
      IterationSpace space = IterationSpace.reduction(shape, axes, inputs, output, ordered);
      assertEquals(output.elements(), space.count());
      assertTrue(space.reduced() >= 1, space::toString);
      assertTrue(space.rank() <= IterationSpace.MAX_RANK);
      assertFalse(space.linear());
      assertEquals(inputs.size() + 1, space.operands());
      if (space.count() > 0) {
        long[] folded = Arrays.stream(axes).mapToLong(axis -> shape[axis]).toArray();
        assertEquals(Shapes.elements(folded), space.reducedCount());
      }
      assertEquals(
          counted(naiveFolds(shape, axes, inputs, output, ordered)),
          counted(walkedFolds(space, ordered)),
          () -> space + " of " + inputs);
    }
  }

  @Test
  void shouldMakeOneLineOfOperandsLaidOutAlike() {
    Layout dense = Layout.contiguous(DType.F32, 4, 5, 6);
    assertTrue(elementwise(dense, dense).linear());
    Layout turned = View.of(dense).permute(2, 0, 1).layout();
    assertTrue(elementwise(turned, SCALAR, turned).linear());
    assertFalse(elementwise(turned, Layout.contiguous(DType.F32, 6, 4, 5)).linear());
    assertFalse(elementwise(Layout.contiguous(DType.F32, 1, 1, 6), dense).linear());
    Layout flipped = View.of(dense).flip(0).flip(1).flip(2).layout();
    IterationSpace backwards = elementwise(flipped, flipped);
    assertEquals(1, backwards.rank());
    assertEquals(-1, backwards.stride(0, 0));
    assertFalse(backwards.linear());
    Layout everySecond = View.of(Layout.contiguous(DType.F32, 4, 10)).slice(1, 0, 10, 2).layout();
    IterationSpace strided = elementwise(everySecond, everySecond);
    assertEquals(1, strided.rank());
    assertEquals(2, strided.stride(0, 0));
    assertFalse(strided.linear());
  }

  @Test
  void shouldKeepARowBroadcastAsTwoDimensions() {
    IterationSpace space =
        elementwise(
            Layout.contiguous(DType.F32, 2, 3, 4),
            Layout.contiguous(DType.F32, 4),
            SCALAR,
            Layout.contiguous(DType.F32, 2, 3, 4));
    assertEquals(
        "IterationSpace[sizes=[6, 4], reduced=0, linear=false,"
            + " strides=[[4, 1], [0, 1], [0, 0], [4, 1]]]",
        space.toString());
  }

  @Test
  void shouldTreatOneElementAndNoneAsLines() {
    IterationSpace one = elementwise(Layout.contiguous(DType.F32), Layout.contiguous(DType.I8));
    assertEquals(1, one.rank());
    assertEquals(1, one.size(0));
    assertTrue(one.linear());
    assertSame(
        one, elementwise(Layout.contiguous(DType.F32, 1), Layout.contiguous(DType.F32, 1, 1)));
    IterationSpace none =
        elementwise(Layout.contiguous(DType.F32, 3, 0), Layout.contiguous(DType.I8, 3, 0));
    assertEquals(0, none.count());
    assertTrue(none.linear());
  }

  @Test
  void shouldTellAScalarSlotFromARepeatedElement() {
    Layout vector = Layout.contiguous(DType.F32, 4);
    IterationSpace slot = elementwise(SCALAR, vector);
    IterationSpace element = elementwise(Layout.contiguous(DType.F32, 1), vector);
    assertNotSame(slot, element);
    assertTrue(slot.linear());
    assertFalse(element.linear());
    assertSame(slot, elementwise(null, vector));
    assertNotSame(SCALAR, Layout.contiguous(DType.F64));
    assertFalse(SCALAR.equals(Layout.contiguous(DType.F64)));
  }

  @Test
  void shouldReduceWholeTensorsAlongOneLine() {
    long[] shape = {3, 4, 5};
    Layout turned = View.of(Layout.contiguous(DType.F32, 5, 3, 4)).permute(1, 2, 0).layout();
    IterationSpace sum =
        IterationSpace.reduction(
            shape, Shapes.allAxes(3), List.of(turned), Layout.contiguous(DType.F32));
    assertEquals(1, sum.rank());
    assertEquals(1, sum.reduced());
    assertEquals(1, sum.stride(0, 0));
    assertEquals(1, sum.count());
    assertEquals(60, sum.reducedCount());
    IterationSpace argmax =
        IterationSpace.reduction(
            shape, Shapes.allAxes(3), List.of(turned), Layout.contiguous(DType.I64), true);
    assertEquals(2, argmax.reduced());
    assertEquals(12, argmax.stride(0, 1));
  }

  @Test
  void shouldFoldLargeStridesOutermostDespiteABroadcastInput() {
    IterationSpace space =
        IterationSpace.reduction(
            new long[] {7, 5},
            new int[] {0, 1},
            List.of(Layout.contiguous(DType.F32, 7, 5), Layout.contiguous(DType.F32, 5)),
            Layout.contiguous(DType.F32));
    assertEquals(5, space.stride(0, 0));
    assertEquals(1, space.stride(0, 1));
  }

  @Test
  void shouldFoldNothingIntoEachResultOfAnEmptyAxis() {
    IterationSpace space =
        IterationSpace.reduction(
            new long[] {2, 0, 3},
            new int[] {1},
            List.of(Layout.contiguous(DType.F32, 2, 0, 3)),
            Layout.contiguous(DType.F32, 2, 3));
    assertEquals(6, space.count());
    assertEquals(0, space.reducedCount());
    assertEquals(1, space.reduced());
  }

  @Test
  void shouldRefuseOperandsThatDoNotFit() {
    assertMessage(
        "operand does not broadcast: operand=1, shape=[3], expected=a shape that broadcasts to [2,"
            + " 4]",
        () ->
            IterationSpace.elementwise(
                new long[] {2, 4},
                List.of(
                    Layout.contiguous(DType.F32, 2, 4),
                    Layout.contiguous(DType.F32, 3),
                    Layout.contiguous(DType.F32, 2, 4))));
    assertThrows(
        ShapeException.class,
        () ->
            IterationSpace.elementwise(
                new long[] {4}, List.of(Layout.contiguous(DType.F32, 1, 4))));
    assertMessage(
        "output does not fit the reduction: output=[4], input=[2, 4], axes=[1], expected=[2] or [2,"
            + " 1]",
        () ->
            IterationSpace.reduction(
                new long[] {2, 4},
                new int[] {-1},
                List.of(Layout.contiguous(DType.F32, 2, 4)),
                Layout.contiguous(DType.F32, 4)));
    assertMessage(
        "number of operands: operands=11, expected=1 to 10",
        () ->
            IterationSpace.elementwise(
                new long[] {1}, Collections.nCopies(11, Layout.contiguous(DType.F32, 1))));
  }

  private static IterationSpace elementwise(Layout... operands) {
    return IterationSpace.elementwise(
        operands[operands.length - 1].shape(), Arrays.asList(operands));
  }

  /** Between 0 and {@code most} inputs that broadcast to the shape, scalar slots among them. */
  private static List<Layout> inputs(Random random, long[] shape, int most) {
    List<Layout> inputs = new ArrayList<>();
    Layout alike = null;
    for (int k = random.nextInt(most + 1); k > 0; k--) {
      if (random.nextInt(8) == 0) {
        inputs.add(SCALAR);
      } else if (alike != null && random.nextBoolean()) {
        inputs.add(alike);
      } else {
        alike = Cases.layout(random, Cases.dtype(random), Cases.broadcastable(random, shape));
        inputs.add(alike);
      }
    }
    return inputs;
  }

  private static int[] axes(Random random, int rank) {
    return java.util.stream.IntStream.range(0, rank).filter(_ -> random.nextBoolean()).toArray();
  }

  private static boolean isLinear(IterationSpace space, List<Layout> operands) {
    boolean linear = space.rank() == 1;
    for (int k = 0; k < operands.size() && linear; k++) {
      linear = operands.get(k) == SCALAR || space.stride(k, 0) == 1;
    }
    return linear;
  }

  /** Offsets of all operands at each index of the shape, row-major. */
  private static List<List<Long>> naive(long[] shape, List<Layout> operands) {
    List<List<Long>> visits = new ArrayList<>();
    Cases.forEachIndex(shape, index -> visits.add(offsets(operands, index)));
    return visits;
  }

  private static List<Long> offsets(List<Layout> operands, long[] index) {
    return operands.stream()
        .map(layout -> layout == SCALAR ? 0 : Cases.broadcastOffset(layout, index))
        .toList();
  }

  private static List<List<Long>> walked(IterationSpace space) {
    List<List<Long>> visits = new ArrayList<>();
    for (long p = 0; p < space.count(); p++) {
      long position = p;
      visits.add(
          LongStream.range(0, space.operands())
              .map(k -> space.offset((int) k, position))
              .boxed()
              .toList());
    }
    return visits;
  }

  /** For each result: its output offset, then the input offsets folded into it. */
  private static List<List<Object>> naiveFolds(
      long[] shape, int[] axes, List<Layout> inputs, Layout output, boolean ordered) {
    long[] kept = shape.clone();
    long[] folded = shape.clone();
    for (int d = 0; d < shape.length; d++) {
      boolean isAxis = Arrays.binarySearch(axes, d) >= 0;
      kept[d] = isAxis ? 1 : kept[d];
      folded[d] = isAxis ? folded[d] : 1;
    }
    List<List<Object>> folds = new ArrayList<>();
    List<Long> outputs = Cases.offsets(output);
    Cases.forEachIndex(
        kept,
        outer -> {
          List<List<Long>> elements = new ArrayList<>();
          Cases.forEachIndex(
              folded,
              inner -> {
                long[] index = outer.clone();
                Arrays.setAll(index, d -> outer[d] + inner[d]);
                elements.add(offsets(inputs, index));
              });
          folds.add(fold(outputs.get(folds.size()), elements, ordered));
        });
    return folds;
  }

  private static List<List<Object>> walkedFolds(IterationSpace space, boolean ordered) {
    int output = space.operands() - 1;
    List<List<Object>> folds = new ArrayList<>();
    for (long p = 0; p < space.count(); p++) {
      List<List<Long>> elements = new ArrayList<>();
      for (long r = 0; r < space.reducedCount(); r++) {
        List<Long> offsets = new ArrayList<>();
        for (int k = 0; k < output; k++) {
          offsets.add(space.offset(k, p) + space.reducedOffset(k, r));
        }
        elements.add(offsets);
        assertEquals(0, space.reducedOffset(output, r));
      }
      folds.add(fold(space.offset(output, p), elements, ordered));
    }
    return folds;
  }

  private static List<Object> fold(long output, List<List<Long>> elements, boolean ordered) {
    return List.of(output, ordered ? elements : counted(elements));
  }

  private static <T> Map<T, Integer> counted(List<T> values) {
    Map<T, Integer> counts = new HashMap<>();
    values.forEach(value -> counts.merge(value, 1, Integer::sum));
    return counts;
  }
}
