/**
 * What can go wrong, as types. All are unchecked and derive from {@link
 * io.gpuos.error.GpuosException}; a message is one line, {@code rule: name=value, expected=...},
 * that names the operator, tensor or file and the remedy.
 *
 * <p>Three kinds: {@link io.gpuos.error.InvalidInputException} for what was asked, {@link
 * io.gpuos.error.ResourceException} for what ran out or was closed, {@link
 * io.gpuos.error.DeviceException} for devices and compilers. The runtime goes on after all but one:
 * {@link io.gpuos.error.DeviceFaultException} ends the runtime: every future of it fails with the
 * same reason.
 */
package io.gpuos.error;
