package io.gpuos.abi;

import java.util.ArrayList;
import java.util.List;

/**
 * A record shared by host and device: an ordered list of fields at fixed offsets, declared with
 * {@link #builder} and rendered for the device by {@link CudaHeader}. Immutable.
 *
 * @param name C identifier of the struct
 * @param bytes size, padding included
 * @param alignment of the struct in bytes
 * @param fields in offset order, without overlap
 * @param meaning one line
 */
public record Record(String name, int bytes, int alignment, List<Field> fields, String meaning) {

  public Record {
    fields = List.copyOf(fields);
    int end = 0;
    for (Field field : fields) {
      if (field.offset() < end || field.offset() % field.type().bytes() != 0) {
        throw new IllegalArgumentException(
            "field misplaced: record=" + name + ", field=" + field.name());
      }
      end = field.end();
    }
    if (end > bytes || bytes % alignment != 0) {
      throw new IllegalArgumentException("record too small or ragged: record=" + name);
    }
  }

  /** Byte offset of {@code field}; fails if there is no such field. */
  public int offset(String field) {
    for (Field candidate : fields) {
      if (candidate.name().equals(field)) {
        return candidate.offset();
      }
    }
    throw new IllegalArgumentException("no such field: record=" + name + ", field=" + field);
  }

  static Builder builder(String name, int bytes, int alignment, String meaning) {
    return new Builder(name, bytes, alignment, meaning);
  }

  /** Places fields one after another; {@link #at} leaves a gap. */
  static final class Builder {
    private final String name;
    private final int bytes;
    private final int alignment;
    private final String meaning;
    private final List<Field> fields = new ArrayList<>();
    private int next;
    private Side writer = Side.HOST;
    private Side reader = Side.DEVICE;
    private Order order = Order.PLAIN;

    private Builder(String name, int bytes, int alignment, String meaning) {
      this.name = name;
      this.bytes = bytes;
      this.alignment = alignment;
      this.meaning = meaning;
    }

    /** The next field starts at {@code offset}. */
    Builder at(int offset) {
      next = offset;
      return this;
    }

    /** Who writes and reads the following fields, and how. */
    Builder access(Side writer, Side reader, Order order) {
      this.writer = writer;
      this.reader = reader;
      this.order = order;
      return this;
    }

    Builder word(Field.Type type, String field, String unit, String fieldMeaning) {
      return words(type, field, 1, unit, fieldMeaning);
    }

    Builder words(Field.Type type, String field, int count, String unit, String fieldMeaning) {
      fields.add(new Field(field, type, count, next, unit, writer, reader, order, fieldMeaning));
      next += type.bytes() * count;
      return this;
    }

    Record build() {
      return new Record(name, bytes, alignment, fields, meaning);
    }
  }
}
