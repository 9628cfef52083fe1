package io.gpuos.inject;

import io.gpuos.inject.Cubin.Attribute;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.util.Locale;

/**
 * What the attributes of a function ask for, refused where a running kernel does not give it. Every
 * code that is not named here is refused: an attribute is a demand on whoever loads the code.
 */
final class AttributeRules {

  // Named after EIATTR_*; see AttributeNames.
  private static final int EXTERNS = 0x0f;
  private static final int EXIT_INSTR_OFFSETS = 0x1c;
  private static final int CRS_STACK_SIZE = 0x1e;
  private static final int COOP_GROUP_INSTR_OFFSETS = 0x28;
  private static final int COOP_GROUP_MASK_REGIDS = 0x29;
  private static final int INT_WARP_WIDE_INSTR_OFFSETS = 0x31;
  private static final int SW2861232_WAR = 0x35;
  private static final int SW_WAR = 0x36;
  private static final int CUDA_API_VERSION = 0x37;
  private static final int VRC_CTA_INIT_COUNT = 0x4a;
  private static final int NUM_BARRIERS = 0x4c;
  private static final int SPARSE_MMA_MASK = 0x50;
  private static final int ANNOTATIONS = 0x55;
  private static final int MERCURY_ISA_VERSION = 0x5f;
  private static final int LANGUAGE = 0x66;
  private static final int NVSAL_SW_WAR = 0x6b;

  /** The workaround that is in the code itself, in all code for sm_90 and sm_100. */
  private static final int SW_WAR_OBSERVED = 8;

  private static final int UNSET = -1;

  private final Cubin cubin;
  private final Section code;
  private final Symbol function;
  private int registers = UNSET;
  private int frameBytes = UNSET;

  /** Checks the attributes of {@code function}, which is all of the section {@code code}. */
  AttributeRules(Cubin cubin, Section code, Symbol function) {
    this.cubin = cubin;
    this.code = code;
    this.function = function;
  }

  /** Registers of a thread that the function needs. */
  int registers() {
    return registers;
  }

  /** Stack of a thread that the function needs, without what it calls. */
  int frameBytes() {
    return frameBytes;
  }

  void check(Attributes attributes) {
    attributes.ofFunctionInFile(function.index()).forEach(this::ofFunctionInFile);
    attributes.ofCode(code.index()).forEach(this::ofFunction);
    if (registers == UNSET || frameBytes == UNSET) {
      throw refused("attribute missing", "function=" + function.name(), "REGCOUNT and FRAME_SIZE");
    }
  }

  private void ofFunctionInFile(Attribute attribute) {
    int value = attribute.word(1);
    if (value < 0) {
      throw refused("attribute", fact(attribute, value), "at least 0");
    }
    if (attribute.code() == Attributes.REGCOUNT) {
      registers = once(attribute, registers, value);
    } else if (attribute.code() == Attributes.FRAME_SIZE) {
      frameBytes = once(attribute, frameBytes, value);
    }
  }

  private int once(Attribute attribute, int before, int value) {
    if (before != UNSET) {
      throw refused("attribute twice", fact(attribute, value), "one of each");
    }
    return value;
  }

  private void ofFunction(Attribute attribute) {
    switch (attribute.code()) {
      case EXIT_INSTR_OFFSETS ->
          throw refused("exit", fact(attribute, word(attribute)), "a return");
      case EXTERNS -> throw refused("undefined symbol", "symbol=" + symbolName(attribute), "none");
      case NUM_BARRIERS -> expectAtMost(attribute, 1, "barriers");
      case VRC_CTA_INIT_COUNT, SPARSE_MMA_MASK -> expectAtMost(attribute, 0, "attribute");
      case CRS_STACK_SIZE -> expectWord(attribute, 0);
      case SW_WAR -> expectWord(attribute, SW_WAR_OBSERVED);
      // What the code was compiled from and by, and where instructions of interest to debuggers and
      // profilers lie: asks nothing of a loader.
      case COOP_GROUP_INSTR_OFFSETS,
          COOP_GROUP_MASK_REGIDS,
          INT_WARP_WIDE_INSTR_OFFSETS,
          SW2861232_WAR,
          CUDA_API_VERSION,
          ANNOTATIONS,
          MERCURY_ISA_VERSION,
          LANGUAGE,
          NVSAL_SW_WAR -> {}
      default -> throw unknown(attribute);
    }
  }

  private void expectAtMost(Attribute attribute, int most, String rule) {
    if (attribute.format() == AttributeReader.SIZED || attribute.value() > most) {
      throw refused(rule, fact(attribute, attribute.value()), "at most " + most);
    }
  }

  private void expectWord(Attribute attribute, int expected) {
    if (attribute.payload().byteSize() != Integer.BYTES || attribute.word(0) != expected) {
      throw refused("attribute", fact(attribute, word(attribute)), Integer.toString(expected));
    }
  }

  private String symbolName(Attribute attribute) {
    int index = word(attribute);
    boolean isSymbol = index >= 0 && index < cubin.symbols().size();
    return isSymbol ? cubin.symbols().get(index).name() : Integer.toString(index);
  }

  private static int word(Attribute attribute) {
    return attribute.payload().byteSize() >= Integer.BYTES ? attribute.word(0) : attribute.value();
  }

  private RuntimeException unknown(Attribute attribute) {
    return refused(
        "attribute", fact(attribute, word(attribute)), "one that asks nothing of a loader");
  }

  static String fact(Attribute attribute, long value) {
    return String.format(
        Locale.ROOT, "attribute=%s, value=%d", AttributeNames.of(attribute.code()), value);
  }

  private RuntimeException refused(String rule, String facts, String expected) {
    return Refusal.of(rule, code.name(), facts, expected);
  }
}
