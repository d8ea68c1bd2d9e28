(** * AttentionModel: every run of blocked, rescaled, merged softmax attention of one row

    Purpose. What an implementation may do between the scores of a row and its output, with nothing
    fixed but what spec/bounds.md assumes. Key j has the computed score s j and the operand c j (its
    value times the dropout factor, as the kernel holds it); a sink is a key with c = 0, an invisible
    key is absent. Keys are joined in any order and tree; each partial result has its own running
    maximum m, any number that its scores exceed by [head] at most: 0, or what a lazy maximum, moved only
    when it would rise by more, may stay behind. A join brings two partials to a common maximum by
    inexact exponentials. Ranks, or the parts that one rank splits its keys into, then divide, keep a
    log-sum-exp, and are merged, any number at once and in any tree: every part is weighed by its own
    log-sum-exp and the common one, and what they are worth is summed in any order. The common
    log-sum-exp may lie below a part's, by its own rounding; the part then weighs more than 1.

    Main definitions.
    - [exponential]   factors of a budget, and what a flush or a rounding near zero takes
    - [leaf_budget]   exp (s - m), x = s - m: (8 + 9|x|) u and a fused subtraction's (|s| + |m|) u
    - [uw], [ew]      what rounding a weight before it is summed costs more, and near zero: 0 and [eta]
                      where it enters the sum as it is (RoundedSum.v)
    - [rescales]      exp (m - m'), relative error (6 + 9|x|) u, absolute eta (flush)
    - [local]         one rank's partial result (m, l, o): online softmax, split-KV, any blocking
    - [merged]        normalised partials (L, O) merged: r merges at most on the way of any key, and q
                      stores (0 or 1) of a partial output in a narrower format
    - [gathered]      parts weighed for a merge at L: their number, the sum of their exp L, their sum
    - [lse_rounding]  what storing m + log l loses
    - [merge_rounding] what merging the log-sum-exps of k parts loses

    Assumed of a run: running maxima never fall; a rank's sum is at least 1, its maximum's own
    exp 0; no log-sum-exp lies above [top]; a merge's log-sum-exp lies below its parts' by no more than
    [fall], which may be as much as rounding allows. The value of a key enters by the very weight that enters the sum. Nothing bounds the scores: a block
    or a rank may consist of keys at -10^9 alone.

    Dependencies. Growth.v, SumModel.v, DotModel.v. *)

From Coq Require Import Reals Lra List Permutation.
From Xattn Require Import Growth SumModel DotModel.
Import ListNotations.
Open Scope R_scope.

(** The exponential x: factors of total budget T, and near zero a rounding or a flush, which takes or
    adds no more than there is, nor more than eta. It is never negative. *)
Definition exponential (T eta x w : R) : Prop :=
  exists f e, factor T f /\ 0 <= f /\ Rabs e <= eta /\ Rabs e <= x * f /\ w = x * f + e.

Definition leaf_budget (ue s m : R) : R :=
  (8 + 8 * Rabs (m - s)) * ue + ((1 + 8 * ue) * (Rabs s + Rabs m) + 7 / 8 * Rabs (m - s)) * ue.

(** L = m + log l: the logarithm within eight ULP of max (1, log l), base-2 arithmetic, its conversion. *)
Definition lse_rounding (ua m l L : R) : R :=
  ua * (4 * Rabs m + 8 * ln l + 8 + 3 * Rabs L).

(** What merging the log-sum-exps of k parts may lose: k exponentials, their sum, a logarithm, two
    operations; of two parts 14 + 2 |L|. *)
Definition merge_rounding (ua k L : R) : R := ua * (2 + 6 * k + 2 * Rabs L).

Definition rescales (ua eta m m' r : R) : Prop :=
  exponential ((6 + 9 * Rabs (m' - m)) * ua) eta (exp (m - m')) r.

(** r x + r' y, every operation rounded; a fused multiply-add leaves one of them out. *)
Definition joined (ua eta r x r' y z : R) : Prop :=
  exists p q, rounds ua eta (r * x) p /\ rounds ua eta (r' * y) q /\ rounds ua eta (p + q) z.

Section Run.

Context {A : Type}.
Variables ua ue eta uw ew head fall up ep top beside : R.
Variables s c hp : A -> R.

(** A block's keys may share one maximum: then r = 1 in its joins, and p = x. *)
Inductive local : list A -> R -> R -> R -> Prop :=
  | local_key : forall j m w x, s j <= m + head ->
      exponential (leaf_budget ue (s j) m + uw) ew (exp (s j - m)) w ->
      operand beside (hp j) (w * c j) x ->
      local [j] m w x
  | local_join : forall a b ma mb m la lb oa ob r r' l o,
      local a ma la oa -> local b mb lb ob -> ma <= m -> mb <= m ->
      rescales ua eta ma m r -> rescales ua eta mb m r' ->
      joined ua eta r la r' lb l -> joined ua eta r oa r' ob o -> local (a ++ b) m l o
  | local_perm : forall a b m l o, Permutation a b -> local a m l o -> local b m l o.

(** Of one part there is nothing to merge. A part is stored once at most, before or after it is itself
    merged of others: what is merged of stored parts is kept as it is summed. *)
Inductive merged : list A -> nat -> nat -> R -> R -> Prop :=
  | merged_one : forall js m l o L O, local js m l o -> 1 <= l -> L <= top ->
      Rabs (L - (m + ln l)) <= lse_rounding ua m l L ->
      rounds ua eta (o / l) O -> merged js 0 0 L O
  | merged_many : forall js k r q E L O, gathered L js k r q E O -> (2 <= k)%nat -> L <= top ->
      Rabs (L - ln E) <= merge_rounding ua (INR k) L -> merged js (S r) q L O
  | merged_stored : forall js r L O O', merged js r 0 L O -> rounds up ep O O' -> merged js r 1 L O'
  | merged_most : forall js r q r' q' L O, (r <= r')%nat -> (q <= q')%nat ->
      merged js r q L O -> merged js r' q' L O
  | merged_perm : forall a b r q L O, Permutation a b -> merged a r q L O -> merged b r q L O
with gathered : R -> list A -> nat -> nat -> nat -> R -> R -> Prop :=
  | gathered_one : forall L js r q L1 O w p, merged js r q L1 O -> L1 <= L + fall ->
      rescales ua eta L1 L w -> rounds ua eta (w * O) p -> gathered L js 1 r q (exp L1) p
  | gathered_two : forall L a b ka kb r q Ea Eb oa ob o,
      gathered L a ka r q Ea oa -> gathered L b kb r q Eb ob ->
      rounds ua eta (oa + ob) o -> gathered L (a ++ b) (ka + kb) r q (Ea + Eb) o.

End Run.

Scheme merged_mind := Minimality for merged Sort Prop
  with gathered_mind := Minimality for gathered Sort Prop.
Combined Scheme merged_gathered_ind from merged_mind, gathered_mind.
