(** * FarRows: what a row may be of whose weights nothing is known

    Purpose. Lemma Far rows of bounds.md. A row may consist of keys masked by -10^9 alone: each weight
    is then off by e^100 and more, and no theorem of AttentionBound.v says anything. Two things hold
    however far off the weights are. Numerator and denominator of a partial result are sums over the
    same weights with the same rescalings, so that a partial output is an average of what it is made
    of; a merge adds up no more than its parts. And a log-sum-exp lies near the largest score.

    Main results.
    - [row_average]        |O - out| <= average_error, for any scores and errors of them
    - [far_row_lse]        |L - lse| <= far_lse_error, in terms of the largest score and its error

    Conditions. No log-sum-exp of a merge lies below a part's, no partial output is stored, and no maximum
    lags behind its scores. Weights may be rounded before they are summed ([uw], [ew]). Of the
    formats, those of AttentionAccuracy.v. For [far_row_lse]: what flushes amount
    to is at most 1/2, and [far_lse_share] is below 1 (fewer than 10^6 merges in single precision). That no
    log-sum-exp lies above [top] is not assumed: the last one is the largest.

    Dependencies. AttentionAccuracy.v; AttentionBound.v (the exact LSE). *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy.
From Xattn Require Import AttentionModel AttentionAccuracy.
From Xattn Require AttentionBound.
Import ListNotations.
Open Scope R_scope.

(** step-errors.ts, averageError: [n] keys in as many [parts] at most, [top] the largest of what is
    averaged, [leaf] what underflow costs a product with it. *)
Definition average_error (ua eta beside n parts out top leaf : R) : R :=
  out + parts * (exp (beside + (15 * n + 9 * parts) * ua)
    * (top * (1 + 4 * n * eta) + n * (leaf + 8 * eta))).

(** step-errors.ts, farLseShare: by how much the LSE's own size enters its error. *)
Definition far_lse_share (ua merges : R) : R := 4 * ((7 + 2 * merges) * ((1 + 20 * ua) * ua)).

(** step-errors.ts, farLseFlushes: what flushes may amount to of a sum that is 1. *)
Definition far_lse_flushes (ua eta ew n merges : R) : R :=
  exp (9 * (n + merges) * ua) * (n * (ew + (n + merges) * (16 * eta))).

(** step-errors.ts, farLseError: [size] is the largest |s| + score, |lse| among them, [score] the largest
    error of a score. *)
Definition far_lse_error (ue ua uw n merges size score : R) : R :=
  let reach := (1 + 20 * ua) * size + 1 in
  let exponential := (8 + 2 * (1 + 8 * ue) * size) * ue in
  let merged := (18 + 7 * reach + merges * (14 + 2 * reach)) * ua in
  (score + 4 * (ln (4 * n) + 9 * (n + merges) * ua + exponential + uw + merged)) / (1 - far_lse_share ua merges).

Section FarRows.

Context {A : Type}.
Variables ua ue eta uw ew top beside : R.
Variables s c hp : A -> R.
Hypothesis Hua : 0 <= ua <= 1 / 128.
Hypothesis Hue : 0 <= ue <= ua.
Hypothesis Heta : 0 <= eta <= ua / 32.
Hypothesis Huw : 0 <= uw.
Hypothesis Hew : eta <= ew.
Hypothesis Hbeside : 0 <= beside.
Hypothesis Hhp : forall j, 0 <= hp j.

Lemma held_nonempty : forall js m l o, local ua ue eta uw ew 0 beside s c hp js m l o -> js <> [].
Proof. intros js m l o H. eapply local_nonempty; eassumption. Qed.

(** Every merge's log-sum-exp is no smaller than its parts'; nothing is stored. *)
Notation merged := (AttentionModel.merged ua ue eta uw ew 0 0 0 0).
Notation gathered := (AttentionModel.gathered ua ue eta uw ew 0 0 0 0).

Lemma stored_exactly : forall x y, rounds 0 0 x y -> y = x.
Proof.
  intros x y R. unfold rounds in R. rewrite Rmult_0_l, Rplus_0_l in R. apply Rminus_diag_uniq.
  destruct (Req_dec (y - x) 0) as [E | E]; [exact E|]. pose proof (Rabs_pos_lt _ E). lra.
Qed.

(** ** The output is an average *)

Lemma rescale_size : forall m m' r, m <= m' -> rescales ua eta m m' r -> 0 <= r <= exp (7 * ua).
Proof.
  intros m m' r M (f & e & F & F0 & E & EF & ->). rewrite (Rabs_pos_eq (m' - m)) in F by lra. pose proof (factor_abs _ _ F) as FA.
  rewrite (Rabs_pos_eq f F0) in FA. pose proof (exp_pos (m - m')) as X.
  assert (B : exp (m - m') * f <= exp (6 * ua)).
  { apply Rle_trans with (exp (m - m') * exp ((6 + 9 * (m' - m)) * ua)).
    - apply Rmult_le_compat_l; lra.
    - rewrite <- exp_plus. apply exp_le.
      assert ((m' - m) * ua <= (m' - m) * (1 / 128)) by (apply Rmult_le_compat_l; lra). lra. }
  pose proof (Rabs_le_inv _ _ EF). pose proof (Rle_abs e).
  replace (7 * ua) with (6 * ua + ua) by ring. rewrite exp_plus.
  pose proof (exp_ge_1 (6 * ua) ltac:(lra)). pose proof (exp_ineq1_le ua).
  assert (exp (6 * ua) * (1 + ua) <= exp (6 * ua) * exp ua) by (apply Rmult_le_compat_l; lra).
  assert (1 * ua <= exp (6 * ua) * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.

Lemma exp_ua : exp ua <= 3 / 2.
Proof. eapply Rle_trans; [apply (exp_le _ (1 / 128)); lra | Kernels.bound]. Qed.

(** A rounding of what is at least P - D. *)
Lemma round_least : forall t z P D, rounds ua eta t z -> P - D <= t -> 0 <= P -> 0 <= D ->
  P * exp (- (2 * ua)) - exp ua * D - eta <= z.
Proof.
  intros t z P D R T HP HD. unfold rounds in R. apply Rabs_le_inv in R.
  assert (E2 : exp (- (2 * ua)) <= 1 - ua).
  { rewrite exp_Ropp. apply Rmult_le_reg_r with (exp (2 * ua)); [apply exp_pos|].
    rewrite Rinv_l by (apply Rgt_not_eq, exp_pos). pose proof (exp_ineq1_le (2 * ua)).
    assert ((1 - ua) * (1 + 2 * ua) <= (1 - ua) * exp (2 * ua)) by (apply Rmult_le_compat_l; lra).
    assert (ua * ua <= 1 / 128 * ua) by (apply Rmult_le_compat_r; lra). lra. }
  apply (Rmult_le_compat_l P) in E2; [|exact HP]. pose proof (exp_ineq1_le ua) as E1.
  apply (Rmult_le_compat_r D) in E1; [|exact HD].
  assert (0 <= ua * P) by (apply Rmult_le_pos; lra). assert (0 <= ua * D) by (apply Rmult_le_pos; lra).
  destruct (Rle_lt_dec 0 t) as [S | S].
  - rewrite (Rabs_pos_eq t S) in R.
    assert ((1 - ua) * (P - D) <= (1 - ua) * t) by (apply Rmult_le_compat_l; lra). lra.
  - rewrite (Rabs_left t S) in R.
    assert ((1 + ua) * (P - D) <= (1 + ua) * t) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma round_most : forall t z P, rounds ua eta t z -> Rabs t <= P -> Rabs z <= exp ua * P + eta.
Proof.
  intros t z P R T. unfold rounds in R. pose proof (Rabs_triang (z - t) t) as G.
  replace (z - t + t) with z in G by ring. pose proof (Rabs_pos t).
  pose proof (exp_ineq1_le ua) as E. apply (Rmult_le_compat_r P) in E; [|lra].
  assert (ua * Rabs t <= ua * P) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma joined_least : forall r x r' y z X Y d d', 0 <= r <= exp (7 * ua) -> 0 <= r' <= exp (7 * ua) ->
  0 <= X -> 0 <= Y -> 0 <= d -> 0 <= d' -> X - d <= x -> Y - d' <= y -> joined ua eta r x r' y z ->
  (r * X + r' * Y) * exp (- (4 * ua)) - (exp (9 * ua) * (d + d') + 4 * eta) <= z.
Proof.
  intros r x r' y z X Y d d' [R0 R1] [S0 S1] HX HY Hd Hd' Lx Ly (p & q & Rp & Rq & Rz).
  pose proof exp_ua as U. pose proof (exp_pos ua) as U0.
  assert (Lp := round_least _ _ (r * X) (r * d) Rp ltac:(rewrite <- Rmult_minus_distr_l; apply Rmult_le_compat_l; lra)
    ltac:(apply Rmult_le_pos; lra) ltac:(apply Rmult_le_pos; lra)).
  assert (Lq := round_least _ _ (r' * Y) (r' * d') Rq ltac:(rewrite <- Rmult_minus_distr_l; apply Rmult_le_compat_l; lra)
    ltac:(apply Rmult_le_pos; lra) ltac:(apply Rmult_le_pos; lra)).
  set (E := exp (- (2 * ua))) in *. assert (0 < E) by apply exp_pos.
  assert (0 <= r * X) by (apply Rmult_le_pos; lra). assert (0 <= r' * Y) by (apply Rmult_le_pos; lra).
  assert (0 <= r * d) by (apply Rmult_le_pos; lra). assert (0 <= r' * d') by (apply Rmult_le_pos; lra).
  assert (Dp : 0 <= exp ua * (r * d)) by (apply Rmult_le_pos; lra).
  assert (Dq : 0 <= exp ua * (r' * d')) by (apply Rmult_le_pos; lra).
  assert (Lz := round_least _ _ ((r * X + r' * Y) * E) (exp ua * (r * d) + exp ua * (r' * d') + 2 * eta) Rz
    ltac:(lra) ltac:(apply Rmult_le_pos; lra) ltac:(lra)).
  fold E in Lz. replace (exp (- (4 * ua))) with (E * E) by (unfold E; rewrite <- exp_plus; f_equal; ring).
  assert (E9 : exp (9 * ua) = exp ua * (exp ua * exp (7 * ua))) by (rewrite <- !exp_plus; f_equal; ring).
  assert (P1 : r * d <= exp (7 * ua) * d) by (apply Rmult_le_compat_r; lra).
  assert (P2 : r' * d' <= exp (7 * ua) * d') by (apply Rmult_le_compat_r; lra).
  assert (UU : 0 <= exp ua * exp ua) by (apply Rmult_le_pos; lra).
  apply (Rmult_le_compat_l _ _ _ UU) in P1. apply (Rmult_le_compat_l _ _ _ UU) in P2.
  assert (exp ua * eta <= 3 / 2 * eta) by (apply Rmult_le_compat_r; lra). rewrite E9. lra.
Qed.

Lemma joined_most : forall r x r' y z X Y, 0 <= r -> 0 <= r' -> Rabs x <= X -> Rabs y <= Y ->
  joined ua eta r x r' y z -> Rabs z <= exp (2 * ua) * (r * X + r' * Y) + 4 * eta.
Proof.
  intros r x r' y z X Y R0 S0 Lx Ly (p & q & Rp & Rq & Rz). pose proof exp_ua as U.
  assert (Lp := round_most _ _ (r * X) Rp ltac:(rewrite Rabs_mult, (Rabs_pos_eq r) by lra; apply Rmult_le_compat_l; lra)).
  assert (Lq := round_most _ _ (r' * Y) Rq ltac:(rewrite Rabs_mult, (Rabs_pos_eq r') by lra; apply Rmult_le_compat_l; lra)).
  assert (Lz := round_most _ _ (exp ua * (r * X) + exp ua * (r' * Y) + 2 * eta) Rz
    ltac:(eapply Rle_trans; [apply Rabs_triang | lra])).
  replace (2 * ua) with (ua + ua) by ring. rewrite exp_plus.
  assert (exp ua * eta <= 3 / 2 * eta) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** The same weights, of sum w, in l and in o, after K operations; [d] and [e] are what underflows. *)
Definition weighed (v K d e l o w : R) : Prop :=
  0 <= w /\ w * exp (- (4 * K * ua)) - d * exp (9 * K * ua) <= l /\
  Rabs o <= v * w * exp (beside + 2 * K * ua) + e * exp (9 * K * ua).

Lemma weighed_weaken : forall v K K' d e l o w, 0 <= v -> K <= K' -> 0 <= d -> 0 <= e ->
  weighed v K d e l o w -> weighed v K' d e l o w.
Proof.
  intros v K K' d e l o w V HK D E (W & L & O). assert (K * ua <= K' * ua) by (apply Rmult_le_compat_r; lra).
  assert (E1 : exp (- (4 * K' * ua)) <= exp (- (4 * K * ua))) by (apply exp_le; lra).
  assert (E2 : exp (9 * K * ua) <= exp (9 * K' * ua)) by (apply exp_le; lra).
  assert (E3 : exp (beside + 2 * K * ua) <= exp (beside + 2 * K' * ua)) by (apply exp_le; lra).
  apply (Rmult_le_compat_l w) in E1; [|lra]. pose proof (Rmult_le_compat_l d _ _ D E2).
  pose proof (Rmult_le_compat_l e _ _ E E2). apply (Rmult_le_compat_l (v * w)) in E3; [|apply Rmult_le_pos; lra].
  unfold weighed. lra.
Qed.

Lemma weighed_join : forall v K da ea la oa wa db eb lb ob wb ma mb m r r' l o, 0 <= v -> 0 <= K ->
  0 <= da -> 0 <= ea -> 0 <= db -> 0 <= eb -> ma <= m -> mb <= m ->
  rescales ua eta ma m r -> rescales ua eta mb m r' -> joined ua eta r la r' lb l -> joined ua eta r oa r' ob o ->
  weighed v K da ea la oa wa -> weighed v K db eb lb ob wb ->
  weighed v (K + 1) (da + db + 4 * eta) (ea + eb + 4 * eta) l o (r * wa + r' * wb).
Proof.
  intros v K da ea la oa wa db eb lb ob wb ma mb m r r' l o V HK Da Ea Db Eb Ma Mb Ra Rb Jl Jo
    (Wa & La & Oa) (Wb & Lb & Ob).
  destruct (rescale_size _ _ _ Ma Ra) as [R0 R1]. destruct (rescale_size _ _ _ Mb Rb) as [S0 S1].
  assert (KU : 0 <= K * ua) by (apply Rmult_le_pos; lra).
  set (g := exp (9 * K * ua)) in *. assert (G1 : 1 <= g) by (apply exp_ge_1; lra).
  set (f := exp (- (4 * K * ua))) in *. assert (F0 : 0 < f) by apply exp_pos.
  set (h := exp (beside + 2 * K * ua)) in *. assert (H0 : 0 < h) by apply exp_pos.
  assert (E4 : exp (- (4 * (K + 1) * ua)) = f * exp (- (4 * ua))) by (unfold f; rewrite <- exp_plus; f_equal; ring).
  assert (E9 : exp (9 * (K + 1) * ua) = g * exp (9 * ua)) by (unfold g; rewrite <- exp_plus; f_equal; ring).
  assert (E2 : exp (beside + 2 * (K + 1) * ua) = h * exp (2 * ua)) by (unfold h; rewrite <- exp_plus; f_equal; ring).
  assert (E29 : exp (9 * ua) = exp (2 * ua) * exp (7 * ua)) by (rewrite <- exp_plus; f_equal; ring).
  pose proof (exp_ge_1 (9 * ua) ltac:(lra)) as N1. pose proof (exp_pos (2 * ua)) as T0.
  assert (Eg : 4 * eta <= 4 * eta * (g * exp (9 * ua))).
  { rewrite <- (Rmult_1_r (4 * eta)) at 1. apply Rmult_le_compat_l; [lra|].
    rewrite <- (Rmult_1_r 1). apply Rmult_le_compat; lra. }
  unfold weighed. rewrite E4, E9, E2. split; [|split].
  - apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra.
  - assert (Q := joined_least r la r' lb l (wa * f) (wb * f) (da * g) (db * g) (conj R0 R1) (conj S0 S1)
      ltac:(apply Rmult_le_pos; lra) ltac:(apply Rmult_le_pos; lra) ltac:(apply Rmult_le_pos; lra)
      ltac:(apply Rmult_le_pos; lra) La Lb Jl). lra.
  - assert (Q := joined_most r oa r' ob o _ _ R0 S0 Oa Ob Jo).
    assert (0 <= ea * g) by (apply Rmult_le_pos; lra). assert (0 <= eb * g) by (apply Rmult_le_pos; lra).
    assert (P1 : r * (ea * g) <= exp (7 * ua) * (ea * g)) by (apply Rmult_le_compat_r; lra).
    assert (P2 : r' * (eb * g) <= exp (7 * ua) * (eb * g)) by (apply Rmult_le_compat_r; lra).
    apply (Rmult_le_compat_l (exp (2 * ua))) in P1; [|lra]. apply (Rmult_le_compat_l (exp (2 * ua))) in P2; [|lra].
    rewrite E29 in *. lra.
Qed.

(** One rank, before it divides. *)
Lemma local_weighed : forall v h js m l o, local ua ue eta uw ew 0 beside s c hp js m l o -> 0 <= v -> 0 <= h ->
  (forall j, In j js -> Rabs (c j) <= v /\ hp j <= h) ->
  exists w, weighed v (INR (length js) - 1) (4 * (INR (length js) - 1) * eta)
    (INR (length js) * (h * exp beside) + 4 * (INR (length js) - 1) * eta) l o w.
Proof.
  intros v h js m l o H V HH. pose proof (exp_pos beside) as B0.
  assert (HB : 0 <= h * exp beside) by (apply Rmult_le_pos; lra).
  induction H as [j m w x M W X | a b ma mb m la lb oa ob r r' l o Ha IHa Hb IHb La Lb Ra Rb Jl Jo
    | a b m l o P H IH]; intros C.
  - exists w. destruct (C j (or_introl eq_refl)) as [Cv Ch]. destruct W as (f & e & F & F0 & E & EF & W).
    assert (W0 : 0 <= w) by (pose proof (Rabs_le_inv _ _ EF); lra).
    simpl length. simpl INR. unfold weighed. replace (1 - 1) with 0 by ring.
    replace (- (4 * 0 * ua)) with 0 by ring. replace (9 * 0 * ua) with 0 by ring.
    replace (beside + 2 * 0 * ua) with beside by ring. rewrite exp_0. split; [exact W0|]. split; [lra|].
    pose proof (operand_abs _ _ _ _ X) as G. rewrite Rabs_mult, (Rabs_pos_eq w W0) in G.
    assert (w * Rabs (c j) <= w * v) by (apply Rmult_le_compat_l; lra).
    assert ((w * Rabs (c j) + hp j) * exp beside <= (w * v + h) * exp beside) by (apply Rmult_le_compat_r; lra). lra.
  - destruct IHa as [wa Wa]; [intros j J; apply C, in_or_app; now left|].
    destruct IHb as [wb Wb]; [intros j J; apply C, in_or_app; now right|].
    pose proof (length_pos _ (held_nonempty _ _ _ _ Ha)) as Na.
    pose proof (length_pos _ (held_nonempty _ _ _ _ Hb)) as Nb.
    rewrite app_length, plus_INR. set (na := INR (length a)) in *. set (nb := INR (length b)) in *.
    assert (0 <= (na - 1) * eta) by (apply Rmult_le_pos; lra). assert (0 <= (nb - 1) * eta) by (apply Rmult_le_pos; lra).
    assert (0 <= na * (h * exp beside)) by (apply Rmult_le_pos; lra).
    assert (0 <= nb * (h * exp beside)) by (apply Rmult_le_pos; lra).
    apply (weighed_weaken v _ (na + nb - 2)) in Wa; [| lra..]. apply (weighed_weaken v _ (na + nb - 2)) in Wb; [| lra..].
    exists (r * wa + r' * wb).
    assert (Q : weighed v (na + nb - 2 + 1) (4 * (na - 1) * eta + 4 * (nb - 1) * eta + 4 * eta)
      (na * (h * exp beside) + 4 * (na - 1) * eta + (nb * (h * exp beside) + 4 * (nb - 1) * eta) + 4 * eta)
      l o (r * wa + r' * wb)).
    { apply (weighed_join v (na + nb - 2) _ _ la oa wa _ _ lb ob wb ma mb m r r'); try assumption; lra. }
    replace (na + nb - 2 + 1) with (na + nb - 1) in Q by ring.
    replace (4 * (na - 1) * eta + 4 * (nb - 1) * eta + 4 * eta) with (4 * (na + nb - 1) * eta) in Q by ring.
    replace (na * (h * exp beside) + 4 * (na - 1) * eta + (nb * (h * exp beside) + 4 * (nb - 1) * eta) + 4 * eta)
      with ((na + nb) * (h * exp beside) + 4 * (na + nb - 1) * eta) in Q by ring. exact Q.
  - destruct IH as [w W]; [intros j J; apply C; eapply Permutation_in; [exact P | exact J]|].
    exists w. now rewrite <- (Permutation_length P).
Qed.

(** What one rank sends. *)
Definition partial_size (n v h : R) : R :=
  exp (beside + 15 * n * ua) * (v * (1 + 4 * n * eta) + n * (h + 4 * eta)).

(** i + 1 parts, each of its own keys. *)
Lemma merged_size : forall v h N, 0 <= v -> 0 <= h ->
  forall js r q L O, merged top beside s c hp js r q L O ->
  INR (length js) <= N -> (forall j, In j js -> Rabs (c j) <= v /\ hp j <= h) ->
  exists i, (i < length js)%nat /\
    Rabs O <= exp (9 * INR i * ua) * ((INR i + 1) * partial_size N v h + 4 * INR i * eta).
Proof.
  intros v h N V HH.
  enough (All : (forall js r q L O, merged top beside s c hp js r q L O ->
    INR (length js) <= N -> (forall j, In j js -> Rabs (c j) <= v /\ hp j <= h) ->
    exists i, (i < length js)%nat /\
      Rabs O <= exp (9 * INR i * ua) * ((INR i + 1) * partial_size N v h + 4 * INR i * eta)) /\
    (forall L js k r q E o, gathered top beside s c hp L js k r q E o ->
    INR (length js) <= N -> (forall j, In j js -> Rabs (c j) <= v /\ hp j <= h) ->
    exists i, (1 <= k <= i + 1)%nat /\ (i < length js)%nat /\
      Rabs o <= exp ((9 * (INR i + 1 - INR k) + 7 + INR k) * ua)
        * ((INR i + 1) * partial_size N v h + (4 * (INR i + 1 - INR k) + 2 * INR k - 1) * eta))) by (exact (proj1 All)).
  assert (Bpos : forall n, 0 <= n <= N -> 0 <= partial_size N v h).
  { intros n Hn. unfold partial_size. assert (0 <= N * eta) by (apply Rmult_le_pos; lra).
    apply Rmult_le_pos; [left; apply exp_pos|]. apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra. }
  apply merged_gathered_ind.
  - intros js m l o L O Loc Lpos LT LR OR HN C. exists 0%nat.
    destruct (local_weighed v h _ _ _ _ Loc V HH C) as (w & W0 & Wl & Wo).
    pose proof (length_pos _ (held_nonempty _ _ _ _ Loc)) as N1.
    set (n := INR (length js)) in *. set (K := n - 1) in *. assert (K0 : 0 <= K) by (unfold K; lra).
    assert (KU : 0 <= K * ua) by (apply Rmult_le_pos; lra). assert (KE : 0 <= K * eta) by (apply Rmult_le_pos; lra).
    assert (NE : K * eta + eta <= N * eta) by (replace (K * eta + eta) with (n * eta) by (unfold K; ring); apply Rmult_le_compat_r; lra).
    assert (NU : K * ua + ua <= N * ua) by (replace (K * ua + ua) with (n * ua) by (unfold K; ring); apply Rmult_le_compat_r; lra).
    set (g := exp (9 * K * ua)) in *. assert (G1 : 1 <= g) by (apply exp_ge_1; lra).
    (* the sum of the weights is no more than the l that divides *)
    assert (Wm : w <= l * (exp (4 * K * ua) * g * (1 + 4 * K * eta))).
    { assert (E4 : exp (- (4 * K * ua)) * exp (4 * K * ua) = 1)
        by (rewrite <- exp_plus; replace (- (4 * K * ua) + 4 * K * ua) with 0 by ring; apply exp_0).
      apply Rle_trans with ((w * exp (- (4 * K * ua))) * exp (4 * K * ua)); [rewrite Rmult_assoc, E4; lra|].
      pose proof (exp_pos (4 * K * ua)) as E0.
      apply Rle_trans with ((l + 4 * K * eta * g) * exp (4 * K * ua)); [apply Rmult_le_compat_r; lra|].
      replace (l * (exp (4 * K * ua) * g * (1 + 4 * K * eta)))
        with ((l * (g * (1 + 4 * K * eta))) * exp (4 * K * ua)) by ring.
      apply Rmult_le_compat_r; [lra|].
      assert (l * 1 <= l * g) by (apply Rmult_le_compat_l; lra).
      assert (0 <= 4 * K * eta * g) by (apply Rmult_le_pos; lra).
      assert (1 * (4 * K * eta * g) <= l * (4 * K * eta * g)) by (apply Rmult_le_compat_r; lra). lra. }
    set (e := n * (h * exp beside) + 4 * K * eta) in *.
    assert (HB : 0 <= h * exp beside) by (apply Rmult_le_pos; [lra | left; apply exp_pos]).
    assert (E0 : 0 <= e) by (unfold e; assert (0 <= n * (h * exp beside)) by (apply Rmult_le_pos; lra); lra).
    assert (Q : Rabs (o / l) <= v * (1 + 4 * K * eta) * exp (beside + 15 * K * ua) + e * g).
    { unfold Rdiv. rewrite Rabs_mult, Rabs_inv, (Rabs_pos_eq l) by lra.
      apply Rmult_le_reg_r with l; [lra|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
      eapply Rle_trans; [exact Wo|].
      replace (exp (beside + 15 * K * ua)) with (exp (beside + 2 * K * ua) * (exp (4 * K * ua) * exp (9 * K * ua)))
        by (rewrite <- !exp_plus; f_equal; ring). fold g.
      pose proof (exp_pos (beside + 2 * K * ua)) as X0. set (x := exp (beside + 2 * K * ua)) in *.
      apply (Rmult_le_compat_l (v * x)) in Wm; [|apply Rmult_le_pos; lra].
      assert (0 <= e * g) by (apply Rmult_le_pos; lra).
      assert (e * g * 1 <= e * g * l) by (apply Rmult_le_compat_l; lra). lra. }
    assert (R := round_most _ _ _ OR Q). split.
    { apply INR_lt. simpl INR. fold n. lra. }
    simpl INR. replace (9 * 0 * ua) with 0 by ring. rewrite exp_0.
    eapply Rle_trans; [exact R|]. unfold partial_size. set (F := exp (beside + 15 * N * ua)).
    assert (F1 : exp ua * exp (beside + 15 * K * ua) <= F).
    { unfold F. rewrite <- exp_plus. apply exp_le. lra. }
    assert (F2 : exp ua * g * exp beside <= F).
    { unfold F, g. rewrite <- !exp_plus. apply exp_le. lra. }
    assert (B1 : 1 <= exp beside) by (apply exp_ge_1; exact Hbeside).
    assert (U1 : 1 <= exp ua) by (apply exp_ge_1; lra).
    assert (Eg : 0 <= exp ua * g) by (apply Rmult_le_pos; lra).
    assert (F3 : exp ua * g <= F) by (assert (exp ua * g * 1 <= exp ua * g * exp beside) by (apply Rmult_le_compat_l; lra); lra).
    assert (F4 : 1 <= F) by (assert (1 * 1 <= exp ua * g) by (apply Rmult_le_compat; lra); lra).
    assert (T1 : exp ua * (v * (1 + 4 * K * eta) * exp (beside + 15 * K * ua)) <= F * (v * (1 + 4 * N * eta))).
    { replace (exp ua * (v * (1 + 4 * K * eta) * exp (beside + 15 * K * ua)))
        with (exp ua * exp (beside + 15 * K * ua) * (v * (1 + 4 * K * eta))) by ring.
      apply Rmult_le_compat; [apply Rmult_le_pos; left; apply exp_pos | apply Rmult_le_pos; lra | exact F1 |].
      apply Rmult_le_compat_l; lra. }
    assert (T2 : exp ua * (n * (h * exp beside) * g) <= F * (N * h)).
    { replace (exp ua * (n * (h * exp beside) * g)) with (exp ua * g * exp beside * (n * h)) by ring.
      apply Rmult_le_compat; [apply Rmult_le_pos; lra | apply Rmult_le_pos; lra | exact F2 |].
      apply Rmult_le_compat_r; lra. }
    assert (T3 : exp ua * (4 * K * eta * g) + eta <= F * (4 * N * eta)).
    { replace (exp ua * (4 * K * eta * g)) with (exp ua * g * (4 * K * eta)) by ring.
      assert (exp ua * g * (4 * K * eta) <= F * (4 * K * eta)) by (apply Rmult_le_compat_r; lra).
      assert (1 * eta <= F * eta) by (apply Rmult_le_compat_r; lra).
      assert (F * (4 * (K * eta + eta)) <= F * (4 * (N * eta))) by (apply Rmult_le_compat_l; lra).
      assert (0 <= F * eta) by (apply Rmult_le_pos; lra). lra. }
    unfold e. lra.
  - (* a merge *)
    intros js k r q E L O _ IH K2 LT LR HN C. destruct (IH HN C) as (i & K1 & Hi & Q). exists i. split; [exact Hi|].
    pose proof (Bpos (INR (length js)) (conj (pos_INR _) HN)) as B0. set (B := partial_size N v h) in *.
    apply le_INR in K2. simpl in K2. destruct K1 as [_ K1]. apply le_INR in K1. rewrite plus_INR in K1. simpl in K1.
    pose proof (pos_INR i). set (x := INR i) in *. set (y := INR k) in *.
    assert (0 <= (4 * (x + 1 - y) + 2 * y - 1) * eta) by (apply Rmult_le_pos; lra).
    assert (0 <= (x + 1) * B) by (apply Rmult_le_pos; lra).
    assert ((4 * (x + 1 - y) + 2 * y - 1) * eta <= 4 * x * eta) by (apply Rmult_le_compat_r; lra).
    eapply Rle_trans; [exact Q|]. apply Rmult_le_compat; [left; apply exp_pos | lra | | lra].
    apply exp_le. apply Rmult_le_compat_r; lra.
  - (* a store *)
    intros js r L O O' _ IH St HN C. apply stored_exactly in St. subst O'. now apply IH.
  - intros js r q r' q' L O _ _ _ IH HN C. now apply IH.
  - intros a b r q L O P _ IH HN C. rewrite <- (Permutation_length P) in HN |- *.
    apply IH; [exact HN | intros j J; apply C; eapply Permutation_in; [exact P | exact J]].
  - (* one part *)
    intros L js r q L1 O w p _ IH Lf Rw Rp HN C. destruct (IH HN C) as (i & Hi & Q). exists i.
    split; [lia|]. split; [exact Hi|].
    pose proof (Bpos (INR (length js)) (conj (pos_INR _) HN)) as B0. set (B := partial_size N v h) in *.
    destruct (rescale_size _ _ _ (ltac:(lra) : L1 <= L) Rw) as [W0 W1]. pose proof (pos_INR i). simpl INR. set (x := INR i) in *.
    set (X := (x + 1) * B + 4 * x * eta) in *.
    assert (X0 : 0 <= X).
    { unfold X. assert (0 <= (x + 1) * B) by (apply Rmult_le_pos; lra). assert (0 <= x * eta) by (apply Rmult_le_pos; lra). lra. }
    assert (G := round_most _ _ (w * (exp (9 * x * ua) * X)) Rp
      ltac:(rewrite Rabs_mult, (Rabs_pos_eq w) by lra; apply Rmult_le_compat_l; lra)).
    eapply Rle_trans; [exact G|]. replace ((9 * (x + 1 - 1) + 7 + 1) * ua) with (ua + 7 * ua + 9 * x * ua) by ring.
    rewrite !exp_plus. replace ((x + 1) * B + (4 * (x + 1 - 1) + 2 * 1 - 1) * eta) with (X + eta) by (unfold X; ring).
    assert (E0 : 0 <= exp (9 * x * ua) * X) by (apply Rmult_le_pos; [left; apply exp_pos | exact X0]).
    assert (w * (exp (9 * x * ua) * X) <= exp (7 * ua) * (exp (9 * x * ua) * X)) by (apply Rmult_le_compat_r; lra).
    assert (exp ua * (w * (exp (9 * x * ua) * X)) <= exp ua * (exp (7 * ua) * (exp (9 * x * ua) * X)))
      by (apply Rmult_le_compat_l; [left; apply exp_pos | lra]).
    assert (1 <= exp ua * exp (7 * ua) * exp (9 * x * ua)).
    { rewrite <- !exp_plus. apply exp_ge_1. assert (0 <= x * ua) by (apply Rmult_le_pos; lra). lra. }
    assert (1 * eta <= exp ua * exp (7 * ua) * exp (9 * x * ua) * eta) by (apply Rmult_le_compat_r; lra). lra.
  - (* parts added up *)
    intros L a b ka kb r q Ea Eb oa ob o _ IHa _ IHb Ro HN C.
    rewrite app_length, plus_INR in HN. pose proof (pos_INR (length a)). pose proof (pos_INR (length b)).
    destruct (IHa ltac:(lra) ltac:(intros j J; apply C, in_or_app; now left)) as (ia & Ka & Hia & Qa).
    destruct (IHb ltac:(lra) ltac:(intros j J; apply C, in_or_app; now right)) as (ib & Kb & Hib & Qb).
    exists (ia + ib + 1)%nat. split; [lia|]. split; [rewrite app_length; lia|].
    pose proof (Bpos 0 ltac:(lra)) as B0. set (B := partial_size N v h) in *.
    destruct Ka as [Ka1 Ka2]. destruct Kb as [Kb1 Kb2].
    apply le_INR in Ka1, Ka2, Kb1, Kb2. rewrite plus_INR in Ka2, Kb2. rewrite !plus_INR. simpl in Ka1, Ka2, Kb1, Kb2. simpl (INR 1).
    pose proof (pos_INR ia). pose proof (pos_INR ib).
    set (x := INR ia) in *. set (y := INR ib) in *. set (u := INR ka) in *. set (w := INR kb) in *.
    set (G := exp ((9 * (x + y + 1 + 1 - (u + w)) + 7 + (u + w)) * ua)).
    assert (Side : forall x' u' z, 0 <= z -> 9 * (x' + 1 - u') + 7 + u' + 1 <= 9 * (x + y + 1 + 1 - (u + w)) + 7 + (u + w) ->
      exp ua * (exp ((9 * (x' + 1 - u') + 7 + u') * ua) * z) <= G * z).
    { intros x' u' z Hz Hx. rewrite <- Rmult_assoc, <- exp_plus. apply Rmult_le_compat_r; [exact Hz|].
      unfold G. apply exp_le. apply (Rmult_le_compat_r ua) in Hx; lra. }
    assert (T : Rabs (oa + ob) <= exp ((9 * (x + 1 - u) + 7 + u) * ua) * ((x + 1) * B + (4 * (x + 1 - u) + 2 * u - 1) * eta)
      + exp ((9 * (y + 1 - w) + 7 + w) * ua) * ((y + 1) * B + (4 * (y + 1 - w) + 2 * w - 1) * eta))
      by (eapply Rle_trans; [apply Rabs_triang | lra]).
    eapply Rle_trans; [apply (round_most _ _ _ Ro T)|].
    assert (P1 : 0 <= (x + 1) * B + (4 * (x + 1 - u) + 2 * u - 1) * eta)
      by (apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra).
    assert (P2 : 0 <= (y + 1) * B + (4 * (y + 1 - w) + 2 * w - 1) * eta)
      by (apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra).
    pose proof (Side x u _ P1 ltac:(lra)) as S1. pose proof (Side y w _ P2 ltac:(lra)) as S2.
    assert (1 <= G).
    { apply exp_ge_1. apply Rmult_le_pos; lra. }
    assert (1 * eta <= G * eta) by (apply Rmult_le_compat_r; lra).
    replace (G * ((x + y + 1 + 1) * B + (4 * (x + y + 1 + 1 - (u + w)) + 2 * (u + w) - 1) * eta))
      with (G * ((x + 1) * B + (4 * (x + 1 - u) + 2 * u - 1) * eta) + G * ((y + 1) * B + (4 * (y + 1 - w) + 2 * w - 1) * eta)
        + G * eta) by ring. lra.
Qed.

Theorem row_average : forall js r q L O out v h parts, merged top beside s c hp js r q L O ->
  0 <= h -> (forall j, In j js -> Rabs (c j) <= v /\ hp j <= h) -> INR (length js) <= parts ->
  Rabs (O - out) <= average_error ua eta beside (INR (length js)) parts (Rabs out) v h.
Proof.
  intros js r q0 L O out v h parts M HH C HP.
  assert (NE : (0 < length js)%nat).
  { assert (js <> []) by (eapply (merged_nonempty ua ue eta uw ew 0 0 0 0); try exact M; try eassumption; lra). destruct js; [congruence | simpl; lia]. }
  assert (V : 0 <= v).
  { destruct js as [|j l]; [simpl in NE; lia|]. destruct (C j (or_introl eq_refl)). pose proof (Rabs_pos (c j)). lra. }
  destruct (merged_size v h _ V HH _ _ _ _ _ M (Rle_refl _) C) as (i & Hi & Q).
  apply (le_INR (S i)) in Hi. rewrite S_INR in Hi.
  assert (N1 : 1 <= INR (length js)) by (apply (le_INR 1) in NE; exact NE).
  set (n := INR (length js)) in *. pose proof (pos_INR i) as R0. set (q := INR i) in *.
  pose proof (Rabs_triang O (- out)) as G. rewrite Rabs_Ropp in G. replace (O + - out) with (O - out) in G by ring.
  unfold average_error. unfold partial_size in Q.
  assert (NU : 0 <= n * ua) by (apply Rmult_le_pos; lra). assert (NH : 0 <= n * eta) by (apply Rmult_le_pos; lra).
  set (F := exp (beside + 15 * n * ua)) in *. assert (F1 : 1 <= F) by (apply exp_ge_1; lra).
  set (B := v * (1 + 4 * n * eta) + n * (h + 4 * eta)) in *.
  assert (B0 : 0 <= B) by (unfold B; apply Rplus_le_le_0_compat; apply Rmult_le_pos; lra).
  assert (Br : v * (1 + 4 * n * eta) + n * (h + 8 * eta) = B + 4 * n * eta) by (unfold B; ring). rewrite Br.
  assert (Ex : exp (beside + (15 * n + 9 * parts) * ua) = exp (9 * parts * ua) * F)
    by (unfold F; rewrite <- exp_plus; f_equal; ring). rewrite Ex.
  assert (I : (q + 1) * (F * B) + 4 * q * eta <= parts * (F * (B + 4 * n * eta))).
  { apply Rle_trans with ((q + 1) * (F * (B + 4 * n * eta))).
    - assert (1 * (4 * n * eta) <= F * (4 * n * eta)) by (apply Rmult_le_compat_r; lra).
      assert (4 * 1 * eta <= 4 * n * eta) by (apply Rmult_le_compat_r; lra).
      assert ((q + 1) * (4 * eta) <= (q + 1) * (F * (4 * n * eta))) by (apply Rmult_le_compat_l; lra). lra.
    - apply Rmult_le_compat_r; [apply Rmult_le_pos; lra | lra]. }
  assert (Eq : exp (9 * q * ua) <= exp (9 * parts * ua)).
  { apply exp_le. assert (q * ua <= parts * ua) by (apply Rmult_le_compat_r; lra). lra. }
  assert (exp (9 * q * ua) * ((q + 1) * (F * B) + 4 * q * eta)
    <= exp (9 * parts * ua) * (parts * (F * (B + 4 * n * eta)))).
  { assert (0 <= F * B) by (apply Rmult_le_pos; lra). assert (0 <= q * eta) by (apply Rmult_le_pos; lra).
    assert (0 <= (q + 1) * (F * B)) by (apply Rmult_le_pos; lra).
    apply Rmult_le_compat; [left; apply exp_pos | lra | exact Eq | exact I]. }
  lra.
Qed.

(** ** The log-sum-exp *)

(** No partial log-sum-exp lies above the last. *)
Lemma merged_below : forall js r q L O, merged top beside s c hp js r q L O ->
  forall T, L <= T -> merged T beside s c hp js r q L O.
Proof.
  enough (All : (forall js r q L O, merged top beside s c hp js r q L O ->
    forall T, L <= T -> merged T beside s c hp js r q L O) /\
    (forall L js k r q E o, gathered top beside s c hp L js k r q E o ->
    forall T, L <= T -> gathered T beside s c hp L js k r q E o)) by (exact (proj1 All)).
  apply merged_gathered_ind; intros.
  - eapply merged_one; eassumption.
  - eapply merged_many; eauto.
  - eapply merged_stored; eauto.
  - eapply merged_most; eauto.
  - eapply merged_perm; eauto.
  - eapply gathered_one; eauto. apply H0. lra.
  - eapply gathered_two; eauto.
Qed.

Lemma ln_le : forall x y, 0 < x -> x <= y -> ln x <= ln y.
Proof. intros x y X [L | <-]; [left; apply ln_increasing; assumption | lra]. Qed.

Lemma mass_above : forall (exact : A -> R) js j, In j js -> exp (exact j) <= total (fun i => exp (exact i)) js.
Proof.
  intros exact js j. induction js as [|i l IH]; intros J; [destruct J|]. simpl.
  pose proof (total_pos (fun i => exp (exact i)) l (fun i _ => Rlt_le _ _ (exp_pos _))).
  pose proof (exp_pos (exact i)). destruct J as [-> | J]; [lra | specialize (IH J); lra].
Qed.

Theorem far_row_lse : forall (exact : A -> R) js r q L O merges size score,
  merged top beside s c hp js r q L O -> INR r <= merges ->
  (forall j, In j js -> Rabs (s j - exact j) <= score /\ Rabs (exact j) + score <= size) ->
  Rabs (AttentionBound.lse exact js) <= size ->
  far_lse_flushes ua eta ew (INR (length js)) merges <= 1 / 2 -> far_lse_share ua merges < 1 ->
  Rabs (L - AttentionBound.lse exact js) <= far_lse_error ue ua uw (INR (length js)) merges size score.
Proof.
  intros exact js r q0 L O merges size score M0 Hr Hs Hl Hf Hq.
  pose proof (merged_below _ _ _ _ _ M0 L (Rle_refl L)) as M.
  destruct (merged_accuracy ua ue eta uw ew 0 0 0 0 L beside s c hp (fun _ => true) 0 merges Hua Hue Heta Huw Hew Hbeside Hhp
    (Rle_refl 0) (Rle_refl 0) (Rle_refl 0) ltac:(pose proof (pos_INR r); lra) (or_introl (conj eq_refl (Rle_refl 0))) js r q0 L O M
    Hr (or_introl eq_refl) ltac:(intros j _ Fj; discriminate)) as (_ & NE & S1 & X & _).
  unfold lane in X. replace (lift ua 0 (INR r) L) with 0 in X by (unfold lift; ring).
  pose proof (length_pos _ NE) as N1. pose proof (pos_INR r) as R0.
  set (n := INR (length js)) in *. set (lse := AttentionBound.lse exact js) in *. set (d := Rabs (L - lse)).
  assert (D0 : 0 <= d) by apply Rabs_pos.
  assert (Sc0 : 0 <= score).
  { destruct js as [|j l]; [congruence|]. destruct (Hs j (or_introl eq_refl)) as [Q _]. pose proof (Rabs_pos (s j - exact j)). lra. }
  assert (Z0 : 0 <= size) by (pose proof (Rabs_pos lse); lra).
  assert (AL : Rabs L <= size + d).
  { pose proof (Rabs_triang (L - lse) lse) as G. replace (L - lse + lse) with L in G by ring. fold d in G. lra. }
  set (R1 := (1 + 20 * ua) * (size + d) + 1).
  assert (Reach : forall j, In j js -> 1 <= reach ua 0 L s 0 merges j <= R1).
  { intros j J. split; [apply (reach_ge ua 0 0 L s 0 merges Hua (Rle_refl 0) ltac:(lra) (or_introl (conj eq_refl (Rle_refl 0))) j)|].
    destruct (Hs j J) as [Q1 Q2]. unfold reach, mx, R1. rewrite Rplus_0_r.
    replace ((20 + 4 * 0 * merges) * ua) with (20 * ua) by ring. apply Rplus_le_compat_r, Rmult_le_compat_l; [lra|]. apply Rmax_lub; [|exact AL].
    pose proof (Rabs_triang (s j - exact j) (exact j)) as G. replace (s j - exact j + exact j) with (s j) in G by ring. lra. }
  set (W := (18 + 7 * R1 + merges * (14 + 2 * R1)) * ua).
  set (E := (8 + 2 * (1 + 8 * ue) * size) * ue + uw).
  set (K := 9 * (n + merges) * ua).
  assert (R1p : 0 <= R1).
  { unfold R1. assert (0 <= (1 + 20 * ua) * (size + d)) by (apply Rmult_le_pos; lra). lra. }
  assert (RR : 0 <= merges * (14 + 2 * R1)) by (apply Rmult_le_pos; lra).
  assert (E0 : 0 <= E).
  { unfold E. assert (0 <= 2 * (1 + 8 * ue) * size) by (repeat apply Rmult_le_pos; lra).
    assert (0 <= (8 + 2 * (1 + 8 * ue) * size) * ue) by (apply Rmult_le_pos; lra). lra. }
  assert (K0 : 0 <= K) by (unfold K; repeat apply Rmult_le_pos; lra).
  assert (W0 : (7 * R1 + 8) * ua <= W /\ 0 <= (7 * R1 + 8) * ua).
  { unfold W. split; [apply Rmult_le_compat_r; lra | apply Rmult_le_pos; lra]. }
  assert (Ln : ln n <= ln (4 * n) /\ 0 <= ln n).
  { split; [apply ln_le; lra|]. rewrite <- ln_1. apply ln_le; lra. }
  assert (P : 0 < AttentionBound.mass exact js).
  { destruct js as [|i l]; [congruence|]. pose proof (mass_above exact (i :: l) i (or_introl eq_refl)) as Q.
    pose proof (exp_pos (exact i)). unfold AttentionBound.mass. lra. }
  assert (Below : forall j, In j js -> exact j <= lse).
  { intros j J. unfold lse, AttentionBound.lse. rewrite <- (ln_exp (exact j)).
    apply ln_le; [apply exp_pos | apply mass_above, J]. }
  (* the last log-sum-exp is not far below any score *)
  assert (Low : lse - L <= ln n + score + (7 * R1 + 8) * ua).
  { set (q := L + score + (7 * R1 + 8) * ua).
    assert (Q : AttentionBound.mass exact js <= n * exp q).
    { unfold AttentionBound.mass, n. rewrite <- total_const. apply total_le. intros j J. apply exp_le.
      destruct (S1 j J) as [Q1 _]. unfold sag in Q1. rewrite Rmult_0_l, Rplus_0_r, Rplus_0_l in Q1. destruct (Hs j J) as [Q2 _]. apply Rabs_le_inv in Q2. destruct (Reach j J) as [Q3 Q4].
      assert ((7 * reach ua 0 L s 0 merges j + 8) * ua <= (7 * R1 + 8) * ua) by (apply Rmult_le_compat_r; lra). unfold q. lra. }
    apply ln_le in Q; [|exact P]. fold (AttentionBound.lse exact js) in Q. fold lse in Q.
    rewrite ln_mult, ln_exp in Q by (try apply exp_pos; lra). unfold q in Q. lra. }
  (* nor far above all of them *)
  assert (High : L - lse <= score + 4 * (ln (4 * n) + K + E + W)).
  { set (Y := (L - lse - score) / 4).
    assert (C : 1 <= n * (2 * exp (K + E + W - Y)) + far_lse_flushes ua eta ew n merges).
    { apply near_abs in X. rewrite Rabs_R1 in X. eapply Rle_trans; [exact X|].
      apply Rle_trans with (total (fun _ => 2 * exp (K + E + W - Y)
        + exp (9 * (n + merges) * ua) * (ew + (n + merges) * (16 * eta))) js).
      - apply total_le. intros j J. rewrite held_0. unfold seen, absolute, tail, lost_at_leaf, flush, rescaled_tiny, decay. fold n.
        rewrite exp_0, Rmult_0_r, Rabs_R0, Rmult_0_l, Rplus_0_l, Rabs_R1, !Rmult_1_r.
        destruct (Hs j J) as [Q1 Q2]. destruct (Reach j J) as [Q3 Q4].
        assert (Aj : Rabs (s j) <= size).
        { pose proof (Rabs_triang (s j - exact j) (exact j)) as G. replace (s j - exact j + exact j) with (s j) in G by ring. lra. }
        pose proof (Below j J) as Q5. apply Rabs_le_inv in Q1.
        assert (B1 : bonus ua 0 L s 0 merges (INR r) j <= W).
        { unfold bonus, W. apply Rmult_le_compat_r; [lra|].
          assert (INR r * (14 + 2 * reach ua 0 L s 0 merges j) <= merges * (14 + 2 * R1)) by (apply Rmult_le_compat; lra). lra. }
        assert (B2 : (8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue + uw <= E).
        { unfold E. apply Rplus_le_compat_r, Rmult_le_compat_r; [lra|]. apply Rplus_le_compat_l, Rmult_le_compat_l; lra. }
        assert (B3 : 9 * (n + INR r) * ua <= K) by (unfold K; apply Rmult_le_compat_r; lra).
        rewrite Rmult_plus_distr_l. apply Rplus_le_compat.
        + rewrite !Rplus_0_r. replace (exp (9 * (n + INR r) * ua) * (2 * exp ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue
              + bonus ua 0 L s 0 merges (INR r) j + uw) * exp (- ((L - s j) / 4))))
            with (2 * (exp (9 * (n + INR r) * ua) * (exp ((8 + 2 * (1 + 8 * ue) * Rabs (s j)) * ue
              + bonus ua 0 L s 0 merges (INR r) j + uw) * exp (- ((L - s j) / 4))))) by ring.
          apply Rmult_le_compat_l; [lra|]. rewrite <- !exp_plus. apply exp_le. unfold Y. lra.
        + rewrite Rplus_0_r. apply Rmult_le_compat; [left; apply exp_pos | | apply exp_le; exact B3 |].
          * assert (0 <= (n + INR r) * (8 * eta * (1 + 1))) by (repeat apply Rmult_le_pos; lra). lra.
          * assert ((n + INR r) * (16 * eta) <= (n + merges) * (16 * eta)) by (apply Rmult_le_compat_r; lra). lra.
      - rewrite total_const. fold n. unfold far_lse_flushes. lra. }
    destruct (Rle_lt_dec Y (ln (4 * n) + K + E + W)) as [G | G]; [unfold Y in G; lra|]. exfalso.
    assert (exp (K + E + W - Y) < exp (- ln (4 * n))) by (apply exp_increasing; lra).
    rewrite exp_Ropp, exp_ln in H by lra.
    assert (n * (2 * exp (K + E + W - Y)) < n * (2 * / (4 * n))) by (apply Rmult_lt_compat_l; lra).
    replace (n * (2 * / (4 * n))) with (1 / 2) in H0 by (field; lra). lra. }
  assert (All : d <= score + 4 * (ln (4 * n) + K + E + W)).
  { unfold d. apply Rabs_le. lra. }
  unfold far_lse_error. cbv zeta. fold d E K. set (q := far_lse_share ua merges) in *.
  set (W' := (18 + 7 * ((1 + 20 * ua) * size + 1) + merges * (14 + 2 * ((1 + 20 * ua) * size + 1))) * ua).
  assert (EW : 4 * W = 4 * W' + q * d) by (unfold W, W', R1, q, far_lse_share; ring).
  apply Rmult_le_reg_r with (1 - q); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
  unfold E in *. lra.
Qed.

End FarRows.
