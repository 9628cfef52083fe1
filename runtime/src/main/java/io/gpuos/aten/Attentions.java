package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Scaled dot-product attention as PyTorch's backends name it, forward and backward. Queries are [B,
 * H, M, D], keys and values [B, G, N, D] and [B, G, N, E], where G divides H.
 */
final class Attentions {

  private static final List<Integer> LAST = List.of(-1);

  private Attentions() {}

  static void add(TableBuilder table) {
    table.family("Attention");
    String value = "softmax(query key^T * scale + mask) value, and log of its sums";
    String gradient = "gradients of query, key and value";
    table.single(
        "_scaled_dot_product_flash_attention_for_cpu",
        value,
        call -> attend(call, "attn_mask", "query"));
    table.single(
        "_scaled_dot_product_flash_attention_for_cpu_backward",
        gradient,
        call -> backward(call, "grad_out", "attn_mask"));
    table.single("_scaled_dot_product_flash_attention", value, call -> attend(call, null, "query"));
    table.single(
        "_scaled_dot_product_efficient_attention",
        value,
        call -> attend(call, "attn_bias", "query"));
    table.single(
        "_scaled_dot_product_cudnn_attention", value, call -> attend(call, "attn_bias", "query"));
    table.single(
        "_scaled_dot_product_flash_attention_backward",
        gradient,
        call -> backward(call, "grad_out", null));
    table.single(
        "_scaled_dot_product_efficient_attention_backward",
        gradient,
        call -> backward(call, "grad_out_", "attn_bias"));
    table.single(
        "_scaled_dot_product_cudnn_attention_backward",
        gradient,
        call -> backward(call, "grad_out", "attn_bias"));
  }

  private static void requireKept(Lowering call) {
    if (call.real("dropout_p", 0) != 0) {
      throw new Refused("there are no random numbers here");
    }
    call.ignore(
        "return_debug_mask",
        "compute_log_sumexp",
        "compute_logsumexp",
        "philox_seed",
        "philox_offset",
        "rng_state",
        "unused",
        "cum_seq_q",
        "cum_seq_k",
        "max_q",
        "max_k",
        "grad_input_mask");
  }

  /** Heads in groups that share keys: [B, G, H / G, M, D]. */
  private static AtenTensor grouped(AtenTensor x, long groups) {
    long[] shape = x.shape();
    long[] strides = x.strides();
    long each = shape[1] / groups;
    return x.strided(
        new long[] {shape[0], groups, each, shape[2], shape[3]},
        new long[] {strides[0], strides[1] * each, strides[1], strides[2], strides[3]});
  }

  private static AtenTensor checked(AtenTensor x) {
    if (x.rank() != 4) {
      throw new Refused("attention of " + x.rank() + " dimensions");
    }
    return x;
  }

  /** The mask beside [B, G, H / G, M, N]. */
  private static Optional<AtenTensor> mask(
      Lowering call, String name, AtenTensor query, AtenTensor key) {
    if (name == null) {
      return Optional.empty();
    }
    long[] scores = {query.shape()[0], query.shape()[1], query.shape()[2], key.shape()[2]};
    return call.optionalTensor(name).map(mask -> grouped(mask.expand(scores), key.shape()[1]));
  }

  private static double scale(Lowering call, AtenTensor query) {
    double depth = Math.max(1, query.shape()[3]);
    return call.has("scale") ? call.real("scale") : 1 / Math.sqrt(depth);
  }

  private static void attend(Lowering call, String maskName, String first) {
    AtenTensor query = checked(call.tensor(first));
    AtenTensor key = checked(call.tensor("key"));
    AtenTensor value = checked(call.tensor("value"));
    requireKept(call);
    boolean causal = call.flag("is_causal");
    double scale = scale(call, query);
    long groups = key.shape()[1];
    Optional<AtenTensor> mask = mask(call, maskName, query, key);
    if (query.dtype() == DType.F64) {
      throw new Refused("attention of type F64");
    }
    Expr attention =
        new Expr.Attention(
            call.read(grouped(query, groups)),
            call.read(grouped(key, groups)),
            call.read(grouped(value, groups)),
            mask.map(call::read),
            causal,
            OptionalDouble.of(scale));
    call.leave(0);
    call.result(0).ifPresent(result -> call.write(grouped(result, groups), attention));
    call.endStep();
    call.leave(1);
    call.result(1)
        .filter(result -> result.elements() > 0)
        .ifPresent(result -> sums(call, query, key, mask, causal, scale, result));
    for (int k = 2; k < call.results().size(); k++) {
      call.leave(k);
    }
  }

  /** The scores [B, G, H / G, M, N], in float32. */
  private static AtenTensor scores(
      Lowering call,
      AtenTensor query,
      AtenTensor key,
      Optional<AtenTensor> mask,
      boolean causal,
      double scale) {
    long groups = key.shape()[1];
    DType computed = Operand.computeType(query.dtype());
    AtenTensor q = grouped(query, groups);
    AtenTensor k = grouped(key, groups).transpose(3, 4);
    Expr product = call.read(q, computed).matmul(call.read(k, computed));
    Expr scaled = product.mul(Expr.of(scale));
    Expr least = Expr.of(Double.NEGATIVE_INFINITY);
    if (mask.isPresent()) {
      Expr given = call.read(mask.get());
      boolean excludes = mask.get().dtype() == DType.BOOL;
      scaled = excludes ? Exprs.where(given, scaled, least) : scaled.add(given.to(computed));
    }
    if (causal) {
      Expr row = call.read(AtenTensor.count(query.shape()[2]).unsqueeze(1));
      Expr column = call.read(AtenTensor.count(key.shape()[2]));
      scaled = Exprs.where(Exprs.atMost(column, row), scaled, least);
    }
    long[] shape = q.shape();
    shape[4] = key.shape()[2];
    return call.kept(computed, scaled, shape);
  }

  /** Into [B, H, M], of which CUDA's backends have more columns than there are queries. */
  private static void sums(
      Lowering call,
      AtenTensor query,
      AtenTensor key,
      Optional<AtenTensor> mask,
      boolean causal,
      double scale,
      AtenTensor result) {
    AtenTensor sums = result.rank() == 4 ? result.select(3, 0) : result;
    if (sums.rank() != 3 || sums.shape()[2] < query.shape()[2]) {
      throw new Refused("sums in another form: " + result);
    }
    AtenTensor scores = scores(call, query, key, mask, causal, scale);
    AtenTensor flat =
        scores.reshape(query.shape()[0], query.shape()[1], query.shape()[2], key.shape()[2]);
    Expr x = call.read(flat);
    Expr most = Reductions.finite(Exprs.fold(Reducer.MAX, x, LAST, true));
    Expr sum = Exprs.fold(Reducer.SUM, Exprs.exp(x.sub(most)), LAST, false);
    Expr shift = Reductions.finite(Exprs.fold(Reducer.MAX, x, LAST, false));
    AtenTensor target = sums.narrow(2, 0, query.shape()[2]);
    call.write(target, Exprs.log(sum).add(shift).to(target.dtype()));
    call.endStep();
  }

  private static void backward(Lowering call, String gradient, String maskName) {
    AtenTensor query = checked(call.tensor("query"));
    AtenTensor key = checked(call.tensor("key"));
    AtenTensor value = checked(call.tensor("value"));
    AtenTensor out = checked(call.tensor("out"));
    AtenTensor grad = checked(call.tensor(gradient));
    requireKept(call);
    call.ignore("logsumexp");
    boolean causal = call.flag("is_causal");
    double scale = scale(call, query);
    long groups = key.shape()[1];
    Optional<AtenTensor> mask = mask(call, maskName, query, key);
    DType computed = Operand.computeType(query.dtype());
    AtenTensor scores = scores(call, query, key, mask, causal, scale);
    Expr x = call.read(scores);
    Expr power = Exprs.exp(x.sub(Exprs.fold(Reducer.MAX, x, LAST, true)));
    Expr share = power.div(Exprs.fold(Reducer.SUM, power, LAST, true));
    AtenTensor shares = call.kept(computed, share, scores.shape());
    Expr g = call.read(grouped(grad, groups), computed);
    Expr v = call.read(grouped(value, groups).transpose(3, 4), computed);
    AtenTensor slopes = call.kept(computed, g.matmul(v), scores.shape());
    Expr own = g.mul(call.read(grouped(out, groups), computed));
    Expr mean = Exprs.fold(Reducer.SUM, own, LAST, true);
    Expr change = call.read(shares).mul(call.read(slopes).sub(mean));
    AtenTensor changes = call.kept(computed, change, scores.shape());
    Expr towards = call.read(changes).mul(Expr.of(scale));
    AtenTensor scaled = call.kept(computed, towards, scores.shape());
    write(
        call,
        0,
        groups,
        call.read(scaled).matmul(call.read(grouped(key, groups), computed)),
        false);
    AtenTensor turned = scaled.transpose(3, 4);
    write(
        call,
        1,
        groups,
        call.read(turned).matmul(call.read(grouped(query, groups), computed)),
        true);
    write(call, 2, groups, call.read(shares.transpose(3, 4)).matmul(g), true);
    call.leave(3);
    call.result(3)
        .filter(result -> result.elements() > 0)
        .ifPresent(result -> ofMask(call, changes, result));
  }

  /** The gradient of the mask: that of the scores, summed where the mask was repeated. */
  private static void ofMask(Lowering call, AtenTensor changes, AtenTensor result) {
    long[] shape = changes.shape();
    AtenTensor all = changes.reshape(shape[0], shape[1] * shape[2], shape[3], shape[4]);
    if (!result.hasShape(Arrays.stream(all.shape()).boxed().toList())) {
      throw new Refused("a gradient of a mask that is repeated");
    }
    call.write(result, call.read(all).to(result.dtype()));
    call.endStep();
  }

  /**
   * @param summed whether heads of a group have one result
   */
  private static void write(Lowering call, int index, long groups, Expr value, boolean summed) {
    call.leave(index);
    call.result(index)
        .ifPresent(
            result -> {
              AtenTensor target = summed ? result : grouped(result, groups);
              Expr all = summed ? Exprs.fold(Reducer.SUM, value, List.of(2), false) : value;
              call.write(target, all.to(result.dtype()));
              call.endStep();
            });
  }
}
