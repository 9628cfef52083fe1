package io.gpuos.layout;

import static io.gpuos.layout.LayoutTest.assertMessage;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.ShapeException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ShapesTest {

  @Test
  void shouldCountElements() {
    assertEquals(1, Shapes.elements(new long[] {}));
    assertEquals(24, Shapes.elements(new long[] {2, 3, 4}));
    assertEquals(0, Shapes.elements(new long[] {2, 0, 4}));
    assertEquals(Long.MAX_VALUE, Shapes.elements(new long[] {Long.MAX_VALUE, 1}));
    assertThrows(ShapeException.class, () -> Shapes.elements(new long[] {1L << 62, 2}));
    assertThrows(ShapeException.class, () -> Shapes.elements(new long[] {1L << 62, 4}));
  }

  @Test
  void shouldBroadcastLikeNumPy() {
    assertArrayEquals(
        new long[] {5, 2, 3}, Shapes.broadcast(new long[] {2, 1}, new long[] {5, 1, 3}));
    assertArrayEquals(new long[] {4}, Shapes.broadcast(new long[] {}, new long[] {4}));
    assertArrayEquals(new long[] {0}, Shapes.broadcast(new long[] {1}, new long[] {0}));
    assertArrayEquals(new long[] {}, Shapes.broadcast(List.of(), List.of()));
  }

  @Test
  void shouldNameTheTwoShapesThatDisagree() {
    assertMessage(
        "shapes do not broadcast: a=[2, 3], b=[4],"
            + " expected=equal sizes or 1 in each trailing dimension",
        () -> Shapes.broadcast(new long[] {2, 3}, new long[] {4}));
    assertMessage(
        "shapes do not broadcast: weight=[7, 1], bias=[5, 7],"
            + " expected=equal sizes or 1 in each trailing dimension",
        () ->
            Shapes.broadcast(
                List.of("x", "weight", "bias"),
                List.of(new long[] {1, 7}, new long[] {7, 1}, new long[] {5, 7})));
    assertMessage(
        "shapes do not broadcast: a=[0], b=[2],"
            + " expected=equal sizes or 1 in each trailing dimension",
        () -> Shapes.broadcast(new long[] {0}, new long[] {2}));
    assertThrows(
        ShapeException.class,
        () -> Shapes.broadcast(new long[] {1L << 40, 1}, new long[] {1L << 40}));
  }

  @Test
  void shouldBroadcastManyAsPairwise() {
    Random random = new Random(3);
    for (int i = 0; i < 2000; i++) {
      long[] target = Cases.shape(random, 5);
      List<long[]> shapes =
          List.of(
              Cases.broadcastable(random, target),
              Cases.broadcastable(random, target),
              Cases.broadcastable(random, target));
      long[] all = Shapes.broadcast(List.of("a", "b", "c"), shapes);
      long[] pairwise =
          Shapes.broadcast(shapes.get(0), Shapes.broadcast(shapes.get(1), shapes.get(2)));
      assertArrayEquals(pairwise, all);
      shapes.forEach(shape -> assertTrue(Shapes.broadcastsTo(shape, all)));
    }
    assertFalse(Shapes.broadcastsTo(new long[] {2}, new long[] {}));
    assertFalse(Shapes.broadcastsTo(new long[] {2}, new long[] {1}));
  }

  @Test
  void shouldNormaliseAxes() {
    assertEquals(2, Shapes.axis(-1, 3));
    assertEquals(0, Shapes.axis(-3, 3));
    assertArrayEquals(new int[] {0, 2}, Shapes.axes(new int[] {-1, 0}, 3));
    assertArrayEquals(new int[] {0, 1, 2}, Shapes.allAxes(3));
    assertMessage("axis out of range: axis=3, rank=3, expected=-3 to 2", () -> Shapes.axis(3, 3));
    assertMessage(
        "axis out of range: axis=0, rank=0, expected=no axis for a scalar tensor",
        () -> Shapes.axis(0, 0));
    assertMessage(
        "axis named twice: axes=[1, -2], axis=1, rank=3, expected=each axis once",
        () -> Shapes.axes(new int[] {1, -2}, 3));
    assertThrows(ShapeException.class, () -> Shapes.axis(Integer.MIN_VALUE, 3));
  }

  @Test
  void shouldGiveTheShapeOfAReduction() {
    long[] shape = {2, 3, 4};
    assertArrayEquals(new long[] {2, 4}, Shapes.reduced(shape, new int[] {1}, false));
    assertArrayEquals(new long[] {2, 1, 4}, Shapes.reduced(shape, new int[] {-2}, true));
    assertArrayEquals(new long[] {}, Shapes.reduced(shape, Shapes.allAxes(3), false));
    assertArrayEquals(shape, Shapes.reduced(shape, new int[] {}, false));
  }
}
