package io.gpuos.file;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * This process's standard output, unbuffered, which tells a reader that has gone from a failure.
 * {@code gpuos ... | head -1} is no error: once nobody reads any more, what is written is dropped
 * silently. Any other failure is thrown. Closing leaves the descriptor open.
 */
public final class StandardOutput extends OutputStream {

  /** File types in a mode, of {@code sys/stat.h}. */
  private static final int TYPE = 0170000;

  private static final int PIPE = 0010000;
  private static final int SOCKET = 0140000;

  private final OutputStream out = new FileOutputStream(FileDescriptor.out);
  private boolean readerGone;

  /** Opens nothing: the descriptor is there. */
  public StandardOutput() {}

  @Override
  public void write(int value) throws IOException {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    if (readerGone) {
      return;
    }
    try {
      out.write(bytes, offset, length);
    } catch (IOException e) {
      // A pipe does not fill up or break; a write to it fails when its other end is closed.
      readerGone = isPipe();
      if (!readerGone) {
        throw e;
      }
    }
  }

  private static boolean isPipe() {
    try {
      int type = TYPE & (int) Files.getAttribute(Path.of("/proc/self/fd/1"), "unix:mode");
      return type == PIPE || type == SOCKET;
    } catch (IOException | UnsupportedOperationException | IllegalArgumentException _) {
      return false;
    }
  }
}
