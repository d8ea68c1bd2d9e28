(** * EmptyRow: rows and shards without keys, and the sink

    Purpose. Equation (9) of attention.md: a row that sees no key, a shard that is fully masked for a
    row, and a sink, which is one more partial result with value 0.

    Main results.
    - [empty_shard]       a shard without visible keys changes nothing, wherever it is merged
    - [empty_row]         a row whose every shard is empty finishes to nothing (O = 0, LSE = -inf)
    - [sink_only]         an otherwise empty row with a sink: LSE = sink, O = 0
    - [sink_once]         with keys, the sink enters the denominator, once, and not the numerator

    Dependencies. Merge.v, Partition.v. *)

From Coq Require Import Reals Lra List Permutation.
From Xattn Require Import Merge Partition.
Import ListNotations.
Open Scope R_scope.

Section EmptyRow.

Variable E : R -> R.
Hypothesis E_add : forall a b, E (a + b) = E a * E b.
Hypothesis E_pos : forall a, 0 < E a.

Theorem empty_shard : forall before after keys,
  Permutation (concat (before ++ after)) keys ->
  finish (fold E (before ++ [] :: after)) = attention E keys.
Proof.
  intros before after keys H. apply blocks_attention; try assumption.
  rewrite concat_app. simpl. rewrite <- concat_app. exact H.
Qed.

Theorem empty_row : forall shards : list (list key),
  Forall (fun keys => keys = []) shards -> fold E shards = None.
Proof.
  intros shards H. unfold fold. induction H as [|keys shards Hk H IH]; [reflexivity|].
  subst keys. simpl. exact IH.
Qed.

(** The sink: a key whose value is 0. *)
Definition sink (s : R) : partial := single s 0.

Theorem sink_only : forall s, sink s = Some (s, 1, 0) /\ finish (sink s) = Some 0.
Proof. intros s. split; [reflexivity|]. simpl. f_equal. field. Qed.

Theorem sink_once : forall s blocks keys,
  Permutation (concat blocks) keys ->
  finish (merge E (sink s) (fold E blocks)) =
  Some (numerator E keys / (E s + denominator E keys)).
Proof.
  intros s blocks keys H.
  assert (Hf : fold E blocks = eval E (chains Empty blocks)).
  { rewrite chains_eval. reflexivity. }
  assert (Hs : merge E (sink s) (fold E blocks) = eval E (Node (Key (s, 0)) (chains Empty blocks))).
  { simpl. rewrite <- Hf. reflexivity. }
  rewrite Hs.
  rewrite tree_attention with (keys := (s, 0) :: keys); try assumption.
  - unfold attention. simpl. f_equal. f_equal. ring.
  - simpl. rewrite chains_leaves. simpl. constructor. exact H.
Qed.

End EmptyRow.
