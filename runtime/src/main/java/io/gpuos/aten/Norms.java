package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** Normalisations over channels and groups, forward and backward. */
final class Norms {

  private static final List<Integer> ROW = List.of(2);

  private Norms() {}

  static void add(TableBuilder table) {
    table.family("Normalisations over channels and groups");
    String normal = "normalised channels, their mean and 1 / deviation";
    for (String name :
        List.of(
            "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit.no_stats")) {
      table.single(name, normal, call -> batch(call, "training", "eps"));
    }
    table.single("_native_batch_norm_legit_no_training", normal, call -> batch(call, null, "eps"));
    table.single("cudnn_batch_norm", normal, call -> batch(call, "training", "epsilon"));
    table.single("_batch_norm_with_update", normal, call -> batch(call, "", "eps"));
    String gradients = "gradients of input, weight and bias";
    table.single(
        "native_batch_norm_backward",
        gradients,
        call -> batchBackward(call, "grad_out", "save_invstd", call.flag("train")));
    table.single(
        "batch_norm_backward",
        gradients,
        call -> batchBackward(call, "grad_out", "save_var", call.flag("update")));
    table.single(
        "cudnn_batch_norm_backward",
        gradients,
        call -> batchBackward(call, "grad_output", "save_var", true));
    table.single(
        "native_group_norm", "normalised groups, their mean and 1 / deviation", Norms::group);
    table.single("native_group_norm_backward", gradients, Norms::groupBackward);
  }

  /** [N, C, ..] as [N, C, the rest]. */
  private static AtenTensor rows(Lowering call, AtenTensor x) {
    if (x.rank() < 2) {
      throw new Refused("an input of " + x.rank() + " dimensions");
    }
    long n = x.shape()[0];
    long c = x.shape()[1];
    long rest = x.elements() / Math.max(1, n * c);
    return call.contiguous(x).reshape(n, c, rest);
  }

  /** Values of channels beside [N, C, the rest]. */
  private static Expr channels(Lowering call, AtenTensor values, DType computed) {
    return call.read(values.unsqueeze(1), computed);
  }

  private static Optional<Expr> channels(Lowering call, String name, DType computed) {
    return call.optionalTensor(name).map(values -> channels(call, values, computed));
  }

  /**
   * @param training name of the argument that asks for it, null for never, empty for always
   */
  private static void batch(Lowering call, String training, String eps) {
    AtenTensor input = call.tensor("input");
    if (input.elements() == 0) {
      throw new Refused("statistics of nothing");
    }
    DType type = input.dtype();
    DType computed = Operand.computeType(type);
    AtenTensor x = rows(call, input);
    Expr value = call.read(x, computed);
    boolean own = training != null && (training.isEmpty() || call.flag(training));
    double epsilon = call.real(eps);
    double momentum =
        call.real(call.has("momentum") ? "momentum" : "exponential_average_factor", 0);
    call.ignore("cudnn_enabled");
    Expr mean;
    Expr scale;
    if (own) {
      List<Integer> axes = List.of(0, 2);
      Expr average = Exprs.fold(Reducer.MEAN, value, axes, false);
      Expr variance = new Expr.Reduce(Reducer.VAR, value, axes, false, 0);
      long channels = x.shape()[1];
      AtenTensor means = call.kept(computed, average, channels);
      AtenTensor spreads = call.kept(computed, variance, channels);
      Expr inverse = inverse(call.read(spreads), epsilon);
      update(call, "running_mean", call.read(means), momentum);
      double count = (double) x.elements() / channels;
      Expr unbiased = call.read(spreads).mul(Expr.of(count / (count - 1)));
      update(call, "running_var", unbiased, momentum);
      statistic(call, 1, call.read(means));
      statistic(call, 2, inverse);
      mean = channels(call, means, computed);
      scale = inverse(channels(call, spreads, computed), epsilon);
    } else {
      mean = channels(call, "running_mean", computed).orElseThrow(Norms::missing);
      scale = inverse(channels(call, "running_var", computed).orElseThrow(Norms::missing), epsilon);
      emptied(call, 1);
      emptied(call, 2);
    }
    Expr normal = value.sub(mean).mul(scale);
    Expr scaled = channels(call, "weight", computed).map(normal::mul).orElse(normal);
    Expr result = channels(call, "bias", computed).map(scaled::add).orElse(scaled);
    call.leave(3);
    spread(call, 0, x, input, result.to(type));
  }

  private static Refused missing() {
    return new Refused("no running statistics");
  }

  private static Expr inverse(Expr variance, double eps) {
    return Exprs.call(Function.RSQRT, variance.add(Expr.of(eps)));
  }

  private static void update(Lowering call, String name, Expr value, double momentum) {
    call.optionalTensor(name)
        .ifPresent(
            running -> {
              DType computed = Operand.computeType(running.dtype());
              Expr kept = call.read(running, computed).mul(Expr.of(1 - momentum));
              Expr moved = kept.add(value.to(computed).mul(Expr.of(momentum)));
              call.write(running, moved.to(running.dtype()));
            });
  }

  private static void statistic(Lowering call, int index, Expr value) {
    call.leave(index);
    call.result(index).ifPresent(result -> call.write(result, value.to(result.dtype())));
  }

  /** Without training PyTorch gives no statistics. */
  private static void emptied(Lowering call, int index) {
    call.leave(index);
    call.result(index)
        .filter(result -> result.elements() > 0)
        .ifPresent(
            _ -> {
              throw new Refused("statistics are kept though they are given");
            });
  }

  /** Writes a value in the form of [N, C, the rest] to a result of the input's shape. */
  private static void spread(
      Lowering call, int index, AtenTensor rows, AtenTensor input, Expr value) {
    call.leave(index);
    call.result(index)
        .ifPresent(
            result -> {
              if (result.isContiguous()) {
                call.write(result.reshape(rows.shape()), value);
              } else {
                AtenTensor copy = call.kept(result.dtype(), value, rows.shape());
                call.write(result, call.read(copy.reshape(input.shape())));
              }
              call.endStep();
            });
  }

  private static void batchBackward(
      Lowering call, String gradient, String inverse, boolean training) {
    AtenTensor input = call.tensor("input");
    DType type = input.dtype();
    DType computed = Operand.computeType(type);
    AtenTensor x = rows(call, input);
    AtenTensor g = rows(call, call.tensor(gradient));
    call.ignore("running_mean", "running_var", "reserve", "reserveSpace", "output_mask");
    double eps = call.real(call.has("epsilon") ? "epsilon" : "eps");
    long channels = x.shape()[1];
    Expr mean;
    Expr scale;
    if (training) {
      mean = channels(call, call.tensor("save_mean"), computed);
      scale = channels(call, call.tensor(inverse), computed);
    } else {
      call.ignore("save_mean", inverse);
      mean = channels(call, call.tensor("running_mean"), computed);
      scale = inverse(channels(call, call.tensor("running_var"), computed), eps);
    }
    Expr grad = call.read(g, computed);
    Expr normal = call.read(x, computed).sub(mean).mul(scale);
    List<Integer> axes = List.of(0, 2);
    AtenTensor sum = call.kept(computed, Exprs.fold(Reducer.SUM, grad, axes, false), channels);
    AtenTensor product =
        call.kept(computed, Exprs.fold(Reducer.SUM, grad.mul(normal), axes, false), channels);
    statistic(call, 1, call.read(product));
    statistic(call, 2, call.read(sum));
    call.endStep();
    Expr mine = grad;
    if (training) {
      Expr share = Expr.of((double) channels / x.elements());
      mine =
          grad.sub(channels(call, sum, computed).mul(share))
              .sub(normal.mul(channels(call, product, computed).mul(share)));
    }
    Expr scaled = mine.mul(scale);
    Expr weighted = channels(call, "weight", computed).map(scaled::mul).orElse(scaled);
    spread(call, 0, x, input, weighted.to(type));
  }

  // ---- groups
  // ---------------------------------------------------------------------------------------

  /** Values of channels beside [N, groups, channels of each, the rest]. */
  private static Optional<Expr> ofGroups(Lowering call, String name, long groups, DType computed) {
    return call.optionalTensor(name)
        .map(
            values -> {
              AtenTensor line = call.contiguous(values);
              long each = line.elements() / groups;
              return call.read(line.reshape(groups, each, 1), computed);
            });
  }

  private static AtenTensor grouped(Lowering call, AtenTensor input, long n, long c, long groups) {
    long rest = input.elements() / Math.max(1, n * c);
    return call.contiguous(input).reshape(n, groups, c / groups, rest);
  }

  /** PyTorch has mean 0 and a deviation that is no number. */
  private static void ofNothing(Lowering call) {
    call.ignore(call.call().arguments().keySet().toArray(String[]::new));
    call.leave(0);
    for (int k = 1; k < 3; k++) {
      Expr value = Expr.of(k == 1 ? 0.0 : Double.NaN);
      call.leave(k);
      call.result(k)
          .filter(result -> result.elements() > 0)
          .ifPresent(
              result ->
                  call.write(result, call.everywhere(value.to(result.dtype()), result.shape())));
    }
  }

  private static void group(Lowering call) {
    AtenTensor input = call.tensor("input");
    if (input.elements() == 0) {
      throw new Refused("statistics of nothing");
    }
    DType type = input.dtype();
    DType computed = Operand.computeType(type);
    long groups = call.integer("group");
    call.ignore("HxW");
    AtenTensor x = grouped(call, input, call.integer("N"), call.integer("C"), groups);
    AtenTensor row = x.reshape(x.shape()[0], groups, x.elements() / (x.shape()[0] * groups));
    Expr all = call.read(row, computed);
    Expr average = Exprs.fold(Reducer.MEAN, all, ROW, false);
    Expr variance = new Expr.Reduce(Reducer.VAR, all, ROW, false, 0);
    AtenTensor means = call.kept(computed, average, x.shape()[0], groups);
    AtenTensor scales =
        call.kept(computed, inverse(variance, call.real("eps")), x.shape()[0], groups);
    statistic(call, 1, call.read(means));
    statistic(call, 2, call.read(scales));
    call.endStep();
    Expr mean = call.read(means.unsqueeze(2).unsqueeze(3));
    Expr scale = call.read(scales.unsqueeze(2).unsqueeze(3));
    Expr normal = call.read(x, computed).sub(mean).mul(scale);
    Expr scaled = ofGroups(call, "weight", groups, computed).map(normal::mul).orElse(normal);
    Expr result = ofGroups(call, "bias", groups, computed).map(scaled::add).orElse(scaled);
    spread(call, 0, x, input, result.to(type));
  }

  private static void groupBackward(Lowering call) {
    AtenTensor input = call.tensor("input");
    DType type = input.dtype();
    DType computed = Operand.computeType(type);
    long groups = call.integer("group");
    long n = call.integer("N");
    long c = call.integer("C");
    call.ignore("HxW", "output_mask");
    AtenTensor x = grouped(call, input, n, c, groups);
    AtenTensor g = grouped(call, call.tensor("grad_out"), n, c, groups);
    Expr mean = call.read(groupStatistic(call, "mean", n, groups), computed);
    Expr scale = call.read(groupStatistic(call, "rstd", n, groups), computed);
    Expr grad = call.read(g, computed);
    Expr normal = call.read(x, computed).sub(mean).mul(scale);
    Expr weighted = ofGroups(call, "weight", groups, computed).map(grad::mul).orElse(grad);
    List<Integer> inner = List.of(2, 3);
    Expr mine =
        weighted
            .sub(Exprs.fold(Reducer.MEAN, weighted, inner, true))
            .sub(normal.mul(Exprs.fold(Reducer.MEAN, weighted.mul(normal), inner, true)))
            .mul(scale);
    List<Integer> outer = IntStream.of(0, 3).boxed().toList();
    ofChannels(call, 1, Exprs.fold(Reducer.SUM, grad.mul(normal), outer, false), c, groups);
    ofChannels(call, 2, Exprs.fold(Reducer.SUM, grad, outer, false), c, groups);
    call.endStep();
    spread(call, 0, x, input, mine.to(type));
  }

  private static AtenTensor groupStatistic(Lowering call, String name, long n, long groups) {
    return call.contiguous(call.tensor(name)).reshape(n, groups, 1, 1);
  }

  private static void ofChannels(Lowering call, int index, Expr value, long c, long groups) {
    call.leave(index);
    call.result(index)
        .ifPresent(
            result -> call.write(result.reshape(groups, c / groups), value.to(result.dtype())));
  }
}
