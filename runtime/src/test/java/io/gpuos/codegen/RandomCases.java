package io.gpuos.codegen;

import io.gpuos.ir.Function;
import io.gpuos.ir.Kernel;
import io.gpuos.layout.DType;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** Random shapes, layouts and expressions, the same for the same seed. */
public final class RandomCases {

  /** Functions whose value is exact in every type, so that any expression can be compared. */
  private static final List<Function> EXACT =
      Stream.of(Function.values())
          .filter(
              function ->
                  switch (function) {
                    case ADD,
                        SUB,
                        MUL,
                        DIV,
                        NEG,
                        ABS,
                        SIGN,
                        MAXIMUM,
                        MINIMUM,
                        CLAMP,
                        EQ,
                        NE,
                        LT,
                        LE,
                        GT,
                        GE,
                        LOGICAL_AND,
                        LOGICAL_OR,
                        LOGICAL_XOR,
                        LOGICAL_NOT,
                        WHERE,
                        BITWISE_AND,
                        BITWISE_OR,
                        BITWISE_XOR,
                        BITWISE_NOT,
                        SHIFT_LEFT,
                        SHIFT_RIGHT,
                        FLOOR,
                        CEIL,
                        ROUND,
                        TRUNC,
                        SQRT,
                        RELU,
                        ISNAN,
                        ISFINITE ->
                        true;
                    default -> false;
                  })
          .toList();

  private final Random random;

  public RandomCases(long seed) {
    this.random = new Random(seed);
  }

  public Random random() {
    return random;
  }

  /** A shape of up to 8 dimensions and at most about 3000 elements. */
  long[] shape() {
    long[] shape = new long[random.nextInt(9)];
    Arrays.fill(shape, 1);
    long left = 3000;
    for (int i = 0; i < shape.length && left > 1; i++) {
      int d = random.nextInt(shape.length);
      long size = random.nextLong(1, Math.min(left, random.nextBoolean() ? 8 : 1500) + 1);
      left /= size;
      shape[d] = size;
    }
    return shape;
  }

  /** The shape, with some dimensions made 1 or left away in front. */
  long[] broadcast(long[] shape) {
    long[] result = shape.clone();
    for (int d = 0; d < result.length; d++) {
      if (random.nextInt(4) == 0) {
        result[d] = 1;
      }
    }
    int lead = 0;
    while (lead < result.length && result[lead] == 1 && random.nextBoolean()) {
      lead++;
    }
    return Arrays.copyOfRange(result, lead, result.length);
  }

  /** Uninitialised, of random order and stride, often plain contiguous. */
  TestTensor tensor(Arena arena, DType type, long[] shape) {
    if (random.nextInt(3) == 0) {
      return TestTensor.contiguous(arena, type, shape);
    }
    List<Integer> order = new ArrayList<>();
    for (int d = 0; d < shape.length; d++) {
      order.add(d);
    }
    if (random.nextBoolean()) {
      Collections.shuffle(order, random);
    }
    long[] stretches = {1, 1, 2, 3, -1, -2};
    long stretch = stretches[random.nextInt(stretches.length)];
    int[] orderArray = order.stream().mapToInt(Integer::intValue).toArray();
    return TestTensor.allocate(arena, type, shape, orderArray, stretch, random.nextInt(9));
  }

  DType type() {
    return DType.values()[random.nextInt(DType.values().length)];
  }

  /** Operands of random types, and nodes over them until there are that many; 1 or 2 outputs. */
  public Kernel.Elementwise elementwise(int inputs, int scalars, int nodes) {
    Kernels kernels = new Kernels();
    for (int i = 0; i < inputs; i++) {
      kernels.input(type());
    }
    for (int i = 0; i < scalars; i++) {
      kernels.scalar(type());
    }
    kernels.constant(DType.F32, 1.5);
    while (kernels.size() < nodes) {
      grow(kernels);
    }
    int last = kernels.size() - 1;
    return random.nextBoolean()
        ? kernels.store(last)
        : kernels.store(last, random.nextInt(kernels.size()));
  }

  private void grow(Kernels kernels) {
    Function function = EXACT.get(random.nextInt(EXACT.size()));
    int first = pick(kernels);
    DType type = kernels.typeOf(first);
    if (!function.typeRule().accepts(type)) {
      kernels.convert(type(), first);
      return;
    }
    Integer[] arguments = new Integer[function.arity()];
    for (int i = 0; i < arguments.length; i++) {
      boolean condition = function == Function.WHERE && i == 0;
      arguments[i] = as(kernels, condition ? DType.BOOL : type, i == 0 ? first : pick(kernels));
    }
    kernels.apply(function, arguments);
  }

  private int as(Kernels kernels, DType type, int node) {
    return kernels.typeOf(node) == type ? node : kernels.convert(type, node);
  }

  /** Any node, more often a late one. */
  private int pick(Kernels kernels) {
    int size = kernels.size();
    return random.nextBoolean()
        ? random.nextInt(size)
        : random.nextInt(Math.max(0, size - 6), size);
  }
}
