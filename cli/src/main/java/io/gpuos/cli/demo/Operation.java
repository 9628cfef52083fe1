package io.gpuos.cli.demo;

import io.gpuos.Call;
import io.gpuos.Gpuos;
import io.gpuos.Operator;
import io.gpuos.Tensor;

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

  Call prepare(Gpuos gpu) {
    return gpu.prepare(operator, output, inputs);
  }
}
