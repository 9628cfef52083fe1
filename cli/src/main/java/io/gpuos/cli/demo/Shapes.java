package io.gpuos.cli.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The shapes of a demo: {@value #LEAST} to {@value #MOST} elements, small ones as likely as large
 * ones, few enough that each is met often. The first ones are the extremes.
 *
 * @param flat one dimension
 * @param tables rows and columns
 * @param cubes three dimensions
 */
record Shapes(List<Integer> flat, List<int[]> tables, List<int[]> cubes) {

  static final int LEAST = 256;
  static final int MOST = 16_384;

  private static final int COUNT = 10;

  static Shapes random(SplittableRandom random) {
    List<Integer> flat = new ArrayList<>(List.of(LEAST, MOST));
    List<int[]> tables = new ArrayList<>(List.of(new int[] {16, 16}, new int[] {128, 128}));
    List<int[]> cubes = new ArrayList<>(List.of(new int[] {8, 4, 8}, new int[] {16, 32, 32}));
    while (flat.size() < COUNT) {
      flat.add(between(random, LEAST, MOST));
    }
    while (tables.size() < COUNT) {
      int rows = between(random, 2, 256);
      tables.add(new int[] {rows, columns(random, rows)});
    }
    while (cubes.size() < COUNT) {
      int outer = between(random, 2, 16);
      int middle = between(random, 2, 16);
      cubes.add(new int[] {outer, middle, columns(random, outer * middle)});
    }
    return new Shapes(flat, tables, cubes);
  }

  private static int columns(SplittableRandom random, int rows) {
    return between(random, Math.max(2, Math.ceilDiv(LEAST, rows)), MOST / rows);
  }

  /** Uniform in the logarithm. */
  private static int between(SplittableRandom random, int least, int most) {
    double logarithm = random.nextDouble(Math.log(least), Math.log(most + 1.0));
    return Math.clamp((long) Math.exp(logarithm), least, most);
  }
}
