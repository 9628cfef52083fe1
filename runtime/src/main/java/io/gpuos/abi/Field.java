package io.gpuos.abi;

/**
 * One word, or one array of equal words, of a shared record.
 *
 * @param name C identifier
 * @param type word type
 * @param count number of words; 1 for a plain word
 * @param offset in bytes from the start of the record
 * @param unit what a value counts, for readers: "bytes", "ns", "sequence", ...
 * @param writer the only side that writes it
 * @param reader the side that reads it
 * @param order how it is written and read
 * @param meaning one line
 */
public record Field(
    String name,
    Type type,
    int count,
    int offset,
    String unit,
    Side writer,
    Side reader,
    Order order,
    String meaning) {

  /** Word types both sides agree on; little-endian, naturally aligned. */
  public enum Type {
    U32("unsigned int", 4),
    U64("unsigned long long", 8),
    I64("long long", 8);

    private final String c;
    private final int bytes;

    Type(String c, int bytes) {
      this.c = c;
      this.bytes = bytes;
    }

    /** The CUDA C++ spelling. */
    public String c() {
      return c;
    }

    public int bytes() {
      return bytes;
    }
  }

  public int bytes() {
    return type.bytes() * count;
  }

  int end() {
    return offset + bytes();
  }
}
