(** * Growth: products of rounding factors, and what bounds.ts takes for e^T - 1

    Purpose. Lemma Growth of bounds.md. A factor with budget T is a real f with |f - 1| <= e^T - 1.
    One rounding is a factor with budget u; budgets add up under products.

    Main results.
    - [factor_product]      a product of factors 1 + e_k with Sum |e_k| <= T has budget T
    - [factor_inverse]      1 / (1 + e) has budget u / (1 - u), not u: [inverse_needs_more]
    - [growth_bounds]       e^T - 1 <= growth T for every T >= 0
    - [product_growth]      so such a product is within growth T of one
    - [growth_superadditive] growth S + growth T <= growth (S + T): why the reference's own error
                            may be added to the roundoffs

    Dependencies. Kernels.v for e^T - 1 <= T + T^2. *)

From Coq Require Import Reals Lra List.
From Flocq Require Import Core.
From Xattn Require Kernels.
Import ListNotations.
Open Scope R_scope.

(** reference/bounds/lemmas/error-model.ts, growth: [t <= 1 ? t * (1 + t) : exp(t)]. *)
Definition growth (T : R) : R := if Rle_dec T 1 then T * (1 + T) else exp T.

Definition factor (T f : R) : Prop := Rabs (f - 1) <= exp T - 1.

Lemma exp_ge_1 : forall T, 0 <= T -> 1 <= exp T.
Proof. intros T H. pose proof (exp_ineq1_le T). lra. Qed.

Lemma exp_le : forall a b, a <= b -> exp a <= exp b.
Proof. intros a b [H | ->]; [left; apply exp_increasing, H | right; reflexivity]. Qed.

Lemma factor_budget : forall T f, factor T f -> 0 <= T.
Proof.
  intros T f H. unfold factor in H. pose proof (Rabs_pos (f - 1)).
  destruct (Rle_lt_dec 0 T) as [L | L]; [exact L|].
  pose proof (exp_increasing T 0 L). rewrite exp_0 in *. lra.
Qed.

Lemma factor_weaken : forall S T f, S <= T -> factor S f -> factor T f.
Proof. intros S T f L H. unfold factor in *. pose proof (exp_le _ _ L). lra. Qed.

Lemma factor_1 : forall T, 0 <= T -> factor T 1.
Proof.
  intros T H. unfold factor. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity.
  pose proof (exp_ge_1 T H). lra.
Qed.

Lemma factor_abs : forall T f, factor T f -> Rabs f <= exp T.
Proof.
  intros T f H. unfold factor in H. pose proof (Rabs_triang (f - 1) 1) as A.
  replace (f - 1 + 1) with f in A by ring. rewrite Rabs_R1 in A. lra.
Qed.

Lemma factor_mul : forall S T f g, factor S f -> factor T g -> factor (S + T) (f * g).
Proof.
  intros S T f g F G. pose proof (factor_budget _ _ F) as P. pose proof (factor_abs _ _ F) as A.
  unfold factor in *. rewrite exp_plus. pose proof (exp_ge_1 S P) as E.
  replace (f * g - 1) with (f * (g - 1) + (f - 1)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  pose proof (Rabs_pos f). pose proof (Rabs_pos (g - 1)). nra.
Qed.

(** One rounding. *)
Lemma factor_round : forall u d, Rabs d <= u -> factor u (1 + d).
Proof.
  intros u d H. unfold factor. replace (1 + d - 1) with d by ring.
  pose proof (exp_ineq1_le u). lra.
Qed.

(** An error in the argument of an exponential. *)
Lemma factor_exp : forall a, factor (Rabs a) (exp a).
Proof.
  intros a. unfold factor. apply Rabs_le. split.
  - pose proof (exp_ineq1_le a) as L. pose proof (exp_ineq1_le (Rabs a)) as M.
    pose proof (Rle_abs (- a)) as B. rewrite Rabs_Ropp in B. lra.
  - pose proof (exp_le _ _ (Rle_abs a)). lra.
Qed.

Theorem factor_product : forall ds T,
  fold_right (fun d sum => Rabs d + sum) 0 ds <= T ->
  factor T (fold_right (fun d product => (1 + d) * product) 1 ds).
Proof.
  intros ds T H. eapply factor_weaken; [exact H|]. clear H.
  induction ds as [|d ds IH]; simpl; [apply factor_1; lra|].
  apply factor_mul; [apply factor_round; lra | exact IH].
Qed.

Theorem factor_inverse : forall u d, 0 <= u < 1 -> Rabs d <= u -> factor (u / (1 - u)) (/ (1 + d)).
Proof.
  intros u d U D. unfold factor. apply Rabs_le_inv in D.
  replace (/ (1 + d) - 1) with (- d / (1 + d)) by (field; lra).
  eapply Rle_trans; [|apply Rplus_le_compat_r, exp_ineq1_le].
  replace (1 + u / (1 - u) + - (1)) with (u / (1 - u)) by ring.
  unfold Rdiv. rewrite Rabs_mult, Rabs_Ropp.
  assert (/ (1 - u) > 0) by (apply Rinv_0_lt_compat; lra).
  apply Rmult_le_compat; [apply Rabs_pos | apply Rabs_pos | apply Rabs_le; lra |].
  rewrite Rabs_pos_eq by (left; apply Rinv_0_lt_compat; lra). apply Rinv_le_contravar; lra.
Qed.

(** The budget u is too small for a quotient: 1 / (1 - u) exceeds one by more than growth u. *)
Theorem inverse_needs_more : forall u, 0 < u < 1 -> growth u < / (1 - u) - 1.
Proof.
  intros u U. unfold growth. destruct (Rle_dec u 1); [|lra].
  apply Rmult_lt_reg_r with (1 - u); [lra|].
  replace ((/ (1 - u) - 1) * (1 - u)) with u by (field; lra).
  pose proof (Rmult_lt_0_compat _ _ (proj1 U) (Rmult_lt_0_compat _ _ (proj1 U) (proj1 U))). nra.
Qed.

Theorem growth_bounds : forall T, 0 <= T -> exp T - 1 <= growth T.
Proof.
  intros T H. unfold growth. destruct (Rle_dec T 1) as [L | L]; [|lra].
  replace (T * (1 + T)) with (T + T ^ 2) by ring. apply Kernels.growth_small. lra.
Qed.

Lemma growth_pos : forall T, 0 <= T -> 0 <= growth T.
Proof. intros T H. pose proof (growth_bounds T H). pose proof (exp_ge_1 T H). lra. Qed.

Theorem product_growth : forall T f, factor T f -> Rabs (f - 1) <= growth T.
Proof.
  intros T f H. eapply Rle_trans; [exact H | apply growth_bounds]. eapply factor_budget, H.
Qed.

Lemma exp_quarter : forall x, 0 <= x -> 1 + x + x * x / 4 <= exp x.
Proof.
  intros x H. replace x with (x / 2 + x / 2) at 4 by field. rewrite exp_plus.
  pose proof (exp_ineq1_le (x / 2)). nra.
Qed.

Lemma exp_1_lower : 2.7 <= exp 1.
Proof. Kernels.bound. Qed.

Theorem growth_superadditive : forall S T, 0 <= S -> 0 <= T ->
  growth S + growth T <= growth (S + T).
Proof.
  intros S T HS HT. unfold growth.
  assert (one_big : forall s t, 0 <= s <= 1 -> 1 < t -> s * (1 + s) + exp t <= exp (s + t)).
  { intros s t Hs Ht. rewrite exp_plus. pose proof (exp_quarter s (proj1 Hs)).
    pose proof (exp_quarter t ltac:(lra)). nra. }
  destruct (Rle_dec S 1), (Rle_dec T 1), (Rle_dec (S + T) 1); try lra; try nra.
  - replace (exp (S + T)) with (exp 1 * exp (S + T - 1)) by (rewrite <- exp_plus; f_equal; ring).
    pose proof (exp_quarter (S + T - 1) ltac:(lra)) as Q. pose proof (exp_pos (S + T - 1)).
    apply Rle_trans with (S + T + (S + T) * (S + T)); [nra|].
    apply Rle_trans with (2.7 * exp (S + T - 1)); [|apply Rmult_le_compat_r, exp_1_lower; lra].
    assert (X : 1 < S + T <= 2) by lra. set (x := S + T) in *.
    assert (0 <= (x - 1) * (2 - x)) by (apply Rmult_le_pos; lra). nra.
  - apply one_big; lra.
  - rewrite (Rplus_comm S T), Rplus_comm. apply one_big; lra.
  - rewrite exp_plus. pose proof (exp_ineq1_le S). pose proof (exp_ineq1_le T). nra.
Qed.
