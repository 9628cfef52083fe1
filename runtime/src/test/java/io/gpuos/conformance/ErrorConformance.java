package io.gpuos.conformance;

import static io.gpuos.conformance.Refusals.goesOn;
import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Submission;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.ClosedException;
import io.gpuos.error.DTypeException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.FileFormatException;
import io.gpuos.error.InvalidInputException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.error.OverlapException;
import io.gpuos.error.RingFullException;
import io.gpuos.error.ShapeException;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.npy.NpyFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Bad input: each mistake gives its own type of exception and one line that names it, changes
 * nothing, and the runtime goes on.
 */
interface ErrorConformance extends Target {

  @Test
  default void shouldRefuseExpressionsThatDoNotParse() {
    Gpuos gpu = shared();
    refused(ExpressionException.class, () -> Operator.of("frobnicate(a)"), "frobnicate");
    refused(ExpressionException.class, () -> Operator.of("rellu(a)"), "rellu", "relu");
    refused(ExpressionException.class, () -> Operator.of("where(a, b)"), "where");
    refused(ExpressionException.class, () -> Operator.of("exp(a, b)"), "exp");
    refused(ExpressionException.class, () -> Operator.of("sum(a, axis=0.5)"), "axis");
    refused(ExpressionException.class, () -> Operator.of("relu(a, slope=1)"), "slope");
    refused(ExpressionException.class, () -> Operator.of("a + "));
    refused(ExpressionException.class, () -> Operator.of("(a + b"));
    refused(ExpressionException.class, () -> Operator.of("a $ b"), "$");
    refused(ExpressionException.class, () -> Operator.of(""));
    refused(ExpressionException.class, () -> Operator.of("cast(a, f31)"), "cast", "f32");
    refused(ExpressionException.class, Operator::of);
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseAWrongNumberOfTensors() {
    Gpuos gpu = shared();
    Operator add = Operator.of("a + b");
    try (Tensor a = gpu.zeros(DType.F32, 3)) {
      refused(ExpressionException.class, () -> gpu.run(add, a), "a + b", "inputs=1", "expected=2");
      refused(ExpressionException.class, () -> gpu.run(add, a, a, a), "inputs=3");
      refused(ExpressionException.class, () -> gpu.prepare(add, List.of(a, a), a, a), "outputs=2");
      refused(ExpressionException.class, () -> gpu.prepare(add, List.of(), a, a), "outputs=0");
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseShapesThatDoNotFit() {
    Gpuos gpu = shared();
    Operator add = Operator.of("a + b");
    try (Tensor a = gpu.zeros(DType.F32, 2, 3);
        Tensor b = gpu.zeros(DType.F32, 4);
        Tensor empty = gpu.zeros(DType.F32, 0, 3)) {
      refused(ShapeException.class, () -> gpu.run(add, a, b), "[2, 3]", "[4]");
      refused(ShapeException.class, () -> gpu.run(Operator.of("sum(a, axis=2)"), a), "axis=2");
      refused(ShapeException.class, () -> gpu.run(Operator.of("sum(a, axis=[0, -2])"), a), "axis");
      refused(ShapeException.class, () -> gpu.run(Operator.of("max(a)"), empty), "[0, 3]");
      refused(ShapeException.class, () -> gpu.runInto(add, b, a, a), "[4]", "[2, 3]");
      refused(ShapeException.class, () -> gpu.runInto(add, a, b, b), "[2, 3]", "[4]");
      refused(ShapeException.class, () -> a.write(1.0, 2.0), "values=2", "expected=6");
      refused(ShapeException.class, () -> gpu.tensor(new float[5], 2, 3));
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseImpossibleViews() {
    Gpuos gpu = shared();
    try (Tensor a = gpu.zeros(DType.F32, 2, 3);
        Tensor turned = a.transpose(0, 1)) {
      refused(ShapeException.class, () -> a.slice(0, 0, 2, 0), "step=0");
      refused(ShapeException.class, () -> a.slice(2, 0, 1), "axis=2");
      refused(ShapeException.class, () -> a.select(1, 3), "index=3");
      refused(ShapeException.class, () -> a.select(1, -4), "index=-4");
      refused(ShapeException.class, () -> a.narrow(0, 1, 2), "length=2");
      refused(ShapeException.class, () -> a.transpose(0, 2), "axis=2");
      refused(ShapeException.class, () -> a.permute(0, 0));
      refused(ShapeException.class, () -> a.permute(0));
      refused(ShapeException.class, () -> a.expand(4, 3), "[2, 3]", "[4, 3]");
      refused(ShapeException.class, () -> a.reshape(4, 2), "[2, 3]", "[4, 2]");
      refused(ShapeException.class, () -> turned.reshape(6), "contiguous copy");
      refused(ShapeException.class, () -> a.unsqueeze(4));
      refused(ShapeException.class, () -> a.size(2));
      refused(ShapeException.class, () -> a.expand(1, 1, 1, 1, 1, 1, 1, 2, 3), "at most 8");
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseTypesWithoutMeaning() {
    Gpuos gpu = shared();
    try (Tensor f = gpu.zeros(DType.F32, 3);
        Tensor i = gpu.zeros(DType.I32, 3);
        Tensor b = gpu.zeros(DType.BOOL, 3)) {
      refused(DTypeException.class, () -> gpu.run(Operator.of("x & y"), f, i), "f32");
      refused(DTypeException.class, () -> gpu.run(Operator.of("x << x"), b), "bool");
      refused(DTypeException.class, () -> gpu.run(Operator.of("x - y"), b, b), "bool");
      refused(DTypeException.class, () -> gpu.run(Operator.of("mean(x)"), i), "mean", "i32");
      refused(DTypeException.class, () -> gpu.run(Operator.of("argmax(x)"), b), "argmax");
      refused(DTypeException.class, () -> gpu.run(Operator.of("gelu(x)"), i), "gelu", "i32");
      refused(DTypeException.class, () -> gpu.run(Operator.of("where(x, x, x)"), f), "where");
      refused(DTypeException.class, () -> gpu.runInto(Operator.of("x * 1.5"), i, f), "I32", "F32");
      refused(DTypeException.class, () -> gpu.runInto(Operator.of("x + 1"), b, i), "BOOL", "I32");
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseOverlapsThatChangeTheResult() {
    Gpuos gpu = shared();
    Operator twice = Operator.of("x * 2");
    double[] values = {1, 2, 3, 4, 5, 6};
    try (Tensor all = gpu.tensor(values);
        Tensor left = all.slice(0, 0, 5);
        Tensor right = all.slice(0, 1, 6);
        Tensor back = all.flip(0);
        Tensor one = all.slice(0, 0, 1);
        Tensor same = one.expand(6);
        Tensor matrix = all.reshape(2, 3);
        Tensor row = matrix.slice(0, 0, 1)) {
      refused(OverlapException.class, () -> gpu.runInto(twice, right, left), "x * 2");
      refused(OverlapException.class, () -> gpu.runInto(twice, back, all));
      refused(OverlapException.class, () -> gpu.runInto(twice, same, all), "expand");
      refused(OverlapException.class, () -> gpu.runInto(Operator.of("x + y"), all, one, all));
      Operator sum = Operator.of("sum(x, axis=0, keepdim=true)");
      refused(OverlapException.class, () -> gpu.runInto(sum, row, matrix), "sum");
      Operator both = Operator.of("x + 1, x + 2");
      try (Tensor other = gpu.zeros(DType.F64, 5)) {
        refused(
            OverlapException.class,
            () -> gpu.submitInto(both, List.of(left, right), other),
            "0 and 1");
      }
      refused(OverlapException.class, () -> same.write(values));
      assertArrayEquals(values, all.toDoubles(), "a refused operation changed memory");
    }
    goesOn(gpu);
  }

  @Test
  default void shouldAcceptOverlapsThatDoNot() {
    Gpuos gpu = shared();
    try (Tensor all = gpu.tensor(new double[] {1, 2, 3, 4, 5, 6});
        Tensor even = all.slice(0, 0, 6, 2);
        Tensor odd = all.slice(0, 1, 6, 2)) {
      gpu.runInto(Operator.of("x * 10"), even, odd);
      gpu.runInto(Operator.of("x + 1"), odd, odd);
      assertArrayEquals(new double[] {20, 3, 40, 5, 60, 7}, all.toDoubles());
    }
  }

  @Test
  default void shouldRefuseSizesThatOverflow() {
    Gpuos gpu = shared();
    refused(ShapeException.class, () -> gpu.empty(DType.F32, Long.MAX_VALUE), "size overflow");
    refused(ShapeException.class, () -> gpu.empty(DType.F32, 1L << 40, 1L << 40), "size overflow");
    refused(ShapeException.class, () -> gpu.empty(DType.I8, -1), "[-1]");
    refused(
        ShapeException.class, () -> gpu.empty(DType.I8, 1, 1, 1, 1, 1, 1, 1, 1, 1), "at most 8");
    try (Tensor one = gpu.zeros(DType.F32, 1, 1);
        Tensor tall = one.expand(1L << 32, 1);
        Tensor wide = one.expand(1, 1L << 32)) {
      refused(ShapeException.class, () -> gpu.run(Operator.of("a * b"), tall, wide), "overflow");
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseMoreMemoryThanThereIs() {
    Gpuos gpu = shared();
    refused(
        OutOfMemoryException.class, () -> gpu.empty(DType.I8, 1L << 58), device(), "requested=");
    try (Tensor one = gpu.zeros(DType.I8, 1);
        Tensor huge = one.expand(1L << 58)) {
      // The result is what does not fit.
      refused(OutOfMemoryException.class, () -> gpu.run(Operator.of("a + 1"), huge));
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseDevicesThatAreNotThere() {
    refused(DeviceUnavailableException.class, () -> Gpuos.open("cuda:99"));
    refused(DeviceUnavailableException.class, () -> Gpuos.open("cuda:-1"), "cuda:-1");
    refused(DeviceUnavailableException.class, () -> Gpuos.open("cuda:x"), "cuda:x");
    refused(DeviceUnavailableException.class, () -> Gpuos.open("tpu"), "tpu", "cuda:N");
    goesOn(shared());
  }

  @Test
  default void shouldRefuseFilesThatAreNotWhatTheySay(@TempDir Path directory) throws IOException {
    Path missing = directory.resolve("missing.npy");
    Path text = Files.writeString(directory.resolve("text.npy"), "not an array");
    Path good = directory.resolve("good.npy");
    Layout layout = Layout.contiguous(DType.F32, 10);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(40);
      NpyFile.write(good, layout, memory, 0);
      byte[] bytes = Files.readAllBytes(good);
      Path cut = Files.write(directory.resolve("cut.npy"), Arrays.copyOf(bytes, bytes.length - 1));
      refused(FileFormatException.class, () -> NpyFile.read(missing, arena), "missing.npy");
      refused(FileFormatException.class, () -> NpyFile.read(text, arena), "text.npy");
      refused(FileFormatException.class, () -> NpyFile.read(cut, arena), "cut.npy");
      Path nowhere = directory.resolve("no/such/directory/out.npy");
      refused(
          FileFormatException.class, () -> NpyFile.write(nowhere, layout, memory, 0), "out.npy");
    }
    goesOn(shared());
  }

  @Test
  default void shouldRefuseSettingsWithoutMeaning() {
    DeviceSettings settings = DeviceSettings.defaults();
    refused(InvalidInputException.class, () -> settings.withWorkers(-1), "workers=-1");
    refused(InvalidInputException.class, () -> settings.withRingCapacity(100), "ringCapacity=100");
    refused(InvalidInputException.class, () -> settings.withRingCapacity(32), "ringCapacity=32");
    refused(InvalidInputException.class, () -> settings.withLinger(Duration.ZERO), "linger");
    refused(InvalidInputException.class, () -> settings.withFullWait(Duration.ofMillis(-1)));
  }

  @Test
  default void shouldRefuseTensorsOfAnotherRuntime() {
    Gpuos gpu = shared();
    Operator add = Operator.of("a + b");
    try (Gpuos other = open(DeviceSettings.defaults());
        Tensor mine = gpu.zeros(DType.F32, 3);
        Tensor theirs = other.zeros(DType.F32, 3)) {
      refused(InvalidInputException.class, () -> gpu.run(add, mine, theirs), "another runtime");
      refused(InvalidInputException.class, () -> gpu.runInto(add, theirs, mine, mine));
      refused(InvalidInputException.class, () -> other.prepare(add, theirs, theirs, mine));
      goesOn(other);
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseClosedTensorsAndCalls() {
    Gpuos gpu = shared();
    Operator add = Operator.of("a + 1");
    Tensor closed = gpu.zeros(DType.F32, 3);
    closed.close();
    closed.close();
    refused(ClosedException.class, closed::toFloats, "tensor closed");
    refused(ClosedException.class, () -> closed.write(1.0, 2.0, 3.0));
    refused(ClosedException.class, () -> closed.slice(0, 0, 1));
    refused(ClosedException.class, () -> gpu.run(add, closed));
    try (Tensor open = gpu.zeros(DType.F32, 3)) {
      refused(ClosedException.class, () -> gpu.runInto(add, closed, open));
      Call call = gpu.prepare(add, open, open);
      call.close();
      call.close();
      refused(ClosedException.class, call::submit, "call closed", "a + 1");
      refused(ClosedException.class, call::trySubmit);
      refused(ClosedException.class, call::run);
      assertArrayEquals(new float[3], open.toFloats());
    }
    goesOn(gpu);
  }

  @Test
  default void shouldRefuseAClosedRuntime() {
    Gpuos gpu = open(DeviceSettings.defaults());
    Operator add = Operator.of("a + 1");
    Tensor a = gpu.zeros(DType.F32, 3);
    Call call = gpu.prepare(add, a, a);
    Submission done = gpu.submit(add, a);
    done.await();
    long sequence = call.submit();
    gpu.close();
    gpu.close();
    assertFalse(gpu.healthy());
    refused(ClosedException.class, () -> gpu.zeros(DType.F32, 3), "runtime closed", device());
    refused(ClosedException.class, () -> gpu.run(add, a));
    refused(ClosedException.class, () -> gpu.prepare(add, a, a));
    refused(ClosedException.class, a::toFloats);
    refused(ClosedException.class, () -> a.write(1.0, 2.0, 3.0));
    refused(ClosedException.class, call::submit);
    refused(ClosedException.class, call::trySubmit);
    // What was complete stays complete.
    assertTrue(done.isDone());
    done.await();
    gpu.await(sequence);
    gpu.synchronize();
    gpu.flush();
    call.close();
    a.close();
    done.results().forEach(Tensor::close);
    assertTrue(gpu.toString().contains("Gpuos"));
  }

  @Test
  default void shouldRefuseASubmissionWhenTheRingStaysFull() {
    DeviceSettings settings =
        DeviceSettings.defaults().withRingCapacity(64).withFullWait(Duration.ofMillis(30));
    try (Gpuos gpu = open(settings);
        Tensor counter = gpu.zeros(DType.I64, 1);
        Call increment = gpu.prepare(Operator.of("a + 1"), counter, counter)) {
      increment.run();
      long submitted = 1;
      try (Hold _ = Hold.of(gpu)) {
        while (increment.trySubmit()) {
          submitted++;
          assertTrue(submitted < 1_000, "the ring is never full");
        }
        assertEquals(65, submitted, "submissions until the ring was full");
        long begin = System.nanoTime();
        refused(RingFullException.class, increment::submit, "capacity=64");
        assertTrue(System.nanoTime() - begin >= 30_000_000, "did not wait");
        refused(
            RingFullException.class,
            () -> gpu.submit(Operator.of("a + 1"), counter),
            "capacity=64");
        refused(RingFullException.class, () -> gpu.batch(List.of(increment)).submit());
      }
      gpu.synchronize();
      increment.run();
      assertEquals(
          submitted + 1, counter.toLongs()[0], "a refused submission ran, or one was lost");
      goesOn(gpu);
    }
  }

  @Test
  default void shouldRefuseExpressionsTooLargeForTheRing() {
    Operator operator = Operator.of(chainOfReductions(400));
    try (Gpuos gpu = open(DeviceSettings.defaults().withRingCapacity(64));
        Tensor a = gpu.tensor(new float[] {3, 1, 2})) {
      refused(ExpressionException.class, () -> gpu.run(operator, a), "steps=", "at most 32");
      goesOn(gpu);
    }
    Gpuos gpu = shared();
    try (Tensor a = gpu.tensor(new float[] {3, 1, 2});
        Tensor result = gpu.run(operator, a)) {
      assertArrayEquals(new float[] {0, -2, -1}, result.toFloats());
    }
  }

  /** Subtracts the maximum again and again, a few times in each step. */
  private static String chainOfReductions(int length) {
    StringBuilder text = new StringBuilder();
    String name = "a";
    for (int i = 0; i < length; i++) {
      text.append(String.format(Locale.ROOT, "y%d = %s - max(%s);", i, name, name));
      name = "y" + i;
    }
    return text + name;
  }

  /** All tiles of one submission fit the ring together, or it is not cut that fine. */
  @Test
  default void shouldCutLargeOperationsToTheSmallestRing() {
    try (Gpuos gpu = open(DeviceSettings.defaults().withRingCapacity(64))) {
      int count = 5_000_000;
      try (Tensor a = gpu.zeros(DType.I8, count);
          Tensor out = gpu.run(Operator.of("(a + 1) * 3"), a)) {
        byte[] bytes = new byte[count];
        out.read(MemorySegment.ofArray(bytes));
        for (int i = 0; i < count; i++) {
          if (bytes[i] != 3) {
            assertEquals(3, bytes[i], "element " + i);
          }
        }
      }
    }
  }
}
