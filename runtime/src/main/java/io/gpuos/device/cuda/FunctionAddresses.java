package io.gpuos.device.cuda;

import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.CudaStream;
import io.gpuos.driver.PinnedBuffer;
import io.gpuos.error.DeviceException;
import io.gpuos.error.InjectionException;
import io.gpuos.inject.LinkedVariables;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Tells where operators' functions lie in an image that the driver has loaded. Every operator has a
 * variable, {@link #SOURCE}, whose first value is its key and its address; the driver fills that in
 * when it loads the image, and no kernel is needed to ask.
 *
 * <p>All variables are read by one copy of what lies between the first and the last, with offsets
 * from the image's own tables ({@link #plan}, before the workers are asked to leave). Nothing
 * promises that the driver keeps those offsets, hence the keys: where one is not found in its
 * place, the driver is asked for each variable.
 *
 * <p>Not thread-safe; called with the context current.
 */
final class FunctionAddresses implements AutoCloseable {

  /**
   * What is compiled with each operator; {@code gpuos_op}, {@code gpuos_told} and {@code gpuos_key}
   * are defined differently for each.
   */
  static final String SOURCE =
      """

      struct gpuos_told_record {
        unsigned long long key;
        gpuos_operator code;
      };
      extern "C" __device__ gpuos_told_record gpuos_told = {gpuos_key, gpuos_op};
      """;

  private static final String VARIABLE = "gpuos_told_";
  private static final int RECORD_BYTES = 2 * Long.BYTES;
  private static final int CODE = Long.BYTES;

  /** One copy brings no more; far more than the variables of most images. */
  private static final int STAGING_BYTES = 64 << 10;

  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private final CudaStream stream;
  private final PinnedBuffer staging;

  FunctionAddresses(CudaContext context) {
    stream = context.newStream();
    try {
      staging = context.memory().allocatePinned(STAGING_BYTES);
    } catch (RuntimeException failure) {
      stream.close();
      throw failure;
    }
  }

  /**
   * Where the variables are to be looked for.
   *
   * @param keys operators that are asked for, by their key of 16 hexadecimal digits
   * @param first the one whose variable lies first; empty if the image does not say
   * @param offsets bytes from the first variable to each operator's
   * @param told memory for all from the first to the last
   */
  record Plan(Set<String> keys, String first, Map<String, Integer> offsets, MemorySegment told) {}

  /** Options that make {@link #SOURCE} the one of the operator with that key. */
  static String[] options(String key) {
    return new String[] {"-Dgpuos_told=" + VARIABLE + key, "-Dgpuos_key=0x" + key + "ull"};
  }

  /** Finds what can be known before the image is loaded. */
  static Plan plan(byte[] image, Set<String> keys) {
    Map<String, Long> linked = linked(image);
    String first = "";
    long last = 0;
    for (String key : keys) {
      Long offset = linked.get(VARIABLE + key);
      if (offset == null) {
        return new Plan(keys, "", Map.of(), MemorySegment.NULL);
      }
      first = first.isEmpty() || offset < linked.get(VARIABLE + first) ? key : first;
      last = Math.max(last, offset);
    }
    long begin = first.isEmpty() ? 0 : linked.get(VARIABLE + first);
    Map<String, Integer> offsets = HashMap.newHashMap(keys.size());
    keys.forEach(key -> offsets.put(key, (int) (linked.get(VARIABLE + key) - begin)));
    byte[] told = new byte[Math.toIntExact(last - begin + RECORD_BYTES)];
    return new Plan(keys, first, offsets, MemorySegment.ofArray(told));
  }

  private static Map<String, Long> linked(byte[] image) {
    try {
      return LinkedVariables.offsets(image, VARIABLE);
    } catch (InjectionException _) {
      return Map.of();
    }
  }

  /**
   * Device addresses of the functions, by key.
   *
   * @throws DeviceException if the image does not tell them
   */
  Map<String, Long> read(CudaModule loaded, Plan plan) {
    Map<String, Long> addresses = HashMap.newHashMap(plan.keys().size());
    if (plan.first().isEmpty() || !readAtOnce(loaded, plan, addresses)) {
      readEach(loaded, plan.keys(), addresses);
    }
    return addresses;
  }

  /** Returns false if the variables do not lie where they were linked. */
  private boolean readAtOnce(CudaModule loaded, Plan plan, Map<String, Long> addresses) {
    long begin = loaded.global(VARIABLE + plan.first()).address();
    MemorySegment told = plan.told();
    for (long from = 0; from < told.byteSize(); from += STAGING_BYTES) {
      long length = Math.min(STAGING_BYTES, told.byteSize() - from);
      stream.copyToHost(staging.segment().asSlice(0, length), begin + from);
      stream.synchronize();
      MemorySegment.copy(staging.segment(), 0, told, from, length);
    }
    for (var operator : plan.offsets().entrySet()) {
      long code = told.get(WORD, operator.getValue() + CODE);
      if (told.get(WORD, operator.getValue()) != number(operator.getKey()) || code == 0) {
        return false;
      }
      addresses.put(operator.getKey(), code);
    }
    return true;
  }

  private void readEach(CudaModule loaded, Set<String> keys, Map<String, Long> addresses) {
    MemorySegment record = staging.segment().asSlice(0, RECORD_BYTES);
    for (String key : keys) {
      stream.copyToHost(record, loaded.global(VARIABLE + key).address());
      stream.synchronize();
      if (record.get(WORD, 0) != number(key) || record.get(WORD, CODE) == 0) {
        throw new DeviceException(
            String.format(
                Locale.ROOT,
                "image loaded differently: variable=%s%s, key=%016x, code=0x%x, expected=its own key and a function",
                VARIABLE,
                key,
                record.get(WORD, 0),
                record.get(WORD, CODE)));
      }
      addresses.put(key, record.get(WORD, CODE));
    }
  }

  private static long number(String key) {
    return Long.parseUnsignedLong(key, 16);
  }

  @Override
  public void close() {
    staging.close();
    stream.close();
  }
}
