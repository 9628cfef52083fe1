/**
 * The CUDA device: one resident kernel, fed by the submission ring.
 *
 * <ul>
 *   <li>{@link io.gpuos.device.cuda.CudaComputeDevice}: opens the device and puts the parts
 *       together
 *   <li>{@code WorkerMemory}: the words workers share, in device memory, and the launch parameter
 *   <li>{@code WorkerKernel}: launches the resident kernel and watches it
 *   <li>{@code BegunTasks}: which task each block has begun, for the watchdog
 *   <li>{@code CudaOperators}: compiles operators, has them brought in and gives them numbers
 *   <li>{@code Interpreter}: computes elementwise operators until they are compiled
 *   <li>{@code CodeLoader}: brings code in, {@code ArenaLoader} live, {@code ImageLoader} by the
 *       driver
 *   <li>{@code FunctionAddresses}: where functions lie in an image that the driver has loaded;
 *       {@code OldImages} unloads those before it
 *   <li>{@code InjectionChoice}: which of the two, and why; {@link
 *       io.gpuos.device.cuda.LiveVerdicts} keeps what self-tests found
 *   <li>{@code Aliases}: the words that say which code a logical operator stands for
 *   <li>{@code OperatorCompiler}: compiles and verifies operators where there is no device
 *   <li>{@code SpaceTable}: interned iteration spaces in device memory
 *   <li>{@code CudaSlabs}: device memory for the pool
 *   <li>{@code DeviceSources}: the texts the compiler is given
 *   <li>{@code PlatformThreads}: driver calls of virtual threads
 *   <li>{@code CloseStack}: frees the parts in the reverse of the order they were made in
 * </ul>
 *
 * <p>Block 0 of the kernel is the office: one warp reports completions to the host, one thread
 * keeps the lease. Every other block is a worker. No task needs a driver call, but for launching
 * workers that have parked. The kernel is launched with all of its shared memory carved out and
 * with room left on every multiprocessor, so that other kernels run beside it.
 *
 * <p>After a sticky error nothing can be read from the device. The ring lies in host memory, so the
 * operators that may have been running are known all the same, and with one operator under way, the
 * one. A kernel that hangs is different: the device goes on, a copy tells which block is at which
 * task, but whatever waits for the kernel waits for ever. So a device with such a kernel is closed
 * without freeing anything; memory and context are the process's to the end.
 *
 * <p>The device side is in {@code resources/io/gpuos/device}: {@code gpuos_worker.cu} first.
 */
package io.gpuos.device.cuda;
