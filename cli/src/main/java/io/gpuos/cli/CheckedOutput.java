package io.gpuos.cli;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.Optional;

/**
 * Where a command prints its results. Writers that print do not throw, so the first failure is kept
 * to be asked for at the end.
 */
final class CheckedOutput extends FilterOutputStream {

  private IOException failure;

  CheckedOutput(OutputStream out) {
    super(out);
  }

  PrintWriter writer(Charset charset) {
    return new PrintWriter(this, true, charset);
  }

  @Override
  public void write(int value) throws IOException {
    write(new byte[] {(byte) value}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    try {
      out.write(bytes, offset, length);
    } catch (IOException e) {
      failure = failure == null ? e : failure;
      throw e;
    }
  }

  /** Why something that was printed has not arrived. */
  Optional<IOException> failure() {
    return Optional.ofNullable(failure);
  }
}
