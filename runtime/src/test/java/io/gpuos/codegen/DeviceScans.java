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

/** Sums along an axis, and indexed writes, that tests compile for the device. */
public final class DeviceScans {

  private DeviceScans() {}

  /** Sums of each type, and writes of each type, type of index and way, by name. */
  public static Map<String, Kernel> all() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType type : DType.values()) {
      String name = DeviceKernels.lower(type);
      kernels.put("cumsum_" + name, sums(type));
      kernels.put("scatter_i64_" + name, scatter(type, DType.I64, false, false));
      kernels.put("scatter_add_i32_" + name, scatter(type, DType.I32, true, false));
      kernels.put("index_put_add_i64_" + name, scatter(type, DType.I64, true, true));
    }
    kernels.put("positions", positions());
    kernels.put("cumsum_products_f16", products(DType.F16));
    return kernels;
  }

  /** {@code cumsum(x, axis)}. */
  public static Kernel sums(DType type) {
    DType summed = type.isFloating() ? type : DType.I64;
    List<Node> nodes =
        type == summed
            ? List.of(new Node.Load(0, type))
            : List.of(new Node.Load(0, type), new Node.Convert(summed, 0));
    return new Kernel.Scan(
        List.of(new Operand(Role.INPUT, type), new Operand(Role.OUTPUT, summed)),
        nodes,
        nodes.size() - 1,
        false);
  }

  /** {@code cumsum(x * y, axis)}. */
  public static Kernel products(DType type) {
    Operand in = new Operand(Role.INPUT, type);
    return new Kernel.Scan(
        List.of(in, in, new Operand(Role.OUTPUT, type)),
        List.of(
            new Node.Load(0, type),
            new Node.Load(1, type),
            new Node.Apply(Function.MUL, type, List.of(0, 1))),
        2,
        false);
  }

  /** {@code position(x, axis)}, which reads nothing. */
  public static Kernel positions() {
    return new Kernel.Scan(
        List.of(new Operand(Role.OUTPUT, DType.I64)),
        List.of(new Node.Constant(DType.I64, 1)),
        0,
        true);
  }

  /** {@code scatter(x, axis, i, s)} and what is like it. */
  public static Kernel scatter(DType type, DType index, boolean adds, boolean wraps) {
    return new Kernel.Scatter(
        List.of(
            new Operand(Role.INPUT, index),
            new Operand(Role.INPUT, type),
            new Operand(Role.OUTPUT, type)),
        adds,
        wraps);
  }
}
