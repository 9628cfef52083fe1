package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is refused, and with which words. */
class AtenTableTest {

  private static final String TENSORS =
      """
      gpuos-aten 1
      storage 0 64 input
      storage 1 64 output
      storage 2 64 input
      tensor 0 0 f32 0 [2,2] [2,1]
      tensor 1 1 f32 0 [2,2] [2,1]
      tensor 2 1 f64 0 [2,2] [2,1]
      tensor 3 1 f32 0 [4] [1]
      tensor 4 2 i64 0 [2,2] [2,1]
      tensor 5 1 i64 0 [2,2] [2,1]
      tensor 6 1 f32 0 [2,2] [0,1]
      tensor 7 0 u8 0 [4] [1]
      tensor 8 1 u8 0 [4] [1]
      tensor 9 1 f32 0 [1,1,1,1,1,1,1,1,1] [1,1,1,1,1,1,1,1,1]
      """;

  private static Optional<String> refusal(String call) {
    return AtenTable.refusal(AtenGraph.parse(TENSORS + "call 0 " + call + "\n").calls().getFirst());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "aten::relu self=%0 -> %1",
        "aten::relu.default self=%0 -> %1",
        "aten::relu_ self=%0 -> %0",
        "aten::relu.out self=%0 out=%2 -> %2",
        "aten::add.Tensor self=%0 other=%4 alpha=1 -> %1",
        "aten::zeros size=[2,2] dtype=null layout=?torch.strided device=?cuda:0 pin_memory=false -> %1",
        "aten::_foreach_mul_.Scalar self=[%0] scalar=2.0 ->",
        "aten::max.dim self=%4 dim=0 keepdim=true -> %-,%-",
      })
  void shouldAccept(String call) {
    assertEquals(Optional.empty(), refusal(call));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "mine::relu self=%0 -> %1; not one of ATen",
        "aten::fft_fft self=%0 -> %1; not in the table",
        "aten::relu.Mine self=%0 -> %1; not in the table",
        "aten::relu self=%0 mode=1 -> %1; argument mode is not understood",
        "aten::relu self=%0 -> %2; another type",
        "aten::relu self=%0 -> %3; another shape",
        "aten::relu self=%0 -> %6; overlaps itself",
        "aten::relu self=%9 -> %1; tensor of 9 dimensions",
        "aten::relu self=%0 -> %9; tensor of 9 dimensions",
        "aten::relu self=[%0] -> %1; argument self is no",
        "aten::relu -> %1; argument self is no",
        "aten::exp_ self=%4 -> %4; another type",
        "aten::exp.out self=%0 out=%5 -> %5; another type",
        "aten::add.Tensor self=%0 other=?complex alpha=1 -> %1; argument other has no form",
        "aten::add.Tensor self=%7 other=300 alpha=1 -> %8; out of range",
        "aten::add.Tensor self=%0 other=%7 alpha=1 -> %1; broadcast",
        "aten::bitwise_and.Tensor self=%0 other=%0 -> %1; type has no meaning",
        "aten::sum.dim_IntList self=%0 dim=[2] keepdim=false dtype=null -> %1; no dimension 2",
        "aten::var_mean.correction self=%4 dim=null correction=1 keepdim=false -> %1,%1; integers",
        "aten::round.decimals self=%4 decimals=2 -> %5; integers",
        "aten::div.Tensor_mode self=%0 other=%0 rounding_mode=\"up\" -> %1; rounding_mode=up",
        "aten::where.self condition=%4 self=%0 other=%0 -> %1; condition is not of type bool",
        "aten::zeros size=[2,2] layout=?torch.sparse_coo -> %1; argument layout",
        "aten::rand size=[2,2] -> %1; not in the table",
        "aten::native_dropout input=%0 p=0.5 train=true -> %1,%-; random numbers",
        "aten::native_dropout_backward grad_output=%0 mask=%0 -> %1; argument scale",
        "aten::mm self=%0 mat2=%7 -> %1; factors",
        "aten::cat tensors=[%0,%0] dim=0 -> %1; ",
        "aten::stack tensors=[%0,%0] dim=0 -> %1; ",
        "aten::max.dim self=%0 dim=0 keepdim=true -> %1,%5; another shape",
      })
  void shouldRefuseWithAReason(String call, String reason) {
    Optional<String> refusal = refusal(call);
    assertTrue(refusal.isPresent(), "accepted");
    assertTrue(reason == null || refusal.get().contains(reason), refusal.get());
  }

  @Test
  void shouldKnowFunctionalInPlaceAndOutOverloads() {
    assertTrue(AtenTable.overloads().contains("add.Tensor"));
    assertTrue(AtenTable.overloads().contains("add_.Tensor"));
    assertTrue(AtenTable.overloads().contains("add.out"));
    assertTrue(AtenTable.overloads().contains("pow_.Scalar"));
    assertTrue(AtenTable.overloads().contains("sum.IntList_out"));
    assertTrue(AtenTable.overloads().contains("_foreach_addcdiv_.ScalarList"));
  }
}
