/**
 * The Java half of the Python package.
 *
 * <p>Python starts a JVM in its own process, or takes the one that is there, and calls one method
 * over JNI: {@link io.gpuos.python.Bridge#table()}. It returns the address of a table of C
 * functions; from then on only those are called, from any thread ({@link
 * io.gpuos.python.EntryPoints} lists them, {@code python/src/gpuos/_bridge.py} is the other half).
 *
 * <p>No exception crosses: every function gives 0, or the address of a text that names the error.
 * Texts that Java hands out ({@link io.gpuos.python.Texts}) live until Python gives them back;
 * runtimes and programs are numbers ({@link io.gpuos.python.Handles}), so a stale one is an error
 * and not a crash. What a traced graph means is the matter of {@link io.gpuos.python.Graphs}.
 */
package io.gpuos.python;
