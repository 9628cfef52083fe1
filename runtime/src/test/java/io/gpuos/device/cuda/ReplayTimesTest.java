package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.abi.NodeRecord;
import io.gpuos.device.NodeTime;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReplayTimesTest {

  /** Two segments on multiprocessors whose cycles have nothing in common; 2 cycles a nanosecond. */
  @Test
  void shouldPutAllSegmentsOnOneClock() {
    long[] words = {
      5_000,
      100,
      4_100,
      7_000,
      7L << 32, // segment 0, block 0
      6_000,
      900_000,
      900_400,
      6_200,
      9L << 32 | 1, // segment 1, block 1
      100,
      2_100, // node 0 of segment 0
      2_200,
      4_100, // node 1 of segment 0
      900_000,
      900_400 // node 0 of segment 1
    };
    List<NodeTime> times =
        new ReplayTimes(MemorySegment.ofArray(words), 2).of(64, 3, new int[] {0, 0, 1});
    assertEquals(
        List.of(
            new NodeTime(64, 0, 0, 1_000),
            new NodeTime(64 + NodeRecord.BYTES, 0, 1_050, 2_000),
            new NodeTime(64 + 2L * NodeRecord.BYTES, 1, 1_000, 1_200)),
        times);
  }
}
