/**
 * The {@code gpuos} command: one class for each subcommand, all listed at {@link
 * io.gpuos.cli.Main}.
 *
 * <p>Standard output carries results only, so that it can be piped; progress and errors go to
 * standard error. A command fails by throwing: {@link io.gpuos.error.GpuosException} becomes its
 * message, one line, and exit code {@value io.gpuos.cli.Main#EXIT_INVALID}; anything else is a
 * defect of GPUOS and becomes a stack trace and exit code {@value io.gpuos.cli.Main#EXIT_FAILED}.
 */
package io.gpuos.cli;
