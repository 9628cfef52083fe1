package io.gpuos.python;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.List;

/** The only class that Python names: makes the table of C functions. */
public final class Bridge {

  /** Version of the table: rises when a function or its meaning changes. */
  static final long VERSION = 2;

  /** One function: a static method of {@link EntryPoints} that takes and gives 64-bit words. */
  private record Function(String name, int words) {}

  /** In the order of the table. Python has the same list. */
  private static final List<Function> FUNCTIONS =
      List.of(
          new Function("open", 3),
          new Function("close", 1),
          new Function("describe", 2),
          new Function("support", 3),
          new Function("compile", 6),
          new Function("replay", 4),
          new Function("explain", 2),
          new Function("svg", 2),
          new Function("release", 1),
          new Function("free", 1),
          new Function("inject", 7),
          new Function("infer", 3));

  private static long table;

  private Bridge() {}

  /**
   * The address of the table, which stays for the life of the JVM: 64-bit words, the version, the
   * number of functions, then their addresses. Made once; callable by any thread.
   */
  public static synchronized long table() {
    if (table == 0) {
      table = make();
    }
    return table;
  }

  private static long make() {
    MemorySegment words = Arena.global().allocate(ValueLayout.JAVA_LONG, 2 + FUNCTIONS.size());
    words.setAtIndex(ValueLayout.JAVA_LONG, 0, VERSION);
    words.setAtIndex(ValueLayout.JAVA_LONG, 1, FUNCTIONS.size());
    for (int k = 0; k < FUNCTIONS.size(); k++) {
      words.setAtIndex(ValueLayout.JAVA_LONG, 2 + k, stub(FUNCTIONS.get(k)));
    }
    return words.address();
  }

  private static long stub(Function function) {
    Class<?>[] parameters = new Class<?>[function.words];
    ValueLayout[] layouts = new ValueLayout[function.words];
    for (int k = 0; k < function.words; k++) {
      parameters[k] = long.class;
      layouts[k] = ValueLayout.JAVA_LONG;
    }
    try {
      MethodHandle method =
          MethodHandles.lookup()
              .findStatic(
                  EntryPoints.class, function.name, MethodType.methodType(long.class, parameters));
      return Linker.nativeLinker()
          .upcallStub(method, FunctionDescriptor.of(ValueLayout.JAVA_LONG, layouts), Arena.global())
          .address();
    } catch (ReflectiveOperationException missing) {
      throw new AssertionError(missing);
    }
  }
}
