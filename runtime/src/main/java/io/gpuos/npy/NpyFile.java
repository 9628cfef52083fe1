package io.gpuos.npy;

import io.gpuos.error.FileFormatException;
import io.gpuos.file.OutputFiles;
import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Reads and writes {@code .npy} files. Element types: {@code f8 f4 f2 i8 i4 i2 i1 u1 b1}; files may
 * be larger than 2 GB. All failures are {@link FileFormatException}s of one line.
 */
public final class NpyFile {

  private NpyFile() {}

  /**
   * Reads a file. Elements in the machine's byte order are mapped, not copied: they must not be
   * changed in place or cut off by others while the arena lives. Replacing the file is safe, and so
   * is {@link #write} to its path.
   *
   * @param arena owns the elements; may be shared, confined, automatic or global
   * @throws FileFormatException if the file is missing, not to be read, no regular file, not in the
   *     format, shorter or longer than its header says, or has elements of another type
   */
  public static NpyArray read(Path file, Arena arena) {
    return new NpyReader(file, arena).read();
  }

  /**
   * Checks that {@link #write} could write a tensor of this type to this path now, by making and
   * removing an empty file beside it: for callers with much to do before they have something to
   * write.
   *
   * @throws FileFormatException as {@link #write}
   */
  public static void requireWritable(Path file, DType dtype) {
    new NpyWriter(file, NpyWriter.CHUNK_BYTES).requireWritable(dtype);
  }

  /**
   * Writes a tensor of any layout, as version 1.0, in the machine's byte order: column-major if it
   * lies so without gaps and is not row-major, as {@code numpy.save}, otherwise row-major. The file
   * is written as {@link io.gpuos.file} says of all: a reader sees the old file or the whole new
   * one, links are followed, devices and pipes are written to, and nothing is left behind on
   * failure.
   *
   * @param memory host memory
   * @param offset where the layout's first element lies in {@code memory}, in bytes
   * @throws FileFormatException if the path is not to be written, or the type is BF16, for which
   *     the format has no name
   */
  public static void write(Path file, Layout layout, MemorySegment memory, long offset) {
    try (OutputFiles files = new OutputFiles()) {
      write(files, file, layout, memory, offset);
      files.commit();
    }
  }

  /**
   * As {@link #write(Path, Layout, MemorySegment, long)}, together with others: the file appears
   * when {@code files} are committed.
   */
  public static void write(
      OutputFiles files, Path file, Layout layout, MemorySegment memory, long offset) {
    new NpyWriter(file, NpyWriter.CHUNK_BYTES).write(files, layout, memory, offset);
  }
}
