package io.gpuos.jit;

import io.gpuos.driver.Nvrtc;

/**
 * NVRTC as the service's compiler, loaded when something has to be compiled. Until then its version
 * is the one that is remembered from the last time, if nothing has changed since.
 */
final class NvrtcCompiler implements CompileService.Compiler {

  private volatile String version;

  @Override
  public String version() {
    String known = version;
    if (known == null) {
      known = KnownCompiler.read().map(KnownCompiler::version).orElse(null);
      if (known == null) {
        load();
        return version;
      }
      version = known;
    }
    return known;
  }

  @Override
  public byte[] compile(CompileRequest request) {
    return load()
        .compile(
            request.source(),
            request.name(),
            request.headers(),
            request.allOptions(),
            Nvrtc.Target.CUBIN)
        .code();
  }

  private Nvrtc load() {
    Nvrtc nvrtc = Nvrtc.open();
    String actual = "nvrtc " + nvrtc.version();
    if (!actual.equals(version) || KnownCompiler.read().isEmpty()) {
      version = actual;
      KnownCompiler.remember(nvrtc, actual);
    }
    return nvrtc;
  }
}
