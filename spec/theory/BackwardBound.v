(** * BackwardBound: the bounds of every gradient, composed

    Purpose. From what the forward pass guarantees (budgets of P, the errors of O) to the bounds of
    dS, dV, dQ, dK, dBias, dSink, dY, dW_K and dW_V that reference/bounds/by-pair/bounds-backward.ts computes. Exact
    values are those of Gradient.v; terms are a list of any type: rows and keys, of a group's heads,
    of any ranks.

    Main results.
    - [far_probability_falls]  the error of a far key's P is no more under a lower bias
    - [row_dS_bound]     dS of every key of a row, D computed either way: addErrors
    - [row_dSink_bound]  the same for the row's sink
    - [dV_bound]         dV, dropout included: valueTermError and finishSum
    - [dQ_dK_bound]      dQ and dK through softcap, wherever the scale is applied: keyTermError, finishSum
    - [dQ_dK_capped_bound]   the same through a softcap derived step by step: cappedGradientError
    - [dBias_bound]      dBias and dSink over whatever shares them: storedGradientError, finishSum
    - [projection_bound] dY, dW_K, dW_V: projectionTermError, finishSum

    Dependencies. Gradient.v, AttentionBound.v, BackwardAccuracy.v. *)

From Coq Require Import Reals Lra List.
From Xattn Require Gradient AttentionBound.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy BackwardModel BackwardAccuracy.
Import ListNotations.
Open Scope R_scope.

(** The same of its P, recomputed or kept, for whatever lies below the LSE. *)
Theorem far_probability_falls : forall m n merges slack granted lse dl s score score' b d,
  0 <= ue m -> 0 <= ua m -> 0 <= merges -> 0 <= b -> 0 <= d -> score' <= score + d * b ->
  (1 + 8 * ue m) * (d + 2 * (1 + 8 * ue m) * (1 + d) * ue m + 10 * ua m
    + (7 + 2 * merges) * (1 + (20 + 4 * merges) * ua m) * ua m + 6 * ue m) <= 1 ->
  let error s score := far_probability_error m (exp (s - lse)) (lse - s)
    (recomputed_weight m (Rabs lse) dl (Rabs s) (lse - s)
      (AttentionBound.weight_error (ue m) (ua m) n merges slack granted lse s score)) in
  error (s - b) score' <= error s score.
Proof.
  intros m n merges slack granted lse dl s score score' b d Ue Ua Me B D S Slope error.
  assert (A : Rabs (s - b) <= Rabs s + b).
  { pose proof (Rabs_triang s (- b)) as T. rewrite Rabs_Ropp, (Rabs_pos_eq b B) in T. exact T. }
  set (w := 1 + (20 + 4 * merges) * ua m) in *.
  assert (W : 0 <= w) by (unfold w; assert (0 <= (20 + 4 * merges) * ua m) by (apply Rmult_le_pos; lra); lra).
  assert (HX : w * Rmax (Rabs (s - b)) (Rabs lse) <= w * (Rmax (Rabs s) (Rabs lse) + b)).
  { apply Rmult_le_compat_l; [exact W|]. apply Rmax_lub.
    - pose proof (Rmax_l (Rabs s) (Rabs lse)). lra.
    - pose proof (Rmax_r (Rabs s) (Rabs lse)). lra. }
  assert (M : 0 <= (7 + 2 * merges) * ua m) by (apply Rmult_le_pos; lra).
  apply (Rmult_le_compat_l _ _ _ M) in HX.
  assert (E : 2 * (1 + 8 * ue m) * ue m * (Rabs (s - b) + score')
    <= 2 * (1 + 8 * ue m) * ue m * (Rabs s + score + (1 + d) * b)).
  { apply Rmult_le_compat_l; [repeat apply Rmult_le_pos; lra | lra]. }
  assert (T : AttentionBound.weight_error (ue m) (ua m) n merges slack granted lse (s - b) score'
      + ue m * (Rabs (s - b) + 5 * b)
    <= AttentionBound.weight_error (ue m) (ua m) n merges slack granted lse s score + ue m * Rabs s
      + (d + 2 * (1 + 8 * ue m) * (1 + d) * ue m + 10 * ua m + (7 + 2 * merges) * w * ua m + 6 * ue m) * b).
  { apply (Rmult_le_compat_l (ue m) _ _ Ue) in A.
    unfold AttentionBound.weight_error, AttentionBound.weight_rounding. cbv zeta. fold w. lra. }
  apply (Rmult_le_compat_l (1 + 8 * ue m)) in T; [|lra].
  apply (Rmult_le_compat_r b _ _ B) in Slope.
  unfold error, far_probability_error.
  assert (P : exp (s - b - lse) <= exp (s - lse)) by (apply exp_le; lra).
  match goal with |- _ + 2 * exp ?x + _ <= _ + 2 * exp ?y + _ => assert (x <= y) as Q end.
  { unfold recomputed_weight. cbv zeta. lra. }
  apply exp_le in Q. lra.
Qed.

Section Bound.

Variable m : model.
Hypothesis Sane : sane m.

(** ** One row *)

Section Row.

Context {A C : Type}.
Variable keys : list A.
Variable comps : list C.
Variables kappa s : A -> R.
Variable dO : C -> R.
Variable dLSE : R.
Variable v : A -> C -> R.
Variable sink : option R.

Let P := Gradient.P keys s sink.
Let G := Gradient.G comps kappa dO v.
Let O := Gradient.O keys kappa s v sink.
Let D := Gradient.D keys comps kappa dO s v sink.

(** Magnitudes at least as large as the exact ones (RowMagnitudes), the errors of P and of the output,
    and what was computed. pError is probability_error (recomputed_probability, kept_probability and
    probability_read) or far_probability_error (far_recomputed, far_kept), whichever is less. *)
Variables p g pError gError cP cG : A -> R.
Variables d dLse products carried sizes cD : R.
Variables dout cO cdO : C -> R.

Hypothesis of_P : forall j, In j keys ->
  P j <= p j /\ Rabs (cP j - P j) <= pError j.
Hypothesis of_G : forall j, In j keys -> Rabs (G j) <= g j /\ Rabs (cG j - G j) <= gError j.
Hypothesis of_O : forall c, In c comps -> Rabs (cO c - O c) <= dout c.
Hypothesis of_dO : forall c, In c comps -> operand (ui m) (eta_in m) (dO c) (cdO c).
Hypothesis of_products : total (fun c => Rabs (dO c * O c)) comps <= products.
Hypothesis of_carried : total (fun c => Rabs (dO c) * dout c) comps <= carried.
Hypothesis of_sizes : total (fun c => Rabs (O c) + dout c) comps <= sizes.
Hypothesis of_D : Rabs D <= d.
Hypothesis of_dLSE : Rabs dLSE <= dLse.

(** D from the candidate's own output, or over the keys. *)
Hypothesis D_run :
  dot_any (ua m) (tiny m) (map (fun c => (cdO c, cO c)) comps) cD \/
  dot_any (ua m) (tiny m) (map (fun j => (cP j, cG j)) keys) cD.

(** cotangentError *)
Definition row_dError : R :=
  Rmax (from_output m (INR (length comps)) products carried sizes)
    (total (fun j => from_key m (INR (length keys)) (p j) (pError j) (g j) (gError j)) keys).

Lemma row_P : forall j, In j keys -> Rabs (P j) <= p j /\ Rabs (cP j - P j) <= pError j.
Proof using of_P.
  intros j J. destruct (of_P j J) as (H1 & H2).
  assert (0 <= P j) by (left; apply exp_pos). rewrite Rabs_pos_eq; auto.
Qed.

Lemma row_D : Rabs (cD - D) <= row_dError.
Proof using Sane of_P of_G of_O of_dO of_products of_carried of_sizes D_run.
  unfold row_dError. destruct D_run as [H | H].
  - eapply Rle_trans; [|apply Rmax_l].
    exact (from_output_bound m Sane comps dO O cO dout cdO cD products carried sizes of_O of_dO H
      of_products of_carried of_sizes).
  - eapply Rle_trans; [|apply Rmax_r]. unfold D. rewrite Gradient.D_two_ways.
    apply (from_keys_bound m Sane keys P cP G cG p g pError gError cD); [|exact H].
    intros j J. destruct (row_P j J), (of_G j J). auto.
Qed.

Theorem row_dS_bound : forall j cdS, In j keys -> dS_run m (cP j) (cG j) cD dLSE cdS ->
  Rabs (cdS - Gradient.dS keys comps kappa dO dLSE s v sink j)
    <= score_gradient_error m d dLse row_dError (p j) (pError j) (g j) (gError j).
Proof using Sane of_P of_G of_O of_dO of_products of_carried of_sizes D_run of_D of_dLSE.
  intros j cdS J Run. destruct (row_P j J), (of_G j J).
  apply (dS_bound m Sane (P j) (cP j) (G j) (cG j) D cD dLSE); try assumption. apply row_D.
Qed.

(** The sink's value is 0, so its G is. *)
Theorem row_dSink_bound : forall x pSink eSink cPSink cdSink, sink = Some x ->
  exp (x - Gradient.LSE keys s sink) <= pSink ->
  Rabs (cPSink - exp (x - Gradient.LSE keys s sink)) <= eSink ->
  dS_run m cPSink 0 cD dLSE cdSink ->
  Rabs (cdSink - Gradient.dSink keys comps kappa dO dLSE s v sink)
    <= score_gradient_error m d dLse row_dError pSink eSink 0 0.
Proof using Sane of_P of_G of_O of_dO of_products of_carried of_sizes D_run of_D of_dLSE.
  intros x pSink eSink cPSink cdSink Hs Hp He Run. pose proof row_D as HD.
  set (ps := exp (x - Gradient.LSE keys s sink)) in *. assert (0 <= ps) by (left; apply exp_pos).
  assert (E : Gradient.dSink keys comps kappa dO dLSE s v sink = ps * (0 - D + dLSE)).
  { unfold Gradient.dSink, ps, D. rewrite Hs. ring. }
  rewrite E. apply (dS_bound m Sane ps cPSink 0 0 D cD dLSE); try assumption.
  - rewrite Rabs_pos_eq; assumption.
  - rewrite Rabs_R0. lra.
  - rewrite Rminus_0_r, Rabs_R0. lra.
Qed.

End Row.

(** ** Sums of terms *)

Context {X : Type}.
Variable xs : list X.
Variables ranks magnitude exact out : R.
Hypothesis some_ranks : 0 <= ranks.

(** Equation (10): P and P' of each row and key, x one component of dO. *)
Theorem dV_bound : forall (kappa P P' p pError x size term : X -> R),
  (forall i, In i xs -> 0 <= kappa i /\ 0 <= P i <= p i /\ Rabs (P' i - P i) <= pError i /\
    Rabs (x i) <= size i /\ value_run m (kappa i) (P' i) (x i) (term i)) ->
  total (fun i => Rabs (kappa i * P i * x i)) xs <= magnitude ->
  Rabs (total (fun i => kappa i * P i * x i) xs) <= exact ->
  finish_run m 1 (map term xs) out ->
  Rabs (out - total (fun i => kappa i * P i * x i) xs)
    <= finish_sum m (INR (length xs)) ranks
         (total (fun i => value_error m (kappa i) (p i) (pError i) (size i)) xs) magnitude exact.
Proof using Sane some_ranks.
  intros kappa P P' p pError x size term H Hm He F.
  apply (finish_bound m Sane xs term _ (fun i => value_error m (kappa i) (p i) (pError i) (size i)) 0 1);
    try assumption; try lra.
  - rewrite Rabs_R1. lra.
  - intros i I. destruct (H i I) as (H1 & H2 & H3 & H4 & H5).
    rewrite Rmult_1_l, Rmult_0_l, Rplus_0_r.
    exact (value_term_bound m Sane _ _ _ _ _ _ _ _ H1 H2 H3 H4 H5).
Qed.

(** Equations (14)-(16): r = dS f with f the softcap's slope, y of K (with an error) or Q (without);
    the scale is alpha beta gamma. *)
Theorem dQ_dK_bound : forall S alpha beta gamma (dS dS' dSb dSe f f' fb fe y y' yb dy term : X -> R),
  split_scale S (Rabs alpha) (Rabs beta) gamma ->
  (forall i, In i xs -> Rabs (dS i) <= dSb i /\ Rabs (dS' i - dS i) <= dSe i /\
    Rabs (f i) <= fb i /\ Rabs (f' i - f i) <= fe i /\ Rabs (y i) <= yb i /\
    Rabs (y' i - y i) <= dy i /\ key_run m alpha beta (dS' i) (f' i) (y' i) (term i)) ->
  let t := fun i => alpha * beta * gamma * (dS i * f i * y i) in
  total (fun i => Rabs (t i)) xs <= magnitude -> Rabs (total t xs) <= exact ->
  finish_run m gamma (map term xs) out ->
  Rabs (out - total t xs)
    <= finish_sum m (INR (length xs)) ranks
         (total (fun i => key_error m S (dSb i * fb i) (raw_error (dSb i) (dSe i) (fb i) (fe i))
            (yb i) (dy i)) xs) magnitude exact.
Proof using Sane some_ranks.
  intros S alpha beta gamma dS dS' dSb dSe f f' fb fe y y' yb dy term HS H t Hm He F.
  pose proof HS as (HA & HB & HE & HG & _).
  assert (S0 : 0 <= S) by (rewrite <- HE; repeat apply Rmult_le_pos; try assumption; apply Rabs_pos).
  apply (finish_bound m Sane xs term t (fun i => key_error m S (dSb i * fb i)
    (raw_error (dSb i) (dSe i) (fb i) (fe i)) (yb i) (dy i)) S gamma);
    try assumption; try lra.
  intros i I. destruct (H i I) as (H1 & H2 & H3 & H4 & H5 & H6 & H7).
  refine (key_term_bound m Sane S alpha beta gamma (dS' i * f' i) (dS i * f i) (dSb i * fb i)
    (raw_error (dSb i) (dSe i) (fb i) (fe i)) (dS' i) (f' i) (y i) (y' i) (yb i) (dy i) (term i) HS eq_refl _ _ H5 H6 H7).
  - rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; assumption.
  - now apply raw_bound.
Qed.

(** The same where r is what comes of dS through the softcap step by step. *)
Theorem dQ_dK_capped_bound : forall S alpha beta gamma cap
  (dS dS' dSb dSe v v' vb ve fb r y y' yb dy term : X -> R),
  split_scale S (Rabs alpha) (Rabs beta) gamma -> 0 < cap ->
  (forall i, In i xs -> Rabs (dS i) <= dSb i /\ Rabs (dS' i - dS i) <= dSe i /\
    Rabs (v i) <= vb i /\ vb i <= 1 /\ Rabs (v' i - v i) <= ve i /\ Rabs (1 - v i ^ 2) <= fb i /\
    capped_run m cap (v' i) (dS' i) (r i) /\ Rabs (y i) <= yb i /\
    Rabs (y' i - y i) <= dy i /\ key_run m alpha beta (r i) 1 (y' i) (term i)) ->
  let t := fun i => alpha * beta * gamma * (dS i * (1 - v i ^ 2) * y i) in
  total (fun i => Rabs (t i)) xs <= magnitude -> Rabs (total t xs) <= exact ->
  finish_run m gamma (map term xs) out ->
  Rabs (out - total t xs)
    <= finish_sum m (INR (length xs)) ranks
         (total (fun i => key_error m S (dSb i * fb i)
            (capped_error m cap (dSb i) (dSe i) (fb i) (factor_error m (vb i) (ve i)))
            (yb i) (dy i)) xs) magnitude exact.
Proof using Sane some_ranks.
  intros S alpha beta gamma cap dS dS' dSb dSe v v' vb ve fb r y y' yb dy term HS C H t Hm He F.
  pose proof HS as (HA & HB & HE & HG & _).
  assert (S0 : 0 <= S) by (rewrite <- HE; repeat apply Rmult_le_pos; try assumption; apply Rabs_pos).
  apply (finish_bound m Sane xs term t (fun i => key_error m S (dSb i * fb i)
    (capped_error m cap (dSb i) (dSe i) (fb i) (factor_error m (vb i) (ve i))) (yb i) (dy i)) S gamma);
    try assumption; try lra.
  intros i I. destruct (H i I) as (H1 & H2 & H3 & H4 & H5 & H6 & H7 & H8 & H9 & H10).
  refine (key_term_bound m Sane S alpha beta gamma (r i * 1) (dS i * (1 - v i ^ 2)) (dSb i * fb i)
    (capped_error m cap (dSb i) (dSe i) (fb i) (factor_error m (vb i) (ve i)))
    (r i) 1 (y i) (y' i) (yb i) (dy i) (term i) HS eq_refl _ _ H8 H9 H10).
  - rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; assumption.
  - rewrite Rmult_1_r. now apply (capped_bound m Sane cap (v i) (v' i) (vb i) (ve i) (dS i) (dS' i)).
Qed.

(** Equations (17), (18). *)
Theorem dBias_bound : forall (dS dS' b e term : X -> R),
  (forall i, In i xs -> Rabs (dS i) <= b i /\ Rabs (dS' i - dS i) <= e i /\
    bias_run m (dS' i) (term i)) ->
  total (fun i => Rabs (dS i)) xs <= magnitude -> Rabs (total dS xs) <= exact ->
  finish_run m 1 (map term xs) out ->
  Rabs (out - total dS xs)
    <= finish_sum m (INR (length xs)) ranks (total (fun i => bias_error m (b i) (e i)) xs) magnitude exact.
Proof using Sane some_ranks.
  intros dS dS' b e term H Hm He F.
  apply (finish_bound m Sane xs term dS (fun i => bias_error m (b i) (e i)) 0 1); try assumption; try lra.
  - rewrite Rabs_R1. lra.
  - intros i I. destruct (H i I) as (H1 & H2 & H3). rewrite Rmult_1_l, Rmult_0_l, Rplus_0_r.
    exact (bias_term_bound m Sane _ _ _ _ _ H1 H2 H3).
Qed.

(** Equations (25), (26): x of dK or dV with its bound, w of the weights or the features. *)
Theorem projection_bound : forall (x x' w size error a term : X -> R),
  (forall i, In i xs -> Rabs (x i) <= size i /\ Rabs (x' i - x i) <= error i /\ Rabs (w i) <= a i /\
    projection_run m (x' i) (w i) (term i)) ->
  total (fun i => Rabs (x i * w i)) xs <= magnitude -> Rabs (total (fun i => x i * w i) xs) <= exact ->
  finish_run m 1 (map term xs) out ->
  Rabs (out - total (fun i => x i * w i) xs)
    <= finish_sum m (INR (length xs)) ranks
         (total (fun i => projection_error m (size i) (error i) (a i)) xs) magnitude exact.
Proof using Sane some_ranks.
  intros x x' w size error a term H Hm He F.
  apply (finish_bound m Sane xs term _ (fun i => projection_error m (size i) (error i) (a i)) 0 1);
    try assumption; try lra.
  - rewrite Rabs_R1. lra.
  - intros i I. destruct (H i I) as (H1 & H2 & H3 & H4). rewrite Rmult_1_l, Rmult_0_l, Rplus_0_r.
    exact (projection_term_bound m Sane _ _ _ _ _ _ _ H1 H2 H3 H4).
Qed.

End Bound.
