package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.Kernel.Node;
import io.gpuos.ir.Kernel.Operand;
import io.gpuos.ir.Kernel.Role;
import io.gpuos.layout.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Attention that tests compile for the device. */
public final class DeviceAttention {

  private DeviceAttention() {}

  /** Each type, with and without masks, and with more to compute, by name. */
  public static Map<String, Kernel> all() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType type : List.of(DType.F32, DType.F16, DType.BF16)) {
      String name = DeviceKernels.lower(type);
      kernels.put("attention_" + name, plain(type, false));
      kernels.put("attention_causal_" + name, plain(type, true));
      kernels.put("attention_masked_" + name, masked(type, DType.BOOL));
      kernels.put("attention_biased_" + name, masked(type, type));
    }
    kernels.put("attention_add_f16", added(DType.F16));
    return kernels;
  }

  /** {@code attention(q, k, v, causal=..., scale=0.25)}. */
  public static Kernel plain(DType type, boolean causal) {
    return new Kernel.Attention(
        List.of(in(type), in(type), in(type), new Operand(Role.OUTPUT, type)),
        List.of(new Node.Load(0, type)),
        0,
        false,
        causal,
        0.25);
  }

  /** {@code attention(q, k, v, mask, scale=0.25)}. */
  public static Kernel masked(DType type, DType mask) {
    return new Kernel.Attention(
        List.of(in(type), in(type), in(type), in(mask), new Operand(Role.OUTPUT, type)),
        List.of(new Node.Load(0, type)),
        0,
        true,
        false,
        0.25);
  }

  /** {@code attention(q, k, v, mask, causal=true, scale=0.25) + r}. */
  public static Kernel added(DType type) {
    return new Kernel.Attention(
        List.of(
            in(type), in(type), in(type), in(DType.BOOL), in(type), new Operand(Role.OUTPUT, type)),
        List.of(
            new Node.Load(0, type),
            new Node.Load(4, type),
            new Node.Apply(Function.ADD, type, List.of(0, 1))),
        2,
        true,
        true,
        0.25);
  }

  private static Operand in(DType type) {
    return new Operand(Role.INPUT, type);
  }
}
