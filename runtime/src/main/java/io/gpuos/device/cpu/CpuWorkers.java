package io.gpuos.device.cpu;

import io.gpuos.abi.ControlRecord;
import io.gpuos.abi.NodeRecord;
import io.gpuos.abi.TaskRecord;
import io.gpuos.codegen.CpuScratch;
import io.gpuos.device.NodeTime;
import io.gpuos.error.DeviceFaultException;
import io.gpuos.error.OutOfMemoryException;
import io.gpuos.queue.Completions;
import io.gpuos.queue.Lease;
import io.gpuos.queue.OutstandingTasks;
import io.gpuos.queue.RingMemory;
import io.gpuos.queue.SharedWords;
import io.gpuos.queue.Watchdog;
import io.gpuos.queue.WorkerStamps;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * The resident workers of the CPU device: platform threads that do what the blocks of the CUDA
 * kernel do, by the same records and the same lease. All poll the slot of the next task nobody has
 * claimed. Whoever finds it published, and the tasks it depends on complete, claims it, runs the
 * operator and stamps the sequence as completed. Threads, unlike blocks, lose their processor and
 * sleep, so a task goes to one that is awake: the tasks of a chain are taken one after the other by
 * whoever ran the last, without a word to another processor. A task that has to wait while others
 * are behind it is claimed all the same, and holds up its worker alone.
 *
 * <p>Between leases a worker is a parked thread. A sequence it had claimed stays its own, so no
 * claimed record is lost.
 */
final class CpuWorkers implements Lease.Launcher, Watchdog.Workers {

  private static final VarHandle BEGUN;

  static {
    try {
      BEGUN = MethodHandles.lookup().findVarHandle(Worker.class, "begun", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static final int STOP_NONE = 0;
  private static final int STOP_WHEN_EMPTY = 1;
  private static final int STOP_NOW = 2;

  /** Polls before a worker lets other threads of a busy machine run between polls. */
  private static final int POLLS_BEFORE_YIELD = 64;

  /**
   * How long a worker without a task stays awake while others have some. A nap lasts about as long
   * as the system needs to wake a thread anyway, so it costs at most a part of what was waited for.
   */
  private static final long AWAKE_NANOS = 200_000;

  private static final long NAP_NANOS = 50_000;

  /** Polls before a worker claims a task that has to wait, so that others reach those behind it. */
  private static final int POLLS_BEFORE_WAITING = 64;

  /** Polls between two looks at the clock. */
  private static final int POLLS_PER_CLOCK = 16;

  /** Tasks between two looks at the lease. */
  private static final int TASKS_PER_CLOCK = 32;

  /** Memory by its address, for nodes of programs. */
  private static final SharedWords MEMORY =
      new SharedWords(MemorySegment.NULL.reinterpret(Long.MAX_VALUE));

  private final RingMemory memory;
  private final SharedWords control;
  private final SharedWords records;
  private final WorkerStamps stamps;
  private final CpuOperators operators;
  private final CpuSpaces spaces;
  private final long lingerNanos;
  private final long maxResidencyNanos;
  private final Thread[] threads;
  private final Worker[] workers;

  /** The next sequence to be claimed. */
  private final AtomicLong head;

  /** Whether a worker polls without naps though all are idle: one does, for the others. */
  private final AtomicBoolean watched = new AtomicBoolean();

  private volatile long launchedEpoch;
  private volatile long launchedAt;
  private volatile long lastActive;
  private volatile long seenHead;
  private volatile long stop;
  private volatile boolean terminated;
  private volatile Completions completions;
  private volatile OutstandingTasks tasks;
  private volatile Watchdog watchdog;

  /** Where to note when nodes run; null while nobody asks. */
  private volatile Queue<NodeTime> trace;

  CpuWorkers(
      RingMemory memory,
      CpuOperators operators,
      CpuSpaces spaces,
      int workers,
      Duration linger,
      Duration maxResidency) {
    this.memory = memory;
    this.control = memory.control();
    this.records = memory.records();
    this.stamps = new WorkerStamps(memory);
    this.operators = operators;
    this.spaces = spaces;
    this.lingerNanos = nanos(linger);
    this.maxResidencyNanos = nanos(maxResidency);
    this.head = new AtomicLong(memory.firstSequence());
    this.threads = new Thread[workers];
    this.workers = new Worker[workers];
    for (int w = 0; w < workers; w++) {
      Worker worker = new Worker(w);
      this.workers[w] = worker;
      threads[w] =
          Thread.ofPlatform().daemon().name("gpuos-cpu-worker-" + w).unstarted(() -> live(worker));
    }
  }

  private static long nanos(Duration duration) {
    return duration.compareTo(Duration.ofDays(365)) > 0 ? Long.MAX_VALUE : duration.toNanos();
  }

  /**
   * Starts the threads.
   *
   * @param completionsOfRing learns of a failed operator
   * @param tasksOfRing names operators
   * @param taskDeadline how long a task may run
   * @throws OutOfMemoryException if the system has no room for that many
   */
  void start(Completions completionsOfRing, OutstandingTasks tasksOfRing, Duration taskDeadline) {
    completions = completionsOfRing;
    tasks = tasksOfRing;
    watchdog = new Watchdog("cpu", taskDeadline, this, tasksOfRing, completionsOfRing);
    for (Thread thread : threads) {
      try {
        thread.start();
      } catch (OutOfMemoryError none) {
        throw new OutOfMemoryException(
            String.format(
                Locale.ROOT,
                "worker threads: device=cpu, workers=%d, expected=room for their threads; open it with"
                    + " fewer",
                threads.length),
            none);
      }
    }
  }

  @Override
  public void launch(long epoch) {
    long now = System.nanoTime();
    launchedAt = now;
    lastActive = now;
    launchedEpoch = epoch;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
  }

  // ---- watchdog -------------------------------------------------------------------------------

  @Override
  public void check() {
    watchdog.look();
  }

  @Override
  public int count() {
    return workers.length;
  }

  @Override
  public boolean begun(long[] sequences) {
    for (int w = 0; w < workers.length; w++) {
      sequences[w] = workers[w].begun;
    }
    return true;
  }

  @Override
  public String name(int worker) {
    return threads[worker].getName();
  }

  /** The stack of a worker's thread. */
  @Override
  public Throwable position(int worker) {
    DeviceFaultException position =
        new DeviceFaultException("position of " + name(worker) + " when its task was overdue");
    position.setStackTrace(threads[worker].getStackTrace());
    return position;
  }

  @Override
  public String remedy() {
    return "open a new runtime without this operator";
  }

  // ---- life of a worker -----------------------------------------------------------------------

  private void live(Worker worker) {
    try {
      serveLaunches(worker);
    } catch (Throwable failure) {
      // What this worker has claimed would be waited for in vain.
      completions.fail(
          new DeviceFaultException(
              "worker ended: device=cpu, expected=workers until the end: " + failure, failure));
    }
  }

  private void serveLaunches(Worker worker) {
    long served = 0;
    while (true) {
      long epoch = launchedEpoch;
      if (terminated) {
        return;
      }
      if (epoch == served) {
        LockSupport.park(this);
      } else {
        worker.serve(epoch);
        served = epoch;
      }
    }
  }

  // ---- lease ----------------------------------------------------------------------------------

  /** How launch {@code epoch} was asked to stop; a later launch ends it. */
  private int stopMode(long epoch) {
    if (launchedEpoch != epoch) {
      return STOP_NOW;
    }
    long word = stop;
    return word >>> 2 == (epoch & -1L >>> 2) ? (int) (word & 3) : STOP_NONE;
  }

  /** Decides whether this launch leaves. Any worker, at a task boundary or at an empty slot. */
  private void keepLease(long epoch) {
    int mode = stopMode(epoch);
    long now = System.nanoTime();
    long next = head.get();
    if (next != seenHead || isBusy(next)) {
      seenHead = next;
      lastActive = now;
    }
    if (control.longAcquire(ControlRecord.YIELD_EPOCH) - epoch >= 0
        || now - launchedAt > maxResidencyNanos) {
      close(epoch, mode, STOP_NOW);
    } else if (now - lastActive > lingerNanos) {
      close(epoch, mode, STOP_WHEN_EMPTY);
    }
  }

  /** Whether a task before {@code next}, so one that was claimed, is not complete. */
  private boolean isBusy(long next) {
    return next - 1 - control.longAcquire(ControlRecord.COMPLETED_THROUGH) > 0;
  }

  private void close(long epoch, int seen, int mode) {
    if (mode <= seen) {
      return;
    }
    synchronized (this) {
      if (mode > stopMode(epoch)) {
        // Handshake: parked first, then a full fence, then the workers' second look at the ring.
        control.putLongFenced(ControlRecord.PARKED_EPOCH, epoch);
        stop = epoch << 2 | mode;
      }
    }
  }

  /**
   * Ends the threads. One that does not come back from its operator is left behind: it is a daemon,
   * and ends should the operator do so.
   *
   * @param limit how long to wait for all of them
   * @return whether all have ended
   */
  boolean close(Duration limit) {
    terminated = true;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
    long deadline = System.nanoTime() + limit.toNanos();
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive() && deadline - System.nanoTime() > 0) {
        try {
          thread.join(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return Arrays.stream(threads).noneMatch(Thread::isAlive);
  }

  /** Runs {@code replay} and tells when nodes of programs ran meanwhile. One call at a time. */
  synchronized List<NodeTime> traced(Runnable replay) {
    Queue<NodeTime> times = new ConcurrentLinkedQueue<>();
    trace = times;
    try {
      replay.run();
    } finally {
      trace = null;
    }
    return List.copyOf(times);
  }

  /** What one worker thread keeps: its claim, its operands and its scratch. */
  private final class Worker {
    private final int number;
    private final long[] operands = new long[TaskRecord.MAX_OPERANDS];
    private final CpuScratch scratch = new CpuScratch();
    private long sequence;
    private boolean held;

    /** Since when polls are in vain; 0 if that is not long. */
    private long waitBegan;

    /** Whether {@link #watched} is this worker's. */
    private boolean watching;

    /** Task this worker began last; the watchdog reads it. Written once a task, without a fence. */
    private volatile long begun = memory.firstSequence() - 1;

    Worker(int number) {
      this.number = number;
    }

    void serve(long epoch) {
      for (int tasks = 1; ; tasks++) {
        boolean claimed = held || claim(epoch);
        release();
        if (!claimed || !awaitDependencies(epoch)) {
          return;
        }
        execute();
        held = false;
        stamps.complete(sequence);
        if (tasks % TASKS_PER_CLOCK == 0) {
          keepLease(epoch);
        }
      }
    }

    /** Claims the next task; false if this worker is to leave without one. */
    private boolean claim(long epoch) {
      long blocked = 0;
      int blockedPolls = 0;
      for (int polls = 1; ; polls++) {
        // Before the slot: who is told to leave when it is empty looks at it once more.
        int mode = stopMode(epoch);
        if (mode == STOP_NOW || terminated) {
          return false;
        }
        long next = head.get();
        if (isPublished(next)) {
          blockedPolls = next == blocked ? blockedPolls + 1 : 0;
          blocked = next;
          boolean others = blockedPolls > POLLS_BEFORE_WAITING && isPublished(next + 1);
          if ((others || isReady(next)) && head.compareAndSet(next, next + 1)) {
            sequence = next;
            held = true;
            return true;
          }
          pause(polls, epoch, true);
        } else if (mode != STOP_WHEN_EMPTY) {
          pause(polls, epoch, isBusy(next));
        } else if (head.get() == next) {
          return false;
        }
      }
    }

    private boolean isPublished(long task) {
      return records.longVolatile(memory.slot(task) + TaskRecord.SEQUENCE) == task;
    }

    /**
     * Whether the tasks that {@code task} depends on are complete. Without a claim: the record may
     * be somebody's and gone by now, and then the answer means nothing, as the claim will fail.
     */
    private boolean isReady(long task) {
      long slot = memory.slot(task);
      int sectors = records.intPlain(slot + TaskRecord.FLAGS) >>> TaskRecord.SECTORS_SHIFT;
      return (sectors < 1 || isReady(task, records.intPlain(slot + TaskRecord.AFTER_0)))
          && (sectors < 2 || isReady(task, records.intPlain(slot + TaskRecord.AFTER_1)));
    }

    private boolean isReady(long task, int after) {
      int far = after >>> 16;
      for (int distance = after & 0xffff; after != 0 && distance <= far; distance++) {
        if (!stamps.isPast(task - distance)) {
          return false;
        }
      }
      return true;
    }

    /** Waits for the tasks before the claimed one; false if this worker is to leave instead. */
    private boolean awaitDependencies(long epoch) {
      for (int polls = 1; !isReady(sequence); polls++) {
        if (stopMode(epoch) != STOP_NONE || terminated) {
          return false;
        }
        pause(polls, epoch, true);
      }
      return true;
    }

    /** A poll in vain: spins, then lets others run, then naps if that is not in anybody's way. */
    private void pause(int polls, long epoch, boolean busy) {
      if (polls % POLLS_PER_CLOCK == 0) {
        keepLease(epoch);
      }
      if (polls < POLLS_BEFORE_YIELD) {
        waitBegan = 0;
        Thread.onSpinWait();
        return;
      }
      long now = System.nanoTime();
      waitBegan = waitBegan == 0 ? now : waitBegan;
      if (busy ? now - waitBegan > AWAKE_NANOS : !watch()) {
        LockSupport.parkNanos(this, NAP_NANOS);
      } else {
        Thread.yield();
      }
    }

    /** Whether this is the worker that looks out for the others while all are idle. */
    private boolean watch() {
      watching = watching || watched.compareAndSet(false, true);
      return watching;
    }

    private void release() {
      if (watching) {
        watching = false;
        watched.set(false);
      }
    }

    private void execute() {
      long slot = memory.slot(sequence);
      int operator = records.intPlain(slot + TaskRecord.LOGICAL_OPERATOR);
      if (operator == TaskRecord.OPERATOR_NOTHING) {
        return;
      }
      BEGUN.setOpaque(this, sequence);
      try {
        int flags = records.intPlain(slot + TaskRecord.FLAGS);
        if ((flags & TaskRecord.FLAG_SEGMENT) != 0) {
          runSegment(
              records.longPlain(slot + TaskRecord.operand(0)),
              records.intPlain(slot + TaskRecord.COUNT),
              records.longPlain(slot + TaskRecord.operand(1)));
          return;
        }
        CpuOperators.Installed installed = operators.installed(operator);
        for (int k = 0; k < installed.operands(); k++) {
          operands[k] = records.longPlain(slot + TaskRecord.operand(k));
        }
        boolean placed = flags >>> TaskRecord.SECTORS_SHIFT == 3;
        run(installed, records, slot, placed ? records.intPlain(slot + TaskRecord.FIRST) : 0);
      } catch (Throwable failure) {
        completions.fail(
            new DeviceFaultException(
                "operator failed: device=cpu, operator=%s, expected=no exception: %s"
                    .formatted(tasks.operator(sequence), failure),
                failure));
      }
    }

    /** Runs the nodes of a program's segment. */
    private void runSegment(long nodes, int count, long bindings) {
      Queue<NodeTime> times = trace;
      for (int n = 0; n < count; n++) {
        long node = nodes + (long) n * NodeRecord.BYTES;
        CpuOperators.Installed installed =
            operators.installed(MEMORY.intPlain(node + TaskRecord.LOGICAL_OPERATOR));
        for (int k = 0; k < installed.operands(); k++) {
          long base = Short.toUnsignedLong(MEMORY.shortPlain(node + NodeRecord.base(k)));
          operands[k] =
              MEMORY.longPlain(node + TaskRecord.operand(k))
                  + MEMORY.longPlain(bindings + base * Long.BYTES);
        }
        long begin = times == null ? 0 : System.nanoTime();
        run(installed, MEMORY, node, MEMORY.intPlain(node + TaskRecord.FIRST));
        if (times != null) {
          times.add(new NodeTime(node, number, begin, System.nanoTime()));
        }
      }
    }

    /** Runs an operator on {@link #operands}. {@code words} holds its record at {@code at}. */
    private void run(CpuOperators.Installed installed, SharedWords words, long at, int first) {
      int count = words.intPlain(at + TaskRecord.COUNT);
      if ((words.intPlain(at + TaskRecord.FLAGS) & TaskRecord.FLAG_LINEAR) != 0) {
        installed.kernel().run(operands, installed.linear(), 0, count, scratch);
      } else {
        long position = Integer.toUnsignedLong(first) * installed.positionsPerFirst();
        int space = words.intPlain(at + TaskRecord.SPACE);
        installed.kernel().run(operands, spaces.get(space), position, count, scratch);
      }
    }
  }
}
