package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.FileFormatException;
import io.gpuos.layout.DType;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The text of graphs, and what is said about text that is none. */
class AtenGraphTest {

  private static final String START =
      """
      gpuos-aten 1
      storage 0 16 input
      tensor 0 0 f32 0 [2,2] [2,1]
      """;

  private static AtenValue argument(String value) {
    AtenGraph graph = AtenGraph.parse(START + "call 0 aten::f a=" + value + " -> %-\n");
    return graph.calls().getFirst().arguments().get("a");
  }

  @Test
  void shouldReadEveryKindOfValue() {
    assertEquals(new AtenValue.Int(-7), argument("-7"));
    assertEquals(new AtenValue.Float(1), argument("1.0"));
    assertEquals(new AtenValue.Float(1e-5), argument("1e-05"));
    assertEquals(new AtenValue.Float(Double.NEGATIVE_INFINITY), argument("-inf"));
    assertEquals(new AtenValue.Float(Double.NaN), argument("nan"));
    assertEquals(new AtenValue.Bool(true), argument("true"));
    assertEquals(new AtenValue.None(), argument("null"));
    assertEquals(new AtenValue.Text("floor"), argument("\"floor\""));
    assertEquals(new AtenValue.Type(DType.BF16), argument("dtype:bf16"));
    assertEquals(new AtenValue.Unknown("dtype:c64"), argument("dtype:c64"));
    assertEquals(new AtenValue.Unknown("torch.strided"), argument("?torch.strided"));
    assertEquals(new AtenValue.Items(List.of()), argument("[]"));
    AtenValue tensor = argument("%0");
    assertEquals(new AtenValue.Items(List.of(tensor, new AtenValue.None())), argument("[%0,null]"));
  }

  @Test
  void shouldReadCallsWithoutResultsAndResultsNobodyKeeps() {
    AtenGraph graph =
        AtenGraph.parse(START + "call 0 aten::f_ a=%0 ->\ncall 3 aten::g.out a=%0 -> %-,%0\n");
    assertEquals(List.of(), graph.calls().getFirst().results());
    assertEquals(new AtenValue.None(), graph.calls().getLast().results().getFirst());
    assertEquals("3 aten::g.out", graph.calls().getLast().toString());
  }

  @Test
  void shouldCountOffsetsInElementsAndKeepThemInBytes() {
    AtenGraph graph = AtenGraph.parse(START + "tensor 1 0 f16 3 [2] [2]\n");
    assertTrue(
        graph.tensors().get(1) instanceof AtenValue.Tensor(AtenTensor tensor)
            && tensor.offset() == 6);
  }

  @Test
  void shouldKeepTensorsOfTooManyDimensionsAsUnknown() {
    AtenGraph graph =
        AtenGraph.parse(START + "tensor 1 0 f32 0 [1,1,1,1,1,1,1,1,1] [1,1,1,1,1,1,1,1,1]\n");
    assertEquals(new AtenValue.Unknown("tensor of 9 dimensions"), graph.tensors().get(1));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "node 1; kind of record",
        "''; kind of record",
        "storage 1 4; number of fields",
        "storage 1 4 input more; number of fields",
        "storage 1 x input; integer",
        "storage 1 -4 input; bytes of a storage",
        "storage 1 4 inout; role",
        "storage 0 4 input; storage declared twice",
        "tensor 0 0 f32 0 [] []; tensor declared twice",
        "tensor 1 7 f32 0 [] []; storage",
        "tensor 1 0 float 0 [] []; dtype",
        "tensor 1 0 f32 0 2 1; list of integers",
        "tensor 1 0 f32 0 [2] []; strides do not fit",
        "tensor 1 0 f32 0 [-2] [1]; ",
        "tensor 1 0 f32 1 [4] [1]; tensor outside of its storage",
        "tensor 1 0 f32 0 [2] [-1]; tensor outside of its storage",
        "tensor 1 0 f32 -1 [1] [1]; offset of a tensor",
        "call 0 aten::f; call",
        "call 0 relu self=%0 -> %0; name of an operator",
        "call 0 aten::relu self=%0 %0; argument",
        "call 0 aten::relu self=%0 a=1; call without results",
        "call 0 aten::relu self=%7 -> %0; tensor",
        "call 0 aten::relu self=%0 self=%0 -> %0; argument given twice",
        "call 0 aten::relu self=abc -> %0; value of an argument",
        "call 0 aten::relu self=99999999999999999999 -> %0; integer",
        "call 0 aten::relu self=%0 -> %0 %0; results",
        "call 0 aten::relu self=%0 -> %0,; tensor",
      })
  void shouldRefuseWithTheLineAndTheRule(String line, String rule) {
    FileFormatException refused =
        assertThrows(
            FileFormatException.class,
            () -> AtenGraph.parse(START + line + "\n" + "storage 9 1 input\n"));
    String message = refused.getMessage();
    assertTrue(message.contains("line=4") || message.startsWith("line 4"), message);
    assertTrue(rule == null || message.contains(rule), message);
  }

  @Test
  void shouldRefuseCallsThatAreOutOfOrder() {
    String calls = "call 1 aten::f -> %-\ncall 1 aten::f -> %-\n";
    FileFormatException refused =
        assertThrows(FileFormatException.class, () -> AtenGraph.parse(START + calls));
    assertTrue(refused.getMessage().startsWith("index of a call: line=5"), refused.getMessage());
  }

  @Test
  void shouldRefuseAnotherFirstLine() {
    for (String text : List.of("", "gpuos-aten 2\n", "storage 0 1 input\n")) {
      FileFormatException refused =
          assertThrows(FileFormatException.class, () -> AtenGraph.parse(text));
      assertTrue(refused.getMessage().startsWith("first line: line=1"), refused.getMessage());
    }
  }
}
