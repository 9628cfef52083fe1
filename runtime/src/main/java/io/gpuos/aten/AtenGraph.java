package io.gpuos.aten;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * A traced graph: what PyTorch called, on which memory. Immutable.
 *
 * @param storages by number, in the order of the text
 * @param tensors by number; one that no {@link AtenTensor} can be is {@link AtenValue.Unknown}
 * @param calls in order
 */
public record AtenGraph(
    SequencedMap<Integer, Storage> storages,
    SequencedMap<Integer, AtenValue> tensors,
    List<AtenCall> calls) {

  /** Who provides the memory of a storage. */
  public enum Role {
    /** The caller, at every replay, with its contents; may be written in place. */
    INPUT,
    /** The caller, at every replay, without contents. */
    OUTPUT,
    /** The program; undefined before and after a replay. */
    TEMPORARY
  }

  /**
   * One allocation.
   *
   * @param bytes its size
   */
  public record Storage(int id, long bytes, Role role) {}

  public AtenGraph {
    storages = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(storages));
    tensors = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(tensors));
    calls = List.copyOf(calls);
  }

  /**
   * Reads the text of a graph, whose form the documentation of this package tells.
   *
   * @throws io.gpuos.error.FileFormatException naming line and rule, if the text is not of that
   *     form
   */
  public static AtenGraph parse(String text) {
    return new GraphParser(text).parse();
  }

  /** The storages of a role, in the order of the text. */
  public List<Storage> storages(Role role) {
    return storages.values().stream().filter(storage -> storage.role() == role).toList();
  }
}
