package io.gpuos.cli.bench;

import io.gpuos.Gpuos;
import io.gpuos.cli.bench.PaperReport.Cell;
import io.gpuos.cli.bench.PaperReport.Column;
import io.gpuos.cli.bench.PaperReport.PaperTable;
import io.gpuos.cli.bench.PaperReport.Row;
import io.gpuos.cli.bench.PaperReport.Settings;
import io.gpuos.cli.text.Progress;
import io.gpuos.device.ComputeDevice;
import io.gpuos.device.DeviceSettings;
import io.gpuos.error.GpuosException;
import io.gpuos.error.Messages;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.ObjIntConsumer;

/**
 * The tables of the paper from Java: each row a program of many operations on operands of their
 * own, checked in full on poisoned outputs before it is timed and after. A row that fails is a
 * failed cell; the others go on. One thread, one use.
 */
public final class PaperBenchmark {

  /** How the device is opened. */
  @FunctionalInterface
  public interface Opener {
    /** Opens it with other settings than the command line's. */
    Gpuos open(DeviceSettings settings);
  }

  private static final Duration LIMIT = Duration.ofMinutes(5);
  private static final int WARM_UP = 20;
  private static final int MOST_WORKERS = 1 << 10;
  private static final Column JAVA =
      new Column(
          "java",
          "GPUOS from Java",
          "one program of all units, recorded and replayed from Java",
          "recording and compilation");

  private final Settings settings;
  private final Progress progress;
  private final SplittableRandom random;

  private PaperBenchmark(Settings settings, Progress progress) {
    this.settings = settings;
    this.progress = progress;
    this.random = new SplittableRandom(settings.seed());
  }

  /** Names of the tables. */
  public static List<String> names() {
    List<String> names = new ArrayList<>();
    PaperWorkloads.tables().forEach(table -> names.add(table.name()));
    names.add(PaperWorkloads.WORKERS);
    return names;
  }

  /**
   * Opens the device, measures, and closes it again.
   *
   * @param device opens it with given settings
   * @param environment describes the run, once the device is open
   * @param chosen names of the tables to measure; others than {@link #names} are left out
   */
  public static PaperReport run(
      Opener device,
      Function<ComputeDevice, Environment> environment,
      List<String> chosen,
      Settings settings,
      Progress progress) {
    return new PaperBenchmark(settings, progress).run(device, environment, chosen);
  }

  private PaperReport run(
      Opener device, Function<ComputeDevice, Environment> environment, List<String> chosen) {
    List<PaperTable> tables = new ArrayList<>();
    Environment described;
    int workers;
    try (Gpuos gpu = device.open(DeviceSettings.defaults())) {
      described = environment.apply(gpu.device());
      workers = gpu.device().workers();
      for (PaperWorkloads.Table table : PaperWorkloads.tables()) {
        if (chosen.contains(table.name())) {
          tables.add(table(gpu, table));
        }
      }
    }
    if (chosen.contains(PaperWorkloads.WORKERS)) {
      tables.add(workers(device, workers));
    }
    Settings known =
        new Settings(
            described.device(),
            settings.quick(),
            settings.seed(),
            settings.rounds(),
            settings.units());
    return new PaperReport(
        PaperReport.FORMAT,
        PaperReport.VERSION,
        true,
        null,
        described,
        known,
        List.of(JAVA),
        null,
        tables);
  }

  private PaperTable table(Gpuos gpu, PaperWorkloads.Table table) {
    List<Row> rows = new ArrayList<>();
    for (PaperWorkloads.Row row : table.rows()) {
      progress.longStep(table.name() + ", " + row.name());
      Cell cell = cell(gpu, table.name() + " " + row.name(), row.make());
      rows.add(
          new Row(
              row.name(), row.what(), settings.units(), Optional.empty(), Map.of("java", cell)));
    }
    return new PaperTable(
        table.name(), table.title(), table.unit(), table.what(), null, "java", null, rows);
  }

  /** The same work by ever more workers, each number in a device opened anew. */
  private PaperTable workers(Opener device, int most) {
    List<Row> rows = new ArrayList<>();
    Map<String, Cell> first = new LinkedHashMap<>();
    for (int workers : counts(most)) {
      progress.longStep(String.format(Locale.ROOT, "%d workers", workers));
      Map<String, Cell> cells = new LinkedHashMap<>();
      try (Gpuos gpu = device.open(DeviceSettings.defaults().withWorkers(workers))) {
        PaperWorkloads.scaled()
            .forEach((name, make) -> cells.put(name, cell(gpu, name + ", workers", make)));
      } catch (GpuosException e) {
        PaperWorkloads.scaled().keySet().forEach(name -> cells.putIfAbsent(name, failure(e)));
      }
      cells.forEach(first::putIfAbsent);
      cells.replaceAll((name, cell) -> cell.over(first.get(name)));
      String what = workers == 1 ? "1 worker" : workers + " workers";
      rows.add(
          new Row(Integer.toString(workers), what, settings.units(), Optional.of(workers), cells));
    }
    return PaperWorkloads.workers(rows);
  }

  private List<Integer> counts(int most) {
    List<Integer> counts = new ArrayList<>();
    int step = settings.quick() ? 8 : 2;
    for (int workers = 1; workers < Math.min(most, MOST_WORKERS); workers *= step) {
      counts.add(workers);
    }
    counts.add(most);
    return counts;
  }

  private Cell cell(Gpuos gpu, String name, ObjIntConsumer<ProgramFixture> make) {
    try (ProgramFixture fixture = new ProgramFixture(gpu, random.split())) {
      make.accept(fixture, settings.units());
      replay(fixture);
      fixture.check(name);
      InjectBenchmark.awaitCompiled(gpu);
      replay(fixture);
      fixture.check(name);
      double[] samples = new double[settings.rounds()];
      for (int round = -warmUp(); round < samples.length; round++) {
        double micros = replay(fixture) / 1e3 / settings.units();
        if (round >= 0) {
          samples[round] = micros;
        }
      }
      fixture.check(name);
      return Cell.measured(samples);
    } catch (WrongResult e) {
      return Cell.missing("wrong", Messages.line(e.getMessage()));
    } catch (GpuosException e) {
      return failure(e);
    }
  }

  private int warmUp() {
    return settings.quick() ? 1 : WARM_UP;
  }

  private static Cell failure(GpuosException failure) {
    String kind = failure.getClass().getSimpleName();
    return Cell.missing("failed", kind + ": " + Messages.line(failure.getMessage()));
  }

  /** Nanoseconds of one replay on poisoned outputs, until the host knows it complete. */
  private static long replay(ProgramFixture fixture) {
    fixture.reset();
    long begin = System.nanoTime();
    fixture.submit().await(LIMIT);
    return System.nanoTime() - begin;
  }
}
