package io.gpuos.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/** Runs the command in this process, as {@link Main#main} does. */
final class Command {

  private Command() {}

  static Program.Result run(Object... arguments) {
    return run(Main.commandLine(), arguments);
  }

  static Program.Result run(CommandLine command, Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] words = new String[arguments.length];
    for (int k = 0; k < words.length; k++) {
      words[k] = arguments[k].toString();
    }
    int exitCode =
        command
            .setOut(new PrintWriter(out, true))
            .setErr(new PrintWriter(err, true))
            .execute(words);
    return new Program.Result(exitCode, out.toString(), err.toString());
  }
}
