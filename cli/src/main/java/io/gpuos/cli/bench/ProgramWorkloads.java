package io.gpuos.cli.bench;

import io.gpuos.Operator;
import io.gpuos.Recording;
import io.gpuos.SymbolicTensor;
import io.gpuos.Tensor;
import io.gpuos.cli.bench.ProgramFixture.Values;
import io.gpuos.cli.bench.ProgramWorkload.Mode;
import java.util.ArrayList;
import java.util.List;

/** The programs that are measured. Where there are several units, each has operands of its own. */
final class ProgramWorkloads {

  private static final int CHAIN = 256;
  private static final int MIXED = 2048;
  private static final int HEAD = 64;
  private static final int KEYS = 128;
  private static final int[] MLP = {64, 64, 64, 8};
  private static final int[][] SUMS = {{8, 256}, {16, 256}, {32, 512}, {64, 512}, {128, 1024}};
  private static final int ADAM = 64;

  private static final Operator ADD = Operator.of("a + b");
  private static final Operator MUL = Operator.of("a * b");
  private static final Operator DIV = Operator.of("a / b");
  private static final Operator RELU = Operator.of("relu(x)");
  private static final Operator TANH = Operator.of("tanh(x)");
  private static final Operator SIGMOID = Operator.of("sigmoid(x)");
  private static final Operator SUM = Operator.of("sum(x, axis=-1)");
  private static final Operator MATMUL = Operator.of("matmul(a, b)");

  private ProgramWorkloads() {}

  static List<ProgramWorkload> all() {
    Mode replay = Mode.REPLAY;
    return List.of(
        new ProgramWorkload(
            "chain",
            "dependent additions of 256 elements, fusion off",
            replay,
            0.45,
            1000,
            20,
            ProgramWorkloads::chain),
        new ProgramWorkload(
            "mixed",
            "a+b; *c; relu; sigmoid; /d of 2048 elements, distinct operands",
            replay,
            0.05,
            1000,
            20,
            (fixture, units) -> mixed(fixture, units, false, true)),
        new ProgramWorkload(
            "mixed-dependent",
            "the same, each iteration feeding the next",
            replay,
            0.6,
            1000,
            20,
            (fixture, units) -> mixed(fixture, units, true, true)),
        new ProgramWorkload(
            "decode",
            "attention decode, 1x64 over 128 keys, distinct tokens",
            replay,
            0.2,
            1000,
            20,
            (fixture, units) -> decode(fixture, units, KEYS)),
        new ProgramWorkload(
            "decode-latency",
            "the same, one token a program",
            replay,
            7,
            1,
            1,
            (fixture, units) -> decode(fixture, units, KEYS)),
        new ProgramWorkload(
            "sums",
            "sums over the last axis, (8,256) to (128,1024) in turn, distinct",
            replay,
            0.2,
            1000,
            20,
            (fixture, units) -> sums(fixture, units, SUMS)),
        new ProgramWorkload(
            "mlp",
            "policy MLP 64-64-64-8, batch 1, back to back",
            Mode.BACK_TO_BACK,
            4,
            1,
            1,
            ProgramWorkloads::mlp),
        new ProgramWorkload(
            "mlp-latency", "the same, one replay", replay, 8, 1, 1, ProgramWorkloads::mlp),
        new ProgramWorkload(
            "encoder",
            "transformer encoder layer, d=128, 4 heads, ff=256, 16 tokens",
            replay,
            15,
            1,
            1,
            (fixture, _) -> EncoderLayer.record(fixture)),
        new ProgramWorkload(
            "adam",
            "Adam over 50 parameters of 64x64, a step a replay",
            replay,
            30,
            1,
            1,
            ProgramWorkloads::adam),
        new ProgramWorkload(
            "replay-host",
            "host cost of a replay of the MLP",
            Mode.HOST,
            0.3,
            1,
            1,
            ProgramWorkloads::mlp));
  }

  /** Each sum has a row of its own, so that all of them are checked. */
  private static void chain(ProgramFixture fixture, int units) {
    Values start = fixture.random(-1, 1, CHAIN);
    double[] sum = start.values();
    List<Values> terms = new ArrayList<>();
    List<Tensor> sums = new ArrayList<>();
    for (int k = 0; k < units; k++) {
      terms.add(fixture.random(-1, 1, CHAIN));
      sum = Reference.add(sum, terms.get(k).values());
      sums.add(fixture.result(sum, CHAIN));
      Tensor last = k == 0 ? start.tensor() : sums.get(k - 1);
      fixture.peer().elementwise("add", sums.get(k), last, terms.get(k).tensor());
    }
    fixture.record(
        scope -> {
          scope.fusion(false);
          SymbolicTensor last = scope.use(start.tensor());
          for (int k = 0; k < units; k++) {
            SymbolicTensor next = scope.use(sums.get(k));
            scope.applyInto(next, ADD, last, scope.use(terms.get(k).tensor()));
            last = next;
          }
        });
  }

  /** Independent additions. */
  static void adds(ProgramFixture fixture, int units, int elements) {
    List<Values[]> operands = new ArrayList<>();
    List<Tensor> outputs = new ArrayList<>();
    for (int k = 0; k < units; k++) {
      Values a = fixture.random(-1, 1, elements);
      Values b = fixture.random(-1, 1, elements);
      operands.add(new Values[] {a, b});
      outputs.add(fixture.result(Reference.add(a.values(), b.values()), elements));
      fixture.peer().elementwise("add", outputs.get(k), a.tensor(), b.tensor());
    }
    fixture.record(
        scope -> {
          for (int k = 0; k < units; k++) {
            Values[] of = operands.get(k);
            SymbolicTensor a = scope.use(of[0].tensor());
            scope.applyInto(scope.use(outputs.get(k)), ADD, a, scope.use(of[1].tensor()));
          }
        });
  }

  static void mixed(ProgramFixture fixture, int units, boolean dependent, boolean fusion) {
    List<Values[]> operands = new ArrayList<>();
    List<Tensor> outputs = new ArrayList<>();
    Tensor step = fixture.scratch(MIXED);
    double[] last = null;
    for (int k = 0; k < units; k++) {
      Values[] of = new Values[4];
      for (int i = 0; i < 4; i++) {
        of[i] = fixture.random(i == 3 ? 0.5 : -1, i == 3 ? 1.5 : 1, MIXED);
      }
      double[] a = dependent && k > 0 ? last : of[0].values();
      double[] y = new double[MIXED];
      for (int j = 0; j < MIXED; j++) {
        double product = (a[j] + of[1].values()[j]) * of[2].values()[j];
        y[j] = 1 / (1 + Math.exp(-Math.max(0, product))) / of[3].values()[j];
      }
      last = y;
      operands.add(of);
      outputs.add(fixture.result(y, MIXED));
      Tensor first = dependent && k > 0 ? outputs.get(k - 1) : of[0].tensor();
      fixture.peer().elementwise("add", step, first, of[1].tensor());
      fixture.peer().elementwise("mul", step, step, of[2].tensor());
      fixture.peer().elementwise("relu", step, step);
      fixture.peer().elementwise("sigmoid", step, step);
      fixture.peer().elementwise("quotient", outputs.get(k), step, of[3].tensor());
    }
    fixture.record(
        scope -> {
          scope.fusion(fusion);
          for (int k = 0; k < units; k++) {
            Values[] of = operands.get(k);
            Tensor first = dependent && k > 0 ? outputs.get(k - 1) : of[0].tensor();
            SymbolicTensor y = scope.apply(ADD, scope.use(first), scope.use(of[1].tensor()));
            y = scope.apply(MUL, y, scope.use(of[2].tensor()));
            y = scope.apply(SIGMOID, scope.apply(RELU, y));
            scope.applyInto(scope.use(outputs.get(k)), DIV, y, scope.use(of[3].tensor()));
          }
        });
  }

  static void decode(ProgramFixture fixture, int units, int keyCount) {
    List<Values[]> operands = new ArrayList<>();
    List<Tensor> outputs = new ArrayList<>();
    for (int k = 0; k < units; k++) {
      Values q = fixture.random(-1, 1, 1, HEAD);
      Values keys = fixture.random(-1, 1, keyCount, HEAD);
      Values values = fixture.random(-1, 1, keyCount, HEAD);
      operands.add(new Values[] {q, keys, values});
      double[] expected =
          Reference.attention(q.values(), keys.values(), values.values(), 1, keyCount, HEAD);
      outputs.add(fixture.result(expected, 1, HEAD));
      fixture
          .peer()
          .attention(
              outputs.get(k), q.tensor(), keys.tensor(), values.tensor(), 1, keyCount, HEAD, 1);
    }
    fixture.record(
        scope -> {
          for (int k = 0; k < units; k++) {
            Values[] of = operands.get(k);
            Attention.into(
                scope,
                scope.use(outputs.get(k)),
                scope.use(of[0].tensor()),
                scope.use(of[1].tensor()),
                scope.use(of[2].tensor()));
          }
        });
  }

  /** Over the last axis of these shapes in turn. */
  static void sums(ProgramFixture fixture, int units, int[]... shapes) {
    List<Tensor> inputs = new ArrayList<>();
    List<Tensor> outputs = new ArrayList<>();
    for (int k = 0; k < units; k++) {
      int[] shape = shapes[k % shapes.length];
      Values x = fixture.random(-1, 1, shape[0], shape[1]);
      inputs.add(x.tensor());
      outputs.add(fixture.result(Reference.sums(x.values(), shape[1]), shape[0]));
      fixture.peer().rows("row_sum", shape[0], shape[1], outputs.get(k), x.tensor());
    }
    fixture.record(
        scope -> {
          for (int k = 0; k < units; k++) {
            scope.applyInto(scope.use(outputs.get(k)), SUM, scope.use(inputs.get(k)));
          }
        });
  }

  private static void mlp(ProgramFixture fixture, int units) {
    Values x = fixture.random(-1, 1, 1, MLP[0]);
    double[] y = x.values();
    List<Values> weights = new ArrayList<>();
    List<Values> biases = new ArrayList<>();
    for (int k = 1; k < MLP.length; k++) {
      Values w = fixture.random(-0.25, 0.25, MLP[k - 1], MLP[k]);
      Values b = fixture.random(-1, 1, MLP[k]);
      weights.add(w);
      biases.add(b);
      y = Reference.tanh(Reference.linear(y, w.values(), b.values(), 1, MLP[k - 1], MLP[k]));
    }
    Tensor output = fixture.result(y, 1, MLP[MLP.length - 1]);
    Tensor hidden = x.tensor();
    for (int k = 0; k < weights.size(); k++) {
      hidden = fixture.peer().linear(hidden, weights.get(k), biases.get(k), 1);
      boolean isLast = k == weights.size() - 1;
      fixture.peer().elementwise("hyperbolic", isLast ? output : hidden, hidden);
    }
    fixture.record(
        scope -> {
          SymbolicTensor last = scope.use(x.tensor());
          for (int k = 0; k < weights.size(); k++) {
            last = linear(scope, last, weights.get(k), biases.get(k));
            if (k < weights.size() - 1) {
              last = scope.apply(TANH, last);
            }
          }
          scope.applyInto(scope.use(output), TANH, last);
        });
  }

  static SymbolicTensor linear(Recording scope, SymbolicTensor x, Values w, Values bias) {
    SymbolicTensor product = scope.apply(MATMUL, x, scope.use(w.tensor()));
    return scope.apply(ADD, product, scope.use(bias.tensor()));
  }

  /** The first step: moments decay by 0.9 and 0.999, a rate of 0.001. State changes in place. */
  private static void adam(ProgramFixture fixture, int units) {
    Operator first = Operator.of("0.9 * m + 0.1 * g");
    Operator second = Operator.of("0.999 * v + 0.001 * g * g");
    Operator step = Operator.of("p - 0.001 * (m / 0.1) / (sqrt(v / 0.001) + 1e-8)");
    List<Values[]> parameters = new ArrayList<>();
    for (int k = 0; k < 50; k++) {
      Values p = fixture.random(-1, 1, ADAM, ADAM);
      Values g = fixture.random(-1, 1, ADAM, ADAM);
      Values m = fixture.random(-1, 1, ADAM, ADAM);
      Values v = fixture.random(0.01, 1, ADAM, ADAM);
      parameters.add(new Values[] {p, g, m, v});
      int n = ADAM * ADAM;
      double[] nextM = new double[n];
      double[] nextV = new double[n];
      double[] nextP = new double[n];
      for (int j = 0; j < n; j++) {
        double gradient = g.values()[j];
        nextM[j] = 0.9 * m.values()[j] + 0.1 * gradient;
        nextV[j] = 0.999 * v.values()[j] + 0.001 * gradient * gradient;
        nextP[j] = p.values()[j] - 0.001 * (nextM[j] / 0.1) / (Math.sqrt(nextV[j] / 0.001) + 1e-8);
      }
      fixture.peer().elementwise("adam_m", m.tensor(), g.tensor());
      fixture.peer().elementwise("adam_v", v.tensor(), g.tensor());
      fixture.peer().elementwise("adam_p", p.tensor(), m.tensor(), v.tensor());
      fixture.state(p, nextP);
      fixture.state(m, nextM);
      fixture.state(v, nextV);
    }
    fixture.record(
        scope -> {
          for (Values[] of : parameters) {
            SymbolicTensor p = scope.use(of[0].tensor());
            SymbolicTensor g = scope.use(of[1].tensor());
            SymbolicTensor m = scope.use(of[2].tensor());
            SymbolicTensor v = scope.use(of[3].tensor());
            scope.applyInto(m, first, m, g);
            scope.applyInto(v, second, v, g);
            scope.applyInto(p, step, p, m, v);
          }
        });
  }
}
