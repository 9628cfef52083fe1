package io.gpuos.inject;

import io.gpuos.error.InjectionException;
import io.gpuos.error.OutOfMemoryException;
import java.util.List;

/** Brings compiled operators into device memory: read, verify, link, place. */
public final class Injector {

  /**
   * What operators are to be compiled with, besides the register budget: the compiler keeps
   * literals of doubles in a constant bank on sm_80 otherwise, and those banks belong to the
   * kernel.
   */
  public static final List<String> COMPILE_OPTIONS =
      List.of("--ptxas-options=--disable-optimizer-constants");

  private Injector() {}

  /**
   * Refuses what {@link #inject} would refuse, and brings nothing in.
   *
   * @throws InjectionException with the reason
   */
  public static void verify(byte[] cubin, String entry, Limits limits) {
    new CubinLinker(CubinVerifier.verify(CubinReader.read(cubin), entry, limits));
  }

  /**
   * Brings the function {@code entry} of {@code cubin} into {@code arena}. Thread-safe. Publishing
   * the address, so that workers call it, is left to the caller.
   *
   * @param cubin relocatable machine code, as the compile service makes it
   * @param entry name of the function
   * @param limits what the resident kernel was launched with
   * @throws InjectionException if the code is malformed or refused, or arrived differently
   * @throws OutOfMemoryException if the arena is full
   */
  public static InjectedCode inject(byte[] cubin, String entry, Limits limits, CodeArena arena) {
    VerifiedCubin operator = CubinVerifier.verify(CubinReader.read(cubin), entry, limits);
    CubinLinker linker = new CubinLinker(operator);
    CodeImage image = arena.place(linker.size(), linker::link);
    return new InjectedCode(
        image.entry(),
        operator.registers(),
        operator.stackBytes(),
        image.codeBytes(),
        image.size(),
        operator.code().size());
  }
}
