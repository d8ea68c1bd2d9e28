/*
 * What every operation of a schedule means: buffers, channels, and what must never happen.
 *
 * gpu/promela.ts writes every rank as a process, one line an operation, taken from the schedule value
 * itself, and includes this file. A buffer holds blocks, heads and the contributions in them; heads
 * are counted in the groups that the schedule cuts them into. A channel is a one-place wire from one
 * rank to another, one for each kind of content. A message on a wire is read in place: the sender's
 * buffer may not be written until the receiver has taken the message. That is stricter than a copying
 * transport, and covers one that does not copy. With -DCOPYING a message is a copy, as in the
 * transports of gpu/.
 *
 * What is checked (CHECK names it when it fails), for all interleavings:
 *   slotFree      no buffer is written while a message is still being read from it
 *   rightBlock    no buffer is read before its writer is done: it holds what is named, and what it is
 *                 put together with
 *   expected      a message is the one that was waited for: kind, blocks, pass and place in its channel
 *   pairOnce      no rank computes a pair of a query block and a KV block twice, for the same heads
 *   mergedOnce    no contribution is merged twice into a result; the sinks are one, forward
 *   deltaUsed     what holds contributions is merged, sent, cut up or finished before its buffer is
 *                 written again or the pass ends. With mergedOnce and home: no pair counts twice, on
 *                 whatever ranks it is computed
 *   summedOnce    no query block is added twice to the same dK and dV, nor a rank's rows to dSink; what
 *                 adds up starts from zero with its pass, and loading queries again adds nothing
 *   complete      a finished result has met every KV block with every head, finished dK and dV every
 *                 query block, but for pairs that the schedule may skip
 *   home          a block finishes at its own rank, all heads, once in every pass, so that a backward
 *                 pass starts from a forward pass that is done; backward its dK and dV too
 *   keysThere     keys are present, for every head that the queries read, and made once a pass
 *   projected     dY and the weights' gradients are computed once, from dK and dV that are home, where
 *                 keys are recomputed, and nowhere else
 *   wiresEmpty    nothing is left on a wire at the end
 * and, by Spin itself, that no state without a next step exists but the end (no deadlock). That only
 * one rank ever fills a channel needs no check: a channel has its sender in its name.
 *
 * -DLOSSY: any message may vanish (at most LOSSES of them, where that is defined).
 * -DDYING: one rank may stop for good, anywhere. A message that is not the one waited for then makes
 * its receiver refuse and stop, as the implementation does. Ranks may wait for ever; what is
 * finished must still satisfy every check above.
 * -DKEEPING: a pass does not start its sums from zero, and -DADDING: loading queries adds to dSink
 * instead of setting it (controls: summedOnce must then be violated where that does harm).
 * -DTRUSTING: a receiver does not look at what a message is (a control: losses must then be found).
 * -DORDERED: the ranks take their steps in the order that a log gives.
 */
#define NOTHING 0
#define QUERY 1
#define RESULT 2
#define KEYS 3
#define GRADIENTS 4
#define EXPANDED 8 /* added to the kind of keys and gradients with one head for each query head */
#define KIND(x) (held[x].kind & 7)

/* Sets are bits: blocks by their home ranks, heads by their groups. The sinks are a contribution. */
#define ALL_BLOCKS ((1 << RANKS) - 1)
#define ALL_HEADS ((1 << GROUPS) - 1)
#define SINKS (1 << RANKS)
#define OWN (1 << ME)
#define HAS(set, n) (((set) >> (n)) & 1)
#define WITHIN(some, all) (((some) & (all)) == (some))

mtype = { slotFree, rightBlock, expected, pairOnce, mergedOnce, deltaUsed, summedOnce, complete,
          home, keysThere, projected, wiresEmpty };

/* What a buffer holds; by head group: whose contributions, and which blocks of them nobody has used. */
typedef Held {
  byte kind;
  byte blocks;
  byte heads;
  byte merged[GROUPS];
  byte owed[GROUPS]
};
typedef Made {
  byte kind;
  byte blocks;
  byte heads;
  byte merged[GROUPS]
};

/* kind, blocks, heads, pass and place in the channel; the contributions by head group */
#define MESSAGE [1] of { byte, byte, byte, byte, byte, LIST(BYTE, 0) }
#define BYTE(g, h) byte
#define CONTENTS(h) h.kind, h.blocks, h.heads
#define MERGED(g, h) h.merged[g]

/* For every head group: statements, a condition, a list. */
#if GROUPS == 1
#define EACH(M, x) M(0, x)
#define EVERY(M, x) (M(0, x))
#define LIST(M, x) M(0, x)
#elif GROUPS == 2
#define EACH(M, x) M(0, x); M(1, x)
#define EVERY(M, x) (M(0, x) && M(1, x))
#define LIST(M, x) M(0, x), M(1, x)
#elif GROUPS == 3
#define EACH(M, x) M(0, x); M(1, x); M(2, x)
#define EVERY(M, x) (M(0, x) && M(1, x) && M(2, x))
#define LIST(M, x) M(0, x), M(1, x), M(2, x)
#elif GROUPS == 4
#define EACH(M, x) M(0, x); M(1, x); M(2, x); M(3, x)
#define EVERY(M, x) (M(0, x) && M(1, x) && M(2, x) && M(3, x))
#define LIST(M, x) M(0, x), M(1, x), M(2, x), M(3, x)
#elif GROUPS == 5
#define EACH(M, x) M(0, x); M(1, x); M(2, x); M(3, x); M(4, x)
#define EVERY(M, x) (M(0, x) && M(1, x) && M(2, x) && M(3, x) && M(4, x))
#define LIST(M, x) M(0, x), M(1, x), M(2, x), M(3, x), M(4, x)
#elif GROUPS == 6
#define EACH(M, x) M(0, x); M(1, x); M(2, x); M(3, x); M(4, x); M(5, x)
#define EVERY(M, x) (M(0, x) && M(1, x) && M(2, x) && M(3, x) && M(4, x) && M(5, x))
#define LIST(M, x) M(0, x), M(1, x), M(2, x), M(3, x), M(4, x), M(5, x)
#else
#define EACH(M, x) M(0, x); M(1, x); M(2, x); M(3, x); M(4, x); M(5, x); M(6, x)
#define EVERY(M, x) (M(0, x) && M(1, x) && M(2, x) && M(3, x) && M(4, x) && M(5, x) && M(6, x))
#define LIST(M, x) M(0, x), M(1, x), M(2, x), M(3, x), M(4, x), M(5, x), M(6, x)
#endif

/* The first check that does not hold is told when its step is done. */
#define CHECK(holds, name) violated = (violated || (holds) -> violated : name)
#define JUDGE \
  if :: !violated :: else -> printf("violated: %e\n", violated); assert(false) fi

#ifdef ORDERED
hidden byte order[ORDERED];
short turn = 0;
#define MINE order[turn] == ME
#define PASSED turn++
#else
#define MINE true
#define PASSED skip
#endif

#ifdef KEEPING
#define RESET skip
#else
#define RESET biased = false; sinks = 0
#endif
#ifdef ADDING
#define SINK sinks = sinks + BACKWARD
#else
#define SINK sinks = (BACKWARD -> 1 : sinks)
#endif

/* Where messages are copies, a buffer is never in use by a wire. */
#ifdef COPYING
#define FREE(emptied) true
#else
#define FREE(emptied) (emptied)
#endif

/* What a rank has, and what it has done in this pass. */
#define RANK(buffers) \
  Held held[buffers]; \
  Made made;                      /* by an operation, before it is put anywhere */ \
  byte computed[RANKS * GROUPS];  /* by query block and head group: KV blocks met */ \
  bool recomputed = false; \
  bool resultHome = false; \
  bool gradientsHome = false; \
  bool projects = false;          /* the gradients of the projection are computed */ \
  bool biased = false;            /* dBias contains something */ \
  byte sinks = 0;                 /* how often dSink contains this rank's rows */ \
  byte inPass = 0; \
  byte inPlace = 0; \
  byte n = 0; \
  mtype violated = 0

/* Every step names its rank, which is how a counterexample is read as an order of ranks. */
#define STEP printf("step %d\n", ME)

#ifdef DYING
bool died = false;
#define OR_DIE :: atomic { !died -> died = true; goto stopped }
#else
#define OR_DIE
#endif

/* One operation, one step; what follows it (the ends of passes) takes no step of its own. */
#define DO(body, after) if :: d_step { MINE -> STEP; body; after; PASSED; JUDGE } OR_DIE fi;

#define PUT(wire, x, place) wire ! CONTENTS(held[x]), PASS, place, LIST(MERGED, held[x])
#if defined(LOSSY) && defined(LOSSES)
byte lost = 0;
#define OR_LOSE(wire, x, kind, set, after) \
  :: d_step { nfull(wire) && lost < LOSSES -> lost++; STEP; SENDING(x, kind, set); after; JUDGE }
#elif defined(LOSSY)
#define OR_LOSE(wire, x, kind, set, after) \
  :: d_step { nfull(wire) -> STEP; SENDING(x, kind, set); after; JUDGE }
#else
#define OR_LOSE(wire, x, kind, set, after)
#endif

#define SENDING(x, kind, set) \
  CHECK(KIND(x) == kind && held[x].blocks == set, rightBlock); EACH(PAY, held[x])

#define SEND(wire, x, kind, set, place, after) \
  if \
  :: d_step { MINE && nfull(wire) -> STEP; SENDING(x, kind, set); PUT(wire, x, place); \
              after; PASSED; JUDGE } \
  OR_LOSE(wire, x, kind, set, after) \
  OR_DIE \
  fi;

#define TAKEN(wire) wire ? CONTENTS(made), inPass, inPlace, LIST(MERGED, made)
#define IS_EXPECTED(kind_, set, place) \
  ((made.kind & 7) == kind_ && made.blocks == set && inPass == PASS && inPlace == place)

#if defined(TRUSTING)
#define UNEXPECTED skip
#elif defined(DYING) || defined(LOSSY)
#define UNEXPECTED goto stopped
#else
#define UNEXPECTED CHECK(false, expected)
#endif

#if defined(LOSSY) || defined(DYING)
#define RECEIVE(wire, x, kind, set, place, emptied, after) \
  if \
  :: atomic { MINE && nempty(wire) -> STEP; TAKEN(wire); \
              if :: IS_EXPECTED(kind, set, place) :: else -> UNEXPECTED fi; \
              d_step { WRITE(x, emptied); after; PASSED; JUDGE } } \
  OR_DIE \
  fi;
#else
#define RECEIVE(wire, x, kind, set, place, emptied, after) \
  d_step { MINE && nempty(wire) -> STEP; TAKEN(wire); \
           if :: IS_EXPECTED(kind, set, place) :: else -> UNEXPECTED fi; \
           WRITE(x, emptied); after; PASSED; JUDGE };
#endif

/* Contributions are owed to somebody until they are passed on. */
#define OWES(g) (made.merged[g] & ALL_BLOCKS)
#define PAY(g, h) h.owed[g] = 0
#define IS_PAID(g, h) h.owed[g] == 0

#define CLEAR(h) h.kind = NOTHING; h.blocks = 0; h.heads = 0; EACH(CLEAR_GROUP, h)
#define CLEAR_GROUP(g, h) h.merged[g] = 0; h.owed[g] = 0

/* What was made is put into a buffer. */
#define WRITE(x, emptied) \
  CHECK(FREE(emptied), slotFree); CHECK(EVERY(IS_PAID, held[x]), deltaUsed); \
  held[x].kind = made.kind; held[x].blocks = made.blocks; held[x].heads = made.heads; \
  EACH(WRITE_GROUP, x)
#define WRITE_GROUP(g, x) \
  held[x].merged[g] = made.merged[g]; held[x].owed[g] = (OWES(g) -> made.blocks : 0)

/* What is made is as what a buffer holds. */
#define READ(x) \
  CHECK(held[x].kind != NOTHING, rightBlock); \
  made.kind = held[x].kind; made.blocks = held[x].blocks; made.heads = held[x].heads; \
  EACH(READ_GROUP, x)
#define READ_GROUP(g, x) made.merged[g] = held[x].merged[g]

#define NONE_YET(g, x) made.merged[g] = 0
#define LOAD(x, kind_, emptied) \
  made.kind = kind_; made.blocks = OWN; made.heads = ALL_HEADS; EACH(NONE_YET, 0); \
  WRITE(x, emptied)
#define LOAD_QUERY(x, emptied) LOAD(x, QUERY, emptied); SINK
#define LOAD_KEYS(x, emptied) CHECK(!RECOMPUTES, keysThere); LOAD(x, KEYS, emptied)
#define RECOMPUTE(x, emptied) \
  CHECK(RECOMPUTES && !recomputed, keysThere); recomputed = true; LOAD(x, KEYS, emptied)

#define INIT_RESULT(like, x, sink, emptied) \
  CHECK(held[like].kind == QUERY, rightBlock); \
  made.kind = RESULT; made.blocks = held[like].blocks; made.heads = held[like].heads; \
  EACH(ADD_SINKS, sink); WRITE(x, emptied)
#define ADD_SINKS(g, sink) \
  made.merged[g] = (sink && !BACKWARD && HAS(made.heads, g) -> SINKS : 0)
#define INIT_GRADIENTS(like, x, emptied) \
  CHECK(KIND(like) == KEYS, keysThere); made.kind = held[like].kind + GRADIENTS - KEYS; \
  made.blocks = held[like].blocks; made.heads = held[like].heads; \
  EACH(NONE_YET, 0); WRITE(x, emptied)

/* Queries x over keys k into y. */
#define COMPUTE(x, k, y, emptied) \
  COMPUTABLE(x, k); CHECK(!BACKWARD, summedOnce); COMPUTE_RESULT(x, k, y, emptied)
#define COMPUTABLE(x, k) \
  CHECK(held[x].kind == QUERY, rightBlock); \
  CHECK(KIND(k) == KEYS && WITHIN(held[x].heads, held[k].heads), keysThere); \
  do \
  :: n < RANKS * GROUPS -> \
    if \
    :: HAS(held[x].blocks, n / GROUPS) && HAS(held[x].heads, n % GROUPS) -> \
      CHECK((computed[n] & held[k].blocks) == 0, pairOnce); \
      computed[n] = computed[n] | held[k].blocks \
    :: else \
    fi; n++ \
  :: else -> n = 0; break \
  od
#define COMPUTE_RESULT(x, k, y, emptied) \
  made.kind = RESULT; made.blocks = held[x].blocks; made.heads = held[x].heads; \
  EACH(MET_KEYS, k); WRITE(y, emptied)
#define MET_KEYS(g, k) made.merged[g] = (HAS(made.heads, g) -> held[k].blocks : 0)

/* Backward, with the sums of dK and dV in s; what is made is first their share. */
#define COMPUTE_SUMS(x, k, y, emptied, s, emptiedSums) \
  COMPUTABLE(x, k); biased = true; \
  made.kind = held[k].kind + GRADIENTS - KEYS; made.blocks = held[k].blocks; \
  made.heads = held[k].heads; EACH(MET_QUERIES, x); ADD(s, emptiedSums); \
  COMPUTE_RESULT(x, k, y, emptied)
#define MET_QUERIES(g, x) made.merged[g] = (HAS(held[x].heads, g) -> held[x].blocks : 0)

/* What was made is put into what a buffer holds. */
#define ADD(y, emptied) \
  CHECK(made.kind == held[y].kind && (KIND(y) == RESULT || KIND(y) == GRADIENTS), rightBlock); \
  CHECK(made.blocks == held[y].blocks && WITHIN(made.heads, held[y].heads), rightBlock); \
  CHECK(EVERY(IS_NEW, y), (KIND(y) == RESULT -> mergedOnce : summedOnce)); \
  CHECK(FREE(emptied), slotFree); EACH(ADD_GROUP, y)
#define IS_NEW(g, y) (held[y].merged[g] & made.merged[g]) == 0
#define ADD_GROUP(g, y) \
  held[y].owed[g] = (OWES(g) -> held[y].blocks : held[y].owed[g]); \
  held[y].merged[g] = held[y].merged[g] | made.merged[g]
#define MERGE(x, y, emptied) READ(x); EACH(PAY, held[x]); ADD(y, emptied)

#define TAKE_BLOCKS(x, y, set, emptied) \
  READ(x); CHECK(WITHIN(set, made.blocks), rightBlock); made.blocks = set; \
  EACH(PAY_BLOCKS, x); WRITE(y, emptied)
#define PAY_BLOCKS(g, x) held[x].owed[g] = held[x].owed[g] & (ALL_BLOCKS - made.blocks)
#define TAKE_HEADS(x, y, set, emptied) \
  READ(x); CHECK(WITHIN(set, made.heads), rightBlock); made.heads = set; \
  EACH(PAY_HEADS, x); WRITE(y, emptied)
#define PAY_HEADS(g, x) \
  held[x].owed[g] = (HAS(made.heads, g) -> 0 : held[x].owed[g]); \
  made.merged[g] = (HAS(made.heads, g) -> made.merged[g] : 0)

/* Buffers behind one another: the first, the others, and where they go. */
#define JOIN(x) READ(x); EACH(PAY, held[x])
#define JOIN_NEXT(x) \
  CHECK(held[x].kind == made.kind && held[x].heads == made.heads, rightBlock); \
  CHECK((held[x].blocks & made.blocks) == 0 && EVERY(IS_SAME, x), rightBlock); \
  made.blocks = made.blocks | held[x].blocks; EACH(PAY, held[x])
#define IS_SAME(g, x) held[x].merged[g] == made.merged[g]
#define JOINED(y, emptied) WRITE(y, emptied)

#define PAD(x, y, emptied) \
  READ(x); EACH(PAY, held[x]); made.heads = ALL_HEADS; WRITE(y, emptied)
#define EXPAND(x, y, emptied) \
  CHECK(held[x].kind == KEYS, rightBlock); READ(x); made.kind = KEYS + EXPANDED; WRITE(y, emptied)
#define REDUCE(x, y, emptied) \
  CHECK(held[x].kind == GRADIENTS + EXPANDED, rightBlock); READ(x); EACH(PAY, held[x]); \
  made.kind = GRADIENTS; WRITE(y, emptied)
/* Memory that is let go is not written: a message that is read from it keeps it for itself. */
#define RELEASE(x) CHECK(EVERY(IS_PAID, held[x]), deltaUsed); CLEAR(held[x])

/* The KV blocks and the query blocks that this rank's own block must have met. */
#define FINISH(x, keys, queries) \
  CHECK(held[x].blocks == OWN && held[x].heads == ALL_HEADS, home); \
  CHECK(IS_RESULT(x) -> !resultHome : held[x].kind == GRADIENTS && !gradientsHome, home); \
  n = (IS_RESULT(x) -> keys | (BACKWARD -> 0 : SINKS) : queries); \
  CHECK(EVERY(IS_COMPLETE, x), complete); n = 0; EACH(PAY, held[x]); \
  resultHome = resultHome || IS_RESULT(x); gradientsHome = gradientsHome || !IS_RESULT(x)
#define IS_RESULT(x) (held[x].kind == RESULT)
#define IS_COMPLETE(g, x) WITHIN(n, held[x].merged[g])

#define PROJECT \
  CHECK(RECOMPUTES && BACKWARD && !projects && gradientsHome, projected); projects = true

/* A pass ends; what its buffers held is nothing that the next one may read. */
#define END_PASS \
  CHECK(resultHome && gradientsHome == BACKWARD, home); \
  CHECK(projects == (RECOMPUTES && BACKWARD), projected); \
  CHECK(!BACKWARD || sinks == 1, summedOnce); \
  EACH_BUFFER(CHECK(EVERY(IS_PAID, held[n]), deltaUsed)); FORGET_PASS; RESET
#define EACH_BUFFER(body) \
  do :: n < BUFFERS -> body; n++ :: else -> n = 0; break od
#define FORGET_PASS \
  EACH_BUFFER(CLEAR(held[n])); \
  do :: n < RANKS * GROUPS -> computed[n] = 0; n++ :: else -> n = 0; break od; \
  made.kind = NOTHING; made.blocks = 0; made.heads = 0; EACH(NONE_YET, 0); \
  inPass = 0; inPlace = 0; recomputed = false; resultHome = false; gradientsHome = false; projects = false
#define BEGIN_BACKWARD CHECK(!biased, summedOnce)

/* A rank that has ended forgets everything: fewer states, and nothing can be read from it. */
#define FORGET \
  FORGET_PASS; biased = false; sinks = 0

#if !defined(LOSSY) && !defined(DYING)
#define FINALLY(emptied) \
  if :: (emptied) :: else -> printf("violated: %e\n", wiresEmpty); assert(false) fi
#else
#define FINALLY(emptied) skip
#endif
