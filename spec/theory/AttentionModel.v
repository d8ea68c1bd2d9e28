(** * AttentionModel: every run of blocked, rescaled, merged softmax attention of one row

    Purpose. What an implementation may do between the scores of a row and its output, with nothing
    fixed but what spec/bounds.md assumes. Key j has the computed score s j and the operand c j (its
    value times the dropout factor, as the kernel holds it); a sink is a key with c = 0, an invisible
    key is absent. Keys are joined in any order and tree; each partial result has its own running
    maximum m, any number no smaller than its scores; a join brings two partials to a common maximum
    by inexact exponentials. Ranks then divide, keep a log-sum-exp, and merge in any binary tree.

    Main definitions.
    - [leaf_budget]   exp (s - m): (8 + 8|x|) u and a fused subtraction's (|s| + |m| + |x|) u
    - [rescales]      exp (m - m'), relative error (6 + 9|x|) u, absolute eta (flush)
    - [local]         one rank's partial result (m, l, o): online softmax, split-KV, any blocking
    - [merged]        normalised partials (L, O) merged, r merges in all
    - [lse_rounding]  what storing m + log l loses

    Assumed of a run: running maxima never fall; a rank's sum is at least 1, its largest key's
    exp 0; a merge's log-sum-exp is no smaller than its parts'; no log-sum-exp lies above [top], and
    none loses more than 1.

    Dependencies. Growth.v, SumModel.v, DotModel.v. *)

From Coq Require Import Reals Lra List Permutation.
From Xattn Require Import Growth SumModel DotModel.
Import ListNotations.
Open Scope R_scope.

Definition leaf_budget (ue s m : R) : R :=
  (8 + 8 * (m - s)) * ue + (Rabs s + Rabs m + (m - s)) * ue.

(** L = m + log l: the logarithm within eight ULP of max (1, log l), base-2 arithmetic, its conversion. *)
Definition lse_rounding (ua m l L : R) : R :=
  ua * (4 * Rabs m + 8 * ln l + 8 + 3 * Rabs L).

(** What merging two log-sum-exps may lose: a logarithm, an exponential, three operations. *)
Definition merge_rounding (ua L : R) : R := ua * (14 + 2 * Rabs L).

Definition rescales (ua eta m m' r : R) : Prop :=
  exists f e, factor ((6 + 9 * (m' - m)) * ua) f /\ Rabs e <= eta /\ r = exp (m - m') * f + e.

(** r x + r' y, every operation rounded; a fused multiply-add leaves one of them out. *)
Definition joined (ua eta r x r' y z : R) : Prop :=
  exists p q, rounds ua eta (r * x) p /\ rounds ua eta (r' * y) q /\ rounds ua eta (p + q) z.

Section Run.

Context {A : Type}.
Variables ua ue eta top beside : R.
Variables s c ho : A -> R.

(** A block's keys may share one maximum: then r = 1 in its joins, and p = x. *)
Inductive local : list A -> R -> R -> R -> Prop :=
  | local_key : forall j m w x, s j <= m ->
      operand (leaf_budget ue (s j) m) eta (exp (s j - m)) w ->
      operand (leaf_budget ue (s j) m + beside) (ho j) (exp (s j - m) * c j) x ->
      local [j] m w x
  | local_join : forall a b ma mb m la lb oa ob r r' l o,
      local a ma la oa -> local b mb lb ob -> ma <= m -> mb <= m ->
      rescales ua eta ma m r -> rescales ua eta mb m r' ->
      joined ua eta r la r' lb l -> joined ua eta r oa r' ob o -> local (a ++ b) m l o
  | local_perm : forall a b m l o, Permutation a b -> local a m l o -> local b m l o.

Inductive merged : list A -> nat -> R -> R -> Prop :=
  | merged_one : forall js m l o L O, local js m l o -> 1 <= l -> L <= top ->
      Rabs (L - (m + ln l)) <= lse_rounding ua m l L -> lse_rounding ua m l L <= 1 ->
      rounds ua eta (o / l) O -> merged js 0 L O
  | merged_two : forall a b ra rb La Lb Oa Ob L O r r',
      merged a ra La Oa -> merged b rb Lb Ob -> La <= L -> Lb <= L -> L <= top ->
      Rabs (L - ln (exp La + exp Lb)) <= merge_rounding ua L ->
      rescales ua eta La L r -> rescales ua eta Lb L r' -> joined ua eta r Oa r' Ob O ->
      merged (a ++ b) (S (ra + rb)) L O
  | merged_perm : forall a b r L O, Permutation a b -> merged a r L O -> merged b r L O.

End Run.
