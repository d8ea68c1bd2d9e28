/*
 * What every operation of a schedule means: buffers, lanes, and what must never happen.
 *
 * gpu/promela.ts writes one proctype per rank, a straight list of the operations below, taken from
 * the schedule value itself, and includes this file. A lane is a one-place wire into each rank. A
 * message on a wire is read in place: the sender's slot may not be written until the receiver has
 * taken the message. That is stricter than a copying transport, and covers one that does not copy.
 * With -DCOPYING a message is a copy, as in the transports of gpu/, and slotFree holds by itself.
 *
 * What is checked (CHECK names it when it fails), for all interleavings:
 *   slotFree      no buffer is written while a message is still being read from it
 *   rightBlock    no buffer is read before its writer is done: it holds the block that is named
 *   expected      a message is the one that was waited for: block, pass and sender
 *   pairOnce      every (query block, KV block) pair is computed once
 *   mergedOnce    every partial result is merged once, into its own block
 *   deltaUsed     a computed partial result is merged before the next one is computed
 *   complete      a finished block has met every KV block; every rank has met every query block
 *   home          a block finishes at the rank it started from
 *   keysThere     keys are present (recomputed, if they must be) and are the rank's own
 *   passOrder     the backward pass of a rank starts after its own forward pass is finished
 *   wiresEmpty    nothing is left on a wire at the end
 * and, by Spin itself, that no state without a next step exists but the end (no deadlock).
 *
 * -DLOSSY: any message may vanish (at most LOSSES of them, where that is defined). -DDYING: one rank may stop for good, anywhere. A message that is
 * not the one waited for then makes its receiver refuse and stop, as the implementation does. Ranks
 * may wait for ever; what is finished must still satisfy every check above.
 * -DTRUSTING: a receiver does not look at the block's number (a control: losses must then be found).
 * -DORDERED: the ranks take their steps in the order that a log gives.
 */
#define NONE 255
#define QUERY 0
#define RESULT 1
#define SLOT(l, s) ((l) * 2 + (s))
#define WIRE(l, r) wire[(l) * RANKS + (r)]
#define ALL ((1 << RANKS) - 1)

mtype = { slotFree, rightBlock, expected, pairOnce, mergedOnce, deltaUsed, complete, home, keysThere,
          passOrder, wiresEmpty };

/* block, KV blocks merged so far (a set of bits), pass, sender */
chan wire[RANKS * 2] = [1] of { byte, byte, byte, byte };

#define CHECK(holds, name) \
  if :: (holds) :: else -> printf("violated: %e\n", name); assert(false) fi

#ifdef ORDERED
byte turn = NONE;
#define MINE (turn == me)
#define PASSED turn = NONE
#define NEXT(r) turn = r; (turn == NONE);
#else
#define MINE true
#define PASSED skip
#endif

#ifdef DYING
bool died = false;
#define OR_DIE :: atomic { !died -> died = true; goto stopped }
#else
#define OR_DIE
#endif

#if defined(TRUSTING)
#define UNEXPECTED skip
#elif defined(DYING) || defined(LOSSY)
#define UNEXPECTED goto stopped
#else
#define UNEXPECTED CHECK(false, expected)
#endif

#if defined(LOSSY) && defined(LOSSES)
byte lost = 0;
#define PUT(l, to, b, k) \
  if :: WIRE(l, to) ! b, k, pass, me :: lost < LOSSES -> lost++ fi
#elif defined(LOSSY)
#define PUT(l, to, b, k) \
  if :: WIRE(l, to) ! b, k, pass, me :: skip fi
#else
#define PUT(l, to, b, k) WIRE(l, to) ! b, k, pass, me
#endif

/* Everything a rank holds. */
#define STATE(rank) \
  byte me = rank; \
  byte pass = 0; \
  byte finished = 0;          /* passes whose own block is home */ \
  bool keysReady = false; \
  byte computed = 0;          /* query blocks met in this pass, as bits */ \
  byte deltaBlock = NONE; \
  byte deltaKeys = 0; \
  byte block[4] = NONE;       /* by SLOT: which query block it holds */ \
  byte merged[4] = 0;         /* by SLOT: which KV blocks its result contains */ \
  byte sentSlot[2] = NONE;    /* by lane: the slot last sent, and to whom */ \
  byte sentTo[2] = 0; \
  byte inBlock = 0; \
  byte inMerged = 0; \
  byte inPass = 0; \
  byte inFrom = 0;

#ifdef COPYING
#define FREE(l, s) true
#define NOTE_SENT(l, s, to) skip
#else
#define FREE(l, s) !(sentSlot[l] == s && len(WIRE(l, sentTo[l])) > 0)
#define NOTE_SENT(l, s, to) sentSlot[l] = s; sentTo[l] = to
#endif

/* A rank that has ended forgets everything: fewer states, and nothing can be read from it. */
#define FORGET \
  atomic { pass = 0; finished = 0; keysReady = false; computed = 0; deltaBlock = NONE; \
  deltaKeys = 0; block[0] = 0; block[1] = 0; block[2] = 0; block[3] = 0; merged[0] = 0; \
  merged[1] = 0; merged[2] = 0; merged[3] = 0; sentSlot[0] = 0; sentSlot[1] = 0; sentTo[0] = 0; \
  sentTo[1] = 0; inBlock = 0; inMerged = 0; inPass = 0; inFrom = 0 }

/* Every step names its rank, which is how a counterexample is read as an order of ranks. */
#define STARTED printf("step %d\n", me)
#define STEP_BEGIN if :: atomic { MINE -> STARTED;
#define STEP_END PASSED } OR_DIE fi;

#define BEGIN(p, keysGiven) \
  d_step { pass = p; computed = 0; deltaBlock = NONE; keysReady = keysGiven }

#define RECOMPUTE \
  STEP_BEGIN keysReady = true; STEP_END

#define LOAD(s, b) \
  STEP_BEGIN CHECK(finished == pass && b == me, passOrder); CHECK(FREE(QUERY, s), slotFree); \
  block[SLOT(QUERY, s)] = b; STEP_END

#define INIT(s, b) \
  STEP_BEGIN CHECK(b == me, home); CHECK(FREE(RESULT, s), slotFree); \
  block[SLOT(RESULT, s)] = b; merged[SLOT(RESULT, s)] = 0; STEP_END

#define SEND(l, s, to, b) \
  if :: atomic { MINE && nfull(WIRE(l, to)) -> STARTED; \
    CHECK(block[SLOT(l, s)] == b, rightBlock); \
    NOTE_SENT(l, s, to); \
    PUT(l, to, b, merged[SLOT(l, s)]); STEP_END

#define RECEIVE(l, s, from, b) \
  if :: atomic { MINE && nempty(WIRE(l, me)) -> STARTED; \
    WIRE(l, me) ? inBlock, inMerged, inPass, inFrom; \
    if :: inBlock == b :: else -> UNEXPECTED fi; \
    CHECK(inPass == pass && inFrom == from, expected); CHECK(FREE(l, s), slotFree); \
    block[SLOT(l, s)] = inBlock; merged[SLOT(l, s)] = inMerged; \
    inBlock = 0; inMerged = 0; inPass = 0; inFrom = 0; STEP_END

#define COMPUTE(s, b, keys) \
  STEP_BEGIN CHECK(keysReady && keys == me, keysThere); \
  CHECK(block[SLOT(QUERY, s)] == b, rightBlock); \
  CHECK(!(computed & (1 << b)), pairOnce); CHECK(deltaBlock == NONE, deltaUsed); \
  computed = computed | (1 << b); deltaBlock = b; deltaKeys = 1 << keys; STEP_END

#define MERGE(s, b) \
  STEP_BEGIN CHECK(deltaBlock == b && !(merged[SLOT(RESULT, s)] & deltaKeys), mergedOnce); \
  CHECK(block[SLOT(RESULT, s)] == b, rightBlock); CHECK(FREE(RESULT, s), slotFree); \
  merged[SLOT(RESULT, s)] = merged[SLOT(RESULT, s)] | deltaKeys; deltaBlock = NONE; STEP_END

#define FINISH(s, b) \
  STEP_BEGIN CHECK(b == me && block[SLOT(RESULT, s)] == b, home); \
  CHECK(merged[SLOT(RESULT, s)] == ALL, complete); finished++; STEP_END

#define PROJECT \
  STEP_BEGIN CHECK(computed == ALL, complete); STEP_END

#define END \
  d_step { CHECK(computed == ALL && finished == pass + 1 && deltaBlock == NONE, complete) }

/* In init, when every rank has ended: nothing is left on a wire. */
#define QUIET(l, r) CHECK(len(WIRE(l, r)) == 0, wiresEmpty);
