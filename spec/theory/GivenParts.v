(** * GivenParts: partial results that are given, as runs of one key each

    Purpose. Lemma Parts of bounds.md. The merge of stored partial results (O_p, LSE_p) is a run of
    AttentionModel.v in which part p is a key with the score LSE_p and the value O_p: a rank of that one
    key has m = LSE_p, l = 1, o = O_p, divides by 1 and adds log 1, and none of that need lose anything.
    So every tree of merges of given parts is a run, by weights (AttentionBound.v: row_bound,
    row_bound_wide, row_hull) as well as by sigmoids (SigmoidBound.v: sigmoid_row_bound and its kin), with as many keys
    as there are parts.

    Main results.
    - [given_part]          a given part is a normalised partial result of its one key
    - [given_part_merged]   and so a part that sigmoids merge

    Assumed. The part's LSE is no larger than any LSE of the run may be ([top]): it is one of the row's scores.

    Dependencies. AttentionModel.v, AttentionBound.v, SigmoidBound.v. *)

From Coq Require Import Reals Lra List.
From Xattn Require Import Growth SumModel DotModel AttentionModel.
From Xattn Require SigmoidBound.
Import ListNotations.
Open Scope R_scope.

Section Given.

Context {A : Type}.
Variables ua ue eta uw ew head fall up ep top beside : R.
Variables s c hp : A -> R.
Hypothesis Hua : 0 <= ua.
Hypothesis Hue : 0 <= ue.
Hypothesis Heta : 0 <= eta.
Hypothesis Huw : 0 <= uw.
Hypothesis Hew : 0 <= ew.
Hypothesis Hhead : 0 <= head.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hhp : forall j, 0 <= hp j.

Theorem given_part : forall j, s j <= top ->
  merged ua ue eta uw ew head fall up ep top beside s c hp [j] 0 0 (s j) (c j).
Proof.
  intros j T. apply (merged_one _ _ _ _ _ _ _ _ _ _ _ _ _ _ [j] (s j) 1 (c j)); [| lra | exact T | |].
  - apply local_key; [lra | |].
    + exists 1, 0. rewrite Rminus_diag_eq, exp_0, Rabs_R0, Rmult_1_r by reflexivity.
      assert (B : 0 <= leaf_budget ue (s j) (s j) + uw).
      { unfold leaf_budget. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. pose proof (Rabs_pos (s j)).
        assert (0 <= (1 + 8 * ue) * (Rabs (s j) + Rabs (s j)) * ue) by (repeat apply Rmult_le_pos; lra). lra. }
      unfold factor. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. pose proof (exp_ge_1 _ B). lra.
    + unfold operand. rewrite Rmult_1_l, Rminus_diag_eq, Rabs_R0 by reflexivity.
      pose proof (exp_ge_1 _ Hbeside) as B. pose proof (Rabs_pos (c j)) as C. pose proof (Hhp j) as H.
      assert ((Rabs (c j) + hp j) * 1 <= (Rabs (c j) + hp j) * exp beside)
        by (apply Rmult_le_compat_l; lra). lra.
  - rewrite ln_1, Rplus_0_r, Rminus_diag_eq, Rabs_R0 by reflexivity. unfold lse_rounding.
    rewrite ln_1. pose proof (Rabs_pos (s j)). apply Rmult_le_pos; lra.
  - unfold rounds, Rdiv. rewrite Rinv_1, Rmult_1_r, Rminus_diag_eq, Rabs_R0 by reflexivity.
    pose proof (Rabs_pos (c j)). assert (0 <= ua * Rabs (c j)) by (apply Rmult_le_pos; lra). lra.
Qed.

Theorem given_part_merged : forall t js slack merges j, 0 <= merges ->
  s j <= AttentionBound.top head t js slack -> top = AttentionBound.top head t js slack ->
  SigmoidBound.part ua ue eta uw ew head fall up ep beside t s c hp js slack merges [j] 0 (s j) (c j).
Proof.
  intros t js slack merges j M T E. exists 0%nat. simpl. split; [exact M|]. split; [auto|].
  rewrite <- E. apply given_part. rewrite E. exact T.
Qed.

End Given.
