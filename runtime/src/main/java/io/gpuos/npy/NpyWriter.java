package io.gpuos.npy;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.gpuos.file.OutputFiles;
import io.gpuos.layout.DType;
import io.gpuos.layout.ElementCopy;
import io.gpuos.layout.Layout;
import io.gpuos.layout.View;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.stream.IntStream;

/** Writes one file. */
final class NpyWriter {

  /** Elements without a row-major home are gathered in pieces of about this many bytes. */
  static final long CHUNK_BYTES = 16 << 20;

  private static final int ALIGNMENT = 64;

  private final Path file;
  private final long chunkBytes;

  NpyWriter(Path file, long chunkBytes) {
    this.file = file;
    this.chunkBytes = chunkBytes;
  }

  void write(OutputFiles files, Layout layout, MemorySegment memory, long offset) {
    requireForm(layout.dtype());
    files.write(file, channel -> writeAll(channel, layout, memory, offset));
  }

  /** Everything that {@link #write} asks for, up to the last step. */
  void requireWritable(DType dtype) {
    requireForm(dtype);
    OutputFiles.requireWritable(file);
  }

  private void requireForm(DType dtype) {
    if (dtype == DType.BF16) {
      throw NpyErrors.refused(
          "element type has no .npy form",
          file,
          "dtype=BF16",
          "another type; convert the result: cast(x, f32)");
    }
  }

  private void writeAll(
      WritableByteChannel channel, Layout layout, MemorySegment memory, long offset)
      throws IOException {
    boolean fortranOrder = !layout.isContiguous() && isColumnMajor(layout);
    write(channel, preamble(new NpyHeader(layout, ByteOrder.nativeOrder(), fortranOrder)));
    if (layout.isContiguous() || fortranOrder) {
      write(channel, memory.asSlice(offset, layout.byteSize()));
    } else {
      try (Arena arena = Arena.ofConfined()) {
        writeRows(channel, layout, memory, offset, arena);
      }
    }
  }

  private static boolean isColumnMajor(Layout layout) {
    int last = layout.rank() - 1;
    int[] reversed = IntStream.rangeClosed(0, last).map(d -> last - d).toArray();
    return View.of(layout).permute(reversed).layout().isContiguous();
  }

  /** Gathers as many rows of the first dimension at a time as fit a chunk, but at least one. */
  private void writeRows(
      WritableByteChannel channel, Layout layout, MemorySegment memory, long offset, Arena arena)
      throws IOException {
    long rowBytes = layout.byteSize() / layout.size(0);
    long rows = Math.clamp(chunkBytes / rowBytes, 1, layout.size(0));
    MemorySegment chunk = arena.allocate(rows * rowBytes, Long.BYTES);
    for (long row = 0; row < layout.size(0); row += rows) {
      View part = View.of(layout).slice(0, row, row + rows);
      long partOffset = offset + part.elementOffset() * layout.dtype().bytes();
      Layout target = Layout.contiguous(layout.dtype(), part.layout().shape());
      ElementCopy.copy(memory, partOffset, part.layout(), chunk, 0, target);
      write(channel, chunk.asSlice(0, target.byteSize()));
    }
  }

  private static MemorySegment preamble(NpyHeader header) {
    byte[] text = header.text().getBytes(StandardCharsets.US_ASCII);
    int unpadded = NpyReader.PREAMBLE_BYTES + text.length + 1;
    int padding = Math.floorMod(-unpadded, ALIGNMENT);
    ByteBuffer buffer = ByteBuffer.allocate(unpadded + padding).order(ByteOrder.LITTLE_ENDIAN);
    buffer.put(NpyReader.MAGIC).put((byte) 1).put((byte) 0);
    buffer.putShort((short) (text.length + padding + 1));
    buffer.put(text);
    buffer.put(" ".repeat(padding).getBytes(StandardCharsets.US_ASCII)).put((byte) '\n');
    return MemorySegment.ofArray(buffer.array());
  }

  /** Writes all bytes, in pieces a byte buffer can name. */
  private void write(WritableByteChannel channel, MemorySegment bytes) throws IOException {
    for (long at = 0; at < bytes.byteSize(); at += chunkBytes) {
      long length = Math.min(chunkBytes, bytes.byteSize() - at);
      MemorySegment slice = bytes.asSlice(at, length);
      // Only native memory and byte arrays can be seen as a byte buffer.
      ByteBuffer piece =
          slice.isNative() ? slice.asByteBuffer() : ByteBuffer.wrap(slice.toArray(JAVA_BYTE));
      while (piece.hasRemaining()) {
        channel.write(piece);
      }
    }
  }
}
