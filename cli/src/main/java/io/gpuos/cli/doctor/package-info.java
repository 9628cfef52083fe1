/** Looks at everything GPUOS needs on a machine, and gives an account of it that hides nothing. */
package io.gpuos.cli.doctor;
