package io.gpuos.cli.bench;

/**
 * One ordinary launch of a kernel of {@code peer.cu}.
 *
 * @param parameters as {@link io.gpuos.driver.CudaFunction#launch} takes them
 */
record PeerLaunch(String kernel, int blocks, int threads, long... parameters) {}
