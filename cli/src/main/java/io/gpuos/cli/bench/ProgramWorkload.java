package io.gpuos.cli.bench;

import java.util.function.ObjIntConsumer;

/**
 * A program to be measured.
 *
 * @param name for {@code --only}
 * @param what in words
 * @param mode what is timed
 * @param goalUs microseconds for one unit, on a large GPU
 * @param units operations, iterations, tokens or replays of one replay of the program, at length
 * @param quickUnits of them in a quick run
 * @param make records the program for a number of units
 */
record ProgramWorkload(
    String name,
    String what,
    Mode mode,
    double goalUs,
    int units,
    int quickUnits,
    ObjIntConsumer<ProgramFixture> make) {

  /** What a sample is. */
  enum Mode {
    /** One replay, from before its submission until the host knows it complete, by its units. */
    REPLAY("one replay, submit until the host knows it complete, by its units"),
    /** The same for several replays, submitted without waiting, by their number. */
    BACK_TO_BACK("16 replays in a row, first submit until the host knows all complete, by 16"),
    /** Submission alone, of several replays into a ring that has room, by their number. */
    HOST("16 submissions in a row, host time alone, by 16");

    private final String timed;

    Mode(String timed) {
      this.timed = timed;
    }

    String timed() {
      return timed;
    }
  }
}
