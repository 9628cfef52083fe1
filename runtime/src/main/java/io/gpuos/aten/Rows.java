package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Function;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.List;
import java.util.stream.IntStream;

/** Softmax and normalisations, forward and backward: what goes over rows. */
final class Rows {

  private Rows() {}

  static void add(TableBuilder table) {
    table.family("Softmax and normalisations");
    table.plain("_softmax", "softmax along dim", call -> softmax(call, false));
    table.plain("_log_softmax", "log of softmax along dim", call -> softmax(call, true));
    table.add("softmax.int", null, "int_out", "softmax along dim", call -> softmax(call, false));
    table.add(
        "log_softmax.int",
        null,
        "int_out",
        "log of softmax along dim",
        call -> softmax(call, true));
    table.single("_safe_softmax", "softmax along dim; 0 where all is -inf", Rows::safeSoftmax);
    table.plain(
        "_softmax_backward_data",
        "(grad_output - sum(grad_output * output)) * output",
        Rows::softmaxBackward);
    table.plain(
        "_log_softmax_backward_data",
        "grad_output - exp(output) * sum(grad_output)",
        Rows::logSoftmaxBackward);
    table.plain(
        "native_layer_norm", "normalised rows, their mean and 1 / deviation", Rows::layerNorm);
    table.plain(
        "native_layer_norm_backward",
        "gradients of input, weight and bias",
        Rows::layerNormBackward);
    table.single(
        "_fused_rms_norm", "normalised rows, and 1 / root of the mean square", Rows::rmsNorm);
    table.single(
        "_fused_rms_norm_backward", "gradients of input and weight", Rows::rmsNormBackward);
  }

  private static List<Integer> axis(Lowering call, AtenTensor of) {
    return Reductions.axes(of.rank(), call.integer("dim"));
  }

  private static Expr keeping(Reducer reducer, Expr value, List<Integer> axes) {
    return Exprs.fold(reducer, value, axes, true);
  }

  private static void softmax(Lowering call, boolean log) {
    AtenTensor self = call.tensor("self");
    DType natural = call.flag("half_to_float") ? DType.F32 : self.dtype();
    DType type = call.type("dtype").orElse(natural);
    if (!type.isFloating()) {
      throw new Refused("softmax of integers without a dtype has no value");
    }
    Expr x = call.read(self, type).to(Operand.computeType(type));
    call.write(0, softmax(x, axis(call, self), log).to(type));
  }

  private static Expr softmax(Expr x, List<Integer> axes, boolean log) {
    Expr shifted = x.sub(keeping(Reducer.MAX, x, axes));
    Expr powers = Exprs.exp(shifted);
    Expr sum = keeping(Reducer.SUM, powers, axes);
    return log ? shifted.sub(Exprs.log(sum)) : powers.div(sum);
  }

  private static void safeSoftmax(Lowering call) {
    AtenTensor self = call.tensor("self");
    DType type = call.type("dtype").orElse(self.dtype());
    if (!type.isFloating()) {
      throw new Refused("softmax of integers without a dtype has no value");
    }
    Expr x = call.read(self, type).to(Operand.computeType(type));
    List<Integer> axes = axis(call, self);
    Expr nothing = Exprs.equal(keeping(Reducer.MAX, x, axes), Expr.of(Double.NEGATIVE_INFINITY));
    call.write(0, Exprs.where(nothing, Exprs.ZERO, softmax(x, axes, false)).to(type));
  }

  private static void softmaxBackward(Lowering call) {
    AtenTensor output = call.tensor("output");
    DType type = call.type("input_dtype").orElse(output.dtype());
    DType computed = Operand.computeType(output.dtype());
    Expr grad = call.read(call.tensor("grad_output"), computed);
    Expr y = call.read(output, computed);
    Expr sum = keeping(Reducer.SUM, grad.mul(y), axis(call, output));
    call.write(0, grad.sub(sum).mul(y).to(type));
  }

  private static void logSoftmaxBackward(Lowering call) {
    AtenTensor output = call.tensor("output");
    DType type = call.type("input_dtype").orElse(output.dtype());
    DType computed = Operand.computeType(output.dtype());
    Expr grad = call.read(call.tensor("grad_output"), computed);
    Expr y = call.read(output, computed);
    Expr sum = keeping(Reducer.SUM, grad, axis(call, output));
    call.write(0, grad.sub(Exprs.exp(y).mul(sum)).to(type));
  }

  // ---- normalisations
  // -------------------------------------------------------------------------------

  /** The axes of {@code normalized_shape}, which are the last ones. */
  private static List<Integer> normalized(Lowering call, AtenTensor input) {
    int count = call.integers("normalized_shape").length;
    if (count == 0 || count > input.rank()) {
      throw new Refused("normalized_shape does not fit the input");
    }
    return IntStream.range(input.rank() - count, input.rank()).boxed().toList();
  }

  private static Expr affine(Lowering call, Expr value, DType computed) {
    Expr scaled =
        call.optionalTensor("weight").map(w -> value.mul(call.read(w, computed))).orElse(value);
    return call.optionalTensor("bias").map(b -> scaled.add(call.read(b, computed))).orElse(scaled);
  }

  private static Expr inverseRoot(Expr square, double eps) {
    return Exprs.call(Function.RSQRT, square.add(Expr.of(eps)));
  }

  /** Stores a statistic of rows; its type depends on the device that PyTorch ran on. */
  private static void writeStatistic(Lowering call, int index, Expr value) {
    DType type = call.result(index).map(AtenTensor::dtype).orElse(DType.F32);
    if (!type.isFloating()) {
      throw new Refused("result " + index + " is of type " + type);
    }
    call.write(index, value.to(type));
  }

  private static void layerNorm(Lowering call) {
    AtenTensor input = call.tensor("input");
    DType computed = Operand.computeType(input.dtype());
    List<Integer> axes = normalized(call, input);
    Expr x = call.read(input, computed);
    Expr mean = keeping(Reducer.MEAN, x, axes);
    Expr variance = new Expr.Reduce(Reducer.VAR, x, axes, true, 0);
    Expr scale = inverseRoot(variance, call.real("eps"));
    call.write(0, affine(call, x.sub(mean).mul(scale), computed).to(input.dtype()));
    writeStatistic(call, 1, mean);
    writeStatistic(call, 2, scale);
  }

  private static void layerNormBackward(Lowering call) {
    AtenTensor input = call.tensor("input");
    DType computed = Operand.computeType(input.dtype());
    List<Integer> axes = normalized(call, input);
    Expr grad = call.read(call.tensor("grad_out"), computed);
    Expr scale = call.read(call.tensor("rstd"), computed);
    Expr mean = call.read(call.tensor("mean"), computed);
    Expr x = call.read(input, computed).sub(mean).mul(scale);
    Expr weighted =
        call.optionalTensor("weight").map(w -> grad.mul(call.read(w, computed))).orElse(grad);
    Expr mine =
        weighted
            .sub(keeping(Reducer.MEAN, weighted, axes))
            .sub(x.mul(keeping(Reducer.MEAN, weighted.mul(x), axes)))
            .mul(scale);
    call.ignore("bias");
    writeWanted(call, 0, mine, input.dtype());
    writeWanted(call, 1, overRows(grad.mul(x), input, axes), input.dtype());
    writeWanted(call, 2, overRows(grad, input, axes), input.dtype());
  }

  private static void writeWanted(Lowering call, int index, Expr value, DType type) {
    call.leave(index);
    if (call.flag("output_mask", index)) {
      DType stored = call.result(index).map(AtenTensor::dtype).orElse(type);
      call.write(index, value.to(stored.isFloating() ? stored : type));
    }
  }

  /** The sum over all axes that are not normalised. */
  private static Expr overRows(Expr value, AtenTensor input, List<Integer> axes) {
    List<Integer> others = IntStream.range(0, input.rank() - axes.size()).boxed().toList();
    return others.isEmpty() ? value : Exprs.fold(Reducer.SUM, value, others, false);
  }

  private static void rmsNorm(Lowering call) {
    AtenTensor input = call.tensor("input");
    DType computed = Operand.computeType(input.dtype());
    List<Integer> axes = normalized(call, input);
    double eps = call.real("eps", input.dtype() == DType.F64 ? Math.ulp(1.0) : Math.ulp(1.0f));
    Expr x = call.read(input, computed);
    Expr scale = inverseRoot(keeping(Reducer.MEAN, Exprs.square(x), axes), eps);
    call.write(0, affine(call, x.mul(scale), computed).to(input.dtype()));
    writeStatistic(call, 1, scale);
  }

  private static void rmsNormBackward(Lowering call) {
    AtenTensor input = call.tensor("input");
    DType computed = Operand.computeType(input.dtype());
    List<Integer> axes = normalized(call, input);
    Expr grad = call.read(call.tensor("grad_out"), computed);
    Expr scale = call.read(call.tensor("rstd"), computed);
    Expr x = call.read(input, computed).mul(scale);
    Expr weighted =
        call.optionalTensor("weight").map(w -> grad.mul(call.read(w, computed))).orElse(grad);
    Expr mine = weighted.sub(x.mul(keeping(Reducer.MEAN, weighted.mul(x), axes))).mul(scale);
    writeWanted(call, 0, mine, input.dtype());
    writeWanted(call, 1, overRows(grad.mul(x), input, axes), input.dtype());
  }
}
