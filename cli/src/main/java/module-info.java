/** The {@code gpuos} command. It uses the runtime as any application does. */
module io.gpuos.cli {
  requires io.gpuos;
  requires info.picocli;

  provides System.LoggerFinder with
      io.gpuos.cli.ConsoleLoggers;

  // picocli creates the commands and sets their options by reflection.
  opens io.gpuos.cli to
      info.picocli;
}
