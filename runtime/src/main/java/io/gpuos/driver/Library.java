package io.gpuos.driver;

import java.util.List;
import java.util.Locale;

/** The native libraries GPUOS uses, with the names each is known by, newest first. */
public enum Library {
  /** The CUDA driver; comes with the NVIDIA kernel driver and with nothing else. */
  CUDA(List.of("libcuda.so.1"), List.of(), "an NVIDIA driver on this machine"),
  /** The run-time compiler from CUDA C++ to machine code; needs no GPU. */
  NVRTC(
      List.of("libnvrtc.so.13", "libnvrtc.so.12"),
      List.of("cu13", "cuda_nvrtc"),
      "the CUDA toolkit, 'pip install nvidia-cuda-nvrtc', or the Maven artifact"
          + " org.bytedeco:cuda-redist"),
  /** The linker of relocatable machine code; optional. */
  NVJITLINK(
      List.of("libnvJitLink.so.13", "libnvJitLink.so.12"),
      List.of("cu13", "nvjitlink"),
      "the CUDA toolkit or 'pip install nvidia-nvjitlink'");

  private final List<String> sonames;
  private final List<String> pipFolders;
  private final String remedy;

  Library(List<String> sonames, List<String> pipFolders, String remedy) {
    this.sonames = sonames;
    this.pipFolders = pipFolders;
    this.remedy = remedy;
  }

  /** File names to look for, preferred first. */
  public List<String> sonames() {
    return sonames;
  }

  /** System property that names the file, or a directory that holds it. */
  public String property() {
    return "gpuos.library." + name().toLowerCase(Locale.ROOT);
  }

  /** Environment variable with the same meaning; the property wins. */
  public String variable() {
    return "GPUOS_" + name();
  }

  /** Where a user gets the library from, for error messages. */
  String remedy() {
    return remedy;
  }

  /** Folders under {@code site-packages/nvidia} whose {@code lib} holds it; empty: not on pip. */
  List<String> pipFolders() {
    return pipFolders;
  }

  /** Whether the Maven redistribution jar holds it: true for all but the driver. */
  boolean isRedistributed() {
    return this != CUDA;
  }
}
