package io.gpuos.cli.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.cli.bench.Gaps.Gap;
import io.gpuos.device.Injections.Pause;
import java.util.List;
import org.junit.jupiter.api.Test;

class DriverPauseTest {

  @Test
  void shouldLastUntilTheFirstTaskAfterTheReturnIsComplete() {
    Pause pause = new Pause(1_000, 21_000, 121_000, 141_000, 151_000);
    // The gap begins after the question: tasks under way became complete meanwhile.
    List<Gap> gaps = List.of(new Gap(-90_000, -50_000), new Gap(11_000, 181_000));
    InjectReport.DriverPauses report = DriverPause.report(List.of(pause), gaps);
    assertEquals(1, report.loads());
    assertArrayEquals(new double[] {180}, report.totalUs());
    assertArrayEquals(new double[] {20}, report.leaveUs());
    assertArrayEquals(new double[] {100}, report.loadUs());
    assertArrayEquals(new double[] {20}, report.turnUs());
    assertArrayEquals(new double[] {10}, report.releaseUs());
    assertArrayEquals(new double[] {30}, report.firstUs());
  }

  @Test
  void shouldEndWithTheReturnWhereTasksWentOn() {
    Pause pause = new Pause(1_000, 2_000, 3_000, 4_000, 5_000);
    InjectReport.DriverPauses report =
        DriverPause.report(List.of(pause), List.of(new Gap(6_000, 90_000)));
    assertArrayEquals(new double[] {4}, report.totalUs());
    assertEquals(4, report.p99Us());
  }
}
