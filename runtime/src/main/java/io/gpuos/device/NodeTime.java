package io.gpuos.device;

/**
 * When one node of a program ran.
 *
 * @param node address of the node's record
 * @param worker number of the worker that ran it, from 0
 * @param beginNanos on a clock that all nodes of a replay share; likewise {@code endNanos}
 */
public record NodeTime(long node, int worker, double beginNanos, double endNanos) {}
