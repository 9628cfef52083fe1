package io.gpuos.device.cuda;

/**
 * What workers call for a logical operator.
 *
 * @param address of the function
 * @param argument handed to it with every task; 0 if it takes none
 */
record Code(long address, long argument) {

  /** A function that takes no argument. */
  static Code at(long address) {
    return new Code(address, 0);
  }
}
