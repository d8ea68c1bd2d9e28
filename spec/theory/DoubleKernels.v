(** * DoubleKernels: error bounds for exp and log in double-double

    Purpose. exp and log of reference/numbers/double-double.ts and exp of the kernels
    (reference/kernels/assembly/double-double.ts), operation by operation on the operations of
    DoubleWord.v, with the constants of DoubleConstants.v, generated from both sources. Every step
    is accounted for: the reduction by the three words of ln 2, Horner's scheme with the
    coefficients as they stand, the method, the scaling and underflow. u = 2^-53.

    Main results. x is any double-double number: its first word is the float64 nearest to it.
    - [series_error]       the polynomial with the library's 1/n! is e^r - 1 to 2^-108 |r|
    - [exp_library_error]  EXP_MIN <= x <= EXP_MAX: DOUBLE_DOUBLE_ERROR.exp of the result, and .tiny
    - [exp_kernel_error]   the same of the kernels' exp, up to KERNEL_EXP_MAX
    - [exp_below_pair]     below EXP_MIN, where both return 0, e^x <= 2^-1060
    - [log_library_error]  x > 0: DOUBLE_DOUBLE_ERROR.log of the result, and .logAbsolute

    Dependencies. DoubleWord.v, DoubleConstants.v, Kernels.v (the float64 logarithm); Flocq for
    rounding, Coq-Interval for the polynomial, Coquelicot for its derivative. *)

From Coq Require Import Reals ZArith List Lra Lia.
From Flocq Require Import Core Mult_error.
From Coquelicot Require Import Coquelicot.
From Interval Require Tactic.
From Xattn Require Import Kernels DoubleConstants DoubleWord.
Import ListNotations.
Import StdInterval.
Open Scope R_scope.

Local Existing Instance prec_53.

(** ** The polynomial *)

(** A double as the sources' constants are written. *)
Lemma format_dyadic : forall m k, (Z.abs m < 2 ^ 53)%Z -> (k <= 1074)%nat -> format (IZR m / 2 ^ k).
Proof.
  intros m k Hm Hk. apply generic_format_FLT.
  exists (Defs.Float radix2 m (- Z.of_nat k)); [|exact Hm|simpl; lia].
  unfold F2R, Rdiv. cbn [Fnum Fexp]. rewrite bpow_opp. do 2 f_equal.
  change 2 with (IZR radix2). rewrite bpow_powerRZ, pow_powerRZ. reflexivity.
Qed.

Ltac constant := apply format_dyadic; [reflexivity | lia].

Lemma step_error : forall r s S c e B C, ok r 0.3467 -> ok s B -> ok c C -> / 1000 <= B <= 2 ->
  0 <= C <= 2 -> Rabs (val s - S) <= e * (u * u) ->
  Rabs (val (add (mul s r) c) - (S * val r + val c))
    <= (0.34671 * e + 8.21 * B + 10.2 * C) * (u * u) /\
  forall M, 0.3468 * B + 1.0001 * C <= M -> ok (add (mul s r) c) M.
Proof.
  intros r s S c e B C Hr Hs Hc HB HC E. pose proof tiny_bound as T.
  destruct (mul_pair_error _ _ _ _ Hs Hr) as [E1 O1].
  assert (O : ok (mul s r) (0.34671 * B)) by (apply O1; unfold u; lra). clear O1.
  destruct (add_error _ _ _ _ O Hc) as [E2 O2].
  destruct Hr as (_ & _ & R1 & R2).
  assert (R : Rabs (val r) <= 0.34671).
  { unfold val. eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  pose proof (abs_product _ _ _ _ E R) as P. split.
  - replace (val (add (mul s r) c) - (S * val r + val c)) with
      ((val (add (mul s r) c) - (val (mul s r) + val c)) + (val (mul s r) - val s * val r)
       + (val s - S) * val r) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    assert (W : 32 * tiny <= 0.02 * B * (u * u)).
    { clear - T HB. destruct T as [_ T], HB as [HB _].
      apply Rle_trans with (0.02 * (/ 1000) * (u * u)); [unfold u; lra|].
      apply Rmult_le_compat_r; [unfold u|]; lra. }
    eapply Rle_trans; [apply Rplus_le_compat; [apply Rplus_le_compat; eassumption | exact P]|].
    replace (e * (u * u) * 0.34671) with (0.34671 * e * (u * u)) by ring.
    replace ((0.34671 * e + 8.21 * B + 10.2 * C) * (u * u))
      with (0.34671 * e * (u * u) + (8.21 * B + 10.2 * C) * (u * u)) by ring.
    set (f := 0.34671 * e * (u * u)). clearbody f. clear - W HB HC. unfold u in *. lra.
  - intros M HM. apply O2. unfold u. lra.
Qed.

Definition poly (r : dd) (cs : list dd) (start : dd) : dd :=
  fold_left (fun sum c => add (mul sum r) c) cs start.
Notation exact_poly r cs start := (horner_exact r (map val cs) start).

Lemma poly_app : forall r cs ds s, poly r (cs ++ ds) s = poly r ds (poly r cs s).
Proof. intros. apply fold_left_app. Qed.

Lemma exact_app : forall t cs ds S,
  exact_poly t (cs ++ ds) S = exact_poly t ds (exact_poly t cs S).
Proof. intros. rewrite map_app. apply fold_left_app. Qed.

Lemma tail_error : forall r cs s S e, ok r 0.3467 -> List.Forall (fun c => ok c 0.042) cs ->
  ok s 0.065 -> 0 <= e -> Rabs (val s - S) <= (1.48 + e) * (u * u) ->
  Rabs (val (poly r cs s) - exact_poly (val r) cs S)
    <= (1.48 + 0.34671 ^ length cs * e) * (u * u) /\ ok (poly r cs s) 0.065.
Proof.
  intros r cs. induction cs as [|c cs IH]; intros s S e Hr Hcs Hs He E.
  - simpl. rewrite Rmult_1_l. now split.
  - inversion_clear Hcs as [|? ? Hc Hcs'].
    destruct (step_error r s S c (1.48 + e) 0.065 0.042) as [E1 O1]; auto; try lra.
    simpl. replace (0.34671 * 0.34671 ^ length cs * e) with (0.34671 ^ length cs * (0.34671 * e))
      by ring.
    apply IH; auto; [apply O1; lra | lra |].
    eapply Rle_trans; [exact E1|]. apply Rmult_le_compat_r; [unfold u|]; lra.
Qed.

(** The last coefficients, 1/3!, 1/2! and 1, and the product with r. *)
Lemma head_error : forall r s S c3 c2 c1, ok r 0.3467 -> ok s 0.065 ->
  ok c3 0.16667 -> ok c2 0.5 -> ok c1 1 -> Rabs (val s - S) <= 2.4 * (u * u) ->
  Rabs (val (mul (poly r [c3; c2; c1] s) r) - exact_poly (val r) [c3; c2; c1] S * val r)
    <= 11.7 * (u * u) /\ ok (mul (poly r [c3; c2; c1] s) r) 0.415.
Proof.
  intros r s S c3 c2 c1 Hr Hs H3 H2 H1 E. pose proof tiny_bound as T. simpl.
  destruct (step_error r s S c3 2.4 0.065 0.16667) as [E3 O3]; auto; try lra.
  assert (K3 := O3 0.1893 ltac:(lra)). clear O3.
  set (s3 := add (mul s r) c3) in *. set (S3 := S * val r + val c3) in *. clearbody s3 S3.
  destruct (step_error r s3 S3 c2 3.08 0.1893 0.5) as [E2 O2]; auto; try lra.
  { eapply Rle_trans; [exact E3|]. apply Rmult_le_compat_r; [unfold u|]; lra. }
  assert (K2 := O2 0.5658 ltac:(lra)). clear O2.
  set (s2 := add (mul s3 r) c2) in *. set (S2 := S3 * val r + val c2) in *. clearbody s2 S2.
  destruct (step_error r s2 S2 c1 7.73 0.5658 1) as [E1 O1]; auto; try lra.
  { eapply Rle_trans; [exact E2|]. apply Rmult_le_compat_r; [unfold u|]; lra. }
  assert (K1 := O1 1.1965 ltac:(lra)). clear O1.
  set (s1 := add (mul s2 r) c1) in *. set (S1 := S2 * val r + val c1) in *. clearbody s1 S1.
  destruct (mul_pair_error _ _ _ _ K1 Hr) as [E0 O0].
  destruct Hr as (_ & _ & R1 & R2).
  assert (R : Rabs (val r) <= 0.34671).
  { unfold val. eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  pose proof (abs_product _ _ _ _ E1 R) as P. split.
  - replace (val (mul s1 r) - S1 * val r) with ((val (mul s1 r) - val s1 * val r)
      + (val s1 - S1) * val r) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
  - apply O0. unfold u. lra.
Qed.

(** e^r − 1 as the library computes it, and as the kernels do: the first terms in float64. *)
Definition expm1_library (r : dd) : dd := mul (poly r DD_FACTORIALS (0, 0)) r.
Definition kernel_tail (rh : R) : R := rnd (horner rh (tl KERNEL_TAIL) (hd 0 KERNEL_TAIL) * rh).
Definition kernel_start (rh : R) : dd :=
  let c := hd (0, 0) KERNEL_FACTORIALS in
  fast_two_sum (fst c) (rnd (snd c + kernel_tail rh)).
Definition expm1_kernel (r : dd) : dd :=
  mul (poly r (tl KERNEL_FACTORIALS) (kernel_start (fst r))) r.
Definition polynomial (t : R) : R := exact_poly t DD_FACTORIALS 0 * t.

Ltac pair_ok := repeat apply conj; cbn [fst snd]; [constant | constant | |]; unfold u; bound.

Lemma library_error : forall r, ok r 0.3467 ->
  Rabs (val (expm1_library r) - polynomial (val r)) <= 11.7 * (u * u) /\
  ok (expm1_library r) 0.415.
Proof.
  intros r Hr. unfold expm1_library, polynomial.
  change DD_FACTORIALS with (firstn 24 DD_FACTORIALS ++ skipn 24 DD_FACTORIALS).
  rewrite poly_app, exact_app.
  destruct (tail_error r (firstn 24 DD_FACTORIALS) (0, 0) 0 0) as [E O]; auto; try lra.
  - cbn [firstn DD_FACTORIALS]. repeat (apply List.Forall_cons; [pair_ok|]). apply List.Forall_nil.
  - repeat apply conj; cbn [fst snd]; try apply generic_format_0; rewrite Rabs_R0; unfold u; lra.
  - unfold val. cbn [fst snd]. rewrite 2!Rplus_0_r, Rminus_0_r, Rabs_R0. unfold u. lra.
  - rewrite Rmult_0_r in E.
    set (s := poly r (firstn 24 DD_FACTORIALS) (0, 0)) in *.
    set (S := exact_poly (val r) (firstn 24 DD_FACTORIALS) 0) in *.
    clearbody s S. apply head_error; auto; try pair_ok. unfold u in *. lra.
Qed.

Lemma kernel_coefficients :
  KERNEL_FACTORIALS = skipn 13 DD_FACTORIALS /\ KERNEL_TAIL = map fst (firstn 13 DD_FACTORIALS).
Proof. split; reflexivity. Qed.

(** The float64 terms, at the first word of r, against the same of the whole series at r. *)
Lemma float_step : forall rh r s S c, Rabs rh <= 0.3467 -> Rabs (rh - r) <= 0.354 * u ->
  Rabs (s - S) <= 4.4e-12 * u -> Rabs S <= 1.2e-12 ->
  Rabs (rnd (s * rh) - S * r) <= 2.37e-12 * u /\ Rabs (S * r) <= 4.162e-13 /\
  (Rabs (fst c) <= 7.7e-13 -> Rabs (snd c) <= 7.7e-13 * u ->
   Rabs (rnd (rnd (s * rh) + fst c) - (S * r + val c)) <= 4.4e-12 * u /\
   Rabs (S * r + val c) <= 1.2e-12).
Proof.
  intros rh r s S c R D E B. pose proof tiny_bound as [T0 T].
  assert (T' : tiny <= / 2 ^ 100 * u) by (unfold u; lra). clear T.
  pose proof (abs_product _ _ _ _ E R) as P1. pose proof (abs_product _ _ _ _ B R) as P2.
  pose proof (abs_product _ _ _ _ B D) as P3.
  replace ((s - S) * rh) with (s * rh - S * rh) in P1 by ring.
  replace (S * (rh - r)) with (S * rh - S * r) in P3 by ring.
  pose proof (rnd_rel (s * rh)) as E1.
  set (y := rnd (s * rh)) in *. clearbody y.
  set (a := s * rh) in *. set (b := S * rh) in *. set (d := S * r) in *. clearbody a b d.
  assert (A : Rabs a <= 4.17e-13).
  { replace a with ((a - b) + b) by ring. eapply Rle_trans; [apply Rabs_triang|].
    unfold u in *. lra. }
  assert (Y : Rabs (y - d) <= 2.37e-12 * u).
  { replace (y - d) with ((y - a) + (a - b) + (b - d)) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  assert (X : Rabs d <= 4.162e-13).
  { replace d with (b - (b - d)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite Rabs_Ropp. unfold u in *. lra. }
  split; [exact Y | split; [exact X|]]. intros C1 C2. unfold val.
  pose proof (rnd_rel (y + fst c)) as E2.
  set (z := rnd (y + fst c)) in *. clearbody z.
  set (ch := fst c) in *. set (cl := snd c) in *. clearbody ch cl. clear P1 P2 P3 E1 E B R D.
  assert (Z : Rabs (y + ch) <= 1.19e-12).
  { replace (y + ch) with ((y - d) + d + ch) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  split.
  - replace (z - (d + (ch + cl))) with ((z - (y + ch)) + (y - d) + - cl) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite Rabs_Ropp.
    assert (W : Rabs (z - (y + ch)) <= 1.2e-12 * u) by (unfold u in *; lra).
    clear - W Y C2. unfold u in *. lra.
  - replace (d + (ch + cl)) with (d + ch + cl) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra.
Qed.

Lemma float_tail : forall rh r cs s S, Rabs rh <= 0.3467 -> Rabs (rh - r) <= 0.354 * u ->
  List.Forall (fun c => Rabs (fst c) <= 7.7e-13 /\ Rabs (snd c) <= 7.7e-13 * u) cs ->
  Rabs (s - S) <= 4.4e-12 * u -> Rabs S <= 1.2e-12 ->
  Rabs (horner rh (map fst cs) s - exact_poly r cs S) <= 4.4e-12 * u /\
  Rabs (exact_poly r cs S) <= 1.2e-12.
Proof.
  intros rh r cs. induction cs as [|c cs IH]; intros s S R D Hcs E B; [now split|].
  inversion_clear Hcs as [|? ? [C1 C2] Hcs']. simpl.
  destruct (float_step rh r s S c R D E B) as (_ & _ & F). destruct (F C1 C2).
  now apply IH.
Qed.

Lemma kernel_start_error : forall r, ok r 0.3467 ->
  Rabs (val (kernel_start (fst r)) - exact_poly (val r) (firstn 14 DD_FACTORIALS) 0)
    <= 4e-12 * u /\ ok (kernel_start (fst r)) 0.065.
Proof.
  intros r (_ & _ & R1 & R2). pose proof tiny_bound as [T0 T].
  assert (T' : tiny <= / 2 ^ 100 * u) by (unfold u; lra). clear T.
  assert (D : Rabs (fst r - val r) <= 0.354 * u).
  { unfold val. replace (fst r - (fst r + snd r)) with (- snd r) by ring. rewrite Rabs_Ropp.
    unfold u in *. lra. }
  set (c27 := nth 0 DD_FACTORIALS (0, 0)). set (c14 := nth 13 DD_FACTORIALS (0, 0)).
  change (firstn 14 DD_FACTORIALS) with ([c27] ++ firstn 12 (skipn 1 DD_FACTORIALS) ++ [c14]).
  rewrite 2!exact_app. unfold kernel_start, kernel_tail. cbv zeta.
  change (hd (0, 0) KERNEL_FACTORIALS) with c14.
  change (hd 0 KERNEL_TAIL) with (fst c27).
  change (tl KERNEL_TAIL) with (map fst (firstn 12 (skipn 1 DD_FACTORIALS))).
  destruct (float_tail (fst r) (val r) (firstn 12 (skipn 1 DD_FACTORIALS)) (fst c27)
    (exact_poly (val r) [c27] 0)) as [E B]; auto.
  - cbn [firstn skipn DD_FACTORIALS].
    repeat (apply List.Forall_cons; [split; cbn [fst snd]; unfold u; bound|]).
    apply List.Forall_nil.
  - simpl. unfold val, c27. cbn [nth DD_FACTORIALS fst snd]. unfold u. clear. bound.
  - simpl. unfold val, c27. cbn [nth DD_FACTORIALS fst snd]. clear. bound.
  - set (h := horner (fst r) (map fst (firstn 12 (skipn 1 DD_FACTORIALS))) (fst c27)) in *.
    set (H := exact_poly (val r) (firstn 12 (skipn 1 DD_FACTORIALS)) (exact_poly (val r) [c27] 0))
      in *. clearbody h H.
    destruct (float_step (fst r) (val r) h H c14 R1 D E B) as (E1 & B1 & _).
    assert (Ft : format (rnd (h * fst r))) by apply format_rnd.
    set (t := rnd (h * fst r)) in *. clearbody t.
    change (exact_poly (val r) [c14] H) with (H * val r + val c14).
    set (w := H * val r) in *. clearbody w.
    assert (C : ok c14 1.15e-11) by (unfold c14; cbn [nth DD_FACTORIALS]; pair_ok).
    assert (CL : Rabs (snd c14) <= 3e-28) by (unfold c14; cbn [nth DD_FACTORIALS snd]; bound).
    destruct C as (C1 & C2 & C3 & C4). clearbody c14.
    clear E B h H D R1 R2 c27 r.
    assert (Bt : Rabs t <= 4.17e-13).
    { replace t with ((t - w) + w) by ring. eapply Rle_trans; [apply Rabs_triang|].
      unfold u in *. lra. }
    assert (B2 : Rabs (snd c14 + t) <= 4.18e-13).
    { eapply Rle_trans; [apply Rabs_triang|]. lra. }
    pose proof (rnd_sum _ _ _ C2 Ft B2) as E2.
    assert (Fv : format (rnd (snd c14 + t))) by apply format_rnd.
    set (v := rnd (snd c14 + t)) in *. clearbody v.
    assert (Bv : Rabs v <= 4.2e-13).
    { replace v with ((v - (snd c14 + t)) + (snd c14 + t)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
    assert (BM : Rabs (fst c14 + v) <= 1.2e-11).
    { eapply Rle_trans; [apply Rabs_triang|]. lra. }
    destruct (fast_error _ _ _ _ C1 Fv BM Bv) as (K1 & K2 & K3 & K4 & K5).
    set (x := fast_two_sum (fst c14) v) in *. clearbody x. split.
    + unfold val at 2. replace (val x - (w + (fst c14 + snd c14))) with
        ((val x - (fst c14 + v)) + (v - (snd c14 + t)) + (t - w)) by ring.
      eapply Rle_trans; [apply Rabs_triang|].
      eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra.
    + repeat apply conj; try assumption.
      * replace (fst x) with ((fst x - (fst c14 + v)) + (fst c14 + v)) by ring.
        eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
      * eapply Rle_trans; [exact K4|]. unfold u in *. lra.
Qed.

Lemma kernel_error : forall r, ok r 0.3467 ->
  Rabs (val (expm1_kernel r) - polynomial (val r)) <= 11.7 * (u * u) /\
  ok (expm1_kernel r) 0.415.
Proof.
  intros r Hr. destruct (kernel_start_error r Hr) as [E O]. unfold expm1_kernel, polynomial.
  change DD_FACTORIALS with (firstn 14 DD_FACTORIALS ++ firstn 10 (skipn 14 DD_FACTORIALS)
    ++ skipn 24 DD_FACTORIALS).
  change (tl KERNEL_FACTORIALS) with
    (firstn 10 (skipn 14 DD_FACTORIALS) ++ skipn 24 DD_FACTORIALS).
  rewrite 2!exact_app, poly_app.
  set (s := kernel_start (fst r)) in *.
  set (S := exact_poly (val r) (firstn 14 DD_FACTORIALS) 0) in *. clearbody s S.
  destruct (tail_error r (firstn 10 (skipn 14 DD_FACTORIALS)) s S 36030) as [E1 O1]; auto; try lra.
  - cbn [firstn skipn DD_FACTORIALS].
    repeat (apply List.Forall_cons; [pair_ok|]). apply List.Forall_nil.
  - eapply Rle_trans; [exact E|]. unfold u. lra.
  - set (s1 := poly r (firstn 10 (skipn 14 DD_FACTORIALS)) s) in *.
    set (S1 := exact_poly (val r) (firstn 10 (skipn 14 DD_FACTORIALS)) S) in *.
    change (length (firstn 10 (skipn 14 DD_FACTORIALS))) with 10%nat in E1.
    clearbody s1 S1.
    apply head_error; auto; try pair_ok.
    eapply Rle_trans; [exact E1|]. apply Rmult_le_compat_r; [unfold u; lra|]. bound.
Qed.

(** Taylor's polynomial with these coefficients, by the derivative. *)
Lemma polynomial_slope : forall t, Rabs t <= 0.34672 ->
  Rabs (horner_slope t (map val DD_FACTORIALS ++ [0]) 0 0 - exp t) <= / 2 ^ 108.
Proof.
  intros t Ht. cbv [horner_slope val map fst snd app DD_FACTORIALS].
  interval with (Tactic.i_prec 140%positive, Tactic.i_taylor t, Tactic.i_degree 27%nat).
Qed.

Theorem series_error : forall r, Rabs r <= 0.34672 ->
  Rabs (polynomial r - (exp r - 1)) <= / 2 ^ 108 * Rabs r.
Proof.
  intros r Hr.
  set (P := fun t => horner_exact t (map val DD_FACTORIALS ++ [0]) 0).
  assert (HP : forall t, P t = polynomial t).
  { intros t. unfold P, polynomial.
    assert (A : forall cs s, horner_exact t (cs ++ [0]) s = horner_exact t cs s * t + 0).
    { intros. unfold horner_exact. now rewrite fold_left_app. }
    rewrite A. apply Rplus_0_r. }
  pose (h := fun t => P t - (exp t - 1)).
  assert (H0 : h 0 = 0).
  { unfold h. rewrite HP. unfold polynomial. rewrite exp_0. ring. }
  replace (polynomial r - (exp r - 1)) with (h r - h 0) by (rewrite H0; unfold h; rewrite HP; ring).
  replace (Rabs r) with (Rabs (r - 0)) by (f_equal; ring).
  apply bounded_variation with (dh := fun t =>
    horner_slope t (map val DD_FACTORIALS ++ [0]) 0 0 - exp t).
  intros t Ht. rewrite 2!Rminus_0_r in Ht. split.
  - assert (D := horner_derive (map val DD_FACTORIALS ++ [0]) (fun _ => 0) 0 t
      (is_derive_const 0 t)).
    cbv beta in D. change (is_derive P t (horner_slope t (map val DD_FACTORIALS ++ [0]) 0 0)) in D.
    unfold h. set (d := horner_slope _ _ _ _) in *. clearbody d P.
    auto_derive; [repeat split; now eexists; apply D|].
    replace (Derive (fun x => P x) t) with d by (symmetry; now apply is_derive_unique). ring.
  - apply polynomial_slope. lra.
Qed.

(** ** The reduction x - k ln 2 *)

(** A double-double number: the first word is the float64 nearest to the sum. *)
Definition double_word (x : dd) : Prop :=
  format (fst x) /\ format (snd x) /\ fst x = rnd (val x).

Lemma low_word : forall x, double_word x -> Rabs (snd x) <= 1.001 * u * Rabs (fst x).
Proof.
  intros x (F1 & F2 & E). pose proof (rnd_plus _ _ F1 F2) as P. fold (val x) in P.
  rewrite <- E in P. unfold val in P.
  replace (fst x - (fst x + snd x)) with (- snd x) in P by ring. rewrite Rabs_Ropp in P.
  pose proof (Rabs_triang (fst x) (snd x)). pose proof (Rabs_pos (fst x)). unfold u in *. lra.
Qed.

(** Math.round *)
Definition nearest (v : R) : Z := Zfloor (v + / 2).

Lemma nearest_close : forall v, Rabs (v - IZR (nearest v)) <= / 2.
Proof.
  intros v. unfold nearest. pose proof (Zfloor_lb (v + / 2)). pose proof (Zfloor_ub (v + / 2)).
  apply Rabs_le. lra.
Qed.

Definition add_ln2 (x : dd) (k : Z) : dd :=
  add_number (add_number (add_number x (rnd (IZR k * LN2_FIRST))) (rnd (IZR k * LN2_SECOND)))
    (rnd (IZR k * LN2_THIRD)).

Lemma integer_bound : forall k K, (- K <= k <= K)%Z -> Rabs (IZR k) <= IZR K.
Proof. intros k K H. rewrite <- abs_IZR. apply IZR_le. lia. Qed.

Lemma multiple_exact : forall k m j, (-1200 <= k <= 1200)%Z -> (Z.abs m <= 2 ^ 40)%Z ->
  (j <= 1074)%nat -> rnd (IZR k * (IZR m / 2 ^ j)) = IZR k * (IZR m / 2 ^ j).
Proof.
  intros k m j Hk Hm Hj. apply rnd_format.
  replace (IZR k * (IZR m / 2 ^ j)) with (IZR (k * m) / 2 ^ j)
    by (rewrite mult_IZR; unfold Rdiv; ring).
  apply format_dyadic; [|exact Hj]. rewrite Z.abs_mul. nia.
Qed.

Lemma first_exact : forall k, (-1200 <= k <= 1200)%Z ->
  rnd (IZR k * LN2_FIRST) = IZR k * LN2_FIRST.
Proof. intros. apply multiple_exact; (assumption || lia). Qed.

Lemma second_exact : forall k, (-1200 <= k <= 1200)%Z ->
  rnd (IZR k * LN2_SECOND) = IZR k * LN2_SECOND.
Proof. intros. apply multiple_exact; (assumption || lia). Qed.

Lemma fast_two_sum_zero : forall v, format v -> val (fast_two_sum 0 v) = v.
Proof.
  intros v F. unfold val, fast_two_sum. cbv zeta. cbn [fst snd].
  rewrite Rplus_0_l, (rnd_format v F), Rminus_0_r, (rnd_format v F).
  rewrite Rminus_diag_eq by reflexivity. rewrite round_0 by typeclasses eauto. ring.
Qed.

(** The first step is exact: the first words cancel without error, and what is left of them is zero
    or not less than the second. *)
Lemma first_step : forall x k, double_word x -> Rabs (fst x) <= 800 -> (-1200 <= k <= 1200)%Z ->
  Rabs (val x + IZR k * LN2_FIRST) <= 0.34659 ->
  val (add_number x (IZR k * LN2_FIRST)) = val x + IZR k * LN2_FIRST /\
  ok (add_number x (IZR k * LN2_FIRST)) 0.3466.
Proof.
  intros x k W HX Hk HR. pose proof (low_word x W) as L. destruct W as (F1 & F2 & E).
  assert (Fb : format (IZR k * LN2_FIRST)) by (rewrite <- first_exact by lia; apply format_rnd).
  assert (EX : rnd (fst x + IZR k * LN2_FIRST) = fst x + IZR k * LN2_FIRST /\
    (fst x + IZR k * LN2_FIRST = 0 \/ Rabs (snd x) <= Rabs (fst x + IZR k * LN2_FIRST))).
  { destruct (Z.eq_dec k 0) as [-> | Nk].
    - rewrite Rmult_0_l, Rplus_0_r. split; [now apply rnd_format|]. right.
      pose proof (Rabs_pos (fst x)). unfold u in L. lra.
    - assert (K : 0.69 <= Rabs (IZR k * LN2_FIRST)).
      { rewrite Rabs_mult. apply Rle_trans with (1 * 0.69); [lra|].
        apply Rmult_le_compat; try lra.
        - rewrite <- abs_IZR. apply (IZR_le 1). lia.
        - unfold LN2_FIRST. bound. }
      assert (X : / 4 <= Rabs (fst x)).
      { assert (Rabs (IZR k * LN2_FIRST) <= Rabs (val x + IZR k * LN2_FIRST) + Rabs (val x)).
        { rewrite <- (Rabs_Ropp (val x)).
          replace (IZR k * LN2_FIRST) with (val x + IZR k * LN2_FIRST + - val x) at 1 by ring.
          apply Rabs_triang. }
        pose proof (Rabs_triang (fst x) (snd x)) as T. fold (val x) in T. unfold u in L. lra. }
      assert (S : Rabs (fst x + IZR k * LN2_FIRST) < / 2).
      { replace (fst x + IZR k * LN2_FIRST) with (val x + IZR k * LN2_FIRST - snd x)
          by (unfold val; ring).
        eapply Rle_lt_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold u in L. lra. }
      split.
      + destruct (on_grid (-2) (fst x) F1 X) as [m Hm]. change (-2 - 52)%Z with (-54)%Z in Hm.
        apply rnd_format.
        assert (G : fst x + IZR k * LN2_FIRST
          = IZR (m + k * 762123384785 * 2 ^ 14) * pow2 (-54)).
        { rewrite Hm at 1. rewrite plus_IZR, 2!mult_IZR. unfold LN2_FIRST. simpl. lra. }
        rewrite G. apply grid_format; [lia|]. rewrite <- G. simpl. lra.
      + set (c := cexp radix2 fexp (fst x)).
        assert (Hc : (c <= -43)%Z).
        { unfold c, cexp, FLT_exp. apply Z.max_lub; [|lia].
          assert (mag radix2 (fst x) <= 10)%Z; [|lia].
          apply mag_le_bpow; [intros Z0; rewrite Z0, Rabs_R0 in X; lra|]. simpl. lra. }
        assert (N0 : fst x <> 0) by (intros Z0; rewrite Z0, Rabs_R0 in X; lra).
        assert (HL : Rabs (snd x) <= pow2 c).
        { assert (H : Rabs (rnd (val x) - val x) <= / 2 * ulp radix2 fexp (rnd (val x)))
            by (apply error_le_half_ulp_round; typeclasses eauto).
          rewrite <- E in H. rewrite ulp_neq_0 in H by exact N0. fold c in H.
          replace (fst x - val x) with (- snd x) in H by (unfold val; ring).
          rewrite Rabs_Ropp in H. pose proof (bpow_gt_0 radix2 c). lra. }
        assert (G : fst x + IZR k * LN2_FIRST
          = IZR (Ztrunc (scaled_mantissa radix2 fexp (fst x)) + k * 762123384785 * 2 ^ (-40 - c))
            * pow2 c).
        { rewrite plus_IZR, Rmult_plus_distr_r. f_equal.
          - rewrite F1 at 1. reflexivity.
          - rewrite 2!mult_IZR. change 2%Z with (radix_val radix2).
            rewrite IZR_Zpower by lia. rewrite 2!Rmult_assoc, <- bpow_plus.
            replace (-40 - c + c)%Z with (-40)%Z by ring. unfold LN2_FIRST. simpl. lra. }
        rewrite G. set (n := (_ + _)%Z). destruct (Z.eq_dec n 0) as [-> | Nn].
        * left. apply Rmult_0_l.
        * right. eapply Rle_trans; [exact HL|]. rewrite Rabs_mult.
          rewrite (Rabs_pos_eq (pow2 c)) by apply bpow_ge_0.
          assert (1 <= Rabs (IZR n)) by (rewrite <- abs_IZR; apply (IZR_le 1); lia).
          pose proof (bpow_gt_0 radix2 c). nra. }
  destruct EX as [EX FC]. unfold add_number. cbv zeta.
  assert (T : fst (two_sum (fst x) (IZR k * LN2_FIRST)) = fst x + IZR k * LN2_FIRST) by exact EX.
  assert (T0 : snd (two_sum (fst x) (IZR k * LN2_FIRST)) = 0).
  { pose proof (two_sum_exact _ _ F1 Fb) as V. unfold val in V. lra. }
  rewrite T, T0, Rplus_0_r, (rnd_format (snd x) F2).
  set (b := IZR k * LN2_FIRST) in *. clearbody b.
  assert (Fs : format (fst x + b)) by (rewrite <- EX; apply format_rnd).
  assert (V : val (fast_two_sum (fst x + b) (snd x)) = val x + b).
  { replace (val x + b) with (fst x + b + snd x) by (unfold val; ring). destruct FC as [Z0 | FC].
    - rewrite Z0, Rplus_0_l. now apply fast_two_sum_zero.
    - now apply fast_two_sum_exact. }
  split; [exact V|].
  assert (F : fst (fast_two_sum (fst x + b) (snd x)) = rnd (fst x + b + snd x)) by reflexivity.
  pose proof (rnd_plus _ _ Fs F2) as P. rewrite <- F in P.
  replace (fst x + b + snd x) with (val x + b) in P by (unfold val; ring).
  assert (F3 : format (fst (fast_two_sum (fst x + b) (snd x)))) by apply format_rnd.
  assert (F4 : format (snd (fast_two_sum (fst x + b) (snd x)))) by apply format_rnd.
  set (y := fast_two_sum (fst x + b) (snd x)) in *. clearbody y.
  unfold val at 1 in V. repeat apply conj; auto.
  - replace (fst y) with ((fst y - (val x + b)) + (val x + b)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
  - replace (snd y) with (- (fst y - (val x + b))) by lra. rewrite Rabs_Ropp. unfold u in *. lra.
Qed.

Lemma reduction_error : forall x k, double_word x -> Rabs (fst x) <= 800 ->
  (-1100 <= k <= 1100)%Z -> Rabs (val x + IZR k * ln 2) <= 0.34658 ->
  Rabs (val (add_ln2 x k) - (val x + IZR k * ln 2)) <= 4.21 * (u * u) /\
  ok (add_ln2 x k) 0.3467.
Proof.
  intros x k W HX Hk HR. unfold add_ln2. pose proof tiny_bound as T.
  rewrite first_exact, second_exact by lia.
  pose proof (integer_bound k 1100 Hk) as KR.
  assert (L1 : Rabs (IZR k * (ln 2 - LN2_FIRST)) <= 1100 * 7.5e-13).
  { apply abs_product; [exact KR|]. unfold LN2_FIRST. bound. }
  assert (L2 : Rabs (IZR k * LN2_SECOND) <= 1100 * 7.4e-13).
  { apply abs_product; [exact KR|]. unfold LN2_SECOND. bound. }
  assert (L3 : Rabs (IZR k * LN2_THIRD) <= 1100 * 5.9e-25).
  { apply abs_product; [exact KR|]. unfold LN2_THIRD. bound. }
  assert (L : Rabs (IZR k * (LN2_FIRST + LN2_SECOND + LN2_THIRD - ln 2)) <= 1100 * / 2 ^ 130).
  { apply abs_product; [exact KR|]. unfold LN2_FIRST, LN2_SECOND, LN2_THIRD.
    interval with (Tactic.i_prec 160%positive). }
  destruct (first_step x k W HX ltac:(lia)) as [E1 O1].
  { replace (val x + IZR k * LN2_FIRST) with
      (val x + IZR k * ln 2 - IZR k * (ln 2 - LN2_FIRST)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  set (y := add_number x _) in *. clearbody y.
  assert (F2 : format (IZR k * LN2_SECOND)) by (rewrite <- second_exact by lia; apply format_rnd).
  assert (T2 : Rabs (fst y + IZR k * LN2_SECOND) <= 0.34661).
  { destruct O1 as (_ & _ & O1 & _). eapply Rle_trans; [apply Rabs_triang|]. lra. }
  destruct (add_number_error _ _ _ _ O1 F2 T2) as [E2 O2].
  assert (O2' := O2 0.34662 ltac:(unfold u; lra)). clear O2.
  set (z := add_number y _) in *. clearbody z.
  pose proof (rnd_rel (IZR k * LN2_THIRD)) as E3.
  set (b := rnd (IZR k * LN2_THIRD)) in *. assert (F3 : format b) by apply format_rnd. clearbody b.
  assert (B : Rabs (b - IZR k * LN2_THIRD) <= / 2 ^ 120) by (unfold u in *; lra). clear E3.
  assert (T3 : Rabs (fst z + b) <= 0.34663).
  { destruct O2' as (_ & _ & O2 & _). eapply Rle_trans; [apply Rabs_triang|].
    replace b with ((b - IZR k * LN2_THIRD) + IZR k * LN2_THIRD) at 1 by ring.
    eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. lra. }
  destruct (add_number_error _ _ _ _ O2' F3 T3) as [E4 O4].
  split; [|apply O4; unfold u; lra].
  set (w := add_number z _) in *. clearbody w.
  rewrite E1 in E2.
  replace (val w - (val x + IZR k * ln 2)) with ((val w - (val z + b))
    + (val z - (val x + IZR k * LN2_FIRST + IZR k * LN2_SECOND)) + (b - IZR k * LN2_THIRD)
    + IZR k * (LN2_FIRST + LN2_SECOND + LN2_THIRD - ln 2)) by ring.
  eapply Rle_trans; [apply abs_sum4|]. unfold u in *. lra.
Qed.

(** ** exp *)

Definition exp_k (x : dd) : Z := nearest (rnd (fst x * LOG2_E)).
Definition mantissa_library (x : dd) : dd := add (1, 0) (expm1_library (add_ln2 x (- exp_k x))).
Definition mantissa_kernel (x : dd) : dd := add_number (expm1_kernel (add_ln2 x (- exp_k x))) 1.

Definition in_range (x : dd) : Prop := double_word x /\ EXP_MIN <= fst x <= EXP_MAX.
Definition reduced (x : dd) : R := val x - IZR (exp_k x) * ln 2.

Lemma exp_k_bounds : forall x, in_range x ->
  (-1075 <= exp_k x <= 1024)%Z /\ Rabs (reduced x) <= 0.34658.
Proof.
  intros x [W [H1 H2]]. pose proof (low_word x W) as L. unfold reduced, exp_k.
  pose proof (nearest_close (rnd (fst x * LOG2_E))) as N.
  pose proof (rnd_rel (fst x * LOG2_E)) as E. set (v := rnd _) in *. clearbody v.
  set (k := nearest v) in *. clearbody k. pose proof tiny_bound as T.
  assert (X : Rabs (fst x) <= 745.14) by (apply Rabs_le; unfold EXP_MIN, EXP_MAX in *; lra).
  assert (XL : Rabs (fst x * LOG2_E) <= 1076).
  { rewrite Rabs_mult. rewrite (Rabs_pos_eq LOG2_E) by (unfold LOG2_E; lra).
    unfold LOG2_E. lra. }
  assert (E' : Rabs (v - fst x * LOG2_E) <= / 2 ^ 42) by (unfold u in *; lra).
  assert (L' : Rabs (snd x) <= / 2 ^ 40) by (unfold u in *; lra).
  unfold val. set (xh := fst x) in *. set (xl := snd x) in *. clearbody xh xl. clear E XL T L W.
  apply Rabs_le_inv in E', X, N.
  split.
  - split.
    + apply Zlt_succ_le, lt_IZR. unfold Z.succ. rewrite plus_IZR.
      unfold EXP_MIN, LOG2_E in *. lra.
    + apply Zlt_succ_le, lt_IZR. unfold Z.succ. rewrite plus_IZR.
      unfold EXP_MAX, LOG2_E in *. lra.
  - assert (G : Rabs (1 - LOG2_E * ln 2) <= / 2 ^ 51) by (unfold LOG2_E; bound).
    assert (L2 : 0.6931 <= ln 2 <= 0.693147181) by (split; bound).
    replace (xh + xl - IZR k * ln 2) with
      (xh * (1 - LOG2_E * ln 2) + ln 2 * (xh * LOG2_E - IZR k) + xl) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite 2!Rabs_mult.
    apply Rle_trans with (745.14 * / 2 ^ 51 + 0.693147181 * (/ 2 + / 2 ^ 42) + / 2 ^ 40); [|lra].
    apply Rplus_le_compat; [|exact L'].
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos.
    + apply Rabs_le; lra.
    + rewrite Rabs_pos_eq; lra.
    + apply Rabs_le; lra.
Qed.

Lemma ok_number : forall a, format a -> ok (a, 0) (Rabs a).
Proof.
  intros a F. repeat apply conj; cbn [fst snd]; auto with real.
  - apply generic_format_0.
  - rewrite Rabs_R0. pose proof (Rabs_pos a). unfold u. lra.
Qed.

(** From e^r - 1 to the number that is scaled, either way. *)
Lemma mantissa_error : forall x e m, in_range x ->
  (forall r, ok r 0.3467 -> Rabs (val (e r) - polynomial (val r)) <= 11.7 * (u * u) /\
    ok (e r) 0.415) ->
  (forall y, ok y 0.415 -> Rabs (val (m y) - (1 + val y)) <= 14.44 * (u * u) /\ ok (m y) 1.4151) ->
  Rabs (val (m (e (add_ln2 x (- exp_k x)))) - exp (reduced x))
    <= 41.5 * (u * u) * exp (reduced x) /\
  ok (m (e (add_ln2 x (- exp_k x)))) 1.4151.
Proof.
  intros x e m Hx He Hm. destruct (exp_k_bounds x Hx) as [K B]. destruct Hx as [W HR].
  assert (HX : Rabs (fst x) <= 800) by (apply Rabs_le; unfold EXP_MIN, EXP_MAX in *; lra).
  destruct (reduction_error x (- exp_k x) W HX ltac:(lia)) as [E O].
  { rewrite opp_IZR. replace (val x + - IZR (exp_k x) * ln 2) with (reduced x)
      by (unfold reduced; ring). exact B. }
  rewrite opp_IZR in E. replace (val x + - IZR (exp_k x) * ln 2) with (reduced x) in E
    by (unfold reduced; ring).
  destruct (He _ O) as [E1 O1]. destruct (Hm _ O1) as [E2 O2]. split; [|exact O2].
  clear Hm He O1 O2.
  set (r := add_ln2 x _) in *. clearbody r. set (rho := reduced x) in *. clearbody rho.
  set (y := e r) in *. clearbody y. set (z := m y) in *. clearbody z. clear HX W HR K.
  assert (R : Rabs (val r) <= 0.34672).
  { destruct O as (_ & _ & R1 & R2). unfold val. eapply Rle_trans; [apply Rabs_triang|].
    unfold u in *. lra. }
  pose proof (series_error _ R) as S.
  assert (C : Rabs (exp (val r) - exp rho) <= 4.22 * (u * u) * exp rho).
  { replace (exp (val r) - exp rho) with ((exp (val r - rho) - 1) * exp rho)
      by (unfold Rminus at 1; rewrite Rmult_plus_distr_r, <- exp_plus;
          replace (val r - rho + rho) with (val r) by ring; ring).
    rewrite Rabs_mult, (Rabs_pos_eq (exp rho)) by apply Rlt_le, exp_pos.
    apply Rmult_le_compat_r; [apply Rlt_le, exp_pos|].
    eapply Rle_trans; [apply exp_near_0|]; unfold u in *; lra. }
  assert (P : 0.7069 <= exp rho) by bound.
  set (t := exp rho) in *. clearbody t. set (v := exp (val r)) in *. clearbody v.
  replace (val z - t) with ((val z - (1 + val y)) + (val y - polynomial (val r))
    + (polynomial (val r) - (v - 1)) + (v - t)) by ring.
  eapply Rle_trans; [apply abs_sum4|].
  assert (S' : Rabs (polynomial (val r) - (v - 1)) <= 0.09 * (u * u)) by (unfold u; lra).
  clear S. unfold u in *. lra.
Qed.

Lemma library_mantissa : forall x, in_range x ->
  Rabs (val (mantissa_library x) - exp (reduced x)) <= 41.5 * (u * u) * exp (reduced x) /\
  ok (mantissa_library x) 1.4151.
Proof.
  intros x Hx. unfold mantissa_library.
  apply (mantissa_error x expm1_library (add (1, 0)) Hx library_error). intros y Hy.
  pose proof (ok_number 1 format_1) as O1. rewrite Rabs_R1 in O1.
  destruct (add_error _ _ _ _ O1 Hy) as [E O]. split; [|apply O; unfold u; lra].
  unfold val at 2 in E. cbn [fst snd] in E. rewrite Rplus_0_r in E.
  eapply Rle_trans; [exact E|]. unfold u. lra.
Qed.

Lemma kernel_mantissa : forall x, in_range x ->
  Rabs (val (mantissa_kernel x) - exp (reduced x)) <= 41.5 * (u * u) * exp (reduced x) /\
  ok (mantissa_kernel x) 1.4151.
Proof.
  intros x Hx. unfold mantissa_kernel.
  apply (mantissa_error x expm1_kernel (fun y => add_number y 1) Hx kernel_error). intros y Hy.
  assert (T : Rabs (fst y + 1) <= 1.41501).
  { destruct Hy as (_ & _ & B & _). eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_R1. lra. }
  destruct (add_number_error _ _ _ _ Hy format_1 T) as [E O].
  split; [|apply O; unfold u; lra]. rewrite (Rplus_comm 1).
  eapply Rle_trans; [exact E|]. unfold u. lra.
Qed.

(** ** The scaling by 2^k *)

Lemma shift_error : forall y n, format y -> Rabs (rnd (y * pow2 n) - y * pow2 n) <= tiny.
Proof.
  intros y n F. pose proof tiny_bound as T.
  destruct (Rle_lt_dec (Rabs (y * pow2 n)) (pow2 (-1021))) as [L | G].
  - eapply Rle_trans; [apply (rnd_binade (-1021) _ _ eq_refl ltac:(lia) L)|].
    right. unfold tiny. change (-1021)%Z with (54 + -1075)%Z. rewrite bpow_plus. unfold u.
    simpl (pow2 54). change (Z.pow_pos 2 54) with 18014398509481984%Z. lra.
  - rewrite rnd_format; [rewrite Rminus_diag_eq, Rabs_R0 by reflexivity; lra|].
    apply mult_bpow_exact_FLT; [exact F|].
    assert (N : y <> 0) by (intros ->; rewrite Rmult_0_l, Rabs_R0 in G;
      pose proof (bpow_gt_0 radix2 (-1021)); lra).
    pose proof (mag_ge_bpow radix2 (y * pow2 n) (-1020)) as M.
    change (-1020 - 1)%Z with (-1021)%Z in M. specialize (M (Rlt_le _ _ G)).
    rewrite mag_mult_bpow in M by exact N. lia.
Qed.

Lemma shift_up : forall y n, format y -> (0 <= n)%Z -> rnd (y * pow2 n) = y * pow2 n.
Proof. intros y n F H. apply rnd_format. now apply mult_bpow_pos_exact_FLT. Qed.

Lemma two_shifts : forall y a b, format y -> (0 <= a)%Z \/ (b <= 0)%Z ->
  Rabs (rnd (rnd (y * pow2 a) * pow2 b) - y * pow2 (a + b)) <= 2 * tiny.
Proof.
  intros y a b F H. pose proof tiny_bound as T. rewrite bpow_plus, <- Rmult_assoc.
  pose proof (shift_error y a F) as E1.
  pose proof (shift_error (rnd (y * pow2 a)) b (format_rnd _)) as E2.
  destruct H as [H | H].
  - rewrite (shift_up y a F H) in *. lra.
  - set (p := rnd (y * pow2 a)) in *. set (q := y * pow2 a) in *. clearbody p q.
    replace (rnd (p * pow2 b) - q * pow2 b) with ((rnd (p * pow2 b) - p * pow2 b)
      + (p - q) * pow2 b) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    assert (B : pow2 b <= 1) by (change 1 with (pow2 0); now apply bpow_le).
    pose proof (bpow_ge_0 radix2 b) as B0.
    pose proof (abs_product (p - q) tiny (pow2 b) 1 E1 ltac:(rewrite Rabs_pos_eq; lra)). lra.
Qed.

Definition clamp (k : Z) : Z := Z.max (-1000) (Z.min 1000 k).
Definition scale_word (y : R) (k : Z) : R :=
  let first := clamp k in
  let second := clamp (k - first) in
  rnd (rnd (rnd (y * pow2 first) * pow2 second) * pow2 (k - first - second)).
Definition scale (x : dd) (k : Z) : dd :=
  fast_two_sum (scale_word (fst x) k) (scale_word (snd x) k).

Lemma scale_word_error : forall y k, format y -> (-2000 <= k <= 2000)%Z ->
  Rabs (scale_word y k - y * pow2 k) <= 2 * tiny.
Proof.
  intros y k F Hk. unfold scale_word, clamp. cbv zeta.
  set (first := Z.max (-1000) (Z.min 1000 k)).
  assert (S : Z.max (-1000) (Z.min 1000 (k - first)) = (k - first)%Z) by (unfold first; lia).
  rewrite S. replace (k - first - (k - first))%Z with 0%Z by ring.
  rewrite (shift_up _ 0 (format_rnd _)) by lia. change (pow2 0) with 1. rewrite Rmult_1_r.
  replace (pow2 k) with (pow2 (first + (k - first))) by (f_equal; ring).
  apply two_shifts; [exact F|]. unfold first. lia.
Qed.

Lemma scale_error : forall x k A, format (fst x) -> format (snd x) -> (-2000 <= k <= 2000)%Z ->
  Rabs (fst x * pow2 k) <= A -> Rabs (snd x * pow2 k) <= 1.02 * u * A ->
  Rabs (val (scale x k) - val x * pow2 k) <= 3.03 * (u * u) * A + 6 * tiny /\
  ok (scale x k) (1.0001 * A + 8 * tiny).
Proof.
  intros x k A F1 F2 Hk A1 A2. unfold scale.
  pose proof (scale_word_error _ k F1 Hk) as S1. pose proof (scale_word_error _ k F2 Hk) as S2.
  assert (G1 : format (scale_word (fst x) k)) by apply format_rnd.
  assert (G2 : format (scale_word (snd x) k)) by apply format_rnd.
  set (a := scale_word (fst x) k) in *. set (b := scale_word (snd x) k) in *. clearbody a b.
  pose proof tiny_bound as [T _]. pose proof (Rabs_pos (fst x * pow2 k)) as PA.
  unfold val at 2. rewrite Rmult_plus_distr_r.
  set (p := fst x * pow2 k) in *. set (q := snd x * pow2 k) in *. clearbody p q.
  assert (B : Rabs b <= 1.02 * u * A + 2 * tiny).
  { replace b with ((b - q) + q) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
  assert (C : Rabs (a + b) <= A * (1 + 2 * u) + 4 * tiny).
  { replace (a + b) with ((a - p) + p + b) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  destruct (fast_error _ _ _ _ G1 G2 C B) as (K1 & K2 & K3 & K4 & K5).
  set (y := fast_two_sum a b) in *. clearbody y. split.
  - replace (val y - (p + q)) with ((val y - (a + b)) + (a - p) + (b - q)) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra.
  - repeat apply conj; try assumption.
    + replace (fst y) with ((fst y - (a + b)) + (a + b)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
    + eapply Rle_trans; [exact K4|]. unfold u in *. lra.
Qed.

(** The library scales and adds the words up again; the kernels scale each by two halves of k. *)
Definition exp_library (x : dd) : dd := scale (mantissa_library x) (exp_k x).
Definition half_shifts (y : R) (k : Z) : R :=
  let half := Z.div k 2 in rnd (rnd (y * pow2 half) * pow2 (k - half)).
Definition exp_kernel (x : dd) : dd :=
  let y := mantissa_kernel x in
  (half_shifts (fst y) (exp_k x), half_shifts (snd y) (exp_k x)).

Lemma exp_split_pair : forall x, exp (val x) = exp (reduced x) * pow2 (exp_k x).
Proof. intros x. apply exp_split. Qed.

Lemma scaled_error : forall x m M, in_range x ->
  Rabs (val m - exp (reduced x)) <= 41.5 * (u * u) * exp (reduced x) ->
  Rabs (M - val m * pow2 (exp_k x)) <= 4.3 * (u * u) * pow2 (exp_k x) + 6 * tiny ->
  Rabs (M - exp (val x)) <= / 2 ^ 100 * exp (val x) + 6 * tiny.
Proof.
  intros x m M Hx E S. rewrite exp_split_pair. destruct (exp_k_bounds x Hx) as [_ B].
  assert (P : 0.7069 <= exp (reduced x)).
  { clear - B. set (rho := reduced x) in *. clearbody rho. bound. }
  pose proof (bpow_gt_0 radix2 (exp_k x)) as Q.
  set (p := pow2 (exp_k x)) in *. clearbody p. set (t := exp (reduced x)) in *. clearbody t.
  assert (E' : Rabs ((val m - t) * p) <= 41.5 * (u * u) * (t * p)).
  { rewrite Rabs_mult, (Rabs_pos_eq p) by lra. rewrite <- Rmult_assoc.
    apply Rmult_le_compat_r; lra. }
  assert (P' : 0.7069 * p <= t * p) by (apply Rmult_le_compat_r; lra).
  replace (M - t * p) with ((M - val m * p) + (val m - t) * p) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. clear E. unfold u in *. lra.
Qed.

Lemma exp_library_truth : forall x, in_range x ->
  Rabs (val (exp_library x) - exp (val x)) <= / 2 ^ 100 * exp (val x) + 6 * tiny /\
  ok (exp_library x) (1.4153 * pow2 (exp_k x) + 8 * tiny).
Proof.
  intros x Hx. destruct (library_mantissa x Hx) as [E O]. destruct (exp_k_bounds x Hx) as [K _].
  destruct O as (F1 & F2 & B1 & B2). pose proof (bpow_gt_0 radix2 (exp_k x)) as P.
  destruct (scale_error _ (exp_k x) (1.4151 * pow2 (exp_k x)) F1 F2 ltac:(lia)) as [S O].
  - rewrite Rabs_mult, (Rabs_pos_eq (pow2 _)) by lra. apply Rmult_le_compat_r; lra.
  - rewrite Rabs_mult, (Rabs_pos_eq (pow2 _)) by lra. rewrite <- Rmult_assoc.
    apply Rmult_le_compat_r; lra.
  - split.
    + apply (scaled_error x (mantissa_library x)); [exact Hx | exact E|]. unfold exp_library.
      clear - S P. unfold u in *. lra.
    + destruct O as (O1 & O2 & O3 & O4). unfold exp_library. repeat apply conj; auto; [lra|].
      clear - O4 P. unfold u in *. lra.
Qed.

Lemma exp_kernel_truth : forall x, in_range x ->
  Rabs (val (exp_kernel x) - exp (val x)) <= / 2 ^ 100 * exp (val x) + 6 * tiny.
Proof.
  intros x Hx. destruct (kernel_mantissa x Hx) as [E O]. destruct (exp_k_bounds x Hx) as [K _].
  apply (scaled_error x (mantissa_kernel x)); [exact Hx | exact E|].
  destruct O as (F1 & F2 & _ & _). unfold exp_kernel. cbv zeta. unfold val at 1. cbn [fst snd].
  set (m := mantissa_kernel x) in *. clearbody m. clear E. set (k := exp_k x) in *. clearbody k.
  assert (S : forall y, format y -> Rabs (half_shifts y k - y * pow2 k) <= 2 * tiny).
  { intros y F. unfold half_shifts. cbv zeta.
    replace (pow2 k) with (pow2 (k / 2 + (k - k / 2))) by (f_equal; ring).
    apply two_shifts; [exact F|]. pose proof (Z.div_mod k 2). pose proof (Z.mod_pos_bound k 2).
    lia. }
  pose proof (S _ F1) as S1. pose proof (S _ F2) as S2. clear S.
  pose proof (bpow_gt_0 radix2 k) as P. pose proof tiny_bound as [T _].
  unfold val. rewrite Rmult_plus_distr_r.
  replace (half_shifts (fst m) k + half_shifts (snd m) k - (fst m * pow2 k + snd m * pow2 k))
    with ((half_shifts (fst m) k - fst m * pow2 k)
      + (half_shifts (snd m) k - snd m * pow2 k)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. unfold u. lra.
Qed.

(** The bounds as the library states them: relative to what was computed. *)
Lemma tiny_stated : 8 * tiny <= DD_tiny.
Proof.
  unfold tiny, DD_tiny. change (-1075)%Z with (-15 + -1060)%Z. rewrite bpow_plus.
  replace (/ 2 ^ 1060) with (pow2 (-1060)).
  - pose proof (bpow_gt_0 radix2 (-1060)). simpl (pow2 (-15)). lra.
  - change (-1060)%Z with (- (1060))%Z. rewrite bpow_opp. f_equal.
    change 2 with (IZR radix2). rewrite (bpow_powerRZ radix2 1060). reflexivity.
Qed.

Lemma stated : forall v t, Rabs (v - t) <= / 2 ^ 100 * t + 6 * tiny -> 0 <= t ->
  Rabs (v - t) <= DD_exp * Rabs v + DD_tiny.
Proof.
  intros v t H P. pose proof tiny_stated as T. pose proof tiny_bound as [T0 _].
  assert (Q : t <= Rabs v + Rabs (v - t)).
  { rewrite <- (Rabs_pos_eq t) at 1 by exact P. rewrite (Rabs_minus_sym v).
    replace t with (v + (t - v)) at 1 by ring. apply Rabs_triang. }
  pose proof (Rabs_pos v). unfold DD_exp. lra.
Qed.

Theorem exp_library_error : forall x, double_word x -> EXP_MIN <= fst x <= EXP_MAX ->
  Rabs (val (exp_library x) - exp (val x)) <= DD_exp * Rabs (val (exp_library x)) + DD_tiny.
Proof.
  intros x W H. apply stated; [now apply exp_library_truth | apply Rlt_le, exp_pos].
Qed.

Theorem exp_kernel_error : forall x, double_word x -> KERNEL_EXP_MIN <= fst x <= KERNEL_EXP_MAX ->
  Rabs (val (exp_kernel x) - exp (val x)) <= DD_exp * Rabs (val (exp_kernel x)) + DD_tiny.
Proof.
  intros x W H. apply stated; [|apply Rlt_le, exp_pos]. apply exp_kernel_truth. split; [exact W|].
  unfold KERNEL_EXP_MIN, KERNEL_EXP_MAX in H. unfold EXP_MIN, EXP_MAX. lra.
Qed.

(** Below the range both return 0. *)
Theorem exp_below_pair : forall x, double_word x -> fst x < EXP_MIN -> exp (val x) <= DD_tiny.
Proof.
  intros x (F1 & F2 & E) H. apply Rlt_le, Rlt_le_trans with (2 := tiny_stated).
  apply Rlt_le_trans with tiny; [|pose proof tiny_bound; lra].
  apply exp_below. change Constants.EXP_MIN with EXP_MIN. apply Rnot_le_lt. intros N.
  apply Rlt_not_le in H. apply H. rewrite E.
  apply round_ge_generic; try typeclasses eauto; [|exact N]. unfold EXP_MIN. constant.
Qed.

(** ** log: one step of Newton's from the float64 logarithm *)

Definition log_e (x : dd) : Z := nearest (rnd (log_float (fst x) * LOG2_E)).
Definition log_rest (f : dd) (y : R) : dd := add_number (mul f (exp_library (- y, 0))) (-1).
Definition log_series (z : R) : R := rnd (rnd (z * z) * rnd (rnd (z / 3) - / 2)).
Definition log_fraction (f : dd) : dd :=
  let y := log_float (fst f) in
  let z := log_rest f y in
  add_number (add_number z (log_series (fst z))) y.
Definition log_library (x : dd) : dd :=
  add_ln2 (log_fraction (scale x (- log_e x))) (log_e x).

Lemma log_float_format : forall x, format (log_float x).
Proof. intros x. unfold log_float. destruct (split_near_1 x). apply format_rnd. Qed.

Lemma exp_second_order : forall d, Rabs d <= / 2 ^ 50 -> Rabs (exp d - 1 - d) <= 1.001 * (d * d).
Proof.
  intros d Hd. apply Rabs_le_inv in Hd. pose proof (exp_ineq1_le d) as L.
  pose proof (exp_ineq1_le (- d)) as G. rewrite exp_Ropp in G. pose proof (exp_pos d) as P.
  assert (Q : exp d * (1 - d) <= 1).
  { replace 1 with (exp d * / exp d) at 2 by (field; lra). apply Rmult_le_compat_l; lra. }
  apply Rabs_le. split; [nra|].
  assert (U : exp d * (1 - d) <= (1 + d + d * d * 1.001) * (1 - d)).
  { eapply Rle_trans; [exact Q|]. assert (0 <= d * d * (0.001 - 1.001 * d)); [|lra].
    apply Rmult_le_pos; [nra | lra]. }
  apply Rmult_le_reg_r in U; lra.
Qed.

(** The exponential of -y, near one. *)
Lemma exp_small : forall y, format y -> Rabs y <= 0.348 ->
  Rabs (val (exp_library (- y, 0)) - exp (- y)) <= 64.1 * (u * u) * exp (- y) /\
  ok (exp_library (- y, 0)) 2.84.
Proof.
  intros y F H. pose proof tiny_bound as T.
  assert (V : val (- y, 0) = - y) by (unfold val; cbn [fst snd]; ring).
  assert (R : in_range (- y, 0)).
  { split; [|cbn [fst]; apply Rabs_le_inv in H; unfold EXP_MIN, EXP_MAX; lra].
    repeat apply conj; cbn [fst snd].
    - now apply format_opp.
    - apply generic_format_0.
    - rewrite V. symmetry. apply rnd_format. now apply format_opp. }
  destruct (exp_library_truth _ R) as [E O]. rewrite V in E.
  assert (B : 0.7 <= exp (- y)) by bound. split.
  - set (t := exp (- y)) in *. clearbody t. unfold u. lra.
  - assert (K : pow2 (exp_k (- y, 0)) <= 2).
    { change 2 with (pow2 1). apply bpow_le. unfold exp_k. cbn [fst].
      pose proof (nearest_close (rnd (- y * LOG2_E))) as N.
      pose proof (rnd_rel (- y * LOG2_E)) as D.
      assert (M : Rabs (- y * LOG2_E) <= 0.503).
      { rewrite Rabs_mult, Rabs_Ropp, (Rabs_pos_eq LOG2_E) by (unfold LOG2_E; lra).
        unfold LOG2_E. lra. }
      set (v := rnd _) in *. clearbody v. set (k := nearest v) in *. clearbody k.
      apply Zlt_succ_le, lt_IZR. unfold Z.succ. rewrite plus_IZR.
      set (w := - y * LOG2_E) in *. clearbody w.
      assert (D' : Rabs (v - w) <= 0.001) by (unfold u in *; lra).
      apply Rabs_le_inv in D', N, M. lra. }
    destruct O as (O1 & O2 & O3 & O4).
    repeat apply conj; auto; [|unfold u in *]; lra.
Qed.

Lemma series_small : forall z, Rabs z <= 4 * u -> Rabs (log_series z) <= 8.2 * (u * u).
Proof.
  intros z H. unfold log_series. pose proof tiny_bound as T.
  pose proof (abs_product _ _ _ _ H H) as Z2.
  pose proof (rnd_rel (z * z)) as E1. set (a := rnd (z * z)) in *. clearbody a.
  pose proof (rnd_rel (z / 3)) as E2. set (b := rnd (z / 3)) in *.
  assert (Fb : format b) by apply format_rnd. clearbody b.
  assert (Z3 : Rabs (z / 3) <= 1.34 * u).
  { unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ 3)) by lra. unfold u in *. lra. }
  assert (B : Rabs b <= 1.4 * u).
  { replace b with ((b - z / 3) + z / 3) by ring. eapply Rle_trans; [apply Rabs_triang|].
    unfold u in *. lra. }
  assert (A : Rabs a <= 16.001 * (u * u)).
  { replace a with ((a - z * z) + z * z) by ring. eapply Rle_trans; [apply Rabs_triang|].
    unfold u in *. lra. }
  pose proof (rnd_rel (b - / 2)) as E3. set (c := rnd (b - / 2)) in *. clearbody c.
  assert (B2 : Rabs (b - / 2) <= 0.5001)
    by (apply Rabs_le_inv in B; apply Rabs_le; unfold u in *; lra).
  assert (C : Rabs c <= 0.5002).
  { replace c with ((c - (b - / 2)) + (b - / 2)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    unfold u in *. lra. }
  pose proof (abs_product _ _ _ _ A C) as P. pose proof (rnd_rel (a * c)) as E4.
  set (p := a * c) in *. clearbody p.
  replace (rnd p) with ((rnd p - p) + p) by ring. eapply Rle_trans; [apply Rabs_triang|].
  unfold u in *. lra.
Qed.

(** F is what the pair f stands for, to a few units; its logarithm to 160 u². *)
Lemma log_fraction_pair : forall f F, ok f 1.4148 -> 0.7069 <= F <= 1.4145 ->
  Rabs (val f - F) <= 4.3 * (u * u) ->
  Rabs (val (log_fraction f) - ln F) <= 160 * (u * u) /\ ok (log_fraction f) 0.3475.
Proof.
  intros f F O HF E. pose proof tiny_bound as T. unfold log_fraction. cbv zeta.
  destruct O as (F1 & F2 & B1 & B2).
  assert (D : Rabs (fst f - F) <= 1.45 * u).
  { replace (fst f - F) with ((val f - F) - snd f) by (unfold val; ring).
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold u in *. lra. }
  assert (H : 0.7068 <= fst f <= 1.4146) by (apply Rabs_le_inv in D; unfold u in *; lra).
  assert (LN : Rabs (ln (fst f)) <= 0.34705).
  { clear - H. set (h := fst f) in *. clearbody h. apply Rabs_le; split; bound. }
  pose proof (log_error (fst f) F1 ltac:(split; [lra|]; apply Rlt_le_trans with (pow2 1);
    [simpl; lra | apply bpow_le; lia])) as LE.
  pose proof (log_float_format (fst f)) as Fy.
  set (y := log_float (fst f)) in *. clearbody y.
  (* ln F - y *)
  set (q := (F - fst f) / fst f).
  assert (Q : Rabs q <= 2.06 * u).
  { unfold q, Rdiv. rewrite Rabs_mult, Rabs_minus_sym, (Rabs_pos_eq (/ fst f))
      by (apply Rlt_le, Rinv_0_lt_compat; lra).
    assert (/ fst f <= / 0.7068) by (apply Rinv_le; lra).
    assert (0 <= / fst f) by (apply Rlt_le, Rinv_0_lt_compat; lra).
    apply Rle_trans with (1.45 * u * / 0.7068); [|unfold u; lra].
    apply Rmult_le_compat; auto using Rabs_pos. }
  assert (LQ : ln F = ln (fst f) + ln (1 + q)).
  { rewrite <- ln_mult by (try lra; apply Rabs_le_inv in Q; unfold u in *; lra).
    f_equal. unfold q. field. lra. }
  assert (LQ2 : Rabs (ln (1 + q)) <= 2.07 * u).
  { assert (X : forall w, Rabs w <= 2.06 * u -> ln (1 + w) <= w).
    { intros w Hw. apply Rabs_le_inv in Hw. rewrite <- (ln_exp w) at 2.
      apply Rcomplements.ln_le; [unfold u in *; lra | apply exp_ineq1_le]. }
    pose proof (X q Q) as U. apply Rabs_le. split; [|apply Rabs_le_inv in Q; lra].
    apply Rabs_le_inv in Q.
    assert (G : exp (- (2.07 * u)) <= 1 + q).
    { pose proof (exp_ineq1_le (2.07 * u)) as G. rewrite exp_Ropp.
      apply Rle_trans with (/ (1 + 2.07 * u)).
      - apply Rinv_le; [unfold u; lra | exact G].
      - apply Rle_trans with (1 - 2.065 * u); [unfold u; lra | unfold u in *; lra]. }
    rewrite <- (ln_exp (- (2.07 * u))). apply Rcomplements.ln_le; [apply exp_pos | exact G]. }
  set (d := ln F - y).
  assert (Hd : Rabs d <= 3.9 * u).
  { unfold d. rewrite LQ. replace (ln (fst f) + ln (1 + q) - y) with
      (- (y - ln (fst f)) + ln (1 + q)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold u in *. lra. }
  assert (BY : Rabs y <= 0.34706).
  { replace y with ((y - ln (fst f)) + ln (fst f)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  assert (FY : F * exp (- y) = exp d).
  { unfold d, Rminus. rewrite exp_plus, exp_ln by lra. reflexivity. }
  assert (H50 : Rabs d <= / 2 ^ 50) by (unfold u in *; lra).
  pose proof (exp_second_order d H50) as SO. pose proof (exp_near_0 d H50) as NZ.
  assert (D2 : 0 <= d * d <= 15.22 * (u * u)).
  { split; [nra|]. pose proof (abs_product _ _ _ _ Hd Hd) as DD.
    rewrite Rabs_pos_eq in DD by nra. unfold u in *. lra. }
  replace (ln F) with (y + d) by (unfold d; ring).
  clearbody d. clear LQ LQ2 Q q LE LN.
  (* z *)
  destruct (exp_small y Fy ltac:(lra)) as [E1 O1].
  assert (EB : 0.7 <= exp (- y) <= 1.4151) by (clear - BY; split; bound).
  unfold log_rest. set (g := exp_library (- y, 0)) in *. clearbody g.
  set (t := exp (- y)) in *. clearbody t.
  destruct (mul_pair_error f g 1.4148 2.84 (conj F1 (conj F2 (conj B1 B2))) O1) as [E2 O2].
  assert (O3 := O2 4.0181 ltac:(unfold u; lra)). clear O2.
  set (p := mul f g) in *. clearbody p.
  assert (BG : Rabs (val g) <= 1.4152).
  { replace (val g) with ((val g - t) + t) by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_pos_eq t) by lra. unfold u in *. lra. }
  assert (E3 : Rabs (val p - exp d) <= 125 * (u * u)).
  { pose proof (abs_product _ _ _ _ E BG) as P1.
    assert (P2 : Rabs (F * (val g - t)) <= 64.2 * (u * u)).
    { rewrite Rabs_mult, (Rabs_pos_eq F) by lra.
      apply Rle_trans with (F * (64.1 * (u * u) * t)); [apply Rmult_le_compat_l; lra|].
      replace (F * (64.1 * (u * u) * t)) with (64.1 * (u * u) * (F * t)) by ring.
      rewrite FY. apply Rabs_le_inv in NZ, H50. unfold u in *.
      assert (exp d <= 1.001) by (pose proof (abs_le_self d); pose proof (Rabs_pos d); lra). lra. }
    rewrite <- FY. replace (val p - F * t) with ((val p - val f * val g)
      + (val f - F) * val g + F * (val g - t)) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    unfold u in *. lra. }
  assert (FP : Rabs (fst p + -1) <= 8.1 * u).
  { destruct O3 as (_ & _ & _ & O3).
    replace (fst p + -1) with ((val p - exp d) + (exp d - 1) + - snd p) by (unfold val; ring).
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite Rabs_Ropp.
    unfold u in *. lra. }
  destruct (add_number_error p (-1) _ _ O3 (format_opp 1 format_1) FP)
    as [E4 O4].
  assert (O5 := O4 (33 * u) ltac:(unfold u; lra)). clear O4 O3.
  set (z := add_number p (-1)) in *. clearbody z.
  assert (E5 : Rabs (val z - (exp d - 1)) <= 133.3 * (u * u)).
  { replace (val z - (exp d - 1)) with ((val z - (val p + -1)) + (val p - exp d)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  assert (Z : Rabs (fst z) <= 4 * u).
  { destruct O5 as (_ & _ & _ & O5).
    replace (fst z) with ((val z - (exp d - 1)) + (exp d - 1) + - snd z) by (unfold val; ring).
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite Rabs_Ropp.
    unfold u in *. lra. }
  pose proof (series_small _ Z) as S. assert (Fs : format (log_series (fst z))) by apply format_rnd.
  set (s := log_series (fst z)) in *. clearbody s.
  assert (T1 : Rabs (fst z + s) <= 4.01 * u).
  { eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  destruct (add_number_error z s _ _ O5 Fs T1) as [E6 O6].
  assert (O7 := O6 (5 * u) ltac:(unfold u; lra)). clear O6.
  set (w := add_number z s) in *. clearbody w.
  assert (T2 : Rabs (fst w + y) <= 0.34707).
  { destruct O7 as (_ & _ & O7 & _). eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  destruct (add_number_error w y _ _ O7 Fy T2) as [E8 O8].
  split; [|apply O8; unfold u; lra]. clear O8.
  set (v := add_number w y) in *. clearbody v. clear - E5 S E6 E8 SO D2.
  replace (val v - (y + d)) with ((val v - (val w + y)) + (val w - (val z + s))
    + (val z - (exp d - 1)) + (s + (exp d - 1 - d))) by ring.
  eapply Rle_trans; [apply abs_sum4|].
  pose proof (Rabs_triang s (exp d - 1 - d)). unfold u in *. lra.
Qed.

Lemma log_e_bounds : forall x, format x -> 0 < x < pow2 1024 ->
  let e := nearest (rnd (log_float x * LOG2_E)) in
  (-1100 <= e <= 1100)%Z /\ Rabs (ln x - IZR e * ln 2) <= 0.34658.
Proof.
  intros x F H e. pose proof (log_error x F H) as LE.
  assert (L2 : 0.6931 <= ln 2 <= 0.693147181) by (split; bound).
  assert (B : Rabs (ln x) <= 745).
  { assert (X : pow2 (-1074) <= x).
    { apply generic_format_ge_bpow with (fexp := fexp); [|easy|exact F].
      intros n. unfold FLT_exp. lia. }
    assert (LB : forall n, ln (pow2 n) = IZR n * ln 2).
    { intros n. rewrite bpow_exp, ln_exp. reflexivity. }
    assert (U : ln x <= ln (pow2 1024)) by (apply Rcomplements.ln_le; lra).
    assert (D : ln (pow2 (-1074)) <= ln x)
      by (apply Rcomplements.ln_le; [apply bpow_gt_0 | exact X]).
    rewrite LB in U, D. apply Rabs_le. lra. }
  pose proof (nearest_close (rnd (log_float x * LOG2_E))) as N. fold e in N.
  set (l := log_float x) in *. clearbody l.
  pose proof (rnd_rel (l * LOG2_E)) as E. set (v := rnd _) in *. clearbody v. clearbody e.
  set (t := ln x) in *. clearbody t. clear F H x. pose proof tiny_bound as T.
  assert (D : Rabs (l - t) <= / 2 ^ 40) by (unfold u in *; lra).
  assert (G : Rabs (1 - LOG2_E * ln 2) <= / 2 ^ 51) by (unfold LOG2_E; bound).
  assert (P : LOG2_E = 3248660424278399 / 2 ^ 51) by reflexivity.
  assert (LB : Rabs (l * LOG2_E) <= 1076).
  { rewrite Rabs_mult, (Rabs_pos_eq LOG2_E) by lra.
    assert (Rabs l <= 745.1).
    { replace l with ((l - t) + t) by ring. eapply Rle_trans; [apply Rabs_triang|]. lra. }
    rewrite P. lra. }
  assert (E' : Rabs (v - l * LOG2_E) <= / 2 ^ 42) by (unfold u in *; lra).
  assert (D' : Rabs (t * LOG2_E - IZR e) <= / 2 + / 2 ^ 38).
  { replace (t * LOG2_E - IZR e)
      with (- ((l - t) * LOG2_E) + - (v - l * LOG2_E) + (v - IZR e)) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
    rewrite 2!Rabs_Ropp, Rabs_mult, (Rabs_pos_eq LOG2_E) by lra. rewrite P in *. lra. }
  split.
  - assert (I : Rabs (IZR e) <= 1080).
    { replace (IZR e) with (- (v - IZR e) + (v - l * LOG2_E) + l * LOG2_E) by ring.
      eapply Rle_trans; [apply Rabs_triang|].
      eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite Rabs_Ropp. lra. }
    apply Rabs_le_inv in I. split; apply le_IZR; lra.
  - replace (t - IZR e * ln 2) with (t * (1 - LOG2_E * ln 2) + ln 2 * (t * LOG2_E - IZR e)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite 2!Rabs_mult.
    apply Rle_trans with (745 * / 2 ^ 51 + 0.693147181 * (/ 2 + / 2 ^ 38)); [|lra].
    apply Rplus_le_compat; apply Rmult_le_compat; auto using Rabs_pos.
    rewrite Rabs_pos_eq; lra.
Qed.

(** The three words of ln 2 added to the logarithm of the fraction, wherever that is. *)
Lemma add_ln2_error : forall w e L, ok w 0.3475 -> (-1100 <= e <= 1100)%Z ->
  Rabs (val w + IZR e * ln 2) <= L -> / 2 <= L <= 800 ->
  Rabs (val (add_ln2 w e) - (val w + IZR e * ln 2)) <= (1 + 16.2 * L) * (u * u).
Proof.
  intros w e L O He HL HL'. unfold add_ln2. pose proof tiny_bound as T.
  rewrite first_exact, second_exact by lia. pose proof (integer_bound e 1100 He) as KR.
  assert (L1 : Rabs (IZR e * (ln 2 - LN2_FIRST)) <= 1100 * 7.5e-13).
  { apply abs_product; [exact KR|]. unfold LN2_FIRST. bound. }
  assert (L2 : Rabs (IZR e * LN2_SECOND) <= 1100 * 7.4e-13).
  { apply abs_product; [exact KR|]. unfold LN2_SECOND. bound. }
  assert (L3 : Rabs (IZR e * LN2_THIRD) <= 1100 * 5.9e-25).
  { apply abs_product; [exact KR|]. unfold LN2_THIRD. bound. }
  assert (LL : Rabs (IZR e * (LN2_FIRST + LN2_SECOND + LN2_THIRD - ln 2)) <= 1100 * / 2 ^ 130).
  { apply abs_product; [exact KR|]. unfold LN2_FIRST, LN2_SECOND, LN2_THIRD.
    interval with (Tactic.i_prec 160%positive). }
  assert (F1 : format (IZR e * LN2_FIRST)) by (rewrite <- first_exact by lia; apply format_rnd).
  assert (F2 : format (IZR e * LN2_SECOND)) by (rewrite <- second_exact by lia; apply format_rnd).
  assert (T1 : Rabs (fst w + IZR e * LN2_FIRST) <= L + 1e-8).
  { destruct O as (_ & _ & _ & O).
    replace (fst w + IZR e * LN2_FIRST) with ((val w + IZR e * ln 2) + - snd w
      + - (IZR e * (ln 2 - LN2_FIRST))) by (unfold val; ring).
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. rewrite 2!Rabs_Ropp.
    unfold u in *. lra. }
  destruct (add_number_error _ _ _ _ O F1 T1) as [E1 O1].
  assert (O1' := O1 (L + 2e-8) ltac:(unfold u; lra)). clear O1.
  set (x := add_number w _) in *. clearbody x.
  assert (T2 : Rabs (fst x + IZR e * LN2_SECOND) <= L + 1e-6).
  { destruct O1' as (_ & _ & O1 & _). eapply Rle_trans; [apply Rabs_triang|]. lra. }
  destruct (add_number_error _ _ _ _ O1' F2 T2) as [E2 O2].
  assert (O2' := O2 (L + 2e-6) ltac:(unfold u; lra)). clear O2.
  set (y := add_number x _) in *. clearbody y.
  pose proof (rnd_rel (IZR e * LN2_THIRD)) as E3.
  set (b := rnd (IZR e * LN2_THIRD)) in *. assert (F3 : format b) by apply format_rnd. clearbody b.
  assert (B : Rabs (b - IZR e * LN2_THIRD) <= / 2 ^ 120) by (unfold u in *; lra). clear E3.
  assert (T3 : Rabs (fst y + b) <= L + 3e-6).
  { destruct O2' as (_ & _ & O2 & _). eapply Rle_trans; [apply Rabs_triang|].
    replace b with ((b - IZR e * LN2_THIRD) + IZR e * LN2_THIRD) at 1 by ring.
    eapply Rle_trans; [apply Rplus_le_compat_l, Rabs_triang|]. lra. }
  destruct (add_number_error _ _ _ _ O2' F3 T3) as [E4 _].
  set (z := add_number y b) in *. clearbody z.
  replace (val z - (val w + IZR e * ln 2)) with ((val z - (val y + b))
    + (val y - (val x + IZR e * LN2_SECOND)) + (val x - (val w + IZR e * LN2_FIRST))
    + ((b - IZR e * LN2_THIRD) + IZR e * (LN2_FIRST + LN2_SECOND + LN2_THIRD - ln 2))) by ring.
  eapply Rle_trans; [apply abs_sum4|].
  pose proof (Rabs_triang (b - IZR e * LN2_THIRD)
    (IZR e * (LN2_FIRST + LN2_SECOND + LN2_THIRD - ln 2))).
  unfold u in *. lra.
Qed.

(** Every finite double-double number above zero. *)
Theorem log_library_error : forall x, double_word x -> 0 < fst x < pow2 1024 ->
  0 < val x /\
  Rabs (val (log_library x) - ln (val x))
    <= DD_log * Rabs (val (log_library x)) + DD_logAbsolute.
Proof.
  intros x W H. pose proof (low_word x W) as LW. rewrite (Rabs_pos_eq (fst x)) in LW by lra.
  destruct W as (F1 & F2 & _). destruct (log_e_bounds (fst x) F1 H) as [He HL].
  pose proof tiny_bound as T. unfold log_library, log_e. set (e := nearest _) in *. clearbody e.
  assert (PX : 0 < val x).
  { unfold val. apply Rabs_le_inv in LW. unfold u in *. lra. }
  split; [exact PX|].
  set (F := val x * pow2 (- e)).
  assert (PP : 0 < pow2 (- e)) by apply bpow_gt_0.
  assert (PE : pow2 (- e) = exp (- (IZR e * ln 2))).
  { rewrite bpow_exp. f_equal. change (ln (IZR radix2)) with (ln 2). rewrite opp_IZR. ring. }
  assert (G : fst x * pow2 (- e) = exp (ln (fst x) - IZR e * ln 2)).
  { rewrite PE. unfold Rminus. rewrite exp_plus, exp_ln by lra. reflexivity. }
  assert (B : 0.70705 <= fst x * pow2 (- e) <= 1.41424).
  { rewrite G. set (t := ln (fst x) - IZR e * ln 2) in *. clear - HL. clearbody t. split; bound. }
  assert (B2 : Rabs (snd x * pow2 (- e)) <= 1.02 * u * 1.4144).
  { rewrite Rabs_mult, (Rabs_pos_eq (pow2 _)) by lra.
    apply Rle_trans with (1.001 * u * fst x * pow2 (- e)); [apply Rmult_le_compat_r; lra|].
    rewrite Rmult_assoc. unfold u. lra. }
  destruct (scale_error x (- e) 1.4144 F1 F2 ltac:(lia) ltac:(rewrite Rabs_pos_eq; lra) B2)
    as [E O]. fold F in E.
  assert (BF : 0.7069 <= F <= 1.4145).
  { unfold F, val. rewrite Rmult_plus_distr_r. apply Rabs_le_inv in B2. unfold u in *. lra. }
  assert (O' : ok (scale x (- e)) 1.4148).
  { destruct O as (O1 & O2 & O3 & O4). repeat apply conj; auto; [lra|]. unfold u in *. lra. }
  assert (E' : Rabs (val (scale x (- e)) - F) <= 4.3 * (u * u)) by (unfold u in *; lra).
  destruct (log_fraction_pair _ F O' BF E') as [E1 O1].
  set (w := log_fraction _) in *. clearbody w.
  assert (LF : ln (val x) = ln F + IZR e * ln 2).
  { unfold F. rewrite ln_mult, PE, ln_exp by lra. ring. }
  assert (L2 : 0.6931 <= ln 2 <= 0.693147181) by (split; bound).
  assert (IE : Rabs (IZR e * ln 2) <= 762.5).
  { pose proof (integer_bound e 1100 He) as KR. rewrite Rabs_mult, (Rabs_pos_eq (ln 2)) by lra.
    apply Rle_trans with (1100 * 0.693147181); [|lra].
    apply Rmult_le_compat; auto using Rabs_pos; lra. }
  set (M := Rabs (ln (val x)) + / 2).
  assert (HW : Rabs (val w + IZR e * ln 2) <= M).
  { replace (val w + IZR e * ln 2) with ((val w - ln F) + ln (val x)) by (rewrite LF; ring).
    eapply Rle_trans; [apply Rabs_triang|]. unfold M, u in *. lra. }
  assert (LFB : Rabs (ln F) <= 0.35).
  { clear - BF. apply Rabs_le; split; bound. }
  assert (HM : / 2 <= M <= 800).
  { unfold M. split; [pose proof (Rabs_pos (ln (val x))); lra|]. rewrite LF.
    pose proof (Rabs_triang (ln F) (IZR e * ln 2)). lra. }
  pose proof (add_ln2_error w e M O1 He HW HM) as E2.
  set (v := add_ln2 w e) in *. clearbody v.
  assert (E3 : Rabs (val v - ln (val x)) <= (161 + 16.2 * M) * (u * u)).
  { replace (val v - ln (val x)) with ((val v - (val w + IZR e * ln 2)) + (val w - ln F))
      by (rewrite LF; ring).
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  set (t := ln (val x)) in *. clearbody t.
  assert (Q : Rabs t <= Rabs (val v) + Rabs (val v - t)).
  { replace t with (val v + - (val v - t)) at 1 by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (N : (161 + 16.2 * M) * (u * u) <= 16.001 * (u * u) * Rabs t + 330 * (u * u)).
  { unfold M in *. unfold u. lra. }
  unfold DD_log, DD_logAbsolute. unfold M, u in *. pose proof (Rabs_pos (val v)). lra.
Qed.
