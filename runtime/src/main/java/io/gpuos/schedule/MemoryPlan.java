package io.gpuos.schedule;

import io.gpuos.ir.TensorType;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Gives temporaries their places in the slab by first fit: the lowest free one, in order of first
 * use. Two share bytes only if all nodes that use the one come before all that use the other
 * anyway, for the values they pass on: so sharing makes no node wait that could run at once. When
 * the slab grows beyond {@value #PLENTY} bytes that way, or a program is very long, memory is worth
 * more, and it is enough that the one is not used after the other's first use.
 */
final class MemoryPlan {

  /** Alignment of temporaries in bytes, as of allocations. */
  static final int ALIGNMENT = 256;

  /** A slab up to this size is not worth waiting for. */
  private static final long PLENTY = 256L << 20;

  /** Nodes of a program up to which it is known which come before which. */
  private static final int MOST_NODES = 1 << 14;

  /** A temporary to be placed; {@code users} are the nodes that use it, ascending. */
  private record Wanted(int buffer, int scratch, long bytes, List<Integer> users) {
    int first() {
      return users.getFirst();
    }

    int last() {
      return users.getLast();
    }
  }

  private record Placed(Slot slot, List<Integer> users) {}

  private final Ancestors ancestors;
  private final boolean careful;
  private final List<Placed> placed = new ArrayList<>();
  private final Slot[] temporaries;
  private final List<List<Slot>> scratch = new ArrayList<>();
  private long slabBytes;

  private MemoryPlan(List<Buffer> buffers, List<Node> nodes, boolean careful) {
    this.careful = careful;
    this.ancestors = careful ? new Ancestors(nodes, buffers.size()) : null;
    temporaries = new Slot[buffers.size()];
    List<Wanted> wanted = wantedBuffers(buffers, nodes);
    for (int n = 0; n < nodes.size(); n++) {
      scratch.add(new ArrayList<>());
      List<TensorType> types = nodes.get(n).plan().temporaries();
      for (int t = 0; t < types.size(); t++) {
        long bytes = types.get(t).count() * types.get(t).dtype().bytes();
        wanted.add(new Wanted(-1, t, bytes, List.of(n)));
      }
    }
    wanted.sort(Comparator.comparingInt(Wanted::first)); // stable: scratch stays in its order
    wanted.forEach(this::place);
  }

  static MemoryPlan of(List<Buffer> buffers, List<Node> nodes) {
    if (nodes.size() <= MOST_NODES) {
      MemoryPlan plan = new MemoryPlan(buffers, nodes, true);
      if (plan.slabBytes <= PLENTY) {
        return plan;
      }
    }
    return new MemoryPlan(buffers, nodes, false);
  }

  private static List<Wanted> wantedBuffers(List<Buffer> buffers, List<Node> nodes) {
    List<List<Integer>> users = new ArrayList<>();
    buffers.forEach(_ -> users.add(new ArrayList<>()));
    for (int n = 0; n < nodes.size(); n++) {
      BitSet used = new BitSet();
      nodes.get(n).reads().forEach(place -> used.set(place.buffer()));
      nodes.get(n).outputs().forEach(place -> used.set(place.buffer()));
      for (int b = used.nextSetBit(0); b >= 0; b = used.nextSetBit(b + 1)) {
        users.get(b).add(n);
      }
    }
    List<Wanted> wanted = new ArrayList<>();
    for (int b = 0; b < buffers.size(); b++) {
      if (buffers.get(b).temporary() && !users.get(b).isEmpty()) {
        wanted.add(new Wanted(b, -1, buffers.get(b).bytes(), users.get(b)));
      }
    }
    return wanted;
  }

  private void place(Wanted wanted) {
    long size = Math.max(1, Math.ceilDiv(wanted.bytes(), (long) ALIGNMENT)) * ALIGNMENT;
    long offset = 0;
    int at = 0; // placed ones are in order of their offsets
    for (int k = 0; k < placed.size(); k++) {
      Slot slot = placed.get(k).slot();
      if (mayShare(placed.get(k), wanted)) {
        continue;
      }
      if (offset + size <= slot.offset()) {
        break;
      }
      offset = Math.max(offset, slot.offset() + slot.bytes());
    }
    Slot slot = new Slot(offset, size, wanted.first(), wanted.last());
    while (at < placed.size() && placed.get(at).slot().offset() <= offset) {
      at++;
    }
    placed.add(at, new Placed(slot, wanted.users()));
    slabBytes = Math.max(slabBytes, offset + size);
    if (wanted.buffer() >= 0) {
      temporaries[wanted.buffer()] = slot;
    } else {
      scratch.get(wanted.first()).add(slot);
    }
  }

  private boolean mayShare(Placed earlier, Wanted later) {
    if (earlier.slot().last() >= later.first()) {
      return false; // in order of first use: that of the other is no later
    }
    return !careful
        || earlier.users().stream()
            .allMatch(user -> later.users().stream().allMatch(n -> ancestors.precedes(user, n)));
  }

  /** The slot of each buffer; {@link Slot#NONE} for what is not a temporary in use. */
  List<Slot> temporaries() {
    List<Slot> slots = new ArrayList<>();
    for (Slot slot : temporaries) {
      slots.add(slot == null ? Slot.NONE : slot);
    }
    return slots;
  }

  List<List<Slot>> scratch() {
    return scratch;
  }

  long slabBytes() {
    return slabBytes;
  }
}
