(** * SigmoidAccuracy: what a sigmoid of two log-sum-exps and its logarithm lose

    Purpose. SigmoidMerge.v asks of a merge's weight and of its log-sum-exp that they be near the exact ones
    of the two log-sum-exps merged. Programs compute 1 / (1 + exp (La - Lb)), and La - log sigmoid (La - Lb) as
    La - (min (0, d) - log (1 + exp (-|d|))), d = La - Lb; La + softplus (Lb - La) is the same. Their
    exponentials are those of ExpAccuracy.v, in base e or 2; a quotient is within 2.5 ULP, a logarithm of a
    number from 1 to 2 within 8 u, as WGSL has them.

    Main results.
    - [sigmoid_weight]   the weight is within 10 u + eta of exp Lb / (exp La + exp Lb)
    - [sigmoid_lse]      the log-sum-exp is within [sigmoid_rounding] of log (exp La + exp Lb)
    - [sigmoid_scaled]   1 - the weight, computed as the other sigmoid, likewise: what scales O where a sink is
                         the other part

    Conditions. u at most 2^-16, eta at most u/32; the exponential's budget at most 1/2, as it is where
    [granted] of SigmoidBound.v is, with two keys ([budget_granted]).

    Dependencies. AttentionModel.v (the exponential), SigmoidMerge.v; Kernels.v for Coq-Interval. *)

From Coq Require Import Reals Lra.
From Flocq Require Import Core.
From Interval Require Tactic.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel AttentionModel SigmoidMerge.
Import Kernels.StdInterval.
Open Scope R_scope.

(** 1 / (1 + e), e an exponential of La - Lb. *)
Definition computes_sigmoid (ua eta La Lb w : R) : Prop :=
  exists e t, exponential ((6 + 9 * Rabs (La - Lb)) * ua) eta (exp (La - Lb)) e /\
    Rabs (t - (1 + e)) <= ua * (1 + e) /\ Rabs (w - / t) <= 5 * ua * Rabs (/ t) + eta.

(** La - (min (0, d) - log (1 + exp (- |d|))). *)
Definition computes_lse (ua eta La Lb L : R) : Prop :=
  exists d e t g p, Rabs (d - (La - Lb)) <= ua * Rabs (La - Lb) /\
    exponential ((6 + 9 * Rabs d) * ua) eta (exp (- Rabs d)) e /\
    Rabs (t - (1 + e)) <= ua * (1 + e) /\ Rabs (g - ln t) <= 8 * ua /\
    Rabs (p - (Rmin 0 d - g)) <= ua * (Rabs d + Rabs g) /\
    Rabs (L - (La - p)) <= ua * (Rabs La + Rabs p).

(** Steepest near |x| = 1.3, and no steeper for any budget of the exponential. *)
Lemma steepest : forall y, 0 <= y <= 16 -> 6 + 9 * y <= 61 / 20 * (2 + exp y + exp (- y)).
Proof. intros y Y. apply Rminus_le. interval with (Tactic.i_bisect y, Tactic.i_prec 40%positive). Qed.

Lemma steepest_log : forall y, 0 <= y <= 16 -> exp (- y) * (6 + 9 * y) <= 65 / 10.
Proof. intros y Y. interval with (Tactic.i_bisect y, Tactic.i_prec 40%positive). Qed.

Lemma flat : forall y, 16 <= y -> 100 * (6 + 9 * y) <= exp y.
Proof.
  intros y Y. replace (exp y) with (exp 8 * exp (y - 8)) by (rewrite <- exp_plus; f_equal; ring).
  assert (2900 <= exp 8) by Kernels.bound. pose proof (exp_ineq1_le (y - 8)).
  apply Rle_trans with (2900 * (y - 7)); [lra|]. apply Rmult_le_compat; lra.
Qed.

Lemma sigmoid_moves : forall ua x f, 0 < ua <= 1 / 65536 -> (6 + 9 * Rabs x) * ua <= 1 / 2 ->
  factor ((6 + 9 * Rabs x) * ua) f -> 0 <= f ->
  Rabs (/ (1 + exp x * f) - / (1 + exp x)) <= 31 / 10 * ua.
Proof.
  intros ua x f U B F F0. set (T := (6 + 9 * Rabs x) * ua) in *. pose proof (Rabs_pos x) as X0.
  assert (T0 : 0 <= T) by (apply Rmult_le_pos; lra). unfold factor in F.
  pose proof (exp_pos x) as E0. set (E := exp x) in *. set (G := exp T - 1) in *.
  (* the budget *)
  assert (G2 : G <= 2 * T).
  { unfold G. pose proof (exp_ineq1_le (- T)) as Q. rewrite exp_Ropp in Q. pose proof (exp_pos T) as P.
    apply (Rmult_le_compat_r (exp T)) in Q; [|lra]. rewrite Rinv_l in Q by lra.
    assert (T * exp T <= T * 2).
    { apply Rmult_le_compat_l; [exact T0|]. apply Rle_trans with (exp (1 / 2)); [apply exp_le; exact B | Kernels.bound]. }
    lra. }
  assert (G65 : G <= 65 / 100).
  { unfold G. assert (exp T <= exp (1 / 2)) by (apply exp_le; exact B). assert (exp (1 / 2) <= 165 / 100) by Kernels.bound. lra. }
  assert (G0 : 0 <= G) by (unfold G; pose proof (exp_ge_1 T T0); lra).
  pose proof (Rabs_le_inv _ _ F) as [Fl Fu].
  assert (D1 : (1 - G) * (1 + E) <= 1 + E * f).
  { assert (0 <= E * (f - (1 - G))) by (apply Rmult_le_pos; lra). assert (0 <= G) by lra. lra. }
  assert (D0 : 0 < (1 - G) * (1 + E)) by (apply Rmult_lt_0_compat; lra).
  assert (P1 : 0 < 1 + E * f) by lra.
  replace (/ (1 + E * f) - / (1 + E)) with (- (E * (f - 1)) * / ((1 + E * f) * (1 + E))) by (field; lra).
  rewrite Rabs_mult, Rabs_Ropp, Rabs_mult, (Rabs_pos_eq E) by lra.
  rewrite (Rabs_pos_eq (/ _)) by (left; apply Rinv_0_lt_compat, Rmult_lt_0_compat; lra).
  apply Rmult_le_reg_r with ((1 + E * f) * (1 + E)); [apply Rmult_lt_0_compat; lra|].
  rewrite Rmult_assoc, Rinv_l, Rmult_1_r by (apply Rgt_not_eq, Rmult_lt_0_compat; lra).
  (* E + 1/E and |x| *)
  assert (S : exp (Rabs x) + exp (- Rabs x) = E + / E).
  { unfold E, Rabs. destruct (Rcase_abs x).
    - rewrite exp_Ropp, Ropp_involutive. ring.
    - rewrite exp_Ropp. ring. }
  assert (Sq : (1 + E) * (1 + E) = E * (2 + exp (Rabs x) + exp (- Rabs x))).
  { rewrite (Rplus_assoc 2), S. field. lra. }
  assert (Main : E * G <= 31 / 10 * ua * ((1 - G) * ((1 + E) * (1 + E)))).
  { rewrite Sq. replace (31 / 10 * ua * ((1 - G) * (E * (2 + exp (Rabs x) + exp (- Rabs x)))))
      with (E * (31 / 10 * ua * ((1 - G) * (2 + exp (Rabs x) + exp (- Rabs x))))) by ring.
    apply Rmult_le_compat_l; [lra|]. pose proof (exp_pos (- Rabs x)).
    destruct (Rle_lt_dec (Rabs x) 16) as [C | C].
    - pose proof (steepest (Rabs x) (conj X0 C)) as St. set (W := 2 + exp (Rabs x) + exp (- Rabs x)) in *.
      assert (Ts : T <= 150 / 65536) by (unfold T; apply Rle_trans with ((6 + 9 * 16) * (1 / 65536)); [apply Rmult_le_compat; lra | lra]).
      assert (Gs : G <= 302 / 300 * T).
      { unfold G. pose proof (exp_ineq1_le (- T)) as Q. rewrite exp_Ropp in Q. pose proof (exp_pos T) as P.
        apply (Rmult_le_compat_r (exp T)) in Q; [|lra]. rewrite Rinv_l in Q by lra.
        assert (T * exp T <= T * (302 / 300)).
        { apply Rmult_le_compat_l; [exact T0|]. apply Rle_trans with (exp (150 / 65536)); [apply exp_le; exact Ts | Kernels.bound]. }
        lra. }
      assert (TH : T <= 61 / 20 * (ua * W)).
      { unfold T. replace (61 / 20 * (ua * W)) with (61 / 20 * W * ua) by ring. apply Rmult_le_compat_r; lra. }
      assert (0 <= ua * W) by lra.
      assert ((1 - G) * (ua * W) >= (1 - 5 / 1000) * (ua * W)) by (apply Rle_ge, Rmult_le_compat_r; lra). lra.
    - pose proof (flat (Rabs x) ltac:(lra)) as Fl'. set (W := 2 + exp (Rabs x) + exp (- Rabs x)) in *.
      assert (TH : 100 * T <= ua * W).
      { unfold T. replace (100 * ((6 + 9 * Rabs x) * ua)) with (ua * (100 * (6 + 9 * Rabs x))) by ring.
        apply Rmult_le_compat_l; unfold W; lra. }
      assert ((1 - G) * (ua * W) >= 35 / 100 * (ua * W)) by (apply Rle_ge, Rmult_le_compat_r; lra). lra. }
  assert (EF : E * Rabs (f - 1) <= E * G) by (apply Rmult_le_compat_l; lra).
  assert (31 / 10 * ua * ((1 - G) * (1 + E) * (1 + E)) <= 31 / 10 * ua * ((1 + E * f) * (1 + E))).
  { apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_r; lra. }
  lra.
Qed.

Theorem sigmoid_weight : forall ua eta La Lb w, 0 < ua <= 1 / 65536 -> 0 <= eta <= ua / 32 ->
  (22 + 9 * Rabs (La - Lb)) * ua <= 1 / 2 -> computes_sigmoid ua eta La Lb w ->
  Rabs (w - exp Lb / (exp La + exp Lb)) <= 10 * ua + eta.
Proof.
  intros ua eta La Lb w U Ee B (e & t & (f & h & F & F0 & Eh & EF & ->) & Rt & Rw).
  assert (Share : exp Lb / (exp La + exp Lb) = / (1 + exp (La - Lb))).
  { unfold Rminus. rewrite exp_plus, exp_Ropp. pose proof (exp_pos La). pose proof (exp_pos Lb). field. lra. }
  rewrite Share. pose proof (sigmoid_moves ua (La - Lb) f U ltac:(lra) F F0) as Mv. set (x := La - Lb) in *.
  pose proof (exp_pos x) as E0. assert (Ef : 0 <= exp x * f) by (apply Rmult_le_pos; lra).
  set (y := exp x * f) in *. pose proof (Rabs_le_inv _ _ EF) as [Hl _]. set (z := y + h) in *.
  assert (Z0 : 0 <= z) by (unfold z; lra).
  assert (M2 : Rabs (/ (1 + z) - / (1 + y)) <= eta).
  { replace (/ (1 + z) - / (1 + y)) with (- h * / ((1 + z) * (1 + y))) by (unfold z in *; field; lra).
    rewrite Rabs_mult, Rabs_Ropp. rewrite <- (Rmult_1_r eta).
    apply Rmult_le_compat; try apply Rabs_pos; [exact Eh|].
    rewrite Rabs_pos_eq by (left; apply Rinv_0_lt_compat, Rmult_lt_0_compat; lra).
    rewrite <- Rinv_1. apply Rinv_le_contravar; [lra|]. assert (1 * 1 <= (1 + z) * (1 + y)) by (apply Rmult_le_compat; lra). lra. }
  apply Rabs_le_inv in Rt.
  assert (T1 : (1 - ua) * (1 + z) <= t) by lra.
  assert (T0 : 1 - ua <= (1 - ua) * (1 + z)) by (assert ((1 - ua) * 1 <= (1 - ua) * (1 + z)) by (apply Rmult_le_compat_l; lra); lra).
  assert (It : / t <= 1001 / 1000).
  { apply Rle_trans with (/ (1 - ua)); [apply Rinv_le_contravar; lra|].
    apply Rmult_le_reg_r with (1 - ua); [lra|]. rewrite Rinv_l by lra. lra. }
  assert (It0 : 0 < / t) by (apply Rinv_0_lt_compat; lra).
  assert (M3 : Rabs (/ t - / (1 + z)) <= 1001 / 1000 * ua).
  { replace (/ t - / (1 + z)) with (- ((t - (1 + z)) * / (1 + z)) * / t) by (field; lra).
    rewrite Rabs_mult, Rabs_Ropp, Rabs_mult, (Rabs_pos_eq (/ t)), (Rabs_pos_eq (/ (1 + z)))
      by (left; apply Rinv_0_lt_compat; lra).
    rewrite (Rmult_comm (1001 / 1000)). apply Rmult_le_compat; try lra.
    - apply Rmult_le_pos; [apply Rabs_pos | left; apply Rinv_0_lt_compat; lra].
    - apply Rmult_le_reg_r with (1 + z); [lra|]. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. apply Rabs_le. lra. }
  rewrite (Rabs_pos_eq (/ t)) in Rw by lra.
  assert (5 * ua * / t <= 5 * ua * (1001 / 1000)) by (apply Rmult_le_compat_l; lra).
  replace (w - / (1 + exp x)) with ((w - / t) + (/ t - / (1 + z)) + (/ (1 + z) - / (1 + y)) + (/ (1 + y) - / (1 + exp x))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|].
  eapply Rle_trans; [apply Rplus_le_compat_r, Rplus_le_compat_r, Rabs_triang|]. lra.
Qed.

(** The other sigmoid, of the part that is kept. *)
Theorem sigmoid_scaled : forall ua eta La Lb w, 0 < ua <= 1 / 65536 -> 0 <= eta <= ua / 32 ->
  (22 + 9 * Rabs (La - Lb)) * ua <= 1 / 2 -> computes_sigmoid ua eta Lb La w ->
  Rabs (w - exp La / (exp La + exp Lb)) <= 10 * ua + eta.
Proof.
  intros ua eta La Lb w U E B S. rewrite (Rplus_comm (exp La)). apply sigmoid_weight; try assumption.
  now rewrite Rabs_minus_sym.
Qed.

(** An exponential of -y in 1 + exp (-y), for any y of whatever budget. *)
Lemma softplus_moves : forall ua y f, 0 < ua <= 1 / 65536 -> 0 <= y -> (6 + 9 * y) * ua <= 1 / 2 ->
  factor ((6 + 9 * y) * ua) f -> Rabs (exp (- y) * (f - 1)) <= 66 / 10 * ua.
Proof.
  intros ua y f U Y B F. unfold factor in F. set (T := (6 + 9 * y) * ua) in *.
  assert (T0 : 0 <= T) by (apply Rmult_le_pos; lra).
  assert (G : forall k, exp T <= k -> exp T - 1 <= k * T).
  { intros k K. pose proof (exp_ineq1_le (- T)) as Q. rewrite exp_Ropp in Q. pose proof (exp_pos T) as P.
    apply (Rmult_le_compat_r (exp T)) in Q; [|lra]. rewrite Rinv_l in Q by lra.
    assert (T * exp T <= T * k) by (apply Rmult_le_compat_l; assumption). lra. }
  pose proof (exp_pos (- y)) as E0. rewrite Rabs_mult, (Rabs_pos_eq (exp _)) by lra.
  destruct (Rle_lt_dec y 16) as [C | C].
  - assert (Ts : T <= 150 / 65536) by (unfold T; apply Rle_trans with ((6 + 9 * 16) * (1 / 65536)); [apply Rmult_le_compat; lra | lra]).
    assert (K : exp T <= 302 / 300) by (apply Rle_trans with (exp (150 / 65536)); [apply exp_le; exact Ts | Kernels.bound]).
    pose proof (G _ K). pose proof (steepest_log y (conj Y C)).
    apply Rle_trans with (exp (- y) * (302 / 300 * T)); [apply Rmult_le_compat_l; lra|]. unfold T.
    replace (exp (- y) * (302 / 300 * ((6 + 9 * y) * ua))) with (302 / 300 * ua * (exp (- y) * (6 + 9 * y))) by ring.
    assert (302 / 300 * ua * (exp (- y) * (6 + 9 * y)) <= 302 / 300 * ua * (65 / 10)) by (apply Rmult_le_compat_l; lra). lra.
  - assert (K : exp T <= 2) by (apply Rle_trans with (exp (1 / 2)); [apply exp_le; exact B | Kernels.bound]).
    pose proof (G _ K). pose proof (flat y ltac:(lra)) as Fl.
    apply Rle_trans with (exp (- y) * (2 * T)); [apply Rmult_le_compat_l; lra|].
    assert (Q : exp (- y) * (100 * (6 + 9 * y)) <= 1).
    { apply Rle_trans with (exp (- y) * exp y); [apply Rmult_le_compat_l; lra|].
      rewrite <- exp_plus. replace (- y + y) with 0 by ring. rewrite exp_0. lra. }
    unfold T. replace (exp (- y) * (2 * ((6 + 9 * y) * ua))) with (ua / 50 * (exp (- y) * (100 * (6 + 9 * y)))) by field.
    assert (ua / 50 * (exp (- y) * (100 * (6 + 9 * y))) <= ua / 50 * 1) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma ln_near : forall a b d, 1 <= a -> 0 < b -> Rabs (b - a) <= d -> d <= 1 / 4 -> Rabs (ln b - ln a) <= d + 2 * (d * d).
Proof.
  intros a b d A B D S. apply Rabs_le_inv in D. assert (D0 : 0 <= d) by lra.
  assert (Up : forall x y, 0 < x -> 0 < y -> ln y - ln x <= (y - x) / x).
  { intros x y X Y. pose proof (exp_ineq1_le (ln y - ln x)) as E.
    replace (exp (ln y - ln x)) with (y * / x) in E
      by (unfold Rminus; rewrite exp_plus, exp_Ropp, !exp_ln by assumption; reflexivity).
    replace ((y - x) / x) with (y * / x - 1) by (field; lra). lra. }
  apply Rabs_le. split.
  - pose proof (Up b a B ltac:(lra)) as Q. assert (Bl : a - d <= b) by lra.
    assert ((a - b) / b <= d + 2 * (d * d)); [|lra].
    apply Rmult_le_reg_r with b; [exact B|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
    assert ((d + 2 * (d * d)) * (1 - d) <= (d + 2 * (d * d)) * b) by (apply Rmult_le_compat_l; [pose proof (Rmult_le_pos d d D0 D0); lra | lra]).
    assert (0 <= d * d * (1 - 2 * d)) by (repeat apply Rmult_le_pos; lra). lra.
  - pose proof (Up a b ltac:(lra) B) as Q. assert ((b - a) / a <= d).
    { apply Rmult_le_reg_r with a; [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra.
      assert (d * 1 <= d * a) by (apply Rmult_le_compat_l; lra). lra. }
    pose proof (Rmult_le_pos d d D0 D0). lra.
Qed.

(** log (exp La + exp Lb), as programs write it; it moves by no more than d does. *)
Definition softplus (d : R) : R := Rmin 0 d - ln (1 + exp (- Rabs d)).

Lemma softplus_is : forall d, softplus d = - ln (1 + exp (- d)).
Proof.
  intros d. unfold softplus, Rmin, Rabs. destruct (Rle_dec 0 d); destruct (Rcase_abs d); try lra.
  rewrite Ropp_involutive, exp_Ropp. pose proof (exp_pos d).
  replace (1 + / exp d) with ((1 + exp d) * / exp d) by (field; lra).
  rewrite ln_mult, ln_Rinv, ln_exp by (try apply Rinv_0_lt_compat; lra). ring.
Qed.

Lemma softplus_lse : forall La Lb, ln (exp La + exp Lb) = La - softplus (La - Lb).
Proof.
  intros La Lb. rewrite softplus_is. pose proof (exp_pos La). pose proof (exp_pos Lb).
  replace (exp La + exp Lb) with (exp La * (1 + exp (- (La - Lb)))).
  - rewrite ln_mult, ln_exp by (try apply exp_pos; pose proof (exp_pos (- (La - Lb))); lra). ring.
  - replace (- (La - Lb)) with (Lb - La) by ring. unfold Rminus. rewrite exp_plus, exp_Ropp. field. lra.
Qed.

Lemma softplus_lipschitz : forall a b, Rabs (softplus a - softplus b) <= Rabs (a - b).
Proof.
  assert (H : forall a b, a <= b -> 0 <= softplus b - softplus a <= b - a).
  { intros a b L. rewrite !softplus_is. pose proof (exp_pos (- a)) as Pa. pose proof (exp_pos (- b)) as Pb.
    assert (E : exp (- b) <= exp (- a)) by (apply exp_le; lra). split.
    - assert (ln (1 + exp (- b)) <= ln (1 + exp (- a))) by (destruct E as [E | ->]; [left; apply ln_increasing; lra | lra]). lra.
    - assert (Q : ln (1 + exp (- a)) <= ln ((1 + exp (- b)) * exp (b - a))).
      { assert (Le : 1 + exp (- a) <= (1 + exp (- b)) * exp (b - a)).
        { rewrite Rmult_plus_distr_r, <- exp_plus. replace (- b + (b - a)) with (- a) by ring.
          pose proof (exp_ge_1 (b - a) ltac:(lra)). lra. }
        destruct Le as [Le | ->]; [left; apply ln_increasing; lra | lra]. }
      rewrite ln_mult, ln_exp in Q by (try apply exp_pos; lra). lra. }
  intros a b. destruct (Rle_lt_dec a b) as [L | L].
  - pose proof (H a b L). rewrite (Rabs_left1 (softplus a - softplus b)), (Rabs_left1 (a - b)) by lra. lra.
  - pose proof (H b a ltac:(lra)). rewrite (Rabs_pos_eq (softplus a - softplus b)), (Rabs_pos_eq (a - b)) by lra. lra.
Qed.

Theorem sigmoid_lse : forall ua eta La Lb L, 0 < ua <= 1 / 65536 -> 0 <= eta <= ua / 32 ->
  (22 + 9 * Rabs (La - Lb)) * ua <= 1 / 2 -> computes_lse ua eta La Lb L ->
  Rabs (L - ln (exp La + exp Lb)) <= sigmoid_rounding ua La Lb.
Proof.
  intros ua eta La Lb L U Ee B (d & e & t & g & p & D & (f & h & F & F0 & Eh & EF & ->) & Rt & Rg & Rp & RL).
  rewrite softplus_lse. unfold sigmoid_rounding. set (x := La - Lb) in *.
  pose proof (Rabs_pos x) as X0. pose proof (Rabs_pos d) as Y0. set (y := Rabs d) in *.
  assert (Dx : y <= Rabs x + ua * Rabs x).
  { unfold y. pose proof (Rabs_triang (d - x) x) as G. replace (d - x + x) with d in G by ring. lra. }
  assert (Ux : ua * Rabs x <= 1 / 65536 * Rabs x) by (apply Rmult_le_compat_r; lra).
  assert (Uux : ua * (ua * Rabs x) <= 1 / 65536 * (ua * Rabs x)) by (apply Rmult_le_compat_r; [apply Rmult_le_pos|]; lra).
  assert (Uy : ua * y <= ua * (Rabs x + ua * Rabs x)) by (apply Rmult_le_compat_l; lra).
  assert (XX : ua * (ua * Rabs x) <= 1 / 18 * ua).
  { rewrite (Rmult_comm (1 / 18)). apply Rmult_le_compat_l; lra. }
  assert (By : (6 + 9 * y) * ua <= 1 / 2) by lra.
  pose proof (softplus_moves ua y f U Y0 By F) as Mv.
  pose proof (exp_pos (- y)) as E0. assert (E1 : exp (- y) <= 1) by (rewrite <- exp_0; apply exp_le; lra).
  set (z := exp (- y) * f + h) in *. pose proof (Rabs_le_inv _ _ EF) as [Hl _].
  assert (Z0 : 0 <= z) by (unfold z; lra).
  assert (Z : Rabs (z - exp (- y)) <= 66 / 10 * ua + eta).
  { replace (z - exp (- y)) with (exp (- y) * (f - 1) + h) by (unfold z; ring).
    eapply Rle_trans; [apply Rabs_triang | lra]. }
  assert (Zm : z <= 2) by (apply Rabs_le_inv in Z; lra).
  assert (Tt : Rabs (t - (1 + exp (- y))) <= 9 * ua).
  { apply Rabs_le_inv in Z. apply Rabs_le_inv in Rt.
    assert (ua * (1 + z) <= ua * (2 + 1 / 1000)) by (apply Rmult_le_compat_l; lra). apply Rabs_le. lra. }
  assert (T0 : 0 < t) by (apply Rabs_le_inv in Tt; lra).
  pose proof (ln_near (1 + exp (- y)) t (9 * ua) ltac:(lra) T0 Tt ltac:(lra)) as Ln.
  assert (UU : ua * ua <= 1 / 65536 * ua) by (apply Rmult_le_compat_r; lra).
  assert (L0 : 0 <= ln (1 + exp (- y)) <= 7 / 10).
  { split.
    - rewrite <- ln_1. left. apply ln_increasing; lra.
    - apply Rle_trans with (ln 2); [|Kernels.bound]. destruct E1 as [E1 | ->]; [left; apply ln_increasing; lra | apply Req_le; f_equal; lra]. }
  set (l := ln (1 + exp (- y))) in *.
  assert (G : Rabs (g - l) <= 17 * ua + 1 / 100 * ua).
  { replace (g - l) with ((g - ln t) + (ln t - l)) by ring. eapply Rle_trans; [apply Rabs_triang | lra]. }
  assert (Ga : Rabs g <= 71 / 100) by (apply Rabs_le_inv in G; apply Rabs_le; lra).
  assert (Mn : Rabs (Rmin 0 d) <= y).
  { unfold y, Rmin. destruct (Rle_dec 0 d); [rewrite Rabs_R0; apply Rabs_pos | lra]. }
  assert (S : Rabs ((Rmin 0 d - g) - softplus x) <= 17 * ua + 1 / 100 * ua + ua * Rabs x).
  { replace ((Rmin 0 d - g) - softplus x) with (- (g - l) + (softplus d - softplus x)) by (unfold softplus; fold y l; ring).
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. pose proof (softplus_lipschitz d x). lra. }
  assert (Pa : Rabs p <= y + 72 / 100 + ua * y).
  { assert (Rabs (Rmin 0 d - g) <= y + 71 / 100).
    { unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
    pose proof (Rabs_triang (p - (Rmin 0 d - g)) (Rmin 0 d - g)) as Tr.
    replace (p - (Rmin 0 d - g) + (Rmin 0 d - g)) with p in Tr by ring.
    assert (ua * (y + Rabs g) <= ua * (y + 71 / 100)) by (apply Rmult_le_compat_l; lra). lra. }
  assert (Rp' : ua * (y + Rabs g) <= ua * (y + 71 / 100)) by (apply Rmult_le_compat_l; lra).
  assert (RL' : ua * (Rabs La + Rabs p) <= ua * (Rabs La + (y + 72 / 100 + ua * y))) by (apply Rmult_le_compat_l; lra).
  assert (Uuy : ua * (ua * y) <= 1 / 65536 * (ua * y)) by (apply Rmult_le_compat_r; [apply Rmult_le_pos|]; lra).
  assert (Xs : Rabs x <= Rabs La + Rabs Lb).
  { unfold x, Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (XU : ua * Rabs x <= ua * (Rabs La + Rabs Lb)) by (apply Rmult_le_compat_l; lra).
  assert (0 <= ua * Rabs La) by (apply Rmult_le_pos; [lra | apply Rabs_pos]).
  assert (0 <= ua * Rabs Lb) by (apply Rmult_le_pos; [lra | apply Rabs_pos]).
  assert (YX : ua * (ua * y) <= 1 / 10 * ua).
  { rewrite (Rmult_comm (1 / 10)). apply Rmult_le_compat_l; lra. }
  replace (L - (La - softplus x)) with ((L - (La - p)) + - ((p - (Rmin 0 d - g)) + ((Rmin 0 d - g) - softplus x))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp.
  pose proof (Rabs_triang (p - (Rmin 0 d - g)) ((Rmin 0 d - g) - softplus x)) as Tr. lra.
Qed.

(** What SigmoidBound.v grants to a row of two keys or more leaves these budgets below 1/2. *)
Theorem budget_granted : forall ua m M La Lb, 0 <= ua -> 2 <= m -> Rabs La <= M -> Rabs Lb <= M ->
  sigmoid_lse_error ua m M <= 1 / 2 -> (22 + 9 * Rabs (La - Lb)) * ua <= 1 / 2.
Proof.
  intros ua m M La Lb U N A B G. unfold sigmoid_lse_error in G. pose proof (Rabs_pos La).
  assert (Rabs (La - Lb) <= 2 * M).
  { unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. lra. }
  assert (0 <= (22 + 9 * M) * ua) by (apply Rmult_le_pos; lra).
  assert (2 * ((22 + 9 * M) * ua) <= m * ((22 + 9 * M) * ua)) by (apply Rmult_le_compat_r; lra).
  assert ((22 + 9 * Rabs (La - Lb)) * ua <= (22 + 18 * M) * ua) by (apply Rmult_le_compat_r; lra). lra.
Qed.
