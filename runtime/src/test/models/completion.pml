/*
 * Completion: who is told that a task is complete finds its result, as gpuos_worker.cu has it.
 *
 *   worker    runs a task, fences, then tells the host (`late`) and the GPU (`completed`), in any
 *             order
 *   reporter  sees the word in device memory and tells the host (`completed_through`)
 *   dependent another worker: sees the word in device memory, fences, reads the result
 *   host      sees either of its words, and copies the result
 *
 * Memory: device memory has one point of coherence, from which copies, and workers past a fence,
 * read. A worker's stores reach it in any order; so do words and results in host memory, which have
 * a bus to pass after it. A fence of the GPU waits until what was stored before has passed the point
 * of coherence, a system fence until it has passed the bus too. A worker reads through a cache that
 * may hold an older value until it fences.
 *
 * Claim, asserted by dependent and host: the result is there.
 *
 * Steps to change
 *   NO_WORKER_FENCE     between the result and the words that say so
 *   NO_DEPENDENT_FENCE  between the word and the result
 *   HOST_RESULT         the result lies in host memory, where the host reads it
 *   SYSTEM_FENCE        the worker's fence is a system fence
 * CompletionModelTest says which combinations must hold and which must fail.
 */

/* Values: false before the task, true after it. */
bool result;                      /* at the point of coherence */
bool host_result;                 /* beyond the bus */
bool completed;                   /* in device memory */
bool late, completed_through;     /* in host memory */

/* Stores on their way: to the point of coherence, over the bus. */
bool result_leaves, result_on_bus, completed_leaves, late_leaves, through_leaves;

bool cached, cached_value;        /* the dependent worker's cache */

proctype Worker() {
  result_leaves = true;
#ifndef NO_WORKER_FENCE
  !result_leaves;
#endif
#ifdef SYSTEM_FENCE
  !result_on_bus;
#endif
  if
  :: completed_leaves = true; late_leaves = true
  :: late_leaves = true; completed_leaves = true
  fi
}

proctype Reporter() {
  completed;
  through_leaves = true
}

proctype Stores() {
end: do
  :: atomic { result_leaves -> result = true; result_leaves = false
#ifdef HOST_RESULT
       ; result_on_bus = true
#endif
     }
  :: atomic { result_on_bus -> host_result = true; result_on_bus = false }
  :: atomic { completed_leaves -> completed = true; completed_leaves = false }
  :: atomic { late_leaves -> late = true; late_leaves = false }
  :: atomic { through_leaves -> completed_through = true; through_leaves = false }
  od
}

proctype Dependent() {
  /* An earlier read of something beside it. */
  if
  :: atomic { cached = true; cached_value = result }
  :: skip
  fi;
  completed;
#ifndef NO_DEPENDENT_FENCE
  cached = false;
#endif
  atomic {
    if
    :: !cached -> cached_value = result
    :: else
    fi;
    assert(cached_value)
  }
}

proctype Host() {
  late || completed_through;
#ifdef HOST_RESULT
  assert(host_result)
#else
  assert(result)
#endif
}

init {
  atomic { run Worker(); run Reporter(); run Stores(); run Dependent(); run Host() }
}
