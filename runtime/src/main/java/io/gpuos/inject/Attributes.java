package io.gpuos.inject;

import io.gpuos.inject.Cubin.Attribute;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The attributes of a cubin by what they describe. Those of the whole file that are not about one
 * function are checked here: unknown ones are refused.
 */
final class Attributes {

  /** {@code EIATTR_REGCOUNT}: registers of a thread. */
  static final int REGCOUNT = 0x2f;

  /** {@code EIATTR_FRAME_SIZE}: stack of a thread for the function alone. */
  static final int FRAME_SIZE = 0x11;

  private static final int MIN_STACK_SIZE = 0x12;
  private static final int MAX_STACK_SIZE = 0x23;
  private static final int MERCURY_ISA_VERSION = 0x5f;
  private static final int TWO_WORDS = 8;

  private final Map<Integer, List<Attribute>> byCode;
  private final Map<Integer, List<Attribute>> bySymbol;

  Attributes(Cubin cubin) {
    Map<Integer, List<Attribute>> byOwner =
        cubin.attributes().stream().collect(Collectors.groupingBy(Attribute::owner));
    List<Attribute> ofFile = byOwner.getOrDefault(0, List.of());
    byCode = new HashMap<>(byOwner);
    byCode.remove(0);
    bySymbol =
        ofFile.stream()
            .filter(Attributes::isAboutFunction)
            .collect(Collectors.groupingBy(attribute -> attribute.word(0)));
  }

  /** Whether the record names a function by its symbol; refuses what is not known. */
  private static boolean isAboutFunction(Attribute attribute) {
    return switch (attribute.code()) {
      case REGCOUNT, FRAME_SIZE, MIN_STACK_SIZE, MAX_STACK_SIZE -> {
        if (attribute.payload().byteSize() != TWO_WORDS) {
          throw refused(attribute, "two words");
        }
        yield true;
      }
      case MERCURY_ISA_VERSION -> false;
      default -> throw refused(attribute, "one that asks nothing of a loader");
    };
  }

  /** Records in {@code .nv.info} about the function of that symbol; its index is word 0. */
  List<Attribute> ofFunctionInFile(int symbol) {
    return bySymbol.getOrDefault(symbol, List.of());
  }

  /** Records in the {@code .nv.info} section of its own that a code section has. */
  List<Attribute> ofCode(int section) {
    return byCode.getOrDefault(section, List.of());
  }

  private static RuntimeException refused(Attribute attribute, String expected) {
    return Refusal.of(
        "attribute", ".nv.info", AttributeRules.fact(attribute, attribute.value()), expected);
  }
}
