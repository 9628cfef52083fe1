package io.gpuos.jit;

import io.gpuos.driver.Nvrtc;
import java.util.Optional;

/**
 * NVRTC as the service's compiler, loaded when something has to be compiled. Until then its version
 * is the one that is remembered from the last time, if nothing has changed since.
 */
final class NvrtcCompiler implements CompileService.Compiler {

  private volatile String version;

  @Override
  public String version() {
    Optional<String> known = knownVersion();
    if (known.isPresent()) {
      return known.get();
    }
    load();
    return version;
  }

  @Override
  public Optional<String> knownVersion() {
    String known = version;
    if (known == null) {
      known = KnownCompiler.read().map(KnownCompiler::version).orElse(null);
      version = known;
    }
    return Optional.ofNullable(known);
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
