/**
 * From what a user writes to what a generator compiles. Pure: no devices, no memory, no files.
 *
 * <h2>The way of an expression</h2>
 *
 * <pre>
 * text --ExpressionParser--&gt; Expr --Typer--&gt; TypedGraph --Planner--&gt; ExpressionPlan of Kernels
 * </pre>
 *
 * <ol>
 *   <li>{@link io.gpuos.ir.ExpressionParser} reads the expression language; {@link
 *       io.gpuos.ir.Expr} also has methods to build the same expressions from Java. Neither knows
 *       types or shapes.
 *   <li>{@code Typer} gives each part its type and shape, by PyTorch's rules ({@code Promotion},
 *       {@link io.gpuos.ir.TypeRule}), makes every conversion a node, and computes what consists of
 *       literals only. Equal parts become one node.
 *   <li>{@code Planner} cuts the graph into steps: elementwise work is fused into the reduction
 *       that consumes it and into the matrix product that it consumes, values of one shape share a
 *       kernel, and whatever exceeds the limits of a kernel goes through temporaries. {@code
 *       RowPlanner} finds folds over the same rows, and what follows from them, which become one
 *       {@link io.gpuos.ir.Kernel.Rows}.
 *   <li>{@link io.gpuos.ir.Kernel} is the contract with the code generators; {@link
 *       io.gpuos.ir.Verifier} checks every one, {@link io.gpuos.ir.KernelText} writes it down.
 * </ol>
 *
 * <p>{@link io.gpuos.ir.Definition} is an expression that is one kernel, whose operands come in the
 * order of its inputs: what an operator computes that can be replaced.
 *
 * <h2>The tables</h2>
 *
 * {@link io.gpuos.ir.Function} and {@link io.gpuos.ir.Reducer} are the only places that list
 * functions: parser, type rules, generators and documentation read them. {@link
 * io.gpuos.ir.Composite} and {@link io.gpuos.ir.ProductFunction} list what only the parser knows:
 * names for expressions of these, and of products and attention. {@link io.gpuos.ir.ArrayFunction}
 * lists functions of whole tensors, which {@code ArrayTyper} spells out when shapes are known. A
 * {@link io.gpuos.ir.ForeignFunction} is in none: it brings its own text, in CUDA C++.
 *
 * <h2>Where values differ from PyTorch's</h2>
 *
 * <ul>
 *   <li>Between the functions of one kernel, half types are not rounded; PyTorch rounds after each.
 *       The result of a reduction is, whether it is stored or not.
 *   <li>An integer literal that its type cannot hold is an error; PyTorch wraps it.
 *   <li>A floating value out of the range of int64 or int32 converts to the nearest end of it, and
 *       NaN to 0; to int16, int8 and uint8 it converts to int32 first, of which the low bits stay:
 *       300.0 is 44 as uint8, and 3e9 is 255. PyTorch gives what the processor gives. Host memory
 *       and both devices convert by this one rule.
 *   <li>{@code any} and {@code all} of uint8 give bool; {@code argmax} folds several axes at once.
 *   <li>{@code sign} of NaN is NaN; PyTorch gives 0.
 *   <li>An integer divided by zero gives 0, and a shift by a negative count or by the width and
 *       more gives 0 to the left and the sign to the right.
 * </ul>
 *
 * <h2>Literals</h2>
 *
 * A literal has no type of its own: it takes that of the tensors it meets, so {@code 0.1 * a} has
 * all digits of a float64 {@code a}, and literals among themselves are computed in float64. One
 * that becomes a tensor without meeting another is float32, int64 or bool, as in PyTorch: {@code
 * where(a > 0, 0.1, 0.2)} and {@code norm(0.1)} are float32, also where their result is multiplied
 * by a float64 tensor. {@code cast(0.1, f64)} keeps the digits.
 *
 * <p>All types here are immutable and free of locks; all static methods may be called from any
 * thread.
 */
package io.gpuos.ir;
