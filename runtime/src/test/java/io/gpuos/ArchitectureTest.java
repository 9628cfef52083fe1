package io.gpuos;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.gpuos.error.GpuosException;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.constantpool.Utf8Entry;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Holds the packages to the order of {@code docs/architecture.md}: a package uses those above it in
 * {@link #ORDER} and no others. Read from the compiled classes, so that nothing is overlooked.
 */
class ArchitectureTest {

  /** Each package may use those before it. Packages of one entry may not use each other. */
  private static final List<Set<String>> ORDER =
      List.of(
          Set.of("io.gpuos.error"),
          Set.of("io.gpuos.file"),
          Set.of("io.gpuos.layout"),
          Set.of("io.gpuos.npy"),
          Set.of("io.gpuos.ir"),
          Set.of("io.gpuos.schedule"),
          Set.of("io.gpuos.abi"),
          Set.of("io.gpuos.codegen"),
          Set.of("io.gpuos.interpret"),
          Set.of("io.gpuos.driver"),
          Set.of("io.gpuos.jit"),
          Set.of("io.gpuos.queue"),
          Set.of("io.gpuos.inject"),
          Set.of("io.gpuos.device"),
          Set.of("io.gpuos.device.cpu", "io.gpuos.device.cuda"),
          Set.of("io.gpuos"),
          Set.of("io.gpuos.aten"));

  /** A class of this project as class files name it: in descriptors, signatures and by itself. */
  private static final Pattern CLASS_NAME = Pattern.compile("(io/gpuos(?:/[a-z]+)*)/[A-Z]\\w*");

  /** One class uses something of a package. */
  private record Use(String type, String from, String to) {}

  @Test
  void shouldUseOnlyPackagesAbove() throws IOException, URISyntaxException {
    List<Use> uses = new ArrayList<>();
    for (Path file : classFiles()) {
      collectUses(ClassFile.of().parse(file), uses);
    }
    assertFalse(uses.isEmpty(), "no use of any package was found");
    assertEquals(List.of(), violations(uses));
  }

  @Test
  void shouldNameTheClassThatUsesAPackageBelowIt() {
    assertEquals(
        List.of("io.gpuos.ir.Bad uses io.gpuos.codegen"),
        violations(
            List.of(
                new Use("io.gpuos.ir.Bad", "io.gpuos.ir", "io.gpuos.codegen"),
                new Use("io.gpuos.ir.Good", "io.gpuos.ir", "io.gpuos.layout"))));
  }

  @Test
  void shouldKeepTheDevicesApart() {
    assertEquals(
        List.of("io.gpuos.device.cpu.Bad uses io.gpuos.device.cuda"),
        violations(
            List.of(
                new Use("io.gpuos.device.cpu.Bad", "io.gpuos.device.cpu", "io.gpuos.device.cuda"),
                new Use("io.gpuos.device.cpu.Good", "io.gpuos.device.cpu", "io.gpuos.device"))));
  }

  @Test
  void shouldRefusePackagesWithoutAPlace() {
    assertEquals(
        List.of("io.gpuos.misc.Any uses io.gpuos.error"),
        violations(List.of(new Use("io.gpuos.misc.Any", "io.gpuos.misc", "io.gpuos.error"))));
  }

  @Test
  void shouldListEveryFileOfTheDeviceSide() throws IOException {
    String page = Files.readString(Path.of("../docs/architecture.md"));
    try (Stream<Path> files = Files.list(Path.of("src/main/resources/io/gpuos/device"))) {
      assertEquals(
          List.of(),
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".cu") || name.endsWith(".cuh"))
              .filter(name -> !page.contains("`" + name + "`") && !isListedAsTwin(page, name))
              .toList());
    }
  }

  /** {@code `name.cu`, `.cuh`} lists both. */
  private static boolean isListedAsTwin(String page, String name) {
    return name.endsWith(".cuh") && page.contains("`" + name.replace(".cuh", ".cu") + "`, `.cuh`");
  }

  private static List<String> violations(List<Use> uses) {
    return uses.stream()
        .filter(use -> place(use.to()) < 0 || place(use.to()) >= place(use.from()))
        .map(use -> use.type() + " uses " + use.to())
        .toList();
  }

  /** Index in {@link #ORDER}, or -1 for a package that is not there. */
  private static int place(String packageName) {
    for (int i = 0; i < ORDER.size(); i++) {
      if (ORDER.get(i).contains(packageName)) {
        return i;
      }
    }
    return -1;
  }

  private static List<Path> classFiles() throws IOException, URISyntaxException {
    Path classes =
        Path.of(GpuosException.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    try (Stream<Path> files = Files.walk(classes)) {
      return files
          .filter(file -> file.toString().endsWith(".class"))
          .filter(file -> !file.endsWith("module-info.class"))
          .toList();
    }
  }

  private static void collectUses(ClassModel type, List<Use> uses) {
    String name = type.thisClass().asInternalName().replace('/', '.');
    String from = name.substring(0, name.lastIndexOf('.'));
    Set<String> packages = new TreeSet<>();
    for (PoolEntry entry : type.constantPool()) {
      if (entry instanceof Utf8Entry text) {
        Matcher matcher = CLASS_NAME.matcher(text.stringValue());
        while (matcher.find()) {
          packages.add(matcher.group(1).replace('/', '.'));
        }
      }
    }
    packages.remove(from);
    packages.forEach(to -> uses.add(new Use(name, from, to)));
  }
}
