package io.gpuos.abi;

/** How a shared word is read and written; the accessors on both sides carry it in their names. */
public enum Order {
  /** Written before the other side starts and never after. */
  FIXED("fixed"),
  /** Ordinary accesses, made visible by the stamp or word that is published after them. */
  PLAIN("plain, covered by the stamp"),
  /** Written with release, read with acquire: what was written before it is visible after it. */
  RELEASE("release/acquire"),
  /** Followed on both sides by a full fence: half of a store-then-load handshake. */
  FENCED("sequentially consistent fence after the write"),
  /** Relaxed: a hint or a counter whose exact moment does not matter. */
  RELAXED("relaxed");

  private final String text;

  Order(String text) {
    this.text = text;
  }

  /** The order in words, for the rendered header. */
  public String text() {
    return text;
  }
}
