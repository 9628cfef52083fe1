package io.gpuos.driver;

/**
 * One place a library was looked for in, and what came of it.
 *
 * @param library what was looked for
 * @param path file, directory, or bare name the loader was asked for
 * @param source which step of the look-up named the place
 * @param outcome what came of it
 * @param reason one line: why it was taken, refused or left out; a refusal by the loader carries
 *     the loader's own words
 */
public record Candidate(
    Library library, String path, Source source, Outcome outcome, String reason) {

  /** Steps of the look-up, in the order they are tried. */
  public enum Source {
    /** System property or environment variable; when given, nothing else is tried. */
    SETTING,
    /** Loaded by something else in this process, PyTorch for instance. */
    LOADED,
    /** A pip package under a Python's site-packages. */
    PIP,
    /** The dynamic loader: {@code LD_LIBRARY_PATH}, {@code ldconfig}, the standard folders. */
    LOADER,
    /** {@code CUDA_PATH} or {@code CUDA_HOME}. */
    CUDA_HOME,
    /** Usual folders of toolkits, distributions and containers. */
    SYSTEM,
    /** The redistribution jar in the local Maven repository, unpacked into the cache. */
    MAVEN
  }

  /** What came of a candidate. */
  public enum Outcome {
    /** In use. */
    TAKEN,
    /** Looked at and not usable. */
    REJECTED,
    /** Left out: an earlier candidate was taken, or a setting rules the others out. */
    NOT_TRIED
  }
}
