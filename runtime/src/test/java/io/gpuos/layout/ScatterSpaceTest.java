package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gpuos.error.ShapeException;
import java.util.List;
import org.junit.jupiter.api.Test;

class ScatterSpaceTest {

  private static Layout of(DType type, long... shape) {
    return Layout.contiguous(type, shape);
  }

  private static String space(int axis, Layout index, Layout elements, Layout output) {
    return ScatterSpace.of(List.of(index, elements, output), axis).toString();
  }

  @Test
  void shouldWalkTheIndexBesideTheTensor() {
    assertEquals(
        "IterationSpace[sizes=[2, 3, 7], reduced=2, linear=false,"
            + " strides=[[3, 1, 0], [4, 1, 0], [7, 0, 1]]]",
        space(1, of(DType.I64, 2, 3), of(DType.F32, 5, 4), of(DType.F32, 6, 7)));
  }

  @Test
  void shouldWalkTheIndexInPlaceOfTheAxis() {
    assertEquals(
        "IterationSpace[sizes=[5, 12, 6], reduced=2, linear=false,"
            + " strides=[[0, 1, 0], [1, 5, 0], [1, 0, 5]]]",
        space(0, of(DType.I64, 3, 4), of(DType.F32, 3, 4, 5), of(DType.F32, 6, 5)));
  }

  /** Also where either has one element only. */
  @Test
  void shouldKeepAWalkAndAnAxis() {
    assertEquals(
        "IterationSpace[sizes=[1, 1], reduced=2, linear=false,"
            + " strides=[[0, 0], [0, 0], [0, 0]]]",
        space(0, of(DType.I64), of(DType.F32), of(DType.F32, 1)));
    assertEquals(
        "IterationSpace[sizes=[3, 0], reduced=2, linear=false,"
            + " strides=[[1, 0], [1, 0], [0, 1]]]",
        space(0, of(DType.I64, 3), of(DType.F32, 3), of(DType.F32, 0)));
  }

  @Test
  void shouldRepeatASingleElement() {
    assertEquals(
        "IterationSpace[sizes=[5, 4, 6], reduced=2, linear=false,"
            + " strides=[[0, 1, 0], [0, 0, 0], [1, 0, 5]]]",
        space(0, of(DType.I32, 4), of(DType.F32, 1, 1), of(DType.F32, 6, 5)));
  }

  @Test
  void shouldRefuseElementsThatDoNotFit() {
    assertThrows(
        ShapeException.class,
        () -> space(1, of(DType.I64, 2, 3), of(DType.F32, 2, 2), of(DType.F32, 6, 7)));
  }
}
