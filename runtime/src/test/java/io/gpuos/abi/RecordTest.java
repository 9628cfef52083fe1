package io.gpuos.abi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Declarations of shared records: where words lie, and what a declaration may not do. */
class RecordTest {

  static List<Record> all() {
    return List.of(
        TaskRecord.RECORD,
        SpaceRecord.RECORD,
        ControlRecord.RECORD,
        StateRecord.RECORD,
        LaunchRecord.RECORD,
        InterpreterRecord.RECORD,
        InstructionRecord.RECORD);
  }

  @ParameterizedTest
  @MethodSource("all")
  void shouldPlaceWordsNaturallyAlignedWithoutOverlapAndInside(Record record) {
    int end = 0;
    for (Field field : record.fields()) {
      assertTrue(field.offset() >= end, field::name);
      assertEquals(0, field.offset() % field.type().bytes(), field::name);
      end = field.offset() + field.bytes();
    }
    assertTrue(end <= record.bytes());
    assertEquals(0, record.bytes() % record.alignment());
  }

  @ParameterizedTest
  @MethodSource("all")
  void shouldFindEachWordByNameAndNoOther(Record record) {
    for (Field field : record.fields()) {
      assertEquals(field.offset(), record.offset(field.name()));
    }
    assertThrows(IllegalArgumentException.class, () -> record.offset("no_such_word"));
  }

  @Test
  void shouldKeepWordsOfDifferentWritersOnDifferentLinesOfSixtyFourBytes() {
    Map<Integer, Side> writers = new HashMap<>();
    for (Field field : ControlRecord.RECORD.fields()) {
      Side other = writers.putIfAbsent(field.offset() / 64, field.writer());
      assertTrue(other == null || other == field.writer(), field::name);
    }
  }

  @Test
  void shouldStateTheOffsetsTheHostUses() {
    assertEquals(0, TaskRecord.SEQUENCE);
    assertEquals(8, TaskRecord.LOGICAL_OPERATOR);
    assertEquals(12, TaskRecord.SPACE);
    assertEquals(16, TaskRecord.COUNT);
    assertEquals(20, TaskRecord.FLAGS);
    assertEquals(32, TaskRecord.STAMP_1);
    assertEquals(36, TaskRecord.AFTER_0);
    assertEquals(64, TaskRecord.STAMP_2);
    assertEquals(68, TaskRecord.AFTER_1);
    assertEquals(96, TaskRecord.STAMP_3);
    assertEquals(100, TaskRecord.FIRST);
    assertEquals(64, ControlRecord.PARKED_EPOCH);
    assertEquals(128, ControlRecord.COMPLETED_THROUGH);
    assertEquals(192, ControlRecord.YIELD_EPOCH);
  }

  @Test
  void shouldPlaceOperandsBetweenTheStamps() {
    int[] offsets = new int[TaskRecord.MAX_OPERANDS];
    for (int k = 0; k < offsets.length; k++) {
      offsets[k] = TaskRecord.operand(k);
    }
    assertEquals(
        List.of(24, 40, 48, 56, 72, 80, 88, 104, 112, 120),
        java.util.Arrays.stream(offsets).boxed().toList());
  }

  @Test
  void shouldCountTheSectorsThatHoldTheOperands() {
    for (int operands = 0; operands <= TaskRecord.MAX_OPERANDS; operands++) {
      int last = operands == 0 ? 0 : TaskRecord.operand(operands - 1) / TaskRecord.SECTOR_BYTES;
      assertEquals(last, TaskRecord.sectors(operands), "operands=" + operands);
    }
  }

  @Test
  void shouldStartEverySectorAfterTheFirstWithItsStamp() {
    assertEquals(TaskRecord.SECTOR_BYTES, TaskRecord.STAMP_1);
    assertEquals(2 * TaskRecord.SECTOR_BYTES, TaskRecord.STAMP_2);
    assertEquals(3 * TaskRecord.SECTOR_BYTES, TaskRecord.STAMP_3);
  }

  @Test
  void shouldRefuseOverlappingRaggedOrTooSmallRecords() {
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Record.builder("overlap", 32, 8, "-")
                .word(Field.Type.U64, "a", "-", "-")
                .at(4)
                .word(Field.Type.U32, "b", "-", "-")
                .build());
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Record.builder("misaligned", 32, 8, "-")
                .at(4)
                .word(Field.Type.U64, "a", "-", "-")
                .build());
    assertThrows(
        IllegalArgumentException.class,
        () -> Record.builder("small", 4, 4, "-").word(Field.Type.U64, "a", "-", "-").build());
    assertThrows(
        IllegalArgumentException.class,
        () -> Record.builder("ragged", 12, 8, "-").word(Field.Type.U64, "a", "-", "-").build());
  }
}
