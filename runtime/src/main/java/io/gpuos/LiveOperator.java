package io.gpuos;

import io.gpuos.error.DTypeException;
import io.gpuos.error.ExpressionException;
import io.gpuos.error.Messages;
import io.gpuos.error.TransitionException;
import io.gpuos.inject.NamedOperator;
import io.gpuos.inject.Variant;
import io.gpuos.ir.Definition;
import io.gpuos.ir.Expr;
import io.gpuos.ir.Kernel;
import io.gpuos.ir.TensorType;
import io.gpuos.layout.DType;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.WeakHashMap;
import java.util.regex.Pattern;

/**
 * An operator of a runtime that has a name and can be replaced while it is used. {@link
 * Gpuos#inject} makes it, and publishes another generation of it when the same name is injected
 * again.
 *
 * <p>{@link #operator} is used like any other operator. What is submitted after a publication, or a
 * rollback, has returned runs the generation published, prepared {@link Call}s and {@link Batch}es
 * included; nobody prepares them again. What was submitted before runs to its end, with the old or
 * the new generation. That is decided for each task: an operation so large that it is cut into
 * several tiles may have some of either, if it was under way then; an element never has.
 *
 * <p>A definition is one kernel: elementwise, or one reduction as the last operation. Every
 * generation has the same inputs, by name, and gives the same type of result; a reduction reduces
 * the same axes, as they are written. (A reduction of no elements, which {@code max} refuses when
 * it is prepared, gives an unspecified value where {@code max} replaces {@code sum}.)
 *
 * <p>A generation that was left is <em>drained</em> when no task can run it any more. Until then
 * the operator can be rolled back, but another generation has to wait.
 *
 * <p>Thread-safe. Publishing may wait for the compiler; rolling back does not.
 */
public final class LiveOperator {

  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");

  /** One generation. */
  private record Body(String name, Definition definition) implements NamedOperator.Body {

    @Override
    public Kernel kernel(Variant variant) {
      SequencedMap<String, TensorType> types = new LinkedHashMap<>();
      for (int k = 0; k < definition.inputs().size(); k++) {
        types.put(definition.inputs().get(k), variant.inputs().get(k));
      }
      DType result = definition.result(types).dtype();
      if (result != variant.result()) {
        throw new DTypeException(
            "result type of a replacement: operator=%s, inputs=%s, result=%s, expected=%s"
                .formatted(name, types, result, variant.result()));
      }
      Kernel kernel = definition.step(name, types, variant.stored()).kernel();
      return kernel instanceof Kernel.Elementwise elementwise
          ? elementwise.forLinear(variant.linear())
          : kernel;
    }
  }

  private final Gpuos runtime;
  private final String name;
  private final NamedOperator<Body, ?> generations;
  private final Operator operator;

  /** What candidates run as, one generation for each; made for the first. Guarded by trialLock. */
  private LiveOperator shadow;

  private final Object trialLock = new Object();

  /** Prepared calls that are open, and those forgotten open until they are collected. */
  private final Map<Call, Boolean> calls = new WeakHashMap<>();

  /** Publications and rollbacks under way. Guarded by trialLock, as is what {@link #trial} says. */
  private int changes;

  /** Whether a candidate is being brought in, or tried. */
  private boolean trying;

  private volatile Candidate trial;

  LiveOperator(Gpuos runtime, String name, Definition definition, String origin) {
    this.runtime = runtime;
    this.name = name;
    this.generations = runtime.device().named(name, new Body(name, definition), origin);
    this.operator = Operator.live(this);
  }

  static void requireName(String name) {
    if (!NAME.matcher(name).matches()) {
      throw new ExpressionException(
          "name of an operator: name=\"%s\", expected=a letter or _, then letters, digits or _"
              .formatted(name));
    }
  }

  /** The name it was injected under. */
  public String name() {
    return name;
  }

  /** What to run, submit or prepare, in this operator's runtime. Always the same one. */
  public Operator operator() {
    return operator;
  }

  /** Names of the inputs, in the order tensors are passed: that of the first generation. */
  public List<String> inputs() {
    return definition().inputs();
  }

  /** Number of the generation that what is submitted now runs; 1 for the first. */
  public int generation() {
    return generations.current().number();
  }

  /** Number of the generation that {@link #rollback} would publish; empty if there is none. */
  public OptionalInt previousGeneration() {
    return generations.previous().stream().mapToInt(NamedOperator.Generation::number).findFirst();
  }

  /** What the current generation computes: its expression, or file and signature. */
  public String origin() {
    return generations.current().origin();
  }

  /**
   * Publishes the generation before the current one again. Works at any time, also while tasks of
   * either run, and compiles nothing. The generation rolled back is forgotten; one can go back one
   * step.
   *
   * @return the number of the generation that is current now
   * @throws io.gpuos.error.TransitionException if there is none before it, or if the operator has
   *     meanwhile been used with types for which that one has no meaning, or while a {@link
   *     Candidate} is tried; nothing has changed
   */
  public int rollback() {
    runtime.checkOpen();
    beginChange();
    try {
      return generations.rollback();
    } finally {
      endChange();
    }
  }

  /** Whether no task can run the generation that was left last. */
  public boolean drained() {
    return generations.drained();
  }

  /**
   * Waits at most {@code limit}, which may be zero, until no task can run the generation that was
   * left last; whether that is so.
   *
   * @throws io.gpuos.error.DeviceFaultException if the device failed
   */
  public boolean awaitDrained(Duration limit) {
    boolean drained = generations.awaitDrained(Gpuos.deadline(limit));
    runtime.device().completions().throwIfFailed();
    return drained;
  }

  /** What a generation of this operator has to be, if it is one. */
  Definition fitting(Definition definition) {
    return definition.requireSameForm(name, definition());
  }

  /** Compiles a definition for types of its inputs and changes nothing. */
  void check(Definition definition, Map<String, TensorType> types) {
    SequencedMap<String, TensorType> inputs = new LinkedHashMap<>();
    definition.inputs().forEach(input -> inputs.put(input, types.get(input)));
    DType result = definition.result(inputs).dtype();
    // The form that is used most.
    boolean linear = !(definition.expression() instanceof Expr.Reduce);
    generations.check(
        new Body(name, definition), variant(List.copyOf(inputs.values()), result, result, linear));
  }

  /** Publishes another generation, which {@link #fitting} has accepted. */
  void publish(Definition definition, String origin) {
    beginChange();
    try {
      generations.publish(new Body(name, definition), origin);
    } finally {
      endChange();
    }
  }

  // ---- candidates
  // ---------------------------------------------------------------------------

  /** {@link #candidate(String, Candidate.Options)} with the default options. */
  public Candidate candidate(String expression) {
    return candidate(expression, Candidate.options());
  }

  /**
   * Begins to try another generation beside the current one: for a share of the submissions of this
   * operator the candidate is run too, on the same inputs, and its results are compared. Nobody but
   * the comparison sees them. {@link Candidate} says more. Compiles for the types in use.
   *
   * @throws io.gpuos.error.TransitionException if a candidate is being tried already, or another
   *     generation is being published; nothing has changed
   * @throws io.gpuos.error.GpuosException as {@link Gpuos#inject(String, String)}; nothing has
   *     changed
   */
  public Candidate candidate(String expression, Candidate.Options options) {
    return candidate(Gpuos.definition(name, expression), expression, options, null);
  }

  /**
   * {@link #candidate(String, Candidate.Options)} of an operator in CUDA C++, which may have any
   * name.
   *
   * @throws io.gpuos.error.DeviceUnavailableException if this device does not run CUDA C++
   */
  public Candidate candidate(CudaOperator operator, Candidate.Options options) {
    return candidate(operator.definition(), operator.origin(), options, operator.types());
  }

  private Candidate candidate(
      Definition definition,
      String origin,
      Candidate.Options options,
      Map<String, TensorType> types) {
    runtime.checkOpen();
    Definition fitting = fitting(definition);
    beginTrial(origin);
    Candidate candidate = null;
    try {
      if (types != null) {
        check(fitting, types);
      }
      candidate = new Candidate(this, bringIn(fitting, origin), fitting, origin, options);
      generations.variants().forEach(candidate::prepare);
    } catch (Throwable refused) {
      tries(null);
      throw refused;
    }
    tries(candidate);
    if (!runtime.isOpen()) {
      endTrial("runtime closed");
    }
    return candidate;
  }

  /** Compiles what the candidate runs as. Only whoever has begun a trial comes here. */
  private LiveOperator bringIn(Definition fitting, String origin) {
    if (shadow == null) {
      shadow = new LiveOperator(runtime, name + " (candidate)", fitting, origin);
    } else {
      shadow.publish(fitting, origin);
    }
    return shadow;
  }

  private void beginTrial(String origin) {
    synchronized (trialLock) {
      refuseDuringTrial();
      if (changes > 0) {
        throw new TransitionException(
            String.format(
                Locale.ROOT,
                "operator in transition: operator=%s, generation=%d, candidate=%s, expected=no publication or rollback under way; try again",
                name,
                generation(),
                Messages.quoted(origin)));
      }
      trying = true;
    }
  }

  /** Ends the trial of {@code candidate}, whose outcome is known, if it is not over. */
  void endTrial(Candidate candidate) {
    synchronized (trialLock) {
      if (trial == candidate) {
        tries(null);
      }
    }
  }

  /** Withdraws the candidate that is being tried, if there is one. */
  void endTrial(String why) {
    Candidate candidate = trial;
    if (candidate != null) {
      candidate.end(Candidate.Verdict.WITHDRAWN, why);
    }
  }

  /** Has a candidate, or nobody, take samples of all calls. */
  private void tries(Candidate candidate) {
    synchronized (trialLock) {
      trying = candidate != null;
      trial = candidate;
      calls.keySet().forEach(call -> call.tries(candidate));
    }
  }

  /** The candidate that is being tried, or null. */
  Candidate trial() {
    return trial;
  }

  /** A prepared call, which later trials concern. */
  void remember(Call call) {
    synchronized (trialLock) {
      calls.put(call, true);
      call.tries(trial);
    }
  }

  void forget(Call call) {
    synchronized (trialLock) {
      calls.remove(call);
    }
  }

  private void beginChange() {
    synchronized (trialLock) {
      refuseDuringTrial();
      changes++;
    }
  }

  private void endChange() {
    synchronized (trialLock) {
      changes--;
    }
  }

  /** With trialLock held. */
  private void refuseDuringTrial() {
    if (trying) {
      throw new TransitionException(
          String.format(
              Locale.ROOT,
              "candidate on trial: operator=%s, generation=%d, candidate=%s, expected=one transition at a time; promote or withdraw the candidate",
              name,
              generation(),
              trial == null ? "being compiled" : Messages.quoted(trial.origin())));
    }
  }

  /** Publishes a candidate, whose trial is still on. */
  int promote(Definition definition, String origin) {
    return generations.publish(new Body(name, definition), origin);
  }

  /** Compiles for a variant that a candidate met. */
  int number(Variant variant) {
    return generations.number(variant);
  }

  /** The variants used so far, by number. */
  Map<Variant, Integer> variants() {
    return generations.variants();
  }

  Gpuos runtime() {
    return runtime;
  }

  Definition definition() {
    return generations.current().body().definition();
  }

  /** Number of the logical operator for inputs and an output of these types. */
  int number(List<TensorType> inputs, DType result, DType stored, boolean linear) {
    return generations.number(variant(inputs, result, stored, linear));
  }

  private Variant variant(List<TensorType> inputs, DType result, DType stored, boolean linear) {
    return new Variant(inputs.stream().map(this::representative).toList(), result, stored, linear);
  }

  /** Types depend on whether a tensor has dimensions, and on nothing else of its shape. */
  private TensorType representative(TensorType type) {
    if (type.shape().isEmpty()) {
      return type;
    }
    // A reduction's axes exist in as many dimensions as there can be.
    int rank = definition().expression() instanceof Expr.Reduce ? TensorType.MAX_RANK : 1;
    return new TensorType(type.dtype(), Collections.nCopies(rank, 1L));
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s, generation %d: %s", name, generation(), origin());
  }
}
