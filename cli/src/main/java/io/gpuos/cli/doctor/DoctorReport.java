package io.gpuos.cli.doctor;

import io.gpuos.device.InjectionStatus;
import io.gpuos.device.OpenPhases;
import io.gpuos.driver.Candidate;
import io.gpuos.jit.DiskCache;
import java.util.List;
import java.util.Optional;

/**
 * The account of a machine. Where something is missing its {@code problem} says why, in one line.
 *
 * @param selfTest whether a GPU takes code beside its running kernel
 * @param trials what came of opening each kind of device and computing something
 */
public record DoctorReport(
    Build gpuos,
    Jdk jdk,
    Machine machine,
    List<NativeLibrary> libraries,
    Driver driver,
    Compiler compiler,
    DiskCache.Status cache,
    SelfTest selfTest,
    List<Trial> trials) {

  /** This program. */
  public record Build(String version, String commit) {}

  /** The Java runtime. */
  public record Jdk(
      String version, String vendor, String machine, String home, Optional<String> problem) {}

  /** The computer. */
  public record Machine(String system, String architecture, int processors) {}

  /**
   * One native library.
   *
   * @param path the file taken
   * @param candidates every place looked at, in order
   */
  public record NativeLibrary(String name, Optional<String> path, List<Place> candidates) {}

  /** One place a library was looked for in. */
  public record Place(
      Candidate.Source source, String path, Candidate.Outcome outcome, String reason) {}

  /**
   * The CUDA driver.
   *
   * @param version newest CUDA version it serves, such as {@code 13.0}
   */
  public record Driver(
      Optional<String> version,
      Optional<String> path,
      List<CudaDevice> devices,
      Optional<String> problem) {}

  /** One GPU. */
  public record CudaDevice(
      String name,
      String model,
      String architecture,
      long memoryBytes,
      int multiprocessors,
      String uuid) {}

  /** The run-time compiler. */
  public record Compiler(
      Optional<String> version,
      Optional<String> path,
      List<String> architectures,
      Optional<String> problem) {}

  /**
   * A device that was opened to compute something.
   *
   * @param device {@code cpu} or {@code cuda:N}
   * @param description the device in words, if it opened
   * @param correct whether the results were right
   * @param openMs until it was open
   * @param openPhases what that time went to, where it is worth telling
   * @param firstMs from there until the first result, compiling included
   * @param injection how operators came in, after those of the trial
   */
  public record Trial(
      String device,
      boolean opened,
      boolean correct,
      Optional<String> description,
      double openMs,
      List<OpenPhases.Phase> openPhases,
      double firstMs,
      Optional<InjectionStatus> injection,
      Optional<String> problem) {}

  /**
   * Bringing operators into running workers, live, in a process of its own.
   *
   * @param device that was tried; empty where none was
   * @param reason what was checked, what failed, or why nothing was tried
   * @param kept whether {@code auto} goes by it from now on
   */
  public record SelfTest(
      Optional<String> device,
      ProbeVerdict.Result result,
      String reason,
      double seconds,
      boolean kept) {}
}
