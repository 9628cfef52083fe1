package io.gpuos.conformance;

import io.gpuos.ir.OracleTensor;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** Makes random shapes, values and views. */
final class TensorGenerator {

  /** Kinds of values. */
  static final int KINDS = 4;

  /** The first kinds have neither infinities nor NaN. */
  static final int TAME_KINDS = 3;

  private static final int MAX_RANK = 8;
  private static final int MAX_BASE = 4_096;
  private static final int[] SIZES = {1, 1, 2, 2, 3, 4, 5, 7, 8, 16, 33};

  private final RandomGenerator random;

  TensorGenerator(RandomGenerator random) {
    this.random = random;
  }

  // ---- shapes -----------------------------------------------------------------------------------

  /** A shape of 0 to 8 dimensions and at most {@code most} elements; now and then none. */
  int[] shape(int most) {
    return shape(random.nextInt(4) == 0 ? random.nextInt(MAX_RANK + 1) : random.nextInt(4), most);
  }

  /** A shape of {@code rank} dimensions. */
  int[] shape(int rank, int most) {
    int[] shape = new int[rank];
    int count = 1;
    for (int d : shuffled(rank)) {
      int size = rank == 1 && random.nextBoolean() ? 1 + random.nextInt(most) : anySize();
      shape[d] = count * size <= most ? size : 1;
      count *= shape[d];
    }
    if (rank > 0 && random.nextInt(20) == 0) {
      shape[random.nextInt(rank)] = 0;
    }
    return shape;
  }

  private int anySize() {
    return SIZES[random.nextInt(SIZES.length)];
  }

  private int[] shuffled(int count) {
    int[] order = IntStream.range(0, count).toArray();
    for (int i = count - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[other];
      order[other] = swapped;
    }
    return order;
  }

  /** A shape that broadcasts to {@code full}: leading dimensions dropped, some sizes 1. */
  int[] broadcastable(int[] full) {
    int rank = random.nextInt(3) == 0 ? random.nextInt(full.length + 1) : full.length;
    int[] shape = Arrays.copyOfRange(full, full.length - rank, full.length);
    for (int d = 0; d < rank; d++) {
      shape[d] = random.nextInt(4) == 0 ? 1 : shape[d];
    }
    return shape;
  }

  // ---- values -----------------------------------------------------------------------------------

  DType type(DType.Category category) {
    List<DType> types =
        Arrays.stream(DType.values()).filter(type -> type.category() == category).toList();
    return types.get(random.nextInt(types.size()));
  }

  /** A contiguous tensor of random values. */
  OracleTensor values(DType type, int... shape) {
    return valuesOfKind(type, random.nextInt(KINDS), shape);
  }

  /**
   * A contiguous tensor of random values.
   *
   * @param kind below {@link #KINDS}: small whole numbers, a range around 0, many magnitudes, or
   *     also special values
   */
  OracleTensor valuesOfKind(DType type, int kind, int... shape) {
    int count = PlainView.count(shape);
    if (type.isFloating()) {
      double[] values = new double[count];
      Arrays.setAll(values, _ -> floating(type, kind));
      return OracleTensor.floating(type, shape, values);
    }
    long[] values = new long[count];
    Arrays.setAll(values, _ -> integral(type, kind));
    return OracleTensor.integral(type, shape, values);
  }

  /** The elements of several tensors of one type, one after the other. */
  static OracleTensor joined(OracleTensor[] parts, int... shape) {
    DType type = parts[0].dtype();
    return type.isFloating()
        ? new OracleTensor(
            type,
            shape,
            Arrays.stream(parts).flatMapToDouble(part -> Arrays.stream(part.doubles())).toArray(),
            null)
        : new OracleTensor(
            type,
            shape,
            null,
            Arrays.stream(parts).flatMapToLong(part -> Arrays.stream(part.longs())).toArray());
  }

  private double floating(DType type, int kind) {
    if (kind == 3 && random.nextInt(6) == 0) {
      return special(type);
    }
    return switch (kind) {
      case 0 -> random.nextInt(-4, 5);
      case 1 -> random.nextDouble(-3, 3);
      default -> Math.scalb(random.nextDouble(-1, 1), random.nextInt(-12, 12));
    };
  }

  private double special(DType type) {
    double largest =
        switch (type) {
          case F64 -> Double.MAX_VALUE;
          case F16 -> 65_504;
          case BF16 -> 0x1.fep127;
          default -> Float.MAX_VALUE;
        };
    double smallest =
        switch (type) {
          case F64 -> Double.MIN_VALUE;
          case F16 -> 0x1p-24;
          case BF16 -> 0x1p-133;
          default -> Float.MIN_VALUE;
        };
    double[] values = {
      0,
      -0.0,
      1,
      -1,
      Double.NaN,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      largest,
      -largest,
      smallest,
      -smallest,
      0.5,
      1.5,
      2.5,
      -0.5,
      1e4,
      -1e4
    };
    return values[random.nextInt(values.length)];
  }

  private long integral(DType type, int kind) {
    return switch (kind) {
      case 0 -> random.nextInt(-4, 5);
      case 1 -> random.nextInt(0, 4);
      case 2 -> random.nextInt(-100, 101);
      default -> type == DType.BOOL ? random.nextInt(2) : random.nextLong();
    };
  }

  // ---- views ------------------------------------------------------------------------------------

  /** A tensor of that shape and random values, a view of something larger as often as not. */
  TensorCase tensor(DType type, int... shape) {
    return tensor(type, true, shape);
  }

  /**
   * @param expanded whether elements may be repeated
   */
  TensorCase tensor(DType type, boolean expanded, int... shape) {
    List<ViewStep> steps = new ArrayList<>();
    int[] before = shape;
    int wanted = random.nextBoolean() ? 0 : random.nextInt(1, 5);
    for (int i = 0; i < wanted; i++) {
      before = stepBefore(before, expanded, steps);
    }
    if (before.length != 1 && random.nextInt(4) == 0) {
      steps.addFirst(new ViewStep.Reshape(before));
      before = new int[] {PlainView.count(before)};
    }
    return new TensorCase(values(type, before), steps);
  }

  /**
   * Puts a random step before {@code steps}, whose result has {@code shape}; returns what it views.
   */
  private int[] stepBefore(int[] shape, boolean expanded, List<ViewStep> steps) {
    int dim = shape.length == 0 ? -1 : random.nextInt(shape.length);
    return switch (random.nextInt(dim < 0 ? 2 : 7)) {
      case 0 -> selected(shape, steps);
      case 1 -> expanded ? expanded(shape, steps) : shape;
      case 2 -> {
        steps.addFirst(new ViewStep.Flip(dim));
        yield shape;
      }
      case 3 -> permuted(shape, steps);
      case 4 -> unsqueezed(shape, dim, steps);
      default -> sliced(shape, dim, steps);
    };
  }

  private static boolean fits(int[] shape) {
    return PlainView.count(shape) <= MAX_BASE;
  }

  private int[] selected(int[] shape, List<ViewStep> steps) {
    if (shape.length == MAX_RANK) {
      return shape;
    }
    int dim = random.nextInt(shape.length + 1);
    int size = random.nextInt(1, 4);
    int[] before = new int[shape.length + 1];
    Arrays.setAll(before, d -> d < dim ? shape[d] : d == dim ? size : shape[d - 1]);
    if (!fits(before)) {
      return shape;
    }
    steps.addFirst(new ViewStep.Select(dim, random.nextInt(-size, size)));
    return before;
  }

  private int[] expanded(int[] shape, List<ViewStep> steps) {
    int dropped = random.nextInt(3) == 0 ? random.nextInt(shape.length + 1) : 0;
    int[] before = Arrays.copyOfRange(shape, dropped, shape.length);
    for (int d = 0; d < before.length; d++) {
      before[d] = random.nextInt(3) == 0 ? 1 : before[d];
    }
    steps.addFirst(new ViewStep.Expand(shape));
    return before;
  }

  private int[] permuted(int[] shape, List<ViewStep> steps) {
    int[] order = shuffled(shape.length);
    int[] before = new int[shape.length];
    for (int i = 0; i < order.length; i++) {
      before[order[i]] = shape[i];
    }
    steps.addFirst(new ViewStep.Permute(order));
    return before;
  }

  private static int[] unsqueezed(int[] shape, int dim, List<ViewStep> steps) {
    if (shape[dim] != 1) {
      return shape;
    }
    steps.addFirst(new ViewStep.Unsqueeze(dim));
    return IntStream.range(0, shape.length).filter(d -> d != dim).map(d -> shape[d]).toArray();
  }

  private int[] sliced(int[] shape, int dim, List<ViewStep> steps) {
    int length = shape[dim];
    int step = random.nextInt(1, 4) * (random.nextInt(3) == 0 ? -1 : 1);
    int low = random.nextInt(3);
    int span = length == 0 ? 0 : (length - 1) * Math.abs(step) + 1;
    int[] before = shape.clone();
    before[dim] = low + span + random.nextInt(3);
    if (!fits(before)) {
      return shape;
    }
    long start = step > 0 ? low : low + span - 1;
    long stop = step > 0 ? low + span : low - 1;
    if (length == 0) {
      stop = start = low;
    } else if (stop < 0) {
      stop = Long.MIN_VALUE; // an omitted bound; -1 would mean the last index
    }
    steps.addFirst(new ViewStep.Slice(dim, start, stop, step));
    return before;
  }

  /**
   * A view of a part of a one-dimensional tensor: every so many elements, backwards, by rows or by
   * columns, and often from its beginning, so that several such views meet.
   *
   * @param size elements of the tensor, at least as many as the view has
   * @param expanded whether elements may be repeated
   * @param shape of the view: no, one or two dimensions
   */
  List<ViewStep> window(int size, boolean expanded, int... shape) {
    boolean matrix = shape.length == 2;
    if (matrix && expanded && random.nextInt(6) == 0) {
      int start = random.nextInt(size - shape[1] + 1);
      return List.of(new ViewStep.Slice(0, start, start + shape[1], 1), new ViewStep.Expand(shape));
    }
    List<ViewStep> steps = new ArrayList<>();
    int count = PlainView.count(shape);
    int step = random.nextInt(1, 4);
    step = (count - 1) * step + 1 > size ? 1 : step;
    int span = (count - 1) * step + 1;
    int start = random.nextBoolean() ? 0 : random.nextInt(size - span + 1);
    steps.add(new ViewStep.Slice(0, start, start + span, step));
    if (random.nextInt(5) == 0) {
      steps.add(new ViewStep.Flip(0));
    }
    if (matrix && random.nextInt(4) == 0) {
      steps.add(new ViewStep.Reshape(shape[1], shape[0]));
      steps.add(new ViewStep.Permute(1, 0));
    } else {
      steps.add(new ViewStep.Reshape(shape));
    }
    return steps;
  }
}
