(** * ExpAccuracy: what exponentials of a difference cost, fused or not, in base e or 2

    Purpose. The budgets of AttentionModel.v, [leaf_budget] and [rescales], derived from what WGSL
    allows: exp and exp2 within (3 + 2|x|) ULP of their argument x, and one ULP is at most 2u relative.

    Main results. x = s - m, of either sign; results below the smallest normal number may be flushed (eta).
    - [exp_natural]   exp (fl (s - m)): (6 + 9|x|) u
    - [exp_base2]     exp2 (fl (fl (s - m) * fl (log2 e))): (6 + 9|x|) u
    - [exp_fused]     exp2 of s c - m c, c = fl (log2 e), fused or with both products rounded:
                      leaf_budget, (8 + 9|x|) u + (1 + 8u)(|s| + |m|) u, however large s and m are

    Dependencies. Growth.v, DotModel.v; Kernels.v for log2 e by Coq-Interval. *)

From Coq Require Import Reals Lra.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel DotModel AttentionModel.
Open Scope R_scope.

(** An exponential of base e^b within (3 + 2|x|) ULP: WGSL's exp (b = 1) and exp2 (b = ln 2). It is
    never negative; rounding or flushing it near zero changes it by eta at most, and by no more than
    there is (to nearest: 0 or at most twice the number; truncated or flushed: less). *)
Definition wgsl_exp (u eta b x y : R) : Prop :=
  exists f e, Rabs (f - 1) <= (3 + 2 * Rabs x) * (2 * u) /\ 0 <= f /\ Rabs e <= eta /\
    Rabs e <= exp (b * x) * f /\ y = exp (b * x) * f + e.

Definition log2e : R := / ln 2.

Lemma log2e_bounds : 1 < log2e <= 1.4427.
Proof. unfold log2e. split; Kernels.bound. Qed.

Lemma near_mul : forall a b p q, Rabs (a - 1) <= p -> Rabs (b - 1) <= q ->
  Rabs (a * b - 1) <= p + q + p * q.
Proof.
  intros a b p q P Q. replace (a * b - 1) with ((a - 1) * (b - 1) + ((a - 1) + (b - 1))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  pose proof (Rmult_le_compat _ _ _ _ (Rabs_pos _) (Rabs_pos _) P Q).
  pose proof (Rabs_triang (a - 1) (b - 1)). lra.
Qed.

(** Two roundings. *)
Lemma near_two : forall u a b, 0 <= u <= 1 / 1024 -> Rabs a <= u -> Rabs b <= u ->
  Rabs ((1 + a) * (1 + b) - 1) <= 2.001 * u.
Proof.
  intros u a b U A B. eapply Rle_trans; [apply (near_mul _ _ u u)|].
  - replace (1 + a - 1) with a by ring. exact A.
  - replace (1 + b - 1) with b by ring. exact B.
  - assert (u * u <= 1 / 1024 * u) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** A rounded argument a of true value x, both as natural exponents. *)
Lemma exp_argument : forall u eta budget b a x y,
  Rabs (b * a - x) + (3 + 2 * Rabs a) * (2 * u) <= budget -> wgsl_exp u eta b a y ->
  exponential budget eta (exp x) y.
Proof.
  intros u eta budget b a x y B (f & e & F & F0 & E & EF & ->).
  assert (Ex : exp (b * a) = exp x * exp (b * a - x)) by (rewrite <- exp_plus; f_equal; ring).
  exists (exp (b * a - x) * f), e. rewrite Ex in *. split; [|split; [|split; [exact E|]]].
  - eapply factor_weaken; [exact B|]. apply factor_mul; [apply factor_exp|].
    replace f with (1 + (f - 1)) by ring. apply factor_round, F.
  - apply Rmult_le_pos; [left; apply exp_pos | exact F0].
  - rewrite <- Rmult_assoc. split; [exact EF | reflexivity].
Qed.

Theorem exp_natural : forall u eta s m a y, 0 <= u <= 1 / 1024 -> 0 <= eta ->
  rounds u 0 (s - m) a -> wgsl_exp u eta 1 a y ->
  exponential ((6 + 9 * Rabs (s - m)) * u) eta (exp (s - m)) y.
Proof.
  intros u eta s m a y U H R W. unfold rounds in R. rewrite Rplus_0_r in R. set (x := s - m) in *.
  eapply exp_argument; [| exact W]. rewrite Rmult_1_l.
  pose proof (Rabs_pos x). assert (Rabs a <= Rabs x + u * Rabs x).
  { pose proof (Rabs_triang (a - x) x) as A. replace (a - x + x) with a in A by ring. lra. }
  assert (u * Rabs x <= 1 / 1024 * Rabs x) by (apply Rmult_le_compat_r; lra).
  assert (Rabs a * u <= (Rabs x + 1 / 1024 * Rabs x) * u) by (apply Rmult_le_compat_r; lra).
  assert (0 <= Rabs x * u) by (apply Rmult_le_pos; lra). lra.
Qed.

Theorem exp_base2 : forall u eta s m c d a y, 0 <= u <= 1 / 1024 -> 0 <= eta ->
  rounds u 0 log2e c -> rounds u 0 (s - m) d -> rounds u 0 (d * c) a -> wgsl_exp u eta (ln 2) a y ->
  exponential ((6 + 9 * Rabs (s - m)) * u) eta (exp (s - m)) y.
Proof.
  intros u eta s m c d a y U H Rc Rd Ra W. set (x := s - m) in *.
  destruct (rounds_split _ _ _ _ (proj1 U) (Rle_refl 0) Rc) as (d1 & e1 & D1 & E1 & ->).
  destruct (rounds_split _ _ _ _ (proj1 U) (Rle_refl 0) Rd) as (d2 & e2 & D2 & E2 & ->).
  destruct (rounds_split _ _ _ _ (proj1 U) (Rle_refl 0) Ra) as (d3 & e3 & D3 & E3 & ->).
  assert (Z : forall e, Rabs e <= 0 -> e = 0).
  { intros e Q. destruct (Req_dec e 0) as [|N]; [assumption|]. pose proof (Rabs_pos_lt e N). lra. }
  apply Z in E1, E2, E3. subst. rewrite !Rplus_0_r in *.
  set (f := (1 + d2) * ((1 + d1) * (1 + d3))).
  replace ((x * (1 + d2)) * (log2e * (1 + d1)) * (1 + d3)) with (log2e * (x * f)) in *
    by (unfold f; ring).
  eapply exp_argument; [| exact W].
  assert (L2 : ln 2 * log2e = 1) by (unfold log2e; field; pose proof ln_lt_2; lra).
  replace (ln 2 * (log2e * (x * f)) - x) with (x * (f - 1)) by (rewrite <- Rmult_assoc, L2; ring).
  assert (F : Rabs (f - 1) <= 3.01 * u).
  { unfold f. eapply Rle_trans; [apply (near_mul _ _ u (2.001 * u))|].
    - replace (1 + d2 - 1) with d2 by ring. exact D2.
    - now apply near_two.
    - assert (u * (2.001 * u) <= 1 / 1024 * (2.001 * u)) by (apply Rmult_le_compat_r; lra). lra. }
  assert (Fa : Rabs f <= 1.003).
  { pose proof (Rabs_triang (f - 1) 1) as A. replace (f - 1 + 1) with f in A by ring.
    rewrite Rabs_R1 in A. lra. }
  rewrite !Rabs_mult, (Rabs_pos_eq log2e) by (pose proof log2e_bounds; lra).
  pose proof (Rabs_pos x) as X. pose proof log2e_bounds as B.
  assert (Rabs x * Rabs f <= Rabs x * 1.003) by (apply Rmult_le_compat_l; lra).
  assert (0 <= Rabs x * Rabs f) by (apply Rmult_le_pos; [lra | apply Rabs_pos]).
  assert (log2e * (Rabs x * Rabs f) <= 1.4427 * (Rabs x * 1.003)) by (apply Rmult_le_compat; lra).
  assert (Rabs x * Rabs (f - 1) <= Rabs x * (3.01 * u)) by (apply Rmult_le_compat_l; lra).
  assert (log2e * (Rabs x * Rabs f) * u <= 1.4427 * (Rabs x * 1.003) * u) by (apply Rmult_le_compat_r; lra).
  assert (0 <= Rabs x * u) by (apply Rmult_le_pos; lra). lra.
Qed.

(** In base 2 with s c and m c: fma (s, c, - fl (m c)) has d1 = 0. *)
Theorem exp_fused : forall u eta s m c d1 d2 a y, 0 <= u <= 1 / 1024 -> 0 <= eta ->
  Rabs d1 <= u -> Rabs d2 <= u -> rounds u 0 log2e c ->
  rounds u 0 (s * c * (1 + d1) - m * c * (1 + d2)) a -> wgsl_exp u eta (ln 2) a y ->
  exponential (leaf_budget u s m) eta (exp (s - m)) y.
Proof.
  intros u eta s m c d1 d2 a y U H D1 D2 Rc Ra W. unfold leaf_budget.
  rewrite (Rabs_minus_sym m s). set (x := s - m) in *.
  destruct (rounds_split _ _ _ _ (proj1 U) (Rle_refl 0) Rc) as (d3 & e3 & D3 & E3 & ->).
  destruct (rounds_split _ _ _ _ (proj1 U) (Rle_refl 0) Ra) as (d4 & e4 & D4 & E4 & ->).
  assert (Z : forall e, Rabs e <= 0 -> e = 0).
  { intros e Q. destruct (Req_dec e 0) as [|N]; [assumption|]. pose proof (Rabs_pos_lt e N). lra. }
  apply Z in E3, E4. subst. rewrite !Rplus_0_r in *.
  set (g := (1 + d3) * (1 + d4)). set (w := s * d1 - m * d2).
  replace ((s * (log2e * (1 + d3)) * (1 + d1) - m * (log2e * (1 + d3)) * (1 + d2)) * (1 + d4))
    with (log2e * ((x + w) * g)) in * by (unfold g, w, x; ring).
  eapply exp_argument; [| exact W].
  assert (L2 : ln 2 * log2e = 1) by (unfold log2e; field; pose proof ln_lt_2; lra).
  replace (ln 2 * (log2e * ((x + w) * g)) - x) with (x * (g - 1) + w * g)
    by (rewrite <- Rmult_assoc, L2; ring).
  set (z := (Rabs s + Rabs m) * u) in *.
  assert (Hw : Rabs w <= z).
  { unfold w, z, Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, !Rabs_mult.
    pose proof (Rmult_le_compat_l _ _ _ (Rabs_pos s) D1). pose proof (Rmult_le_compat_l _ _ _ (Rabs_pos m) D2). lra. }
  assert (G : Rabs (g - 1) <= 2.001 * u) by now apply near_two.
  assert (Ga : Rabs g <= 1 + 2.001 * u).
  { pose proof (Rabs_triang (g - 1) 1) as A. replace (g - 1 + 1) with g in A by ring.
    rewrite Rabs_R1 in A. lra. }
  pose proof (Rabs_pos x) as X. pose proof (Rabs_pos w) as W0. pose proof log2e_bounds as B.
  assert (Arg : Rabs (x * (g - 1) + w * g) <= Rabs x * (2.001 * u) + z * (1 + 2.001 * u)).
  { eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
    apply Rplus_le_compat; apply Rmult_le_compat; try apply Rabs_pos; lra. }
  assert (Abs : Rabs (log2e * ((x + w) * g)) <= 1.4427 * ((Rabs x + z) * (1 + 2.001 * u))).
  { rewrite !Rabs_mult, (Rabs_pos_eq log2e) by lra. pose proof (Rabs_triang x w).
    apply Rmult_le_compat; [lra | apply Rmult_le_pos; apply Rabs_pos | lra |].
    apply Rmult_le_compat; try apply Rabs_pos; lra. }
  assert (Z0 : 0 <= z) by lra.
  assert (0 <= Rabs x * u) by (apply Rmult_le_pos; lra).
  assert (Abs' : Rabs (log2e * ((x + w) * g)) * u <= 1.4456 * (Rabs x * u) + 1.4456 * (z * u)).
  { apply Rle_trans with (1.4427 * ((Rabs x + z) * (1 + 2.001 * u)) * u); [apply Rmult_le_compat_r; lra|].
    assert (0 <= z * u) by (apply Rmult_le_pos; lra).
    assert ((Rabs x * u + z * u) * (1 + 2.001 * u) <= (Rabs x * u + z * u) * 1.002)
      by (apply Rmult_le_compat_l; lra). lra. }
  assert (0 <= z * u) by (apply Rmult_le_pos; lra).
  replace ((8 + 8 * Rabs x) * u + ((1 + 8 * u) * (Rabs s + Rabs m) + 7 / 8 * Rabs x) * u)
    with (8 * u + 71 / 8 * (Rabs x * u) + z + 8 * (z * u)) by (unfold z; field). lra.
Qed.

(** Two of them as [rescales] asks: relative factor and flush. *)
Lemma rounds_rescales : forall u eta s m a y, 0 <= u <= 1 / 1024 -> 0 <= eta -> s <= m ->
  rounds u 0 (s - m) a -> wgsl_exp u eta 1 a y -> rescales u eta s m y.
Proof.
  intros u eta s m a y U H L R W. unfold rescales.
  rewrite (Rabs_minus_sym m s).
  eapply exp_natural; eassumption.
Qed.
