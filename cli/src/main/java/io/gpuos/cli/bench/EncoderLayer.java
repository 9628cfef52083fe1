package io.gpuos.cli.bench;

import static io.gpuos.cli.bench.ProgramWorkloads.linear;

import io.gpuos.Operator;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.cli.bench.ProgramFixture.Values;

/**
 * A transformer encoder layer on one sequence, normalised after each half, without dropout:
 * self-attention in 4 heads of 32 on 128 features, then a feed-forward net of 256.
 */
final class EncoderLayer {

  private static final int TOKENS = 16;
  private static final int WIDTH = 128;
  private static final int HEADS = 4;
  private static final int HEAD = WIDTH / HEADS;
  private static final int INNER = 256;

  private static final Operator COPY = Operator.of("x");
  private static final Operator RELU = Operator.of("relu(x)");
  private static final Operator ADD = Operator.of("a + b");
  private static final Operator NORM = Operator.of("layer_norm(x)");

  /** A linear layer. */
  private record Linear(Values weight, Values bias, int in, int out) {

    static Linear of(ProgramFixture fixture, int in, int out) {
      double bound = 1 / Math.sqrt(in);
      return new Linear(
          fixture.random(-bound, bound, in, out), fixture.random(-bound, bound, out), in, out);
    }

    SymbolicTensor apply(Recording scope, SymbolicTensor x) {
      return linear(scope, x, weight, bias);
    }

    Tensor launch(Peer peer, Tensor x) {
      return peer.linear(x, weight, bias, TOKENS);
    }

    double[] expected(double[] x) {
      return Reference.linear(x, weight.values(), bias.values(), TOKENS, in, out);
    }
  }

  private final Linear query;
  private final Linear key;
  private final Linear value;
  private final Linear projection;
  private final Linear up;
  private final Linear down;

  private EncoderLayer(ProgramFixture fixture) {
    this.query = Linear.of(fixture, WIDTH, WIDTH);
    this.key = Linear.of(fixture, WIDTH, WIDTH);
    this.value = Linear.of(fixture, WIDTH, WIDTH);
    this.projection = Linear.of(fixture, WIDTH, WIDTH);
    this.up = Linear.of(fixture, WIDTH, INNER);
    this.down = Linear.of(fixture, INNER, WIDTH);
  }

  static void record(ProgramFixture fixture) {
    EncoderLayer layer = new EncoderLayer(fixture);
    Values x = fixture.random(-1, 1, TOKENS, WIDTH);
    Tensor output = fixture.result(layer.expected(x.values()), TOKENS, WIDTH);
    layer.launch(fixture, x.tensor(), output);
    fixture.record(scope -> layer.apply(scope, scope.use(x.tensor()), scope.use(output)));
  }

  /** The same by ordinary launches. */
  private void launch(ProgramFixture fixture, Tensor x, Tensor output) {
    Peer peer = fixture.peer();
    Tensor q = query.launch(peer, x);
    Tensor k = key.launch(peer, x);
    Tensor v = value.launch(peer, x);
    Tensor joined = fixture.scratch(TOKENS, WIDTH);
    peer.attention(joined, q, k, v, TOKENS, TOKENS, HEAD, HEADS);
    Tensor attended = projection.launch(peer, joined);
    peer.elementwise("add", attended, attended, x);
    Tensor y = fixture.scratch(TOKENS, WIDTH);
    peer.rows("layer_norm", TOKENS, WIDTH, y, attended);
    Tensor inner = up.launch(peer, y);
    peer.elementwise("relu", inner, inner);
    Tensor sum = down.launch(peer, inner);
    peer.elementwise("add", sum, sum, y);
    peer.rows("layer_norm", TOKENS, WIDTH, output, sum);
  }

  private void apply(Recording scope, SymbolicTensor x, SymbolicTensor output) {
    SymbolicTensor heads =
        Attention.apply(
            scope,
            heads(query.apply(scope, x)),
            heads(key.apply(scope, x)),
            heads(value.apply(scope, x)));
    SymbolicTensor joined = scope.apply(COPY, heads.permute(1, 0, 2)).reshape(TOKENS, WIDTH);
    SymbolicTensor attended = scope.apply(ADD, x, projection.apply(scope, joined));
    SymbolicTensor y = scope.apply(NORM, attended);
    SymbolicTensor inner = scope.apply(RELU, up.apply(scope, y));
    scope.applyInto(output, NORM, scope.apply(ADD, y, down.apply(scope, inner)));
  }

  private static SymbolicTensor heads(SymbolicTensor x) {
    return x.reshape(TOKENS, HEADS, HEAD).permute(1, 0, 2);
  }

  private double[] expected(double[] x) {
    double[] q = query.expected(x);
    double[] k = key.expected(x);
    double[] v = value.expected(x);
    double[] joined = new double[TOKENS * WIDTH];
    for (int head = 0; head < HEADS; head++) {
      double[] one =
          Reference.attention(
              ofHead(q, head), ofHead(k, head), ofHead(v, head), TOKENS, TOKENS, HEAD);
      for (int i = 0; i < one.length; i++) {
        joined[i / HEAD * WIDTH + head * HEAD + i % HEAD] = one[i];
      }
    }
    double[] y = Reference.layerNorm(Reference.add(x, projection.expected(joined)), WIDTH);
    double[] inner = Reference.relu(up.expected(y));
    return Reference.layerNorm(Reference.add(y, down.expected(inner)), WIDTH);
  }

  private static double[] ofHead(double[] x, int head) {
    double[] part = new double[TOKENS * HEAD];
    for (int i = 0; i < part.length; i++) {
      part[i] = x[i / HEAD * WIDTH + head * HEAD + i % HEAD];
    }
    return part;
  }
}
