/**
 * GPUOS: many small tensor operations through resident workers.
 *
 * <p>Exported to everyone is what an application needs. The rest is internal; the command line may
 * look at what it has to describe. {@code docs/architecture.md} walks through the packages.
 */
@SuppressWarnings("module") // io.gpuos.cli is built after this module
module io.gpuos {
  exports io.gpuos;
  exports io.gpuos.aten;
  exports io.gpuos.error;
  exports io.gpuos.file;
  exports io.gpuos.layout;
  exports io.gpuos.device;
  exports io.gpuos.queue;
  exports io.gpuos.schedule;
  exports io.gpuos.inject;
  exports io.gpuos.ir;
  exports io.gpuos.npy;
  exports io.gpuos.driver to
      io.gpuos.cli;
  exports io.gpuos.jit to
      io.gpuos.cli;
  exports io.gpuos.device.cuda to
      io.gpuos.cli;
}
