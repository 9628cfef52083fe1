package io.gpuos;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.gpuos.abi.ReplayStateRecord;
import io.gpuos.abi.SegmentRecord;
import io.gpuos.device.ComputeDevice;
import io.gpuos.device.StreamReplays;
import io.gpuos.queue.Segments;
import io.gpuos.schedule.Place;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;

/** A program as it is replayed on streams of others. Guarded by the program's monitor. */
final class StreamReplay {

  private final StreamReplays streams;
  private final ProgramCode program;
  private final StreamReplays.Code code;
  private final Storage image;
  private final StreamReplays.Launches launches;
  private final MemorySegment bindings;

  /** Numbers of the operands' bases; 0 for those that no node uses. */
  private final int[] bases;

  /** Bytes from the base to the operand's element 0. */
  private final long[] offsets;

  /**
   * @param operands the program's inputs, then its outputs
   * @param held allocations in use and their buffers
   */
  StreamReplay(
      ComputeDevice device,
      StreamReplays streams,
      ProgramCode code,
      List<Place> operands,
      Map<Storage, Integer> held,
      Storage slab) {
    this.streams = streams;
    this.program = code;
    this.bases = operands.stream().mapToInt(place -> code.base(place.buffer())).toArray();
    this.offsets = operands.stream().mapToLong(Place::offset).toArray();
    Image content = new Image(code.parts().parts(), streams.fits(code.bases()) ? 0 : code.bases());
    this.image = Storage.allocate(device.memory(), content.bytes());
    try {
      long at = image.block().address();
      try (Arena arena = Arena.ofConfined()) {
        ProgramCode.write(device, image, content.write(arena));
      }
      this.code = content.code(at, code.bases());
      this.launches = streams.prepare(this.code);
    } catch (Throwable failure) {
      image.release();
      throw failure;
    }
    this.bindings = launches.bindings();
    bindings.setAtIndex(JAVA_LONG, ProgramCode.SLAB_BASE, slab.block().address());
    held.forEach(
        (storage, buffer) -> {
          // Streams do not wait for tasks, such as those that filled it.
          ProgramCode.awaitTasks(device, storage);
          bind(code.base(buffer), storage.block().address());
        });
  }

  private void bind(int base, long address) {
    if (base != 0) {
      bindings.setAtIndex(JAVA_LONG, base, address);
    }
  }

  /**
   * @param addresses 64-bit words: where element 0 of each operand lies
   */
  void launch(long stream, MemorySegment addresses) {
    bindAll(addresses);
    launches.launch(stream);
  }

  private void bindAll(MemorySegment addresses) {
    for (int k = 0; k < bases.length; k++) {
      bind(bases[k], addresses.getAtIndex(JAVA_LONG, k) - offsets[k]);
    }
  }

  /** Replays once, on a stream of its own, and waits; nothing else may use the memory meanwhile. */
  ProgramTrace trace(MemorySegment addresses) {
    // Replays of a program share its state, and this one is on no stream that orders it with
    // others.
    launches.await();
    bindAll(addresses);
    long nodes = program.image().block().address();
    int count = program.parts().parts().stream().mapToInt(part -> part.operators().length).sum();
    return program.trace(streams.trace(code, nodes, count, bindings.toArray(JAVA_LONG)));
  }

  /** Gives up all memory, and runs {@code release}, when no launch needs it any more. */
  void close(Runnable release) {
    launches.close(
        () -> {
          image.release();
          release.run();
        });
  }

  /** What the kernel reads besides nodes: segments, numbers of earlier ones, state, bindings. */
  private static final class Image {
    private final List<Segments.Part> parts;
    private final long after;
    private final long state;
    private final long bindings;
    private final long end;
    private final boolean distant;

    /**
     * @param room for how many bindings
     */
    Image(List<Segments.Part> parts, int room) {
      this.parts = parts;
      this.distant = room > 0;
      this.after = (long) parts.size() * SegmentRecord.BYTES;
      long edges = parts.stream().mapToLong(part -> part.after().size()).sum();
      this.state = aligned(after + edges * Integer.BYTES);
      this.bindings = aligned(state + ReplayStateRecord.BYTES + (long) parts.size() * Long.BYTES);
      this.end = bindings + (long) room * Long.BYTES;
    }

    private static long aligned(long offset) {
      return Math.ceilDiv(offset, 16L) * 16;
    }

    long bytes() {
      return end;
    }

    MemorySegment write(Arena arena) {
      MemorySegment words = arena.allocate(end, 16);
      int edge = 0;
      for (int s = 0; s < parts.size(); s++) {
        Segments.Part part = parts.get(s);
        long at = (long) s * SegmentRecord.BYTES;
        words.set(JAVA_LONG, at + SegmentRecord.NODES, part.nodes());
        words.set(JAVA_INT, at + SegmentRecord.COUNT, part.operators().length);
        words.set(JAVA_INT, at + SegmentRecord.AFTER_BEGIN, edge);
        for (int before : part.after()) {
          words.set(JAVA_INT, after + (long) edge * Integer.BYTES, before);
          edge++;
        }
        words.set(JAVA_INT, at + SegmentRecord.AFTER_END, edge);
      }
      return words;
    }

    StreamReplays.Code code(long at, int bases) {
      return new StreamReplays.Code(
          at, at + after, at + state, parts.size(), bases, distant ? at + bindings : 0);
    }
  }
}
