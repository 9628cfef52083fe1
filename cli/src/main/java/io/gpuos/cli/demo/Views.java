package io.gpuos.cli.demo;

import static io.gpuos.layout.DType.F32;

import io.gpuos.Tensor;

/** Operands that are not contiguous tensors of one shape. */
final class Views {

  private static final int BROADCASTS = 5;
  private static final int STRIDED = 6;

  private Views() {}

  // ---- broadcast -----------------------------------------------------------------------------

  /** A row, a column, a scalar, two vectors, and a table, each over a larger shape. */
  static void broadcast(Workspace space, int operations) {
    for (int k = 0; k < operations; k++) {
      if (k % BROADCASTS == 4) {
        overCube(space, space.any(space.shapes().cubes()));
      } else {
        overTable(space, k % BROADCASTS, space.any(space.shapes().tables()));
      }
    }
  }

  private static void overTable(Workspace space, int kind, int[] shape) {
    int rows = shape[0];
    int columns = shape[1];
    Twin a = kind == 3 ? space.input(F32, rows, 1) : space.input(F32, rows, columns);
    Twin b =
        switch (kind) {
          case 0 -> space.input(F32, columns);
          case 1 -> space.input(F32, rows, 1);
          case 2 -> space.input(F32);
          default -> space.input(F32, 1, columns);
        };
    Twin out = space.output(F32, rows, columns);
    Runnable reference =
        () -> {
          for (int i = 0; i < out.length(); i++) {
            int row = i / columns;
            int column = i % columns;
            double x = a.real(kind == 3 ? row : i);
            double y = b.real(kind == 1 ? row : kind == 2 ? 0 : column);
            out.set(i, x * y + y);
          }
        };
    space.add("a * b + b", out, reference, a, b);
  }

  private static void overCube(Workspace space, int[] shape) {
    int slice = shape[1] * shape[2];
    Twin a = space.input(F32, shape);
    Twin b = space.input(F32, shape[1], shape[2]);
    Twin out = space.output(F32, shape);
    Runnable reference =
        () -> {
          for (int i = 0; i < out.length(); i++) {
            double y = b.real(i % slice);
            out.set(i, a.real(i) * y + y);
          }
        };
    space.add("a * b + b", out, reference, a, b);
  }

  // ---- strided -------------------------------------------------------------------------------

  /** Transposed, sliced with a step, backwards and permuted inputs, and outputs with gaps. */
  static void strided(Workspace space, int operations) {
    for (int k = 0; k < operations; k++) {
      int[] table = space.any(space.shapes().tables());
      switch (k % STRIDED) {
        case 0 -> transposed(space, table[0], table[1]);
        case 1 -> everySecond(space, table[0], table[1]);
        case 2 -> backwards(space, table[0], table[1]);
        case 3 -> permuted(space, space.any(space.shapes().cubes()));
        case 4 -> intoEverySecond(space, table[0], table[1]);
        default -> intoTransposed(space, table[0], table[1]);
      }
    }
  }

  private static void transposed(Workspace space, int rows, int columns) {
    Twin a = space.input(F32, columns, rows);
    Twin b = space.input(F32, rows, columns);
    Twin out = space.output(F32, rows, columns);
    Tensor turned = space.view(a, t -> t.transpose(0, 1));
    Runnable reference =
        () -> {
          for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
              int i = r * columns + c;
              out.set(i, a.real(c * rows + r) + b.real(i));
            }
          }
        };
    space.add("a + b", out, out.tensor(), reference, turned, b.tensor());
  }

  private static void everySecond(Workspace space, int rows, int columns) {
    int wide = 2 * columns + 1;
    Twin a = space.input(F32, rows, wide);
    Twin b = space.input(F32, rows, columns);
    Twin out = space.output(F32, rows, columns);
    Tensor odd = space.view(a, t -> t.slice(1, 1, wide, 2));
    Runnable reference =
        () -> {
          for (int i = 0; i < out.length(); i++) {
            int from = i / columns * wide + 1 + 2 * (i % columns);
            out.set(i, a.real(from) - b.real(i));
          }
        };
    space.add("a - b", out, out.tensor(), reference, odd, b.tensor());
  }

  private static void backwards(Workspace space, int rows, int columns) {
    Twin a = space.input(F32, rows, columns);
    Twin b = space.input(F32, rows, columns);
    Twin out = space.output(F32, rows, columns);
    Tensor both = space.view(a, t -> t.slice(0, rows, -rows - 1L, -1));
    Tensor last = space.view(b, t -> t.flip(1));
    Runnable reference =
        () -> {
          for (int i = 0; i < out.length(); i++) {
            int row = i / columns;
            int column = i % columns;
            double x = a.real((rows - 1 - row) * columns + column);
            out.set(i, x * b.real(row * columns + columns - 1 - column));
          }
        };
    space.add("a * b", out, out.tensor(), reference, both, last);
  }

  private static void permuted(Workspace space, int[] shape) {
    int[] turned = {shape[2], shape[0], shape[1]};
    Twin a = space.input(F32, shape);
    Twin b = space.input(F32, turned);
    Twin out = space.output(F32, turned);
    Tensor view = space.view(a, t -> t.permute(2, 0, 1));
    Runnable reference =
        () -> {
          for (int i = 0; i < out.length(); i++) {
            int last = i / (shape[0] * shape[1]);
            int others = i % (shape[0] * shape[1]);
            out.set(i, a.real(others * shape[2] + last) + b.real(i));
          }
        };
    space.add("a + b", out, out.tensor(), reference, view, b.tensor());
  }

  /** The elements between those written must stay as they are. */
  private static void intoEverySecond(Workspace space, int rows, int columns) {
    int half = Math.max(1, columns / 2);
    int wide = 2 * half + 1;
    Twin a = space.input(F32, rows, half);
    Twin b = space.input(F32, rows, half);
    Twin out = space.output(F32, rows, wide);
    Tensor odd = space.view(out, t -> t.slice(1, 1, wide, 2));
    Runnable reference =
        () -> {
          for (int i = 0; i < rows * half; i++) {
            out.set(i / half * wide + 1 + 2 * (i % half), a.real(i) * b.real(i));
          }
        };
    space.add("a * b", out, odd, reference, a.tensor(), b.tensor());
  }

  private static void intoTransposed(Workspace space, int rows, int columns) {
    Twin a = space.input(F32, rows, columns);
    Twin b = space.input(F32, columns);
    Twin out = space.output(F32, columns, rows);
    Tensor turned = space.view(out, t -> t.transpose(0, 1));
    Runnable reference =
        () -> {
          for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
              out.set(c * rows + r, a.real(r * columns + c) - b.real(c));
            }
          }
        };
    space.add("a - b", out, turned, reference, a.tensor(), b.tensor());
  }
}
