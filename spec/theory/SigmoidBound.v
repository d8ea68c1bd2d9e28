(** * SigmoidBound: a row whose partial results are merged by sigmoids

    Purpose. How lemma Sigmoid of bounds.md enters Denominator, Output, Hull and Log. Parts are runs of
    AttentionModel.v, of any blocks, merged by weights or not; they, or what is merged of them, may be stored
    once on a key's way; any tree merges them by [by_sigmoid] of SigmoidMerge.v, the sink among them. The budgets of the keys grow by
    [granted], what the tree's log-sum-exps lose and the rounding [uw] of a weight; the error of O by [undamped], which is relative to the
    largest that a part's output may be, and that no weight takes down.

    Main results. Of the formulas of AttentionBound.v, with [granted] and [undamped] in them:
    - [sigmoid_row_bound], [sigmoid_row_bound_wide]   |O - out| and |L - lse|
    - [sigmoid_row_hull]     O is near an average, however far off the weights are
    - [part_average]         a part's output is an average: no larger than [part_size], whatever its keys
                             weigh, far ones among them
    - [lse_in_reach]         no log-sum-exp of a part is larger in size than [logit_reach]

    Conditions. Those of AttentionBound.v, where [rounding] has [granted] in it; [largest] is at least
    |s| + score of every key and |lse|; ua is not 0. What is assumed of a run beside AttentionModel.v: a
    sigmoid is in [0, 1] and within 10 u of the exact one of its two LSEs; no LSE lies above [top].

    Dependencies. AttentionBound.v, SigmoidMerge.v; FarRows.v (sums over the same weights). *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy.
From Xattn Require Import AttentionModel AttentionAccuracy AttentionBound SigmoidMerge.
From Xattn Require FarRows.
Import ListNotations.
Open Scope R_scope.

(** What a rescaled part weighs, in absolute terms: the more its LSE rises, the more is lost of ever less. *)
Lemma weight_most : forall ua eta m L w, 0 <= ua <= 1 / 128 -> 0 <= eta <= ua / 32 -> m <= L + 1 / 2 ->
  rescales ua eta m L w -> 0 <= w <= exp (11 * ua) * exp (m - L) + 5 * ua.
Proof.
  intros ua eta m L w U E D (f & e & F & F0 & Ee & EF & ->).
  pose proof (factor_abs _ _ F) as FA. rewrite (Rabs_pos_eq f F0) in FA. pose proof (exp_pos (m - L)) as X0.
  pose proof (Rabs_le_inv _ _ EF). split; [lra|].
  pose proof (Rle_abs e).
  assert (Q : exp (m - L) * f <= exp (11 * ua) * exp (m - L) + 17 / 4 * ua); [|lra].
  apply Rle_trans with (exp (m - L) * exp ((6 + 9 * Rabs (L - m)) * ua)); [apply Rmult_le_compat_l; lra|].
  destruct (Rle_lt_dec (L - m) 0) as [S | S].
  - rewrite (Rabs_left1 _ S). rewrite (Rmult_comm (exp (11 * ua))).
    assert (exp (m - L) * exp ((6 + 9 * - (L - m)) * ua) <= exp (m - L) * exp (11 * ua)); [|lra].
    apply Rmult_le_compat_l; [lra|]. apply exp_le. apply Rmult_le_compat_r; lra.
  - rewrite (Rabs_pos_eq (L - m)) by lra. set (x := L - m) in *.
    replace (m - L) with (- x) by (unfold x; ring). set (y := 9 * x * ua).
    replace ((6 + 9 * x) * ua) with (6 * ua + y) by (unfold y; ring). rewrite exp_plus.
    assert (Y : exp y - 1 <= y * exp y).
    { pose proof (exp_ineq1_le (- y)) as G. rewrite exp_Ropp in G. pose proof (exp_pos y) as P.
      apply (Rmult_le_compat_r (exp y)) in G; [|lra]. rewrite Rinv_l in G by lra. lra. }
    assert (Z : x * exp (y - x) <= 4 / 9).
    { assert (C : 9 / 10 * x <= x - y).
      { unfold y. assert (9 * x * ua <= 9 * x * (1 / 128)) by (apply Rmult_le_compat_l; lra). lra. }
      assert (E1 : 5 / 2 <= exp 1) by Kernels.bound.
      pose proof (exp_ineq1_le (x - y - 1)) as G.
      assert (P : 5 / 2 * (x - y) <= exp (x - y)).
      { replace (exp (x - y)) with (exp 1 * exp (x - y - 1)) by (rewrite <- exp_plus; f_equal; ring).
        apply Rle_trans with (exp 1 * (x - y)); [apply Rmult_le_compat_r; lra | apply Rmult_le_compat_l; lra]. }
      replace (y - x) with (- (x - y)) by ring. rewrite exp_Ropp. pose proof (exp_pos (x - y)).
      apply Rmult_le_reg_r with (exp (x - y)); [lra|]. rewrite Rmult_assoc, Rinv_l by lra. lra. }
    assert (E6 : exp (6 * ua) <= 17 / 16).
    { eapply Rle_trans; [apply (exp_le _ (6 / 128)); lra | Kernels.bound]. }
    assert (W : exp (- x) * exp y <= exp (- x) + 4 * ua).
    { assert (T : exp (- x) * (exp y - 1) <= exp (- x) * (y * exp y)) by (apply Rmult_le_compat_l; [left; apply exp_pos | exact Y]).
      replace (exp (- x) * (y * exp y)) with (9 * ua * (x * exp (y - x))) in T
        by (unfold y, Rminus; rewrite exp_plus; ring).
      assert (9 * ua * (x * exp (y - x)) <= 9 * ua * (4 / 9)) by (apply Rmult_le_compat_l; lra). lra. }
    pose proof (exp_pos (6 * ua)) as P6. apply (Rmult_le_compat_l (exp (6 * ua))) in W; [|lra].
    assert (exp (6 * ua) * (4 * ua) <= 17 / 16 * (4 * ua)) by (apply Rmult_le_compat_r; lra).
    assert (exp (6 * ua) * exp (- x) <= exp (11 * ua) * exp (- x)).
    { apply Rmult_le_compat_r; [left; apply exp_pos | apply exp_le; lra]. }
    lra.
Qed.

(** bounds.ts, largestLogit and what beside it: no partial LSE of a row is larger in size. *)
Definition logit_reach (largest slack : R) : R := largest + 1 + slack.

(** merge-errors.ts, partialSize: the largest that an average of some keys can be. *)
Definition part_size (top rounded flushes lost : R) : R := hull_error 0 top rounded flushes lost.

#[local] Opaque rescaled_tiny.

Section Sigmoid.

Context {A : Type}.
Variables ua ue eta uw ew head fall up ep beside : R.
Variables s sc score k c dk hp ho : A -> R.
Variable far : A -> bool.
Variables (js : list A) (slack merges largest v rounded : R).
Hypothesis Hua : 0 < ua <= 1 / 128.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta <= ua / 32.
Hypothesis Huw : 0 <= uw.
Hypothesis Hew : eta <= ew.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hhp : forall j, 0 <= hp j.
Hypothesis Hhead : 0 <= head.
Hypothesis Hup : 0 <= up.
Hypothesis Hep : 0 <= ep.
Hypothesis Hmerges : 0 <= merges.
Hypothesis Hslack : 1 + head <= slack.
Hypothesis Hscore : forall j, In j js ->
  Rabs (sc j - s j) <= score j /\ (far j = false -> score j + 1 + head <= slack).
Hypothesis Hc : forall j, In j js -> Rabs (c j - k j) <= dk j.
Hypothesis Hho : forall j, In j js -> hp j + ew * Rabs (c j) <= ho j.
Hypothesis Hlargest : forall j, In j js -> Rabs (s j) + score j <= largest.
Hypothesis Hlse : Rabs (lse s js) <= largest.
Hypothesis Hv : forall j, In j js -> Rabs (k j) + dk j <= v.

Notation n := (INR (length js)).
Notation top := (AttentionBound.top head s js slack).
Notation M := (logit_reach largest slack).

(** What the tree's log-sum-exps add to every budget, and what its merges lose of O. *)
Definition granted : R := sigmoid_lse_error ua n M + uw.
Definition largest_part : R :=
  part_size (v + ep) rounded (flushes eta ew head js merges)
    (lost eta head k dk ho js merges + ep * flushes eta ew head js merges).
Definition undamped : R := subtracted_error ua eta n largest_part.

Notation rounding := (rounding ua ue s score js slack merges granted).
Notation aside := (aside up beside).
Notation merged := (merged ua ue eta uw ew head fall up ep top beside sc c hp).
Notation gathered := (gathered ua ue eta uw ew head fall up ep top beside sc c hp).

(** A part of the row: a run of AttentionModel.v over some of its keys, stored (q = 1) or not. *)
Definition part (l : list A) (q : nat) (L O : R) : Prop :=
  exists r, INR r <= merges /\ (q <= 1)%nat /\ merged l r q L O.

(** A tree of merges by sigmoids over such parts; what it has merged may be stored on the way, where its
    parts were not. *)
Definition tree (m q : nat) (L O : R) : Prop := subtracted ua eta up ep top part js m q L O.

Section Known.

Hypothesis Hrounded : forall j, In j js -> far j = false -> rounding j + aside <= rounded.
Hypothesis Half : rounded <= 1 / 2.
Hypothesis Some : exists j, In j js /\ far j = false.

Let Hua' : 0 <= ua <= 1 / 128.
Proof. lra. Qed.

Lemma n_pos : 1 <= n.
Proof. destruct Some as (j & J & _). apply length_pos. intros E. rewrite E in J. exact J. Qed.

Lemma reach_at_least : 2 <= M.
Proof.
  pose proof (Rabs_pos (lse s js)). unfold logit_reach. lra.
Qed.

Lemma granted_is : granted = n * (22 + 9 * M) * ua + uw.
Proof. reflexivity. Qed.

(** What a key that is not far says of the row. *)
Lemma small : n * ua * (30 + 9 * M) + aside <= rounded /\ 0 <= aside.
Proof.
  destruct Some as (j & J & Fj). specialize (Hrounded j J Fj).
  assert (A0 : 0 <= aside) by (unfold AttentionBound.aside; lra). split; [|exact A0].
  pose proof (score_below_lse ew head s sc score k c dk hp ho far js slack Hscore Hc Hho j J).
  destruct (score_pos head s sc score far js slack Hscore j J) as [S0 _].
  unfold AttentionBound.rounding, weight_rounding in Hrounded. cbv zeta in Hrounded. rewrite granted_is in Hrounded.
  set (q := (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs (s j)) (Rabs (lse s js)) + slack) + 1) in *.
  assert (0 <= q).
  { unfold q. pose proof (Rmax_l (Rabs (s j)) (Rabs (lse s js))). pose proof (Rabs_pos (s j)).
    assert (0 <= 4 * merges * ua) by (repeat apply Rmult_le_pos; lra).
    assert (0 <= (1 + (20 + 4 * merges) * ua) * (Rmax (Rabs (s j)) (Rabs (lse s js)) + slack)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= (8 + 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) * ue).
  { pose proof (Rabs_pos (s j)). apply Rmult_le_pos; [|lra].
    assert (0 <= 2 * (1 + 8 * ue) * (Rabs (s j) + score j)) by (apply Rmult_le_pos; lra). lra. }
  assert (0 <= 10 * (lse s js - s j + 2 * slack) * ua) by (apply Rmult_le_pos; lra).
  assert (0 <= (18 + 7 * q + merges * (14 + 2 * q)) * ua).
  { apply Rmult_le_pos; [|lra]. assert (0 <= merges * (14 + 2 * q)) by (apply Rmult_le_pos; lra). lra. }
  unfold AttentionBound.n in Hrounded. lra.
Qed.

Lemma granted_pos : uw <= granted.
Proof.
  rewrite granted_is. pose proof n_pos. pose proof reach_at_least.
  assert (0 <= n * (22 + 9 * M) * ua) by (repeat apply Rmult_le_pos; lra). lra.
Qed.

(** Some of the row's keys. *)
Definition within (l : list A) : Prop := exists rest, Permutation (l ++ rest) js.

Lemma within_in : forall l, within l -> forall j, In j l -> In j js.
Proof. intros l [rest P] j J. eapply Permutation_in; [exact P|]. apply in_or_app. now left. Qed.

Lemma within_length : forall l, within l -> (length l <= length js)%nat.
Proof. intros l [rest P]. apply Permutation_length in P. rewrite app_length in P. lia. Qed.

Lemma within_total : forall l f, within l -> (forall j, 0 <= f j) -> total f l <= total f js.
Proof.
  intros l f [rest P] F. rewrite <- (total_perm f _ _ P), total_app.
  assert (0 <= total f rest) by (apply total_pos; auto). lra.
Qed.

Lemma within_app : forall a b, within (a ++ b) -> within a /\ within b.
Proof.
  intros a b [rest P]. split.
  - exists (b ++ rest). now rewrite app_assoc.
  - exists (a ++ rest). eapply Permutation_trans; [|exact P]. rewrite !app_assoc. apply Permutation_app_tail, Permutation_app_comm.
Qed.

Lemma within_perm : forall a b, Permutation a b -> within b -> within a.
Proof.
  intros a b P [rest Q]. exists rest. eapply Permutation_trans; [|exact Q]. now apply Permutation_app_tail.
Qed.

(** No more merges are on a key's way than there are other keys. *)
Lemma fewer_merges : forall l r q L O, merged l r q L O ->
  exists r0, (r0 <= r)%nat /\ (r0 < length l)%nat /\ merged l r0 q L O.
Proof.
  enough (All : (forall l r q L O, merged l r q L O ->
      exists r0, (r0 <= r)%nat /\ (r0 < length l)%nat /\ merged l r0 q L O) /\
    (forall L l i r q E o, gathered L l i r q E o ->
      exists r0, (r0 <= r)%nat /\ (r0 + i <= length l)%nat /\
        forall r1, (r0 <= r1)%nat -> gathered L l i r1 q E o)) by (exact (proj1 All)).
  apply merged_gathered_ind.
  - intros l m d o L O Loc. intros. exists 0%nat. split; [lia|].
    assert (NE : l <> []) by (eapply local_nonempty; [exact Hua' | exact Hue | exact Heta | exact Loc]).
    split; [destruct l; [congruence | simpl; lia]|]. eapply merged_one; eassumption.
  - intros l i r q E L O _ (r0 & R1 & R2 & G) K2 T LR. exists (S r0). split; [lia|]. split; [lia|].
    eapply merged_many; try eassumption. apply G. lia.
  - intros l r L O O' _ (r0 & R1 & R2 & G) St. exists r0. split; [exact R1|]. split; [exact R2|].
    eapply merged_stored; eassumption.
  - intros l r q r' q' L O Lr Lq _ (r0 & R1 & R2 & G). exists r0. split; [lia|]. split; [exact R2|].
    eapply merged_most; [apply le_n | exact Lq | exact G].
  - intros a b r q L O P _ (r0 & R1 & R2 & G). exists r0. split; [exact R1|].
    split; [now rewrite <- (Permutation_length P)|]. eapply merged_perm; eassumption.
  - intros L l r q L1 O w p _ (r0 & R1 & R2 & G) Lf Rw Rp. exists r0. split; [exact R1|]. split; [lia|].
    intros r1 R3. eapply gathered_one; try eassumption. eapply merged_most; [exact R3 | apply le_n | exact G].
  - intros L a b ia ib r q Ea Eb oa ob o _ (ra & A1 & A2 & GA) _ (rb & B1 & B2 & GB) Ro.
    exists (Nat.max ra rb). split; [lia|]. split; [rewrite app_length; lia|].
    intros r1 R1. eapply gathered_two; [apply GA; lia | apply GB; lia | exact Ro].
Qed.

Lemma part_near : forall l r q, within l -> INR r <= merges -> (q <= 1)%nat ->
  near_enough ua ue uw head up top beside sc far 1 merges (INR (length l)) (INR r) q l.
Proof.
  intros l r q Wl Rm Q j J Fj. pose proof (within_in l Wl j J) as Jj. specialize (Hrounded j Jj Fj).
  destruct (Hscore j Jj) as [S1 S2]. specialize (S2 Fj). apply Rabs_le_inv in S1.
  pose proof (score_below_lse ew head s sc score k c dk hp ho far js slack Hscore Hc Hho j Jj) as B.
  pose proof (pos_INR r).
  pose proof (weight_bound ua ue uw ew head fall s sc score k c dk hp ho far js slack merges granted Hua' Hue Hhead Hmerges
    Hslack Hscore Hc Hho (INR r) (sc j) j Jj Fj ltac:(lra) ltac:(unfold AttentionBound.top; lra)) as W.
  pose proof (budget_le ua ue uw head fall top sc 1 merges Hua' Hhead Hmerges (or_intror eq_refl) (INR (length l)) n (INR r) (INR r)
    (sc j) j ltac:(apply le_INR, within_length, Wl) ltac:(lra)) as W2.
  destruct (stored_beside_le up beside Hup q 1 Q) as [_ Q1]. unfold stored_beside at 2 in Q1. simpl (INR 1) in Q1.
  pose proof granted_pos. unfold AttentionBound.aside, AttentionBound.n in *. lra.
Qed.

Lemma part_few : forall l r, within l -> (r < length l)%nat -> few ua 1 (INR (length l)) (INR r).
Proof.
  intros l r Wl R. right. apply within_length, le_INR in Wl. apply le_INR in R. rewrite S_INR in R.
  destruct small as [S1 S2]. pose proof reach_at_least. pose proof n_pos. pose proof (pos_INR r).
  assert (0 <= n * ua) by (apply Rmult_le_pos; lra). assert (0 <= n * ua * M) by (apply Rmult_le_pos; lra).
  assert ((8 * INR (length l) + 16 * INR r) * ua <= (24 * n) * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** The size of a part's log-sum-exp: short of M by what the tree may take off. *)
Lemma part_lse : forall l r q L O, within l -> INR r <= merges -> (q <= 1)%nat -> merged l r q L O ->
  L <= top /\ Rabs L + (n - 1) * (ua * (20 + 8 * M)) <= M.
Proof.
  intros l r q L O Wl Rm Q Mg. destruct (fewer_merges l r q L O Mg) as (r0 & R1 & R2 & Mg0).
  assert (Rm0 : INR r0 <= merges) by (apply le_INR in R1; lra).
  destruct (merged_accuracy ua ue eta uw ew head fall up ep top beside sc c hp far 1 merges Hua' Hue Heta Huw Hew Hbeside Hhp Hhead Hup Hep
    Hmerges (or_intror eq_refl) l r0 q L O Mg0 Rm0 (part_few l r0 Wl R2) (part_near l r0 q Wl Rm0 Q)) as (LT & NE & Sj & _).
  split; [exact LT|]. destruct l as [|j l']; [congruence|].
  destruct (Sj j (or_introl eq_refl)) as [_ SL]. pose proof (within_in _ Wl j (or_introl eq_refl)) as Jj.
  destruct (score_pos head s sc score far js slack Hscore j Jj) as [S0 Sabs]. specialize (Hlargest j Jj).
  pose proof (top_abs head s js slack Hslack) as TA.
  assert (MX : mx head top sc j <= M - 1).
  { unfold mx, logit_reach.
    assert (Rmax (Rabs (sc j)) (Rabs top) <= largest + slack - head) by (apply Rmax_lub; lra). lra. }
  apply within_length, le_INR in Wl. apply le_INR in R2. rewrite S_INR in R2.
  set (l0 := INR (length (j :: l'))) in *. pose proof (pos_INR r0). set (x := INR r0) in *.
  destruct small as [Sm1 Sm2]. pose proof reach_at_least. pose proof n_pos.
  assert (P0 : 0 <= n * ua) by (apply Rmult_le_pos; lra). assert (PM : 0 <= n * ua * M) by (apply Rmult_le_pos; lra).
  assert (Y : (8 + 3 * 1 * x) * ua <= (5 + 3 * n) * ua) by (apply Rmult_le_compat_r; lra).
  assert (Z : (9 + 1 * (7 * l0 + 12 * x)) * ua <= (19 * n - 3) * ua) by (apply Rmult_le_compat_r; lra).
  pose proof (mx_pos head top sc Hhead j) as X0.
  assert ((1 + (8 + 3 * 1 * x) * ua) * mx head top sc j <= (1 + (5 + 3 * n) * ua) * (M - 1)).
  { apply Rmult_le_compat; try lra. assert (0 <= (8 + 3 * 1 * x) * ua) by (apply Rmult_le_pos; lra). lra. }
  unfold lse_size in SL.
  assert (U1 : 1 * ua <= n * ua) by (apply Rmult_le_compat_r; lra).
  assert (0 <= ua * M) by (apply Rmult_le_pos; lra).
  lra.
Qed.

(** ** A part's output is an average *)

(** One rank, before it divides: the sum of its weights is in l and in o. *)
Lemma local_same_weights : forall l m d o, local ua ue eta uw ew head beside sc c hp l m d o -> 0 <= v ->
  (forall j, In j l -> Rabs (c j) <= v) ->
  exists w, FarRows.weighed ua beside v (INR (length l) - 1) (4 * (INR (length l) - 1) * eta)
    (exp beside * total hp l + 4 * (INR (length l) - 1) * eta) d o w.
Proof.
  intros l m d o H V. pose proof (exp_pos beside) as B0.
  induction H as [j m w x Mj W X | a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb La Lb Ra Rb Jl Jo
    | a b m l o P H IH]; intros C.
  - exists w. specialize (C j (or_introl eq_refl)). destruct W as (f & e & F & F0 & E & EF & W).
    assert (W0 : 0 <= w) by (pose proof (Rabs_le_inv _ _ EF); lra).
    simpl length. simpl INR. simpl total. unfold FarRows.weighed. replace (1 - 1) with 0 by ring.
    replace (- (4 * 0 * ua)) with 0 by ring. replace (9 * 0 * ua) with 0 by ring.
    replace (beside + 2 * 0 * ua) with beside by ring. rewrite exp_0. split; [exact W0|]. split; [lra|].
    pose proof (operand_abs _ _ _ _ X) as G. rewrite Rabs_mult, (Rabs_pos_eq w W0) in G.
    assert (w * Rabs (c j) <= w * v) by (apply Rmult_le_compat_l; lra).
    assert ((w * Rabs (c j) + hp j) * exp beside <= (w * v + hp j) * exp beside) by (apply Rmult_le_compat_r; lra). lra.
  - destruct IHa as [wa Wa]; [intros j J; apply C, in_or_app; now left|].
    destruct IHb as [wb Wb]; [intros j J; apply C, in_or_app; now right|].
    assert (NEa : a <> []) by (eapply local_nonempty; [exact Hua' | exact Hue | exact Heta | exact Ha]).
    assert (NEb : b <> []) by (eapply local_nonempty; [exact Hua' | exact Hue | exact Heta | exact Hb]).
    pose proof (length_pos _ NEa) as Na. pose proof (length_pos _ NEb) as Nb.
    assert (Ta : 0 <= total hp a) by (apply total_pos; auto). assert (Tb : 0 <= total hp b) by (apply total_pos; auto).
    rewrite app_length, plus_INR, total_app. set (na := INR (length a)) in *. set (nb := INR (length b)) in *.
    assert (0 <= (na - 1) * eta) by (apply Rmult_le_pos; lra). assert (0 <= (nb - 1) * eta) by (apply Rmult_le_pos; lra).
    assert (0 <= exp beside * total hp a) by (apply Rmult_le_pos; lra).
    assert (0 <= exp beside * total hp b) by (apply Rmult_le_pos; lra).
    apply (FarRows.weighed_weaken ua beside Hua' v _ (na + nb - 2)) in Wa; [| lra..].
    apply (FarRows.weighed_weaken ua beside Hua' v _ (na + nb - 2)) in Wb; [| lra..].
    exists (r * wa + r' * wb).
    assert (Q : FarRows.weighed ua beside v (na + nb - 2 + 1) (4 * (na - 1) * eta + 4 * (nb - 1) * eta + 4 * eta)
      (exp beside * total hp a + 4 * (na - 1) * eta + (exp beside * total hp b + 4 * (nb - 1) * eta) + 4 * eta)
      l o (r * wa + r' * wb)).
    { apply (FarRows.weighed_join ua ue eta beside Hua' Hue Heta v (na + nb - 2) _ _ la oa wa _ _ lb ob wb ma mb m r r');
        try assumption; lra. }
    replace (na + nb - 2 + 1) with (na + nb - 1) in Q by ring.
    replace (4 * (na - 1) * eta + 4 * (nb - 1) * eta + 4 * eta) with (4 * (na + nb - 1) * eta) in Q by ring.
    replace (exp beside * total hp a + 4 * (na - 1) * eta + (exp beside * total hp b + 4 * (nb - 1) * eta) + 4 * eta)
      with (exp beside * (total hp a + total hp b) + 4 * (na + nb - 1) * eta) in Q by ring. exact Q.
  - destruct IH as [w W]; [intros j J; apply C; eapply Permutation_in; [exact P | exact J]|].
    exists w. now rewrite <- (Permutation_length P), <- (total_perm hp _ _ P).
Qed.

(** What a block or a rank hands on before any merge; of the whole row's keys. *)
Definition one_part : R := exp (beside + 15 * n * ua) * (v * (1 + 4 * n * eta) + total hp js + 4 * n * eta).

Lemma v_pos : 0 <= v.
Proof.
  destruct Some as (j & J & _). specialize (Hv j J). destruct (carried_pos k c dk js Hc j J).
  pose proof (Rabs_pos (k j)). lra.
Qed.

Lemma c_most : forall j, In j js -> Rabs (c j) <= v.
Proof. intros j J. specialize (Hv j J). destruct (carried_pos k c dk js Hc j J). lra. Qed.

Lemma one_average : forall l m d o O, within l -> local ua ue eta uw ew head beside sc c hp l m d o -> 1 <= d ->
  rounds ua eta (o / d) O -> Rabs O <= one_part.
Proof.
  intros l m d o O Wl Loc Lpos OR. pose proof v_pos as V.
  destruct (local_same_weights l m d o Loc V) as (w & W0 & Wl' & Wo).
  { intros j J. apply c_most. now apply (within_in l Wl). }
  assert (NE : l <> []) by (eapply local_nonempty; [exact Hua' | exact Hue | exact Heta | exact Loc]).
  pose proof (length_pos _ NE) as N1. pose proof (within_length l Wl) as HN. apply le_INR in HN.
  assert (T0 : 0 <= total hp l) by (apply total_pos; auto). pose proof (within_total l hp Wl Hhp) as TH.
  set (n0 := INR (length l)) in *. set (K := n0 - 1) in *. assert (K0 : 0 <= K) by (unfold K; lra).
  set (H0 := total hp l) in *. set (H := total hp js) in *.
  assert (KU : 0 <= K * ua) by (apply Rmult_le_pos; lra). assert (KE : 0 <= K * eta) by (apply Rmult_le_pos; lra).
  assert (NEt : K * eta + eta <= n * eta) by (replace (K * eta + eta) with (n0 * eta) by (unfold K; ring); apply Rmult_le_compat_r; lra).
  assert (NU : K * ua + ua <= n * ua) by (replace (K * ua + ua) with (n0 * ua) by (unfold K; ring); apply Rmult_le_compat_r; lra).
  set (g := exp (9 * K * ua)) in *. assert (G1 : 1 <= g) by (apply exp_ge_1; lra).
  assert (Wm : w <= d * (exp (4 * K * ua) * g * (1 + 4 * K * eta))).
  { assert (E4 : exp (- (4 * K * ua)) * exp (4 * K * ua) = 1)
      by (rewrite <- exp_plus; replace (- (4 * K * ua) + 4 * K * ua) with 0 by ring; apply exp_0).
    apply Rle_trans with ((w * exp (- (4 * K * ua))) * exp (4 * K * ua)); [rewrite Rmult_assoc, E4; lra|].
    pose proof (exp_pos (4 * K * ua)) as E0.
    apply Rle_trans with ((d + 4 * K * eta * g) * exp (4 * K * ua)); [apply Rmult_le_compat_r; lra|].
    replace (d * (exp (4 * K * ua) * g * (1 + 4 * K * eta)))
      with ((d * (g * (1 + 4 * K * eta))) * exp (4 * K * ua)) by ring.
    apply Rmult_le_compat_r; [lra|].
    assert (d * 1 <= d * g) by (apply Rmult_le_compat_l; lra).
    assert (0 <= 4 * K * eta * g) by (apply Rmult_le_pos; lra).
    assert (1 * (4 * K * eta * g) <= d * (4 * K * eta * g)) by (apply Rmult_le_compat_r; lra). lra. }
  pose proof (exp_pos beside) as B0. pose proof (exp_ge_1 beside Hbeside) as B1.
  set (e := exp beside * H0 + 4 * K * eta) in *.
  assert (HB : 0 <= exp beside * H0) by (apply Rmult_le_pos; lra).
  assert (E0 : 0 <= e) by (unfold e; lra).
  assert (Q : Rabs (o / d) <= v * (1 + 4 * K * eta) * exp (beside + 15 * K * ua) + e * g).
  { unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_pos_eq d) by lra.
    apply Rmult_le_reg_r with d; [lra|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    eapply Rle_trans; [exact Wo|].
    replace (exp (beside + 15 * K * ua)) with (exp (beside + 2 * K * ua) * (exp (4 * K * ua) * exp (9 * K * ua)))
      by (rewrite <- !exp_plus; f_equal; ring). fold g.
    pose proof (exp_pos (beside + 2 * K * ua)) as X0. set (x := exp (beside + 2 * K * ua)) in *.
    apply (Rmult_le_compat_l (v * x)) in Wm; [|apply Rmult_le_pos; lra].
    assert (0 <= e * g) by (apply Rmult_le_pos; lra).
    assert (e * g * 1 <= e * g * d) by (apply Rmult_le_compat_l; lra). lra. }
  eapply Rle_trans; [apply (FarRows.round_most ua eta Hua' _ _ _ OR Q)|].
  unfold one_part. fold H. set (F := exp (beside + 15 * n * ua)).
  assert (F1 : exp ua * exp (beside + 15 * K * ua) <= F) by (unfold F; rewrite <- exp_plus; apply exp_le; lra).
  assert (F2 : exp ua * g * exp beside <= F) by (unfold F, g; rewrite <- !exp_plus; apply exp_le; lra).
  assert (U1 : 1 <= exp ua) by (apply exp_ge_1; lra).
  assert (Eg : 0 <= exp ua * g) by (apply Rmult_le_pos; lra).
  assert (F3 : exp ua * g <= F) by (assert (exp ua * g * 1 <= exp ua * g * exp beside) by (apply Rmult_le_compat_l; lra); lra).
  assert (F4 : 1 <= F) by (assert (1 * 1 <= exp ua * g) by (apply Rmult_le_compat; lra); lra).
  assert (T1 : exp ua * (v * (1 + 4 * K * eta) * exp (beside + 15 * K * ua)) <= F * (v * (1 + 4 * n * eta))).
  { replace (exp ua * (v * (1 + 4 * K * eta) * exp (beside + 15 * K * ua)))
      with (exp ua * exp (beside + 15 * K * ua) * (v * (1 + 4 * K * eta))) by ring.
    apply Rmult_le_compat; [apply Rmult_le_pos; left; apply exp_pos | apply Rmult_le_pos; lra | exact F1 |].
    apply Rmult_le_compat_l; lra. }
  assert (T2 : exp ua * (exp beside * H0 * g) <= F * H).
  { replace (exp ua * (exp beside * H0 * g)) with (exp ua * g * exp beside * H0) by ring.
    apply Rmult_le_compat; [apply Rmult_le_pos; lra | lra | exact F2 | lra]. }
  assert (T3 : exp ua * (4 * K * eta * g) + eta <= F * (4 * n * eta)).
  { replace (exp ua * (4 * K * eta * g)) with (exp ua * g * (4 * K * eta)) by ring.
    assert (exp ua * g * (4 * K * eta) <= F * (4 * K * eta)) by (apply Rmult_le_compat_r; lra).
    assert (1 * eta <= F * eta) by (apply Rmult_le_compat_r; lra).
    assert (F * (4 * (K * eta + eta)) <= F * (4 * (n * eta))) by (apply Rmult_le_compat_l; lra).
    assert (0 <= F * eta) by (apply Rmult_le_pos; lra). lra. }
  unfold e. lra.
Qed.

(** What one merge may add to the size of an average, for each part beyond the first. *)
Definition step : R := ua * (37 + 2 * M).

(** q: stored or not; i: parts beyond the first. *)
Definition grown_part (q : nat) (i : R) : R :=
  (1 + INR q * up) * (one_part + 8 * i * eta) + INR q * ep.

Lemma one_part_pos : 0 <= one_part.
Proof.
  unfold one_part. pose proof v_pos. pose proof n_pos. apply Rmult_le_pos; [left; apply exp_pos|].
  assert (0 <= total hp js) by (apply total_pos; auto). assert (0 <= 4 * n * eta) by (repeat apply Rmult_le_pos; lra).
  assert (0 <= v * (1 + 4 * n * eta)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma step_pos : 0 <= step.
Proof. unfold step. pose proof reach_at_least. apply Rmult_le_pos; lra. Qed.

Lemma grown_part_le : forall q q' i i', (q <= q')%nat -> 0 <= i <= i' -> 0 <= grown_part q i <= grown_part q' i'.
Proof.
  intros q q' i i' Q I. unfold grown_part. pose proof one_part_pos. apply le_INR in Q. pose proof (pos_INR q).
  assert (0 <= 8 * i * eta) by (repeat apply Rmult_le_pos; lra).
  assert (8 * i * eta <= 8 * i' * eta) by (apply Rmult_le_compat_r; lra).
  assert (0 <= INR q * up) by (apply Rmult_le_pos; lra). assert (INR q * up <= INR q' * up) by (apply Rmult_le_compat_r; lra).
  assert (0 <= INR q * ep) by (apply Rmult_le_pos; lra). assert (INR q * ep <= INR q' * ep) by (apply Rmult_le_compat_r; lra).
  assert (0 <= (1 + INR q * up) * (one_part + 8 * i * eta)) by (apply Rmult_le_pos; lra).
  split; [lra|]. apply Rplus_le_compat; [|lra]. apply Rmult_le_compat; lra.
Qed.

Lemma merged_average : forall l r q L O, merged l r q L O -> within l -> INR r <= merges -> (q <= 1)%nat ->
  exists i, (i < length l)%nat /\ Rabs O <= exp (INR i * step) * grown_part q (INR i).
Proof.
  enough (All : (forall l r q L O, merged l r q L O -> within l -> INR r <= merges -> (q <= 1)%nat ->
      exists i, (i < length l)%nat /\ Rabs O <= exp (INR i * step) * grown_part q (INR i)) /\
    (forall L l p r q E o, gathered L l p r q E o -> within l -> INR r <= merges -> (q <= 1)%nat ->
      (1 <= p <= length l)%nat /\ 0 < E /\ (ln E <= L + 1 / 2 ->
        exists i, (i + p <= length l)%nat /\
          Rabs o <= exp (INR i * step + INR p * ua) * grown_part q (INR i) * (exp (11 * ua) * (E * exp (- L)) + 5 * ua * INR p)
            + exp (INR p * ua) * ((2 * INR p - 1) * eta)))) by (exact (proj1 All)).
  pose proof step_pos as ST. pose proof reach_at_least as MM. destruct small as [Sm Sa]. pose proof n_pos as N1.
  assert (P0 : 0 <= n * ua) by (apply Rmult_le_pos; lra). assert (PM : 0 <= n * ua * M) by (apply Rmult_le_pos; lra).
  apply merged_gathered_ind.
  - (* one *)
    intros l m d o L O Loc D1 _ _ OR Wl _ _. exists 0%nat.
    assert (NE : l <> []) by (eapply local_nonempty; [exact Hua' | exact Hue | exact Heta | exact Loc]).
    split; [destruct l; [congruence | simpl; lia]|]. simpl INR. rewrite Rmult_0_l, exp_0, Rmult_1_l.
    unfold grown_part. simpl INR. pose proof (one_average l m d o O Wl Loc D1 OR). lra.
  - (* a merge *)
    intros l p r q E L O Ga IH K2 LT LR Wl Rm Q. rewrite S_INR in Rm.
    destruct (IH Wl ltac:(lra) Q) as (Kl & E0 & IH').
    destruct (part_lse l (S r) q L O Wl ltac:(rewrite S_INR; exact Rm) Q
      (merged_many _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ Ga K2 LT LR)) as [_ LM].
    assert (G0 : 0 <= (n - 1) * (ua * (20 + 8 * M))) by (repeat apply Rmult_le_pos; lra).
    assert (LM' : Rabs L <= M) by lra. clear LM G0.
    apply le_INR in K2. simpl in K2. destruct Kl as [_ Kl]. pose proof (within_length l Wl) as Ln.
    assert (Kn : INR p <= n) by (apply le_INR; lia). set (y := INR p) in *.
    assert (R1 : merge_rounding ua y L <= ua * (2 + 6 * y + 2 * M)) by (unfold merge_rounding; apply Rmult_le_compat_l; lra).
    assert (R2 : ua * (2 + 6 * y + 2 * M) <= 1 / 2).
    { assert (ua * (2 + 6 * y + 2 * M) <= ua * (2 * n + 6 * n + 2 * M * n)).
      { apply Rmult_le_compat_l; [lra|]. assert (2 * M * 1 <= 2 * M * n) by (apply Rmult_le_compat_l; lra). lra. }
      lra. }
    apply Rabs_le_inv in LR. destruct (IH' ltac:(lra)) as (i & Hi & B).
    assert (K2' : (2 <= p)%nat) by (apply INR_le; simpl; fold y; lra).
    exists (i + (p - 1))%nat. split; [lia|]. rewrite plus_INR, minus_INR by lia. simpl (INR 1). fold y.
    pose proof (pos_INR i) as I0. set (a := INR i) in *. set (F := grown_part q a) in *.
    assert (F0 : 0 <= F) by (apply (grown_part_le q q a a); [lia | lra]).
    assert (FF : F + 8 * (y - 1) * eta <= grown_part q (a + (y - 1))).
    { unfold F, grown_part. pose proof (pos_INR q). assert (0 <= INR q * up) by (apply Rmult_le_pos; lra).
      assert (0 <= 8 * (y - 1) * eta) by (repeat apply Rmult_le_pos; lra).
      assert (0 <= INR q * up * (8 * (y - 1) * eta)) by (apply Rmult_le_pos; lra). lra. }
    assert (Y : E * exp (- L) <= exp (ua * (2 + 6 * y + 2 * M))).
    { rewrite <- (exp_ln E E0) at 1. rewrite <- exp_plus. apply exp_le. lra. }
    assert (W : exp (11 * ua) * (E * exp (- L)) + 5 * ua * y <= exp (ua * (13 + 11 * y + 2 * M))).
    { set (X := exp (ua * (13 + 6 * y + 2 * M))).
      assert (X1 : 1 <= X) by (apply exp_ge_1; apply Rmult_le_pos; lra).
      assert (exp (11 * ua) * (E * exp (- L)) <= X).
      { apply Rle_trans with (exp (11 * ua) * exp (ua * (2 + 6 * y + 2 * M))); [apply Rmult_le_compat_l; [left; apply exp_pos | exact Y]|].
        rewrite <- exp_plus. apply exp_le. lra. }
      assert (U5 : 0 <= 5 * ua * y) by (repeat apply Rmult_le_pos; lra).
      assert (1 * (5 * ua * y) <= X * (5 * ua * y)) by (apply Rmult_le_compat_r; lra).
      apply Rle_trans with (X * exp (5 * ua * y)).
      - pose proof (exp_ineq1_le (5 * ua * y)). assert (X * (1 + 5 * ua * y) <= X * exp (5 * ua * y)) by (apply Rmult_le_compat_l; lra). lra.
      - unfold X. rewrite <- exp_plus. apply exp_le. lra. }
    set (G := exp ((a + (y - 1)) * step)).
    assert (MY : 0 <= M * (y - 2)) by (apply Rmult_le_pos; lra).
    assert (SY : ua * (13 + 12 * y + 2 * M) <= (y - 1) * step).
    { unfold step. assert (0 <= ua * (M * (y - 2))) by (apply Rmult_le_pos; lra).
      assert (0 <= ua * (y - 2)) by (apply Rmult_le_pos; lra). lra. }
    assert (AS : 0 <= a * step) by (apply Rmult_le_pos; lra).
    assert (UY : 0 <= ua * y) by (apply Rmult_le_pos; lra). assert (UM : 0 <= ua * M) by (apply Rmult_le_pos; lra).
    assert (T1 : exp (a * step + y * ua) * F * (exp (11 * ua) * (E * exp (- L)) + 5 * ua * y) <= G * F).
    { apply Rle_trans with (exp (a * step + y * ua) * F * exp (ua * (13 + 11 * y + 2 * M))).
      - apply Rmult_le_compat_l; [|exact W]. apply Rmult_le_pos; [left; apply exp_pos | exact F0].
      - replace (exp (a * step + y * ua) * F * exp (ua * (13 + 11 * y + 2 * M)))
          with (exp (a * step + y * ua) * exp (ua * (13 + 11 * y + 2 * M)) * F) by ring.
        apply Rmult_le_compat_r; [exact F0|]. unfold G. rewrite <- exp_plus. apply exp_le. lra. }
    assert (T2 : exp (y * ua) * ((2 * y - 1) * eta) <= G * (8 * (y - 1) * eta)).
    { apply Rmult_le_compat; [left; apply exp_pos | apply Rmult_le_pos; lra | unfold G; apply exp_le; lra |].
      apply Rmult_le_compat_r; lra. }
    assert (G * (F + 8 * (y - 1) * eta) <= G * grown_part q (a + (y - 1))) by (apply Rmult_le_compat_l; [left; apply exp_pos | exact FF]).
    lra.
  - (* a store *)
    intros l r L O O' _ IH St Wl Rm _. destruct (IH Wl Rm (le_S _ _ (le_n 0))) as (i & Hi & B). exists i. split; [exact Hi|].
    unfold grown_part in *. simpl INR in *. set (e := exp (INR i * step)) in *.
    assert (e1 : 1 <= e) by (apply exp_ge_1; apply Rmult_le_pos; [apply pos_INR | exact ST]).
    unfold rounds in St. pose proof (Rabs_triang (O' - O) O) as T. replace (O' - O + O) with O' in T by ring.
    set (x := one_part + 8 * INR i * eta) in *.
    replace (e * ((1 + 0 * up) * x + 0 * ep)) with (e * x) in B by ring.
    assert (up * Rabs O <= up * (e * x)) by (apply Rmult_le_compat_l; lra).
    assert (1 * ep <= e * ep) by (apply Rmult_le_compat_r; lra). lra.
  - (* fewer *)
    intros l r q r' q' L O Lr Lq _ IH Wl Rm Q. apply le_INR in Lr.
    destruct (IH Wl ltac:(lra) ltac:(lia)) as (i & Hi & B). exists i. split; [exact Hi|].
    eapply Rle_trans; [exact B|]. apply Rmult_le_compat_l; [left; apply exp_pos|].
    apply (grown_part_le q q'); [exact Lq | pose proof (pos_INR i); lra].
  - intros a b r q L O P _ IH Wl Rm Q. destruct (IH (within_perm a b P Wl) Rm Q) as (i & Hi & B). exists i.
    split; [now rewrite <- (Permutation_length P) | exact B].
  - (* one part of a merge *)
    intros L l r q L1 O w z _ IH Lf Rw Rp Wl Rm Q. destruct (IH Wl Rm Q) as (i & Hi & B).
    split; [lia|]. split; [apply exp_pos|]. rewrite ln_exp. intros LE. exists i. split; [lia|]. simpl INR.
    destruct (weight_most ua eta L1 L w Hua' Heta LE Rw) as [W0 W1].
    pose proof (pos_INR i) as I0. set (a := INR i) in *. set (F := grown_part q a) in *.
    assert (F0 : 0 <= F) by (apply (grown_part_le q q a a); [lia | lra]).
    set (e := exp (a * step)) in *. assert (e0 : 0 < e) by apply exp_pos.
    assert (EF : 0 <= e * F) by (apply Rmult_le_pos; lra).
    assert (T : Rabs (w * O) <= (exp (11 * ua) * exp (L1 - L) + 5 * ua) * (e * F)).
    { rewrite Rabs_mult, (Rabs_pos_eq w W0). apply Rmult_le_compat; try lra. apply Rabs_pos. }
    eapply Rle_trans; [apply (FarRows.round_most ua eta Hua' _ _ _ Rp T)|].
    replace (exp (a * step + 1 * ua)) with (exp ua * e) by (unfold e; rewrite <- exp_plus; f_equal; ring).
    replace (exp L1 * exp (- L)) with (exp (L1 - L)) by (unfold Rminus; apply exp_plus).
    replace (1 * ua) with ua by ring. pose proof (exp_ge_1 ua ltac:(lra)) as U1. assert (1 * eta <= exp ua * eta) by (apply Rmult_le_compat_r; lra).
    apply Rplus_le_compat; [apply Req_le; ring | lra].
  - (* parts added up *)
    intros L a b ia ib r q Ea Eb oa ob o _ IHa _ IHb Ro Wl Rm Q. destruct (within_app a b Wl) as [Wa Wb].
    destruct (IHa Wa Rm Q) as (Ka & Ea0 & IHa'). destruct (IHb Wb Rm Q) as (Kb & Eb0 & IHb').
    rewrite app_length. split; [lia|]. split; [lra|]. intros LE.
    assert (La : ln Ea <= L + 1 / 2) by (apply Rle_trans with (ln (Ea + Eb)); [left; apply ln_increasing; lra | exact LE]).
    assert (Lb : ln Eb <= L + 1 / 2) by (apply Rle_trans with (ln (Ea + Eb)); [left; apply ln_increasing; lra | exact LE]).
    destruct (IHa' La) as (xa & Ha & Ba). destruct (IHb' Lb) as (xb & Hb & Bb).
    exists (xa + xb)%nat. split; [lia|]. rewrite !plus_INR.
    destruct Ka as [Ka _]. destruct Kb as [Kb _]. apply le_INR in Ka, Kb. simpl in Ka, Kb.
    pose proof (pos_INR xa). pose proof (pos_INR xb).
    set (x := INR xa) in *. set (x' := INR xb) in *. set (y := INR ia) in *. set (y' := INR ib) in *.
    set (F := grown_part q (x + x')).
    assert (Side : forall z E' w, 0 <= z <= x + x' -> 1 <= w -> w + 1 <= y + y' -> 0 < E' ->
      exp ua * (exp (z * step + w * ua) * grown_part q z * (exp (11 * ua) * (E' * exp (- L)) + 5 * ua * w)
        + exp (w * ua) * ((2 * w - 1) * eta))
      <= exp ((x + x') * step + (y + y') * ua) * F * (exp (11 * ua) * (E' * exp (- L)) + 5 * ua * w)
        + exp ((y + y') * ua) * ((2 * w - 1) * eta)).
    { intros z E' w Z W1 W2 E0. destruct (grown_part_le q q z (x + x') (le_n q) Z) as [G0 G1]. fold F in G1.
      assert (0 <= exp (11 * ua) * (E' * exp (- L)) + 5 * ua * w).
      { apply Rplus_le_le_0_compat; [|repeat apply Rmult_le_pos; lra].
        apply Rmult_le_pos; [left; apply exp_pos|]. apply Rmult_le_pos; [lra | left; apply exp_pos]. }
      assert (ZS : z * step <= (x + x') * step) by (apply Rmult_le_compat_r; lra).
      assert (WU : (w + 1) * ua <= (y + y') * ua) by (apply Rmult_le_compat_r; lra).
      rewrite Rmult_plus_distr_l. apply Rplus_le_compat.
      - set (Y := exp (11 * ua) * (E' * exp (- L)) + 5 * ua * w) in *.
        rewrite <- (Rmult_assoc (exp ua)). apply Rmult_le_compat_r; [assumption|]. rewrite <- Rmult_assoc, <- exp_plus.
        apply Rmult_le_compat; [left; apply exp_pos | exact G0 | apply exp_le; lra | exact G1].
      - rewrite <- Rmult_assoc, <- exp_plus. apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | apply exp_le; lra]. }
    pose proof (Side x Ea y ltac:(lra) Ka ltac:(lra) Ea0) as SA. pose proof (Side x' Eb y' ltac:(lra) Kb ltac:(lra) Eb0) as SB.
    pose proof (Rle_trans _ _ _ (Rabs_triang oa ob) (Rplus_le_compat _ _ _ _ Ba Bb)) as Sum.
    eapply Rle_trans; [apply (FarRows.round_most ua eta Hua' _ _ _ Ro Sum)|].
    assert (E1 : 1 <= exp ((y + y') * ua)) by (apply exp_ge_1; apply Rmult_le_pos; lra).
    assert (1 * eta <= exp ((y + y') * ua) * eta) by (apply Rmult_le_compat_r; lra).
    set (C := exp ((x + x') * step + (y + y') * ua) * F) in *. lra.
Qed.

(** The size of an average of keys, stored or not. *)
Definition average_size (q : nat) : R := exp (n * step) * grown_part q n.

Lemma merged_size : forall l q L O, within l -> part l q L O -> Rabs O <= average_size q.
Proof.
  intros l q L O Wl (r & Rm & Q & Mg). destruct (merged_average l r q L O Mg Wl Rm Q) as (i & Hi & B).
  eapply Rle_trans; [exact B|]. pose proof (within_length l Wl) as Ln.
  assert (In' : INR i <= n) by (apply le_INR; lia).
  pose proof (grown_part_le q q (INR i) n (le_n q) (conj (pos_INR i) In')) as [G0 GP].
  pose proof step_pos as ST. unfold average_size.
  apply Rmult_le_compat; [left; apply exp_pos | exact G0 | | exact GP].
  apply exp_le, Rmult_le_compat_r; [exact ST | exact In'].
Qed.

Lemma average_sizes : 0 <= average_size 0 /\ (1 + up) * average_size 0 + ep <= average_size 1.
Proof.
  pose proof n_pos as N1. pose proof step_pos as ST. pose proof (grown_part_le 0 0 n n (le_n 0) ltac:(lra)) as [G0 _].
  assert (e1 : 1 <= exp (n * step)) by (apply exp_ge_1; apply Rmult_le_pos; lra).
  unfold average_size. split; [apply Rmult_le_pos; lra|]. unfold grown_part in *. simpl INR in *.
  assert (1 * ep <= exp (n * step) * ep) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma average_within : average_size 1 <= largest_part.
Proof.
  pose proof step_pos as ST. destruct small as [Sm Sa]. pose proof reach_at_least as MM. pose proof n_pos as N1.
  assert (NU : 0 <= n * ua) by (apply Rmult_le_pos; lra). assert (NM : 0 <= n * ua * M) by (apply Rmult_le_pos; lra).
  unfold average_size, largest_part, part_size, hull_error. set (B4 := exp (4 * rounded)).
  set (fl := flushes eta ew head js merges). set (lo := lost eta head k dk ho js merges).
  unfold grown_part, one_part. simpl INR. set (H := total hp js).
  assert (H0 : 0 <= H) by (apply total_pos; auto). pose proof v_pos as V.
  assert (NE : 0 <= n * eta) by (apply Rmult_le_pos; lra).
  (* the exponents *)
  set (e := exp (n * step)). assert (e1 : 1 <= e) by (apply exp_ge_1; apply Rmult_le_pos; lra).
  assert (XB : exp (n * step + up + (beside + 15 * n * ua)) <= exp (2 * rounded)).
  { apply exp_le. unfold step. unfold AttentionBound.aside in Sm, Sa. lra. }
  assert (B3 : exp (2 * rounded) <= 3) by (eapply Rle_trans; [apply (exp_le _ 1); lra | apply exp_le_3]).
  assert (B24 : exp (2 * rounded) <= B4) by (apply exp_le; unfold AttentionBound.aside in Sm, Sa; lra).
  rewrite (exp_plus (n * step + up)), (exp_plus (n * step)) in XB. fold e in XB.
  pose proof (exp_ineq1_le up) as UP. set (f := exp (beside + 15 * n * ua)) in *.
  assert (F1 : 1 <= f) by (apply exp_ge_1; lra).
  set (B2 := exp (2 * rounded)) in *. assert (U0 : 0 < exp up) by apply exp_pos.
  assert (Eu : e * (1 + 1 * up) <= e * exp up) by (apply Rmult_le_compat_l; lra).
  assert (Euf : e * (1 + 1 * up) * f <= B2).
  { apply Rle_trans with (e * exp up * f); [apply Rmult_le_compat_r; lra | exact XB]. }
  assert (Eu1 : 1 <= 1 + 1 * up) by lra.
  assert (E0 : 0 <= e * (1 + 1 * up)) by (apply Rmult_le_pos; lra).
  assert (Eu' : e * (1 + 1 * up) <= B2).
  { assert (e * (1 + 1 * up) * 1 <= e * (1 + 1 * up) * f) by (apply Rmult_le_compat_l; lra). lra. }
  assert (e' : e <= B2) by (assert (e * 1 <= e * (1 + 1 * up)) by (apply Rmult_le_compat_l; lra); lra).
  (* what underflows *)
  destruct (rescaled_ge ua eta head Heta Hhead) as [HE _]. set (he := rescaled_tiny eta head) in *.
  assert (Fl : 4 * n * eta <= fl).
  { unfold fl, flushes, flush. rewrite Rabs_R1, total_const. fold he. unfold AttentionBound.n.
    set (t := (3 * n + merges) * (8 * he * (1 + 1))).
    assert (0 <= t) by (unfold t; repeat apply Rmult_le_pos; lra).
    assert (n * (3 * eta) <= n * (3 * ew + t)) by (apply Rmult_le_compat_l; lra). lra. }
  assert (Lo : 6 * H + 48 * n * eta <= lo).
  { unfold lo, lost, flush. fold he. unfold AttentionBound.n.
    apply Rle_trans with (2 * total (fun j => 3 * hp j + 3 * (8 * eta)) js).
    - rewrite total_plus, total_scale, total_const. fold H. lra.
    - apply Rmult_le_compat_l; [lra|]. apply total_le. intros j J. specialize (Hho j J).
      assert (0 <= ew * Rabs (c j)) by (apply Rmult_le_pos; [lra | apply Rabs_pos]).
      destruct (carried_pos k c dk js Hc j J) as [D0 _]. pose proof (Rabs_pos (k j)).
      rewrite (Rabs_pos_eq (Rabs (k j) + dk j)) by lra.
      assert (3 * (8 * eta) <= (3 * n + merges) * (8 * he * (Rabs (k j) + dk j + 1))); [|lra].
      apply Rmult_le_compat; try lra.
      assert (8 * he * 1 <= 8 * he * (Rabs (k j) + dk j + 1)) by (apply Rmult_le_compat_l; lra). lra. }
  (* put together *)
  assert (T1 : e * (1 + 1 * up) * f * (v * (1 + 4 * n * eta)) <= v * (B4 * (1 + fl))).
  { replace (v * (B4 * (1 + fl))) with (B4 * (v * (1 + fl))) by ring. apply Rmult_le_compat; try lra.
    - apply Rmult_le_pos; lra.
    - apply Rmult_le_pos; lra.
    - apply Rmult_le_compat_l; lra. }
  assert (T2 : e * (1 + 1 * up) * f * (H + 4 * n * eta) <= 3 * (H + 4 * n * eta)) by (apply Rmult_le_compat_r; lra).
  assert (T3 : e * (1 + 1 * up) * (8 * n * eta) <= 3 * (8 * n * eta)) by (apply Rmult_le_compat_r; lra).
  assert (T4 : e * (1 * ep) <= ep * (B4 * (1 + fl))).
  { rewrite Rmult_1_l, (Rmult_comm e). apply Rmult_le_compat_l; [exact Hep|].
    assert (B4 * 1 <= B4 * (1 + fl)) by (apply Rmult_le_compat_l; lra). lra. }
  assert (T5 : 0 <= ep * fl) by (apply Rmult_le_pos; lra).
  lra.
Qed.

(** No average of keys exceeds it, though the weights of the keys be far off and no other of its row. *)
Theorem part_average : forall l q L O, within l -> part l q L O -> Rabs O <= largest_part.
Proof.
  intros l q L O Wl P. eapply Rle_trans; [apply (merged_size l q L O Wl P)|]. destruct P as (r & _ & Q & _).
  eapply Rle_trans; [|exact average_within]. unfold average_size. pose proof n_pos.
  apply Rmult_le_compat_l; [left; apply exp_pos|]. apply (grown_part_le q 1); [exact Q | lra].
Qed.

(** No part's log-sum-exp is larger in size; nor is one of the tree (subtracted_accuracy). *)
Theorem lse_in_reach : forall l q L O, within l -> part l q L O -> L <= top /\ Rabs L <= M.
Proof.
  intros l q L O Wl (r & Rm & Q & Mg). destruct (part_lse l r q L O Wl Rm Q Mg) as [LT LM]. split; [exact LT|].
  pose proof n_pos. pose proof reach_at_least.
  assert (0 <= (n - 1) * (ua * (20 + 8 * M))) by (repeat apply Rmult_le_pos; lra). lra.
Qed.

(** ** The lanes of a tree *)

(** Merges by weights on a key's way. *)
Definition fewer : R := Rmin merges n.

Lemma fewer_le : 0 <= fewer <= merges /\ fewer <= n.
Proof.
  unfold fewer. pose proof (Rmin_l merges n). pose proof (Rmin_r merges n). pose proof n_pos.
  split; [split; [apply Rmin_glb; lra | lra] | lra].
Qed.

Definition spread (b : R) (h kk : A -> R) (x L : R) (j : A) : R :=
  held ua ue eta uw head sc far b (lift ua 1 fewer M) (n + fewer) L (fun i => bonus ua head top sc 1 merges fewer i + x) h kk j.

Definition budget (L : R) (j : A) : R := merged_budget ua ue uw head top sc 1 merges n fewer L j.

Lemma lift_reach : forall L, Rabs L <= M -> 0 <= lift ua 1 fewer L <= lift ua 1 fewer M.
Proof.
  intros L LM. unfold lift. pose proof reach_at_least. destruct fewer_le as [[F0 _] _]. pose proof (Rabs_pos L).
  rewrite (Rabs_pos_eq M) by lra. split; [repeat apply Rmult_le_pos; lra|].
  rewrite !Rmult_1_l. apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_l; lra.
Qed.

Lemma spread_kept : forall b h kk, 0 <= b -> (forall j, 0 <= h j) -> kept (spread b h kk).
Proof.
  intros b h kk B Hh x y v0 L L' j X Y V0 V1. unfold spread. pose proof n_pos. destruct fewer_le as [[F0 _] _].
  pose proof (lift_reach M ltac:(rewrite Rabs_pos_eq; [lra | pose proof reach_at_least; lra])) as [Lp _].
  rewrite <- (Rplus_0_r (v0 * _)).
  apply (held_move ua ue eta uw head sc far Hua' Heta Hhead b) with (y1 := y) (y2 := 0); try lra; try apply Hh; try exact V1.
  rewrite exp_0. lra.
Qed.

Lemma lane_spread : forall b h kk L l x, 0 <= b -> (forall j, 0 <= h j) -> Rabs L <= M ->
  lane ua ue eta uw head top sc far 1 merges b h kk n fewer L l x ->
  near l (fun j => exp (sc j - L) * seen far kk j) (fun j => budget L j + b) (spread b h kk 0 L) x.
Proof.
  intros b h kk L l x B Hh LM X. unfold lane in X. pose proof n_pos. destruct fewer_le as [[F0 _] _].
  eapply near_weaken; [intros; apply Rle_refl | | exact X]. intros j J. cbv beta. unfold spread.
  destruct (lift_reach L LM) as [L0 L1].
  assert (Q : 1 * held ua ue eta uw head sc far b (lift ua 1 fewer L) (n + fewer) L (bonus ua head top sc 1 merges fewer) h kk j + 0
    <= held ua ue eta uw head sc far b (lift ua 1 fewer M) (n + fewer) L (fun i => bonus ua head top sc 1 merges fewer i + 0) h kk j); [|lra].
  apply (held_move ua ue eta uw head sc far Hua' Heta Hhead b) with (y1 := 0) (y2 := 0); try lra; try apply Hh.
  - replace (0 - (L - L) / 4) with 0 by field. rewrite exp_0. lra.
  - rewrite exp_0. lra.
Qed.

Notation ones := (fun _ : A => 1).
Notation lost1 := (lost_at_leaf ew (fun _ : A => 0) ones).
Notation lostc := (lost_at_leaf ew hp c).

Lemma part_known : forall l q L O, part l q L O -> within l ->
  (q <= 1)%nat /\ l <> [] /\ Rabs O <= average_size q /\ - (M - (n - 1) * (ua * (20 + 8 * M))) <= L <= top /\
  (forall j, In j l -> 0 <= budget L j) /\
  near l (fun j => exp (sc j - L) * seen far ones j) (budget L) (spread 0 lost1 ones 0 L) 1 /\
  exists O' W, near l (fun j => exp (sc j - L) * seen far c j) (fun j => budget L j + stored_beside up beside q)
      (spread (stored_beside up beside q) lostc c 0 L) O' /\
    near l (fun j => exp (sc j - L) * seen far ones j) (fun j => budget L j + stored_beside up beside q)
      (spread (stored_beside up beside q) lost1 ones 0 L) W /\
    Rabs (O - O') <= INR q * (ep * W) /\ 0 <= W.
Proof.
  intros l q L O P Wl. pose proof (merged_size l q L O Wl P) as OV. destruct (lse_in_reach l q L O Wl P) as [LT LM'].
  destruct P as (r & Rm & Q & Mg). destruct (part_lse l r q L O Wl Rm Q Mg) as [_ LM].
  destruct (fewer_merges l r q L O Mg) as (r0 & R1 & R2 & Mg0).
  assert (Rm0 : INR r0 <= merges) by (apply le_INR in R1; lra).
  destruct (merged_accuracy ua ue eta uw ew head fall up ep top beside sc c hp far 1 merges Hua' Hue Heta Huw Hew Hbeside Hhp Hhead Hup Hep
    Hmerges (or_intror eq_refl) l r0 q L O Mg0 Rm0 (part_few l r0 Wl R2) (part_near l r0 q Wl Rm0 Q))
    as (_ & NE & Sj & X & O' & W & Y & Z & W0 & Dd).
  pose proof (within_length l Wl) as Ln. assert (Rn : INR r0 <= n) by (apply le_INR; lia). apply le_INR in Ln.
  pose proof (pos_INR r0) as R0. pose proof (pos_INR (length l)) as L0.
  assert (Rf : 0 <= INR r0 <= fewer) by (split; [exact R0 | apply Rmin_glb; assumption]).
  destruct (stored_beside_le up beside Hup q q (le_n q)) as [SB0 _].
  assert (SBa : 0 <= stored_beside up beside q <= stored_beside up beside q) by lra.
  split; [exact Q|]. split; [exact NE|]. split; [exact OV|].
  split; [split; [pose proof (Rabs_le_inv _ _ (Rle_refl (Rabs L))); lra | exact LT]|].
  split.
  { intros j J. destruct (Sj j J) as [Sg _]. unfold budget.
    apply (budget_pos ua ue uw head fall top sc 1 merges Hua' Hue Huw Hhead Hmerges (or_intror eq_refl)); try lra.
    eapply Rle_trans; [exact Sg|].
    apply (sag_le ua head fall top sc 1 merges Hua' Hhead Hmerges (or_intror eq_refl)); lra. }
  pose proof (@lost1_pos A ua eta ew Heta Hew) as P1. pose proof (lostc_pos ua eta ew c hp Heta Hew Hhp) as Pc.
  apply (lane_weaken ua ue eta uw head fall top sc far 1 merges Hua' Heta Hhead Hmerges (or_intror eq_refl) 0 0) with (n' := n) (r' := fewer) in X;
    [| lra | exact P1 | lra | exact Rf].
  apply (lane_weaken ua ue eta uw head fall top sc far 1 merges Hua' Heta Hhead Hmerges (or_intror eq_refl) _ (stored_beside up beside q)) with (n' := n) (r' := fewer) in Y;
    [| exact SBa | exact Pc | lra | exact Rf].
  apply (lane_weaken ua ue eta uw head fall top sc far 1 merges Hua' Heta Hhead Hmerges (or_intror eq_refl) _ (stored_beside up beside q)) with (n' := n) (r' := fewer) in Z;
    [| exact SBa | exact P1 | lra | exact Rf].
  split.
  { apply lane_spread in X; try assumption; [|lra]. eapply near_weaken; [| intros; apply Rle_refl | exact X]. intros j _. cbv beta. lra. }
  assert (SBp : 0 <= stored_beside up beside q) by lra.
  exists O', W. split; [apply lane_spread; assumption|]. split; [apply lane_spread; assumption|]. split; assumption.
Qed.

(** A larger part beside. *)
Lemma spread_more : forall b b' h kk x L j, 0 <= b -> b <= b' -> (forall i, 0 <= h i) ->
  0 <= spread b h kk x L j /\ (1 + (b' - b)) * spread b h kk x L j <= spread b' h kk x L j.
Proof.
  intros b b' h kk x L j B BB Hh. pose proof n_pos. destruct fewer_le as [[F0 _] _].
  pose proof (held_pos ua ue eta uw head sc far Heta Hhead b (lift ua 1 fewer M) (n + fewer) L
    (fun i => bonus ua head top sc 1 merges fewer i + x) h kk j ltac:(lra) (Hh j)) as P.
  fold (spread b h kk x L j) in P. split; [exact P|].
  replace (spread b' h kk x L j) with (exp (b' - b) * spread b h kk x L j).
  - apply Rmult_le_compat_r; [exact P | apply exp_ineq1_le].
  - unfold spread, held. rewrite <- Rmult_assoc, <- exp_plus. do 2 f_equal. ring.
Qed.

Lemma growth_mono : forall x y, 0 <= x <= y -> growth x <= growth y.
Proof.
  intros x y H. pose proof (growth_superadditive x (y - x) ltac:(lra) ltac:(lra)) as G.
  replace (x + (y - x)) with y in G by ring. pose proof (growth_pos (y - x) ltac:(lra)). lra.
Qed.

Lemma tree_lanes : forall m q L O, tree m q L O ->
  lanes ua ue eta ew head up ep beside s sc score k c dk ho far js slack merges granted undamped L O.
Proof.
  intros m q L O Tr. unfold tree in Tr. apply subtracted_within in Tr.
  pose proof n_pos as N1. pose proof reach_at_least as MM. destruct small as [Sm A0]. destruct fewer_le as [[F0 F1] F2].
  assert (NU : 0 <= n * ua) by (apply Rmult_le_pos; lra). assert (NM : 0 <= n * ua * M) by (apply Rmult_le_pos; lra).
  assert (Mn : INR m <= n - 1).
  { pose proof (subtracted_merges A ua eta up ep top _ js m q L O
      (fun l i x y H => proj1 (proj2 (part_known l i x y (proj1 H) (proj2 H)))) Tr) as Q. apply le_INR in Q. rewrite S_INR in Q. lra. }
  pose proof (pos_INR m) as M0. assert (G0 : 0 <= ua * (20 + 8 * M)) by (apply Rmult_le_pos; lra).
  assert (TopM : top <= M).
  { unfold AttentionBound.top, logit_reach. pose proof (Rle_abs (lse s js)). lra. }
  pose proof (@lost1_pos A ua eta ew Heta Hew) as P1. pose proof (lostc_pos ua eta ew c hp Heta Hew Hhp) as Pc.
  assert (Falls : falls ua budget).
  { intros x y z j Z0 Z1. unfold budget, merged_budget, local_budget.
    assert (10 * ua * (x - y) <= 10 * ua * z) by (apply Rmult_le_compat_l; lra). lra. }
  assert (U32 : 0 <= eta <= ua) by lra.
  assert (SB : forall i, 0 <= stored_beside up beside i) by (intros i; destruct (stored_beside_le up beside Hup i i (le_n i)); lra).
  assert (S01 : stored_beside up beside 1 - stored_beside up beside 0 = up) by (unfold stored_beside; simpl INR; ring).
  destruct (subtracted_accuracy ua eta up ep M (M - (n - 1) * (ua * (20 + 8 * M))) top beside sc
    (seen far ones) (seen far c) Hua U32 Hup Hep TopM
    (fun l i x y => part l i x y /\ exists rest, Permutation (l ++ rest) js) budget (spread 0 lost1 ones)
    (fun i => spread (stored_beside up beside i) lostc c) (fun i => spread (stored_beside up beside i) lost1 ones)
    Falls (spread_kept 0 lost1 ones (Rle_refl 0) P1)
    (fun i => spread_kept (stored_beside up beside i) lostc c (SB i) Pc)
    (fun i => spread_kept (stored_beside up beside i) lost1 ones (SB i) P1)) with (size := average_size) (js := js) (m := m) (q := q) (L := L) (O := O)
    as (LM & LT & Bp & X & O' & W & Y & Z & Dd); try assumption.
  { intros x y j. destruct (spread_more (stored_beside up beside 0) (stored_beside up beside 1) lostc c x y j (SB 0%nat) ltac:(lra) Pc) as [Q1 Q2].
    rewrite S01 in Q2. split; assumption. }
  { intros x y j. destruct (spread_more (stored_beside up beside 0) (stored_beside up beside 1) lost1 ones x y j (SB 0%nat) ltac:(lra) P1) as [Q1 Q2].
    destruct (spread_more 0 (stored_beside up beside 0) lost1 ones x y j (Rle_refl 0) (SB 0%nat) P1) as [Q3 Q4]. rewrite S01 in Q2.
    assert (0 <= up * spread (stored_beside up beside 0) lost1 ones x y j) by (apply Rmult_le_pos; lra).
    assert (0 <= (stored_beside up beside 0 - 0) * spread 0 lost1 ones x y j) by (apply Rmult_le_pos; [pose proof (SB 0%nat); lra | exact Q3]). lra. }
  { exact average_sizes. }
  { intros l i x y H. exact (part_known l i x y (proj1 H) (proj2 H)). }
  { lra. }
  { assert (INR m * (ua * (20 + 8 * M)) <= (n - 1) * (ua * (20 + 8 * M))) by (apply Rmult_le_compat_r; lra). lra. }
  set (x := sigmoid_lse_error ua (INR m) M) in *.
  assert (Xg : 0 <= x <= granted - uw).
  { unfold x, granted, sigmoid_lse_error. assert (0 <= (22 + 9 * M) * ua) by (apply Rmult_le_pos; lra).
    assert (0 <= INR m * ((22 + 9 * M) * ua)) by (apply Rmult_le_pos; lra).
    assert (INR m * ((22 + 9 * M) * ua) <= n * ((22 + 9 * M) * ua)) by (apply Rmult_le_compat_r; lra). lra. }
  assert (Two : forall b, b <= aside -> exp (9 * (AttentionBound.n js + fewer) * ua + b + lift ua 1 fewer M) <= 2).
  { intros b B. eapply Rle_trans; [|apply exp_most]. apply exp_le. unfold lift, AttentionBound.n.
    rewrite (Rabs_pos_eq M) by lra.
    assert (fewer * ua <= n * ua) by (apply Rmult_le_compat_r; lra).
    assert (fewer * ua * M <= n * ua * M) by (apply Rmult_le_compat_r; lra). lra. }
  destruct (lift_reach M ltac:(rewrite Rabs_pos_eq; lra)) as [Lp _].
  assert (Bo : forall j, In j js -> bonus ua head top sc 1 merges fewer j + x
      <= bonus ua head top sc 1 merges fewer j + (granted - uw))
    by (intros; lra).
  set (b := stored_beside up beside q) in *.
  assert (Q : (q <= 1)%nat).
  { clear - Tr. induction Tr as [l q L O [(r & _ & Q & _) _] | | | |]; try assumption; lia. }
  assert (Bq : 0 <= b <= aside).
  { destruct (stored_beside_le up beside Hup q 1 Q) as [SB0 SB1]. unfold stored_beside at 2 in SB1. simpl (INR 1) in SB1.
    unfold AttentionBound.aside. fold b in SB0, SB1. lra. }
  unfold lanes. exists (fun j => budget L j + x), (spread 0 lost1 ones x L), (spread b lostc c x L), (spread b lost1 ones x L), O', W.
  split.
  { intros j J Fj. split; [apply Bp, J|]. unfold budget.
    pose proof (weight_bound ua ue uw ew head fall s sc score k c dk hp ho far js slack merges granted Hua' Hue Hhead Hmerges
      Hslack Hscore Hc Hho fewer L j J Fj ltac:(lra) LT) as Wb. unfold AttentionBound.n in Wb. lra. }
  split.
  { destruct Some as (j & J & _). intros E. rewrite E in J. exact J. }
  split; [exact X|].
  split; [eapply near_weaken; [| intros; apply Rle_refl | exact Y]; intros j _; cbv beta; lra|].
  split; [eapply near_weaken; [| intros; apply Rle_refl | exact Z]; intros j _; cbv beta; lra|].
  destruct (flushes_pos ua eta ew head k c dk hp ho js merges Heta Hew Hhp Hhead Hmerges Hc Hho) as [Q1 Q2].
  split; [exact Q1|]. split; [exact Q2|].
  split.
  { apply (ones_within ua ue eta uw ew head fall s sc score far js slack merges granted Hua' Hue Heta Hew Hhead Hmerges Hslack Hscore
      0 (lift ua 1 fewer M) (fun i => bonus ua head top sc 1 merges fewer i + x) fewer L); try assumption; [lra | apply Two; lra]. }
  split.
  { apply (values_within ua ue eta uw ew head fall s sc score k c dk hp ho far js slack merges granted Hua' Hue Heta Hew Hhp Hhead Hmerges Hslack
      Hscore Hc Hho b (lift ua 1 fewer M) (fun i => bonus ua head top sc 1 merges fewer i + x) fewer L);
      try assumption; [lra | apply Two; lra]. }
  split.
  { apply (ones_within ua ue eta uw ew head fall s sc score far js slack merges granted Hua' Hue Heta Hew Hhead Hmerges Hslack Hscore
      b (lift ua 1 fewer M) (fun i => bonus ua head top sc 1 merges fewer i + x) fewer L); try assumption; [lra | apply Two; lra]. }
  apply le_INR in Q as Qr. simpl in Qr. pose proof (pos_INR q) as Qp.
  assert (W0 : INR q * (ep * W) <= ep * W).
  { destruct Dd as [_ W0]. rewrite <- (Rmult_1_l (ep * W)) at 2. apply Rmult_le_compat_r; [apply Rmult_le_pos; assumption | exact Qr]. }
  destruct Dd as [Dd _]. eapply Rle_trans; [exact Dd|]. apply Rplus_le_compat; [exact W0|]. unfold undamped, subtracted_error.
  pose proof average_sizes as [V0 V1]. pose proof average_within as V2.
  assert (Vq : average_size q <= largest_part /\ 0 <= average_size q).
  { destruct q as [|[|q']]; [| | lia].
    - assert (0 <= up * average_size 0) by (apply Rmult_le_pos; lra). lra.
    - assert (0 <= (1 + up) * average_size 0) by (apply Rmult_le_pos; lra). lra. }
  assert (Up1 : 0 <= INR q * up <= 1 / 2).
  { assert (INR q * up <= 1 * up) by (apply Rmult_le_compat_r; lra). assert (0 <= INR q * up) by (apply Rmult_le_pos; lra).
    unfold AttentionBound.aside in Sm, A0. lra. }
  assert (D0 : 0 <= eta / ua) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  assert (Eq : (1 + INR q * up) * eta / 15 / ua = (1 + INR q * up) / 15 * (eta / ua)) by (field; lra). rewrite Eq.
  assert (T1 : 0 <= (1 + INR q * up) / 15 * (eta / ua) <= 1 * (eta / ua)).
  { split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra]. }
  assert (Mu : 0 <= INR m * ua <= n * ua) by (split; [apply Rmult_le_pos; lra | apply Rmult_le_compat_r; lra]).
  apply Rmult_le_compat; [lra | apply growth_pos; lra | lra | apply growth_mono; lra].
Qed.

End Known.

Lemma undamped_pos : js <> [] -> 0 <= largest_part /\ 0 <= undamped.
Proof.
  intros NE. assert (V : 0 <= v).
  { destruct js as [|j l]; [congruence|]. specialize (Hv j (or_introl eq_refl)).
    destruct (carried_pos k c dk (j :: l) Hc j (or_introl eq_refl)). pose proof (Rabs_pos (k j)). lra. }
  destruct (flushes_pos ua eta ew head k c dk hp ho js merges Heta Hew Hhp Hhead Hmerges Hc Hho) as [Q1 Q2].
  assert (P : 0 <= largest_part).
  { unfold largest_part, part_size, hull_error. pose proof (exp_pos (4 * rounded)).
    assert (0 <= (v + ep) * (exp (4 * rounded) * (1 + flushes eta ew head js merges)))
      by (apply Rmult_le_pos; [lra | apply Rmult_le_pos; lra]).
    assert (0 <= ep * flushes eta ew head js merges) by (apply Rmult_le_pos; lra). lra. }
  split; [exact P|]. unfold undamped, subtracted_error.
  assert (0 <= eta / ua) by (apply Rmult_le_pos; [lra | left; apply Rinv_0_lt_compat; lra]).
  apply Rmult_le_pos; [lra|]. apply growth_pos. pose proof (pos_INR (length js)). repeat apply Rmult_le_pos; lra.
Qed.

Theorem sigmoid_row_bound : forall m q L O,
  (forall j, In j js -> far j = false -> rounding j + aside <= rounded) -> rounded <= 1 / 2 ->
  tree m q L O -> js <> [] -> denominator ua ue eta ew head s score far js slack merges granted < 1 ->
  Rabs (O - out s k js) <= divided ua ue eta ew head up ep beside s score k dk ho far js slack merges granted undamped /\
  Rabs (L - lse s js) <= quotient (denominator ua ue eta ew head s score far js slack merges granted).
Proof.
  intros m q L O Rd Hf Tr NE. destruct (undamped_pos NE) as [V0 U0].
  apply (lanes_bound ua ue eta ew head up ep beside s sc score k c dk hp ho far js slack merges granted undamped Heta Hew Hbeside Hhead
    Hup Hep Hmerges U0 Hscore Hc Hho L O); try assumption.
  - intros Some. now apply (tree_lanes Rd Hf Some m q).
  - intros j J Fj. specialize (Rd j J Fj). lra.
Qed.

Theorem sigmoid_row_bound_wide : forall m q L O,
  (forall j, In j js -> far j = false -> rounding j + aside <= rounded) -> rounded <= 1 / 2 ->
  (exists j, In j js /\ far j = false) -> tree m q L O ->
  flushes eta ew head js merges + faint_sum ua ue head s score far js slack merges granted < 1 ->
  0 < kept_sum ua ue head s score far js slack merges granted ->
  Rabs (O - out s k js) <= divided_by ua ue eta ew head up ep beside s score k dk ho far js slack merges granted undamped
    (least ua ue eta ew head s score far js slack merges granted) /\
  Rabs (L - lse s js) <= wide_lse_error (denominator ua ue eta ew head s score far js slack merges granted)
    (flushes eta ew head js merges + faint_sum ua ue head s score far js slack merges granted)
    (least ua ue eta ew head s score far js slack merges granted).
Proof.
  intros m q L O Rd Hf Some Tr. assert (NE : js <> []).
  { destruct Some as (j & J & _). intros E. rewrite E in J. exact J. }
  destruct (undamped_pos NE) as [V0 U0].
  apply (lanes_bound_wide ua ue eta ew head up ep beside s sc score k c dk hp ho far js slack merges granted undamped Hbeside
    Hup Hep U0 Hscore Hc Hho L O); [now apply (tree_lanes Rd Hf Some m q)|].
  intros j J Fj. specialize (Rd j J Fj). lra.
Qed.

(** [z] is only looked at where there are far keys: 1/least, or anything that Z is known to be below. *)
Theorem sigmoid_row_hull : forall m q L O w z,
  (forall j, In j js -> far j = false -> rounding j + aside <= rounded) -> rounded <= 1 / 2 ->
  (exists j, In j js /\ far j = false) -> tree m q L O ->
  (forall j, In j js -> far j = false -> Rabs (k j) + dk j <= w) ->
  (faint_sum ua ue head s score far js slack merges granted = 0 \/ exp (lse s js - L) <= z) ->
  Rabs (O - out s k js) <= hull_error (Rabs (out s k js)) (w + ep) rounded
      (flushes eta ew head js merges + (1 + z) * faint_sum ua ue head s score far js slack merges granted)
    (lost eta head k dk ho js merges
     + (1 + z) * total (fun j => if far j then faint ua ue head s score js slack merges granted j * (Rabs (k j) + dk j) else 0) js
     + ep * (flushes eta ew head js merges + (1 + z) * faint_sum ua ue head s score far js slack merges granted)) + undamped.
Proof.
  intros m q L O w z Rd Hf Some Tr V Zz. assert (NE : js <> []).
  { destruct Some as (j & J & _). intros E. rewrite E in J. exact J. }
  destruct (undamped_pos NE) as [V0 U0].
  apply (lanes_hull ua ue eta ew head up ep beside s sc score k c dk ho far js slack merges granted undamped Hbeside
    Hup Hep Hc L O); try assumption. now apply (tree_lanes Rd Hf Some m q).
Qed.

End Sigmoid.
