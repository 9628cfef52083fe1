package io.gpuos.conformance;

import io.gpuos.Gpuos;
import io.gpuos.device.DeviceSettings;

/** The device under test, as the topics of the suite see it. */
interface Target {

  /** Name of the device, as {@link Gpuos#open(String)} takes it. */
  String device();

  /** A runtime with default settings, shared by tests; do not close it or make it fail. */
  Gpuos shared();

  /** {@link #shared}, from now on without the operators of earlier tests if those slow it down. */
  Gpuos renewed();

  /** How many random expressions are a thorough test of this device in about a minute. */
  int cases();

  /** How many random graphs are recorded and replayed in the ordinary tests. */
  int graphs();

  /** How often the device can be opened in a few seconds. */
  int openings();

  /** How many generations of an operator can be published in a few seconds. */
  int generations();

  /** A runtime of one's own. */
  default Gpuos open(DeviceSettings settings) {
    return Gpuos.open(device(), settings);
  }
}
