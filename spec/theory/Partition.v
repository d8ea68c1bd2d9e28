(** * Partition: any partition, any order, any merge tree gives attention

    Purpose. Equation (23) of attention.md. A merge tree has single keys, or nothing, at its leaves;
    it stands for every way of cutting the keys into blocks, ordering the blocks, and combining them.

    Main results.
    - [tree_attention]       a tree over any permutation of the keys finishes to softmax attention
    - [blocks_attention]     so does folding merge over any blocks, from left to right
    - [masked_attention]     masked keys are absent: a tree whose leaves for them are empty
    - [ring_attention]       LV-XAttn: block after block in ring order from any starting rank
    - [mass_eval], [finish_eval]   what any tree stands for, and finishes to: sums over its leaves

    Dependencies. Merge.v; lists and permutations. *)

From Coq Require Import Reals Lra List Permutation.
From Xattn Require Import Merge.
Import ListNotations.
Open Scope R_scope.

Section Partition.

Variable E : R -> R.
Hypothesis E_add : forall a b, E (a + b) = E a * E b.
Hypothesis E_pos : forall a, 0 < E a.

Notation merge := (Merge.merge E).
Notation mass := (Merge.mass E).

(** A key: its score and one component of its value. *)
Definition key : Type := R * R.

Definition denominator (keys : list key) : R := fold_right (fun k sum => E (fst k) + sum) 0 keys.
Definition numerator (keys : list key) : R := fold_right (fun k sum => E (fst k) * snd k + sum) 0 keys.

(** Softmax attention of one row; [None] where there is no key (equation 9). *)
Definition attention (keys : list key) : option R :=
  match keys with
  | [] => None
  | _ => Some (numerator keys / denominator keys)
  end.

Inductive tree : Type :=
  | Empty : tree
  | Key : key -> tree
  | Node : tree -> tree -> tree.

Fixpoint leaves (t : tree) : list key :=
  match t with
  | Empty => []
  | Key k => [k]
  | Node a b => leaves a ++ leaves b
  end.

Fixpoint eval (t : tree) : partial :=
  match t with
  | Empty => None
  | Key (s, v) => single s v
  | Node a b => merge (eval a) (eval b)
  end.

Lemma denominator_app : forall a b, denominator (a ++ b) = denominator a + denominator b.
Proof. induction a as [|k a IH]; intros b; simpl; [ring | rewrite IH; ring]. Qed.

Lemma numerator_app : forall a b, numerator (a ++ b) = numerator a + numerator b.
Proof. induction a as [|k a IH]; intros b; simpl; [ring | rewrite IH; ring]. Qed.

Lemma denominator_perm : forall a b, Permutation a b -> denominator a = denominator b.
Proof. induction 1; simpl; lra. Qed.

Lemma numerator_perm : forall a b, Permutation a b -> numerator a = numerator b.
Proof. induction 1; simpl; lra. Qed.

Lemma denominator_pos : forall keys, keys <> [] -> 0 < denominator keys.
Proof.
  induction keys as [|k keys IH]; intros H; [congruence|].
  simpl. destruct keys as [|k' keys].
  - simpl. pose proof (E_pos (fst k)). lra.
  - pose proof (E_pos (fst k)). assert (0 < denominator (k' :: keys)) by (apply IH; discriminate). lra.
Qed.

Lemma attention_perm : forall a b, Permutation a b -> attention a = attention b.
Proof.
  intros a b H. destruct a as [|x a], b as [|y b]; try reflexivity.
  - apply Permutation_nil in H. discriminate.
  - apply Permutation_sym, Permutation_nil in H. discriminate.
  - unfold attention. rewrite (numerator_perm _ _ H), (denominator_perm _ _ H). reflexivity.
Qed.

(** What a tree stands for are the sums over its leaves. *)
Theorem mass_eval : forall t, mass (eval t) = (denominator (leaves t), numerator (leaves t)).
Proof.
  induction t as [|[s v]|a IHa b IHb]; simpl.
  - reflexivity.
  - rewrite !Rplus_0_r, Rmult_1_r. reflexivity.
  - rewrite mass_merge by assumption. rewrite IHa, IHb. simpl.
    rewrite denominator_app, numerator_app. reflexivity.
Qed.

Lemma eval_none : forall t, eval t = None <-> leaves t = [].
Proof.
  induction t as [|[s v]|a IHa b IHb]; simpl; split; intros H; try reflexivity; try discriminate.
  - destruct (eval a) as [[[ma la] oa]|] eqn:Ha, (eval b) as [[[mb lb] ob]|] eqn:Hb; try discriminate.
    destruct IHa as [IHa _], IHb as [IHb _]. rewrite IHa, IHb by reflexivity. reflexivity.
  - apply app_eq_nil in H. destruct H as [H1 H2].
    destruct IHa as [_ IHa], IHb as [_ IHb]. rewrite IHa, IHb by assumption. reflexivity.
Qed.

Theorem finish_eval : forall t, finish (eval t) = attention (leaves t).
Proof.
  intros t. destruct (eval t) as [[[m l] o]|] eqn:Ht.
  - pose proof (mass_eval t) as Hm. rewrite Ht in Hm. simpl in Hm. injection Hm as Hl Ho.
    destruct (leaves t) as [|k ks] eqn:Hk.
    + apply eval_none in Hk. congruence.
    + assert (Hpos : 0 < denominator (k :: ks)) by (apply denominator_pos; discriminate).
      simpl finish. unfold attention. rewrite <- Ho, <- Hl.
      assert (l <> 0) by (intros Hz; subst l; rewrite <- Hl in Hpos; lra).
      f_equal. field. split; [assumption | apply E_nonzero; assumption].
  - apply eval_none in Ht. rewrite Ht. reflexivity.
Qed.

(** Any partition, order and tree: only the leaves matter, and only up to their order. *)
Theorem tree_attention : forall t keys,
  Permutation (leaves t) keys -> finish (eval t) = attention keys.
Proof. intros t keys H. rewrite finish_eval. apply attention_perm, H. Qed.

(** The partial result of one block of keys, taken in order. *)
Definition block (keys : list key) : partial :=
  fold_left (fun p k => merge p (single (fst k) (snd k))) keys None.

Definition fold (blocks : list (list key)) : partial :=
  fold_left (fun p keys => merge p (block keys)) blocks None.

Fixpoint chain (t : tree) (keys : list key) : tree :=
  match keys with
  | [] => t
  | k :: rest => chain (Node t (Key k)) rest
  end.

Lemma chain_eval : forall keys t,
  eval (chain t keys) = fold_left (fun p k => merge p (single (fst k) (snd k))) keys (eval t).
Proof.
  induction keys as [|[s v] keys IH]; intros t; simpl; [reflexivity | apply IH].
Qed.

Lemma chain_leaves : forall keys t, leaves (chain t keys) = leaves t ++ keys.
Proof.
  induction keys as [|k keys IH]; intros t; simpl.
  - rewrite app_nil_r. reflexivity.
  - rewrite IH. simpl. rewrite <- app_assoc. reflexivity.
Qed.

Fixpoint chains (t : tree) (blocks : list (list key)) : tree :=
  match blocks with
  | [] => t
  | keys :: rest => chains (Node t (chain Empty keys)) rest
  end.

Lemma chains_eval : forall blocks t,
  eval (chains t blocks) = fold_left (fun p keys => merge p (block keys)) blocks (eval t).
Proof.
  induction blocks as [|keys blocks IH]; intros t; simpl; [reflexivity|].
  rewrite IH. simpl. rewrite chain_eval. reflexivity.
Qed.

Lemma chains_leaves : forall blocks t, leaves (chains t blocks) = leaves t ++ concat blocks.
Proof.
  induction blocks as [|keys blocks IH]; intros t; simpl.
  - rewrite app_nil_r. reflexivity.
  - rewrite IH. simpl. rewrite chain_leaves. simpl. rewrite <- app_assoc. reflexivity.
Qed.

(** Blocks of any sizes, empty ones included, folded one after another. *)
Theorem blocks_attention : forall blocks keys,
  Permutation (concat blocks) keys -> finish (fold blocks) = attention keys.
Proof.
  intros blocks keys H. unfold fold.
  change (@None (R * R * R)) with (eval Empty).
  rewrite <- chains_eval. apply tree_attention. rewrite chains_leaves. exact H.
Qed.

(** A masked key is absent: each block may drop its own masked keys before it is computed. *)
Theorem masked_attention : forall (visible : key -> bool) blocks keys,
  Permutation (concat blocks) keys ->
  finish (fold (map (filter visible) blocks)) = attention (filter visible keys).
Proof.
  intros visible blocks keys H. apply blocks_attention.
  assert (Hc : concat (map (filter visible) blocks) = filter visible (concat blocks)).
  { clear H. induction blocks as [|b bs IH]; simpl; [reflexivity|].
    rewrite filter_app, IH. reflexivity. }
  rewrite Hc. clear Hc. induction H; simpl.
  - constructor.
  - destruct (visible x); [constructor; assumption | assumption].
  - destruct (visible x), (visible y); try constructor; try apply Permutation_refl.
  - eapply Permutation_trans; eassumption.
Qed.

(** LV-XAttn: a query block meets the ranks' key blocks in ring order, starting anywhere. *)
Theorem ring_attention : forall before after keys,
  Permutation (concat (before ++ after)) keys ->
  finish (fold (after ++ before)) = attention keys.
Proof.
  intros before after keys H. apply blocks_attention.
  eapply Permutation_trans; [|exact H].
  rewrite !concat_app. apply Permutation_app_comm.
Qed.

End Partition.
