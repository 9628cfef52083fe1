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

/** Matrix products that tests compile for the device. */
public final class DeviceProducts {

  private DeviceProducts() {}

  /** A plain product of each type, and some with more to compute, by name. */
  public static Map<String, Kernel> all() {
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    for (DType type : DType.values()) {
      if (type != DType.BOOL) {
        kernels.put("matmul_" + DeviceKernels.lower(type), plain(type));
        kernels.put("linear_relu_" + DeviceKernels.lower(type), linearRelu(type));
      }
    }
    return kernels;
  }

  /** {@code matmul(a, b)}. */
  public static Kernel plain(DType type) {
    return new Kernel.Contraction(
        List.of(in(type), in(type), new Operand(Role.OUTPUT, type)),
        List.of(new Node.Load(0, type)),
        0);
  }

  /** {@code relu(matmul(a, b) + bias)}. */
  public static Kernel linearRelu(DType type) {
    return new Kernel.Contraction(
        List.of(in(type), in(type), in(type), new Operand(Role.OUTPUT, type)),
        List.of(
            new Node.Load(0, type),
            new Node.Load(2, type),
            new Node.Apply(Function.ADD, type, List.of(0, 1)),
            new Node.Apply(Function.RELU, type, List.of(2))),
        3);
  }

  private static Operand in(DType type) {
    return new Operand(Role.INPUT, type);
  }
}
