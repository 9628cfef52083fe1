package io.gpuos.interpret;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Gives cells to the values of steps. A value has its cells from the step that makes it to the last
 * one that uses it; a result may take those of an argument that dies there. The lowest free ones
 * are taken; values of two cells start at an even one, so that two of them share both cells or
 * none.
 */
final class CellAllocator {

  private final List<Step> steps;
  private final int[] lastUse;
  private final int[] cellOf;
  private final BitSet taken = new BitSet();
  private final List<Instruction> instructions = new ArrayList<>();

  private CellAllocator(List<Step> steps) {
    this.steps = steps;
    this.lastUse = new int[steps.size()];
    this.cellOf = new int[steps.size()];
    Arrays.fill(lastUse, -1);
    for (int i = 0; i < steps.size(); i++) {
      for (int argument : steps.get(i).arguments()) {
        lastUse[argument] = i;
      }
    }
  }

  /** The steps as instructions, in the same order, of a program with as many cells as it takes. */
  static InterpreterProgram allocate(List<Step> steps) {
    CellAllocator allocator = new CellAllocator(steps);
    int cells = 0;
    for (int i = 0; i < steps.size(); i++) {
      allocator.place(i);
      cells = Math.max(cells, allocator.taken.length());
      allocator.freeUnused(i);
    }
    return new InterpreterProgram(allocator.instructions, cells);
  }

  private void place(int index) {
    Step step = steps.get(index);
    for (int argument : step.arguments()) {
      if (lastUse[argument] == index) {
        mark(argument, false);
      }
    }
    if (step.operation().result().isPresent()) {
      cellOf[index] = lowestFree(width(index));
      mark(index, true);
    }
    List<Integer> arguments = step.arguments().stream().map(argument -> cellOf[argument]).toList();
    instructions.add(new Instruction(step.operation(), cellOf[index], arguments, step.immediate()));
  }

  /** A result that nobody uses gives its cells back at once. */
  private void freeUnused(int index) {
    if (lastUse[index] < 0) {
      mark(index, false);
    }
  }

  private int lowestFree(int width) {
    int cell = taken.nextClearBit(0);
    while (width == 2 && (cell % 2 != 0 || taken.get(cell + 1))) {
      cell = taken.nextClearBit(cell + 1);
    }
    return cell;
  }

  private void mark(int value, boolean take) {
    taken.set(cellOf[value], cellOf[value] + width(value), take);
  }

  /** Cells of a step's result; 0 if it has none. */
  private int width(int value) {
    return steps.get(value).operation().result().map(Operation::cells).orElse(0);
  }
}
