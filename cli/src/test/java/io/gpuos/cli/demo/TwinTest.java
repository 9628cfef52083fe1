package io.gpuos.cli.demo;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.cli.text.Progress;
import io.gpuos.layout.DType;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.HashMap;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** That the demo would find what is wrong. */
class TwinTest {

  private static Gpuos gpu;

  @BeforeAll
  static void open() {
    gpu = Gpuos.open("cpu");
  }

  @AfterAll
  static void close() {
    gpu.close();
  }

  private static Workspace workspace() {
    SplittableRandom random = new SplittableRandom(1);
    return new Workspace(gpu, new HashMap<>(), random, Shapes.random(random), 0);
  }

  @ParameterizedTest
  @EnumSource
  void shouldFindEveryElementThatWasNotWritten(DType type) {
    try (Workspace space = workspace()) {
      Twin out = space.output(type, 300);
      for (int i = 0; i < 300; i++) {
        if (type.isFloating()) {
          out.set(i, (double) (i % 2));
        } else {
          out.set(i, (long) (i % 2));
        }
      }
      assertEquals(300, out.compare().wrong());
      out.tensor().write(new float[300]);
      Twin.Verdict verdict = out.compare();
      assertEquals(150, verdict.wrong());
      assertTrue(verdict.firstWrong().orElseThrow().startsWith("element=1, result=0"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void shouldHoldWhatTheDeviceHoldsAtFirst(DType type) {
    try (Workspace space = workspace()) {
      assertEquals(new Twin.Verdict(0, 0, Optional.empty()), space.state(type, 7, 50).compare());
      Twin out = space.output(type, 40);
      assertEquals(0, out.compare().wrong());
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 0",
    "1.5, 1, 0.5",
    "300, 200, 0.5",
    "0.001, 0, 0.001",
    "NaN, 0, Infinity",
    "0, NaN, Infinity",
    "NaN, NaN, 0",
    "Infinity, Infinity, 0",
    "Infinity, 1, Infinity"
  })
  void shouldMeasureErrors(double found, double expected, double error) {
    assertEquals(error, Twin.error(found, expected));
  }

  @Test
  void shouldFindAnElementBesideTheViewThatWasWritten() {
    try (Workspace space = workspace()) {
      Twin out = space.output(DType.F32, 10);
      Tensor zeros = space.view(space.input(DType.F32), t -> t.expand(10));
      for (int i = 0; i < 10; i += 2) {
        out.set(i, 3.0);
      }
      try (Tensor even = out.tensor().slice(0, 0, 10, 2)) {
        gpu.runInto(Operator.of("x * 0 + 3"), even, zeros.narrow(0, 0, 5));
        assertEquals(0, out.compare().wrong());
        gpu.runInto(Operator.of("x * 0 + 3"), out.tensor(), zeros);
        assertEquals(5, out.compare().wrong());
      }
    }
  }

  @Test
  void shouldCountAndDescribeMismatches() {
    try (Workspace space = workspace()) {
      Twin a = space.input(DType.F32, 300);
      Twin right = space.output(DType.F32, 300);
      Twin wrong = space.output(DType.F32, 300);
      space.add("a + a", right, () -> Plain.map(right, x -> x + x, a), a);
      space.add("a + a", wrong, () -> Plain.map(wrong, x -> x + x + 1e-3, a), a);
      space.operations().forEach(operation -> operation.prepare(gpu).run());
      GroupTally tally = new GroupTally("group");
      tally.check(space);
      DemoReport.GroupReport report = tally.report();
      assertAll(
          () -> assertEquals(2, report.operations()),
          () -> assertEquals(1, report.verified()),
          () -> assertEquals(1, report.mismatches()),
          () -> assertTrue(report.worstError() > 1e-4),
          () -> assertTrue(report.examples().getFirst().contains("operation=a + a")),
          () -> assertTrue(report.examples().getFirst().contains("wrong_elements=300")));
    }
  }

  @ParameterizedTest
  @CsvSource({"100, 1, 2048", "1500, 2, 2048", "999, 3, 50"})
  void shouldRunAsManyOperationsAsAskedForInAnyNumberOfBatches(
      int operations, long seed, int batch) {
    try (Progress progress = new Progress(new PrintWriter(Writer.nullWriter()), "demo", false)) {
      DemoReport report = new Demo(gpu, seed, progress, batch).run(operations, 0);
      assertEquals(operations, report.verified(), report::toString);
      assertEquals(0, report.mismatches());
    }
  }

  @Test
  void shouldKeepShapesWithinTheirLimits() {
    for (long seed = 0; seed < 200; seed++) {
      Shapes shapes = Shapes.random(new SplittableRandom(seed));
      shapes.flat().forEach(size -> assertTrue(size >= 256 && size <= 16_384));
      shapes.tables().forEach(t -> assertTrue(t[0] * t[1] >= 256 && t[0] * t[1] <= 16_384));
      shapes.cubes().forEach(c -> assertTrue(c[0] * c[1] * c[2] >= 256));
      shapes.cubes().forEach(c -> assertTrue(c[0] * c[1] * c[2] <= 16_384));
    }
  }
}
