package io.gpuos.device.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** What a test needs to know of relocatable machine code; trusts the compiler to write good ELF. */
final class CubinView {

  private static final int SECTION_BYTES = 64;
  private static final int SYMBOL_BYTES = 24;
  private static final int REGISTER_COUNT = 0x2f;
  private static final int FRAME_SIZE = 0x11;
  private static final int SIZED = 4; // a record with a payload, its size before it

  private record Section(String name, int offset, int size) {}

  private final ByteBuffer elf;
  private final List<Section> sections = new ArrayList<>();
  private final List<String> symbols = new ArrayList<>();
  private final Set<String> undefined = new TreeSet<>();
  private final Map<Integer, List<Integer>> calls = new HashMap<>();
  private int indirectCalls;

  CubinView(byte[] cubin) {
    elf = ByteBuffer.wrap(cubin).order(ByteOrder.LITTLE_ENDIAN);
    int table = (int) elf.getLong(0x28);
    int names = offset(table, elf.getShort(0x3e));
    for (int i = 0; i < elf.getShort(0x3c); i++) {
      int header = table + SECTION_BYTES * i;
      String name = text(names + elf.getInt(header));
      sections.add(new Section(name, offset(table, i), (int) elf.getLong(header + 0x20)));
    }
    readSymbols();
    readCalls();
  }

  private int offset(int table, int section) {
    return (int) elf.getLong(table + SECTION_BYTES * section + 0x18);
  }

  private Section section(String name) {
    return sections.stream().filter(s -> s.name().equals(name)).findFirst().orElseThrow();
  }

  private void readSymbols() {
    Section table = section(".symtab");
    int names = section(".strtab").offset();
    for (int i = 0; i < table.size() / SYMBOL_BYTES; i++) {
      int at = table.offset() + SYMBOL_BYTES * i;
      symbols.add(text(names + elf.getInt(at)));
      if (i > 0 && elf.getShort(at + 6) == 0) {
        undefined.add(symbols.getLast());
      }
    }
  }

  /** Pairs of caller and callee; numbers from -4 on stand for sorts of calls without a name. */
  private void readCalls() {
    Section table = section(".nv.callgraph");
    for (int at = table.offset(); at < table.offset() + table.size(); at += 8) {
      int caller = elf.getInt(at);
      int callee = elf.getInt(at + 4);
      if (caller > 0 && callee > 0) {
        calls.computeIfAbsent(caller, _ -> new ArrayList<>()).add(callee);
      } else if (caller != 0) {
        indirectCalls++;
      }
    }
  }

  /** Names of sections, cut off where the name of a function begins. */
  Set<String> sectionKinds() {
    Set<String> kinds = new TreeSet<>();
    for (Section section : sections) {
      String kind = section.name();
      for (String symbol : symbols) {
        if (!symbol.isEmpty() && kind.endsWith("." + symbol)) {
          kind = kind.substring(0, kind.length() - symbol.length() - 1);
        }
      }
      kinds.add(kind);
    }
    return kinds;
  }

  Set<String> undefined() {
    return undefined;
  }

  int indirectCalls() {
    return indirectCalls;
  }

  /** Most registers that any function uses. */
  int registers() {
    return attributes(REGISTER_COUNT).values().stream().mapToInt(n -> n).max().orElse(0);
  }

  /** How many of the machine's instructions are FFMA: opcode 0x023, whatever its operands are. */
  int fusedMultiplyAdds() {
    int count = 0;
    for (Section section : sections) {
      for (int i = 0; section.name().startsWith(".text.") && i < section.size(); i += 16) {
        count += (elf.getShort(section.offset() + i) & 0x1ff) == 0x023 ? 1 : 0;
      }
    }
    return count;
  }

  /** Bytes of stack that a function takes with everything it may call. */
  int stackDepth(String function) {
    return depth(symbols.indexOf(function), attributes(FRAME_SIZE), 0);
  }

  private int depth(int function, Map<Integer, Integer> frames, int level) {
    if (level > symbols.size()) {
      throw new AssertionError("recursion: function=" + symbols.get(function));
    }
    int deepest = 0;
    for (int callee : calls.getOrDefault(function, List.of())) {
      deepest = Math.max(deepest, depth(callee, frames, level + 1));
    }
    return deepest + frames.getOrDefault(function, 0);
  }

  /** An attribute of every function, by its symbol. */
  private Map<Integer, Integer> attributes(int wanted) {
    Section info = section(".nv.info");
    Map<Integer, Integer> values = new HashMap<>();
    int at = info.offset();
    while (at < info.offset() + info.size()) {
      if (elf.get(at + 1) == wanted) {
        values.put(elf.getInt(at + 4), elf.getInt(at + 8));
      }
      at += 4 + (elf.get(at) == SIZED ? elf.getShort(at + 2) : 0);
    }
    return values;
  }

  private String text(int at) {
    StringBuilder out = new StringBuilder();
    for (int i = at; elf.get(i) != 0; i++) {
      out.append((char) elf.get(i));
    }
    return out.toString();
  }
}
