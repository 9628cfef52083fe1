package io.gpuos.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The README's commands that compile and run its example, as they stand there. */
class ReadmeIT {

  private static final Pattern COMMANDS =
      Pattern.compile("```sh\n\\./gpuos build .*\n((?s:.*?))```\n");

  @Test
  void shouldCompileAndRunTheExampleAsAModuleAndOnTheClassPath() throws Exception {
    String readme = Files.readString(Checkout.root().resolve("README.md"));
    MatchResult commands = COMMANDS.matcher(readme).results().findFirst().orElseThrow();
    // What its first line builds has been built before this test.
    Program.Result result =
        new Program(Checkout.root())
            .with("PATH", Checkout.jdk() + "/bin:" + System.getenv("PATH"))
            .run("sh", "-euc", commands.group(1));
    assertEquals(0, result.exitCode(), result::err);
    String once =
        "[0.0, 0.0, 0.5, 0.5]\n[8.0, 18.0]\n5050\n[100.0, 200.0, 300.0, 400.0]\n[6.0, 12.0]\n";
    assertEquals(once + once, result.out());
    assertTrue(result.err().lines().noneMatch(line -> line.contains("WARNING")), result::err);
  }
}
