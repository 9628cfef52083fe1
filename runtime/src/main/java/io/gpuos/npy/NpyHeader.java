package io.gpuos.npy;

import io.gpuos.layout.DType;
import io.gpuos.layout.Layout;
import java.nio.ByteOrder;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * What a header says.
 *
 * @param layout element type and shape, row-major or column-major
 * @param order byte order of the elements
 * @param fortranOrder whether elements are stored column-major
 */
record NpyHeader(Layout layout, ByteOrder order, boolean fortranOrder) {

  /** The dictionary, without padding. */
  String text() {
    String sizes =
        LongStream.of(layout.shape()).mapToObj(size -> size + ",").collect(Collectors.joining(" "));
    // Python writes (3, 4) and (3,): the last comma stays only where there is one size.
    String tuple = layout.rank() > 1 ? sizes.substring(0, sizes.length() - 1) : sizes;
    return "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }"
        .formatted(descr(layout.dtype(), order), fortranOrder ? "True" : "False", tuple);
  }

  private static String descr(DType dtype, ByteOrder order) {
    char endian = dtype.bytes() == 1 ? '|' : order == ByteOrder.LITTLE_ENDIAN ? '<' : '>';
    char kind =
        switch (dtype.category()) {
          case BOOLEAN -> 'b';
          case INTEGRAL -> dtype == DType.U8 ? 'u' : 'i';
          case FLOATING -> 'f';
        };
    return "" + endian + kind + dtype.bytes();
  }
}
