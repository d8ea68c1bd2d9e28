(** * SumModel: rounded operations and sums in any order

    Purpose. What "computed" means in the accuracy theorems. An operation whose exact result is x may
    return any y with |y - x| <= u|x| + h: u its unit roundoff, h what may be lost to underflow or to
    a flush to zero. This covers rounding to nearest, truncation and any faithful rounding; nothing
    else is assumed, and that floating point numbers satisfy it is proved here from Flocq.

    Main results.
    - [nearest_rounds]   an IEEE operation rounded to nearest, ties either way: u = 2^-p, h = half the
                         smallest subnormal
    - [faithful_rounds]  any rounding, truncation included: u = 2^(1-p), h = the smallest subnormal
    - [nearest_add], [faithful_add]   additions lose nothing to underflow: h = 0
    - [flush_rounds]     a result below omega flushed to zero: h = omega
    - [sum_any]          sums of a list: any order, any tree, any blocking (LAProof's sum_any)
    - [float_sum_nearest], [float_sum_faithful]   floating point sums are among them, with h = 0
    - [sum_left], [sum_blocks]   the sequential loop and the blocked sum are among them

    An addition is granted an error relative to the sizes of what it adds up, not of its result: that
    is more than the standard model and covers units that align several products and truncate.

    Dependencies. Flocq. *)

From Coq Require Import Reals ZArith Lra Lia List Permutation.
From Flocq Require Import Core Relative Plus_error.
Import ListNotations.
Open Scope R_scope.

Definition rounds (u h x y : R) : Prop := Rabs (y - x) <= u * Rabs x + h.

Lemma rounds_weaken : forall u u' h h' x y, u <= u' -> h <= h' -> rounds u h x y -> rounds u' h' x y.
Proof.
  unfold rounds. intros u u' h h' x y U H R. pose proof (Rabs_pos x).
  apply Rle_trans with (1 := R). apply Rplus_le_compat; [apply Rmult_le_compat_r|]; lra.
Qed.

Lemma rounds_exact : forall u h x, 0 <= u -> 0 <= h -> rounds u h x x.
Proof.
  unfold rounds. intros u h x U H. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity.
  pose proof (Rmult_le_pos u (Rabs x) U (Rabs_pos x)). lra.
Qed.

(** Every rounded operation is a relative and an absolute error. *)
Lemma rounds_split : forall u h x y, 0 <= u -> 0 <= h -> rounds u h x y ->
  exists d e, Rabs d <= u /\ Rabs e <= h /\ y = x * (1 + d) + e.
Proof.
  intros u h x y U H R. unfold rounds in R. destruct (Req_dec x 0) as [-> | X].
  - exists 0, y. rewrite Rabs_R0 in *. rewrite Rminus_0_r, Rmult_0_r in R.
    split; [exact U | split; [lra | ring]].
  - assert (P : 0 < Rabs x) by (apply Rabs_pos_lt, X).
    destruct (Rle_lt_dec (Rabs (y - x)) (u * Rabs x)) as [L | L].
    + exists ((y - x) / x), 0. rewrite Rabs_R0. split; [|split; [exact H | field; exact X]].
      unfold Rdiv. rewrite Rabs_mult, Rabs_inv.
      apply Rmult_le_reg_r with (Rabs x); [exact P|]. rewrite Rmult_assoc, Rinv_l by lra. lra.
    + set (s := if Rle_dec 0 (y - x) then 1 else -1).
      exists (u * s * (Rabs x / x)), (y - x - u * s * Rabs x).
      assert (S : (y - x) = s * Rabs (y - x) /\ Rabs s = 1).
      { unfold s. destruct (Rle_dec 0 (y - x)) as [Q | Q].
        - rewrite (Rabs_pos_eq _ Q), Rabs_R1. split; ring.
        - rewrite (Rabs_left (y - x)), (Rabs_left (-1)) by lra. split; ring. }
      destruct S as [S1 S2]. split; [|split].
      * rewrite !Rabs_mult, S2, (Rabs_pos_eq u U). unfold Rdiv. rewrite Rabs_mult, Rabs_inv, Rabs_Rabsolu.
        rewrite Rinv_r by lra. lra.
      * rewrite S1. replace (s * Rabs (y - x) - u * s * Rabs x)
          with (s * (Rabs (y - x) - u * Rabs x)) by ring.
        rewrite Rabs_mult, S2, Rmult_1_l, Rabs_pos_eq; lra.
      * field. exact X.
Qed.

(** ** Floating point numbers are a model *)

Section Float.

Variables emin prec : Z.
Context {prec_gt_0 : Prec_gt_0 prec}.

Notation fexp := (FLT_exp emin prec).
Notation format := (generic_format radix2 fexp).
Notation pow2 := (bpow radix2).

Theorem nearest_rounds : forall choice x,
  rounds (pow2 (- prec)) (pow2 (emin - 1)) x (round radix2 fexp (Znearest choice) x).
Proof.
  intros choice x. unfold rounds.
  destruct (error_N_FLT radix2 emin prec prec_gt_0 choice x) as (d & e & D & E & _ & ->).
  replace (x * (1 + d) + e - x) with (d * x + e) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  apply Rplus_le_compat.
  - apply Rmult_le_compat_r; [apply Rabs_pos|]. eapply Rle_trans; [exact D|].
    replace (- prec)%Z with (- (1) + (- prec + 1))%Z by ring. rewrite bpow_plus. simpl. lra.
  - eapply Rle_trans; [exact E|]. unfold Zminus. rewrite Zplus_comm, bpow_plus. simpl. lra.
Qed.

Theorem faithful_rounds : forall rnd, Valid_rnd rnd -> forall x,
  rounds (pow2 (1 - prec)) (pow2 emin) x (round radix2 fexp rnd x).
Proof.
  intros rnd V x. unfold rounds. pose proof (bpow_ge_0 radix2 emin).
  pose proof (Rmult_le_pos _ _ (bpow_ge_0 radix2 (1 - prec)) (Rabs_pos x)).
  destruct (Rle_lt_dec (pow2 (emin + prec - 1)) (Rabs x)) as [L | L].
  - pose proof (relative_error_FLT radix2 emin prec prec_gt_0 rnd x L) as R.
    replace (1 - prec)%Z with (- prec + 1)%Z by ring. lra.
  - destruct (Req_dec x 0) as [-> | X].
    + rewrite round_0 by exact V. rewrite Rminus_0_r, Rabs_R0, Rmult_0_r. lra.
    + pose proof (error_lt_ulp radix2 fexp rnd x X) as U.
      rewrite (ulp_FLT_small radix2 emin prec x) in U; [lra|].
      eapply Rlt_le_trans; [exact L|]. apply bpow_le. lia.
Qed.

(** The sum of two floating point numbers is exact where it is small. *)
Theorem nearest_add : forall choice x y, format x -> format y ->
  rounds (pow2 (- prec)) 0 (x + y) (round radix2 fexp (Znearest choice) (x + y)).
Proof.
  intros choice x y X Y. unfold rounds.
  destruct (FLT_plus_error_N_ex radix2 emin prec choice x y X Y) as (d & D & ->).
  replace ((x + y) * (1 + d) - (x + y)) with (d * (x + y)) by ring. rewrite Rabs_mult, Rplus_0_r.
  apply Rmult_le_compat_r; [apply Rabs_pos|]. eapply Rle_trans; [exact D|].
  assert (H : u_ro radix2 prec = pow2 (- prec)).
  { unfold u_ro. rewrite bpow_plus. simpl (pow2 1). change (IZR (Z.pow_pos 2 1)) with 2. lra. }
  rewrite H. pose proof (bpow_gt_0 radix2 (- prec)) as P.
  apply Rmult_le_reg_r with (1 + pow2 (- prec)); [lra|].
  unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. nra.
Qed.

Theorem faithful_add : forall rnd, Valid_rnd rnd -> forall x y, format x -> format y ->
  rounds (pow2 (1 - prec)) 0 (x + y) (round radix2 fexp rnd (x + y)).
Proof.
  intros rnd V x y X Y. unfold rounds. rewrite Rplus_0_r.
  destruct (Rle_lt_dec (Rabs (x + y)) (pow2 (prec + emin))) as [L | L].
  - rewrite round_generic; [|exact V | apply FLT_format_plus_small; assumption].
    rewrite Rminus_diag_eq, Rabs_R0 by reflexivity.
    apply Rmult_le_pos; [apply bpow_ge_0 | apply Rabs_pos].
  - replace (1 - prec)%Z with (- prec + 1)%Z by ring. left.
    apply relative_error_FLT; [exact prec_gt_0 | exact V|].
    eapply Rle_trans; [|left; exact L]. apply bpow_le. lia.
Qed.

End Float.

(** Flushing: what would be smaller than omega may become zero. *)
Theorem flush_rounds : forall u h omega x y z, 0 <= u -> 0 <= h <= omega -> rounds u h x y ->
  z = y \/ (z = 0 /\ Rabs x <= omega) -> rounds u omega x z.
Proof.
  unfold rounds. intros u h omega x y z U H R [-> | [-> L]]; [lra|].
  rewrite Rminus_0_l, Rabs_Ropp. pose proof (Rmult_le_pos u (Rabs x) U (Rabs_pos x)). lra.
Qed.

(** ** Sums in any order *)

Definition sizes (xs : list R) : R := fold_right (fun x sum => Rabs x + sum) 0 xs.

(** An addition of the sums x and y of two lists, relative to their sizes. *)
Definition adds (u h : R) (a b : list R) (x y z : R) : Prop :=
  Rabs (z - (x + y)) <= u * Rmax (Rabs x + Rabs y) (sizes a + sizes b) + h.

Inductive sum_any (u h : R) : list R -> R -> Prop :=
  | sum_one : forall x, sum_any u h [x] x
  | sum_node : forall a b x y z, sum_any u h a x -> sum_any u h b y -> adds u h a b x y z ->
      sum_any u h (a ++ b) z
  | sum_perm : forall a b x, Permutation a b -> sum_any u h a x -> sum_any u h b x.

Lemma sum_any_nonempty : forall u h x, ~ sum_any u h [] x.
Proof.
  cut (forall u h l x, sum_any u h l x -> l <> []); [intros H u h x S; exact (H _ _ _ _ S eq_refl)|].
  intros u h l x S. induction S as [x | a b x y z Sa IHa Sb IHb | a b x P S IH]; [discriminate | |].
  - intros M. apply app_eq_nil in M. now apply IHa.
  - intros ->. apply Permutation_sym, Permutation_nil in P. now apply IH.
Qed.

(** The standard model's addition is one. *)
Lemma rounds_adds : forall u h a b x y z, 0 <= u -> rounds u h (x + y) z -> adds u h a b x y z.
Proof.
  unfold rounds, adds. intros u h a b x y z U R. eapply Rle_trans; [exact R|].
  apply Rplus_le_compat_r, Rmult_le_compat_l; [exact U|].
  eapply Rle_trans; [apply Rabs_triang | apply Rmax_l].
Qed.

(** The loop: an accumulator, one term after the other. *)
Inductive loop (u h : R) : R -> list R -> R -> Prop :=
  | loop_end : forall x, loop u h x [] x
  | loop_step : forall acc x xs acc' z, rounds u h (acc + x) acc' -> loop u h acc' xs z ->
      loop u h acc (x :: xs) z.

Theorem sum_left : forall u h x xs z, 0 <= u -> loop u h x xs z -> sum_any u h (x :: xs) z.
Proof.
  intros u h x xs z U H.
  cut (forall seen, sum_any u h seen x -> sum_any u h (seen ++ xs) z).
  { intros G. apply (G [x]), sum_one. }
  induction H as [x | acc x xs acc' z R L IH]; intros seen S; [now rewrite app_nil_r|].
  replace (seen ++ x :: xs) with ((seen ++ [x]) ++ xs) by (rewrite <- app_assoc; reflexivity).
  apply IH, sum_node with (x := acc) (y := x); [exact S | apply sum_one | now apply rounds_adds].
Qed.

(** Blocks summed each in any way, their sums added up by a loop; blocks may be loops themselves. *)
Theorem sum_blocks : forall u h b s blocks sums z, 0 <= u -> sum_any u h b s ->
  Forall2 (sum_any u h) blocks sums -> loop u h s sums z -> sum_any u h (b ++ concat blocks) z.
Proof.
  intros u h b s blocks sums z U B F. revert b s B.
  induction F as [|b' s' blocks sums B' F IH]; intros b s B L; inversion L; subst; simpl.
  - now rewrite app_nil_r.
  - rewrite app_assoc. eapply IH; [|eassumption].
    eapply sum_node; [exact B | exact B' | apply rounds_adds; eassumption].
Qed.

(** Floating point sums: every node rounded by [rnd], every leaf a floating point number. *)
Inductive float_sum (emin prec : Z) (rnd : R -> Z) : list R -> R -> Prop :=
  | float_one : forall x, generic_format radix2 (FLT_exp emin prec) x -> float_sum emin prec rnd [x] x
  | float_node : forall a b x y, float_sum emin prec rnd a x -> float_sum emin prec rnd b y ->
      float_sum emin prec rnd (a ++ b) (round radix2 (FLT_exp emin prec) rnd (x + y))
  | float_perm : forall a b x, Permutation a b -> float_sum emin prec rnd a x ->
      float_sum emin prec rnd b x.

Lemma float_sum_any : forall emin prec rnd u (P : Prec_gt_0 prec) (V : Valid_rnd rnd), 0 <= u ->
  (forall x y, generic_format radix2 (FLT_exp emin prec) x ->
    generic_format radix2 (FLT_exp emin prec) y ->
    rounds u 0 (x + y) (round radix2 (FLT_exp emin prec) rnd (x + y))) ->
  forall l x, float_sum emin prec rnd l x ->
  sum_any u 0 l x /\ generic_format radix2 (FLT_exp emin prec) x.
Proof.
  intros emin prec rnd u P V U A l x S.
  induction S as [x F | a b x y Sa [IHa Fa] Sb [IHb Fb] | a b x Q S [IH F]].
  - split; [apply sum_one | exact F].
  - split; [eapply sum_node; [exact IHa | exact IHb | apply rounds_adds; [exact U | apply A; assumption]]|].
    apply generic_format_round; [now apply FLT_exp_valid | exact V].
  - split; [eapply sum_perm; eassumption | exact F].
Qed.

(** A sum of numbers of a format, rounded to nearest at every node: u = 2^-p, no underflow. *)
Theorem float_sum_nearest : forall emin prec (P : Prec_gt_0 prec) choice l x,
  float_sum emin prec (Znearest choice) l x -> sum_any (bpow radix2 (- prec)) 0 l x.
Proof.
  intros emin prec P choice l x S.
  apply (float_sum_any emin prec (Znearest choice) _ P _ (bpow_ge_0 _ _)) with (2 := S).
  intros. now apply nearest_add.
Qed.

(** The same with truncation, or any rounding: u = 2^(1-p). *)
Theorem float_sum_faithful : forall emin prec (P : Prec_gt_0 prec) rnd (V : Valid_rnd rnd) l x,
  float_sum emin prec rnd l x -> sum_any (bpow radix2 (1 - prec)) 0 l x.
Proof.
  intros emin prec P rnd V l x S.
  apply (float_sum_any emin prec rnd _ P V (bpow_ge_0 _ _)) with (2 := S).
  intros. now apply faithful_add.
Qed.
