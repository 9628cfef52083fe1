/**
 * The protocols of the other package with one step left out, to show that the step is needed and
 * that these tests would notice: each test here marks the loss as <em>interesting</em> and is
 * expected to meet it. They break nothing and fail no build.
 */
package io.gpuos.concurrency.without;
