package io.gpuos.abi;

/** Who writes or reads a shared word. Every word has exactly one writing side. */
public enum Side {
  HOST,
  DEVICE,
  BOTH
}
