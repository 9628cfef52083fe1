package io.gpuos;

import io.gpuos.error.ClosedException;
import io.gpuos.layout.Layout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/**
 * A function of tensors that records a {@link Program} for each combination of types, shapes,
 * strides and equal arguments that it meets, and replays it from then on. {@link Gpuos#function}
 * makes it. The programs used last are kept. A line in the log tells when one call after the other
 * meets a new combination, so that recording costs more than it saves.
 *
 * <p>Thread-safe; one thread records or submits at a time. Close it to close its programs.
 */
public final class RecordedFunction implements AutoCloseable {

  static final int DEFAULT_PROGRAMS = 64;

  /** Recordings one after the other that are worth a word. */
  static final int MANY_RECORDINGS = 8;

  private static final System.Logger LOG = System.getLogger("io.gpuos");

  /**
   * @param layouts of the arguments; interned
   * @param same for each argument the first that is the same tensor
   */
  private record Key(List<Layout> layouts, List<Integer> same) {}

  private final Gpuos runtime;
  private final BiFunction<Recording, List<SymbolicTensor>, List<SymbolicTensor>> body;
  private final int maxPrograms;
  private final Consumer<String> log;
  private final LinkedHashMap<Key, Program> programs = new LinkedHashMap<>(16, 0.75f, true);
  private int recordings;
  private int inARow;
  private boolean warned;
  private boolean closed;

  RecordedFunction(
      Gpuos runtime, BiFunction<Recording, List<SymbolicTensor>, List<SymbolicTensor>> body) {
    this(runtime, body, DEFAULT_PROGRAMS, line -> LOG.log(System.Logger.Level.WARNING, line));
  }

  /**
   * @param log where the warning goes
   */
  RecordedFunction(
      Gpuos runtime,
      BiFunction<Recording, List<SymbolicTensor>, List<SymbolicTensor>> body,
      int maxPrograms,
      Consumer<String> log) {
    this.runtime = runtime;
    this.body = body;
    this.maxPrograms = maxPrograms;
    this.log = log;
  }

  /** Computes the function into new tensors and waits for it. */
  public List<Tensor> run(Tensor... arguments) {
    Submission submission = submit(arguments);
    submission.await();
    return submission.results();
  }

  /** Starts to compute the function into new tensors. */
  public synchronized Submission submit(Tensor... arguments) {
    if (closed) {
      throw new ClosedException(
          String.format(
              Locale.ROOT, "function closed: programs=%d, expected=an open function", recordings));
    }
    runtime.checkTensors("function", arguments);
    List<Integer> same = same(arguments);
    Program program = program(new Key(layouts(arguments), same));
    List<Tensor> distinct = new ArrayList<>();
    for (int k = 0; k < arguments.length; k++) {
      if (same.get(k) == k) {
        distinct.add(arguments[k]);
      }
    }
    return program.submit(distinct.toArray(Tensor[]::new));
  }

  private static List<Layout> layouts(Tensor[] arguments) {
    return Arrays.stream(arguments).map(Tensor::layout).toList();
  }

  /** For each argument the first one that lies at the same place with the same layout. */
  private static List<Integer> same(Tensor[] arguments) {
    List<Integer> same = new ArrayList<>();
    for (int k = 0; k < arguments.length; k++) {
      int first = 0;
      while (arguments[first].address() != arguments[k].address()
          || arguments[first].layout() != arguments[k].layout()
          || arguments[first].storage() != arguments[k].storage()) {
        first++;
      }
      same.add(first);
    }
    return List.copyOf(same);
  }

  private Program program(Key key) {
    Program known = programs.get(key);
    if (known != null) {
      inARow = 0;
      return known;
    }
    Program recorded = runtime.record(scope -> body.apply(scope, arguments(scope, key)));
    recordings++;
    warn();
    programs.put(key, recorded);
    if (programs.size() > maxPrograms) {
      programs.pollFirstEntry().getValue().close();
    }
    return recorded;
  }

  private static List<SymbolicTensor> arguments(Recording scope, Key key) {
    List<SymbolicTensor> arguments = new ArrayList<>();
    for (int k = 0; k < key.layouts().size(); k++) {
      int first = key.same().get(k);
      arguments.add(first == k ? scope.input(key.layouts().get(k)) : arguments.get(first));
    }
    return arguments;
  }

  private void warn() {
    inARow++;
    if (inARow > MANY_RECORDINGS && !warned) {
      warned = true;
      log.accept(
          String.format(
              Locale.ROOT,
              "function keeps recording: in_a_row=%d, programs=%d, expected=few types, shapes and strides; call it with fewer combinations, or use Gpuos.submit",
              inARow,
              recordings));
    }
  }

  /** Programs recorded so far. */
  public synchronized int recordings() {
    return recordings;
  }

  /** Closes the programs; submitted work is not disturbed. Idempotent. */
  @Override
  public synchronized void close() {
    closed = true;
    programs.values().forEach(Program::close);
    programs.clear();
  }
}
