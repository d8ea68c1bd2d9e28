(** * RoundedSum: denominators summed from weights that were rounded for P V

    Purpose. Lemma Rounded sum of bounds.md. A program may round P to the operand format once and use what
    it rounded in both sums: a column of ones beside V, or l summed from that P. A weight of
    AttentionModel.v then carries the rounding: [uw], and [ew] near zero. That a rounded exponential is such a weight is proved here; what it costs is in
    AttentionAccuracy.v and AttentionBound.v, whose budgets have [uw] in them: in [granted].

    Main results.
    - [rounded_weight]   an exponential rounded to a narrower format is one of a larger budget: near zero
                         the rounding takes or adds no more than there is, nor more than [eo]

    Conditions. The exponential is not itself one that was flushed or rounded near zero: [eo] is of the
    coarser format.

    Dependencies. AttentionModel.v. *)

From Coq Require Import Reals Lra.
From Flocq Require Import Core.
From Xattn Require Import Growth SumModel AttentionModel.
Open Scope R_scope.

Theorem rounded_weight : forall T uw eo x w0 w, 0 <= uw < 1 -> 0 <= eo -> 0 <= x ->
  exponential T 0 x w0 -> rounds uw eo w0 w -> 0 <= w <= 2 * w0 -> exponential (T + uw) eo x w.
Proof.
  intros T uw eo x w0 w U EO X (f & e & F & F0 & E & _ & W0) R [W1 W2].
  assert (e0 : e = 0).
  { destruct (Req_dec e 0) as [Z | Z]; [exact Z|]. pose proof (Rabs_pos_lt e Z). lra. }
  subst e. rewrite Rplus_0_r in W0. pose proof (factor_budget _ _ F) as T0.
  assert (P0 : 0 <= x * f) by (apply Rmult_le_pos; assumption). rewrite <- W0 in P0.
  unfold rounds in R. rewrite (Rabs_pos_eq w0 P0) in R.
  destruct (Rle_lt_dec (Rabs (w - w0)) eo) as [S | S].
  - (* near zero: the factor is the exponential's own *)
    exists f, (w - w0). split; [|split; [|split; [|split]]].
    + eapply factor_weaken; [|exact F]. lra.
    + exact F0.
    + exact S.
    + rewrite <- W0. apply Rabs_le. lra.
    + rewrite <- W0. ring.
  - (* [eo] of the difference in absolute terms, the rest relative *)
    assert (Wp : 0 < w0).
    { destruct P0 as [P0 | P0]; [exact P0|]. rewrite <- P0, Rminus_0_r in *.
      assert (w = 0) by lra. subst w. rewrite Rabs_R0 in S. lra. }
    set (sg := if Rle_lt_dec w0 w then 1 else -1).
    assert (Dw : w - w0 = sg * Rabs (w - w0)).
    { unfold sg. destruct (Rle_lt_dec w0 w) as [C | C];
        [rewrite Rabs_pos_eq by lra | rewrite Rabs_left by lra]; ring. }
    set (r := Rabs (w - w0)) in *. set (d := sg * (r - eo) / w0).
    assert (Sg : Rabs sg = 1).
    { unfold sg. destruct (Rle_lt_dec w0 w); [apply Rabs_R1 | rewrite Rabs_left; lra]. }
    assert (Dd : Rabs d <= uw).
    { unfold d, Rdiv. rewrite !Rabs_mult, Sg, Rabs_inv, (Rabs_pos_eq w0), (Rabs_pos_eq (r - eo)) by lra.
      apply Rmult_le_reg_r with w0; [exact Wp|]. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    assert (Xd : x * (f * (1 + d)) = w0 + sg * (r - eo)).
    { rewrite <- Rmult_assoc, <- W0. unfold d. field. lra. }
    pose proof (Rabs_le_inv _ _ Dd) as [D1 D2].
    exists (f * (1 + d)), (sg * eo). split; [|split; [|split; [|split]]].
    + apply factor_mul; [exact F | apply factor_round, Dd].
    + apply Rmult_le_pos; lra.
    + rewrite Rabs_mult, Sg, Rmult_1_l, (Rabs_pos_eq eo EO). lra.
    + rewrite Rabs_mult, Sg, Rmult_1_l, (Rabs_pos_eq eo EO), Xd. unfold sg in *.
      destruct (Rle_lt_dec w0 w); lra.
    + rewrite Xd. lra.
Qed.
