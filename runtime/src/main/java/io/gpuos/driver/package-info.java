/**
 * Everything GPUOS calls outside the JVM: the CUDA driver, the NVRTC compiler, and the three C
 * functions that load them. Bound by hand over the foreign-function API, without a native build.
 *
 * <h2>Finding the libraries</h2>
 *
 * {@link io.gpuos.driver.LibrarySearch} looks for each {@link io.gpuos.driver.Library} in the order
 * of {@link io.gpuos.driver.Candidate.Source} and keeps an account of every place, with the
 * loader's own words for a refusal. A machine without a GPU thereby gets a reason, not a crash.
 *
 * <h2>The driver</h2>
 *
 * {@link io.gpuos.driver.Cuda} is the driver, {@link io.gpuos.driver.CudaDevice} a GPU, {@link
 * io.gpuos.driver.CudaContext} a hold on its address space; memory, streams, events, modules and
 * kernels come from the context and put it in place for their own calls, whatever the thread's
 * current context was. {@link io.gpuos.driver.CudaGraph} is a stream's work as one launch; GPUOS
 * itself does without, and measures itself beside it.
 *
 * <pre>{@code
 * try (CudaContext context = Cuda.open().device(0).retainPrimaryContext();
 *     CudaStream stream = context.newStream();
 *     CudaModule module = context.loadModule(cubin)) {
 *   module.function("kernel").launch(stream, LaunchConfig.of(132, 256), address);
 *   stream.synchronize();
 * }
 * }</pre>
 *
 * The functions themselves stand in one table, {@code DriverFunction}, with the binary interface
 * each is wanted in; they are resolved when first used, so an old driver is refused only where it
 * falls short. Numbers of enums and structs carry the name they have in {@code cuda.h}.
 *
 * <h2>Rules</h2>
 *
 * <ul>
 *   <li>Nothing here lies on the path of a task: a task is a record in mapped memory.
 *   <li>While a kernel is resident, loading and unloading modules, freeing memory and waiting for
 *       the context do not come back. Each method says so.
 *   <li>No call is linked as critical, since most can block.
 *   <li>Platform threads only: CUDA's current context belongs to the OS thread.
 * </ul>
 *
 * <h2>The compiler</h2>
 *
 * {@link io.gpuos.driver.Nvrtc} needs neither driver nor GPU. {@link
 * io.gpuos.driver.CacheDirectory} is the private folder its results, and unpacked libraries, are
 * kept in.
 */
package io.gpuos.driver;
