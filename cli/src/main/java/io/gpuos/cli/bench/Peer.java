package io.gpuos.cli.bench;

import io.gpuos.Tensor;
import io.gpuos.cli.bench.ProgramFixture.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/**
 * The launches that compute a workload without GPUOS, an operator each, in order: what a CUDA graph
 * of it is captured from. They use the workload's own tensors. One thread.
 */
final class Peer {

  private static final int BLOCK = 256;
  private static final int WARP = 32;
  private static final int GROUPS = 4;

  private final ProgramFixture fixture;
  private final List<PeerLaunch> launches = new ArrayList<>();

  Peer(ProgramFixture fixture) {
    this.fixture = fixture;
  }

  List<PeerLaunch> launches() {
    return List.copyOf(launches);
  }

  /** An elementwise kernel on dense tensors of one size, the result first. */
  void elementwise(String kernel, Tensor... operands) {
    int count = Math.toIntExact(LongStream.of(operands[0].shape()).reduce(1, Math::multiplyExact));
    long[] parameters = new long[operands.length + 1];
    for (int k = 0; k < operands.length; k++) {
      parameters[k] = operands[k].address();
    }
    parameters[operands.length] = count;
    launches.add(new PeerLaunch(kernel, (count + BLOCK - 1) / BLOCK, BLOCK, parameters));
  }

  /** A kernel that takes a row a block. */
  void rows(String kernel, int rows, int width, Tensor... operands) {
    long[] parameters = new long[operands.length + 1];
    for (int k = 0; k < operands.length; k++) {
      parameters[k] = operands[k].address();
    }
    parameters[operands.length] = width;
    launches.add(new PeerLaunch(kernel, rows, Math.min(BLOCK, roundUp(width)), parameters));
  }

  /** {@code x w + bias} of {@code rows} rows into a new tensor. */
  Tensor linear(Tensor x, Values weight, Values bias, int rows) {
    int k = Math.toIntExact(weight.tensor().shape()[0]);
    int m = Math.toIntExact(weight.tensor().shape()[1]);
    Tensor y = fixture.scratch(rows, m);
    launches.add(
        new PeerLaunch(
            "linear",
            rows,
            roundUp(m),
            y.address(),
            x.address(),
            weight.tensor().address(),
            bias.tensor().address(),
            k,
            m));
    return y;
  }

  /**
   * Attention of {@code heads} heads that lie side by side in the rows of q, k, v and y; q and y
   * have {@code n} rows, k and v {@code keys}.
   */
  void attention(Tensor y, Tensor q, Tensor k, Tensor v, int n, int keys, int d, int heads) {
    Tensor weights = fixture.scratch(heads, n, keys);
    int pitch = heads * d;
    int scale = Float.floatToRawIntBits((float) (1 / Math.sqrt(d)));
    launches.add(
        new PeerLaunch(
            "scores",
            heads * n,
            BLOCK,
            weights.address(),
            q.address(),
            k.address(),
            n,
            keys,
            d,
            pitch,
            scale));
    rows("softmax", heads * n, keys, weights);
    launches.add(
        new PeerLaunch(
            "weighted",
            heads * n,
            GROUPS * d,
            y.address(),
            weights.address(),
            v.address(),
            n,
            keys,
            d,
            pitch));
  }

  private static int roundUp(int threads) {
    return (threads + WARP - 1) / WARP * WARP;
  }
}
