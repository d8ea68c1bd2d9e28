(** * StoredParts: partial sums stored in a narrower format before they are added up

    Purpose. FlashAttention-2 writes dK and dV of each query head in the output format and then sums over
    the heads that share a KV head: every part is rounded once more, relative to itself and not to the sum.

    Main results. u, eta: roundoff and half subnormal of the format stored in.
    - [stored_parts]     the sum of the stored parts is off by stored_parts_error

    Dependencies. The reals, lists. *)

From Coq Require Import Reals Lra List.
Import ListNotations.
Open Scope R_scope.

(** gradient-errors.ts, storedPartsError: [size] is the sum of the parts' sizes *)
Definition stored_parts_error (u eta parts size : R) : R := u * size + parts * eta.

(** One part: as summed, as stored, and what its size is at most. *)
Record part := { summed : R; stored : R; most : R }.

Definition sum_of (f : part -> R) (l : list part) : R := fold_right (fun x s => f x + s) 0 l.

Theorem stored_parts : forall u eta l,
  0 <= u -> 0 <= eta ->
  Forall (fun x => Rabs (summed x) <= most x /\
                   Rabs (stored x - summed x) <= u * Rabs (summed x) + eta) l ->
  Rabs (sum_of stored l - sum_of summed l)
    <= stored_parts_error u eta (INR (length l)) (sum_of most l).
Proof.
  intros u eta l U E H. unfold stored_parts_error.
  induction H as [| x l [M S] _ IH].
  - cbn. replace (0 - 0) with 0 by ring. rewrite Rabs_R0. lra.
  - change (length (x :: l)) with (Datatypes.S (length l)). rewrite S_INR. cbn [sum_of fold_right].
    fold (sum_of stored l) (sum_of summed l) (sum_of most l).
    replace (stored x + sum_of stored l - (summed x + sum_of summed l))
      with ((stored x - summed x) + (sum_of stored l - sum_of summed l)) by ring.
    pose proof (Rabs_triang (stored x - summed x) (sum_of stored l - sum_of summed l)).
    assert (u * Rabs (summed x) <= u * most x) by (apply Rmult_le_compat_l; assumption). lra.
Qed.
