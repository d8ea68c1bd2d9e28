(** * AttentionAccuracy: what a run of AttentionModel.v loses, in its own computed quantities

    Purpose. A partial (m, l, o) stands for the sums of e^(s j) and e^(s j) c j over its keys, scaled
    by e^-m; a normalised one (L, O) for (1, O) scaled by e^-L. Some keys are called far, any choice of
    them. Each of the others carries a budget that grows by 8 u a join and 10 u for every unit by which
    its maximum has risen, whatever the tree. A far key stands for nothing: all that is shown is how
    much it may contribute, whatever its score's size and error, and that this falls as the maximum
    rises: a quarter of the rise in the exponent, for what an exponential of -10^9 loses is far less.

    Main results.
    - [local_accuracy]    online softmax, split-KV, any blocking on one rank: local_budget, absolute
    - [merged_accuracy]   with normalisation and any tree of merges of any number of parts: merged_budget,
                          held. A log-sum-exp may fall below a part's: [sag] and [lse_size] say how far,
                          [lift] by what that enlarges underflow. What a store of a partial output loses
                          near zero is ep times a sum over the weights at most.
    - [lazier]            a run whose maxima lag by no more than [head] is one of any larger [head]: what is
                          proved of lazy maxima holds of those that are always brought up
    - [leaf_value]        the leaf of the output's sum: P rounded, dropout, times the value

    [head] is how far a score may exceed the maximum it is exponentiated with: 0, or what a lazy maximum
    lags by. It costs a key 20 head u at its leaf, which no rise takes back, and reach and sag grow by it;
    a far key may weigh e^head more; [flush] is e^head times larger ([rescaled_tiny]).

    [uw] and [ew] are what rounding a weight costs before it is summed.

    Underflow and flushes of each operation are counted by [flush] beside the budgets. Asked of the
    formats is ua <= 1/128, ue <= ua, eta <= ua/32; of a key that is not far, that its budget without
    the rise is at most 1/2; where log-sum-exps may fall, that the run is short ([few]).

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

(** error-model.ts, rescaledTiny: underflow of a rescaling, of a sum whose weights may exceed one. *)
Definition rescaled_tiny (eta head : R) : R := eta * exp head.

Section Run.

Context {A : Type}.
Variables ua ue eta uw ew head fall up ep top beside : R.
Variables s c hp : A -> R.
Variable far : A -> bool.
(** 1 where a merge's log-sum-exp may lie below a part's, 0 where not; the most merges of a key. *)
Variables lowered most : R.
Hypothesis Hua : 0 <= ua <= 1 / 128.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta <= ua / 32.
Hypothesis Huw : 0 <= uw.
Hypothesis Hew : eta <= ew.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hhp : forall j, 0 <= hp j.
Hypothesis Hhead : 0 <= head.
Hypothesis Hup : 0 <= up.
Hypothesis Hep : 0 <= ep.
Hypothesis Hmost : 0 <= most.
Hypothesis Hlow : (lowered = 0 /\ fall <= 0) \/ lowered = 1.

(** eta, e^head times larger. *)
Local Notation heta := (rescaled_tiny eta head).

Lemma rescaled_ge : 0 <= eta <= heta /\ eta * exp head = heta.
Proof.
  unfold rescaled_tiny. pose proof (exp_ge_1 head Hhead). assert (eta * 1 <= eta * exp head) by (apply Rmult_le_compat_l; lra). lra.
Qed.

#[local] Opaque rescaled_tiny.

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

(** What a rescaling by x takes off at least, or adds at most where the reference falls. *)
Definition shrink (x : R) : R := if Rle_lt_dec 0 x then decay x else exp (- ((1 + 9 * ua) * x)).

Lemma shrink_up : forall x, 0 <= x -> shrink x = decay x.
Proof. intros x X. unfold shrink. destruct (Rle_lt_dec 0 x); [reflexivity | lra]. Qed.

Lemma shrink_down : forall x, x < 0 -> shrink x = exp (- ((1 + 9 * ua) * x)).
Proof. intros x X. unfold shrink. destruct (Rle_lt_dec 0 x); [lra | reflexivity]. Qed.

Lemma shrink_pos : forall x, 0 < shrink x.
Proof. intros x. unfold shrink, decay. destruct (Rle_lt_dec 0 x); apply exp_pos. Qed.

Lemma shrink_step : forall x f e, Rabs f <= exp ((6 + 9 * Rabs x) * ua) -> Rabs e <= eta ->
  Rabs e <= exp (- x) * f ->
  exp (- x) * Rabs f * exp ua + 2 * Rabs e <= exp (8 * ua) * shrink x.
Proof.
  intros x f e F E EF. destruct (Rle_lt_dec 0 x) as [X | X].
  - rewrite (shrink_up x X). rewrite (Rabs_pos_eq x X) in F. now apply decay_step.
  - rewrite (shrink_down x X). rewrite (Rabs_left x X) in F.
    apply Rle_trans with (exp (7 * ua) * exp (- ((1 + 9 * ua) * x)) + 2 * eta).
    + apply Rplus_le_compat; [|lra].
      apply Rle_trans with (exp (- x) * exp ((6 + 9 * - x) * ua) * exp ua).
      * apply Rmult_le_compat_r; [left; apply exp_pos|]. apply Rmult_le_compat_l; [left; apply exp_pos | exact F].
      * rewrite <- !exp_plus. apply exp_le. lra.
    + replace (8 * ua) with (7 * ua + ua) by ring. rewrite exp_plus.
      set (y := exp (- ((1 + 9 * ua) * x))). assert (1 <= y).
      { apply exp_ge_1. assert (0 <= (1 + 9 * ua) * - x) by (apply Rmult_le_pos; lra). lra. }
      pose proof (exp_ge_1 (7 * ua) ltac:(lra)). pose proof (exp_ineq1_le ua).
      assert (1 * ua <= exp (7 * ua) * y * (exp ua - 1)).
      { apply Rmult_le_compat; try lra. assert (1 * 1 <= exp (7 * ua) * y) by (apply Rmult_le_compat; lra). lra. }
      lra.
Qed.

(** One side of a join: brought to another maximum m' by an inexact exponential; [e2] is the product's
    own underflow. *)
Lemma lane_rescale : forall js (k g T : A -> R) m m' r x p,
  rescales ua eta m m' r -> rounds ua eta (r * x) p ->
  (forall j, In j js -> 0 <= g j /\ 0 <= T j /\ exp (s j - m) * exp (T j) * Rabs (k j) <= 3 * exp head * Rabs (k j)) ->
  near js (term m k) T g x ->
  exists e2, Rabs e2 <= eta /\
    near js (term m' k) (fun j => T j + (7 + 9 * Rabs (m' - m)) * ua)
      (fun j => exp (8 * ua) * shrink (m' - m) * g j + 7 * heta * Rabs (k j)) (p - e2).
Proof.
  intros js k g T m m' r x p (f & e & F & F0 & E & EF & ->) R H X.
  destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) R) as (d & e2 & D & E2 & ->).
  exists e2. split; [exact E2|].
  set (S := (6 + 9 * Rabs (m' - m)) * ua) in *.
  pose proof (near_abs _ _ _ _ _ X) as Xabs. pose proof (factor_abs _ _ F) as FA.
  assert (D1 : Rabs (1 + d) <= exp ua /\ Rabs (1 + d) <= 65 / 64).
  { pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le ua). lra. }
  apply (near_mul _ _ _ _ (S + ua) (f * (1 + d))) in X; [| apply factor_mul; [exact F | apply factor_round, D] |].
  2: { intros j J. apply (H j J). }
  apply (near_scale _ _ _ _ (exp (m - m'))) in X; [|left; apply exp_pos].
  apply (near_add _ _ _ _ (fun j => 2 * Rabs e * g j + 7 * heta * Rabs (k j)) _ (e * x * (1 + d))) in X.
  2: { rewrite !Rabs_mult. apply Rle_trans with (Rabs e * (65 / 64) * Rabs x).
       - rewrite (Rmult_assoc (Rabs e) (Rabs x)), (Rmult_comm (Rabs x)), <- Rmult_assoc.
         apply Rmult_le_compat_r; [apply Rabs_pos|]. apply Rmult_le_compat_l; [apply Rabs_pos | lra].
       - eapply Rle_trans; [apply Rmult_le_compat_l; [|exact Xabs]; pose proof (Rabs_pos e); lra|].
         rewrite <- total_scale. apply total_le. intros j J. destruct (H j J) as (G0 & T0 & K).
         rewrite Rabs_mult, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
         pose proof (Rabs_pos e) as e0. pose proof (Rabs_pos (k j)) as k0.
         assert (Rabs e * g j * (65 / 64) <= Rabs e * g j * 2).
         { apply Rmult_le_compat_l; [apply Rmult_le_pos|]; lra. }
         assert (Rabs e * (exp (s j - m) * exp (T j) * Rabs (k j)) <= eta * (3 * exp head * Rabs (k j))).
         { apply Rmult_le_compat; try lra. apply Rmult_le_pos; [|exact k0].
           left. apply Rmult_lt_0_compat; apply exp_pos. }
         destruct rescaled_ge as [_ HE].
         replace (eta * (3 * exp head * Rabs (k j))) with (3 * (heta * Rabs (k j))) in * by (rewrite <- HE; ring).
         assert (0 <= heta * Rabs (k j)) by (apply Rmult_le_pos; destruct rescaled_ge; lra). lra. }
  replace (exp (m - m') * (f * (1 + d) * x) + e * x * (1 + d))
    with ((exp (m - m') * f + e) * x * (1 + d) + e2 - e2) in X by ring.
  eapply near_weaken; [| |eapply near_ext; [|exact X]].
  - intros j _. cbv beta. unfold S. lra.
  - intros j J. cbv beta. destruct (H j J) as (G0 & _).
    pose proof (shrink_step (m' - m) f e FA E) as Q.
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
    exp (s j - ma) * exp (Ta j) * Rabs (k j) <= 3 * exp head * Rabs (k j) /\
    Ta j + (8 + 9 * (m - ma)) * ua <= T j /\
    exp (9 * ua) * decay (m - ma) * ga j + 8 * heta * (Rabs (k j) + 1) <= g j) ->
  (forall j, In j b -> 0 <= gb j /\ 0 <= Tb j /\
    exp (s j - mb) * exp (Tb j) * Rabs (k j) <= 3 * exp head * Rabs (k j) /\
    Tb j + (8 + 9 * (m - mb)) * ua <= T j /\
    exp (9 * ua) * decay (m - mb) * gb j + 8 * heta * (Rabs (k j) + 1) <= g j) ->
  near a (term ma k) Ta ga x -> near b (term mb k) Tb gb y -> near (a ++ b) (term m k) T g z.
Proof.
  intros a b k ga gb g Ta Tb T ma mb m r r' x y z NE La Lb Ra Rb (p & q & Rp & Rq & Rz) Pa Pb Xa Xb.
  destruct (lane_rescale a k ga Ta ma m r x p Ra Rp) as (ea & Ea & Ya); [|exact Xa|].
  { intros j J. destruct (Pa j J) as (? & ? & ? & _). auto. }
  destruct (lane_rescale b k gb Tb mb m r' y q Rb Rq) as (eb & Eb & Yb); [|exact Xb|].
  { intros j J. destruct (Pb j J) as (? & ? & ? & _). auto. }
  rewrite (Rabs_pos_eq (m - ma)), (shrink_up (m - ma)) in Ya by lra.
  rewrite (Rabs_pos_eq (m - mb)), (shrink_up (m - mb)) in Yb by lra.
  destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) Rz) as (d & e & D & E & ->).
  pose proof (exp_ge_1 ua ltac:(lra)) as u1.
  assert (u2 : exp ua <= 65 / 64 + 1 / 64).
  { eapply Rle_trans; [apply (exp_le _ (1 / 128)); lra | Kernels.bound]. }
  assert (E9 : exp (9 * ua) = exp ua * exp (8 * ua)) by (rewrite <- exp_plus; f_equal; ring).
  (* what both sides may be weakened to *)
  destruct rescaled_ge as [HE _].
  set (g1 := fun j => (g j - 5 * heta) / exp ua).
  assert (G1 : forall w j, exp (9 * ua) * w + 8 * heta * (Rabs (k j) + 1) <= g j ->
    exp (8 * ua) * w + 7 * heta * Rabs (k j) <= g1 j).
  { intros w j G. unfold g1. apply Rmult_le_reg_r with (exp ua); [lra|].
    replace ((g j - 5 * heta) / exp ua * exp ua) with (g j - 5 * heta) by (field; lra). rewrite E9 in G.
    assert (0 <= heta * Rabs (k j)) by (apply Rmult_le_pos; [lra | apply Rabs_pos]).
    assert (heta * Rabs (k j) * exp ua <= heta * Rabs (k j) * (65 / 64 + 1 / 64))
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
  { assert (Q : forall w, 0 <= w -> exp (9 * ua) * w + 8 * heta * (Rabs (k j) + 1) <= g j -> 0 <= g1 j).
    { intros w W G. apply G1 in G. eapply Rle_trans; [|exact G]. pose proof (exp_pos (8 * ua)).
      pose proof (Rabs_pos (k j)). apply Rplus_le_le_0_compat; repeat apply Rmult_le_pos; lra. }
    apply in_app_or in J. destruct J as [J | J];
      [destruct (Pa j J) as (? & _ & _ & _ & G); apply (Q (decay (m - ma) * ga j))
      | destruct (Pb j J) as (? & _ & _ & _ & G); apply (Q (decay (m - mb) * gb j))];
      try (rewrite <- Rmult_assoc; exact G); (apply Rmult_le_pos; [left; apply exp_pos | assumption]). }
  apply Rle_trans with (exp ua * g1 j + 5 * heta).
  - apply Rplus_le_compat; [|lra]. apply Rmult_le_compat_r; [exact G0|].
    pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le ua). lra.
  - unfold g1. apply Req_le. field. lra.
Qed.

(** ** One rank *)

(** Log-domain error of a key's weight in a partial of n keys at the maximum m. *)
Definition local_budget (n m : R) (j : A) : R :=
  (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + (8 * n + 10 * (m - s j) + 20 * head) * ua + uw.

(** step-errors.ts, flush: underflow of the leaf (h) and of N operations. *)
Definition flush (h : R) (k N : R) : R := h + N * (8 * rescaled_tiny eta head * (Rabs k + 1)).

(** What a far key, and x beside its exponential's own error, may amount to at its own score. *)
Definition tail (x : R) (j : A) : R :=
  if far j then 2 * exp ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + x + uw + head) else 0.

(** The absolute error of a key at the maximum m, after N operations: a far key's whole contribution. *)
Definition absolute (b N m : R) (x h k : A -> R) (j : A) : R :=
  exp (9 * N * ua + b) * (tail (x j) j * Rabs (k j) * decay (m - s j) + flush (h j) (k j) N).

(** What the leaf of a lane loses near zero. *)
Definition lost_at_leaf (h k : A -> R) (j : A) : R := h j + ew * Rabs (k j).

Lemma tail_pos : forall x j, 0 <= tail x j.
Proof. intros x j. unfold tail. destruct (far j); [|lra]. pose proof (exp_pos ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + x + uw + head)). lra. Qed.

Lemma tail_le : forall x y j, x <= y -> tail x j <= tail y j.
Proof.
  intros x y j H. unfold tail. destruct (far j); [|lra].
  apply Rmult_le_compat_l; [lra|]. apply exp_le. lra.
Qed.

Lemma flush_le : forall h k n n', 0 <= h -> 0 <= n <= n' -> 0 <= flush h k n <= flush h k n'.
Proof.
  intros h k n n' H N. unfold flush. pose proof (Rabs_pos k).
  destruct rescaled_ge as [HE _].
  assert (0 <= 8 * heta * (Rabs k + 1)) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= n * (8 * heta * (Rabs k + 1))) by (apply Rmult_le_pos; lra).
  assert (n * (8 * heta * (Rabs k + 1)) <= n' * (8 * heta * (Rabs k + 1))) by (apply Rmult_le_compat_r; lra).
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
  exp (9 * ua) * decay (m' - m) * absolute b n m x h k j + 8 * heta * (Rabs (k j) + 1)
    <= absolute b (n + 1) m' x h k j.
Proof.
  intros b n m m' x h k j B N M H. unfold absolute.
  replace (9 * (n + 1) * ua + b) with (9 * ua + (9 * n * ua + b)) by ring. rewrite (exp_plus (9 * ua)).
  replace (m' - s j) with ((m' - m) + (m - s j)) by ring. rewrite decay_add.
  assert (F1 : flush (h j) (k j) (n + 1) = flush (h j) (k j) n + 8 * heta * (Rabs (k j) + 1))
    by (unfold flush; ring). rewrite F1.
  destruct (flush_le (h j) (k j) n n H ltac:(lra)) as [F0 _].
  destruct (decay_le_1 (m' - m) ltac:(lra)) as [D0 D1].
  assert (Q : 1 <= exp (9 * ua) * exp (9 * n * ua + b)).
  { rewrite <- exp_plus. apply exp_ge_1. assert (0 <= n * ua) by (apply Rmult_le_pos; lra). lra. }
  set (q := exp (9 * ua) * exp (9 * n * ua + b)) in *. set (d := decay (m' - m)) in *.
  set (t := tail (x j) j * Rabs (k j)). set (w := decay (m - s j)). set (f := flush (h j) (k j) n) in *.
  set (y := 8 * heta * (Rabs (k j) + 1)).
  destruct rescaled_ge as [HE _].
  assert (0 <= y) by (unfold y; pose proof (Rabs_pos (k j)); repeat apply Rmult_le_pos; lra).
  replace (exp (9 * ua) * d * (exp (9 * n * ua + b) * (t * w + f))) with (q * (t * (d * w)) + q * (d * f))
    by (unfold q; ring).
  assert (q * (d * f) <= q * (1 * f)) by (apply Rmult_le_compat_l; [lra | apply Rmult_le_compat_r; lra]).
  assert (1 * y <= q * y) by (apply Rmult_le_compat_r; lra).
  lra.
Qed.

Lemma leaf_budget_le : forall j m, s j <= m + head -> 0 <= leaf_budget ue (s j) m + uw <= local_budget 0 m j.
Proof.
  intros j m H. unfold leaf_budget, local_budget.
  pose proof (Rabs_pos (s j)). pose proof (Rabs_pos m). pose proof (Rabs_pos (m - s j)) as X0.
  assert (Rabs m <= Rabs (s j) + Rabs (m - s j)).
  { replace m with (s j + (m - s j)) at 1 by ring. apply Rabs_triang. }
  assert (X : 10 * Rabs (m - s j) * ua <= (10 * (m - s j) + 20 * head) * ua).
  { apply Rmult_le_compat_r; [lra|]. unfold Rabs. destruct (Rcase_abs (m - s j)); lra. }
  set (x := Rabs (m - s j)) in *.
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
Lemma leaf : forall b h k j m w x, 0 <= b -> 0 <= h j -> s j <= m + head ->
  exponential (leaf_budget ue (s j) m + uw) ew (exp (s j - m)) w -> operand b (h j) (w * k j) x ->
  near [j] (term m (seen k)) (fun j => local_budget 0 m j + b)
    (absolute b 0 m (fun _ => 0) (lost_at_leaf h k) k) x.
Proof.
  intros b h k j m w x B H M (f & e & F & F0 & E & EF & W) O.
  destruct (leaf_budget_le j m M) as [L0 L1]. set (l := leaf_budget ue (s j) m + uw) in *.
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
    assert (W2 : Rabs w <= 2 * exp ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + uw + head) * decay (m - s j)).
    { apply Rle_trans with (2 * (X * exp l)).
      - assert (X * f <= X * exp l) by (apply Rmult_le_compat_l; lra).
        rewrite Rabs_pos_eq; subst w; lra.
      - rewrite (Rmult_assoc 2). apply Rmult_le_compat_l; [lra|]. unfold X, decay. rewrite <- !exp_plus.
        apply exp_le. unfold local_budget in L1.
        assert ((m + head - s j) * ua <= (m + head - s j) * (1 / 128)) by (apply Rmult_le_compat_l; lra).
        assert (head * ua <= head * (1 / 128)) by (apply Rmult_le_compat_l; lra).
        assert (0 <= head * ua) by (apply Rmult_le_pos; lra). lra. }
    eapply Rle_trans; [exact Ax|]. rewrite Rmult_comm. apply Rmult_le_compat_l; [lra|].
    rewrite Rabs_mult. apply (Rmult_le_compat_r (Rabs (k j))) in W2; [|exact k0].
    assert (0 <= ew * Rabs (k j)) by (apply Rmult_le_pos; lra). lra.
  - rewrite !Rmult_0_l, Rplus_0_l. rewrite (Rabs_mult X), (Rabs_pos_eq X) by lra.
    assert (Wx : Rabs (w - X) <= X * (exp l - 1) + ew).
    { replace (w - X) with (X * (f - 1) + e) by (subst w; ring). eapply Rle_trans; [apply Rabs_triang|].
      rewrite Rabs_mult, (Rabs_pos_eq X) by lra. unfold factor in F.
      apply Rplus_le_compat; [apply Rmult_le_compat_l; lra | exact E]. }
    assert (Wa : Rabs w <= X * exp l + ew).
    { pose proof (Rabs_triang (w - X) X) as G. replace (w - X + X) with w in G by ring.
      rewrite (Rabs_pos_eq X) in G by lra. lra. }
    replace (x - X * k j) with ((x - w * k j) + (w - X) * k j) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult. rewrite Rabs_mult in O.
    apply (Rmult_le_compat_r (Rabs (k j))) in Wx; [|exact k0].
    apply (Rmult_le_compat_r (Rabs (k j) * (exp b - 1))) in Wa; [|apply Rmult_le_pos; lra].
    apply Rle_trans with (X * Rabs (k j) * (exp l * exp b - 1) + exp b * (h j + ew * Rabs (k j))); [lra|].
    apply Rplus_le_compat_r. apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|].
    apply Rplus_le_compat_r. rewrite <- exp_plus. apply exp_le. lra.
Qed.

Lemma local_nonempty : forall js m l o, local ua ue eta uw ew head beside s c hp js m l o -> js <> [].
Proof.
  intros js m l o H. induction H as [| a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb | a b m l o P H IH].
  - discriminate.
  - intros E. apply app_eq_nil in E. now apply IHa.
  - intros ->. apply Permutation_sym, Permutation_nil in P. now apply IH.
Qed.

Lemma seen_le : forall k j, Rabs (seen k j) <= Rabs (k j).
Proof. intros k j. unfold seen. destruct (far j); [rewrite Rabs_R0; apply Rabs_pos | lra]. Qed.

(** The condition of [lane_rescale]: no maximum, however high, makes the term grow. *)
Lemma held_down : forall k m T j, (far j = false -> s j - m + T <= 1 + head) ->
  exp (s j - m) * exp T * Rabs (seen k j) <= 3 * exp head * Rabs (seen k j).
Proof.
  intros k m T j H. unfold seen. destruct (far j); [rewrite Rabs_R0; lra|].
  apply Rmult_le_compat_r; [apply Rabs_pos|]. rewrite <- exp_plus.
  eapply Rle_trans; [apply exp_le, H; reflexivity|]. rewrite exp_plus.
  apply Rmult_le_compat_r; [left; apply exp_pos | apply exp_le_3].
Qed.

(** One lane of a join of partials that are not normalised. *)
Lemma local_lane : forall b h k a a' ma mb m r r' x y z, 0 <= b -> (forall j, 0 <= h j) ->
  a <> [] -> a' <> [] -> ma <= m -> mb <= m ->
  rescales ua eta ma m r -> rescales ua eta mb m r' -> joined ua eta r x r' y z ->
  (forall j, In j a -> s j <= ma + head) -> (forall j, In j a' -> s j <= mb + head) ->
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
    (forall j, In j js -> s j <= ms + head) ->
    near js (term ms (seen k)) (fun j => local_budget (n - 1) ms j + b) (absolute b (n - 1) ms (fun _ => 0) h k) y0 ->
    near js (term ms (seen k)) (fun j => local_budget N ms j + b) (absolute b N ms (fun _ => 0) h k) y0 /\
    (forall j, In j js -> 0 <= absolute b N ms (fun _ => 0) h k j /\ 0 <= local_budget N ms j + b /\
      exp (s j - ms) * exp (local_budget N ms j + b) * Rabs (seen k j) <= 3 * exp head * Rabs (seen k j) /\
      local_budget N ms j + b + (8 + 9 * (m - ms)) * ua <= local_budget (na + nb - 1) m j + b /\
      exp (9 * ua) * decay (m - ms) * absolute b N ms (fun _ => 0) h k j + 8 * heta * (Rabs (seen k j) + 1)
        <= absolute b (na + nb - 1) m (fun _ => 0) h k j)).
  { intros js ms n y0 I Lm N1 N2 Ss X. split.
    - eapply near_weaken; [| |exact X]; intros j J; cbv beta.
      + unfold local_budget. assert ((8 * (n - 1)) * ua <= 8 * N * ua) by (apply Rmult_le_compat_r; lra). lra.
      + apply absolute_le; [lra | lra | apply Hh].
    - intros j J. specialize (Ss j J). pose proof (Rabs_pos (s j)).
      assert (0 <= (m - ms) * ua) by (apply Rmult_le_pos; lra).
      assert (0 <= (ms + head - s j) * ua) by (apply Rmult_le_pos; lra).
      assert ((ms + head - s j) * ua <= (ms + head - s j) * (1 / 128)) by (apply Rmult_le_compat_l; lra).
      assert (0 <= head * ua) by (apply Rmult_le_pos; lra). destruct rescaled_ge as [HE _].
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
        assert (8 * heta * (Rabs (seen k j) + 1) <= 8 * heta * (Rabs (k j) + 1)).
        { pose proof (seen_le k j). apply Rmult_le_compat_l; lra. } lra. }
  destruct (Side a ma na x) as [Xa' Pa]; try assumption; [intros; apply in_or_app; now left | unfold N; lra |].
  destruct (Side a' mb nb y) as [Xb' Pb]; try assumption; [intros; apply in_or_app; now right | unfold N; lra |].
  exact (lane_join a a' (seen k) _ _ _ _ _ _ ma mb m r r' x y z NEa La Lb Ra Rb Jo Pa Pb Xa' Xb').
Qed.

(** Every partial of at most n keys. *)
Theorem local_accuracy : forall js m l o, local ua ue eta uw ew head beside s c hp js m l o ->
  (forall j, In j js -> far j = false -> local_budget (INR (length js)) (s j) j + beside <= 1) ->
  (forall j, In j js -> s j <= m + head) /\
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
      assert (0 <= ew * Rabs (c j)) by (apply Rmult_le_pos; lra). lra.
  - pose proof (Permutation_length P) as PL. rewrite <- PL in *. destruct IH as (S1 & X & Y).
    { intros j J. apply Nf. eapply Permutation_in; [exact P | exact J]. }
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; eapply near_perm; eassumption.
Qed.

(** ** All ranks *)

Definition mx (j : A) : R := Rmax (Rabs (s j)) (Rabs top) + head.

(** The size of any log-sum-exp or maximum over key j, with room for second-order terms. *)
Definition reach (j : A) : R :=
  (1 + (20 + 4 * lowered * most) * ua) * mx j + 1.

(** What normalising and r merges cost key j. *)
Definition bonus (r : R) (j : A) : R := (7 * reach j + 18 + r * (14 + 2 * reach j)) * ua.

(** step-errors.ts, weightError, on the computed scores: a partial of n keys and r merges at L. *)
Definition merged_budget (n r L : R) (j : A) : R := local_budget n L j + bonus r j.

(** A run short enough for its log-sum-exps to stay where they are though each may fall. *)
Definition few (n r : R) : Prop := lowered = 0 \/ (8 * n + 16 * r) * ua <= 1 / 2.

(** No log-sum-exp over key j is larger in size, nor as far below its score, after r merges of n keys. *)
Definition lse_size (n r : R) (j : A) : R :=
  (1 + (8 + 3 * lowered * r) * ua) * mx j + (9 + lowered * (7 * n + 12 * r)) * ua.
Definition sag (n r : R) (j : A) : R := head + (7 * reach j + 8 + lowered * (r * (9 + 2 * reach j) + 7 * n)) * ua.

(** By what underflow is enlarged where log-sum-exps fall. *)
Definition lift (r L : R) : R := lowered * (r * (9 + 5 / 2 * Rabs L) * ua).

(** The absolute error of a key after r merges: a far key's whole contribution, and what underflows. *)
Definition held (b w N m : R) (x h k : A -> R) (j : A) : R :=
  exp (9 * N * ua + b) * (tail (x j) j * Rabs (k j) * decay (m - s j) + exp w * flush (h j) (k j) N).

(** A merge of K parts at L, of one at L1. *)
Definition drops (K L1 L : R) : Prop :=
  (L1 <= L \/ lowered = 1) /\ L1 - L <= ua * (2 + 6 * K + 2 * Rabs L).

Lemma low : 0 <= lowered <= 1.
Proof. destruct Hlow as [[-> _] | ->]; lra. Qed.

Lemma few_le : forall n r n' r', 0 <= n' <= n -> 0 <= r' <= r -> few n r -> few n' r'.
Proof.
  intros n r n' r' Hn Hr [F | F]; [now left | right]. eapply Rle_trans; [|exact F].
  apply Rmult_le_compat_r; lra.
Qed.

Lemma mx_pos : forall j, 0 <= mx j.
Proof.
  intros j. unfold mx. pose proof (Rmax_l (Rabs (s j)) (Rabs top)). pose proof (Rabs_pos (s j)). lra.
Qed.

Lemma mx_ge : forall j, Rabs (s j) + head <= mx j /\ Rabs top + head <= mx j.
Proof.
  intros j. unfold mx. pose proof (Rmax_l (Rabs (s j)) (Rabs top)). pose proof (Rmax_r (Rabs (s j)) (Rabs top)). lra.
Qed.

Lemma reach_ge : forall j, 1 <= reach j /\ (1 + 10 * ua) * Rabs top <= reach j.
Proof.
  intros j. unfold reach. destruct (mx_ge j) as [_ ?]. pose proof (Rabs_pos top). pose proof low.
  set (x := mx j) in *. assert (0 <= ua * x) by (apply Rmult_le_pos; lra).
  assert (ua * Rabs top <= ua * x) by (apply Rmult_le_compat_l; lra).
  assert (0 <= 4 * lowered * most * ua * x) by (repeat apply Rmult_le_pos; lra). lra.
Qed.

Lemma reach_le : forall j m l L, s j <= m + head -> L <= top -> 0 <= ln l ->
  Rabs (L - (m + ln l)) <= lse_rounding ua m l L ->
  (1 + 10 * ua) * Rabs m <= reach j /\ (1 + 10 * ua) * Rabs L <= reach j /\
  lse_rounding ua m l L <= ua * (4 * Rabs m + 3 * Rabs L + 8) + 8 * ua * ln l /\
  s j - L <= head + (7 * reach j + 8) * ua /\
  Rabs L <= (1 + 8 * ua) * mx j + 9 * ua.
Proof.
  intros j m l L M T Ll R. unfold lse_rounding in R |- *. apply Rabs_le_inv in R.
  set (q := ua * (4 * Rabs m + 3 * Rabs L + 8)).
  assert (Lu : ua * ln l <= 1 / 128 * ln l) by (apply Rmult_le_compat_r; lra).
  assert (Q1 : m - L <= q) by (unfold q; lra).
  pose proof (mx_pos j) as mx0. destruct (mx_ge j) as [B1 B2]. set (mx := mx j) in *.
  assert (B3 : s j - head >= - mx) by (pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs (s j)))); lra).
  assert (B4 : top <= mx) by (pose proof (Rle_abs top); lra).
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
  assert (0 <= 4 * lowered * most * ua * mx) by (pose proof low; repeat apply Rmult_le_pos; lra).
  assert (Top : (1 + 10 * ua) * (mx + q) <= reach j) by (unfold reach; fold mx; lra).
  assert (C : forall x, x <= mx + q -> (1 + 10 * ua) * x <= reach j).
  { intros x X. eapply Rle_trans; [apply Rmult_le_compat_l; [|exact X]; lra | exact Top]. }
  pose proof (C _ Am) as C1. pose proof (C _ AL) as C2.
  split; [exact C1|]. split; [exact C2|]. split; [unfold q; lra|]. split; [|lra].
  apply Rle_trans with (head + q); [lra|]. apply Rplus_le_compat_l. unfold q. rewrite Rmult_comm. apply Rmult_le_compat_r; [lra|].
  pose proof (Rabs_pos m). pose proof (Rabs_pos L).
  assert (0 <= ua * Rabs m) by (apply Rmult_le_pos; lra). assert (0 <= ua * Rabs L) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma bonus_le : forall r r' j, 0 <= r <= r' -> 0 <= bonus r j <= bonus r' j.
Proof.
  intros r r' j H. unfold bonus. destruct (reach_ge j).
  assert (0 <= r * (14 + 2 * reach j)) by (apply Rmult_le_pos; lra).
  assert (r * (14 + 2 * reach j) <= r' * (14 + 2 * reach j)) by (apply Rmult_le_compat_r; lra).
  split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra].
Qed.

Lemma budget_le : forall n n' r r' L j, n <= n' -> 0 <= r <= r' ->
  merged_budget n r L j <= merged_budget n' r' L j.
Proof.
  intros n n' r r' L j Hn Hr. unfold merged_budget, local_budget. destruct (bonus_le r r' j Hr).
  assert (8 * n * ua <= 8 * n' * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** What a few operations amount to. *)
Lemma few_parts : forall n r, 0 <= n -> 0 <= r -> few n r -> lowered = 0 \/ (lowered = 1 /\ 0 <= r * ua <= 1 / 32 /\
  0 <= n * ua /\ 7 * (n * ua) + 12 * (r * ua) <= 7 / 16).
Proof.
  intros n r N R F. destruct Hlow as [[L _] | L]; [now left | right]. destruct F as [F | F]; [lra|].
  assert (0 <= n * ua) by (apply Rmult_le_pos; lra). assert (0 <= r * ua) by (apply Rmult_le_pos; lra).
  split; [exact L|]. split; [lra|]. lra.
Qed.

Lemma lse_size_le : forall n r n' r' j, 0 <= n <= n' -> 0 <= r <= r' -> lse_size n r j <= lse_size n' r' j.
Proof.
  intros n r n' r' j N R. unfold lse_size. pose proof low. pose proof (mx_pos j). set (mx := mx j) in *.
  assert (lowered * r <= lowered * r') by (apply Rmult_le_compat_l; lra).
  assert (lowered * n <= lowered * n') by (apply Rmult_le_compat_l; lra).
  assert (lowered * r * ua <= lowered * r' * ua) by (apply Rmult_le_compat_r; lra).
  assert (lowered * n * ua <= lowered * n' * ua) by (apply Rmult_le_compat_r; lra).
  assert (lowered * r * ua * mx <= lowered * r' * ua * mx) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma sag_le : forall n r n' r' j, 0 <= n <= n' -> 0 <= r <= r' -> sag n r j <= sag n' r' j.
Proof.
  intros n r n' r' j N R. unfold sag. pose proof low. destruct (reach_ge j) as [G _].
  apply Rplus_le_compat_l, Rmult_le_compat_r; [lra|]. apply Rplus_le_compat_l, Rmult_le_compat_l; [lra|].
  assert (r * (9 + 2 * reach j) <= r' * (9 + 2 * reach j)) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma lse_reach : forall n r L j, 0 <= n -> 0 <= r <= most -> few n r -> Rabs L <= lse_size n r j ->
  (1 + 10 * ua) * Rabs L <= reach j.
Proof.
  intros n r L j N R F S. apply Rle_trans with ((1 + 10 * ua) * lse_size n r j); [apply Rmult_le_compat_l; lra|].
  unfold lse_size, reach. pose proof (mx_pos j) as X. set (mx := mx j) in *.
  assert (W : 0 <= ua * mx) by (apply Rmult_le_pos; lra).
  assert (ua * (ua * mx) <= 1 / 128 * (ua * mx)) by (apply Rmult_le_compat_r; lra).
  assert (ua * ua <= 1 / 128 * ua) by (apply Rmult_le_compat_r; lra).
  destruct (few_parts n r N (proj1 R) F) as [-> | (-> & R1 & N1 & NR)]; [lra|].
  assert (r * (ua * mx) <= most * (ua * mx)) by (apply Rmult_le_compat_r; lra).
  assert (0 <= r * (ua * mx)) by (apply Rmult_le_pos; lra).
  assert (r * ua * (ua * mx) <= 1 / 32 * (ua * mx)) by (apply Rmult_le_compat_r; lra).
  assert (ua * (7 * (n * ua) + 12 * (r * ua)) <= ua * (7 / 16)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** A merge's log-sum-exp is no larger and no lower than that. *)
Lemma size_step : forall n1 r1 n r K L1 L j, 0 <= n1 -> 0 <= r1 -> r1 + 1 <= r -> 1 <= K ->
  n1 + K - 1 <= n -> few n r -> L <= top -> drops K L1 L ->
  Rabs L1 <= lse_size n1 r1 j -> Rabs L <= lse_size n r j.
Proof.
  intros n1 r1 n r K L1 L j N R R' HK N' F T [Dd D] S.
  assert (Mono := lse_size_le n1 r1 n r j ltac:(lra) ltac:(lra)).
  destruct (Rle_lt_dec 0 L) as [P | P].
  - rewrite (Rabs_pos_eq L P). unfold lse_size. destruct (mx_ge j) as [_ ?]. pose proof (Rle_abs top).
    pose proof (mx_pos j). set (mx := mx j) in *. pose proof low.
    assert (0 <= (8 + 3 * lowered * r) * ua * mx).
    { apply Rmult_le_pos; [|lra]. apply Rmult_le_pos; [|lra]. assert (0 <= lowered * r) by (apply Rmult_le_pos; lra). lra. }
    assert (0 <= (9 + lowered * (7 * n + 12 * r)) * ua).
    { apply Rmult_le_pos; [|lra]. assert (0 <= lowered * (7 * n + 12 * r)) by (apply Rmult_le_pos; lra). lra. }
    lra.
  - destruct (Rle_lt_dec L1 L) as [Q | Q].
    + rewrite (Rabs_left L P). pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs L1))). lra.
    + destruct Dd as [Dd | Dd]; [lra|].
      destruct (few_parts n r ltac:(lra) ltac:(lra) F) as [F0 | (_ & R1 & N1 & NR)]; [lra|].
      rewrite (Rabs_left L P) in *. pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs L1))).
      apply Rmult_le_reg_l with (1 - 2 * ua); [lra|].
      apply Rle_trans with (lse_size n1 r1 j + ua * (2 + 6 * K)); [lra|].
      unfold lse_size. rewrite Dd. pose proof (mx_pos j) as X. set (mx := mx j) in *.
      assert (W : 0 <= ua * mx) by (apply Rmult_le_pos; lra).
      assert (ua * (ua * mx) <= 1 / 128 * (ua * mx)) by (apply Rmult_le_compat_r; lra).
      assert (ua * ua <= 1 / 128 * ua) by (apply Rmult_le_compat_r; lra).
      assert ((r1 + 1) * (ua * mx) <= r * (ua * mx)) by (apply Rmult_le_compat_r; lra).
      assert (r * ua * (ua * mx) <= 1 / 32 * (ua * mx)) by (apply Rmult_le_compat_r; lra).
      assert (ua * (7 * (n * ua) + 12 * (r * ua)) <= ua * (7 / 16)) by (apply Rmult_le_compat_l; lra).
      assert ((r1 + 1) * ua <= r * ua) by (apply Rmult_le_compat_r; lra).
      assert ((n1 + K - 1) * ua <= n * ua) by (apply Rmult_le_compat_r; lra).
      assert (1 * ua <= K * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma sag_step : forall n1 r1 n r K L1 L j, 0 <= n1 -> 0 <= r1 -> r1 + 1 <= r -> 1 <= K ->
  n1 + K - 1 <= n -> drops K L1 L -> (1 + 10 * ua) * Rabs L <= reach j ->
  s j - L1 <= sag n1 r1 j -> s j - L <= sag n r j.
Proof.
  intros n1 r1 n r K L1 L j N R R' HK N' [Dd D] Re S.
  assert (Mono := sag_le n1 r1 n r j ltac:(lra) ltac:(lra)).
  destruct (Rle_lt_dec L1 L) as [Q | Q]; [lra|]. destruct Dd as [Dd | Dd]; [lra|].
  destruct (reach_ge j) as [G _]. pose proof (Rabs_pos L).
  assert (0 <= ua * Rabs L) by (apply Rmult_le_pos; lra).
  assert (C : sag n1 r1 j + ua * (2 + 6 * K + 2 * reach j) <= sag n r j); [|
    assert (ua * (2 + 6 * K + 2 * Rabs L) <= ua * (2 + 6 * K + 2 * reach j)) by (apply Rmult_le_compat_l; lra); lra].
  unfold sag. rewrite Dd. assert ((r1 + 1) * (9 + 2 * reach j) <= r * (9 + 2 * reach j)) by (apply Rmult_le_compat_r; lra).
  assert (((7 * reach j + 8 + 1 * (r1 * (9 + 2 * reach j) + 7 * n1)) + (2 + 6 * K + 2 * reach j)) * ua
    <= (7 * reach j + 8 + 1 * (r * (9 + 2 * reach j) + 7 * n)) * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** The budget at a low log-sum-exp. *)
Lemma budget_pos : forall n r L j, 0 <= n -> 0 <= r -> s j - L <= sag n r j -> 0 <= merged_budget n r L j.
Proof.
  intros n r L j N R S. unfold merged_budget, local_budget, bonus. destruct (reach_ge j) as [G _]. pose proof low.
  assert (0 <= (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue).
  { pose proof (Rabs_pos (s j)). assert (0 <= 2 * (1 + 8 * ue) * Rabs (s j)) by (apply Rmult_le_pos; lra). apply Rmult_le_pos; lra. }
  assert (Rr : 0 <= r * (9 + 2 * reach j) * ua) by (repeat apply Rmult_le_pos; lra).
  assert (Rr' : 0 <= r * ua) by (apply Rmult_le_pos; lra).
  assert (Nn : 0 <= n * ua) by (apply Rmult_le_pos; lra).
  assert (Sb : sag n r j <= head + (7 * reach j + 8 + (r * (9 + 2 * reach j) + 7 * n)) * ua).
  { unfold sag. apply Rplus_le_compat_l, Rmult_le_compat_r; [lra|]. apply Rplus_le_compat_l.
    rewrite <- (Rmult_1_l (r * (9 + 2 * reach j) + 7 * n)) at 2. apply Rmult_le_compat_r; [|lra].
    assert (0 <= r * (9 + 2 * reach j)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= reach j * ua) by (apply Rmult_le_pos; lra).
  set (y := (7 * reach j + 8 + (r * (9 + 2 * reach j) + 7 * n)) * ua) in *.
  assert (0 <= y) by (unfold y; lra). assert (0 <= head * ua) by (apply Rmult_le_pos; lra).
  assert (10 * (s j - L) * ua <= 10 * (head + y) * ua) by (apply Rmult_le_compat_r; lra).
  assert (y * ua <= y * (1 / 128)) by (apply Rmult_le_compat_l; lra). unfold y in *. lra.
Qed.

(** What one merge of K parts costs a key: its log-sum-exp's rounding, or a weight, a product and sums. *)
Lemma budget_step : forall n1 r1 n r K L1 L j eps, r1 + 1 <= r -> 1 <= K -> n1 + K - 1 <= n ->
  drops K L1 L -> (1 + 10 * ua) * Rabs L <= reach j -> Rabs eps <= ua * (2 + 6 * K + 2 * Rabs L) ->
  merged_budget n1 r1 L1 j + Rabs eps <= merged_budget n r L j /\
  merged_budget n1 r1 L1 j + (6 + K + 9 * Rabs (L - L1)) * ua <= merged_budget n r L j.
Proof.
  intros n1 r1 n r K L1 L j eps R HK N [_ D] Re E. unfold merged_budget, local_budget, bonus.
  destruct (reach_ge j) as [G _]. pose proof (Rabs_pos L) as AL.
  set (q := 2 + 6 * K + 2 * Rabs L) in *.
  assert (0 <= ua * Rabs L) by (apply Rmult_le_pos; lra). assert (0 <= K * ua) by (apply Rmult_le_pos; lra).
  assert (r1 * (14 + 2 * reach j) * ua + (14 + 2 * reach j) * ua <= r * (14 + 2 * reach j) * ua).
  { rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; [lra|].
    replace (r1 * (14 + 2 * reach j) + (14 + 2 * reach j)) with ((r1 + 1) * (14 + 2 * reach j)) by ring.
    apply Rmult_le_compat_r; lra. }
  assert ((n1 + K - 1) * ua <= n * ua) by (apply Rmult_le_compat_r; lra).
  assert (1 * ua <= K * ua) by (apply Rmult_le_compat_r; lra).
  assert (DU : (L1 - L) * ua <= ua * q * ua) by (apply Rmult_le_compat_r; lra).
  assert (Q0 : 0 <= ua * q) by (apply Rmult_le_pos; unfold q; lra).
  assert (QU : ua * q * ua <= ua * q * (1 / 128)) by (apply Rmult_le_compat_l; lra).
  assert (ReU : (1 + 10 * ua) * Rabs L * ua <= reach j * ua) by (apply Rmult_le_compat_r; lra).
  assert (Rex : 10 * (ua * Rabs L) * ua <= 10 * (ua * Rabs L) * (1 / 128)).
  { apply Rmult_le_compat_l; lra. }
  assert (0 <= reach j * ua) by (apply Rmult_le_pos; lra).
  assert (LU : Rabs L * ua + 10 * (ua * Rabs L) * ua <= reach j * ua) by lra.
  split.
  - assert (Qe : ua * q + 10 * (ua * q * ua) <= (8 * K + 6 + 2 * reach j) * ua).
    { unfold q. assert (K * ua * ua <= K * ua * (1 / 128)) by (apply Rmult_le_compat_l; lra).
      assert (ua * ua <= 1 / 128 * ua) by (apply Rmult_le_compat_r; lra). lra. }
    lra.
  - destruct (Rle_lt_dec 0 (L - L1)) as [X | X]; [rewrite (Rabs_pos_eq _ X) | rewrite (Rabs_left _ X)].
    + assert (0 <= (L - L1) * ua) by (apply Rmult_le_pos; lra). lra.
    + assert (0 <= ua * Rabs L * ua) by (apply Rmult_le_pos; lra).
      assert ((L1 - L) * ua <= ua * q * (1 / 128)) by lra. unfold q in *. lra.
Qed.

Lemma held_0 : forall b N m x h k j, held b 0 N m x h k j = absolute b N m x h k j.
Proof. intros. unfold held, absolute. rewrite exp_0, Rmult_1_l. reflexivity. Qed.

(** The absolute error carried on by a factor f, and z more of underflow. *)
Lemma held_move : forall b w w' N N' m m' (x x' h k : A -> R) j f y1 y2 z,
  0 <= b -> 0 <= w' -> 0 <= N <= N' -> 0 <= h j ->
  f <= exp (y1 - (m' - m) / 4) -> x j + y1 <= x' j + 9 * (N' - N) * ua ->
  f <= exp y2 -> w + y2 <= w' + 9 * (N' - N) * ua ->
  z <= (N' - N) * (8 * heta * (Rabs (k j) + 1)) ->
  f * held b w N m x h k j + z <= held b w' N' m' x' h k j.
Proof.
  intros b w w' N N' m m' x x' h k j f y1 y2 z B W HN H F1 X F2 Y Z. unfold held.
  destruct (flush_le (h j) (k j) N N H ltac:(lra)) as [F0 _]. pose proof (Rabs_pos (k j)) as k0. destruct rescaled_ge as [HE _].
  assert (FN : flush (h j) (k j) N' = flush (h j) (k j) N + (N' - N) * (8 * heta * (Rabs (k j) + 1))) by (unfold flush; ring).
  assert (Z0 : 0 <= (N' - N) * (8 * heta * (Rabs (k j) + 1))) by (repeat apply Rmult_le_pos; lra).
  rewrite FN. set (fl := flush (h j) (k j) N) in *. set (d := (N' - N) * (8 * heta * (Rabs (k j) + 1))) in *.
  assert (NU : 0 <= N' * ua) by (apply Rmult_le_pos; lra).
  assert (T1 : f * (exp (9 * N * ua + b) * (tail (x j) j * Rabs (k j) * decay (m - s j)))
    <= exp (9 * N' * ua + b) * (tail (x' j) j * Rabs (k j) * decay (m' - s j))).
  { unfold tail. destruct (far j); [|rewrite !Rmult_0_l, !Rmult_0_r; lra].
    set (e := (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue).
    replace (f * (exp (9 * N * ua + b) * (2 * exp (e + x j + uw + head) * Rabs (k j) * decay (m - s j))))
      with (f * (exp (9 * N * ua + b) * exp (e + x j + uw + head) * decay (m - s j)) * (2 * Rabs (k j))) by ring.
    replace (exp (9 * N' * ua + b) * (2 * exp (e + x' j + uw + head) * Rabs (k j) * decay (m' - s j)))
      with ((exp (9 * N' * ua + b) * exp (e + x' j + uw + head) * decay (m' - s j)) * (2 * Rabs (k j))) by ring.
    apply Rmult_le_compat_r; [lra|]. unfold decay. rewrite <- !exp_plus.
    apply Rle_trans with (exp (y1 - (m' - m) / 4) * exp (9 * N * ua + b + (e + x j + uw + head) + - ((m - s j) / 4))).
    - apply Rmult_le_compat_r; [left; apply exp_pos | exact F1].
    - rewrite <- exp_plus. apply exp_le. lra. }
  assert (T2 : f * (exp (9 * N * ua + b) * (exp w * fl)) <= exp (9 * N' * ua + b) * (exp w' * fl)).
  { replace (f * (exp (9 * N * ua + b) * (exp w * fl))) with (f * (exp (9 * N * ua + b) * exp w) * fl) by ring.
    rewrite <- (Rmult_assoc (exp (9 * N' * ua + b))). apply Rmult_le_compat_r; [exact F0|]. rewrite <- !exp_plus.
    apply Rle_trans with (exp y2 * exp (9 * N * ua + b + w)).
    - apply Rmult_le_compat_r; [left; apply exp_pos | exact F2].
    - rewrite <- exp_plus. apply exp_le. lra. }
  assert (T3 : z <= exp (9 * N' * ua + b) * (exp w' * d)).
  { eapply Rle_trans; [exact Z|]. rewrite <- (Rmult_assoc (exp (9 * N' * ua + b))). rewrite <- (Rmult_1_l d) at 1.
    apply Rmult_le_compat_r; [exact Z0|]. rewrite <- exp_plus. apply exp_ge_1. lra. }
  lra.
Qed.

Lemma held_pos : forall b w N m x h k j, 0 <= N -> 0 <= h j -> 0 <= held b w N m x h k j.
Proof.
  intros b w N m x h k j HN H. unfold held. destruct (flush_le (h j) (k j) N N H ltac:(lra)) as [F0 _].
  pose proof (tail_pos (x j) j). pose proof (Rabs_pos (k j)). pose proof (exp_pos (- ((m - s j) / 4))).
  pose proof (exp_pos w). apply Rmult_le_pos; [left; apply exp_pos|].
  apply Rplus_le_le_0_compat; [unfold decay; repeat apply Rmult_le_pos; lra | apply Rmult_le_pos; lra].
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
    apply Rle_trans with (exp (y - (L - m) / 4) * (2 * exp (p + x j + uw + head) * decay (m - s j))).
    + apply Rmult_le_compat_r; [|exact VD]. unfold decay. pose proof (exp_pos (p + x j + uw + head)).
      pose proof (exp_pos (- ((m - s j) / 4))). apply Rmult_le_pos; lra.
    + replace (exp (y - (L - m) / 4) * (2 * exp (p + x j + uw + head) * decay (m - s j)))
        with (2 * (exp (y - (L - m) / 4) * exp (p + x j + uw + head) * decay (m - s j))) by ring.
      rewrite (Rmult_assoc 2). apply Rmult_le_compat_l; [lra|]. unfold decay. rewrite <- !exp_plus.
      apply exp_le. lra.
  - rewrite <- (Rmult_1_l f) at 2. apply Rmult_le_compat_r; lra.
Qed.

(** ** Lanes of normalised partials *)

(** A sum with the coefficients k over the weights of n keys after r merges at L; [b] is beside. *)
Definition lane (b : R) (h k : A -> R) (n r L : R) (js : list A) (x : R) : Prop :=
  near js (term L (seen k)) (fun j => merged_budget n r L j + b) (held b (lift r L) (n + r) L (bonus r) h k) x.

(** The same of i out of the K parts of a merge, before K - i additions. *)
Definition part_lane (b : R) (h k : A -> R) (n r K i L : R) (js : list A) (x : R) : Prop :=
  near js (term L (seen k)) (fun j => merged_budget n r L j + b - (K - i) * ua)
    (held b (lift r L + 8 * (K - i) * ua) (n + r - (K - i)) L (fun j => bonus r j + 8 * (K - i) * ua) h k) x.

Lemma lift_pos : forall r L, 0 <= r -> 0 <= lift r L.
Proof. intros r L R. unfold lift. pose proof low. pose proof (Rabs_pos L). repeat apply Rmult_le_pos; lra. Qed.

Lemma lift_le : forall r r' L, 0 <= r <= r' -> lift r L <= lift r' L.
Proof.
  intros r r' L R. unfold lift. pose proof low. pose proof (Rabs_pos L). apply Rmult_le_compat_l; [lra|].
  apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra.
Qed.

(** How [lift] compares before and after a merge. *)
Lemma lift_step : forall n1 r1 n r K L1 L, 0 <= n1 -> 0 <= r1 -> r1 + 1 <= r -> 1 <= K -> n1 + K - 1 <= n ->
  few n r -> drops K L1 L ->
  (L1 <= L /\ lift r1 L1 = 0 /\ lift r L = 0) \/
  lift r1 L1 + (9 + 5 / 2 * Rabs L) * ua <= lift r L + 5 / 64 * Rabs (L1 - L).
Proof.
  intros n1 r1 n r K L1 L N R R' HK N' F D. pose proof (Rabs_pos L) as AL.
  assert (Tri : Rabs L1 <= Rabs L + Rabs (L1 - L)).
  { pose proof (Rabs_triang (L1 - L) L) as G. replace (L1 - L + L) with L1 in G by ring. lra. }
  destruct (few_parts n r ltac:(lra) ltac:(lra) F) as [Lo | (Lo & R1 & _ & _)].
  { left. destruct D as [[D | D] _]; [|lra]. unfold lift. rewrite Lo. split; [exact D | lra]. }
  right. assert (R1' : r1 * ua <= 1 / 32).
  { apply Rle_trans with (r * ua); [|lra]. apply Rmult_le_compat_r; lra. }
  assert (R1p : 0 <= r1 * ua) by (apply Rmult_le_pos; lra).
  unfold lift. rewrite Lo, !Rmult_1_l. pose proof (Rabs_pos (L1 - L)). set (y := Rabs (L1 - L)) in *.
  assert (r1 * ua * Rabs L1 <= r1 * ua * (Rabs L + y)) by (apply Rmult_le_compat_l; lra).
  assert (r1 * ua * y <= 1 / 32 * y) by (apply Rmult_le_compat_r; lra).
  assert (Q : (r1 + 1) * (9 + 5 / 2 * Rabs L) <= r * (9 + 5 / 2 * Rabs L)) by (apply Rmult_le_compat_r; lra).
  apply (Rmult_le_compat_r ua) in Q; lra.
Qed.

(** A part weighed for a merge. *)
Lemma lane_part : forall b h k n1 r1 n r K L1 L js w O p, 0 <= b -> (forall j, 0 <= h j) -> js <> [] ->
  0 <= n1 -> 0 <= r1 -> r1 + 1 <= r -> 1 <= K -> n1 + K - 1 <= n -> few n r -> drops K L1 L ->
  (forall j, In j js -> (1 + 10 * ua) * Rabs L <= reach j /\ 0 <= merged_budget n1 r1 L1 j /\
    (far j = false -> s j - L1 + (merged_budget n1 r1 L1 j + b) <= 1 + head)) ->
  rescales ua eta L1 L w -> rounds ua eta (w * O) p ->
  lane b h k n1 r1 L1 js O -> part_lane b h k n r K 1 L js p.
Proof.
  intros b h k n1 r1 n r K L1 L js w O p B Hh NE N R R' HK N' F D P Rw Rp X. unfold lane, part_lane in *.
  pose proof (length_pos _ NE) as N1. destruct rescaled_ge as [HE _].
  destruct (lane_rescale js (seen k) (held b (lift r1 L1) (n1 + r1) L1 (bonus r1) h k)
    (fun j => merged_budget n1 r1 L1 j + b) L1 L w O p Rw Rp) with (2 := X) as (e2 & E2 & Y).
  { intros j J. destruct (P j J) as (_ & T0 & Nf). split; [apply held_pos; [lra | apply Hh]|]. split; [lra|].
    apply held_down, Nf. }
  apply (near_add _ _ _ _ (fun _ => eta) _ e2) in Y.
  2: { rewrite total_const. rewrite <- (Rmult_1_l (Rabs e2)). apply Rmult_le_compat; try lra. apply Rabs_pos. }
  replace (p - e2 + e2) with p in Y by ring.
  pose proof (lift_step n1 r1 n r K L1 L N R R' HK N' F D) as LS. pose proof (lift_pos r L ltac:(lra)) as LP.
  assert (KU : 0 <= (K - 1) * ua) by (apply Rmult_le_pos; lra).
  assert (NN : 1 * ua <= (n + r - (K - 1) - (n1 + r1)) * ua) by (apply Rmult_le_compat_r; lra).
  pose proof (Rabs_pos L) as AL. assert (AU : 0 <= ua * Rabs L) by (apply Rmult_le_pos; lra).
  assert (LU : L1 <= L -> lift r1 L1 <= lift r L + (L - L1) / 4).
  { intros C. destruct LS as [(_ & Z1 & Z2) | LS]; [lra|]. rewrite (Rabs_minus_sym L1), (Rabs_pos_eq (L - L1)) in LS by lra. lra. }
  assert (LD : L < L1 -> lift r1 L1 + 5 / 2 * Rabs L * ua + 9 * ua <= lift r L + 5 / 64 * (L1 - L)).
  { intros C. destruct LS as [(C' & _) | LS]; [lra|]. rewrite (Rabs_pos_eq (L1 - L)) in LS by lra. lra. }
  eapply near_weaken; [| |exact Y]; intros j J; cbv beta; destruct (P j J) as (Re & T0 & _).
  - destruct (budget_step n1 r1 n r K L1 L j 0 R' HK N' D Re) as [_ Q];
      [rewrite Rabs_R0; apply Rmult_le_pos; lra|]. lra.
  - rewrite Rplus_assoc. destruct (reach_ge j) as [G _].
    assert (RU : Rabs L * ua <= reach j * ua).
    { apply Rmult_le_compat_r; [lra|]. assert (0 <= 10 * ua * Rabs L) by (repeat apply Rmult_le_pos; lra). lra. }
    assert (BU : bonus r1 j + (14 + 2 * reach j) * ua <= bonus r j).
    { unfold bonus. rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; [lra|].
      assert ((r1 + 1) * (14 + 2 * reach j) <= r * (14 + 2 * reach j)) by (apply Rmult_le_compat_r; lra). lra. }
    assert (0 <= reach j * ua) by (apply Rmult_le_pos; lra).
    assert (Zz : 7 * heta * Rabs (seen k j) + eta <= (n + r - (K - 1) - (n1 + r1)) * (8 * heta * (Rabs (k j) + 1))).
    { pose proof (seen_le k j). pose proof (Rabs_pos (k j)).
      assert (heta * Rabs (seen k j) <= heta * Rabs (k j)) by (apply Rmult_le_compat_l; lra).
      assert (0 <= heta * Rabs (k j)) by (apply Rmult_le_pos; lra).
      assert (1 * (8 * heta * (Rabs (k j) + 1)) <= (n + r - (K - 1) - (n1 + r1)) * (8 * heta * (Rabs (k j) + 1)))
        by (apply Rmult_le_compat_r; [|lra]; apply Rmult_le_pos; lra). lra. }
    assert (Go : forall y1 y2,
      exp (8 * ua) * shrink (L - L1) <= exp (y1 - (L - L1) / 4) -> y1 <= (15 + 2 * reach j + 8 * K) * ua ->
      exp (8 * ua) * shrink (L - L1) <= exp y2 -> lift r1 L1 + y2 <= lift r L + 8 * (K - 1) * ua + 9 * ua ->
      exp (8 * ua) * shrink (L - L1) * held b (lift r1 L1) (n1 + r1) L1 (bonus r1) h k j
        + (7 * heta * Rabs (seen k j) + eta)
      <= held b (lift r L + 8 * (K - 1) * ua) (n + r - (K - 1)) L (fun i => bonus r i + 8 * (K - 1) * ua) h k j).
    { intros y1 y2 A1 A2 A3 A4. apply held_move with (y1 := y1) (y2 := y2); try assumption; try lra. apply Hh. }
    destruct (Rle_lt_dec L1 L) as [C | C].
    + specialize (LU C). rewrite (shrink_up (L - L1)) in * by lra. unfold decay in *. rewrite <- exp_plus in *.
      apply (Go (8 * ua) (8 * ua - (L - L1) / 4)); try (apply exp_le); lra.
    + specialize (LD C). rewrite (shrink_down (L - L1)) in * by lra. rewrite <- exp_plus in *.
      destruct D as [_ D]. set (q := 2 + 6 * K + 2 * Rabs L) in *.
      assert (UX : ua * (L1 - L) <= 1 / 128 * (L1 - L)) by (apply Rmult_le_compat_r; lra).
      apply (Go (8 * ua + (3 / 4 + 9 * ua) * (L1 - L)) (8 * ua + (1 + 9 * ua) * (L1 - L))); try (apply exp_le); unfold q in *; lra.
Qed.

(** The parts of a merge added up. *)
Lemma part_join : forall b h k n r K i i' L js js' x y z, 0 <= b -> (forall j, 0 <= h j) -> js <> [] ->
  0 <= r -> 1 <= i -> 1 <= i' -> i + i' <= K -> K <= n ->
  (forall j, In j (js ++ js') -> K * ua <= merged_budget n r L j) ->
  rounds ua eta (x + y) z -> part_lane b h k n r K i L js x -> part_lane b h k n r K i' L js' y ->
  part_lane b h k n r K (i + i') L (js ++ js') z.
Proof.
  intros b h k n r K i i' L js js' x y z B Hh NE R I I' HK N P Rz X Y. unfold part_lane in *.
  destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) Rz) as (d & e & D & E & ->).
  set (T := fun j => merged_budget n r L j + b - (K - (i + i')) * ua - ua).
  set (G := held b (lift r L + 8 * (K - (i + i')) * ua) (n + r - (K - (i + i'))) L
    (fun j => bonus r j + 8 * (K - (i + i')) * ua) h k).
  destruct rescaled_ge as [HE _]. assert (E1 : 1 <= exp ua) by (apply exp_ge_1; lra). pose proof (lift_pos r L R) as LP.
  assert (U1 : 1 * ua <= i * ua) by (apply Rmult_le_compat_r; lra).
  assert (U2 : 1 * ua <= i' * ua) by (apply Rmult_le_compat_r; lra).
  assert (U3 : 0 <= (K - (i + i')) * ua) by (apply Rmult_le_pos; lra).
  assert (Side : forall a l v, 1 <= a -> (a = i \/ a = i') ->
    near l (term L (seen k)) (fun j => merged_budget n r L j + b - (K - a) * ua)
      (held b (lift r L + 8 * (K - a) * ua) (n + r - (K - a)) L (fun j => bonus r j + 8 * (K - a) * ua) h k) v ->
    near l (term L (seen k)) T (fun j => (G j - eta) / exp ua) v).
  { intros a l v A1 A2 V. assert (AA : 1 * ua <= (i + i' - a) * ua) by (apply Rmult_le_compat_r; destruct A2; subst a; lra).
    eapply near_weaken; [| |exact V]; intros j J; cbv beta.
    - unfold T. lra.
    - apply Rmult_le_reg_l with (exp ua); [lra|].
      replace (exp ua * ((G j - eta) / exp ua)) with (G j - eta) by (field; lra).
      assert (exp ua * held b (lift r L + 8 * (K - a) * ua) (n + r - (K - a)) L (fun j0 => bonus r j0 + 8 * (K - a) * ua) h k j + eta
        <= G j); [|lra].
      assert (AI : 1 <= i + i' - a) by (destruct A2; subst a; lra).
      assert (AN : 0 <= n + r - (K - a)) by (destruct A2; subst a; lra).
      unfold G. apply held_move with (y1 := ua) (y2 := ua); try lra; try apply Hh.
      + apply exp_le. lra.
      + pose proof (Rabs_pos (k j)). assert (0 <= heta * Rabs (k j)) by (apply Rmult_le_pos; lra).
        apply Rle_trans with (1 * (8 * heta * (Rabs (k j) + 1))); [lra|].
        apply Rmult_le_compat_r; lra. }
  apply (Side i) in X; [|lra | now left]. apply (Side i') in Y; [|lra | now right].
  pose proof (near_app _ _ _ _ _ _ _ X Y) as Z.
  apply (near_mul _ _ _ _ ua (1 + d)) in Z; [|apply factor_round, D |].
  2: { intros j J. specialize (P j J). unfold T. lra. }
  apply (near_add _ _ _ _ (fun _ => eta) _ e) in Z.
  2: { rewrite total_const. assert (1 <= INR (length (js ++ js'))).
       { apply length_pos. intros E0. apply app_eq_nil in E0. now apply NE. }
       rewrite <- (Rmult_1_l (Rabs e)). apply Rmult_le_compat; try lra. apply Rabs_pos. }
  replace ((1 + d) * (x + y) + e) with ((x + y) * (1 + d) + e) in Z by ring.
  eapply near_weaken; [| |exact Z]; intros j J; cbv beta; [unfold T; lra|].
  assert (G0 : eta <= G j).
  { assert (0 * held b 0 0 L (fun _ => 0) h k j + eta <= G j); [|lra].
    unfold G. apply held_move with (y1 := - bonus r j) (y2 := 0); try lra; try apply Hh.
    - left. apply exp_pos.
    - destruct (bonus_le r r j ltac:(lra)). assert (0 <= (n + r - (K - (i + i')) - 0) * ua) by (apply Rmult_le_pos; lra). lra.
    - left. apply exp_pos.
    - assert (0 <= (n + r - (K - (i + i')) - 0) * ua) by (apply Rmult_le_pos; lra). lra.
    - pose proof (Rabs_pos (k j)). assert (0 <= heta * Rabs (k j)) by (apply Rmult_le_pos; lra).
      apply Rle_trans with (1 * (8 * heta * (Rabs (k j) + 1))); [lra|]. apply Rmult_le_compat_r; lra. }
  assert (Gd : 0 <= (G j - eta) / exp ua) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  pose proof (Rabs_triang 1 d) as Tr. rewrite Rabs_R1 in Tr. pose proof (exp_ineq1_le ua).
  assert (Rabs (1 + d) * ((G j - eta) / exp ua) <= exp ua * ((G j - eta) / exp ua)) by (apply Rmult_le_compat_r; lra).
  replace (exp ua * ((G j - eta) / exp ua)) with (G j - eta) in * by (field; lra). fold (G j). lra.
Qed.


(** The leaves of the two sums that no value enters. *)
Notation ones := (fun _ : A => 1).
Notation lost1 := (lost_at_leaf (fun _ : A => 0) ones).
Notation lostc := (lost_at_leaf hp c).

(** What a store costs beside the rest. *)
Definition stored_beside (q : nat) : R := beside + INR q * up.

Lemma lost1_pos : forall j : A, 0 <= lost1 j.
Proof. intros j. unfold lost_at_leaf. rewrite Rabs_R1. lra. Qed.

Lemma lostc_pos : forall j : A, 0 <= lostc j.
Proof.
  intros j. unfold lost_at_leaf. pose proof (Hhp j). pose proof (Rabs_pos (c j)).
  assert (0 <= ew * Rabs (c j)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma stored_beside_le : forall q q', (q <= q')%nat -> beside <= stored_beside q <= stored_beside q'.
Proof.
  intros q q' H. unfold stored_beside. apply le_INR in H. pose proof (pos_INR q).
  assert (0 <= INR q * up) by (apply Rmult_le_pos; lra).
  assert (INR q * up <= INR q' * up) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma lane_weaken : forall b b' h k n r n' r' L js x, 0 <= b <= b' -> (forall j, 0 <= h j) ->
  0 <= n <= n' -> 0 <= r <= r' -> lane b h k n r L js x -> lane b' h k n' r' L js x.
Proof.
  intros b b' h k n r n' r' L js x B H N R X. unfold lane in *.
  destruct rescaled_ge as [HE _]. pose proof (lift_pos r' L ltac:(lra)). pose proof (lift_le r r' L R).
  eapply near_weaken; [| |exact X]; intros j J; cbv beta.
  - pose proof (budget_le n n' r r' L j ltac:(lra) R). lra.
  - assert (NN : 0 <= (n' + r' - (n + r)) * ua) by (apply Rmult_le_pos; lra).
    apply Rle_trans with (held b' (lift r L) (n + r) L (bonus r) h k j).
    + unfold held. destruct (flush_le (h j) (k j) (n + r) (n + r) (H j) ltac:(lra)) as [F0 _].
      pose proof (tail_pos (bonus r j) j). pose proof (Rabs_pos (k j)). pose proof (exp_pos (- ((L - s j) / 4))).
      pose proof (exp_pos (lift r L)). apply Rmult_le_compat_r; [|apply exp_le; lra].
      apply Rplus_le_le_0_compat; [unfold decay; repeat apply Rmult_le_pos; lra | apply Rmult_le_pos; lra].
    + assert (Q : 1 * held b' (lift r L) (n + r) L (bonus r) h k j + 0 <= held b' (lift r' L) (n' + r') L (bonus r') h k j); [|lra].
      apply held_move with (y1 := 0) (y2 := 0); try lra; try apply H.
      * replace (0 - (L - L) / 4) with 0 by field. rewrite exp_0. lra.
      * destruct (bonus_le r r' j R). lra.
      * rewrite exp_0. lra.
      * pose proof (Rabs_pos (k j)). repeat apply Rmult_le_pos; lra.
Qed.

(** One rank, divided. *)
Lemma one_accuracy : forall js m l o L O, local ua ue eta uw ew head beside s c hp js m l o -> 1 <= l -> L <= top ->
  Rabs (L - (m + ln l)) <= lse_rounding ua m l L -> rounds ua eta (o / l) O ->
  (forall j, In j js -> far j = false ->
    merged_budget (INR (length js)) 0 (s j) j + beside <= 1 / 2) ->
  (forall j, In j js -> s j - L <= sag (INR (length js)) 0 j /\ Rabs L <= lse_size (INR (length js)) 0 j) /\
  lane 0 lost1 ones (INR (length js)) 0 L js 1 /\ lane beside lostc c (INR (length js)) 0 L js O.
Proof.
  intros js m l o L O Loc Lpos LT LR OR Nf. pose proof lost1_pos as Leaf1. pose proof lostc_pos as Leafc.
  destruct rescaled_ge as [HE _]. pose proof (length_pos _ (local_nonempty _ _ _ _ Loc)) as N1. set (N := INR (length js)) in *.
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
    (1 + 10 * ua) * Rabs L <= reach j /\ s j - L <= head + (7 * reach j + 8) * ua /\
    0 <= local_budget (N - 1) m j /\ local_budget (N - 1) m j + Rabs eps + ua <= merged_budget N 0 L j /\
    / l <= exp (bonus 0 j - (L - m) / 4) /\ Rabs L <= (1 + 8 * ua) * mx j + 9 * ua).
  { intros j J. specialize (Sj j J). destruct (reach_le j m l L Sj LT L0 LR) as (R1 & R2 & R3 & R4 & R5).
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
    split; [exact R2|]. split; [exact R4|]. split; [|split; [|split; [|exact R5]]].
    - unfold local_budget. assert (0 <= 2 * (1 + 8 * ue) * Rabs (s j)) by (apply Rmult_le_pos; lra).
      apply Rplus_le_le_0_compat; [|exact Huw]. apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
    - unfold merged_budget, local_budget, bonus. lra.
    - rewrite <- V. apply exp_le. unfold bonus. unfold eps in *.
      assert (0 <= ua * Rabs m) by (apply Rmult_le_pos; lra). assert (0 <= ua * Rabs L) by (apply Rmult_le_pos; lra).
      assert (0 <= ua * (ua * Rabs m)) by (apply Rmult_le_pos; lra).
      assert (0 <= ua * (ua * Rabs L)) by (apply Rmult_le_pos; lra). lra. }
  assert (Abs : forall b h k j, In j js -> 0 <= h j ->
    exp (eps + (m - L)) * absolute b (N - 1) m (fun _ => 0) h k j <= absolute b (N - 1) L (bonus 0) h k j).
  { intros b h k j J Hh. rewrite V. destruct (Each j J) as (_ & _ & _ & _ & E5 & _).
    apply (absolute_shift b (N - 1) m L (fun _ => 0) (bonus 0) (bonus 0 j) h k j (/ l)); try assumption; lra. }
  assert (Lift : lift 0 L = 0) by (unfold lift; ring).
  split.
  { intros j J. destruct (Each j J) as (_ & E2 & _ & _ & _ & E6). pose proof low.
    assert (0 <= lowered * (7 * N) * ua) by (repeat apply Rmult_le_pos; lra).
    unfold sag, lse_size. split; lra. }
  unfold lane. rewrite Lift, Rplus_0_r. split.
  - apply (lane_shift _ _ _ _ m L eps) in X.
    2: { intros j J. destruct (Each j J) as (_ & _ & E3 & _). lra. }
    rewrite Ev, Rinv_l in X by lra. eapply near_weaken; [| |exact X]; intros j J; cbv beta.
    + destruct (Each j J) as (_ & _ & _ & E4 & _). lra.
    + rewrite held_0. eapply Rle_trans; [apply Abs; [exact J | apply Leaf1]|].
      apply absolute_le; [lra | lra | apply Leaf1].
  - apply (lane_shift _ _ _ _ m L eps) in Y.
    2: { intros j J. destruct (Each j J) as (_ & _ & E3 & _). lra. }
    rewrite Ev in Y. destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) OR) as (d & e & D & E & ->).
    apply (near_mul _ _ _ _ ua (1 + d)) in Y; [|apply factor_round, D |].
    2: { intros j J. destruct (Each j J) as (_ & _ & E3 & _). pose proof (Rabs_pos eps). lra. }
    apply (near_add _ _ _ _ (fun _ => eta) _ e) in Y.
    2: { rewrite total_const. fold N. rewrite <- (Rmult_1_l (Rabs e)). apply Rmult_le_compat; try lra. apply Rabs_pos. }
    replace ((1 + d) * (/ l * o) + e) with (o / l * (1 + d) + e) in Y by (unfold Rdiv; ring).
    eapply near_weaken; [| |exact Y]; intros j J; cbv beta.
    + destruct (Each j J) as (_ & _ & _ & E4 & _). lra.
    + rewrite held_0. pose proof (Abs beside lostc c j J (Leafc j)) as Q.
      pose proof (absolute_step beside (N - 1) L L (bonus 0) lostc c j Hbeside ltac:(lra) ltac:(lra) (Leafc j)) as St.
      replace (N - 1 + 1) with N in St by ring. rewrite Rminus_diag_eq in St by reflexivity.
      replace (decay 0) with 1 in St by (unfold decay; replace (- (0 / 4)) with 0 by field; symmetry; apply exp_0).
      rewrite Rmult_1_r in St. eapply Rle_trans; [|exact St].
      destruct (absolute_le beside (N - 1) (N - 1) L (bonus 0) (bonus 0) lostc c j) as [G0 _]; [lra | lra | apply Leafc |].
      apply Rplus_le_compat.
      * apply Rmult_le_compat; try assumption; try apply Rabs_pos.
        -- apply Rmult_le_pos; [left; apply exp_pos|].
           apply (absolute_le beside (N - 1) (N - 1) m (fun _ => 0) (fun _ => 0)); [lra | lra | apply Leafc].
        -- pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le (9 * ua)). lra.
      * pose proof (Rabs_pos (c j)). assert (eta * Rabs (c j) <= heta * Rabs (c j)) by (apply Rmult_le_compat_r; lra).
        assert (0 <= eta * Rabs (c j)) by (apply Rmult_le_pos; lra). lra.
Qed.

(** What is known of a normalised partial: its weights, and its values but for what a store lost, which is
    no more than [ep] times a sum over the weights. *)
Definition known (n r : R) (q : nat) (L : R) (js : list A) (O : R) : Prop :=
  (forall j, In j js -> s j - L <= sag n r j /\ Rabs L <= lse_size n r j) /\
  lane 0 lost1 ones n r L js 1 /\
  exists O' M, lane (stored_beside q) lostc c n r L js O' /\ lane (stored_beside q) lost1 ones n r L js M /\
    0 <= M /\ Rabs (O - O') <= INR q * (ep * M).

Definition near_enough (n r : R) (q : nat) (js : list A) : Prop :=
  forall j, In j js -> far j = false -> merged_budget n r (s j) j + stored_beside q <= 1 / 2.

Lemma near_enough_le : forall n r q n' r' q' js js', n' <= n -> 0 <= r' <= r -> (q' <= q)%nat ->
  (forall j, In j js' -> In j js) -> near_enough n r q js -> near_enough n' r' q' js'.
Proof.
  intros n r q n' r' q' js js' N R Q I H j J Fj. specialize (H j (I j J) Fj).
  pose proof (budget_le n' n r' r (s j) j N R). destruct (stored_beside_le q' q Q). lra.
Qed.

(** Of a key that is not far, its log-sum-exp and its budget are small. *)
Lemma near_half : forall n r q L js, 0 <= n -> 0 <= r -> near_enough n r q js ->
  (forall j, In j js -> s j - L <= sag n r j) ->
  forall j, In j js -> far j = false -> s j - L + (merged_budget n r L j + stored_beside q) <= 1 + head.
Proof.
  intros n r q L js N R H S j J Fj. specialize (H j J Fj). specialize (S j J). destruct (reach_ge j) as [G _]. pose proof low.
  assert (E : merged_budget n r L j = merged_budget n r (s j) j + 10 * (L - s j) * ua)
    by (unfold merged_budget, local_budget; ring).
  assert (Rr : 0 <= r * (9 + 2 * reach j) * ua) by (repeat apply Rmult_le_pos; lra).
  assert (Rr' : 0 <= r * ua) by (apply Rmult_le_pos; lra).
  assert (Nn : 0 <= n * ua) by (apply Rmult_le_pos; lra). assert (Hu : 0 <= head * ua) by (apply Rmult_le_pos; lra).
  assert (Sag : sag n r j <= head + merged_budget n r (s j) j).
  { unfold sag, merged_budget, local_budget, bonus. pose proof (Rabs_pos (s j)).
    assert (0 <= (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue).
    { apply Rmult_le_pos; [|lra]. assert (0 <= 2 * (1 + 8 * ue) * Rabs (s j)) by (apply Rmult_le_pos; lra). lra. }
    assert (lowered * (r * (9 + 2 * reach j) + 7 * n) * ua <= 1 * (r * (9 + 2 * reach j) + 7 * n) * ua).
    { apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; [|lra].
      assert (0 <= r * (9 + 2 * reach j)) by (apply Rmult_le_pos; lra). lra. }
    lra. }
  rewrite E. destruct (Rle_lt_dec (s j) L) as [C | C].
  - assert ((L - s j) * ua <= (L - s j) * (1 / 128)) by (apply Rmult_le_compat_l; lra). lra.
  - assert (0 <= (s j - L) * ua) by (apply Rmult_le_pos; lra).
    pose proof (stored_beside_le q q (le_n q)). lra.
Qed.

Lemma merged_nonempty : forall js r q L O, merged ua ue eta uw ew head fall up ep top beside s c hp js r q L O -> js <> [].
Proof.
  apply (merged_gathered_ind A ua ue eta uw ew head fall up ep top beside s c hp
    (fun js _ _ _ _ => js <> []) (fun _ js _ _ _ _ _ => js <> [])); intros; try assumption.
  - eapply local_nonempty; eassumption.
  - intros ->. match goal with P : Permutation _ [] |- _ => apply Permutation_sym, Permutation_nil in P end. contradiction.
  - intros E. match goal with H : a ++ b = [] |- _ => apply app_eq_nil in H; destruct H end. contradiction.
Qed.

Lemma rescaled_pos : forall m m' r, rescales ua eta m m' r -> 0 <= r.
Proof. intros m m' r (f & e & F & F0 & E & EF & ->). apply Rabs_le_inv in EF. lra. Qed.

Theorem merged_accuracy : forall js r q L O, merged ua ue eta uw ew head fall up ep top beside s c hp js r q L O ->
  INR r <= most -> few (INR (length js)) (INR r) -> near_enough (INR (length js)) (INR r) q js ->
  L <= top /\ js <> [] /\ known (INR (length js)) (INR r) q L js O.
Proof.
  enough (All : (forall js r q L O, merged ua ue eta uw ew head fall up ep top beside s c hp js r q L O ->
      INR r <= most -> few (INR (length js)) (INR r) -> near_enough (INR (length js)) (INR r) q js ->
      L <= top /\ js <> [] /\ known (INR (length js)) (INR r) q L js O) /\
    (forall L js k r q E o, gathered ua ue eta uw ew head fall up ep top beside s c hp L js k r q E o ->
      js <> [] /\ 1 <= INR k <= INR (length js) /\ 0 < E /\
      forall n R K eps, INR k <= K -> INR (length js) + K - INR k <= n -> INR r + 1 <= R <= most -> few n R ->
      L <= top -> ln E <= L - eps -> Rabs eps <= ua * (2 + 6 * K + 2 * Rabs L) -> near_enough n R q js ->
      (forall j, In j js -> (s j - L <= sag n R j /\ Rabs L <= lse_size n R j) /\
        K * ua <= merged_budget n R L j /\ Rabs eps <= merged_budget n R L j) /\
      near js (term L (seen ones)) (fun j => merged_budget n R L j - Rabs eps)
        (fun j => exp (- eps) * held 0 (lift R L) (n + R) L (bonus R) lost1 ones j) (E * exp (- L)) /\
      exists o' M, part_lane (stored_beside q) lostc c n R K (INR k) L js o' /\
        part_lane (stored_beside q) lost1 ones n R K (INR k) L js M /\
        0 <= M /\ Rabs (o - o') <= INR q * (ep * M))) by (exact (proj1 All)).
  pose proof lost1_pos as Leaf1. pose proof lostc_pos as Leafc. destruct rescaled_ge as [HE _].
  assert (SB : forall q, 0 <= stored_beside q) by (intros q; destruct (stored_beside_le q q (le_n q)); lra).
  apply merged_gathered_ind.
  - (* one rank *)
    intros js m l o L O Loc Lpos LT LR OR Mo Fw Nf. simpl INR in *.
    pose proof (pos_INR (length js)).
    assert (S0 : stored_beside 0 = beside) by (unfold stored_beside; simpl; ring).
    destruct (one_accuracy js m l o L O Loc Lpos LT LR OR) as (Sj & X & Y).
    { intros j J Fj. specialize (Nf j J Fj). rewrite S0 in Nf. exact Nf. }
    split; [exact LT|]. split; [exact (local_nonempty _ _ _ _ Loc)|]. split; [exact Sj|]. split; [exact X|].
    exists O, 1. rewrite S0. split; [exact Y|]. split; [|split; [lra | rewrite Rminus_diag_eq, Rabs_R0 by reflexivity; simpl; lra]].
    eapply lane_weaken; [| exact Leaf1 | | | exact X]; lra.
  - (* a merge *)
    intros js k r q E L O _ (NE & K1 & E0 & IH) K2 LT LR Mo Fw Nf. rewrite S_INR in *.
    set (eps := L - ln E) in *. pose proof (pos_INR r).
    destruct (IH (INR (length js)) (INR r + 1) (INR k) eps) as (Sj & X & O' & M & Y & Z & M0 & Dd); try assumption; try lra;
      [unfold eps; lra|].
    split; [exact LT|]. split; [exact NE|]. split; [intros j J; apply Sj, J|]. split.
    + apply (near_mul _ _ _ _ (Rabs eps) (exp eps)) in X; [|apply factor_exp | intros j J; destruct (Sj j J) as (_ & _ & ?); lra].
      assert (Ee : exp eps * (E * exp (- L)) = 1).
      { rewrite <- (exp_ln E) at 1 by exact E0. rewrite <- !exp_plus. rewrite <- exp_0. f_equal. unfold eps. ring. }
      rewrite Ee in X. unfold lane. eapply near_weaken; [| |exact X]; intros j J; cbv beta; [lra|].
      rewrite (Rabs_pos_eq (exp eps)) by (left; apply exp_pos). rewrite <- Rmult_assoc, <- exp_plus.
      replace (eps + - eps) with 0 by ring. rewrite exp_0. lra.
    + exists O', M. unfold part_lane in Y, Z. unfold lane.
      split; [|split; [|split; [exact M0 | exact Dd]]].
      * eapply near_weaken; [| |exact Y]; intros j J; cbv beta; [lra|].
        replace (INR k - INR k) with 0 by ring. rewrite Rmult_0_r, Rmult_0_l, Rplus_0_r, Rminus_0_r.
        unfold held, tail. destruct (far j); rewrite ?Rplus_0_r; lra.
      * eapply near_weaken; [| |exact Z]; intros j J; cbv beta; [lra|].
        replace (INR k - INR k) with 0 by ring. rewrite Rmult_0_r, Rmult_0_l, Rplus_0_r, Rminus_0_r.
        unfold held, tail. destruct (far j); rewrite ?Rplus_0_r; lra.
  - (* a store *)
    intros js r L O O' _ IH St Mo Fw Nf. pose proof (pos_INR r). pose proof (pos_INR (length js)).
    destruct IH as (LT & NE & Sj & X & O1 & M1 & Y & Z & M0 & Dd); try assumption.
    { eapply near_enough_le; [| | | |exact Nf]; auto; try lra. }
    simpl INR in Dd. rewrite Rmult_0_l in Dd. pose proof (Rabs_pos (O - O1)).
    assert (EO : O = O1) by (apply Rminus_diag_uniq; destruct (Req_dec (O - O1) 0); [assumption | pose proof (Rabs_pos_lt _ H2); lra]).
    subst O1. destruct (rounds_split _ _ _ _ Hup Hep St) as (d & e & D & E & ->).
    assert (S1 : stored_beside 1 = stored_beside 0 + up) by (unfold stored_beside; simpl; ring).
    split; [exact LT|]. split; [exact NE|]. split; [exact Sj|]. split; [exact X|]. exists (O * (1 + d)), 1.
    split; [|split; [|split; [lra|]]].
    + unfold lane in *. apply (near_mul _ _ _ _ up (1 + d)) in Y; [|apply factor_round, D |].
      2: { intros j J. pose proof (budget_pos _ _ L j H0 H (proj1 (Sj j J))). specialize (SB 0%nat). lra. }
      rewrite Rmult_comm. eapply near_weaken; [| |exact Y]; intros j J; cbv beta; [lra|].
      rewrite S1. unfold held.
      replace (9 * (INR (length js) + INR r) * ua + (stored_beside 0 + up))
        with (up + (9 * (INR (length js) + INR r) * ua + stored_beside 0)) by ring.
      rewrite (exp_plus up), !Rmult_assoc. apply Rmult_le_compat_r.
      * pose proof (held_pos (stored_beside 0) (lift (INR r) L) (INR (length js) + INR r) L (bonus (INR r)) lostc c j ltac:(lra) (Leafc j)) as G.
        unfold held in G. rewrite !Rmult_assoc in G. exact G.
      * pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. pose proof (exp_ineq1_le up). lra.
    + specialize (SB 1%nat). eapply lane_weaken; [| exact Leaf1 | | | exact X]; lra.
    + replace (O * (1 + d) + e - O * (1 + d)) with e by ring. simpl. lra.
  - (* fewer merges and stores *)
    intros js r q r' q' L O Lr Lq _ IH Mo Fw Nf. apply le_INR in Lr as Lr'.
    pose proof (pos_INR r). pose proof (pos_INR (length js)).
    destruct IH as (LT & NE & Sj & X & O1 & M1 & Y & Z & M0 & Dd); [lra | | |].
    { eapply few_le; [| |exact Fw]; lra. }
    { eapply near_enough_le; [| | | |exact Nf]; auto; lra. }
    destruct (stored_beside_le q q' Lq) as [_ SQ]. pose proof (SB q).
    split; [exact LT|]. split; [exact NE|]. split; [|split].
    + intros j J. destruct (Sj j J) as [S1 S2].
      pose proof (sag_le (INR (length js)) (INR r) (INR (length js)) (INR r') j ltac:(lra) ltac:(lra)).
      pose proof (lse_size_le (INR (length js)) (INR r) (INR (length js)) (INR r') j ltac:(lra) ltac:(lra)). split; lra.
    + eapply lane_weaken; [| exact Leaf1 | | | exact X]; lra.
    + exists O1, M1. split; [eapply lane_weaken; [| exact Leafc | | | exact Y]; lra|].
      split; [eapply lane_weaken; [| exact Leaf1 | | | exact Z]; lra|]. split; [exact M0|].
      eapply Rle_trans; [exact Dd|]. apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | apply le_INR, Lq].
  - (* other orders *)
    intros a b r q L O P _ IH Mo Fw Nf. pose proof (Permutation_length P) as PL. rewrite <- PL in *.
    destruct IH as (LT & NE & Sj & X & O1 & M1 & Y & Z & M0 & Dd); try assumption.
    { intros j J. apply Nf. eapply Permutation_in; [exact P | exact J]. }
    split; [exact LT|]. split; [intros ->; apply Permutation_sym, Permutation_nil in P; now apply NE|].
    split; [intros j J; apply Sj; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; [eapply near_perm; eassumption|]. exists O1, M1.
    split; [eapply near_perm; eassumption|]. split; [eapply near_perm; eassumption|]. split; assumption.
  - (* one part of a merge *)
    intros L js r q L1 O w p Mg IH Lf Rw Rp. simpl INR.
    assert (NE : js <> []) by (apply merged_nonempty in Mg; exact Mg).
    pose proof (length_pos _ NE) as Ln. split; [exact NE|]. split; [lra|]. split; [apply exp_pos|].
    intros n R K eps HK Hn HR Fw LT LE EB Nf. pose proof (pos_INR r) as R0. rewrite ln_exp in LE.
    destruct IH as (_ & _ & Sj1 & X & O1 & M1 & Y & Z & M0 & Dd); [lra | | |].
    { eapply few_le; [| |exact Fw]; lra. }
    { eapply near_enough_le; [| | | |exact Nf]; auto; lra. }
    assert (Nf1 : near_enough (INR (length js)) (INR r) q js) by (eapply near_enough_le; [| | | |exact Nf]; auto; lra).
    set (n1 := INR (length js)) in *. set (r1 := INR r) in *.
    assert (D : drops K L1 L).
    { split; [destruct Hlow as [[_ Hf] | Hf]; [left; lra | now right]|]. pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs eps))). lra. }
    assert (Each : forall j, In j js -> (s j - L <= sag n R j /\ Rabs L <= lse_size n R j) /\
      (1 + 10 * ua) * Rabs L <= reach j /\ 0 <= merged_budget n1 r1 L1 j /\
      merged_budget n1 r1 L1 j + Rabs eps <= merged_budget n R L j /\ K * ua <= merged_budget n R L j).
    { intros j J. destruct (Sj1 j J) as [S1 S2].
      assert (S3 : Rabs L <= lse_size n R j) by (apply (size_step n1 r1 n R K L1); try assumption; lra).
      assert (Re : (1 + 10 * ua) * Rabs L <= reach j) by (apply (lse_reach n R); try assumption; lra).
      assert (B0 : 0 <= merged_budget n1 r1 L1 j) by (apply budget_pos; try assumption; lra).
      destruct (budget_step n1 r1 n R K L1 L j eps ltac:(lra) ltac:(lra) ltac:(lra) D Re EB) as [B1 B2].
      split; [split; [|exact S3]|].
      - apply (sag_step n1 r1 n R K L1 L); try assumption; lra.
      - split; [exact Re|]. split; [exact B0|]. split; [exact B1|].
        pose proof (Rabs_pos (L - L1)). assert (0 <= (6 + 9 * Rabs (L - L1)) * ua) by (apply Rmult_le_pos; lra). lra. }
    split; [|split].
    + intros j J. destruct (Each j J) as (S1 & _ & B0 & B1 & B2). split; [exact S1 | split; [exact B2 | lra]].
    + unfold lane in X. apply (near_scale _ _ _ _ (exp (L1 - L))) in X; [|left; apply exp_pos].
      replace (exp (L1 - L) * 1) with (exp L1 * exp (- L)) in X by (rewrite <- exp_plus, Rmult_1_r; reflexivity).
      eapply near_weaken; [| |eapply near_ext; [|exact X]].
      * intros j J. cbv beta. destruct (Each j J) as (_ & _ & _ & B1 & _). lra.
      * intros j J. cbv beta. destruct (Each j J) as (_ & Re & _). destruct (reach_ge j) as [G _].
        apply Rmult_le_reg_l with (exp eps); [apply exp_pos|]. rewrite <- !Rmult_assoc, <- !exp_plus.
        replace (eps + - eps) with 0 by ring. rewrite exp_0, Rmult_1_l.
        assert (Q : exp (eps + (L1 - L)) * held 0 (lift r1 L1) (n1 + r1) L1 (bonus r1) lost1 ones j + 0
          <= held 0 (lift R L) (n + R) L (bonus R) lost1 ones j); [|lra].
        pose proof (lift_step n1 r1 n R K L1 L ltac:(lra) ltac:(lra) ltac:(lra) ltac:(lra) ltac:(lra) Fw D) as LS.
        pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs eps))). pose proof (Rle_abs eps). pose proof (Rabs_pos eps). pose proof (lift_pos R L ltac:(lra)). pose proof (Rabs_pos L) as AL.
        assert (NN : K * ua <= (n + R - (n1 + r1)) * ua) by (apply Rmult_le_compat_r; lra).
        assert (KU : 1 * ua <= K * ua) by (apply Rmult_le_compat_r; lra).
        assert (AU : 0 <= ua * Rabs L) by (apply Rmult_le_pos; lra).
        assert (RU : Rabs L * ua <= reach j * ua).
        { apply Rmult_le_compat_r; [lra|]. assert (0 <= 10 * ua * Rabs L) by (repeat apply Rmult_le_pos; lra). lra. }
        assert (BU : bonus r1 j + (14 + 2 * reach j) * ua <= bonus R j).
        { unfold bonus. rewrite <- Rmult_plus_distr_r. apply Rmult_le_compat_r; [lra|].
          assert ((r1 + 1) * (14 + 2 * reach j) <= R * (14 + 2 * reach j)) by (apply Rmult_le_compat_r; lra). lra. }
        assert (Zz : 0 <= (n + R - (n1 + r1)) * (8 * heta * (Rabs 1 + 1)))
          by (rewrite Rabs_R1; repeat apply Rmult_le_pos; lra).
        assert (Tail : exp (eps + (L1 - L)) <= exp (Rabs eps - (L - L1) / 4)) by (apply exp_le; destruct (Rle_lt_dec L1 L); lra).
        destruct LS as [(C & Z1 & Z2) | LS].
        -- apply held_move with (y1 := Rabs eps) (y2 := 0); try lra; try apply Leaf1; try assumption.
           apply exp_le. lra.
        -- destruct (Rle_lt_dec L1 L) as [C | C].
           ++ rewrite (Rabs_minus_sym L1), (Rabs_pos_eq (L - L1)) in LS by lra.
              apply held_move with (y1 := Rabs eps) (y2 := Rabs eps - (L - L1) / 4); try lra; try apply Leaf1; try assumption.
           ++ rewrite (Rabs_pos_eq (L1 - L)) in LS by lra.
              assert (5 / 64 * (L1 - L) <= 5 / 64 * Rabs eps) by lra.
              apply held_move with (y1 := Rabs eps) (y2 := 0); try lra; try apply Leaf1; try assumption.
              apply exp_le. lra.
      * intros j _. cbv beta. rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring.
    + destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) Rp) as (d & e & Dl & E & ->).
      assert (W0 : 0 <= w) by (eapply rescaled_pos; exact Rw).
      exists (w * O1 * (1 + d) + e), (w * M1 * (1 + ua)).
      assert (H1 := near_half n1 r1 q L1 js ltac:(lra) R0 Nf1 ltac:(intros j J; apply Sj1, J)).
      assert (Pre : forall j, In j js -> (1 + 10 * ua) * Rabs L <= reach j /\ 0 <= merged_budget n1 r1 L1 j /\
        (far j = false -> s j - L1 + (merged_budget n1 r1 L1 j + stored_beside q) <= 1 + head)).
      { intros j J. destruct (Each j J) as (_ & Re & B0 & _). split; [exact Re | split; [exact B0 | apply H1, J]]. }
      assert (WM : 0 <= w * M1) by (apply Rmult_le_pos; assumption).
      split; [|split; [|split]].
      * apply (lane_part (stored_beside q) lostc c n1 r1 n R K L1 L js w O1); try assumption; try lra; [apply SB|].
        unfold rounds. replace (w * O1 * (1 + d) + e - w * O1) with (d * (w * O1) + e) by ring.
        eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult. pose proof (Rabs_pos (w * O1)).
        apply Rplus_le_compat; [apply Rmult_le_compat_r; lra | exact E].
      * apply (lane_part (stored_beside q) lost1 ones n1 r1 n R K L1 L js w M1); try assumption; try lra; [apply SB|].
        unfold rounds. replace (w * M1 * (1 + ua) - w * M1) with (ua * (w * M1)) by ring.
        rewrite Rabs_mult, (Rabs_pos_eq ua) by lra. lra.
      * apply Rmult_le_pos; lra.
      * replace (w * O * (1 + d) + e - (w * O1 * (1 + d) + e)) with (w * (O - O1) * (1 + d)) by ring.
        rewrite !Rabs_mult, (Rabs_pos_eq w W0). pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G.
        replace (INR q * (ep * (w * M1 * (1 + ua)))) with (w * (INR q * (ep * M1)) * (1 + ua)) by ring.
        apply Rmult_le_compat; try apply Rabs_pos; [apply Rmult_le_pos; [exact W0 | apply Rabs_pos] | | lra].
        apply Rmult_le_compat_l; assumption.
  - (* parts added up *)
    intros L a b ka kb r q Ea Eb oa ob o _ (NEa & Ka & Ea0 & IHa) _ (NEb & Kb & Eb0 & IHb) Ro.
    rewrite plus_INR, app_length, plus_INR.
    assert (NE : a ++ b <> []) by (intros E; apply app_eq_nil in E; now apply NEa).
    split; [exact NE|]. split; [lra|]. split; [lra|].
    intros n R K eps HK Hn HR Fw LT LE EB Nf. pose proof (pos_INR r) as R0.
    assert (La : ln Ea <= L - eps) by (apply Rle_trans with (ln (Ea + Eb)); [left; apply ln_increasing; lra | exact LE]).
    assert (Lb : ln Eb <= L - eps) by (apply Rle_trans with (ln (Ea + Eb)); [left; apply ln_increasing; lra | exact LE]).
    destruct (IHa n R K eps) as (Sa & Xa & Oa & Ma & Ya & Za & Ma0 & Da); try assumption; try lra.
    { intros j J. apply Nf, in_or_app. now left. }
    destruct (IHb n R K eps) as (Sb & Xb & Ob & Mb & Yb & Zb & Mb0 & Db); try assumption; try lra.
    { intros j J. apply Nf, in_or_app. now right. }
    assert (Each : forall j, In j (a ++ b) -> (s j - L <= sag n R j /\ Rabs L <= lse_size n R j) /\
        K * ua <= merged_budget n R L j /\ Rabs eps <= merged_budget n R L j)
      by (intros j J; apply in_app_or in J; destruct J as [J | J]; [apply Sa, J | apply Sb, J]).
    split; [exact Each|]. split.
    + rewrite Rmult_plus_distr_r. apply near_app; assumption.
    + destruct (rounds_split _ _ _ _ (proj1 Hua) (proj1 Heta) Ro) as (d & e & Dl & E & ->).
      exists ((Oa + Ob) * (1 + d) + e), ((Ma + Mb) * (1 + ua)).
      split; [|split; [|split]].
      * apply (part_join (stored_beside q) lostc c n R K (INR ka) (INR kb) L a b Oa Ob); try assumption; try lra; [apply SB | intros j J; apply Each, J |].
        unfold rounds. replace ((Oa + Ob) * (1 + d) + e - (Oa + Ob)) with (d * (Oa + Ob) + e) by ring.
        eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult. pose proof (Rabs_pos (Oa + Ob)).
        apply Rplus_le_compat; [apply Rmult_le_compat_r; lra | exact E].
      * apply (part_join (stored_beside q) lost1 ones n R K (INR ka) (INR kb) L a b Ma Mb); try assumption; try lra; [apply SB | intros j J; apply Each, J |].
        unfold rounds. replace ((Ma + Mb) * (1 + ua) - (Ma + Mb)) with (ua * (Ma + Mb)) by ring.
        rewrite Rabs_mult, (Rabs_pos_eq ua) by lra. lra.
      * apply Rmult_le_pos; lra.
      * replace ((oa + ob) * (1 + d) + e - ((Oa + Ob) * (1 + d) + e)) with ((oa - Oa + (ob - Ob)) * (1 + d)) by ring.
        rewrite Rabs_mult. pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G.
        pose proof (Rabs_triang (oa - Oa) (ob - Ob)).
        replace (INR q * (ep * ((Ma + Mb) * (1 + ua)))) with ((INR q * (ep * Ma) + INR q * (ep * Mb)) * (1 + ua)) by ring.
        apply Rmult_le_compat; try apply Rabs_pos; lra.
Qed.

(** Nothing is asked of a maximum that lags less. *)
Theorem lazier : forall head', head <= head' -> forall js r q L O,
  merged ua ue eta uw ew head fall up ep top beside s c hp js r q L O ->
  merged ua ue eta uw ew head' fall up ep top beside s c hp js r q L O.
Proof using.
  intros head' H. assert (Loc : forall js m l o, local ua ue eta uw ew head beside s c hp js m l o ->
    local ua ue eta uw ew head' beside s c hp js m l o).
  { intros js m l o X. induction X.
    - eapply local_key; try eassumption. lra.
    - eapply local_join; [exact IHX1 | exact IHX2 |..]; eassumption.
    - eapply local_perm; eassumption. }
  enough (All : (forall js r q L O, merged ua ue eta uw ew head fall up ep top beside s c hp js r q L O ->
      merged ua ue eta uw ew head' fall up ep top beside s c hp js r q L O) /\
    (forall L js k r q E o, gathered ua ue eta uw ew head fall up ep top beside s c hp L js k r q E o ->
      gathered ua ue eta uw ew head' fall up ep top beside s c hp L js k r q E o)) by (exact (proj1 All)).
  apply merged_gathered_ind; intros.
  - eapply merged_one; try eassumption. now apply Loc.
  - eapply merged_many; eassumption.
  - eapply merged_stored; eassumption.
  - eapply merged_most; eassumption.
  - eapply merged_perm; eassumption.
  - eapply gathered_one; eassumption.
  - eapply gathered_two; eassumption.
Qed.

(** The leaf of the output's sum: the weight w rounded to the operand format, multiplied by the
    dropout factor (itself rounded) and by the value (rounded to the operand format). *)
Theorem leaf_value : forall uq ui eo kappa v w wp ck cv q y,
  0 <= uq -> 0 <= ui -> 0 <= eo ->
  rounds uq eo w wp -> rounds ua 0 kappa ck -> operand ui 0 v cv ->
  rounds ua eta (wp * ck) q -> rounds ua eta (q * cv) y ->
  operand (uq + ui + 3 * ua) (eo * Rabs (kappa * v) + eta * Rabs v + eta) (w * (kappa * v)) y.
Proof.
  intros uq ui eo kappa v w wp ck cv q y UP UI EO R1 R2 V R3 R4.
  pose proof (rounds_operand _ _ _ _ UP EO R1) as O1.
  pose proof (rounds_operand _ _ _ _ (proj1 Hua) (Rle_refl 0) R2) as O2.
  assert (B3 : 0 <= uq + ua) by lra. assert (B4 : 0 <= uq + ua + ua + ui) by lra.
  assert (B5 : 0 <= uq + ua + ua) by lra.
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
