(** * BackwardAccuracy: every step of the backward pass obeys its line of bounds-backward.ts

    Purpose. The backward part of bounds.md, step by step: a computation of BackwardModel.v, with what
    came before it within its own bound, is within the bound that the code computes. Magnitudes are
    any numbers no smaller than the exact ones; sums are in any order.

    Main results.
    - [recomputed_probability]   P from a rounded LSE has the budget recomputedWeight
    - [kept_probability]         so has P kept from the forward pass, a weight over the denominator
    - [probability_read]         that budget as an absolute error: probabilityError
    - [far_recomputed], [far_kept]   the same of a key far below the LSE, whatever its score's size
    - [cotangent_product_bound]  G = kappa dO V: gradientError
    - [from_output_bound], [from_keys_bound]   D one way and the other: fromOutput, fromKey
    - [dS_bound]                 dS = P (G - D + dLSE) in any order: scoreGradientError
    - [factor_bound]             1 - tanh^2: factorError
    - [capped_bound]             dS through c tanh(raw / c) step by step: cappedGradientError
    - [value_term_bound], [key_term_bound], [bias_term_bound], [projection_term_bound]
                                 terms of dV, of dQ and dK wherever the scale goes, of dBias and dSink,
                                 of dY and dW: the functions of gradient-errors.ts
    - [finish_bound]             terms summed in any order over the ranks, scaled, rounded: finishSum

    Dependencies. SumAccuracy.v, DotAccuracy.v, BackwardModel.v. *)

From Coq Require Import Reals Lra Lia List.
From Flocq Require Import Core.
From Xattn Require Gradient.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy AttentionModel BackwardModel.
Import ListNotations.
Open Scope R_scope.

(** ** Tools *)

Lemma exp_growth : forall T, 0 <= T -> exp T <= 1 + growth T.
Proof. intros T H. pose proof (growth_bounds T H). lra. Qed.

Lemma exp_growth_le : forall S T, 0 <= T -> S <= T -> exp S <= 1 + growth T.
Proof. intros S T H L. pose proof (exp_growth T H). pose proof (exp_le _ _ L). lra. Qed.

(** An operand, read with growth. *)
Lemma operand_read : forall S T e x y, 0 <= T -> S <= T -> 0 <= e -> operand S e x y ->
  Rabs (y - x) <= Rabs x * growth T + e * (1 + growth T).
Proof.
  unfold operand. intros S T e x y HT L E H. pose proof (exp_growth_le S T HT L).
  pose proof (Rabs_pos x). nra.
Qed.

Lemma operand_near : forall e x y, Rabs (y - x) <= e -> operand 0 e x y.
Proof. unfold operand. intros e x y H. rewrite exp_0. lra. Qed.

Lemma rounds_operand0 : forall u h x y, 0 <= u -> 0 <= h -> rounds u h x y -> operand u h x y.
Proof.
  intros u h x y U H Rd. replace u with (0 + u) by ring. replace h with (0 + h) by ring.
  eapply operand_round; eauto using operand_exact; lra.
Qed.

Lemma near_abs : forall x y e, Rabs (y - x) <= e -> Rabs y <= Rabs x + e.
Proof.
  intros x y e H. pose proof (Rabs_triang (y - x) x) as A. replace (y - x + x) with y in A by ring. lra.
Qed.

Lemma rounds_abs : forall u h x y, rounds u h x y -> Rabs y <= Rabs x * (1 + u) + h.
Proof. intros u h x y H. unfold rounds in H. apply near_abs in H. lra. Qed.

Lemma sum_read : forall u h l x, 0 <= u -> 0 <= h -> sum_any u h l x ->
  let n := INR (length l) in 1 <= n /\
  Rabs (x - total (fun y => y) l)
    <= (exp ((n - 1) * u) - 1) * sizes l + (n - 1) * h * exp ((n - 1) * u).
Proof.
  intros u h l x U H S n. split.
  { unfold n. destruct l as [|y l]; [exfalso; eapply sum_any_nonempty, S|].
    simpl length. rewrite S_INR. pose proof (pos_INR (length l)). lra. }
  rewrite <- (map_id l) in S.
  pose proof (sum_approx u h (fun y : R => y) (fun y => y) (fun _ => 0) (fun _ => 0) U H l x S) as X.
  unfold approx in X. eapply Rle_trans; [apply X|].
  - intros j _. split; [lra|]. unfold approx. simpl. rewrite exp_0, Rminus_diag_eq, Rabs_R0; lra.
  - fold n. apply Rplus_le_compat_r, Req_le. rewrite <- (map_id l) at 2. rewrite sizes_total.
    rewrite <- total_scale. apply total_ext. intros j _. rewrite Rplus_0_l. ring.
Qed.

Section Backward.

Variable m : model.
Hypothesis Sane : sane m.

Ltac use_sane := destruct Sane as (Huo & Hus & Hue & Hup & Hua & Huout & Hui & Hust & Htiny & Heta
  & Hetaout & Hetain & Hetast).

(** ** P *)

Theorem recomputed_probability : forall s s' lse L L' ds dl weight P,
  Rabs (s' - s) <= ds -> ds <= weight -> Rabs (L - lse) <= dl -> rounds (2 * ua m) 0 L L' ->
  recomputed m s' L' P ->
  operand (recomputed_weight m (Rabs lse) dl (Rabs s) (Rabs (s - lse)) weight)
    (2 * tiny m + eta m) (exp (s - lse)) P.
Proof.
  use_sane. intros s s' lse L L' ds dl weight P S W HL RL (y & e & f & Y & E & F & RP).
  set (stored := dl + 2 * ua m * (Rabs lse + dl)).
  assert (St : Rabs (L' - lse) <= stored).
  { unfold rounds in RL. replace (L' - lse) with ((L' - L) + (L - lse)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. apply near_abs in HL as HA.
    assert (2 * ua m * Rabs L <= 2 * ua m * (Rabs lse + dl)) by (apply Rmult_le_compat_l; lra).
    unfold stored. lra. }
  assert (S0 : 0 <= ds) by (pose proof (Rabs_pos (s' - s)); lra).
  assert (T0 : 0 <= stored) by (pose proof (Rabs_pos (L' - lse)); lra).
  apply near_abs in S as SA. apply near_abs in St as LA.
  assert (D : Rabs ((s' - L') - (s - lse)) <= ds + stored).
  { replace ((s' - L') - (s - lse)) with ((s' - s) + - (L' - lse)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  apply near_abs in D as DA.
  set (A := Rabs s + Rabs lse + Rabs (s - lse)) in *.
  assert (A0 : 0 <= A).
  { unfold A. pose proof (Rabs_pos s). pose proof (Rabs_pos lse). pose proof (Rabs_pos (s - lse)). lra. }
  assert (Y' : Rabs (y - (s - lse)) <= (ds + stored) + ue m * (A + 2 * (ds + stored))).
  { replace (y - (s - lse)) with ((y - (s' - L')) + ((s' - L') - (s - lse))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rplus_comm (ds + stored)).
    apply Rplus_le_compat; [|exact D]. eapply Rle_trans; [exact Y|].
    apply Rmult_le_compat_l; [lra|]. unfold A. lra. }
  apply near_abs in Y' as YA.
  set (dy := ds + stored + ue m * (A + 2 * (ds + stored))) in *.
  set (b := (4 + 4 * (Rabs (s - lse) + dy)) * ue m).
  assert (E' : Rabs e <= b).
  { eapply Rle_trans; [exact E|]. unfold b. apply Rmult_le_compat_r; lra. }
  assert (Dy0 : 0 <= dy) by (pose proof (Rabs_pos (y - (s - lse))); lra).
  assert (X : operand (dy + b) 0 (exp (s - lse)) (exp y * (1 + e))).
  { pose proof (factor_mul _ _ _ _ (factor_exp (y - (s - lse))) (factor_round b e E')) as FM.
    apply (factor_weaken _ (dy + b)) in FM; [|lra]. unfold operand, factor in *.
    replace (exp y) with (exp (s - lse) * exp (y - (s - lse))) by (rewrite <- exp_plus; f_equal; ring).
    replace (exp (s - lse) * exp (y - (s - lse)) * (1 + e) - exp (s - lse))
      with (exp (s - lse) * (exp (y - (s - lse)) * (1 + e) - 1)) by ring.
    pose proof (exp_pos (s - lse)). rewrite Rabs_mult, (Rabs_pos_eq (exp (s - lse))) by lra.
    apply (Rmult_le_compat_l (exp (s - lse))) in FM; lra. }
  assert (b0 : 0 <= b) by (pose proof (Rabs_pos e); lra).
  eapply operand_round in X; [| | | | | exact F]; try lra.
  eapply operand_round in X; [| | | | | exact RP]; try lra.
  eapply operand_weaken; [| |exact X]; [|lra].
  unfold recomputed_weight. cbv zeta. fold stored. clearbody stored.
  apply Rplus_le_compat_r. unfold b, dy, A.
  pose proof (Rabs_pos s). pose proof (Rabs_pos lse). pose proof (Rabs_pos (s - lse)).
  set (as_ := Rabs s) in *. set (al := Rabs lse) in *. set (ad := Rabs (s - lse)) in *.
  set (u := ue m) in *. set (ss := ds + stored).
  assert (0 <= u * ss) by (apply Rmult_le_pos; unfold ss; lra).
  assert (u * (u * ss) <= 1 / 4 * (u * ss)) by (apply Rmult_le_compat_r; lra).
  assert (0 <= u * (u * as_)) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= u * (u * al)) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= u * (u * ad)) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= u * u) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= u * al) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= (weight - ds) * (1 + 8 * u)) by (apply Rmult_le_pos; lra).
  unfold ss in *. nra.
Qed.

(** With q = quotient B, the narrow bound of the LSE, or its wide one: both are dl before the LSE is
    converted, so that nothing is left to ask of a row. *)
Theorem kept_probability : forall x z q weight dl lse score fromLse P,
  0 <= x -> 1 <= z -> 0 <= weight -> 0 <= lse -> 0 <= score -> 0 <= fromLse ->
  q <= dl -> ua m <= 4 * ue m -> kept m weight q x z P ->
  operand (recomputed_weight m lse dl score fromLse weight) (2 * tiny m + eta m) (x / z) P.
Proof.
  use_sane. intros x z q weight dl lse score fromLse P X0 Z1 W0 H1 H2 H3 HL HU (w & l & f & OW & L0 & Hl & F & RP).
  set (d := ln (l / z)) in *. assert (Q0 : 0 <= q) by (pose proof (Rabs_pos d); lra).
  assert (El : / l = / z * exp (- d)).
  { unfold d. rewrite exp_Ropp, exp_ln by (apply Rdiv_lt_0_compat; lra). field. lra. }
  assert (FI : factor q (exp (- d))).
  { pose proof (factor_exp (- d)) as G. rewrite Rabs_Ropp in G.
    eapply factor_weaken; [exact Hl | exact G]. }
  assert (Iz : 0 < / z <= 1).
  { split; [apply Rinv_0_lt_compat; lra|]. rewrite <- Rinv_1. apply Rinv_le_contravar; lra. }
  assert (X : operand (weight + q) (tiny m) (x / z) (w / l)).
  { unfold operand in OW |- *. pose proof (factor_abs _ _ FI) as FA. unfold factor in FI.
    unfold Rdiv at 1. rewrite El. set (g := exp (- d)) in *. rewrite exp_plus.
    replace (w * (/ z * g) - x / z) with ((w - x) * / z * g + x / z * (g - 1)) by (unfold Rdiv; ring).
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, (Rabs_pos_eq (/ z)) by lra.
    assert (XZ : 0 <= x / z) by (apply Rmult_le_pos; lra).
    rewrite (Rabs_pos_eq x X0) in OW. rewrite (Rabs_pos_eq (x / z) XZ).
    assert (W1 : Rabs (w - x) * / z <= (x / z + tiny m) * exp weight - x / z).
    { apply (Rmult_le_compat_r (/ z)) in OW; [|lra]. eapply Rle_trans; [exact OW|].
      replace (((x + tiny m) * exp weight - x) * / z)
        with ((x / z + tiny m * / z) * exp weight - x / z) by (unfold Rdiv; ring).
      apply Rplus_le_compat_r, Rmult_le_compat_r; [left; apply exp_pos|]. nra. }
    apply Rle_trans with (((x / z + tiny m) * exp weight - x / z) * exp q + x / z * (exp q - 1)).
    - apply Rplus_le_compat; [|apply Rmult_le_compat_l; assumption].
      apply Rmult_le_compat; try apply Rabs_pos; try assumption.
      apply Rmult_le_pos; [apply Rabs_pos | lra].
    - lra. }
  eapply operand_round in X; [| | | | | exact F]; try lra.
  eapply operand_round in X; [| | | | | exact RP]; try lra.
  eapply operand_weaken; [| |exact X]; [|lra].
  unfold recomputed_weight. cbv zeta. apply Rplus_le_compat_r.
  assert (dl0 : 0 <= dl) by lra.
  assert (0 <= ua m * (lse + dl)) by (apply Rmult_le_pos; lra).
  assert (0 <= ue m * (score + 2 * lse + 5 * fromLse)) by (apply Rmult_le_pos; lra).
  set (t := weight + (dl + 2 * ua m * (lse + dl)) + ue m * (score + 2 * lse + 5 * fromLse + 4)).
  assert (weight + q + ua m <= t) by (unfold t; lra).
  assert (0 <= t * (8 * ue m)) by (apply Rmult_le_pos; lra). nra.
Qed.

(** The absolute error of P, against an upper bound p of the true value. *)
Theorem probability_read : forall T P p P', 0 <= P <= p -> 0 <= T ->
  operand T (2 * tiny m + eta m) P P' -> Rabs (P' - P) <= probability_error m p (growth T).
Proof.
  use_sane. intros T P p P' HP HT O. eapply operand_read in O; [| exact HT | lra | lra].
  rewrite (Rabs_pos_eq P) in O by lra. unfold probability_error. pose proof (growth_pos T HT). nra.
Qed.

(** ** G, D *)

Lemma operand_mul_factors : forall u h x y c k z, 0 <= u -> 0 <= h -> rounds u 0 c k ->
  rounds u h (k * x) z -> y = c * x -> Rabs (z - y) <= Rabs y * (exp (2 * u) - 1) + h.
Proof.
  intros u h x y c k z U H RC RZ ->. pose proof (rounds_operand0 _ _ _ _ U (Rle_refl 0) RC) as O.
  pose proof (operand_product _ _ _ _ _ _ _ _ U (Rle_refl 0) (Rle_refl 0) (Rle_refl 0) O (operand_exact x)) as P.
  rewrite !Rmult_0_r, !Rplus_0_r in P. unfold operand in P. rewrite Rplus_0_r in P.
  unfold rounds in RZ. apply near_abs in P as PA.
  replace (z - c * x) with ((z - k * x) + (k * x - c * x)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. replace (2 * u) with (u + u) by ring. rewrite exp_plus.
  pose proof (exp_ineq1_le u). pose proof (Rabs_pos (c * x)). pose proof (Rabs_pos (k * x)).
  assert (u * Rabs (k * x) <= u * (Rabs (c * x) * exp u)) by (apply Rmult_le_compat_l; lra).
  assert (0 <= Rabs (c * x) * exp u) by (apply Rmult_le_pos; lra).
  assert (Rabs (c * x) * exp u * (1 + u) <= Rabs (c * x) * exp u * exp u) by (apply Rmult_le_compat_l; lra).
  lra.
Qed.

(** A sum, read with growth T for any T that covers its budget and k more roundings. *)
Lemma dot_read : forall {C} u h (a b ca cb : C -> R) ea Ta Tb comps z T,
  0 <= u -> 0 <= h -> 0 <= Ta -> 0 <= Tb -> 0 <= ea ->
  INR (length comps) * u + (Ta + Tb) <= T ->
  forall eb, 0 <= eb ->
  (forall c, In c comps -> operand Ta ea (a c) (ca c) /\ operand Tb eb (b c) (cb c)) ->
  dot_any u h (map (fun c => (ca c, cb c)) comps) z ->
  Rabs (z - total (fun c => a c * b c) comps)
    <= total (fun c => Rabs (a c * b c)) comps * growth T
       + (total (fun c => Rabs (a c) * eb + Rabs (b c) * ea + ea * eb) comps
          + 2 * INR (length comps) * h) * (1 + growth T).
Proof.
  intros C u h a b ca cb ea Ta Tb comps z T U H HA HB EA L eb EB O Dz.
  assert (N1 : 1 <= INR (length comps)).
  { destruct comps as [|c cs]; [exfalso|simpl length; rewrite S_INR; pose proof (pos_INR (length cs)); lra].
    destruct Dz as (ps & F & S). inversion F; subst. eapply sum_any_nonempty, S. }
  set (n := INR (length comps)) in *. assert (Nu : 0 <= n * u) by (apply Rmult_le_pos; lra).
  assert (HT : 0 <= T) by lra.
  pose proof (dot_approx u h a b ca cb (fun _ => ea) (fun _ => eb) Ta Tb comps z U H HA HB
    (fun _ _ => conj EA EB) O Dz) as X. fold n in X. unfold approx in X.
  eapply Rle_trans; [exact X|]. pose proof (growth_pos T HT) as G0.
  pose proof (exp_growth_le (n * u + (Ta + Tb)) T HT L) as G1.
  pose proof (exp_growth_le ((n - 1) * u) T HT ltac:(lra)) as G2.
  assert (0 <= (n - 1) * h) by (apply Rmult_le_pos; lra).
  apply Rle_trans with (total (fun c => Rabs (a c * b c) * growth T
    + (Rabs (a c) * eb + Rabs (b c) * ea + ea * eb + h) * (1 + growth T)) comps
    + (n - 1) * h * (1 + growth T)).
  - apply Rplus_le_compat; [|apply Rmult_le_compat_l; assumption].
    apply total_le. intros c _. pose proof (Rabs_pos (a c)). pose proof (Rabs_pos (b c)).
    pose proof (Rabs_pos (a c * b c)).
    assert (0 <= Rabs (a c) * eb) by (apply Rmult_le_pos; lra).
    assert (0 <= Rabs (b c) * ea) by (apply Rmult_le_pos; lra).
    assert (0 <= ea * eb) by (apply Rmult_le_pos; lra).
    set (h' := Rabs (a c) * eb + Rabs (b c) * ea + ea * eb + h). assert (0 <= h') by (unfold h'; lra).
    apply (Rmult_le_compat_l (Rabs (a c * b c) + h')) in G1; lra.
  - rewrite total_plus.
    rewrite (total_ext (fun c => Rabs (a c * b c) * growth T) (fun c => growth T * Rabs (a c * b c)))
      by (intros; ring).
    rewrite (total_ext (fun c => (Rabs (a c) * eb + Rabs (b c) * ea + ea * eb + h) * (1 + growth T))
      (fun c => (1 + growth T) * ((Rabs (a c) * eb + Rabs (b c) * ea + ea * eb) + h)))
      by (intros; ring).
    rewrite !total_scale, (total_plus _ (fun _ => h)), total_const. fold n.
    assert (0 <= h * (1 + growth T)) by (apply Rmult_le_pos; lra). nra.
Qed.

Lemma total_pos_abs : forall {C} (f : C -> R) cs, 0 <= total (fun c => Rabs (f c)) cs.
Proof. intros C f cs. apply total_pos. intros. apply Rabs_pos. Qed.

(** bounds-backward.ts, fillScratch: G = kappa Sum dO V, V recomputed with an error dv or given. *)
Theorem cotangent_product_bound : forall {C} comps kappa (dO v v' dv ca cb : C -> R) k z G
    products carried sizes,
  0 <= kappa ->
  (forall c, In c comps -> Rabs (v' c - v c) <= dv c) ->
  (forall c, In c comps -> operand (ui m) (eta_in m) (dO c) (ca c) /\
    operand (ui m) (eta_in m) (v' c) (cb c)) ->
  dot_any (us m) (tiny m) (map (fun c => (ca c, cb c)) comps) z ->
  rounds (us m) 0 kappa k -> rounds (us m) (kappa * tiny m) (k * z) G ->
  total (fun c => Rabs (dO c * v c)) comps <= products ->
  total (fun c => Rabs (dO c) * dv c) comps <= carried ->
  total (fun c => Rabs (dO c) + Rabs (v c) + dv c + eta_in m) comps <= sizes ->
  Rabs (G - kappa * total (fun c => dO c * v c) comps)
    <= gradient_error m (INR (length comps)) kappa products carried sizes.
Proof.
  use_sane. intros C comps kappa dO v v' dv ca cb k z G products carried sizes K V O Dz RK RG HP HC HS.
  set (n := INR (length comps)) in *. assert (N0 : 0 <= n) by apply pos_INR.
  unfold gradient_error, sum_growth. set (T := (n + 3) * us m + 2 * ui m).
  assert (Nu : 0 <= n * us m) by (apply Rmult_le_pos; lra).
  assert (HT : 0 <= T) by (unfold T; lra).
  pose proof (operand_mul_factors _ _ z (kappa * z) kappa k G Hus
    (Rmult_le_pos _ _ K (proj1 Htiny)) RK RG eq_refl) as RZ.
  set (S := total (fun c => dO c * v' c) comps).
  set (M := total (fun c => Rabs (dO c * v' c)) comps).
  assert (M0 : 0 <= M) by apply total_pos_abs.
  assert (HM : M <= products + carried).
  { eapply Rle_trans; [|apply Rplus_le_compat; [exact HP | exact HC]]. unfold M.
    rewrite <- total_plus. apply total_le. intros c I. rewrite !Rabs_mult.
    pose proof (V c I) as E. apply near_abs in E. pose proof (Rabs_pos (dO c)). nra. }
  assert (HV : Rabs (S - total (fun c => dO c * v c) comps) <= carried).
  { eapply Rle_trans; [|exact HC]. unfold S.
    replace (total (fun c => dO c * v' c) comps - total (fun c => dO c * v c) comps)
      with (total (fun c => dO c * (v' c - v c)) comps).
    - eapply Rle_trans; [apply total_abs|]. apply total_le. intros c I. rewrite Rabs_mult.
      apply Rmult_le_compat_l; [apply Rabs_pos | apply V, I].
    - unfold Rminus at 2. replace (- total (fun c => dO c * v c) comps)
        with (-1 * total (fun c => dO c * v c) comps) by ring.
      rewrite <- total_scale, <- total_plus. apply total_ext. intros. ring. }
  set (h := total (fun c => Rabs (dO c) * eta_in m + Rabs (v' c) * eta_in m + eta_in m * eta_in m) comps).
  assert (Hh : 0 <= h <= eta_in m * sizes).
  { split.
    - apply total_pos. intros c _. pose proof (Rabs_pos (dO c)). pose proof (Rabs_pos (v' c)).
      repeat apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
    - apply Rle_trans with (eta_in m * total (fun c => Rabs (dO c) + Rabs (v c) + dv c + eta_in m) comps).
      + unfold h. rewrite <- total_scale. apply total_le. intros c I. pose proof (V c I) as E.
        apply near_abs in E. nra.
      + apply Rmult_le_compat_l; assumption. }
  (* the dot product has n us + 2 ui, the two roundings of kappa are 2 us more *)
  assert (Z : Rabs (z - S) <= (exp (n * us m + 2 * ui m) - 1) * M
    + (h + 2 * n * tiny m) * exp (n * us m + 2 * ui m)).
  { pose proof (dot_approx (us m) (tiny m) dO v' ca cb (fun _ => eta_in m) (fun _ => eta_in m)
      (ui m) (ui m) comps z Hus (proj1 Htiny) Hui Hui (fun _ _ => conj Hetain Hetain) O Dz) as X.
    fold n S in X. unfold approx in X. eapply Rle_trans; [exact X|].
    replace (n * us m + (ui m + ui m)) with (n * us m + 2 * ui m) by ring.
    set (e := exp (n * us m + 2 * ui m)).
    assert (e1 : 1 <= e) by (apply exp_ge_1; lra).
    assert (N1 : 1 <= n).
    { unfold n. destruct comps as [|c cs]; [exfalso|simpl length; rewrite S_INR; pose proof (pos_INR (length cs)); lra].
      destruct Dz as (ps & F & Q). inversion F; subst. eapply sum_any_nonempty, Q. }
    assert (E2 : exp ((n - 1) * us m) <= e) by (apply exp_le; lra).
    apply Rle_trans with (total (fun c => (e - 1) * Rabs (dO c * v' c)
      + e * (Rabs (dO c) * eta_in m + Rabs (v' c) * eta_in m + eta_in m * eta_in m) + e * tiny m) comps
      + (n - 1) * tiny m * e).
    - apply Rplus_le_compat; [|apply Rmult_le_compat_l; [apply Rmult_le_pos; lra | exact E2]].
      apply total_le. intros c _. lra.
    - rewrite 2!total_plus, !total_scale, total_const. fold n M h.
      assert (0 <= tiny m * e) by (apply Rmult_le_pos; lra). nra. }
  set (e := exp (n * us m + 2 * ui m)) in *. assert (e1 : 1 <= e) by (apply exp_ge_1; lra).
  set (k2 := exp (2 * us m)) in *. assert (k1 : 1 <= k2) by (apply exp_ge_1; lra).
  assert (G1 : e * k2 <= 1 + growth T).
  { unfold e, k2. rewrite <- exp_plus. apply exp_growth_le; [exact HT | unfold T; lra]. }
  pose proof (growth_pos T HT) as G0.
  assert (ZS : Rabs (G - kappa * S) <= kappa * ((products + carried) * growth T
    + (2 * (n + 1) * tiny m + eta_in m * sizes) * (1 + growth T))).
  { replace (G - kappa * S) with ((G - kappa * z) + kappa * (z - S)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rabs_mult kappa (z - S)), (Rabs_pos_eq kappa K).
    rewrite (Rabs_mult kappa z), (Rabs_pos_eq kappa K) in RZ.
    pose proof (near_abs _ _ _ Z) as ZA. assert (SA : Rabs S <= M) by apply total_abs.
    set (Q := (h + 2 * n * tiny m) * e) in *.
    assert (Q0 : 0 <= h + 2 * n * tiny m) by (pose proof (Rmult_le_pos n (tiny m) N0 (proj1 Htiny)); lra).
    apply Rle_trans with (kappa * (Rabs z * (k2 - 1) + tiny m + ((e - 1) * M + Q))).
    - apply (Rmult_le_compat_l kappa) in Z; [|exact K]. lra.
    - apply Rmult_le_compat_l; [exact K|].
      assert (Rabs z * (k2 - 1) <= (M * e + Q) * (k2 - 1)) by (apply Rmult_le_compat_r; lra).
      assert (M * (e * k2 - 1) <= (products + carried) * growth T) by (apply Rmult_le_compat; nra).
      assert (Q * k2 <= (h + 2 * n * tiny m) * (1 + growth T)).
      { unfold Q. rewrite Rmult_assoc. apply Rmult_le_compat_l; assumption. }
      assert (h * (1 + growth T) <= eta_in m * sizes * (1 + growth T)) by (apply Rmult_le_compat_r; lra).
      assert (0 <= tiny m * growth T) by (apply Rmult_le_pos; lra).
      lra. }
  replace (G - kappa * total (fun c => dO c * v c) comps)
    with ((G - kappa * S) + kappa * (S - total (fun c => dO c * v c) comps)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult, (Rabs_pos_eq kappa K).
  apply (Rmult_le_compat_l kappa) in HV; [|exact K]. fold T. lra.
Qed.

(** D = Sum dO O from the candidate's own output, with errors dout. *)
Theorem from_output_bound : forall {C} comps (dO o o' dout ca : C -> R) D products carried sizes,
  (forall c, In c comps -> Rabs (o' c - o c) <= dout c) ->
  (forall c, In c comps -> operand (ui m) (eta_in m) (dO c) (ca c)) ->
  dot_any (ua m) (tiny m) (map (fun c => (ca c, o' c)) comps) D ->
  total (fun c => Rabs (dO c * o c)) comps <= products ->
  total (fun c => Rabs (dO c) * dout c) comps <= carried ->
  total (fun c => Rabs (o c) + dout c) comps <= sizes ->
  Rabs (D - total (fun c => dO c * o c) comps)
    <= from_output m (INR (length comps)) products carried sizes.
Proof.
  use_sane. intros C comps dO o o' dout ca D products carried sizes V O Dz HP HC HS.
  set (n := INR (length comps)) in *. assert (N0 : 0 <= n) by apply pos_INR.
  unfold from_output, sum_growth. set (T := (n + 3) * ua m + ui m).
  assert (Nu : 0 <= n * ua m) by (apply Rmult_le_pos; lra).
  assert (HT : 0 <= T) by (unfold T; lra). pose proof (growth_pos T HT) as G0.
  pose proof (dot_read (ua m) (tiny m) dO o' ca o' (eta_in m) (ui m) 0 comps D T ltac:(lra)
    (proj1 Htiny) Hui (Rle_refl 0) Hetain) as X. fold n in X.
  specialize (X ltac:(unfold T; lra) 0 (Rle_refl 0)).
  specialize (X (fun c I => conj (O c I) (operand_exact (o' c))) Dz).
  set (M := total (fun c => Rabs (dO c * o' c)) comps) in *.
  assert (HM : M <= products + carried).
  { eapply Rle_trans; [|apply Rplus_le_compat; [exact HP | exact HC]]. unfold M.
    rewrite <- total_plus. apply total_le. intros c I. rewrite !Rabs_mult.
    pose proof (V c I) as E. apply near_abs in E. pose proof (Rabs_pos (dO c)). nra. }
  assert (HV : Rabs (total (fun c => dO c * o' c) comps - total (fun c => dO c * o c) comps) <= carried).
  { eapply Rle_trans; [|exact HC].
    replace (total (fun c => dO c * o' c) comps - total (fun c => dO c * o c) comps)
      with (total (fun c => dO c * (o' c - o c)) comps).
    - eapply Rle_trans; [apply total_abs|]. apply total_le. intros c I. rewrite Rabs_mult.
      apply Rmult_le_compat_l; [apply Rabs_pos | apply V, I].
    - unfold Rminus at 2. replace (- total (fun c => dO c * o c) comps)
        with (-1 * total (fun c => dO c * o c) comps) by ring.
      rewrite <- total_scale, <- total_plus. apply total_ext. intros. ring. }
  set (h := total (fun c => Rabs (dO c) * 0 + Rabs (o' c) * eta_in m + eta_in m * 0) comps) in *.
  assert (Hh : h <= eta_in m * sizes).
  { apply Rle_trans with (eta_in m * total (fun c => Rabs (o c) + dout c) comps);
      [|apply Rmult_le_compat_l; assumption].
    unfold h. rewrite <- total_scale. apply total_le. intros c I. pose proof (V c I) as E.
    apply near_abs in E. nra. }
  match goal with |- Rabs (D - ?e) <= _ => replace (D - e)
    with ((D - total (fun c => dO c * o' c) comps) + (total (fun c => dO c * o' c) comps - e)) by ring end.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (M * growth T <= (products + carried) * growth T) by (apply Rmult_le_compat_r; lra).
  assert (h * (1 + growth T) <= eta_in m * sizes * (1 + growth T)) by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

(** D = Sum P G over the keys, p and g at least |P| and |G|. *)
Theorem from_keys_bound : forall {A} keys (P P' G G' p g pError gError : A -> R) D,
  (forall j, In j keys -> Rabs (P' j - P j) <= pError j /\ Rabs (P j) <= p j /\
    Rabs (G' j - G j) <= gError j /\ Rabs (G j) <= g j) ->
  dot_any (ua m) (tiny m) (map (fun j => (P' j, G' j)) keys) D ->
  Rabs (D - total (fun j => P j * G j) keys)
    <= total (fun j => from_key m (INR (length keys)) (p j) (pError j) (g j) (gError j)) keys.
Proof.
  use_sane. intros A keys P P' G G' p g pError gError D H Dz.
  set (n := INR (length keys)) in *. assert (N0 : 0 <= n) by apply pos_INR.
  set (T := (n + 3) * ua m + 0). assert (Nu : 0 <= n * ua m) by (apply Rmult_le_pos; lra).
  assert (HT : 0 <= T) by (unfold T; lra). pose proof (growth_pos T HT) as G0.
  pose proof (dot_read (ua m) (tiny m) P' G' P' G' 0 0 0 keys D T ltac:(lra) (proj1 Htiny)
    (Rle_refl 0) (Rle_refl 0) (Rle_refl 0)) as X. fold n in X.
  specialize (X ltac:(unfold T; lra) 0 (Rle_refl 0)
    (fun j _ => conj (operand_exact (P' j)) (operand_exact (G' j))) Dz).
  rewrite (total_ext (fun c => Rabs (P' c) * 0 + Rabs (G' c) * 0 + 0 * 0) (fun _ => 0)) in X
    by (intros; ring).
  rewrite total_const in X. fold n in X.
  set (term := fun j => pError j * (g j + gError j) + p j * gError j).
  assert (E : forall j, In j keys -> Rabs (P' j * G' j - P j * G j) <= term j).
  { intros j J. destruct (H j J) as (H1 & H2 & H3 & H4). unfold term.
    replace (P' j * G' j - P j * G j) with ((P' j - P j) * G' j + P j * (G' j - G j)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult. apply near_abs in H3 as H5.
    apply Rplus_le_compat; apply Rmult_le_compat; try apply Rabs_pos; lra. }
  match goal with |- Rabs (D - ?e) <= _ => replace (D - e)
    with ((D - total (fun j => P' j * G' j) keys) + (total (fun j => P' j * G' j) keys - e)) by ring end.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (Hd : Rabs (total (fun j => P' j * G' j) keys - total (fun j => P j * G j) keys) <= total term keys).
  { replace (total (fun j => P' j * G' j) keys - total (fun j => P j * G j) keys)
      with (total (fun j => P' j * G' j - P j * G j) keys).
    - eapply Rle_trans; [apply total_abs | apply total_le, E].
    - unfold Rminus at 2. replace (- total (fun j => P j * G j) keys)
        with (-1 * total (fun j => P j * G j) keys) by ring.
      rewrite <- total_scale, <- total_plus. apply total_ext. intros. ring. }
  assert (Hm : total (fun j => Rabs (P' j * G' j)) keys <= total (fun j => p j * g j + term j) keys).
  { apply total_le. intros j J. pose proof (E j J) as Ej. apply near_abs in Ej.
    destruct (H j J) as (H1 & H2 & H3 & H4). rewrite (Rabs_mult (P j)) in Ej.
    assert (Rabs (P j) * Rabs (G j) <= p j * g j) by (apply Rmult_le_compat; try apply Rabs_pos; lra). lra. }
  assert (Hm' : total (fun j => Rabs (P' j * G' j)) keys * growth T
    <= total (fun j => p j * g j + term j) keys * growth T) by (apply Rmult_le_compat_r; assumption).
  assert (RH : total (fun j => from_key m n (p j) (pError j) (g j) (gError j)) keys
    = total term keys + (growth T * total (fun j => p j * g j + term j) keys
      + n * (2 * tiny m * (1 + growth T)))).
  { unfold n. rewrite <- total_scale, <- total_const, <- !total_plus. apply total_ext. intros j _.
    unfold from_key, sum_growth, term. fold n T. ring. }
  rewrite RH. lra.
Qed.

(** ** dS *)

Lemma two_roundings : growth (2 * ua m) * (1 + ua m) + ua m <= 3.4 * ua m.
Proof.
  use_sane. unfold growth. destruct (Rle_dec (2 * ua m) 1); [|lra].
  set (u := ua m) in *. assert (u * u <= u * (1 / 16)) by (apply Rmult_le_compat_l; lra).
  assert (u * (u * u) <= u * (u * (1 / 16))) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma sum_three : forall x y z s, sum_any (ua m) (tiny m) [x; y; z] s ->
  Rabs (s - (x + y + z)) <= growth (2 * ua m) * (Rabs x + Rabs y + Rabs z)
    + 2 * tiny m * (1 + growth (2 * ua m)).
Proof.
  use_sane. intros x y z s S. destruct (sum_read _ _ _ _ (proj1 Hua) (proj1 Htiny) S) as [_ X].
  simpl in X. rewrite !Rplus_0_r in X. replace (1 + 1 + 1 - 1) with 2 in X by ring.
  replace (x + (y + z)) with (x + y + z) in X by ring.
  replace (Rabs x + (Rabs y + Rabs z)) with (Rabs x + Rabs y + Rabs z) in X by ring.
  eapply Rle_trans; [exact X|]. pose proof (exp_growth (2 * ua m) ltac:(lra)) as G.
  pose proof (Rabs_pos x). pose proof (Rabs_pos y). pose proof (Rabs_pos z).
  apply Rplus_le_compat; [apply Rmult_le_compat_r; lra|].
  apply Rmult_le_compat_l; lra.
Qed.

Theorem dS_bound : forall P P' G G' D D' dLSE dS p pError g gError d dError dLse,
  Rabs P <= p -> Rabs (P' - P) <= pError -> Rabs G <= g -> Rabs (G' - G) <= gError ->
  Rabs D <= d -> Rabs (D' - D) <= dError -> Rabs dLSE <= dLse -> dS_run m P' G' D' dLSE dS ->
  Rabs (dS - P * (G - D + dLSE)) <= score_gradient_error m d dLse dError p pError g gError.
Proof.
  use_sane. intros P P' G G' D D' dLSE dS p pError g gError d dError dLse HP HPe HG HGe HD HDe HL
    (L & RL & Way).
  set (u := ua m) in *. set (st := ust m) in *. set (g2 := growth (2 * u)).
  pose proof two_roundings as G2. fold u g2 in G2.
  assert (g20 : 0 <= g2) by (apply growth_pos; lra).
  set (sizes := g + d + dLse). set (errors := gError + dError).
  set (bracket := errors + (4 * u + st) * (sizes + errors) + 2 * eta_st m + 4 * tiny m).
  apply near_abs in HPe as PA. apply near_abs in HGe as GA. apply near_abs in HDe as DA.
  unfold rounds in RL. apply near_abs in RL as LA. fold st in RL, LA.
  pose proof (Rabs_pos P). pose proof (Rabs_pos G). pose proof (Rabs_pos D). pose proof (Rabs_pos dLSE).
  pose proof (Rabs_pos (P' - P)). pose proof (Rabs_pos (G' - G)). pose proof (Rabs_pos (D' - D)).
  pose proof (Rabs_pos P') as P'0.
  assert (S0 : 0 <= sizes) by (unfold sizes; lra). assert (E0 : 0 <= errors) by (unfold errors; lra).
  assert (stL : st * Rabs dLSE <= st * dLse) by (apply Rmult_le_compat_l; lra).
  assert (stS : st * dLse <= st * (sizes + errors)) by (apply Rmult_le_compat_l; unfold sizes, errors; lra).
  set (M := Rabs G' + Rabs D' + Rabs L).
  assert (M0 : 0 <= M).
  { unfold M. pose proof (Rabs_pos G'). pose proof (Rabs_pos D'). pose proof (Rabs_pos L). lra. }
  assert (HM : M <= (sizes + errors) * (1 + st) + eta_st m) by (unfold M, sizes, errors in *; lra).
  set (B := G - D + dLSE). set (B1 := G' + - D' + L).
  assert (HB1 : Rabs (B1 - B) <= errors + st * (sizes + errors) + eta_st m).
  { unfold B1, B. replace (G' + - D' + L - (G - D + dLSE)) with ((G' - G) + - (D' - D) + (L - dLSE)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    rewrite Rabs_Ropp. unfold errors in *. lra. }
  assert (HB : Rabs B <= sizes).
  { unfold B, sizes. replace (G - D + dLSE) with (G + - D + dLSE) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    rewrite Rabs_Ropp. lra. }
  assert (HB1A : Rabs B1 <= M).
  { unfold B1, M. eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (st16 : 0 <= st <= 1 / 16) by exact Hust. assert (u16 : 0 <= u <= 1 / 16) by exact Hua.
  (* the roundings of the bracket, product included *)
  assert (HMu : M * (3.4 * u) <= 4 * u * (sizes + errors) + 1 / 4 * eta_st m).
  { apply Rle_trans with (((sizes + errors) * (1 + st) + eta_st m) * (3.4 * u));
      [apply Rmult_le_compat_r; lra|].
    assert (0 <= (sizes + errors) * u) by (apply Rmult_le_pos; lra).
    assert (eta_st m * u <= eta_st m * (1 / 16)) by (apply Rmult_le_compat_l; lra).
    assert ((sizes + errors) * u * st <= (sizes + errors) * u * (1 / 16)) by (apply Rmult_le_compat_l; lra).
    lra. }
  assert (T1 : g2 <= 1 / 4) by (assert (3.4 * u <= 3.4 / 16) by lra; nra).
  assert (q0 : Rabs P' <= p + pError) by lra.
  assert (Main : Rabs (dS - P' * B1)
      <= Rabs P' * (4 * u * (sizes + errors) + 1 / 4 * eta_st m + 4 * tiny m) + 8 * tiny m ->
    Rabs (dS - P * B) <= pError * (sizes + bracket) + p * bracket + 8 * tiny m).
  { intros Hdev. replace (dS - P * B) with ((dS - P' * B1) + P' * (B1 - B) + (P' - P) * B) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    rewrite !Rabs_mult. set (q := Rabs P') in *.
    assert (q * Rabs (B1 - B) <= q * (errors + st * (sizes + errors) + eta_st m))
      by (apply Rmult_le_compat_l; assumption).
    assert (Rabs (P' - P) * Rabs B <= pError * sizes) by (apply Rmult_le_compat; try apply Rabs_pos; lra).
    assert (b0 : 0 <= bracket).
    { unfold bracket. assert (0 <= (4 * u + st) * (sizes + errors)) by (apply Rmult_le_pos; lra). lra. }
    assert (q * bracket <= (p + pError) * bracket) by (apply Rmult_le_compat_r; assumption).
    assert (0 <= q * eta_st m) by (apply Rmult_le_pos; lra).
    unfold bracket in *. lra. }
  unfold score_gradient_error. fold u st sizes errors. fold bracket B. apply Main. clear Main.
  set (q := Rabs P') in *.
  destruct Way as [(y & Sy & Rp) | (x & y & z & Rx & Ry & Rz & Sz)].
  - apply sum_three in Sy. rewrite Rabs_Ropp in Sy. fold u g2 B1 M in Sy.
    apply near_abs in Sy as YA. set (f := g2 * M + 2 * tiny m * (1 + g2)) in *.
    unfold rounds in Rp. rewrite Rabs_mult in Rp. fold u q in Rp.
    replace (dS - P' * B1) with ((dS - P' * y) + P' * (y - B1)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult. fold q.
    assert (u * Rabs y + Rabs (y - B1) <= M * (3.4 * u) + 4 * tiny m).
    { apply (Rmult_le_compat_l M) in G2; [|exact M0].
      assert (u * Rabs y <= u * (M + f)) by (apply Rmult_le_compat_l; lra).
      assert ((1 + g2) * (1 + u) <= 2) by nra.
      assert (2 * tiny m * ((1 + g2) * (1 + u)) <= 2 * tiny m * 2) by (apply Rmult_le_compat_l; lra).
      unfold f in *. lra. }
    assert (q * (u * Rabs y + Rabs (y - B1)) <= q * (M * (3.4 * u) + 4 * tiny m))
      by (apply Rmult_le_compat_l; lra).
    apply (Rmult_le_compat_l q) in HMu; [|lra]. lra.
  - apply sum_three in Sz. fold u g2 in Sz. unfold rounds in Rx, Ry, Rz. fold u in Rx, Ry, Rz.
    rewrite Rabs_mult in Rx, Ry, Rz. rewrite (Rabs_Ropp D') in Ry. fold q in Rx, Ry, Rz.
    assert (XA : Rabs x <= q * Rabs G' * (1 + u) + tiny m).
    { apply near_abs in Rx. rewrite Rabs_mult in Rx. fold q in Rx. lra. }
    assert (YA : Rabs y <= q * Rabs D' * (1 + u) + tiny m).
    { apply near_abs in Ry. rewrite Rabs_mult, Rabs_Ropp in Ry. fold q in Ry. lra. }
    assert (ZA : Rabs z <= q * Rabs L * (1 + u) + tiny m).
    { apply near_abs in Rz. rewrite Rabs_mult in Rz. fold q in Rz. lra. }
    replace (dS - P' * B1) with
      ((dS - (x + y + z)) + (x - P' * G') + (y - P' * - D') + (z - P' * L)) by (unfold B1; ring).
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rplus_le_compat_r, Rabs_triang|].
    assert (SX : Rabs x + Rabs y + Rabs z <= q * M * (1 + u) + 3 * tiny m) by (unfold M; lra).
    apply (Rmult_le_compat_l g2) in SX; [|exact g20].
    apply (Rmult_le_compat_l (q * M)) in G2; [|apply Rmult_le_pos; lra].
    assert (3 * tiny m * g2 <= 3 * tiny m * (1 / 4)) by (apply Rmult_le_compat_l; lra).
    assert (0 <= q * tiny m) by (apply Rmult_le_pos; lra).
    apply (Rmult_le_compat_l q) in HMu; [|lra].
    fold M in Sz.
    assert (Sum3 : u * (q * Rabs G') + u * (q * Rabs D') + u * (q * Rabs L) = q * M * u) by (unfold M; ring).
    assert (Sz' : Rabs (dS - (x + y + z)) <= g2 * (q * M * (1 + u) + 3 * tiny m) + 2 * tiny m * (1 + g2)) by lra.
    clear Sz SX. lra.
Qed.

(** ** Terms *)

Theorem factor_bound : forall t tc tb tError f, Rabs t <= tb -> tb <= 1 -> Rabs (tc - t) <= tError ->
  factor_run m tc f -> Rabs (f - (1 - t ^ 2)) <= factor_error m tb tError.
Proof.
  use_sane. intros t tc tb tError f Ht Hb HE Run. set (u := ua m) in *.
  set (E1 := 2 * tb * tError + tError * tError).
  assert (E0 : 0 <= tError) by (pose proof (Rabs_pos (tc - t)); lra).
  pose proof (Rabs_pos t).
  assert (Sq : Rabs (tc * tc - t * t) <= E1).
  { replace (tc * tc - t * t) with ((tc - t) * (2 * t + (tc - t))) by ring. rewrite Rabs_mult.
    apply Rle_trans with (tError * (2 * tb + tError)); [|unfold E1; lra].
    apply Rmult_le_compat; try apply Rabs_pos; [exact HE|].
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult, (Rabs_pos_eq 2) by lra. lra. }
  assert (E10 : 0 <= E1) by (pose proof (Rabs_pos (tc * tc - t * t)); lra).
  assert (T2 : 0 <= t * t <= 1).
  { split; [apply Rle_0_sqr|]. replace 1 with (1 * 1) by ring. rewrite <- (Rabs_pos_eq (t * t)) by apply Rle_0_sqr.
    rewrite Rabs_mult. apply Rmult_le_compat; lra. }
  assert (C2 : 0 <= tc * tc <= t * t + E1).
  { split; [apply Rle_0_sqr|]. apply Rabs_le_inv in Sq. lra. }
  assert (uu : u * u <= u * (1 / 16)) by (apply Rmult_le_compat_l; lra).
  assert (uE : 0 <= u * E1) by (apply Rmult_le_pos; lra).
  assert (uuE : u * (u * E1) <= 1 / 16 * (u * E1)) by (apply Rmult_le_compat_r; lra).
  assert (ut : u * (t * t) <= u * 1) by (apply Rmult_le_compat_l; lra).
  assert (uut : u * (u * (t * t)) <= u * (u * 1)) by (repeat apply Rmult_le_compat_l; lra).
  assert (utn : u * tiny m <= 1 / 16 * tiny m) by (apply Rmult_le_compat_r; lra).
  unfold factor_error. fold u E1. replace (t ^ 2) with (t * t) by ring.
  destruct Run as [(a & Ra & Rf) | (a & b & Ra & Rb & Rf)];
    unfold rounds in *.
  - fold u in Ra, Rf. rewrite (Rabs_pos_eq (tc * tc)) in Ra by lra.
    assert (A1 : Rabs (a - t * t) <= u * (tc * tc) + tiny m + E1).
    { replace (a - t * t) with ((a - tc * tc) + (tc * tc - t * t)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. lra. }
    assert (uc : u * (tc * tc) <= u * (t * t + E1)) by (apply Rmult_le_compat_l; lra).
    assert (A2 : Rabs (1 - a) <= 1 - t * t + (u * (t * t + E1) + tiny m + E1)).
    { replace (1 - a) with ((1 - t * t) + - (a - t * t)) by ring. eapply Rle_trans; [apply Rabs_triang|].
      rewrite Rabs_Ropp, (Rabs_pos_eq (1 - t * t)); lra. }
    apply (Rmult_le_compat_l u) in A2; [|lra].
    replace (f - (1 - t * t)) with ((f - (1 - a)) + - (a - t * t)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra.
  - fold u in Ra, Rb, Rf. rewrite Rplus_0_r in Ra, Rb.
    destruct (rounds_split u 0 (1 - tc) a) as (d1 & e1 & D1 & Z1 & ->); [lra | lra | unfold rounds; lra |].
    destruct (rounds_split u 0 (1 + tc) b) as (d2 & e2 & D2 & Z2 & ->); [lra | lra | unfold rounds; lra |].
    assert (e1 = 0) by (destruct (Req_dec e1 0) as [|X]; [assumption | apply Rabs_pos_lt in X; lra]).
    assert (e2 = 0) by (destruct (Req_dec e2 0) as [|X]; [assumption | apply Rabs_pos_lt in X; lra]).
    subst e1 e2. rewrite !Rplus_0_r in Rf. clear Ra Rb Z1 Z2.
    set (x := 1 - tc * tc).
    assert (X1 : Rabs (x - (1 - t * t)) <= E1).
    { unfold x. replace (1 - tc * tc - (1 - t * t)) with (- (tc * tc - t * t)) by ring.
      now rewrite Rabs_Ropp. }
    assert (XA : Rabs x <= 1 + E1) by (apply near_abs in X1; rewrite (Rabs_pos_eq (1 - t * t)) in X1; lra).
    set (p := (1 - tc) * (1 + d1) * ((1 + tc) * (1 + d2))) in *.
    assert (P1 : Rabs (p - x) <= Rabs x * (2 * u + u * u)).
    { replace (p - x) with (x * (d1 + d2 + d1 * d2)) by (unfold p, x; ring). rewrite Rabs_mult.
      apply Rmult_le_compat_l; [apply Rabs_pos|]. eapply Rle_trans; [apply Rabs_triang|].
      rewrite Rabs_mult. pose proof (Rabs_triang d1 d2).
      assert (Rabs d1 * Rabs d2 <= u * u) by (apply Rmult_le_compat; try apply Rabs_pos; lra). lra. }
    apply near_abs in P1 as PA.
    replace (f - (1 - t * t)) with ((f - p) + (p - x) + (x - (1 - t * t))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    apply (Rmult_le_compat_l u) in PA; [|lra].
    assert (Rabs x * u <= (1 + E1) * u) by (apply Rmult_le_compat_r; lra).
    assert (0 <= u * u) by apply Rle_0_sqr.
    assert (Rabs x * (u * u) <= (1 + E1) * (u * u)) by (apply Rmult_le_compat_r; lra).
    assert (u * (u * u) <= u * (u * (1 / 16))) by (apply Rmult_le_compat_l; lra).
    assert (0 <= u * (u * u)) by (apply Rmult_le_pos; lra).
    assert (Rabs x * (u * (u * u)) <= (1 + E1) * (u * (u * u))) by (apply Rmult_le_compat_r; lra).
    assert (E1 * (u * (u * u)) <= E1 * (u * (u * (1 / 16)))) by (apply Rmult_le_compat_l; lra).
    lra.
Qed.

(** rawGradientError: dS times the softcap's factor; (1, 0) without softcap. *)
Lemma raw_bound : forall dS dS' f f' dSb dSe fb fe,
  Rabs dS <= dSb -> Rabs (dS' - dS) <= dSe -> Rabs f <= fb -> Rabs (f' - f) <= fe ->
  Rabs (dS' * f' - dS * f) <= raw_error dSb dSe fb fe.
Proof.
  intros dS dS' f f' dSb dSe fb fe H1 H2 H3 H4. unfold raw_error.
  replace (dS' * f' - dS * f) with ((dS' - dS) * f' + dS * (f' - f)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult. apply near_abs in H4 as H5.
  apply Rplus_le_compat; apply Rmult_le_compat; try apply Rabs_pos; lra.
Qed.

(** Whichever way: times a slope that is nearly the exact one, rounded once. *)
Lemma sloped_factor : forall t tc tb tError g q, Rabs t <= tb -> tb <= 1 -> Rabs (tc - t) <= tError ->
  sloped m g tc q -> let fe := factor_error m tb tError in
  exists f e, Rabs (f - (1 - t ^ 2)) <= fe * (1 + ua m) /\
    0 <= e <= (7 + 2 * fe) * tiny m /\ rounds (ua m) e (g * f) q.
Proof.
  use_sane. intros t tc tb tError g q Ht Hb HE Run fe. set (u := ua m) in *.
  assert (E0 : 0 <= tError) by (pose proof (Rabs_pos (tc - t)); lra).
  pose proof (Rabs_pos t) as T0.
  set (E1 := 2 * tb * tError + tError * tError).
  assert (tt0 : 0 <= tError * tError) by apply Rle_0_sqr.
  assert (bt0 : 0 <= 2 * tb * tError) by (repeat apply Rmult_le_pos; lra).
  assert (E10 : 0 <= E1) by (unfold E1; lra).
  assert (uE : 0 <= u * E1) by (apply Rmult_le_pos; lra).
  assert (Fe : fe = E1 * (1 + 4 * u) + 4 * u) by reflexivity.
  assert (Fe0 : 0 <= fe) by lra.
  assert (uFe : 0 <= u * fe) by (apply Rmult_le_pos; lra).
  assert (fn : 0 <= fe * tiny m) by (apply Rmult_le_pos; lra).
  destruct Run as [(f & Rf & Rq) | (a & b & d & Ra & Rb & Rd & Rq)].
  - exists f, (tiny m). repeat split; [|lra|lra|exact Rq].
    pose proof (factor_bound t tc tb tError f Ht Hb HE Rf) as B. fold fe in B. lra.
  - destruct (rounds_split u (tiny m) (g * tc) a) as (d1 & e1 & D1 & Z1 & ->); [lra | lra | exact Ra |].
    destruct (rounds_split u (tiny m) (g + (g * tc * (1 + d1) + e1)) b) as (d2 & e2 & D2 & Z2 & ->);
      [lra | lra | exact Rb |].
    destruct (rounds_split u 0 (1 - tc) d) as (d3 & e3 & D3 & Z3 & ->); [lra | lra | exact Rd |].
    assert (e3 = 0) by (destruct (Req_dec e3 0) as [|X]; [assumption | apply Rabs_pos_lt in X; lra]).
    subst e3. rewrite Rplus_0_r in Rq.
    set (h := (1 + d2) * (1 + d3)). set (f := (1 + tc * (1 + d1)) * (1 - tc) * h).
    set (r := (e1 * (1 + d2) + e2) * ((1 - tc) * (1 + d3))).
    assert (Q : (g + (g * tc * (1 + d1) + e1)) * (1 + d2) + e2 = (g + g * tc * (1 + d1)) * (1 + d2) + (e1 * (1 + d2) + e2)) by ring.
    assert (P : ((g + (g * tc * (1 + d1) + e1)) * (1 + d2) + e2) * ((1 - tc) * (1 + d3)) = g * f + r)
      by (unfold f, h, r; ring).
    rewrite P in Rq. clear P Q Ra Rb Rd Z3.
    (* sizes *)
    assert (Sq : Rabs (tc * tc - t * t) <= E1).
    { replace (tc * tc - t * t) with ((tc - t) * (2 * t + (tc - t))) by ring. rewrite Rabs_mult.
      apply Rle_trans with (tError * (2 * tb + tError)); [|unfold E1; lra].
      apply Rmult_le_compat; try apply Rabs_pos; [exact HE|].
      eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult, (Rabs_pos_eq 2) by lra. lra. }
    assert (T2 : 0 <= t * t <= 1).
    { split; [apply Rle_0_sqr|]. replace 1 with (1 * 1) by ring. rewrite <- (Rabs_pos_eq (t * t)) by apply Rle_0_sqr.
      rewrite Rabs_mult. apply Rmult_le_compat; lra. }
    assert (C2 : 0 <= tc * tc <= t * t + E1).
    { split; [apply Rle_0_sqr|]. apply Rabs_le_inv in Sq. lra. }
    assert (uu : u * u <= u * (1 / 16)) by (apply Rmult_le_compat_l; lra).
    assert (uu0 : 0 <= u * u) by apply Rle_0_sqr.
    apply Rabs_le_inv in D1 as D1i. apply Rabs_le_inv in D2 as D2i. apply Rabs_le_inv in D3 as D3i.
    (* h within (1 + u)^2 *)
    assert (H1 : Rabs (h - 1) <= 2.0625 * u).
    { replace (h - 1) with (d2 + d3 + d2 * d3) by (unfold h; ring).
      eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult. pose proof (Rabs_triang d2 d3).
      assert (Rabs d2 * Rabs d3 <= u * u) by (apply Rmult_le_compat; try apply Rabs_pos; lra). lra. }
    assert (H2 : Rabs h <= 1.13) by (apply near_abs in H1; rewrite Rabs_R1 in H1; lra).
    assert (X : Rabs (tc * (1 - tc)) <= 1 / 2 + 3 / 2 * (t * t + E1)).
    { replace (tc * (1 - tc)) with (tc + - (tc * tc)) by ring. eapply Rle_trans; [apply Rabs_triang|].
      rewrite Rabs_Ropp, (Rabs_pos_eq (tc * tc)) by lra.
      assert (Rabs tc <= 1 / 2 + 1 / 2 * (tc * tc)).
      { pose proof (Rle_0_sqr (Rabs tc - 1)) as S. unfold Rsqr in S.
        assert (Rabs tc * Rabs tc = tc * tc) by (rewrite <- Rabs_mult; apply Rabs_pos_eq; lra). lra. }
      lra. }
    assert (X1 : Rabs (1 - tc * tc) <= 1 - t * t + E1).
    { replace (1 - tc * tc) with ((1 - t * t) + - (tc * tc - t * t)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, (Rabs_pos_eq (1 - t * t)) by lra. lra. }
    assert (B : Rabs (f - (1 - t ^ 2)) <= fe * (1 + u)).
    { replace (f - (1 - t ^ 2)) with
        (tc * (1 - tc) * d1 * h + (1 - tc * tc) * (h - 1) + - (tc * tc - t * t)) by (unfold f; ring).
      eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
      rewrite Rabs_Ropp, (Rabs_mult _ h), (Rabs_mult _ d1), (Rabs_mult _ (h - 1)).
      assert (A1 : Rabs (tc * (1 - tc)) * Rabs d1 * Rabs h <= (1 / 2 + 3 / 2 * (t * t + E1)) * u * 1.13).
      { apply Rmult_le_compat; try apply Rabs_pos; [apply Rmult_le_pos; apply Rabs_pos | | exact H2].
        apply Rmult_le_compat; try apply Rabs_pos; assumption. }
      assert (A2 : Rabs (1 - tc * tc) * Rabs (h - 1) <= (1 - t * t + E1) * (2.0625 * u))
        by (apply Rmult_le_compat; try apply Rabs_pos; assumption).
      assert (ut : 0 <= u * (t * t)) by (apply Rmult_le_pos; lra).
      assert (ut1 : u * (t * t) <= u * 1) by (apply Rmult_le_compat_l; lra).
      lra. }
    exists f, (Rabs r * (1 + u) + tiny m).
    assert (R7 : Rabs r * (1 + u) + tiny m <= (7 + 2 * fe) * tiny m).
    { assert (t1 : Rabs (1 - tc) <= 5 / 2 + 1 / 2 * fe).
      { replace (1 - tc) with (1 + - t + - (tc - t)) by ring. eapply Rle_trans; [apply Rabs_triang|].
        eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite !Rabs_Ropp, Rabs_R1.
        pose proof (Rle_0_sqr (tError - 1)) as S. unfold Rsqr in S.
        assert (tError * tError <= fe) by (unfold E1 in *; lra). lra. }
      assert (t3 : Rabs (1 + d3) <= 1.0625) by (apply Rabs_le; lra).
      assert (t2 : Rabs (1 + d2) <= 1.0625) by (apply Rabs_le; lra).
      assert (e12 : Rabs (e1 * (1 + d2) + e2) <= 2.0625 * tiny m).
      { eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
        assert (Rabs e1 * Rabs (1 + d2) <= tiny m * 1.0625) by (apply Rmult_le_compat; try apply Rabs_pos; lra).
        lra. }
      assert (Rr : Rabs r <= 2.0625 * tiny m * ((5 / 2 + 1 / 2 * fe) * 1.0625)).
      { unfold r. rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; [exact e12|].
        rewrite Rabs_mult. apply Rmult_le_compat; try apply Rabs_pos; assumption. }
      assert (Rabs r * (1 + u) <= 2.0625 * tiny m * ((5 / 2 + 1 / 2 * fe) * 1.0625) * 1.0625).
      { apply Rmult_le_compat; try lra. apply Rabs_pos. }
      lra. }
    repeat split; [exact B | | exact R7 |].
    + assert (0 <= Rabs r * (1 + u)) by (apply Rmult_le_pos; [apply Rabs_pos | lra]). lra.
    + unfold rounds in Rq |- *. fold u in Rq.
      replace (q - g * f) with ((q - (g * f + r)) + r) by ring. eapply Rle_trans; [apply Rabs_triang|].
      pose proof (Rabs_triang (g * f) r) as Tr. apply (Rmult_le_compat_l u) in Tr; [|lra]. lra.
Qed.

(** cappedGradientError: dS through c tanh(raw / c), derived step by step. *)
Theorem capped_bound : forall cap t tc tb tError dS dS' dSb dSe fb x, 0 < cap ->
  Rabs t <= tb -> tb <= 1 -> Rabs (tc - t) <= tError ->
  Rabs dS <= dSb -> Rabs (dS' - dS) <= dSe -> Rabs (1 - t ^ 2) <= fb ->
  capped_run m cap tc dS' x ->
  Rabs (x - dS * (1 - t ^ 2)) <= capped_error m cap dSb dSe fb (factor_error m tb tError).
Proof.
  use_sane. intros cap t tc tb tError dS dS' dSb dSe fb x C Ht Hb HE HS HSe Hf
    (g & q & k & Rg & Sl & Rk & Rx).
  destruct (sloped_factor t tc tb tError g q Ht Hb HE Sl) as (f & e & Hfe & He & Rq).
  set (fe := factor_error m tb tError) in *. set (u := ua m) in *.
  assert (Ic : 0 < / cap) by now apply Rinv_0_lt_compat.
  pose proof (rounds_operand0 _ _ _ _ (proj1 Hua) (proj1 Htiny) Rg) as Og. fold u in Og.
  pose proof (operand_product _ _ _ _ _ _ _ _ (proj1 Hua) (Rle_refl 0) (proj1 Htiny) (Rle_refl 0) Og
    (operand_exact f)) as Q. fold u in Q. rewrite !Rmult_0_r, !Rplus_0_r, Rplus_0_l in Q.
  assert (F0 : 0 <= Rabs f * tiny m) by (apply Rmult_le_pos; [apply Rabs_pos | lra]).
  apply (operand_round u e _ _ _ _ q) in Q; try lra; [|exact Rq].
  pose proof (rounds_operand0 _ _ _ _ (proj1 Hua) (Rle_refl 0) Rk) as Ok. fold u in Ok.
  assert (u2 : 0 <= u + u) by lra. assert (e2 : 0 <= Rabs f * tiny m + e) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ u2 (proj1 Hua) e2 (Rle_refl 0) Q Ok) as Q2. fold u in Q2.
  rewrite !Rmult_0_r, Rplus_0_l, Rplus_0_r in Q2. rewrite (Rabs_pos_eq (/ cap)) in Q2 by lra.
  assert (e3 : 0 <= / cap * (Rabs f * tiny m + e)) by (apply Rmult_le_pos; lra).
  apply (operand_round u (tiny m) _ _ _ _ x) in Q2; try lra; [|exact Rx].
  replace (cap * dS' * f * / cap) with (dS' * f) in Q2 by (field; lra).
  set (T := 4 * u). assert (T0 : 0 <= T) by (unfold T; lra).
  apply (operand_read _ T) in Q2; [| exact T0 | unfold T; lra | lra].
  unfold capped_error. fold u T. cbv zeta. pose proof (growth_pos T T0) as G0. set (gr := growth T) in *.
  pose proof (raw_bound dS dS' (1 - t ^ 2) f dSb dSe fb (fe * (1 + u)) HS HSe Hf Hfe) as B.
  set (made := raw_error dSb dSe fb (fe * (1 + u))) in *.
  assert (fe0 : 0 <= fe * (1 + u)) by (pose proof (Rabs_pos (f - (1 - t ^ 2))); lra).
  assert (fe1 : 0 <= fe).
  { destruct (Rle_dec 0 fe) as [|N]; [assumption|]. assert (0 < (- fe) * (1 + u)) by (apply Rmult_lt_0_compat; lra). lra. }
  apply near_abs in B as BA.
  assert (M : Rabs (dS * (1 - t ^ 2)) <= dSb * fb)
    by (rewrite Rabs_mult; apply Rmult_le_compat; try apply Rabs_pos; assumption).
  apply near_abs in Hfe as FA.
  assert (Fl : Rabs f * tiny m + e <= 8 * (1 + fb + fe) * tiny m).
  { assert (Rabs f <= fb + fe * (17 / 16)).
    { assert (fe * (1 + u) <= fe * (17 / 16)) by (apply Rmult_le_compat_l; lra). lra. }
    assert (Rabs f * tiny m <= (fb + fe * (17 / 16)) * tiny m) by (apply Rmult_le_compat_r; lra).
    assert (0 <= fe * tiny m) by (apply Rmult_le_pos; lra).
    assert (0 <= fb * tiny m) by (apply Rmult_le_pos; [pose proof (Rabs_pos (1 - t ^ 2)); lra | lra]).
    lra. }
  apply (Rmult_le_compat_l (/ cap)) in Fl; [|lra].
  replace (x - dS * (1 - t ^ 2)) with ((x - dS' * f) + (dS' * f - dS * (1 - t ^ 2))) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (Rabs (dS' * f) * gr <= (dSb * fb + made) * gr) by (apply Rmult_le_compat_r; lra).
  assert ((/ cap * (Rabs f * tiny m + e) + tiny m) * (1 + gr)
    <= (8 * (1 + fb + fe) * (tiny m / cap) + tiny m) * (1 + gr)).
  { apply Rmult_le_compat_r; [lra|]. unfold Rdiv. lra. }
  lra.
Qed.

Theorem value_term_bound : forall kappa P P' p pError x xb term,
  0 <= kappa -> 0 <= P <= p -> Rabs (P' - P) <= pError -> Rabs x <= xb ->
  value_run m kappa P' x term ->
  Rabs (term - kappa * P * x) <= value_error m kappa p pError xb.
Proof.
  use_sane. intros kappa P P' p pError x xb term K HP HE HX (k & w & z & y & Rk & Rw & Rz & Ry & Rt).
  apply near_abs in HE as PA. rewrite (Rabs_pos_eq P) in PA by lra.
  assert (O : operand (ua m + ua m) (kappa * tiny m) (kappa * P') w).
  { pose proof (rounds_operand0 _ _ _ _ (proj1 Hua) (Rle_refl 0) Rk) as Ok.
    pose proof (operand_product _ _ _ _ _ _ _ _ (proj1 Hua) (Rle_refl 0) (Rle_refl 0) (Rle_refl 0) Ok
      (operand_exact P')) as Q. rewrite !Rmult_0_r, !Rplus_0_r in Q.
    pose proof (operand_round (ua m) (kappa * tiny m) _ _ _ _ _ (proj1 Hua)
      (Rmult_le_pos _ _ K (proj1 Htiny)) (proj1 Hua) (Rle_refl 0) Q Rw) as Z. now rewrite Rplus_0_l in Z. }
  assert (Kt : 0 <= kappa * tiny m) by (apply Rmult_le_pos; lra).
  assert (Ke : 0 <= kappa * eta m) by (apply Rmult_le_pos; lra).
  apply (operand_round (up m) (kappa * eta m) _ _ _ _ z) in O; try lra; try exact Rz.
  pose proof (rounds_operand0 _ _ _ _ Hui Hetain Ry) as Oy.
  assert (B0 : 0 <= ua m + ua m + up m) by lra.
  assert (B1 : 0 <= kappa * tiny m + kappa * eta m) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ B0 Hui B1 Hetain O Oy) as Q.
  set (e := Rabs (kappa * P') * eta_in m + Rabs x * (kappa * tiny m + kappa * eta m)
    + (kappa * tiny m + kappa * eta m) * eta_in m) in Q.
  assert (e0 : 0 <= e).
  { unfold e. repeat apply Rplus_le_le_0_compat; apply Rmult_le_pos; try apply Rabs_pos; lra. }
  apply (operand_round (ua m) (tiny m) _ _ _ _ term) in Q; try lra; try exact Rt.
  set (T := up m + 3 * ua m + ui m). assert (T0 : 0 <= T) by (unfold T; lra).
  apply (operand_read _ T) in Q; [| exact T0 | unfold T; lra | lra].
  unfold value_error. fold T. pose proof (growth_pos T T0) as G0.
  replace (term - kappa * P * x) with ((term - kappa * P' * x) + kappa * x * (P' - P)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult in *.
  rewrite (Rabs_pos_eq kappa K) in *. unfold e in Q. rewrite !Rabs_mult, (Rabs_pos_eq kappa K) in Q.
  pose proof (Rabs_pos P'). pose proof (Rabs_pos x). pose proof (Rabs_pos (P' - P)).
  assert (KP : kappa * Rabs P' <= kappa * (p + pError)) by (apply Rmult_le_compat_l; lra).
  assert (KP0 : 0 <= kappa * Rabs P') by (apply Rmult_le_pos; lra).
  assert (A1 : kappa * Rabs P' * Rabs x * growth T <= kappa * (p + pError) * xb * growth T).
  { apply Rmult_le_compat_r; [exact G0|]. apply Rmult_le_compat; lra. }
  assert (A2 : kappa * Rabs x * Rabs (P' - P) <= kappa * xb * pError).
  { apply Rmult_le_compat; [apply Rmult_le_pos; lra | lra | apply Rmult_le_compat_l; lra | exact HE]. }
  assert (A3 : kappa * Rabs P' * eta_in m * (1 + growth T) <= kappa * (p + pError) * eta_in m * (1 + growth T)).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
  assert (A4 : Rabs x * (kappa * tiny m + kappa * eta m) * (1 + growth T)
    <= xb * (kappa * tiny m + kappa * eta m) * (1 + growth T)).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
  lra.
Qed.

Theorem bias_term_bound : forall dS dS' b e term, Rabs dS <= b -> Rabs (dS' - dS) <= e ->
  bias_run m dS' term -> Rabs (term - dS) <= bias_error m b e.
Proof.
  use_sane. unfold bias_run, rounds, bias_error. intros dS dS' b e term Hb He Hr.
  apply near_abs in He as A. assert (up m * Rabs dS' <= up m * (b + e)) by (apply Rmult_le_compat_l; lra).
  replace (term - dS) with ((term - dS') + (dS' - dS)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

Theorem projection_term_bound : forall x x' w size error a term,
  Rabs x <= size -> Rabs (x' - x) <= error -> Rabs w <= a -> projection_run m x' w term ->
  Rabs (term - x * w) <= projection_error m size error a.
Proof.
  use_sane. intros x x' w size error a term Hx He Hw (y & v & Ry & Rv & Rt).
  apply near_abs in He as XA.
  pose proof (rounds_operand0 _ _ _ _ Huo Heta Ry) as Oy.
  pose proof (rounds_operand0 _ _ _ _ Hui Hetain Rv) as Ov.
  pose proof (operand_product _ _ _ _ _ _ _ _ Huo Hui Heta Hetain Oy Ov) as Q.
  set (e := Rabs x' * eta_in m + Rabs w * eta m + eta m * eta_in m) in Q.
  assert (e0 : 0 <= e).
  { unfold e. repeat apply Rplus_le_le_0_compat; apply Rmult_le_pos; try apply Rabs_pos; lra. }
  apply (operand_round (ua m) (tiny m) _ _ _ _ term) in Q; try lra; try exact Rt.
  set (T := uo m + ui m + ua m). assert (T0 : 0 <= T) by (unfold T; lra).
  apply (operand_read _ T) in Q; [| exact T0 | unfold T; lra | lra].
  unfold projection_error. fold T. cbv zeta. pose proof (growth_pos T T0) as G0.
  replace (term - x * w) with ((term - x' * w) + w * (x' - x)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult in *. unfold e in Q.
  pose proof (Rabs_pos x'). pose proof (Rabs_pos w). pose proof (Rabs_pos (x' - x)).
  assert (Rabs w * Rabs (x' - x) <= a * error) by (apply Rmult_le_compat; lra).
  assert (Rabs x' * Rabs w * growth T <= (size + error) * a * growth T).
  { apply Rmult_le_compat_r; [exact G0|]. apply Rmult_le_compat; lra. }
  assert (Rabs x' * eta_in m * (1 + growth T) <= (size + error) * eta_in m * (1 + growth T)).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
  assert (Rabs w * eta m * (1 + growth T) <= a * eta m * (1 + growth T)).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
  lra.
Qed.

(** dQ and dK: y is K with an error, recomputed, or Q without one; S = |scale|. The term is what the
    scale's last factor gamma multiplies, so it is gamma times it that stands for the exact term. *)
Theorem key_term_bound : forall S alpha beta gamma r' r raw rawError dS f y y' yb dy term,
  split_scale S (Rabs alpha) (Rabs beta) gamma -> r' = dS * f ->
  Rabs r <= raw -> Rabs (r' - r) <= rawError -> Rabs y <= yb -> Rabs (y' - y) <= dy ->
  key_run m alpha beta dS f y' term ->
  Rabs (gamma * term - alpha * beta * gamma * (r * y)) + S * tiny m
    <= key_error m S raw rawError yb dy.
Proof.
  use_sane. intros S alpha beta gamma r' r raw rawError dS f y y' yb dy term
    (HA & HB & HS & SG & SA & SB) -> Hr Hre Hy Hye (x & a & z & w & v & Rx & Ra & Rw & Rz & Ov & Rt).
  set (r' := dS * f) in *.
  set (al := Rabs alpha) in *. set (be := Rabs beta) in *. set (ga := Rabs gamma) in *.
  assert (G0 : 0 <= ga) by apply Rabs_pos.
  assert (S0 : 0 <= S) by (rewrite <- HS; repeat apply Rmult_le_pos; assumption).
  set (u := ua m) in *. set (tn := tiny m) in *. set (et := eta m) in *.
  assert (An : 0 <= al * tn) by (apply Rmult_le_pos; lra).
  assert (O : operand (u + u + u) (al * tn + tn) (alpha * r') w).
  { pose proof (rounds_operand0 _ _ _ _ (proj1 Hua) (proj1 Htiny) Rx) as Ox.
    pose proof (rounds_operand0 _ _ _ _ (proj1 Hua) (Rle_refl 0) Ra) as Oa.
    pose proof (operand_product _ _ _ _ _ _ _ _ (proj1 Hua) (proj1 Hua) (Rle_refl 0) (proj1 Htiny) Oa Ox) as Q.
    fold u tn al in Q. rewrite Rmult_0_r, Rmult_0_l, !Rplus_0_r in Q.
    assert (uu : 0 <= u + u) by lra.
    exact (operand_round u tn _ _ _ _ w (proj1 Hua) (proj1 Htiny) uu An Q Rw). }
  assert (B0 : 0 <= u + u + u) by lra. assert (B1 : 0 <= al * tn + tn) by lra.
  pose proof (operand_round (up m) et _ _ _ _ z Hup Heta B0 B1 O Rz) as O2.
  assert (B2 : 0 <= u + u + u + up m) by lra. assert (B3 : 0 <= al * tn + tn + et) by lra.
  assert (B4 : 0 <= (be + 1) * et) by (apply Rmult_le_pos; lra).
  fold be et in Ov. assert (B5 : 0 <= 2 * uo m + ui m) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ B2 B5 B3 B4 O2 Ov) as Q.
  set (e := Rabs (alpha * r') * ((be + 1) * et) + Rabs (beta * y') * (al * tn + tn + et)
    + (al * tn + tn + et) * ((be + 1) * et)) in Q.
  assert (e0 : 0 <= e).
  { unfold e. repeat apply Rplus_le_le_0_compat; apply Rmult_le_pos; try apply Rabs_pos; assumption. }
  assert (B6 : 0 <= u + u + u + up m + (2 * uo m + ui m)) by lra.
  pose proof (operand_round u tn _ _ _ _ term (proj1 Hua) (proj1 Htiny) B6 e0 Q Rt) as O3.
  set (T := up m + 6 * u + 2 * uo m + ui m). assert (T0 : 0 <= T) by (unfold T; lra).
  apply (operand_read _ T) in O3; [| exact T0 | unfold T; lra | lra].
  pose proof (growth_pos T T0) as Gr0. set (gr := growth T) in *.
  unfold key_error. fold u tn et. fold T. fold gr. cbv zeta.
  (* the exact parts *)
  apply near_abs in Hre as RA. apply near_abs in Hye as YA.
  pose proof (Rabs_pos r'). pose proof (Rabs_pos y'). pose proof (Rabs_pos r). pose proof (Rabs_pos y).
  pose proof (Rabs_pos (r' - r)). pose proof (Rabs_pos (y' - y)).
  set (R' := raw + rawError) in *. set (Y' := yb + dy) in *.
  assert (R0 : Rabs r' <= R') by (unfold R'; lra). assert (Y0 : Rabs y' <= Y') by (unfold Y'; lra).
  assert (Ex : Rabs (r' * y' - r * y) <= rawError * Y' + raw * dy).
  { replace (r' * y' - r * y) with ((r' - r) * y' + r * (y' - y)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
    apply Rplus_le_compat; apply Rmult_le_compat; try apply Rabs_pos; lra. }
  replace (gamma * term - alpha * beta * gamma * (r * y))
    with (gamma * (term - alpha * r' * (beta * y')) + alpha * beta * gamma * (r' * y' - r * y)) by ring.
  assert (SS : Rabs (alpha * beta * gamma) = S) by (rewrite !Rabs_mult; exact HS).
  apply Rle_trans with (ga * Rabs (term - alpha * r' * (beta * y')) + S * Rabs (r' * y' - r * y) + S * tn).
  { apply Rplus_le_compat_r. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_mult gamma), (Rabs_mult (alpha * beta * gamma)), SS. fold ga. lra. }
  apply (Rmult_le_compat_l S) in Ex; [|exact S0].
  apply (Rmult_le_compat_l ga) in O3; [|exact G0].
  (* magnitudes and flushes of the rounded product, times gamma *)
  assert (Mg : ga * Rabs (alpha * r' * (beta * y')) = S * (Rabs r' * Rabs y')).
  { rewrite !Rabs_mult. fold al be. rewrite <- HS. ring. }
  assert (RY : Rabs r' * Rabs y' <= R' * Y') by (apply Rmult_le_compat; lra).
  assert (Fl : ga * (e + tn) <= (1 + S) * (Y' * (et + 2 * tn) + 2 * R' * et + 4 * (tn + et) * et + tn)).
  { unfold e. rewrite !Rabs_mult. fold al be.
    replace (ga * (al * Rabs r' * ((be + 1) * et) + be * Rabs y' * (al * tn + tn + et)
        + (al * tn + tn + et) * ((be + 1) * et) + tn))
      with ((S + al * ga) * (Rabs r' * et) + (S + be * ga) * (Rabs y' * tn) + be * ga * (Rabs y' * et)
        + (S + al * ga + be * ga + ga) * (tn * et) + (be * ga + ga) * (et * et) + ga * tn)
      by (rewrite <- HS; ring).
    assert (W1 : (S + al * ga) * (Rabs r' * et) <= (2 * (1 + S)) * (R' * et)).
    { apply Rmult_le_compat; try lra; [|apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra].
      pose proof (Rmult_le_pos _ _ HA G0). lra. }
    assert (W2 : (S + be * ga) * (Rabs y' * tn) <= (2 * (1 + S)) * (Y' * tn)).
    { apply Rmult_le_compat; try lra; [|apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra].
      pose proof (Rmult_le_pos _ _ HB G0). lra. }
    assert (W3 : be * ga * (Rabs y' * et) <= (1 + S) * (Y' * et)).
    { apply Rmult_le_compat; try lra; [apply Rmult_le_pos; lra | apply Rmult_le_pos; lra
        | apply Rmult_le_compat_r; lra]. }
    assert (te : 0 <= tn * et) by (apply Rmult_le_pos; lra).
    assert (ee : 0 <= et * et) by (apply Rmult_le_pos; lra).
    assert (W4 : (S + al * ga + be * ga + ga) * (tn * et) <= (4 * (1 + S)) * (tn * et))
      by (apply Rmult_le_compat_r; lra).
    assert (W5 : (be * ga + ga) * (et * et) <= (4 * (1 + S)) * (et * et))
      by (apply Rmult_le_compat_r; lra).
    assert (W6 : ga * tn <= (1 + S) * tn) by (apply Rmult_le_compat_r; lra).
    lra. }
  assert (P1 : S * (Rabs r' * Rabs y') * gr <= S * (R' * Y') * gr).
  { apply Rmult_le_compat_r; [exact Gr0|]. apply Rmult_le_compat_l; assumption. }
  apply (Rmult_le_compat_r (1 + gr)) in Fl; [|lra].
  assert (0 <= S * tn) by (apply Rmult_le_pos; lra).
  assert (0 <= S * tn * gr) by (apply Rmult_le_pos; lra).
  assert (0 <= tn * gr) by (apply Rmult_le_pos; lra).
  replace (ga * (Rabs (alpha * r' * (beta * y')) * gr + (e + tn) * (1 + gr)))
    with (ga * Rabs (alpha * r' * (beta * y')) * gr + ga * (e + tn) * (1 + gr)) in O3 by ring.
  rewrite Mg in O3. lra.
Qed.

(** ** Sums *)

(** finishSum. Terms f j, gamma f j standing for t j; what is lost beyond |gamma| = 1 to flushes in
    the sum is in [made]. *)
Theorem finish_bound : forall {X} (xs : list X) (f t made : X -> R) S gamma ranks magnitude error exact out,
  0 <= S -> 0 <= ranks -> Rabs gamma <= 1 + S ->
  (forall x, In x xs -> Rabs (gamma * f x - t x) + S * tiny m <= made x) ->
  total (fun x => Rabs (t x)) xs <= magnitude -> total made xs <= error ->
  Rabs (total t xs) <= exact ->
  finish_run m gamma (map f xs) out ->
  Rabs (out - total t xs) <= finish_sum m (INR (length xs)) ranks error magnitude exact.
Proof.
  use_sane. intros X xs f t made S gamma ranks magnitude error exact out HS HR HG Hf Hm Herr Hex
    (z & c & w & Sz & Rc & Rw & Ro).
  destruct (sum_read _ _ _ _ (proj1 Hua) (proj1 Htiny) Sz) as [N1 Z]. rewrite map_length in N1, Z.
  set (n := INR (length xs)) in *. set (u := ua m) in *. set (tn := tiny m) in *.
  rewrite sizes_total in Z. set (F := total (fun y => y) (map f xs)) in *.
  set (M := total (fun x => Rabs (f x)) xs) in *.
  set (e1 := exp ((n - 1) * u)) in *. set (e2 := exp (2 * u)).
  assert (nu : 0 <= (n - 1) * u) by (apply Rmult_le_pos; lra).
  assert (E1 : 1 <= e1) by (apply exp_ge_1; exact nu). assert (E2 : 1 <= e2) by (apply exp_ge_1; lra).
  set (T := (n + (ranks + 1)) * u + 0).
  assert (Ru : 0 <= ranks * u) by (apply Rmult_le_pos; lra).
  assert (T0 : 0 <= T) by (unfold T; lra). pose proof (growth_pos T T0) as Gr0.
  assert (E12 : e1 * e2 <= 1 + growth T).
  { unfold e1, e2. rewrite <- exp_plus. apply exp_growth_le; [exact T0 | unfold T; lra]. }
  set (gr := growth T) in *. set (ga := Rabs gamma) in *. assert (ga0 : 0 <= ga) by apply Rabs_pos.
  pose proof (operand_mul_factors u tn z (gamma * z) gamma c w (proj1 Hua) (proj1 Htiny) Rc Rw eq_refl) as W.
  fold e2 in W. rewrite Rabs_mult in W. fold ga in W.
  assert (FM : Rabs F <= M).
  { unfold F, M. rewrite <- sizes_total. clear. induction xs as [|x xs IH]; simpl; [rewrite Rabs_R0; lra|].
    eapply Rle_trans; [apply Rabs_triang|]. lra. }
  apply near_abs in Z as ZA. set (q := (n - 1) * tn * e1) in *.
  assert (q0 : 0 <= q) by (unfold q; repeat apply Rmult_le_pos; lra).
  assert (M0 : 0 <= M) by (unfold M; apply total_pos; intros; apply Rabs_pos).
  assert (WF : Rabs (w - gamma * F) <= ga * M * gr + ga * ((n - 1) * tn) * (1 + gr) + tn).
  { replace (w - gamma * F) with ((w - gamma * z) + gamma * (z - F)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rabs_mult gamma). fold ga.
    apply (Rmult_le_compat_l ga) in Z; [|exact ga0].
    assert (A1 : ga * Rabs z * (e2 - 1) <= ga * (M * e1 + q) * (e2 - 1)).
    { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_l; lra. }
    assert (A2 : ga * M * (e1 * e2) <= ga * M * (1 + gr)) by (apply Rmult_le_compat_l; [apply Rmult_le_pos|]; lra).
    assert (A3 : ga * ((n - 1) * tn) * (e1 * e2) <= ga * ((n - 1) * tn) * (1 + gr)).
    { apply Rmult_le_compat_l; [|exact E12]. repeat apply Rmult_le_pos; lra. }
    unfold q in *. lra. }
  assert (GF : Rabs (gamma * F - total t xs) + n * (S * tn) <= error /\
    ga * M <= magnitude + error - n * (S * tn)).
  { assert (K : forall ys, (forall x, In x ys -> Rabs (gamma * f x - t x) + S * tn <= made x) ->
      Rabs (gamma * total (fun y => y) (map f ys) - total t ys) + INR (length ys) * (S * tn) <= total made ys /\
      ga * total (fun x => Rabs (f x)) ys <= total (fun x => Rabs (t x)) ys + total made ys
        - INR (length ys) * (S * tn)).
    { induction ys as [|y ys IH]; intros Hy.
      - simpl. rewrite Rmult_0_r, Rminus_0_r, Rabs_R0. lra.
      - destruct IH as [I1 I2]; [intros; apply Hy; now right|]. pose proof (Hy y (or_introl eq_refl)) as Y.
        simpl total. simpl length. rewrite S_INR. simpl map. simpl total.
        split.
        + replace (gamma * (f y + total (fun y0 => y0) (map f ys)) - (t y + total t ys))
            with ((gamma * f y - t y) + (gamma * total (fun y0 => y0) (map f ys) - total t ys)) by ring.
          eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. lra.
        + pose proof (near_abs (t y) (gamma * f y) (made y - S * tn) ltac:(lra)) as Y2.
          rewrite Rabs_mult in Y2. fold ga in Y2. lra. }
    destruct (K xs Hf) as [K1 K2]. fold F n in K1. fold M n in K2. lra. }
  destruct GF as [GF1 GF2].
  assert (Stn : 0 <= S * tn) by (apply Rmult_le_pos; lra).
  assert (nS : 0 <= n * (S * tn)) by (apply Rmult_le_pos; lra).
  set (summed := error + (magnitude + error) * gr + n * tn * (1 + gr)).
  assert (WT : Rabs (w - total t xs) <= summed).
  { replace (w - total t xs) with ((w - gamma * F) + (gamma * F - total t xs)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold summed.
    apply (Rmult_le_compat_r gr) in GF2; [|exact Gr0].
    assert (A4 : ga * ((n - 1) * tn) * (1 + gr) <= (1 + S) * ((n - 1) * tn) * (1 + gr)).
    { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | exact HG]. }
    assert (0 <= S * tn * gr) by (apply Rmult_le_pos; lra).
    assert (0 <= tn * gr) by (apply Rmult_le_pos; lra). lra. }
  unfold finish_sum, sum_growth. fold u tn. fold T. fold gr. cbv zeta. fold summed.
  unfold rounds in Ro. apply near_abs in WT as WA.
  replace (out - total t xs) with ((out - w) + (w - total t xs)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (uout m * Rabs w <= uout m * (exact + summed)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

End Backward.

(** ** P of keys whose scores may be of any size *)

Section Far.

Variable m : model.
Hypothesis Sane : sane m.

Ltac use_sane := destruct Sane as (Huo & Hus & Hue & Hup & Hua & Huout & Hui & Hust & Htiny & Heta
  & Hetaout & Hetain & Hetast).

(** A far key's P, recomputed: nothing is asked of its score. *)
Theorem far_recomputed : forall s s' lse L L' ds dl weight P, up m <= 1 / 2 -> s <= lse ->
  Rabs (s' - s) <= ds -> ds <= weight -> Rabs (L - lse) <= dl -> rounds (2 * ua m) 0 L L' ->
  recomputed m s' L' P ->
  Rabs (P - exp (s - lse)) <= far_probability_error m (exp (s - lse)) (lse - s)
    (recomputed_weight m (Rabs lse) dl (Rabs s) (Rabs (s - lse)) weight).
Proof.
  use_sane. intros s s' lse L L' ds dl weight P HP SL S W HL RL (y & e & f & Y & E & F & RP).
  (* without flushes and P's own rounding *)
  set (m0 := {| uo := uo m; us := us m; ue := ue m; up := 0; ua := ua m; uout := uout m; ui := ui m;
    ust := ust m; tiny := 0; eta := 0; eta_out := eta_out m; eta_in := eta_in m; eta_st := eta_st m |}).
  assert (Sane0 : sane m0) by (unfold sane, m0; simpl; lra).
  assert (R0 : recomputed m0 s' L' (exp y * (1 + e))).
  { exists y, e, (exp y * (1 + e)). simpl. split; [exact Y|]. split; [exact E|].
    split; apply rounds_exact; lra. }
  pose proof (recomputed_probability m0 Sane0 s s' lse L L' ds dl weight _ S W HL RL R0) as O.
  unfold m0 in O. simpl in O. apply operand_abs in O.
  rewrite (Rabs_pos_eq (exp (s - lse))) in O by (left; apply exp_pos).
  replace (exp (s - lse) + (2 * 0 + 0)) with (exp (s - lse)) in O by ring.
  rewrite <- exp_plus in O. unfold rounds in F, RP.
  set (T := recomputed_weight m (Rabs lse) dl (Rabs s) (Rabs (s - lse)) weight).
  assert (T0 : s - lse + recomputed_weight m0 (Rabs lse) dl (Rabs s) (Rabs (s - lse)) weight <= T - (lse - s))
    by (unfold T, recomputed_weight, m0; simpl; lra).
  apply exp_le in T0. unfold m0, recomputed_weight in T0. simpl in T0. unfold recomputed_weight in O. simpl in O.
  set (X := exp y * (1 + e)) in *. set (x := exp (s - lse)). set (B := exp (T - (lse - s))) in *.
  assert (XB : Rabs X <= B) by lra.
  assert (Fa : Rabs f <= B + tiny m).
  { pose proof (Rabs_triang (f - X) X) as G. replace (f - X + X) with f in G by ring. lra. }
  assert (Pa : Rabs P <= 3 / 2 * (B + tiny m) + eta m).
  { pose proof (Rabs_triang (P - f) f) as G. replace (P - f + f) with P in G by ring.
    assert (up m * Rabs f <= 1 / 2 * (B + tiny m)).
    { apply Rmult_le_compat; try lra. apply Rabs_pos. } lra. }
  assert (0 < x) by apply exp_pos. assert (0 < B) by apply exp_pos.
  unfold far_probability_error. fold T B.
  replace (P - x) with (P + - x) by ring. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_Ropp, (Rabs_pos_eq x) by lra. lra.
Qed.

(** The same, kept from the forward pass. *)
Theorem far_kept : forall s L z q weight dl lse score fromLse P, up m <= 1 / 2 ->
  1 <= z -> 0 <= weight -> 0 <= lse -> 0 <= score -> 0 <= fromLse -> q <= dl -> ua m <= 4 * ue m ->
  exp s / z = exp (s - L) -> kept_far m weight q (exp s) z P ->
  Rabs (P - exp (s - L)) <= far_probability_error m (exp (s - L)) (L - s)
    (recomputed_weight m lse dl score fromLse weight).
Proof.
  use_sane. intros s L z q weight dl lse score fromLse P HP Z1 W0 H1 H2 H3 HL HU EL
    (w & l & f & (g & e & Fg & g0 & E1 & E2 & ->) & L0 & Hl & F & RP).
  set (d := ln (l / z)) in *. assert (Q0 : 0 <= q) by (pose proof (Rabs_pos d); lra).
  assert (El : / l = / z * exp (- d)).
  { unfold d. rewrite exp_Ropp, exp_ln by (apply Rdiv_lt_0_compat; lra). field. lra. }
  assert (Ed : exp (- d) <= exp q) by (apply exp_le; pose proof (Rle_abs (- d)) as G; rewrite Rabs_Ropp in G; lra).
  assert (Iz : 0 < / z) by (apply Rinv_0_lt_compat; lra).
  pose proof (factor_abs _ _ Fg) as Fa. rewrite (Rabs_pos_eq g g0) in Fa.
  assert (Wl : Rabs ((exp s * g + e) / l) <= 2 * exp (s - L) * exp (weight + q)).
  { unfold Rdiv. rewrite El, Rabs_mult. rewrite (Rabs_pos_eq (/ z * exp (- d)))
      by (apply Rmult_le_pos; left; [exact Iz | apply exp_pos]).
    assert (Sg : exp s * g <= exp s * exp weight) by (apply Rmult_le_compat_l; [left; apply exp_pos | exact Fa]).
    assert (A : Rabs (exp s * g + e) <= 2 * (exp s * exp weight)).
    { eapply Rle_trans; [apply Rabs_triang|]. rewrite (Rabs_pos_eq (exp s * g)); [lra|].
      apply Rmult_le_pos; [left; apply exp_pos | exact g0]. }
    apply Rle_trans with (2 * (exp s * exp weight) * (/ z * exp q)).
    - apply Rmult_le_compat; [apply Rabs_pos | apply Rmult_le_pos; left; [exact Iz | apply exp_pos] | exact A |].
      apply Rmult_le_compat_l; lra.
    - rewrite exp_plus, <- EL. unfold Rdiv. apply Req_le. ring. }
  set (X := (exp s * g + e) / l) in *. unfold rounds in F, RP.
  set (T := recomputed_weight m lse dl score fromLse weight). set (x := exp (s - L)) in *.
  assert (0 < x) by apply exp_pos.
  assert (TT : weight + q + ua m + up m <= T).
  { unfold T, recomputed_weight. cbv zeta. assert (0 <= ua m * (lse + dl)) by (apply Rmult_le_pos; lra).
    assert (0 <= ue m * (score + 2 * lse + 5 * fromLse)) by (apply Rmult_le_pos; lra).
    set (t := weight + (dl + 2 * ua m * (lse + dl)) + ue m * (score + 2 * lse + 5 * fromLse + 4)).
    assert (weight + q + ua m <= t) by (unfold t; lra).
    assert (0 <= t * (8 * ue m)) by (apply Rmult_le_pos; lra). lra. }
  set (B := exp (T - (L - s))).
  assert (XB : x * exp (weight + q) * exp (ua m) * exp (up m) <= B).
  { unfold x, B. rewrite <- !exp_plus. apply exp_le. lra. }
  pose proof (exp_ineq1_le (ua m)) as u1. pose proof (exp_ineq1_le (up m)) as u2.
  set (v := x * exp (weight + q)) in *. assert (v0 : 0 < v) by (unfold v; apply Rmult_lt_0_compat; [assumption | apply exp_pos]).
  assert (XB2 : v * (1 + ua m) * (1 + up m) <= B).
  { eapply Rle_trans; [|exact XB]. apply Rmult_le_compat; try lra; [apply Rmult_le_pos; lra|].
    apply Rmult_le_compat_l; lra. }
  assert (Xv : Rabs X <= 2 * v) by (unfold v; lra).
  assert (Fa2 : Rabs f <= 2 * (v * (1 + ua m)) + tiny m).
  { pose proof (Rabs_triang (f - X) X) as G. replace (f - X + X) with f in G by ring.
    assert (ua m * Rabs X <= ua m * (2 * v)) by (apply Rmult_le_compat_l; lra). lra. }
  assert (Pa : Rabs P <= 2 * B + 3 / 2 * tiny m + eta m).
  { pose proof (Rabs_triang (P - f) f) as G. replace (P - f + f) with P in G by ring.
    assert (up m * Rabs f <= up m * (2 * (v * (1 + ua m)) + tiny m)) by (apply Rmult_le_compat_l; lra).
    assert (up m * tiny m <= 1 / 2 * tiny m) by (apply Rmult_le_compat_r; lra). lra. }
  unfold far_probability_error. fold T B.
  replace (P - x) with (P + - x) by ring. eapply Rle_trans; [apply Rabs_triang|].
  rewrite Rabs_Ropp, (Rabs_pos_eq x) by lra. lra.
Qed.

End Far.
