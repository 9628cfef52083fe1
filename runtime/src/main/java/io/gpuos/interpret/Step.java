package io.gpuos.interpret;

import java.util.List;

/**
 * An instruction before its values have cells. Values are numbered by the step that makes them.
 *
 * @param arguments numbers of steps before this one
 */
record Step(Operation operation, List<Integer> arguments, long immediate) {

  Step {
    arguments = List.copyOf(arguments);
  }
}
