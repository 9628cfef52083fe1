/**
 * What operations cost. A benchmark warms up until its times settle, then measures in rounds and
 * keeps each round's number. Before a round, outside its time, outputs are poisoned by operators;
 * after the first, the last and one more at random every result is checked, and a wrong one ends
 * the benchmark. {@link io.gpuos.cli.bench.Environment} says where and how it was run, so that a
 * result can be read, and repeated, later.
 *
 * <p>{@link io.gpuos.cli.bench.ProgramsBenchmark} measures several programs in the same rounds, and
 * checks all of them before and after: they are compared with each other, and some take long to
 * check.
 *
 * <p>Machine hygiene: nothing else running, and several runs. On the CPU device workers and the
 * submitting thread share the processors, so one more than there are workers is better.
 */
package io.gpuos.cli.bench;
