/*
 * The lease: how workers leave and come back, as io.gpuos.queue.Lease, SubmissionRing and
 * gpuos_worker.cu have it. Sequences, epochs and claims as there; what a task computes is left out,
 * and so is how the host learns that it is complete, see completion.pml: here it knows at once.
 * There it learns later, which costs a launch too many at times, and loses nothing, because a kernel
 * tells the host of every completion before it ends. No fence of a completion is part of the
 * handshake.
 *
 *   host    producers: take a sequence, publish the record, full fence, read parked_epoch, launch
 *           keeper: launches when workers have left with work outstanding
 *           loader (LOADER): holds the lease, waits until no kernel runs, releases
 *   stream  runs launches one after another
 *   kernel  lease: writes parked_epoch, full fence, writes the stop word
 *           workers: claim, poll, wait for the task before (DEPENDENT), run, stamp; leave when asked.
 *           A claim outlives the launch: the worker of that number goes on with it.
 *
 * Memory: records and parked_epoch pass through one-entry store buffers, as a processor's stores
 * do; loads come from memory. A fence waits until the buffer is empty.
 *
 * Claim: no end state but the one where every task is complete, each run once and in order. A hang
 * is an invalid end state, found by spin's default search.
 *
 * Parts to switch on:  KEEPER, STOP_NOW, DEPENDENT, LOADER
 * Steps to leave out:  NO_HOST_FENCE, NO_KERNEL_FENCE, NO_SECOND_LOOK, NO_LOOK_FENCE, HOLD_ON,
 *                      DROP_CLAIM, NO_RELEASE_WAKE
 * LeaseModelTest says which combinations must hold and which must fail.
 */
#define WORKERS 2
#ifndef TASKS
#define TASKS 3
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef STOPS
#define STOPS 2                   /* how often the kernel decides to leave by itself */
#endif
#define SLOTS (TASKS + WORKERS * (STOPS + 2))   /* claims run ahead of the tasks */

#define NONE 0
#define WHEN_EMPTY 1
#define NOW 2

/* Host memory. */
bool published[SLOTS];
byte parked;                      /* parked_epoch */
byte yielded;                     /* yield_epoch */
byte tail;                        /* next sequence; written inside the ordering section, fenced */
byte epoch;                       /* of the last launch */
byte holds;
bool unparked;                    /* permit of the keeper's thread */

/* Store buffers. */
bool record_waits[PRODUCERS]; byte record[PRODUCERS];
bool parked_waits; byte parked_value;

/* Device memory, and the stream. */
byte queued;                      /* launches behind the running one */
bool running;
byte running_epoch;
byte stop_epoch, stop_mode;       /* one word */
byte head;
byte claim[WORKERS]; bool held[WORKERS];
bool present[WORKERS];
byte left;
bool complete[SLOTS];
byte completed;                   /* their number */
byte stops;
bool deciding;                    /* the kernel's lease is between deciding and having said so */
byte submitted;                   /* tasks taken by producers */

#define MODE(e) (stop_mode * (stop_epoch == (e)))

/* Lease.launchIfParked: under the monitor. Launches are bounded by the number of parks. */
inline launch_if_parked() {
  atomic {
    if
    :: holds == 0 && parked == epoch -> epoch++; queued++; unparked = true
    :: else
    fi
  }
}

/* Lease.wake: parked_epoch first, then the epoch. */
inline wake(seen) {
  seen = parked;
  if
  :: seen >= epoch -> launch_if_parked()
  :: else
  fi
}

proctype Producer(byte p) {
  byte sequence, seen;
  do
  :: atomic { submitted < TASKS -> submitted++; sequence = tail; tail++ }
     atomic { !record_waits[p] -> record[p] = sequence; record_waits[p] = true }
#ifndef NO_HOST_FENCE
     !record_waits[p];
#endif
     wake(seen); seen = 0; sequence = 0
  :: atomic { submitted == TASKS -> break }
  od;
  completed == TASKS              /* whoever waits for the results: the hang shows here */
}

proctype RecordBuffer(byte p) {
end: do
  :: atomic { record_waits[p] -> published[record[p]] = true; record_waits[p] = false }
  od
}

proctype ParkedBuffer() {
end: do
  :: atomic { parked_waits -> parked = parked_value; parked_waits = false }
  od
}

#ifdef KEEPER
/* Lease.keep: looks again and again while not parked, which is to wait here. */
proctype Keeper() {
end: do
  :: atomic { unparked -> unparked = false }
endresident:
     parked == epoch;
     do
     :: tail > completed && holds == 0 -> launch_if_parked(); break
     :: else -> break
     od
  od
}
#endif

#ifdef LOADER
proctype Loader() {
  byte seen;
  atomic { holds++; yielded = epoch }
  !running && queued == 0;        /* the stream is idle */
  atomic { holds-- }
#ifndef NO_RELEASE_WAKE
  if
  :: tail > completed -> wake(seen)
  :: else
  fi
#endif
}
#endif

proctype Stream() {
  byte w;
end: do
  :: atomic { queued > 0 && !running ->
       queued--; running_epoch++; running = true; left = 0; w = 0;
       do :: w < WORKERS -> present[w] = true; w++ :: else -> break od }
  :: atomic { running && left == WORKERS && !deciding && !parked_waits -> running = false }
  od
}

/* keep_lease. When it leaves is nobody's business here: at any moment. */
proctype KernelLease() {
  byte wanted;
end: do
  :: atomic { running && left < WORKERS && stops < STOPS && MODE(running_epoch) == NONE ->
              stops++; wanted = WHEN_EMPTY; deciding = true }
     goto park;
#ifdef STOP_NOW
  :: atomic { running && left < WORKERS && stops < STOPS && MODE(running_epoch) < NOW ->
              stops++; wanted = NOW; deciding = true }
     goto park;
#endif
  :: atomic { running && left < WORKERS && yielded >= running_epoch &&
              MODE(running_epoch) < NOW -> wanted = NOW; deciding = true }
     goto park;
park:
     atomic { !parked_waits -> parked_value = running_epoch; parked_waits = true }
#ifndef NO_KERNEL_FENCE
     !parked_waits;
#endif
     atomic { stop_epoch = running_epoch; stop_mode = wanted; wanted = 0; deciding = false }
  od
}

proctype Worker(byte w) {
  bool seen;
  byte mode;
end: do
  :: present[w] ->
next:
     atomic { if :: !held[w] -> claim[w] = head; head++; held[w] = true :: else fi }
poll:
     seen = published[claim[w]];
     mode = MODE(running_epoch);
     if
     :: mode == NOW -> goto leave
     :: mode != NOW && seen -> goto fetched
     :: mode == WHEN_EMPTY && !seen ->
#ifdef NO_SECOND_LOOK
        goto leave
#else
#ifdef NO_LOOK_FENCE
        /* The second read may be as old as the first. */
        if :: skip :: seen = published[claim[w]] fi;
#else
        seen = published[claim[w]];
#endif
        if
        :: MODE(running_epoch) == NOW -> goto leave
        :: MODE(running_epoch) != NOW && seen -> goto fetched
        :: else -> goto leave
        fi
#endif
     :: else ->
endidle:
        published[claim[w]] || MODE(running_epoch) != NONE;   /* polling */
        goto poll
     fi;
fetched:
#ifdef DEPENDENT
     /* Every task waits for the one before it. */
     if
     :: claim[w] == 0
     :: claim[w] > 0 ->
        do
        :: complete[claim[w] - 1] -> break
#ifndef HOLD_ON
        :: !complete[claim[w] - 1] && MODE(running_epoch) != NONE -> goto leave
#endif
        od
     fi;
     assert(claim[w] == 0 || complete[claim[w] - 1]);
#endif
     atomic {
       assert(!complete[claim[w]]);
       complete[claim[w]] = true; completed++; held[w] = false
     }
     goto next;
leave:
     atomic {
#ifdef DROP_CLAIM
       held[w] = false;
#endif
       seen = false; mode = 0; present[w] = false; left++
     }
  od
}

init {
  byte i;
  atomic {
    i = 0;
    do :: i < WORKERS -> run Worker(i); i++ :: else -> break od;
    i = 0;
    do :: i < PRODUCERS -> run Producer(i); run RecordBuffer(i); i++ :: else -> break od;
    run ParkedBuffer(); run Stream(); run KernelLease();
#ifdef KEEPER
    run Keeper();
#endif
#ifdef LOADER
    run Loader();
#endif
  }
}
