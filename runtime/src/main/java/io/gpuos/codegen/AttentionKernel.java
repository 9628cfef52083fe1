package io.gpuos.codegen;

import io.gpuos.ir.Kernel;
import io.gpuos.layout.AttentionSpace;
import io.gpuos.layout.DType;
import io.gpuos.layout.IterationSpace;
import java.util.Arrays;
import java.util.List;

/**
 * Runs attention unit by unit, see {@link AttentionSpace}. Keys and values are staged in panels;
 * for each row of scores the running maximum and sum of a softmax go along, and what was summed so
 * far is scaled down when the maximum rises. So a unit needs room for a panel of scores, however
 * many keys there are. In the end the unit goes through the expression as one chunk.
 *
 * <p>Values of more than {@link CpuScratch#CHUNK} columns are computed in parts, the scores anew
 * for each.
 */
final class AttentionKernel implements CpuKernel {

  /** Slots of panels; factors and what follows need none of them at the same time. */
  private static final int RESULT = Kernel.Attention.ATTENDED;

  private static final int QUERY = 1;
  private static final int KEY = 2;
  private static final int VALUE = 3;
  private static final int SCORES = 4;
  private static final int MASK = 5;

  /** Slot of the maximum and, {@link AttentionSpace#ROWS} behind it, the sum of each row. */
  private static final int STATE = 6;

  /** Keys of a panel, so that the scores of all rows fit a slot. */
  private static final int MOST_KEYS = CpuScratch.CHUNK / AttentionSpace.ROWS;

  private final Kernel.Attention kernel;
  private final Staging factor;
  private final boolean booleanMask;
  private final Staging mask;
  private final OperandPort[] inputs;
  private final OperandPort output;
  private final Chunk chunk;
  private final int temporaries;

  /**
   * @param chunk computes the output's slot from that of operand 0 and those of the inputs
   * @param temporaries number of temporary slots the chunk uses
   */
  AttentionKernel(Kernel.Attention kernel, Chunk chunk, int temporaries) {
    this.kernel = kernel;
    this.factor = new Staging(kernel.operands().getFirst().type());
    DType last = kernel.operands().get(kernel.factors() - 1).type();
    this.booleanMask = last == DType.BOOL;
    this.mask = new Staging(last);
    this.inputs = OperandPort.of(kernel, Kernel.Role.INPUT);
    this.output = OperandPort.of(kernel, Kernel.Role.OUTPUT)[0];
    this.chunk = chunk;
    this.temporaries = temporaries;
  }

  /** The expression of the result's elements, which are in the slot of operand 0. */
  static Kernel.Elementwise epilogue(Kernel.Attention kernel) {
    int last = kernel.operands().size() - 1;
    return new Kernel.Elementwise(
        kernel.operands(), kernel.nodes(), List.of(new Kernel.Store(last, kernel.value())));
  }

  /** Positions are units here. */
  @Override
  public void run(
      long[] operands, IterationSpace space, long first, long count, CpuScratch scratch) {
    scratch.reserve(temporaries);
    long queries = AttentionSpace.queries(space);
    long units = Math.ceilDiv(queries, AttentionSpace.ROWS);
    for (long unit = first; unit < first + count; unit++) {
      long begin = unit % units * AttentionSpace.ROWS;
      int rows = (int) Math.min(AttentionSpace.ROWS, queries - begin);
      run(operands, space, unit / units * queries, begin, rows, scratch);
    }
  }

  /**
   * Runs a unit in parts that fit the slots.
   *
   * @param batch number of the batch's first row, over all batches
   * @param row number of the unit's first row within its batch
   */
  private void run(
      long[] operands, IterationSpace space, long batch, long row, int rows, CpuScratch scratch) {
    long columns = AttentionSpace.columns(space);
    int width = (int) Math.min(columns, CpuScratch.CHUNK);
    int height = Math.min(rows, CpuScratch.CHUNK / Math.max(width, depth(space)));
    for (int r = 0; r < rows; r += height) {
      for (long column = 0; column < columns; column += width) {
        long position = (batch + row + r) * columns + column;
        int some = Math.min(height, rows - r);
        int wide = (int) Math.min(width, columns - column);
        attend(operands, space, position, row + r, some, wide, scratch);
        for (OperandPort input : inputs) {
          if (input.operand() >= kernel.factors()) {
            input.loadGrid(operands, space, position, some, wide, scratch);
          }
        }
        chunk.apply(some * wide, scratch, operands);
        output.storeGrid(operands, space, position, some, wide, scratch);
      }
    }
  }

  /** Elements of queries and keys that are staged at a time. */
  private static int depth(IterationSpace space) {
    return Math.clamp(AttentionSpace.depth(space), 1, CpuScratch.CHUNK);
  }

  /** Leaves the attention of some rows and columns in its slot, row-major. */
  private void attend(
      long[] operands,
      IterationSpace space,
      long position,
      long row,
      int rows,
      int columns,
      CpuScratch scratch) {
    Arrays.fill(scratch.floats[RESULT], 0, rows * columns, 0);
    Arrays.fill(scratch.floats[STATE], 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(scratch.floats[STATE], AttentionSpace.ROWS, AttentionSpace.ROWS + rows, 0);
    int inner = space.kept();
    long keys = AttentionSpace.keys(space);
    long seen = kernel.causal() ? Math.min(keys, row + rows) : keys;
    int most = Math.min(MOST_KEYS, CpuScratch.CHUNK / Math.max(columns, depth(space)));
    for (long key = 0; key < seen; key += most) {
      int n = (int) Math.min(most, seen - key);
      score(operands, space, position, rows, key, n, scratch);
      long values = space.offset(2, position) + key * space.stride(2, inner);
      scratch.walk.grid(values, n, space.stride(2, inner), columns, space.stride(2, inner - 1));
      factor.load(scratch, VALUE, operands[2]);
      for (int r = 0; r < rows; r++) {
        int visible = kernel.causal() ? Math.clamp(row + r + 1 - key, 0, n) : n;
        if (visible > 0) {
          mask(operands, space, position, r, key, r * n, visible, scratch);
          add(scratch, r, r * n, visible, columns);
        }
      }
    }
    if (keys > 0) {
      divide(scratch, rows, columns);
    }
  }

  /** Leaves the products of rows with {@code n} keys in the scores, row-major and not scaled. */
  private void score(
      long[] operands,
      IterationSpace space,
      long position,
      int rows,
      long key,
      int n,
      CpuScratch scratch) {
    int inner = space.kept();
    float[] scores = scratch.floats[SCORES];
    Arrays.fill(scores, 0, rows * n, 0);
    long depth = AttentionSpace.depth(space);
    int part = depth(space);
    long keys = space.offset(1, position) + key * space.stride(1, inner);
    for (long d = 0; d < depth; d += part) {
      int length = (int) Math.min(part, depth - d);
      long step = space.stride(0, inner + 1);
      long queries = space.offset(0, position) + d * step;
      scratch.walk.grid(queries, rows, space.stride(0, inner - 2), length, step);
      factor.load(scratch, QUERY, operands[0]);
      step = space.stride(1, inner + 1);
      scratch.walk.grid(keys + d * step, n, space.stride(1, inner), length, step);
      factor.load(scratch, KEY, operands[1]);
      for (int r = 0; r < rows; r++) {
        for (int k = 0; k < n; k++) {
          scores[r * n + k] +=
              dot(scratch.floats[QUERY], r * length, scratch.floats[KEY], k * length, length);
        }
      }
    }
  }

  /** Four sums side by side: one alone would wait for each addition. */
  private static float dot(float[] a, int at, float[] b, int bt, int n) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    int i = 0;
    for (; i + 3 < n; i += 4) {
      s0 += a[at + i] * b[bt + i];
      s1 += a[at + i + 1] * b[bt + i + 1];
      s2 += a[at + i + 2] * b[bt + i + 2];
      s3 += a[at + i + 3] * b[bt + i + 3];
    }
    for (; i < n; i++) {
      s0 += a[at + i] * b[bt + i];
    }
    return (s0 + s1) + (s2 + s3);
  }

  /** Scales {@code n} scores of row {@code r} from {@code at} on, and applies the mask to them. */
  private void mask(
      long[] operands,
      IterationSpace space,
      long position,
      int r,
      long key,
      int at,
      int n,
      CpuScratch scratch) {
    float[] scores = scratch.floats[SCORES];
    float scale = (float) kernel.scale();
    for (int k = 0; k < n; k++) {
      scores[at + k] *= scale;
    }
    if (!kernel.masked()) {
      return;
    }
    int inner = space.kept();
    long step = space.stride(3, inner);
    long start = space.offset(3, position) + r * space.stride(3, inner - 2) + key * step;
    scratch.walk.grid(start, 1, 0, n, step);
    mask.load(scratch, MASK, operands[3]);
    for (int k = 0; k < n; k++) {
      if (!booleanMask) {
        scores[at + k] += scratch.floats[MASK][k];
      } else if (scratch.ints[MASK][k] == 0) {
        scores[at + k] = Float.NEGATIVE_INFINITY;
      }
    }
  }

  /** Adds the staged values to a row, weighted by its scores from {@code at} on. */
  private static void add(CpuScratch scratch, int r, int at, int n, int columns) {
    float[] scores = scratch.floats[SCORES];
    float[] state = scratch.floats[STATE];
    float most = state[r];
    for (int k = 0; k < n; k++) {
      // Not Math.max, which a NaN would stay in: it reaches the sum by its weight.
      most = scores[at + k] > most ? scores[at + k] : most;
    }
    float shift = most == Float.NEGATIVE_INFINITY ? 0 : most;
    float kept = exp(state[r] - shift);
    float sum = state[AttentionSpace.ROWS + r] * kept;
    float[] out = scratch.floats[RESULT];
    int to = r * columns;
    for (int c = 0; c < columns; c++) {
      out[to + c] *= kept;
    }
    float[] values = scratch.floats[VALUE];
    for (int k = 0; k < n; k++) {
      float weight = exp(scores[at + k] - shift);
      sum += weight;
      int from = k * columns;
      for (int c = 0; c < columns; c++) {
        out[to + c] += weight * values[from + c];
      }
    }
    state[r] = most;
    state[AttentionSpace.ROWS + r] = sum;
  }

  private static float exp(float x) {
    return (float) Math.exp(x);
  }

  private static void divide(CpuScratch scratch, int rows, int columns) {
    float[] out = scratch.floats[RESULT];
    for (int r = 0; r < rows; r++) {
      float sum = scratch.floats[STATE][AttentionSpace.ROWS + r];
      for (int c = 0; c < columns; c++) {
        out[r * columns + c] /= sum;
      }
    }
  }
}
