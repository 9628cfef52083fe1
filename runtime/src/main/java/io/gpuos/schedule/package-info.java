/**
 * From operations recorded one by one to a plan that is replayed. Pure: no device, no addresses.
 *
 * <pre>
 * nodes as recorded --DeadCode--&gt; --Fusion--&gt; --MemoryPlan--&gt; --Hazards--&gt; Plan --PlanValidator
 * </pre>
 *
 * <ul>
 *   <li>A {@link io.gpuos.schedule.Node} is one operation: expressions, and the {@link
 *       io.gpuos.schedule.Place} that each input is read from and each result is written to. A view
 *       is another place in the same {@link io.gpuos.schedule.Buffer}; writing in place is a node
 *       whose output place is one it reads. So aliases need no treatment of their own: what
 *       conflicts follows from places, here and in every stage.
 *   <li>{@code DeadCode} drops what nobody reads.
 *   <li>{@code Fusion} puts the expressions of a producer into its consumer, where that gives the
 *       same numbers and saves a pass over memory.
 *   <li>{@code MemoryPlan} gives every temporary its place in one slab; those that do not live at
 *       the same time share it.
 *   <li>{@code Hazards} finds which node must come before which, from the final places, shared
 *       memory included.
 *   <li>{@link io.gpuos.schedule.PlanValidator} finds the hazards again in another way and refuses
 *       a plan that leaves one open.
 *   <li>{@link io.gpuos.schedule.Placement} puts the tasks that the nodes consist of on a device
 *       into segments, by what a {@link io.gpuos.schedule.CostModel} says they take; {@link
 *       io.gpuos.schedule.PlacementValidator} proves the result.
 *   <li>{@link io.gpuos.schedule.Explanation} and {@link io.gpuos.schedule.GraphPicture} show a
 *       plan.
 * </ul>
 *
 * <p>All types are immutable; all static methods may be called from any thread.
 */
package io.gpuos.schedule;
