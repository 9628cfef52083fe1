package io.gpuos.aten;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.Gpuos;
import io.gpuos.Program;
import io.gpuos.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The forms that operators have on CUDA, which PyTorch cannot run here: they agree with the forms
 * that it has on the CPU, whose values {@link AtenGoldenTest} compares with PyTorch's.
 */
class AtenBackendTest {

  private static Gpuos gpu;

  @BeforeAll
  static void open() {
    gpu = Gpuos.open("cpu");
  }

  @AfterAll
  static void close() {
    gpu.close();
  }

  /** Queries, keys and values [1, 2, 3, 4], a mask [1, 2, 3, 3], sums [1, 2, 3] or longer. */
  private static final String ATTENTION =
      """
      gpuos-aten 1
      storage 0 96 input
      storage 1 96 input
      storage 2 96 input
      storage 3 72 input
      storage 4 96 input
      storage 5 96 output
      storage 6 256 output
      storage 7 96 output
      storage 8 96 output
      storage 9 96 output
      storage 10 8 output
      tensor 0 0 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 1 1 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 2 2 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 3 3 f32 0 [1,2,3,3] [18,9,3,1]
      tensor 4 4 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 5 5 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 6 6 f32 0 [1,2,3] [64,32,1]
      tensor 7 7 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 8 8 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 9 9 f32 0 [1,2,3,4] [24,12,4,1]
      tensor 10 10 i64 0 [] []
      tensor 11 6 f32 0 [1,2,32] [64,32,1]
      tensor 12 6 f32 0 [1,2,3,1] [64,32,1,1]
      """;

  private static final int FIRST_OUTPUT = 5;

  private static float[] numbers(Random random, long count) {
    float[] values = new float[Math.toIntExact(count)];
    for (int k = 0; k < values.length; k++) {
      values[k] = (float) random.nextGaussian();
    }
    return values;
  }

  /** What calls leave in the output storages from {@code first} on. */
  private static List<float[]> run(String text, int... outputs) {
    AtenGraph graph = AtenGraph.parse(text);
    Random random = new Random(4);
    List<Tensor> inputs = new ArrayList<>();
    for (AtenGraph.Storage storage : graph.storages(AtenGraph.Role.INPUT)) {
      inputs.add(gpu.tensor(numbers(random, storage.bytes() / 4), storage.bytes() / 4));
    }
    List<float[]> found = new ArrayList<>();
    try (Program program = AtenProgram.record(gpu, graph)) {
      List<Tensor> results = program.run(inputs.toArray(Tensor[]::new));
      for (int output : outputs) {
        found.add(results.get(output - FIRST_OUTPUT).toFloats());
      }
      results.forEach(Tensor::close);
    }
    inputs.forEach(Tensor::close);
    return found;
  }

  private static void assertSame(List<float[]> expected, List<float[]> found) {
    assertEquals(expected.size(), found.size());
    for (int k = 0; k < expected.size(); k++) {
      assertArrayEquals(expected.get(k), found.get(k), 1e-6f);
    }
  }

  private static String forward(boolean masked, boolean causal) {
    return String.format(
        Locale.ROOT,
        "call 0 aten::_scaled_dot_product_flash_attention_for_cpu query=%%0 key=%%1 value=%%2"
            + " dropout_p=0.0 is_causal=%b attn_mask=%s scale=null -> %%5,%%6\n",
        causal,
        masked ? "%3" : "null");
  }

  private static String backward(boolean masked, boolean causal) {
    return String.format(
        Locale.ROOT,
        "call 1 aten::_scaled_dot_product_flash_attention_for_cpu_backward grad_out=%%4 query=%%0"
            + " key=%%1 value=%%2 out=%%5 logsumexp=%%6 dropout_p=0.0 is_causal=%b attn_mask=%s"
            + " scale=null -> %%7,%%8,%%9\n",
        causal,
        masked ? "%3" : "null");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "false; true; aten::_scaled_dot_product_flash_attention query=%0 key=%1 value=%2 dropout_p=0.0 is_causal=true return_debug_mask=false scale=null -> %5,%6,%-,%-,%-,%-,%10,%10,%-",
        "true; false; aten::_scaled_dot_product_efficient_attention query=%0 key=%1 value=%2 attn_bias=%3 compute_log_sumexp=true dropout_p=0.0 is_causal=false scale=null -> %5,%11,%10,%10",
        "true; false; aten::_scaled_dot_product_cudnn_attention query=%0 key=%1 value=%2 attn_bias=%3 compute_log_sumexp=true dropout_p=0.0 is_causal=false return_debug_mask=false scale=null -> %5,%12,%-,%-,%-,%-,%10,%10,%-",
      })
  void shouldAttendAsOnTheCpu(boolean masked, boolean causal, String call) {
    List<float[]> expected = run(ATTENTION + forward(masked, causal), 5, 6);
    List<float[]> found = run(ATTENTION + "call 0 " + call + "\n", 5, 6);
    assertArrayEquals(expected.getFirst(), found.getFirst(), 1e-6f);
    for (int k : new int[] {0, 1, 2, 32, 33, 34}) {
      assertEquals(expected.getLast()[k], found.getLast()[k], 1e-6f);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "false; true; aten::_scaled_dot_product_flash_attention_backward grad_out=%4 query=%0 key=%1 value=%2 out=%5 logsumexp=%6 cum_seq_q=null cum_seq_k=null max_q=3 max_k=3 dropout_p=0.0 is_causal=true philox_seed=%10 philox_offset=%10 scale=null -> %7,%8,%9",
        "true; false; aten::_scaled_dot_product_efficient_attention_backward grad_out_=%4 query=%0 key=%1 value=%2 attn_bias=%3 out=%5 logsumexp=%11 philox_seed=%10 philox_offset=%10 dropout_p=0.0 grad_input_mask=[true,true,true,false] is_causal=false scale=null -> %7,%8,%9,%-",
        "true; false; aten::_scaled_dot_product_cudnn_attention_backward grad_out=%4 query=%0 key=%1 value=%2 out=%5 logsumexp=%12 philox_seed=%10 philox_offset=%10 attn_bias=%3 cum_seq_q=null cum_seq_k=null max_q=3 max_k=3 dropout_p=0.0 is_causal=false scale=null -> %7,%8,%9",
      })
  void shouldDifferentiateAttentionAsOnTheCpu(boolean masked, boolean causal, String call) {
    String first = ATTENTION + forward(masked, causal);
    assertSame(
        run(first + backward(masked, causal), 7, 8, 9),
        run(first + "call 1 " + call + "\n", 7, 8, 9));
  }

  /** Input and gradient [2, 3, 2], values of 3 channels, and results. */
  private static final String NORMS =
      """
      gpuos-aten 1
      storage 0 48 input
      storage 1 12 input
      storage 2 12 input
      storage 3 48 input
      storage 4 4 input
      storage 5 48 output
      storage 6 12 output
      storage 7 12 output
      storage 8 48 output
      storage 9 12 output
      storage 10 12 output
      tensor 0 0 f32 0 [2,3,2] [6,2,1]
      tensor 1 1 f32 0 [3] [1]
      tensor 2 2 f32 0 [3] [1]
      tensor 3 3 f32 0 [2,3,2] [6,2,1]
      tensor 4 4 f32 0 [0] [1]
      tensor 5 5 f32 0 [2,3,2] [6,2,1]
      tensor 6 6 f32 0 [3] [1]
      tensor 7 7 f32 0 [3] [1]
      tensor 8 8 f32 0 [2,3,2] [6,2,1]
      tensor 9 9 f32 0 [3] [1]
      tensor 10 10 f32 0 [3] [1]
      """;

  @Test
  void shouldNormaliseChannelsAsOnTheCpu() {
    List<float[]> expected =
        run(
            NORMS
                + """
                call 0 aten::native_batch_norm input=%0 weight=%1 bias=%2 running_mean=null running_var=null training=true momentum=0.1 eps=1e-05 -> %5,%6,%7
                call 1 aten::native_batch_norm_backward grad_out=%3 input=%0 weight=%1 running_mean=null running_var=null save_mean=%6 save_invstd=%7 train=true eps=1e-05 output_mask=[true,true,true] -> %8,%9,%10
                """,
            5,
            6,
            7,
            8,
            9,
            10);
    List<float[]> found =
        run(
            NORMS
                + """
                call 0 aten::cudnn_batch_norm input=%0 weight=%1 bias=%2 running_mean=null running_var=null training=true exponential_average_factor=0.1 epsilon=1e-05 -> %5,%6,%7,%4
                call 1 aten::cudnn_batch_norm_backward input=%0 grad_output=%3 weight=%1 running_mean=null running_var=null save_mean=%6 save_var=%7 epsilon=1e-05 reserveSpace=%4 -> %8,%9,%10
                """,
            5,
            6,
            7,
            8,
            9,
            10);
    assertSame(expected, found);
  }
}
