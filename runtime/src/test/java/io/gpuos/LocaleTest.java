package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.abi.CudaHeader;
import io.gpuos.codegen.CudaGenerator;
import io.gpuos.error.ShapeException;
import io.gpuos.ir.ExpressionParser;
import io.gpuos.ir.ExpressionPlan;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.SequencedMap;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Text for compilers, caches and people is the same whatever digits the user's locale has. */
class LocaleTest {

  @ParameterizedTest
  @ValueSource(strings = {"ar-EG-u-nu-arab", "fa-IR-u-nu-arabext", "tr-TR", "hi-IN-u-nu-deva"})
  void shouldRenderCodeTheSameInEveryLocale(String locale) {
    assertEquals(in(Locale.ROOT, CudaHeader::render), in(locale, CudaHeader::render));
    for (Kernel kernel : kernels()) {
      Supplier<String> rendered = () -> CudaGenerator.render(kernel) + kernel;
      assertEquals(in(Locale.ROOT, rendered), in(locale, rendered));
    }
  }

  @Test
  void shouldWriteMessagesTheSameInEveryLocale() {
    View view = View.of(Layout.contiguous(DType.F32, 5));
    String message =
        in(
            "ar-EG-u-nu-arab",
            () -> assertThrows(ShapeException.class, () -> view.narrow(0, 7, 1)).getMessage());
    assertTrue(message.contains("start=7, length=1"), message);
  }

  private static Iterable<Kernel> kernels() {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    inputs.put("x", TensorType.of(DType.F32, new long[] {12, 34}));
    return ExpressionPlan.of(
            ExpressionParser.parse("sum(cast(x, i32) * 1234567 + norm(x, 2.5), axis=-1)"), inputs)
        .steps()
        .stream()
        .map(ExpressionPlan.Step::kernel)
        .toList();
  }

  private static <T> T in(String locale, Supplier<T> body) {
    return in(Locale.forLanguageTag(locale), body);
  }

  private static <T> T in(Locale locale, Supplier<T> body) {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(locale);
      return body.get();
    } finally {
      Locale.setDefault(before);
    }
  }
}
