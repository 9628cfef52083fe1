package io.gpuos.codegen;

import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.ir.Kernel;

/**
 * Compiles kernels for the CPU device. An expression becomes the loops of a hidden class, see
 * {@link ChunkGenerator}; what surrounds it (bringing chunks in and out of memory, folding) is
 * ordinary Java shared by all kernels. Thread-safe.
 */
public final class JvmGenerator {

  private JvmGenerator() {}

  /**
   * Compiles a kernel. Takes under a millisecond once warm.
   *
   * <p>Conversions follow Java where PyTorch leaves the value undefined: floating to I32 or I64
   * saturates and takes NaN to 0; to a narrower integer it goes through I32 and keeps the low bits.
   *
   * @param kernel one that the verifier accepts; another fails with some unchecked exception
   * @throws io.gpuos.error.CompileException if the JVM refuses the generated class
   * @throws DeviceUnavailableException if the kernel calls a function in CUDA C++
   */
  public static CpuKernel compile(Kernel kernel) {
    refuseForeign(kernel);
    return switch (kernel) {
      case Kernel.Elementwise elementwise -> {
        LoopPlan plan = LoopPlan.of(elementwise);
        Chunk chunk = ChunkGenerator.generate(elementwise, plan);
        yield new ElementwiseKernel(elementwise, chunk, plan.temporaries());
      }
      case Kernel.Reduction reduction -> {
        ReductionPlan split = ReductionPlan.of(reduction);
        LoopPlan plan = LoopPlan.of(split.values());
        Chunk chunk = ChunkGenerator.generate(split.values(), plan);
        yield new ReductionKernel(reduction, chunk, plan.temporaries(), split.fold());
      }
      case Kernel.Rows rows -> RowsKernel.of(rows);
      case Kernel.Contraction contraction -> {
        Kernel.Elementwise epilogue = ContractionKernel.epilogue(contraction);
        LoopPlan plan = LoopPlan.of(epilogue);
        Chunk chunk = ChunkGenerator.generate(epilogue, plan);
        yield new ContractionKernel(contraction, chunk, plan.temporaries());
      }
      case Kernel.Attention attention -> {
        Kernel.Elementwise epilogue = AttentionKernel.epilogue(attention);
        LoopPlan plan = LoopPlan.of(epilogue);
        Chunk chunk = ChunkGenerator.generate(epilogue, plan);
        yield new AttentionKernel(attention, chunk, plan.temporaries());
      }
      case Kernel.Gather gather -> {
        Kernel.Elementwise epilogue = GatherKernel.epilogue(gather);
        LoopPlan plan = LoopPlan.of(epilogue);
        Chunk chunk = ChunkGenerator.generate(epilogue, plan);
        yield new GatherKernel(gather, chunk, plan.temporaries());
      }
      case Kernel.Scan scan -> {
        Kernel.Elementwise values = ScanKernel.values(scan);
        LoopPlan plan = LoopPlan.of(values);
        Chunk chunk = ChunkGenerator.generate(values, plan);
        yield new ScanKernel(scan, chunk, plan.temporaries());
      }
      case Kernel.Scatter scatter -> new ScatterKernel(scatter);
    };
  }

  private static void refuseForeign(Kernel kernel) {
    for (Kernel.Node node : kernel.nodes()) {
      if (node instanceof Kernel.Node.Foreign foreign) {
        throw new DeviceUnavailableException(
            "operator needs a CUDA device: operator=%s, device=cpu, expected=cuda:N, since its source is CUDA C++; open a CUDA device, or define it by an expression"
                .formatted(foreign.function()));
      }
    }
  }
}
