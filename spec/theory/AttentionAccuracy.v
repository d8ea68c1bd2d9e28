(** * AttentionAccuracy: what a run of AttentionModel.v loses, in its own computed quantities

    Purpose. A partial (m, l, o) stands for the sums of e^(s j) and e^(s j) c j over its keys, scaled
    by e^-m; a normalised one (L, O) for (1, O) scaled by e^-L. Some keys are called far, any choice of
    them. Each of the others carries a budget that grows by 8 u a join and 10 u for every unit by which
    its maximum has risen, whatever the tree. A far key stands for nothing: all that is shown is how
    much it may contribute, whatever its score's size and error, and that this falls as the maximum
    rises: a quarter of the rise in the exponent, for what an exponential of -10^9 loses is far less.

    Main results.
    - [local_accuracy]    online softmax, split-KV, any blocking on one rank: local_budget, absolute
    - [merged_accuracy]   with normalisation and any binary tree of merges: merged_budget, absolute
    - [leaf_value]        the leaf of the output's sum: P rounded, dropout, times the value

    Underflow and flushes of each operation are counted by [flush] beside the budgets. Asked of the
    formats is ua <= 1/128, ue <= ua, eta <= ua/32; of a key that is not far, that its budget without
    the rise is at most 1/2.

    Dependencies. AttentionModel.v, DotAccuracy.v (e^(1/2) <= 2). *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy AttentionModel.
Import ListNotations.
Open Scope R_scope.

(** ** Approximations with factors and an absolute error for each term *)

Section Near.

Context {A : Type}.

Definition near (js : list A) (t T g : A -> R) (x : R) : Prop :=
  Rabs (x - total t js) <= total (fun j => Rabs (t j) * (exp (T j) - 1) + g j) js.

Lemma near_weaken : forall js t T T' g g' x, (forall j, In j js -> T j <= T' j) ->
  (forall j, In j js -> g j <= g' j) -> near js t T g x -> near js t T' g' x.
Proof.
  intros js t T T' g g' x HT Hg X. unfold near in *. eapply Rle_trans; [exact X|]. apply total_le.
  intros j J. pose proof (exp_le _ _ (HT j J)). specialize (Hg j J).
  assert (Rabs (t j) * (exp (T j) - 1) <= Rabs (t j) * (exp (T' j) - 1))
    by (apply Rmult_le_compat_l; [apply Rabs_pos | lra]). lra.
Qed.

Lemma near_ext : forall js t t' T g x, (forall j, In j js -> t j = t' j) -> near js t T g x ->
  near js t' T g x.
Proof.
  intros js t t' T g x H X. unfold near in *. rewrite (total_ext t' t) by (intros j J; symmetry; auto).
  eapply Rle_trans; [exact X|]. apply Req_le, total_ext. intros j J. rewrite (H j J). reflexivity.
Qed.

Lemma near_perm : forall a b t T g x, Permutation a b -> near a t T g x -> near b t T g x.
Proof. intros a b t T g x P X. unfold near in *. rewrite <- 2(total_perm _ a b P). exact X. Qed.

Lemma near_app : forall a b t T g x y, near a t T g x -> near b t T g y -> near (a ++ b) t T g (x + y).
Proof.
  intros a b t T g x y X Y. unfold near in *. rewrite !total_app.
  replace (x + y - (total t a + total t b)) with ((x - total t a) + (y - total t b)) by ring.
  eapply Rle_trans; [apply Rabs_triang | lra].
Qed.

Lemma near_add : forall js t T g d x e, Rabs e <= total d js -> near js t T g x ->
  near js t T (fun j => g j + d j) (x + e).
Proof.
  intros js t T g d x e E X. unfold near in *.
  replace (x + e - total t js) with ((x - total t js) + e) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  replace (total (fun j => Rabs (t j) * (exp (T j) - 1) + (g j + d j)) js)
    with (total (fun j => (Rabs (t j) * (exp (T j) - 1) + g j) + d j) js) by (apply total_ext; intros; ring).
  rewrite total_plus. lra.
Qed.

Lemma near_scale : forall js t T g c x, 0 <= c -> near js t T g x ->
  near js (fun j => c * t j) T (fun j => c * g j) (c * x).
Proof.
  intros js t T g c x C X. unfold near in *. rewrite total_scale.
  replace (c * x - c * total t js) with (c * (x - total t js)) by ring. rewrite Rabs_mult, (Rabs_pos_eq c C).
  apply Rle_trans with (1 := Rmult_le_compat_l _ _ _ C X). rewrite <- total_scale.
  apply Req_le, total_ext. intros j _. cbv beta. rewrite Rabs_mult, (Rabs_pos_eq c C). ring.
Qed.

Lemma near_mul : forall js t T g S f x, factor S f -> (forall j, In j js -> 0 <= T j) ->
  near js t T g x -> near js t (fun j => T j + S) (fun j => Rabs f * g j) (f * x).
Proof.
  intros js t T g S f x F HT X. pose proof (factor_abs _ _ F) as FA. unfold near, factor in *.
  replace (f * x - total t js) with (f * (x - total t js) + (f - 1) * total t js) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
  pose proof (total_abs t js) as Y. pose proof (Rabs_pos f) as F0.
  apply Rle_trans with (Rabs f * total (fun j => Rabs (t j) * (exp (T j) - 1) + g j) js
    + Rabs (f - 1) * total (fun j => Rabs (t j)) js).
  - apply Rplus_le_compat; apply Rmult_le_compat_l; try assumption; apply Rabs_pos.
  - rewrite <- !total_scale, <- total_plus. apply total_le. intros j J. rewrite exp_plus.
    pose proof (Rabs_pos (t j)) as P. set (a := Rabs (t j)) in *.
    assert (Rabs (f - 1) * a <= (exp S - 1) * a) by (apply Rmult_le_compat_r; assumption).
    pose proof (exp_ge_1 _ (HT j J)).
    assert (Rabs f * (a * (exp (T j) - 1)) <= exp S * (a * (exp (T j) - 1)))
      by (apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | assumption]). lra.
Qed.

Lemma near_abs : forall js t T g x, near js t T g x ->
  Rabs x <= total (fun j => Rabs (t j) * exp (T j) + g j) js.
Proof.
  intros js t T g x X. unfold near in X. pose proof (Rabs_triang (x - total t js) (total t js)) as Y.
  replace (x - total t js + total t js) with x in Y by ring. pose proof (total_abs t js) as Z.
  replace (total (fun j => Rabs (t j) * exp (T j) + g j) js)
    with (total (fun j => (Rabs (t j) * (exp (T j) - 1) + g j) + Rabs (t j)) js)
    by (apply total_ext; intros; ring).
  rewrite total_plus. lra.
Qed.

End Near.

Section Run.

Context {A : Type}.
Variables ua ue eta top beside : R.
Variables s c hp : A -> R.
Variable far : A -> bool.
Hypothesis Hua : 0 <= ua <= 1 / 128.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta <= ua / 32.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hhp : forall j, 0 <= hp j.

(** The coefficients of the keys that are not far. *)
Definition seen (k : A -> R) (j : A) : R := if far j then 0 else k j.

(** The terms of a lane with coefficients k, relative to the maximum m. *)
Notation term m k := (fun j => exp (s j - m) * k j).

(** What is left, at least, of what a far key contributes when its maximum rises by x. *)
Definition decay (x : R) : R := exp (- (x / 4)).

Lemma decay_add : forall x y, decay (x + y) = decay x * decay y.
Proof. intros x y. unfold decay. rewrite <- exp_plus. f_equal. field. Qed.

Lemma decay_le_1 : forall x, 0 <= x -> 0 < decay x <= 1.
Proof.
  intros x X. unfold decay. split; [apply exp_pos|]. rewrite <- exp_0. apply exp_le. lra.
Qed.

Lemma length_pos : forall js : list A, js <> [] -> 1 <= INR (length js).
Proof.
  intros [|j js] H; [congruence|]. simpl length. rewrite S_INR. pose proof (pos_INR (length js)). lra.
Qed.

(** An inexact rescaling, its flush among it, takes an absolute error down. *)
Lemma decay_step : forall x f e, 0 <= x -> Rabs f <= exp ((6 + 9 * x) * ua) -> Rabs e <= eta ->
  Rabs e <= exp (- x) * f ->
  exp (- x) * Rabs f * exp ua + 2 * Rabs e <= exp (8 * ua) * decay x.
Proof.
  intros x f e X F E EF.
  assert (Q : exp (- x) * Rabs f * exp ua <= exp (7 * ua) * exp (- (x / 2))).
  { apply Rle_trans with (exp (- x) * exp ((6 + 9 * x) * ua) * exp ua).
    - apply Rmult_le_compat_r; [left; apply exp_pos|]. apply Rmult_le_compat_l; [left; apply exp_pos | exact F].
    - rewrite <- !exp_plus. apply exp_le. assert (x * ua <= x * (1 / 128)) by (apply Rmult_le_compat_l; lra). lra. }
  assert (E8 : exp (8 * ua) = exp (7 * ua) * exp ua) by (rewrite <- exp_plus; f_equal; ring).
  pose proof (exp_ge_1 (7 * ua) ltac:(lra)) as G7. pose proof (exp_ineq1_le ua) as G1.
  assert (D2 : exp (- (x / 2)) = decay x * decay x) by (unfold decay; rewrite <- exp_plus; f_equal; field).
  pose proof (decay_le_1 x X) as [D0 D1]. rewrite E8.
  set (w := decay x) in *. set (b := exp (7 * ua)) in *.
  destruct (Rle_lt_dec x 8) as [S | B].
  - assert (W : 1 / 9 <= w).
    { unfold w, decay. apply Rle_trans with (exp (- 2)); [|apply exp_le; lra]. Kernels.bound. }
    assert (b * (w * w) <= b * w) by (apply Rmult_le_compat_l; nra). rewrite D2 in Q.
    assert (1 * (w * (exp ua - 1)) <= b * (w * (exp ua - 1))) by (apply Rmult_le_compat_r; nra).
    assert (1 / 9 * ua <= w * (exp ua - 1)) by (apply Rmult_le_compat; lra).
    lra.
  - assert (W : w <= 1 / 7).
    { unfold w, decay. apply Rle_trans with (exp (- 2)); [apply exp_le; lra|]. Kernels.bound. }
    assert (EQ : Rabs e <= exp (- x) * Rabs f * exp ua).
    { eapply Rle_trans; [exact EF|]. rewrite <- (Rmult_1_r (exp (- x) * f)).
      pose proof (exp_pos (- x)). pose proof (Rle_abs f). pose proof (Rabs_pos f).
      apply Rmult_le_compat; try lra; [pose proof (Rabs_pos e); lra|].
      apply Rmult_le_compat_l; lra. }
    rewrite D2 in Q. assert (b * (w * w) <= b * (w * (1 / 7))).
    { apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_l; lra. }
    assert (0 <= b * w) by (apply Rmult_le_pos; lra).
    assert (b * w * 1 <= b * w * exp ua) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** One side of a join: brought to the maximum m' by an inexact exponential; [e2] is the product's
    own underflow. *)
Lemma lane_rescale : forall js (k g T : A -> R) m m' r x p,
  m <= m' -> rescales ua eta m m' r -> rounds ua eta (r * x) p ->
  (forall j, In j js -> 0 <= g j /\ 0 <= T j /\ exp (s j - m) * exp (T j) * Rabs (k j) <= 3 * Rabs (k j)) ->
  near js (term m k) T g x ->
  exists e2, Rabs e2 <= eta /\
    near js (term m' k) (fun j => T j + (7 + 9 * (m' - m)) * ua)
      (fun j => exp (8 * ua) * decay (m' - m) * g j + 7 * eta * Rabs (k j)) (p - e2).
Proof.
  intros js k g T m m' r x p M (f & e & F & F0 & E & EF & ->) R H X.
  destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) R) as (d & e2 & D & E2 & ->).
  exists e2. split; [exact E2|].
  set (S := (6 + 9 * (m' - m)) * ua) in *.
  pose proof (near_abs _ _ _ _ _ X) as Xabs. pose proof (factor_abs _ _ F) as FA.
  assert (D1 : Rabs (1 + d) <= exp ua /\ Rabs (1 + d) <= 65 / 64).
  { pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le ua). lra. }
  apply (near_mul _ _ _ _ (S + ua) (f * (1 + d))) in X; [| apply factor_mul; [exact F | apply factor_round, D] |].
  2: { intros j J. apply (H j J). }
  apply (near_scale _ _ _ _ (exp (m - m'))) in X; [|left; apply exp_pos].
  apply (near_add _ _ _ _ (fun j => 2 * Rabs e * g j + 7 * eta * Rabs (k j)) _ (e * x * (1 + d))) in X.
  2: { rewrite !Rabs_mult. apply Rle_trans with (Rabs e * (65 / 64) * Rabs x).
       - rewrite (Rmult_assoc (Rabs e) (Rabs x)), (Rmult_comm (Rabs x)), <- Rmult_assoc.
         apply Rmult_le_compat_r; [apply Rabs_pos|]. apply Rmult_le_compat_l; [apply Rabs_pos | lra].
       - eapply Rle_trans; [apply Rmult_le_compat_l; [|exact Xabs]; pose proof (Rabs_pos e); lra|].
         rewrite <- total_scale. apply total_le. intros j J. destruct (H j J) as (G0 & T0 & K).
         rewrite Rabs_mult, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
         pose proof (Rabs_pos e) as e0. pose proof (Rabs_pos (k j)) as k0.
         assert (Rabs e * g j * (65 / 64) <= Rabs e * g j * 2).
         { apply Rmult_le_compat_l; [apply Rmult_le_pos|]; lra. }
         assert (Rabs e * (exp (s j - m) * exp (T j) * Rabs (k j)) <= eta * (3 * Rabs (k j))).
         { apply Rmult_le_compat; try lra. apply Rmult_le_pos; [|exact k0].
           left. apply Rmult_lt_0_compat; apply exp_pos. }
         assert (0 <= eta * Rabs (k j)) by (apply Rmult_le_pos; lra). lra. }
  replace (exp (m - m') * (f * (1 + d) * x) + e * x * (1 + d))
    with ((exp (m - m') * f + e) * x * (1 + d) + e2 - e2) in X by ring.
  eapply near_weaken; [| |eapply near_ext; [|exact X]].
  - intros j _. cbv beta. unfold S. lra.
  - intros j J. cbv beta. destruct (H j J) as (G0 & _).
    pose proof (decay_step (m' - m) f e ltac:(lra) FA E) as Q.
    replace (- (m' - m)) with (m - m') in Q by ring. specialize (Q EF).
    apply (Rmult_le_compat_r (g j)) in Q; [|exact G0].
    assert (exp (m - m') * (Rabs (f * (1 + d)) * g j) <= exp (m - m') * Rabs f * exp ua * g j).
    { rewrite Rabs_mult. pose proof (exp_pos (m - m')). pose proof (Rabs_pos f).
      rewrite <- Rmult_assoc, <- (Rmult_assoc (exp (m - m'))).
      apply Rmult_le_compat_r; [exact G0|]. apply Rmult_le_compat_l; [apply Rmult_le_pos; lra | lra]. }
    lra.
  - intros j _. cbv beta. rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring.
Qed.

(** A join costs every key 8 u and 9 u times the rise of its maximum. *)
Lemma lane_join : forall a b (k ga gb g Ta Tb T : A -> R) ma mb m r r' x y z,
  a <> [] -> ma <= m -> mb <= m -> rescales ua eta ma m r -> rescales ua eta mb m r' ->
  joined ua eta r x r' y z ->
  (forall j, In j a -> 0 <= ga j /\ 0 <= Ta j /\
    exp (s j - ma) * exp (Ta j) * Rabs (k j) <= 3 * Rabs (k j) /\
    Ta j + (8 + 9 * (m - ma)) * ua <= T j /\
    exp (9 * ua) * decay (m - ma) * ga j + 8 * eta * (Rabs (k j) + 1) <= g j) ->
  (forall j, In j b -> 0 <= gb j /\ 0 <= Tb j /\
    exp (s j - mb) * exp (Tb j) * Rabs (k j) <= 3 * Rabs (k j) /\
    Tb j + (8 + 9 * (m - mb)) * ua <= T j /\
    exp (9 * ua) * decay (m - mb) * gb j + 8 * eta * (Rabs (k j) + 1) <= g j) ->
  near a (term ma k) Ta ga x -> near b (term mb k) Tb gb y -> near (a ++ b) (term m k) T g z.
Proof.
  intros a b k ga gb g Ta Tb T ma mb m r r' x y z NE La Lb Ra Rb (p & q & Rp & Rq & Rz) Pa Pb Xa Xb.
  destruct (lane_rescale a k ga Ta ma m r x p La Ra Rp) as (ea & Ea & Ya); [|exact Xa|].
  { intros j J. destruct (Pa j J) as (? & ? & ? & _). auto. }
  destruct (lane_rescale b k gb Tb mb m r' y q Lb Rb Rq) as (eb & Eb & Yb); [|exact Xb|].
  { intros j J. destruct (Pb j J) as (? & ? & ? & _). auto. }
  destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) Rz) as (d & e & D & E & ->).
  pose proof (exp_ge_1 ua ltac:(lra)) as u1.
  assert (u2 : exp ua <= 65 / 64 + 1 / 64).
  { eapply Rle_trans; [apply (exp_le _ (1 / 128)); lra | Kernels.bound]. }
  assert (E9 : exp (9 * ua) = exp ua * exp (8 * ua)) by (rewrite <- exp_plus; f_equal; ring).
  (* what both sides may be weakened to *)
  set (g1 := fun j => (g j - 5 * eta) / exp ua).
  assert (G1 : forall w j, exp (9 * ua) * w + 8 * eta * (Rabs (k j) + 1) <= g j ->
    exp (8 * ua) * w + 7 * eta * Rabs (k j) <= g1 j).
  { intros w j G. unfold g1. apply Rmult_le_reg_r with (exp ua); [lra|].
    replace ((g j - 5 * eta) / exp ua * exp ua) with (g j - 5 * eta) by (field; lra). rewrite E9 in G.
    assert (0 <= eta * Rabs (k j)) by (apply Rmult_le_pos; [lra | apply Rabs_pos]).
    assert (eta * Rabs (k j) * exp ua <= eta * Rabs (k j) * (65 / 64 + 1 / 64))
      by (apply Rmult_le_compat_l; lra). lra. }
  apply (near_weaken _ _ _ (fun j => T j - ua) _ g1) in Ya.
  2: { intros j J. destruct (Pa j J) as (_ & _ & _ & G & _). lra. }
  2: { intros j J. cbv beta. rewrite Rmult_assoc. apply G1. rewrite <- Rmult_assoc. apply (Pa j J). }
  apply (near_weaken _ _ _ (fun j => T j - ua) _ g1) in Yb.
  2: { intros j J. destruct (Pb j J) as (_ & _ & _ & G & _). lra. }
  2: { intros j J. cbv beta. rewrite Rmult_assoc. apply G1. rewrite <- Rmult_assoc. apply (Pb j J). }
  pose proof (near_app _ _ _ _ _ _ _ Ya Yb) as X.
  apply (near_mul _ _ _ _ ua (1 + d)) in X; [|apply factor_round, D |].
  2: { intros j J. apply in_app_or in J.
       assert (forall mm : R, mm <= m -> 0 <= (8 + 9 * (m - mm)) * ua - ua).
       { intros mm Q. assert (0 <= (m - mm) * ua) by (apply Rmult_le_pos; lra). lra. }
       destruct J as [J | J]; [destruct (Pa j J) as (_ & ? & _ & ? & _); specialize (H ma La)
         | destruct (Pb j J) as (_ & ? & _ & ? & _); specialize (H mb Lb)]; lra. }
  apply (near_add _ _ _ _ (fun _ => 5 * eta) _ ((ea + eb) * (1 + d) + e)) in X.
  2: { rewrite total_const. assert (L : 1 <= INR (length (a ++ b))).
       { apply length_pos. intros E0. apply app_eq_nil in E0. now apply NE. }
       assert (5 * eta <= INR (length (a ++ b)) * (5 * eta)).
       { rewrite <- (Rmult_1_l (5 * eta)) at 1. apply Rmult_le_compat_r; lra. }
       eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
       assert (Rabs (ea + eb) <= 2 * eta) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
       assert (Rabs (1 + d) <= 2).
       { pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. lra. }
       assert (Rabs (ea + eb) * Rabs (1 + d) <= 2 * eta * 2)
         by (apply Rmult_le_compat; try apply Rabs_pos; assumption). lra. }
  replace ((1 + d) * (p - ea + (q - eb)) + ((ea + eb) * (1 + d) + e))
    with ((p + q) * (1 + d) + e) in X by ring.
  eapply near_weaken; [| |exact X]; intros j J; cbv beta; [lra|].
  assert (G0 : 0 <= g1 j).
  { assert (Q : forall w, 0 <= w -> exp (9 * ua) * w + 8 * eta * (Rabs (k j) + 1) <= g j -> 0 <= g1 j).
    { intros w W G. apply G1 in G. eapply Rle_trans; [|exact G]. pose proof (exp_pos (8 * ua)).
      pose proof (Rabs_pos (k j)). apply Rplus_le_le_0_compat; repeat apply Rmult_le_pos; lra. }
    apply in_app_or in J. destruct J as [J | J];
      [destruct (Pa j J) as (? & _ & _ & _ & G); apply (Q (decay (m - ma) * ga j))
      | destruct (Pb j J) as (? & _ & _ & _ & G); apply (Q (decay (m - mb) * gb j))];
      try (rewrite <- Rmult_assoc; exact G); (apply Rmult_le_pos; [left; apply exp_pos | assumption]). }
  apply Rle_trans with (exp ua * g1 j + 5 * eta).
  - apply Rplus_le_compat_r, Rmult_le_compat_r; [exact G0|].
    pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le ua). lra.
  - unfold g1. apply Req_le. field. lra.
Qed.

(** ** One rank *)

(** Log-domain error of a key's weight in a partial of n keys at the maximum m. *)
Definition local_budget (n m : R) (j : A) : R :=
  (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + (8 * n + 10 * (m - s j)) * ua.

(** step-errors.ts, flush: underflow of the leaf (h) and of N operations. *)
Definition flush (h : R) (k N : R) : R := h + N * (8 * eta * (Rabs k + 1)).

(** What a far key, and x beside its exponential's own error, may amount to at its own score. *)
Definition tail (x : R) (j : A) : R :=
  if far j then 2 * exp ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + x) else 0.

(** The absolute error of a key at the maximum m, after N operations: a far key's whole contribution. *)
Definition absolute (b N m : R) (x h k : A -> R) (j : A) : R :=
  exp (9 * N * ua + b) * (tail (x j) j * Rabs (k j) * decay (m - s j) + flush (h j) (k j) N).

(** What the leaf of a lane loses near zero. *)
Definition lost_at_leaf (h k : A -> R) (j : A) : R := h j + eta * Rabs (k j).

Lemma tail_pos : forall x j, 0 <= tail x j.
Proof. intros x j. unfold tail. destruct (far j); [|lra]. pose proof (exp_pos ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + x)). lra. Qed.

Lemma tail_le : forall x y j, x <= y -> tail x j <= tail y j.
Proof.
  intros x y j H. unfold tail. destruct (far j); [|lra].
  apply Rmult_le_compat_l; [lra|]. apply exp_le. lra.
Qed.

Lemma flush_le : forall h k n n', 0 <= h -> 0 <= n <= n' -> 0 <= flush h k n <= flush h k n'.
Proof.
  intros h k n n' H N. unfold flush. pose proof (Rabs_pos k).
  assert (0 <= 8 * eta * (Rabs k + 1)) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= n * (8 * eta * (Rabs k + 1))) by (apply Rmult_le_pos; lra).
  assert (n * (8 * eta * (Rabs k + 1)) <= n' * (8 * eta * (Rabs k + 1))) by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

Lemma absolute_le : forall b n n' m x x' h k j, 0 <= n <= n' -> x j <= x' j -> 0 <= h j ->
  0 <= absolute b n m x h k j <= absolute b n' m x' h k j.
Proof.
  intros b n n' m x x' h k j N X H. unfold absolute.
  pose proof (tail_pos (x j) j). pose proof (tail_le _ _ j X). pose proof (Rabs_pos (k j)).
  pose proof (exp_pos (- ((m - s j) / 4))) as D. fold (decay (m - s j)) in D.
  destruct (flush_le (h j) (k j) n n' H N). pose proof (exp_pos (9 * n * ua + b)).
  assert (0 <= tail (x j) j * Rabs (k j) * decay (m - s j)) by (repeat apply Rmult_le_pos; lra).
  assert (tail (x j) j * Rabs (k j) * decay (m - s j) <= tail (x' j) j * Rabs (k j) * decay (m - s j)).
  { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; assumption. }
  assert (exp (9 * n * ua + b) <= exp (9 * n' * ua + b)).
  { apply exp_le. assert (n * ua <= n' * ua) by (apply Rmult_le_compat_r; lra). lra. }
  split; [apply Rmult_le_pos; lra|]. apply Rmult_le_compat; lra.
Qed.

(** One more operation, at a maximum that has risen. *)
Lemma absolute_step : forall b n m m' x h k j, 0 <= b -> 0 <= n -> m <= m' -> 0 <= h j ->
  exp (9 * ua) * decay (m' - m) * absolute b n m x h k j + 8 * eta * (Rabs (k j) + 1)
    <= absolute b (n + 1) m' x h k j.
Proof.
  intros b n m m' x h k j B N M H. unfold absolute.
  replace (9 * (n + 1) * ua + b) with (9 * ua + (9 * n * ua + b)) by ring. rewrite (exp_plus (9 * ua)).
  replace (m' - s j) with ((m' - m) + (m - s j)) by ring. rewrite decay_add.
  assert (F1 : flush (h j) (k j) (n + 1) = flush (h j) (k j) n + 8 * eta * (Rabs (k j) + 1))
    by (unfold flush; ring). rewrite F1.
  destruct (flush_le (h j) (k j) n n H ltac:(lra)) as [F0 _].
  destruct (decay_le_1 (m' - m) ltac:(lra)) as [D0 D1].
  assert (Q : 1 <= exp (9 * ua) * exp (9 * n * ua + b)).
  { rewrite <- exp_plus. apply exp_ge_1. assert (0 <= n * ua) by (apply Rmult_le_pos; lra). lra. }
  set (q := exp (9 * ua) * exp (9 * n * ua + b)) in *. set (d := decay (m' - m)) in *.
  set (t := tail (x j) j * Rabs (k j)). set (w := decay (m - s j)). set (f := flush (h j) (k j) n) in *.
  set (y := 8 * eta * (Rabs (k j) + 1)).
  assert (0 <= y) by (unfold y; pose proof (Rabs_pos (k j)); repeat apply Rmult_le_pos; lra).
  replace (exp (9 * ua) * d * (exp (9 * n * ua + b) * (t * w + f))) with (q * (t * (d * w)) + q * (d * f))
    by (unfold q; ring).
  assert (q * (d * f) <= q * (1 * f)) by (apply Rmult_le_compat_l; [lra | apply Rmult_le_compat_r; lra]).
  assert (1 * y <= q * y) by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

Lemma leaf_budget_le : forall j m, s j <= m -> 0 <= leaf_budget ue (s j) m <= local_budget 0 m j.
Proof.
  intros j m H. unfold leaf_budget, local_budget.
  pose proof (Rabs_pos (s j)). pose proof (Rabs_pos m).
  assert (Rabs m <= Rabs (s j) + (m - s j)).
  { replace m with (s j + (m - s j)) at 1 by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_pos_eq (m - s j)); lra. }
  set (x := m - s j) in *. assert (0 <= x) by (unfold x; lra).
  assert (0 <= x * ue) by (apply Rmult_le_pos; lra).
  assert (x * ue <= x * ua) by (apply Rmult_le_compat_l; lra).
  assert ((1 + 8 * ue) * (Rabs (s j) + Rabs m) <= (1 + 8 * ue) * (2 * Rabs (s j) + x))
    by (apply Rmult_le_compat_l; lra).
  assert ((1 + 8 * ue) * (Rabs (s j) + Rabs m) * ue <= (1 + 8 * ue) * (2 * Rabs (s j) + x) * ue)
    by (apply Rmult_le_compat_r; lra).
  assert (0 <= (1 + 8 * ue) * (Rabs (s j) + Rabs m) * ue) by (repeat apply Rmult_le_pos; lra).
  assert (ue * (x * ue) <= 1 / 128 * (x * ue)) by (apply Rmult_le_compat_r; lra).
  assert (0 <= Rabs (s j) * ue) by (apply Rmult_le_pos; lra). split; lra.
Qed.

(** A leaf of any lane. *)
Lemma leaf : forall b h k j m w x, 0 <= b -> 0 <= h j -> s j <= m ->
  exponential (leaf_budget ue (s j) m) eta (exp (s j - m)) w -> operand b (h j) (w * k j) x ->
  near [j] (term m (seen k)) (fun j => local_budget 0 m j + b)
    (absolute b 0 m (fun _ => 0) (lost_at_leaf h k) k) x.
Proof.
  intros b h k j m w x B H M (f & e & F & F0 & E & EF & W) O.
  destruct (leaf_budget_le j m M) as [L0 L1]. set (l := leaf_budget ue (s j) m) in *.
  set (X := exp (s j - m)) in *. assert (X0 : 0 < X) by apply exp_pos.
  pose proof (factor_abs _ _ F) as FA. rewrite (Rabs_pos_eq f F0) in FA.
  pose proof (Rabs_pos (k j)) as k0. pose proof (exp_ge_1 b B) as b1. pose proof (Rabs_le_inv _ _ EF) as [EF1 EF2].
  unfold near, total, absolute, lost_at_leaf, flush, tail, seen. simpl fold_right. cbv beta. rewrite !Rplus_0_r. fold X.
  replace (9 * 0 * ua + b) with b by ring. rewrite Rmult_0_l, Rplus_0_r. unfold operand in O.
  destruct (far j).
  - rewrite Rmult_0_r, Rminus_0_r, Rabs_R0, Rmult_0_l, Rplus_0_l.
    assert (Ax : Rabs x <= (Rabs (w * k j) + h j) * exp b).
    { pose proof (Rabs_triang (x - w * k j) (w * k j)) as G.
      replace (x - w * k j + w * k j) with x in G by ring. lra. }
    assert (W2 : Rabs w <= 2 * exp ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue) * decay (m - s j)).
    { apply Rle_trans with (2 * (X * exp l)).
      - assert (X * f <= X * exp l) by (apply Rmult_le_compat_l; lra).
        rewrite Rabs_pos_eq; subst w; lra.
      - rewrite (Rmult_assoc 2). apply Rmult_le_compat_l; [lra|]. unfold X, decay. rewrite <- !exp_plus.
        apply exp_le. unfold local_budget in L1.
        assert ((m - s j) * ua <= (m - s j) * (1 / 128)) by (apply Rmult_le_compat_l; lra). lra. }
    eapply Rle_trans; [exact Ax|]. rewrite Rmult_comm. apply Rmult_le_compat_l; [lra|].
    rewrite Rabs_mult. apply (Rmult_le_compat_r (Rabs (k j))) in W2; [|exact k0].
    assert (0 <= eta * Rabs (k j)) by (apply Rmult_le_pos; lra). lra.
  - rewrite !Rmult_0_l, Rplus_0_l. rewrite (Rabs_mult X), (Rabs_pos_eq X) by lra.
    assert (Wx : Rabs (w - X) <= X * (exp l - 1) + eta).
    { replace (w - X) with (X * (f - 1) + e) by (subst w; ring). eapply Rle_trans; [apply Rabs_triang|].
      rewrite Rabs_mult, (Rabs_pos_eq X) by lra. unfold factor in F.
      apply Rplus_le_compat; [apply Rmult_le_compat_l; lra | exact E]. }
    assert (Wa : Rabs w <= X * exp l + eta).
    { pose proof (Rabs_triang (w - X) X) as G. replace (w - X + X) with w in G by ring.
      rewrite (Rabs_pos_eq X) in G by lra. lra. }
    replace (x - X * k j) with ((x - w * k j) + (w - X) * k j) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult. rewrite Rabs_mult in O.
    apply (Rmult_le_compat_r (Rabs (k j))) in Wx; [|exact k0].
    apply (Rmult_le_compat_r (Rabs (k j) * (exp b - 1))) in Wa; [|apply Rmult_le_pos; lra].
    apply Rle_trans with (X * Rabs (k j) * (exp l * exp b - 1) + exp b * (h j + eta * Rabs (k j))); [lra|].
    apply Rplus_le_compat_r. apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|].
    apply Rplus_le_compat_r. rewrite <- exp_plus. apply exp_le. lra.
Qed.

Lemma local_nonempty : forall js m l o, local ua ue eta beside s c hp js m l o -> js <> [].
Proof.
  intros js m l o H. induction H as [| a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb | a b m l o P H IH].
  - discriminate.
  - intros E. apply app_eq_nil in E. now apply IHa.
  - intros ->. apply Permutation_sym, Permutation_nil in P. now apply IH.
Qed.

Lemma seen_le : forall k j, Rabs (seen k j) <= Rabs (k j).
Proof. intros k j. unfold seen. destruct (far j); [rewrite Rabs_R0; apply Rabs_pos | lra]. Qed.

(** The condition of [lane_rescale]: no maximum, however high, makes the term grow. *)
Lemma held_down : forall k m T j, (far j = false -> s j - m + T <= 1) ->
  exp (s j - m) * exp T * Rabs (seen k j) <= 3 * Rabs (seen k j).
Proof.
  intros k m T j H. unfold seen. destruct (far j); [rewrite Rabs_R0; lra|].
  apply Rmult_le_compat_r; [apply Rabs_pos|]. rewrite <- exp_plus.
  eapply Rle_trans; [apply exp_le, H; reflexivity | apply exp_le_3].
Qed.

(** One lane of a join of partials that are not normalised. *)
Lemma local_lane : forall b h k a a' ma mb m r r' x y z, 0 <= b -> (forall j, 0 <= h j) ->
  a <> [] -> a' <> [] -> ma <= m -> mb <= m ->
  rescales ua eta ma m r -> rescales ua eta mb m r' -> joined ua eta r x r' y z ->
  (forall j, In j a -> s j <= ma) -> (forall j, In j a' -> s j <= mb) ->
  (forall j, In j (a ++ a') -> far j = false ->
    local_budget (INR (length (a ++ a'))) (s j) j + b <= 1) ->
  near a (term ma (seen k)) (fun j => local_budget (INR (length a) - 1) ma j + b)
    (absolute b (INR (length a) - 1) ma (fun _ => 0) h k) x ->
  near a' (term mb (seen k)) (fun j => local_budget (INR (length a') - 1) mb j + b)
    (absolute b (INR (length a') - 1) mb (fun _ => 0) h k) y ->
  near (a ++ a') (term m (seen k)) (fun j => local_budget (INR (length (a ++ a')) - 1) m j + b)
    (absolute b (INR (length (a ++ a')) - 1) m (fun _ => 0) h k) z.
Proof.
  intros b h k a a' ma mb m r r' x y z B Hh NEa NEb La Lb Ra Rb Jo Sa Sb Nf Xa Xb.
  pose proof (length_pos _ NEa) as Na. pose proof (length_pos _ NEb) as Nb.
  rewrite app_length, plus_INR in *. set (na := INR (length a)) in *. set (nb := INR (length a')) in *.
  set (N := na + nb - 2). assert (HN : 0 <= N) by (unfold N; lra).
  assert (Side : forall js ms n y0, (forall j, In j js -> In j (a ++ a')) -> ms <= m -> 1 <= n -> n - 1 <= N ->
    (forall j, In j js -> s j <= ms) ->
    near js (term ms (seen k)) (fun j => local_budget (n - 1) ms j + b) (absolute b (n - 1) ms (fun _ => 0) h k) y0 ->
    near js (term ms (seen k)) (fun j => local_budget N ms j + b) (absolute b N ms (fun _ => 0) h k) y0 /\
    (forall j, In j js -> 0 <= absolute b N ms (fun _ => 0) h k j /\ 0 <= local_budget N ms j + b /\
      exp (s j - ms) * exp (local_budget N ms j + b) * Rabs (seen k j) <= 3 * Rabs (seen k j) /\
      local_budget N ms j + b + (8 + 9 * (m - ms)) * ua <= local_budget (na + nb - 1) m j + b /\
      exp (9 * ua) * decay (m - ms) * absolute b N ms (fun _ => 0) h k j + 8 * eta * (Rabs (seen k j) + 1)
        <= absolute b (na + nb - 1) m (fun _ => 0) h k j)).
  { intros js ms n y0 I Lm N1 N2 Ss X. split.
    - eapply near_weaken; [| |exact X]; intros j J; cbv beta.
      + unfold local_budget. assert ((8 * (n - 1)) * ua <= 8 * N * ua) by (apply Rmult_le_compat_r; lra). lra.
      + apply absolute_le; [lra | lra | apply Hh].
    - intros j J. specialize (Ss j J). pose proof (Rabs_pos (s j)).
      assert (0 <= (m - ms) * ua) by (apply Rmult_le_pos; lra).
      assert (0 <= (ms - s j) * ua) by (apply Rmult_le_pos; lra).
      assert ((ms - s j) * ua <= (ms - s j) * (1 / 128)) by (apply Rmult_le_compat_l; lra).
      assert (0 <= N * ua) by (apply Rmult_le_pos; lra).
      split; [apply (absolute_le b N N ms _ (fun _ => 0) h k j); [lra | lra | apply Hh]|].
      split; [|split; [|split]].
      + unfold local_budget. assert (0 <= (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue)
          by (apply Rmult_le_pos; [|lra]; assert (0 <= 2 * (1 + 8 * ue) * Rabs (s j)) by (apply Rmult_le_pos; lra); lra).
        lra.
      + apply held_down. intros Fj. specialize (Nf j (I j J) Fj). unfold local_budget in *. unfold N. lra.
      + unfold local_budget, N. lra.
      + pose proof (absolute_step b N ms m (fun _ => 0) h k j B HN Lm (Hh j)) as Q.
        replace (N + 1) with (na + nb - 1) in Q by (unfold N; ring).
        assert (8 * eta * (Rabs (seen k j) + 1) <= 8 * eta * (Rabs (k j) + 1)).
        { pose proof (seen_le k j). apply Rmult_le_compat_l; lra. } lra. }
  destruct (Side a ma na x) as [Xa' Pa]; try assumption; [intros; apply in_or_app; now left | unfold N; lra |].
  destruct (Side a' mb nb y) as [Xb' Pb]; try assumption; [intros; apply in_or_app; now right | unfold N; lra |].
  exact (lane_join a a' (seen k) _ _ _ _ _ _ ma mb m r r' x y z NEa La Lb Ra Rb Jo Pa Pb Xa' Xb').
Qed.

(** Every partial of at most n keys. *)
Theorem local_accuracy : forall js m l o, local ua ue eta beside s c hp js m l o ->
  (forall j, In j js -> far j = false -> local_budget (INR (length js)) (s j) j + beside <= 1) ->
  (forall j, In j js -> s j <= m) /\
  near js (term m (seen (fun _ => 1))) (fun j => local_budget (INR (length js) - 1) m j + 0)
    (absolute 0 (INR (length js) - 1) m (fun _ => 0) (lost_at_leaf (fun _ => 0) (fun _ => 1)) (fun _ => 1)) l /\
  near js (term m (seen c)) (fun j => local_budget (INR (length js) - 1) m j + beside)
    (absolute beside (INR (length js) - 1) m (fun _ => 0) (lost_at_leaf hp c) c) o.
Proof.
  intros js m l o H.
  induction H as [j m w x M W X | a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb La Lb Ra Rb Jl Jo
    | a b m l o P H IH]; intros Nf.
  - simpl length. simpl INR. replace (1 - 1) with 0 by ring.
    split; [intros i [<- | []]; exact M|]. split.
    + apply (leaf 0 (fun _ => 0) (fun _ => 1) j m w w); try lra; try assumption.
      rewrite Rmult_1_r. apply operand_exact.
    + apply (leaf beside hp c j m w x); try assumption. apply Hhp.
  - pose proof (local_nonempty _ _ _ _ Ha) as NEa. pose proof (local_nonempty _ _ _ _ Hb) as NEb.
    assert (Sub : forall js, (forall j, In j js -> In j (a ++ b)) -> INR (length js) <= INR (length (a ++ b)) ->
      forall j, In j js -> far j = false -> local_budget (INR (length js)) (s j) j + beside <= 1).
    { intros js I Le j J Fj. specialize (Nf j (I j J) Fj). unfold local_budget in *.
      assert (8 * INR (length js) * ua <= 8 * INR (length (a ++ b)) * ua) by (apply Rmult_le_compat_r; lra). lra. }
    rewrite app_length, plus_INR in Sub. pose proof (pos_INR (length a)). pose proof (pos_INR (length b)).
    destruct IHa as (Sa & Xa & Ya); [apply Sub; [intros; apply in_or_app; now left | lra]|].
    destruct IHb as (Sb & Xb & Yb); [apply Sub; [intros; apply in_or_app; now right | lra]|].
    split; [intros j J; apply in_app_or in J; destruct J as [J | J];
      [specialize (Sa j J) | specialize (Sb j J)]; lra|].
    split.
    + apply (local_lane 0 _ _ a b ma mb m r r' la lb l); try assumption; try lra.
      * intros j. unfold lost_at_leaf. rewrite Rabs_R1. lra.
      * intros j J Fj. specialize (Nf j J Fj). lra.
    + apply (local_lane beside _ _ a b ma mb m r r' oa ob o); try assumption.
      intros j. unfold lost_at_leaf. pose proof (Hhp j). pose proof (Rabs_pos (c j)).
      assert (0 <= eta * Rabs (c j)) by (apply Rmult_le_pos; lra). lra.
  - pose proof (Permutation_length P) as PL. rewrite <- PL in *. destruct IH as (S1 & X & Y).
    { intros j J. apply Nf. eapply Permutation_in; [exact P | exact J]. }
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; eapply near_perm; eassumption.
Qed.

(** ** All ranks *)

(** The size of any log-sum-exp or maximum over key j, with room for second-order terms. *)
Definition reach (j : A) : R := (1 + 20 * ua) * Rmax (Rabs (s j)) (Rabs top) + 1.

(** What normalising and r merges cost key j. *)
Definition bonus (r : R) (j : A) : R := (7 * reach j + 18 + r * (14 + 2 * reach j)) * ua.

(** step-errors.ts, weightError, on the computed scores: a partial of n keys and r merges at L. *)
Definition merged_budget (n r L : R) (j : A) : R := local_budget n L j + bonus r j.

Lemma reach_le : forall j m l L, s j <= m -> L <= top -> 0 <= ln l ->
  Rabs (L - (m + ln l)) <= lse_rounding ua m l L ->
  (1 + 10 * ua) * Rabs m <= reach j /\ (1 + 10 * ua) * Rabs L <= reach j /\
  lse_rounding ua m l L <= ua * (4 * Rabs m + 3 * Rabs L + 8) + 8 * ua * ln l /\
  s j - L <= (7 * reach j + 8) * ua.
Proof.
  intros j m l L M T Ll R. unfold lse_rounding in R |- *. apply Rabs_le_inv in R.
  set (q := ua * (4 * Rabs m + 3 * Rabs L + 8)).
  assert (Lu : ua * ln l <= 1 / 128 * ln l) by (apply Rmult_le_compat_r; lra).
  assert (Q1 : m - L <= q) by (unfold q; lra).
  set (mx := Rmax (Rabs (s j)) (Rabs top)).
  assert (B1 : Rabs (s j) <= mx) by apply Rmax_l. assert (B2 : Rabs top <= mx) by apply Rmax_r.
  assert (B3 : s j >= - mx) by (pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs (s j)))); lra).
  assert (B4 : top <= mx) by (pose proof (Rle_abs top); lra).
  assert (mx0 : 0 <= mx) by (pose proof (Rabs_pos top); lra).
  assert (q0 : 0 <= q) by (unfold q; pose proof (Rabs_pos m); pose proof (Rabs_pos L); apply Rmult_le_pos; lra).
  assert (Am : Rabs m <= mx + q) by (unfold Rabs at 1; destruct (Rcase_abs m); lra).
  assert (AL : Rabs L <= mx + q) by (unfold Rabs at 1; destruct (Rcase_abs L); lra).
  assert (Q2 : q <= 7 * (ua * mx) + 7 * (ua * q) + 8 * ua).
  { unfold q at 1. apply Rle_trans with (ua * (7 * (mx + q) + 8)); [|lra].
    apply Rmult_le_compat_l; lra. }
  assert (ua * q <= 1 / 128 * q) by (apply Rmult_le_compat_r; lra).
  assert (W0 : 0 <= ua * mx) by (apply Rmult_le_pos; lra).
  assert (Q3 : q <= 7.5 * (ua * mx) + 8.5 * ua) by lra.
  assert (ua * (ua * mx) <= 1 / 128 * (ua * mx)) by (apply Rmult_le_compat_r; lra).
  assert (ua * ua <= 1 / 128 * ua) by (apply Rmult_le_compat_r; lra).
  assert (ua * q <= ua * (7.5 * (ua * mx) + 8.5 * ua)) by (apply Rmult_le_compat_l; lra).
  assert (Top : (1 + 10 * ua) * (mx + q) <= reach j) by (unfold reach; fold mx; lra).
  assert (C : forall x, x <= mx + q -> (1 + 10 * ua) * x <= reach j).
  { intros x X. eapply Rle_trans; [apply Rmult_le_compat_l; [|exact X]; lra | exact Top]. }
  pose proof (C _ Am) as C1. pose proof (C _ AL) as C2.
  split; [exact C1|]. split; [exact C2|]. split; [unfold q; lra|].
  apply Rle_trans with q; [lra|]. unfold q. rewrite Rmult_comm. apply Rmult_le_compat_r; [lra|].
  pose proof (Rabs_pos m). pose proof (Rabs_pos L).
  assert (0 <= ua * Rabs m) by (apply Rmult_le_pos; lra). assert (0 <= ua * Rabs L) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma reach_ge : forall j, 1 <= reach j /\ (1 + 10 * ua) * Rabs top <= reach j.
Proof.
  intros j. unfold reach. pose proof (Rmax_r (Rabs (s j)) (Rabs top)). pose proof (Rabs_pos top).
  set (x := Rmax _ _) in *. assert (0 <= ua * x) by (apply Rmult_le_pos; lra).
  assert (ua * Rabs top <= ua * x) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma bonus_le : forall r r' j, 0 <= r <= r' -> 0 <= bonus r j <= bonus r' j.
Proof.
  intros r r' j H. unfold bonus. destruct (reach_ge j).
  assert (0 <= r * (14 + 2 * reach j)) by (apply Rmult_le_pos; lra).
  assert (r * (14 + 2 * reach j) <= r' * (14 + 2 * reach j)) by (apply Rmult_le_compat_r; lra).
  split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra].
Qed.

(** A lane brought from its maximum m to another reference L by an exact shift and a factor e^eps. *)
Lemma lane_shift : forall js k T g m L eps x, (forall j, In j js -> 0 <= T j) ->
  near js (term m k) T g x ->
  near js (term L k) (fun j => T j + Rabs eps) (fun j => exp (eps + (m - L)) * g j) (exp eps * (exp (m - L) * x)).
Proof.
  intros js k T g m L eps x H X.
  apply (near_scale _ _ _ _ (exp (m - L))) in X; [|left; apply exp_pos].
  apply (near_mul _ _ _ _ (Rabs eps) (exp eps)) in X; [| apply factor_exp | exact H].
  eapply near_weaken; [| |eapply near_ext; [|exact X]]; intros j _; cbv beta.
  - lra.
  - rewrite (Rabs_pos_eq (exp eps)) by (left; apply exp_pos). rewrite exp_plus, Rmult_assoc. lra.
  - rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring.
Qed.

(** The same for the absolute error: v is at most 1, and less the more the reference rises. *)
Lemma absolute_shift : forall b n m L x x' y h k j v, 0 <= n -> 0 <= h j -> 0 <= v <= 1 ->
  v <= exp (y - (L - m) / 4) -> x j + y <= x' j ->
  v * absolute b n m x h k j <= absolute b n L x' h k j.
Proof.
  intros b n m L x x' y h k j v N H V VD X. unfold absolute.
  destruct (flush_le (h j) (k j) n n H ltac:(lra)) as [F0 _]. pose proof (exp_pos (9 * n * ua + b)) as Q0.
  set (q := exp (9 * n * ua + b)) in *. set (f := flush (h j) (k j) n) in *.
  replace (v * (q * (tail (x j) j * Rabs (k j) * decay (m - s j) + f)))
    with (q * (v * (tail (x j) j * decay (m - s j)) * Rabs (k j) + v * f)) by ring.
  apply Rmult_le_compat_l; [lra|]. apply Rplus_le_compat.
  - replace (tail (x' j) j * Rabs (k j) * decay (L - s j))
      with (tail (x' j) j * decay (L - s j) * Rabs (k j)) by ring.
    apply Rmult_le_compat_r; [apply Rabs_pos|]. unfold tail. destruct (far j); [|lra].
    set (p := (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue).
    apply Rle_trans with (exp (y - (L - m) / 4) * (2 * exp (p + x j) * decay (m - s j))).
    + apply Rmult_le_compat_r; [|exact VD]. unfold decay. pose proof (exp_pos (p + x j)).
      pose proof (exp_pos (- ((m - s j) / 4))). apply Rmult_le_pos; lra.
    + replace (exp (y - (L - m) / 4) * (2 * exp (p + x j) * decay (m - s j)))
        with (2 * (exp (y - (L - m) / 4) * exp (p + x j) * decay (m - s j))) by ring.
      rewrite (Rmult_assoc 2). apply Rmult_le_compat_l; [lra|]. unfold decay. rewrite <- !exp_plus.
      apply exp_le. lra.
  - rewrite <- (Rmult_1_l f) at 2. apply Rmult_le_compat_r; lra.
Qed.

Theorem merged_accuracy : forall js r L O, merged ua ue eta top beside s c hp js r L O ->
  (forall j, In j js -> far j = false ->
    merged_budget (INR (length js)) (INR r) (s j) j + beside <= 1 / 2) ->
  (forall j, In j js -> s j - L <= (7 * reach j + 8) * ua /\ (1 + 10 * ua) * Rabs L <= reach j /\
    0 <= merged_budget (INR (length js)) (INR r) L j) /\
  L <= top /\ js <> [] /\
  near js (term L (seen (fun _ => 1))) (fun j => merged_budget (INR (length js)) (INR r) L j + 0)
    (absolute 0 (INR (length js) + INR r) L (bonus (INR r)) (lost_at_leaf (fun _ => 0) (fun _ => 1)) (fun _ => 1)) 1 /\
  near js (term L (seen c)) (fun j => merged_budget (INR (length js)) (INR r) L j + beside)
    (absolute beside (INR (length js) + INR r) L (bonus (INR r)) (lost_at_leaf hp c) c) O.
Proof.
  assert (Leaf1 : forall j : A, 0 <= lost_at_leaf (fun _ => 0) (fun _ => 1) j).
  { intros j. unfold lost_at_leaf. rewrite Rabs_R1. lra. }
  assert (Leafc : forall j : A, 0 <= lost_at_leaf hp c j).
  { intros j. unfold lost_at_leaf. pose proof (Hhp j). pose proof (Rabs_pos (c j)).
    assert (0 <= eta * Rabs (c j)) by (apply Rmult_le_pos; lra). lra. }
  intros js r L O H.
  induction H as [js m l o L O Loc Lpos LT LR OR
    | a b ra rb La Lb Oa Ob L O r r' Ha IHa Hb IHb LaL LbL LT LR Ra Rb Jo
    | a b r L O P H IH]; intros Nf.
  - simpl INR in *. pose proof (length_pos _ (local_nonempty _ _ _ _ Loc)) as N1. set (N := INR (length js)) in *.
    assert (Nl : forall j, In j js -> far j = false -> local_budget N (s j) j + beside <= 1).
    { intros j J Fj. specialize (Nf j J Fj). unfold merged_budget in Nf. destruct (bonus_le 0 0 j ltac:(lra)). lra. }
    destruct (local_accuracy _ _ _ _ Loc Nl) as (Sj & X & Y). fold N in X, Y.
    assert (L0 : 0 <= ln l) by (rewrite <- ln_1; destruct Lpos as [Lp | <-]; [left; apply ln_increasing; lra | lra]).
    set (eps := L - (m + ln l)) in *.
    assert (V : exp (eps + (m - L)) = / l).
    { unfold eps. replace (L - (m + ln l) + (m - L)) with (- ln l) by ring. rewrite exp_Ropp, exp_ln by lra. reflexivity. }
    assert (Ev : forall z, exp eps * (exp (m - L) * z) = / l * z)
      by (intros z; rewrite <- Rmult_assoc, <- exp_plus, V; reflexivity).
    assert (V1 : 0 <= / l <= 1).
    { split; [left; apply Rinv_0_lt_compat; lra|]. rewrite <- Rinv_1. apply Rinv_le_contravar; lra. }
    assert (Each : forall j, In j js ->
      (1 + 10 * ua) * Rabs L <= reach j /\ s j - L <= (7 * reach j + 8) * ua /\
      0 <= local_budget (N - 1) m j /\ local_budget (N - 1) m j + Rabs eps + ua <= merged_budget N 0 L j /\
      / l <= exp (bonus 0 j - (L - m) / 4)).
    { intros j J. specialize (Sj j J). destruct (reach_le j m l L Sj LT L0 LR) as (R1 & R2 & R3 & R4).
      fold eps in LR. pose proof (Rabs_pos m) as m0. pose proof (Rabs_pos L) as LL0. pose proof (Rabs_pos (s j)) as s0.
      apply (Rmult_le_compat_r ua) in R1; [|lra]. pose proof R2 as R2'. apply (Rmult_le_compat_r ua) in R2'; [|lra].
      assert (Lam : Rabs eps <= ua * (4 * Rabs m + 3 * Rabs L + 8) + 8 * ua * ln l) by lra.
      apply Rabs_le_inv in LR. pose proof (Rabs_le_inv _ _ Lam) as [Lam1 Lam2].
      assert (U : ua * (ua * (4 * Rabs m + 3 * Rabs L + 8) + 8 * ua * ln l) >= ua * (- eps))
        by (apply Rle_ge, Rmult_le_compat_l; lra).
      assert (0 <= ua * ln l) by (apply Rmult_le_pos; lra).
      assert (ua * (ua * ln l) <= 1 / 128 * (ua * ln l)) by (apply Rmult_le_compat_r; lra).
      assert (ua * ua <= 1 / 128 * ua) by (apply Rmult_le_compat_r; lra).
      assert (ua * ln l <= 1 / 128 * ln l) by (apply Rmult_le_compat_r; lra).
      assert (ua * eps = ua * L - ua * m - ua * ln l) by (unfold eps; ring).
      split; [exact R2|]. split; [exact R4|]. split; [|split].
      - unfold local_budget. assert (0 <= 2 * (1 + 8 * ue) * Rabs (s j)) by (apply Rmult_le_pos; lra).
        apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
      - unfold merged_budget, local_budget, bonus. lra.
      - rewrite <- V. apply exp_le. unfold bonus. unfold eps in *.
        assert (0 <= ua * Rabs m) by (apply Rmult_le_pos; lra). assert (0 <= ua * Rabs L) by (apply Rmult_le_pos; lra).
        assert (0 <= ua * (ua * Rabs m)) by (apply Rmult_le_pos; lra).
        assert (0 <= ua * (ua * Rabs L)) by (apply Rmult_le_pos; lra). lra. }
    assert (Abs : forall b h k j, In j js -> 0 <= h j ->
      exp (eps + (m - L)) * absolute b (N - 1) m (fun _ => 0) h k j <= absolute b (N - 1) L (bonus 0) h k j).
    { intros b h k j J Hh. rewrite V. destruct (Each j J) as (_ & _ & _ & _ & E5).
      apply (absolute_shift b (N - 1) m L (fun _ => 0) (bonus 0) (bonus 0 j) h k j (/ l)); try assumption; lra. }
    split; [|split; [exact LT|split; [exact (local_nonempty _ _ _ _ Loc)|]]].
    { intros j J. destruct (Each j J) as (E1 & E2 & E3 & E4 & _). pose proof (Rabs_pos eps). split; [exact E2 | split; [exact E1 | lra]]. }
    rewrite Rplus_0_r. split.
    + apply (lane_shift _ _ _ _ m L eps) in X.
      2: { intros j J. destruct (Each j J) as (_ & _ & E3 & _). lra. }
      rewrite Ev, Rinv_l in X by lra. eapply near_weaken; [| |exact X]; intros j J; cbv beta.
      * destruct (Each j J) as (_ & _ & _ & E4 & _). lra.
      * eapply Rle_trans; [apply Abs; [exact J | apply Leaf1]|].
        apply absolute_le; [lra | lra | apply Leaf1].
    + apply (lane_shift _ _ _ _ m L eps) in Y.
      2: { intros j J. destruct (Each j J) as (_ & _ & E3 & _). lra. }
      rewrite Ev in Y. destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) OR) as (d & e & D & E & ->).
      apply (near_mul _ _ _ _ ua (1 + d)) in Y; [|apply factor_round, D |].
      2: { intros j J. destruct (Each j J) as (_ & _ & E3 & _). pose proof (Rabs_pos eps). lra. }
      apply (near_add _ _ _ _ (fun _ => eta) _ e) in Y.
      2: { rewrite total_const. fold N. rewrite <- (Rmult_1_l (Rabs e)). apply Rmult_le_compat; try lra. apply Rabs_pos. }
      replace ((1 + d) * (/ l * o) + e) with (o / l * (1 + d) + e) in Y by (unfold Rdiv; ring).
      eapply near_weaken; [| |exact Y]; intros j J; cbv beta.
      * destruct (Each j J) as (_ & _ & _ & E4 & _). lra.
      * pose proof (Abs beside (lost_at_leaf hp c) c j J (Leafc j)) as Q.
        pose proof (absolute_step beside (N - 1) L L (bonus 0) (lost_at_leaf hp c) c j Hbeside ltac:(lra) ltac:(lra) (Leafc j)) as St.
        replace (N - 1 + 1) with N in St by ring. rewrite Rminus_diag_eq in St by reflexivity.
        replace (decay 0) with 1 in St by (unfold decay; replace (- (0 / 4)) with 0 by field; symmetry; apply exp_0).
        rewrite Rmult_1_r in St. eapply Rle_trans; [|exact St].
        destruct (absolute_le beside (N - 1) (N - 1) L (bonus 0) (bonus 0) (lost_at_leaf hp c) c j) as [G0 _]; [lra | lra | apply Leafc |].
        apply Rplus_le_compat.
        -- apply Rmult_le_compat; try assumption; try apply Rabs_pos.
           ++ apply Rmult_le_pos; [left; apply exp_pos|].
              apply (absolute_le beside (N - 1) (N - 1) m (fun _ => 0) (fun _ => 0)); [lra | lra | apply Leafc].
           ++ pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le (9 * ua)). lra.
        -- pose proof (Rabs_pos (c j)). assert (0 <= eta * Rabs (c j)) by (apply Rmult_le_pos; lra). lra.
  - rewrite app_length, plus_INR, S_INR, plus_INR in *.
    pose proof (pos_INR (length a)) as N0. pose proof (pos_INR (length b)) as N1.
    set (na := INR (length a)) in *. set (nb := INR (length b)) in *.
    pose proof (pos_INR ra) as R0. pose proof (pos_INR rb) as R1.
    assert (Mono : forall n n' r0 r1 L0 j, n <= n' -> 0 <= r0 <= r1 ->
      merged_budget n r0 L0 j <= merged_budget n' r1 L0 j).
    { intros n n' r0 r1 L0 j Hn Hr. unfold merged_budget, local_budget. destruct (bonus_le r0 r1 j Hr).
      assert (8 * n * ua <= 8 * n' * ua) by (apply Rmult_le_compat_r; lra). lra. }
    destruct IHa as (Sa & _ & NEa & Xa & Ya).
    { intros j J Fj. specialize (Nf j (in_or_app _ _ _ (or_introl J)) Fj).
      pose proof (Mono na (na + nb) (INR ra) (INR ra + INR rb + 1) (s j) j ltac:(lra) ltac:(lra)). lra. }
    destruct IHb as (Sb & _ & NEb & Xb & Yb).
    { intros j J Fj. specialize (Nf j (in_or_app _ _ _ (or_intror J)) Fj).
      pose proof (Mono nb (na + nb) (INR rb) (INR ra + INR rb + 1) (s j) j ltac:(lra) ltac:(lra)). lra. }
    set (eps := L - ln (exp La + exp Lb)) in *. unfold merge_rounding in LR.
    assert (ExpSum : 0 < exp La + exp Lb) by (pose proof (exp_pos La); pose proof (exp_pos Lb); lra).
    assert (One : exp (eps + (La - L)) + exp (eps + (Lb - L)) = 1).
    { unfold eps. replace (L - ln (exp La + exp Lb) + (La - L)) with (La + - ln (exp La + exp Lb)) by ring.
      replace (L - ln (exp La + exp Lb) + (Lb - L)) with (Lb + - ln (exp La + exp Lb)) by ring.
      rewrite !exp_plus, exp_Ropp, exp_ln by exact ExpSum. field. lra. }
    pose proof (exp_pos (eps + (La - L))) as Va. pose proof (exp_pos (eps + (Lb - L))) as Vb.
    set (T := merged_budget (na + nb) (INR ra + INR rb + 1) L).
    assert (Side : forall js n1 r1 L1, (forall j, In j js -> In j (a ++ b)) -> 0 <= n1 <= na + nb ->
      0 <= r1 <= INR ra + INR rb -> n1 + r1 <= na + nb + (INR ra + INR rb) -> L1 <= L -> 0 < exp (eps + (L1 - L)) <= 1 ->
      (forall j, In j js -> s j - L1 <= (7 * reach j + 8) * ua /\ (1 + 10 * ua) * Rabs L1 <= reach j /\
        0 <= merged_budget n1 r1 L1 j) ->
      forall j, In j js -> (s j - L <= (7 * reach j + 8) * ua /\ (1 + 10 * ua) * Rabs L <= reach j /\ 0 <= T j) /\
        merged_budget n1 r1 L1 j + Rabs eps <= T j /\
        merged_budget n1 r1 L1 j + (8 + 9 * (L - L1)) * ua <= T j /\
        (far j = false -> s j - L1 + (merged_budget n1 r1 L1 j + beside) <= 1) /\
        (forall b0 h k, 0 <= h j -> exp (eps + (L1 - L)) * absolute b0 (n1 + r1) L1 (bonus r1) h k j
          <= absolute b0 (na + nb + (INR ra + INR rb + 1)) L (bonus (INR ra + INR rb + 1)) h k j) /\
        (forall b0 h k, 0 <= b0 -> 0 <= h j ->
          exp (9 * ua) * decay (L - L1) * absolute b0 (n1 + r1) L1 (bonus r1) h k j + 8 * eta * (Rabs (k j) + 1)
          <= absolute b0 (na + nb + (INR ra + INR rb + 1)) L (bonus (INR ra + INR rb + 1)) h k j)).
    { intros js n1 r1 L1 I Hn Hr Hnr LL V1 P j J. destruct (P j J) as (P1 & P2 & P3).
      destruct (reach_ge j) as [G1 G2]. pose proof (Rabs_pos L) as AL. pose proof (Rabs_pos L1) as AL1. pose proof (Rabs_pos top) as AT.
      assert (Lreach : (1 + 10 * ua) * Rabs L <= reach j).
      { destruct (Rle_lt_dec 0 L) as [S | S].
        - eapply Rle_trans; [|exact G2]. apply Rmult_le_compat_l; [lra|].
          rewrite (Rabs_pos_eq L S). pose proof (Rle_abs top). lra.
        - eapply Rle_trans; [|exact P2]. apply Rmult_le_compat_l; [lra|].
          rewrite (Rabs_left L S). pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs L1))). lra. }
      assert (L' : Rabs L <= reach j).
      { assert (0 <= 10 * ua * Rabs L) by (repeat apply Rmult_le_pos; lra). lra. }
      assert (B1 : bonus r1 j + (14 + 2 * reach j) * ua <= bonus (INR ra + INR rb + 1) j).
      { unfold bonus. rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; [lra|].
        assert (r1 * (14 + 2 * reach j) <= (INR ra + INR rb) * (14 + 2 * reach j)) by (apply Rmult_le_compat_r; lra). lra. }
      destruct (bonus_le r1 r1 j ltac:(lra)) as [B0 _].
      assert (LU : ua * (14 + 2 * Rabs L) <= (14 + 2 * reach j) * ua)
        by (rewrite Rmult_comm; apply Rmult_le_compat_r; lra).
      assert (0 <= (L - L1) * ua) by (apply Rmult_le_pos; lra).
      assert (Step : merged_budget n1 r1 L1 j + (14 + 2 * reach j + 9 * (L - L1)) * ua <= T j).
      { unfold T, merged_budget, local_budget.
        assert (8 * n1 * ua <= 8 * (na + nb) * ua) by (apply Rmult_le_compat_r; lra). lra. }
      assert (0 <= reach j * ua) by (apply Rmult_le_pos; lra).
      split; [split; [lra | split; [exact Lreach | lra]]|]. split; [lra|]. split; [lra|]. split; [|split].
      - intros Fj. specialize (Nf j (I j J) Fj). pose proof (Mono n1 (na + nb) r1 (INR ra + INR rb + 1) (s j) j ltac:(lra) ltac:(lra)) as Mo.
        assert (E : merged_budget n1 r1 L1 j = merged_budget n1 r1 (s j) j + 10 * (L1 - s j) * ua)
          by (unfold merged_budget, local_budget; ring).
        assert (Sag : (7 * reach j + 8) * ua <= merged_budget n1 r1 (s j) j).
        { unfold merged_budget, local_budget, bonus. pose proof (Rabs_pos (s j)).
          assert (0 <= (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue).
          { apply Rmult_le_pos; [|lra]. assert (0 <= 2 * (1 + 8 * ue) * Rabs (s j)) by (apply Rmult_le_pos; lra). lra. }
          assert (0 <= n1 * ua) by (apply Rmult_le_pos; lra).
          assert (0 <= r1 * (14 + 2 * reach j) * ua) by (repeat apply Rmult_le_pos; lra). lra. }
        rewrite E. destruct (Rle_lt_dec (s j) L1) as [S | S].
        + assert ((L1 - s j) * ua <= (L1 - s j) * (1 / 128)) by (apply Rmult_le_compat_l; lra). lra.
        + assert (0 <= (s j - L1) * ua) by (apply Rmult_le_pos; lra). lra.
      - intros b0 h k Hh. eapply Rle_trans.
        + apply (absolute_shift b0 (n1 + r1) L1 L (bonus r1) (bonus (INR ra + INR rb + 1)) ((14 + 2 * reach j) * ua) h k j);
            [lra | exact Hh | lra | | exact B1].
          apply exp_le. apply Rabs_le_inv in LR. lra.
        + apply absolute_le; [lra | lra | exact Hh].
      - intros b0 h k Hb0 Hh. eapply Rle_trans.
        + apply (absolute_step b0 (n1 + r1) L1 L); [exact Hb0 | lra | exact LL | exact Hh].
        + apply absolute_le; [lra | lra | exact Hh]. }
    pose proof (Side a na (INR ra) La ltac:(intros; apply in_or_app; now left) ltac:(lra) ltac:(lra) ltac:(lra) LaL ltac:(lra) Sa) as Qa.
    pose proof (Side b nb (INR rb) Lb ltac:(intros; apply in_or_app; now right) ltac:(lra) ltac:(lra) ltac:(lra) LbL ltac:(lra) Sb) as Qb.
    split; [intros j J; apply in_app_or in J; destruct J as [J | J]; [apply (Qa j J) | apply (Qb j J)]|].
    split; [exact LT|].
    split; [intros E; apply app_eq_nil in E; now apply NEa|]. fold T. split.
    + apply (lane_shift _ _ _ _ La L eps) in Xa.
      2: { intros j J. destruct (Sa j J) as (_ & _ & T0). lra. }
      apply (lane_shift _ _ _ _ Lb L eps) in Xb.
      2: { intros j J. destruct (Sb j J) as (_ & _ & T0). lra. }
      rewrite Rmult_1_r, <- exp_plus in Xa. rewrite Rmult_1_r, <- exp_plus in Xb.
      match goal with |- near ?js ?t ?T ?g 1 =>
        cut (near js t T g (exp (eps + (La - L)) + exp (eps + (Lb - L)))); [rewrite One; intros Q; exact Q|] end.
      apply near_app; (eapply near_weaken; [| |eassumption]; intros j J; cbv beta).
      * destruct (Qa j J) as (_ & ? & _). lra.
      * destruct (Qa j J) as (_ & _ & _ & _ & G & _). apply G, Leaf1.
      * destruct (Qb j J) as (_ & ? & _). lra.
      * destruct (Qb j J) as (_ & _ & _ & _ & G & _). apply G, Leaf1.
    + apply (lane_join a b (seen c) _ _ _ _ _ _ La Lb L r r' Oa Ob O NEa LaL LbL Ra Rb Jo) with (3 := Ya) (4 := Yb).
      * intros j J. destruct (Sa j J) as (_ & _ & T0). destruct (Qa j J) as (_ & _ & Q1 & Q2 & _ & Q3).
        split; [apply (absolute_le beside (na + INR ra) (na + INR ra) La (bonus (INR ra)) (bonus (INR ra))); [lra | lra | apply Leafc]|].
        split; [lra|]. split; [apply held_down; exact Q2|]. split; [lra|].
        eapply Rle_trans; [|apply (Q3 beside (lost_at_leaf hp c) c Hbeside (Leafc j))].
        apply Rplus_le_compat_l. pose proof (seen_le c j). apply Rmult_le_compat_l; lra.
      * intros j J. destruct (Sb j J) as (_ & _ & T0). destruct (Qb j J) as (_ & _ & Q1 & Q2 & _ & Q3).
        split; [apply (absolute_le beside (nb + INR rb) (nb + INR rb) Lb (bonus (INR rb)) (bonus (INR rb))); [lra | lra | apply Leafc]|].
        split; [lra|]. split; [apply held_down; exact Q2|]. split; [lra|].
        eapply Rle_trans; [|apply (Q3 beside (lost_at_leaf hp c) c Hbeside (Leafc j))].
        apply Rplus_le_compat_l. pose proof (seen_le c j). apply Rmult_le_compat_l; lra.
  - pose proof (Permutation_length P) as PL. rewrite <- PL in *. destruct IH as (S1 & S2 & S3 & X & Y).
    { intros j J. apply Nf. eapply Permutation_in; [exact P | exact J]. }
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; [exact S2|]. split.
    + intros ->. apply Permutation_sym, Permutation_nil in P. now apply S3.
    + split; eapply near_perm; eassumption.
Qed.

(** The leaf of the output's sum: the weight w rounded to the operand format, multiplied by the
    dropout factor (itself rounded) and by the value (rounded to the operand format). *)
Theorem leaf_value : forall up ui eo kappa v w wp ck cv q y,
  0 <= up -> 0 <= ui -> 0 <= eo ->
  rounds up eo w wp -> rounds ua 0 kappa ck -> operand ui 0 v cv ->
  rounds ua eta (wp * ck) q -> rounds ua eta (q * cv) y ->
  operand (up + ui + 3 * ua) (eo * Rabs (kappa * v) + eta * Rabs v + eta) (w * (kappa * v)) y.
Proof.
  intros up ui eo kappa v w wp ck cv q y UP UI EO R1 R2 V R3 R4.
  pose proof (rounds_operand _ _ _ _ UP EO R1) as O1.
  pose proof (rounds_operand _ _ _ _ (proj1 Hua) (Rle_refl 0) R2) as O2.
  assert (B3 : 0 <= up + ua) by lra. assert (B4 : 0 <= up + ua + ua + ui) by lra.
  assert (B5 : 0 <= up + ua + ua) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ UP (proj1 Hua) EO (Rle_refl 0) O1 O2) as O3.
  rewrite (Rmult_0_r (Rabs w)), (Rmult_0_r eo), Rplus_0_l, Rplus_0_r in O3.
  pose proof (Rabs_pos kappa) as K0. pose proof (Rabs_pos v) as V0.
  assert (H3 : 0 <= Rabs kappa * eo) by (apply Rmult_le_pos; lra).
  pose proof (operand_round _ _ _ _ _ _ _ (proj1 Hua) (proj1 Heta) B3 H3 O3 R3) as O4.
  assert (E5 : 0 <= Rabs kappa * eo + eta) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ B5 UI E5 (Rle_refl 0) O4 V) as O5.
  rewrite (Rmult_0_r (Rabs (w * kappa))), (Rmult_0_r (_ + eta)), Rplus_0_l, Rplus_0_r in O5.
  assert (H5 : 0 <= Rabs v * (Rabs kappa * eo + eta)) by (apply Rmult_le_pos; lra).
  pose proof (operand_round _ _ _ _ _ _ _ (proj1 Hua) (proj1 Heta) B4 H5 O5 R4) as O6.
  rewrite <- Rmult_assoc. eapply operand_weaken; [| | exact O6]; [lra|].
  rewrite Rabs_mult. split; [lra | apply Req_le; ring].
Qed.

End Run.
