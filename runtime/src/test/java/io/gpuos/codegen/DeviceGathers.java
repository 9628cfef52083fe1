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

/** Indexed reads that tests compile for the device. */
public final class DeviceGathers {

  private DeviceGathers() {}

  /** A plain one of each type and type of index, and one with more to compute, by name. */
  public static Map<String, Kernel> all() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType type : DType.values()) {
      kernels.put("gather_i64_" + DeviceKernels.lower(type), plain(type, DType.I64));
      kernels.put("gather_i32_" + DeviceKernels.lower(type), plain(type, DType.I32));
    }
    kernels.put("gather_add_f16", added(DType.F16));
    return kernels;
  }

  /** {@code gather(x, i, axis)}. */
  public static Kernel plain(DType type, DType index) {
    return new Kernel.Gather(
        List.of(in(type), in(index), new Operand(Role.OUTPUT, type)),
        List.of(new Node.Load(0, type)),
        0);
  }

  /** {@code gather(x, i, axis) + y}. */
  public static Kernel added(DType type) {
    return new Kernel.Gather(
        List.of(in(type), in(DType.I64), in(type), new Operand(Role.OUTPUT, type)),
        List.of(
            new Node.Load(0, type),
            new Node.Load(2, type),
            new Node.Apply(Function.ADD, type, List.of(0, 1))),
        2);
  }

  private static Operand in(DType type) {
    return new Operand(Role.INPUT, type);
  }
}
