/** What Python calls in the JVM of its own process: a table of C functions over the runtime. */
module io.gpuos.python {
  requires transitive io.gpuos;

  exports io.gpuos.python;

  uses io.gpuos.python.Graphs;
}
