package io.gpuos;

import io.gpuos.error.ExpressionException;
import io.gpuos.error.Messages;
import io.gpuos.ir.Expr;
import io.gpuos.ir.ExpressionParser;
import io.gpuos.layout.Layout;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What to compute, independent of types, shapes and devices: one or several expressions over named
 * inputs. Compiled for a device when it first meets the layouts of its operands there; the layouts
 * met last are remembered. Immutable and thread-safe; make it once and keep it. That of a {@link
 * LiveOperator} computes what the latter's current generation computes.
 */
public final class Operator {

  /** Bindings an operator keeps, over all runtimes. */
  static final int MAX_BINDINGS = 512;

  private final String text;
  private final List<Expr> outputs;
  private final List<String> inputs;

  /** The bindings used last; a program that meets ever new shapes does not grow. */
  private final Map<Binding.Key, Binding> bindings =
      Collections.synchronizedMap(
          new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Binding.Key, Binding> eldest) {
              return size() > MAX_BINDINGS;
            }
          });

  // The last binding used: most operators meet the same layouts again and again.
  private volatile Binding latest;

  /** Whose current generation this is; null if it always computes the same. */
  private final LiveOperator live;

  private Operator(String text, List<Expr> outputs) {
    this.text = text;
    this.outputs = List.copyOf(outputs);
    this.inputs = List.copyOf(Expr.inputNames(outputs));
    this.live = null;
  }

  private Operator(LiveOperator live) {
    this.text = live.name();
    this.outputs = List.of();
    this.inputs = live.inputs();
    this.live = live;
  }

  static Operator live(LiveOperator live) {
    return new Operator(live);
  }

  /**
   * Parses an expression such as {@code relu(a*b + c)}. Its inputs are numbered in order of first
   * appearance; several expressions separated by commas give several outputs.
   *
   * @throws ExpressionException with the column, if it does not parse
   */
  public static Operator of(String expression) {
    return new Operator(expression, ExpressionParser.parse(expression));
  }

  /** An operator of expressions built by hand. */
  public static Operator of(Expr... outputs) {
    if (outputs.length == 0) {
      throw new ExpressionException("operator without output: count=0, expected=at least 1");
    }
    return new Operator(List.of(outputs).toString(), List.of(outputs));
  }

  /** Names of the inputs, in the order tensors are passed. */
  public List<String> inputs() {
    return inputs;
  }

  /**
   * The expressions computed, one for each output tensor; of a live operator, those of its current
   * generation.
   */
  public List<Expr> outputs() {
    return live == null ? outputs : List.of(live.definition().expression());
  }

  /** Whose current generation this is, or null. */
  LiveOperator live() {
    return live;
  }

  /** The binding for these layouts on {@code runtime}'s device, made at first use. */
  Binding binding(Gpuos runtime, Layout[] outputLayouts, Layout[] inputLayouts) {
    Binding last = latest;
    if (last != null && last.isFor(runtime, outputLayouts, inputLayouts)) {
      return last;
    }
    Binding.Key key = Binding.Key.of(runtime, outputLayouts, inputLayouts);
    Binding binding = bindings.get(key);
    if (binding == null) {
      binding = Binding.create(runtime, this, outputLayouts, inputLayouts);
      bindings.put(key, binding);
      runtime.remember(this);
    }
    latest = binding;
    return binding;
  }

  /** Forgets what was compiled for a runtime that is closing. */
  void forget(Gpuos runtime) {
    latest = null;
    synchronized (bindings) {
      bindings.keySet().removeIf(key -> key.runtime() == runtime);
    }
  }

  /** Bindings kept now. */
  int bindings() {
    return bindings.size();
  }

  /** The expression as messages show it: on one line, and shortened in the middle if it is long. */
  @Override
  public String toString() {
    return Messages.quoted(text);
  }
}
