package io.gpuos.inject;

/**
 * An operator in device memory, ready to be called.
 *
 * @param entry device address of the function
 * @param registers a thread needs
 * @param stackBytes a thread needs for the function and everything it calls
 * @param codeBytes of machine code
 * @param imageBytes taken of the arena
 * @param functions the operator consists of
 */
public record InjectedCode(
    long entry, int registers, int stackBytes, int codeBytes, int imageBytes, int functions) {}
