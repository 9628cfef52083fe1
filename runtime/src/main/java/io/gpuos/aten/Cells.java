package io.gpuos.aten;

import static io.gpuos.aten.Exprs.rest;
import static io.gpuos.aten.Exprs.sigmoid;
import static io.gpuos.aten.Exprs.square;
import static io.gpuos.aten.Exprs.tanh;

import io.gpuos.ir.Expr;
import io.gpuos.ir.Reducer;
import io.gpuos.layout.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The recurrent cells that PyTorch runs as one kernel on CUDA. Gates lie one behind the other along
 * the last dimension, in its order: input, forget, cell, output; reset, update, new.
 */
final class Cells {

  private Cells() {}

  static void add(TableBuilder table) {
    table.family("Recurrent cells");
    table.single("_thnn_fused_lstm_cell", "hidden state, cell state, and the gates", Cells::lstm);
    table.single(
        "_thnn_fused_lstm_cell_backward_impl",
        "gradients of gates, cell state and bias",
        Cells::lstmBackward);
    table.single("_thnn_fused_gru_cell", "hidden state, and what its gradient needs", Cells::gru);
    table.single(
        "_thnn_fused_gru_cell_backward",
        "gradients of both kinds of gates, hidden state and biases",
        Cells::gruBackward);
  }

  /** One of several equal parts of the last dimension. */
  private static AtenTensor part(AtenTensor tensor, int index, int of) {
    int last = tensor.rank() - 1;
    if (last < 0 || tensor.shape()[last] % of != 0) {
      throw new Refused("gates that are not " + of + " of one size: " + tensor);
    }
    long size = tensor.shape()[last] / of;
    return tensor.narrow(last, index * size, size);
  }

  private static Expr part(Lowering call, AtenTensor tensor, int index, int of) {
    return call.read(part(tensor, index, of), Operand.computeType(tensor.dtype()));
  }

  private static Expr biased(Lowering call, Expr value, String bias, int index, int of) {
    return call.optionalTensor(bias)
        .map(tensor -> value.add(part(call, tensor, index, of)))
        .orElse(value);
  }

  private static Expr gate(Lowering call, int index, int of) {
    Expr input = part(call, call.tensor("input_gates"), index, of);
    Expr hidden = part(call, call.tensor("hidden_gates"), index, of);
    Expr sum = input.add(hidden);
    return biased(call, biased(call, sum, "input_bias", index, of), "hidden_bias", index, of);
  }

  private static void writeParts(Lowering call, int result, DType type, Expr... values) {
    call.leave(result);
    call.result(result)
        .ifPresent(
            target -> {
              for (int k = 0; k < values.length; k++) {
                call.write(part(target, k, values.length), values[k].to(type));
              }
            });
  }

  private static void lstm(Lowering call) {
    AtenTensor cell = call.tensor("cx");
    DType type = cell.dtype();
    Expr in = sigmoid(gate(call, 0, 4));
    Expr forget = sigmoid(gate(call, 1, 4));
    Expr fresh = tanh(gate(call, 2, 4));
    Expr out = sigmoid(gate(call, 3, 4));
    Expr state = forget.mul(call.read(cell, Operand.computeType(type))).add(in.mul(fresh));
    call.write(0, out.mul(tanh(state)).to(type));
    call.write(1, state.to(type));
    writeParts(call, 2, type, in, forget, fresh, out);
  }

  private static void lstmBackward(Lowering call) {
    AtenTensor workspace = call.tensor("workspace");
    DType type = workspace.dtype();
    DType computed = Operand.computeType(type);
    Expr in = part(call, workspace, 0, 4);
    Expr forget = part(call, workspace, 1, 4);
    Expr fresh = part(call, workspace, 2, 4);
    Expr out = part(call, workspace, 3, 4);
    Expr before = call.read(call.tensor("cx"), computed);
    Expr after = tanh(call.read(call.tensor("cy"), computed));
    Optional<Expr> gradHidden =
        call.optionalTensor("grad_hy").map(grad -> call.read(grad, computed));
    Optional<Expr> gradCell = call.optionalTensor("grad_cy").map(grad -> call.read(grad, computed));
    Expr hidden = gradHidden.orElse(gradCell.orElseThrow(Cells::noGradient).mul(Exprs.ZERO));
    Expr through = hidden.mul(out).mul(rest(square(after)));
    Expr cell = gradCell.map(through::add).orElse(through);
    Expr ofIn = cell.mul(fresh).mul(rest(in)).mul(in);
    Expr ofForget = cell.mul(before).mul(rest(forget)).mul(forget);
    Expr ofFresh = cell.mul(in).mul(rest(square(fresh)));
    Expr ofOut = hidden.mul(after).mul(rest(out)).mul(out);
    writeParts(call, 0, type, ofIn, ofForget, ofFresh, ofOut);
    call.write(1, cell.mul(forget).to(type));
    if (call.flag("has_bias")) {
      writeParts(call, 2, type, overRows(type, ofIn, ofForget, ofFresh, ofOut));
    }
    call.leave(2);
  }

  private static Refused noGradient() {
    return new Refused("neither grad_hy nor grad_cy is given");
  }

  /** Sums over the first dimension, of values as they are stored. */
  private static Expr[] overRows(DType type, Expr... values) {
    List<Expr> sums = new ArrayList<>();
    for (Expr value : values) {
      sums.add(Exprs.fold(Reducer.SUM, Exprs.rounded(value, type), List.of(0), false));
    }
    return sums.toArray(Expr[]::new);
  }

  private static void gru(Lowering call) {
    AtenTensor hidden = call.tensor("hx");
    DType type = hidden.dtype();
    Expr before = call.read(hidden, Operand.computeType(type));
    Expr reset = sigmoid(gate(call, 0, 3));
    Expr update = sigmoid(gate(call, 1, 3));
    Expr in = part(call, call.tensor("input_gates"), 2, 3);
    Expr own = biased(call, part(call, call.tensor("hidden_gates"), 2, 3), "hidden_bias", 2, 3);
    Expr fresh = tanh(biased(call, in, "input_bias", 2, 3).add(reset.mul(own)));
    call.write(0, fresh.add(update.mul(before.sub(fresh))).to(type));
    writeParts(call, 1, type, reset, update, fresh, before, own);
  }

  private static void gruBackward(Lowering call) {
    AtenTensor workspace = call.tensor("workspace");
    DType type = workspace.dtype();
    Expr reset = part(call, workspace, 0, 5);
    Expr update = part(call, workspace, 1, 5);
    Expr fresh = part(call, workspace, 2, 5);
    Expr before = part(call, workspace, 3, 5);
    Expr own = part(call, workspace, 4, 5);
    Expr grad = call.read(call.tensor("grad_hy"), Operand.computeType(type));
    Expr ofUpdate = grad.mul(before.sub(fresh)).mul(rest(update)).mul(update);
    Expr ofFresh = grad.mul(rest(update)).mul(rest(square(fresh)));
    Expr ofOwn = ofFresh.mul(reset);
    Expr ofReset = ofFresh.mul(own).mul(rest(reset)).mul(reset);
    writeParts(call, 0, type, ofReset, ofUpdate, ofFresh);
    writeParts(call, 1, type, ofReset, ofUpdate, ofOwn);
    call.write(2, grad.mul(update).to(type));
    if (call.flag("has_bias")) {
      writeParts(call, 3, type, overRows(type, ofReset, ofUpdate, ofFresh));
      writeParts(call, 4, type, overRows(type, ofReset, ofUpdate, ofOwn));
    }
    call.leave(3);
    call.leave(4);
  }
}
