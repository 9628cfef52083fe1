package io.gpuos.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class InternerTest {

  /** Compared by content only through the interner: its own equality is identity. */
  private static final class Box {
    final int content;

    Box(int content) {
      this.content = content;
    }
  }

  private final Interner<Box> interner =
      new Interner<>(box -> box.content % 3, (a, b) -> a.content == b.content);

  @Test
  void shouldReturnTheFirstOfEqualContent() {
    Box first = new Box(7);
    assertSame(first, interner.intern(first));
    assertSame(first, interner.intern(new Box(7)));
    Box collides = new Box(10);
    assertSame(collides, interner.intern(collides));
    assertEquals(2, interner.size());
  }

  @Test
  void shouldForgetWhatNobodyRefersTo() throws InterruptedException {
    Box kept = interner.intern(new Box(-1));
    for (int i = 0; i < 10_000; i++) {
      interner.intern(new Box(i));
    }
    for (int attempt = 0; attempt < 100 && interner.size() > 1; attempt++) {
      System.gc();
      Thread.sleep(10);
    }
    assertEquals(1, interner.size());
    assertSame(kept, interner.intern(new Box(-1)));
  }

  @Test
  void shouldAgreeAcrossThreads() throws Exception {
    int threads = 4;
    CyclicBarrier start = new CyclicBarrier(threads);
    Callable<List<Layout>> make =
        () -> {
          start.await();
          List<Layout> made = new ArrayList<>();
          for (int i = 0; i < 2000; i++) {
            made.add(Layout.contiguous(DType.I16, i % 500, 77));
          }
          return made;
        };
    try (var executor = Executors.newFixedThreadPool(threads)) {
      List<List<Layout>> results = new ArrayList<>();
      for (Future<List<Layout>> future :
          executor.invokeAll(java.util.Collections.nCopies(threads, make))) {
        results.add(future.get());
      }
      for (int i = 0; i < 2000; i++) {
        int at = i;
        Layout expected = results.getFirst().get(i);
        assertTrue(results.stream().allMatch(made -> made.get(at) == expected));
      }
      assertTrue(results.stream().flatMap(List::stream).allMatch(Objects::nonNull));
    }
  }
}
