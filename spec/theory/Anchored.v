(** * Anchored: roundings that cost nothing, for what is rounded lies by a number of the format

    Purpose. Rounding to nearest moves a number by no more than to any number of the format: where the exact
    value is one, an error before the rounding at most doubles. And rounding keeps order, so an output lies
    between what the ends of its interval round to.

    Main results.
    - [anchored_rounding]  a number a of the format: |rd x - x| <= |a - x|
    - [anchored_error]     of an exact value within d of the format and a computed one within e of that:
                           rounding adds at most e + d
    - [anchored_weight]    in the log domain: a factor 1 + eps, |eps| <= e^T - 1
    - [stored_between]     what an interval rounds to, whichever way either side breaks ties
    - [power_in_format]    powers of two are numbers of every format that reaches so low
    - [integer_sum]        integers below 2^p in sum: exact, in any order, by any rounding

    Dependencies. Flocq. *)

From Coq Require Import Reals ZArith Lra Lia List Permutation.
From Flocq Require Import Core.
Import ListNotations.
Open Scope R_scope.

Section Nearest.

Variable fexp : Z -> Z.
Context {valid : Valid_exp fexp}.

Notation format := (generic_format radix2 fexp).
Notation nearest choice := (round radix2 fexp (Znearest choice)).

Theorem anchored_rounding : forall choice a x,
  format a -> Rabs (nearest choice x - x) <= Rabs (a - x).
Proof.
  intros choice a x F. destruct (round_N_pt radix2 fexp choice x) as [_ N]. exact (N a F).
Qed.

Theorem anchored_error : forall choice a exact computed d e,
  format a -> Rabs (a - exact) <= d -> Rabs (computed - exact) <= e ->
  Rabs (nearest choice computed - computed) <= e + d.
Proof.
  intros choice a exact computed d e F D E.
  apply Rle_trans with (1 := anchored_rounding choice a computed F).
  replace (a - computed) with ((a - exact) + - (computed - exact)) by ring.
  apply Rle_trans with (1 := Rabs_triang _ _). rewrite Rabs_Ropp. lra.
Qed.

Theorem anchored_weight : forall choice a x t T,
  format a -> 0 < a -> x = a * exp t -> Rabs t <= T ->
  exists eps, Rabs eps <= exp T - 1 /\ nearest choice x = x * (1 + eps).
Proof.
  intros choice a x t T F A X L.
  assert (P : 0 < x) by (rewrite X; apply Rmult_lt_0_compat; [exact A | apply exp_pos]).
  exists ((nearest choice x - x) / x). split; [|field; lra].
  unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_pos_eq x) by lra.
  apply Rmult_le_reg_r with x; [exact P|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  apply Rle_trans with (1 := anchored_rounding choice a x F).
  assert (Q : a = x * exp (- t)).
  { rewrite X, Rmult_assoc, <- exp_plus. replace (t + - t) with 0 by ring. rewrite exp_0. ring. }
  rewrite Q at 1. replace (x * exp (- t) - x) with ((exp (- t) - 1) * x) by ring.
  rewrite Rabs_mult, (Rabs_pos_eq x) by lra. apply Rmult_le_compat_r; [lra|].
  assert (B : - T <= - t <= T) by (apply Rabs_le_inv in L; lra).
  assert (U : exp (- t) <= exp T).
  { destruct (Rle_lt_or_eq_dec _ _ (proj2 B)) as [H | H].
    - left. apply exp_increasing, H.
    - right. now f_equal. }
  apply Rabs_le. split; [|lra].
  pose proof (exp_ineq1_le (- t)). pose proof (exp_ineq1_le T). lra.
Qed.

Theorem stored_between : forall ours theirs low computed high exact,
  low < computed < high ->
  Rabs (nearest theirs computed - exact)
    <= Rmax (nearest ours high - exact) (exact - nearest ours low).
Proof.
  intros ours theirs low computed high exact [L H].
  assert (A : nearest ours low <= nearest theirs computed)
    by exact (Rnd_N_pt_monotone format _ _ _ _ (round_N_pt radix2 fexp ours low)
                (round_N_pt radix2 fexp theirs computed) L).
  assert (B : nearest theirs computed <= nearest ours high)
    by exact (Rnd_N_pt_monotone format _ _ _ _ (round_N_pt radix2 fexp theirs computed)
                (round_N_pt radix2 fexp ours high) H).
  pose proof (Rmax_l (nearest ours high - exact) (exact - nearest ours low)).
  pose proof (Rmax_r (nearest ours high - exact) (exact - nearest ours low)).
  apply Rabs_le. lra.
Qed.

End Nearest.

Section Integers.

Variables emin p : Z.
Context {positive : Prec_gt_0 p}.

Notation format := (generic_format radix2 (FLT_exp emin p)).

Theorem power_in_format : forall k, (emin <= k)%Z -> format (bpow radix2 k).
Proof.
  intros k K. apply generic_format_bpow. unfold FLT_exp. unfold Prec_gt_0 in positive. lia.
Qed.

Variable rnd : R -> Z.
Context {valid : Valid_rnd rnd}.

(** Integers added up two results at a time, in any order, each sum rounded. *)
Inductive added : list Z -> R -> Prop :=
| added_one : forall z, added [z] (IZR z)
| added_two : forall a b x y, added a x -> added b y ->
    added (a ++ b) (round radix2 (FLT_exp emin p) rnd (x + y))
| added_permuted : forall a b x, Permutation a b -> added a x -> added b x.

Definition sum_of (l : list Z) : Z := fold_right Z.add 0%Z l.
Definition size_of (l : list Z) : Z := fold_right (fun z s => (Z.abs z + s)%Z) 0%Z l.

Lemma sum_app : forall a b, sum_of (a ++ b) = (sum_of a + sum_of b)%Z.
Proof. intros a b. induction a as [|z a IH]; simpl; [reflexivity | rewrite IH; ring]. Qed.

Lemma size_app : forall a b, size_of (a ++ b) = (size_of a + size_of b)%Z.
Proof. intros a b. induction a as [|z a IH]; simpl; [reflexivity | rewrite IH; ring]. Qed.

Lemma size_nonneg : forall a, (0 <= size_of a)%Z.
Proof. intros a. induction a as [|z a IH]; simpl; lia. Qed.

Lemma sum_size : forall a, (Z.abs (sum_of a) <= size_of a)%Z.
Proof. intros a. induction a as [|z a IH]; simpl; lia. Qed.

Lemma permuted : forall a b, Permutation a b -> sum_of a = sum_of b /\ size_of a = size_of b.
Proof. intros a b P. induction P; simpl; lia. Qed.

Theorem integer_sum : forall l x,
  (emin <= 0)%Z -> (size_of l < 2 ^ p)%Z -> added l x -> x = IZR (sum_of l).
Proof.
  intros l x E S A. revert S. induction A as [z | a b x y A IA B IB | a b x P A IA]; intros S.
  - simpl. now rewrite Z.add_0_r.
  - rewrite size_app in S. pose proof (size_nonneg a). pose proof (size_nonneg b).
    rewrite IA, IB, <- plus_IZR, <- sum_app by lia.
    apply round_generic; [exact valid|]. apply generic_format_FLT.
    exists (Float radix2 (sum_of (a ++ b)) 0).
    + unfold F2R. simpl. ring.
    + simpl. pose proof (sum_size (a ++ b)). rewrite size_app in *. lia.
    + exact E.
  - destruct (permuted a b P) as [H1 H2]. rewrite <- H1. apply IA. lia.
Qed.

End Integers.
