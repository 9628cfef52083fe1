/**
 * The way of a task from the submitting thread to a worker, host side; both devices share it.
 *
 * <ul>
 *   <li>{@link io.gpuos.queue.SharedWords}: host memory both sides read and write, with the memory
 *       order in each accessor's name
 *   <li>{@link io.gpuos.queue.RingMemory}: how control words, records and completions lie in one
 *       piece of it
 *   <li>{@link io.gpuos.queue.RegionMap}, {@link io.gpuos.queue.Access}: which bytes of an
 *       allocation were last written and read by which tasks
 *   <li>{@link io.gpuos.queue.Dependencies}: the tasks a new task has to wait for; {@link
 *       io.gpuos.queue.Uses}: those that memory has to wait for before it is used anew
 *   <li>{@link io.gpuos.queue.Invocation}: everything of a submission but its sequence and what it
 *       waits for; {@link io.gpuos.queue.AnalysedBatch}: many of them, with the order among them
 *   <li>{@link io.gpuos.queue.SubmissionRing}: claim, order, write, publish
 *   <li>{@link io.gpuos.queue.Lease}: when workers park and who wakes them
 *   <li>{@link io.gpuos.queue.Completions}: which tasks are complete, and waiting for them; {@link
 *       io.gpuos.queue.WorkerStamps}: how workers in the host's memory say so
 *   <li>{@link io.gpuos.queue.Watchdog}: ends the device when a task does not come back; {@link
 *       io.gpuos.queue.OutstandingTasks}: which operators may have been running when it failed
 * </ul>
 *
 * <h2>Order</h2>
 *
 * Results equal sequential execution in the order of the sequence numbers. Taking a number and
 * registering what the task reads and writes happen together, in the ring's ordering section: a few
 * loads and stores under one flag, taken by compare-and-set. Everything else of a submission, and
 * all of its execution, runs in parallel. A batch leaves its registration to whoever enters the
 * section next, and if it has ended by then, to nobody.
 *
 * <h2>Failure</h2>
 *
 * A device fails once and for good: {@link io.gpuos.queue.Completions#fail} ends every wait, now
 * and later, and the ring refuses what comes after. Nobody takes it back, not even a task that ends
 * after all. The reasons are an operator that throws, a kernel that has died, and a task that has
 * run for longer than its deadline; each message names the operator, and the last the worker too.
 *
 * <p>Sequences are 64-bit, wrap, and are compared by difference only.
 */
package io.gpuos.queue;
