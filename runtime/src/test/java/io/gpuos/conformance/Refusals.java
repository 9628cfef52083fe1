package io.gpuos.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrowsExactly;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import io.gpuos.error.GpuosException;
import java.util.regex.Pattern;
import org.junit.jupiter.api.function.Executable;

/** What every refusal must look like, and what must still work after it. */
final class Refusals {

  /** {@code rule: name=value, expected=...} on one line. */
  private static final Pattern FORM =
      Pattern.compile("[^:=\\n]+: [^\\n]*?\\w+=[^\\n]+, expected=[^\\n]+");

  private static final Operator ADD = Operator.of("a + b");

  private Refusals() {}

  /**
   * Runs {@code action}, which must throw exactly {@code type}.
   *
   * @param parts what the message must contain
   */
  static void refused(Class<? extends GpuosException> type, Executable action, String... parts) {
    String message = assertThrowsExactly(type, action).getMessage();
    assertTrue(
        FORM.matcher(message).matches(), () -> "not 'rule: name=value, expected=': " + message);
    for (String part : parts) {
      assertTrue(message.contains(part), () -> "'%s' is not in: %s".formatted(part, message));
    }
  }

  /** Checks that {@code gpu} still computes. */
  static void goesOn(Gpuos gpu) {
    assertTrue(gpu.healthy(), "the runtime is not healthy");
    try (Tensor a = gpu.tensor(new float[] {1, 2, 3});
        Tensor b = gpu.tensor(new float[] {4, 5, 6});
        Tensor sum = gpu.run(ADD, a, b)) {
      assertArrayEquals(new float[] {5, 7, 9}, sum.toFloats());
    }
  }
}
