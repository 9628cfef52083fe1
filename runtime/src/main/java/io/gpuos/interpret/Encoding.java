package io.gpuos.interpret;

/** What became of a kernel: a program, or the reason why there is none. */
public sealed interface Encoding permits InterpreterProgram, NotInterpretable {}
