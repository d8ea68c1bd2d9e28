(** * HeldScalars: a case's scale and rate of dropout as a candidate holds them

    Purpose. The lemmas on scores, outputs and gradients are about the numbers that a candidate holds.
    Here: how far 1/(1 - rate) is off where the rate and 1 minus it are rounded, and that an error of a
    factor adds to a bound what multiplies it. [held_rate_error] is the expression of
    reference/bounds/lemmas/held-scalars.ts.

    Main results. u: the roundoff of the format that the candidate sums in.
    - [held_rate]     1/(1 - rate) is off by held_rate_error, relative, before its own rounding
    - [held_factor]   what is within e of a multiple by the number held is within e + off m of it

    Conditions: [held_rate] with u rate/(1 - rate) + u < 1; beyond it 1 - rate may be held as zero.

    Dependencies. The reals. *)

From Coq Require Import Reals Lra.
Open Scope R_scope.

(** held-scalars.ts, heldRateError *)
Definition held_rate_error (u rate : R) : R :=
  let t := u * rate / (1 - rate) + u in t / (1 - t).

Lemma abs_bounds : forall a b, Rabs a <= b -> - b <= a <= b.
Proof. intros a b H. unfold Rabs in H. destruct (Rcase_abs a); lra. Qed.

Lemma product_near : forall e f u x,
  0 <= u -> 0 <= x -> u + x < 1 -> Rabs e <= u -> Rabs f <= x ->
  1 - (u + x) <= (1 + e) * (1 + f) <= (1 + u) * (1 + x).
Proof.
  intros e f u x U X T E F. apply abs_bounds in E, F. split; nra.
Qed.

(** The rate held as [p'], 1 minus it computed as [d]. *)
Theorem held_rate : forall u p p' d,
  0 <= u -> 0 <= p < 1 -> u * p / (1 - p) + u < 1 ->
  Rabs (p' - p) <= u * p -> Rabs (d - (1 - p')) <= u * Rabs (1 - p') ->
  Rabs (1 / d - 1 / (1 - p)) <= held_rate_error u p * (1 / (1 - p)).
Proof.
  intros u p p' d U P T HP HD. unfold held_rate_error. cbv zeta.
  set (x := u * p / (1 - p)) in *. set (q := 1 - p) in *.
  assert (Q : 0 < q) by (unfold q; lra).
  assert (X : 0 <= x) by (unfold x; apply Rmult_le_pos; [nra | left; now apply Rinv_0_lt_compat]).
  set (f := (p - p') / q). set (e := if Req_EM_T (1 - p') 0 then 0 else d / (1 - p') - 1).
  assert (F : Rabs f <= x).
  { unfold f, x, Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ q)) by (left; now apply Rinv_0_lt_compat).
    apply Rmult_le_compat_r; [left; now apply Rinv_0_lt_compat |].
    rewrite Rabs_minus_sym. exact HP. }
  assert (PF : 1 - p' = q * (1 + f)) by (unfold f, q; field; unfold q in Q; lra).
  assert (F1 : 0 < 1 + f) by (apply abs_bounds in F; lra).
  assert (P1 : 0 < 1 - p') by (rewrite PF; nra).
  assert (E : Rabs e <= u).
  { unfold e. destruct (Req_EM_T (1 - p') 0) as [Z | _]; [lra |].
    replace (d / (1 - p') - 1) with ((d - (1 - p')) / (1 - p')) by (field; lra).
    unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ _)) by (left; now apply Rinv_0_lt_compat).
    rewrite (Rabs_pos_eq (1 - p')) in HD by lra.
    apply (Rmult_le_reg_r (1 - p')); [assumption |]. rewrite Rmult_assoc, Rinv_l by lra. lra. }
  assert (DE : d = q * ((1 + e) * (1 + f))).
  { unfold e. destruct (Req_EM_T (1 - p') 0) as [Z | N]; [lra |].
    replace (q * ((1 + (d / (1 - p') - 1)) * (1 + f)))
      with ((d / (1 - p')) * (q * (1 + f))) by ring.
    rewrite <- PF. field. exact N. }
  pose proof (product_near e f u x U X ltac:(lra) E F) as [LO HI].
  set (g := (1 + e) * (1 + f)) in *. replace (x + u) with (u + x) by ring. set (t := u + x) in *.
  assert (T1 : t < 1) by (unfold t; lra). assert (G : 0 < g) by lra.
  assert (D : 1 / d - 1 / q = (1 - g) / g * (1 / q)) by (rewrite DE; field; lra).
  rewrite D, Rabs_mult, (Rabs_pos_eq (1 / q))
    by (unfold Rdiv; rewrite Rmult_1_l; left; now apply Rinv_0_lt_compat).
  apply Rmult_le_compat_r;
    [unfold Rdiv; rewrite Rmult_1_l; left; now apply Rinv_0_lt_compat |].
  assert (UX : (1 + u) * (1 + x) <= 1 + t + t * t) by (unfold t; nra).
  apply Rabs_le. split.
  - apply (Rmult_le_reg_r (g * (1 - t))); [apply Rmult_lt_0_compat; lra |].
    replace (- (t / (1 - t)) * (g * (1 - t))) with (- (t * g)) by (field; lra).
    replace ((1 - g) / g * (g * (1 - t))) with ((1 - g) * (1 - t)) by (field; lra).
    assert (H : g * (1 - 2 * t) <= 1 - t).
    { assert (T0 : 0 <= t) by (unfold t; lra). destruct (Rle_dec 0 (1 - 2 * t)) as [P2 | N2].
      - apply Rle_trans with ((1 + t + t * t) * (1 - 2 * t)).
        + apply Rmult_le_compat_r; lra.
        + assert (0 <= t * t * t) by (repeat apply Rmult_le_pos; lra). nra.
      - nra. }
    lra.
  - apply (Rmult_le_reg_r (g * (1 - t))); [apply Rmult_lt_0_compat; lra |].
    replace (t / (1 - t) * (g * (1 - t))) with (t * g) by (field; lra).
    replace ((1 - g) / g * (g * (1 - t))) with ((1 - g) * (1 - t)) by (field; lra).
    lra.
Qed.

(** [x] what the factor multiplies, [m] its size; [e] the bound for the factor that is held. *)
Theorem held_factor : forall held factor off x m r e,
  Rabs (held - factor) <= off -> Rabs x <= m -> Rabs (r - held * x) <= e ->
  Rabs (r - factor * x) <= e + off * m.
Proof.
  intros held factor off x m r e H X E.
  replace (r - factor * x) with ((r - held * x) + (held - factor) * x) by ring.
  pose proof (Rabs_triang (r - held * x) ((held - factor) * x)) as T. rewrite Rabs_mult in T.
  assert (Rabs (held - factor) * Rabs x <= off * m)
    by (apply Rmult_le_compat; auto using Rabs_pos). lra.
Qed.
