/**
 * From typed kernels to code, once for each device. Both generators take the same {@link
 * io.gpuos.ir.Kernel} and leave nothing to interpret at run time: types, functions and the number
 * of operands are fixed in the code; shapes, strides, addresses and scalar values are not.
 *
 * <h2>CUDA</h2>
 *
 * <p>{@link io.gpuos.codegen.CudaGenerator} writes a C++ source that includes the device headers;
 * what loops over positions and folds is there, as templates.
 *
 * <h2>CPU</h2>
 *
 * <p>{@link io.gpuos.codegen.JvmGenerator} makes a {@link io.gpuos.codegen.CpuKernel}. Its work
 * goes through heap arrays, a chunk of at most 1024 elements at a time:
 *
 * <pre>
 *   native memory ── Staging ──> arrays of CpuScratch ── Chunk ──> arrays ── Staging ──> native memory
 *                    (Walk)                            (generated)     │
 *                                                                      └── Fold ──> one cell a position
 * </pre>
 *
 * <p>Only the middle is generated: {@code ChunkGenerator} turns the expression into a hidden class
 * with one counted loop over arrays, or several where one would be too long for the JIT compiler to
 * vectorise ({@code LoopPlan}). A function is a JVM instruction or a call to {@link
 * io.gpuos.codegen.ScalarMath}. All that knows about element types, layouts and reductions is
 * ordinary Java that every kernel shares, warm from the first one on.
 *
 * <p>Staging costs a pass through the first-level cache, and buys that any mix of types, strides
 * and alignments meets the same loop, that input and output may be the same memory, and that the
 * loop is of the form C2 vectorises: over arrays, whose overlap it can rule out.
 *
 * <p>A reduction is an expression and a {@code Fold} of its values ({@code ReductionPlan}), in
 * {@code double} or {@code long} whatever the element type. Where chunks are cut depends on the
 * iteration space alone, so that results do not change with the tiles the caller asks for.
 *
 * <p>A rows kernel is several such pairs, one after the other, and the expressions that follow from
 * their results ({@code RowsPlan}, {@code RowsKernel}; on CUDA {@code CudaRows} and {@code
 * gpuos_rows.cuh}).
 */
package io.gpuos.codegen;
