package io.gpuos.conformance;

import static io.gpuos.conformance.Refusals.refused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.device.DeviceSettings;
import io.gpuos.device.MemoryPool;
import io.gpuos.error.OverlapException;
import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Device memory: copies, early close, reuse, and nothing left behind. */
interface MemoryConformance extends Target {

  /** Whatever is written comes back, through any view, without touching what lies between. */
  @ParameterizedTest
  @EnumSource
  default void shouldReadWhatWasWritten(DType type) {
    Gpuos gpu = shared();
    SplittableRandom random = new SplittableRandom(Settings.seed() + type.ordinal());
    TensorGenerator tensors = new TensorGenerator(random);
    for (int round = 0; round < 60; round++) {
      TensorCase test = tensors.tensor(type, false, tensors.shape(300));
      TensorCase other = new TensorCase(tensors.values(type, test.plain().shape()), List.of());
      try (Tensor base = test.upload(gpu);
          Tensor view = test.view(base)) {
        assertTrue(TensorCase.same(test.oracle(), TensorCase.download(view)), test::toString);
        if (type.isFloating()) {
          view.write(other.base().doubles());
        } else {
          view.write(other.base().longs());
        }
        OracleTensor expected = TensorCase.replaced(test.base(), test.plain(), other.base());
        assertTrue(TensorCase.same(expected, TensorCase.download(base)), test::toString);
      }
    }
  }

  /** An output may share memory with an input only if each element is read where it is written. */
  @Test
  default void shouldRefuseExactlyTheOverlapsThatMatter() {
    Gpuos gpu = shared();
    Operator operator = Operator.of("a * 2 + 1");
    TensorGenerator tensors = new TensorGenerator(new SplittableRandom(Settings.seed()));
    int accepted = 0;
    for (int round = 0; round < 2_000; round++) {
      int[] shape = tensors.shape(round % 3, 12);
      if (PlainView.count(shape) == 0) {
        continue;
      }
      OracleTensor base = tensors.valuesOfKind(DType.I32, 2, 24);
      TensorCase from = new TensorCase(base, tensors.window(24, true, shape));
      TensorCase to = new TensorCase(base, tensors.window(24, false, shape));
      int[] read = from.plain().positions();
      int[] written = to.plain().positions();
      boolean disjoint = Arrays.stream(read).noneMatch(at -> holds(written, at));
      boolean valid = disjoint || Arrays.equals(read, written);
      try (Tensor memory = from.upload(gpu);
          Tensor input = from.view(memory);
          Tensor output = to.view(memory)) {
        OracleTensor expected = base;
        if (valid) {
          accepted++;
          gpu.runInto(operator, output, input);
          long[] results = Arrays.stream(from.oracle().longs()).map(a -> 2 * a + 1).toArray();
          OracleTensor values = OracleTensor.integral(DType.I32, shape, results);
          expected = TensorCase.replaced(base, to.plain(), values);
        } else {
          refused(OverlapException.class, () -> gpu.runInto(operator, output, input));
        }
        assertTrue(
            TensorCase.same(expected, TensorCase.download(memory)), () -> from + " to " + to);
      }
    }
    assertTrue(accepted > 200 && accepted < 1_800, "accepted: " + accepted);
  }

  private static boolean holds(int[] positions, int wanted) {
    return Arrays.stream(positions).anyMatch(position -> position == wanted);
  }

  @Test
  default void shouldCopyRawBytes() {
    Gpuos gpu = shared();
    byte[] bytes = new byte[3_000_000];
    new SplittableRandom(1).nextBytes(bytes);
    try (Tensor tensor = gpu.empty(DType.U8, bytes.length)) {
      tensor.write(MemorySegment.ofArray(bytes), 0, Layout.contiguous(DType.U8, bytes.length));
      byte[] back = new byte[bytes.length];
      tensor.read(MemorySegment.ofArray(back));
      assertArrayEquals(bytes, back);
    }
  }

  @Test
  default void shouldStartFromZero() {
    Gpuos gpu = shared();
    for (DType type : DType.values()) {
      try (Tensor dirty = gpu.tensor(type, new double[] {1, 1, 1, 1, 1, 1}, 2, 3)) {
        assertEquals(6, Arrays.stream(dirty.toDoubles()).sum());
      }
      try (Tensor clean = gpu.zeros(type, 2, 3);
          Tensor scalar = gpu.zeros(type)) {
        assertArrayEquals(new double[6], clean.toDoubles());
        assertArrayEquals(new double[1], scalar.toDoubles());
      }
    }
  }

  /** All operands and results are closed before the first task runs. */
  @Test
  default void shouldFinishTasksWhoseTensorsAreClosed() {
    Operator add = Operator.of("a + b");
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor out = gpu.zeros(DType.F32, 1_000)) {
      float[] ones = new float[1_000];
      Arrays.fill(ones, 1);
      gpu.run(add, out, out).close();
      try (Hold _ = Hold.of(gpu)) {
        for (int i = 0; i < 20; i++) {
          // Uploads would wait for the workers: fill on the device.
          Tensor one = gpu.submit(Operator.of("a * 0 + 1"), out).results().getFirst();
          Tensor two = gpu.submit(add, one, one).results().getFirst();
          gpu.submitInto(add, out, out, two);
          one.close();
          two.close();
        }
      }
      gpu.synchronize();
      float[] expected = new float[1_000];
      Arrays.fill(expected, 40);
      assertArrayEquals(expected, out.toFloats());
    }
  }

  /** Memory is given out again while tasks of its former owner wait; they must go first. */
  @Test
  default void shouldOrderNewOwnersBehindOldTasks() {
    Operator copy = Operator.of("a + 0");
    Operator fill = Operator.of("a * 0 + 9");
    try (Gpuos gpu = open(DeviceSettings.defaults());
        Tensor source = gpu.zeros(DType.I32, 5_000)) {
      for (int round = 0; round < 20; round++) {
        Tensor first = gpu.run(copy, source);
        long address = first.address();
        List<Tensor> readers = new ArrayList<>();
        List<Tensor> others = new ArrayList<>();
        try (Hold _ = Hold.of(gpu)) {
          for (int i = 0; i < 6; i++) {
            readers.addAll(gpu.submit(copy, first).results());
          }
          first.close();
          boolean reused = false;
          for (int i = 0; i < 6 && !reused; i++) {
            others.addAll(gpu.submit(fill, source).results());
            reused = others.getLast().address() == address;
          }
          assertTrue(reused, "the test needs memory to be given out again");
        }
        for (Tensor reader : readers) {
          assertArrayEquals(new long[5_000], reader.toLongs());
          reader.close();
        }
        others.forEach(Tensor::close);
      }
    }
  }

  /** A host write into reused memory waits for the former owner's tasks. */
  @Test
  default void shouldOrderHostWritesBehindOldTasks() {
    Operator slow = Operator.of("a + 0 * lgamma(tan(exp(a * 0)))");
    try (Gpuos gpu = open(Settings.restless(2))) {
      for (int round = 0; round < 50; round++) {
        Tensor first = gpu.zeros(DType.F64, 3_000);
        Tensor result = gpu.submit(slow, first).results().getFirst();
        first.close();
        double[] sevens = new double[3_000];
        Arrays.fill(sevens, 7);
        try (Tensor second = gpu.tensor(sevens)) {
          assertArrayEquals(new double[3_000], result.toDoubles());
          assertArrayEquals(sevens, second.toDoubles());
        }
        result.close();
      }
    }
  }

  @Test
  default void shouldKeepMemoryUntilItsLastViewIsClosed() {
    try (Gpuos gpu = open(DeviceSettings.defaults())) {
      MemoryPool pool = gpu.device().memory();
      long used = pool.usedBytes();
      Tensor a = gpu.tensor(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Tensor turned = a.transpose(0, 1);
      Tensor row = turned.select(0, 1);
      a.close();
      turned.close();
      assertNotEquals(used, pool.usedBytes(), "freed under a view");
      assertArrayEquals(new float[] {2, 5}, row.toFloats());
      row.close();
      row.close();
      assertEquals(used, pool.usedBytes());
    }
  }

  @Test
  default void shouldNotGrowWhereMemoryIsGivenBack() {
    try (Gpuos gpu = open(DeviceSettings.defaults())) {
      MemoryPool pool = gpu.device().memory();
      SplittableRandom random = new SplittableRandom(Settings.seed());
      Operator steps = Operator.of("a - max(a, axis=0)");
      long used = pool.usedBytes();
      long held = 0;
      for (int round = 0; round < 600; round++) {
        try (Tensor a = gpu.zeros(DType.I8, random.nextInt(1, 200_000));
            Tensor view = a.slice(0, 0, 10);
            Tensor result = gpu.submit(steps, a).results().getFirst();
            Call call = gpu.prepare(steps, result, a)) {
          call.submit();
          view.close();
        }
        held = round == 100 ? pool.heldBytes() : held;
      }
      gpu.synchronize();
      assertEquals(used, pool.usedBytes(), "bytes in use");
      assertEquals(held, pool.heldBytes(), "bytes held");
    }
  }

  @Test
  default void shouldOpenAndCloseManyTimes() throws Exception {
    Operator increment = Operator.of("a + 1");
    int before = threads();
    for (int i = 0; i < openings(); i++) {
      Gpuos gpu = open(i % 2 == 0 ? Settings.restless(3) : DeviceSettings.defaults());
      if (i % 3 != 0) {
        Tensor a = gpu.zeros(DType.F32, 100);
        gpu.submit(increment, a);
        Call call = gpu.prepare(increment, a, a);
        for (int k = 0; k < i % 70; k++) {
          call.submit();
        }
      }
      gpu.close();
      gpu.close();
    }
    // A thread may need a moment to end.
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (threads() > before && System.nanoTime() < deadline) {
      Thread.sleep(10);
    }
    assertEquals(before, threads(), () -> "threads: " + Thread.getAllStackTraces().keySet());
  }

  private static int threads() {
    return (int)
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("gpuos"))
            .count();
  }

  /** Runtimes on one device do not know of each other. */
  @Test
  default void shouldRunBesideOtherRuntimes() {
    Operator increment = Operator.of("a + 1");
    try (Gpuos one = open(Settings.restless(1));
        Gpuos two = open(Settings.restless(2));
        Tensor a = one.zeros(DType.I64, 100);
        Tensor b = two.zeros(DType.I64, 100);
        Call first = one.prepare(increment, a, a);
        Call second = two.prepare(increment, b, b)) {
      for (int i = 0; i < 200; i++) {
        first.submit();
        second.submit();
        second.submit();
      }
      assertEquals(200, a.toLongs()[99]);
      assertEquals(400, b.toLongs()[99]);
    }
  }
}
