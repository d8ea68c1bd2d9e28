/*
 * What every operation of a schedule means: buffers, lanes, and what must never happen.
 *
 * gpu/promela.ts writes the operations of all ranks as one table, taken from the schedule value
 * itself, and includes this file, which steps through it, one rank a process. A lane is a one-place
 * wire into each rank. A message on a wire is read in place: the sender's slot may not be written
 * until the receiver has taken the message. That is stricter than a copying transport, and covers
 * one that does not copy. With -DCOPYING a message is a copy, as in the transports of gpu/.
 *
 * What is checked (CHECK names it when it fails), for all interleavings:
 *   slotFree      no buffer is written while a message is still being read from it
 *   rightBlock    no buffer is read before its writer is done: it holds the block that is named
 *   expected      a message is the one that was waited for: block, pass and sender
 *   oneSender     only one rank ever fills a wire (a mailbox in shared memory has no lock)
 *   pairOnce      every (query block, KV block) pair is computed once
 *   mergedOnce    every partial result is merged once, into its own block
 *   deltaUsed     a computed partial result is merged before the next one is computed
 *   summedOnce    every query block is added once to dK, dV and dBias, and a rank's rows to dSink: what
 *                 adds up starts from zero with its pass, and loading queries again adds nothing
 *   complete      a finished block has met every KV block; every rank has met every query block
 *   home          a block starts and finishes at its own rank, and finishes once in every pass, so
 *                 that a backward pass starts from a forward pass that is done
 *   keysThere     keys are present (recomputed once, if they must be) and are the rank's own
 *   projected     dY and the weights' gradients are computed once, from every query block, where
 *                 keys are recomputed, and nowhere else
 *   wiresEmpty    nothing is left on a wire at the end
 * and, by Spin itself, that no state without a next step exists but the end (no deadlock).
 *
 * -DLOSSY: any message may vanish (at most LOSSES of them, where that is defined).
 * -DDYING: one rank may stop for good, anywhere. A message that is not the one waited for then makes
 * its receiver refuse and stop, as the implementation does. Ranks may wait for ever; what is
 * finished must still satisfy every check above.
 * -DKEEPING: a pass does not start its sums from zero, and -DADDING: loading queries adds to dSink
 * instead of setting it (controls: summedOnce must then be violated where that does harm).
 * -DTRUSTING: a receiver does not look at the block's number (a control: losses must then be found).
 * -DORDERED: the ranks take their steps in the order that a log gives.
 */
#define NONE 255
#define QUERY 0
#define RESULT 1
#define AT(l, s) ((l) * 2 + (s))
#define WIRE(l, r) wire[(l) * RANKS + (r)]
#define ALL ((1 << RANKS) - 1)

/* An operation in 15 bits: what, lane, slot, the other rank (or the keys' rank), the query block. */
#define OP(what, lane, slot, rank, block) \
  ((what) + (lane) * 16 + (slot) * 32 + (rank) * 64 + (block) * 512)
#define LOAD 1
#define INIT 2
#define RECOMPUTE 3
#define SEND 4
#define RECEIVE 5
#define COMPUTE 6
#define MERGE 7
#define FINISH 8
#define PROJECT 9
#define BEGIN 10 /* of a pass: its number, whether keys are recomputed, whether it is backward */
#define END 11
#define STOP 12
#define WHAT (code & 15)
#define LANE ((code >> 4) & 1)
#define SLOT ((code >> 5) & 1)
#define PEER ((code >> 6) & 7)
#define BLOCK ((code >> 9) & 7)

mtype = { slotFree, rightBlock, expected, oneSender, pairOnce, mergedOnce, deltaUsed, summedOnce,
          complete, home, keysThere, projected, wiresEmpty };

/* block, KV blocks merged so far (a set of bits), pass, sender, the sender's slot */
chan wire[RANKS * 2] = [1] of { byte, byte, byte, byte, byte };
/* by rank, lane and slot: messages on a wire that are still to be read from this slot */
byte unread[RANKS * 4] = 0;
/* by wire: the rank that fills it */
byte filler[RANKS * 2] = NONE;

#define CHECK(holds, name) \
  if :: (holds) :: else -> printf("violated: %e\n", name); assert(false) fi

/* The table of operations, rank by rank. It never changes, so it is no part of a state. */
hidden short program[SIZE];

#ifdef ORDERED
hidden byte order[ORDERED];
short turn = 0;
#define MINE order[turn] == me
#define PASSED turn++
#else
#define MINE true
#define PASSED skip
#endif

#ifdef DYING
bool died = false;
#endif

#if defined(TRUSTING)
#define UNEXPECTED skip
#elif defined(DYING) || defined(LOSSY)
#define UNEXPECTED goto stopped
#else
#define UNEXPECTED CHECK(false, expected)
#endif

#ifdef KEEPING
#define RESET skip
#else
#define RESET summed = 0; sinks = 0
#endif
#ifdef ADDING
#define SINK sinks++
#else
#define SINK sinks = 1
#endif

#ifdef COPYING
#define FREE(l, s) true
#define READING(rank, l, s, change) skip
#else
#define FREE(l, s) (unread[me * 4 + AT(l, s)] == 0)
#define READING(rank, l, s, change) \
  unread[(rank) * 4 + AT(l, s)] = unread[(rank) * 4 + AT(l, s)] change
#endif

#define PUT \
  WIRE(LANE, PEER) ! BLOCK, merged[AT(LANE, SLOT)], pass, me, SLOT; READING(me, LANE, SLOT, + 1)

#if defined(LOSSY) && defined(LOSSES)
byte lost = 0;
#define DISPATCH if :: PUT :: lost < LOSSES -> lost++ fi
#elif defined(LOSSY)
#define DISPATCH if :: PUT :: skip fi
#else
#define DISPATCH PUT
#endif

/* Every step names its rank, which is how a counterexample is read as an order of ranks. */
#define STEP printf("step %d\n", me);

/* On to the next operation; the ends of passes take no step of their own. */
#define FETCH code = program[me * LENGTH + pc]
#define NEXT \
  PASSED; pc++; FETCH; \
  if \
  :: WHAT == END -> \
    CHECK(computed == ALL, complete); CHECK(finished == pass + 1, home); \
    CHECK(deltaBlock == NONE, deltaUsed); CHECK(projects == done, projected); \
    CHECK(summed == (backward -> ALL : 0) && sinks == backward, summedOnce); pc++; FETCH \
  :: else \
  fi; \
  START

/* What slots held in the pass before is nothing that this pass may read. */
#define START \
  if \
  :: WHAT == BEGIN -> \
    pass = BLOCK; recomputes = LANE; backward = SLOT; projects = (LANE && SLOT); done = false; \
    keysReady = !LANE; computed = 0; RESET; \
    block[0] = NONE; block[1] = NONE; block[2] = NONE; block[3] = NONE; \
    merged[0] = 0; merged[1] = 0; merged[2] = 0; merged[3] = 0; pc++; FETCH \
  :: else \
  fi

proctype rank(byte me) {
  short code = 0;
  byte pc = 0;
  byte pass = 0;
  byte finished = 0;          /* how often a block was finished here: once a pass */
  bool backward = false;
  byte summed = 0;            /* query blocks that dK, dV and dBias contain, as bits */
  byte sinks = 0;             /* how often dSink contains this rank's rows */
  bool recomputes = false;
  bool keysReady = false;
  bool projects = false;
  bool done = false;          /* the gradients of the projection are computed */
  byte computed = 0;          /* query blocks met in this pass, as bits */
  byte deltaBlock = NONE;
  byte deltaKeys = 0;
  byte block[4] = NONE;       /* by AT(lane, slot): which query block it holds */
  byte merged[4] = 0;         /* by AT(lane, slot): which KV blocks its result contains */
  byte inBlock = 0; byte inMerged = 0; byte inPass = 0; byte inFrom = 0; byte inSlot = 0;

  atomic { FETCH; START }
  do
  :: atomic { MINE && WHAT == RECOMPUTE -> STEP
      CHECK(recomputes && !keysReady, keysThere); keysReady = true; NEXT }
  :: atomic { MINE && WHAT == LOAD -> STEP
      CHECK(BLOCK == me, home); CHECK(FREE(QUERY, SLOT), slotFree);
      block[AT(QUERY, SLOT)] = BLOCK;
      if :: backward -> SINK :: else fi; NEXT }
  :: atomic { MINE && WHAT == INIT -> STEP
      CHECK(BLOCK == me, home); CHECK(FREE(RESULT, SLOT), slotFree);
      block[AT(RESULT, SLOT)] = BLOCK; merged[AT(RESULT, SLOT)] = 0; NEXT }
  :: atomic { MINE && WHAT == SEND && nfull(WIRE(LANE, PEER)) -> STEP
      CHECK(block[AT(LANE, SLOT)] == BLOCK, rightBlock);
      CHECK(filler[LANE * RANKS + PEER] == NONE || filler[LANE * RANKS + PEER] == me, oneSender);
      filler[LANE * RANKS + PEER] = me;
      DISPATCH; NEXT }
  :: atomic { MINE && WHAT == RECEIVE && nempty(WIRE(LANE, me)) -> STEP
      WIRE(LANE, me) ? inBlock, inMerged, inPass, inFrom, inSlot;
      READING(inFrom, LANE, inSlot, - 1);
      if :: inBlock == BLOCK :: else -> UNEXPECTED fi;
      CHECK(inPass == pass && inFrom == PEER, expected); CHECK(FREE(LANE, SLOT), slotFree);
      block[AT(LANE, SLOT)] = inBlock; merged[AT(LANE, SLOT)] = inMerged;
      inBlock = 0; inMerged = 0; inPass = 0; inFrom = 0; inSlot = 0; NEXT }
  :: atomic { MINE && WHAT == COMPUTE -> STEP
      CHECK(keysReady && PEER == me, keysThere);
      CHECK(block[AT(QUERY, SLOT)] == BLOCK, rightBlock);
      CHECK(!(computed & (1 << BLOCK)), pairOnce); CHECK(deltaBlock == NONE, deltaUsed);
      if
      :: backward -> CHECK(!(summed & (1 << BLOCK)), summedOnce); summed = summed | (1 << BLOCK)
      :: else
      fi;
      computed = computed | (1 << BLOCK); deltaBlock = BLOCK; deltaKeys = 1 << PEER; NEXT }
  :: atomic { MINE && WHAT == MERGE -> STEP
      CHECK(deltaBlock == BLOCK && !(merged[AT(RESULT, SLOT)] & deltaKeys), mergedOnce);
      CHECK(block[AT(RESULT, SLOT)] == BLOCK, rightBlock); CHECK(FREE(RESULT, SLOT), slotFree);
      merged[AT(RESULT, SLOT)] = merged[AT(RESULT, SLOT)] | deltaKeys;
      deltaBlock = NONE; deltaKeys = 0; NEXT }
  :: atomic { MINE && WHAT == FINISH -> STEP
      CHECK(BLOCK == me && block[AT(RESULT, SLOT)] == BLOCK, home);
      CHECK(merged[AT(RESULT, SLOT)] == ALL, complete); finished++; NEXT }
  :: atomic { MINE && WHAT == PROJECT -> STEP
      CHECK(projects && !done && summed == ALL, projected); done = true; NEXT }
  :: WHAT == STOP -> break
#ifdef DYING
  :: atomic { !died && WHAT != STOP -> died = true; break }
#endif
  od;
stopped:
  /* A rank that has ended forgets everything: fewer states, and nothing can be read from it. */
  atomic {
    code = 0; pc = 0; pass = 0; finished = 0; recomputes = false; keysReady = false;
    backward = false; summed = 0; sinks = 0;
    projects = false; done = false; computed = 0; deltaBlock = NONE; deltaKeys = 0;
    block[0] = 0; block[1] = 0; block[2] = 0; block[3] = 0;
    merged[0] = 0; merged[1] = 0; merged[2] = 0; merged[3] = 0;
    inBlock = 0; inMerged = 0; inPass = 0; inFrom = 0; inSlot = 0
  }
}

init {
  byte r = 0;
  d_step {
    PROGRAM
#ifdef ORDERED
    ORDER
    order[ORDERED - 1] = NONE /* after the last step it is nobody's turn */
#endif
  }
  atomic { do :: r < RANKS -> run rank(r); r++ :: else -> break od; r = 0 }
  (_nr_pr == 1);
#if !defined(LOSSY) && !defined(DYING)
  atomic {
    do :: r < 2 * RANKS -> CHECK(len(wire[r]) == 0, wiresEmpty); r++ :: else -> break od
  }
#endif
  printf("accepted\n")
}
