/**
 * Elementwise kernels as programs for the interpreter on the CUDA device, so that the first call of
 * an operator need not wait for the compiler.
 *
 * <p>The interpreter ({@code gpuos_interpret.cu}) is an operator like any other, but for its fourth
 * argument, the address of a program:
 *
 * <pre>
 *   Kernel ── Lowering ──> steps ── CellAllocator ──> InterpreterProgram ── bytes() ──> device memory
 *            (Schedule)            (cells of values)
 * </pre>
 *
 * <p>A program is a straight line of 16-byte instructions ({@link io.gpuos.abi.InstructionRecord}):
 * load operands, compute, store. A thread of the device runs it over four positions at a time;
 * values lie in <em>cells</em> of its local memory, of which there are 32. An instruction names an
 * operation by its number in {@link io.gpuos.interpret.Operations}, the table that both sides are
 * made from: each function of {@link io.gpuos.ir.Function} in each type it is computed in, each
 * conversion, and loads, stores and constants.
 *
 * <p>Results are the same bits as those of the compiled operator: both call the same functions of
 * {@code gpuos_math.cuh}, and nothing is contracted across functions.
 *
 * <p>Pure: nothing here touches a device. What cannot be interpreted is reported with its reason as
 * {@link io.gpuos.interpret.NotInterpretable}; then the operator has to be compiled first.
 */
package io.gpuos.interpret;
