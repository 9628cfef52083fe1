package io.gpuos.abi;

import java.util.List;
import java.util.Locale;

/**
 * Renders {@code gpuos_abi.cuh}, the device's view of every shared record, from the declarations in
 * this package. The text is deterministic; a golden file shows it to readers of the device code.
 */
public final class CudaHeader {

  /** Changes whenever a record changes; part of every cache key. */
  public static final int ABI_VERSION = 5;

  /** Name under which the device sources include the header. */
  public static final String NAME = "gpuos_abi.cuh";

  /** Bytes of shared scratch memory an operator may use. */
  public static final int SCRATCH_BYTES = 8192;

  private static final List<Record> RECORDS =
      List.of(
          TaskRecord.RECORD,
          NodeRecord.RECORD,
          SpaceRecord.RECORD,
          ControlRecord.RECORD,
          EntryRecord.RECORD,
          StateRecord.RECORD,
          LaunchRecord.RECORD,
          SegmentRecord.RECORD,
          ReplayRecord.RECORD,
          ReplayStateRecord.RECORD,
          InterpreterRecord.RECORD,
          InstructionRecord.RECORD);

  /** NVRTC has neither {@code <cstddef>} nor GCC's builtin, but its front end's own operator. */
  private static final String OFFSET_MACRO =
      """
      #ifdef __CUDACC_RTC__
      #define GPUOS_OFFSET(type, member) __INTADDR__(&(((type*)0)->member))
      #else
      #define GPUOS_OFFSET(type, member) __builtin_offsetof(type, member)
      #endif
      """;

  private CudaHeader() {}

  /** The header's whole text. */
  public static String render() {
    StringBuilder out = new StringBuilder(8192);
    out.append(
        "// Rendered from io.gpuos.abi; do not edit. Every word: unit, writer -> reader, order.\n");
    out.append("#pragma once\n\n");
    constant(out, "MAGIC", "0x" + Long.toHexString(ControlRecord.MAGIC) + "ull");
    constant(out, "ABI_VERSION", ABI_VERSION + "u");
    constant(out, "SCRATCH_BYTES", Integer.toString(SCRATCH_BYTES));
    constant(out, "FLAG_LINEAR", TaskRecord.FLAG_LINEAR + "u");
    constant(out, "FLAG_SEGMENT", TaskRecord.FLAG_SEGMENT + "u");
    constant(out, "SECTORS_SHIFT", Integer.toString(TaskRecord.SECTORS_SHIFT));
    constant(out, "POSITIONS_PER_FIRST", TaskRecord.POSITIONS_PER_FIRST + "ull");
    constant(out, "SPACES_PER_PAGE", LaunchRecord.SPACES_PER_PAGE + "u");
    constant(out, "MAX_WORKERS", StateRecord.MAX_WORKERS + "u");
    constant(out, "MAX_OPERANDS", Integer.toString(TaskRecord.MAX_OPERANDS));
    constant(out, "NEAR_BINDINGS", Integer.toString(ReplayRecord.NEAR_BINDINGS));
    constant(out, "WIDE_BINDINGS", Integer.toString(ReplayRecord.WIDE_BINDINGS));
    constant(out, "SEGMENT_TIMES", Integer.toString(ReplayRecord.SEGMENT_TIMES));
    constant(out, "NODE_TIMES", Integer.toString(ReplayRecord.NODE_TIMES));
    constant(out, "LANES", InterpreterRecord.LANES + "u");
    constant(out, "CELLS", InterpreterRecord.MAX_CELLS + "u");
    constant(out, "MAX_INSTRUCTIONS", InterpreterRecord.MAX_INSTRUCTIONS + "u");
    out.append(OFFSET_MACRO);
    for (Record record : RECORDS) {
      struct(out, record);
    }
    operandAccessor(out);
    operandAtAccessor(out);
    out.append(
        """

        // An operator: called by every thread of a worker's block; task and scratch in shared memory.
        // The argument is that of the operator's entry.
        typedef void (*gpuos_operator)(const gpuos_task* task, const gpuos_space* space, char* scratch,
                                       unsigned long long argument);

        // Before the definition of an operator, and before every statement that calls one through a
        // pointer: an operator keeps two registers of its caller's, R16 and R17, where it returns to.
        // By the usual convention it would keep half of all, and write to memory those it needs.
        // Compilers before CUDA 13 do not know it; what they make is refused when it is read.
        #if defined(__CUDACC_VER_MAJOR__) && __CUDACC_VER_MAJOR__ >= 13
        #define GPUOS_CALLED _Pragma("nv_abi preserve_n_data(2)")
        #else
        #define GPUOS_CALLED
        #endif
        """);
    return out.toString();
  }

  private static void constant(StringBuilder out, String name, String value) {
    out.append("#define GPUOS_").append(name).append(' ').append(value).append('\n');
  }

  private static void struct(StringBuilder out, Record record) {
    out.append("\n// ").append(record.meaning()).append('\n');
    out.append("struct alignas(").append(record.alignment()).append(") ").append(record.name());
    out.append(" {\n");
    int end = 0;
    int gap = 0;
    for (Field field : record.fields()) {
      gap = padding(out, end, field.offset(), gap);
      member(out, record, field);
      end = field.offset() + field.bytes();
    }
    padding(out, end, record.bytes(), gap);
    out.append("};\n");
    assertion(out, "sizeof(" + record.name() + ") == " + record.bytes());
    for (Field field : record.fields()) {
      assertion(
          out,
          String.format(
              Locale.ROOT,
              "GPUOS_OFFSET(%s, %s) == %d",
              record.name(),
              field.name(),
              field.offset()));
    }
  }

  private static int padding(StringBuilder out, int from, int to, int gap) {
    if (from == to) {
      return gap;
    }
    out.append("  char gap").append(gap).append('[').append(to - from).append("];\n");
    return gap + 1;
  }

  private static void member(StringBuilder out, Record record, Field field) {
    out.append("  ").append(field.type().c()).append(' ').append(field.name());
    if (record == SpaceRecord.RECORD && field.name().equals("stride")) {
      out.append('[').append(TaskRecord.MAX_OPERANDS).append("][");
      out.append(SpaceRecord.MAX_RANK).append(']');
    } else if (field.count() > 1) {
      out.append('[').append(field.count()).append(']');
    }
    out.append(
        ";  // %s; %s -> %s, %s: %s\n"
            .formatted(
                field.unit(),
                field.writer().name().toLowerCase(Locale.ROOT),
                field.reader().name().toLowerCase(Locale.ROOT),
                field.order().text(),
                field.meaning()));
  }

  private static void assertion(StringBuilder out, String condition) {
    out.append("static_assert(")
        .append(condition)
        .append(", \"layout differs from io.gpuos.abi\");\n");
  }

  private static void operandAccessor(StringBuilder out) {
    out.append("\n// Bits of operand K of a task.\n");
    out.append("template <int K>\n");
    out.append(
        "__device__ __forceinline__ unsigned long long gpuos_operand(const gpuos_task* task) {\n");
    out.append("  static_assert(K >= 0 && K < ").append(TaskRecord.MAX_OPERANDS);
    out.append(", \"a task has at most ").append(TaskRecord.MAX_OPERANDS).append(" operands\");\n");
    out.append("  constexpr int offset =");
    for (int k = 0; k < TaskRecord.MAX_OPERANDS - 1; k++) {
      out.append(" K == ").append(k).append(" ? ").append(TaskRecord.operand(k)).append(" :");
    }
    out.append(' ').append(TaskRecord.operand(TaskRecord.MAX_OPERANDS - 1)).append(";\n");
    out.append("  return *reinterpret_cast<const unsigned long long*>(\n");
    out.append("      reinterpret_cast<const char*>(task) + offset);\n}\n");
  }

  /** The same for an operand whose number is known at run time only. */
  private static void operandAtAccessor(StringBuilder out) {
    out.append(
        String.format(
            Locale.ROOT,
            """

        // Bits of operand k of a task.
        __device__ __forceinline__ unsigned long long gpuos_operand_at(const gpuos_task* task, unsigned k) {
          return *reinterpret_cast<const unsigned long long*>(
              reinterpret_cast<const char*>(task) +
              (k == 0 ? %d : %d + 8 * (k - 1) + 8 * ((k - 1) / 3)));
        }
        """,
            TaskRecord.operand(0),
            TaskRecord.operand(1)));
  }
}
