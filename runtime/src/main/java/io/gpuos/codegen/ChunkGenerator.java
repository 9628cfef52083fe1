package io.gpuos.codegen;

import io.gpuos.error.CompileException;
import io.gpuos.ir.Kernel;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;

/**
 * Makes a hidden class that implements {@link Chunk} for one expression: a static method for each
 * loop of its {@link LoopPlan}, and {@code apply} that calls them in turn. The class dies with its
 * instance. Pure but for defining the class; thread-safe.
 */
final class ChunkGenerator {

  private static final ClassDesc CHUNK = Chunk.class.describeConstable().orElseThrow();

  /** Every class bears this name, followed by the suffix that the JVM gives hidden classes. */
  private static final ClassDesc GENERATED =
      ClassDesc.of(ChunkGenerator.class.getPackageName(), "GeneratedChunk");

  private static final MethodTypeDesc APPLY =
      MethodTypeDesc.of(
          ConstantDescs.CD_void,
          ConstantDescs.CD_int,
          CpuScratch.class.describeConstable().orElseThrow(),
          ConstantDescs.CD_long.arrayType());

  private ChunkGenerator() {}

  /** Class-file bytes of the plan's loops. */
  static byte[] classFile(Kernel.Elementwise kernel, LoopPlan plan) {
    return ClassFile.of()
        .build(
            GENERATED,
            builder -> {
              builder.withFlags(ClassFile.ACC_FINAL).withInterfaceSymbols(CHUNK);
              constructor(builder);
              apply(builder, plan);
              for (int l = 0; l < plan.loops().size(); l++) {
                loop(builder, kernel, plan, l);
              }
            });
  }

  /** Compiles and instantiates. */
  static Chunk generate(Kernel.Elementwise kernel, LoopPlan plan) {
    try {
      MethodHandles.Lookup lookup =
          MethodHandles.lookup().defineHiddenClass(classFile(kernel, plan), true);
      return (Chunk) lookup.lookupClass().getDeclaredConstructor().newInstance();
    } catch (ReflectiveOperationException | LinkageError | IllegalArgumentException e) {
      throw new CompileException(
          "bytecode was refused: kernel=%s, expected=a verified kernel".formatted(kernel), e);
    }
  }

  private static void constructor(ClassBuilder builder) {
    builder.withMethodBody(
        ConstantDescs.INIT_NAME,
        ConstantDescs.MTD_void,
        0,
        code ->
            code.aload(0)
                .invokespecial(
                    ConstantDescs.CD_Object, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                .return_());
  }

  private static void apply(ClassBuilder builder, LoopPlan plan) {
    builder.withMethodBody(
        "apply",
        APPLY,
        ClassFile.ACC_PUBLIC,
        code -> {
          for (int l = 0; l < plan.loops().size(); l++) {
            code.iload(1).aload(2).aload(3).invokestatic(GENERATED, loopName(l), APPLY);
          }
          code.return_();
        });
  }

  private static void loop(
      ClassBuilder builder, Kernel.Elementwise kernel, LoopPlan plan, int loop) {
    builder.withMethodBody(
        loopName(loop),
        APPLY,
        ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC,
        (CodeBuilder code) -> new LoopEmitter(code, kernel, plan, plan.loops().get(loop)).emit());
  }

  private static String loopName(int loop) {
    return "loop" + loop;
  }
}
