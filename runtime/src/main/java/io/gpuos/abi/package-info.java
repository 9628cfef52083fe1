/**
 * Every record that two sides share, declared once.
 *
 * <p>A {@link io.gpuos.abi.Record} names its words with their unit, the one side that writes them,
 * the side that reads them and the memory order of both. Java code takes the offsets from these
 * declarations; the device gets {@code gpuos_abi.cuh}, rendered by {@link io.gpuos.abi.CudaHeader}
 * with a {@code static_assert} for each offset.
 *
 * <ul>
 *   <li>{@link io.gpuos.abi.TaskRecord}: one slot of the submission ring
 *   <li>{@link io.gpuos.abi.SpaceRecord}: an interned iteration space
 *   <li>{@link io.gpuos.abi.ControlRecord}: lease and completion words in pinned host memory
 *   <li>{@link io.gpuos.abi.StateRecord}: the workers' own words in device memory
 *   <li>{@link io.gpuos.abi.LaunchRecord}: the worker kernel's parameter
 *   <li>{@link io.gpuos.abi.InterpreterRecord} and {@link io.gpuos.abi.InstructionRecord}: a
 *       program of the interpreter
 * </ul>
 */
package io.gpuos.abi;
