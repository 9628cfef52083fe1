/**
 * The protocols between host and device as models in Promela, searched by Spin: every interleaving,
 * every delay of a store that the model allows.
 *
 * <p>The models lie in {@code src/test/models}. Each says at its top what it claims, which parts of
 * the protocol can be switched on, and which steps can be left out; the test of the same name says
 * which combinations must hold and which must fail. One that must fail and does not means that a
 * step is not needed, or that the model does not see what it is for.
 *
 * <p>Without {@code spin} and {@code gcc} these tests are skipped by name; Debian's packages are
 * called the same.
 */
package io.gpuos.models;
