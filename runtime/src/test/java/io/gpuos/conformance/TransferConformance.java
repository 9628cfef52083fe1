package io.gpuos.conformance;

import static io.gpuos.conformance.Refusals.goesOn;
import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.Gpuos;
import io.gpuos.Tensor;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Elements on their way between host and device. */
interface TransferConformance extends Target {

  @Test
  default void shouldGiveOneValueOneDimensionOrNone() {
    Gpuos gpu = shared();
    assertArrayEquals(new long[] {1}, gpu.tensor(new float[] {5}).shape());
    assertArrayEquals(new long[] {1}, gpu.tensor(new double[] {5}).shape());
    assertArrayEquals(new long[] {1}, gpu.tensor(new long[] {5}).shape());
    assertArrayEquals(new long[] {1}, gpu.tensor(new boolean[] {true}).shape());
    assertArrayEquals(new long[] {0}, gpu.tensor(new float[0]).shape());
    assertArrayEquals(new long[] {1, 1}, gpu.tensor(new float[] {5}, 1, 1).shape());
    try (Tensor number = gpu.scalar(0.1);
        Tensor whole = gpu.scalar(Long.MAX_VALUE);
        Tensor half = gpu.scalar(DType.F16, 0.1)) {
      assertEquals(0, number.rank());
      assertEquals(DType.F64, number.dtype());
      assertEquals(0.1, number.toDoubles()[0]);
      assertEquals(0, whole.rank());
      assertEquals(Long.MAX_VALUE, whole.toLongs()[0]);
      assertEquals(DType.F16, half.dtype());
      assertEquals(0.0999755859375, half.toDoubles()[0]);
    }
  }

  /** Larger than any staging memory, in both directions and across the order of memory. */
  @Test
  default void shouldCopyMoreThanOnePiece() {
    int rows = 4_099;
    int columns = 4_111;
    Gpuos gpu = shared();
    float[] values = new float[rows * columns];
    for (int k = 0; k < values.length; k++) {
      values[k] = k % 8_388_593;
    }
    try (Tensor a = gpu.tensor(values, rows, columns);
        Tensor turned = a.transpose(0, 1).flip(0);
        Tensor back = gpu.empty(DType.F32, columns, rows);
        Tensor ones = gpu.zeros(DType.I8, rows, columns)) {
      float[] read = turned.toFloats();
      for (int k = 0; k < read.length; k++) {
        int row = k % rows;
        int column = columns - 1 - k / rows;
        if (read[k] != values[row * columns + column]) {
          assertEquals(values[row * columns + column], read[k], "element " + k);
        }
      }
      back.transpose(0, 1).write(values);
      assertArrayEquals(values, back.transpose(0, 1).toFloats());
      ones.write(MemorySegment.ofArray(new byte[] {1}), 0, Layout.contiguous(DType.I8));
      byte[] bytes = new byte[values.length];
      ones.read(MemorySegment.ofArray(bytes));
      for (byte one : bytes) {
        if (one != 1) {
          assertEquals(1, one);
        }
      }
    }
  }

  @Test
  default void shouldRefuseMemoryThatCannotBeUsed() {
    Gpuos gpu = shared();
    Layout layout = Layout.contiguous(DType.F32, 3);
    MemorySegment closed;
    try (Arena arena = Arena.ofConfined()) {
      closed = arena.allocate(12);
    }
    try (Tensor a = gpu.tensor(new float[] {1, 2, 3}, 3);
        Arena mine = Arena.ofConfined()) {
      MemorySegment segment = mine.allocate(12);
      MemorySegment heap = MemorySegment.ofArray(new byte[12]);
      refused(InvalidInputException.class, () -> a.read(closed), "segment");
      refused(InvalidInputException.class, () -> a.write(closed, 0, layout), "segment");
      refused(InvalidInputException.class, () -> a.read(segment.asReadOnly()), "segment");
      refused(InvalidInputException.class, () -> a.read(segment.asSlice(0, 11)), "bytes=11");
      refused(InvalidInputException.class, () -> a.write(heap, 1, layout), "bytes=12");
      refused(InvalidInputException.class, () -> a.write(heap, -4, layout));
      refused(InvalidInputException.class, () -> a.write(heap, Long.MAX_VALUE, layout));
      refused(
          InvalidInputException.class,
          () -> a.write(heap, 0, Layout.of(DType.F32, new long[] {3}, new long[] {-1})));
      refused(ShapeException.class, () -> a.write(heap, 0, Layout.contiguous(DType.I8, 4)));
      CompletableFuture.runAsync(
              () -> refused(InvalidInputException.class, () -> a.read(segment), "thread"))
          .join();
      assertArrayEquals(new float[] {1, 2, 3}, a.toFloats());
      a.write(segment.asReadOnly(), 0, layout);
      a.read(heap);
      assertEquals(0f, heap.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 8));
    }
    goesOn(gpu);
  }
}
