/**
 * Where elements lie: types, shapes, strides, views, and the loop nests built from them. Pure: no
 * memory is allocated or owned here, nothing here knows a device, and every type but {@link
 * io.gpuos.layout.ElementCopy} and {@link io.gpuos.layout.Elements} only computes.
 *
 * <h2>From a tensor to a loop nest</h2>
 *
 * <p>A {@link io.gpuos.layout.Layout} is an element type, a shape and strides. A {@link
 * io.gpuos.layout.View} is a layout and how far its first element lies from where the chain of
 * views began: slicing, transposing and broadcasting only compute a new pair. {@link
 * io.gpuos.layout.Shapes} says which shape a call has.
 *
 * <p>An {@link io.gpuos.layout.IterationSpace} is what remains of all operands' layouts when an
 * operator runs: dimensions of size 1 are gone, the rest is ordered by stride, and neighbours that
 * are one run of memory for every operand are merged. Whatever the ranks and views of the tensors
 * were, adding two contiguous ones is a single line of steps 1, and workers see at most eight
 * dimensions.
 *
 * <p>{@link io.gpuos.layout.Overlap} tells whether an output may share memory with an input.
 *
 * <h2>Units</h2>
 *
 * <p>Strides and view offsets count elements, hulls and addresses count bytes, positions count
 * elements of the result.
 *
 * <h2>Interning and threads</h2>
 *
 * <p>Layouts and iteration spaces are immutable and interned, so that a call can recognise one it
 * has seen by comparing references. They are held weakly: shapes that are no longer used are
 * forgotten. Everything here may be used by any number of threads.
 */
package io.gpuos.layout;
