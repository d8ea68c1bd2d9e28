(** * AttentionBound: lemmas Weight, Far keys, Denominator, Output and Log of bounds.md

    Purpose. From any run of AttentionModel.v to the bounds that reference/bounds/by-pair/bounds.ts computes from
    exact quantities: exact scores s, coefficients k (dropout factor times value, 0 for the sink), the
    scores' errors, the carried errors of the values. [weight_error], [far_weight], [denominator],
    [numerator] and [divided] are the expressions of reference/bounds/lemmas/step-errors.ts and bounds.ts.

    Any keys may be called far. Of those nothing is asked: the bound takes them for what they are and
    what they may be mistaken for, [p + 2 far_weight], which is nothing for a key masked by -10^9.

    Main results.
    - [weight_bound]    what a run can cost a key that is not far is at most weight_error
    - [far_bound]       what a far key may contribute, whatever its score's size and error
    - [row_bound]       |O - out| <= divided = (numerator + |out| B) / (1 - B), B = denominator < 1,
                        and |L - lse| <= B / (1 - B)
    - [row_bound_wide]  the same whatever B is, over the least that the denominator can be; the LSE's
                        error is then a logarithm
    - [row_hull]        O is an average of what it is made of, however far off the weights are
    - [stored_bound], [lse_stored_bound]   the roundings after that
    - [far_weight_falls]  a far key contributes no more under a lower bias
    - [prompt_formulas]  what the formulas are where maxima do not lag, [head] = 0

    [head] is by how much a score may exceed the running maximum that it is exponentiated with: 0, or what
    a profile grants to lazy maxima. [slack] has it in it, so that weights and reach do; flushes of
    operations are e^head times larger, and a far key may weigh e^head more.

    [uw] and [ew] are what rounding a weight before it is summed costs; [uw] is part of [granted].

    [granted] is what a budget may cost beside, and [undamped] an error of O that no weight takes down: 0,
    or what merges that subtract cost (SigmoidBound.v). [lanes_bound], [lanes_bound_wide] and [lanes_hull]
    are about any run of which [lanes] is known, however it was merged.

    [merges] is the number of merges on the way of a key at most: split keys of one rank merged at once,
    one merge a rank, and the sink's. [up] and [ep] are what storing a partial output costs, once on the
    way of a key; 0 where they are kept.

    Conditions, beside those of AttentionModel.v: of a key that is not far, the part of weight_error
    that is not the score's is at most 1/2 (some 500 000 keys in single precision), and its score's
    error at most slack - 1 - head; [top] = lse + slack - head. Of the formats, those of AttentionAccuracy.v.

    Dependencies. AttentionAccuracy.v. *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy.
From Xattn Require Import AttentionModel AttentionAccuracy.
Import ListNotations.
Open Scope R_scope.

(** step-errors.ts, weightError: [slack] is one and [head] more than the largest score error of a key
    that is not far. *)
Definition weight_rounding (ue ua n merges slack granted lse s score : R) : R :=
  let reach := (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs s) (Rabs lse) + slack) + 1 in
  let exponential := (8 + 2 * (1 + 8 * ue) * (Rabs s + score)) * ue in
  let summed := 8 * n * ua in
  let shifted := 10 * (lse - s + 2 * slack) * ua in
  let merged := (18 + 7 * reach + merges * (14 + 2 * reach)) * ua in
  exponential + summed + shifted + merged + granted.

Definition weight_error (ue ua n merges slack granted lse s score : R) : R :=
  score + weight_rounding ue ua n merges slack granted lse s score.

(** step-errors.ts, farWeight: half of what a far key may contribute, relative to the row's sum. It may
    weigh exp head before a maximum has risen, of which a rise takes a quarter off. *)
Definition far_weight (ue ua head merges slack granted lse s score : R) : R :=
  let error := score + 4 * head in
  let reach := (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs s + error) (Rabs lse + slack)) + 1 in
  let exponential := (8 + 2 * (1 + 8 * ue) * (Rabs s + error)) * ue in
  let merged := (18 + 7 * reach + merges * (14 + 2 * reach)) * ua in
  4 * exp (exponential + merged + granted + (error - (lse - s)) / 4).

(** Where maxima do not lag these are what they are without the option. *)
Theorem prompt_formulas : forall ue ua eta merges slack granted lse s score h k N,
  flush eta 0 h k N = h + N * (8 * eta * (Rabs k + 1)) /\
  far_weight ue ua 0 merges slack granted lse s score =
    (let reach := (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs s + score) (Rabs lse + slack)) + 1 in
     let exponential := (8 + 2 * (1 + 8 * ue) * (Rabs s + score)) * ue in
     let merged := (18 + 7 * reach + merges * (14 + 2 * reach)) * ua in
     4 * exp (exponential + merged + granted + (score - (lse - s)) / 4)).
Proof.
  intros. unfold flush, rescaled_tiny, far_weight. cbv zeta.
  rewrite exp_0, Rmult_1_r, Rmult_0_r, Rplus_0_r. split; reflexivity.
Qed.

(** A lower score, its error up by as much as a lower bias makes it: what a far key may contribute falls. *)
Theorem far_weight_falls : forall ue ua head merges slack granted lse s score score' b d,
  0 <= ue -> 0 <= ua -> 0 <= merges -> 0 <= b -> 0 <= d -> score' <= score + d * b ->
  2 * (1 + 8 * ue) * (1 + d) * ue
    + (7 + 2 * merges) * ((1 + (20 + 4 * merges) * ua) * (1 + d)) * ua + d / 4 <= 1 / 4 ->
  far_weight ue ua head merges slack granted lse (s - b) score'
    <= far_weight ue ua head merges slack granted lse s score.
Proof.
  intros ue ua head merges slack granted lse s score score' b d Ue Ua Me B D S Slope.
  unfold far_weight. cbv zeta. apply Rmult_le_compat_l; [lra|]. apply exp_le.
  assert (A : Rabs (s - b) <= Rabs s + b).
  { pose proof (Rabs_triang s (- b)) as T. rewrite Rabs_Ropp, (Rabs_pos_eq b B) in T. exact T. }
  set (w := 1 + (20 + 4 * merges) * ua) in *.
  assert (W : 0 <= w) by (unfold w; assert (0 <= (20 + 4 * merges) * ua) by (apply Rmult_le_pos; lra); lra).
  assert (G : 0 <= (1 + d) * b) by (apply Rmult_le_pos; lra).
  set (X := Rmax (Rabs s + (score + 4 * head)) (Rabs lse + slack)).
  set (X' := Rmax (Rabs (s - b) + (score' + 4 * head)) (Rabs lse + slack)).
  assert (HX : w * X' <= w * (X + (1 + d) * b)).
  { apply Rmult_le_compat_l; [exact W|]. unfold X, X'. apply Rmax_lub.
    - pose proof (Rmax_l (Rabs s + (score + 4 * head)) (Rabs lse + slack)). lra.
    - pose proof (Rmax_r (Rabs s + (score + 4 * head)) (Rabs lse + slack)). lra. }
  assert (M : 0 <= (7 + 2 * merges) * ua) by (apply Rmult_le_pos; lra).
  apply (Rmult_le_compat_l _ _ _ M) in HX.
  assert (E : 2 * (1 + 8 * ue) * ue * (Rabs (s - b) + score')
    <= 2 * (1 + 8 * ue) * ue * (Rabs s + score + (1 + d) * b)).
  { apply Rmult_le_compat_l; [repeat apply Rmult_le_pos; lra | lra]. }
  apply (Rmult_le_compat_r b _ _ B) in Slope. lra.
Qed.

(** step-errors.ts, quotient: 1 / (1 - b) - 1. *)
Definition quotient (b : R) : R := b / (1 - b).

(** step-errors.ts, dividedError: [least] is what the computed denominator is at least, of the exact one. *)
Definition divided_error (numerator out denominator least : R) : R :=
  (numerator + out * denominator) / least.

(** step-errors.ts, leastWeight: what a computed weight is at least, of the exact one. *)
Definition least_weight (score weight : R) : R := exp (2 * score - 3 * weight).

(** step-errors.ts, wideLseError. *)
Definition wide_lse_error (denominator flushes least : R) : R :=
  Rmax (0 - ln least) (ln ((1 + denominator) / (1 - flushes))).

(** step-errors.ts, unroundedError and convertedError. *)
Definition unrounded_error (ua tiny out divided : R) : R :=
  divided + 3 * ua * (out + divided) + tiny.
Definition converted_error (ua lse divided : R) : R := divided + 3 * ua * (lse + divided).

(** step-errors.ts, hullError: [top] is the largest coefficient of the sum, its error included; [lost]
    what underflow costs it; [rounded] the largest part of a budget that is not a score's. *)
Definition hull_error (out top rounded flushes lost : R) : R :=
  out + top * (exp (4 * rounded) * (1 + flushes)) + lost.

Lemma quotient_of_sums : forall Z o O N' Eo B' E, 0 < Z -> 0 <= B' -> 0 <= E -> 0 <= Eo -> 0 <= N' ->
  B' + E < 1 -> Rabs (1 - Z) <= Z * B' + E -> Rabs (O - Z * o) <= Z * N' + Eo ->
  Rabs (O - o) <= (N' + Eo + Rabs o * (B' + E)) / (1 - (B' + E)) /\
  Rabs (ln Z) <= quotient (B' + E).
Proof.
  intros Z o O N' Eo B' E HZ HB HE HEo HN B1 Z1 O1. unfold quotient. set (B := B' + E) in *.
  pose proof (Rabs_le_inv _ _ Z1) as [Zl Zu]. assert (0 < 1 - B) by lra.
  assert (I : 0 < / (1 - B)) by (apply Rinv_0_lt_compat; assumption).
  assert (Zmax : Z <= / (1 - B)).
  { apply Rmult_le_reg_r with (1 - B); [assumption|]. rewrite Rinv_l by lra.
    assert (0 <= Z * B') by (apply Rmult_le_pos; lra). destruct (Rle_lt_dec 1 Z) as [G | G].
    - assert (E * 1 <= E * Z) by (apply Rmult_le_compat_l; lra). unfold B. lra.
    - assert (0 <= E * Z) by (apply Rmult_le_pos; lra). unfold B. lra. }
  assert (Zmin : 1 - B <= Z).
  { assert ((1 + B') * (1 - B) <= 1 - E) by (unfold B in *; nra).
    apply Rmult_le_reg_l with (1 + B'); [lra|]. lra. }
  split.
  - assert (Dz : Rabs (1 - Z) * (1 - B) <= B).
    { apply Rle_trans with ((Z * B' + E) * (1 - B)); [apply Rmult_le_compat_r; lra|].
      assert (Z * (1 - B) <= 1) by (apply Rmult_le_compat_r with (r := 1 - B) in Zmax; [|lra];
        rewrite Rinv_l in Zmax by lra; exact Zmax).
      unfold B in *. nra. }
    apply Rmult_le_reg_r with (1 - B); [assumption|].
    unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    replace (O - o) with ((O - Z * o) + - ((1 - Z) * o)) by ring.
    apply Rle_trans with ((Z * N' + Eo + Rabs (1 - Z) * Rabs o) * (1 - B)).
    + apply Rmult_le_compat_r; [lra|]. eapply Rle_trans; [apply Rabs_triang|].
      rewrite Rabs_Ropp, Rabs_mult. lra.
    + assert (Z * (1 - B) <= 1) by (apply Rmult_le_compat_r with (r := 1 - B) in Zmax; [|lra];
        rewrite Rinv_l in Zmax by lra; exact Zmax).
      assert (N' * (Z * (1 - B)) <= N' * 1) by (apply Rmult_le_compat_l; assumption).
      assert (Eo * (1 - B) <= Eo * 1) by (apply Rmult_le_compat_l; [exact HEo | unfold B; lra]).
      assert (Rabs (1 - Z) * (1 - B) * Rabs o <= B * Rabs o)
        by (apply Rmult_le_compat_r; [apply Rabs_pos | exact Dz]).
      lra.
  - assert (Q : - ln (1 - B) <= B / (1 - B)).
    { rewrite <- ln_Rinv by assumption. replace (B / (1 - B)) with (/ (1 - B) - 1) by (field; lra).
      pose proof (exp_ineq1_le (ln (/ (1 - B)))) as G. rewrite exp_ln in G by assumption. lra. }
    apply Rabs_le. split.
    + assert (ln (1 - B) <= ln Z) by (destruct Zmin as [Zm | <-]; [left; apply ln_increasing; lra | lra]).
      lra.
    + assert (ln Z <= ln (/ (1 - B)))
        by (destruct Zmax as [Zm | ->]; [left; apply ln_increasing; lra | lra]).
      rewrite ln_Rinv in * by assumption. lra.
Qed.

(** The same for any errors, where the denominator is known to keep a share [Lo] of itself. *)
Lemma quotient_wide : forall Z o O N' Eo B' E Lo, 0 < Z -> 0 <= B' -> 0 <= E < 1 -> 0 <= Eo -> 0 <= N' ->
  0 < Lo <= 1 -> Z * Lo <= 1 + E -> Rabs (1 - Z) <= Z * B' + E -> Rabs (O - Z * o) <= Z * N' + Eo ->
  Rabs (O - o) <= divided_error (N' + Eo) (Rabs o) (B' + E) (Lo / (1 + E)) /\
  Rabs (ln Z) <= wide_lse_error (B' + E) E (Lo / (1 + E)).
Proof.
  intros Z o O N' Eo B' E Lo HZ HB HE HEo HN HLo ZLo Z1 O1. unfold divided_error, wide_lse_error.
  rewrite Rminus_0_l.
  set (F := (1 + E) / Lo). assert (HF : 1 <= F).
  { unfold F. apply Rmult_le_reg_r with Lo; [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
  assert (ZF : Z <= F).
  { unfold F. apply Rmult_le_reg_r with Lo; [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. lra. }
  assert (IF : / (Lo / (1 + E)) = F) by (unfold F; field; lra).
  assert (L0 : 0 < Lo / (1 + E)) by (apply Rdiv_lt_0_compat; lra).
  split.
  - unfold Rdiv at 1. rewrite IF.
    replace (O - o) with ((O - Z * o) + - ((1 - Z) * o)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, Rabs_mult.
    assert (Z * N' <= F * N') by (apply Rmult_le_compat_r; lra).
    assert (1 * Eo <= F * Eo) by (apply Rmult_le_compat_r; lra).
    assert (D : Rabs (1 - Z) <= F * (B' + E)).
    { assert (Z * B' <= F * B') by (apply Rmult_le_compat_r; lra).
      assert (1 * E <= F * E) by (apply Rmult_le_compat_r; lra). lra. }
    apply (Rmult_le_compat_r (Rabs o)) in D; [lra | apply Rabs_pos].
  - apply Rabs_le. pose proof (Rabs_le_inv _ _ Z1) as [Zl Zu]. split.
    + apply Rle_trans with (- ln ((1 + (B' + E)) / (1 - E))); [apply Ropp_le_contravar, Rmax_r|].
      rewrite <- ln_Rinv by (apply Rdiv_lt_0_compat; lra).
      replace (/ ((1 + (B' + E)) / (1 - E))) with ((1 - E) / (1 + (B' + E))) by (field; lra).
      assert (G : (1 - E) / (1 + (B' + E)) <= Z).
      { apply Rmult_le_reg_r with (1 + (B' + E)); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra.
        assert (0 <= Z * E) by (apply Rmult_le_pos; lra). lra. }
      assert (0 < (1 - E) / (1 + (B' + E))) by (apply Rdiv_lt_0_compat; lra).
      destruct G as [G | <-]; [left; apply ln_increasing; lra | lra].
    + apply Rle_trans with (- ln (Lo / (1 + E))); [|apply Rmax_l].
      rewrite <- ln_Rinv, IF by assumption.
      destruct ZF as [G | ->]; [left; apply ln_increasing; lra | lra].
Qed.

#[local] Opaque rescaled_tiny.

Section Bound.

Context {A : Type}.
Variables ua ue eta uw ew head fall up ep beside : R.
Variables s sc score k c dk hp ho : A -> R.
Variable far : A -> bool.
Variables (js : list A) (slack merges granted undamped : R).
Hypothesis Hua : 0 <= ua <= 1 / 128.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta <= ua / 32.
Hypothesis Huw : 0 <= uw.
Hypothesis Hew : eta <= ew.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hhp : forall j, 0 <= hp j.
Hypothesis Hhead : 0 <= head.
Hypothesis Hup : 0 <= up.
Hypothesis Hep : 0 <= ep.
Hypothesis Hmerges : 0 <= merges.
Hypothesis Hslack : 1 + head <= slack.
Hypothesis Hgranted : uw <= granted.
Hypothesis Hundamped : 0 <= undamped.
Hypothesis Hscore : forall j, In j js ->
  Rabs (sc j - s j) <= score j /\ (far j = false -> score j + 1 + head <= slack).
Hypothesis Hc : forall j, In j js -> Rabs (c j - k j) <= dk j.
Hypothesis Hho : forall j, In j js -> hp j + ew * Rabs (c j) <= ho j.

Definition mass : R := total (fun j => exp (s j)) js.
Definition lse : R := ln mass.
Definition top : R := lse + slack - head.
Definition p (j : A) : R := exp (s j - lse).
Definition out : R := total (fun j => p j * k j) js.
Definition n : R := INR (length js).

Definition weight (j : A) : R := weight_error ue ua n merges slack granted lse (s j) (score j).
Definition rounding (j : A) : R := weight_rounding ue ua n merges slack granted lse (s j) (score j).
(** What a far key may be mistaken for. *)
Definition faint (j : A) : R := far_weight ue ua head merges slack granted lse (s j) (score j).

(** Of a key's product with its value, stored once or not. *)
Definition aside : R := beside + up.

(** bounds.ts, rowBound and outError. *)
Definition flushes : R := 2 * total (fun _ => flush eta head (3 * ew) 1 (3 * n + merges)) js.
Definition faint_sum : R := total (fun j => if far j then faint j else 0) js.
Definition denominator : R :=
  total (fun j => if far j then p j + 2 * faint j else p j * growth (weight j)) js + flushes.
(** What the computed denominator is at least, of the exact one, when the weights may be far off. *)
Definition kept_sum : R :=
  total (fun j => if far j then 0 else p j * least_weight (score j) (weight j)) js - faint_sum.
Definition least : R := kept_sum / (1 + (flushes + faint_sum)).
Definition lost : R := 2 * total (fun j => flush eta head (3 * ho j) (Rabs (k j) + dk j) (3 * n + merges)) js.
(** What partial outputs lose near zero where they are stored: a merge averages it. *)
Definition part_lost : R :=
  ep * (total (fun j => if far j then 2 * (p j + faint j) else p j * (1 + growth (weight j + aside))) js + flushes).
Definition numerator : R :=
  total (fun j => if far j then (p j + 2 * faint j) * (Rabs (k j) + 2 * dk j)
    else p j * (Rabs (k j) * growth (weight j + aside) + dk j * (1 + growth (weight j + aside)))) js
  + lost + part_lost + undamped.
Definition divided_by (least : R) : R := divided_error numerator (Rabs out) denominator least.
Definition divided : R := divided_by (1 - denominator).

Lemma mass_pos : js <> [] -> 0 < mass.
Proof.
  intros H. unfold mass. destruct js as [|j l]; [congruence|]. simpl.
  pose proof (exp_pos (s j)). pose proof (total_pos (fun i => exp (s i)) l (fun i _ => Rlt_le _ _ (exp_pos _))).
  lra.
Qed.

Lemma score_below_lse : forall j, In j js -> s j <= lse.
Proof.
  intros j J. unfold lse.
  assert (P : 0 < mass) by (apply mass_pos; intros E; rewrite E in J; exact J).
  assert (L : exp (s j) <= mass).
  { unfold mass. clear P Hscore Hc Hho. induction js as [|i l IH]; [destruct J|]. simpl.
    pose proof (total_pos (fun i => exp (s i)) l (fun i _ => Rlt_le _ _ (exp_pos _))).
    pose proof (exp_pos (s i)). destruct J as [-> | J]; [lra | specialize (IH J); lra]. }
  rewrite <- (ln_exp (s j)). destruct L as [L | ->]; [left; apply ln_increasing; [apply exp_pos | exact L] | lra].
Qed.

Lemma score_pos : forall j, In j js -> 0 <= score j /\ Rabs (sc j) <= Rabs (s j) + score j.
Proof.
  intros j J. destruct (Hscore j J) as [S1 _]. pose proof (Rabs_pos (sc j - s j)).
  pose proof (Rabs_triang (sc j - s j) (s j)) as G. replace (sc j - s j + s j) with (sc j) in G by ring. lra.
Qed.

Lemma top_abs : Rabs top + head <= Rabs lse + slack.
Proof.
  unfold top. pose proof (Rabs_triang lse (slack - head)) as G. rewrite (Rabs_pos_eq (slack - head)) in G by lra.
  replace (lse + (slack - head)) with (lse + slack - head) in G by ring. lra.
Qed.

(** What a run may cost a key, in computed quantities, is at most what bounds.ts computes. *)
Theorem weight_bound : forall r L j, In j js -> far j = false -> 0 <= r <= merges -> L <= top ->
  merged_budget ua ue uw head top sc 1 merges n r L j + (granted - uw) <= rounding j.
Proof.
  intros r L j J Fj R LT. destruct (Hscore j J) as [S1 S2]. specialize (S2 Fj). pose proof (score_below_lse j J) as B.
  destruct (score_pos j J) as [S0 Sabs]. apply Rabs_le_inv in S1.
  assert (Reach : reach ua head top sc 1 merges j <= (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs (s j)) (Rabs lse) + slack) + 1).
  { unfold reach, mx. pose proof (Rmax_l (Rabs (s j)) (Rabs lse)). pose proof (Rmax_r (Rabs (s j)) (Rabs lse)).
    pose proof top_abs. rewrite Rmult_1_r. assert (0 <= 4 * merges * ua) by (repeat apply Rmult_le_pos; lra).
    apply Rplus_le_compat_r, Rmult_le_compat_l; [lra|].
    apply Rle_trans with (Rmax (Rabs (s j)) (Rabs lse) + slack - head + head); [apply Rplus_le_compat_r, Rmax_lub; lra | lra]. }
  destruct (reach_ge ua head fall top sc 1 merges Hua Hhead Hmerges (or_intror eq_refl) j) as [Q1 _].
  unfold merged_budget, local_budget, bonus, rounding, weight_rounding. cbv zeta.
  set (m := _ * _ + 1) in *. set (q := reach ua head top sc 1 merges j) in *. unfold top in LT.
  assert ((8 + 2 * (1 + 8 * ue) * Rabs (sc j)) * ue <= (8 + 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) * ue).
  { apply Rmult_le_compat_r; [lra|]. apply Rplus_le_compat_l, Rmult_le_compat_l; lra. }
  assert (r * (14 + 2 * q) <= merges * (14 + 2 * m)) by (apply Rmult_le_compat; lra).
  assert ((8 * n + 10 * (L - sc j) + 20 * head) * ua + (7 * q + 18 + r * (14 + 2 * q)) * ua
    <= (8 * n + 10 * (lse - s j + 2 * slack) + (18 + 7 * m + merges * (14 + 2 * m))) * ua).
  { rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; lra. }
  lra.
Qed.

Lemma exp_most : exp (69 / 100) <= 2.
Proof. Kernels.bound. Qed.

(** A key that is not far says that the run is short enough: for what falling log-sum-exps and flushes add up to. *)
Lemma few_merges : forall r j, 0 <= r <= merges -> In j js -> far j = false -> rounding j + aside <= 1 / 2 ->
  (8 * n + 16 * r) * ua <= 1 / 2.
Proof.
  intros r j R J Fj H. pose proof (score_below_lse j J). destruct (score_pos j J) as [S0 _].
  unfold rounding, weight_rounding, aside in H. cbv zeta in H.
  set (q := (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs (s j)) (Rabs lse) + slack) + 1) in *.
  assert (1 <= q).
  { unfold q. pose proof (Rmax_l (Rabs (s j)) (Rabs lse)). pose proof (Rabs_pos (s j)).
    assert (0 <= 4 * merges * ua) by (repeat apply Rmult_le_pos; lra).
    assert (0 <= (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs (s j)) (Rabs lse) + slack)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= (8 + 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) * ue).
  { pose proof (Rabs_pos (s j)). apply Rmult_le_pos; [|lra].
    assert (0 <= 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= 10 * (lse - s j + 2 * slack) * ua) by (apply Rmult_le_pos; lra).
  assert (merges * 16 <= merges * (14 + 2 * q)) by (apply Rmult_le_compat_l; lra).
  assert (merges * 16 * ua <= (18 + 7 * q + merges * (14 + 2 * q)) * ua) by (apply Rmult_le_compat_r; lra).
  assert (r * ua <= merges * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma few_operations : forall r L j b, 0 <= r <= merges -> 0 <= b <= aside -> In j js -> far j = false ->
  rounding j + aside <= 1 / 2 -> Rabs L <= lse_size ua head top sc 1 n r j ->
  exp (9 * (n + r) * ua + b + lift ua 1 r L) <= 2.
Proof.
  intros r L j b R B J Fj H SL. eapply Rle_trans; [|apply exp_most]. apply exp_le.
  pose proof (pos_INR (length js)) as N0. fold n in N0.
  assert (Re := lse_reach ua head fall top sc 1 merges Hua Hhead (or_intror eq_refl) n r L j N0 R
    (or_intror (few_merges r j R J Fj H)) SL).
  pose proof (score_below_lse j J). destruct (Hscore j J) as [S1 S2]. specialize (S2 Fj). destruct (score_pos j J) as [S0 Sabs].
  unfold rounding, weight_rounding in H. cbv zeta in H.
  set (q := (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs (s j)) (Rabs lse) + slack) + 1) in *.
  assert (MU : 0 <= 4 * merges * ua) by (repeat apply Rmult_le_pos; lra).
  assert (Reach : reach ua head top sc 1 merges j <= q).
  { unfold reach, mx, q. pose proof (Rmax_l (Rabs (s j)) (Rabs lse)). pose proof (Rmax_r (Rabs (s j)) (Rabs lse)).
    pose proof top_abs. rewrite Rmult_1_r. apply Rplus_le_compat_r, Rmult_le_compat_l; [lra|].
    apply Rle_trans with (Rmax (Rabs (s j)) (Rabs lse) + slack - head + head); [apply Rplus_le_compat_r, Rmax_lub; lra | lra]. }
  destruct (reach_ge ua head fall top sc 1 merges Hua Hhead Hmerges (or_intror eq_refl) j) as [Q1 _].
  pose proof (Rabs_pos L) as AL. assert (Lq : Rabs L <= q).
  { assert (0 <= 10 * ua * Rabs L) by (repeat apply Rmult_le_pos; lra). lra. }
  assert (0 <= (8 + 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) * ue).
  { pose proof (Rabs_pos (s j)). apply Rmult_le_pos; [|lra].
    assert (0 <= 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= 10 * (lse - s j + 2 * slack) * ua) by (apply Rmult_le_pos; lra).
  assert (0 <= q * ua) by (apply Rmult_le_pos; lra).
  assert (Mr : r * (14 + 2 * q) * ua <= merges * (14 + 2 * q) * ua).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
  assert (Rq : r * Rabs L * ua <= r * q * ua).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_l; lra. }
  assert (0 <= r * q * ua) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= r * ua) by (apply Rmult_le_pos; lra). assert (0 <= n * ua) by (apply Rmult_le_pos; lra).
  unfold lift. lra.
Qed.

(** What a far key may contribute: nothing is asked of its score. Z = exp (lse - L) is near one. *)
Theorem far_bound : forall b w x r L h kk j, 0 <= r <= merges -> 0 <= w -> 0 <= h j -> In j js ->
  x j <= bonus ua head top sc 1 merges r j + (granted - uw) ->
  exp (9 * (n + r) * ua + b + w) <= 2 ->
  held ua ue eta uw head sc far b w (n + r) L x h kk j
    <= 2 * flush eta head (h j) (kk j) (n + r) + (if far j then (1 + exp (lse - L)) * (faint j * Rabs (kk j)) else 0).
Proof.
  intros b w x r L h kk j R Lp Hh J Xg Two'. unfold held. pose proof (pos_INR (length js)) as N0. fold n in N0.
  assert (Two : exp (9 * (n + r) * ua + b) <= 2) by (eapply Rle_trans; [apply exp_le | exact Two']; lra).
  rewrite exp_plus in Two'.
  destruct (flush_le ua eta head Heta Hhead (h j) (kk j) (n + r) (n + r) Hh ltac:(lra)) as [F0 _].
  pose proof (exp_pos (9 * (n + r) * ua + b)) as Q0. set (q := exp (9 * (n + r) * ua + b)) in *.
  set (f := flush eta head (h j) (kk j) (n + r)) in *. set (up' := exp w) in *.
  assert (Qf : q * (up' * f) <= 2 * f) by (rewrite <- Rmult_assoc; apply Rmult_le_compat_r; assumption).
  unfold tail. destruct (far j) eqn:Fj; [|lra].
  destruct (Hscore j J) as [S1 _]. destruct (score_pos j J) as [S0 Sabs]. apply Rabs_le_inv in S1.
  set (xx := (8 + 2 * (1 + 8 * ue) * Rabs (sc j)) * ue + x j + uw + head).
  assert (MU : 0 <= 4 * merges * ua) by (repeat apply Rmult_le_pos; lra).
  set (y := (8 + 2 * (1 + 8 * ue) * (Rabs (s j) + (score j + 4 * head))) * ue
    + (18 + 7 * ((1 + (20 + 4 * merges) * ua) * Rmax (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack) + 1)
       + merges * (14 + 2 * ((1 + (20 + 4 * merges) * ua) * Rmax (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack) + 1))) * ua).
  assert (XY : xx <= y + granted + head).
  { unfold xx, y. match goal with |- _ <= ?a + ?b + _ + _ =>
      apply Rle_trans with (a + b + (granted - uw) + uw + head); [|lra] end.
    do 2 apply Rplus_le_compat_r. eapply Rle_trans; [apply Rplus_le_compat_l; exact Xg|].
    rewrite <- Rplus_assoc. apply Rplus_le_compat_r, Rplus_le_compat.
    - apply Rmult_le_compat_r; [lra|]. apply Rplus_le_compat_l, Rmult_le_compat_l; lra.
    - unfold bonus. apply Rmult_le_compat_r; [lra|]. destruct (reach_ge ua head fall top sc 1 merges Hua Hhead Hmerges (or_intror eq_refl) j) as [Q1 _].
      assert (Re : reach ua head top sc 1 merges j <= (1 + (20 + 4 * merges) * ua) * Rmax (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack) + 1).
      { unfold reach, mx. rewrite Rmult_1_r. pose proof top_abs. apply Rplus_le_compat_r, Rmult_le_compat_l; [lra|].
        pose proof (Rmax_l (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack)).
        pose proof (Rmax_r (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack)).
        apply Rle_trans with (Rmax (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack) - head + head);
          [apply Rplus_le_compat_r, Rmax_lub; lra | lra]. }
      assert (r * (14 + 2 * reach ua head top sc 1 merges j)
        <= merges * (14 + 2 * ((1 + (20 + 4 * merges) * ua) * Rmax (Rabs (s j) + (score j + 4 * head)) (Rabs lse + slack) + 1)))
        by (apply Rmult_le_compat; lra). lra. }
  assert (Q : exp xx * decay (L - sc j) <= (1 + exp (lse - L)) * exp (y + granted + (score j + 4 * head - (lse - s j)) / 4)).
  { apply Rle_trans with (exp ((lse - L) / 4) * exp (y + granted + (score j + 4 * head - (lse - s j)) / 4)).
    - unfold decay. rewrite <- !exp_plus. apply exp_le. lra.
    - apply Rmult_le_compat_r; [left; apply exp_pos|]. pose proof (exp_pos (lse - L)).
      destruct (Rle_lt_dec (lse - L) 0) as [G | G].
      + pose proof (exp_le ((lse - L) / 4) 0 ltac:(lra)) as E. rewrite exp_0 in E. lra.
      + pose proof (exp_le ((lse - L) / 4) (lse - L) ltac:(lra)). lra. }
  unfold faint, far_weight. cbv zeta. fold y.
  set (E := exp (y + granted + (score j + 4 * head - (lse - s j)) / 4)) in *. set (Z := exp (lse - L)) in *.
  pose proof (Rabs_pos (kk j)) as k0. apply (Rmult_le_compat_r (Rabs (kk j))) in Q; [|exact k0].
  assert (P0 : 0 <= 2 * exp xx * Rabs (kk j) * decay (L - sc j)).
  { pose proof (exp_pos xx). pose proof (exp_pos (- ((L - sc j) / 4))). unfold decay. repeat apply Rmult_le_pos; lra. }
  assert (q * (2 * exp xx * Rabs (kk j) * decay (L - sc j)) <= 2 * (2 * exp xx * Rabs (kk j) * decay (L - sc j)))
    by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** Errors of the scores are factors of the weights. *)
Lemma score_shift : forall t s1 s2 d T, Rabs (s1 - s2) <= d -> 0 <= T ->
  Rabs (exp s1 * t) * (exp T - 1) + Rabs (exp s1 * t - exp s2 * t) <= Rabs (exp s2 * t) * (exp (T + d) - 1).
Proof.
  intros t s1 s2 d T D HT. rewrite exp_plus.
  replace (exp s1 * t - exp s2 * t) with ((exp s1 - exp s2) * t) by ring. rewrite !Rabs_mult.
  rewrite !(Rabs_pos_eq (exp _)) by (left; apply exp_pos).
  apply Rabs_le_inv in D. pose proof (exp_ge_1 T HT) as b1. pose proof (exp_ge_1 d ltac:(lra)) as a1.
  assert (E1 : exp s1 <= exp s2 * exp d) by (rewrite <- exp_plus; apply exp_le; lra).
  assert (E2 : exp s2 <= exp s1 * exp d) by (rewrite <- exp_plus; apply exp_le; lra).
  pose proof (exp_pos s1). pose proof (exp_pos s2).
  cut (exp s1 * (exp T - 1) + Rabs (exp s1 - exp s2) <= exp s2 * (exp T * exp d - 1)).
  { intros C. pose proof (Rmult_le_compat_r (Rabs t) _ _ (Rabs_pos t) C). lra. }
  set (a := exp d) in *. set (b := exp T) in *.
  unfold Rabs. destruct (Rcase_abs (exp s1 - exp s2)); [|nra].
  apply Rle_trans with (exp s1 * (b - 2) + exp s2); [lra|].
  destruct (Rle_lt_dec 2 b) as [G | G].
  - assert (exp s1 * (b - 2) <= exp s2 * (b - 2)) by (apply Rmult_le_compat_r; lra).
    assert (exp s2 * (b * 1) <= exp s2 * (b * a)) by (apply Rmult_le_compat_l; [lra | apply Rmult_le_compat_l; lra]).
    lra.
  - (* (b - 2) / a + 2 <= a b *)
    apply Rmult_le_reg_r with a; [lra|].
    assert (exp s1 * a * (b - 2) <= exp s2 * (b - 2)) by (assert (0 <= (exp s1 * a - exp s2) * (2 - b))
      by (apply Rmult_le_pos; lra); lra).
    assert (0 <= (b - 1) * (a * a - 1)) by (apply Rmult_le_pos; nra).
    assert (0 <= (a - 1) * (a - 1)) by nra.
    assert (0 <= exp s2 * (b * a * a - b - 2 * a + 2)) by (apply Rmult_le_pos; nra).
    nra.
Qed.

Lemma p_of : forall L j, exp (lse - L) * p j = exp (s j - L).
Proof. intros L j. unfold p. rewrite <- exp_plus. f_equal. ring. Qed.

Lemma shifted_total : forall (t T W g : A -> R) L x,
  (forall j, In j js -> far j = false -> 0 <= T j /\ T j + score j <= W j) ->
  near js (fun j => exp (sc j - L) * seen far t j) T g x ->
  Rabs (x - exp (lse - L) * total (fun j => p j * t j) js)
    <= exp (lse - L) * total (fun j => if far j then p j * Rabs (t j) else p j * (Rabs (t j) * growth (W j))) js
       + total g js.
Proof.
  intros t T W g L x H X. unfold near in X.
  replace (x - exp (lse - L) * total (fun j => p j * t j) js)
    with ((x - total (fun j => exp (sc j - L) * seen far t j) js)
      + total (fun j => exp (sc j - L) * seen far t j + -1 * (exp (lse - L) * (p j * t j))) js).
  2: { rewrite total_plus, total_scale, total_scale. ring. }
  eapply Rle_trans; [apply Rabs_triang|].
  eapply Rle_trans; [apply Rplus_le_compat; [exact X | apply total_abs]|].
  rewrite <- total_scale, <- !total_plus. apply total_le. intros j J. specialize (H j J).
  destruct (Hscore j J) as [S1 _]. destruct (score_pos j J) as [S0 _].
  unfold seen in *. destruct (far j).
  - rewrite !Rmult_0_r, Rabs_R0, Rmult_0_l, !Rplus_0_l.
    replace (-1 * (exp (lse - L) * (p j * t j))) with (- (exp (s j - L) * t j)) by (rewrite <- p_of; ring).
    replace (exp (lse - L) * (p j * Rabs (t j))) with (exp (s j - L) * Rabs (t j)) by (rewrite <- p_of; ring).
    rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq (exp _)) by (left; apply exp_pos). lra.
  - destruct (H eq_refl) as [H2 H3].
    replace (-1 * (exp (lse - L) * (p j * t j))) with (-1 * (exp (s j - L) * t j)) by (rewrite <- p_of; ring).
    replace (exp (lse - L) * (p j * (Rabs (t j) * growth (W j))))
      with (exp (s j - L) * Rabs (t j) * growth (W j)) by (rewrite <- p_of; ring).
    replace (exp (sc j - L) * t j + -1 * (exp (s j - L) * t j)) with (exp (sc j - L) * t j - exp (s j - L) * t j) by ring.
    pose proof (score_shift (t j) (sc j - L) (s j - L) (score j) (T j)) as Q.
    replace (sc j - L - (s j - L)) with (sc j - s j) in Q by ring. specialize (Q S1 H2).
    pose proof (growth_bounds (W j) ltac:(lra)) as G. pose proof (exp_le _ _ H3).
    rewrite (Rabs_mult (exp (s j - L))), (Rabs_pos_eq (exp (s j - L))) in Q by (left; apply exp_pos).
    assert (exp (s j - L) * Rabs (t j) * (exp (T j + score j) - 1) <= exp (s j - L) * Rabs (t j) * growth (W j)).
    { apply Rmult_le_compat_l; [|lra]. apply Rmult_le_pos; [left; apply exp_pos | apply Rabs_pos]. }
    lra.
Qed.

(** A budget of at most 1/2 takes off less than its third power. *)
Lemma least_factor : forall T, 0 <= T <= 1 / 2 -> exp (- (3 * T)) <= 2 - exp T.
Proof.
  intros T [T0 T1]. pose proof (exp_ge_1 T T0) as x1. pose proof (exp_pos T).
  assert (x2 : exp T * exp T <= 3).
  { rewrite <- exp_plus. eapply Rle_trans; [apply (exp_le _ 1); lra | apply exp_le_3]. }
  replace (- (3 * T)) with (- (T + (T + T))) by ring. rewrite exp_Ropp, !exp_plus.
  set (x := exp T) in *. assert (0 < x * (x * x)) by (repeat apply Rmult_lt_0_compat; lra).
  apply Rmult_le_reg_r with (x * (x * x)); [assumption|]. rewrite Rinv_l by lra.
  assert (x4 : x <= 7 / 4) by nra.
  assert (x5 : 0 <= x * (7 / 4 - x)) by (apply Rmult_le_pos; lra).
  assert (x6 : 0 <= x * x * (7 / 4 - x)) by (apply Rmult_le_pos; [apply Rle_0_sqr | lra]).
  assert (x7 : 0 <= 1 + x + x * x - x * x * x) by lra.
  assert (0 <= (x - 1) * (1 + x + x * x - x * x * x)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma shifted_least : forall (T W g : A -> R) L,
  (forall j, In j js -> far j = false -> 0 <= T j <= 1 / 2 /\ T j + score j <= W j) ->
  near js (fun j => exp (sc j - L) * seen far (fun _ => 1) j) T g 1 ->
  exp (lse - L) * total (fun j => if far j then 0 else p j * least_weight (score j) (W j)) js <= 1 + total g js.
Proof.
  intros T W g L H X. unfold near in X. apply Rabs_le_inv in X. destruct X as [X _].
  rewrite <- total_scale.
  assert (C : total (fun j => exp (lse - L) * (if far j then 0 else p j * least_weight (score j) (W j))) js
    <= total (fun j => exp (sc j - L) * seen far (fun _ => 1) j
        + (-1 * (Rabs (exp (sc j - L) * seen far (fun _ => 1) j) * (exp (T j) - 1) + g j) + g j)) js).
  { apply total_le. intros j J. specialize (H j J). unfold seen. destruct (far j).
    - rewrite !Rmult_0_r, Rabs_R0. lra.
    - destruct (H eq_refl) as [H2 H3]. destruct (Hscore j J) as [S1 _].
      rewrite Rmult_1_r, (Rabs_pos_eq (exp (sc j - L))) by (left; apply exp_pos).
      pose proof (least_factor (T j) H2) as T3.
      unfold least_weight. rewrite <- Rmult_assoc, p_of, <- exp_plus.
      apply Rabs_le_inv in S1. pose proof (exp_pos (sc j - L)).
      assert (exp (s j - L + (2 * score j - 3 * W j)) <= exp (sc j - L) * exp (- (3 * T j)))
        by (rewrite <- exp_plus; apply exp_le; lra).
      assert (exp (sc j - L) * exp (- (3 * T j)) <= exp (sc j - L) * (2 - exp (T j)))
        by (apply Rmult_le_compat_l; lra). lra. }
  eapply Rle_trans; [exact C|]. rewrite !total_plus, total_scale. lra.
Qed.

Lemma faint_pos : forall j, 0 < faint j.
Proof. intros j. unfold faint, far_weight. cbv zeta. apply Rmult_lt_0_compat; [lra | apply exp_pos]. Qed.

Lemma carried_pos : forall j, In j js -> 0 <= dk j /\ Rabs (c j) <= Rabs (k j) + dk j.
Proof.
  intros j J. pose proof (Hc j J) as C. pose proof (Rabs_pos (c j - k j)).
  pose proof (Rabs_triang (c j - k j) (k j)) as G. replace (c j - k j + k j) with (c j) in G by ring. lra.
Qed.

Lemma flush_more : forall h h' a b m m', 0 <= h <= h' -> Rabs a <= b -> 0 <= m <= m' ->
  0 <= flush eta head h a m <= flush eta head h' b m'.
Proof.
  intros h h' a b m m' H Hab Hm. unfold flush. destruct (rescaled_ge ua eta head Heta Hhead) as [HE _].
  set (he := rescaled_tiny eta head) in *. pose proof (Rabs_pos a). rewrite (Rabs_pos_eq b) by lra.
  assert (0 <= 8 * he * (Rabs a + 1)) by (repeat apply Rmult_le_pos; lra).
  assert (8 * he * (Rabs a + 1) <= 8 * he * (b + 1)) by (apply Rmult_le_compat_l; lra).
  assert (0 <= m * (8 * he * (Rabs a + 1))) by (apply Rmult_le_pos; lra).
  assert (m * (8 * he * (Rabs a + 1)) <= m' * (8 * he * (b + 1))) by (apply Rmult_le_compat; lra). lra.
Qed.

Lemma leaf_lost : forall j, In j js -> 0 <= hp j + ew * Rabs (c j) <= 3 * ho j.
Proof.
  intros j J. specialize (Hho j J). specialize (Hhp j). assert (0 <= ew * Rabs (c j)) by (apply Rmult_le_pos; [lra | apply Rabs_pos]). lra.
Qed.

Lemma flushes_pos : 0 <= flushes /\ 0 <= lost.
Proof.
  pose proof (pos_INR (length js)) as N0. fold n in N0. split.
  - unfold flushes. apply Rmult_le_pos; [lra|]. apply total_pos. intros j _.
    apply (flush_more (3 * ew) (3 * ew) 1 1 (3 * n + merges) (3 * n + merges)); rewrite ?Rabs_R1; lra.
  - unfold lost. apply Rmult_le_pos; [lra|]. apply total_pos. intros j J. pose proof (leaf_lost j J).
    destruct (carried_pos j J) as [D0 _]. pose proof (Rabs_pos (k j)).
    apply (flush_more (3 * ho j) (3 * ho j) (Rabs (k j) + dk j) (Rabs (k j) + dk j) (3 * n + merges) (3 * n + merges));
      [lra | rewrite Rabs_pos_eq; lra | lra].
Qed.

(** What the keys of a lane of weights lose, and one of values. *)
Lemma ones_within : forall b w x r L, 0 <= r <= merges -> 0 <= w ->
  (forall j, In j js -> x j <= bonus ua head top sc 1 merges r j + (granted - uw)) ->
  exp (9 * (n + r) * ua + b + w) <= 2 ->
  total (held ua ue eta uw head sc far b w (n + r) L x (lost_at_leaf ew (fun _ => 0) (fun _ => 1)) (fun _ => 1)) js
    <= flushes + (1 + exp (lse - L)) * faint_sum.
Proof.
  intros b w x r L R W X Two. pose proof (pos_INR (length js)) as N0. fold n in N0.
  eapply Rle_trans; [apply total_le; intros j J;
    apply (far_bound b w x r L (lost_at_leaf ew (fun _ => 0) (fun _ => 1)) (fun _ => 1) j);
    [exact R | exact W | unfold lost_at_leaf; rewrite Rabs_R1; lra | exact J | apply X, J | exact Two]|].
  unfold flushes, faint_sum. rewrite <- !total_scale, <- total_plus. apply total_le. intros j J.
  apply Rplus_le_compat.
  - apply Rmult_le_compat_l; [lra|]. apply flush_more; [unfold lost_at_leaf; rewrite Rabs_R1; lra | rewrite Rabs_R1; lra | lra].
  - destruct (far j); [rewrite Rabs_R1; lra | lra].
Qed.

Lemma values_within : forall b w x r L, 0 <= r <= merges -> 0 <= w ->
  (forall j, In j js -> x j <= bonus ua head top sc 1 merges r j + (granted - uw)) ->
  exp (9 * (n + r) * ua + b + w) <= 2 ->
  total (held ua ue eta uw head sc far b w (n + r) L x (lost_at_leaf ew hp c) c) js
    <= lost + (1 + exp (lse - L)) * total (fun j => if far j then faint j * (Rabs (k j) + dk j) else 0) js.
Proof.
  intros b w x r L R W X Two. pose proof (pos_INR (length js)) as N0. fold n in N0.
  eapply Rle_trans; [apply total_le; intros j J;
    apply (far_bound b w x r L (lost_at_leaf ew hp c) c j);
    [exact R | exact W | unfold lost_at_leaf; apply leaf_lost, J | exact J | apply X, J | exact Two]|].
  unfold lost. rewrite <- !total_scale, <- total_plus. apply total_le. intros j J.
  apply Rplus_le_compat.
  - apply Rmult_le_compat_l; [lra|]. apply flush_more; [unfold lost_at_leaf; apply leaf_lost, J | apply carried_pos, J | lra].
  - destruct (far j); [|lra]. pose proof (exp_pos (lse - L)) as ZP. apply Rmult_le_compat_l; [lra|].
    apply Rmult_le_compat_l; [left; apply faint_pos | apply carried_pos, J].
Qed.

(** What is known of a run of the row, whatever merged it: its lanes, and their absolute errors in what
    bounds.ts computes: of the weights, of the values, and the sum over the weights that what a store lost
    near zero is no more than [ep] times; [undamped] is what no weight damps. *)
Definition lanes (L O : R) : Prop :=
  let Z := exp (lse - L) in
  exists T g1 gc gm O' M,
    (forall j, In j js -> far j = false -> 0 <= T j <= rounding j) /\ js <> [] /\
    near js (fun j => exp (sc j - L) * seen far (fun _ => 1) j) T g1 1 /\
    near js (fun j => exp (sc j - L) * seen far c j) (fun j => T j + aside) gc O' /\
    near js (fun j => exp (sc j - L) * seen far (fun _ => 1) j) (fun j => T j + aside) gm M /\
    0 <= flushes /\ 0 <= lost /\
    total g1 js <= flushes + (1 + Z) * faint_sum /\
    total gc js <= lost + (1 + Z) * total (fun j => if far j then faint j * (Rabs (k j) + dk j) else 0) js /\
    total gm js <= flushes + (1 + Z) * faint_sum /\ Rabs (O - O') <= ep * M + undamped.

Lemma row_lanes : forall r q L O, INR r <= merges -> (q <= 1)%nat ->
  (exists j, In j js /\ far j = false) ->
  (forall j, In j js -> far j = false -> rounding j + aside <= 1 / 2) ->
  merged ua ue eta uw ew head fall up ep top beside sc c hp js r q L O -> lanes L O.
Proof.
  intros r q L O Rr Hq (j0 & J0 & F0) Half M. unfold lanes. set (Z := exp (lse - L)). pose proof (pos_INR r) as R0. pose proof (pos_INR (length js)) as N0.
  fold n in N0. set (mb := merged_budget ua ue uw head top sc 1 merges n (INR r)).
  assert (Ba : beside <= stored_beside up beside q <= aside).
  { unfold stored_beside, aside. apply le_INR in Hq. simpl in Hq. pose proof (pos_INR q).
    assert (0 <= INR q * up) by (apply Rmult_le_pos; lra).
    assert (INR q * up <= 1 * up) by (apply Rmult_le_compat_r; lra). lra. }
  assert (Cond : near_enough ua ue uw head up top beside sc far 1 merges n (INR r) q js).
  { intros j J Fj. specialize (Half j J Fj). pose proof (weight_bound (INR r) (sc j) j J Fj ltac:(lra)) as W.
    destruct (Hscore j J) as [S1 S2]. specialize (S2 Fj). apply Rabs_le_inv in S1. pose proof (score_below_lse j J).
    specialize (W ltac:(unfold top; lra)). lra. }
  destruct (merged_accuracy ua ue eta uw ew head fall up ep top beside sc c hp far 1 merges Hua Hue Heta Huw Hew Hbeside Hhp Hhead Hup Hep Hmerges
    (or_intror eq_refl) js r q L O M Rr (or_intror (few_merges (INR r) j0 ltac:(lra) J0 F0 (Half j0 J0 F0))) Cond)
    as (LT & NE & Sj & X & O' & Mm & Y & W & M0 & Dd). fold n in Sj, X, Y, W. unfold lane in X, Y, W.
  assert (Two : forall b, 0 <= b <= aside -> exp (9 * (n + INR r) * ua + b + lift ua 1 (INR r) L) <= 2).
  { intros b B. apply (few_operations (INR r) L j0 b); try assumption; [lra | apply Half; assumption | apply Sj, J0]. }
  assert (Lp : 0 <= lift ua 1 (INR r) L).
  { unfold lift. pose proof (Rabs_pos L). repeat apply Rmult_le_pos; lra. }
  exists (fun j => mb L j + 0). do 3 eexists. exists O', Mm.
  split; [|split; [exact NE|split; [exact X|split; [|split]]]].
  - intros j J Fj. destruct (Sj j J) as [Sg _]. rewrite Rplus_0_r. split.
    + apply (budget_pos ua ue uw head fall top sc 1 merges Hua Hue Huw Hhead Hmerges (or_intror eq_refl)); assumption.
    + eapply Rle_trans; [|apply (weight_bound (INR r) L); try assumption; lra]. unfold mb. lra.
  - eapply near_weaken; [| |exact Y]; intros j J; cbv beta; [fold mb; lra | apply Rle_refl].
  - eapply near_weaken; [| |exact W]; intros j J; cbv beta; [fold mb; lra | apply Rle_refl].
  - destruct flushes_pos as [F1 F2]. split; [exact F1|]. split; [exact F2|].
    assert (Bo : forall j, In j js -> bonus ua head top sc 1 merges (INR r) j <= bonus ua head top sc 1 merges (INR r) j + (granted - uw))
      by (intros; lra).
    split; [apply ones_within; try assumption; [lra | apply Two; unfold aside in *; lra]|]. split; [|split].
    + apply values_within; try assumption; [lra | apply Two; lra].
    + apply ones_within; try assumption; [lra | apply Two; lra].
    + eapply Rle_trans; [exact Dd|]. apply le_INR in Hq. simpl in Hq.
      assert (Q : INR q * (ep * Mm) <= 1 * (ep * Mm)) by (apply Rmult_le_compat_r; [apply Rmult_le_pos; assumption | exact Hq]). lra.
Qed.

Lemma p_total : js <> [] -> total p js = 1.
Proof.
  intros NE. unfold p. rewrite (total_ext _ (fun j => exp (- lse) * exp (s j))).
  - rewrite total_scale. fold mass. unfold lse. rewrite exp_Ropp, exp_ln by (apply mass_pos, NE).
    field. apply Rgt_not_eq, mass_pos, NE.
  - intros j _. unfold Rminus. rewrite exp_plus. ring.
Qed.

(** What a run is, before it is divided: its sums, Z = exp (lse - L) times the exact ones. *)
Lemma row_parts : forall L O,
  (forall j, In j js -> far j = false -> rounding j + aside <= 1 / 2) -> lanes L O ->
  let Z := exp (lse - L) in
  exists B' N' Eo,
    denominator = B' + (flushes + faint_sum) /\ numerator = N' + Eo /\
    0 <= B' /\ 0 <= flushes + faint_sum /\ 0 <= Eo /\ 0 <= N' /\
    Rabs (1 - Z) <= Z * B' + (flushes + faint_sum) /\ Rabs (O - Z * out) <= Z * N' + Eo /\
    kept_sum <= 1 /\ Z * kept_sum <= 1 + (flushes + faint_sum).
Proof.
  intros L O Half (T & g1 & gc & gm & O' & M & Bud & NE & X & Y & W & F0 & L0 & G1 & Gc & Gm & Dd) Z.
  assert (A0 : 0 <= aside) by (unfold aside; lra).
  fold Z in G1, Gc, Gm. assert (HZ : 0 < Z) by apply exp_pos.
  assert (P0 : forall j, 0 < p j) by (intros; apply exp_pos). pose proof (p_total NE) as P1.
  assert (S0 : forall j, In j js -> 0 <= score j) by (intros; apply score_pos; assumption).
  assert (D0 : forall j, In j js -> 0 <= dk j).
  { intros j J. eapply Rle_trans; [apply Rabs_pos | apply Hc, J]. }
  assert (Cabs : forall j, In j js -> Rabs (c j) <= Rabs (k j) + dk j).
  { intros j J. pose proof (Hc j J). pose proof (Rabs_triang (c j - k j) (k j)) as G.
    replace (c j - k j + k j) with (c j) in G by ring. lra. }
  assert (E0 : 0 <= faint_sum).
  { unfold faint_sum. apply total_pos. intros j _. destruct (far j); [left; apply faint_pos | lra]. }
  set (K := total (fun j => if far j then faint j * (Rabs (k j) + dk j) else 0) js) in *.
  assert (K0 : 0 <= K).
  { unfold K. apply total_pos. intros j J. destruct (far j); [|lra]. specialize (D0 j J). pose proof (Rabs_pos (k j)).
    apply Rmult_le_pos; [left; apply faint_pos | lra]. }
  assert (Least : Z * total (fun j => if far j then 0 else p j * least_weight (score j) (weight j)) js
    <= 1 + total g1 js).
  { apply (shifted_least T weight g1 L); [|exact X]. intros j J Fj. specialize (Bud j J Fj). specialize (Half j J Fj).
    unfold weight, weight_error. fold (rounding j). lra. }
  apply (shifted_total _ _ weight) in X.
  2: { intros j J Fj. specialize (Bud j J Fj). unfold weight, weight_error. fold (rounding j). lra. }
  apply (shifted_total _ _ (fun j => weight j + aside)) in Y.
  2: { intros j J Fj. specialize (Bud j J Fj). unfold weight, weight_error. fold (rounding j). lra. }
  apply (shifted_total _ _ (fun j => weight j + aside)) in W.
  2: { intros j J Fj. specialize (Bud j J Fj). unfold weight, weight_error. fold (rounding j). lra. }
  fold Z in X, Y, W. assert (P2 : total (fun j => p j * 1) js = 1)
    by (transitivity (total p js); [apply total_ext; intros; ring | exact P1]).
  rewrite P2, Rmult_1_r in X, W.
  set (B' := total (fun j => if far j then p j + faint j else p j * growth (weight j)) js).
  set (N' := total (fun j => if far j then (p j + faint j) * (Rabs (k j) + 2 * dk j) + faint j * dk j
    else p j * (Rabs (k j) * growth (weight j + aside) + dk j * (1 + growth (weight j + aside)))) js).
  assert (W0 : forall j, In j js -> far j = false -> 0 <= weight j).
  { intros j J Fj. specialize (Bud j J Fj). specialize (S0 j J). unfold weight, weight_error. fold (rounding j). lra. }
  assert (Gr : forall j, In j js -> far j = false -> 0 <= growth (weight j + aside)).
  { intros j J Fj. apply growth_pos. specialize (W0 j J Fj). lra. }
  set (Pl := total (fun j => if far j then 2 * p j + faint j else p j * (1 + growth (weight j + aside))) js).
  assert (Pl0 : 0 <= Pl).
  { unfold Pl. apply total_pos. intros j J. pose proof (P0 j). pose proof (faint_pos j).
    destruct (far j) eqn:Fj; [lra|]. pose proof (Gr j J Fj). apply Rmult_le_pos; lra. }
  assert (Mm : M <= Z * Pl + (flushes + faint_sum)).
  { assert (Q : total (fun j => if far j then p j * Rabs 1 else p j * (Rabs 1 * growth (weight j + aside))) js
      + total p js + faint_sum <= Pl).
    { unfold Pl, faint_sum. rewrite <- !total_plus. apply total_le. intros j _. rewrite Rabs_R1. destruct (far j); lra. }
    rewrite P1 in Q. apply (Rmult_le_compat_l Z) in Q; [|lra]. pose proof (Rle_abs (M - Z)). lra. }
  assert (PlS : total (fun j => if far j then 2 * (p j + faint j) else p j * (1 + growth (weight j + aside))) js = Pl + faint_sum).
  { unfold Pl, faint_sum. rewrite <- total_plus. apply total_ext. intros j _. destruct (far j); ring. }
  exists B', (N' + ep * Pl), (lost + K + ep * (flushes + faint_sum) + undamped).
  split.
  { unfold denominator, B', faint_sum. rewrite (Rplus_comm flushes), <- Rplus_assoc, <- total_plus.
    apply Rplus_eq_compat_r, total_ext. intros j _. destruct (far j); ring. }
  split.
  { unfold numerator, part_lost. rewrite PlS.
    replace (N' + ep * Pl + (lost + K + ep * (flushes + faint_sum) + undamped))
      with (N' + K + lost + ep * (Pl + faint_sum + flushes) + undamped) by ring.
    apply Rplus_eq_compat_r, Rplus_eq_compat_r, Rplus_eq_compat_r. unfold N', K. rewrite <- total_plus.
    apply total_ext. intros j _. destruct (far j); ring. }
  split.
  { unfold B'. apply total_pos. intros j J. pose proof (P0 j). pose proof (faint_pos j).
    destruct (far j) eqn:Fj; [lra|]. apply Rmult_le_pos; [lra | apply growth_pos, W0; assumption]. }
  split; [lra|].
  split; [assert (0 <= ep * (flushes + faint_sum)) by (apply Rmult_le_pos; lra); lra|]. split.
  { apply Rplus_le_le_0_compat; [|apply Rmult_le_pos; lra]. unfold N'. apply total_pos. intros j J. pose proof (P0 j). pose proof (faint_pos j). pose proof (D0 j J).
    pose proof (Rabs_pos (k j)). destruct (far j) eqn:Fj.
    - apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
    - pose proof (Gr j J Fj). apply Rmult_le_pos; [lra|]. apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
  split.
  { eapply Rle_trans; [exact X|]. apply Rle_trans with (Z * B' + flushes + faint_sum); [|lra].
    assert (Q : total (fun j => if far j then p j * Rabs 1 else p j * (Rabs 1 * growth (weight j))) js + faint_sum <= B').
    { unfold B', faint_sum. rewrite <- total_plus. apply total_le. intros j _. rewrite Rabs_R1. destruct (far j); lra. }
    apply (Rmult_le_compat_l Z) in Q; lra. }
  split.
  { apply (Rmult_le_compat_l ep) in Mm; [|exact Hep].
    assert (Q : Rabs (O' - Z * out) <= Z * N' + (lost + K)); [|
      replace (O - Z * out) with ((O - O') + (O' - Z * out)) by ring;
      eapply Rle_trans; [apply Rabs_triang|]; lra].
    replace (O' - Z * out) with ((O' - Z * total (fun j => p j * c j) js)
      + Z * (total (fun j => p j * c j) js - out)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult, (Rabs_pos_eq Z) by lra.
    assert (C : Rabs (total (fun j => p j * c j) js - out) <= total (fun j => p j * dk j) js).
    { unfold out. replace (total (fun j => p j * c j) js - total (fun j => p j * k j) js)
        with (total (fun j => p j * (c j - k j)) js).
      - eapply Rle_trans; [apply total_abs|]. apply total_le. intros j J. rewrite Rabs_mult.
        rewrite (Rabs_pos_eq (p j)) by (left; apply P0). apply Rmult_le_compat_l; [left; apply P0 | apply Hc, J].
      - unfold Rminus at 2. replace (- total (fun j => p j * k j) js)
          with (-1 * total (fun j => p j * k j) js) by ring.
        rewrite <- total_scale, <- total_plus. apply total_ext. intros. ring. }
    apply (Rmult_le_compat_l Z) in C; [|lra].
    eapply Rle_trans; [apply Rplus_le_compat; [exact Y | exact C]|].
    assert (NN : total (fun j => if far j then p j * Rabs (c j) else p j * (Rabs (c j) * growth (weight j + aside))) js
      + total (fun j => p j * dk j) js + K <= N').
    { unfold N', K. rewrite <- !total_plus. apply total_le. intros j J. pose proof (Cabs j J) as Cj.
      pose proof (P0 j). pose proof (faint_pos j). pose proof (D0 j J). destruct (far j) eqn:Fj.
      - assert (p j * Rabs (c j) <= p j * (Rabs (k j) + dk j)) by (apply Rmult_le_compat_l; lra).
        assert (0 <= faint j * dk j) by (apply Rmult_le_pos; lra). lra.
      - pose proof (Gr j J Fj).
        assert (Rabs (c j) * growth (weight j + aside) <= (Rabs (k j) + dk j) * growth (weight j + aside))
          by (apply Rmult_le_compat_r; assumption). nra. }
    apply (Rmult_le_compat_l Z) in NN; [|lra]. lra. }
  assert (Lo1 : total (fun j => if far j then 0 else p j * least_weight (score j) (weight j)) js <= 1).
  { rewrite <- P1. apply total_le. intros j J. pose proof (P0 j). destruct (far j) eqn:Fj; [lra|].
    rewrite <- (Rmult_1_r (p j)) at 2. apply Rmult_le_compat_l; [lra|].
    unfold least_weight. rewrite <- exp_0. apply exp_le. specialize (Bud j J Fj). specialize (S0 j J).
    unfold weight, weight_error. fold (rounding j). lra. }
  unfold kept_sum. split; [lra|]. lra.
Qed.

Lemma lanes_bound : forall L O, ((exists j, In j js /\ far j = false) -> lanes L O) -> js <> [] ->
  (forall j, In j js -> far j = false -> rounding j + aside <= 1 / 2) -> denominator < 1 ->
  Rabs (O - out) <= divided /\ Rabs (L - lse) <= quotient denominator.
Proof.
  intros L O M NE Half D1.
  assert (Some : exists j, In j js /\ far j = false).
  { destruct (Exists_dec (fun j => far j = false) js) as [E | E].
    - intros j. destruct (far j); [right; discriminate | left; reflexivity].
    - apply Exists_exists in E. exact E.
    - exfalso. assert (Q : total p js <= denominator).
      { unfold denominator. assert (F : 0 <= flushes).
        { unfold flushes. apply Rmult_le_pos; [lra|]. apply total_pos. intros j _. unfold flush. rewrite Rabs_R1.
          pose proof (pos_INR (length js)) as N0. fold n in N0.
          destruct (rescaled_ge ua eta head Heta Hhead) as [HE _].
          assert (0 <= (3 * n + merges) * (8 * rescaled_tiny eta head * (1 + 1))) by (repeat apply Rmult_le_pos; lra). lra. }
        apply Rle_trans with (total (fun j => if far j then p j + 2 * faint j else p j * growth (weight j)) js); [|lra].
        apply total_le. intros j J. destruct (far j) eqn:Fj.
        - pose proof (faint_pos j). lra.
        - exfalso. apply E, Exists_exists. exists j. auto. }
      rewrite (p_total NE) in Q. lra. }
  destruct (row_parts L O Half (M Some)) as (B' & N' & Eo & HD & HN & B0 & E0 & Eo0 & N0 & X & Y & _).
  unfold divided, divided_by, divided_error. rewrite HD, HN in *.
  destruct (quotient_of_sums _ out O N' Eo B' (flushes + faint_sum) (exp_pos (lse - L)) B0 E0 Eo0 N0 D1 X Y) as [Q1 Q2].
  split; [exact Q1|]. rewrite ln_exp in Q2. rewrite Rabs_minus_sym. exact Q2.
Qed.

Lemma lanes_bound_wide : forall L O, lanes L O ->
  (forall j, In j js -> far j = false -> rounding j + aside <= 1 / 2) -> flushes + faint_sum < 1 -> 0 < kept_sum ->
  Rabs (O - out) <= divided_by least /\
  Rabs (L - lse) <= wide_lse_error denominator (flushes + faint_sum) least.
Proof.
  intros L O M Half F1 Kp.
  destruct (row_parts L O Half M) as (B' & N' & Eo & HD & HN & B0 & E0 & Eo0 & N0 & X & Y & Lo & ZLo).
  unfold divided_by, least. rewrite HD, HN in *.
  destruct (quotient_wide _ out O N' Eo B' (flushes + faint_sum) _ (exp_pos (lse - L)) B0 (conj E0 F1) Eo0 N0
    (conj Kp Lo) ZLo X Y) as [Q1 Q2].
  split; [exact Q1|]. rewrite ln_exp in Q2. rewrite Rabs_minus_sym. exact Q2.
Qed.

Lemma lanes_hull : forall L O v rounded z, lanes L O ->
  (exists j, In j js /\ far j = false) ->
  (forall j, In j js -> far j = false -> rounding j + aside <= rounded) -> rounded <= 1 / 2 ->
  (forall j, In j js -> far j = false -> Rabs (k j) + dk j <= v) ->
  (faint_sum = 0 \/ exp (lse - L) <= z) ->
  Rabs (O - out) <= hull_error (Rabs out) (v + ep) rounded (flushes + (1 + z) * faint_sum)
    (lost + (1 + z) * total (fun j => if far j then faint j * (Rabs (k j) + dk j) else 0) js
     + ep * (flushes + (1 + z) * faint_sum)) + undamped.
Proof.
  intros L O v rounded z (T & g1 & gc & gm & O' & M & Bud & NE & X & Y & Wm & F0 & L0 & G1 & Gc & Gm & Dd)
    Some Half Half' V Zz. assert (A0 : 0 <= aside) by (unfold aside; lra).
  set (Z := exp (lse - L)) in *. assert (HZ : 0 < Z) by apply exp_pos.
  set (K := total (fun j => if far j then faint j * (Rabs (k j) + dk j) else 0) js) in *.
  assert (D0 : forall j, In j js -> 0 <= dk j).
  { intros j J. eapply Rle_trans; [apply Rabs_pos | apply Hc, J]. }
  assert (E0 : 0 <= faint_sum).
  { unfold faint_sum. apply total_pos. intros j _. destruct (far j); [left; apply faint_pos | lra]. }
  assert (K0 : 0 <= K).
  { unfold K. apply total_pos. intros j J. destruct (far j); [|lra]. specialize (D0 j J). pose proof (Rabs_pos (k j)).
    apply Rmult_le_pos; [left; apply faint_pos | lra]. }
  assert (Zero : faint_sum = 0 -> K = 0).
  { intros Z0. assert (Q : forall j, In j js -> far j = false).
    { intros j J. destruct (far j) eqn:Fj; [|reflexivity]. exfalso.
      assert (P : forall l, In j l -> faint j <= total (fun i => if far i then faint i else 0) l).
      { induction l as [|i l IH]; intros I; [destruct I|]. simpl.
        assert (0 <= total (fun i => if far i then faint i else 0) l)
          by (apply total_pos; intros x _; destruct (far x); [left; apply faint_pos | lra]).
        destruct I as [-> | I]; [rewrite Fj; lra|]. specialize (IH I).
        destruct (far i); [pose proof (faint_pos i); lra | lra]. }
      pose proof (P js J) as P'. fold faint_sum in P'. pose proof (faint_pos j). lra. }
    unfold K. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; ring|].
    intros j J. rewrite (Q j J). reflexivity. }
  assert (Gz : (1 + Z) * faint_sum <= (1 + z) * faint_sum).
  { destruct Zz as [Z0 | Zz]; [rewrite Z0 in *; lra | apply Rmult_le_compat_r; lra]. }
  assert (G1' : total g1 js <= flushes + (1 + z) * faint_sum) by lra.
  assert (Gm' : total gm js <= flushes + (1 + z) * faint_sum) by lra.
  assert (Gc' : total gc js <= lost + (1 + z) * K).
  { destruct Zz as [Z0 | Zz]; [rewrite (Zero Z0) in *; lra|].
    assert ((1 + Z) * K <= (1 + z) * K) by (apply Rmult_le_compat_r; lra). lra. }
  set (fl := flushes + (1 + z) * faint_sum) in *. set (lo := lost + (1 + z) * K) in *.
  set (w := total (fun j => exp (sc j - L) * seen far (fun _ => 1) j) js).
  assert (Seen : forall j, 0 <= exp (sc j - L) * seen far (fun _ => 1) j).
  { intros j. pose proof (exp_pos (sc j - L)). unfold seen. destruct (far j); lra. }
  assert (W : w <= (1 + fl) * exp (3 * rounded)).
  { apply Rmult_le_reg_r with (exp (- (3 * rounded))); [apply exp_pos|].
    rewrite Rmult_assoc, <- exp_plus, Rplus_opp_r, exp_0, Rmult_1_r.
    unfold near in X. apply Rabs_le_inv in X. destruct X as [X _].
    unfold w. rewrite Rmult_comm, <- total_scale.
    assert (C : total (fun j => exp (- (3 * rounded)) * (exp (sc j - L) * seen far (fun _ => 1) j)) js
      <= total (fun j => exp (sc j - L) * seen far (fun _ => 1) j
        + (-1 * (Rabs (exp (sc j - L) * seen far (fun _ => 1) j) * (exp (T j) - 1) + g1 j) + g1 j)) js).
    { apply total_le. intros j J. specialize (Bud j J). specialize (Half j J). pose proof (Seen j) as Sj.
      rewrite (Rabs_pos_eq _ Sj). unfold seen in *. destruct (far j); [rewrite !Rmult_0_r; lra|].
      specialize (Bud eq_refl). specialize (Half eq_refl). rewrite Rmult_1_r in *.
      pose proof (least_factor (T j) ltac:(lra)) as T3. pose proof (exp_pos (sc j - L)).
      assert (exp (- (3 * rounded)) <= 2 - exp (T j)) by (eapply Rle_trans; [apply exp_le | exact T3]; lra).
      assert (exp (- (3 * rounded)) * exp (sc j - L) <= (2 - exp (T j)) * exp (sc j - L))
        by (apply Rmult_le_compat_r; lra). lra. }
    eapply Rle_trans; [exact C|]. rewrite !total_plus, total_scale. lra. }
  assert (HM : M <= exp rounded * w + fl).
  { eapply Rle_trans; [apply Rle_abs|]. eapply Rle_trans; [apply (near_abs _ _ _ _ _ Wm)|]. rewrite total_plus.
    apply Rplus_le_compat; [|exact Gm']. unfold w. rewrite <- !total_scale. apply total_le. intros j J.
    specialize (Bud j J). specialize (Half j J). pose proof (Seen j) as Sj. rewrite (Rabs_pos_eq _ Sj).
    unfold seen in *. destruct (far j); [rewrite !Rmult_0_r; lra|].
    specialize (Bud eq_refl). specialize (Half eq_refl). rewrite Rmult_comm. apply Rmult_le_compat_r; [exact Sj|].
    apply exp_le. lra. }
  assert (HO : Rabs O' <= exp rounded * (v * w) + lo).
  { eapply Rle_trans; [apply (near_abs _ _ _ _ _ Y)|]. rewrite total_plus.
    apply Rplus_le_compat; [|exact Gc']. unfold w. rewrite <- !total_scale. apply total_le. intros j J.
    specialize (Bud j J). specialize (Half j J). specialize (V j J). unfold seen. destruct (far j).
    - rewrite !Rmult_0_r, Rabs_R0. lra.
    - specialize (Bud eq_refl). specialize (Half eq_refl). specialize (V eq_refl).
      rewrite Rabs_mult, (Rabs_pos_eq (exp _)), Rmult_1_r by (left; apply exp_pos).
      assert (Cabs : Rabs (c j) <= v).
      { pose proof (Hc j J). pose proof (Rabs_triang (c j - k j) (k j)) as G.
        replace (c j - k j + k j) with (c j) in G by ring. lra. }
      assert (E : exp (T j + aside) <= exp rounded) by (apply exp_le; lra).
      pose proof (exp_pos (sc j - L)). pose proof (exp_pos (T j + aside)).
      assert (exp (sc j - L) * Rabs (c j) <= v * exp (sc j - L)) by (rewrite Rmult_comm; apply Rmult_le_compat_r; lra).
      rewrite (Rmult_comm (exp rounded)).
      apply Rmult_le_compat; try lra. apply Rmult_le_pos; [lra | apply Rabs_pos]. }
  assert (V0 : 0 <= v).
  { destruct Some as (j & J & Fj). specialize (V j J Fj). pose proof (Rabs_pos (k j)). specialize (D0 j J). lra. }
  assert (Ew : exp rounded * w <= exp (4 * rounded) * (1 + fl)).
  { replace (4 * rounded) with (rounded + 3 * rounded) by ring. rewrite exp_plus, Rmult_assoc, (Rmult_comm (exp (3 * rounded))).
    apply Rmult_le_compat_l; [left; apply exp_pos | exact W]. }
  assert (Ev : exp rounded * (v * w) <= v * (exp (4 * rounded) * (1 + fl))).
  { replace (exp rounded * (v * w)) with (v * (exp rounded * w)) by ring. apply Rmult_le_compat_l; assumption. }
  assert (Em : ep * M <= ep * (exp (4 * rounded) * (1 + fl) + fl)) by (apply Rmult_le_compat_l; lra).
  unfold hull_error. pose proof (Rabs_triang O' (- out)) as G. rewrite Rabs_Ropp in G.
  replace (O' + - out) with (O' - out) in G by ring.
  pose proof (Rabs_triang (O - O') (O' - out)) as G2. replace (O - O' + (O' - out)) with (O - out) in G2 by ring. lra.
Qed.

(** Runs of AttentionModel.v, to which nothing but [uw] is granted; [granted] and [undamped] may be anything more. *)
Theorem row_bound : forall r q L O, INR r <= merges -> (q <= 1)%nat ->
  (forall j, In j js -> far j = false -> rounding j + aside <= 1 / 2) ->
  merged ua ue eta uw ew head fall up ep top beside sc c hp js r q L O -> js <> [] -> denominator < 1 ->
  Rabs (O - out) <= divided /\ Rabs (L - lse) <= quotient denominator.
Proof.
  intros r q L O Rr Hq Half M NE. apply lanes_bound; try assumption. intros Some. now apply (row_lanes r q).
Qed.

(** No assumption says that the computed sum keeps anything: [kept_sum] is looked at. *)
Theorem row_bound_wide : forall r q L O, INR r <= merges -> (q <= 1)%nat ->
  (exists j, In j js /\ far j = false) ->
  (forall j, In j js -> far j = false -> rounding j + aside <= 1 / 2) ->
  merged ua ue eta uw ew head fall up ep top beside sc c hp js r q L O -> flushes + faint_sum < 1 -> 0 < kept_sum ->
  Rabs (O - out) <= divided_by least /\
  Rabs (L - lse) <= wide_lse_error denominator (flushes + faint_sum) least.
Proof.
  intros r q L O Rr Hq Some Half M. apply lanes_bound_wide; try assumption. now apply (row_lanes r q).
Qed.

(** [z] is only looked at where there are far keys: 1/least, or anything that Z is known to be below. *)
Theorem row_hull : forall r q L O v rounded z, INR r <= merges -> (q <= 1)%nat ->
  (exists j, In j js /\ far j = false) ->
  (forall j, In j js -> far j = false -> rounding j + aside <= rounded) -> rounded <= 1 / 2 ->
  (forall j, In j js -> far j = false -> Rabs (k j) + dk j <= v) ->
  (faint_sum = 0 \/ exp (lse - L) <= z) ->
  merged ua ue eta uw ew head fall up ep top beside sc c hp js r q L O ->
  Rabs (O - out) <= hull_error (Rabs out) (v + ep) rounded (flushes + (1 + z) * faint_sum)
    (lost + (1 + z) * total (fun j => if far j then faint j * (Rabs (k j) + dk j) else 0) js
     + ep * (flushes + (1 + z) * faint_sum)) + undamped.
Proof.
  intros r q L O v rounded z Rr Hq Some Half Half' V Zz M. apply (lanes_hull L); try assumption.
  apply (row_lanes r q); try assumption. intros j J Fj. specialize (Half j J Fj). lra.
Qed.

End Bound.

(** After the quotient: at most two more operations (a dropout scale, a copy), the final rounding. *)
Theorem stored_bound : forall ua uo tiny otiny out divided O O' O'', 0 <= ua -> 0 <= uo ->
  Rabs (O - out) <= divided -> rounds (3 * ua) tiny O O' -> rounds uo otiny O' O'' ->
  let unrounded := unrounded_error ua tiny (Rabs out) divided in
  Rabs (O'' - out) <= unrounded + (uo * (Rabs out + unrounded) + otiny).
Proof.
  intros ua uo tiny otiny out divided O O' O'' U UO H R1 R2 unrounded. unfold rounds in *.
  pose proof (Rabs_triang (O - out) out) as A1. replace (O - out + out) with O in A1 by ring.
  assert (H1 : Rabs (O' - out) <= unrounded).
  { replace (O' - out) with ((O' - O) + (O - out)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    unfold unrounded, unrounded_error. assert (3 * ua * Rabs O <= 3 * ua * (Rabs out + divided))
      by (apply Rmult_le_compat_l; lra). lra. }
  pose proof (Rabs_triang (O' - out) out) as A2. replace (O' - out + out) with O' in A2 by ring.
  replace (O'' - out) with ((O'' - O') + (O' - out)) by ring. eapply Rle_trans; [apply Rabs_triang|].
  assert (uo * Rabs O' <= uo * (Rabs out + unrounded)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** One conversion (from base 2, say), then the format the LSE is stored in. bounds.ts, lseStored. *)
Theorem lse_stored_bound : forall ua uo lse divided L L' L'', 0 <= ua -> 0 <= uo ->
  Rabs (L - lse) <= divided -> rounds (3 * ua) 0 L L' -> rounds uo 0 L' L'' ->
  let error := converted_error ua (Rabs lse) divided in
  Rabs (L'' - lse) <= error + uo * (Rabs lse + error).
Proof.
  intros ua uo lse divided L L' L'' U UO H R1 R2.
  pose proof (stored_bound ua uo 0 0 lse divided L L' L'' U UO H R1 R2) as X. unfold unrounded_error, converted_error in *. cbv zeta in *.
  rewrite !Rplus_0_r in X. exact X.
Qed.
