package io.gpuos.jit;

import io.gpuos.driver.Nvrtc;

/** NVRTC as the service's compiler, loaded when first asked for anything. */
final class NvrtcCompiler implements CompileService.Compiler {

  @Override
  public String version() {
    return "nvrtc " + Nvrtc.open().version();
  }

  @Override
  public byte[] compile(CompileRequest request) {
    return Nvrtc.open()
        .compile(
            request.source(),
            request.name(),
            request.headers(),
            request.allOptions(),
            Nvrtc.Target.CUBIN)
        .code();
  }
}
