package io.gpuos.aten;

import static io.gpuos.aten.Exprs.and;
import static io.gpuos.aten.Exprs.call;
import static io.gpuos.aten.Exprs.equal;
import static io.gpuos.aten.Exprs.less;
import static io.gpuos.aten.Exprs.where;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Linear maps of lines, one dimension after the other: average pooling, borders and resampling. An
 * element of the result is a weighted sum of the elements of its line; the gradient is the map with
 * both swapped.
 */
final class Lines {

  /** Pairs of elements that one dimension may take. */
  private static final long MOST = 1L << 26;

  private Lines() {}

  static void add(TableBuilder table) {
    table.family("Pooling by averages, borders, and resampling");
    for (int dims = 2; dims <= 3; dims++) {
      String kind = dims + "d";
      pair(table, "avg_pool" + kind, "means of windows", dims, Lines::means);
      String adaptive = "_adaptive_avg_pool" + kind;
      table.plain(adaptive, "means of output_size windows", call -> forward(call, Lines::shares));
      table.plain(
          adaptive + "_backward", gradient(adaptive), call -> backward(call, Lines::shares));
    }
    for (int dims = 1; dims <= 3; dims++) {
      String kind = dims + "d";
      pair(table, "reflection_pad" + kind, "self, reflected beyond its ends", dims, Lines::mirror);
      pair(table, "replication_pad" + kind, "self, its ends repeated", dims, Lines::ends);
      pair(table, "upsample_nearest" + kind, "elements repeated", dims, (c, l) -> nearest(c, l, 0));
      pair(
          table,
          "_upsample_nearest_exact" + kind,
          "the nearest elements",
          dims,
          (c, l) -> nearest(c, l, 0.5));
    }
    String between = "values between neighbours";
    pair(table, "upsample_linear1d", between, 1, Lines::between);
    pair(table, "upsample_bilinear2d", between, 2, Lines::between);
    pair(table, "upsample_trilinear3d", between, 3, Lines::between);
    pair(table, "upsample_bicubic2d", "values between four neighbours", 2, Lines::cubic);
  }

  /**
   * A dimension of a call.
   *
   * @param index which of the last dimensions, from 0
   * @param count how many there are
   * @param computed the type of weighted sums
   */
  private record Line(int index, int count, long in, long out, DType computed) {

    /** The type that places are computed in: PyTorch's float for all but float64. */
    Expr real(Expr place) {
      return place.to(computed);
    }

    double rounded(double value) {
      return computed == DType.F64 ? value : (float) value;
    }
  }

  /** How much element i of the input counts for element o of the result; empty is 1. */
  private interface Weight {
    Expr counts(Expr o, Expr i);

    default Optional<Expr> factor(Expr o, Expr i) {
      return Optional.empty();
    }
  }

  private interface Weights {
    Weight of(Lowering call, Line line);
  }

  private static String gradient(String name) {
    return "gradient of " + name;
  }

  private static void pair(
      TableBuilder table, String name, String value, int dims, Weights weights) {
    table.plain(name, value, call -> forward(call, dims, weights));
    table.plain(
        name + "_backward", "grad_input", gradient(name), call -> backward(call, dims, weights));
  }

  private static void forward(Lowering call, Weights weights) {
    forward(call, call.integers("output_size").length, weights);
  }

  private static void forward(Lowering call, int dims, Weights weights) {
    map(call, call.tensor("self"), dims, weights, false);
  }

  private static void backward(Lowering call, Weights weights) {
    backward(call, call.tensor("self").rank() - 2, weights);
  }

  private static void backward(Lowering call, int dims, Weights weights) {
    call.ignore("self", "input_size");
    map(call, call.tensor("grad_output"), dims, weights, true);
  }

  private static void map(
      Lowering call, AtenTensor source, int dims, Weights weights, boolean backward) {
    call.ignore("output_size", "kernel_size", "stride", "padding", "ceil_mode");
    call.ignore("count_include_pad", "divisor_override", "align_corners");
    call.ignore("scales", "scales_d", "scales_h", "scales_w");
    call.leave(0);
    if (call.result(0).isEmpty()) {
      return;
    }
    AtenTensor result = call.result(0).get();
    if (source.rank() < dims) {
      throw new Refused("a tensor of " + source.rank() + " dimensions");
    }
    if (source.elements() == 0 || result.elements() == 0) {
      Views.zero(call, result);
      return;
    }
    if (!source.dtype().isFloating()) {
      throw new Refused("integers are not weighted");
    }
    DType computed = Operand.computeType(source.dtype());
    AtenTensor at = source;
    for (int index = 0; index < dims; index++) {
      int axis = source.rank() - dims + index;
      long from = source.shape()[axis];
      long to = result.shape()[axis];
      Line line = new Line(index, dims, backward ? to : from, backward ? from : to, computed);
      at = mapped(call, at, axis, to, weights.of(call, line), backward, computed);
    }
    call.write(result, call.read(at).to(result.dtype()));
  }

  private static AtenTensor mapped(
      Lowering call,
      AtenTensor x,
      int axis,
      long size,
      Weight weight,
      boolean backward,
      DType computed) {
    if (x.elements() * size > MOST || x.rank() > 6) {
      throw new Refused(
          String.format(
              Locale.ROOT,
              "a line map of too many pairs: elements=%d, line=%d",
              x.elements(),
              size));
    }
    AtenTensor mine = AtenTensor.count(size);
    AtenTensor its = AtenTensor.count(x.shape()[axis]);
    for (int d = axis; d < x.rank(); d++) {
      mine = mine.unsqueeze(mine.rank());
      its = d == axis ? its : its.unsqueeze(its.rank());
    }
    Expr o = call.read(backward ? its : mine);
    Expr i = call.read(backward ? mine : its);
    Expr value = call.read(x.unsqueeze(axis), computed);
    Expr weighted = weight.factor(o, i).map(factor -> value.mul(factor.to(computed))).orElse(value);
    Expr counted = where(weight.counts(o, i), weighted, Exprs.ZERO);
    long[] shape = x.shape();
    shape[axis] = size;
    return call.kept(computed, Exprs.fold(Reducer.SUM, counted, List.of(axis + 1), false), shape);
  }

  /** The element of a list of one, or of one for each dimension. */
  static long of(long[] given, int index, long otherwise) {
    if (given.length == 0) {
      return otherwise;
    }
    return given.length == 1 ? given[0] : given[index];
  }

  private static Expr number(long value) {
    return Expr.of(value);
  }

  private static Expr floorDivide(Expr a, long b) {
    return call(Function.FLOOR_DIVIDE, a, number(b));
  }

  private static Expr smaller(Expr a, Expr b) {
    return call(Function.MINIMUM, a, b);
  }

  private static Expr larger(Expr a, Expr b) {
    return call(Function.MAXIMUM, a, b);
  }

  private static Expr within(Expr i, Expr from, Expr to) {
    return and(call(Function.GE, i, from), less(i, to));
  }

  // ---- averages
  // -------------------------------------------------------------------------------------

  private static Weight means(Lowering call, Line line) {
    long kernel = of(call.integers("kernel_size"), line.index(), 1);
    long step = of(call.integers("stride"), line.index(), kernel);
    long border = of(call.integers("padding"), line.index(), 0);
    boolean counted = call.flag("count_include_pad");
    double divisor = call.real("divisor_override", 0);
    return new Weight() {
      private Expr from(Expr o) {
        return o.mul(number(step)).sub(number(border));
      }

      @Override
      public Expr counts(Expr o, Expr i) {
        return within(i, from(o), from(o).add(number(kernel)));
      }

      @Override
      public Optional<Expr> factor(Expr o, Expr i) {
        if (divisor != 0) {
          return line.index() == 0 ? Optional.of(Expr.of(1 / divisor)) : Optional.empty();
        }
        Expr begin = from(o);
        Expr end = smaller(begin.add(number(kernel)), number(line.in() + border));
        if (!counted) {
          begin = larger(begin, number(0));
          end = smaller(end, number(line.in()));
        }
        return Optional.of(Exprs.ONE.div(end.sub(begin).to(DType.F64)));
      }
    };
  }

  private static Weight shares(Lowering call, Line line) {
    return new Weight() {
      private Expr begin(Expr o) {
        return floorDivide(o.mul(number(line.in())), line.out());
      }

      private Expr end(Expr o) {
        Expr next = o.add(number(1)).mul(number(line.in()));
        return floorDivide(next.add(number(line.out() - 1)), line.out());
      }

      @Override
      public Expr counts(Expr o, Expr i) {
        return within(i, begin(o), end(o));
      }

      @Override
      public Optional<Expr> factor(Expr o, Expr i) {
        return Optional.of(Exprs.ONE.div(end(o).sub(begin(o)).to(DType.F64)));
      }
    };
  }

  // ---- borders
  // --------------------------------------------------------------------------------------

  /** Where an element of the result would be in the input; the last dimension comes first. */
  private static Expr place(Lowering call, Line line, Expr o) {
    long[] border = call.integers("padding");
    return o.sub(number(border[2 * (line.count() - 1 - line.index())]));
  }

  private static Weight mirror(Lowering call, Line line) {
    return (o, i) -> {
      Expr last = number(line.in() - 1);
      Expr inside = Exprs.abs(place(call, line, o));
      return equal(i, last.sub(Exprs.abs(last.sub(inside))));
    };
  }

  private static Weight ends(Lowering call, Line line) {
    return (o, i) ->
        equal(i, larger(smaller(place(call, line, o), number(line.in() - 1)), number(0)));
  }

  // ---- resampling
  // -----------------------------------------------------------------------------------

  private static final List<List<String>> SCALES =
      List.of(
          List.of("scales"),
          List.of("scales_h", "scales_w"),
          List.of("scales_d", "scales_h", "scales_w"));

  /** How far neighbours of the result are apart in the input. */
  private static double scale(Lowering call, Line line) {
    String name = SCALES.get(line.count() - 1).get(line.index());
    if (call.has(name) && call.real(name) > 0) {
      return line.rounded(1 / call.real(name));
    }
    return line.rounded((double) line.in() / line.out());
  }

  private static Weight nearest(Lowering call, Line line, double shift) {
    double scale = (float) scale(call, line);
    return (o, i) -> {
      Expr at = o.to(DType.F32);
      Expr source = (shift == 0 ? at : at.add(Expr.of(shift))).mul(Expr.of(scale));
      Expr whole = call(Function.FLOOR, source).to(DType.I64);
      return equal(i, smaller(whole, number(line.in() - 1)));
    };
  }

  private static Expr source(Lowering call, Line line, Expr o, boolean cut) {
    Expr at = line.real(o);
    if (call.flag("align_corners")) {
      double scale = line.out() > 1 ? line.rounded((line.in() - 1.0) / (line.out() - 1)) : 0;
      return at.mul(Expr.of(scale));
    }
    Expr middle = at.add(Expr.of(0.5)).mul(Expr.of(scale(call, line))).sub(Expr.of(0.5));
    return cut ? larger(middle, Exprs.ZERO) : middle;
  }

  private static Weight between(Lowering call, Line line) {
    return new Weight() {
      private Expr low(Expr o) {
        Expr whole = call(Function.FLOOR, source(call, line, o, true)).to(DType.I64);
        return smaller(whole, number(line.in() - 1));
      }

      private Expr high(Expr o) {
        return smaller(low(o).add(number(1)), number(line.in() - 1));
      }

      @Override
      public Expr counts(Expr o, Expr i) {
        return call(Function.LOGICAL_OR, equal(i, low(o)), equal(i, high(o)));
      }

      @Override
      public Optional<Expr> factor(Expr o, Expr i) {
        Expr part = source(call, line, o, true).sub(line.real(low(o)));
        Expr share = smaller(larger(part, Exprs.ZERO), Exprs.ONE);
        Expr left = where(equal(i, low(o)), Exprs.rest(share), Exprs.ZERO);
        return Optional.of(left.add(where(equal(i, high(o)), share, Exprs.ZERO)));
      }
    };
  }

  /** Keys' cubic with a = -0.75. */
  private static Weight cubic(Lowering call, Line line) {
    return new Weight() {
      private Expr whole(Expr o) {
        return call(Function.FLOOR, source(call, line, o, false));
      }

      private List<Expr> places(Expr o) {
        List<Expr> places = new ArrayList<>();
        for (long k = -1; k <= 2; k++) {
          Expr at = whole(o).to(DType.I64).add(number(k));
          places.add(larger(smaller(at, number(line.in() - 1)), number(0)));
        }
        return places;
      }

      @Override
      public Expr counts(Expr o, Expr i) {
        return places(o).stream()
            .map(place -> equal(i, place))
            .reduce((a, b) -> call(Function.LOGICAL_OR, a, b))
            .orElseThrow();
      }

      @Override
      public Optional<Expr> factor(Expr o, Expr i) {
        Expr t = source(call, line, o, false).sub(whole(o));
        List<Expr> shares =
            List.of(
                outer(t.add(Exprs.ONE)), inner(t), inner(Exprs.rest(t)), outer(Expr.of(2).sub(t)));
        Expr sum = null;
        for (int k = 0; k < 4; k++) {
          Expr share = where(equal(i, places(o).get(k)), shares.get(k), Exprs.ZERO);
          sum = sum == null ? share : sum.add(share);
        }
        return Optional.of(sum);
      }
    };
  }

  private static Expr inner(Expr x) {
    return Expr.of(1.25).mul(x).sub(Expr.of(2.25)).mul(x).mul(x).add(Exprs.ONE);
  }

  private static Expr outer(Expr x) {
    Expr cubed = Expr.of(-0.75).mul(x).add(Expr.of(3.75)).mul(x).sub(Expr.of(6));
    return cubed.mul(x).add(Expr.of(3));
  }
}
