package io.gpuos.queue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random tasks over random views, against a model that keeps the last writer and the readers of
 * every single byte. Each record must wait, itself, for all tasks that the model says it must.
 */
class HazardPropertyTest {

  private static final int CAPACITY = 64;
  private static final int BYTES = 40;

  /** Last writer, and readers since, of each byte. One task may be several sequences. */
  private static final class Bytes {
    private final List<Set<Long>> writers = new ArrayList<>();
    private final List<Set<Long>> readers = new ArrayList<>();

    Bytes() {
      for (int k = 0; k < BYTES; k++) {
        writers.add(Set.of());
        readers.add(new TreeSet<>());
      }
    }

    void conflicts(View view, boolean write, Set<Long> found) {
      for (int k = view.begin; k < view.end; k++) {
        found.addAll(writers.get(k));
        if (write) {
          found.addAll(readers.get(k));
        }
      }
    }

    void note(View view, boolean write, Set<Long> task) {
      for (int k = view.begin; k < view.end; k++) {
        if (write) {
          writers.set(k, task);
          readers.get(k).clear();
        } else {
          readers.get(k).addAll(task);
        }
      }
    }
  }

  private record Draft(List<View> reads, List<View> writes, int tiles) {}

  private record View(int memory, int begin, int end, Access access) {}

  /** One round: a ring, three allocations, and what the model knows of them. */
  private static final class Round {
    final Random random;
    final RingFixture fixture;
    final List<RegionMap> maps = new ArrayList<>();
    final List<Bytes> models = new ArrayList<>();
    final List<View> views = new ArrayList<>();
    final Set<Long> open = new TreeSet<>();
    long next;
    long through;

    Round(Random random, long first, RingFixture fixture) {
      this.random = random;
      this.fixture = fixture;
      next = first;
      through = first - 1;
      for (int k = 0; k < 3; k++) {
        maps.add(fixture.ring.reuse(BYTES, Uses.NONE));
        models.add(new Bytes());
      }
    }

    View view() {
      if (!views.isEmpty() && random.nextInt(3) != 0) {
        return views.get(random.nextInt(views.size()));
      }
      int memory = random.nextInt(maps.size());
      int begin = random.nextInt(BYTES + 1);
      int end = begin + random.nextInt(BYTES + 1 - begin);
      View view = new View(memory, begin, end, new Access(maps.get(memory), begin, end));
      views.add(view);
      return view;
    }

    Invocation invocation(List<View> reads, List<View> writes, int tiles) {
      return Invocation.of(1, 256L * tiles)
          .tile(256)
          .address(0, 1)
          .reads(reads.stream().map(View::access).toArray(Access[]::new))
          .writes(writes.stream().map(View::access).toArray(Access[]::new))
          .build();
    }

    Draft draft() {
      List<View> reads = new ArrayList<>();
      List<View> writes = new ArrayList<>();
      for (int k = random.nextInt(5); k > 0; k--) {
        reads.add(view());
      }
      for (int k = random.nextInt(3); k > 0; k--) {
        writes.add(view());
      }
      return new Draft(reads, writes, 1 + random.nextInt(3));
    }

    void submit() {
      Draft draft = draft();
      Invocation invocation = invocation(draft.reads, draft.writes, draft.tiles);
      while (!fixture.ring.trySubmit(invocation)) {
        completeSome();
      }
      check(draft.reads, draft.writes, draft.tiles);
    }

    /** Several invocations, whose order among themselves is known before. */
    void submitBatch() {
      List<Draft> drafts = new ArrayList<>();
      List<Invocation> invocations = new ArrayList<>();
      for (int k = random.nextInt(6); k >= 0; k--) {
        Draft draft = draft();
        drafts.add(draft);
        invocations.add(invocation(draft.reads, draft.writes, draft.tiles));
      }
      int tiles = drafts.stream().mapToInt(Draft::tiles).sum();
      boolean alone = random.nextInt(3) != 0;
      while (alone ? !open.isEmpty() : next + tiles - 1 - through > CAPACITY) {
        completeSome();
      }
      fixture.ring.submit(AnalysedBatch.of(invocations));
      for (Draft draft : drafts) {
        check(draft.reads, draft.writes, draft.tiles);
      }
    }

    private void check(List<View> reads, List<View> writes, int tiles) {
      Set<Long> expected = new TreeSet<>();
      reads.forEach(v -> models.get(v.memory).conflicts(v, false, expected));
      writes.forEach(v -> models.get(v.memory).conflicts(v, true, expected));
      Set<Long> task = new TreeSet<>();
      for (int tile = 0; tile < tiles; tile++) {
        RingFixture.Task record = fixture.task(next + tile);
        for (long earlier : expected) {
          assertTrue(
              earlier - through <= 0 || record.waitsFor(earlier),
              () ->
                  String.format(
                      Locale.ROOT,
                      "lost: task=%s, earlier=%d, through=%d",
                      record,
                      earlier,
                      through));
        }
        for (RingFixture.Range range : record.after()) {
          assertTrue(next - range.last() > 0, () -> "waits for itself or later: " + record);
          assertTrue(range.last() - range.first() >= 0, () -> "empty range: " + record);
          assertTrue(record.sequence() - range.first() < CAPACITY, () -> "too far: " + record);
        }
        task.add(next + tile);
      }
      reads.forEach(v -> models.get(v.memory).note(v, false, task));
      writes.forEach(v -> models.get(v.memory).note(v, true, task));
      open.addAll(task);
      next += tiles;
    }

    /** Completes some task, any, and tells the host as far as there is no gap. */
    void completeSome() {
      List<Long> candidates = new ArrayList<>(open);
      long sequence = candidates.get(random.nextInt(candidates.size()));
      if (random.nextBoolean()) {
        sequence = through + 1;
      }
      open.remove(sequence);
      fixture.completeLate(sequence);
      while (next - (through + 1) > 0 && !open.contains(through + 1)) {
        through++;
      }
      fixture.completeThrough(through);
    }

    /** Frees one allocation and takes it again, as the pool does with a freed chunk. */
    void renew() {
      int memory = random.nextInt(maps.size());
      RegionMap renewed = fixture.ring.reuse(BYTES, fixture.ring.uses(maps.get(memory)));
      maps.set(memory, renewed);
      views.removeIf(v -> v.memory == memory);
      // In the model the bytes stay the same bytes: every task on them is to be waited for.
      Bytes model = models.get(memory);
      for (int k = 0; k < BYTES; k++) {
        Set<Long> users = new TreeSet<>(model.writers.get(k));
        users.addAll(model.readers.get(k));
        model.writers.set(k, users);
        model.readers.get(k).clear();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, (1L << 31) - 40, (1L << 32) - 40, Long.MAX_VALUE - 40, -40})
  void shouldWaitForEveryConflictOfEveryByte(long first) {
    for (int seed = 0; seed < 60; seed++) {
      try (RingFixture fixture = new RingFixture(CAPACITY, first)) {
        Round round = new Round(new Random(31L * seed + first), first, fixture);
        for (int step = 0; step < 150; step++) {
          switch (round.random.nextInt(12)) {
            case 0 -> round.renew();
            case 1 -> round.submitBatch();
            case 2, 3, 4 -> {
              if (!round.open.isEmpty()) {
                round.completeSome();
              }
            }
            default -> round.submit();
          }
        }
      }
    }
  }

  @Test
  void shouldNotOrderTasksWithoutConflict() {
    try (RingFixture fixture = new RingFixture(CAPACITY, 1)) {
      Access left = new Access(fixture.ring.reuse(100, Uses.NONE), 0, 50);
      RegionMap shared = fixture.ring.reuse(100, Uses.NONE);
      Access low = new Access(shared, 0, 50);
      Access high = new Access(shared, 50, 100);
      for (Access written : List.of(low, high)) {
        fixture.ring.submit(Invocation.of(1, 8).address(0, 4).reads(left).writes(written).build());
      }
      assertEquals(List.of(), fixture.task(1).after());
      assertEquals(List.of(), fixture.task(2).after());
    }
  }
}
