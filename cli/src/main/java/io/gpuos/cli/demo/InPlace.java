package io.gpuos.cli.demo;

import static io.gpuos.layout.DType.F32;

import io.gpuos.Tensor;

/**
 * Chains in which each operation must wait for the one before: a tensor is updated in place, read
 * into results that see it as it was then, and partly overwritten through a view. Several chains
 * are interleaved.
 */
final class InPlace {

  private static final int CHAINS = 16;

  private InPlace() {}

  static void fill(Workspace space, int operations) {
    Twin[] states = new Twin[Math.min(CHAINS, operations)];
    for (int k = 0; k < states.length; k++) {
      states[k] = space.state(F32, space.any(space.shapes().flat()));
    }
    for (int k = 0; k < operations; k++) {
      Twin state = states[k % states.length];
      switch (k / states.length % 4) {
        case 0 -> update(space, state);
        case 2 -> overwriteHalf(space, state);
        default -> read(space, state);
      }
    }
  }

  /** The next write waits for this read, this read for the last write. */
  private static void read(Workspace space, Twin state) {
    Twin b = space.input(F32, state.length());
    Twin out = space.output(F32, state.length());
    space.add("a + b", out, () -> Plain.map(out, (x, y) -> x + y, state, b), state, b);
  }

  private static void update(Workspace space, Twin state) {
    Twin b = space.input(F32, state.length());
    Runnable reference = () -> Plain.map(state, (x, y) -> x * 0.5 + y, state, b);
    space.add("a * 0.5 + b", state, reference, state, b);
  }

  private static void overwriteHalf(Workspace space, Twin state) {
    int half = state.length() / 2;
    Tensor part = space.view(state, t -> t.slice(0, 0, half));
    Twin b = space.input(F32, half);
    Runnable reference =
        () -> {
          for (int i = 0; i < half; i++) {
            state.set(i, state.real(i) - b.real(i));
          }
        };
    space.add("a - b", state, part, reference, part, b.tensor());
  }
}
