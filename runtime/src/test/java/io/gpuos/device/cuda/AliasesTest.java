package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.abi.EntryRecord;
import io.gpuos.device.DeviceSettings;
import io.gpuos.driver.CudaContext;
import io.gpuos.driver.FakeGpu;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collections;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Over a driver whose device memory the test reads. */
class AliasesTest {

  private final FakeGpu gpu = new FakeGpu();
  private final CudaContext context = gpu.cuda().device(0).retainPrimaryContext();
  private final CloseStack parts = new CloseStack();
  private final WorkerMemory memory =
      new WorkerMemory(context, DeviceSettings.defaults().withRingCapacity(64), 0, parts);
  private final Aliases aliases = new Aliases(context, memory);

  @AfterEach
  void close() {
    aliases.close();
    parts.close();
    context.close();
  }

  private void assertEntry(int operator, long alias, long argument) {
    MemorySegment entry =
        MemorySegment.ofAddress(memory.entry(operator)).reinterpret(EntryRecord.BYTES);
    assertEquals(alias, entry.get(ValueLayout.JAVA_LONG, EntryRecord.ALIAS), "alias");
    assertEquals(argument, entry.get(ValueLayout.JAVA_LONG, EntryRecord.ARGUMENT), "argument");
  }

  private void rewrite(int records, Runnable move) {
    try (Arena arena = Arena.ofConfined()) {
      aliases.rewrite(move, arena.allocate((long) records * EntryRecord.BYTES, 16));
    }
  }

  @Test
  void shouldWriteAllAliasesWithOneCopy() {
    Code.Function first = new Code.Function(0x1000);
    Code.Function second = new Code.Function(0x2000);
    aliases.turn(1, Code.of(first));
    aliases.turn(2, Code.of(second, 0x77));
    aliases.turn(9, Code.of(first));
    context.withCurrent(() -> context.memory().usage());
    rewrite(
        64,
        () -> {
          first.moveTo(0x5000);
          second.moveTo(0x6000);
        });
    assertEquals(
        1, Collections.frequency(gpu.callsSince("cuMemGetInfo_v2"), "cuMemcpyHtoDAsync_v2"));
    assertEntry(0, 0, 0);
    assertEntry(1, 0x5000, 0);
    assertEntry(2, 0x6000, 0x77);
    assertEntry(5, 0, 0);
    assertEntry(9, 0x5000, 0);
  }

  @Test
  void shouldWriteMoreThanTheStagingMemoryHolds() {
    Code.Function function = new Code.Function(0x1000);
    for (int operator = 1; operator <= 10; operator++) {
      aliases.turn(operator, Code.of(function, 0x100 + operator));
    }
    rewrite(4, () -> function.moveTo(0x3000));
    for (int operator = 1; operator <= 10; operator++) {
      assertEntry(operator, 0x3000, 0x100 + operator);
    }
    assertEntry(11, 0, 0);
  }

  /** A worker reads alias and argument by two loads: a rollback must find it there. */
  @Test
  void shouldKeepTheArgumentOfAGenerationThatWasLeft() {
    Code interpreted = Code.of(new Code.Function(0x1000), 0x77);
    aliases.turn(3, interpreted);
    aliases.turn(3, Code.of(new Code.Function(0x2000)));
    rewrite(64, () -> {});
    assertEntry(3, 0x2000, 0x77);
  }

  @Test
  void shouldWriteNothingWhereThereIsNoOperator() {
    rewrite(64, () -> {});
    assertEntry(1, 0, 0);
  }
}
