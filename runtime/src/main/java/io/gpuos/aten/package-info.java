/**
 * From what PyTorch calls to a {@link io.gpuos.Program}. Pure Java: a graph comes as text, so all
 * of this is tested without PyTorch.
 *
 * <pre>
 * text --AtenGraph.parse--&gt; AtenGraph --AtenTable--&gt; expressions --AtenProgram--&gt; Program
 * </pre>
 *
 * <ul>
 *   <li>{@link io.gpuos.aten.AtenGraph} is what was traced: storages, tensors in them, calls.
 *       Views, writing in place and {@code out=} need no treatment of their own: a view is another
 *       tensor of the same storage, and a result in place is that tensor again.
 *   <li>{@link io.gpuos.aten.AtenTable} has an entry for each overload: how its result follows from
 *       its arguments, as an expression of {@code io.gpuos.ir}. {@link
 *       io.gpuos.aten.AtenTable#refusal} says in words what it does not compute, call by call, so
 *       that a caller can cut a graph and leave the rest to PyTorch. {@code docs/aten.md} is
 *       rendered from it.
 *   <li>{@link io.gpuos.aten.InjectedOperators} are those that users add by name, {@code
 *       gpuos::NAME}.
 *   <li>{@link io.gpuos.aten.AtenProgram} records a graph, none of whose calls is refused.
 * </ul>
 *
 * <h2>The text of a graph</h2>
 *
 * UTF-8, one record a line, fields separated by one space; the first line is {@code gpuos-aten 1}.
 *
 * <pre>
 * storage 0 32 input
 * tensor 0 0 f32 0 [2,4] [4,1]
 * call 0 aten::add.Scalar self=%0 other=1.5 alpha=1 -&gt; %1
 * </pre>
 *
 * <ul>
 *   <li>{@code storage <id> <bytes> <role>}: an allocation. {@code input} and {@code output} are
 *       passed at every replay, the latter without contents; {@code temporary} is the program's.
 *   <li>{@code tensor <id> <storage> <dtype> <offset> [sizes] [strides]}: offset and strides in
 *       elements; dtype one of f64, f32, f16, bf16, i64, i32, i16, i8, u8, bool.
 *   <li>{@code call <index> <operator> <argument>=<value> ... -> %1,%2}: every argument of the
 *       schema by name. Values are {@code %1}, {@code 7}, {@code 1.0}, {@code inf}, {@code true},
 *       {@code null}, {@code "text"}, {@code dtype:f32}, lists of these, or {@code ?} and a
 *       description of something else, which refuses the call. {@code %-} is a result that nobody
 *       keeps.
 * </ul>
 *
 * <h2>What a result is</h2>
 *
 * The one that PyTorch computes: operands convert to their common type, by the rules of {@code
 * torch.result_type}; half types are computed in float32 and rounded at the end of each operator,
 * numbers are not rounded to half types before. The tensors that PyTorch had are the proof: a call
 * whose computed type or shape is another than the traced one's is refused. Results in place and
 * those of {@code out=} convert to the type they are written to.
 *
 * <p>Where an operand would be read after it was overwritten, as in {@code x.addmm_(x, y)}, the
 * result is computed aside and copied.
 *
 * <p>All types here are immutable, injected operators aside; all static methods may be called from
 * any thread.
 */
package io.gpuos.aten;
