package io.gpuos.inject;

import java.util.BitSet;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The instructions code may consist of. Whatever is not listed is refused, since nobody knows what
 * it needs.
 *
 * <p>Worked out from what NVRTC 13.3 makes of known source for sm_80, sm_90 and sm_100: every
 * operator the generator can write, and small functions that each use one feature. A few further
 * forms of instructions that were seen are listed too: those of the uniform datapath, and with
 * other sorts of operands. The names are those of NVIDIA's disassembler.
 */
final class Opcodes {

  /** What has to be checked of an instruction. */
  enum Kind {
    /** Nothing: registers and memory only. */
    PLAIN,
    /** Its operand, when the form names a constant bank. */
    ARITHMETIC,
    /** Bank and offset. */
    LOAD_CONSTANT,
    /** The target, within the function. */
    BRANCH,
    /** The target, within the function; encoded in 30 bits. */
    REGION,
    /** The target, within the function and ahead: behind lies recursion. */
    CALL_RELATIVE,
    /** That the target is filled in by a relocation. */
    CALL_ABSOLUTE,
    /** That it is the return of a function to its caller. */
    RETURN,
    /** Number and threads. */
    BARRIER,
    /** A target on some architectures. */
    WARP_SYNC,
    /** Refused, and known by name. */
    FORBIDDEN
  }

  static final int CALL_ABSOLUTE = 0x943;
  static final int MOV_IMMEDIATE = 0x802;
  static final int UMOV_IMMEDIATE = 0x882;
  static final int LDC = 0xb82;
  static final int ULDC = 0xab9;
  static final int LDCU = 0x7ac;
  static final int BAR_IMMEDIATE = 0xb1d;

  /** Operations of arithmetic; each comes in several forms of operands. */
  private static final int[] ARITHMETIC = {
    0x002, // MOV
    0x007, // SEL
    0x008, // FSEL
    0x009, // FMNMX
    0x00a, // FSET
    0x00b, // FSETP
    0x00c, // ISETP
    0x00f, // VIMNMX3 and its like
    0x010, // IADD3
    0x011, // LEA
    0x012, // LOP3
    0x013, // IABS
    0x014, // VABSDIFF
    0x015, // VABSDIFF4
    0x016, // PRMT
    0x017, // IMNMX
    0x019, // SHF
    0x01a, // SGXT
    0x01b, // BMSK
    0x020, // FMUL
    0x021, // FADD
    0x023, // FFMA
    0x024, // IMAD
    0x025, // IMAD.WIDE
    0x026, // IDP
    0x027, // IMAD.HI
    0x028, // DMUL
    0x029, // DADD
    0x02a, // DSETP
    0x02b, // DFMA
    0x030, // HADD2
    0x031, // HFMA2
    0x032, // HMUL2
    0x033, // HSET2
    0x034, // HSETP2
    0x035, // HFMA2.MMA
    0x036, // VIADD
    0x038, // I2I
    0x039, // I2IP
    0x03e, // F2FP
    0x040, // HMNMX2
    0x045, // I2FP
    0x046, // VIADDMNMX
    0x048, // VIMNMX
    0x082, // UMOV
    0x087, // USEL
    0x08c, // UISETP
    0x090, // UIADD3
    0x091, // ULEA
    0x092, // ULOP3
    0x096, // UPRMT
    0x099, // USHF
    0x09a, // USGXT
    0x09b, // UBMSK
    0x0a4, // UIMAD
    0x0a5, // UIMAD.WIDE
    0x0bd, // UFLO
    0x0be, // UBREV
    0x0bf, // UPOPC
    0x0ca, // R2UR
    0x100, // FLO
    0x101, // BREV
    0x102, // FCHK
    0x104, // F2F
    0x105, // F2I
    0x106, // I2F
    0x107, // FRND
    0x108, // MUFU
    0x109, // POPC
    0x110, // F2F of 64 bits
    0x111, // F2I of 64 bits
    0x112, // I2F of 64 bits
    0x113, // FRND of 64 bits
  };

  private static final BitSet OPERATIONS = new BitSet();
  private static final Kind[] EXACT = new Kind[1 << 12];
  private static final Map<Integer, String> FORBIDDEN = new HashMap<>();

  static {
    for (int operation : ARITHMETIC) {
      OPERATIONS.set(operation);
    }
    plain(0x803, 0x804, 0x805, 0x806, 0x81c, 0x886, 0x89c); // P2R R2P CS2R VOTE PLOP3 VOTEU UPLOP3
    plain(0x919, 0x9c3, 0x3c2, 0x918); // S2R S2UR R2UR NOP
    plain(0x980, 0x381, 0x981, 0x983, 0x984); // LD LDG LDL LDS
    plain(0x385, 0x985, 0x386, 0x986, 0x387, 0x987, 0x388, 0x988); // ST STG STL STS
    plain(0x38a, 0x98a, 0x38b, 0x38c, 0x98c, 0x38d, 0x58d, 0x3a8, 0x9a8, 0x3a9); // ATOM*
    plain(0x98e, 0x9a2, 0x3aa); // RED REDG QSPC
    plain(0x98f, 0x992, 0x9ab, 0x5ab, 0x91a); // CCTL MEMBAR ERRBAR CGAERRBAR DEPBAR
    plain(0x389, 0x589, 0x989, 0xf89, 0x3a1, 0x3c4); // SHFL MATCH REDUX
    plain(0x355, 0x356, 0x357, 0x941, 0x942, 0x948, 0x91b); // BMOV BSYNC BREAK WARPSYNC
    plain(0x35d, 0x95d, 0x946); // NANOSLEEP YIELD
    plain(0x31c); // B2R, the outcome of a barrier that counts
    EXACT[LDC] = Kind.LOAD_CONSTANT;
    EXACT[ULDC] = Kind.LOAD_CONSTANT;
    EXACT[LDCU] = Kind.LOAD_CONSTANT;
    EXACT[0x947] = Kind.BRANCH; // BRA
    EXACT[0x547] = Kind.BRANCH; // BRA.U
    EXACT[0x945] = Kind.REGION; // BSSY
    EXACT[0x348] = Kind.WARP_SYNC; // WARPSYNC with a register
    EXACT[0x944] = Kind.CALL_RELATIVE; // CALL.REL
    EXACT[CALL_ABSOLUTE] = Kind.CALL_ABSOLUTE; // CALL.ABS
    EXACT[0x950] = Kind.RETURN; // RET
    EXACT[BAR_IMMEDIATE] = Kind.BARRIER; // BAR with number and threads in the instruction
    forbid("EXIT", 0x94d);
    forbid("BPT", 0x95c, 0x35c);
    forbid("KILL", 0x95b);
    forbid("RTT", 0x94f);
    forbid("BRX", 0x949);
    forbid("JMP", 0x94a, 0x34a);
    forbid("JMX", 0x94c, 0x34c);
    forbid("CALL with a register", 0x343, 0x344);
    forbid("BAR with a register", 0x31d, 0x51d, 0x91d);
  }

  private Opcodes() {}

  private static void plain(int... opcodes) {
    for (int opcode : opcodes) {
      EXACT[opcode] = Kind.PLAIN;
    }
  }

  private static void forbid(String name, int... opcodes) {
    for (int opcode : opcodes) {
      EXACT[opcode] = Kind.FORBIDDEN;
      FORBIDDEN.put(opcode, name);
    }
  }

  /** What to check of {@code instruction}; {@link Kind#FORBIDDEN} for what is not known. */
  static Kind kind(Instruction instruction) {
    int opcode = instruction.opcode();
    Kind exact = EXACT[opcode];
    if (exact != null) {
      return exact;
    }
    boolean hasForm = opcode >>> 9 != 0;
    return hasForm && OPERATIONS.get(instruction.operation()) ? Kind.ARITHMETIC : Kind.FORBIDDEN;
  }

  /** Number of the opcode of {@code instruction}, with the name of those that are forbidden. */
  static String name(Instruction instruction) {
    int opcode = instruction.opcode();
    String name = FORBIDDEN.get(opcode);
    return name == null
        ? String.format(Locale.ROOT, "0x%03x", opcode)
        : String.format(Locale.ROOT, "%s(0x%03x)", name, opcode);
  }
}
