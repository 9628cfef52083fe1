package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.codegen.DeviceKernels.Builder;
import io.gpuos.ir.ForeignFunction;
import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Reducer;
import io.gpuos.ir.Verifier;
import io.gpuos.layout.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The rendered text against golden files; {@code -Dgpuos.golden.update=true} rewrites them. What
 * the text does is tested by {@code DeviceOnHostTest} and {@code bench/device/check_ops}.
 */
class CudaGeneratorTest {

  private static final Path GOLDEN = Path.of("src/test/resources/golden/cuda");

  private static Map<String, Kernel> kernels() {
    Map<String, Kernel> all = DeviceKernels.composites();
    Map<String, Kernel> golden = new LinkedHashMap<>();
    for (String name :
        List.of("fused_relu_f32", "two_outputs_mixed", "scalars_f16", "sum_of_products_f16")) {
      golden.put(name, all.get(name));
    }
    golden.put("narrow_integers", narrowIntegers());
    golden.put("constants", constants());
    golden.put("foreign", foreign());
    golden.put("rows_layer_norm", RowKernels.layerNorm());
    golden.put("norm_p", DeviceKernels.reductions().get("norm_3p5_f16"));
    golden.put("norm_max", DeviceKernels.reductions().get("norm_max_f64"));
    golden.put("std", DeviceKernels.reductions().get("std_f32"));
    golden.put("max_bool", DeviceKernels.reductions().get("max_bool"));
    golden.put("argmin_u8", DeviceKernels.reductions().get("argmin_u8"));
    golden.put("linear_relu", DeviceProducts.linearRelu(DType.F16));
    golden.put("attention_add", DeviceAttention.added(DType.F16));
    golden.put("gather_add", DeviceGathers.added(DType.F16));
    golden.put("cumsum_products", DeviceScans.products(DType.F16));
    golden.put("positions", DeviceScans.positions());
    golden.put("index_put", DeviceScans.scatter(DType.F32, DType.I64, true, true));
    return golden;
  }

  private static Stream<String> names() {
    return kernels().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("names")
  void shouldRenderAsTheGoldenFile(String name) throws IOException {
    Kernel kernel = kernels().get(name);
    Verifier.verify(kernel);
    String text = CudaGenerator.render(kernel);
    Path file = GOLDEN.resolve(name + ".cu");
    if (Boolean.getBoolean("gpuos.golden.update")) {
      Files.createDirectories(GOLDEN);
      Files.writeString(file, text);
    }
    assertEquals(Files.readString(file), text, "differs from " + file);
  }

  @Test
  void shouldRenderEqualKernelsAlike() {
    assertEquals(
        CudaGenerator.render(DeviceKernels.random(5)),
        CudaGenerator.render(DeviceKernels.random(5)));
  }

  @Test
  void shouldGiveHeavyFunctionsMoreWeightThanLightOnes() {
    int add = CudaWeights.of(DeviceKernels.single(Function.ADD, DType.F32));
    int exp = CudaWeights.of(DeviceKernels.single(Function.EXP, DType.F32));
    int lgamma = CudaWeights.of(DeviceKernels.single(Function.LGAMMA, DType.F32));
    assertTrue(0 < add && add < exp && exp < lgamma, add + " " + exp + " " + lgamma);
    Builder builder = new Builder();
    assertEquals(1, CudaWeights.of(builder.reduction(Reducer.SUM, builder.input(DType.F32), 0)));
  }

  private static Kernel narrowIntegers() {
    Builder b = new Builder();
    int x = b.input(DType.I8);
    int y = b.input(DType.U8);
    int wide = b.convert(DType.I16, y);
    int sum = b.apply(Function.ADD, DType.I16, List.of(b.convert(DType.I16, x), wide));
    int clamped =
        b.apply(
            Function.CLAMP,
            DType.I16,
            List.of(sum, b.constant(DType.I16, -100), b.constant(DType.I16, 100)));
    return b.elementwise(b.convert(DType.I8, clamped), b.apply(Function.NEG, DType.U8, List.of(y)));
  }

  private static Kernel foreign() {
    ForeignFunction function =
        ForeignFunction.of(
            "u8 mix(u8 a, f16 b)",
            "the \"mix\".cu",
            "#define HALF 0.5f\n__device__ int mix(int a, float b) { return a * HALF + b; }");
    Kernel.Node call = new Kernel.Node.Foreign(function, List.of(0, 1));
    return new Kernel.Elementwise(
        List.of(
            new Kernel.Operand(Kernel.Role.INPUT, DType.U8),
            new Kernel.Operand(Kernel.Role.INPUT, DType.F16),
            new Kernel.Operand(Kernel.Role.OUTPUT, DType.U8)),
        List.of(new Kernel.Node.Load(0, DType.U8), new Kernel.Node.Load(1, DType.F16), call),
        List.of(new Kernel.Store(2, 2)));
  }

  private static Kernel constants() {
    Builder b = new Builder();
    int x = b.input(DType.F64);
    int y = b.convert(DType.F32, x);
    for (double value : new double[] {0.1, -0.0, Double.POSITIVE_INFINITY, Double.NaN}) {
      long bits = Double.doubleToRawLongBits(value);
      x = b.apply(Function.ADD, DType.F64, List.of(x, b.constant(DType.F64, bits)));
      y = b.apply(Function.ADD, DType.F32, List.of(y, b.constant(DType.F32, bits)));
    }
    int least = b.constant(DType.I64, Long.MIN_VALUE);
    int small = b.convert(DType.I64, b.constant(DType.I32, Integer.MIN_VALUE));
    int sum = b.apply(Function.SUB, DType.I64, List.of(least, small));
    int flag = b.convert(DType.I64, b.constant(DType.BOOL, 1));
    int whole = b.apply(Function.MAXIMUM, DType.I64, List.of(sum, flag));
    int third = b.apply(Function.ADD, DType.F64, List.of(b.convert(DType.F64, whole), x));
    return b.elementwise(third, y);
  }
}
