(** * Merge: partial results of attention, over any exponential

    Purpose. A partial result stands for a set of keys: running maximum m, sum l = Sum E(s - m),
    weighted sum o = Sum E(s - m) v (attention.md, equations 19-21). The empty set of keys, running
    maximum minus infinity, is [None]: a value, not a side condition. [o] is one component of the
    value; m and l are shared by all components, so the laws hold componentwise.

    Main results.
    - [merge_comm]     merge a b = merge b a
    - [merge_assoc]    merge a (merge b c) = merge (merge a b) c
    - [merge_none_l], [merge_none_r]   the empty set is the identity
    - [mass_merge]     what a partial stands for, (E m * l, E m * o), adds up under merge
    - [rebase_finish]  o / l does not depend on the chosen maximum
    - [rebase_mass]    neither does what the partial stands for
    - [finish_mass]    o / l is what the partial stands for, weighted sum over sum

    Assumed of the exponential: E (a + b) = E a * E b and 0 < E a. Instances.v gives e^x and 2^x.

    Dependencies. Coq's Reals only. *)

From Coq Require Import Reals Lra.
Open Scope R_scope.

Section Merge.

Variable E : R -> R.
Hypothesis E_add : forall a b, E (a + b) = E a * E b.
Hypothesis E_pos : forall a, 0 < E a.

(** Running maximum, sum, weighted sum; [None] is the empty set of keys. *)
Definition partial : Type := option (R * R * R).

(** One key with score [s] and value [v]. *)
Definition single (s v : R) : partial := Some (s, 1, v).

(** Equation (20). *)
Definition merge (a b : partial) : partial :=
  match a, b with
  | None, _ => b
  | _, None => a
  | Some (ma, la, oa), Some (mb, lb, ob) =>
      let m := Rmax ma mb in
      Some (m, E (ma - m) * la + E (mb - m) * lb, E (ma - m) * oa + E (mb - m) * ob)
  end.

(** What a partial stands for: the two sums without any maximum taken out. *)
Definition mass (p : partial) : R * R :=
  match p with
  | None => (0, 0)
  | Some (m, l, o) => (E m * l, E m * o)
  end.

(** Equation (21): the output, when there is a key. *)
Definition finish (p : partial) : option R :=
  match p with
  | None => None
  | Some (_, l, o) => Some (o / l)
  end.

(** The same partial on another maximum. *)
Definition rebase (m' : R) (p : partial) : partial :=
  match p with
  | None => None
  | Some (m, l, o) => Some (m', E (m - m') * l, E (m - m') * o)
  end.

Lemma E_shift : forall a b c, E (b - c) * E (a - b) = E (a - c).
Proof. intros a b c. rewrite <- E_add. f_equal. ring. Qed.

Lemma E_back : forall a m, E m * E (a - m) = E a.
Proof. intros a m. rewrite <- E_add. f_equal. ring. Qed.

Lemma E_nonzero : forall a, E a <> 0.
Proof. intros a. apply Rgt_not_eq. apply E_pos. Qed.

Theorem merge_none_l : forall p, merge None p = p.
Proof. reflexivity. Qed.

Theorem merge_none_r : forall p, merge p None = p.
Proof. intros [[[m l] o]|]; reflexivity. Qed.

Theorem merge_comm : forall a b, merge a b = merge b a.
Proof.
  intros [[[ma la] oa]|] [[[mb lb] ob]|]; try reflexivity.
  simpl. rewrite (Rmax_comm mb ma).
  rewrite (Rplus_comm (E (mb - _) * lb)), (Rplus_comm (E (mb - _) * ob)). reflexivity.
Qed.

Theorem merge_assoc : forall a b c, merge a (merge b c) = merge (merge a b) c.
Proof.
  intros [[[ma la] oa]|] [[[mb lb] ob]|] [[[mc lc] oc]|]; try reflexivity.
  simpl. rewrite Rmax_assoc.
  set (m := Rmax (Rmax ma mb) mc).
  rewrite !Rmult_plus_distr_l, <- !Rmult_assoc, !E_shift, !Rplus_assoc. reflexivity.
Qed.

(** What partials stand for adds up: the reason that any partition, order and tree will do. *)
Theorem mass_merge : forall a b,
  mass (merge a b) = (fst (mass a) + fst (mass b), snd (mass a) + snd (mass b)).
Proof.
  intros [[[ma la] oa]|] [[[mb lb] ob]|]; simpl;
    try (rewrite ?Rplus_0_l, ?Rplus_0_r; reflexivity).
  rewrite !Rmult_plus_distr_l, <- !Rmult_assoc, !E_back. reflexivity.
Qed.

Theorem rebase_mass : forall m' p, mass (rebase m' p) = mass p.
Proof.
  intros m' [[[m l] o]|]; simpl; [|reflexivity].
  rewrite <- !Rmult_assoc, !E_back. reflexivity.
Qed.

Theorem rebase_finish : forall m' p, finish (rebase m' p) = finish p.
Proof.
  intros m' [[[m l] o]|]; simpl; [|reflexivity].
  f_equal. destruct (Req_dec l 0) as [Hl | Hl].
  - subst l. unfold Rdiv. rewrite Rmult_0_r, Rinv_0. ring.
  - field. split; [exact Hl | apply E_nonzero].
Qed.

(** The output depends only on what the partial stands for. *)
Theorem finish_mass : forall m l o, l <> 0 ->
  finish (Some (m, l, o)) = Some (snd (mass (Some (m, l, o))) / fst (mass (Some (m, l, o)))).
Proof.
  intros m l o Hl. simpl. f_equal. field. split; [exact Hl | apply E_nonzero].
Qed.

End Merge.
