package io.gpuos.cli.demo;

import java.util.List;

/** What the demo computes. The second half begins with an operator that is new. */
final class Groups {

  static final List<Group> ALL =
      List.of(
          new Group("elementwise", 18, Elementwise::single),
          new Group("chain, 5 operations", 20, Elementwise::chain),
          new Group("chain, fused", 4, Elementwise::fusedChain),
          new Group("broadcast", 8, Views::broadcast),
          new Group("operator added", 8, Elementwise::added),
          new Group("strided views", 10, Views::strided),
          new Group("reductions", 12, Reductions::fill),
          new Group("element types", 12, Types::fill),
          new Group("in place", 8, InPlace::fill));

  private Groups() {}
}
