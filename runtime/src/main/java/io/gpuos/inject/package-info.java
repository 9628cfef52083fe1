/**
 * How operators come into running workers and are replaced there: a table of operators, for both
 * devices, and a loader of machine code, for CUDA.
 *
 * <p><b>The table.</b> A task names a logical operator. {@link io.gpuos.inject.OperatorTable} keeps
 * the generations of each; its alias names the one that workers run, and publishing another one
 * turns the alias, one word. What an alias is, an address in device memory or an element of an
 * array, is the device's business.
 *
 * <p>{@link io.gpuos.inject.NamedOperator} is what a user replaces: one name, and a logical
 * operator for each {@link io.gpuos.inject.Variant}, the combination of types it is used with. Its
 * variants change generation together:
 *
 * <pre>
 *   compile for every variant  -&gt;  wait until drained  -&gt;  turn every alias
 *   (may refuse: no change)         (may time out: no change)
 * </pre>
 *
 * <p>Two locks, in this order: {@code changing} excludes publications and first uses of variants
 * from each other and is held while they compile; the monitor guards what is current and every turn
 * of an alias, and is never held while something is compiled or waited for. A rollback takes the
 * monitor only.
 *
 * <p><b>The loader</b> brings machine code into a running kernel without the driver, whose every
 * way of loading code waits until the kernel leaves.
 *
 * <pre>
 * cubin -> CubinReader -> Cubin -> CubinVerifier -> CubinLinker -> CodeArena -> address of the entry
 * </pre>
 *
 * <p>{@link io.gpuos.inject.Injector} goes this way. Pure Java: it makes bytes, and a {@link
 * io.gpuos.inject.CodeMemory} copies them.
 *
 * <p><b>Reading.</b> A cubin is an ELF file: {@code .text.NAME} for each function, {@code
 * .nv.global} and {@code .nv.global.init} for variables, tables of symbols and relocations, and
 * {@code .nv.info} sections of attributes, in which the compiler tells the loader what a function
 * needs. The file comes from a cache on disk, so the reader trusts none of it.
 *
 * <p><b>Verifying.</b> The code will run with what the resident kernel was launched with: its
 * registers, its stack, its one barrier, its constant banks. A driver would arrange for more; here
 * whatever asks for more is refused, and so is everything not understood. Each instruction is
 * looked at, because attributes are the compiler's word only: those that end a thread, trap, jump
 * through tables or registers, or read constants of their own kernel are found in the code itself.
 * This checks resources, not memory safety: an operator that writes through a wild pointer is
 * accepted. Refused code is loaded by the driver while the workers are parked.
 *
 * <p><b>Linking.</b> The functions that the entry reaches are laid out behind it, variables follow,
 * and addresses are filled in. Decision 0012 records what each relocation means, and how that was
 * found.
 *
 * <p><b>Placing.</b> Instruction caches are not coherent with stores, so an address is used once.
 * Images start on pages of 4096 bytes, with a guard behind the code against the prefetcher.
 *
 * <p>Known are the encodings of {@code sm_80}, {@code sm_90} and {@code sm_100} as NVRTC 13.3 makes
 * them; another architecture or file version is refused.
 */
package io.gpuos.inject;
