package io.gpuos.inject;

/**
 * Where a {@link CodeArena} gets device memory from. Called by one thread at a time, and never
 * while a device call could wait for a resident kernel to leave.
 */
public interface CodeMemory {

  /**
   * Device memory for code, which stays allocated for as long as anything may run it.
   *
   * @param bytes how many, a multiple of {@link CodeArena#ALIGNMENT}
   * @return its address, of any alignment. No code may ever have been executed there: caches of
   *     instructions keep the old code, also over a relaunch.
   */
  long allocate(long bytes);

  /**
   * Copies {@code code} to {@code address}, and waits until the copy is done.
   *
   * @return what lies there then, read from the device
   */
  byte[] write(long address, byte[] code);
}
