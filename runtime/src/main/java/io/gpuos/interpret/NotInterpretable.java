package io.gpuos.interpret;

/**
 * A kernel that the interpreter cannot run, so that its operator must be compiled first.
 *
 * @param reason one line, such as {@code values do not fit: cells=36, expected=at most 32}
 */
public record NotInterpretable(String reason) implements Encoding {}
