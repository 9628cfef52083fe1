/*
 * Publishing: how an operator is replaced while tasks use it, as io.gpuos.inject.OperatorTable, the
 * devices' aliases and gpuos_worker.cu have it. One operator; sequences, claims and slots as there;
 * what a task computes is left out, and how workers learn that they are to leave is in lease.pml.
 *
 *   host    submitter: takes sequences and publishes records, waits for the last
 *           publisher: writes code to a fresh address, reads it back, waits until the operator is
 *           drained, turns the alias, notes the last sequence taken; at the end waits once more
 *           rollback (ROLLBACKS): turns the alias back at any moment, also in transition
 *   kernel  workers: claim, see the record, read the alias, run the code, complete. At a task's
 *           boundary a worker may leave with its claim; whoever waits launches again.
 *
 * Memory: records, the alias and code pass through one-entry buffers, as stores and copies do;
 * loads come from memory. Code reaches a worker through a cache that keeps what it has once
 * fetched: neither a store, nor time, nor a launch makes it forget. So it is on an H200.
 *
 * Claims, asserted where a worker runs code:
 *   - it is the code that the alias named, from begin to end: one whole generation a task;
 *   - a turn to it is no older than the last one that had returned when the task was submitted;
 *   - it is not gone: no slot has been used again, and nobody has been told that the generation is
 *     drained, while a task may run it.
 * And no end state but the one where everything submitted is complete and nobody waits.
 *
 * Steps to change
 *   NO_READ_BACK      the alias is turned while the code is on its way
 *   TURN_FIRST        the code is written after the alias is turned
 *   NO_TURN_FENCE     publish returns while the alias is on its way
 *   LATE_TURN_FENCE   the last sequence is noted while the alias is on its way
 *   SNAPSHOT_FIRST    the last sequence is noted before the alias is turned
 *   NO_GRACE          what was left counts as drained at once
 *   NO_WAIT           a third generation does not wait until the first is drained
 *   NO_RECHECK        publish does not look again, inside the monitor, whether it is drained
 *   ROLLBACK_FREES    the slot of the generation rolled back counts as free
 *   REUSE             a slot's next generation is written to the addresses of the one before
 *   NO_CACHE          code comes from memory every time
 *   PACKED            a generation lies right behind the one before, where fetching runs ahead
 *   ALIAS_EARLY       a worker reads the alias while it waits for the record
 *   ALIAS_TWICE       a worker reads the alias again within a task
 *   STAMP_FIRST       a task counts as complete before it has run
 *   NO_WAKE           who waits does not launch parked workers
 * PublishModelTest says which combinations must hold and which must fail.
 */
#define WORKERS 2
#ifndef TASKS
#define TASKS 3
#endif
#ifndef GENERATIONS
#define GENERATIONS 3
#endif
#ifndef ROLLBACKS
#define ROLLBACKS 0
#endif
#ifndef PARKS
#define PARKS 0                   /* how often the workers leave */
#endif

#define NONE 0                    /* no code: a generation's number is at least 1 */
#define FREED 255

#ifdef REUSE
#define ADDRESS(generation) ((generation) % 2)
#else
#define ADDRESS(generation) (generation)
#endif
#define ADDRESSES (GENERATIONS + 2)
#define TURNS (GENERATIONS + ROLLBACKS + 1)

/* The ring. */
byte tail;                        /* sequences taken */
bool published[TASKS + WORKERS];  /* claims run ahead of the tasks */
bool complete[TASKS + WORKERS];
byte through;                     /* tasks complete without a gap */

/* Code by address, the alias, which is one word, and what each worker's instruction cache holds. */
byte code[ADDRESSES];
byte alias;                       /* the generation at that address */
byte cached[WORKERS * ADDRESSES];

/* Buffers. */
bool record_waits; byte record;
bool alias_waits; byte alias_value;
bool code_waits; byte code_address, code_value;

/* OperatorTable.Logical. */
bool monitor;
byte slot[2];                     /* generations */
bit current;                      /* the slot that the alias names */
bool reversible;                  /* the other slot holds a generation to go back to */
bool ever_left;
byte last_of_old;                 /* tasks before this sequence may run what was left last */

/* Workers. */
byte head;
byte claim[WORKERS]; bool held[WORKERS];
bool leaving;                     /* all workers are asked to leave */
byte away;                        /* those that have left */
bool present[WORKERS];
byte parks;

/* What the claims are about; nobody decides by it. */
byte turns;
byte code_of_turn[TURNS + 1];
byte returned;                    /* the last turn whose caller knows of it */
byte required[TASKS + WORKERS];   /* by sequence: returned when it was submitted */
bool gone[GENERATIONS + 1];

#define DRAINED (!ever_left || through >= last_of_old)

/* Completions.await, whose waiters launch parked workers. */
inline await_through(count) {
  do
  :: through >= count -> break
#ifndef NO_WAKE
  :: atomic { through < count && away == WORKERS -> launch() }
#endif
  od
}

inline launch() {
  leaving = false; away = 0; i = 0;
  do :: i < WORKERS -> present[i] = true; i++ :: else -> i = 0; break od
}

proctype Submitter() {
  byte i;
  do
  :: tail < TASKS ->
     /* Takes a sequence; its record is published later, out of the buffer. */
     atomic {
       !record_waits;
       required[tail] = returned; record = tail; record_waits = true; tail++
     }
  :: else -> break
  od;
  await_through(TASKS)
}

proctype Buffers() {
end: do
  :: atomic { record_waits -> published[record] = true; record_waits = false }
  :: atomic { alias_waits -> alias = alias_value; alias_waits = false }
  :: atomic { code_waits -> code[code_address] = code_value; code_waits = false }
  od
}

#if PARKS > 0
/* The lease: asks the workers to leave, at any moment. */
proctype KernelLease() {
end: do
  :: atomic { parks < PARKS && !leaving -> parks++; leaving = true }
  od
}
#endif

inline write_code(generation) {
  atomic {
    code_address = ADDRESS(generation); code_value = generation; code_waits = true
  }
#ifndef NO_READ_BACK
  !code_waits
#endif
}

/* Inside the monitor: turns the alias to what the slot `target` is to hold, and leaves the rest. */
inline turn(target, generation) {
#ifdef SNAPSHOT_FIRST
  snapshot = tail;
#endif
  atomic {
    turns++; code_of_turn[turns] = generation;
    alias_value = generation; alias_waits = true
  }
#if !defined(NO_TURN_FENCE) && !defined(LATE_TURN_FENCE)
  !alias_waits;
#endif
#ifndef SNAPSHOT_FIRST
  snapshot = tail;
#endif
#ifdef LATE_TURN_FENCE
  !alias_waits;
#endif
  atomic { current = target; ever_left = true; last_of_old = snapshot; snapshot = 0 }
}

proctype Publisher() {
  byte next, snapshot, mine, old, i;
  next = 2;
  do
  :: next <= GENERATIONS ->
#if !defined(TURN_FIRST) && !defined(REUSE)
     write_code(next);
#endif
again:
     /* A rollback must not wait for this, so it is outside the monitor. */
#if !defined(NO_GRACE) && !defined(NO_WAIT)
     atomic { !monitor -> mine = ever_left * last_of_old }
     await_through(mine);
     mine = 0;
#endif
     atomic { !monitor -> monitor = true }
#if !defined(NO_GRACE) && !defined(NO_WAIT) && !defined(NO_RECHECK)
     if
     :: DRAINED
     :: else -> monitor = false; goto again
     fi;
#endif
     /* From here on the other slot is free, and what it held is unloaded. */
     atomic {
       old = slot[1 - current];
       if
       :: old != NONE -> gone[old] = true; code[ADDRESS(old)] = FREED
       :: else
       fi;
       old = 0; slot[1 - current] = next
     }
#ifdef REUSE
     write_code(next);
#endif
     turn(1 - current, next);
#ifdef TURN_FIRST
     write_code(next);
#endif
     atomic { reversible = true; monitor = false; returned = turns; next++ }
  :: else -> break
  od;
  /* OperatorTable.awaitDrained and state(): what was left last is gone, until a rollback. */
#ifndef NO_GRACE
  await_through(ever_left * last_of_old);
#endif
  atomic {
    if
#ifdef NO_GRACE
    :: !monitor && reversible -> gone[slot[1 - current]] = true
#else
    :: !monitor && reversible && DRAINED -> gone[slot[1 - current]] = true
#endif
    :: else
    fi
  }
}

#if ROLLBACKS > 0
proctype Rollback() {
  byte done, snapshot, mine;
  do
  :: done < ROLLBACKS ->
     atomic { !monitor -> monitor = true }
     if
     :: reversible ->
        gone[slot[1 - current]] = false;
#ifdef ROLLBACK_FREES
        mine = last_of_old;
#endif
        turn(1 - current, slot[1 - current]);
#ifdef ROLLBACK_FREES
        last_of_old = mine;
#endif
        atomic { reversible = false; monitor = false; returned = turns }
     :: else -> monitor = false   /* refused */
     fi;
     done++
  :: else -> break
  od
}
#endif

/* One piece of the code at the address read from the alias. */
inline execute() {
  if
#ifdef NO_CACHE
  :: true ->
#else
  :: cached[w * ADDRESSES + address] == NONE ->
#endif
     cached[w * ADDRESSES + address] = code[address]
#ifndef NO_CACHE
  :: else
#endif
  fi;
#ifdef PACKED
  /* What lies behind comes along, whatever it is. */
  if
  :: cached[w * ADDRESSES + address + 1] == NONE && code[address + 1] == NONE ->
     cached[w * ADDRESSES + address + 1] = FREED
  :: cached[w * ADDRESSES + address + 1] == NONE && code[address + 1] != NONE ->
     cached[w * ADDRESSES + address + 1] = code[address + 1]
  :: else
  fi;
#endif
  assert(cached[w * ADDRESSES + address] == generation);
  assert(!gone[generation])
}

inline read_alias() {
  generation = alias;
  address = ADDRESS(generation)
}

/* Some turn from `oldest` on was to the generation that is about to run. */
inline check_age(oldest) {
  turn_from = oldest;
  do
  :: turn_from <= turns && code_of_turn[turn_from] != generation -> turn_from++
  :: else -> break
  od;
  assert(turn_from <= turns);
  turn_from = 0
}

inline stamp() {
  assert(!complete[claim[w]]);
  complete[claim[w]] = true;
  do :: complete[through] -> through++ :: else -> break od
}

proctype Worker(byte w) {
  byte address, generation, turn_from;
end: do
  :: present[w] ->
next:
     atomic {
       if :: !held[w] -> claim[w] = head; head++; held[w] = true :: else fi;
#ifdef ALIAS_EARLY
       read_alias()
#endif
     }
endpoll:
     if
     :: atomic { leaving -> present[w] = false; away++ }
     :: atomic {
          published[claim[w]];
#ifndef ALIAS_EARLY
          read_alias();
#endif
          check_age(required[claim[w]]);
#ifdef STAMP_FIRST
          stamp()
#endif
        }
        atomic { execute() }
        atomic {
#ifdef ALIAS_TWICE
          address = ADDRESS(alias);
#endif
          execute();
#ifndef STAMP_FIRST
          stamp();
#endif
          held[w] = false; address = 0; generation = 0
        }
        goto next
     fi
  od
}

init {
  byte i;
  atomic {
    code[ADDRESS(1)] = 1; alias = 1; slot[0] = 1;
    turns = 1; code_of_turn[1] = 1; returned = 1;
    i = 0;
    do :: i < WORKERS -> present[i] = true; run Worker(i); i++ :: else -> break od;
    run Submitter(); run Buffers(); run Publisher();
#if ROLLBACKS > 0
    run Rollback();
#endif
#if PARKS > 0
    run KernelLease();
#endif
  }
}
