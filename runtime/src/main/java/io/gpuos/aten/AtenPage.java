package io.gpuos.aten;

import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Renders {@code docs/aten.md} from the table. */
final class AtenPage {

  private static final String INTRODUCTION =
      """
      # ATen operators

      <!-- Rendered by AtenPageTest; -Dgpuos.golden.update=true rewrites it. -->

      What `io.gpuos.aten` computes of PyTorch's operators, %d overloads in all. Names are those of
      PyTorch without `aten::`. The second column names the overloads that write to `self` or into
      given tensors. Types, promotion, shapes and defaults are PyTorch's; a call that differs from
      them, or has an argument that is not understood, is refused with a reason and left to PyTorch.
      """;

  private AtenPage() {}

  static String render() {
    StringBuilder page =
        new StringBuilder(String.format(Locale.ROOT, INTRODUCTION, AtenTable.overloads().size()));
    String family = "";
    for (AtenTable.Entry entry : AtenTable.entries()) {
      if (!entry.family().equals(family)) {
        family = entry.family();
        page.append("\n## ")
            .append(family)
            .append("\n\n| overload | also | value |\n|---|---|---|\n");
      }
      page.append(row(entry));
    }
    return page.toString();
  }

  private static String row(AtenTable.Entry entry) {
    String also =
        Stream.concat(entry.inPlace().stream(), entry.out().stream())
            .map(AtenPage::code)
            .collect(Collectors.joining(", "));
    return "| %s | %s | %s |\n".formatted(code(entry.name()), also, escaped(entry.value()));
  }

  private static String code(String name) {
    return "`" + name + "`";
  }

  private static String escaped(String text) {
    return text.replace("|", "\\|").replace("*", "\\*");
  }
}
