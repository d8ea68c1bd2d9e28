(** * Instances: the exponentials that the theorems are about

    Purpose. Everything in Merge, Partition, EmptyRow and Normalised is proved for any E with
    E (a + b) = E a * E b and 0 < E a. Here are the two that are used: e^x, the definition's own, and
    2^x, which the exact rational tests run on.

    Main results.
    - [exp_is_exponential], [exp_inverse]   e^x with ln
    - [exp2_is_exponential], [exp2_inverse]   2^x with log2
    - [ring_attention_exp], [ring_attention_exp2]   LV-XAttn computes softmax attention, to both bases

    Dependencies. Partition.v; Coq's Reals. *)

From Coq Require Import Reals Lra List Permutation.
From Xattn Require Import Merge Partition.
Open Scope R_scope.

Theorem exp_is_exponential : (forall a b, exp (a + b) = exp a * exp b) /\ (forall a, 0 < exp a).
Proof. split; [exact exp_plus | exact exp_pos]. Qed.

Theorem exp_inverse : (forall x, 0 < x -> exp (ln x) = x) /\ (forall x, ln (exp x) = x).
Proof. split; [exact exp_ln | exact ln_exp]. Qed.

Definition exp2 (x : R) : R := exp (x * ln 2).
Definition log2 (x : R) : R := ln x / ln 2.

Lemma ln2_pos : 0 < ln 2.
Proof. rewrite <- ln_1. apply ln_increasing; lra. Qed.

Theorem exp2_is_exponential : (forall a b, exp2 (a + b) = exp2 a * exp2 b) /\ (forall a, 0 < exp2 a).
Proof.
  split.
  - intros a b. unfold exp2. rewrite Rmult_plus_distr_r. apply exp_plus.
  - intros a. apply exp_pos.
Qed.

Theorem exp2_inverse : (forall x, 0 < x -> exp2 (log2 x) = x) /\ (forall x, log2 (exp2 x) = x).
Proof.
  pose proof ln2_pos. split; intros x; unfold exp2, log2.
  - intros Hx. replace (ln x / ln 2 * ln 2) with (ln x) by (field; lra). apply exp_ln, Hx.
  - rewrite ln_exp. field. lra.
Qed.

Theorem ring_attention_exp : forall before after keys,
  Permutation (concat (before ++ after)) keys ->
  finish (fold exp (after ++ before)) = attention exp keys.
Proof. apply ring_attention; apply exp_is_exponential. Qed.

Theorem ring_attention_exp2 : forall before after keys,
  Permutation (concat (before ++ after)) keys ->
  finish (fold exp2 (after ++ before)) = attention exp2 keys.
Proof. apply ring_attention; apply exp2_is_exponential. Qed.
