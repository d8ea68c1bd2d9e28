(** * SigmoidMerge: partial results merged by a difference, O - w (O - O_b)

    Purpose. Lemma Sigmoid of bounds.md. Partial results of any blocks are merged as
    O := O - w (O - O_b) with w a computed sigmoid of LSE_b - LSE, and LSE := LSE - log sigmoid
    (LSE - LSE_b), in any tree. What a part is does not matter: an LSE and an output that are near
    (AttentionAccuracy.v) sums of the weights of its keys, by budgets that a falling LSE does not
    raise and absolute errors that a share of a part keeps. A part, or what a tree has merged so far, may be
    stored in a narrower format, once on the way of a key (q = 1). That is no reweighting: its errors are relative to the larger of |O|
    and |O_b|, and no weight, however small, damps them. But an exact merge is an average, so it does
    not enlarge what earlier merges lost, and no partial output is larger than the largest part.

    Main results.
    - [subtracted_accuracy]   of any tree of such merges: O is near a reweighted sum, and off from it
                              by at most [subtracted_error]; the LSE costs every key [sigmoid_lse_error]
    - [subtracted_merges]     a tree has fewer merges than keys

    Assumed of a run: the weight is in [0, 1] and within 10 u of the sigmoid of the two LSEs; the new
    LSE within (20 + 4|LSE| + 4|LSE_b|) u, and no larger than [top]; u at most 2^-7. That no LSE is larger
    in size than M is proved ([lse_within]).

    Dependencies. AttentionAccuracy.v. *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Import Growth SumModel SumAccuracy AttentionAccuracy.
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

(** A merge by a sigmoid: O - w (O - O_b); or, where the other part has no value (a sink), w O. *)
Definition by_sigmoid (ua eta La Lb Oa Ob O : R) : Prop :=
  (exists w, 0 <= w <= 1 /\ Rabs (w - exp Lb / (exp La + exp Lb)) <= 10 * ua + eta /\
    subtracts ua eta w Oa Ob O) \/
  (Ob = 0 /\ exists w, 0 <= w <= 1 /\ Rabs (w - exp La / (exp La + exp Lb)) <= 10 * ua + eta /\
    rounds ua eta (w * Oa) O).

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

Lemma one_merge : forall ua eta La Lb Oa Ob O W, 0 <= ua <= 1 / 128 -> 0 <= eta <= ua ->
  Rabs Oa <= W -> Rabs Ob <= W -> by_sigmoid ua eta La Lb Oa Ob O ->
  let v := exp Lb / (exp La + exp Lb) in
  Rabs (O - ((1 - v) * Oa + v * Ob)) <= 30 * ua * W + 2 * eta.
Proof.
  intros ua eta La Lb Oa Ob O W U E HA HB [(w & Hw & Hv & S) | (Z & w & Hw & Hv & S)] v.
  - now apply (one_subtraction ua eta w).
  - pose proof (exp_pos La). pose proof (exp_pos Lb).
    assert (Va : exp La / (exp La + exp Lb) = 1 - v) by (unfold v; field; lra). rewrite Va in Hv.
    unfold rounds in S. rewrite Z, Rmult_0_r, Rplus_0_r. pose proof (Rabs_pos Oa).
    assert (UW : 0 <= ua * W) by (apply Rmult_le_pos; lra). assert (EW : eta * W <= ua * W) by (apply Rmult_le_compat_r; lra).
    assert (R1 : Rabs (w * Oa) <= W).
    { rewrite Rabs_mult, (Rabs_pos_eq w) by lra. assert (w * Rabs Oa <= 1 * Rabs Oa) by (apply Rmult_le_compat_r; lra). lra. }
    assert (R2 : Rabs ((w - (1 - v)) * Oa) <= 10 * (ua * W) + eta * W).
    { rewrite Rabs_mult. apply Rle_trans with ((10 * ua + eta) * W); [|lra].
      apply Rmult_le_compat; try apply Rabs_pos; lra. }
    assert (ua * Rabs (w * Oa) <= ua * W) by (apply Rmult_le_compat_l; lra).
    replace (O - (1 - v) * Oa) with ((O - w * Oa) + (w - (1 - v)) * Oa) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra.
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
Variables ua eta up ep M low top beside : R.
Variables s k c : A -> R.
Hypothesis Hua : 0 < ua <= 1 / 128.
Hypothesis Heta : 0 <= eta <= ua.
Hypothesis Hup : 0 <= up.
Hypothesis Hep : 0 <= ep.
Hypothesis Htop : top <= M.

(** Parts: their keys, LSE and output; the budget of a key at an LSE, its absolute error there when the
    LSE was off by x, in the sum of weights and in that of values. *)
Variable part : list A -> nat -> R -> R -> Prop.
Variable budget : R -> A -> R.
Variable lost_of_weights : R -> R -> A -> R.
Variables lost_of_values lost_of_stores : nat -> R -> R -> A -> R.

(** A budget rises by no more than 10 u for each unit by which the LSE falls. *)
Definition falls : Prop := forall L L' y j, 0 <= y -> L - L' <= y -> budget L j <= budget L' j + 10 * ua * y.

(** A share v of a part keeps a share of what its keys lost, however the LSE has moved. *)
Definition kept (lost : R -> R -> A -> R) : Prop := forall x y v L L' j, 0 <= x -> 0 <= y -> 0 <= v <= 1 ->
  v <= exp (y - (L' - L) / 4) -> v * lost x L j <= lost (x + y) L' j.

Hypothesis Hfalls : falls.
Hypothesis Hkept_weights : kept lost_of_weights.
Hypothesis Hkept_values : forall q, kept (lost_of_values q).
Hypothesis Hkept_stores : forall q, kept (lost_of_stores q).
(** A store enlarges what was lost, and adds to it. *)
Hypothesis Hstored_values : forall x L j, 0 <= lost_of_values 0 x L j /\ (1 + up) * lost_of_values 0 x L j <= lost_of_values 1 x L j.
Hypothesis Hstored_stores : forall x L j, lost_of_weights x L j <= lost_of_stores 0 x L j <= lost_of_stores 1 x L j.

(** The size of a part's output, stored (q = 1) or not. *)
Variable size : nat -> R.
Hypothesis Hsize : 0 <= size 0%nat /\ (1 + up) * size 0%nat + ep <= size 1%nat.

Hypothesis Hbeside : 0 <= beside.
Hypothesis Hpart : forall js q L O, part js q L O -> (q <= 1)%nat /\ js <> [] /\ Rabs O <= size q /\ - low <= L <= top /\
  (forall j, In j js -> 0 <= budget L j) /\
  near js (fun j => exp (s j - L) * k j) (budget L) (lost_of_weights 0 L) 1 /\
  exists O' W, near js (fun j => exp (s j - L) * c j) (fun j => budget L j + stored_beside up beside q) (lost_of_values q 0 L) O' /\
    near js (fun j => exp (s j - L) * k j) (fun j => budget L j + stored_beside up beside q) (lost_of_stores q 0 L) W /\
    Rabs (O - O') <= INR q * (ep * W) /\ 0 <= W.

(** Any tree of merges, of m merges; q: what is merged was stored once on the way of its keys, or may have been. *)
Inductive subtracted : list A -> nat -> nat -> R -> R -> Prop :=
  | subtracted_part : forall js q L O, part js q L O -> subtracted js 0 q L O
  | subtracted_two : forall a b ma mb q La Lb Oa Ob L O,
      subtracted a ma q La Oa -> subtracted b mb q Lb Ob -> L <= top ->
      Rabs (L - ln (exp La + exp Lb)) <= sigmoid_rounding ua La Lb ->
      by_sigmoid ua eta La Lb Oa Ob O -> subtracted (a ++ b) (S (ma + mb)) q L O
  | subtracted_stored : forall js m L O O', subtracted js m 0 L O -> rounds up ep O O' -> subtracted js m 1 L O'
  | subtracted_most : forall js m L O, subtracted js m 0 L O -> subtracted js m 1 L O
  | subtracted_perm : forall a b m q L O, Permutation a b -> subtracted a m q L O -> subtracted b m q L O.

(** No log-sum-exp is larger in size than M while merges are few enough. *)
Lemma lse_within : forall js m q L O, subtracted js m q L O -> 0 <= M ->
  low + INR m * (ua * (20 + 8 * M)) <= M -> - (low + INR m * (ua * (20 + 8 * M))) <= L <= top /\ Rabs L <= M.
Proof.
  intros js m q L O H MM. assert (G0 : 0 <= ua * (20 + 8 * M)) by (apply Rmult_le_pos; lra).
  set (g := ua * (20 + 8 * M)) in *.
  induction H as [js q L O H | a b ma mb q La Lb Oa Ob L O Ha IHa Hb IHb LT LR Hs | js m L O O' H IH R | js m L O H IH
    | a b m q L O P H IH]; intros F.
  - destruct (Hpart js q L O H) as (_ & _ & _ & [L1 L2] & _). simpl in *. split; [lra|]. apply Rabs_le. lra.
  - rewrite S_INR, plus_INR in *. pose proof (pos_INR ma). pose proof (pos_INR mb).
    assert (0 <= INR ma * g) by (apply Rmult_le_pos; lra). assert (0 <= INR mb * g) by (apply Rmult_le_pos; lra).
    destruct IHa as [[A1 A2] A3]; [lra|]. destruct IHb as [[B1 B2] B3]; [lra|].
    pose proof (exp_pos La). pose proof (exp_pos Lb).
    assert (La <= ln (exp La + exp Lb)) by (rewrite <- (ln_exp La) at 1; left; apply ln_increasing; lra).
    assert (R : sigmoid_rounding ua La Lb <= g).
    { unfold sigmoid_rounding, g. apply Rmult_le_compat_l; lra. }
    apply Rabs_le_inv in LR. split; [lra|]. apply Rabs_le. lra.
  - now apply IH.
  - now apply IH.
  - now apply IH.
Qed.

(** A part of an average: brought from L to L' by its exact share v of the whole, eps beside. *)
Lemma lane_share : forall js (q T g g' : A -> R) L L' v eps x, 0 < v <= 1 ->
  exp (L - L') = v * exp (- eps) -> (forall j, In j js -> 0 <= T j /\ v * g j <= g' j) ->
  near js (fun j => exp (s j - L) * q j) T g x ->
  near js (fun j => exp (s j - L') * q j) (fun j => T j + Rabs eps) g' (v * x).
Proof.
  intros js q T g g' L L' v eps x Hv Em P X.
  pose proof (near_scale _ _ _ _ (v * exp (- eps)) _ ltac:(apply Rmult_le_pos; [lra | left; apply exp_pos]) X) as Y.
  apply (near_mul _ _ _ _ (Rabs eps) (exp eps)) in Y; [|apply factor_exp | intros j J; now apply P].
  assert (E : exp eps * exp (- eps) = 1) by (rewrite <- exp_plus; replace (eps + - eps) with 0 by ring; apply exp_0).
  replace (exp eps * (v * exp (- eps) * x)) with (v * x) in Y by (rewrite <- (Rmult_1_l (v * x)), <- E; ring).
  eapply near_ext; [|eapply near_weaken; [intros; apply Rle_refl | | exact Y]].
  - intros j _. cbv beta. rewrite <- Em, <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring.
  - intros j J. cbv beta. rewrite (Rabs_pos_eq (exp eps)) by (left; apply exp_pos).
    replace (exp eps * (v * exp (- eps) * g j)) with (exp eps * exp (- eps) * (v * g j)) by ring.
    rewrite E, Rmult_1_l. now apply P.
Qed.

Theorem subtracted_accuracy : forall js m q L O, subtracted js m q L O -> 0 <= M ->
  low + INR m * (ua * (20 + 8 * M)) <= M ->
  let x := sigmoid_lse_error ua (INR m) M in
  Rabs L <= M /\ L <= top /\
  (forall j, In j js -> 0 <= budget L j + x) /\
  near js (fun j => exp (s j - L) * k j) (fun j => budget L j + x) (lost_of_weights x L) 1 /\
  exists O' W, near js (fun j => exp (s j - L) * c j) (fun j => budget L j + x + stored_beside up beside q) (lost_of_values q x L) O' /\
    near js (fun j => exp (s j - L) * k j) (fun j => budget L j + x + stored_beside up beside q) (lost_of_stores q x L) W /\
    Rabs (O - O') <= INR q * (ep * W) + subtracted_error ua ((1 + INR q * up) * eta / 15) (INR m) (size q) /\ 0 <= W.
Proof.
  intros js m q L O H MM Few. cbv zeta. destruct (lse_within js m q L O H MM Few) as [[_ LT] LM].
  split; [exact LM|]. split; [exact LT|]. clear LT LM. set (z := eta / (15 * ua)).
  assert (Q0 : 0 <= z) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  assert (Qe : 15 * ua * z = eta) by (unfold z; field; lra).
  set (K := fun p : nat => size p + (1 + INR p * up) * z).
  assert (K01 : (1 + up) * K 0%nat + ep <= K 1%nat /\ 0 <= K 0%nat <= K 1%nat).
  { unfold K. simpl INR. assert (0 <= up * size 0%nat) by (apply Rmult_le_pos; lra).
    assert (0 <= up * z) by (apply Rmult_le_pos; lra). lra. }
  cut ((q <= 1)%nat /\ (forall j, In j js -> 0 <= budget L j + sigmoid_lse_error ua (INR m) M) /\
    near js (fun j => exp (s j - L) * k j) (fun j => budget L j + sigmoid_lse_error ua (INR m) M)
      (lost_of_weights (sigmoid_lse_error ua (INR m) M) L) 1 /\
    exists O' W, near js (fun j => exp (s j - L) * c j)
        (fun j => budget L j + sigmoid_lse_error ua (INR m) M + stored_beside up beside q)
        (lost_of_values q (sigmoid_lse_error ua (INR m) M) L) O' /\
      near js (fun j => exp (s j - L) * k j)
        (fun j => budget L j + sigmoid_lse_error ua (INR m) M + stored_beside up beside q)
        (lost_of_stores q (sigmoid_lse_error ua (INR m) M) L) W /\ 0 <= W /\
      Rabs (O - O') <= K q * (grown ua m - 1) + INR q * (ep * W) /\
      Rabs O + (1 + INR q * up) * z <= K q * grown ua m).
  { intros (Q1 & H1 & H3 & O' & W & H4 & H4' & W0 & H5 & _). split; [exact H1 | split; [exact H3|]]. exists O', W.
    split; [exact H4 | split; [exact H4' | split; [|exact W0]]].
    eapply Rle_trans; [exact H5|]. unfold subtracted_error. rewrite Rplus_comm. apply Rplus_le_compat_l.
    replace (size q + (1 + INR q * up) * eta / 15 / ua) with (K q) by (unfold K, z; field; lra).
    apply Rmult_le_compat_l; [|apply grown_le; lra]. destruct q as [|[|q]]; [lra | lra | lia]. }
  induction H as [js q L O Hp | a b ma mb q La Lb Oa Ob L O Ha IHa Hb IHb LT LR Hs | js m L O O2 H IH R | js m L O H IH
    | a b m q L O P H IH].
  - destruct (Hpart js q L O Hp) as (Q1 & NE & OV & _ & B & X & O' & W & Y & Y' & E & W0).
    assert (Z : sigmoid_lse_error ua (INR 0) M = 0) by (unfold sigmoid_lse_error; simpl; ring). rewrite Z.
    split; [exact Q1|]. split; [intros j J; specialize (B j J); lra | split].
    + eapply near_weaken; [| intros; apply Rle_refl | exact X]. intros j _. lra.
    + exists O', W. split; [|split; [|split; [exact W0 | split]]].
      * eapply near_weaken; [| intros; apply Rle_refl | exact Y]. intros j _. cbv beta. lra.
      * eapply near_weaken; [| intros; apply Rle_refl | exact Y']. intros j _. cbv beta. lra.
      * unfold grown. simpl pow. lra.
      * unfold K, grown. simpl pow. lra.
  - pose proof (pos_INR ma) as M0. pose proof (pos_INR mb) as M1.
    assert (G0 : 0 <= ua * (20 + 8 * M)) by (apply Rmult_le_pos; lra). set (g := ua * (20 + 8 * M)) in *.
    rewrite S_INR, plus_INR in Few.
    assert (0 <= INR ma * g) by (apply Rmult_le_pos; lra). assert (0 <= INR mb * g) by (apply Rmult_le_pos; lra).
    destruct (lse_within _ _ _ _ _ Ha MM) as [_ MA]; [fold g; lra|]. destruct (lse_within _ _ _ _ _ Hb MM) as [_ MB]; [fold g; lra|].
    destruct IHa as (Q1 & Pa & Xa & Oa' & Wa' & Ya & Ya' & Wa0 & Ea & Wa); [lra|].
    destruct IHb as (_ & Pb & Xb & Ob' & Wb' & Yb & Yb' & Wb0 & Eb & Wb); [lra|].
    clear Few.
    set (Z := exp La + exp Lb) in *. pose proof (exp_pos La). pose proof (exp_pos Lb).
    assert (Z0 : 0 < Z) by (unfold Z; lra).
    set (eps := L - ln Z) in *. set (v := exp Lb / Z) in *.
    set (sr := sigmoid_rounding ua La Lb) in *. set (u1 := (22 + 9 * M) * ua).
    assert (SR : sr * (1 + 10 * ua) <= u1).
    { unfold sr, sigmoid_rounding, u1.
      assert ((20 + 4 * Rabs La + 4 * Rabs Lb) * (1 + 10 * ua) <= (20 + 8 * M) * (1 + 10 / 128))
        by (pose proof (Rabs_pos La); pose proof (Rabs_pos Lb); apply Rmult_le_compat; lra).
      assert (ua * ((20 + 4 * Rabs La + 4 * Rabs Lb) * (1 + 10 * ua)) <= ua * (22 + 9 * M))
        by (apply Rmult_le_compat_l; lra). lra. }
    assert (SR0 : 0 <= sr) by (pose proof (Rabs_pos eps); lra).
    assert (U1 : 0 <= u1) by (unfold u1; apply Rmult_le_pos; lra).
    assert (Srx : forall y : nat, sigmoid_lse_error ua (INR y) M = INR y * u1)
      by (intros; unfold sigmoid_lse_error, u1; ring).
    rewrite !Srx in *. rewrite S_INR, plus_INR.
    set (xa := INR ma * u1) in *. set (xb := INR mb * u1) in *.
    assert (XA : 0 <= xa) by (apply Rmult_le_pos; lra). assert (XB : 0 <= xb) by (apply Rmult_le_pos; lra).
    replace ((INR ma + INR mb + 1) * u1) with (xa + xb + u1) by (unfold xa, xb; ring). set (x := xa + xb + u1).
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
    assert (Small : forall L1 v1 y, 0 < v1 <= 1 -> exp (L1 - L) = v1 * exp (- eps) -> u1 <= y ->
      v1 <= exp (y - (L - L1) / 4)).
    { intros L1 v1 y Hv1 E1 Hy. destruct (Rle_lt_dec L1 L) as [G | G].
      - assert (v1 = exp (L1 - L + eps)).
        { rewrite exp_plus, E1, Rmult_assoc, <- exp_plus. replace (- eps + eps) with 0 by ring. rewrite exp_0. ring. }
        subst v1. apply exp_le. pose proof (Rle_abs eps). assert (0 <= ua * sr) by (apply Rmult_le_pos; lra). lra.
      - pose proof (exp_ge_1 (y - (L - L1) / 4) ltac:(lra)). lra. }
    assert (Step : forall j L1, L1 - L <= sr -> budget L1 j + Rabs eps <= budget L j + u1).
    { intros j L1 HL. pose proof (Hfalls L1 L sr j SR0 HL). assert (0 <= ua * sr) by (apply Rmult_le_pos; lra). lra. }
    assert (Join : forall (f : A -> R) (lost : R -> R -> A -> R) bes y z, kept lost -> 0 <= bes ->
      near a (fun j => exp (s j - La) * f j) (fun j => budget La j + xa + bes) (lost xa La) y ->
      near b (fun j => exp (s j - Lb) * f j) (fun j => budget Lb j + xb + bes) (lost xb Lb) z ->
      near (a ++ b) (fun j => exp (s j - L) * f j) (fun j => budget L j + x + bes) (lost x L) ((1 - v) * y + v * z)).
    { intros f lost bes y y' Kp B0 A1 A2.
      apply (lane_share _ _ _ _ (lost x L) _ L (1 - v) eps) in A1; [| lra | exact Sa |].
      2: { intros j J. split; [specialize (Pa j J); lra|].
           replace x with (xa + (xb + u1)) by (unfold x; ring).
           apply Kp; try lra. apply Small; [lra | exact Sa | lra]. }
      apply (lane_share _ _ _ _ (lost x L) _ L v eps) in A2; [| lra | exact Sb |].
      2: { intros j J. split; [specialize (Pb j J); lra|].
           replace x with (xb + (xa + u1)) by (unfold x; ring).
           apply Kp; try lra. apply Small; [lra | exact Sb | lra]. }
      apply near_app; (eapply near_weaken; [| intros; apply Rle_refl | eassumption]).
      - intros j J. cbv beta. specialize (Step j La La1). unfold x. lra.
      - intros j J. cbv beta. specialize (Step j Lb Lb1). unfold x. lra. }
    split; [exact Q1|]. split.
    { intros j J. pose proof (Rabs_pos eps). apply in_app_or in J. destruct J as [J | J].
      - specialize (Pa j J). specialize (Step j La La1). unfold x. lra.
      - specialize (Pb j J). specialize (Step j Lb Lb1). unfold x. lra. }
    split.
    { assert (J1 : near (a ++ b) (fun j => exp (s j - L) * k j) (fun j => budget L j + x + 0)
        (lost_of_weights x L) ((1 - v) * 1 + v * 1)).
      { apply Join; [assumption | lra | |].
        - eapply near_weaken; [| intros; apply Rle_refl | exact Xa]. intros j _. cbv beta. lra.
        - eapply near_weaken; [| intros; apply Rle_refl | exact Xb]. intros j _. cbv beta. lra. }
      replace ((1 - v) * 1 + v * 1) with 1 in J1 by ring.
      eapply near_weaken; [| intros; apply Rle_refl | exact J1]. intros j _. cbv beta. lra. }
    assert (B0 : 0 <= stored_beside up beside q).
    { unfold stored_beside. pose proof (pos_INR q). assert (0 <= INR q * up) by (apply Rmult_le_pos; lra). lra. }
    exists ((1 - v) * Oa' + v * Ob'), ((1 - v) * Wa' + v * Wb'). split; [apply Join; [apply Hkept_values | assumption..]|].
    split; [apply Join; [apply Hkept_stores | assumption..]|].
    split; [apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra|].
    (* what this merge and those before it lost *)
    set (h := (1 + INR q * up) * z) in *. set (Kq := K q) in *.
    assert (h0 : z <= h) by (unfold h; pose proof (pos_INR q); assert (0 <= INR q * up * z) by (apply Rmult_le_pos; [apply Rmult_le_pos; lra | lra]); lra).
    assert (Kq0 : 0 <= Kq).
    { unfold Kq. destruct q as [|[|q]]; [lra | lra | lia]. }
    set (W := Kq * grown ua (ma + mb) - h).
    assert (Ga : grown ua ma <= grown ua (ma + mb)).
    { unfold grown. apply Rle_pow; [lra | lia]. }
    assert (Gb : grown ua mb <= grown ua (ma + mb)).
    { unfold grown. apply Rle_pow; [lra | lia]. }
    assert (KA : Kq * grown ua ma <= Kq * grown ua (ma + mb)) by (apply Rmult_le_compat_l; lra).
    assert (KB : Kq * grown ua mb <= Kq * grown ua (ma + mb)) by (apply Rmult_le_compat_l; lra).
    assert (HA : Rabs Oa <= W) by (unfold W; lra). assert (HB : Rabs Ob <= W) by (unfold W; lra).
    pose proof (one_merge ua eta La Lb Oa Ob O W ltac:(lra) Heta HA HB Hs) as One. cbv zeta in One. fold Z v in One.
    assert (Gs : Kq * grown ua (S (ma + mb)) = Kq * grown ua (ma + mb) + 30 * ua * (W + h)).
    { unfold W, grown. simpl. ring. }
    assert (Qs : 2 * eta <= 30 * ua * h).
    { rewrite <- Qe. assert (30 * ua * z <= 30 * ua * h) by (apply Rmult_le_compat_l; lra). lra. }
    split.
    + replace (O - ((1 - v) * Oa' + v * Ob'))
        with ((O - ((1 - v) * Oa + v * Ob)) + ((1 - v) * (Oa - Oa') + v * (Ob - Ob'))) by ring.
      eapply Rle_trans; [apply Rabs_triang|].
      assert (Av : Rabs ((1 - v) * (Oa - Oa') + v * (Ob - Ob'))
        <= Kq * (grown ua (ma + mb) - 1) + INR q * (ep * ((1 - v) * Wa' + v * Wb'))).
      { eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_pos_eq v), (Rabs_pos_eq (1 - v)) by lra.
        assert ((1 - v) * Rabs (Oa - Oa') <= (1 - v) * (Kq * (grown ua (ma + mb) - 1) + INR q * (ep * Wa')))
          by (apply Rmult_le_compat_l; lra).
        assert (v * Rabs (Ob - Ob') <= v * (Kq * (grown ua (ma + mb) - 1) + INR q * (ep * Wb')))
          by (apply Rmult_le_compat_l; lra). lra. }
      lra.
    + pose proof (average_abs v Oa Ob W ltac:(lra) HA HB) as Av.
      pose proof (Rabs_triang (O - ((1 - v) * Oa + v * Ob)) ((1 - v) * Oa + v * Ob)) as G.
      replace (O - ((1 - v) * Oa + v * Ob) + ((1 - v) * Oa + v * Ob)) with O in G by ring.
      unfold W in *. lra.
  - (* a store *)
    destruct (IH Few) as (_ & S1 & X & O' & W & Y & Y' & W0 & E1 & E2).
    destruct (rounds_split _ _ _ _ Hup Hep R) as (d & e & D & Ee & ->).
    set (x := sigmoid_lse_error ua (INR m) M) in *.
    assert (SB : stored_beside up beside 1 = stored_beside up beside 0 + up /\ stored_beside up beside 0 = beside)
      by (unfold stored_beside; simpl INR; lra). destruct SB as [SB SB0].
    assert (D1 : Rabs (1 + d) <= 1 + up).
    { pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. lra. }
    destruct (grown_le ua m ltac:(lra)) as [G1 _]. destruct K01 as [K1 K2]. simpl INR in *.
    split; [apply le_n|]. split; [exact S1|]. split; [exact X|]. exists (O' * (1 + d)), 1.
    split; [|split; [|split; [lra | split]]].
    + apply (near_mul _ _ _ _ up (1 + d)) in Y; [|apply factor_round, D |].
      2: { intros j J. specialize (S1 j J). rewrite SB0. lra. }
      rewrite (Rmult_comm O'). eapply near_weaken; [| |exact Y]; intros j J; cbv beta; [rewrite SB; lra|].
      destruct (Hstored_values x L j) as [V0 V1]. eapply Rle_trans; [apply Rmult_le_compat_r; [exact V0 | exact D1] | exact V1].
    + eapply near_weaken; [| |exact X]; intros j J; cbv beta; [rewrite SB, SB0; lra|].
      destruct (Hstored_stores x L j). lra.
    + replace (O * (1 + d) + e - O' * (1 + d)) with ((O - O') * (1 + d) + e) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
      assert (Rabs (O - O') * Rabs (1 + d) <= K 0%nat * (grown ua m - 1) * (1 + up)).
      { apply Rmult_le_compat; try apply Rabs_pos; lra. }
      assert ((1 + up) * K 0%nat * (grown ua m - 1) <= K 1%nat * (grown ua m - 1)) by (apply Rmult_le_compat_r; lra). lra.
    + pose proof (Rabs_triang (O * (1 + d)) e) as G. rewrite Rabs_mult in G.
      assert (Rabs O * Rabs (1 + d) <= (K 0%nat * grown ua m - z) * (1 + up)).
      { apply Rmult_le_compat; try apply Rabs_pos; lra. }
      assert (((1 + up) * K 0%nat + ep) * grown ua m <= K 1%nat * grown ua m) by (apply Rmult_le_compat_r; lra).
      assert (ep * 1 <= ep * grown ua m) by (apply Rmult_le_compat_l; lra). lra.
  - (* none *)
    destruct (IH Few) as (_ & S1 & X & O' & W & Y & Y' & W0 & E1 & E2).
    set (x := sigmoid_lse_error ua (INR m) M) in *.
    assert (SB : stored_beside up beside 0 <= stored_beside up beside 1) by (unfold stored_beside; simpl INR; lra).
    destruct (grown_le ua m ltac:(lra)) as [G1 _]. destruct K01 as [K1 K2]. simpl INR in *.
    split; [apply le_n|]. split; [exact S1|]. split; [exact X|]. exists O', W.
    assert (KG : K 0%nat * (grown ua m - 1) <= K 1%nat * (grown ua m - 1)) by (apply Rmult_le_compat_r; lra).
    assert (0 <= ep * W) by (apply Rmult_le_pos; lra).
    split; [|split; [|split; [exact W0 | split; [lra|]]]].
    + eapply near_weaken; [| |exact Y]; intros j J; cbv beta; [lra|]. destruct (Hstored_values x L j) as [V0 V1].
      assert (0 <= up * lost_of_values 0 x L j) by (apply Rmult_le_pos; lra). lra.
    + eapply near_weaken; [| |exact Y']; intros j J; cbv beta; [lra|]. destruct (Hstored_stores x L j). lra.
    + assert (K 1%nat - K 0%nat >= up * z).
      { unfold K. simpl INR. assert (0 <= up * size 0%nat) by (apply Rmult_le_pos; lra). lra. }
      assert ((K 1%nat - K 0%nat) * 1 <= (K 1%nat - K 0%nat) * grown ua m) by (apply Rmult_le_compat_l; lra). lra.
  - destruct (IH Few) as (Q1 & S1 & X & O' & W & Y & Y' & W0 & E1 & E2). split; [exact Q1|].
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; [eapply near_perm; eassumption|].
    exists O', W. split; [eapply near_perm; eassumption | split; [eapply near_perm; eassumption | repeat split; assumption]].
Qed.

End Run.

Theorem subtracted_merges : forall (A : Type) ua eta up ep top (part : list A -> nat -> R -> R -> Prop) js m q L O,
  (forall js q L O, part js q L O -> js <> []) -> subtracted ua eta up ep top part js m q L O -> (m < length js)%nat.
Proof.
  intros A ua eta up ep top part js m q L O NE H.
  induction H as [js q L O H | a b ma mb q La Lb Oa Ob L O Ha IHa Hb IHb | | | a b m q L O P H IH]; try assumption.
  - specialize (NE js q L O H). destruct js; [congruence | simpl; lia].
  - rewrite app_length. lia.
  - now rewrite <- (Permutation_length P).
Qed.

(** A part of a tree is a part of the whole. *)
Lemma subtracted_within : forall (A : Type) ua eta up ep top (part : list A -> nat -> R -> R -> Prop) js m q L O,
  subtracted ua eta up ep top part js m q L O ->
  subtracted ua eta up ep top (fun js' q' L' O' => part js' q' L' O' /\ exists rest, Permutation (js' ++ rest) js) js m q L O.
Proof.
  intros A ua eta up ep top part js m q L O H.
  assert (Weak : forall js m q L O (f g : list A -> nat -> R -> R -> Prop), (forall l i x y, f l i x y -> g l i x y) ->
    subtracted ua eta up ep top f js m q L O -> subtracted ua eta up ep top g js m q L O).
  { clear. intros js m q L O f g I H. induction H.
    - apply subtracted_part. now apply I.
    - eapply subtracted_two; eassumption.
    - eapply subtracted_stored; eassumption.
    - now apply subtracted_most.
    - eapply subtracted_perm; eassumption. }
  induction H as [js q L O Hp | a b ma mb q La Lb Oa Ob L O Ha IHa Hb IHb LT LR Hs | js m L O O' H IH R | js m L O H IH
    | a b m q L O P H IH].
  - apply subtracted_part. split; [exact Hp|]. exists []. rewrite app_nil_r. apply Permutation_refl.
  - eapply subtracted_two; try eassumption.
    + eapply Weak; [|exact IHa]. intros l i x y [Q [rest R]]. split; [exact Q|]. exists (rest ++ b).
      rewrite app_assoc. now apply Permutation_app_tail.
    + eapply Weak; [|exact IHb]. intros l i x y [Q [rest R]]. split; [exact Q|]. exists (rest ++ a).
      rewrite app_assoc. eapply Permutation_trans; [apply Permutation_app_tail, R | apply Permutation_app_comm].
  - eapply subtracted_stored; eassumption.
  - now apply subtracted_most.
  - eapply subtracted_perm; [exact P|]. eapply Weak; [|exact IH]. intros l i x y [Q [rest R]]. split; [exact Q|].
    exists rest. eapply Permutation_trans; eassumption.
Qed.
