package io.gpuos.inject;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.error.InjectionException;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is refused, each compiled from source that asks for it, for each architecture. */
class CubinVerifierTest {

  /** Keeps a helper out of line. */
  private static final String HELPER = "__device__ __noinline__ void ";

  private static final String MANY_REGISTERS =
      Cubins.operator(
          """
          float r[96];
          #pragma unroll
          for (int i = 0; i < 96; i++) r[i] = x[threadIdx.x + i * 256];
          __syncthreads();
          #pragma unroll
          for (int i = 0; i < 96; i++) x[threadIdx.x * 97 + i] = r[i];
          """);

  private static final String LOCAL_ARRAY =
      "float a[40]; for (int i = 0; i < 40; i++) a[i] = x[i] * i; x[0] = a[n & 31];";

  private record Case(String name, String source, String expected) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final List<Case> REFUSED =
      List.of(
          new Case(
              "self recursion",
              Cubins.operator(
                  "__device__ __noinline__ float f(float* x, int n) {"
                      + " return n < 2 ? x[n] : f(x, n - 1) + f(x + 1, n - 2) * x[3]; }",
                  "x[0] = f(x, n);"),
              "recursion, section=.text._Z1fPfi"),
          new Case(
              "mutual recursion",
              Cubins.operator(
                  "__device__ void g(float* x, int n);"
                      + HELPER
                      + "f(float* x, int n) { if (n) { g(x, n - 1); x[n] = n; } }"
                      + HELPER
                      + "g(float* x, int n) { if (n) { f(x + 1, n - 1); x[0]++; } }",
                  "f(x, n);"),
              "recursion, section=.text._Z1"),
          new Case(
              "barrier 1",
              Cubins.operator("asm volatile(\"bar.sync 1;\");"),
              "barriers, section=.text.gpuos_op, attribute=NUM_BARRIERS(0x4c), value=2"),
          new Case(
              "barrier by register",
              Cubins.operator("asm volatile(\"bar.sync %0;\" :: \"r\"(n));"),
              "barriers, section=.text.gpuos_op, attribute=NUM_BARRIERS(0x4c), value=16"),
          new Case(
              "barrier 0 for some threads",
              Cubins.operator("asm volatile(\"bar.sync 0, 64;\");"),
              "barrier 0 for 64 threads, section=.text.gpuos_op"),
          new Case(
              "arriving without waiting",
              Cubins.operator("asm volatile(\"bar.arrive 0, 64;\");"),
              "barrier 0 for 64 threads, section=.text.gpuos_op"),
          new Case(
              "constant",
              Cubins.operator("__constant__ float c[16] = {1, 2};", "x[0] = c[2];"),
              "constant"),
          new Case(
              "constant by index",
              Cubins.operator("__constant__ float c[16] = {1, 2};", "x[0] = c[n];"),
              "constant"),
          new Case(
              "another word of the launch",
              Cubins.operator(
                  "unsigned s; asm volatile(\"mov.u32 %0, %%dynamic_smem_size;\" : \"=r\"(s));"
                      + " x[0] = s;"),
              "constant"),
          new Case(
              "static shared memory",
              Cubins.operator(
                  "__shared__ float s[64]; s[n] = x[n]; __syncthreads(); x[n] = s[n ^ 1];"),
              "shared memory, section=.text.gpuos_op"),
          new Case(
              "dynamic shared memory",
              Cubins.operator(
                  "extern __shared__ float s[];", "s[n] = x[n]; __syncthreads(); x[n] = s[n ^ 1];"),
              "shared memory, section=.text.gpuos_op, symbol=s"),
          new Case(
              "undefined function",
              Cubins.operator("extern \"C\" __device__ void other(float*);", "other(x); x[1] = 2;"),
              "undefined symbol, section=.text.gpuos_op, symbol=other"),
          new Case(
              "undefined variable",
              Cubins.operator("extern __device__ float other[4];", "x[1] = other[n];"),
              "undefined symbol, section=.text.gpuos_op, symbol=other"),
          new Case(
              "printf",
              Cubins.operator(
                  "extern \"C\" __device__ int printf(const char*, ...);", "printf(\"%f\", x[0]);"),
              "undefined symbol, section=.text.gpuos_op, symbol=vprintf"),
          new Case(
              "malloc",
              Cubins.operator(
                  "extern \"C\" __device__ void* malloc(unsigned long);",
                  "x[0] = *(float*)malloc(n);"),
              "undefined symbol, section=.text.gpuos_op, symbol=malloc"),
          new Case(
              "assert",
              Cubins.operator(
                  "extern \"C\" __device__ void __assertfail(const char*, const char*, unsigned,"
                      + " const char*, unsigned long);",
                  "if (n > 3) __assertfail(\"a\", \"b\", 3, \"c\", 1);"),
              "undefined symbol, section=.text.gpuos_op, symbol=__assertfail"),
          new Case(
              "exit",
              Cubins.operator("if (n) asm volatile(\"exit;\"); x[0] = 1;"),
              "exit, section=.text.gpuos_op, attribute=EXIT_INSTR_OFFSETS(0x1c)"),
          new Case(
              "trap",
              Cubins.operator("if (n) asm volatile(\"trap;\"); x[0] = 1;"),
              "instruction, section=.text.gpuos_op, offset=0x"),
          new Case(
              "breakpoint",
              Cubins.operator("if (n) asm volatile(\"brkpt;\"); x[0] = 1;"),
              "opcode=BPT(0x95c)"),
          new Case(
              "call through a pointer",
              Cubins.operator("((void (**)(float*))scratch)[n](x); x[3] = 1;"),
              "instruction, section=.text.gpuos_op, offset=0x"),
          new Case(
              "texture",
              Cubins.operator(
                  "float a, b, c, d; asm volatile(\"tex.1d.v4.f32.f32 {%0,%1,%2,%3}, [%4, {%5}];\""
                      + " : \"=f\"(a), \"=f\"(b), \"=f\"(c), \"=f\"(d)"
                      + " : \"l\"((unsigned long long)scratch), \"f\"(x[0]));"
                      + " x[1] = a + b + c + d;"),
              "instruction, section=.text.gpuos_op"),
          new Case(
              "surface",
              Cubins.operator(
                  "int a; asm volatile(\"suld.b.1d.b32.trap %0, [%1, {%2}];\" : \"=r\"(a)"
                      + " : \"l\"((unsigned long long)scratch), \"r\"(n)); x[1] = a;"),
              "instruction, section=.text.gpuos_op"),
          new Case(
              "refused function behind another",
              Cubins.operator(
                  HELPER
                      + "g(float* x) { asm volatile(\"trap;\"); x[1]++; }"
                      + HELPER
                      + "f(float* x) { g(x + 1); g(x + 2); x[0]++; }",
                  "f(x); f(x + n); x[9] = 1;"),
              "instruction, section=.text._Z1gPf"));

  private static final List<Case> ACCEPTED =
      List.of(
          new Case("barrier 0", Cubins.operator("x[0] = 1; __syncthreads(); x[n] = x[0];"), ""),
          new Case(
              "barrier 0 that counts", Cubins.operator("x[0] = __syncthreads_count(n > 3);"), ""),
          new Case(
              "sizes of the launch",
              Cubins.operator("x[0] = blockDim.x + blockDim.y * gridDim.x + gridDim.z;"),
              ""),
          new Case(
              "variables",
              Cubins.operator(
                  "__device__ float t[4] = {1, 2, 3, 4}; __device__ float* p[2] = {t, t + 1};"
                      + " __device__ int count;",
                  "x[0] = t[n] + *p[n & 1] + ++count;"),
              ""),
          new Case(
              "calls",
              Cubins.operator(
                  HELPER + "f(float* x) { x[0] = pow((double)x[1], (double)x[2]); }",
                  "f(x); f(x + n); x[0] = x[3] / x[4] + sqrtf(x[5]);"),
              ""),
          new Case(
              "warps",
              Cubins.operator(
                  "x[0] = __shfl_sync(-1, x[1], n) + __ballot_sync(-1, n) + __activemask();"
                      + " __threadfence(); __nanosleep(20);"),
              ""),
          new Case(
              "a kernel beside it, and functions nobody calls",
              Cubins.operator(
                  "extern \"C\" __device__ void unused(float* x) { asm volatile(\"trap;\"); }"
                      + " extern \"C\" __global__ void k(float* x) { __shared__ float s[9];"
                      + " s[x[0] > 1] = x[1]; __syncthreads(); x[0] = s[1]; }",
                  "x[0] = 1;"),
              ""));

  private static Stream<Arguments> crossed(List<Case> cases) {
    return cases.stream().flatMap(c -> Cubins.ARCHITECTURES.stream().map(a -> Arguments.of(c, a)));
  }

  static Stream<Arguments> refused() {
    return crossed(REFUSED);
  }

  static Stream<Arguments> accepted() {
    return crossed(ACCEPTED);
  }

  private static String message(byte[] cubin, Limits limits) {
    Cubin read = CubinReader.read(cubin);
    return assertThrows(
            InjectionException.class, () -> CubinVerifier.verify(read, Cubins.ENTRY, limits))
        .getMessage();
  }

  private static void assertStarts(String expected, String message) {
    assertTrue(message.startsWith("code refused for a running kernel: "), message);
    assertTrue(message.contains(expected), message);
    assertTrue(message.contains("; load it with the workers parked"), message);
    assertEquals(1, message.lines().count(), message);
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("refused")
  void shouldRefuse(Case refused, String architecture) {
    byte[] cubin = Cubins.compile(refused.source(), architecture);
    assertStarts(refused.expected(), message(cubin, Cubins.limits(architecture)));
  }

  @ParameterizedTest(name = "{0} {1}")
  @MethodSource("accepted")
  void shouldAccept(Case accepted, String architecture) {
    VerifiedCubin operator =
        Cubins.verify(Cubins.compile(accepted.source(), architecture), architecture);
    assertEquals(".text.gpuos_op", operator.code().getFirst().name());
    assertTrue(operator.registers() > 0 && operator.registers() <= Cubins.REGISTERS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseMoreRegistersThanTheKernelHas(String architecture) {
    byte[] cubin = Cubins.compile(MANY_REGISTERS, architecture, List.of());
    VerifiedCubin operator =
        CubinVerifier.verify(
            CubinReader.read(cubin), Cubins.ENTRY, new Limits(architecture, 255, 64));
    assertTrue(operator.registers() > 96, () -> "registers=" + operator.registers());
    String facts = "registers, section=.text.gpuos_op, registers=" + operator.registers();
    assertStarts(facts + ", expected=at most 64", message(cubin, new Limits(architecture, 64, 64)));
    assertStarts(facts, message(cubin, new Limits(architecture, operator.registers() - 1, 64)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseMoreStackThanIsLeft(String architecture) {
    byte[] cubin = Cubins.compile(Cubins.operator(LOCAL_ARRAY), architecture);
    int stack = Cubins.verify(cubin, architecture).stackBytes();
    assertTrue(stack >= 160, () -> "stack=" + stack);
    CubinVerifier.verify(
        CubinReader.read(cubin), Cubins.ENTRY, new Limits(architecture, 64, stack));
    assertStarts(
        String.format(
            Locale.ROOT,
            "stack, section=.text.gpuos_op, bytes=%d, expected=at most %d",
            stack,
            stack - 1),
        message(cubin, new Limits(architecture, 64, stack - 1)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldAddUpTheStackOfTheDeepestChainOfCalls(String architecture) {
    String source =
        Cubins.operator(
            HELPER
                + "g(float* x, int n) {"
                + LOCAL_ARRAY
                + "}"
                + HELPER
                + "f(float* x, int n) { g(x + 1, n); "
                + LOCAL_ARRAY
                + "}",
            "f(x, n); g(x + 3, n); x[5] = 1;");
    int stack = Cubins.verify(Cubins.compile(source, architecture), architecture).stackBytes();
    assertTrue(stack >= 320 && stack < 480, () -> "stack=" + stack);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseAnOperatorThatIsCalledAsFunctionsUsuallyAre(String architecture) {
    byte[] cubin =
        Cubins.compile("extern \"C\" __device__ void gpuos_op(float* x) { *x = 1; }", architecture);
    assertStarts(
        "return to another place, section=.text.gpuos_op",
        message(cubin, Cubins.limits(architecture)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseKernels(String architecture) {
    byte[] cubin =
        Cubins.compile("extern \"C\" __global__ void gpuos_op(int* x) { *x = 1; }", architecture);
    assertStarts("kernel, section=.text.gpuos_op", message(cubin, Cubins.limits(architecture)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", "sm_90", "sm_100"})
  void shouldRefuseJumpTables(String architecture) {
    String source =
        Cubins.operator(
            """
            switch (n) {
              case 0: x[1] = sinf(x[0]); break;
              case 1: x[1] = x[2] * 3; break;
              case 2: x[7] = cosf(x[0]); break;
              case 3: x[2] = 5; break;
              case 4: x[9] /= x[3]; break;
              case 5: x[4] = expf(x[0]); break;
              case 6: x[4] = tanf(x[0]); break;
              case 7: x[4] = logf(x[0]); break;
              default: x[11] = 3;
            }
            """);
    assertStarts(
        "section=.text.gpuos_op, attribute=INDIRECT_BRANCH_TARGETS(0x34)",
        message(
            Cubins.compile(source, architecture, List.of("--maxrregcount=64")),
            Cubins.limits(architecture)));
    Cubins.verify(Cubins.compile(source, architecture), architecture);
  }

  @Test
  void shouldRefuseOtherArchitectures() {
    byte[] cubin = Cubins.compile(Cubins.operator("x[0] = 1;"), "sm_90");
    assertStarts(
        "architecture, section=header, flags=0x6005a04 for sm_90, expected=0x6005004 for sm_80",
        message(cubin, Cubins.limits("sm_80")));
    assertStarts(
        "architecture unknown, section=header, architecture=sm_75, expected=[sm_80, sm_90, sm_100]",
        message(cubin, Cubins.limits("sm_75")));
  }

  @Test
  void shouldRefuseEntriesThatAreNoFunctions() {
    byte[] missing = Cubins.compile("__device__ int x;", "sm_90");
    assertStarts("entry, section=symbols, name=gpuos_op", message(missing, Cubins.limits("sm_90")));
    byte[] variable = Cubins.compile("extern \"C\" __device__ int gpuos_op[3];", "sm_90");
    assertStarts(
        "entry, section=symbols, name=gpuos_op", message(variable, Cubins.limits("sm_90")));
  }

  @Test
  void shouldNeedTheOptionThatKeepsDoublesOutOfConstantBanks() {
    String source = Cubins.operator("x[0] = pow((double)x[1], (double)x[2]);");
    byte[] without = Cubins.compile(source, "sm_80", List.of("--maxrregcount=64"));
    assertStarts(
        "constants, section=.text.__internal_accurate_pow",
        message(without, Cubins.limits("sm_80")));
    Cubins.verify(Cubins.compile(source, "sm_80"), "sm_80");
  }
}
