package io.gpuos.cli.demo;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;
import java.util.stream.Stream;

/**
 * One operation of the demo.
 *
 * @param operator what is computed
 * @param output where the result goes on the device
 * @param inputs what is read there
 * @param target the twin that {@code output} belongs to
 * @param reference computes the same in the twins' arrays
 */
record Operation(
    Operator operator, Tensor output, Tensor[] inputs, Twin target, Runnable reference) {

  /** Elements of its largest tensor, which is what it has to read or write at least. */
  long elements() {
    return Math.max(
        output.elements(), Stream.of(inputs).mapToLong(Tensor::elements).max().orElse(0));
  }

  Call prepare(Gpuos gpu) {
    return gpu.prepare(operator, output, inputs);
  }
}
