(** * SigmoidMerge: partial results merged by a difference, O - w (O - O_b)

    Purpose. Lemma Sigmoid of bounds.md. Partial results of any blocks (AttentionModel.v) are merged
    as O := O - w (O - O_b) with w a computed sigmoid of LSE_b - LSE, and LSE := LSE - log sigmoid
    (LSE - LSE_b), in any tree. That is no reweighting: its errors are relative to the larger of |O|
    and |O_b|, and no weight, however small, damps them. But an exact merge is an average, so it does
    not enlarge what earlier merges lost, and no partial output is larger than the largest part.

    Main results.
    - [subtracted_accuracy]   of any tree of such merges: O is near a reweighted sum, and off from it
                              by at most [subtracted_error]; the LSE costs every key [sigmoid_lse_error]
    - [subtracted_merges]     a tree has fewer merges than keys

    Assumed of a run, beside AttentionModel.v: the weight is in [0, 1] and within 10 u of the sigmoid
    of the two LSEs; the new LSE within (20 + 4|LSE| + 4|LSE_b|) u; u at most 2^-7.

    Dependencies. AttentionAccuracy.v. *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy.
From Xattn Require Import AttentionModel AttentionAccuracy.
Import ListNotations.
Open Scope R_scope.

(** merge-errors.ts, subtractedError: m merges, no part larger than top. *)
Definition subtracted_error (ua tiny m top : R) : R := (top + tiny / ua) * growth (30 * m * ua).

(** merge-errors.ts, sigmoidLseError: no partial LSE is larger in size than reach. *)
Definition sigmoid_lse_error (ua m reach : R) : R := m * (22 + 9 * reach) * ua.

(** What LSE - log sigmoid (LSE - LSE_b) loses. *)
Definition sigmoid_rounding (ua La Lb : R) : R := ua * (20 + 4 * Rabs La + 4 * Rabs Lb).

(** Oa - w (Oa - Ob), every operation rounded. *)
Definition subtracts (ua eta w Oa Ob O : R) : Prop :=
  exists d p, Rabs (d - (Oa - Ob)) <= ua * (Rabs Oa + Rabs Ob) /\ rounds ua eta (w * d) p /\
    Rabs (O - (Oa - p)) <= ua * (Rabs Oa + Rabs p).

(** One merge: off by at most 30 u of the larger part, and 2 eta. *)
Lemma one_subtraction : forall ua eta w v Oa Ob O W, 0 <= ua <= 1 / 128 -> 0 <= eta <= ua ->
  0 <= w <= 1 -> Rabs (w - v) <= 10 * ua + eta -> Rabs Oa <= W -> Rabs Ob <= W ->
  subtracts ua eta w Oa Ob O ->
  Rabs (O - ((1 - v) * Oa + v * Ob)) <= 30 * ua * W + 2 * eta.
Proof.
  intros ua eta w v Oa Ob O W U E Hw Hv HA HB (d & p & D & P & S). unfold rounds in P.
  set (x := Oa - Ob) in *. assert (W0 : 0 <= W) by (pose proof (Rabs_pos Oa); lra).
  assert (X : Rabs x <= 2 * W).
  { unfold x. pose proof (Rabs_triang Oa (- Ob)) as G. rewrite Rabs_Ropp in G.
    replace (Oa + - Ob) with (Oa - Ob) in G by ring. lra. }
  assert (UW : 0 <= ua * W) by (apply Rmult_le_pos; lra).
  assert (UUW : ua * (ua * W) <= 1 / 128 * (ua * W)) by (apply Rmult_le_compat_r; lra).
  assert (EW : eta * W <= ua * W) by (apply Rmult_le_compat_r; lra).
  assert (EU : ua * eta <= 1 / 128 * eta) by (apply Rmult_le_compat_r; lra).
  assert (D' : Rabs (d - x) <= 2 * (ua * W)).
  { eapply Rle_trans; [exact D|].
    assert (ua * (Rabs Oa + Rabs Ob) <= ua * (W + W)) by (apply Rmult_le_compat_l; lra). lra. }
  assert (Dabs : Rabs d <= 2 * W + 2 * (ua * W)).
  { pose proof (Rabs_triang (d - x) x) as G. replace (d - x + x) with d in G by ring. lra. }
  assert (WD : Rabs (w * d) <= 2 * W + 2 * (ua * W)).
  { rewrite Rabs_mult, (Rabs_pos_eq w) by lra. pose proof (Rabs_pos d).
    assert (w * Rabs d <= 1 * Rabs d) by (apply Rmult_le_compat_r; lra). lra. }
  assert (UWD : ua * Rabs (w * d) <= 2 * (ua * W) + 2 * (ua * (ua * W))).
  { replace (2 * (ua * W) + 2 * (ua * (ua * W))) with (ua * (2 * W + 2 * (ua * W))) by ring.
    apply Rmult_le_compat_l; lra. }
  assert (Pabs : Rabs p <= 2 * W + 5 * (ua * W) + eta).
  { pose proof (Rabs_triang (p - w * d) (w * d)) as G. replace (p - w * d + w * d) with p in G by ring. lra. }
  assert (UP : ua * (Rabs Oa + Rabs p) <= 3 * (ua * W) + 5 * (ua * (ua * W)) + ua * eta).
  { replace (3 * (ua * W) + 5 * (ua * (ua * W)) + ua * eta)
      with (ua * (W + (2 * W + 5 * (ua * W) + eta))) by ring.
    apply Rmult_le_compat_l; lra. }
  assert (WX : Rabs (w * d - v * x) <= 22 * (ua * W) + 2 * (eta * W)).
  { replace (w * d - v * x) with (w * (d - x) + (w - v) * x) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_pos_eq w) by lra.
    pose proof (Rabs_pos (d - x)). pose proof (Rabs_pos (w - v)). pose proof (Rabs_pos x).
    assert (w * Rabs (d - x) <= 1 * Rabs (d - x)) by (apply Rmult_le_compat_r; lra).
    assert (Rabs (w - v) * Rabs x <= (10 * ua + eta) * (2 * W)) by (apply Rmult_le_compat; lra). lra. }
  replace (O - ((1 - v) * Oa + v * Ob)) with ((O - (Oa - p)) + - ((p - w * d) + (w * d - v * x)))
    by (unfold x; ring).
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp.
  pose proof (Rabs_triang (p - w * d) (w * d - v * x)) as G. lra.
Qed.

Lemma average_abs : forall v x y B, 0 <= v <= 1 -> Rabs x <= B -> Rabs y <= B ->
  Rabs ((1 - v) * x + v * y) <= B.
Proof.
  intros v x y B V X Y. eapply Rle_trans; [apply Rabs_triang|].
  rewrite !Rabs_mult, (Rabs_pos_eq v), (Rabs_pos_eq (1 - v)) by lra.
  assert ((1 - v) * Rabs x <= (1 - v) * B) by (apply Rmult_le_compat_l; lra).
  assert (v * Rabs y <= v * B) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** (1 + x)^m as a real function of the number of merges. *)
Definition grown (ua : R) (m : nat) : R := (1 + 30 * ua) ^ m.

Lemma grown_le : forall ua m, 0 <= ua -> 1 <= grown ua m /\ grown ua m - 1 <= growth (30 * INR m * ua).
Proof.
  intros ua m U. unfold grown.
  assert (E : 1 <= (1 + 30 * ua) ^ m <= exp (30 * INR m * ua)).
  { induction m as [|m IH].
    - simpl. rewrite Rmult_0_r, Rmult_0_l, exp_0. lra.
    - rewrite S_INR. replace (30 * (INR m + 1) * ua) with (30 * ua + 30 * INR m * ua) by ring.
      rewrite exp_plus. simpl. pose proof (exp_ineq1_le (30 * ua)). split.
      + assert (1 * 1 <= (1 + 30 * ua) * (1 + 30 * ua) ^ m) by (apply Rmult_le_compat; lra). lra.
      + apply Rmult_le_compat; lra. }
  split; [lra|]. pose proof (growth_bounds (30 * INR m * ua)
    ltac:(apply Rmult_le_pos; [apply Rmult_le_pos; [lra | apply pos_INR] | exact U])). lra.
Qed.

Section Run.

Context {A : Type}.
Variables ua ue eta top beside V M : R.
Variables s c ho : A -> R.
Hypothesis Hua : 0 < ua <= 1 / 128.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta <= ua.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hho : forall j, 0 <= ho j.

(** A tree of merges over parts that are runs of AttentionModel.v. *)
Inductive subtracted : list A -> nat -> nat -> R -> R -> Prop :=
  | subtracted_part : forall js r L O, merged ua ue eta top beside s c ho js r L O -> Rabs O <= V -> Rabs L <= M ->
      subtracted js r 0 L O
  | subtracted_two : forall a b ra rb ma mb La Lb Oa Ob L O w,
      subtracted a ra ma La Oa -> subtracted b rb mb Lb Ob -> L <= top -> Rabs L <= M ->
      Rabs (L - ln (exp La + exp Lb)) <= sigmoid_rounding ua La Lb ->
      0 <= w <= 1 -> Rabs (w - exp Lb / (exp La + exp Lb)) <= 10 * ua + eta ->
      subtracts ua eta w Oa Ob O -> subtracted (a ++ b) (Nat.max ra rb) (S (ma + mb)) L O
  | subtracted_perm : forall a b r m L O, Permutation a b -> subtracted a r m L O -> subtracted b r m L O.

Lemma subtracted_nonempty : forall js r m L O, subtracted js r m L O -> js <> [].
Proof.
  intros js r m L O H. induction H as [js r L O H _ _ | a b ra rb ma mb La Lb Oa Ob L O w Ha IHa | a b r m L O P H IH].
  - induction H as [js m l o L O Loc | a b ra rb La Lb Oa Ob L O r r' Ha IHa | a b r L O P H IH].
    + refine (local_nonempty ua ue eta beside s c ho _ _ js m l o Loc); lra.
    + intros E. apply app_eq_nil in E. now apply IHa.
    + intros ->. apply Permutation_sym, Permutation_nil in P. now apply IH.
  - intros E. apply app_eq_nil in E. now apply IHa.
  - intros ->. apply Permutation_sym, Permutation_nil in P. now apply IH.
Qed.

Theorem subtracted_merges : forall js r m L O, subtracted js r m L O -> (m < length js)%nat.
Proof.
  intros js r m L O H. induction H as [js r L O H B BL | a b ra rb ma mb La Lb Oa Ob L O w Ha IHa Hb IHb | a b r m L O P H IH].
  - pose proof (subtracted_nonempty _ _ _ _ _ (subtracted_part js r L O H B BL)). destruct js; [congruence | simpl; lia].
  - rewrite app_length. lia.
  - now rewrite <- (Permutation_length P).
Qed.

(** A part of an average: brought from m to m' by its exact share v of the whole, eps beside. *)
Lemma lane_share : forall js (k h T : A -> R) m m' v eps x, 0 < v <= 1 -> exp (m - m') = v * exp (- eps) ->
  (forall j, In j js -> 0 <= h j /\ 0 <= T j) ->
  approx js (fun j => exp (s j - m) * k j) h T 0 x ->
  approx js (fun j => exp (s j - m') * k j) h (fun j => T j + Rabs eps) 0 (v * x).
Proof.
  intros js k h T m m' v eps x Hv Em P X. unfold approx in *. rewrite Rplus_0_r in *.
  set (f := fun j => exp (s j - m) * k j) in *.
  assert (F : forall j, exp (s j - m') * k j = v * exp (- eps) * f j).
  { intros j. rewrite <- Em. unfold f. rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring. }
  rewrite (total_ext _ (fun j => v * exp (- eps) * f j)) by (intros; apply F). rewrite total_scale.
  replace (v * x - v * exp (- eps) * total f js)
    with (v * (x - total f js) + v * (1 - exp (- eps)) * total f js) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_pos_eq v) by lra.
  pose proof (total_abs f js) as TA.
  assert (A1 : v * Rabs (x - total f js)
    <= v * total (fun j => (Rabs (f j) + h j) * exp (T j) - Rabs (f j)) js)
    by (apply Rmult_le_compat_l; [lra | exact X]).
  assert (A2 : v * Rabs (1 - exp (- eps)) * Rabs (total f js)
    <= v * Rabs (1 - exp (- eps)) * total (fun j => Rabs (f j)) js).
  { apply Rmult_le_compat_l; [|exact TA]. apply Rmult_le_pos; [lra | apply Rabs_pos]. }
  eapply Rle_trans; [apply Rplus_le_compat; [exact A1 | exact A2]|].
  rewrite <- !total_scale, <- total_plus. apply total_le. intros j J. destruct (P j J) as [H0 T0].
  rewrite F, Rabs_mult, (Rabs_pos_eq (v * exp (- eps)))
    by (apply Rmult_le_pos; [lra | left; apply exp_pos]).
  rewrite exp_plus. set (t := exp (T j)). assert (t1 : 1 <= t) by (apply exp_ge_1, T0).
  set (y := Rabs (f j)). assert (Y : 0 <= y) by apply Rabs_pos.
  pose proof (exp_pos (- eps)) as E0. set (e := exp (- eps)) in *.
  assert (Abs : exp (Rabs eps) = e \/ (exp (Rabs eps) * e = 1 /\ 1 <= exp (Rabs eps))).
  { unfold e, Rabs. destruct (Rcase_abs eps) as [N | N]; [left; reflexivity | right].
    rewrite <- exp_plus. replace (eps + - eps) with 0 by ring. split; [apply exp_0 | apply exp_ge_1; lra]. }
  pose proof (exp_ge_1 (Rabs eps) (Rabs_pos eps)) as B1. set (b := exp (Rabs eps)) in *.
  assert (G : (t - 1) + Rabs (1 - e) <= e * (t * b - 1)).
  { destruct Abs as [-> | [Eb B2]].
    - rewrite Rabs_left1 by lra. assert (0 <= (e - 1) * (t * (e + 1) - 2)) by (apply Rmult_le_pos; nra). lra.
    - assert (e <= 1) by (apply Rmult_le_reg_l with b; [lra|]; lra).
      rewrite Rabs_pos_eq by lra. replace (e * (t * b - 1)) with (t * (b * e) - e) by ring. rewrite Eb. lra. }
  assert (Hh : v * (h j * t) <= v * (h j * (t * b))).
  { apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_l; [exact H0|]. nra. }
  assert (Gv : v * y * ((t - 1) + Rabs (1 - e)) <= v * y * (e * (t * b - 1)))
    by (apply Rmult_le_compat_l; [apply Rmult_le_pos; lra | exact G]).
  assert (Hv1 : v * (h j * (t * b)) <= h j * (t * b)).
  { assert (0 <= h j * (t * b)) by (apply Rmult_le_pos; [exact H0 | nra]).
    assert (v * (h j * (t * b)) <= 1 * (h j * (t * b))) by (apply Rmult_le_compat_r; lra). lra. }
  nra.
Qed.

(** Log-domain error of a key's weight: its part's, and of m merges. *)
Definition subtracted_budget (n r m L : R) (j : A) : R :=
  merged_budget ua ue top s n r L j + sigmoid_lse_error ua m M.

Lemma merged_abs_le : forall js r m L O, subtracted js r m L O -> Rabs L <= M.
Proof. intros js r m L O H. induction H; assumption. Qed.

Theorem subtracted_accuracy : forall n, flush eta (3 * eta) 1 n <= 2 ->
  (forall j, flush eta (3 * ho j) (c j) n <= Rabs (c j) + 1) -> 0 <= V ->
  forall js r m L O, subtracted js r m L O -> 3 * INR (length js) + INR r <= n ->
  (forall j, In j js -> 0 <= subtracted_budget (INR (length js)) (INR r) (INR m) L j) /\ L <= top /\
  approx js (fun j => exp (s j - L) * 1) (fun _ => flush eta (3 * eta) 1 (3 * INR (length js) + INR r))
    (subtracted_budget (INR (length js)) (INR r) (INR m) L) 0 1 /\
  exists O', approx js (fun j => exp (s j - L) * c j)
      (fun j => flush eta (3 * ho j) (c j) (3 * INR (length js) + INR r))
      (fun j => subtracted_budget (INR (length js)) (INR r) (INR m) L j + beside) 0 O' /\
    Rabs (O - O') <= subtracted_error ua eta (INR m) V.
Proof.
  intros n Hl Hc HV.
  cut (forall js r m L O, subtracted js r m L O -> 3 * INR (length js) + INR r <= n ->
    (forall j, In j js -> 0 <= subtracted_budget (INR (length js)) (INR r) (INR m) L j) /\ L <= top /\
    approx js (fun j => exp (s j - L) * 1) (fun _ => flush eta (3 * eta) 1 (3 * INR (length js) + INR r))
      (subtracted_budget (INR (length js)) (INR r) (INR m) L) 0 1 /\
    exists O', approx js (fun j => exp (s j - L) * c j)
        (fun j => flush eta (3 * ho j) (c j) (3 * INR (length js) + INR r))
        (fun j => subtracted_budget (INR (length js)) (INR r) (INR m) L j + beside) 0 O' /\
      Rabs (O - O') <= (V + eta / ua) * (grown ua m - 1) /\
      Rabs O + eta / ua <= (V + eta / ua) * grown ua m).
  { intros H js r m L O R N. destruct (H js r m L O R N) as (H1 & H2 & H3 & O' & H4 & H5 & _).
    split; [exact H1 | split; [exact H2 | split; [exact H3|]]]. exists O'. split; [exact H4|].
    eapply Rle_trans; [exact H5|]. unfold subtracted_error.
    apply Rmult_le_compat_l; [|apply grown_le; lra].
    assert (0 <= eta / ua) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]). lra. }
  set (q := eta / ua).
  assert (Q0 : 0 <= q) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  assert (Qe : ua * q = eta) by (unfold q; field; lra).
  assert (Fl : forall h k k1 k2, 0 <= h -> 0 <= k1 -> k1 <= k2 -> 0 <= flush eta h k k1 <= flush eta h k k2).
  { intros h k k1 k2 H0 K0 K1. unfold flush. pose proof (Rabs_pos k).
    assert (0 <= 8 * eta * (Rabs k + 1)) by (repeat apply Rmult_le_pos; lra).
    assert (k1 * (8 * eta * (Rabs k + 1)) <= k2 * (8 * eta * (Rabs k + 1)))
      by (apply Rmult_le_compat_r; assumption).
    assert (0 <= k1 * (8 * eta * (Rabs k + 1))) by (apply Rmult_le_pos; assumption). lra. }
  assert (F0 : forall h k n1 r1, 0 <= h -> 0 <= flush eta h k (3 * INR n1 + INR r1)).
  { intros h k n1 r1 H0. pose proof (pos_INR n1). pose proof (pos_INR r1).
    destruct (Fl h k (3 * INR n1 + INR r1) (3 * INR n1 + INR r1) H0); lra. }
  intros js r m L O H.
  induction H as [js r L O Hm OV LM | a b ra rb ma mb La Lb Oa Ob L O w Ha IHa Hb IHb LT LM LR Hw Hwv Hs
    | a b r m L O P H IH]; intros Len.
  - destruct (merged_accuracy ua ue eta top beside s c ho ltac:(lra) Hue ltac:(lra) Hbeside Hho n Hl Hc
      js r L O Hm Len) as (Sj & LT & NE & X & Y).
    assert (B : forall j, subtracted_budget (INR (length js)) (INR r) 0 L j
      = merged_budget ua ue top s (INR (length js)) (INR r) L j)
      by (intros; unfold subtracted_budget, sigmoid_lse_error; ring).
    simpl INR. split; [|split; [exact LT | split]].
    + intros j J. rewrite B. specialize (Sj j J). unfold merged_budget.
      pose proof (Rabs_pos (s j)). pose proof (pos_INR (length js)). pose proof (pos_INR r).
      assert (R0 : 0 <= reach top s j)
        by (unfold reach; pose proof (Rmax_l (Rabs (s j)) (Rabs top)); lra).
      assert (0 <= INR r * (14 + 2 * reach top s j)) by (apply Rmult_le_pos; lra).
      apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
    + eapply approx_weaken; [| | apply Rle_refl | exact X].
      * intros j _. split; [|apply Rle_refl]. apply F0; lra.
      * intros j _. rewrite B. apply Rle_refl.
    + exists O. split; [|split].
      * eapply approx_weaken; [| | apply Rle_refl | exact Y].
        -- intros j _. split; [|apply Rle_refl]. apply F0; pose proof (Hho j); lra.
        -- intros j _. rewrite B. apply Rle_refl.
      * rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. unfold grown. simpl. lra.
      * unfold grown. simpl. lra.
  - pose proof (merged_abs_le _ _ _ _ _ Ha) as MA. pose proof (merged_abs_le _ _ _ _ _ Hb) as MB.
    rewrite app_length, plus_INR in *. set (na := INR (length a)) in *. set (nb := INR (length b)) in *.
    assert (N0 : 0 <= na) by apply pos_INR. assert (N1 : 0 <= nb) by apply pos_INR.
    set (rr := INR (Nat.max ra rb)) in *.
    assert (RA : INR ra <= rr) by (apply le_INR; lia). assert (RB : INR rb <= rr) by (apply le_INR; lia).
    pose proof (pos_INR ra) as R0. pose proof (pos_INR rb) as R1.
    destruct IHa as (Pa & _ & Xa & Oa' & Ya & Ea & Wa); [lra|].
    destruct IHb as (Pb & _ & Xb & Ob' & Yb & Eb & Wb); [lra|].
    rewrite S_INR, plus_INR. pose proof (pos_INR ma) as M0. pose proof (pos_INR mb) as M1.
    assert (MM : 0 <= M) by (pose proof (Rabs_pos L); lra).
    set (Z := exp La + exp Lb) in *. pose proof (exp_pos La). pose proof (exp_pos Lb).
    assert (Z0 : 0 < Z) by (unfold Z; lra).
    set (eps := L - ln Z) in *. set (v := exp Lb / Z) in *.
    set (sr := sigmoid_rounding ua La Lb) in *.
    assert (SR : sr * (1 + 10 * ua) <= (22 + 9 * M) * ua).
    { unfold sr, sigmoid_rounding.
      assert ((20 + 4 * Rabs La + 4 * Rabs Lb) * (1 + 10 * ua) <= (20 + 8 * M) * (1 + 10 / 128))
        by (pose proof (Rabs_pos La); pose proof (Rabs_pos Lb); apply Rmult_le_compat; lra).
      assert (ua * ((20 + 4 * Rabs La + 4 * Rabs Lb) * (1 + 10 * ua)) <= ua * (22 + 9 * M))
        by (apply Rmult_le_compat_l; lra). lra. }
    assert (SR0 : 0 <= sr) by (pose proof (Rabs_pos eps); lra).
    assert (Va : 1 - v = exp La / Z) by (unfold v, Z; field; unfold Z in Z0; lra).
    assert (V0 : 0 < v) by (apply Rdiv_lt_0_compat; assumption).
    assert (V1 : 0 < 1 - v) by (rewrite Va; apply Rdiv_lt_0_compat; assumption).
    assert (LnZ : exp (- eps) = exp (- L) * Z).
    { unfold eps. replace (- (L - ln Z)) with (- L + ln Z) by ring. rewrite exp_plus, exp_ln by exact Z0. ring. }
    assert (Sa : exp (La - L) = (1 - v) * exp (- eps)).
    { rewrite Va, LnZ. unfold Rminus. rewrite exp_plus. field. lra. }
    assert (Sb : exp (Lb - L) = v * exp (- eps)).
    { rewrite LnZ. unfold v, Rminus. rewrite exp_plus. field. lra. }
    
    assert (La1 : La - L <= sr).
    { assert (La <= ln Z) by (rewrite <- (ln_exp La); left; apply ln_increasing; unfold Z; lra).
      apply Rabs_le_inv in LR. unfold eps in LR. lra. }
    assert (Lb1 : Lb - L <= sr).
    { assert (Lb <= ln Z) by (rewrite <- (ln_exp Lb); left; apply ln_increasing; unfold Z; lra).
      apply Rabs_le_inv in LR. unfold eps in LR. lra. }
    set (T := subtracted_budget (na + nb) rr (INR ma + INR mb + 1) L).
    assert (Step : forall j n1 r1 m1 L1, L1 - L <= sr -> 0 <= n1 <= na + nb -> 0 <= r1 <= rr ->
      0 <= m1 <= INR ma + INR mb -> subtracted_budget n1 r1 m1 L1 j + Rabs eps <= T j).
    { intros j n1 r1 m1 L1 HL Hn Hr Hm. unfold T, subtracted_budget, merged_budget, sigmoid_lse_error.
      assert (Q1 : 0 <= reach top s j) by (unfold reach; pose proof (Rmax_l (Rabs (s j)) (Rabs top));
        pose proof (Rabs_pos (s j)); lra).
      set (g := reach top s j) in *.
      assert (r1 * (14 + 2 * g) <= rr * (14 + 2 * g)) by (apply Rmult_le_compat_r; lra).
      assert ((8 * n1 + 10 * (L1 - s j) + (7 * g + 18) + r1 * (14 + 2 * g)) * ua
        <= (8 * (na + nb) + 10 * (L - s j) + 10 * sr + (7 * g + 18) + rr * (14 + 2 * g)) * ua)
        by (apply Rmult_le_compat_r; lra).
      assert (m1 * ((22 + 9 * M) * ua) <= (INR ma + INR mb) * ((22 + 9 * M) * ua)).
      { apply Rmult_le_compat_r; [|lra]. apply Rmult_le_pos; lra. }
      lra. }
    assert (Fa : forall h k, 0 <= h -> 0 <= flush eta h k (3 * na + INR ra) <= flush eta h k (3 * (na + nb) + rr))
      by (intros; apply Fl; lra).
    assert (Fb : forall h k, 0 <= h -> 0 <= flush eta h k (3 * nb + INR rb) <= flush eta h k (3 * (na + nb) + rr))
      by (intros; apply Fl; lra).
    assert (Sta : forall j, subtracted_budget na (INR ra) (INR ma) La j + Rabs eps <= T j)
      by (intros; apply Step; lra).
    assert (Stb : forall j, subtracted_budget nb (INR rb) (INR mb) Lb j + Rabs eps <= T j)
      by (intros; apply Step; lra).
    split.
    { intros j J. pose proof (Rabs_pos eps). apply in_app_or in J. destruct J as [J | J].
      - specialize (Pa j J). specialize (Sta j). fold T. lra.
      - specialize (Pb j J). specialize (Stb j). fold T. lra. }
    split; [exact LT|]. fold T.
    assert (Join : forall (k h1 h2 h T1 T2 Tn : A -> R) x y,
      (forall j, In j a -> 0 <= h1 j <= h j /\ 0 <= T1 j /\ T1 j + Rabs eps <= Tn j) ->
      (forall j, In j b -> 0 <= h2 j <= h j /\ 0 <= T2 j /\ T2 j + Rabs eps <= Tn j) ->
      approx a (fun j => exp (s j - La) * k j) h1 T1 0 x ->
      approx b (fun j => exp (s j - Lb) * k j) h2 T2 0 y ->
      approx (a ++ b) (fun j => exp (s j - L) * k j) h Tn 0 ((1 - v) * x + v * y)).
    { intros k h1 h2 h T1 T2 Tn x y H1 H2 A1 A2.
      apply (lane_share _ _ _ _ _ L (1 - v) eps) in A1; [| lra | exact Sa | intros j J; destruct (H1 j J) as (? & ? & ?); lra].
      apply (lane_share _ _ _ _ _ L v eps) in A2; [| lra | exact Sb | intros j J; destruct (H2 j J) as (? & ? & ?); lra].
      apply (approx_weaken _ _ _ h _ Tn _ 0) in A1; [| intros j J; destruct (H1 j J) as (? & ? & ?); lra
        | intros j J; destruct (H1 j J) as (? & ? & ?); lra | lra].
      apply (approx_weaken _ _ _ h _ Tn _ 0) in A2; [| intros j J; destruct (H2 j J) as (? & ? & ?); lra
        | intros j J; destruct (H2 j J) as (? & ? & ?); lra | lra].
      pose proof (approx_app _ _ _ _ _ _ _ _ _ A1 A2) as A3. rewrite Rplus_0_r in A3. exact A3. }
    split.
    { assert (J1 : approx (a ++ b) (fun j => exp (s j - L) * 1)
        (fun _ => flush eta (3 * eta) 1 (3 * (na + nb) + rr)) T 0 ((1 - v) * 1 + v * 1)).
      { apply (Join (fun _ => 1) (fun _ => flush eta (3 * eta) 1 (3 * na + INR ra))
          (fun _ => flush eta (3 * eta) 1 (3 * nb + INR rb)) _
          (subtracted_budget na (INR ra) (INR ma) La) (subtracted_budget nb (INR rb) (INR mb) Lb) T 1 1);
          [| | exact Xa | exact Xb].
        - intros j J. split; [apply Fa; lra | split; [apply Pa, J | apply Sta]].
        - intros j J. split; [apply Fb; lra | split; [apply Pb, J | apply Stb]]. }
      replace ((1 - v) * 1 + v * 1) with 1 in J1 by ring. exact J1. }
    exists ((1 - v) * Oa' + v * Ob'). split; [|].
    { apply (Join c (fun j => flush eta (3 * ho j) (c j) (3 * na + INR ra))
        (fun j => flush eta (3 * ho j) (c j) (3 * nb + INR rb)) _
        (fun j => subtracted_budget na (INR ra) (INR ma) La j + beside)
        (fun j => subtracted_budget nb (INR rb) (INR mb) Lb j + beside) (fun j => T j + beside) Oa' Ob');
        [| | exact Ya | exact Yb].
      - intros j J. specialize (Pa j J). specialize (Sta j).
        split; [apply Fa; specialize (Hho j); lra | split; lra].
      - intros j J. specialize (Pb j J). specialize (Stb j).
        split; [apply Fb; specialize (Hho j); lra | split; lra]. }
    (* what this merge and those before it lost *)
    set (K := V + q) in *. assert (K0 : 0 <= K) by (unfold K; lra).
    set (W := K * grown ua (ma + mb) - q).
    assert (Ga : grown ua ma <= grown ua (ma + mb)).
    { unfold grown. apply Rle_pow; [lra | lia]. }
    assert (Gb : grown ua mb <= grown ua (ma + mb)).
    { unfold grown. apply Rle_pow; [lra | lia]. }
    assert (KA : K * grown ua ma <= K * grown ua (ma + mb)) by (apply Rmult_le_compat_l; lra).
    assert (KB : K * grown ua mb <= K * grown ua (ma + mb)) by (apply Rmult_le_compat_l; lra).
    assert (HA : Rabs Oa <= W) by (unfold W; lra). assert (HB : Rabs Ob <= W) by (unfold W; lra).
    pose proof (one_subtraction ua eta w v Oa Ob O W ltac:(lra) Heta Hw Hwv HA HB Hs) as One.
    assert (Gs : K * grown ua (S (ma + mb)) = K * grown ua (ma + mb) + 30 * ua * (W + q)).
    { unfold W, grown. simpl. ring. }
    assert (Qs : 30 * ua * q = 30 * eta) by (rewrite <- Qe; ring).
    split.
    + replace (O - ((1 - v) * Oa' + v * Ob'))
        with ((O - ((1 - v) * Oa + v * Ob)) + ((1 - v) * (Oa - Oa') + v * (Ob - Ob'))) by ring.
      eapply Rle_trans; [apply Rabs_triang|].
      pose proof (average_abs v (Oa - Oa') (Ob - Ob') (K * (grown ua (ma + mb) - 1)) ltac:(lra)
        ltac:(lra) ltac:(lra)) as Av. lra.
    + pose proof (average_abs v Oa Ob W ltac:(lra) HA HB) as Av.
      pose proof (Rabs_triang (O - ((1 - v) * Oa + v * Ob)) ((1 - v) * Oa + v * Ob)) as G.
      replace (O - ((1 - v) * Oa + v * Ob) + ((1 - v) * Oa + v * Ob)) with O in G by ring.
      unfold W in *. lra.
  - pose proof (Permutation_length P) as PL. rewrite <- PL in *.
    destruct (IH Len) as (S1 & S2 & X & O' & Y & E1 & E2).
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; [exact S2|]. split; [eapply approx_perm; eassumption|].
    exists O'. split; [eapply approx_perm; eassumption | split; assumption].
Qed.

End Run.
