(** * AttentionAccuracy: what a run of AttentionModel.v loses, in its own computed quantities

    Purpose. A partial (m, l, o) stands for the sums of e^(s j) and e^(s j) c j over its keys, scaled
    by e^-m; a normalised one (L, O) for (1, O) scaled by e^-L. Each key carries a budget that grows
    by 8 u a join and 10 u for every unit by which its maximum has risen, whatever the tree.

    Main results.
    - [local_accuracy]    online softmax, split-KV, any blocking on one rank: local_budget
    - [merged_accuracy]   with normalisation and any binary tree of merges: merged_budget
    - [leaf_value]        the leaf of the output's sum: P rounded, dropout, times the value

    Underflow and flushes of each operation are counted by [flush] beside the budgets.

    Dependencies. AttentionModel.v, DotAccuracy.v (e^(1/2) <= 2). *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy AttentionModel.
Import ListNotations.
Open Scope R_scope.

Section Run.

Context {A : Type}.
Variables ua ue eta top beside : R.
Variables s c ho : A -> R.
Hypothesis Hua : 0 <= ua <= 1 / 2.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hho : forall j, 0 <= ho j.

(** The terms of a lane with coefficients k, relative to the maximum m. *)
Notation term m k := (fun j => exp (s j - m) * k j).

Lemma term_abs : forall m (k : A -> R) j, s j <= m + 1 ->
  Rabs (exp (s j - m) * k j) <= 3 * Rabs (k j).
Proof.
  intros m k j H. rewrite Rabs_mult, (Rabs_pos_eq (exp _)) by (left; apply exp_pos).
  pose proof (exp_le (s j - m) 1 ltac:(lra)) as E. pose proof exp_le_3.
  apply Rmult_le_compat_r; [apply Rabs_pos | lra].
Qed.

Lemma length_pos : forall js : list A, js <> [] -> 1 <= INR (length js).
Proof.
  intros [|j js] H; [congruence|]. simpl length. rewrite S_INR. pose proof (pos_INR (length js)). lra.
Qed.

(** One side of a join: brought to the maximum m' by an inexact exponential. *)
Lemma lane_rescale : forall js (k h T : A -> R) m m' r x p,
  m <= m' -> rescales ua eta m m' r -> rounds ua eta (r * x) p ->
  (forall j, In j js -> s j <= m + 1 /\ 0 <= h j /\ 0 <= T j) ->
  approx js (term m k) h T 0 x ->
  approx js (term m' k) (fun j => h j + 2 * eta * (3 * Rabs (k j) + h j))
    (fun j => T j + (7 + 9 * (m' - m)) * ua) eta p.
Proof.
  intros js k h T m m' r x p M (f & e & F & E & ->) R P X.
  destruct (rounds_split _ _ _ _ (proj1 Hua) Heta R) as (d & e2 & D & E2 & ->).
  set (S := (6 + 9 * (m' - m)) * ua) in *.
  assert (S0 : 0 <= S) by (apply Rmult_le_pos; lra).
  pose proof (approx_abs _ _ _ _ _ _ X) as Xabs. rewrite Rplus_0_r in Xabs.
  apply (approx_mul _ _ _ _ _ (S + ua) (f * (1 + d))) in X; [|intros; now apply P | lra |].
  2: { apply factor_mul; [exact F | apply factor_round, D]. }
  apply (approx_scale _ _ _ _ _ (exp (m - m'))) in X. rewrite Rmult_0_l, Rmult_0_r in X.
  assert (Ex : 0 < exp (m - m') <= 1).
  { split; [apply exp_pos|]. pose proof (exp_le (m - m') 0 ltac:(lra)) as G. now rewrite exp_0 in G. }
  apply (approx_ext _ _ (term m' k) _ (fun j => Rabs (exp (m - m')) * h j) _
    (fun j => T j + (S + ua))) in X.
  2: { intros j J. split; [|split; reflexivity]. rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring. }
  unfold approx in X |- *.
  replace ((exp (m - m') * f + e) * x * (1 + d) + e2 - total (term m' k) js)
    with ((exp (m - m') * (f * (1 + d) * x) - total (term m' k) js) + (e * x * (1 + d) + e2)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (Small : Rabs (e * x * (1 + d) + e2)
    <= total (fun j => 2 * eta * (3 * Rabs (k j) + h j) * exp (T j)) js + eta).
  { eapply Rle_trans; [apply Rabs_triang|]. apply Rplus_le_compat; [|exact E2].
    rewrite !Rabs_mult. assert (D1 : Rabs (1 + d) <= 2).
    { pose proof (Rabs_triang 1 d) as G. rewrite Rabs_R1 in G. lra. }
    apply Rle_trans with (eta * Rabs x * 2).
    - apply Rmult_le_compat; [apply Rmult_le_pos; apply Rabs_pos | apply Rabs_pos | | exact D1].
      apply Rmult_le_compat_r; [apply Rabs_pos | exact E].
    - replace (eta * Rabs x * 2) with (2 * eta * Rabs x) by ring.
      eapply Rle_trans; [apply Rmult_le_compat_l; [lra | exact Xabs]|].
      rewrite <- total_scale. apply total_le. intros j J. destruct (P j J) as (P1 & P2 & P3).
      pose proof (term_abs m k j P1). pose proof (exp_pos (T j)).
      rewrite (Rmult_assoc (2 * eta)). apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_r; lra. }
  eapply Rle_trans; [apply Rplus_le_compat; [exact X | exact Small]|].
  rewrite Rplus_0_r, <- Rplus_assoc, <- total_plus. apply Rplus_le_compat_r, total_le.
  intros j J. destruct (P j J) as (P1 & P2 & P3).
  replace (T j + (7 + 9 * (m' - m)) * ua) with (T j + (S + ua)) by (unfold S; ring).
  rewrite (Rabs_pos_eq (exp (m - m'))) by lra.
  pose proof (exp_le (T j) (T j + (S + ua)) ltac:(lra)) as G. pose proof (exp_pos (T j)).
  assert (exp (m - m') * h j <= h j) by nra.
  assert (0 <= 2 * eta * (3 * Rabs (k j) + h j))
    by (apply Rmult_le_pos; [lra | pose proof (Rabs_pos (k j)); lra]).
  set (g := exp (T j + (S + ua))) in *. set (y := 2 * eta * (3 * Rabs (k j) + h j)) in *. nra.
Qed.

(** A join costs every key 8 u and 9 u times the rise of its maximum. *)
Lemma lane_join : forall a b (k h Ta Tb T' : A -> R) ma mb m r r' x y z,
  a <> [] -> ma <= m -> mb <= m -> rescales ua eta ma m r -> rescales ua eta mb m r' ->
  joined ua eta r x r' y z ->
  (forall j, In j a -> s j <= ma + 1 /\ 0 <= Ta j /\ Ta j + (8 + 9 * (m - ma)) * ua <= T' j) ->
  (forall j, In j b -> s j <= mb + 1 /\ 0 <= Tb j /\ Tb j + (8 + 9 * (m - mb)) * ua <= T' j) ->
  (forall j, In j (a ++ b) -> 0 <= h j <= Rabs (k j) + 1) ->
  approx a (term ma k) h Ta 0 x -> approx b (term mb k) h Tb 0 y ->
  approx (a ++ b) (term m k) (fun j => h j + 8 * eta * (Rabs (k j) + 1)) T' 0 z.
Proof.
  intros a b k h Ta Tb T' ma mb m r r' x y z NE La Lb Ra Rb (p & q & Rp & Rq & Rz) Pa Pb Ph Xa Xb.
  set (g := fun j => h j + 2 * eta * (3 * Rabs (k j) + h j)).
  assert (Hg : forall j, In j (a ++ b) -> 0 <= h j <= g j).
  { intros j J. destruct (Ph j J). split; [assumption|]. unfold g. pose proof (Rabs_pos (k j)).
    assert (0 <= 2 * eta * (3 * Rabs (k j) + h j)) by (apply Rmult_le_pos; lra). lra. }
  assert (Ia : forall j, In j a -> In j (a ++ b)) by (intros; apply in_or_app; now left).
  assert (Ib : forall j, In j b -> In j (a ++ b)) by (intros; apply in_or_app; now right).
  apply (lane_rescale _ _ _ _ _ m r x p) in Xa; try assumption.
  2: { intros j J. destruct (Pa j J) as (? & ? & ?), (Ph j (Ia j J)). auto. }
  apply (lane_rescale _ _ _ _ _ m r' y q) in Xb; try assumption.
  2: { intros j J. destruct (Pb j J) as (? & ? & ?), (Ph j (Ib j J)). auto. }
  fold g in Xa, Xb.
  set (U := fun j => T' j - ua).
  apply (approx_weaken _ _ _ g _ U _ eta) in Xa; [| | |lra].
  2: { intros j J. destruct (Hg j (Ia j J)). lra. }
  2: { intros j J. unfold U. destruct (Pa j J) as (? & ? & ?). lra. }
  apply (approx_weaken _ _ _ g _ U _ eta) in Xb; [| | |lra].
  2: { intros j J. destruct (Hg j (Ib j J)). lra. }
  2: { intros j J. unfold U. destruct (Pb j J) as (? & ? & ?). lra. }
  pose proof (approx_app _ _ _ _ _ _ _ _ _ Xa Xb) as X.
  destruct (rounds_split _ _ _ _ (proj1 Hua) Heta Rz) as (d & e & D & E & ->).
  apply (approx_mul _ _ _ _ _ ua (1 + d)) in X; [|intros j J; destruct (Hg j J); lra | lra |].
  2: { apply factor_round, D. }
  apply (approx_add _ _ _ _ _ eta _ e) in X; [|exact E].
  replace ((p + q) * (1 + d) + e) with ((1 + d) * (p + q) + e) by ring.
  apply (approx_weaken _ _ (fun j => g j + 5 * eta) _ (fun j => T' j) _ 0 0); [| | lra |].
  { intros j J. destruct (Hg j J), (Ph j J). split; [lra|]. unfold g. pose proof (Rabs_pos (k j)).
    assert (eta * h j <= eta * (Rabs (k j) + 1)) by (apply Rmult_le_compat_l; lra).
    assert (0 <= eta * Rabs (k j)) by (apply Rmult_le_pos; lra). nra. }
  { intros j J. apply Rle_refl. }
  apply approx_spread.
  - intros j J. split; [lra|]. apply in_app_or in J. destruct J as [J | J].
    + destruct (Pa j J) as (? & ? & ?). assert (0 <= (8 + 9 * (m - ma)) * ua) by (apply Rmult_le_pos; lra). lra.
    + destruct (Pb j J) as (? & ? & ?). assert (0 <= (8 + 9 * (m - mb)) * ua) by (apply Rmult_le_pos; lra). lra.
  - apply (approx_weaken _ _ g g _ T' _ (0 + total (fun _ => 5 * eta) (a ++ b))) in X; [exact X | | |].
    + intros j J. destruct (Hg j J). lra.
    + intros j J. unfold U. lra.
    + rewrite total_const. pose proof (exp_half ua (proj2 Hua)).
      assert (1 <= INR (length (a ++ b))).
      { apply length_pos. intros E0. apply app_eq_nil in E0. now apply NE. }
      assert (5 * eta <= INR (length (a ++ b)) * (5 * eta)) by nra.
      assert (2 * eta * exp ua <= 4 * eta) by nra. lra.
Qed.

(** ** One rank *)

(** Log-domain error of a key's weight in a partial of n keys at the maximum m. *)
Definition local_budget (n m : R) (j : A) : R :=
  (8 + 2 * Rabs (s j)) * ue + (8 * n + 10 * (m - s j)) * ua.

(** step-errors.ts, flush: underflow of the leaf (h) and of N operations. *)
Definition flush (h : R) (k N : R) : R := h + N * (8 * eta * (Rabs k + 1)).

Lemma leaf_budget_le : forall j m, s j <= m -> 0 <= leaf_budget ue (s j) m <= local_budget 0 m j.
Proof.
  intros j m H. unfold leaf_budget, local_budget.
  pose proof (Rabs_pos (s j)). pose proof (Rabs_pos m).
  assert (Rabs m <= Rabs (s j) + (m - s j)).
  { replace m with (s j + (m - s j)) at 1 by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite (Rabs_pos_eq (m - s j)); lra. }
  assert (0 <= (m - s j) * ue) by (apply Rmult_le_pos; lra).
  assert ((m - s j) * ue <= (m - s j) * ua) by (apply Rmult_le_compat_l; lra).
  assert (0 <= Rabs (s j) * ue) by (apply Rmult_le_pos; lra).
  assert (0 <= Rabs m * ue) by (apply Rmult_le_pos; lra).
  assert (Rabs m * ue <= (Rabs (s j) + (m - s j)) * ue) by (apply Rmult_le_compat_r; lra).
  split; nra.
Qed.

Lemma local_nonempty : forall js m l o, local ua ue eta beside s c ho js m l o -> js <> [].
Proof.
  intros js m l o H. induction H as [| a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb | a b m l o P H IH].
  - discriminate.
  - intros E. apply app_eq_nil in E. now apply IHa.
  - intros ->. apply Permutation_sym, Permutation_nil in P. now apply IH.
Qed.

(** Every partial of at most n keys, N joins counted for underflow, N at least n - 1. *)
Theorem local_accuracy : forall n, flush eta 1 n <= 2 ->
  (forall j, flush (ho j) (c j) n <= Rabs (c j) + 1) ->
  forall js m l o, local ua ue eta beside s c ho js m l o -> INR (length js) <= n ->
  (forall j, In j js -> s j <= m) /\
  approx js (term m (fun _ => 1)) (fun _ => flush eta 1 (INR (length js) - 1))
    (local_budget (INR (length js) - 1) m) 0 l /\
  approx js (term m c) (fun j => flush (ho j) (c j) (INR (length js) - 1))
    (fun j => local_budget (INR (length js) - 1) m j + beside) 0 o.
Proof.
  intros n Hl Hc js m l o H.
  induction H as [j m w x M W X | a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb La Lb Ra Rb Jl Jo
    | a b m l o P H IH]; intros Len.
  - destruct (leaf_budget_le j m M) as [L0 L1]. simpl length. simpl INR.
    replace (1 - 1) with 0 by ring.
    split; [intros i [<- | []]; exact M|]. split.
    + apply (operand_approx (term m (fun _ => 1))). cbv beta. rewrite Rmult_1_r.
      eapply operand_weaken; [exact L1 | | exact W]. unfold flush. lra.
    + apply (operand_approx (term m c)). cbv beta.
      eapply operand_weaken; [| | exact X]; [lra|]. unfold flush. pose proof (Hho j). lra.
  - pose proof (local_nonempty _ _ _ _ Ha) as NEa. pose proof (local_nonempty _ _ _ _ Hb) as NEb.
    assert (Na : 1 <= INR (length a)).
    { apply length_pos, NEa. }
    assert (Nb : 1 <= INR (length b)).
    { apply length_pos, NEb. }
    rewrite app_length, plus_INR in *. set (na := INR (length a)) in *. set (nb := INR (length b)) in *.
    destruct IHa as (Sa & Xa & Ya); [lra|]. destruct IHb as (Sb & Xb & Yb); [lra|].
    set (N := na + nb - 2).
    assert (Bud : forall j m0, s j <= m0 -> m0 <= m ->
      0 <= local_budget N m0 j /\
      local_budget N m0 j + (8 + 9 * (m - m0)) * ua <= local_budget (na + nb - 1) m j).
    { intros j m0 B0 B1. unfold local_budget, N. pose proof (Rabs_pos (s j)).
      assert (0 <= (m - m0) * ua) by (apply Rmult_le_pos; lra).
      split; [|nra]. apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
    assert (Mono : forall k1 m0 j, 0 <= k1 -> k1 <= N -> local_budget k1 m0 j <= local_budget N m0 j).
    { intros k1 m0 j K0 K1. unfold local_budget. apply Rplus_le_compat_l, Rmult_le_compat_r; lra. }
    assert (Fl : forall h k k1, 0 <= h -> 0 <= k1 -> k1 <= N -> 0 <= flush h k k1 <= flush h k N).
    { intros h k k1 H0 K0 K1. unfold flush. pose proof (Rabs_pos k).
      assert (0 <= 8 * eta * (Rabs k + 1)) by (apply Rmult_le_pos; lra).
      assert (k1 * (8 * eta * (Rabs k + 1)) <= N * (8 * eta * (Rabs k + 1)))
        by (apply Rmult_le_compat_r; assumption).
      assert (0 <= k1 * (8 * eta * (Rabs k + 1))) by (apply Rmult_le_pos; assumption). lra. }
    assert (Flush : forall h k, flush h k N + 8 * eta * (Rabs k + 1) = flush h k (na + nb - 1)).
    { intros h k. unfold flush, N. ring. }
    assert (Top : forall h k, 0 <= h -> flush h k N <= flush h k n).
    { intros h k H0. unfold flush. pose proof (Rabs_pos k). apply Rplus_le_compat_l, Rmult_le_compat_r.
      - apply Rmult_le_pos; lra.
      - unfold N. lra. }
    assert (HN : 0 <= N) by (unfold N; lra).
    split; [intros j J; apply in_app_or in J; destruct J as [J | J];
      [specialize (Sa j J) | specialize (Sb j J)]; lra|].
    split.
    + apply (approx_weaken _ _ (fun _ => flush eta 1 N + 8 * eta * (Rabs 1 + 1)) _
        (local_budget (na + nb - 1) m) _ 0); [| intros; apply Rle_refl | lra |].
      { intros j _. rewrite Flush. split; [|apply Rle_refl]. unfold flush. rewrite Rabs_R1.
        apply Rplus_le_le_0_compat; [exact Heta|]. repeat apply Rmult_le_pos; lra. }
      apply (lane_join a b (fun _ => 1) (fun _ => flush eta 1 N)
        (local_budget N ma) (local_budget N mb) _ ma mb m r r' la lb); try assumption.
      * intros j J. specialize (Sa j J). destruct (Bud j ma Sa La). split; [lra | auto].
      * intros j J. specialize (Sb j J). destruct (Bud j mb Sb Lb). split; [lra | auto].
      * intros j _. rewrite Rabs_R1. pose proof (Top eta 1 Heta). pose proof (Fl eta 1 0 Heta).
        pose proof Hl. split; [|lra]. unfold flush. rewrite Rabs_R1.
        apply Rplus_le_le_0_compat; [exact Heta|]. repeat apply Rmult_le_pos; lra.
      * apply (approx_weaken _ _ _ _ _ _ _ _ _) with (4 := Xa); [intros; apply Fl; unfold N; lra
          | intros; apply Mono; unfold N; lra | lra].
      * apply (approx_weaken _ _ _ _ _ _ _ _ _) with (4 := Xb); [intros; apply Fl; unfold N; lra
          | intros; apply Mono; unfold N; lra | lra].
    + apply (approx_weaken _ _ (fun j => flush (ho j) (c j) N + 8 * eta * (Rabs (c j) + 1)) _
        (fun j => local_budget (na + nb - 1) m j + beside) _ 0); [| intros; apply Rle_refl | lra |].
      { intros j _. rewrite Flush. split; [|apply Rle_refl]. unfold flush. pose proof (Rabs_pos (c j)).
        apply Rplus_le_le_0_compat; [apply Hho|]. repeat apply Rmult_le_pos; lra. }
      apply (lane_join a b c (fun j => flush (ho j) (c j) N)
        (fun j => local_budget N ma j + beside) (fun j => local_budget N mb j + beside) _
        ma mb m r r' oa ob); try assumption.
      * intros j J. specialize (Sa j J). destruct (Bud j ma Sa La). split; [lra | split; lra].
      * intros j J. specialize (Sb j J). destruct (Bud j mb Sb Lb). split; [lra | split; lra].
      * intros j _. pose proof (Top (ho j) (c j) (Hho j)). pose proof (Hc j).
        split; [|lra]. unfold flush. pose proof (Rabs_pos (c j)).
        apply Rplus_le_le_0_compat; [apply Hho|]. repeat apply Rmult_le_pos; lra.
      * apply (approx_weaken _ _ _ _ _ _ _ _ _) with (4 := Ya); [intros; apply Fl; [apply Hho | |]; unfold N; lra
          | intros; apply Rplus_le_compat_r, Mono; unfold N; lra | lra].
      * apply (approx_weaken _ _ _ _ _ _ _ _ _) with (4 := Yb); [intros; apply Fl; [apply Hho | |]; unfold N; lra
          | intros; apply Rplus_le_compat_r, Mono; unfold N; lra | lra].
  - pose proof (Permutation_length P) as PL. rewrite <- PL in *. destruct (IH Len) as (S1 & X & Y).
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; eapply approx_perm; eassumption.
Qed.

(** ** All ranks *)

(** An exact shift of the maximum, and a factor. *)
Lemma lane_shift : forall c0 js (k h T : A -> R) m m' S f x, exp (m - m') <= c0 -> factor S f ->
  (forall j, In j js -> 0 <= h j) -> approx js (term m k) h T 0 x ->
  approx js (term m' k) (fun j => c0 * h j) (fun j => T j + S) 0 (f * (exp (m - m') * x)).
Proof.
  intros c0 js k h T m m' S f x M F P X.
  apply (approx_scale _ _ _ _ _ (exp (m - m'))) in X. rewrite Rmult_0_r in X.
  pose proof (exp_pos (m - m')) as Ex.
  rewrite (Rabs_pos_eq (exp (m - m'))) in X by lra.
  apply (approx_mul _ _ _ _ _ S f) in X; [|intros j J; apply Rmult_le_pos; [lra | now apply P] | lra | exact F].
  rewrite Rmult_0_l in X.
  apply (approx_weaken _ _ (fun j => exp (m - m') * h j) _ (fun j => T j + S) _ 0); [| intros; apply Rle_refl | lra |].
  - intros j J. pose proof (P j J). split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra].
  - eapply approx_ext; [|exact X]. intros j J. split; [|split; reflexivity].
    rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring.
Qed.

Lemma exp_le_1 : forall x, x <= 0 -> exp x <= 1.
Proof. intros x H. pose proof (exp_le _ _ H) as G. now rewrite exp_0 in G. Qed.

(** The size of any log-sum-exp that contains key j. *)
Definition reach (j : A) : R := Rmax (Rabs (s j)) (Rabs top) + 1.

Lemma reach_le : forall j L, s j <= L + 1 -> L <= top + 1 -> Rabs L <= reach j.
Proof.
  intros j L H H'. unfold reach. pose proof (Rmax_l (Rabs (s j)) (Rabs top)).
  pose proof (Rmax_r (Rabs (s j)) (Rabs top)). unfold Rabs in *.
  destruct (Rcase_abs L), (Rcase_abs (s j)), (Rcase_abs top); lra.
Qed.

(** step-errors.ts, weightError, on the computed scores: a partial of n keys and r merges at L. *)
Definition merged_budget (n r L : R) (j : A) : R :=
  (8 + 2 * Rabs (s j)) * ue
  + (8 * n + 10 * (L - s j) + (7 * reach j + 18) + r * (14 + 2 * reach j)) * ua.

Theorem merged_accuracy : forall n, flush (3 * eta) 1 n <= 2 ->
  (forall j, flush (3 * ho j) (c j) n <= Rabs (c j) + 1) ->
  forall js r L O, merged ua ue eta top beside s c ho js r L O -> 3 * INR (length js) + INR r <= n ->
  (forall j, In j js -> s j <= L + 1) /\ L <= top /\ js <> [] /\
  approx js (term L (fun _ => 1)) (fun _ => flush (3 * eta) 1 (3 * INR (length js) + INR r))
    (merged_budget (INR (length js)) (INR r) L) 0 1 /\
  approx js (term L c) (fun j => flush (3 * ho j) (c j) (3 * INR (length js) + INR r))
    (fun j => merged_budget (INR (length js)) (INR r) L j + beside) 0 O.
Proof.
  intros n Hl Hc js r L O H.
  assert (F0 : forall h k N, 0 <= h -> 0 <= N -> h <= flush h k N).
  { intros h k N H0 H1. unfold flush. pose proof (Rabs_pos k).
    assert (0 <= N * (8 * eta * (Rabs k + 1))) by (repeat apply Rmult_le_pos; lra). lra. }
  assert (Fl : forall h k k1 k2, 0 <= h -> 0 <= k1 -> k1 <= k2 -> 0 <= flush h k k1 <= flush h k k2).
  { intros h k k1 k2 H0 K0 K1. pose proof (F0 h k k1 H0 K0). unfold flush in *. pose proof (Rabs_pos k).
    assert (k1 * (8 * eta * (Rabs k + 1)) <= k2 * (8 * eta * (Rabs k + 1)))
      by (apply Rmult_le_compat_r; [repeat apply Rmult_le_pos; lra | assumption]). lra. }
  assert (Fs : forall h k N, flush h k N + 8 * eta * (Rabs k + 1) = flush h k (N + 1))
    by (intros; unfold flush; ring).
  assert (F3 : forall h k N, 0 <= h -> 0 <= N -> 3 * flush h k N <= flush (3 * h) k (3 * N))
    by (intros; unfold flush; lra).
  induction H as [js m l o L O Loc Lpos LT LR Lam OR
    | a b ra rb La Lb Oa Ob L O r r' Ha IHa Hb IHb LaL LbL LT LR Ra Rb Jo
    | a b r L O P H IH]; intros Len.
  - simpl INR in *. rewrite Rplus_0_r in Len.
    pose proof (length_pos _ (local_nonempty _ _ _ _ Loc)) as N1.
    assert (Hl' : flush eta 1 n <= 2) by (unfold flush in *; lra).
    assert (Hc' : forall j, flush (ho j) (c j) n <= Rabs (c j) + 1).
    { intros j. specialize (Hc j). pose proof (Hho j). unfold flush in *. lra. }
    destruct (local_accuracy n Hl' Hc' _ _ _ _ Loc ltac:(lra)) as (Sj & X & Y).
    set (N := INR (length js)) in *.
    assert (L0 : 0 <= ln l) by (rewrite <- ln_1; destruct Lpos as [Lp | <-]; [left; apply ln_increasing; lra | lra]).
    set (eps := L - (m + ln l)) in *.
    assert (ML : m - L <= 1) by (apply Rabs_le_inv in LR; unfold eps in LR; lra).
    assert (E3 : exp (m - L) <= 3) by (eapply Rle_trans; [apply exp_le, ML | apply exp_le_3]).
    assert (El : exp eps * (exp (m - L) * l) = 1).
    { rewrite <- (exp_ln l ltac:(lra)) at 1. rewrite <- !exp_plus, <- exp_0. f_equal. unfold eps. ring. }
    assert (Eo : exp eps * (exp (m - L) * o) = o / l).
    { unfold Rdiv. rewrite <- (exp_ln l ltac:(lra)) at 1. rewrite <- exp_Ropp, <- Rmult_assoc, <- exp_plus.
      rewrite Rmult_comm. do 2 f_equal. unfold eps. ring. }
    assert (Bud : forall j, In j js -> local_budget (N - 1) m j + Rabs eps + ua
      <= merged_budget N 0 L j).
    { intros j J. specialize (Sj j J). unfold local_budget, merged_budget.
      pose proof (reach_le j m ltac:(lra) ltac:(lra)). pose proof (reach_le j L ltac:(lra) ltac:(lra)).
      assert (Lo : ln l - lse_rounding ua m l L <= L - m) by (apply Rabs_le_inv in LR; unfold eps in LR; lra).
      set (lam := lse_rounding ua m l L) in *.
      assert (lam <= ua * (7 * reach j + 8 * ln l + 8))
        by (unfold lam, lse_rounding; apply Rmult_le_compat_l; lra).
      assert (10 * (ln l - 1) * ua <= 10 * (L - m) * ua) by (apply Rmult_le_compat_r; lra).
      assert (0 <= ln l * ua) by (apply Rmult_le_pos; lra). lra. }
    assert (Pos : forall j, In j js -> 0 <= local_budget (N - 1) m j).
    { intros j J. specialize (Sj j J). unfold local_budget. pose proof (Rabs_pos (s j)).
      apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
    split; [intros j J; specialize (Sj j J); lra|]. split; [exact LT|].
    split; [exact (local_nonempty _ _ _ _ Loc)|]. rewrite Rplus_0_r. split.
    + apply (lane_shift 3 _ _ _ _ _ L (Rabs eps) (exp eps)) in X; [| exact E3 | apply factor_exp |].
      2: { intros j _. apply (Fl eta 1 (N - 1) (N - 1)); lra. }
      rewrite El in X. eapply approx_weaken; [| | apply Rle_refl | exact X].
      * intros j _. destruct (Fl eta 1 (N - 1) N); try lra. pose proof (F3 eta 1 N Heta ltac:(lra)). lra.
      * intros j J. specialize (Bud j J). lra.
    + apply (lane_shift 3 _ _ _ _ _ L (Rabs eps) (exp eps)) in Y; [| exact E3 | apply factor_exp |].
      2: { intros j _. apply (Fl (ho j) (c j) (N - 1) (N - 1)); [apply Hho | lra | lra]. }
      rewrite Eo in Y. destruct (rounds_split _ _ _ _ (proj1 Hua) Heta OR) as (d & e & D & E & ->).
      assert (F1 : forall j, 0 <= flush (ho j) (c j) (N - 1)).
      { intros j. apply (Fl (ho j) (c j) (N - 1) (N - 1)); [apply Hho | lra | lra]. }
      apply (approx_mul _ _ _ _ _ ua (1 + d)) in Y; [| | lra | apply factor_round, D].
      2: { intros j _. specialize (F1 j). lra. }
      apply (approx_add _ _ _ _ _ eta _ e) in Y; [|exact E].
      replace (o / l * (1 + d) + e) with ((1 + d) * (o / l) + e) by ring.
      apply (approx_weaken _ _ (fun j => 3 * flush (ho j) (c j) (N - 1) + eta) _
        (fun j => merged_budget N 0 L j + beside) _ 0); [| intros; apply Rle_refl | lra |].
      { intros j _. specialize (F1 j).
        split; [lra|]. pose proof (Fs (ho j) (c j) (N - 1)) as Q. replace (N - 1 + 1) with N in Q by ring.
        pose proof (F3 (ho j) (c j) N (Hho j) ltac:(lra)).
        pose proof (Rabs_pos (c j)). assert (0 <= eta * Rabs (c j)) by (apply Rmult_le_pos; lra). lra. }
      apply approx_spread.
      { intros j J. split; [exact Heta|]. specialize (Bud j J). specialize (Pos j J).
        pose proof (Rabs_pos eps). lra. }
      eapply approx_weaken; [| | | exact Y].
      * intros j _. specialize (F1 j). lra.
      * intros j J. specialize (Bud j J). lra.
      * rewrite total_const. fold N. nra.
  - rewrite app_length, plus_INR, S_INR, plus_INR in *.
    set (na := INR (length a)) in *. set (nb := INR (length b)) in *.
    pose proof (pos_INR ra) as R0. pose proof (pos_INR rb) as R1.
    assert (N0 : 0 <= na) by apply pos_INR. assert (N1 : 0 <= nb) by apply pos_INR.
    destruct IHa as (Sa & _ & NEa & Xa & Ya); [lra|]. destruct IHb as (Sb & _ & NEb & Xb & Yb); [lra|].
    assert (N2 : 1 <= na) by (apply length_pos, NEa). assert (N3 : 1 <= nb) by (apply length_pos, NEb).
    set (N := 3 * (na + nb) + (INR ra + INR rb)).
    set (eps := L - ln (exp La + exp Lb)) in *. unfold merge_rounding in LR.
    assert (Sl : forall j, In j (a ++ b) -> s j <= L + 1).
    { intros j J. apply in_app_or in J. destruct J as [J | J];
        [specialize (Sa j J) | specialize (Sb j J)]; lra. }
    assert (Step : forall j n1 r1 L1, s j <= L1 + 1 -> L1 <= L -> 0 <= n1 <= na + nb -> 0 <= r1 <= INR ra + INR rb ->
      0 <= merged_budget n1 r1 L1 j /\
      merged_budget n1 r1 L1 j + (14 + 2 * Rabs L + 9 * (L - L1)) * ua
        <= merged_budget (na + nb) (INR ra + INR rb + 1) L j).
    { intros j n1 r1 L1 B0 B1 Bn Br. pose proof (reach_le j L ltac:(lra) ltac:(lra)) as RL.
      pose proof (Rabs_pos L). pose proof (Rabs_pos (s j)). unfold merged_budget. set (M := reach j) in *.
      assert (0 <= r1 * (14 + 2 * M)) by (apply Rmult_le_pos; lra).
      assert (r1 * (14 + 2 * M) <= (INR ra + INR rb) * (14 + 2 * M)) by (apply Rmult_le_compat_r; lra).
      split; [apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra|].
      rewrite Rplus_assoc, <- Rmult_plus_distr_r. apply Rplus_le_compat_l, Rmult_le_compat_r; lra. }
    split; [exact Sl|]. split; [exact LT|].
    split; [intros E; apply app_eq_nil in E; now apply NEa|]. split.
    + apply (lane_shift 1 _ _ _ _ _ L (Rabs eps) (exp eps)) in Xa; [| apply exp_le_1; lra | apply factor_exp |].
      2: { intros j _. apply (Fl (3 * eta) 1 (3 * na + INR ra) (3 * na + INR ra)); lra. }
      apply (lane_shift 1 _ _ _ _ _ L (Rabs eps) (exp eps)) in Xb; [| apply exp_le_1; lra | apply factor_exp |].
      2: { intros j _. apply (Fl (3 * eta) 1 (3 * nb + INR rb) (3 * nb + INR rb)); lra. }
      set (T' := merged_budget (na + nb) (INR ra + INR rb + 1) L).
      apply (approx_weaken _ _ _ (fun _ => flush (3 * eta) 1 (3 * (na + nb) + (INR ra + INR rb + 1))) _ T' _ 0) in Xa;
        [| intros; rewrite Rmult_1_l; apply Fl; lra | | lra].
      2: { intros j J. specialize (Sa j J). destruct (Step j na (INR ra) La) as [_ St]; try lra.
           assert (0 <= (L - La) * ua) by (apply Rmult_le_pos; lra). unfold T'. lra. }
      apply (approx_weaken _ _ _ (fun _ => flush (3 * eta) 1 (3 * (na + nb) + (INR ra + INR rb + 1))) _ T' _ 0) in Xb;
        [| intros; rewrite Rmult_1_l; apply Fl; lra | | lra].
      2: { intros j J. specialize (Sb j J). destruct (Step j nb (INR rb) Lb) as [_ St]; try lra.
           assert (0 <= (L - Lb) * ua) by (apply Rmult_le_pos; lra). unfold T'. lra. }
      pose proof (approx_app _ _ _ _ _ _ _ _ _ Xa Xb) as X.
      replace (exp eps * (exp (La - L) * 1) + exp eps * (exp (Lb - L) * 1)) with 1 in X.
      * rewrite Rplus_0_r in X. exact X.
      * assert (P : 0 < exp La + exp Lb) by (pose proof (exp_pos La); pose proof (exp_pos Lb); lra).
        unfold eps. unfold Rminus. rewrite !exp_plus, (exp_Ropp (ln _)), exp_ln, !exp_Ropp by exact P.
        pose proof (exp_pos L). field. lra.
    + apply (approx_weaken _ _ (fun j => flush (3 * ho j) (c j) N + 8 * eta * (Rabs (c j) + 1)) _
        (fun j => merged_budget (na + nb) (INR ra + INR rb + 1) L j + beside) _ 0);
        [| intros; apply Rle_refl | lra |].
      { intros j _. rewrite Fs. apply Fl; [pose proof (Hho j); lra | unfold N; lra | unfold N; lra]. }
      apply (lane_join a b c (fun j => flush (3 * ho j) (c j) N)
        (fun j => merged_budget na (INR ra) La j + beside) (fun j => merged_budget nb (INR rb) Lb j + beside) _
        La Lb L r r' Oa Ob); try assumption.
      * intros j J. specialize (Sa j J). destruct (Step j na (INR ra) La) as [St0 St]; try lra.
        pose proof (Rabs_pos L). assert (0 <= Rabs L * ua) by (apply Rmult_le_pos; lra).
        split; [exact Sa | split; [lra|]]. lra.
      * intros j J. specialize (Sb j J). destruct (Step j nb (INR rb) Lb) as [St0 St]; try lra.
        pose proof (Rabs_pos L). assert (0 <= Rabs L * ua) by (apply Rmult_le_pos; lra).
        split; [exact Sb | split; [lra|]]. lra.
      * intros j _. destruct (Fl (3 * ho j) (c j) N n ltac:(pose proof (Hho j); lra)); [unfold N; lra | unfold N; lra |].
        pose proof (Hc j). split; lra.
      * eapply approx_weaken; [| intros; apply Rle_refl | apply Rle_refl | exact Ya].
        intros j _. apply Fl; [pose proof (Hho j); lra | lra | unfold N; lra].
      * eapply approx_weaken; [| intros; apply Rle_refl | apply Rle_refl | exact Yb].
        intros j _. apply Fl; [pose proof (Hho j); lra | lra | unfold N; lra].
  - pose proof (Permutation_length P) as PL. rewrite <- PL in *. destruct (IH Len) as (S1 & S2 & S3 & X & Y).
    split; [intros j J; apply S1; eapply Permutation_in; [apply Permutation_sym, P | exact J]|].
    split; [exact S2|]. split.
    + intros ->. apply Permutation_sym, Permutation_nil in P. now apply S3.
    + split; eapply approx_perm; eassumption.
Qed.

(** The leaf of the output's sum: the weight w rounded to the operand format, multiplied by the
    dropout factor (itself rounded) and by the value (rounded to the operand format). *)
Theorem leaf_value : forall up ui eo kappa v budget x w wp ck cv q y,
  0 <= up -> 0 <= ui -> 0 <= eo -> 0 <= budget -> x <= 0 ->
  operand budget eta (exp x) w -> rounds up eo w wp -> rounds ua 0 kappa ck -> operand ui 0 v cv ->
  rounds ua eta (wp * ck) q -> rounds ua eta (q * cv) y ->
  operand (budget + (up + ui + 3 * ua)) ((eta + eo) * Rabs (kappa * v) + eta * Rabs v + eta)
    (exp x * (kappa * v)) y.
Proof.
  intros up ui eo kappa v budget x w wp ck cv q y UP UI EO B X W R1 R2 V R3 R4.
  pose proof (operand_round _ _ _ _ _ _ _ UP EO B Heta W R1) as O1.
  pose proof (rounds_operand _ _ _ _ (proj1 Hua) (Rle_refl 0) R2) as O2.
  assert (B1 : 0 <= budget + up) by lra. assert (E1 : 0 <= eta + eo) by lra.
  assert (B2 : 0 <= budget + up + ua) by lra. assert (B3 : 0 <= budget + up + ua + ua) by lra.
  assert (B4 : 0 <= budget + up + ua + ua + ui) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ B1 (proj1 Hua) E1 (Rle_refl 0) O1 O2) as O3.
  rewrite (Rmult_0_r (Rabs (exp x))), (Rmult_0_r (eta + eo)), Rplus_0_l, Rplus_0_r in O3.
  pose proof (Rabs_pos kappa) as K0. pose proof (Rabs_pos v) as V0.
  assert (H3 : 0 <= Rabs kappa * (eta + eo)) by (apply Rmult_le_pos; lra).
  pose proof (operand_round _ _ _ _ _ _ _ (proj1 Hua) Heta B2 H3 O3 R3) as O4.
  assert (E5 : 0 <= Rabs kappa * (eta + eo) + eta) by lra.
  pose proof (operand_product _ _ _ _ _ _ _ _ B3 UI E5 (Rle_refl 0) O4 V) as O5.
  rewrite (Rmult_0_r (Rabs (exp x * kappa))), (Rmult_0_r (_ + eta)), Rplus_0_l, Rplus_0_r in O5.
  assert (H5 : 0 <= Rabs v * (Rabs kappa * (eta + eo) + eta)) by (apply Rmult_le_pos; lra).
  pose proof (operand_round _ _ _ _ _ _ _ (proj1 Hua) Heta B4 H5 O5 R4) as O6.
  rewrite <- Rmult_assoc. eapply operand_weaken; [| | exact O6]; [lra|].
  rewrite Rabs_mult. split; [lra | apply Req_le; ring].
Qed.

End Run.
