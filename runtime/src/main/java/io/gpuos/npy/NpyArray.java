package io.gpuos.npy;

import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.lang.foreign.MemorySegment;

/**
 * The contents of a {@code .npy} file.
 *
 * @param layout row-major or, if {@code fortranOrder}, column-major; without gaps
 * @param fortranOrder what the file says, also where the shape makes no difference
 * @param data the elements in the machine's byte order and nothing else; read-only, need not be
 *     aligned, lives as long as the arena it was read into
 */
public record NpyArray(Layout layout, boolean fortranOrder, MemorySegment data) {

  /** The element type. */
  public DType dtype() {
    return layout.dtype();
  }

  /** A copy of the shape. */
  public long[] shape() {
    return layout.shape();
  }
}
