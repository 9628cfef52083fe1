package io.gpuos.readme;

// The README shows what lies between the markers; ReadmeTest compares and runs it.
// example: begin
import io.gpuos.*;
import io.gpuos.layout.DType;
import java.util.*;

final class ReadmeExample {
  public static void main(String[] args) {
    try (Gpuos gpu = Gpuos.open()) { // the first GPU if it works, otherwise the CPU
      Tensor a = gpu.tensor(new float[] {1, 2, 3, 4}, 2, 2);
      Tensor b = gpu.tensor(new float[] {2, 3}, 2);
      Tensor y = gpu.run(Operator.of("relu(a - b) / 2"), a, b); // b broadcasts
      System.out.println(Arrays.toString(y.toFloats())); // [0.0, 0.0, 0.5, 0.5]

      // A submission is a future: it returns at once and is awaited when needed.
      Submission dots = gpu.submit(Operator.of("sum(a * b, axis=-1)"), a, b);
      System.out.println(Arrays.toString(dots.await().toFloats())); // [8.0, 18.0]

      // What runs often is checked and compiled once, then submitted in nanoseconds.
      Tensor count = gpu.zeros(DType.I64);
      Tensor total = gpu.zeros(DType.I64);
      try (Call next = gpu.prepare(Operator.of("count + 1"), count, count);
          Call add = gpu.prepare(Operator.of("total + count"), total, total, count);
          Batch step = gpu.batch(List.of(next, add))) {
        for (int k = 0; k < 100; k++) {
          step.submit(); // results are as if the calls ran one after the other
        }
        gpu.synchronize();
        System.out.println(total.toLongs()[0]); // 5050
      }

      // An operator with a name is replaced, or rolled back, while tasks use it.
      LiveOperator scale = gpu.inject("scale", "x * 10");
      try (Call call = gpu.prepare(scale.operator(), y, a)) {
        gpu.inject("scale", "x * 100"); // compiled first, then published by one word
        call.run(); // what is prepared runs the new generation
        System.out.println(Arrays.toString(y.toFloats())); // [100.0, 200.0, 300.0, 400.0]
        scale.rollback();
      }

      // A program is recorded once, fused, and replayed with other inputs.
      try (Program rows =
          gpu.record(
              scope -> {
                SymbolicTensor x = scope.input(DType.F32, 2, 2);
                SymbolicTensor scaled = scope.apply(Operator.of("x * w"), x, scope.use(b));
                return List.of(scope.apply(Operator.of("max(x, axis=-1)"), scaled)); // one kernel
              })) {
        System.out.println(Arrays.toString(rows.run(a).getFirst().toFloats())); // [6.0, 12.0]
      }
    }
  }
}
// example: end
