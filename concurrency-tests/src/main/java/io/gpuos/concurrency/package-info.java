/**
 * Concurrency tests: every outcome two or more threads may see is listed with a sentence, and any
 * other fails the build. jcstress runs each test under many compilation and scheduling modes; a
 * bounded look on every build, and longer with {@code mvn verify -Pconcurrency-full}.
 */
package io.gpuos.concurrency;
