/**
 * The main job as a demonstration: many small operations through resident workers, every result
 * checked against a plain reference.
 *
 * <p>Each tensor has a <em>twin</em>: a Java array that plain loops compute in double, or in long
 * for integers, one operation after the other in the order of submission. They share no code with
 * the runtime: what both agree on, both have computed. In detail, {@link io.gpuos.cli.demo.Demo}
 * does this with each {@link io.gpuos.cli.demo.Group} of operations:
 *
 * <ol>
 *   <li>prepare: tensors are made, operators compiled
 *   <li>rehearse: everything is submitted once and forgotten, so that the JVM compiles its loops
 *   <li>reset: tensors that operations write are filled with values no result can have
 *   <li>run: everything is submitted and waited for; this alone is timed
 *   <li>check: the reference computes, then every element of every written tensor is compared,
 *       those between the elements of a view too
 * </ol>
 *
 * <p>{@link io.gpuos.cli.demo.Groups} lists what is computed.
 */
package io.gpuos.cli.demo;
