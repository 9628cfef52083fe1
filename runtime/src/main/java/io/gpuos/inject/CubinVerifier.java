package io.gpuos.inject;

import io.gpuos.error.InjectionException;
import io.gpuos.inject.Cubin.Relocation;
import io.gpuos.inject.Cubin.Section;
import io.gpuos.inject.Cubin.Symbol;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Decides whether code can run inside a kernel that was launched without knowing of it. What is not
 * known to be harmless is refused, with the section and the number at fault.
 *
 * <p>Checked is everything that can be reached from the entry: registers, stack, recursion,
 * barriers, constants, shared memory, symbols, relocations, attributes and each instruction.
 * Functions and kernels that cannot be reached are left out. What code reads and writes through its
 * pointers is not checked, and cannot be: this verifies resources, not memory safety.
 */
final class CubinVerifier {

  private static final long CODE_FLAGS = 0x6;
  private static final long MAX_ALIGNMENT = 4096;

  /** Bytes of an operator's zeros and first values; far more than any has. */
  private static final long MAX_DATA = 16 << 20;

  private final Cubin cubin;
  private final Limits limits;
  private final Architecture architecture;
  private final Map<Integer, List<Relocation>> relocations;
  private final Map<Integer, List<Symbol>> symbols;
  private final Attributes attributes;
  private final Map<Integer, Function> functions = new LinkedHashMap<>();
  private final Map<Integer, Section> data = new LinkedHashMap<>();
  private final Deque<Integer> reached = new ArrayDeque<>();
  private int entrySection;

  /** A function that can be reached: all of its section. */
  private record Function(Section code, int registers, int frameBytes, Set<Integer> callees) {}

  private CubinVerifier(Cubin cubin, Limits limits) {
    this.cubin = cubin;
    this.limits = limits;
    this.architecture = architecture();
    this.relocations = new HashMap<>();
    for (Relocation change : cubin.relocations()) {
      relocations.computeIfAbsent(change.section(), _ -> new ArrayList<>()).add(change);
    }
    this.symbols = new HashMap<>();
    for (Symbol symbol : cubin.symbols()) {
      if (symbol.isFunction()) {
        symbols.computeIfAbsent(symbol.section(), _ -> new ArrayList<>()).add(symbol);
      }
    }
    this.attributes = new Attributes(cubin);
  }

  /**
   * Checks all of {@code cubin} that can be reached from the function {@code entry}.
   *
   * @throws InjectionException if it is refused
   */
  static VerifiedCubin verify(Cubin cubin, String entry, Limits limits) {
    return new CubinVerifier(cubin, limits).verify(entry);
  }

  private Architecture architecture() {
    Optional<Architecture> known = Architecture.of(limits.architecture());
    if (known.isEmpty()) {
      throw Refusal.of(
          "architecture unknown",
          "header",
          "architecture=" + limits.architecture(),
          List.of(Architecture.values()).toString());
    }
    Architecture expected = known.get();
    if (cubin.abiVersion() != Architecture.ABI_VERSION) {
      throw Refusal.of(
          "ABI version",
          "header",
          "abi_version=" + cubin.abiVersion(),
          Integer.toString(Architecture.ABI_VERSION));
    }
    if (cubin.flags() != expected.flags()) {
      throw Refusal.of(
          "architecture",
          "header",
          String.format(Locale.ROOT, "flags=0x%x for sm_%d", cubin.flags(), cubin.architecture()),
          String.format(Locale.ROOT, "0x%x for %s", expected.flags(), expected));
    }
    return expected;
  }

  private VerifiedCubin verify(String entry) {
    Symbol symbol = entry(entry);
    entrySection = symbol.section();
    reached.add(symbol.section());
    while (!reached.isEmpty()) {
      int section = reached.remove();
      if (!functions.containsKey(section) && !data.containsKey(section)) {
        reach(cubin.sections().get(section));
      }
    }
    checkAttachedSections();
    int stack = new StackDepth().of(symbol.section());
    if (stack > limits.stackBytes()) {
      throw Refusal.of(
          "stack",
          cubin.sections().get(symbol.section()).name(),
          "bytes=" + stack,
          "at most " + limits.stackBytes());
    }
    List<Section> code = functions.values().stream().map(Function::code).toList();
    int registers = functions.values().stream().mapToInt(Function::registers).max().orElse(0);
    return new VerifiedCubin(
        cubin, architecture, code, List.copyOf(data.values()), relocations, registers, stack);
  }

  private Symbol entry(String name) {
    Symbol symbol =
        cubin
            .global(name)
            .orElseThrow(
                () -> Refusal.of("entry", "symbols", "name=" + name, "one global function"));
    boolean isCode = symbol.isDefined() && cubin.sections().get(symbol.section()).isCode();
    if (!symbol.isFunction() || !isCode) {
      throw Refusal.of("entry", "symbols", "name=" + name, "a function that is defined");
    }
    return symbol;
  }

  private void reach(Section section) {
    if (section.isCode()) {
      functions.put(section.index(), function(section));
    } else {
      checkData(section);
      data.put(section.index(), section);
      checkRelocations(section);
    }
  }

  private Function function(Section code) {
    checkAlignment(code);
    if (code.type() != SectionTypes.CODE_OR_DATA || code.flags() != CODE_FLAGS) {
      throw Refusal.of(
          "code section",
          code.name(),
          String.format(Locale.ROOT, "type=0x%x, flags=0x%x", code.type(), code.flags()),
          "type=0x1, flags=0x6");
    }
    Symbol symbol = functionOf(code);
    if (symbol.isKernel()) {
      throw Refusal.of(
          "kernel",
          code.name(),
          String.format(Locale.ROOT, "other=0x%x", symbol.other()),
          "a function");
    }
    AttributeRules needs = new AttributeRules(cubin, code, symbol);
    needs.check(attributes);
    if (needs.registers() > limits.registers()) {
      throw Refusal.of(
          "registers",
          code.name(),
          "registers=" + needs.registers(),
          "at most " + limits.registers());
    }
    List<Relocation> changes = relocations.getOrDefault(code.index(), List.of());
    BitSet calls = new BitSet();
    for (Relocation change : changes) {
      if (RelocationType.of(change.type())
          .filter(t -> t.place() == RelocationType.Place.CALL)
          .isPresent()) {
        calls.set((int) change.offset());
      }
    }
    new CodeScan(architecture, code, calls, code.index() == entrySection).check();
    Set<Integer> callees = checkRelocations(code);
    return new Function(code, needs.registers(), needs.frameBytes(), callees);
  }

  /** The one function of a code section, which it fills. */
  private Symbol functionOf(Section code) {
    List<Symbol> found = symbols.getOrDefault(code.index(), List.of());
    if (found.size() != 1) {
      throw Refusal.of("functions", code.name(), "functions=" + found.size(), "one in a section");
    }
    Symbol symbol = found.getFirst();
    if (symbol.value() != 0 || symbol.size() != code.size()) {
      throw Refusal.of(
          "function",
          code.name(),
          String.format(Locale.ROOT, "offset=%d, bytes=%d", symbol.value(), symbol.size()),
          "offset=0, bytes=" + code.size());
    }
    return symbol;
  }

  private void checkData(Section section) {
    boolean isVariables =
        section.name().equals(".nv.global") && section.type() == SectionTypes.GLOBAL
            || section.name().equals(".nv.global.init")
                && section.type() == SectionTypes.GLOBAL_INIT;
    if (!isVariables) {
      throw Refusal.of(
          "memory of a launch",
          section.name(),
          String.format(Locale.ROOT, "type=0x%x, bytes=%d", section.type(), section.size()),
          "code and global variables");
    }
    checkAlignment(section);
    if (section.size() > MAX_DATA) {
      throw Refusal.of(
          "variables", section.name(), "bytes=" + section.size(), "at most " + MAX_DATA);
    }
  }

  private static void checkAlignment(Section section) {
    if (section.alignment() > MAX_ALIGNMENT) {
      throw Refusal.of(
          "alignment", section.name(), "bytes=" + section.alignment(), "at most " + MAX_ALIGNMENT);
    }
  }

  /** Constants, shared or local memory that belong to a function of the operator. */
  private void checkAttachedSections() {
    for (Section section : cubin.sections()) {
      if (section.is(Cubin.ALLOCATED)
          && section.is(Cubin.INFO_LINK)
          && functions.containsKey(section.info())) {
        throw Refusal.of(
            "memory of a launch",
            section.name(),
            "bytes=" + section.size(),
            "code and global variables");
      }
    }
  }

  /** Checks what changes {@code section} and returns the other functions it names. */
  private Set<Integer> checkRelocations(Section section) {
    Set<Integer> callees = new LinkedHashSet<>();
    List<Relocation> changes =
        new ArrayList<>(relocations.getOrDefault(section.index(), List.of()));
    changes.sort(Comparator.comparingLong(Relocation::offset));
    long free = 0;
    for (Relocation change : changes) {
      RelocationRules rules = new RelocationRules(cubin, section, change);
      Section target = rules.check();
      if (change.offset() < free) {
        throw rules.refused("relocations overlap", "one for a place");
      }
      free = change.offset() + rules.bytes();
      if (rules.namesFunction()) {
        callees.add(target.index());
      }
      reached.add(target.index());
    }
    return callees;
  }

  /** The deepest chain of calls; a chain that comes back to itself is recursion. */
  private final class StackDepth {

    private final Map<Integer, Integer> known = new HashMap<>();
    private final Set<Integer> open = new HashSet<>();

    int of(int section) {
      Integer depth = known.get(section);
      if (depth != null) {
        return depth;
      }
      Function function = functions.get(section);
      if (!open.add(section)) {
        throw Refusal.of(
            "recursion",
            function.code().name(),
            "frame_bytes=" + function.frameBytes(),
            "calls that end");
      }
      int deepest = 0;
      for (int callee : function.callees()) {
        deepest = Math.max(deepest, of(callee));
      }
      open.remove(section);
      long sum = (long) function.frameBytes() + deepest;
      int stack = (int) Math.min(sum, Integer.MAX_VALUE);
      known.put(section, stack);
      return stack;
    }
  }
}
