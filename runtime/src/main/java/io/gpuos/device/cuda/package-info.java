/**
 * The CUDA device: one resident kernel, fed by the submission ring.
 *
 * <ul>
 *   <li>{@link io.gpuos.device.cuda.CudaComputeDevice}: opens the device and puts the parts
 *       together
 *   <li>{@code WorkerMemory}: the words workers share, in device memory, and the launch parameter
 *   <li>{@code WorkerKernel}: launches the resident kernel and watches it
 *   <li>{@code OperatorLoader}: compiles operators and brings them in by park, link, load, relaunch
 *   <li>{@code SpaceTable}: interned iteration spaces in device memory
 *   <li>{@code CudaSlabs}: device memory for the pool
 * </ul>
 *
 * <p>The device side is in {@code resources/io/gpuos/device}: {@code gpuos_worker.cu} first.
 */
package io.gpuos.device.cuda;
