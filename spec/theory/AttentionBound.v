(** * AttentionBound: lemmas Weight, Denominator, Output and Log of bounds.md

    Purpose. From any run of AttentionModel.v to the bounds that reference/bounds.ts computes from
    exact quantities: exact scores s, coefficients k (dropout factor times value, 0 for the sink), the
    scores' errors, the carried errors of the values. [weight_error], [denominator], [numerator] and
    [divided] are the expressions of reference/step-errors.ts and bounds.ts.

    Main results.
    - [weight_bound]    what a run can cost key j is at most weight_error
    - [row_bound]       |O - out| <= divided = (numerator + |out| B) / (1 - B), B = denominator < 1,
                        and |L - lse| <= B / (1 - B)
    - [row_bound_wide]  the same whatever B is, over the least that the denominator can be; the LSE's
                        error is then a logarithm
    - [row_hull]        O is an average of what it is made of, however far off the weights are
    - [stored_bound], [lse_stored_bound]   the roundings after that

    Conditions, beside those of AttentionModel.v: the part of weight_error that is not the score's is
    at most 1/2 (some 500 000 keys in single precision), and underflow does not reach the size of the
    values; [top] = lse + slack.

    Dependencies. AttentionAccuracy.v. *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy.
From Xattn Require Import AttentionModel AttentionAccuracy.
Import ListNotations.
Open Scope R_scope.

(** step-errors.ts, weightError: [slack] is one more than the largest score error of the row. *)
Definition weight_rounding (ue ua n ranks slack lse s score : R) : R :=
  let reach := Rmax (Rabs s) (Rabs lse) + slack + 1 in
  let exponential := (8 + 2 * (Rabs s + score)) * ue in
  let summed := 8 * n * ua in
  let shifted := 10 * (lse - s + 2 * slack) * ua in
  let merged := (18 + 7 * reach + ranks * (14 + 2 * reach)) * ua in
  exponential + summed + shifted + merged.

Definition weight_error (ue ua n ranks slack lse s score : R) : R :=
  score + weight_rounding ue ua n ranks slack lse s score.

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

Section Bound.

Context {A : Type}.
Variables ua ue eta beside : R.
Variables s sc score k c dk ho : A -> R.
Variables (js : list A) (slack ranks : R).
Hypothesis Hua : 0 <= ua <= 1 / 2.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hho : forall j, 0 <= ho j.
Hypothesis Hscore : forall j, In j js -> Rabs (sc j - s j) <= score j /\ score j + 1 <= slack.
Hypothesis Hc : forall j, In j js -> Rabs (c j - k j) <= dk j.

Definition mass : R := total (fun j => exp (s j)) js.
Definition lse : R := ln mass.
Definition top : R := lse + slack.
Definition p (j : A) : R := exp (s j - lse).
Definition out : R := total (fun j => p j * k j) js.
Definition n : R := INR (length js).

Definition weight (j : A) : R := weight_error ue ua n ranks slack lse (s j) (score j).
Definition rounding (j : A) : R := weight_rounding ue ua n ranks slack lse (s j) (score j).

(** bounds.ts, rowBound and outError. *)
Definition flushes : R := 2 * total (fun _ => flush eta (3 * eta) 1 (3 * n + ranks)) js.
Definition denominator : R := total (fun j => p j * growth (weight j)) js + flushes.
(** What the computed denominator is at least, of the exact one, when the weights may be far off. *)
Definition least : R := total (fun j => p j * least_weight (score j) (weight j)) js / (1 + flushes).
Definition numerator : R :=
  total (fun j => p j * (Rabs (k j) * growth (weight j + beside)
    + dk j * (1 + growth (weight j + beside)))) js
  + 2 * total (fun j => flush eta (3 * ho j) (Rabs (k j) + dk j) (3 * n + ranks)) js.
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
  { unfold mass. clear P Hscore Hc. induction js as [|i l IH]; [destruct J|]. simpl.
    pose proof (total_pos (fun i => exp (s i)) l (fun i _ => Rlt_le _ _ (exp_pos _))).
    pose proof (exp_pos (s i)). destruct J as [-> | J]; [lra | specialize (IH J); lra]. }
  rewrite <- (ln_exp (s j)). destruct L as [L | ->]; [left; apply ln_increasing; [apply exp_pos | exact L] | lra].
Qed.

(** What a run may cost a key, in computed quantities, is at most what bounds.ts computes. *)
Theorem weight_bound : forall r L j, In j js -> 0 <= r <= ranks -> L <= top ->
  merged_budget ua ue top sc n r L j <= rounding j.
Proof.
  intros r L j J R LT. destruct (Hscore j J) as [S1 S2]. pose proof (score_below_lse j J) as B.
  assert (Sabs : Rabs (sc j) <= Rabs (s j) + score j).
  { pose proof (Rabs_triang (sc j - s j) (s j)) as G. replace (sc j - s j + s j) with (sc j) in G by ring. lra. }
  assert (S0 : 0 <= score j) by (eapply Rle_trans; [apply Rabs_pos | exact S1]).
  apply Rabs_le_inv in S1.
  assert (Reach : reach top sc j <= Rmax (Rabs (s j)) (Rabs lse) + slack + 1).
  { unfold reach. pose proof (Rmax_l (Rabs (s j)) (Rabs lse)). pose proof (Rmax_r (Rabs (s j)) (Rabs lse)).
    apply Rplus_le_compat_r, Rmax_lub; [lra|]. unfold top. pose proof (Rabs_triang lse slack) as G.
    rewrite (Rabs_pos_eq slack) in G by lra. lra. }
  assert (0 <= reach top sc j).
  { unfold reach. pose proof (Rabs_pos (sc j)). pose proof (Rmax_l (Rabs (sc j)) (Rabs top)). lra. }
  unfold merged_budget, rounding, weight_rounding. cbv zeta.
  set (m := Rmax _ _ + slack + 1) in *. set (q := reach top sc j) in *. unfold top in *.
  assert ((8 + 2 * Rabs (sc j)) * ue <= (8 + 2 * (Rabs (s j) + score j)) * ue)
    by (apply Rmult_le_compat_r; lra).
  assert (r * (14 + 2 * q) <= ranks * (14 + 2 * m)) by (apply Rmult_le_compat; lra).
  assert ((8 * n + 10 * (L - sc j) + (7 * q + 18) + r * (14 + 2 * q)) * ua
    <= (8 * n + 10 * (lse - s j + 2 * slack) + (18 + 7 * m + ranks * (14 + 2 * m))) * ua)
    by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

(** Errors of the scores are factors of the weights. *)
Lemma score_shift : forall t s1 s2 d h T, Rabs (s1 - s2) <= d -> 0 <= h -> 0 <= T ->
  (Rabs (exp s1 * t) + h) * exp T - Rabs (exp s1 * t) + Rabs (exp s1 * t - exp s2 * t)
    <= Rabs (exp s2 * t) * (exp (T + d) - 1) + h * exp T.
Proof.
  intros t s1 s2 d h T D H HT. rewrite exp_plus.
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

Lemma shifted_total : forall (t h T W : A -> R) L x,
  (forall j, In j js -> 0 <= h j /\ 0 <= T j <= 1 / 2 /\ T j + score j <= W j) ->
  approx js (fun j => exp (sc j - L) * t j) h T 0 x ->
  Rabs (x - exp (lse - L) * total (fun j => p j * t j) js)
    <= exp (lse - L) * total (fun j => p j * (Rabs (t j) * growth (W j))) js + 2 * total h js.
Proof.
  intros t h T W L x H X. unfold approx in X. rewrite Rplus_0_r in X.
  assert (Sh : forall f, exp (lse - L) * total (fun j => p j * f j) js
    = total (fun j => exp (s j - L) * f j) js).
  { intros f. rewrite <- total_scale. apply total_ext. intros j _. unfold p.
    rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring. }
  rewrite !Sh.
  replace (x - total (fun j => exp (s j - L) * t j) js)
    with ((x - total (fun j => exp (sc j - L) * t j) js)
      + total (fun j => exp (sc j - L) * t j - exp (s j - L) * t j) js).
  2: { replace (total (fun j => exp (sc j - L) * t j - exp (s j - L) * t j) js)
         with (total (fun j => exp (sc j - L) * t j) js - total (fun j => exp (s j - L) * t j) js); [ring|].
       unfold Rminus at 1. replace (- total (fun j => exp (s j - L) * t j) js)
         with (-1 * total (fun j => exp (s j - L) * t j) js) by ring.
       rewrite <- total_scale, <- total_plus. apply total_ext. intros. ring. }
  eapply Rle_trans; [apply Rabs_triang|].
  eapply Rle_trans; [apply Rplus_le_compat; [exact X | apply total_abs]|].
  rewrite <- total_scale, <- !total_plus. apply total_le. intros j J.
  destruct (H j J) as (H1 & H2 & H3). destruct (Hscore j J) as [S1 S2].
  eapply Rle_trans; [apply (score_shift (t j) (sc j - L) (s j - L) (score j)); try lra|].
  { replace (sc j - L - (s j - L)) with (sc j - s j) by ring. exact S1. }
  assert (S0 : 0 <= score j) by (eapply Rle_trans; [apply Rabs_pos | exact S1]).
  pose proof (growth_bounds (W j) ltac:(lra)) as G. pose proof (exp_le _ _ H3).
  pose proof (exp_half (T j) (proj2 H2)). rewrite Rabs_mult, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
  rewrite Rmult_assoc. apply Rplus_le_compat; [|nra].
  apply Rmult_le_compat_l; [left; apply exp_pos|]. apply Rmult_le_compat_l; [apply Rabs_pos | lra].
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

Lemma shifted_least : forall (h T W : A -> R) L,
  (forall j, In j js -> 0 <= h j /\ 0 <= T j <= 1 / 2 /\ T j + score j <= W j) ->
  approx js (fun j => exp (sc j - L) * 1) h T 0 1 ->
  exp (lse - L) * total (fun j => p j * least_weight (score j) (W j)) js <= 1 + 2 * total h js.
Proof.
  intros h T W L H X. unfold approx in X. rewrite Rplus_0_r in X.
  apply Rabs_le_inv in X. destruct X as [X _].
  rewrite <- !total_scale.
  assert (C : total (fun j => exp (lse - L) * (p j * least_weight (score j) (W j))) js
    <= total (fun j => exp (sc j - L) * 1 + -1 * ((Rabs (exp (sc j - L) * 1) + h j) * exp (T j)
        - Rabs (exp (sc j - L) * 1)) + 2 * h j) js).
  { apply total_le. intros j J. destruct (H j J) as (H1 & H2 & H3). destruct (Hscore j J) as [S1 _].
    rewrite Rmult_1_r, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
    pose proof (exp_half (T j) (proj2 H2)) as T2. pose proof (least_factor (T j) H2) as T3.
    unfold p, least_weight. rewrite <- Rmult_assoc, <- !exp_plus.
    apply Rabs_le_inv in S1. pose proof (exp_pos (sc j - L)).
    assert (exp (lse - L + (s j - lse) + (2 * score j - 3 * W j)) <= exp (sc j - L) * exp (- (3 * T j)))
      by (rewrite <- exp_plus; apply exp_le; lra).
    assert (exp (sc j - L) * exp (- (3 * T j)) <= exp (sc j - L) * (2 - exp (T j)))
      by (apply Rmult_le_compat_l; lra).
    assert (h j * exp (T j) <= h j * 2) by (apply Rmult_le_compat_l; lra). lra. }
  eapply Rle_trans; [exact C|]. rewrite !total_plus, !total_scale. lra.
Qed.

(** What a run is, before it is divided: its sums, Z = exp (lse - L) times the exact ones. *)
Lemma row_parts : forall r L O, INR r <= ranks ->
  (forall j, In j js -> rounding j + beside <= 1 / 2) ->
  flush eta (3 * eta) 1 (3 * n + ranks) <= 2 -> (forall j, flush eta (3 * ho j) (c j) (3 * n + ranks) <= Rabs (c j) + 1) ->
  merged ua ue eta top beside sc c ho js r L O ->
  let Z := exp (lse - L) in
  exists B' N' Eo,
    denominator = B' + flushes /\ numerator = N' + Eo /\
    0 <= B' /\ 0 <= flushes /\ 0 <= Eo /\ 0 <= N' /\
    Rabs (1 - Z) <= Z * B' + flushes /\ Rabs (O - Z * out) <= Z * N' + Eo /\
    0 < total (fun j => p j * least_weight (score j) (weight j)) js <= 1 /\
    Z * total (fun j => p j * least_weight (score j) (weight j)) js <= 1 + flushes.
Proof.
  intros r L O Rr Half Fl Fc M Z. pose proof (pos_INR r) as R0. pose proof (pos_INR (length js)) as N0.
  fold n in N0.
  destruct (merged_accuracy ua ue eta top beside sc c ho Hua Hue Heta Hbeside Hho (3 * n + ranks) Fl Fc
    js r L O M ltac:(unfold n; lra)) as (Sj & LT & NE & X & Y). fold n in X, Y.
  assert (Up : forall h a, 0 <= h -> 0 <= flush eta h a (3 * n + INR r) <= flush eta h a (3 * n + ranks)).
  { intros h a H. unfold flush. pose proof (Rabs_pos a).
    assert (0 <= 8 * eta * (Rabs a + 1)) by (repeat apply Rmult_le_pos; lra).
    assert (0 <= (3 * n + INR r) * (8 * eta * (Rabs a + 1))) by (apply Rmult_le_pos; lra).
    assert ((3 * n + INR r) * (8 * eta * (Rabs a + 1)) <= (3 * n + ranks) * (8 * eta * (Rabs a + 1)))
      by (apply Rmult_le_compat_r; lra). lra. }
  assert (Bud : forall j, In j js -> 0 <= merged_budget ua ue top sc n (INR r) L j <= rounding j).
  { intros j J. split; [|apply weight_bound; [exact J | lra | exact LT]].
    specialize (Sj j J). unfold merged_budget. pose proof (Rabs_pos (sc j)).
    assert (0 <= reach top sc j) by (unfold reach; pose proof (Rmax_l (Rabs (sc j)) (Rabs top)); lra).
    assert (0 <= INR r * (14 + 2 * reach top sc j)) by (apply Rmult_le_pos; lra).
    apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
  assert (HZ : 0 < Z) by apply exp_pos.
  assert (P0 : forall j, 0 < p j) by (intros; apply exp_pos).
  assert (P1 : total (fun j => p j * 1) js = 1).
  { unfold p. rewrite (total_ext _ (fun j => exp (- lse) * exp (s j))).
    - rewrite total_scale. fold mass. unfold lse. rewrite exp_Ropp, exp_ln by (apply mass_pos, NE).
      field. apply Rgt_not_eq, mass_pos, NE.
    - intros j _. unfold Rminus. rewrite exp_plus. ring. }
  assert (S0 : forall j, In j js -> 0 <= score j).
  { intros j J. destruct (Hscore j J). eapply Rle_trans; [apply Rabs_pos | eassumption]. }
  assert (Least : exp (lse - L) * total (fun j => p j * least_weight (score j) (weight j)) js
    <= 1 + 2 * total (fun _ => flush eta (3 * eta) 1 (3 * n + INR r)) js).
  { apply (shifted_least _ (merged_budget ua ue top sc n (INR r) L)); [|exact X].
    intros j J. split; [apply Up; lra|]. specialize (Bud j J). specialize (Half j J).
    unfold weight, weight_error. fold (rounding j). lra. }
  apply (shifted_total _ _ _ weight) in X.
  2: { intros j J. split; [apply Up; lra|]. specialize (Bud j J). specialize (Half j J).
       unfold weight, weight_error. fold (rounding j). lra. }
  fold Z in X. rewrite P1, Rmult_1_r in X. fold Z in Least.
  apply (shifted_total _ _ _ (fun j => weight j + beside)) in Y.
  2: { intros j J. split; [apply Up; specialize (Hho j); lra|]. specialize (Bud j J). specialize (Half j J).
       unfold weight, weight_error. fold (rounding j). lra. }
  fold Z in Y.
  set (B' := total (fun j => p j * growth (weight j)) js).
  set (E := 2 * total (fun _ => flush eta (3 * eta) 1 (3 * n + ranks)) js).
  set (N' := total (fun j => p j * (Rabs (k j) * growth (weight j + beside)
    + dk j * (1 + growth (weight j + beside)))) js).
  set (Eo := 2 * total (fun j => flush eta (3 * ho j) (Rabs (k j) + dk j) (3 * n + ranks)) js).
  assert (W0 : forall j, In j js -> 0 <= weight j).
  { intros j J. specialize (Bud j J). specialize (S0 j J). unfold weight, weight_error. fold (rounding j). lra. }
  assert (X' : Rabs (1 - Z) <= Z * B' + E).
  { eapply Rle_trans; [exact X|]. unfold B', E. apply Rplus_le_compat.
    - apply Rmult_le_compat_l; [lra|]. apply Req_le, total_ext. intros. rewrite Rabs_R1. ring.
    - apply Rmult_le_compat_l; [lra|]. apply total_le. intros. apply Up; lra. }
  assert (Cabs : forall j, In j js -> Rabs (c j) <= Rabs (k j) + dk j).
  { intros j J. pose proof (Hc j J). pose proof (Rabs_triang (c j - k j) (k j)) as G.
    replace (c j - k j + k j) with (c j) in G by ring. lra. }
  assert (D0 : forall j, In j js -> 0 <= dk j).
  { intros j J. eapply Rle_trans; [apply Rabs_pos | apply Hc, J]. }
  assert (Gr : forall j, In j js -> 0 <= growth (weight j + beside)).
  { intros j J. apply growth_pos. specialize (W0 j J). lra. }
  assert (Y' : Rabs (O - Z * out) <= Z * N' + Eo).
  { replace (O - Z * out) with ((O - Z * total (fun j => p j * c j) js)
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
    assert (NN : total (fun j => p j * (Rabs (c j) * growth (weight j + beside))) js
      + total (fun j => p j * dk j) js <= N').
    { unfold N'. rewrite <- total_plus. apply total_le. intros j J. pose proof (Gr j J).
      assert (Rabs (c j) * growth (weight j + beside) <= (Rabs (k j) + dk j) * growth (weight j + beside))
        by (apply Rmult_le_compat_r; [assumption | apply Cabs, J]).
      pose proof (P0 j). nra. }
    assert (HH : 2 * total (fun j => flush eta (3 * ho j) (c j) (3 * n + INR r)) js <= Eo).
    { unfold Eo. apply Rmult_le_compat_l; [lra|]. apply total_le. intros j J.
      eapply Rle_trans; [apply Up; specialize (Hho j); lra|]. unfold flush. apply Rplus_le_compat_l.
      apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_l; [lra|]. pose proof (Cabs j J).
      rewrite (Rabs_pos_eq (Rabs (k j) + dk j)); [lra|].
      pose proof (Rabs_pos (k j)). pose proof (D0 j J). lra. }
    apply (Rmult_le_compat_l Z) in NN; [|lra]. lra. }
  assert (HB : 0 <= B').
  { unfold B'. apply total_pos. intros j J. apply Rmult_le_pos; [left; apply P0 | apply growth_pos, W0, J]. }
  assert (HE : 0 <= E).
  { unfold E. apply Rmult_le_pos; [lra|]. apply total_pos. intros. pose proof (Up (3 * eta) 1 ltac:(lra)). lra. }
  assert (HEo : 0 <= Eo).
  { unfold Eo. apply Rmult_le_pos; [lra|]. apply total_pos. intros j _.
    pose proof (Up (3 * ho j) (Rabs (k j) + dk j) ltac:(specialize (Hho j); lra)). lra. }
  assert (HN : 0 <= N').
  { unfold N'. apply total_pos. intros j J. pose proof (P0 j). pose proof (Gr j J). pose proof (D0 j J).
    pose proof (Rabs_pos (k j)). apply Rmult_le_pos; [lra|].
    apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
  set (Lo := total (fun j => p j * least_weight (score j) (weight j)) js) in *.
  assert (Lo1 : Lo <= 1).
  { rewrite <- P1. unfold Lo. apply total_le. intros j J. apply Rmult_le_compat_l; [left; apply P0|].
    unfold least_weight. rewrite <- exp_0. apply exp_le. specialize (Bud j J). specialize (S0 j J).
    unfold weight, weight_error. fold (rounding j). lra. }
  assert (Lo0 : 0 < Lo).
  { unfold Lo. destruct js as [|j l]; [congruence|]. simpl.
    assert (0 < p j * least_weight (score j) (weight j)) by (apply Rmult_lt_0_compat; [apply P0 | apply exp_pos]).
    assert (0 <= total (fun i => p i * least_weight (score i) (weight i)) l)
      by (apply total_pos; intros i _; apply Rmult_le_pos; left; [apply P0 | apply exp_pos]). lra. }
  exists B', N', Eo. unfold flushes. fold E. repeat split; try assumption; try reflexivity.
  eapply Rle_trans; [exact Least|]. apply Rplus_le_compat_l. unfold E. apply Rmult_le_compat_l; [lra|].
  apply total_le. intros. apply Up; lra.
Qed.

Theorem row_bound : forall r L O, INR r <= ranks ->
  (forall j, In j js -> rounding j + beside <= 1 / 2) ->
  flush eta (3 * eta) 1 (3 * n + ranks) <= 2 -> (forall j, flush eta (3 * ho j) (c j) (3 * n + ranks) <= Rabs (c j) + 1) ->
  merged ua ue eta top beside sc c ho js r L O -> denominator < 1 ->
  Rabs (O - out) <= divided /\ Rabs (L - lse) <= quotient denominator.
Proof.
  intros r L O Rr Half Fl Fc M D1.
  destruct (row_parts r L O Rr Half Fl Fc M) as (B' & N' & Eo & HD & HN & B0 & E0 & Eo0 & N0 & X & Y & _).
  unfold divided, divided_by, divided_error. rewrite HD, HN in *.
  destruct (quotient_of_sums _ out O N' Eo B' flushes (exp_pos (lse - L)) B0 E0 Eo0 N0 D1 X Y) as [Q1 Q2].
  split; [exact Q1|]. rewrite ln_exp in Q2. rewrite Rabs_minus_sym. exact Q2.
Qed.

Theorem row_bound_wide : forall r L O, INR r <= ranks ->
  (forall j, In j js -> rounding j + beside <= 1 / 2) ->
  flush eta (3 * eta) 1 (3 * n + ranks) <= 2 -> (forall j, flush eta (3 * ho j) (c j) (3 * n + ranks) <= Rabs (c j) + 1) ->
  merged ua ue eta top beside sc c ho js r L O -> flushes < 1 ->
  Rabs (O - out) <= divided_by least /\ Rabs (L - lse) <= wide_lse_error denominator flushes least.
Proof.
  intros r L O Rr Half Fl Fc M F1.
  destruct (row_parts r L O Rr Half Fl Fc M) as (B' & N' & Eo & HD & HN & B0 & E0 & Eo0 & N0 & X & Y & Lo & ZLo).
  unfold divided_by, least. rewrite HD, HN in *.
  destruct (quotient_wide _ out O N' Eo B' flushes _ (exp_pos (lse - L)) B0 (conj E0 F1) Eo0 N0 Lo ZLo X Y) as [Q1 Q2].
  split; [exact Q1|]. rewrite ln_exp in Q2. rewrite Rabs_minus_sym. exact Q2.
Qed.

Definition lost : R := 2 * total (fun j => flush eta (3 * ho j) (Rabs (k j) + dk j) (3 * n + ranks)) js.

Theorem row_hull : forall r L O v rounded, INR r <= ranks ->
  (forall j, In j js -> rounding j + beside <= rounded) -> rounded <= 1 / 2 ->
  (forall j, In j js -> Rabs (k j) + dk j <= v) ->
  flush eta (3 * eta) 1 (3 * n + ranks) <= 2 -> (forall j, flush eta (3 * ho j) (c j) (3 * n + ranks) <= Rabs (c j) + 1) ->
  merged ua ue eta top beside sc c ho js r L O ->
  Rabs (O - out) <= hull_error (Rabs out) v rounded flushes lost.
Proof.
  intros r L O v rounded Rr Half Half' V Fl Fc M. pose proof (pos_INR r) as R0. pose proof (pos_INR (length js)) as N0.
  fold n in N0.
  destruct (merged_accuracy ua ue eta top beside sc c ho Hua Hue Heta Hbeside Hho (3 * n + ranks) Fl Fc
    js r L O M ltac:(unfold n; lra)) as (Sj & LT & NE & X & Y). fold n in X, Y.
  assert (Up : forall h a b, 0 <= h -> Rabs a <= b -> 0 <= flush eta h a (3 * n + INR r) <= flush eta h b (3 * n + ranks)).
  { intros h a b H Hab. unfold flush. pose proof (Rabs_pos a). rewrite (Rabs_pos_eq b) by lra.
    assert (0 <= 8 * eta * (Rabs a + 1)) by (repeat apply Rmult_le_pos; lra).
    assert (8 * eta * (Rabs a + 1) <= 8 * eta * (b + 1)) by (apply Rmult_le_compat_l; lra).
    assert (0 <= (3 * n + INR r) * (8 * eta * (Rabs a + 1))) by (apply Rmult_le_pos; lra).
    assert ((3 * n + INR r) * (8 * eta * (Rabs a + 1)) <= (3 * n + ranks) * (8 * eta * (b + 1)))
      by (apply Rmult_le_compat; lra). lra. }
  assert (Bud : forall j, In j js -> 0 <= merged_budget ua ue top sc n (INR r) L j <= rounding j).
  { intros j J. split; [|apply weight_bound; [exact J | lra | exact LT]].
    specialize (Sj j J). unfold merged_budget. pose proof (Rabs_pos (sc j)).
    assert (0 <= reach top sc j) by (unfold reach; pose proof (Rmax_l (Rabs (sc j)) (Rabs top)); lra).
    assert (0 <= INR r * (14 + 2 * reach top sc j)) by (apply Rmult_le_pos; lra).
    apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
  set (w := total (fun j => exp (sc j - L)) js).
  assert (W : w <= (1 + flushes) * exp (3 * rounded)).
  { apply Rmult_le_reg_r with (exp (- (3 * rounded))); [apply exp_pos|].
    rewrite Rmult_assoc, <- exp_plus, Rplus_opp_r, exp_0, Rmult_1_r.
    unfold approx in X. rewrite Rplus_0_r in X. apply Rabs_le_inv in X. destruct X as [X _].
    unfold w. rewrite Rmult_comm, <- total_scale.
    assert (C : total (fun j => exp (- (3 * rounded)) * exp (sc j - L)) js
      <= total (fun j => exp (sc j - L) * 1 + -1 * ((Rabs (exp (sc j - L) * 1)
          + flush eta (3 * eta) 1 (3 * n + INR r)) * exp (merged_budget ua ue top sc n (INR r) L j)
          - Rabs (exp (sc j - L) * 1)) + 2 * flush eta (3 * eta) 1 (3 * n + ranks)) js).
    { apply total_le. intros j J. specialize (Bud j J). specialize (Half j J).
      rewrite Rmult_1_r, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
      set (T := merged_budget ua ue top sc n (INR r) L j) in *.
      pose proof (exp_half T ltac:(lra)) as T2. pose proof (least_factor T ltac:(lra)) as T3.
      pose proof (Up (3 * eta) 1 1 ltac:(lra) ltac:(rewrite Rabs_R1; lra)) as F.
      set (f := flush eta (3 * eta) 1 (3 * n + INR r)) in *. pose proof (exp_pos (sc j - L)).
      assert (exp (- (3 * rounded)) <= 2 - exp T) by (eapply Rle_trans; [apply exp_le | exact T3]; lra).
      assert (exp (- (3 * rounded)) * exp (sc j - L) <= (2 - exp T) * exp (sc j - L))
        by (apply Rmult_le_compat_r; lra).
      assert (f * exp T <= f * 2) by (apply Rmult_le_compat_l; lra). lra. }
    eapply Rle_trans; [exact C|]. rewrite !total_plus, !total_scale. unfold flushes. lra. }
  assert (HO : Rabs O <= exp rounded * (v * w) + lost).
  { unfold approx in Y. rewrite Rplus_0_r in Y. set (S := total (fun j => exp (sc j - L) * c j) js) in *.
    assert (A1 : Rabs O <= Rabs (O - S) + Rabs S).
    { pose proof (Rabs_triang (O - S) S) as G. replace (O - S + S) with O in G by ring. exact G. }
    assert (A2 : Rabs S <= total (fun j => Rabs (exp (sc j - L) * c j)) js) by apply total_abs.
    unfold w, lost. rewrite <- !total_scale, <- total_plus.
    eapply Rle_trans; [exact A1|]. eapply Rle_trans; [apply Rplus_le_compat; [exact Y | exact A2]|].
    rewrite <- total_plus. apply total_le. intros j J. specialize (Bud j J). specialize (Half j J).
    rewrite Rabs_mult, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
    set (T := merged_budget ua ue top sc n (INR r) L j) in *.
    assert (Cabs : Rabs (c j) <= Rabs (k j) + dk j).
    { pose proof (Hc j J). pose proof (Rabs_triang (c j - k j) (k j)) as G.
      replace (c j - k j + k j) with (c j) in G by ring. lra. }
    pose proof (exp_half (T + beside) ltac:(lra)) as T2. specialize (V j J).
    pose proof (Up (3 * ho j) (c j) (Rabs (k j) + dk j) ltac:(specialize (Hho j); lra) Cabs) as F.
    set (f := flush eta (3 * ho j) (c j) (3 * n + INR r)) in *. pose proof (exp_pos (sc j - L)).
    pose proof (exp_pos (T + beside)).
    assert (E : exp (T + beside) <= exp rounded) by (apply exp_le; lra).
    assert (exp (sc j - L) * Rabs (c j) <= v * exp (sc j - L)) by (rewrite Rmult_comm; apply Rmult_le_compat_r; lra).
    assert (exp (sc j - L) * Rabs (c j) * exp (T + beside) <= v * exp (sc j - L) * exp rounded).
    { apply Rmult_le_compat; try lra. apply Rmult_le_pos; [lra | apply Rabs_pos]. }
    assert (f * exp (T + beside) <= f * 2) by (apply Rmult_le_compat_l; lra). lra. }
  assert (V0 : 0 <= v).
  { destruct js as [|j l]; [congruence|]. specialize (V j (or_introl eq_refl)). pose proof (Rabs_pos (k j)).
    pose proof (Hc j (or_introl eq_refl)). pose proof (Rabs_pos (c j - k j)). lra. }
  assert (exp rounded * (v * w) <= v * (exp (4 * rounded) * (1 + flushes))).
  { replace (4 * rounded) with (rounded + 3 * rounded) by ring. rewrite exp_plus.
    replace (exp rounded * (v * w)) with (exp rounded * v * w) by ring.
    replace (v * (exp rounded * exp (3 * rounded) * (1 + flushes)))
      with (exp rounded * v * ((1 + flushes) * exp (3 * rounded))) by ring.
    apply Rmult_le_compat_l; [|exact W]. apply Rmult_le_pos; [left; apply exp_pos | exact V0]. }
  unfold hull_error. pose proof (Rabs_triang O (- out)) as G. rewrite Rabs_Ropp in G.
  replace (O + - out) with (O - out) in G by ring. lra.
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
