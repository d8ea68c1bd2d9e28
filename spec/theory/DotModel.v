(** * DotModel: dot products as kernels compute them

    Purpose. A dot product takes each pair of operands, each perhaps rounded or carried from an
    earlier step with an error, multiplies, and sums in any order. A fused multiply-add is the case in
    which the product is exact and only the sum rounds.

    Main results.
    - [dot_any]        the model; [dot_fma]: a loop of fused multiply-adds is among it
    - [operand]        a value that carries factors of total budget T and an absolute error e
    - [operand_round], [operand_scale], [operand_product]   what operations do to it

    Dependencies. Growth.v, SumModel.v. *)

From Coq Require Import Reals Lra List.
From Xattn Require Import Growth SumModel.
Import ListNotations.
Open Scope R_scope.

(** y stands for x up to factors of total budget T and an absolute error e. *)
Definition operand (T e x y : R) : Prop := Rabs (y - x) <= (Rabs x + e) * exp T - Rabs x.

Lemma operand_exact : forall x, operand 0 0 x x.
Proof.
  intros x. unfold operand. rewrite Rminus_diag_eq, Rabs_R0, exp_0 by reflexivity. lra.
Qed.

Lemma operand_abs : forall T e x y, operand T e x y -> Rabs y <= (Rabs x + e) * exp T.
Proof.
  unfold operand. intros T e x y H. pose proof (Rabs_triang (y - x) x) as A.
  replace (y - x + x) with y in A by ring. lra.
Qed.

Lemma operand_weaken : forall T T' e e' x y, T <= T' -> 0 <= e <= e' -> operand T e x y ->
  operand T' e' x y.
Proof.
  unfold operand. intros T T' e e' x y HT He H. pose proof (exp_le _ _ HT). pose proof (exp_pos T).
  pose proof (Rabs_pos x). nra.
Qed.

Lemma operand_scale : forall c T e x y, operand T e x y -> operand T (Rabs c * e) (c * x) (c * y).
Proof.
  unfold operand. intros c T e x y H. replace (c * y - c * x) with (c * (y - x)) by ring.
  rewrite !Rabs_mult. pose proof (Rmult_le_compat_l _ _ _ (Rabs_pos c) H). lra.
Qed.

(** A rounding is an operand with budget u and error h. *)
Lemma rounds_operand : forall u h x y, 0 <= u -> 0 <= h -> rounds u h x y -> operand u h x y.
Proof.
  unfold rounds, operand. intros u h x y U H R. pose proof (exp_ineq1_le u).
  pose proof (exp_ge_1 u U). pose proof (Rabs_pos x). nra.
Qed.

(** One more rounding. *)
Lemma operand_round : forall u h T e x y z, 0 <= u -> 0 <= h -> 0 <= T -> 0 <= e ->
  operand T e x y -> rounds u h y z -> operand (T + u) (e + h) x z.
Proof.
  intros u h T e x y z U H HT He O R. pose proof (operand_abs _ _ _ _ O) as A.
  unfold operand, rounds in *. replace (z - x) with ((z - y) + (y - x)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  pose proof (Rmult_le_compat_l u _ _ U A). pose proof (exp_ge_1 (T + u) ltac:(lra)) as G.
  rewrite exp_plus in *. pose proof (exp_ineq1_le u) as I. pose proof (exp_pos T) as P.
  pose proof (Rabs_pos x). assert (0 <= (Rabs x + e) * exp T) by (apply Rmult_le_pos; lra).
  assert ((Rabs x + e) * exp T * (1 + u) <= (Rabs x + e) * exp T * exp u)
    by (apply Rmult_le_compat_l; lra).
  assert (h * 1 <= h * (exp T * exp u)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

Lemma operand_product : forall T e x y T' e' x' y', 0 <= T -> 0 <= T' -> 0 <= e -> 0 <= e' ->
  operand T e x y -> operand T' e' x' y' ->
  operand (T + T') (Rabs x * e' + Rabs x' * e + e * e') (x * x') (y * y').
Proof.
  intros T e x y T' e' x' y' HT HT' He He' O O'. pose proof (operand_abs _ _ _ _ O') as A'.
  unfold operand in *. rewrite exp_plus, Rabs_mult.
  replace (y * y' - x * x') with ((y - x) * y' + x * (y' - x')) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
  pose proof (Rmult_le_compat _ _ _ _ (Rabs_pos _) (Rabs_pos _) O A').
  pose proof (Rmult_le_compat_l _ _ _ (Rabs_pos x) O'). lra.
Qed.

(** Computed operands p (pairs), their products rounded, and the sum of those in any order. *)
Definition dot_any (u h : R) (ps : list (R * R)) (z : R) : Prop :=
  exists products, Forall2 (fun p x => rounds u h (fst p * snd p) x) ps products /\
    sum_any u h products z.

(** The loop acc = fma(a, b, acc), from the first product. *)
Inductive fma_loop (u h : R) : R -> list (R * R) -> R -> Prop :=
  | fma_end : forall x, fma_loop u h x [] x
  | fma_step : forall acc a b ps acc' z, rounds u h (acc + a * b) acc' -> fma_loop u h acc' ps z ->
      fma_loop u h acc ((a, b) :: ps) z.

Theorem dot_fma : forall u h a b ps p z, 0 <= u -> 0 <= h -> rounds u h (a * b) p ->
  fma_loop u h p ps z -> dot_any u h ((a, b) :: ps) z.
Proof.
  intros u h a b ps p z U H P L. exists (p :: map (fun q => fst q * snd q) ps). split.
  - constructor; [exact P|]. clear L. induction ps as [|[c d] ps IH]; simpl; constructor; [|exact IH].
    apply rounds_exact; assumption.
  - apply sum_left; [exact U|]. clear P. induction L as [|acc c d ps acc' z R L IH]; simpl.
    + constructor.
    + econstructor; [exact R | exact IH].
Qed.

