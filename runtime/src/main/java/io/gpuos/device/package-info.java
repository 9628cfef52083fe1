/**
 * What a device has to do, whatever it is. {@link io.gpuos.device.ComputeDevice} is the contract:
 * it numbers operators and iteration spaces, moves bytes, says how large a tile should be, and
 * holds ring, completions and lease of {@link io.gpuos.queue}. {@link
 * io.gpuos.device.DeviceSettings} says how it is opened.
 *
 * <p>{@link io.gpuos.device.MemoryPool} cuts tensors from slabs. Memory is given back to its source
 * only at the end, because a driver would wait for the resident kernel; a block that is freed while
 * tasks still use it hands its history on to the block that is cut from it next.
 *
 * <p>The devices are the packages {@code cpu} and {@code cuda}. They do not know each other, and
 * pass one conformance suite.
 */
package io.gpuos.device;
