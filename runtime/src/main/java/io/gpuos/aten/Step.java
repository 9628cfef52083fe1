package io.gpuos.aten;

import io.gpuos.ir.Expr;
import io.gpuos.layout.Layout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Values computed together: everything is read before anything is written.
 *
 * @param writes what is stored, each value converted to its target's type
 * @param inputs the tensor behind each name in the values
 * @param scratch storages that live within the call, and how large they are
 */
record Step(List<Write> writes, Map<String, AtenTensor> inputs, Map<Integer, Layout> scratch) {

  /** A value and where it goes. */
  record Write(AtenTensor target, Expr value) {}

  Step {
    writes = List.copyOf(writes);
    inputs = new LinkedHashMap<>(inputs);
    scratch = Map.copyOf(scratch);
  }

  List<Expr> values() {
    return writes.stream().map(Write::value).toList();
  }

  List<AtenTensor> targets() {
    return writes.stream().map(Write::target).toList();
  }
}
