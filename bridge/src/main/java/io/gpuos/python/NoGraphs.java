package io.gpuos.python;

import io.gpuos.Gpuos;
import io.gpuos.error.InvalidInputException;
import java.util.List;

/** Leaves every call to PyTorch. */
final class NoGraphs implements Graphs {

  private static final String REASON = "no native operators are installed";

  @Override
  public List<String> refusals(String graph) {
    return graph.lines().filter(line -> line.startsWith("call ")).map(_ -> REASON).toList();
  }

  @Override
  public Program compile(Gpuos runtime, String graph, String mode) {
    throw new InvalidInputException("graph: found=calls, expected=none; " + REASON);
  }
}
