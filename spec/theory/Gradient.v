(** * Gradient: the derivatives of softmax attention

    Purpose. Equations (10)-(18) of attention.md, as derivatives of real functions (Coquelicot's
    [is_derive]). The keys of a row are a list of an arbitrary type: the visible ones, masked keys
    being absent. The loss enters through its cotangents dO and dLSE. A row that sees nothing, with
    no sink, is covered too (9): its outputs are constants, and every gradient of it is 0.

    Main results.
    - [lse_derivative]        the LSE changes by P s' + P_sink sink' (6)
    - [probabilities_sum]     the P, and that of the sink, add up to 1 (7)
    - [D_two_ways]            D from dO and O, or from P and G (12)
    - [attention_vjp]         along any curve of scores, values, sink: dS (13), dV (10), dSink (18)
    - [attention_vjp_of_loss] the same for any loss with cotangents dO and dLSE
    - [capped_derivative]     the softcap's slope is 1 - tanh^2, or 1 without softcap (14)
    - [row_vjp]               along any curve of q, k, v, bias and sink: (10), (13)-(16), (18)
    - [grad_q], [grad_k], [grad_v], [grad_bias], [grad_sink]
                              one entry at a time: (15), (16), (10), (17), (18) of one row
    - [grad_unseen]           a key that the row does not see gets no gradient (5f)
    - [rows_vjp]              the derivative of a sum of losses is the sum of the derivatives
    - [grad_q_rows]           a query belongs to one row (15)
    - [grad_k_rows], [grad_v_rows], [grad_bias_rows], [grad_sink_rows]
                              an entry that many rows read, the rows of a KV head or of a group
                              included, gets the sum over them: (16), (10), (17), (18)
    - [rows_kv_vjp]           along any curve of all keys and values: (10), (16) together
    - [sum_blocks]            a sum over blocks of a list, in any order, is the sum over the list
    - [grad_q_blocks]         dQ block by block, with P from the global LSE, is dQ (7), (15)
    - [grad_k_blocks], [grad_v_blocks]
                              dK and dV over blocks of rows, each by its own LSE: (16), (10)

    Dependencies. Coquelicot; lists and permutations. *)

From Coq Require Import Reals Lra List Permutation FunctionalExtensionality.
Set Warnings "-ambiguous-paths".
From Coquelicot Require Import Coquelicot.
Import ListNotations.
Open Scope R_scope.

(** ** Sums over lists *)

Definition sum {A : Type} (f : A -> R) (keys : list A) : R :=
  fold_right (fun j acc => f j + acc) 0 keys.

Lemma sum_ext_in : forall A (f g : A -> R) keys,
  (forall j, In j keys -> f j = g j) -> sum f keys = sum g keys.
Proof.
  intros A f g keys. induction keys as [|j keys IH]; intros H; simpl; [reflexivity|].
  rewrite (H j) by (left; reflexivity). f_equal. apply IH. intros i Hi. apply H. right. exact Hi.
Qed.

Lemma sum_ext : forall A (f g : A -> R) keys, (forall j, f j = g j) -> sum f keys = sum g keys.
Proof. intros A f g keys H. apply sum_ext_in. intros j _. apply H. Qed.

Lemma sum_zero : forall A (keys : list A), sum (fun _ => 0) keys = 0.
Proof. intros A keys. induction keys as [|j keys IH]; simpl; [reflexivity | rewrite IH; ring]. Qed.

Lemma sum_plus : forall A (f g : A -> R) keys,
  sum (fun j => f j + g j) keys = sum f keys + sum g keys.
Proof. intros A f g keys. induction keys as [|j keys IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma sum_scal : forall A a (f : A -> R) keys, sum (fun j => a * f j) keys = a * sum f keys.
Proof. intros A a f keys. induction keys as [|j keys IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma sum_scal_r : forall A a (f : A -> R) keys, sum (fun j => f j * a) keys = sum f keys * a.
Proof. intros A a f keys. induction keys as [|j keys IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma sum_swap : forall A B (f : A -> B -> R) keys comps,
  sum (fun j => sum (f j) comps) keys = sum (fun c => sum (fun j => f j c) keys) comps.
Proof.
  intros A B f keys comps. induction keys as [|j keys IH]; simpl.
  - symmetry. apply sum_zero.
  - rewrite IH, <- sum_plus. reflexivity.
Qed.

Lemma sum_app : forall A (f : A -> R) a b, sum f (a ++ b) = sum f a + sum f b.
Proof. intros A f a b. induction a as [|j a IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma sum_perm : forall A (f : A -> R) a b, Permutation a b -> sum f a = sum f b.
Proof. intros A f a b H. induction H; simpl; lra. Qed.

Lemma sum_filter : forall A (p : A -> bool) (f : A -> R) keys,
  sum f (filter p keys) = sum (fun j => if p j then f j else 0) keys.
Proof.
  intros A p f keys. induction keys as [|j keys IH]; simpl; [reflexivity|].
  destruct (p j); simpl; rewrite IH; ring.
Qed.

(** Blocks of any sizes, empty ones included, in any order. *)
Theorem sum_blocks : forall A (f : A -> R) (blocks : list (list A)) keys,
  Permutation (concat blocks) keys -> sum (fun b => sum f b) blocks = sum f keys.
Proof.
  intros A f blocks keys H. rewrite <- (sum_perm _ _ _ _ H). clear H.
  induction blocks as [|b blocks IH]; simpl; [reflexivity | rewrite sum_app, IH; reflexivity].
Qed.

(** ** One entry of a table *)

Definition decidable (A : Type) : Type := forall a b : A, {a = b} + {a <> b}.

(** The table [f] with its entry at [a] set to [x]. *)
Definition update {A} (dec : decidable A) (f : A -> R) (a : A) (x : R) : A -> R :=
  fun b => if dec b a then x else f b.

Definition update2 {A B} (decA : decidable A) (decB : decidable B) (f : A -> B -> R)
  (a : A) (b : B) (x : R) : A -> B -> R :=
  fun i j => if decA i a then update decB (f i) b x j else f i j.

Definition unit_at {A} (dec : decidable A) (a : A) : A -> R := fun b => if dec b a then 1 else 0.

Lemma update_same : forall A dec (f : A -> R) a, update dec f a (f a) = f.
Proof.
  intros A dec f a. apply functional_extensionality. intros b. unfold update.
  destruct (dec b a) as [->|]; reflexivity.
Qed.

Lemma update2_same : forall A B decA decB (f : A -> B -> R) a b,
  update2 decA decB f a b (f a b) = f.
Proof.
  intros A B decA decB f a b. apply functional_extensionality. intros i.
  apply functional_extensionality. intros j. unfold update2.
  destruct (decA i a) as [->|]; [rewrite update_same|]; reflexivity.
Qed.

Lemma sum_unit_out : forall A dec (f : A -> R) a keys,
  ~ In a keys -> sum (fun b => f b * unit_at dec a b) keys = 0.
Proof.
  intros A dec f a keys H. rewrite (sum_ext_in _ _ (fun _ => 0)); [apply sum_zero|].
  intros b Hb. unfold unit_at. destruct (dec b a) as [->|]; [contradiction | ring].
Qed.

Lemma sum_unit : forall A dec (f : A -> R) a keys,
  NoDup keys -> In a keys -> sum (fun b => f b * unit_at dec a b) keys = f a.
Proof.
  intros A dec f a keys Hn. induction Hn as [|b keys Hb Hn IH]; intros Ha; [destruct Ha|].
  simpl. destruct Ha as [->|Ha].
  - rewrite sum_unit_out by assumption. unfold unit_at. destruct (dec a a); [ring | congruence].
  - rewrite IH by assumption. unfold unit_at.
    destruct (dec b a) as [->|]; [contradiction | ring].
Qed.

Lemma sum_unit2 : forall A B decA decB (f : A -> B -> R) a b keys comps,
  NoDup keys -> In a keys -> NoDup comps -> In b comps ->
  sum (fun i => sum (fun j => f i j * (unit_at decA a i * unit_at decB b j)) comps) keys = f a b.
Proof.
  intros A B decA decB f a b keys comps Hk Ha Hc Hb.
  rewrite (sum_ext _ _ (fun i => f i b * unit_at decA a i)).
  - exact (sum_unit _ decA (fun i => f i b) a keys Hk Ha).
  - intros i. rewrite <- (sum_unit _ decB (f i) b comps Hc Hb), <- sum_scal_r.
    apply sum_ext. intros j. ring.
Qed.

Lemma sum_unit2_out : forall A B decA decB (f : A -> B -> R) a b keys comps,
  ~ In a keys ->
  sum (fun i => sum (fun j => f i j * (unit_at decA a i * unit_at decB b j)) comps) keys = 0.
Proof.
  intros A B decA decB f a b keys comps Ha.
  rewrite (sum_ext _ _
    (fun i => sum (fun j => f i j * unit_at decB b j) comps * unit_at decA a i)).
  - apply sum_unit_out, Ha.
  - intros i. rewrite <- sum_scal_r. apply sum_ext. intros j. ring.
Qed.

(** ** Derivatives *)

Lemma derive_eq : forall (f : R -> R) (t l l' : R),
  is_derive f t l -> l = l' -> is_derive f t l'.
Proof. intros f t l l' H <-. exact H. Qed.

Lemma derive_const : forall (a t : R), is_derive (fun _ : R => a) t 0.
Proof. intros a t. exact (is_derive_const a t). Qed.

Lemma derive_id : forall t, is_derive (fun x : R => x) t 1.
Proof. intros t. exact (is_derive_id t). Qed.

Lemma derive_plus : forall (f g : R -> R) (t f' g' : R),
  is_derive f t f' -> is_derive g t g' -> is_derive (fun x => f x + g x) t (f' + g').
Proof. intros f g t f' g' Hf Hg. exact (is_derive_plus f g t f' g' Hf Hg). Qed.

Lemma derive_minus : forall (f g : R -> R) (t f' g' : R),
  is_derive f t f' -> is_derive g t g' -> is_derive (fun x => f x - g x) t (f' - g').
Proof. intros f g t f' g' Hf Hg. exact (is_derive_minus f g t f' g' Hf Hg). Qed.

Lemma derive_mult : forall (f g : R -> R) (t f' g' : R),
  is_derive f t f' -> is_derive g t g' ->
  is_derive (fun x => f x * g x) t (f' * g t + f t * g').
Proof. intros f g t f' g' Hf Hg. exact (is_derive_mult f g t f' g' Hf Hg Rmult_comm). Qed.

Lemma derive_scal : forall (a : R) (f : R -> R) (t f' : R),
  is_derive f t f' -> is_derive (fun x => a * f x) t (a * f').
Proof. intros a f t f' Hf. exact (is_derive_scal f t a f' Hf). Qed.

Lemma derive_comp : forall (f g : R -> R) (t f' g' : R),
  is_derive f (g t) f' -> is_derive g t g' -> is_derive (fun x => f (g x)) t (f' * g').
Proof.
  intros f g t f' g' Hf Hg. eapply derive_eq; [exact (is_derive_comp f g t f' g' Hf Hg)|].
  unfold scal. simpl. unfold mult. simpl. ring.
Qed.

Lemma derive_exp : forall (f : R -> R) (t f' : R),
  is_derive f t f' -> is_derive (fun x => exp (f x)) t (exp (f t) * f').
Proof. intros f t f' H. exact (derive_comp exp f t _ f' (is_derive_exp (f t)) H). Qed.

Lemma derive_ln : forall (f : R -> R) (t f' : R),
  0 < f t -> is_derive f t f' -> is_derive (fun x => ln (f x)) t (/ f t * f').
Proof. intros f t f' Hp H. exact (derive_comp ln f t _ f' (is_derive_ln (f t) Hp) H). Qed.

Lemma derive_sum : forall A (f : R -> A -> R) (f' : A -> R) t keys,
  (forall j, In j keys -> is_derive (fun x => f x j) t (f' j)) ->
  is_derive (fun x => sum (f x) keys) t (sum f' keys).
Proof.
  intros A f f' t keys. induction keys as [|j keys IH]; intros H; simpl.
  - apply derive_const.
  - apply (derive_plus (fun x => f x j) (fun x => sum (f x) keys)).
    + apply H. left. reflexivity.
    + apply IH. intros i Hi. apply H. right. exact Hi.
Qed.

Lemma derive_update : forall A dec (f : A -> R) a t b,
  is_derive (fun x => update dec f a x b) t (unit_at dec a b).
Proof.
  intros A dec f a t b. unfold update, unit_at.
  destruct (dec b a); [apply derive_id | apply derive_const].
Qed.

Lemma derive_update2 : forall A B decA decB (f : A -> B -> R) a b t i j,
  is_derive (fun x => update2 decA decB f a b x i j) t (unit_at decA a i * unit_at decB b j).
Proof.
  intros A B decA decB f a b t i j. unfold update2. unfold unit_at at 1. destruct (decA i a).
  - eapply derive_eq; [apply derive_update | ring].
  - eapply derive_eq; [apply derive_const | ring].
Qed.

(** ** One row of softmax attention *)

Section Softmax.

Context {A C : Type}.
Variable keys : list A.
Variable comps : list C.
Variable kappa : A -> R.
Variable dO : C -> R.
Variable dLSE : R.

Definition sink_mass (sink : option R) : R := match sink with Some x => exp x | None => 0 end.

Definition Z (s : A -> R) (sink : option R) : R :=
  sum (fun j => exp (s j)) keys + sink_mass sink.

(** Equations (6), (7), (8). *)
Definition LSE (s : A -> R) (sink : option R) : R := ln (Z s sink).

Definition P (s : A -> R) (sink : option R) (j : A) : R := exp (s j - LSE s sink).

Definition P_sink (s : A -> R) (sink : option R) : R :=
  match sink with Some x => exp (x - LSE s sink) | None => 0 end.

Definition O (s : A -> R) (v : A -> C -> R) (sink : option R) (c : C) : R :=
  sum (fun j => kappa j * P s sink j * v j c) keys.

(** What the row adds to the loss, to first order: its cotangents times its outputs. *)
Definition loss (s : A -> R) (v : A -> C -> R) (sink : option R) : R :=
  sum (fun c => dO c * O s v sink c) comps + dLSE * LSE s sink.

(** Equations (11), (12), (13), (10), (18). *)
Definition G (v : A -> C -> R) (j : A) : R := kappa j * sum (fun c => dO c * v j c) comps.

Definition D (s : A -> R) (v : A -> C -> R) (sink : option R) : R :=
  sum (fun c => dO c * O s v sink c) comps.

Definition dS (s : A -> R) (v : A -> C -> R) (sink : option R) (j : A) : R :=
  P s sink j * (G v j - D s v sink + dLSE).

Definition dV (s : A -> R) (sink : option R) (j : A) (c : C) : R :=
  kappa j * P s sink j * dO c.

Definition dSink (s : A -> R) (v : A -> C -> R) (sink : option R) : R :=
  match sink with Some x => exp (x - LSE s sink) * (dLSE - D s v sink) | None => 0 end.

(** A sink is there or not; where it is, it moves along a curve. *)
Definition at_time (sink : option (R -> R)) (t : R) : option R := option_map (fun f => f t) sink.

Definition sink_derive (sink : option (R -> R)) (t sink' : R) : Prop :=
  match sink with Some f => is_derive f t sink' | None => True end.

Lemma exps_nonneg : forall (s : A -> R) l, 0 <= sum (fun j => exp (s j)) l.
Proof.
  intros s l. induction l as [|j l IH]; simpl; [lra|]. pose proof (exp_pos (s j)). lra.
Qed.

Lemma Z_pos : forall s sink, keys <> [] \/ sink <> None -> 0 < Z s sink.
Proof.
  intros s sink H. unfold Z, sink_mass. pose proof (exps_nonneg s keys) as Hn.
  destruct sink as [x|].
  - pose proof (exp_pos x). lra.
  - destruct H as [H|H]; [|congruence]. destruct keys as [|j l]; [congruence|].
    simpl in *. pose proof (exp_pos (s j)). pose proof (exps_nonneg s l). lra.
Qed.

Lemma exp_lse : forall s sink x, 0 < Z s sink -> exp (x - LSE s sink) = exp x / Z s sink.
Proof.
  intros s sink x H. unfold LSE, Rminus. rewrite exp_plus, exp_Ropp, exp_ln by assumption.
  reflexivity.
Qed.

Theorem probabilities_sum : forall s sink,
  0 < Z s sink -> sum (P s sink) keys + P_sink s sink = 1.
Proof.
  intros s sink H.
  rewrite (sum_ext _ _ (fun j => exp (s j) * / Z s sink)).
  - rewrite sum_scal_r. unfold P_sink. destruct sink as [x|].
    + rewrite exp_lse by assumption. unfold Rdiv. rewrite <- Rmult_plus_distr_r.
      change (exp x) with (sink_mass (Some x)). fold (Z s (Some x)). field. lra.
    + rewrite Rplus_0_r. unfold Z, sink_mass in *. rewrite Rplus_0_r in *. field. lra.
  - intros j. unfold P. apply exp_lse, H.
Qed.

(** Equation (12). *)
Theorem D_two_ways : forall s v sink, D s v sink = sum (fun j => P s sink j * G v j) keys.
Proof.
  intros s v sink. unfold D, O.
  rewrite (sum_ext _ _ (fun c => sum (fun j => dO c * (kappa j * P s sink j * v j c)) keys)).
  - rewrite <- (sum_swap _ _ (fun j c => dO c * (kappa j * P s sink j * v j c))).
    apply sum_ext. intros j. unfold G. rewrite <- !sum_scal. apply sum_ext. intros c. ring.
  - intros c. symmetry. apply sum_scal.
Qed.

(** Along a curve: the score of key j and the components of its value, and the sink, move with t. *)
Variable s : R -> A -> R.
Variable v : R -> A -> C -> R.
Variable sink : option (R -> R).
Variable t0 : R.
Variable s' : A -> R.
Variable v' : A -> C -> R.
Variable sink' : R.
Hypothesis s_derive : forall j, In j keys -> is_derive (fun t => s t j) t0 (s' j).
Hypothesis v_derive :
  forall j c, In j keys -> In c comps -> is_derive (fun t => v t j c) t0 (v' j c).
Hypothesis sink_moves : sink_derive sink t0 sink'.

Let Pt := P (s t0) (at_time sink t0).
Let lse' := sum (fun j => Pt j * s' j) keys + P_sink (s t0) (at_time sink t0) * sink'.

Theorem lse_derivative :
  0 < Z (s t0) (at_time sink t0) ->
  is_derive (fun t => LSE (s t) (at_time sink t)) t0
    (sum (fun j => P (s t0) (at_time sink t0) j * s' j) keys
     + P_sink (s t0) (at_time sink t0) * sink').
Proof using s_derive sink_moves.
  intros Hz. unfold LSE at 1.
  eapply derive_eq.
  - apply (derive_ln (fun t => Z (s t) (at_time sink t)) t0
      (sum (fun j => exp (s t0 j) * s' j) keys + sink_mass (at_time sink t0) * sink') Hz).
    unfold Z. apply derive_plus.
    + apply (derive_sum _ (fun t j => exp (s t j))). intros j Hj.
      apply derive_exp, s_derive, Hj.
    + destruct sink as [f|]; simpl in *.
      * apply derive_exp, sink_moves.
      * eapply derive_eq; [apply derive_const | ring].
  - rewrite Rmult_plus_distr_l, <- sum_scal. f_equal.
    + apply sum_ext. intros j. unfold P. rewrite exp_lse by assumption. unfold Rdiv. ring.
    + unfold P_sink. destruct sink as [f|]; simpl in *.
      * rewrite exp_lse by assumption. unfold Rdiv. ring.
      * ring.
Qed.

Lemma output_derivative : forall c,
  0 < Z (s t0) (at_time sink t0) -> In c comps ->
  is_derive (fun t => O (s t) (v t) (at_time sink t) c) t0
    (sum (fun j => kappa j * Pt j * (s' j - lse') * v t0 j c + kappa j * Pt j * v' j c) keys).
Proof using s_derive v_derive sink_moves.
  intros c Hz Hc. unfold O.
  apply (derive_sum _ (fun t j => kappa j * P (s t) (at_time sink t) j * v t j c)).
  intros j Hj. eapply derive_eq.
  - apply (derive_mult (fun t => kappa j * P (s t) (at_time sink t) j)).
    + apply derive_scal. unfold P. apply derive_exp. apply derive_minus.
      * apply s_derive, Hj.
      * apply lse_derivative, Hz.
    + apply v_derive; assumption.
  - cbv beta. unfold lse', Pt, P. ring.
Qed.

(** The cotangents paired with the outputs' derivatives: equations (10), (13) and (18). *)
Lemma pairing :
  sum (fun c => dO c *
    sum (fun j => kappa j * Pt j * (s' j - lse') * v t0 j c + kappa j * Pt j * v' j c) keys) comps
  + dLSE * lse'
  = sum (fun j => dS (s t0) (v t0) (at_time sink t0) j * s' j) keys
    + sum (fun j => sum (fun c => dV (s t0) (at_time sink t0) j c * v' j c) comps) keys
    + dSink (s t0) (v t0) (at_time sink t0) * sink'.
Proof using.
  set (Dt := D (s t0) (v t0) (at_time sink t0)).
  transitivity (sum (fun j => Pt j * G (v t0) j * s' j) keys + - lse' * Dt
    + sum (fun j => sum (fun c => dV (s t0) (at_time sink t0) j c * v' j c) comps) keys
    + dLSE * lse').
  - f_equal. unfold Dt. rewrite D_two_ways, <- sum_scal, <- !sum_plus.
    rewrite (sum_ext _ _ (fun c => sum (fun j => dO c *
      (kappa j * Pt j * (s' j - lse') * v t0 j c + kappa j * Pt j * v' j c)) keys))
      by (intros c; symmetry; apply sum_scal).
    rewrite <- (sum_swap _ _ (fun j c => dO c *
      (kappa j * Pt j * (s' j - lse') * v t0 j c + kappa j * Pt j * v' j c))).
    apply sum_ext. intros j. fold Pt. unfold G.
    transitivity (Pt j * kappa j * (s' j - lse') * sum (fun c => dO c * v t0 j c) comps
      + sum (fun c => dV (s t0) (at_time sink t0) j c * v' j c) comps); [|ring].
    rewrite <- sum_scal, <- sum_plus. apply sum_ext. intros c. unfold dV. fold Pt. ring.
  - transitivity (sum (fun j => Pt j * G (v t0) j * s' j) keys
      + (dLSE - Dt) * sum (fun j => Pt j * s' j) keys
      + sum (fun j => sum (fun c => dV (s t0) (at_time sink t0) j c * v' j c) comps) keys
      + (dLSE - Dt) * P_sink (s t0) (at_time sink t0) * sink'); [unfold lse'; ring|].
    rewrite <- sum_scal, <- sum_plus. f_equal; [f_equal|].
    + apply sum_ext. intros j. unfold dS. fold Pt Dt. ring.
    + unfold dSink, P_sink. destruct (at_time sink t0); fold Dt; ring.
Qed.

(** Equations (10), (13), (18) for a row with a key or a sink, and (9) for one without: there [LSE]
    is a constant (Coq's ln 0 stands for minus infinity), and every term is 0. *)
Theorem attention_vjp :
  is_derive (fun t => loss (s t) (v t) (at_time sink t)) t0
    (sum (fun j => dS (s t0) (v t0) (at_time sink t0) j * s' j) keys
     + sum (fun j => sum (fun c => dV (s t0) (at_time sink t0) j c * v' j c) comps) keys
     + dSink (s t0) (v t0) (at_time sink t0) * sink').
Proof using s_derive v_derive sink_moves.
  assert (Hcase : (keys <> [] \/ at_time sink t0 <> None) \/ (keys = [] /\ sink = None)).
  { destruct keys; [|left; left; discriminate].
    destruct sink; [left; right; discriminate | right; auto]. }
  destruct Hcase as [Hne|[Hk Hs]].
  - apply (Z_pos (s t0)) in Hne.
    rewrite <- pairing. unfold loss. apply derive_plus.
    + apply (derive_sum _ (fun t c => dO c * O (s t) (v t) (at_time sink t) c)).
      intros c Hc. apply derive_scal, output_derivative; assumption.
    + apply derive_scal, lse_derivative, Hne.
  - unfold loss, LSE, Z, O, dSink. rewrite Hk, Hs. simpl.
    eapply derive_eq; [apply derive_const | ring].
Qed.

(** A loss of this row's outputs with cotangents dO and dLSE: along every curve of outputs, its
    derivative is the cotangents times the outputs' derivatives. *)
Definition has_cotangents (L : (C -> R) -> R -> R) (out : C -> R) (lse : R) : Prop :=
  forall (out_t : R -> C -> R) (lse_t : R -> R) (t : R) (out' : C -> R) (l' : R),
    (forall c, out_t t c = out c) -> lse_t t = lse ->
    (forall c, In c comps -> is_derive (fun x => out_t x c) t (out' c)) ->
    is_derive lse_t t l' ->
    is_derive (fun x => L (out_t x) (lse_t x)) t
      (sum (fun c => dO c * out' c) comps + dLSE * l').

Theorem attention_vjp_of_loss : forall L,
  0 < Z (s t0) (at_time sink t0) ->
  has_cotangents L (O (s t0) (v t0) (at_time sink t0)) (LSE (s t0) (at_time sink t0)) ->
  is_derive (fun t => L (O (s t) (v t) (at_time sink t)) (LSE (s t) (at_time sink t))) t0
    (sum (fun j => dS (s t0) (v t0) (at_time sink t0) j * s' j) keys
     + sum (fun j => sum (fun c => dV (s t0) (at_time sink t0) j c * v' j c) comps) keys
     + dSink (s t0) (v t0) (at_time sink t0) * sink').
Proof using s_derive v_derive sink_moves.
  intros L Hz HL. rewrite <- pairing.
  apply (HL (fun t => O (s t) (v t) (at_time sink t)) (fun t => LSE (s t) (at_time sink t)));
    try reflexivity.
  - intros c Hc. apply output_derivative; assumption.
  - apply lse_derivative, Hz.
Qed.

End Softmax.

(** ** Softcap *)

(** Equation (3): cap = 0 means no softcap. *)
Definition capped (cap x : R) : R := if Req_EM_T cap 0 then x else cap * tanh (x / cap).

(** The factor in equation (14). *)
Definition slope (cap x : R) : R := if Req_EM_T cap 0 then 1 else 1 - tanh (x / cap) ^ 2.

Lemma cosh_pos : forall x, 0 < cosh x.
Proof. intros x. unfold cosh. pose proof (exp_pos x). pose proof (exp_pos (- x)). lra. Qed.

Lemma derive_tanh : forall x, is_derive tanh x (1 - tanh x ^ 2).
Proof.
  intros x. pose proof (cosh_pos x) as Hc.
  eapply derive_eq.
  - apply (is_derive_div sinh cosh x (cosh x) (sinh x)).
    + apply is_derive_Reals, derivable_pt_lim_sinh.
    + apply is_derive_Reals, derivable_pt_lim_cosh.
    + lra.
  - unfold tanh. field. lra.
Qed.

Theorem capped_derivative : forall cap x, is_derive (capped cap) x (slope cap x).
Proof.
  intros cap x. unfold capped, slope. destruct (Req_EM_T cap 0) as [H|H].
  - apply derive_id.
  - eapply derive_eq.
    + apply derive_scal. apply (derive_comp tanh (fun y => y / cap)); [apply derive_tanh|].
      apply (is_derive_ext (fun y => / cap * y)); [intros y; unfold Rdiv; apply Rmult_comm|].
      apply derive_scal, derive_id.
    + cbv beta. field. exact H.
Qed.

(** ** One row, from queries and keys *)

Section Row.

Context {A C E : Type}.
Variable keys : list A.
Variable comps : list C.
Variable features : list E.
Variable kappa : A -> R.
Variable dO : C -> R.
Variables dLSE scale cap : R.

(** Equations (2), (3), (4). *)
Definition raw (q : E -> R) (k : A -> E -> R) (j : A) : R :=
  scale * sum (fun e => q e * k j e) features.

Definition score (q : E -> R) (k : A -> E -> R) (bias : A -> R) (j : A) : R :=
  capped cap (raw q k j) + bias j.

Definition row_loss q k (v : A -> C -> R) bias sink : R :=
  loss keys comps kappa dO dLSE (score q k bias) v sink.

(** Equations (13), (14), (15), (16). *)
Definition dScore q k v bias sink (j : A) : R :=
  dS keys comps kappa dO dLSE (score q k bias) v sink j.

Definition dRaw q k v bias sink (j : A) : R := dScore q k v bias sink j * slope cap (raw q k j).

Definition dQ q k v bias sink (e : E) : R :=
  scale * sum (fun j => dRaw q k v bias sink j * k j e) keys.

Definition dK q k v bias sink (j : A) (e : E) : R := scale * (dRaw q k v bias sink j * q e).

Definition dValue q k bias sink (j : A) (c : C) : R :=
  dV keys kappa dO (score q k bias) sink j c.

Definition dLogit q k v bias sink : R :=
  dSink keys comps kappa dO dLSE (score q k bias) v sink.

Theorem row_vjp : forall (q : R -> E -> R) k v bias sink t0 q' k' v' bias' sink',
  (forall e, In e features -> is_derive (fun t => q t e) t0 (q' e)) ->
  (forall j e, In j keys -> In e features -> is_derive (fun t => k t j e) t0 (k' j e)) ->
  (forall j c, In j keys -> In c comps -> is_derive (fun t => v t j c) t0 (v' j c)) ->
  (forall j, In j keys -> is_derive (fun t => bias t j) t0 (bias' j)) ->
  sink_derive sink t0 sink' ->
  is_derive (fun t => row_loss (q t) (k t) (v t) (bias t) (at_time sink t)) t0
    (sum (fun e => dQ (q t0) (k t0) (v t0) (bias t0) (at_time sink t0) e * q' e) features
     + sum (fun j => sum (fun e =>
         dK (q t0) (k t0) (v t0) (bias t0) (at_time sink t0) j e * k' j e) features) keys
     + sum (fun j => sum (fun c =>
         dValue (q t0) (k t0) (bias t0) (at_time sink t0) j c * v' j c) comps) keys
     + sum (fun j => dScore (q t0) (k t0) (v t0) (bias t0) (at_time sink t0) j * bias' j) keys
     + dLogit (q t0) (k t0) (v t0) (bias t0) (at_time sink t0) * sink').
Proof.
  intros q k v bias sink t0 q' k' v' bias' sink' Hq Hk Hv Hb Hs.
  set (raw' := fun j => scale * sum (fun e => q' e * k t0 j e + q t0 e * k' j e) features).
  set (s' := fun j => slope cap (raw (q t0) (k t0) j) * raw' j + bias' j).
  assert (Hscore : forall j, In j keys ->
    is_derive (fun t => score (q t) (k t) (bias t) j) t0 (s' j)).
  { intros j Hj. unfold score, s'. apply derive_plus; [|apply Hb, Hj].
    apply (derive_comp (capped cap) (fun t => raw (q t) (k t) j)); [apply capped_derivative|].
    unfold raw, raw'. apply derive_scal. apply (derive_sum _ (fun t e => q t e * k t j e)).
    intros e He. apply (derive_mult (fun t => q t e)); [apply Hq, He | apply Hk; assumption]. }
  unfold row_loss. eapply derive_eq.
  - exact (attention_vjp keys comps kappa dO dLSE (fun t => score (q t) (k t) (bias t)) v sink
      t0 s' v' sink' Hscore Hv Hs).
  - unfold dValue, dLogit. cbv beta.
    fold (dScore (q t0) (k t0) (v t0) (bias t0) (at_time sink t0)).
    set (Q := q t0). set (K := k t0). set (V := v t0). set (Bi := bias t0).
    set (X := at_time sink t0).
    transitivity (sum (fun e => dQ Q K V Bi X e * q' e) features
      + sum (fun j => sum (fun e => dK Q K V Bi X j e * k' j e) features) keys
      + sum (fun j => dScore Q K V Bi X j * bias' j) keys
      + sum (fun j => sum (fun c => dV keys kappa dO (score Q K Bi) X j c * v' j c) comps) keys
      + dSink keys comps kappa dO dLSE (score Q K Bi) V X * sink'); [|ring].
    do 2 f_equal.
    assert (HdQ : sum (fun e => dQ Q K V Bi X e * q' e) features
      = sum (fun j => sum (fun e => scale * (dRaw Q K V Bi X j * K j e) * q' e) features) keys).
    { rewrite sum_swap. apply sum_ext. intros e. unfold dQ.
      rewrite <- sum_scal, <- sum_scal_r. reflexivity. }
    rewrite HdQ, <- !sum_plus. apply sum_ext. intros j.
    unfold s', raw'. fold Q K. unfold dRaw, dK, dRaw. fold (dScore Q K V Bi X j).
    rewrite <- sum_plus.
    transitivity (dScore Q K V Bi X j * slope cap (raw Q K j) * scale
      * sum (fun e => q' e * K j e + Q e * k' j e) features + dScore Q K V Bi X j * bias' j);
      [ring|].
    f_equal. rewrite <- sum_scal. apply sum_ext. intros e. ring.
Qed.

(** The same with a sink that does not move. *)
Lemma row_vjp_still : forall (q : R -> E -> R) k v bias sink t0 q' k' v' bias',
  (forall e, In e features -> is_derive (fun t => q t e) t0 (q' e)) ->
  (forall j e, In j keys -> In e features -> is_derive (fun t => k t j e) t0 (k' j e)) ->
  (forall j c, In j keys -> In c comps -> is_derive (fun t => v t j c) t0 (v' j c)) ->
  (forall j, In j keys -> is_derive (fun t => bias t j) t0 (bias' j)) ->
  is_derive (fun t => row_loss (q t) (k t) (v t) (bias t) sink) t0
    (sum (fun e => dQ (q t0) (k t0) (v t0) (bias t0) sink e * q' e) features
     + sum (fun j => sum (fun e => dK (q t0) (k t0) (v t0) (bias t0) sink j e * k' j e) features)
         keys
     + sum (fun j => sum (fun c => dValue (q t0) (k t0) (bias t0) sink j c * v' j c) comps) keys
     + sum (fun j => dScore (q t0) (k t0) (v t0) (bias t0) sink j * bias' j) keys).
Proof.
  intros q k v bias sink t0 q' k' v' bias' Hq Hk Hv Hb.
  assert (Hs : forall t, at_time (option_map (fun (x _ : R) => x) sink) t = sink)
    by (intros t; destruct sink; reflexivity).
  apply (is_derive_ext (fun t => row_loss (q t) (k t) (v t) (bias t)
    (at_time (option_map (fun (x _ : R) => x) sink) t))); [intros t; rewrite Hs; reflexivity|].
  eapply derive_eq.
  - apply row_vjp with (sink' := 0); try eassumption.
    destruct sink; simpl; [apply derive_const | exact I].
  - rewrite Hs. ring.
Qed.

Lemma sum_times_zero : forall B (f : B -> R) l, sum (fun b => f b * 0) l = 0.
Proof. intros B f l. rewrite sum_scal_r. ring. Qed.

Lemma sum_times_zero2 : forall B B' (f : B -> B' -> R) l l',
  sum (fun b => sum (fun b' => f b b' * 0) l') l = 0.
Proof.
  intros B B' f l l'. rewrite (sum_ext _ _ (fun _ => 0)); [apply sum_zero|].
  intros b. apply sum_times_zero.
Qed.

(** Equations (14), (15): one entry of the query moves. *)
Theorem grad_q : forall (dec : decidable E) q k v bias sink e,
  NoDup features -> In e features ->
  is_derive (fun x => row_loss (update dec q e x) k v bias sink) (q e) (dQ q k v bias sink e).
Proof.
  intros dec q k v bias sink e Hn He. eapply derive_eq.
  - apply (row_vjp_still (fun x => update dec q e x) (fun _ => k) (fun _ => v) (fun _ => bias)
      sink (q e) (unit_at dec e) (fun _ _ => 0) (fun _ _ => 0) (fun _ => 0)); intros;
      first [apply derive_update | apply derive_const].
  - rewrite update_same, sum_unit, !sum_times_zero, !sum_times_zero2 by assumption. ring.
Qed.

(** Equation (16): one entry of one key moves. *)
Theorem grad_k : forall (decA : decidable A) (decE : decidable E) q k v bias sink j e,
  NoDup keys -> In j keys -> NoDup features -> In e features ->
  is_derive (fun x => row_loss q (update2 decA decE k j e x) v bias sink) (k j e)
    (dK q k v bias sink j e).
Proof.
  intros decA decE q k v bias sink j e Hk Hj Hn He. eapply derive_eq.
  - apply (row_vjp_still (fun _ => q) (fun x => update2 decA decE k j e x) (fun _ => v)
      (fun _ => bias) sink (k j e) (fun _ => 0) (fun i f => unit_at decA j i * unit_at decE e f)
      (fun _ _ => 0) (fun _ => 0)); intros; first [apply derive_update2 | apply derive_const].
  - rewrite update2_same, sum_unit2, !sum_times_zero, !sum_times_zero2 by assumption. ring.
Qed.

(** Equation (10): one entry of one value moves. *)
Theorem grad_v : forall (decA : decidable A) (decC : decidable C) q k v bias sink j c,
  NoDup keys -> In j keys -> NoDup comps -> In c comps ->
  is_derive (fun x => row_loss q k (update2 decA decC v j c x) bias sink) (v j c)
    (dValue q k bias sink j c).
Proof.
  intros decA decC q k v bias sink j c Hk Hj Hn Hc. eapply derive_eq.
  - apply (row_vjp_still (fun _ => q) (fun _ => k) (fun x => update2 decA decC v j c x)
      (fun _ => bias) sink (v j c) (fun _ => 0) (fun _ _ => 0)
      (fun i f => unit_at decA j i * unit_at decC c f)
      (fun _ => 0)); intros; first [apply derive_update2 | apply derive_const].
  - rewrite update2_same, sum_unit2, !sum_times_zero, !sum_times_zero2 by assumption. ring.
Qed.

(** Equation (17): one entry of a bias that is not shared moves. *)
Theorem grad_bias : forall (dec : decidable A) q k v bias sink j,
  NoDup keys -> In j keys ->
  is_derive (fun x => row_loss q k v (update dec bias j x) sink) (bias j)
    (dScore q k v bias sink j).
Proof.
  intros dec q k v bias sink j Hk Hj. eapply derive_eq.
  - apply (row_vjp_still (fun _ => q) (fun _ => k) (fun _ => v) (fun x => update dec bias j x)
      sink (bias j) (fun _ => 0) (fun _ _ => 0) (fun _ _ => 0) (unit_at dec j)); intros;
      first [apply derive_update | apply derive_const].
  - rewrite update_same, sum_unit, !sum_times_zero, !sum_times_zero2 by assumption. ring.
Qed.

(** Equation (18): the sink moves. *)
Theorem grad_sink : forall q k v bias x,
  is_derive (fun t => row_loss q k v bias (Some t)) x (dLogit q k v bias (Some x)).
Proof.
  intros q k v bias x. eapply derive_eq.
  - apply (row_vjp (fun _ => q) (fun _ => k) (fun _ => v) (fun _ => bias) (Some (fun t => t))
      x (fun _ => 0) (fun _ _ => 0) (fun _ _ => 0) (fun _ => 0) 1); intros;
      first [apply derive_const | apply derive_id].
  - rewrite !sum_times_zero, !sum_times_zero2. unfold at_time. simpl. ring.
Qed.

(** Equation (5f): no entry of a key or value outside the row's keys changes the loss. *)
Theorem grad_unseen : forall (decA : decidable A) (decE : decidable E) (decC : decidable C)
    q k v bias sink j,
  ~ In j keys ->
  (forall e x, is_derive (fun t => row_loss q (update2 decA decE k j e t) v bias sink) x 0)
  /\ (forall c x, is_derive (fun t => row_loss q k (update2 decA decC v j c t) bias sink) x 0).
Proof.
  intros decA decE decC q k v bias sink j Hj. split; intros e x; eapply derive_eq.
  - apply (row_vjp_still (fun _ => q) (fun t => update2 decA decE k j e t) (fun _ => v)
      (fun _ => bias) sink x (fun _ => 0) (fun i f => unit_at decA j i * unit_at decE e f)
      (fun _ _ => 0) (fun _ => 0)); intros; first [apply derive_update2 | apply derive_const].
  - rewrite sum_unit2_out, !sum_times_zero, !sum_times_zero2 by assumption. ring.
  - apply (row_vjp_still (fun _ => q) (fun _ => k) (fun t => update2 decA decC v j e t)
      (fun _ => bias) sink x (fun _ => 0) (fun _ _ => 0)
      (fun i f => unit_at decA j i * unit_at decC e f)
      (fun _ => 0)); intros; first [apply derive_update2 | apply derive_const].
  - rewrite sum_unit2_out, !sum_times_zero, !sum_times_zero2 by assumption. ring.
Qed.

(** dS (14 included), dK and dV of one key from the numbers [lse] and [delta] alone: what a rank
    computes that holds a block of the keys and is sent the row's LSE and D. *)
Definition block_dRaw q k v bias (lse delta : R) (j : A) : R :=
  exp (score q k bias j - lse) * (G comps kappa dO v j - delta + dLSE) * slope cap (raw q k j).

Definition block_dQ q k v bias lse delta (block : list A) (e : E) : R :=
  scale * sum (fun j => block_dRaw q k v bias lse delta j * k j e) block.

Definition block_dK q k v bias lse delta (j : A) (e : E) : R :=
  scale * (block_dRaw q k v bias lse delta j * q e).

Definition block_dV q k bias lse (j : A) (c : C) : R :=
  kappa j * exp (score q k bias j - lse) * dO c.

(** LV-XAttn's dQ: each rank's keys in turn, with the LSE and D of all keys. *)
Theorem grad_q_blocks : forall q k v bias sink lse delta blocks e,
  Permutation (concat blocks) keys ->
  lse = LSE keys (score q k bias) sink ->
  delta = D keys comps kappa dO (score q k bias) v sink ->
  sum (fun b => block_dQ q k v bias lse delta b e) blocks = dQ q k v bias sink e.
Proof.
  intros q k v bias sink lse delta blocks e H -> ->. unfold block_dQ, dQ. rewrite sum_scal.
  f_equal. rewrite sum_blocks with (keys := keys) by exact H. reflexivity.
Qed.

End Row.

(** ** Many rows *)

(** The loss of many rows is the sum of theirs; so is its derivative. *)
Theorem rows_vjp : forall I (losses : R -> I -> R) (g : I -> R) t (rows : list I),
  (forall r, In r rows -> is_derive (fun x => losses x r) t (g r)) ->
  is_derive (fun x => sum (losses x) rows) t (sum g rows).
Proof. intros I losses g t rows H. apply derive_sum, H. Qed.

Section Rows.

(** Rows of several batch entries, heads and queries share keys. Row r reads column (head r, e) of
    the keys and (head r, c) of the values, and sees those positions where [sees r] holds. All query
    heads of a group have one [head] (1). *)
Context {I A C E H : Type}.
Variable decI : decidable I.
Variable decA : decidable A.
Variable decC : decidable C.
Variable decE : decidable E.
Variable decH : decidable H.
Variable positions : list A.
Variable comps : list C.
Variable features : list E.
Variable sees : I -> A -> bool.
Variable head : I -> H.
Variable kappa : I -> A -> R.
Variable dO : I -> C -> R.
Variable dLSE : I -> R.
Variables scale cap : R.

Hypothesis positions_once : NoDup positions.
Hypothesis comps_once : NoDup comps.
Hypothesis features_once : NoDup features.

Definition decpair {X Y} (decX : decidable X) (decY : decidable Y) : decidable (X * Y).
Proof. intros a b. decide equality. Defined.

Definition visible (r : I) : list A := filter (sees r) positions.

(** What row r reads of a table whose columns are (head, component). *)
Definition view {Y} (table : A -> H * Y -> R) (r : I) : A -> Y -> R :=
  fun j y => table j (head r, y).

(** The row belongs to the KV head and sees the key. *)
Definition reads (j : A) (h : H) (r : I) : bool := if decH (head r) h then sees r j else false.

Definition loss_of r q k v bias sink : R :=
  row_loss (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap q k v bias sink.

Definition rows_loss (rows : list I) (q : I -> E -> R) (k : A -> H * E -> R)
    (v : A -> H * C -> R) (bias : I -> A -> R) (sink : I -> option R) : R :=
  sum (fun r => loss_of r (q r) (view k r) (view v r) (bias r) (sink r)) rows.

Definition dQ_of (q : I -> E -> R) k v (bias : I -> A -> R) sink r e : R :=
  dQ (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap
    (q r) (view k r) (view v r) (bias r) (sink r) e.

Definition dK_of (q : I -> E -> R) k v (bias : I -> A -> R) sink r j e : R :=
  dK (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap
    (q r) (view k r) (view v r) (bias r) (sink r) j e.

Definition dV_of (q : I -> E -> R) k (bias : I -> A -> R) sink r j c : R :=
  dValue (visible r) features (kappa r) (dO r) scale cap
    (q r) (view k r) (bias r) (sink r) j c.

Definition dS_of (q : I -> E -> R) k v (bias : I -> A -> R) sink r j : R :=
  dScore (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap
    (q r) (view k r) (view v r) (bias r) (sink r) j.

Definition dSink_of (q : I -> E -> R) k v (bias : I -> A -> R) sink r : R :=
  dLogit (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap
    (q r) (view k r) (view v r) (bias r) (sink r).

(** Equations (16) and (10), summed over the rows of the KV head that see the key. *)
Definition dK_rows rows q k v bias sink (j : A) (col : H * E) : R :=
  sum (fun r => dK_of q k v bias sink r j (snd col)) (filter (reads j (fst col)) rows).

Definition dV_rows rows q k bias sink (j : A) (col : H * C) : R :=
  sum (fun r => dV_of q k bias sink r j (snd col)) (filter (reads j (fst col)) rows).

Lemma visible_in : forall r j, In j positions -> (In j (visible r) <-> sees r j = true).
Proof. intros r j Hj. unfold visible. rewrite filter_In. tauto. Qed.

Lemma visible_once : forall r, NoDup (visible r).
Proof using positions_once. intros r. apply NoDup_filter, positions_once. Qed.

Lemma view_update : forall Y (decY : decidable Y) (k : A -> H * Y -> R) j h y x r,
  view (update2 decA (decpair decH decY) k j (h, y) x) r
  = if decH (head r) h then update2 decA decY (view k r) j y x else view k r.
Proof.
  intros Y decY k j h y x r. destruct (decH (head r) h) as [Hh|Hh];
    apply functional_extensionality; intros i; apply functional_extensionality; intros z;
    unfold view, update2, update; destruct (decA i j) as [Hi|Hi]; try reflexivity;
    destruct (decpair decH decY (head r, z) (h, y)) as [Hp|Hp]; try reflexivity.
  - injection Hp as _ Hz. destruct (decY z y); [reflexivity | contradiction].
  - destruct (decY z y) as [Hz|Hz]; [|reflexivity]. exfalso. apply Hp. congruence.
  - exfalso. apply Hh. congruence.
Qed.

(** Each query belongs to one row. *)
Theorem grad_q_rows : forall rows q k v bias sink r e,
  NoDup rows -> In r rows -> In e features ->
  is_derive (fun x => rows_loss rows (update2 decI decE q r e x) k v bias sink) (q r e)
    (dQ_of q k v bias sink r e).
Proof using features_once.
  intros rows q k v bias sink r e Hn Hr He. unfold rows_loss.
  eapply derive_eq.
  - apply (rows_vjp _ (fun x i => loss_of i (update2 decI decE q r e x i) (view k i) (view v i)
      (bias i) (sink i)) (fun i => dQ_of q k v bias sink i e * unit_at decI r i)).
    intros i Hi. unfold update2, unit_at. destruct (decI i r) as [->|Hne].
    + rewrite Rmult_1_r.
      exact (grad_q (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap decE (q r)
        (view k r) (view v r) (bias r) (sink r) e features_once He).
    + rewrite Rmult_0_r. apply derive_const.
  - exact (sum_unit _ decI (fun i => dQ_of q k v bias sink i e) r rows Hn Hr).
Qed.

(** Equation (16): a key that many rows read. *)
Theorem grad_k_rows : forall rows q k v bias sink j h e,
  In j positions -> In e features ->
  is_derive (fun x => rows_loss rows q (update2 decA (decpair decH decE) k j (h, e) x) v bias sink)
    (k j (h, e)) (dK_rows rows q k v bias sink j (h, e)).
Proof using decC features_once positions_once.
  intros rows q k v bias sink j h e Hj He. unfold rows_loss, dK_rows. rewrite sum_filter.
  apply (rows_vjp _ (fun x r => loss_of r (q r)
    (view (update2 decA (decpair decH decE) k j (h, e) x) r) (view v r) (bias r) (sink r))).
  intros r _. unfold reads. simpl fst. simpl snd.
  eapply is_derive_ext; [intros x; rewrite view_update; reflexivity|].
  destruct (decH (head r) h) as [<-|Hh]; [|apply derive_const].
  destruct (sees r j) eqn:Hs.
  - apply (visible_in r j Hj) in Hs.
    exact (grad_k (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap decA decE (q r)
      (view k r) (view v r) (bias r) (sink r) j e (visible_once r) Hs features_once He).
  - assert (Hout : ~ In j (visible r)) by (rewrite visible_in, Hs by assumption; discriminate).
    exact (proj1 (grad_unseen (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap decA
      decE decC (q r) (view k r) (view v r) (bias r) (sink r) j Hout) e _).
Qed.

(** Equation (10): a value that many rows read. *)
Theorem grad_v_rows : forall rows q k v bias sink j h c,
  In j positions -> In c comps ->
  is_derive (fun x => rows_loss rows q k (update2 decA (decpair decH decC) v j (h, c) x) bias sink)
    (v j (h, c)) (dV_rows rows q k bias sink j (h, c)).
Proof using decE comps_once positions_once.
  intros rows q k v bias sink j h c Hj Hc. unfold rows_loss, dV_rows. rewrite sum_filter.
  apply (rows_vjp _ (fun x r => loss_of r (q r) (view k r)
    (view (update2 decA (decpair decH decC) v j (h, c) x) r) (bias r) (sink r))).
  intros r _. unfold reads. simpl fst. simpl snd.
  eapply is_derive_ext; [intros x; rewrite view_update; reflexivity|].
  destruct (decH (head r) h) as [<-|Hh]; [|apply derive_const].
  destruct (sees r j) eqn:Hs.
  - apply (visible_in r j Hj) in Hs.
    exact (grad_v (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap decA decC (q r)
      (view k r) (view v r) (bias r) (sink r) j c (visible_once r) Hs comps_once Hc).
  - assert (Hout : ~ In j (visible r)) by (rewrite visible_in, Hs by assumption; discriminate).
    exact (proj2 (grad_unseen (visible r) comps features (kappa r) (dO r) (dLSE r) scale cap decA
      decE decC (q r) (view k r) (view v r) (bias r) (sink r) j Hout) c _).
Qed.

(** Equation (17): a bias table whose entry [place r j] row r adds to the score of key j, so that
    axes may be shared in any way. *)
Theorem grad_bias_rows : forall T (decT : decidable T) (place : I -> A -> T) (table : T -> R)
    rows q k v sink a,
  is_derive (fun x => rows_loss rows q k v (fun r j => update decT table a x (place r j)) sink)
    (table a)
    (sum (fun r => sum (dS_of q k v (fun r j => table (place r j)) sink r)
       (filter (fun j => if decT (place r j) a then true else false) (visible r))) rows).
Proof.
  intros T decT place table rows q k v sink a. unfold rows_loss.
  apply (rows_vjp _ (fun x r => loss_of r (q r) (view k r) (view v r)
    (fun j => update decT table a x (place r j)) (sink r))).
  intros r _. eapply derive_eq.
  - apply (row_vjp_still _ _ _ _ _ _ _ _ (fun _ => q r) (fun _ => view k r) (fun _ => view v r)
      (fun x j => update decT table a x (place r j)) (sink r) (table a) (fun _ => 0)
      (fun _ _ => 0) (fun _ _ => 0) (fun j => unit_at decT a (place r j))); intros;
      first [apply derive_const | apply (derive_update _ decT table a (table a) (place r _))].
  - rewrite update_same, !sum_times_zero, !sum_times_zero2, sum_filter, !Rplus_0_l.
    apply sum_ext. intros j. unfold unit_at. unfold dS_of.
    destruct (decT (place r j) a); ring.
Qed.

(** Equation (18): the sinks are a table; row r has the entry [place r]. *)
Theorem grad_sink_rows : forall T (decT : decidable T) (place : I -> T) (table : T -> R)
    rows q k v bias a,
  is_derive (fun x => rows_loss rows q k v bias (fun r => Some (update decT table a x (place r))))
    (table a)
    (sum (dSink_of q k v bias (fun r => Some (table (place r))))
       (filter (fun r => if decT (place r) a then true else false) rows)).
Proof.
  intros T decT place table rows q k v bias a. unfold rows_loss. rewrite sum_filter.
  apply (rows_vjp _ (fun x r => loss_of r (q r) (view k r) (view v r) (bias r)
    (Some (update decT table a x (place r))))).
  intros r _. unfold update. destruct (decT (place r) a) as [<-|Hne].
  - apply grad_sink.
  - apply derive_const.
Qed.

(** LV-XAttn's dK and dV: blocks of rows pass by in any order, each row with its LSE and D. *)
Theorem grad_k_blocks : forall blocks rows q k v bias sink (lse delta : I -> R) j h e,
  Permutation (concat blocks) rows ->
  (forall r,
    lse r = LSE (visible r) (score features scale cap (q r) (view k r) (bias r)) (sink r)) ->
  (forall r, delta r = D (visible r) comps (kappa r) (dO r)
    (score features scale cap (q r) (view k r) (bias r)) (view v r) (sink r)) ->
  sum (fun b => sum (fun r => block_dK comps features (kappa r) (dO r) (dLSE r) scale cap (q r)
    (view k r) (view v r) (bias r) (lse r) (delta r) j e) (filter (reads j h) b)) blocks
  = dK_rows rows q k v bias sink j (h, e).
Proof.
  intros blocks rows q k v bias sink lse delta j h e Hp Hl Hd. unfold dK_rows.
  rewrite sum_filter, <- (sum_blocks _ _ blocks rows Hp). apply sum_ext. intros b.
  rewrite sum_filter. apply sum_ext. intros r. rewrite Hl, Hd. reflexivity.
Qed.

Theorem grad_v_blocks : forall blocks rows q k bias sink (lse : I -> R) j h c,
  Permutation (concat blocks) rows ->
  (forall r,
    lse r = LSE (visible r) (score features scale cap (q r) (view k r) (bias r)) (sink r)) ->
  sum (fun b => sum (fun r => block_dV features (kappa r) (dO r) scale cap (q r) (view k r)
    (bias r) (lse r) j c) (filter (reads j h) b)) blocks
  = dV_rows rows q k bias sink j (h, c).
Proof.
  intros blocks rows q k bias sink lse j h c Hp Hl. unfold dV_rows.
  rewrite sum_filter, <- (sum_blocks _ _ blocks rows Hp). apply sum_ext. intros b.
  rewrite sum_filter. apply sum_ext. intros r. rewrite Hl. reflexivity.
Qed.

(** ** All keys and values at once: dK and dV as the gradient of a function of K and V *)

Lemma sum_pairs : forall X Y (f : X * Y -> R) xs ys,
  sum f (list_prod xs ys) = sum (fun x => sum (fun y => f (x, y)) ys) xs.
Proof.
  intros X Y f xs ys. induction xs as [|x xs IH]; simpl; [reflexivity|].
  rewrite sum_app, IH. f_equal. clear. induction ys as [|y ys IH]; simpl; [reflexivity|].
  rewrite IH. reflexivity.
Qed.

Lemma sum_in_columns : forall Y (g : I -> A -> Y -> R) (table' : A -> H * Y -> R) rows heads ys,
  NoDup heads -> (forall r, In r rows -> In (head r) heads) ->
  sum (fun r => sum (fun j => sum (fun y => g r j y * view table' r j y) ys) (visible r)) rows
  = sum (fun j => sum (fun col =>
      sum (fun r => g r j (snd col)) (filter (reads j (fst col)) rows) * table' j col)
      (list_prod heads ys)) positions.
Proof.
  intros Y g table' rows heads ys Hn Hin.
  transitivity (sum (fun j => sum (fun r => sum (fun col =>
    (if reads j (fst col) r then g r j (snd col) else 0) * table' j col) (list_prod heads ys))
    rows) positions).
  - rewrite <- (sum_swap _ _ (fun r j => sum (fun col =>
      (if reads j (fst col) r then g r j (snd col) else 0) * table' j col) (list_prod heads ys))).
    apply sum_ext_in. intros r Hr. unfold visible, view. rewrite sum_filter. apply sum_ext.
    intros j.
    rewrite sum_pairs. simpl fst. simpl snd.
    rewrite <- (sum_unit _ decH (fun h => if sees r j
      then sum (fun y => g r j y * table' j (h, y)) ys else 0) (head r) heads Hn (Hin r Hr)).
    apply sum_ext. intros h. unfold reads, unit_at.
    destruct (decH h (head r)) as [->|Hne].
    + destruct (decH (head r) (head r)); [|congruence]. rewrite Rmult_1_r.
      destruct (sees r j); [reflexivity|]. symmetry. rewrite (sum_ext _ _ (fun _ => 0)).
      * apply sum_zero.
      * intros y. ring.
    + destruct (decH (head r) h) as [Heq|_]; [congruence|]. rewrite Rmult_0_r.
      symmetry. rewrite (sum_ext _ _ (fun _ => 0)); [apply sum_zero | intros y; ring].
  - apply sum_ext. intros j. rewrite sum_swap. apply sum_ext. intros col.
    rewrite sum_filter. apply sum_scal_r.
Qed.

(** Along any curve of the shared keys and values; [heads] are the KV heads. *)
Theorem rows_kv_vjp : forall rows heads q (k : R -> A -> H * E -> R) (v : R -> A -> H * C -> R)
    bias sink t0 k' v',
  NoDup heads -> (forall r, In r rows -> In (head r) heads) ->
  (forall j col, is_derive (fun t => k t j col) t0 (k' j col)) ->
  (forall j col, is_derive (fun t => v t j col) t0 (v' j col)) ->
  is_derive (fun t => rows_loss rows q (k t) (v t) bias sink) t0
    (sum (fun j => sum (fun col => dK_rows rows q (k t0) (v t0) bias sink j col * k' j col)
       (list_prod heads features)) positions
     + sum (fun j => sum (fun col => dV_rows rows q (k t0) bias sink j col * v' j col)
       (list_prod heads comps)) positions).
Proof.
  intros rows heads q k v bias sink t0 k' v' Hn Hin Hk Hv. eapply derive_eq.
  - unfold rows_loss. apply (rows_vjp _ (fun t r => loss_of r (q r) (view (k t) r) (view (v t) r)
      (bias r) (sink r))).
    intros r _. unfold loss_of.
    apply (row_vjp_still _ _ _ _ _ _ _ _ (fun _ => q r) (fun t => view (k t) r)
      (fun t => view (v t) r) (fun _ => bias r) (sink r) t0 (fun _ => 0) (view k' r) (view v' r)
      (fun _ => 0)); intros; first [apply derive_const | apply Hk | apply Hv].
  - unfold dK_rows, dV_rows.
    rewrite <- (sum_in_columns _ (dK_of q (k t0) (v t0) bias sink) k') by assumption.
    rewrite <- (sum_in_columns _ (dV_of q (k t0) bias sink) v') by assumption.
    rewrite <- sum_plus. apply sum_ext. intros r.
    rewrite !sum_times_zero. unfold dK_of, dV_of. ring.
Qed.

End Rows.
