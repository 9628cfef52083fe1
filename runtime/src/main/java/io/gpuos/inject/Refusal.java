package io.gpuos.inject;

import io.gpuos.error.InjectionException;

/** The one form of message for code that is well formed and must not run in a resident kernel. */
final class Refusal {

  private Refusal() {}

  /**
   * A refusal.
   *
   * @param where the section at fault, or another name of the place
   * @param facts such as {@code registers=80}
   * @param expected what would be accepted
   */
  static InjectionException of(String rule, Object where, String facts, String expected) {
    return new InjectionException(
        "code refused for a running kernel: %s, section=%s, %s, expected=%s; load it with the workers parked"
            .formatted(rule, where, facts, expected));
  }
}
