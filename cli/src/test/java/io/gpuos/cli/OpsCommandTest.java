package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.cli.text.JsonReader;
import io.gpuos.ir.ArrayFunction;
import io.gpuos.ir.Composite;
import io.gpuos.ir.Function;
import io.gpuos.ir.ProductFunction;
import io.gpuos.ir.Reducer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class OpsCommandTest {

  @Test
  void shouldListEveryFunctionWithItsSignatureAndDefinition() {
    Program.Result result = Command.run("ops");
    assertEquals(0, result.exitCode());
    assertEquals("", result.err());
    for (Function function : Function.values()) {
      assertLine(result, function.signature(), function.definition());
    }
    for (Reducer reducer : Reducer.values()) {
      assertLine(result, reducer.signature(), reducer.definition());
    }
    for (Composite composite : Composite.values()) {
      assertLine(result, composite.signature(), composite.definition());
    }
    for (ArrayFunction function : ArrayFunction.values()) {
      assertLine(result, function.signature(), function.definition());
    }
    assertLine(result, "cast(x, dtype)", "");
    assertLine(result, "matmul(a, b)", "sums");
    assertLine(result, "floor_divide(a, b)", "(also a // b)");
    assertTrue(result.out().lines().allMatch(line -> line.length() <= 150), "wide lines");
  }

  private static void assertLine(Program.Result result, String signature, String definition) {
    assertTrue(
        result
            .out()
            .lines()
            .anyMatch(line -> line.startsWith("  " + signature + " ") && line.contains(definition)),
        signature);
  }

  @Test
  void shouldListTheSameInJson() {
    Map<String, Object> json = JsonReader.object(Command.run("ops", "--json").out());
    List<Object> names = new ArrayList<>();
    for (String list : List.of("functions", "reductions", "composites")) {
      for (Object operation : (List<?>) json.get(list)) {
        Map<?, ?> members = (Map<?, ?>) operation;
        names.add(members.get("name"));
        assertTrue(members.get("group") instanceof String, () -> "group of " + members);
      }
    }
    List<String> expected =
        Stream.of(
                Stream.of(Function.values()).map(Function::functionName),
                Stream.of("cast", "matmul"),
                Stream.of(ProductFunction.values()).map(ProductFunction::functionName),
                Stream.of("gather", "index_select", "embedding"),
                Stream.of(ArrayFunction.values())
                    .filter(ArrayFunction::writes)
                    .map(ArrayFunction::functionName),
                Stream.of(ArrayFunction.values())
                    .filter(function -> !function.writes())
                    .filter(function -> function != ArrayFunction.BATCH_NORM)
                    .map(ArrayFunction::functionName),
                Stream.of(Reducer.values()).map(Reducer::functionName),
                Stream.of(Composite.values()).map(Composite::functionName),
                Stream.of("batch_norm"))
            .flatMap(all -> all)
            .toList();
    assertEquals(expected, names);
    assertEquals(names.size(), new HashSet<>(names).size());
    assertEquals(10, ((List<?>) json.get("types")).size());
  }
}
