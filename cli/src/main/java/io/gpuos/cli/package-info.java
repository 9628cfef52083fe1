/**
 * The {@code gpuos} command: one class for each subcommand, all listed at {@link
 * io.gpuos.cli.Main}. A command reads its options, has the work done by the package named after it,
 * and prints.
 *
 * <p>Standard output carries results only, so that it can be piped; progress, log lines and errors
 * go to standard error. A command fails by throwing: {@link io.gpuos.error.GpuosException} becomes
 * its message, one line, and exit code {@value io.gpuos.cli.Main#EXIT_INVALID}; anything unexpected
 * is a defect of GPUOS and becomes a stack trace and exit code {@value
 * io.gpuos.cli.Main#EXIT_DEFECT}. Where a command computed and a result was wrong, the exit code is
 * {@value io.gpuos.cli.Main#EXIT_WRONG}.
 */
package io.gpuos.cli;
