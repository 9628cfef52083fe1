package io.gpuos.device;

/**
 * The number by which task records name an iteration space. It means that space for as long as this
 * object is reachable, and for the tasks submitted until then; whoever goes on to submit tasks with
 * it keeps the object. Compared by identity.
 */
public final class SpaceNumber {

  private final int value;

  public SpaceNumber(int value) {
    this.value = value;
  }

  /** The number, as it stands in a record. */
  public int value() {
    return value;
  }

  @Override
  public String toString() {
    return "space " + value;
  }
}
