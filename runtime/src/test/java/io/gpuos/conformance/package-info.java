/**
 * What every device must do: one suite, one subclass per device.
 *
 * <p>{@link io.gpuos.conformance.DeviceConformance} gathers the topics, each an interface with its
 * tests: functions one by one, random expressions, the order of execution, threads, refusals,
 * memory. The CPU device runs them in every build; the CUDA device where there is one, or by {@link
 * io.gpuos.conformance.ConformanceMain} on a machine without Maven.
 *
 * <p>Values are checked against {@code io.gpuos.ir.Oracle}, which also says how far a correct
 * device may be off: nothing, where arithmetic is exact or rounds correctly; some units in the last
 * place for a function, and what they grow to on the way to the result; and "cannot tell" behind a
 * comparison that a rounding decides. Order is checked against the same program run one step at a
 * time, and must match bit for bit.
 *
 * <p>Matrix products have no place in the oracle: {@code MatmulConformance} checks them, and {@code
 * MixedExpressionTest} what is planned around them, against plain loops.
 *
 * <p>Everything random follows from one seed, {@code -Dgpuos.conformance.seed}, and a failure
 * prints what it takes to see it again: the seed and number of the case, and the smallest
 * expression, views and values that still fail. {@code -Dgpuos.conformance.cases} sets the number
 * of random expressions, {@code -Dgpuos.conformance.only} picks one; {@code
 * -Dgpuos.conformance.graphs} sets the number of random graphs.
 */
package io.gpuos.conformance;
