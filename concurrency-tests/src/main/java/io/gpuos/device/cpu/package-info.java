/** What the concurrency tests need to see of the CPU device's operators. */
package io.gpuos.device.cpu;
