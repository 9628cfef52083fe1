/**
 * What operations cost. A benchmark measures in rounds, checks the results of every round before
 * its time counts, and keeps each round's number; {@link io.gpuos.cli.bench.Environment} says where
 * and how it was run, so that a result can be read, and repeated, later.
 *
 * <p>Machine hygiene: nothing else running, and several runs. On the CPU device workers and the
 * submitting thread share the processors, so one more than there are workers is better.
 */
package io.gpuos.cli.bench;
