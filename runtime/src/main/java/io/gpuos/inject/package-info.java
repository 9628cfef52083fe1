/**
 * How operators come into running workers, and are replaced there.
 *
 * <p>{@link io.gpuos.inject.OperatorTable} keeps the logical operators of a device. A task names a
 * logical operator; its alias names the generation that workers run; publishing another generation
 * turns the alias, one word. Both devices use the same table; what an alias is, an address in
 * device memory or an element of an array, is the device's business.
 */
package io.gpuos.inject;
