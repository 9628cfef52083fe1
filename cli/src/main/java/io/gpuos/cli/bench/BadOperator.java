package io.gpuos.cli.bench;

import io.gpuos.CudaOperator;
import io.gpuos.Gpuos;
import io.gpuos.error.CompileException;
import io.gpuos.error.DeviceUnavailableException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.GpuosException;
import io.gpuos.error.InjectionException;

/** Replacements of an operator {@code f32 NAME(f32 x)} that must be refused and change nothing. */
enum BadOperator {
  /** Has another form than the operator it is to replace. */
  MISFIT("x + other"),
  /** Is no C++. */
  NOT_COMPILING("__device__ float f(float x) { return x + ; }"),
  /** Compiles, and would end the kernel it runs in. */
  NOT_VERIFYING("__device__ float f(float x) { if (x != 0) asm volatile(\"trap;\"); return x; }");

  private final String body;

  BadOperator(String body) {
    this.body = body;
  }

  /**
   * Injects it.
   *
   * @return whether there was something to refuse it: a compiler, and code that comes in live
   * @throws WrongResult if it was accepted, or refused for another reason
   */
  boolean isRefused(Gpuos gpu, String name) {
    if (this == NOT_VERIFYING && !gpu.device().injection().live()) {
      // The driver loads what it can link; nobody but the workers would find out.
      return false;
    }
    try {
      if (this == MISFIT) {
        gpu.inject(name, body);
      } else {
        gpu.inject(CudaOperator.of(name, body, "f32 f(f32 x)"));
      }
    } catch (DeviceUnavailableException e) {
      return false;
    } catch (GpuosException refusal) {
      if (isExpected(refusal)) {
        return true;
      }
      throw new WrongResult("refused for another reason: operator=" + this + ", reason=" + refusal);
    }
    throw new WrongResult("accepted: operator=" + this + ", expected=a refusal");
  }

  private boolean isExpected(GpuosException refusal) {
    return switch (this) {
      case MISFIT -> refusal instanceof ExpressionException;
      case NOT_COMPILING -> refusal instanceof CompileException;
      case NOT_VERIFYING -> refusal instanceof InjectionException;
    };
  }
}
