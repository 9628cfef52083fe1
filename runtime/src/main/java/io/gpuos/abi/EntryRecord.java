package io.gpuos.abi;

import static io.gpuos.abi.Field.Type.U64;

/**
 * What a logical operator stands for, in device memory: one record a logical operator, in one
 * table. Publishing another generation of the operator is a write of the one word {@code alias}; a
 * worker reads the record once for each task, after it has the task's own record.
 */
public final class EntryRecord {

  static final Record RECORD =
      Record.builder("gpuos_entry", 16, 16, "What a logical operator stands for, in device memory.")
          .access(Side.HOST, Side.DEVICE, Order.RELAXED)
          .word(U64, "alias", "address", "code of the generation that workers run; 0: none")
          .access(Side.HOST, Side.DEVICE, Order.FIXED)
          .word(U64, "argument", "any", "handed to the code with every task; set before alias")
          .build();

  public static final int BYTES = RECORD.bytes();
  public static final int ALIAS = RECORD.offset("alias");
  public static final int ARGUMENT = RECORD.offset("argument");

  private EntryRecord() {}
}
