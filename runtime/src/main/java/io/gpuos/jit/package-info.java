/**
 * From CUDA source to machine code: {@link io.gpuos.jit.CompileService} hands a {@link
 * io.gpuos.jit.CompileRequest} to the compiler in the background and keeps the result in a {@link
 * io.gpuos.jit.DiskCache}.
 *
 * <pre>{@code
 * try (CompileService service = CompileService.open(cuda.driverVersion(), abiVersion)) {
 *   byte[] cubin = service.compile(new CompileRequest(source, headers, options, "sm_90")).join();
 * }
 * }</pre>
 *
 * <h2>The cache</h2>
 *
 * An entry's name is a digest of everything that decides over the code: source, headers, options,
 * architecture, and the versions of compiler, driver and shared records. So nothing is ever
 * outdated, only unused, and what is unused longest goes first when room is short. Since entries
 * are executed, the folder and its files must be this user's alone, links are refused, and every
 * load compares the payload with its digest.
 *
 * <p>Without a compiler or a cache the rest of GPUOS goes on: a missing cache costs time, a missing
 * compiler is a {@link io.gpuos.error.DeviceUnavailableException} that says where was looked.
 */
package io.gpuos.jit;
