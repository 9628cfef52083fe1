/**
 * The user API.
 *
 * <p>Open a runtime with {@link io.gpuos.Gpuos#open()}, make {@link io.gpuos.Tensor}s, describe an
 * {@link io.gpuos.Operator} by an expression, and run it:
 *
 * <pre>{@code
 * try (var gpu = Gpuos.open()) {
 *   Tensor a = gpu.tensor(new float[] {1, 2, 3, 4}, 2, 2);
 *   Tensor b = gpu.tensor(new float[] {10, 20}, 2);
 *   Tensor y = gpu.run(Operator.of("relu(a - b) / 2"), a, b);
 * }
 * }</pre>
 *
 * <p>{@link io.gpuos.Gpuos#submit} returns at once with a {@link io.gpuos.Submission}; {@link
 * io.gpuos.Gpuos#prepare} checks everything once and gives a {@link io.gpuos.Call} that is then
 * submitted any number of times in nanoseconds; {@link io.gpuos.Gpuos#batch} puts calls together,
 * which is cheaper still. {@link io.gpuos.Gpuos#synchronize} waits for everything.
 *
 * <p>{@link io.gpuos.Gpuos#inject} gives an operator a name, under which it is replaced while it is
 * used; {@link io.gpuos.LiveOperator} says what that means and rolls it back, and a {@link
 * io.gpuos.Candidate} is tried before it replaces anything. A {@link io.gpuos.CudaOperator} is one
 * whose function is written in CUDA C++.
 *
 * <p>{@link io.gpuos.Gpuos#record} records operations on {@link io.gpuos.SymbolicTensor}s into a
 * {@link io.gpuos.Program}, which fuses them and is replayed with other inputs; {@link
 * io.gpuos.Gpuos#function} records by itself when it meets other types or shapes:
 *
 * <pre>{@code
 * Operator scale = Operator.of("x * w");
 * Operator sum = Operator.of("sum(relu(x), axis=-1)");
 * try (Program program = gpu.record(scope -> {
 *   SymbolicTensor x = scope.input(DType.F32, 2, 2);
 *   return List.of(scope.apply(sum, scope.apply(scale, x, scope.use(weights))));
 * })) {
 *   Tensor y = program.run(a).getFirst();
 * }
 * }</pre>
 *
 * <p>{@link io.gpuos.Tensors} joins tensors, and normalises groups of channels.
 *
 * <p>Everything here is thread-safe unless its documentation says otherwise. Results equal
 * sequential execution in the order of submission; operations that do not share memory run in
 * parallel. Errors are the unchecked exceptions of {@link io.gpuos.error}.
 */
package io.gpuos;
