package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DTypeTest {

  /**
   * {@code torch.promote_types}, from the table in PyTorch's {@code c10/core/ScalarType.cpp} and
   * the tensor attributes page of its documentation. Rows and columns as named.
   */
  private static final String PROMOTION =
      """
           u8   i8   i16  i32  i64  f16  f32  f64  bool bf16
      u8   u8   i16  i16  i32  i64  f16  f32  f64  u8   bf16
      i8   i16  i8   i16  i32  i64  f16  f32  f64  i8   bf16
      i16  i16  i16  i16  i32  i64  f16  f32  f64  i16  bf16
      i32  i32  i32  i32  i32  i64  f16  f32  f64  i32  bf16
      i64  i64  i64  i64  i64  i64  f16  f32  f64  i64  bf16
      f16  f16  f16  f16  f16  f16  f16  f32  f64  f16  f32
      f32  f32  f32  f32  f32  f32  f32  f32  f64  f32  f32
      f64  f64  f64  f64  f64  f64  f64  f64  f64  f64  f64
      bool u8   i8   i16  i32  i64  f16  f32  f64  bool bf16
      bf16 bf16 bf16 bf16 bf16 bf16 f32  f32  f64  bf16 bf16
      """;

  @Test
  void shouldPromoteAsPyTorch() {
    List<String[]> rows = PROMOTION.lines().map(line -> line.strip().split(" +")).toList();
    String[] columns = rows.getFirst();
    assertEquals(DType.values().length, columns.length);
    for (String[] row : rows.subList(1, rows.size())) {
      for (int c = 0; c < columns.length; c++) {
        DType a = named(row[0]);
        DType b = named(columns[c]);
        assertEquals(named(row[c + 1]), DType.promote(a, b), a + " with " + b);
      }
    }
  }

  @Test
  void shouldFindEveryTypeByItsNames() {
    for (DType type : DType.values()) {
      assertEquals(Optional.of(type), DType.named(type.name()));
      assertEquals(Optional.of(type), DType.named(type.longName()));
    }
    assertEquals(DType.F16, named("Float16"));
    assertEquals(DType.I64, named("long"));
    assertEquals(Optional.empty(), DType.named("complex64"));
  }

  @Test
  void shouldKeepTheCodesOfSharedRecords() {
    assertEquals(
        List.of("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"),
        Arrays.stream(DType.values()).map(Enum::name).toList());
    assertEquals(0, DType.F64.code());
    assertEquals(9, DType.BOOL.code());
  }

  private static DType named(String name) {
    return DType.named(name).orElseThrow();
  }
}
