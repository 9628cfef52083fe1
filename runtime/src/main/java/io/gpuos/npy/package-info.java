/**
 * NumPy's {@code .npy} files: versions 1.0, 2.0 and 3.0 of the format, both element orders, both
 * byte orders. {@link io.gpuos.npy.NpyFile} reads and writes; what it cannot make sense of is
 * refused with one line that names the file, before memory is allocated for it.
 *
 * <p>A file is: the magic {@code \x93NUMPY}, two bytes of version, the length of the header (two
 * bytes in version 1, four later, least significant first), the header, the elements. The header is
 * a Python dictionary in ASCII with three entries:
 *
 * <pre>{@code {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }}</pre>
 *
 * <p>padded with spaces and a line feed so that the elements begin at a multiple of 64 bytes. The
 * description is NEP 1 and the documentation of {@code numpy.lib.format}.
 */
package io.gpuos.npy;
