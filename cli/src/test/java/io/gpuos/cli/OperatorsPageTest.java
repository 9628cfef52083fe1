package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gpuos.cli.text.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/operators.md} is rendered from what {@code gpuos ops --json} prints. Run with {@code
 * -Dgpuos.golden.update=true} to rewrite it, and look at the difference.
 */
class OperatorsPageTest {

  private static final Path PAGE = Path.of("../docs/operators.md");

  private static final String INTRODUCTION =
      """
      # Functions of the expression language

      <!-- Rendered by OperatorsPageTest; -Dgpuos.golden.update=true rewrites it. -->

      Names and meaning are PyTorch's. Operators and their precedence are Python's. Arguments convert
      to their common type, shapes broadcast, and an axis is a number or a list, negative from the
      end: `sum(x, axis=[0, -1])`. Constants are `1`, `2.5e-3`, `inf`, `nan`, `pi`, `true`, `false`.
      What is used twice can be named, `t = a*b; t + relu(t)`, and several expressions give several
      results: `a + b, a - b`. `./gpuos ops` prints the same tables.
      """;

  @Test
  void shouldEqualTheTables() throws IOException {
    String rendered = render(JsonReader.object(Command.run("ops", "--json").out()));
    if (Boolean.getBoolean("gpuos.golden.update")) {
      Files.writeString(PAGE, rendered);
    }
    assertEquals(
        Files.readString(PAGE),
        rendered,
        "functions changed: run with -Dgpuos.golden.update=true and look at the difference");
  }

  private static String render(Map<String, Object> tables) {
    Map<String, StringBuilder> groups = new LinkedHashMap<>();
    for (String list : List.of("functions", "reductions", "composites")) {
      for (Object operation : (List<?>) tables.get(list)) {
        Map<?, ?> members = (Map<?, ?>) operation;
        groups
            .computeIfAbsent(members.get("group").toString(), OperatorsPageTest::section)
            .append(row(members));
      }
    }
    return INTRODUCTION + String.join("", groups.values()) + types((List<?>) tables.get("types"));
  }

  private static StringBuilder section(String group) {
    return new StringBuilder("\n## ")
        .append(group)
        .append("\n\n| function | also | types | value |\n|---|---|---|---|\n");
  }

  private static String row(Map<?, ?> operation) {
    return "| %s | %s | %s | %s |\n"
        .formatted(
            code(operation.get("signature")),
            others(operation),
            cell(operation.get("types")),
            cell(operation.get("definition")).replace("*", "\\*"));
  }

  private static String others(Map<?, ?> operation) {
    String symbol = operation.get("symbol") == null ? "" : code(operation.get("symbol"));
    String aliases =
        ((List<?>) operation.get("aliases"))
            .stream().map(OperatorsPageTest::code).collect(Collectors.joining(", "));
    return symbol.isEmpty() || aliases.isEmpty() ? symbol + aliases : symbol + ", " + aliases;
  }

  private static String types(List<?> types) {
    StringBuilder text =
        new StringBuilder("\n## Types\n\n| type | also | bytes |\n|---|---|---|\n");
    for (Object type : types) {
      Map<?, ?> row = (Map<?, ?>) type;
      int bytes = ((Number) row.get("bytes")).intValue();
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %d |\n",
              code(row.get("name")),
              code(row.get("long_name")),
              bytes));
    }
    return text.toString();
  }

  private static String code(Object text) {
    return "`" + cell(text) + "`";
  }

  /** A bar would end the cell, also within code. */
  private static String cell(Object text) {
    return text.toString().replace("|", "\\|");
  }
}
