(** * Kernels: error bounds for the float64 exp, log, expm1 and tanh

    Purpose. The functions of reference/numbers/float64.ts, operation by operation, with every
    + - * / rounded to nearest even in binary64 (gradual underflow; exponents unbounded above). The
    constants are those of Constants.v, generated from the source. u = 2^-53.

    Main results. x is any binary64 number in the range stated; nothing is assumed in between.
    - [expm1_reduced_error]   |r| <= EXPM1_SMALL: relative error of e^r - 1 at most 2u
    - [exp_mantissa_error]    before scaling: relative error at most 2u
    - [exp_uniform_error]     |exp x - e^x| <= 2u e^x + 2^-1075 for EXP_MIN <= x <= EXP_MAX
    - [exp_error]             relative error at most 3u where e^x >= 2^-1022
    - [exp_subnormal_error]   absolute error at most 3/2 * 2^-1074 where e^x < 2^-1022
    - [exp_below]             below EXP_MIN, where the program returns 0, e^x < 2^-1075
    - [exp_above]             above EXP_MAX, where the program returns infinity, e^x > 2^1024
    - [exp_finite]            up to EXP_MAX the result is below 2^1024: nothing overflows on the way
    - [log_fraction_error]    relative error at most 3.2u for the fraction near 1
    - [split_near_1_exact]    x = f 2^e exactly, f in [SQRT_HALF, 2 SQRT_HALF)
    - [log_error]             |log x - ln x| <= 5u |ln x| for every finite x > 0
    - [expm1_error]           relative error at most 8u for EXP_MIN <= x <= EXP_MAX
    - [tanh_error]            absolute error at most 4u and relative error at most 20u
    - [growth_small]          e^T - 1 <= T + T^2 for 0 <= T <= 1

    Dependencies. Constants.v; Flocq for rounding, Coq-Interval for the polynomials, Coquelicot for
    derivatives. *)

From Coq Require Import Reals ZArith List Lra Lia.
From Flocq Require Import Core Relative Plus_error Mult_error.
From Coquelicot Require Import Coquelicot.
From Interval Require Tactic.
From Interval Require Import Float.Specific_stdz Float.Specific_ops.
From Xattn Require Import Constants.
Import ListNotations.
Open Scope R_scope.

(** Coq-Interval over integers of the standard library: no axioms but those of the reals. *)
Module StdFloat := SpecificFloat StdZRadix2.
Module StdInterval := Tactic.IntervalTactic StdFloat.
Import StdInterval.
Ltac bound := interval with (Tactic.i_prec 90%positive).

(** ** Binary64 rounding, exponents unbounded above *)

Notation fexp := (FLT_exp (-1074) 53).
Notation rnd := (round radix2 fexp ZnearestE).
Notation format := (generic_format radix2 fexp).
Notation pow2 := (bpow radix2).

Definition u : R := / 2 ^ 53.
Definition tiny : R := pow2 (-1075).

Local Instance prec_53 : Prec_gt_0 53 := eq_refl.

Lemma tiny_bound : 0 < tiny <= / 2 ^ 300.
Proof.
  unfold tiny. split; [apply bpow_gt_0|].
  replace (/ 2 ^ 300) with (pow2 (-300)); [apply bpow_le; lia|].
  change (-300)%Z with (- (300))%Z. rewrite bpow_opp. f_equal.
  change 2 with (IZR radix2). rewrite (bpow_powerRZ radix2 300). reflexivity.
Qed.

Lemma rnd_rel : forall x, Rabs (rnd x - x) <= u * Rabs x + tiny.
Proof.
  intros x.
  destruct (error_N_FLT radix2 (-1074) 53 ltac:(lia) (fun n => negb (Z.even n)) x)
    as (d & e & Hd & He & _ & ->).
  replace (x * (1 + d) + e - x) with (d * x + e) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  apply Rplus_le_compat.
  - apply Rmult_le_compat_r; [apply Rabs_pos|].
    eapply Rle_trans; [apply Hd|]. unfold u. simpl. lra.
  - eapply Rle_trans; [apply He|]. unfold tiny. right.
    change (-1075)%Z with (-1 + -1074)%Z. rewrite bpow_plus. simpl (pow2 (-1)). lra.
Qed.

Lemma rnd_binade : forall j b x, b = pow2 j -> (-1021 <= j)%Z -> Rabs x <= b ->
  Rabs (rnd x - x) <= b / 2 * u.
Proof.
  intros j b x -> Hj Hx.
  assert (Hu : pow2 j / 2 * u = / 2 * pow2 (j - 53)).
  { unfold Zminus. rewrite bpow_plus. unfold u. simpl (pow2 (- (53))). simpl. lra. }
  rewrite Hu. destruct Hx as [Hx | Hx].
  - destruct (Req_dec x 0) as [-> | Nx].
    { rewrite round_0 by typeclasses eauto. rewrite Rminus_0_r, Rabs_R0.
      pose proof (bpow_gt_0 radix2 (j - 53)). lra. }
    eapply Rle_trans; [apply error_le_half_ulp; typeclasses eauto|].
    apply Rmult_le_compat_l; [lra|].
    rewrite ulp_neq_0 by exact Nx. apply bpow_le. unfold cexp, FLT_exp.
    pose proof (mag_le_bpow radix2 x j Nx Hx). lia.
  - assert (F : format x).
    { assert (G : format (pow2 j)).
      { apply generic_format_FLT_bpow; [reflexivity | lia]. }
      unfold Rabs in Hx. destruct (Rcase_abs x).
      - replace x with (- pow2 j) by lra. now apply generic_format_opp.
      - now rewrite Hx. }
    rewrite round_generic by (typeclasses eauto || exact F).
    replace (x - x) with 0 by ring. rewrite Rabs_R0.
    pose proof (bpow_gt_0 radix2 (j - 53)). lra.
Qed.

Lemma rnd_format : forall x, format x -> rnd x = x.
Proof. intros. apply round_generic; [typeclasses eauto | assumption]. Qed.

Lemma format_rnd : forall x, format (rnd x).
Proof. intros. apply generic_format_round; typeclasses eauto. Qed.

Lemma grid_format : forall m e, (-1074 <= e)%Z -> Rabs (IZR m * pow2 e) < pow2 (e + 53) ->
  format (IZR m * pow2 e).
Proof.
  intros m e He Hm. apply generic_format_FLT.
  exists (Defs.Float radix2 m e); [reflexivity | | assumption]. simpl Fnum.
  apply lt_IZR. rewrite abs_IZR. change (radix2 ^ 53)%Z with (2 ^ 53)%Z.
  change (IZR (2 ^ 53)) with (pow2 53).
  apply Rmult_lt_reg_r with (pow2 e); [apply bpow_gt_0|].
  rewrite <- bpow_plus, (Zplus_comm 53). revert Hm. rewrite Rabs_mult.
  rewrite (Rabs_pos_eq (pow2 e)) by apply bpow_ge_0. easy.
Qed.

Lemma on_grid : forall j x, format x -> pow2 j <= Rabs x -> exists m, x = IZR m * pow2 (j - 52).
Proof.
  intros j x F H. rewrite F. unfold F2R. simpl.
  set (m := Ztrunc _). set (c := cexp radix2 fexp x).
  assert (Hc : (j - 52 <= c)%Z).
  { unfold c, cexp, FLT_exp. pose proof (mag_ge_bpow radix2 x (j + 1)) as G.
    replace (j + 1 - 1)%Z with j in G by ring. specialize (G H). lia. }
  exists (m * 2 ^ (c - (j - 52)))%Z. rewrite mult_IZR, Rmult_assoc. f_equal.
  change 2%Z with (radix_val radix2). rewrite IZR_Zpower by lia.
  rewrite <- bpow_plus. f_equal. ring.
Qed.

Lemma format_double : forall x, format x -> format (2 * x).
Proof.
  intros x F. apply FLT_format_generic in F; [|easy]. destruct F as [[m e] H1 H2 H3].
  apply generic_format_FLT. exists (Defs.Float radix2 m (e + 1)); [|exact H2|simpl in *; lia].
  rewrite H1. unfold F2R. simpl. rewrite bpow_plus. simpl (pow2 1).
  change (Z.pow_pos 2 1) with 2%Z. ring.
Qed.

(** Absolute values in hypotheses and goal as pairs of inequalities. *)
Ltac linear_abs :=
  repeat match goal with H : Rabs _ <= _ |- _ => apply Rabs_le_inv in H end;
  try apply Rabs_le; repeat match goal with H : _ /\ _ |- _ => destruct H end; try split.

Lemma abs_le_self : forall x, - Rabs x <= x <= Rabs x.
Proof. intros x. unfold Rabs. destruct (Rcase_abs x); lra. Qed.

(** ** e^r - 1 on the reduced range *)

Definition horner (r : R) (cs : list R) (start : R) : R :=
  fold_left (fun sum c => rnd (rnd (sum * r) + c)) cs start.
Definition horner_exact (r : R) (cs : list R) (start : R) : R :=
  fold_left (fun sum c => sum * r + c) cs start.

Definition expm1_reduced (r : R) : R :=
  rnd (r + rnd (rnd (r * r) * horner r (rev INVERSE_FACTORIALS) 0)).
Definition expm1_polynomial (r : R) : R :=
  r + r * r * horner_exact r (rev INVERSE_FACTORIALS) 0.

Lemma horner_step : forall j1 b1 j2 b2 r s S c es B,
  Rabs r <= 0.34661 -> Rabs (s - S) <= es * u -> Rabs S <= B -> 0 <= es <= 1 ->
  b1 = pow2 j1 -> (-1021 <= j1)%Z -> b2 = pow2 j2 -> (-1021 <= j2)%Z ->
  (B + u) * 0.34661 <= b1 -> B * 0.34661 + Rabs c + u + b1 * u <= b2 ->
  Rabs (rnd (rnd (s * r) + c) - (S * r + c)) <= (es * 0.34661 + b1 / 2 + b2 / 2) * u /\
  Rabs (S * r + c) <= B * 0.34661 + Rabs c.
Proof.
  intros j1 b1 j2 b2 r s S c es B Hr Hs HS Hes Hb1 Hj1 Hb2 Hj2 H1 H2.
  assert (Hu : 0 < u < / 2 ^ 50) by (unfold u; split; bound).
  assert (HSr : Rabs (S * r) <= B * 0.34661).
  { rewrite Rabs_mult. apply Rmult_le_compat; auto using Rabs_pos. }
  assert (Hd : Rabs ((s - S) * r) <= es * u * 0.34661).
  { rewrite Rabs_mult. apply Rmult_le_compat; auto using Rabs_pos. }
  assert (Hsr : Rabs (s * r) <= b1).
  { replace (s * r) with (S * r + (s - S) * r) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. nra. }
  pose proof (rnd_binade j1 b1 (s * r) Hb1 Hj1 Hsr) as E1.
  assert (Hb1p : 0 < b1) by (rewrite Hb1; apply bpow_gt_0).
  assert (Hpc : Rabs (rnd (s * r) + c) <= b2).
  { revert Hd HSr E1 H2. replace ((s - S) * r) with (s * r - S * r) by ring.
    set (x := S * r). set (y := s * r). intros. pose proof (abs_le_self c). linear_abs; nra. }
  pose proof (rnd_binade j2 b2 _ Hb2 Hj2 Hpc) as E2.
  split.
  - revert Hd HSr E1 E2. replace ((s - S) * r) with (s * r - S * r) by ring.
    intros. linear_abs; nra.
  - eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

Lemma horner_tail : forall r cs s S,
  Rabs r <= 0.34661 -> List.Forall (fun c => Rabs c <= 0.0084) cs ->
  Rabs (s - S) <= 0.02 * u -> Rabs S <= 0.0129 ->
  Rabs (horner r cs s - horner_exact r cs S) <= 0.02 * u /\
  Rabs (horner_exact r cs S) <= 0.0129.
Proof.
  intros r cs. induction cs as [|c cs IH]; intros s S Hr Hcs Hs HS; [now split|].
  inversion_clear Hcs as [|? ? Hc Hcs']. simpl. apply IH; auto.
  all: destruct (horner_step (-7) (/ 128) (-6) (/ 64) r s S c 0.02 0.0129) as [A B];
    auto; try lia; try (simpl; lra); try (unfold u; lra).
  eapply Rle_trans; [apply A|]. apply Rmult_le_compat_r; [unfold u|]; lra.
Qed.

Lemma horner_error : forall r, Rabs r <= 0.34661 ->
  Rabs (horner r (rev INVERSE_FACTORIALS) 0 - horner_exact r (rev INVERSE_FACTORIALS) 0)
    <= 0.62 * u /\
  Rabs (horner_exact r (rev INVERSE_FACTORIALS) 0) <= 0.565.
Proof.
  intros r Hr.
  set (c2 := nth 0 INVERSE_FACTORIALS 0). set (c3 := nth 1 INVERSE_FACTORIALS 0).
  set (c4 := nth 2 INVERSE_FACTORIALS 0).
  assert (HC : rev INVERSE_FACTORIALS = rev (skipn 3 INVERSE_FACTORIALS) ++ [c4; c3; c2])
    by reflexivity.
  rewrite HC. unfold horner, horner_exact. rewrite 2!fold_left_app.
  fold (horner r (rev (skipn 3 INVERSE_FACTORIALS)) 0).
  fold (horner_exact r (rev (skipn 3 INVERSE_FACTORIALS)) 0).
  destruct (horner_tail r (rev (skipn 3 INVERSE_FACTORIALS)) 0 0) as [E5 B5]; auto.
  - unfold INVERSE_FACTORIALS. simpl skipn. simpl rev. repeat constructor; bound.
  - rewrite Rminus_0_r, Rabs_R0. unfold u. lra.
  - rewrite Rabs_R0. lra.
  - set (s5 := horner _ _ _) in *. set (S5 := horner_exact _ _ _) in *. clearbody s5 S5.
    assert (C4 : Rabs c4 <= 0.04167) by (unfold c4; simpl; bound).
    assert (C3 : Rabs c3 <= 0.16667) by (unfold c3; simpl; bound).
    assert (C2 : Rabs c2 <= 0.5) by (unfold c2; simpl; bound).
    clearbody c4 c3 c2. clear HC. simpl.
    destruct (horner_step (-7) (/ 128) (-4) (/ 16) r s5 S5 c4 0.02 0.0129) as [E4 B4];
      auto; try lia; try (simpl; lra); try (unfold u; lra).
    set (s4 := rnd (_ + c4)) in *. set (S4 := S5 * r + c4) in *. clearbody s4 S4.
    destruct (horner_step (-5) (/ 32) (-2) (/ 4) r s4 S4 c3 0.043 0.0462) as [E3 B3];
      auto; try lia; try (simpl; lra); try (unfold u; lra).
    { eapply Rle_trans; [apply E4|]. apply Rmult_le_compat_r; [unfold u|]; lra. }
    set (s3 := rnd (_ + c3)) in *. set (S3 := S4 * r + c3) in *. clearbody s3 S3.
    destruct (horner_step (-3) (/ 8) 0 1 r s3 S3 c2 0.156 0.183) as [E2 B2];
      auto; try lia; try (simpl; lra); try (unfold u; lra).
    { eapply Rle_trans; [apply E3|]. apply Rmult_le_compat_r; [unfold u|]; lra. }
    split; [|lra]. eapply Rle_trans; [apply E2|]. apply Rmult_le_compat_r; [unfold u|]; lra.
Qed.

(** Horner's scheme together with its derivative. *)
Fixpoint horner_slope (t : R) (cs : list R) (s d : R) : R :=
  match cs with [] => d | c :: cs' => horner_slope t cs' (s * t + c) (d * t + s) end.

Lemma horner_derive : forall cs (f : R -> R) d t, is_derive f t d ->
  is_derive (fun x => horner_exact x cs (f x)) t (horner_slope t cs (f t) d).
Proof.
  induction cs as [|c cs IH]; intros f d t Hf; [exact Hf|].
  simpl. apply (IH (fun x => f x * x + c)).
  evar_last.
  - apply (is_derive_plus (fun x => f x * x) (fun _ => c)); [|apply is_derive_const].
    apply (is_derive_mult f (fun x => x)); [exact Hf | apply is_derive_id | exact Rmult_comm].
  - simpl. unfold plus, mult, one, zero. simpl. unfold mult, one. simpl. ring.
Qed.

Ltac compute_horner :=
  cbv [horner_exact horner_slope fold_left rev app INVERSE_FACTORIALS LOG_COEFFICIENTS].

(** The method error: Taylor's polynomial with the double coefficients, by the derivative. *)
Lemma polynomial_error : forall r, Rabs r <= 0.34661 ->
  Rabs (expm1_polynomial r - (exp r - 1)) <= u / 12 * Rabs r.
Proof.
  intros r Hr.
  pose (h := fun t => expm1_polynomial t - (exp t - 1)).
  assert (H0 : h 0 = 0).
  { unfold h, expm1_polynomial. rewrite exp_0. ring. }
  replace (expm1_polynomial r - (exp r - 1)) with (h r - h 0) by (unfold h at 1; rewrite H0; ring).
  replace (Rabs r) with (Rabs (r - 0)) by (f_equal; ring).
  apply bounded_variation with (dh := fun t =>
    1 + (2 * t * horner_exact t (rev INVERSE_FACTORIALS) 0
      + t * t * horner_slope t (rev INVERSE_FACTORIALS) 0 0) - exp t).
  intros t Ht. rewrite 2!Rminus_0_r in Ht.
  assert (Ht' : Rabs t <= 0.34661) by lra. clear Ht H0 Hr.
  assert (D := horner_derive (rev INVERSE_FACTORIALS) (fun _ => 0) 0 t (is_derive_const 0 t)).
  cbv beta in D.
  assert (Dh : is_derive h t (1 + (2 * t * horner_exact t (rev INVERSE_FACTORIALS) 0
    + t * t * horner_slope t (rev INVERSE_FACTORIALS) 0 0) - exp t)).
  { unfold h, expm1_polynomial.
    set (d := horner_slope _ _ _ _) in *. clearbody d.
    pose (g := fun x => horner_exact x (rev INVERSE_FACTORIALS) 0).
    change (is_derive g t d) in D.
    change (is_derive (fun x => x + x * x * g x - (exp x - 1)) t
      (1 + (2 * t * g t + t * t * d) - exp t)).
    clearbody g. auto_derive; [repeat split; now eexists; apply D|].
    replace (Derive (fun x => g x) t) with d by (symmetry; now apply is_derive_unique). ring. }
  split; [exact Dh|].
  unfold u. clear - Ht'. compute_horner.
  interval with (Tactic.i_prec 75%positive, Tactic.i_taylor t, Tactic.i_degree 14%nat).
Qed.

Lemma rnd_small : forall x, Rabs x < pow2 (-1080) -> rnd x = 0.
Proof.
  intros x Hx. destruct (Req_dec x 0) as [-> | Nx]; [apply round_0; typeclasses eauto|].
  apply (round_N_small radix2 fexp _ x (mag radix2 x)).
  - split; [now apply bpow_mag_le | apply bpow_mag_gt].
  - pose proof (mag_le_bpow radix2 x (-1080) Nx Hx). unfold FLT_exp. lia.
Qed.

Lemma rnd_plus : forall x y, format x -> format y ->
  Rabs (rnd (x + y) - (x + y)) <= u * Rabs (x + y).
Proof.
  intros x y Fx Fy.
  destruct (FLT_plus_error_N_ex radix2 (-1074) 53 (fun n => negb (Z.even n)) x y Fx Fy)
    as (d & Hd & ->).
  replace ((x + y) * (1 + d) - (x + y)) with (d * (x + y)) by ring. rewrite Rabs_mult.
  apply Rmult_le_compat_r; [apply Rabs_pos|]. eapply Rle_trans; [apply Hd|].
  eapply Rle_trans; [apply u_rod1pu_ro_le_u_ro|]. unfold u_ro, u. simpl. lra.
Qed.

Lemma mul_error : forall a A ea MA b B eb MB,
  Rabs (a - A) <= ea -> Rabs A <= MA -> Rabs (b - B) <= eb -> Rabs B <= MB ->
  Rabs (a * b - A * B) <= ea * MB + MA * eb + ea * eb.
Proof.
  intros a A ea MA b B eb MB Ha HA Hb HB.
  replace (a * b - A * B) with ((a - A) * B + A * (b - B) + (a - A) * (b - B)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat.
  - eapply Rle_trans; [apply Rabs_triang|]. rewrite 2!Rabs_mult.
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos.
  - rewrite Rabs_mult. apply Rmult_le_compat; auto using Rabs_pos.
Qed.

Lemma abs_le_add : forall a A e M, Rabs (a - A) <= e -> Rabs A <= M -> Rabs a <= M + e.
Proof. intros a A e M H1 H2. linear_abs; lra. Qed.

Lemma tiny_relative : forall r, pow2 (-600) <= Rabs r -> tiny <= / 2 ^ 300 * Rabs r.
Proof.
  intros r Hr. unfold tiny.
  replace (/ 2 ^ 300) with (pow2 (-300)).
  - eapply Rle_trans; [|apply Rmult_le_compat_l; [apply bpow_ge_0 | exact Hr]].
    rewrite <- bpow_plus. apply bpow_le. lia.
  - change (-300)%Z with (- (300))%Z. rewrite bpow_opp. f_equal.
    rewrite (bpow_powerRZ radix2 300). reflexivity.
Qed.

Lemma abs_sum4 : forall a b c d, Rabs (a + b + c + d) <= Rabs a + Rabs b + Rabs c + Rabs d.
Proof.
  intros a b c d. pose proof (Rabs_triang (a + b + c) d). pose proof (Rabs_triang (a + b) c).
  pose proof (Rabs_triang a b). lra.
Qed.

(** e^r - 1 vanishes like r. *)
Lemma expm1_lower : forall r, Rabs r <= 0.34661 -> Rabs r <= 1.35 * Rabs (exp r - 1).
Proof.
  intros r Hr. apply Rabs_le_inv in Hr. destruct (Rle_lt_dec 0 r) as [H | H].
  - pose proof (exp_ineq1_le r). rewrite 2!Rabs_pos_eq by lra. lra.
  - pose proof (exp_ineq1_le (- r)) as G. rewrite exp_Ropp in G.
    pose proof (exp_pos r) as P.
    assert (Q : exp r * (1 - r) <= 1).
    { replace 1 with (exp r * / exp r) at 2 by (field; lra). apply Rmult_le_compat_l; lra. }
    rewrite (Rabs_left r), Rabs_left1 by nra. nra.
Qed.

Definition expm1_sum (r : R) : R :=
  r + rnd (rnd (r * r) * horner r (rev INVERSE_FACTORIALS) 0).

Lemma expm1_sum_error : forall r, Rabs r <= 0.34661 ->
  Rabs (expm1_sum r - (exp r - 1)) <= 0.692 * u * Rabs r.
Proof.
  intros r Hr. pose proof (polynomial_error r Hr) as M.
  destruct (horner_error r Hr) as [Es BS]. unfold expm1_sum. unfold expm1_polynomial in M.
  set (s := horner _ _ _) in *. set (S := horner_exact _ _ _) in *. clearbody s S.
  assert (W : 0 <= r * r <= 0.34661 * Rabs r).
  { rewrite <- (Rabs_pos_eq (r * r)) by nra. rewrite Rabs_mult. pose proof (Rabs_pos r). nra. }
  cut (Rabs (rnd (rnd (r * r) * s) - r * r * S) <= 1.755 * u * (r * r) + u / 2 ^ 20 * Rabs r).
  { intros H. replace (r + rnd (rnd (r * r) * s) - (exp r - 1)) with
      ((rnd (rnd (r * r) * s) - r * r * S) + (r + r * r * S - (exp r - 1))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. nra. }
  destruct (Rle_lt_dec (pow2 (-600)) (Rabs r)) as [L | L].
  - pose proof (tiny_relative r L) as T.
    pose proof (rnd_rel (r * r)) as E1. rewrite (Rabs_pos_eq (r * r)) in E1 by lra.
    pose proof (mul_error _ _ _ (r * r) _ _ _ _ E1 ltac:(rewrite Rabs_pos_eq; lra) Es BS) as E2.
    assert (B2 : Rabs (r * r * S) <= r * r * 0.565).
    { rewrite Rabs_mult, (Rabs_pos_eq (r * r)) by lra. apply Rmult_le_compat_l; lra. }
    pose proof (abs_le_add _ _ _ _ E2 B2) as B3.
    pose proof (rnd_rel (rnd (r * r) * s)) as E3.
    pose proof tiny_bound as TB.
    set (w := r * r) in *. clearbody w. set (t := Rabs r) in *. clearbody t.
    set (a := rnd (w * s)) in *. set (q := rnd (rnd w * s)) in *. clearbody q a.
    set (p := rnd w * s) in *. clearbody p. set (wS := w * S) in *. clearbody wS.
    replace (q - wS) with ((q - p) + (p - wS)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
  - rewrite (rnd_small (r * r)).
    + rewrite Rmult_0_l, round_0 by typeclasses eauto.
      replace (0 - r * r * S) with (- (r * r * S)) by ring.
      rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq (r * r)) by lra.
      assert (L2 : r * r <= u / 2 ^ 20 * Rabs r).
      { rewrite <- (Rabs_pos_eq (r * r)) by lra. rewrite Rabs_mult.
        apply Rmult_le_compat_r; [apply Rabs_pos|]. eapply Rle_trans; [apply Rlt_le, L|].
        apply Rle_trans with (pow2 (-73)); [apply bpow_le; lia|]. unfold u. simpl. lra. }
      unfold u in *. nra.
    + rewrite Rabs_mult. apply Rle_lt_trans with (pow2 (-600) * pow2 (-600)).
      * apply Rmult_le_compat; auto using Rabs_pos with real.
      * rewrite <- bpow_plus. apply bpow_lt. lia.
Qed.

Theorem expm1_reduced_error : forall r, format r -> Rabs r <= EXPM1_SMALL ->
  Rabs (expm1_reduced r - (exp r - 1)) <= 2 * u * Rabs (exp r - 1).
Proof.
  intros r F Hr. assert (Hr' : Rabs r <= 0.34661) by (unfold EXPM1_SMALL in Hr; lra).
  pose proof (expm1_sum_error r Hr') as E. pose proof (expm1_lower r Hr') as L.
  pose proof (rnd_plus r _ F (format_rnd (rnd (r * r) * horner r (rev INVERSE_FACTORIALS) 0))) as P.
  fold (expm1_reduced r) in P. fold (expm1_sum r) in P.
  set (y := exp r - 1) in *. set (q := expm1_sum r) in *. set (p := expm1_reduced r) in *.
  pose proof (abs_le_add q y _ _ E (Rle_refl _)) as B.
  replace (p - y) with ((p - q) + (q - y)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  clearbody y q p. pose proof (Rabs_pos y). unfold u in *. lra.
Qed.

(** ** exp: the reduction x = k ln 2 + r *)

Definition exp_k (x : R) : Z := Zfloor (rnd (x * LOG2_E) + / 2).
Definition exp_r (x : R) : R :=
  let k := IZR (exp_k x) in rnd (rnd (x - rnd (k * LN2_HIGH)) - rnd (k * LN2_LOW)).
Definition exp_mantissa (x : R) : R := rnd (1 + expm1_reduced (exp_r x)).

Definition exp_range (x : R) : Prop := EXP_MIN <= x <= EXP_MAX.

Lemma exp_k_bounds : forall x, exp_range x ->
  (-1075 <= exp_k x <= 1024)%Z /\ Rabs (x - IZR (exp_k x) * ln 2) <= 0.34658.
Proof.
  intros x [H1 H2]. unfold exp_k.
  pose proof (rnd_rel (x * LOG2_E)) as E. set (v := rnd _) in *. clearbody v.
  pose proof tiny_bound as T.
  assert (X : Rabs x <= 745.14) by (apply Rabs_le; unfold EXP_MIN, EXP_MAX in *; lra).
  assert (XL : Rabs (x * LOG2_E) <= 1076).
  { rewrite Rabs_mult. rewrite (Rabs_pos_eq LOG2_E) by (unfold LOG2_E; lra).
    unfold LOG2_E. lra. }
  assert (E' : Rabs (v - x * LOG2_E) <= / 2 ^ 42) by (unfold u in *; lra).
  pose proof (Zfloor_lb (v + / 2)) as K1. pose proof (Zfloor_ub (v + / 2)) as K2.
  set (k := Zfloor _) in *. clearbody k. clear E XL T.
  apply Rabs_le_inv in E', X.
  split.
  - split.
    + apply Zlt_succ_le, lt_IZR. unfold Z.succ. rewrite plus_IZR.
      unfold EXP_MIN, LOG2_E in *. lra.
    + apply Zlt_succ_le, lt_IZR. unfold Z.succ. rewrite plus_IZR.
      unfold EXP_MAX, LOG2_E in *. lra.
  - assert (L : Rabs (1 - LOG2_E * ln 2) <= / 2 ^ 51) by (unfold LOG2_E; bound).
    assert (L2 : 0.6931 <= ln 2 <= 0.693147181) by (split; bound).
    replace (x - IZR k * ln 2) with (x * (1 - LOG2_E * ln 2) + ln 2 * (x * LOG2_E - IZR k)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite 2!Rabs_mult.
    apply Rle_trans with (745.14 * / 2 ^ 51 + 0.693147181 * (/ 2 + / 2 ^ 42)); [|lra].
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos.
    + apply Rabs_le; lra.
    + rewrite Rabs_pos_eq; lra.
    + apply Rabs_le; lra.
Qed.

Lemma ln2_high_grid : LN2_HIGH = IZR LN2_HIGH_mantissa * pow2 LN2_HIGH_exponent.
Proof. unfold LN2_HIGH, LN2_HIGH_mantissa, LN2_HIGH_exponent. simpl. lra. Qed.

Lemma product_high_exact : forall k, (-1100 <= k <= 1100)%Z ->
  rnd (IZR k * LN2_HIGH) = IZR k * LN2_HIGH.
Proof.
  intros k Hk. apply rnd_format. rewrite ln2_high_grid, <- Rmult_assoc, <- mult_IZR.
  apply grid_format; [unfold LN2_HIGH_exponent; lia|].
  rewrite mult_IZR, Rmult_assoc, <- ln2_high_grid, Rabs_mult.
  apply Rle_lt_trans with (1100 * 1).
  - apply Rmult_le_compat; auto using Rabs_pos.
    + rewrite <- abs_IZR. apply IZR_le. lia.
    + unfold LN2_HIGH. apply Rabs_le; lra.
  - unfold LN2_HIGH_exponent. simpl. lra.
Qed.

Lemma exp_r_error : forall x, format x -> exp_range x ->
  Rabs (exp_r x - (x - IZR (exp_k x) * ln 2)) <= 0.2501 * u.
Proof.
  intros x F Hx. destruct (exp_k_bounds x Hx) as [K B]. unfold exp_r. cbv zeta.
  set (k := exp_k x) in *. clearbody k.
  rewrite product_high_exact by lia.
  assert (L2 : Rabs (LN2_HIGH + LN2_LOW - ln 2) <= / 2 ^ 85)
    by (unfold LN2_HIGH, LN2_LOW; bound).
  assert (KR : Rabs (IZR k) <= 1075) by (rewrite <- abs_IZR; apply IZR_le; lia).
  assert (LOW : Rabs (IZR k * LN2_LOW) <= / 2 ^ 22).
  { rewrite Rabs_mult. apply Rle_trans with (1075 * Rabs LN2_LOW).
    - apply Rmult_le_compat_r; [apply Rabs_pos | exact KR].
    - unfold LN2_LOW. bound. }
  assert (D : Rabs (IZR k * (LN2_HIGH + LN2_LOW - ln 2)) <= 1075 * / 2 ^ 85).
  { rewrite Rabs_mult. apply Rmult_le_compat; auto using Rabs_pos. }
  rewrite (rnd_format (x - IZR k * LN2_HIGH)).
  - pose proof (rnd_rel (IZR k * LN2_LOW)) as E1. pose proof tiny_bound as T.
    set (b := rnd (IZR k * LN2_LOW)) in *. clearbody b.
    assert (E1' : Rabs (b - IZR k * LN2_LOW) <= / 2 ^ 74) by (unfold u in *; lra). clear E1.
    assert (A : Rabs (x - IZR k * LN2_HIGH - b) <= / 2).
    { revert D LOW. replace (IZR k * (LN2_HIGH + LN2_LOW - ln 2)) with
        (IZR k * LN2_HIGH + IZR k * LN2_LOW - IZR k * ln 2) by ring.
      intros. unfold u in *. linear_abs; lra. }
    assert (E2 := rnd_binade (-1) (/ 2) _ eq_refl ltac:(lia) A).
    revert D LOW. replace (IZR k * (LN2_HIGH + LN2_LOW - ln 2)) with
      (IZR k * LN2_HIGH + IZR k * LN2_LOW - IZR k * ln 2) by ring.
    intros. unfold u in *. linear_abs; lra.
  - destruct (Z.eq_dec k 0) as [-> | Nk]; [rewrite Rmult_0_l, Rminus_0_r; exact F|].
    assert (X : pow2 (-2) <= Rabs x).
    { assert (L : 0.6931 <= ln 2 <= 0.6932) by (split; bound).
      simpl. apply Rabs_le_inv in B. destruct (Z_lt_le_dec k 0) as [N | P].
      - assert (IZR k <= -1) by (apply (IZR_le k (-1)); lia).
        rewrite Rabs_left1; nra.
      - assert (1 <= IZR k) by (apply (IZR_le 1 k); lia).
        rewrite Rabs_pos_eq; nra. }
    destruct (on_grid (-2) x F X) as [m Hm]. change (-2 - 52)%Z with (-54)%Z in Hm.
    assert (G : x - IZR k * LN2_HIGH
      = IZR (m - k * LN2_HIGH_mantissa * 2 ^ (54 + LN2_HIGH_exponent)) * pow2 (-54)).
    { rewrite Hm at 1. rewrite ln2_high_grid, minus_IZR, 2!mult_IZR.
      change 2%Z with (radix_val radix2). rewrite IZR_Zpower by (unfold LN2_HIGH_exponent; lia).
      rewrite Rmult_minus_distr_r. f_equal. rewrite !Rmult_assoc, <- bpow_plus.
      reflexivity. }
    rewrite G. apply grid_format; [lia|]. rewrite <- G.
    apply Rle_lt_trans with (0.34658 + / 2 ^ 21); [|simpl; lra].
    revert D LOW. replace (IZR k * (LN2_HIGH + LN2_LOW - ln 2)) with
      (IZR k * LN2_HIGH + IZR k * LN2_LOW - IZR k * ln 2) by ring.
    intros. linear_abs; lra.
Qed.

Lemma exp_near_0 : forall d, Rabs d <= / 2 ^ 50 -> Rabs (exp d - 1) <= 1.001 * Rabs d.
Proof.
  intros d Hd. apply Rabs_le_inv in Hd. pose proof (exp_ineq1_le d) as L.
  pose proof (exp_ineq1_le (- d)) as G. rewrite exp_Ropp in G. pose proof (exp_pos d) as P.
  assert (Q : exp d * (1 - d) <= 1).
  { replace 1 with (exp d * / exp d) at 2 by (field; lra). apply Rmult_le_compat_l; lra. }
  assert (U : exp d <= 1.001) by nra.
  unfold Rabs at 2. destruct (Rcase_abs d); apply Rabs_le; split; nra.
Qed.

Lemma exp_split : forall x k, exp x = exp (x - IZR k * ln 2) * pow2 k.
Proof.
  intros x k. change (ln 2) with (ln (IZR radix2)). rewrite bpow_exp, <- exp_plus. f_equal. ring.
Qed.

(** The value before scaling; [exp (x - k ln 2)] is e^x / 2^k. *)
Theorem exp_mantissa_error : forall x, format x -> exp_range x ->
  Rabs (exp_mantissa x - exp (x - IZR (exp_k x) * ln 2))
    <= 2 * u * exp (x - IZR (exp_k x) * ln 2).
Proof.
  intros x F Hx. destruct (exp_k_bounds x Hx) as [_ B]. pose proof (exp_r_error x F Hx) as E.
  assert (Fr : format (exp_r x)) by apply format_rnd.
  unfold exp_mantissa. set (rho := x - _) in *. set (r := exp_r x) in *. clearbody r rho.
  assert (Hr : Rabs r <= 0.3466).
  { apply Rle_trans with (0.34658 + 0.2501 * u); [|unfold u; lra].
    exact (abs_le_add _ _ _ _ E B). }
  assert (Hr' : Rabs r <= 0.34661) by lra.
  assert (C : Rabs (exp r - exp rho) <= 0.2504 * u * exp rho).
  { replace (exp r - exp rho) with ((exp (r - rho) - 1) * exp rho)
      by (unfold Rminus at 1; rewrite Rmult_plus_distr_r, <- exp_plus;
          replace (r - rho + rho) with r by ring; ring).
    rewrite Rabs_mult, (Rabs_pos_eq (exp rho)) by apply Rlt_le, exp_pos.
    apply Rmult_le_compat_r; [apply Rlt_le, exp_pos|].
    eapply Rle_trans; [apply exp_near_0|]; unfold u in *; lra. }
  pose proof (expm1_sum_error r Hr') as S.
  assert (R1 : 0.707 <= exp r <= 1.4145) by (split; bound).
  assert (R2 : 0.7069 <= exp rho <= 1.4145) by (split; bound).
  assert (A : Rabs (expm1_sum r) <= / 2).
  { apply Rle_trans with (0.4145 + 0.692 * u * Rabs r); [|unfold u; lra].
    apply (abs_le_add _ _ _ _ S). apply Rabs_le; lra. }
  assert (P := rnd_binade (-1) (/ 2) _ eq_refl ltac:(lia) A).
  change (rnd (expm1_sum r)) with (expm1_reduced r) in P.
  assert (S' : Rabs (expm1_sum r - (exp r - 1)) <= 0.24 * u) by (unfold u in *; lra).
  set (p := expm1_reduced r) in *. set (q := expm1_sum r) in *. clearbody p q.
  assert (P2 : Rabs (p - (exp r - 1)) <= 0.49 * u) by (linear_abs; lra).
  clear S S' P A q E B Hr Hr'.
  destruct (Rle_lt_dec (1 + p) 1) as [L | L].
  - assert (A : Rabs (1 + p) <= 1) by (apply Rabs_le_inv in P2; apply Rabs_le; unfold u in *; lra).
    assert (Y := rnd_binade 0 1 _ eq_refl ltac:(lia) A).
    unfold u in *. linear_abs; lra.
  - assert (A : Rabs (1 + p) <= 2) by (apply Rabs_le_inv in P2; apply Rabs_le; unfold u in *; lra).
    assert (Y := rnd_binade 1 2 _ eq_refl ltac:(lia) A).
    unfold u in *. linear_abs; lra.
Qed.

(** ** exp: the scaling by 2^k *)

Definition scale (y : R) (k : Z) : R :=
  if (1023 <? k)%Z then rnd (rnd (y * pow2 1023) * pow2 (k - 1023))
  else if (-1022 <=? k)%Z then rnd (y * pow2 k)
  else rnd (rnd (y * pow2 (k + 1022)) * pow2 (-1022)).

Lemma scale_exact : forall y k, format y -> / 2 <= Rabs y -> (-1021 <= k)%Z ->
  rnd (y * pow2 k) = y * pow2 k.
Proof.
  intros y k F Hy Hk. apply rnd_format. apply mult_bpow_exact_FLT; [exact F|].
  pose proof (mag_ge_bpow radix2 y 0 Hy). lia.
Qed.

Lemma scale_once : forall y k, format y -> / 2 <= Rabs y -> (-1075 <= k <= 1100)%Z ->
  scale y k = rnd (y * pow2 k).
Proof.
  intros y k F Hy Hk. unfold scale.
  destruct (Z.ltb_spec 1023 k); [|destruct (Z.leb_spec (-1022) k); [easy|]].
  - rewrite (scale_exact y 1023) by (easy || lia). f_equal.
    rewrite Rmult_assoc, <- bpow_plus. do 2 f_equal. ring.
  - rewrite (scale_exact y (k + 1022)) by (easy || lia). f_equal.
    rewrite Rmult_assoc, <- bpow_plus. do 2 f_equal. ring.
Qed.

Definition exp_float (x : R) : R := scale (exp_mantissa x) (exp_k x).

Lemma exp_float_parts : forall x, format x -> exp_range x ->
  exists y k, exp_float x = rnd (y * pow2 k) /\ format y /\ 0.7 <= y <= 1.42 /\
    (-1075 <= k <= 1024)%Z /\ 0.7 * pow2 k <= exp x <= 1.42 * pow2 k /\
    Rabs (y * pow2 k - exp x) <= 2 * u * exp x.
Proof.
  intros x F Hx. destruct (exp_k_bounds x Hx) as [K B]. pose proof (exp_mantissa_error x F Hx) as E.
  exists (exp_mantissa x), (exp_k x).
  assert (R : 0.7069 <= exp (x - IZR (exp_k x) * ln 2) <= 1.4145).
  { set (rho := x - _) in *. clearbody rho. split; bound. }
  assert (Y : 0.7 <= exp_mantissa x <= 1.42).
  { apply Rabs_le_inv in E. unfold u in *. lra. }
  pose proof (bpow_gt_0 radix2 (exp_k x)) as P.
  repeat apply conj; try lia; try lra.
  - unfold exp_float. apply scale_once; [apply format_rnd | rewrite Rabs_pos_eq; lra | lia].
  - apply format_rnd.
  - rewrite (exp_split x (exp_k x)). nra.
  - rewrite (exp_split x (exp_k x)). nra.
  - rewrite (exp_split x (exp_k x)). rewrite <- Rmult_minus_distr_r, Rabs_mult.
    rewrite (Rabs_pos_eq (pow2 _)), <- Rmult_assoc by lra. apply Rmult_le_compat_r; lra.
Qed.

Theorem exp_uniform_error : forall x, format x -> exp_range x ->
  Rabs (exp_float x - exp x) <= 2 * u * exp x + pow2 (-1075).
Proof.
  intros x F Hx. destruct (exp_float_parts x F Hx) as (y & k & -> & Fy & Y & K & X & E).
  pose proof (bpow_gt_0 radix2 (-1075)) as P.
  destruct (Z_le_gt_dec (-1021) k) as [L | G].
  - rewrite scale_exact by (auto; rewrite Rabs_pos_eq; lra). lra.
  - assert (Q : (k <= -1022)%Z) by lia. apply (bpow_le radix2) in Q.
    assert (W : pow2 (-1021) = 2 * pow2 (-1022))
      by (change (-1021)%Z with (1 + -1022)%Z; apply bpow_plus).
    assert (A : Rabs (y * pow2 k) <= pow2 (-1021)).
    { pose proof (bpow_gt_0 radix2 k). rewrite Rabs_pos_eq; nra. }
    assert (D := rnd_binade (-1021) _ _ eq_refl ltac:(lia) A).
    replace (pow2 (-1021) / 2 * u) with (pow2 (-1075)) in D.
    + replace (rnd (y * pow2 k) - exp x) with
        ((rnd (y * pow2 k) - y * pow2 k) + (y * pow2 k - exp x)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. lra.
    + change (-1075)%Z with (-1022 + -53)%Z. rewrite bpow_plus, W. unfold u. simpl (pow2 (-53)).
      change (Z.pow_pos 2 53) with 9007199254740992%Z. lra.
Qed.

Theorem exp_error : forall x, format x -> exp_range x -> pow2 (-1022) <= exp x ->
  Rabs (exp_float x - exp x) <= 3 * u * exp x.
Proof.
  intros x F Hx N. eapply Rle_trans; [apply exp_uniform_error; assumption|].
  change (-1075)%Z with (-1022 + -53)%Z. rewrite bpow_plus.
  unfold u. simpl (pow2 (-53)). change (Z.pow_pos 2 53) with 9007199254740992%Z. lra.
Qed.

Theorem exp_subnormal_error : forall x, format x -> exp_range x -> exp x < pow2 (-1022) ->
  Rabs (exp_float x - exp x) <= 3 / 2 * pow2 (-1074).
Proof.
  intros x F Hx N. eapply Rle_trans; [apply exp_uniform_error; assumption|].
  change (-1074)%Z with (-1022 + -52)%Z. change (-1075)%Z with (-1022 + -53)%Z.
  rewrite 2!bpow_plus. unfold u. simpl (pow2 (-53)). simpl (pow2 (-52)).
  change (Z.pow_pos 2 53) with 9007199254740992%Z.
  change (Z.pow_pos 2 52) with 4503599627370496%Z. lra.
Qed.

(** Outside the range the program returns 0 and infinity. *)
Theorem exp_below : forall x, x < EXP_MIN -> exp x < pow2 (-1075).
Proof.
  intros x H. rewrite bpow_exp. apply exp_increasing. simpl (IZR radix2).
  apply Rlt_trans with (1 := H). unfold EXP_MIN. bound.
Qed.

(** EXP_MAX is the last binary64 number below 1024 ln 2, and 1024 ln 2 not as near as roundings reach. *)
Theorem exp_above : forall x, format x -> EXP_MAX < x -> pow2 1024 < exp x.
Proof.
  intros x F H. rewrite bpow_exp. apply exp_increasing. simpl (IZR radix2).
  assert (X : pow2 9 <= Rabs x).
  { rewrite Rabs_pos_eq; unfold EXP_MAX in H; simpl; lra. }
  destruct (on_grid 9 x F X) as [m ->]. change (9 - 52)%Z with (-43)%Z in *.
  assert (G : EXP_MAX = IZR EXP_MAX_mantissa * pow2 (-43)).
  { unfold EXP_MAX, EXP_MAX_mantissa. simpl. lra. }
  rewrite G in H. apply Rmult_lt_reg_r in H; [|apply bpow_gt_0]. apply lt_IZR in H.
  apply Rlt_le_trans with (IZR (EXP_MAX_mantissa + 1) * pow2 (-43)).
  - unfold EXP_MAX_mantissa. simpl. bound.
  - apply Rmult_le_compat_r; [apply bpow_ge_0|]. apply IZR_le. lia.
Qed.

Theorem exp_finite : forall x, format x -> exp_range x -> exp_float x < pow2 1024.
Proof.
  intros x F Hx. pose proof (exp_uniform_error x F Hx) as E. destruct Hx as [_ H].
  assert (B : exp x <= (1 - / 2 ^ 46) * pow2 1024).
  { apply Rle_trans with (exp EXP_MAX).
    - destruct H as [H | ->]; [left; now apply exp_increasing | apply Rle_refl].
    - rewrite (exp_split EXP_MAX 1024). apply Rmult_le_compat_r; [apply bpow_ge_0|].
      unfold EXP_MAX. bound. }
  assert (T : pow2 (-1075) <= / 2 ^ 60 * pow2 1024).
  { apply Rle_trans with (pow2 0); [apply bpow_le; lia|].
    apply Rle_trans with (/ 2 ^ 60 * pow2 60); [simpl; lra|].
    apply Rmult_le_compat_l; [lra | apply bpow_le; lia]. }
  pose proof (bpow_gt_0 radix2 1024) as P. pose proof (exp_pos x) as Q.
  set (big := pow2 1024) in *. clearbody big. set (t := pow2 (-1075)) in *. clearbody t.
  apply Rabs_le_inv in E. unfold u in *. nra.
Qed.

(** ** log: the logarithm of the fraction *)

Definition log_s (f : R) : R := rnd (rnd (f - 1) / rnd (f + 1)).
Definition log_series (z : R) : R :=
  fold_left (fun sum c => rnd (rnd (sum + c) * z)) LOG_COEFFICIENTS 0.
Definition log_sum (f : R) : R :=
  let s := log_s f in rnd (2 * s) + rnd (rnd (2 * s) * log_series (rnd (s * s))).
Definition log_fraction (f : R) : R := rnd (log_sum f).

(** The series (... (c1 Z + c2) Z + ...) without rounding, and its slope in t where Z = t^2. *)
Fixpoint log_exact (Z : R) (cs : list R) (start : R) : R :=
  match cs with [] => start | c :: cs' => log_exact Z cs' ((start + c) * Z) end.
Fixpoint log_slope (t : R) (cs : list R) (s d : R) : R :=
  match cs with
  | [] => d
  | c :: cs' => log_slope t cs' ((s + c) * (t * t)) (d * (t * t) + (s + c) * (2 * t))
  end.

Lemma log_derive : forall cs (f : R -> R) d t, is_derive f t d ->
  is_derive (fun x => log_exact (x * x) cs (f x)) t (log_slope t cs (f t) d).
Proof.
  induction cs as [|c cs IH]; intros f d t Hf; [exact Hf|].
  simpl. apply (IH (fun x => (f x + c) * (x * x))).
  auto_derive; [now eexists; apply Hf|].
  replace (Derive (fun x => f x) t) with d by (symmetry; now apply is_derive_unique). ring.
Qed.

(** The method error, by the derivative. *)
Lemma log_method_error : forall t, Rabs t <= 0.1716 ->
  Rabs (2 * t * (1 + log_exact (t * t) LOG_COEFFICIENTS 0) - (ln (1 + t) - ln (1 - t)))
    <= u / 12 * Rabs t.
Proof.
  intros t Ht.
  pose (g := fun x => log_exact (x * x) LOG_COEFFICIENTS 0).
  pose (h := fun x => 2 * x * (1 + g x) - (ln (1 + x) - ln (1 - x))).
  assert (H0 : h 0 = 0) by (unfold h; rewrite Rplus_0_r, Rminus_0_r, ln_1; ring).
  fold (g t). replace (2 * t * (1 + g t) - (ln (1 + t) - ln (1 - t))) with (h t - h 0)
    by (rewrite H0; unfold h; ring).
  replace (Rabs t) with (Rabs (t - 0)) by (f_equal; ring).
  apply bounded_variation with (dh := fun x =>
    2 * (1 + g x) + 2 * x * log_slope x LOG_COEFFICIENTS 0 0 - 2 / (1 - x * x)).
  intros x Hx. rewrite 2!Rminus_0_r in Hx.
  assert (Hx' : Rabs x <= 0.1716) by lra. clear Hx H0 Ht t. rename x into t.
  assert (D := log_derive LOG_COEFFICIENTS (fun _ => 0) 0 t (is_derive_const 0 t)).
  cbv beta in D. change (is_derive g t (log_slope t LOG_COEFFICIENTS 0 0)) in D.
  split.
  - unfold h. set (d := log_slope _ _ _ _) in *. clearbody d g. apply Rabs_le_inv in Hx'.
    auto_derive; [repeat split; (now eexists; apply D) || lra|].
    replace (Derive (fun x => g x) t) with d by (symmetry; now apply is_derive_unique).
    field. split; [nra | split; lra].
  - unfold g, u. clear - Hx'. cbv [log_exact log_slope LOG_COEFFICIENTS].
    interval with (Tactic.i_prec 75%positive, Tactic.i_taylor t, Tactic.i_degree 28%nat).
Qed.

Lemma log_step : forall j1 b1 j2 b2 z Z a A c ea B C,
  0 <= Z <= 0.02945 -> Rabs (z - Z) <= 0.15 * u -> Rabs (a - A) <= ea * u -> 0 <= ea <= 1 ->
  Rabs A <= B -> Rabs c <= C ->
  b1 = pow2 j1 -> (-1021 <= j1)%Z -> b2 = pow2 j2 -> (-1021 <= j2)%Z -> b1 <= 1 -> B + C <= 1 ->
  B + C + u <= b1 -> (B + C) * 0.02945 + u <= b2 ->
  Rabs (rnd (rnd (a + c) * z) - (A + c) * Z)
    <= ((ea + b1 / 2) * 0.02946 + (B + C) * 0.15 + b2 / 2) * u /\
  Rabs ((A + c) * Z) <= (B + C) * 0.02945.
Proof.
  intros j1 b1 j2 b2 z Z a A c ea B C HZ Hz Ha Hea HA Hc Hb1 Hj1 Hb2 Hj2 Hb1' HBC' H1 H2.
  assert (Hu : 0 < u < / 2 ^ 50) by (unfold u; split; bound).
  assert (P1 : 0 < b1) by (rewrite Hb1; apply bpow_gt_0).
  assert (HT : Rabs (A + c) <= B + C) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  assert (G1 : Rabs (a + c) <= b1).
  { replace (a + c) with ((a - A) + (A + c)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. nra. }
  pose proof (rnd_binade j1 b1 _ Hb1 Hj1 G1) as E1.
  assert (ET : Rabs (rnd (a + c) - (A + c)) <= (ea + b1 / 2) * u).
  { replace (rnd (a + c) - (A + c)) with ((rnd (a + c) - (a + c)) + (a - A)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra. }
  pose proof (mul_error _ _ _ _ _ _ _ 0.02945 ET HT Hz ltac:(rewrite Rabs_pos_eq; lra)) as E2.
  assert (P2 : 0 <= (B + C)) by (eapply Rle_trans; [apply Rabs_pos | exact HT]).
  assert (E2' : Rabs (rnd (a + c) * z - (A + c) * Z)
    <= ((ea + b1 / 2) * 0.02946 + (B + C) * 0.15) * u).
  { eapply Rle_trans; [apply E2|].
    assert (Hk : 0 <= (ea + b1 / 2) * u) by (apply Rmult_le_pos; lra).
    set (k := (ea + b1 / 2) * u) in *.
    assert (k * u <= k * / 2 ^ 50) by (apply Rmult_le_compat_l; lra).
    replace (((ea + b1 / 2) * 0.02946 + (B + C) * 0.15) * u)
      with (k * 0.02946 + (B + C) * (0.15 * u)) by (unfold k; ring).
    lra. }
  assert (BP : Rabs ((A + c) * Z) <= (B + C) * 0.02945).
  { rewrite Rabs_mult, (Rabs_pos_eq Z) by lra. apply Rmult_le_compat; auto using Rabs_pos; lra. }
  split; [|exact BP].
  assert (G2 : Rabs (rnd (a + c) * z) <= b2).
  { eapply Rle_trans; [apply (abs_le_add _ _ _ _ E2' BP)|]. nra. }
  pose proof (rnd_binade j2 b2 _ Hb2 Hj2 G2) as E3.
  replace (rnd (rnd (a + c) * z) - (A + c) * Z) with
    ((rnd (rnd (a + c) * z) - rnd (a + c) * z) + (rnd (a + c) * z - (A + c) * Z)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

Lemma log_tail : forall z Z cs a A,
  0 <= Z <= 0.02945 -> Rabs (z - Z) <= 0.15 * u -> List.Forall (fun c => Rabs c <= 0.21) cs ->
  Rabs (a - A) <= 0.05 * u -> Rabs A <= 0.0065 ->
  Rabs (fold_left (fun sum c => rnd (rnd (sum + c) * z)) cs a - log_exact Z cs A) <= 0.05 * u /\
  Rabs (log_exact Z cs A) <= 0.0065.
Proof.
  intros z Z cs. induction cs as [|c cs IH]; intros a A HZ Hz Hcs Ha HA; [now split|].
  inversion_clear Hcs as [|? ? Hc Hcs']. simpl.
  destruct (log_step (-2) (/ 4) (-7) (/ 128) z Z a A c 0.05 0.0065 0.21) as [E B];
    auto; try lia; try (simpl; lra); try (unfold u; lra).
  apply IH; auto; [|lra].
  eapply Rle_trans; [apply E|]. apply Rmult_le_compat_r; [unfold u|]; lra.
Qed.

Lemma log_series_error : forall z Z, 0 <= Z <= 0.02945 -> Rabs (z - Z) <= 0.15 * u ->
  Rabs (log_series z - log_exact Z LOG_COEFFICIENTS 0) <= 0.07 * u /\
  Rabs (log_exact Z LOG_COEFFICIENTS 0) <= 0.0101.
Proof.
  intros z Z HZ Hz. unfold log_series.
  set (c3 := nth 11 LOG_COEFFICIENTS 0). set (cs := firstn 11 LOG_COEFFICIENTS).
  assert (HC : LOG_COEFFICIENTS = cs ++ [c3]) by reflexivity. rewrite HC.
  assert (HX : forall l a, log_exact Z (l ++ [c3]) a = (log_exact Z l a + c3) * Z).
  { induction l as [|c l IH]; intros a; [reflexivity | apply IH]. }
  rewrite HX, fold_left_app. cbn [fold_left].
  destruct (log_tail z Z cs 0 0) as [E B]; auto.
  - unfold cs. cbv [firstn LOG_COEFFICIENTS]. repeat constructor; bound.
  - rewrite Rminus_0_r, Rabs_R0. unfold u. lra.
  - rewrite Rabs_R0. lra.
  - set (a := fold_left _ cs 0) in *. set (A := log_exact _ cs 0) in *. clearbody a A.
    assert (C3 : Rabs c3 <= 0.33334) by (unfold c3; cbv [nth LOG_COEFFICIENTS]; bound).
    clearbody c3. clear cs HC HX.
    destruct (log_step (-1) (/ 2) (-6) (/ 64) z Z a A c3 0.05 0.0065 0.33334) as [E3 B3];
      auto; try lia; try (simpl; lra); try (unfold u; lra).
    split; [|lra]. eapply Rle_trans; [apply E3|]. apply Rmult_le_compat_r; [unfold u|]; lra.
Qed.

Definition log_fraction_range (f : R) : Prop := SQRT_HALF <= f < 2 * SQRT_HALF.

Lemma fraction_grid : forall f, format f -> log_fraction_range f ->
  exists m, f - 1 = IZR m * pow2 (-53).
Proof.
  intros f F [H1 H2]. unfold SQRT_HALF in *.
  destruct (on_grid (-1) f F) as [m Hm]; [simpl; rewrite Rabs_pos_eq; lra|].
  exists (m - 2 ^ 53)%Z. rewrite Hm at 1. rewrite minus_IZR. simpl. lra.
Qed.

Lemma log_s_error : forall f, format f -> log_fraction_range f -> f <> 1 ->
  let sigma := (f - 1) / (f + 1) in
  Rabs sigma <= 0.1716 /\ pow2 (-56) <= Rabs sigma /\
  Rabs (log_s f - sigma) <= 2.001 * u * Rabs sigma.
Proof.
  intros f F Hf N sigma. destruct (fraction_grid f F Hf) as [m Hm].
  destruct Hf as [H1 H2]. unfold SQRT_HALF in *.
  assert (I : 0.414 <= / (f + 1) <= 0.586) by (split; bound).
  assert (L : pow2 (-56) <= Rabs sigma).
  { unfold sigma, Rdiv. rewrite Hm, 2!Rabs_mult, (Rabs_pos_eq (/ _)) by lra.
    rewrite (Rabs_pos_eq (pow2 _)) by apply bpow_ge_0.
    assert (M : 1 <= Rabs (IZR m)).
    { rewrite <- abs_IZR. apply (IZR_le 1). destruct (Z.eq_dec m 0) as [-> | Nm]; [|lia].
      rewrite Rmult_0_l in Hm. lra. }
    change (pow2 (-56)) with (pow2 (-53 + -3)). rewrite bpow_plus.
    pose proof (bpow_gt_0 radix2 (-53)) as P53. simpl (pow2 (-3)).
    apply Rle_trans with (1 * pow2 (-53) * 0.414); [lra|].
    apply Rmult_le_compat; try lra. apply Rmult_le_compat; lra. }
  split; [|split; [exact L|]].
  - unfold sigma. replace ((f - 1) / (f + 1)) with (1 - 2 / (f + 1)) by (field; lra).
    apply Rabs_le; split; bound.
  - unfold log_s. rewrite (rnd_format (f - 1)).
    + pose proof tiny_bound as TB.
      assert (T : tiny <= / 2 ^ 300 * Rabs sigma).
      { apply tiny_relative. eapply Rle_trans; [apply bpow_le | exact L]. lia. }
      pose proof (rnd_rel (f + 1)) as E1. rewrite (Rabs_pos_eq (f + 1)) in E1 by lra.
      assert (E1' : Rabs (rnd (f + 1) - (f + 1)) <= 1.0001 * u * (f + 1)) by (unfold u in *; lra).
      set (b := rnd (f + 1)) in *. clearbody b.
      assert (B : 1.7 <= b <= 2.5) by (apply Rabs_le_inv in E1'; unfold u in *; lra).
      assert (Q : Rabs ((f - 1) / b - sigma) <= 1.0003 * u * Rabs sigma).
      { replace ((f - 1) / b - sigma) with (sigma * (- (b - (f + 1)) / b))
          by (unfold sigma; field; lra).
        rewrite Rabs_mult, Rmult_comm. apply Rmult_le_compat_r; [apply Rabs_pos|].
        unfold Rdiv. rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq (/ b)).
        - apply Rmult_le_reg_r with b; [lra|].
          rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
          apply Rabs_le_inv in E1'. eapply Rle_trans; [apply Rabs_le, E1'|].
          unfold u in *. lra.
        - apply Rlt_le, Rinv_0_lt_compat. lra. }
      pose proof (rnd_rel ((f - 1) / b)) as E2.
      pose proof (abs_le_add _ _ _ _ Q (Rle_refl _)) as B2.
      set (q := (f - 1) / b) in *.
      replace (rnd q - sigma) with ((rnd q - q) + (q - sigma)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. clearbody q sigma.
      unfold u in *. lra.
    + rewrite Hm. apply grid_format; [lia|]. rewrite <- Hm. simpl. apply Rabs_lt. lra.
Qed.

Theorem log_fraction_error : forall f, format f -> log_fraction_range f ->
  Rabs (log_fraction f - ln f) <= 3.2 * u * Rabs (ln f).
Proof.
  intros f F Hf. destruct (Req_dec f 1) as [-> | N].
  - assert (Z : log_fraction 1 = 0).
    { assert (S0 : log_s 1 = 0).
      { unfold log_s. rewrite Rminus_diag_eq by reflexivity.
        rewrite round_0 by typeclasses eauto. unfold Rdiv. rewrite Rmult_0_l.
        apply round_0; typeclasses eauto. }
      unfold log_fraction, log_sum. cbv zeta. rewrite S0, Rmult_0_r, round_0 by typeclasses eauto.
      rewrite Rmult_0_l, round_0, Rplus_0_r, round_0 by typeclasses eauto. reflexivity. }
    rewrite Z, ln_1, Rminus_0_r, Rabs_R0. lra.
  - destruct (log_s_error f F Hf N) as (S1 & S2 & S3).
    destruct Hf as [H1 H2]. unfold SQRT_HALF in H1, H2.
    set (t := (f - 1) / (f + 1)) in *.
    assert (LN : ln f = ln (1 + t) - ln (1 - t)).
    { apply Rabs_le_inv in S1. rewrite <- ln_div by lra. f_equal. unfold t. field.
      split; lra. }
    pose proof (log_method_error t S1) as M. rewrite <- LN in M.
    assert (T : tiny <= / 2 ^ 300 * Rabs t).
    { apply tiny_relative. eapply Rle_trans; [apply bpow_le | exact S2]. lia. }
    pose proof tiny_bound as TB.
    assert (P : 0 < Rabs t) by (pose proof (bpow_gt_0 radix2 (-56)); lra).
    assert (W : 0 <= t * t <= 0.02945) by (apply Rabs_le_inv in S1; nra).
    unfold log_fraction, log_sum. cbv zeta.
    assert (Fs : format (log_s f)) by apply format_rnd.
    set (s := log_s f) in *. clearbody s t.
    assert (HZ : Rabs (rnd (s * s) - t * t) <= 0.15 * u).
    { pose proof (mul_error s t _ _ s t _ _ S3 (Rle_refl _) S3 (Rle_refl _)) as E.
      pose proof (rnd_rel (s * s)) as E2.
      assert (TT : Rabs t * Rabs t = t * t) by (rewrite <- Rabs_mult; apply Rabs_pos_eq; lra).
      assert (E' : Rabs (s * s - t * t) <= 4.003 * u * (t * t)).
      { eapply Rle_trans; [apply E|]. unfold u. rewrite <- TT. nra. }
      assert (B : Rabs (s * s) <= t * t + 4.003 * u * (t * t)).
      { apply (abs_le_add _ _ _ _ E'). rewrite Rabs_pos_eq; lra. }
      replace (rnd (s * s) - t * t) with ((rnd (s * s) - s * s) + (s * s - t * t)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
    destruct (log_series_error _ _ W HZ) as [ES BS].
    set (ser := log_series _) in *. set (Ser := log_exact _ _ _) in *. clearbody ser Ser.
    assert (D : rnd (2 * s) = 2 * s).
    { apply rnd_format. now apply format_double. }
    rewrite D.
    assert (E2 : Rabs (2 * s - 2 * t) <= 4.002 * u * Rabs t).
    { replace (2 * s - 2 * t) with (2 * (s - t)) by ring.
      rewrite Rabs_mult, (Rabs_pos_eq 2) by lra. lra. }
    assert (B2 : Rabs (2 * t) <= 2 * Rabs t) by (rewrite Rabs_mult, (Rabs_pos_eq 2) by lra; lra).
    pose proof (mul_error _ _ _ _ _ _ _ _ E2 B2 ES BS) as E3.
    assert (E3' : Rabs (2 * s * ser - 2 * t * Ser) <= 0.181 * u * Rabs t).
    { eapply Rle_trans; [apply E3|]. unfold u. lra. }
    assert (B3 : Rabs (2 * t * Ser) <= 0.0202 * Rabs t).
    { rewrite Rabs_mult. pose proof (Rabs_pos Ser). pose proof (Rabs_pos (2 * t)). nra. }
    pose proof (abs_le_add _ _ _ _ E3' B3) as B4.
    pose proof (rnd_rel (2 * s * ser)) as E4.
    assert (F2 : format (2 * s)) by (rewrite <- D; apply format_rnd).
    pose proof (rnd_plus (2 * s) (rnd (2 * s * ser)) F2 (format_rnd _)) as E5.
    set (w := rnd (2 * s * ser)) in *. clearbody w.
    set (y := ln f) in *. clearbody y.
    assert (V : Rabs (2 * s + w - y) <= 4.3 * u * Rabs t).
    { replace (2 * s + w - y) with ((2 * s - 2 * t) + (w - 2 * s * ser)
        + (2 * s * ser - 2 * t * Ser) + (2 * t * (1 + Ser) - y)) by ring.
      eapply Rle_trans; [apply abs_sum4|]. unfold u in *. lra. }
    assert (Y : 1.979 * Rabs t <= Rabs y).
    { assert (X : 2 * Rabs t
        <= Rabs y + Rabs (2 * t * (1 + Ser) - y) + Rabs (2 * t * Ser) + Rabs 0).
      { rewrite <- (Rabs_pos_eq 2) at 1 by lra. rewrite <- Rabs_mult.
        rewrite <- (Rabs_Ropp (2 * t * Ser)).
        replace (2 * t) with (y + (2 * t * (1 + Ser) - y) + - (2 * t * Ser) + 0) at 1 by ring.
        apply abs_sum4. }
      rewrite Rabs_R0 in X. unfold u in *. lra. }
    pose proof (abs_le_add _ _ _ _ V (Rle_refl _)) as B5.
    replace (rnd (2 * s + w) - y) with ((rnd (2 * s + w) - (2 * s + w)) + (2 * s + w - y)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
Qed.

(** ** log: the sum with the exponent *)

Definition log_combine (e : Z) (f : R) : R :=
  rnd (rnd (IZR e * LN2_HIGH) + rnd (rnd (IZR e * LN2_LOW) + log_fraction f)).

Lemma log_combine_error : forall e f, (-1100 <= e <= 1100)%Z -> format f ->
  log_fraction_range f ->
  Rabs (log_combine e f - (IZR e * ln 2 + ln f)) <= 5 * u * Rabs (IZR e * ln 2 + ln f).
Proof.
  intros e f He F Hf. pose proof (log_fraction_error f F Hf) as E. unfold log_combine.
  assert (Fl : format (log_fraction f)) by apply format_rnd.
  rewrite product_high_exact by exact He.
  assert (LF : Rabs (ln f) <= 0.346574).
  { destruct Hf as [H1 H2]. unfold SQRT_HALF in *. apply Rabs_le; split; bound. }
  set (y := ln f) in *. set (l := log_fraction f) in *. clearbody y l.
  destruct (Z.eq_dec e 0) as [-> | Ne].
  - rewrite !Rmult_0_l, round_0, !Rplus_0_l by typeclasses eauto. rewrite 2!(rnd_format l) by
      (rewrite ?(rnd_format l); exact Fl).
    pose proof (Rabs_pos y). unfold u in *. lra.
  - assert (ER : Rabs (IZR e) <= 1100) by (rewrite <- abs_IZR; apply IZR_le; lia).
    assert (E1 : 1 <= Rabs (IZR e)) by (rewrite <- abs_IZR; apply (IZR_le 1); lia).
    assert (L : 0.693147 <= ln 2 <= 0.69315) by (split; bound).
    assert (L2 : Rabs (LN2_HIGH + LN2_LOW - ln 2) <= / 2 ^ 85)
      by (unfold LN2_HIGH, LN2_LOW; bound).
    assert (D : Rabs (IZR e * (LN2_HIGH + LN2_LOW - ln 2)) <= 1100 * / 2 ^ 85).
    { rewrite Rabs_mult. apply Rmult_le_compat; auto using Rabs_pos. }
    assert (LOW : Rabs (IZR e * LN2_LOW) <= / 2 ^ 22).
    { rewrite Rabs_mult. apply Rle_trans with (1100 * Rabs LN2_LOW).
      - apply Rmult_le_compat_r; [apply Rabs_pos | exact ER].
      - unfold LN2_LOW. bound. }
    assert (X : 0.346573 <= Rabs (IZR e * ln 2 + y)).
    { assert (Q : Rabs (IZR e * ln 2) <= Rabs (IZR e * ln 2 + y) + Rabs y).
      { rewrite <- (Rabs_Ropp y). replace (IZR e * ln 2) with (IZR e * ln 2 + y + - y) at 1 by ring.
        apply Rabs_triang. }
      rewrite Rabs_mult, (Rabs_pos_eq (ln 2)) in Q by lra. nra. }
    pose proof (rnd_rel (IZR e * LN2_LOW)) as R1. pose proof tiny_bound as T.
    set (b := rnd (IZR e * LN2_LOW)) in *. clearbody b.
    assert (R1' : Rabs (b - IZR e * LN2_LOW) <= / 2 ^ 74) by (unfold u in *; lra).
    assert (E' : Rabs (l - y) <= 1.1091 * u) by (unfold u in *; lra).
    assert (A : Rabs (b + l) <= / 2) by (unfold u in *; clear X E1 ER R1 L L2 D; linear_abs; lra).
    assert (R2 := rnd_binade (-1) (/ 2) _ eq_refl ltac:(lia) A).
    assert (FH : format (IZR e * LN2_HIGH)).
    { rewrite <- product_high_exact by exact He. apply format_rnd. }
    pose proof (rnd_plus _ (rnd (b + l)) FH (format_rnd _)) as R3.
    set (c := rnd (b + l)) in *. clearbody c.
    set (v := IZR e * LN2_HIGH + c) in *.
    assert (V : Rabs (v - (IZR e * ln 2 + y)) <= 1.3601 * u).
    { replace (v - (IZR e * ln 2 + y)) with ((c - (b + l)) + (b - IZR e * LN2_LOW)
        + (l - y) + IZR e * (LN2_HIGH + LN2_LOW - ln 2)) by (unfold v; ring).
      eapply Rle_trans; [apply abs_sum4|]. unfold u in *. lra. }
    pose proof (abs_le_add _ _ _ _ V (Rle_refl _)) as B.
    set (x := IZR e * ln 2 + y) in *. clearbody v x.
    replace (rnd v - x) with ((rnd v - v) + (v - x)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
Qed.

(** Exponent and fraction, which the program reads from the bits: x = f 2^e
    with f in [SQRT_HALF, 2 SQRT_HALF), exactly. *)
Definition split_near_1 (x : R) : Z * R :=
  let e := mag radix2 x in
  let f := x * pow2 (- e) in
  if Rlt_bool f SQRT_HALF then ((e - 1)%Z, f * 2) else ((e : Z), f).
Definition log_float (x : R) : R := let (e, f) := split_near_1 x in log_combine e f.

Theorem split_near_1_exact : forall x, format x -> 0 < x < pow2 1024 ->
  let (e, f) := split_near_1 x in
  x = f * pow2 e /\ format f /\ log_fraction_range f /\ (-1075 <= e <= 1024)%Z.
Proof.
  intros x F [H1 H2]. unfold split_near_1.
  assert (N : x <> 0) by lra.
  assert (E1 : (mag radix2 x <= 1024)%Z).
  { apply mag_le_bpow; [exact N|]. rewrite Rabs_pos_eq; lra. }
  assert (E2 : (-1073 <= mag radix2 x)%Z).
  { pose proof (mag_ge_bpow radix2 x (-1073)) as G. apply G.
    change (-1073 - 1)%Z with (-1074)%Z. rewrite Rabs_pos_eq by lra.
    apply generic_format_ge_bpow with (fexp := fexp); [|assumption|assumption].
    intros e. unfold FLT_exp. lia. }
  pose proof (bpow_mag_le radix2 x N) as B1. pose proof (bpow_mag_gt radix2 x) as B2.
  rewrite Rabs_pos_eq in B1, B2 by lra.
  set (e := mag_val radix2 x (mag radix2 x)) in *.
  assert (P : 0 < pow2 (- e)) by apply bpow_gt_0.
  assert (Q : pow2 e * pow2 (- e) = 1) by (rewrite <- bpow_plus, Z.add_opp_diag_r; reflexivity).
  assert (G1 : / 2 <= x * pow2 (- e)).
  { replace (/ 2) with (pow2 (e - 1) * pow2 (- e)); [apply Rmult_le_compat_r; lra|].
    rewrite <- bpow_plus. replace (e - 1 + - e)%Z with (-1)%Z by ring. reflexivity. }
  assert (G2 : x * pow2 (- e) < 1) by (rewrite <- Q; apply Rmult_lt_compat_r; lra).
  assert (Ff : format (x * pow2 (- e))).
  { apply generic_format_FLT_FLX.
    - rewrite Rabs_pos_eq by lra. eapply Rle_trans; [|exact G1].
      apply Rle_trans with (pow2 (-1)); [apply bpow_le; lia | simpl; lra].
    - apply mult_bpow_exact_FLX. now apply generic_format_FLX_FLT with (-1074)%Z. }
  destruct (Rlt_bool_spec (x * pow2 (- e)) SQRT_HALF) as [L | L].
  - repeat split; try lia; try (unfold SQRT_HALF in *; lra).
    + unfold Zminus. rewrite bpow_plus. simpl (pow2 (- (1))). change (Z.pow_pos 2 1) with 2%Z.
      replace (x * pow2 (- e) * 2 * (pow2 e * / 2)) with (x * (pow2 e * pow2 (- e))) by field.
      rewrite Q. ring.
    + rewrite Rmult_comm. now apply format_double.
  - repeat split; try lia; try (unfold SQRT_HALF in *; lra); try exact Ff.
    rewrite Rmult_assoc, (Rmult_comm (pow2 (- e))), Q. ring.
Qed.

Theorem log_error : forall x, format x -> 0 < x < pow2 1024 ->
  Rabs (log_float x - ln x) <= 5 * u * Rabs (ln x).
Proof.
  intros x F H. pose proof (split_near_1_exact x F H) as S. unfold log_float.
  destruct (split_near_1 x) as [e f]. destruct S as (X & Ff & Hf & He).
  assert (L : ln x = IZR e * ln 2 + ln f).
  { assert (P : 0 < f) by (destruct Hf; unfold SQRT_HALF in *; lra).
    rewrite X, ln_mult by (exact P || apply bpow_gt_0). rewrite bpow_exp, ln_exp.
    change (ln (IZR radix2)) with (ln 2). ring. }
  rewrite L. apply log_combine_error; (assumption || lia).
Qed.

(** ** expm1 *)

Definition expm1_float (x : R) : R :=
  if Rle_bool (Rabs x) EXPM1_SMALL then expm1_reduced x else rnd (exp_float x - 1).

Lemma format_1 : format 1.
Proof. change 1 with (pow2 0). apply generic_format_FLT_bpow; [reflexivity | lia]. Qed.

Theorem expm1_error : forall x, format x -> exp_range x ->
  Rabs (expm1_float x - (exp x - 1)) <= 8 * u * Rabs (exp x - 1).
Proof.
  intros x F Hx. unfold expm1_float.
  destruct (Rle_bool_spec (Rabs x) EXPM1_SMALL) as [L | L].
  - eapply Rle_trans; [apply expm1_reduced_error; assumption|].
    pose proof (Rabs_pos (exp x - 1)). unfold u. lra.
  - assert (Ff : format (exp_float x)).
    { destruct (exp_float_parts x F Hx) as (y & k & -> & _). apply format_rnd. }
    pose proof (exp_uniform_error x F Hx) as E. fold tiny in E. pose proof tiny_bound as T.
    pose proof (exp_pos x) as P.
    pose proof (rnd_plus (exp_float x) (- (1)) Ff (generic_format_opp _ _ _ format_1)) as R.
    fold (exp_float x - 1) in R. set (v := exp_float x) in *. clearbody v.
    assert (C : exp x <= 3.416 * Rabs (exp x - 1) /\ 0.29 <= Rabs (exp x - 1)).
    { unfold EXPM1_SMALL in L. destruct (Rle_lt_dec 0 x) as [S | S].
      - rewrite Rabs_pos_eq in L by lra.
        assert (1.4142 <= exp x).
        { apply Rle_trans with (exp 0.3466); [bound|]. apply Rlt_le, exp_increasing. lra. }
        rewrite Rabs_pos_eq; lra.
      - rewrite Rabs_left in L by lra.
        assert (exp x <= 0.7072).
        { apply Rle_trans with (exp (-0.3465)); [|bound]. apply Rlt_le, exp_increasing. lra. }
        rewrite Rabs_left1; lra. }
    assert (V : Rabs (v - 1 - (exp x - 1)) <= 2 * u * exp x + tiny).
    { replace (v - 1 - (exp x - 1)) with (v - exp x) by ring. exact E. }
    pose proof (abs_le_add _ _ _ _ V (Rle_refl _)) as B.
    replace (rnd (v - 1) - (exp x - 1)) with
      ((rnd (v - 1) - (v - 1)) + (v - 1 - (exp x - 1))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
Qed.

(** ** Growth of the exponential *)

Theorem growth_small : forall T, 0 <= T <= 1 -> exp T - 1 <= T + T ^ 2.
Proof.
  intros T HT. pose proof (exp_pos (- T)) as P. pose proof (exp_pos T) as P'.
  cut (1 <= exp (- T) * (1 + T + T * T)).
  { intros H. apply (Rmult_le_compat_l (exp T)) in H; [|lra].
    rewrite <- Rmult_assoc, <- exp_plus, Rplus_opp_r, exp_0 in H. lra. }
  destruct (proj1 HT) as [H0 | <-]; [|rewrite Ropp_0, exp_0; lra].
  destruct (MVT_cor2 (fun t => exp (- t) * (1 + t + t * t)) (fun t => exp (- t) * (t * (1 - t)))
    0 T H0) as (c & E & C).
  - intros c _. apply is_derive_Reals. auto_derive; [easy | ring].
  - cbv beta in E. rewrite Ropp_0, exp_0 in E.
    assert (0 <= exp (- c) * (c * (1 - c)) * (T - 0)).
    { apply Rmult_le_pos; [|lra]. apply Rmult_le_pos; [apply Rlt_le, exp_pos | nra]. }
    lra.
Qed.

(** ** tanh *)

Definition sign (x : R) : R := if Rlt_bool x 0 then -1 else if Rlt_bool 0 x then 1 else 0.
Definition tanh_small (x : R) : R :=
  let t := expm1_reduced (2 * x) in rnd (t / rnd (t + 2)).
Definition tanh_large (m : R) : R := rnd (1 - rnd (2 / rnd (exp_float (2 * m) + 1))).
Definition tanh_float (x : R) : R :=
  if Rlt_bool TANH_ONE (Rabs x) then sign x
  else if Rle_bool (Rabs x) TANH_SMALL then tanh_small x
  else sign x * tanh_large (Rabs x).

Lemma tanh_exp : forall x, tanh x = (exp (2 * x) - 1) / (exp (2 * x) + 1).
Proof.
  intros x. unfold tanh, sinh, cosh. replace (2 * x) with (x + x) by ring.
  rewrite exp_plus, exp_Ropp. pose proof (exp_pos x). field. repeat split; nra.
Qed.

Lemma tanh_odd : forall x, tanh (- x) = - tanh x.
Proof.
  intros x. unfold tanh, sinh, cosh. rewrite Ropp_involutive.
  pose proof (exp_pos x). pose proof (exp_pos (- x)). field. lra.
Qed.

Lemma format_2 : format 2.
Proof. change 2 with (pow2 1). apply generic_format_FLT_bpow; [reflexivity | lia]. Qed.

Lemma round_near_2 : forall t, Rabs t <= pow2 (-60) -> rnd (t + 2) = 2.
Proof.
  intros t Ht. simpl in Ht. change (Z.pow_pos 2 60) with (2 ^ 60)%Z in Ht.
  set (h := / IZR (2 ^ 60)) in Ht. assert (Hh : h <= / 2 ^ 59) by (unfold h; simpl; lra).
  clearbody h.
  assert (N : Rabs (rnd (t + 2) - (t + 2)) <= Rabs (2 - (t + 2))).
  { apply (round_N_pt radix2 fexp). exact format_2. }
  replace (2 - (t + 2)) with (- t) in N by ring. rewrite Rabs_Ropp in N.
  assert (C : Rabs (rnd (t + 2) - 2) <= / 2 ^ 58).
  { replace (rnd (t + 2) - 2) with ((rnd (t + 2) - (t + 2)) + t) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra. }
  destruct (on_grid 0 (rnd (t + 2)) (format_rnd _)) as [m Hm].
  { simpl. apply Rabs_le_inv in C. rewrite Rabs_pos_eq; lra. }
  rewrite Hm in *. clear Hm N. change (0 - 52)%Z with (-52)%Z in *. simpl (pow2 (-52)) in *.
  change (Z.pow_pos 2 52) with 4503599627370496%Z in *.
  assert (M : m = 9007199254740992%Z).
  { apply Rabs_le_inv in C. apply Z.le_antisymm; apply Zlt_succ_le, lt_IZR; unfold Z.succ;
      rewrite plus_IZR; lra. }
  rewrite M. lra.
Qed.

Lemma tanh_small_error : forall x, format x -> Rabs x <= TANH_SMALL ->
  Rabs (tanh_small x - tanh x) <= 5 * u * Rabs (tanh x).
Proof.
  intros x F Hx. rewrite tanh_exp. unfold tanh_small. cbv zeta.
  assert (F2 : format (2 * x)) by now apply format_double.
  set (r := 2 * x) in *.
  assert (Hr : Rabs r <= 0.3401).
  { unfold r. rewrite Rabs_mult, (Rabs_pos_eq 2) by lra. unfold TANH_SMALL in Hx. lra. }
  assert (HE : -0.29 <= exp r - 1 <= 0.41) by (split; bound).
  replace (exp r + 1) with (exp r - 1 + 2) by ring.
  destruct (Rle_lt_dec (pow2 (-600)) (Rabs r)) as [L | L].
  - pose proof (expm1_reduced_error r F2 ltac:(unfold EXPM1_SMALL; lra)) as E.
    pose proof (expm1_lower r ltac:(lra)) as LO. pose proof (tiny_relative r L) as T.
    assert (Ft : format (expm1_reduced r)) by apply format_rnd.
    pose proof (rnd_plus _ _ Ft format_2) as E1.
    set (y := exp r - 1) in *. set (t := expm1_reduced r) in *. clearbody y t.
    set (d := rnd (t + 2)) in *. clearbody d.
    assert (Ht : -0.2901 <= t <= 0.4101).
    { assert (Rabs y <= 0.41) by (apply Rabs_le; lra). apply Rabs_le_inv in E.
      unfold u in *. lra. }
    rewrite (Rabs_pos_eq (t + 2)) in E1 by lra.
    assert (Hd : 1.7098 <= d <= 2.4102) by (apply Rabs_le_inv in E1; unfold u in *; lra).
    assert (Q : Rabs (t / d - y / (y + 2)) <= 3.36 * u * Rabs (y / (y + 2))).
    { replace (t / d - y / (y + 2)) with ((2 * (t - y) - y * (d - (t + 2))) * (/ (y + 2) * / d))
        by (field; lra).
      unfold Rdiv. rewrite !Rabs_mult, (Rabs_pos_eq (/ (y + 2))), (Rabs_pos_eq (/ d))
        by (apply Rlt_le, Rinv_0_lt_compat; lra).
      assert (B : Rabs (2 * (t - y) - y * (d - (t + 2))) <= 3.36 * u * Rabs y * d).
      { apply Rle_trans with (2 * (2 * u * Rabs y) + Rabs y * (u * (t + 2))).
        - eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, 2!Rabs_mult.
          rewrite (Rabs_pos_eq 2) by lra. apply Rplus_le_compat; [lra|].
          apply Rmult_le_compat_l; [apply Rabs_pos | exact E1].
        - replace (2 * (2 * u * Rabs y) + Rabs y * (u * (t + 2)))
            with (u * Rabs y * (4 + (t + 2))) by ring.
          replace (3.36 * u * Rabs y * d) with (u * Rabs y * (3.36 * d)) by ring.
          apply Rmult_le_compat_l.
          + apply Rmult_le_pos; [unfold u; lra | apply Rabs_pos].
          + apply Rabs_le_inv in E1. unfold u in *. lra. }
      assert (I1 : 0 < / (y + 2)) by (apply Rinv_0_lt_compat; lra).
      assert (I2 : 0 < / d) by (apply Rinv_0_lt_compat; lra).
      apply Rle_trans with (3.36 * u * Rabs y * d * (/ (y + 2) * / d)).
      - apply Rmult_le_compat_r; [nra | exact B].
      - right. field. lra. }
    assert (LO2 : Rabs y <= 2.5 * Rabs (y / (y + 2))).
    { unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ (y + 2)))
        by (apply Rlt_le, Rinv_0_lt_compat; lra).
      assert (0.4 <= / (y + 2)) by bound. pose proof (Rabs_pos y). nra. }
    pose proof (rnd_rel (t / d)) as E2. pose proof (abs_le_add _ _ _ _ Q (Rle_refl _)) as B.
    set (v := y / (y + 2)) in *. set (q := t / d) in *. clearbody v q.
    replace (rnd q - v) with ((rnd q - q) + (q - v)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_pos v). unfold u in *. lra.
  - assert (Er : expm1_reduced r = r).
    { unfold expm1_reduced. rewrite (rnd_small (r * r)).
      - rewrite Rmult_0_l, round_0, Rplus_0_r by typeclasses eauto. now apply rnd_format.
      - rewrite Rabs_mult. apply Rle_lt_trans with (pow2 (-600) * pow2 (-600)).
        + apply Rmult_le_compat; auto using Rabs_pos with real.
        + rewrite <- bpow_plus. apply bpow_lt. lia. }
    rewrite Er, round_near_2.
    + replace (r / 2) with x by (unfold r; field). rewrite (rnd_format x F).
      assert (S : Rabs r <= / 2 ^ 60).
      { eapply Rle_trans; [apply Rlt_le, L|]. apply Rle_trans with (pow2 (-60)).
        - apply bpow_le. lia.
        - simpl. lra. }
      assert (LO : r <= exp r - 1 <= r + 1.01 * (r * r)).
      { pose proof (exp_ineq1_le r) as A. pose proof (exp_ineq1_le (- r)) as G.
        rewrite exp_Ropp in G. pose proof (exp_pos r) as P. apply Rabs_le_inv in S.
        assert (Q : exp r * (1 - r) <= 1).
        { replace 1 with (exp r * / exp r) at 2 by (field; lra). apply Rmult_le_compat_l; lra. }
        split; [lra|]. assert (U : exp r <= 1.001) by nra. nra. }
      set (y := exp r - 1) in *. clearbody y.
      assert (W : r * r <= / 2 ^ 60 * Rabs r).
      { rewrite <- (Rabs_pos_eq (r * r)) by nra. rewrite Rabs_mult.
        apply Rmult_le_compat_r; [apply Rabs_pos | exact S]. }
      assert (I : 0.4 <= / (y + 2) <= 0.6) by (split; bound).
      assert (Y : Rabs (y - r) <= 1.01 * (r * r)) by (apply Rabs_le; nra).
      assert (V : 0.39 * Rabs r <= Rabs (y / (y + 2))).
      { unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ (y + 2))) by lra.
        assert (Rabs r <= Rabs y + 1.01 * (r * r)).
        { apply (abs_le_add r y); [|lra]. rewrite Rabs_minus_sym. exact Y. }
        pose proof (Rabs_pos r). nra. }
      apply Rle_trans with (u * Rabs r); [|unfold u in *; lra].
      replace (x - y / (y + 2)) with ((r * (y - r) + r * r - 2 * (y - r)) * (/ (y + 2) * / 2))
        by (unfold r; field; lra).
      rewrite Rabs_mult, (Rabs_pos_eq (/ (y + 2) * / 2)) by lra.
      apply Rle_trans with (4 * (r * r) * 0.3).
      * apply Rmult_le_compat; [apply Rabs_pos | lra | | lra].
        apply Rabs_le_inv in Y, S. apply Rabs_le. assert (0 <= r * r) by nra.
        assert (- (r * r) <= r * (y - r) <= r * r) by (split; nra). lra.
      * unfold u. pose proof (Rabs_pos r). lra.
    + eapply Rle_trans; [apply Rlt_le, L|]. apply bpow_le. lia.
Qed.

Lemma tanh_large_error : forall m, format m -> TANH_SMALL < m <= TANH_ONE ->
  Rabs (tanh_large m - tanh m) <= 3.2 * u /\ 0.168 <= tanh m <= 1.
Proof.
  intros m F Hm. unfold TANH_SMALL, TANH_ONE in Hm. rewrite tanh_exp. unfold tanh_large.
  assert (F2 : format (2 * m)) by now apply format_double.
  assert (Hr : exp_range (2 * m)) by (unfold exp_range, EXP_MIN, EXP_MAX; lra).
  pose proof (exp_uniform_error _ F2 Hr) as E. fold tiny in E. pose proof tiny_bound as T.
  assert (Ff : format (exp_float (2 * m))).
  { destruct (exp_float_parts _ F2 Hr) as (y & k & -> & _). apply format_rnd. }
  assert (Y : 1.404 <= exp (2 * m) <= 2 ^ 60) by (split; bound).
  pose proof (rnd_plus _ _ Ff format_1) as E1.
  set (y := exp (2 * m)) in *. set (v := exp_float (2 * m)) in *. clearbody y v.
  clear F F2 Hr Hm m Ff.
  replace ((y - 1) / (y + 1)) with (1 - 2 / (y + 1)) by (field; lra).
  set (d := rnd (v + 1)) in *. clearbody d.
  assert (E' : Rabs (v - y) <= 2.0001 * u * y) by (unfold u in *; lra). clear E.
  assert (V : 1.4 <= v) by (apply Rabs_le_inv in E'; unfold u in *; lra).
  rewrite (Rabs_pos_eq (v + 1)) in E1 by lra.
  assert (D : Rabs (d - (y + 1)) <= u * (3.0002 * y + 1.0001)).
  { unfold u in *. linear_abs; lra. }
  assert (I : 0 < / (y + 1) <= 0.416) by (split; [apply Rinv_0_lt_compat; lra | bound]).
  assert (D2 : (y + 1) * 0.999 <= d) by (apply Rabs_le_inv in D; unfold u in *; lra).
  set (q := 2 / d) in *. set (w := 2 / (y + 1)) in *.
  assert (W : 0 < w <= 0.832) by (unfold w, Rdiv; lra).
  assert (Q : Rabs (q - w) <= 1.818 * u).
  { replace (q - w) with (- (2 * (d - (y + 1))) * (/ d * / (y + 1)))
      by (unfold q, w; field; lra).
    assert (J : 0 < / d <= 1.0011 * / (y + 1)).
    { split; [apply Rinv_0_lt_compat; lra|].
      replace (1.0011 * / (y + 1)) with (/ ((y + 1) * / 1.0011)) by (field; lra).
      apply Rinv_le; lra. }
    assert (J2 : 0 <= / d * / (y + 1)) by (apply Rmult_le_pos; apply Rlt_le; tauto).
    rewrite Rabs_mult, Rabs_Ropp, Rabs_mult, (Rabs_pos_eq 2), (Rabs_pos_eq _ J2) by lra.
    set (i := / (y + 1)) in *. assert (X : y * i = 1 - i) by (unfold i; field; lra).
    clearbody i.
    apply Rle_trans with (2 * (u * (3.0002 * y + 1.0001)) * (1.0011 * i * i)).
    - pose proof (Rabs_pos (d - (y + 1))).
      apply Rmult_le_compat; [lra | exact J2 | lra | apply Rmult_le_compat_r; lra].
    - replace (2 * (u * (3.0002 * y + 1.0001)) * (1.0011 * i * i)) with
        (u * (2.0022 * (3.0002 * (y * i) + 1.0001 * i) * i)) by lra.
      rewrite X, Rmult_comm. apply Rmult_le_compat_r; [unfold u; lra|]. nra. }
  assert (q_pos : 0 <= q).
  { unfold q, Rdiv. apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra]. }
  clearbody q w.
  assert (p_pos : 0 <= rnd q).
  { apply round_ge_generic; [typeclasses eauto | typeclasses eauto | |];
      [apply generic_format_0 | easy]. }
  assert (Bq : Rabs q <= 1) by (apply Rabs_le_inv in Q; apply Rabs_le; unfold u in *; lra).
  pose proof (rnd_binade 0 1 q eq_refl ltac:(lia) Bq) as E2.
  set (p := rnd q) in *. clearbody p.
  assert (Bp : Rabs (1 - p) <= 1) by
    (apply Rabs_le_inv in Q, E2; apply Rabs_le; unfold u in *; lra).
  pose proof (rnd_binade 0 1 _ eq_refl ltac:(lia) Bp) as E3.
  split; [|lra]. unfold u in *. linear_abs; lra.
Qed.

(** Absolute and relative error; the sign is taken exactly. *)
Theorem tanh_error : forall x, format x ->
  Rabs (tanh_float x - tanh x) <= 4 * u /\
  Rabs (tanh_float x - tanh x) <= 20 * u * Rabs (tanh x).
Proof.
  intros x F.
  assert (B : Rabs (tanh x) <= 1).
  { rewrite tanh_exp. pose proof (exp_pos (2 * x)) as P. set (y := exp (2 * x)) in *.
    assert (I : y * / (y + 1) = 1 - / (y + 1)) by (field; lra).
    assert (0 < / (y + 1)) by (apply Rinv_0_lt_compat; lra).
    assert (0 < y * / (y + 1)) by (apply Rmult_lt_0_compat; lra).
    unfold Rdiv. rewrite Rmult_minus_distr_r. apply Rabs_le; lra. }
  cut (forall m, format m -> 0 < m -> TANH_SMALL < m ->
    let v := if Rlt_bool TANH_ONE m then 1 else tanh_large m in
    Rabs (v - tanh m) <= 3.2 * u /\ 0.168 <= tanh m).
  - intros H. unfold tanh_float.
    destruct (Rle_bool_spec (Rabs x) TANH_SMALL) as [L | L].
    + rewrite Rlt_bool_false by (unfold TANH_SMALL, TANH_ONE in *; lra).
      pose proof (tanh_small_error x F L) as E.
      assert (S : Rabs (tanh x) <= 0.7).
      { pose proof (Rabs_pos x). rewrite tanh_exp. unfold TANH_SMALL in L.
        assert (X : Rabs x <= 0.18) by lra. clear - X.
        replace ((exp (2 * x) - 1) / (exp (2 * x) + 1)) with (1 - 2 / (exp (2 * x) + 1))
          by (field; pose proof (exp_pos (2 * x)); lra).
        bound. }
      pose proof (Rabs_pos (tanh x)). unfold u in *. lra.
    + assert (P : 0 < Rabs x) by (unfold TANH_SMALL in L; lra).
      destruct (H (Rabs x) (generic_format_abs _ _ _ F) P L) as [E1 E2]. clear H.
      assert (V : (if Rlt_bool TANH_ONE (Rabs x) then sign x else sign x * tanh_large (Rabs x))
        - tanh x = sign x * ((if Rlt_bool TANH_ONE (Rabs x) then 1 else tanh_large (Rabs x))
        - tanh (Rabs x)) /\ Rabs (sign x) = 1 /\ Rabs (tanh x) = Rabs (tanh (Rabs x))).
      { destruct (Rle_lt_dec 0 x) as [N | N].
        - rewrite (Rabs_pos_eq x N) in *. assert (S : sign x = 1).
          { unfold sign. now rewrite (Rlt_bool_false x 0), (Rlt_bool_true 0 x) by lra. }
          rewrite S, Rabs_R1. repeat split. destruct (Rlt_bool TANH_ONE x); ring.
        - rewrite (Rabs_left x N) in *. assert (S : sign x = -1).
          { unfold sign. now rewrite (Rlt_bool_true x 0) by lra. }
          rewrite S, tanh_odd, Rabs_Ropp. repeat split; [|rewrite Rabs_left; lra].
          destruct (Rlt_bool TANH_ONE (- x)); ring. }
      destruct V as (V1 & V2 & V3). rewrite V1, V3, Rabs_mult, V2, Rmult_1_l.
      rewrite (Rabs_pos_eq (tanh (Rabs x))) by lra. unfold u in *. lra.
  - intros m Fm Pm Lm. destruct (Rlt_bool_spec TANH_ONE m) as [G | G]; cbv zeta.
    + rewrite tanh_exp. unfold TANH_ONE in G.
      assert (Y : exp 40 <= exp (2 * m)) by (apply Rlt_le, exp_increasing; lra).
      assert (Y' : 2 ^ 56 <= exp 40) by bound.
      set (y := exp (2 * m)) in *. clearbody y.
      replace ((y - 1) / (y + 1)) with (1 - 2 / (y + 1)) by (field; lra).
      assert (I : 0 < 2 / (y + 1) <= / 2 ^ 55).
      { split.
        - apply Rdiv_lt_0_compat; lra.
        - apply Rmult_le_reg_r with (y + 1); [lra|]. unfold Rdiv.
          rewrite Rmult_assoc, Rinv_l by lra. lra. }
      split; [|lra]. replace (1 - (1 - 2 / (y + 1))) with (2 / (y + 1)) by ring.
      rewrite Rabs_pos_eq by lra. unfold u. lra.
    + destruct (tanh_large_error m Fm (conj Lm G)) as [E [T _]]. now split.
Qed.
