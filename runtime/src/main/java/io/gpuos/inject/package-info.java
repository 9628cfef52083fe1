/**
 * How operators come into running workers, and are replaced there.
 *
 * <p>{@link io.gpuos.inject.OperatorTable} keeps the logical operators of a device. A task names a
 * logical operator; its alias names the generation that workers run; publishing another generation
 * turns the alias, one word. Both devices use the same table; what an alias is, an address in
 * device memory or an element of an array, is the device's business.
 *
 * <p>{@link io.gpuos.inject.NamedOperator} is what a user replaces: one name, and a logical
 * operator for each {@link io.gpuos.inject.Variant}, the combination of types it is used with. Its
 * variants change generation together:
 *
 * <pre>
 *   compile for every variant  -&gt;  wait until drained  -&gt;  turn every alias
 *   (may refuse: no change)         (may time out: no change)
 * </pre>
 *
 * <p>Two locks, in this order: {@code changing} excludes publications and first uses of variants
 * from each other and is held while they compile; the monitor guards what is current and every turn
 * of an alias, and is never held while something is compiled or waited for. A rollback takes the
 * monitor only.
 */
package io.gpuos.inject;
