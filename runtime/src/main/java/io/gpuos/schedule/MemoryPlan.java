package io.gpuos.schedule;

import io.gpuos.ir.TensorType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Gives temporaries their places in the slab by first fit: the lowest free one, in order of first
 * use. Two share bytes only if the last node that uses one comes before the first that uses the
 * other.
 */
final class MemoryPlan {

  /** Alignment of temporaries in bytes, as of allocations. */
  static final int ALIGNMENT = 256;

  private final List<Slot> placed = new ArrayList<>();
  private long slabBytes;

  /** A temporary to be placed. */
  private record Wanted(int buffer, int scratch, long bytes, int first, int last) {}

  private final Slot[] temporaries;
  private final List<List<Slot>> scratch = new ArrayList<>();

  MemoryPlan(List<Buffer> buffers, List<Node> nodes) {
    temporaries = new Slot[buffers.size()];
    List<Wanted> wanted = new ArrayList<>();
    for (int b = 0; b < buffers.size(); b++) {
      if (buffers.get(b).temporary()) {
        addBuffer(b, buffers.get(b).bytes(), nodes, wanted);
      }
    }
    for (int n = 0; n < nodes.size(); n++) {
      scratch.add(new ArrayList<>());
      List<TensorType> types = nodes.get(n).plan().temporaries();
      for (int t = 0; t < types.size(); t++) {
        wanted.add(new Wanted(-1, t, types.get(t).count() * types.get(t).dtype().bytes(), n, n));
      }
    }
    wanted.sort(Comparator.comparingInt(Wanted::first)); // stable: scratch stays in its order
    wanted.forEach(this::place);
  }

  private static void addBuffer(int buffer, long bytes, List<Node> nodes, List<Wanted> wanted) {
    int first = -1;
    int last = -1;
    for (int n = 0; n < nodes.size(); n++) {
      Node node = nodes.get(n);
      boolean uses =
          node.reads().stream().anyMatch(place -> place.buffer() == buffer)
              || node.outputs().stream().anyMatch(place -> place.buffer() == buffer);
      if (uses) {
        first = first < 0 ? n : first;
        last = n;
      }
    }
    if (first >= 0) {
      wanted.add(new Wanted(buffer, -1, bytes, first, last));
    }
  }

  private void place(Wanted wanted) {
    long size = Math.max(1, Math.ceilDiv(wanted.bytes(), (long) ALIGNMENT)) * ALIGNMENT;
    List<Slot> alive =
        placed.stream()
            .filter(slot -> slot.first() <= wanted.last() && wanted.first() <= slot.last())
            .sorted(Comparator.comparingLong(Slot::offset))
            .toList();
    long offset = 0;
    for (Slot slot : alive) {
      if (offset + size <= slot.offset()) {
        break;
      }
      offset = Math.max(offset, slot.offset() + slot.bytes());
    }
    Slot slot = new Slot(offset, size, wanted.first(), wanted.last());
    placed.add(slot);
    slabBytes = Math.max(slabBytes, offset + size);
    if (wanted.buffer() >= 0) {
      temporaries[wanted.buffer()] = slot;
    } else {
      scratch.get(wanted.first()).add(slot);
    }
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
