package io.gpuos.codegen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import java.lang.ref.WeakReference;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChunkGeneratorTest {

  /** HotSpot compiles no longer method. */
  private static final int HUGE_METHOD = 8000;

  /** A chain of functions of which every intermediate is used again at the very end. */
  private static Kernel.Elementwise deep(DType type, Function function, int length) {
    Kernels kernels = new Kernels();
    int value = kernels.input(type);
    int[] chain = new int[length];
    for (int i = 0; i < length; i++) {
      value = kernels.apply(function, value, value);
      chain[i] = value;
    }
    for (int link : chain) {
      value = kernels.apply(Function.ADD, value, link);
    }
    return kernels.store(value);
  }

  @Test
  void shouldKeepMethodsSmallEnoughToBeCompiled() {
    for (DType type : List.of(DType.F64, DType.I8, DType.BF16)) {
      Kernel.Elementwise kernel = deep(type, Function.POW, 125);
      byte[] bytes = ChunkGenerator.classFile(kernel, LoopPlan.of(kernel));
      for (MethodModel method : ClassFile.of().parse(bytes).methods()) {
        int length = ((CodeAttribute) method.code().orElseThrow()).codeLength();
        assertTrue(length < HUGE_METHOD / 4, method + " has " + length);
      }
    }
  }

  @Test
  void shouldComputeOnlyWhatIsStored() {
    Kernels kernels = new Kernels();
    int a = kernels.input(DType.F32);
    kernels.apply(Function.EXP, a);
    Kernel.Elementwise kernel = kernels.store(kernels.apply(Function.NEG, a));
    assertEquals(List.of(2), LoopPlan.of(kernel).loops().getFirst().nodes());
  }

  @Test
  void shouldUseOneLoopAndNoTemporaryForAShortExpression() {
    LoopPlan plan = LoopPlan.of(deep(DType.F32, Function.MUL, 10));
    assertEquals(1, plan.loops().size());
    assertEquals(0, plan.temporaries());
  }

  @Test
  void shouldReuseTemporariesThatAreDone() {
    Kernels kernels = new Kernels();
    int value = kernels.input(DType.F32);
    for (int i = 0; i < 250; i++) {
      value = kernels.apply(Function.ADD, value, value);
    }
    LoopPlan plan = LoopPlan.of(kernels.store(value));
    assertTrue(plan.loops().size() > 5);
    assertTrue(plan.temporaries() <= 2, "temporaries: " + plan.temporaries());
  }

  @Test
  void shouldUnloadTheClassWithTheKernel() throws InterruptedException {
    Kernels kernels = new Kernels();
    Kernel.Elementwise kernel = kernels.store(kernels.input(DType.F32));
    Chunk chunk = ChunkGenerator.generate(kernel, LoopPlan.of(kernel));
    WeakReference<Class<?>> type = new WeakReference<>(chunk.getClass());
    assertTrue(chunk.getClass().isHidden());
    chunk = null;
    for (int i = 0; i < 50 && type.get() != null; i++) {
      System.gc();
      Thread.sleep(10);
    }
    assertFalse(type.get() != null, "the class is still there");
  }
}
