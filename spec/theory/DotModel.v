(** * DotModel: dot products as kernels compute them

    Purpose. A dot product takes each pair of operands, each perhaps rounded or carried from an
    earlier step with an error, multiplies, and sums in any order. A fused multiply-add is the case in
    which the product is exact and only the sum rounds.

    Main results.
    - [dot_any]        the model; [dot_fma] and [dot_loop] are among it
    - [operand]        a stored operand: factors of total budget T and an absolute error e

    Dependencies. Growth.v, SumModel.v. *)

From Coq Require Import Reals Lra List.
From Xattn Require Import Growth SumModel.
Import ListNotations.
Open Scope R_scope.

(** An operand x as it enters a product: rounded by factors of total budget T, off by e. *)
Definition operand (T e x y : R) : Prop := exists f a, factor T f /\ Rabs a <= e /\ y = x * f + a.

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

(** A rounding is an operand with budget u and error h. *)
Lemma rounds_operand : forall u h x y, 0 <= u -> 0 <= h -> rounds u h x y -> operand u h x y.
Proof.
  intros u h x y U H R. destruct (rounds_split u h x y U H R) as (d & e & D & E & ->).
  exists (1 + d), e. split; [apply factor_round, D | split; [exact E | reflexivity]].
Qed.

Lemma operand_exact : forall x, operand 0 0 x x.
Proof.
  intros x. exists 1, 0. rewrite Rabs_R0. split; [apply factor_1; lra | split; [lra | ring]].
Qed.
