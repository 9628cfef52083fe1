package io.gpuos.aten;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Collects the entries of the table, and names the overloads that follow from each. */
final class TableBuilder {

  private final List<AtenTable.Entry> entries = new ArrayList<>();
  private String family = "";

  List<AtenTable.Entry> entries() {
    return entries;
  }

  /** The heading of what follows. */
  void family(String name) {
    family = name;
  }

  /** An overload with one in place and one with out=, named as PyTorch mostly does. */
  void pointwise(String name, String value, AtenTable.Lowerer lowerer) {
    add(name, inPlace(name), outOf(name), value, lowerer);
  }

  /** As {@link #pointwise} where the name of the one with out= is out of the ordinary. */
  void pointwise(String name, String out, String value, AtenTable.Lowerer lowerer) {
    add(name, inPlace(name), out, value, lowerer);
  }

  /** An overload that has none in place. */
  void plain(String name, String value, AtenTable.Lowerer lowerer) {
    add(name, null, outOf(name), value, lowerer);
  }

  /** As {@link #plain} where the name of the one with out= is out of the ordinary. */
  void plain(String name, String out, String value, AtenTable.Lowerer lowerer) {
    add(name, null, out, value, lowerer);
  }

  /** An overload that stands for itself. */
  void single(String name, String value, AtenTable.Lowerer lowerer) {
    add(name, null, null, value, lowerer);
  }

  void add(String name, String inPlace, String out, String value, AtenTable.Lowerer lowerer) {
    entries.add(
        new AtenTable.Entry(
            family,
            name,
            Optional.ofNullable(inPlace),
            Optional.ofNullable(out).map(overload -> base(name) + "." + overload),
            value,
            lowerer));
  }

  private static String base(String name) {
    int dot = name.indexOf('.');
    return dot < 0 ? name : name.substring(0, dot);
  }

  private static String inPlace(String name) {
    return base(name) + "_" + name.substring(base(name).length());
  }

  private static String outOf(String name) {
    String overload = name.substring(base(name).length());
    return switch (overload) {
      case "", ".Tensor", ".dim" -> "out";
      case ".dim_IntList" -> "IntList_out";
      default -> overload.substring(1) + "_out";
    };
  }
}
