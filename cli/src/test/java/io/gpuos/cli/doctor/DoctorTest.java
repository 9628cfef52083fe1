package io.gpuos.cli.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gpuos.device.DeviceSettings;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DoctorTest {

  @ParameterizedTest
  @CsvSource({
    "25, true",
    "25.0.2, true",
    "25.0.2+10-LTS, true",
    "25.0.3, false",
    "25.0.3+9-LTS, false",
    "25.0.10, false",
    "25.1, false",
    "26-ea+3, false"
  })
  void shouldWarnOfOldJdks(String version, boolean old) {
    assertEquals(old, Doctor.jdk(Runtime.Version.parse(version)).problem().isPresent());
  }

  @Test
  void shouldSayWhyADeviceDoesNotOpen() {
    DoctorReport.Trial trial = FirstOperation.on("cuda:4711", DeviceSettings.defaults());
    assertFalse(trial.opened());
    assertFalse(trial.correct());
    assertEquals(1, trial.problem().orElseThrow().lines().count());
  }

  @Test
  void shouldComputeOnTheCpu() {
    DoctorReport.Trial trial = FirstOperation.on("cpu", DeviceSettings.defaults());
    assertTrue(trial.opened(), trial::toString);
    assertTrue(trial.correct(), trial::toString);
  }
}
