package io.gpuos.aten;

import io.gpuos.error.GpuosException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The ATen operators that become expressions, one entry an overload. Those that write in place
 * ({@code add_}) or into given tensors ({@code add.out}) follow from the entry of the one that
 * returns a new tensor. Immutable; all methods may be called from any thread.
 */
public final class AtenTable {

  /** What an entry does with a call. Throws {@link Refused} for one that it cannot do. */
  @FunctionalInterface
  interface Lowerer {
    void lower(Lowering call);
  }

  /**
   * An overload that returns new tensors, and those that follow from it.
   *
   * @param name operator and overload without namespace: {@code add.Tensor}
   * @param inPlace name of the overload that writes to {@code self}, if there is one
   * @param out name of the overload that writes to given tensors, if there is one
   * @param value in one phrase, for documentation
   */
  record Entry(
      String family,
      String name,
      Optional<String> inPlace,
      Optional<String> out,
      String value,
      Lowerer lowerer) {}

  private record Found(Entry entry, Lowering.Form form) {}

  private static final String NAMESPACE = "aten::";
  static final String DEFAULT = ".default";

  /** Operators that are refused on purpose, with the reason. */
  private static final Map<String, String> REASONS =
      Map.of(
          "_local_scalar_dense", "its result is a Python number, so it has to wait for the device",
          "native_dropout", "there are no random numbers here",
          "bernoulli", "there are no random numbers here",
          "nonzero", "the shape of its result depends on values",
          "masked_select", "the shape of its result depends on values");

  private static final Map<String, Found> OVERLOADS = new LinkedHashMap<>();
  private static final List<Entry> ENTRIES = new ArrayList<>();

  static {
    TableBuilder builder = new TableBuilder();
    Pointwise.add(builder);
    Binary.add(builder);
    Choices.add(builder);
    Reductions.add(builder);
    Rows.add(builder);
    Products.add(builder);
    Indexing.add(builder);
    Writes.add(builder);
    Scans.add(builder);
    Views.add(builder);
    Special.add(builder);
    Folds.add(builder);
    Norms.add(builder);
    Attentions.add(builder);
    Lines.add(builder);
    Windows.add(builder);
    Copies.add(builder);
    Gradients.add(builder);
    Losses.add(builder);
    Cells.add(builder);
    Foreach.add(builder);
    Optimizers.add(builder);
    for (Entry entry : builder.entries()) {
      ENTRIES.add(entry);
      register(entry.name(), entry, Lowering.Form.FUNCTIONAL);
      entry.inPlace().ifPresent(name -> register(name, entry, Lowering.Form.IN_PLACE));
      entry.out().ifPresent(name -> register(name, entry, Lowering.Form.OUT));
    }
  }

  private AtenTable() {}

  private static void register(String name, Entry entry, Lowering.Form form) {
    if (OVERLOADS.putIfAbsent(name, new Found(entry, form)) != null) {
      throw new IllegalStateException(
          "overload registered twice: name=" + name + ", expected=each once");
    }
  }

  static List<Entry> entries() {
    return Collections.unmodifiableList(ENTRIES);
  }

  /** Names of all overloads that are known, in place and out included, without namespace. */
  public static Set<String> overloads() {
    return Collections.unmodifiableSet(OVERLOADS.keySet());
  }

  /**
   * Why a call is not computed here, in words; empty if {@link AtenProgram#record} computes it. A
   * call that is not refused has PyTorch's result.
   */
  public static Optional<String> refusal(AtenCall call) {
    try {
      for (Step step : steps(call)) {
        // Where nothing is written there is nothing to be right or wrong.
        if (step.targets().stream().allMatch(target -> target.layout().isZeroSize())) {
          continue;
        }
        StepCheck.check(step, form(call) == Lowering.Form.FUNCTIONAL);
      }
      return Optional.empty();
    } catch (Refused refused) {
      return Optional.of(refused.getMessage());
    } catch (GpuosException refused) {
      return Optional.of(refused.getMessage());
    }
  }

  /**
   * What a call computes, in order.
   *
   * @throws Refused with the reason, if the table does not have it
   */
  static List<Step> steps(AtenCall call) {
    return InjectedOperators.isNamedBy(call)
        ? InjectedOperators.steps(call)
        : lower(overload(call), call, AtenTensor.FIRST_SCRATCH);
  }

  /**
   * As {@link #steps}, of the overload {@code name} instead of the call's.
   *
   * @param nextScratch number of the first storage that is made for the call
   */
  static List<Step> lower(String name, AtenCall call, int nextScratch) {
    Found found = OVERLOADS.get(name);
    if (found == null) {
      String base = name.contains(".") ? name.substring(0, name.indexOf('.')) : name;
      String reason = REASONS.get(base);
      throw new Refused(reason == null ? "operator is not in the table" : reason);
    }
    Lowering lowering = new Lowering(call, found.form(), nextScratch);
    found.entry().lowerer().lower(lowering);
    return lowering.finish();
  }

  static Lowering.Form form(AtenCall call) {
    return InjectedOperators.isNamedBy(call)
        ? Lowering.Form.FUNCTIONAL
        : OVERLOADS.get(overload(call)).form();
  }

  private static String overload(AtenCall call) {
    String name = call.name();
    if (!name.startsWith(NAMESPACE)) {
      throw new Refused("operator is not one of ATen");
    }
    String overload = name.substring(NAMESPACE.length());
    return overload.endsWith(DEFAULT)
        ? overload.substring(0, overload.length() - DEFAULT.length())
        : overload;
  }
}
