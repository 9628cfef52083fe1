package io.gpuos.python;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;

/** Calls the table's functions as C does. */
class BridgeTest {

  private static final int OPEN = 0;
  private static final int CLOSE = 1;
  private static final int DESCRIBE = 2;
  private static final int SUPPORT = 3;
  private static final int COMPILE = 4;
  private static final int REPLAY = 5;
  private static final int EXPLAIN = 6;
  private static final int RELEASE = 8;
  private static final int FREE = 9;
  private static final int INJECT = 10;
  private static final int INFER = 11;

  private static final String GRAPH =
      """
      gpuos-aten 1
      storage 0 8 input
      storage 1 8 output
      tensor 0 0 f32 0 [2] [1]
      tensor 1 1 f32 0 [2] [1]
      call 0 aten::add.Tensor self=%0 other=3 alpha=1 -> %1
      """;

  private final MemorySegment table = MemorySegment.ofAddress(Bridge.table()).reinterpret(112);
  private final Arena arena = Arena.ofAuto();

  @Test
  void shouldStateVersionAndNumber() {
    assertEquals(Bridge.VERSION, table.getAtIndex(ValueLayout.JAVA_LONG, 0));
    assertEquals(12, table.getAtIndex(ValueLayout.JAVA_LONG, 1));
    assertEquals(table.address(), Bridge.table());
  }

  @Test
  void shouldRunAGraphOnGivenMemory() {
    long runtime = handle(OPEN, text("cpu"), 3);
    assertTrue(answer(DESCRIBE, runtime).contains("\"device\": \"cpu\""));
    MemorySegment graph = bytes(GRAPH);
    assertEquals("", answer(SUPPORT, graph.address(), graph.byteSize()));
    long program = handle(COMPILE, runtime, graph.address(), graph.byteSize(), text("auto"), 4);
    MemorySegment in = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2);
    MemorySegment out = arena.allocate(8);
    MemorySegment addresses =
        arena.allocateFrom(ValueLayout.JAVA_LONG, in.address(), out.address());
    assertEquals(0, call(REPLAY, program, addresses.address(), 2, Graphs.NO_STREAM));
    assertEquals(5, out.getAtIndex(ValueLayout.JAVA_FLOAT, 1));
    assertEquals("1 calls on cpu, mode auto", answer(EXPLAIN, program));
    assertEquals(0, call(RELEASE, program));
    assertEquals(0, call(CLOSE, runtime));
    assertTrue(error(call(REPLAY, program, addresses.address(), 2, 0)).contains("program closed"));
    assertTrue(error(call(CLOSE, runtime)).startsWith("ClosedException"));
  }

  @Test
  void shouldInjectOperatorsAndInferTheirResults() {
    assertEquals(
        "elementwise\nx\nbeta",
        answer(INJECT, text("bridge_swish"), 12, text("x*sigmoid(beta*x)"), 17, 0, 0));
    MemorySegment graph =
        bytes(
            """
            gpuos-aten 1
            storage 0 16 input
            tensor 0 0 f16 0 [2,1] [1,1]
            tensor 1 0 f32 0 [3] [1]
            call 0 gpuos::bridge_swish x=%0 beta=%1 -> %-
            """);
    assertEquals("f32 [2,3]", answer(INFER, graph.address(), graph.byteSize()));
    assertTrue(
        error(
                call(
                    INJECT,
                    text("bridge_swish"),
                    12,
                    text("x + 1"),
                    5,
                    0,
                    0,
                    arena.allocate(8).address()))
            .contains("inputs of a replacement"));
  }

  @Test
  void shouldNameTypesAndMessageOfAnError() {
    assertTrue(
        error(call(OPEN, text("tpu"), 3, arena.allocate(8).address()))
            .contains("GpuosException\n"));
    assertTrue(error(call(SUPPORT, 0, -1, 0)).contains("defect of GPUOS"));
  }

  private MemorySegment bytes(String text) {
    return arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
  }

  private long text(String text) {
    return bytes(text).address();
  }

  private String answer(int function, long... words) {
    long address = handle(function, words);
    String text = MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE).getString(0);
    assertEquals(0, call(FREE, address));
    return text;
  }

  private String error(long address) {
    assertTrue(address != 0, "no error");
    return MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE).getString(0);
  }

  /** Calls a function whose last word is where it stores its answer. */
  private long handle(int function, long... words) {
    MemorySegment answer = arena.allocate(8);
    long[] all = Arrays.copyOf(words, words.length + 1);
    all[words.length] = answer.address();
    assertEquals(0, call(function, all));
    return answer.get(ValueLayout.JAVA_LONG, 0);
  }

  private long call(int function, long... words) {
    ValueLayout[] layouts =
        Collections.nCopies(words.length, ValueLayout.JAVA_LONG).toArray(ValueLayout[]::new);
    MemorySegment address =
        MemorySegment.ofAddress(table.getAtIndex(ValueLayout.JAVA_LONG, 2 + function));
    try {
      return (long)
          Linker.nativeLinker()
              .downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_LONG, layouts))
              .invokeWithArguments(Arrays.stream(words).boxed().toList());
    } catch (Throwable impossible) {
      throw new AssertionError(impossible);
    }
  }
}
