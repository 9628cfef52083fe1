/**
 * Where results go: one policy for every file that GPUOS writes for a user, whichever command or
 * format it is.
 *
 * <ul>
 *   <li>A regular file, or a name that is free, is written aside under a name of its own, in the
 *       same directory, and renamed when complete: a reader sees the old file or the whole new one.
 *       Several files of one {@link io.gpuos.file.OutputFiles} are renamed together, after the last
 *       is complete.
 *   <li>A symbolic link is followed, also to a file that is not there yet; the link stays.
 *   <li>A device or a pipe is opened and written, never replaced. So are {@code /dev/stdout} and
 *       its like. The name {@code -} is standard output.
 * </ul>
 *
 * <p>What was written aside goes when the write fails and when the process is told to end (SIGTERM,
 * SIGINT); only a process that is killed leaves a {@code .gpuos-*.tmp}.
 */
package io.gpuos.file;
