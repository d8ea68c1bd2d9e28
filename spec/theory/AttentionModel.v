(** * AttentionModel: every run of blocked, rescaled, merged softmax attention of one row

    Purpose. What an implementation may do between the scores of a row and its output, with nothing
    fixed but what spec/bounds.md assumes. Key j has the computed score s j and the operand c j (its
    value times the dropout factor, as the kernel holds it); a sink is a key with c = 0, an invisible
    key is absent. Keys are joined in any order and tree; each partial result has its own running
    maximum m, any number no smaller than its scores; a join brings two partials to a common maximum
    by inexact exponentials. Ranks then divide, keep a log-sum-exp, and merge in any binary tree.

    Main definitions.
    - [exponential]   factors of a budget, and what a flush or a rounding near zero takes
    - [leaf_budget]   exp (s - m): (8 + 9|x|) u and a fused subtraction's (|s| + |m|) u
    - [rescales]      exp (m - m'), relative error (6 + 9|x|) u, absolute eta (flush)
    - [local]         one rank's partial result (m, l, o): online softmax, split-KV, any blocking
    - [merged]        normalised partials (L, O) merged, r merges in all
    - [lse_rounding]  what storing m + log l loses

    Assumed of a run: running maxima never fall; a rank's sum is at least 1, its largest key's
    exp 0; a merge's log-sum-exp is no smaller than its parts'; no log-sum-exp lies above [top]. The
    value of a key enters by the very weight that enters the sum. Nothing bounds the scores: a block
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
  (8 + 8 * (m - s)) * ue + ((1 + 8 * ue) * (Rabs s + Rabs m) + 7 / 8 * (m - s)) * ue.

(** L = m + log l: the logarithm within eight ULP of max (1, log l), base-2 arithmetic, its conversion. *)
Definition lse_rounding (ua m l L : R) : R :=
  ua * (4 * Rabs m + 8 * ln l + 8 + 3 * Rabs L).

(** What merging two log-sum-exps may lose: a logarithm, an exponential, three operations. *)
Definition merge_rounding (ua L : R) : R := ua * (14 + 2 * Rabs L).

Definition rescales (ua eta m m' r : R) : Prop :=
  exponential ((6 + 9 * (m' - m)) * ua) eta (exp (m - m')) r.

(** r x + r' y, every operation rounded; a fused multiply-add leaves one of them out. *)
Definition joined (ua eta r x r' y z : R) : Prop :=
  exists p q, rounds ua eta (r * x) p /\ rounds ua eta (r' * y) q /\ rounds ua eta (p + q) z.

Section Run.

Context {A : Type}.
Variables ua ue eta top beside : R.
Variables s c hp : A -> R.

(** A block's keys may share one maximum: then r = 1 in its joins, and p = x. *)
Inductive local : list A -> R -> R -> R -> Prop :=
  | local_key : forall j m w x, s j <= m ->
      exponential (leaf_budget ue (s j) m) eta (exp (s j - m)) w ->
      operand beside (hp j) (w * c j) x ->
      local [j] m w x
  | local_join : forall a b ma mb m la lb oa ob r r' l o,
      local a ma la oa -> local b mb lb ob -> ma <= m -> mb <= m ->
      rescales ua eta ma m r -> rescales ua eta mb m r' ->
      joined ua eta r la r' lb l -> joined ua eta r oa r' ob o -> local (a ++ b) m l o
  | local_perm : forall a b m l o, Permutation a b -> local a m l o -> local b m l o.

Inductive merged : list A -> nat -> R -> R -> Prop :=
  | merged_one : forall js m l o L O, local js m l o -> 1 <= l -> L <= top ->
      Rabs (L - (m + ln l)) <= lse_rounding ua m l L ->
      rounds ua eta (o / l) O -> merged js 0 L O
  | merged_two : forall a b ra rb La Lb Oa Ob L O r r',
      merged a ra La Oa -> merged b rb Lb Ob -> La <= L -> Lb <= L -> L <= top ->
      Rabs (L - ln (exp La + exp Lb)) <= merge_rounding ua L ->
      rescales ua eta La L r -> rescales ua eta Lb L r' -> joined ua eta r Oa r' Ob O ->
      merged (a ++ b) (S (ra + rb)) L O
  | merged_perm : forall a b r L O, Permutation a b -> merged a r L O -> merged b r L O.

End Run.
