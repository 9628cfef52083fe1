package io.gpuos.inject;

/**
 * What the resident kernel was launched with, which code brought in later has to make do with.
 *
 * @param architecture of the GPU, such as {@code sm_90}
 * @param registers of a thread
 * @param stackBytes of a thread that are left for an operator and everything it calls
 */
public record Limits(String architecture, int registers, int stackBytes) {}
