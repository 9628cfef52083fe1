/**
 * The CPU device: worker threads in this process, which do what the blocks of the CUDA kernel do,
 * by the same records and the same lease.
 *
 * <ul>
 *   <li>{@link io.gpuos.device.cpu.CpuDevice}: opens the device and puts the parts together
 *   <li>{@code CpuWorkers}: claim, poll, wait, run, complete; park between leases
 *   <li>{@code CpuOperators}: hidden classes and iteration spaces by number; operators are added
 *       while workers run
 *   <li>{@code CpuSlabs}: native memory for the pool
 * </ul>
 *
 * <p>An operator that throws ends the device, as a fault ends a GPU, and so does one that runs for
 * longer than a task may: every wait fails with the operator's name, and in the second case the
 * thread's, whose stack is the failure's cause. A thread cannot be stopped: one that is stuck is
 * left behind when the device is closed, and the device's memory with it, to which it may yet
 * write.
 */
package io.gpuos.device.cpu;
