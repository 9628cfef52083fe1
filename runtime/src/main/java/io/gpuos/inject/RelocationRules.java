package io.gpuos.inject;

import io.gpuos.inject.Cubin.Relocation;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.util.Locale;

/**
 * Checks one relocation: that its type is known, its place as expected, and its target loadable.
 */
final class RelocationRules {

  private final Cubin cubin;
  private final Section section;
  private final Relocation change;
  private final Symbol symbol;
  private RelocationType type;
  private boolean namesFunction;

  RelocationRules(Cubin cubin, Section section, Relocation change) {
    this.cubin = cubin;
    this.section = section;
    this.change = change;
    this.symbol = cubin.symbols().get(change.symbol());
  }

  /** Returns the section of the target. */
  Section check() {
    if (symbol.isShared()) {
      throw refused("shared memory", "the scratch memory passed to operators");
    } else if (symbol.isConstant()) {
      throw refused("constants", "values in the code; compile without optimizer constants");
    }
    if (!symbol.isDefined()) {
      throw refused("undefined symbol", "a symbol of the operator");
    }
    Section target = cubin.sections().get(symbol.section());
    type =
        RelocationType.of(change.type())
            .orElseThrow(() -> refused("unknown relocation", "addresses of code and variables"));
    if (bytes() > section.size() - change.offset()) {
      throw refused("relocation over the end", bytes() + " bytes before the end");
    }
    boolean inCode = section.isCode();
    if (inCode == (type.place() == RelocationType.Place.DATA)) {
      throw refused("relocation", "instructions in code, words in data");
    }
    if (inCode) {
      checkInstruction();
    } else {
      checkWord();
    }
    checkTarget(target);
    return target;
  }

  /** Bytes from the relocation's offset that belong to it. After {@link #check}. */
  int bytes() {
    return type.bytes();
  }

  /** Whether the target is the beginning of a function, as for a call. After {@link #check}. */
  boolean namesFunction() {
    return namesFunction;
  }

  private void checkInstruction() {
    if (change.offset() % Architecture.INSTRUCTION_BYTES != 0) {
      throw refused("relocation", "the beginning of an instruction");
    }
    Instruction instruction = CodeScan.instruction(section.bytes(), change.offset());
    boolean isCall = instruction.opcode() == Opcodes.CALL_ABSOLUTE;
    boolean isMove =
        instruction.opcode() == Opcodes.MOV_IMMEDIATE
            || instruction.opcode() == Opcodes.UMOV_IMMEDIATE;
    if (type.place() == RelocationType.Place.CALL ? !isCall : !isMove) {
      throw refused("relocation of opcode " + Opcodes.name(instruction), "MOV, UMOV or CALL.ABS");
    }
    if (!type.apply(instruction, 0).equals(instruction)) {
      throw refused("relocation of a place in use: " + instruction, "zeros");
    }
  }

  /** A word that holds an addend already is only expected where the table has none. */
  private void checkWord() {
    if (change.offset() % Long.BYTES != 0) {
      throw refused("relocation", "a whole word");
    }
    if (section.bytes().byteSize() != section.size()) {
      throw refused("relocation of zeros", "a variable with a first value");
    }
  }

  private void checkTarget(Section target) {
    long offset = targetOffset(cubin, section, change);
    if (offset < 0 || offset > target.size()) {
      throw refused("target outside " + target.name(), "an offset up to " + target.size());
    }
    boolean isCode = target.isCode();
    boolean isCall = type.place() == RelocationType.Place.CALL;
    if (isCall && (offset != 0 || !isCode)) {
      throw refused("call into " + target.name(), "the beginning of a function");
    }
    namesFunction = isCode && offset == 0;
    if (isCode && !namesFunction && target.index() != section.index()) {
      throw refused("address inside " + target.name(), "the beginning of a function");
    }
  }

  /**
   * Offset of the target in its section, in bytes; may be any number, so it is to be checked. A sum
   * that overflows is negative: symbols' values are small and not negative.
   */
  static long targetOffset(Cubin cubin, Section section, Relocation change) {
    long addend = change.addend();
    if (change.inPlace() && !section.isCode()) {
      addend = section.bytes().get(ElfBytes.LONG, change.offset());
    }
    return cubin.symbols().get(change.symbol()).value() + addend;
  }

  RuntimeException refused(String rule, String expected) {
    return Refusal.of(
        rule,
        section.name(),
        String.format(
            Locale.ROOT,
            "symbol=%s, relocation=%s, offset=0x%x, addend=%d",
            symbol.name(),
            typeName(),
            change.offset(),
            change.addend()),
        expected);
  }

  private String typeName() {
    return RelocationType.of(change.type())
        .map(RelocationType::toString)
        .orElseGet(() -> String.format(Locale.ROOT, "0x%x", change.type()));
  }
}
