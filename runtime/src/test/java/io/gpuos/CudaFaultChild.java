package io.gpuos;

import io.gpuos.device.DeviceSettings;
import io.gpuos.error.DeviceFaultException;
import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Loses a CUDA context, which takes a process: runs an operator that does not end well on {@code
 * cuda:0} and prints what everybody gets to see, a line {@code NAME=TEXT} each.
 */
public final class CudaFaultChild {

  /** How long a task may run. */
  static final Duration DEADLINE = Duration.ofSeconds(2);

  /** Functions by name: one that never returns, one that writes where nothing is. */
  static final Map<String, String> SOURCES =
      Map.of(
          "hang",
          """
          __device__ float hang(float x) {
            // A loop without effect may be left out, one that reads the clock may not.
            while (clock64() != 0) {
            }
            return x;
          }
          """,
          "poke",
          """
          __device__ float poke(float x) {
            *reinterpret_cast<volatile float*>(8ull) = x;
            return x;
          }
          """);

  private CudaFaultChild() {}

  static CudaOperator operator(String name) {
    return CudaOperator.of(name, SOURCES.get(name), "f32 %s(f32 x)".formatted(name));
  }

  /**
   * @param arguments name of the function
   */
  public static void main(String[] arguments) {
    Gpuos gpu = Gpuos.open("cuda:0", DeviceSettings.defaults().withTaskDeadline(DEADLINE));
    Operator bad = gpu.inject(operator(arguments[0])).operator();
    Operator good = Operator.of("x * 2");
    Tensor x = gpu.tensor(new float[] {1, 2, 3});
    Tensor y = gpu.zeros(io.gpuos.layout.DType.F32, 3);
    try (Call first = gpu.prepare(good, y, x)) {
      first.run();
      say("healthy_before", gpu.healthy());
      Submission submission = gpu.submitInto(bad, y, x);
      long start = System.nanoTime();
      say("await", message(submission::await));
      say("failed_after_ms", since(start));
      say("again", message(submission::await));
      say("synchronize", message(() -> synchronize(gpu)));
      say("submit", message(first::submit));
      say("read", message(y::toFloats));
    }
    say("healthy", gpu.healthy());
    long start = System.nanoTime();
    gpu.close();
    say("closed_after_ms", since(start));
  }

  private static Object synchronize(Gpuos gpu) {
    gpu.synchronize();
    return gpu;
  }

  private static String message(Supplier<?> call) {
    try {
      return "no failure: " + call.get();
    } catch (DeviceFaultException fault) {
      return fault.getMessage();
    }
  }

  private static long since(long start) {
    return (System.nanoTime() - start) / 1_000_000;
  }

  private static void say(String name, Object text) {
    System.out.println(name + "=" + text);
  }
}
