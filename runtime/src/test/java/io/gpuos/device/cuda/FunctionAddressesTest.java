package io.gpuos.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.driver.CudaContext;
import io.gpuos.driver.CudaModule;
import io.gpuos.driver.FakeGpu;
import io.gpuos.error.DeviceException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Over a driver that the test plays; needs no compiler. */
class FunctionAddressesTest {

  private final FakeGpu gpu = new FakeGpu();
  private final CudaContext context = gpu.cuda().device(0).retainPrimaryContext();
  private final FunctionAddresses addresses = new FunctionAddresses(context);

  @AfterEach
  void close() {
    addresses.close();
    context.close();
  }

  private static Set<String> keys(int count) {
    Set<String> keys = new TreeSet<>();
    for (long k = 0; k < count; k++) {
      // Of both signs, as numbers.
      keys.add(String.format(Locale.ROOT, "%016x", k * 0x9e37_79b9_7f4a_7c15L));
    }
    return keys;
  }

  private byte[] link(Set<String> keys) {
    StringBuilder object = new StringBuilder();
    keys.forEach(key -> object.append("gpuos_told_").append(key).append('\0'));
    return context.link(Map.of("object", object.toString().getBytes(StandardCharsets.ISO_8859_1)));
  }

  private Map<String, Long> read(byte[] image, Set<String> keys) {
    CudaModule loaded = context.loadModule(image);
    return addresses.read(loaded, FunctionAddresses.plan(image, keys));
  }

  private void assertAddresses(Set<String> keys, Map<String, Long> found) {
    Map<String, Long> expected = new HashMap<>();
    keys.forEach(key -> expected.put(key, gpu.function(key)));
    assertEquals(expected, found);
  }

  private int asked(String function) {
    return Collections.frequency(gpu.callsSince("cuModuleLoadDataEx"), function);
  }

  @Test
  void shouldReadAllAtOnce() {
    Set<String> keys = keys(40);
    assertAddresses(keys, read(link(keys), keys));
    assertEquals(1, asked("cuModuleGetGlobal_v2"));
    assertEquals(1, asked("cuMemcpyDtoHAsync_v2"));
    assertEquals(1, asked("cuStreamSynchronize"));
    assertEquals(0, asked("cuLaunchKernel"));
  }

  @Test
  void shouldReadMoreThanOneCopyBrings() {
    Set<String> keys = keys(1500);
    assertAddresses(keys, read(link(keys), keys));
    assertEquals(1, asked("cuModuleGetGlobal_v2"));
    assertEquals(3, asked("cuMemcpyDtoHAsync_v2"));
  }

  @Test
  void shouldReadOnlyWhatIsAskedFor() {
    Set<String> keys = keys(9);
    Set<String> some = Set.copyOf(keys(5));
    Map<String, Long> found = read(link(keys), some);
    assertAddresses(some, found);
  }

  @Test
  void shouldAskForEachWhereTheDriverHasMovedThem() {
    gpu.scattered = true;
    Set<String> keys = keys(40);
    assertAddresses(keys, read(link(keys), keys));
    assertTrue(asked("cuModuleGetGlobal_v2") > 40);
  }

  @Test
  void shouldAskForEachWhereTheImageDoesNotTell() {
    Set<String> keys = keys(3);
    byte[] image = link(keys);
    assertFalse(FunctionAddresses.plan(image, keys).first().isEmpty());
    for (byte[] silent :
        new byte[][] {{}, new byte[100], "// PTX".getBytes(StandardCharsets.UTF_8)}) {
      assertAddresses(keys, read(silent, keys));
      assertEquals(3, asked("cuModuleGetGlobal_v2"));
    }
  }

  @Test
  void shouldNotBelieveAnotherVariable() {
    gpu.garbled = true;
    Set<String> keys = keys(3);
    byte[] image = link(keys);
    String message = assertThrows(DeviceException.class, () -> read(image, keys)).getMessage();
    assertTrue(message.startsWith("image loaded differently: variable=gpuos_told_"), message);
  }
}
