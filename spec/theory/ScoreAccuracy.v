(** * ScoreAccuracy: lemmas Softcap and Bias of bounds.md

    Purpose. From the raw score to the score: c tanh (raw / c), and the addition of a bias. The
    definitions are the expressions of reference/bounds/lemmas/step-errors.ts.

    Main results.
    - [tanh_bound]      the error of tanh (raw / c), the slope taken at the end nearest zero
    - [softcap_bound]   c times it
    - [bias_bound]      s = capped + bias, the bias rounded to the storage format

    Dependencies. SumModel.v; Gradient.v for the derivative of tanh. *)

From Coq Require Import Reals Lra.
From Flocq Require Import Core.
From Coquelicot Require Import Coquelicot.
From Xattn Require Gradient.
From Xattn Require Import SumModel.
Open Scope R_scope.

Definition tanh_argument (us tiny cap raw error : R) : R :=
  error / cap + 3 * us * (raw + error) / cap + tiny.

(** [least]: the smallest |raw| may be. *)
Definition tanh_error (us tiny utanh cap raw least error : R) : R :=
  let argument := tanh_argument us tiny cap raw error in
  let steepest := tanh (Rmax 0 (least / cap - argument)) in
  Rmin 2 (argument * Rmin 1 (1 - steepest * steepest)) + utanh.

Definition softcap_error (us tiny cap capped terror : R) : R :=
  cap * terror + 3 * us * (capped + cap * terror) + tiny.

Definition bias_error (us ust tiny stiny score capped bias error : R) : R :=
  let added := error + ust * bias + stiny in
  added + us * (score + capped + bias + added) + tiny.

Lemma tanh_range : forall x, -1 < tanh x < 1.
Proof.
  intros x. unfold tanh, sinh, cosh. pose proof (exp_pos x). pose proof (exp_pos (- x)).
  replace ((exp x - exp (- x)) / 2 / ((exp x + exp (- x)) / 2))
    with ((exp x - exp (- x)) * / (exp x + exp (- x))) by (field; lra).
  split; (apply Rmult_lt_reg_r with (exp x + exp (- x)); [lra|]); rewrite Rmult_assoc, Rinv_l; lra.
Qed.

Lemma tanh_le : forall a b, a <= b -> tanh a <= tanh b.
Proof.
  intros a b [H | ->]; [|lra].
  destruct (MVT_gen tanh a b (fun x => 1 - tanh x ^ 2)) as (c & _ & E).
  - intros x _. apply Gradient.derive_tanh.
  - intros x _. apply continuity_pt_filterlim, (ex_derive_continuous tanh).
    exists (1 - tanh x ^ 2). apply Gradient.derive_tanh.
  - pose proof (tanh_range c). assert (0 <= (1 - tanh c ^ 2) * (b - a)) by (apply Rmult_le_pos; nra). lra.
Qed.

Lemma tanh_0 : tanh 0 = 0.
Proof. unfold tanh. rewrite sinh_0. unfold Rdiv. ring. Qed.

Lemma tanh_pos : forall x, 0 <= x -> 0 <= tanh x.
Proof. intros x H. pose proof (tanh_le 0 x H) as L. rewrite tanh_0 in L. exact L. Qed.

Lemma tanh_neg : forall x, tanh (- x) = - tanh x.
Proof. intros x. unfold tanh, sinh, cosh. rewrite Ropp_involutive. field. pose proof (exp_pos x). pose proof (exp_pos (- x)). lra. Qed.

(** tanh moves by at most the argument times its slope at the end nearest zero. *)
Lemma tanh_moves : forall x y d, Rabs (y - x) <= d ->
  let steepest := tanh (Rmax 0 (Rabs x - d)) in
  Rabs (tanh y - tanh x) <= d * Rmin 1 (1 - steepest * steepest).
Proof.
  intros x y d H steepest.
  destruct (MVT_gen tanh x y (fun t => 1 - tanh t ^ 2)) as (c & C & E).
  - intros t _. apply Gradient.derive_tanh.
  - intros t _. apply continuity_pt_filterlim, (ex_derive_continuous tanh).
    exists (1 - tanh t ^ 2). apply Gradient.derive_tanh.
  - rewrite E, Rabs_mult. pose proof (tanh_range c).
    rewrite (Rabs_pos_eq (1 - _)) by nra. rewrite Rmult_comm.
    apply Rmult_le_compat; [apply Rabs_pos | nra | exact H |].
    assert (Near : Rabs x - d <= Rabs c).
    { assert (Rabs (c - x) <= Rabs (y - x)).
      { unfold Rmin, Rmax in C. destruct (Rle_dec x y).
        - rewrite !Rabs_pos_eq; lra.
        - rewrite (Rabs_left1 (c - x)), (Rabs_left1 (y - x)); lra. }
      pose proof (Rabs_triang (x - c) c) as T. replace (x - c + c) with x in T by ring.
      rewrite (Rabs_minus_sym x c) in T. lra. }
    assert (S : 0 <= steepest <= Rabs (tanh c)).
    { unfold steepest. split.
      - apply tanh_pos, Rmax_l.
      - assert (A : Rabs (tanh c) = tanh (Rabs c)).
        { destruct (Rle_lt_dec 0 c) as [P | P].
          - rewrite (Rabs_pos_eq c) by lra. now apply Rabs_pos_eq, tanh_pos.
          - rewrite (Rabs_left c), tanh_neg by lra. apply Rabs_left1.
            pose proof (tanh_le c 0 ltac:(lra)) as N. rewrite tanh_0 in N. exact N. }
        rewrite A. apply tanh_le, Rmax_lub; [apply Rabs_pos | exact Near]. }
    apply Rmin_glb; [nra|].
    assert (steepest * steepest <= Rabs (tanh c) * Rabs (tanh c)) by (apply Rmult_le_compat; lra).
    rewrite <- Rabs_mult, Rabs_pos_eq in H1 by nra. lra.
Qed.

(** The argument raw / c with two roundings (the quotient, or a rounded reciprocal and a product). *)
Theorem tanh_bound : forall us tiny utanh cap raw least error x d1 d2 e a t, 0 <= us <= 1 -> 0 < cap ->
  0 <= tiny -> least <= Rabs raw -> Rabs (x - raw) <= error ->
  Rabs d1 <= us -> Rabs d2 <= us -> Rabs e <= tiny -> a = x / cap * (1 + d1) * (1 + d2) + e ->
  Rabs (t - tanh a) <= utanh ->
  Rabs (t - tanh (raw / cap)) <= tanh_error us tiny utanh cap (Rabs raw) least error.
Proof.
  intros us tiny utanh cap raw least error x d1 d2 e a t U HC HT L X D1 D2 E -> T.
  set (a := x / cap * (1 + d1) * (1 + d2) + e) in *. unfold tanh_error.
  set (arg := tanh_argument us tiny cap (Rabs raw) error).
  assert (IC : 0 < / cap) by (apply Rinv_0_lt_compat, HC).
  assert (Ax : Rabs x <= Rabs raw + error).
  { pose proof (Rabs_triang (x - raw) raw) as G. replace (x - raw + raw) with x in G by ring. lra. }
  assert (A : Rabs (a - raw / cap) <= arg).
  { unfold a, arg, tanh_argument.
    replace (x / cap * (1 + d1) * (1 + d2) + e - raw / cap)
      with ((x - raw) / cap + x / cap * (d1 + d2 + d1 * d2) + e) by (field; lra).
    assert (D : Rabs (d1 + d2 + d1 * d2) <= 3 * us).
    { pose proof (Rabs_triang (d1 + d2) (d1 * d2)). pose proof (Rabs_triang d1 d2).
      rewrite (Rabs_mult d1 d2) in *. pose proof (Rmult_le_compat _ _ _ _ (Rabs_pos d1) (Rabs_pos d2) D1 D2).
      assert (us * us <= us * 1) by (apply Rmult_le_compat_l; lra). lra. }
    pose proof (Rabs_triang ((x - raw) / cap + x / cap * (d1 + d2 + d1 * d2)) e) as T1.
    pose proof (Rabs_triang ((x - raw) / cap) (x / cap * (d1 + d2 + d1 * d2))) as T2.
    unfold Rdiv in *. rewrite !Rabs_mult, (Rabs_pos_eq (/ cap)) in * by lra.
    assert (Rabs (x - raw) * / cap <= error * / cap) by (apply Rmult_le_compat_r; lra).
    assert (Rabs x * / cap * Rabs (d1 + d2 + d1 * d2) <= (Rabs raw + error) * / cap * (3 * us)).
    { apply Rmult_le_compat; [apply Rmult_le_pos; [apply Rabs_pos | lra] | apply Rabs_pos | | exact D].
      apply Rmult_le_compat_r; lra. }
    lra. }
  pose proof (tanh_moves _ _ _ A) as M. cbv zeta in M.
  assert (S : tanh (Rmax 0 (least / cap - arg)) <= tanh (Rmax 0 (Rabs (raw / cap) - arg))).
  { apply tanh_le, Rle_max_compat_l. unfold Rdiv. rewrite Rabs_mult, (Rabs_pos_eq (/ cap)) by lra.
    apply Rplus_le_compat_r, Rmult_le_compat_r; lra. }
  assert (S0 : 0 <= tanh (Rmax 0 (least / cap - arg))) by apply tanh_pos, Rmax_l.
  cbv zeta. set (p := tanh (Rmax 0 (least / cap - arg))) in *.
  set (q := tanh (Rmax 0 (Rabs (raw / cap) - arg))) in *.
  assert (A0 : 0 <= arg) by (eapply Rle_trans; [apply Rabs_pos | exact A]).
  assert (P : Rmin 1 (1 - q * q) <= Rmin 1 (1 - p * p)) by (apply Rle_min_compat_l; nra).
  pose proof (Rmult_le_compat_l _ _ _ A0 P).
  replace (t - tanh (raw / cap)) with ((t - tanh a) + (tanh a - tanh (raw / cap))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rplus_comm. apply Rplus_le_compat; [|exact T].
  apply Rmin_glb; [|lra]. pose proof (tanh_range a). pose proof (tanh_range (raw / cap)).
  apply Rabs_le. lra.
Qed.

(** The product with c, two roundings (a rounded constant). *)
Theorem softcap_bound : forall us tiny cap t th terror d1 d2 e y, 0 <= us <= 1 -> 0 < cap -> 0 <= tiny ->
  Rabs (t - th) <= terror -> Rabs d1 <= us -> Rabs d2 <= us -> Rabs e <= tiny ->
  y = cap * t * (1 + d1) * (1 + d2) + e ->
  Rabs (y - cap * th) <= softcap_error us tiny cap (Rabs (cap * th)) terror.
Proof.
  intros us tiny cap t th terror d1 d2 e y U HC HT T D1 D2 E ->. unfold softcap_error.
  replace (cap * t * (1 + d1) * (1 + d2) + e - cap * th)
    with (cap * (t - th) + cap * t * (d1 + d2 + d1 * d2) + e) by ring.
  assert (D : Rabs (d1 + d2 + d1 * d2) <= 3 * us).
  { pose proof (Rabs_triang (d1 + d2) (d1 * d2)). pose proof (Rabs_triang d1 d2).
    rewrite (Rabs_mult d1 d2) in *. pose proof (Rmult_le_compat _ _ _ _ (Rabs_pos d1) (Rabs_pos d2) D1 D2).
    assert (us * us <= us * 1) by (apply Rmult_le_compat_l; lra). lra. }
  assert (M : Rabs (cap * (t - th)) <= cap * terror).
  { rewrite Rabs_mult, (Rabs_pos_eq cap) by lra. apply Rmult_le_compat_l; lra. }
  assert (C : Rabs (cap * t) <= Rabs (cap * th) + cap * terror).
  { pose proof (Rabs_triang (cap * (t - th)) (cap * th)) as G.
    replace (cap * (t - th) + cap * th) with (cap * t) in G by ring. lra. }
  pose proof (Rabs_triang (cap * (t - th) + cap * t * (d1 + d2 + d1 * d2)) e).
  pose proof (Rabs_triang (cap * (t - th)) (cap * t * (d1 + d2 + d1 * d2))).
  rewrite (Rabs_mult (cap * t)) in *.
  pose proof (Rmult_le_compat _ _ _ _ (Rabs_pos _) (Rabs_pos _) C D). lra.
Qed.

Theorem bias_bound : forall us ust tiny stiny capped x error bias b y, 0 <= us -> 0 <= ust ->
  Rabs (x - capped) <= error -> rounds ust stiny bias b -> rounds us tiny (x + b) y ->
  Rabs (y - (capped + bias)) <= bias_error us ust tiny stiny (Rabs (capped + bias)) (Rabs capped)
    (Rabs bias) error.
Proof.
  intros us ust tiny stiny capped x error bias b y U UST X B Y. unfold rounds, bias_error in *. cbv zeta.
  set (added := error + ust * Rabs bias + stiny).
  assert (A : Rabs (x + b - (capped + bias)) <= added).
  { replace (x + b - (capped + bias)) with ((x - capped) + (b - bias)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold added. lra. }
  assert (S : Rabs (x + b) <= Rabs (capped + bias) + added).
  { pose proof (Rabs_triang (x + b - (capped + bias)) (capped + bias)) as G.
    replace (x + b - (capped + bias) + (capped + bias)) with (x + b) in G by ring. lra. }
  replace (y - (capped + bias)) with ((y - (x + b)) + (x + b - (capped + bias))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. pose proof (Rabs_pos capped). pose proof (Rabs_pos bias).
  assert (us * Rabs (x + b) <= us * (Rabs (capped + bias) + Rabs capped + Rabs bias + added))
    by (apply Rmult_le_compat_l; lra). lra.
Qed.
