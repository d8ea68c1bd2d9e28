(** * Volume: elements that one rank sends

    Purpose. What LV-XAttn, Ring Attention and Ulysses send per rank in one cross-attention, and
    when each sends less. It counts the messages that carry the tensors of attention.md: queries,
    outputs, dO, dQ have [e] elements per position (heads times head dimension), the LSE (6) and
    D (12) have [h] (heads). Sizes are reals; n is the number of ranks.

    The schedule. Blocks of rows travel round a ring, rank i holding block i at the start. A block
    goes out n - 1 times, [a] elements per row; its result goes with it on all n steps, [b] per row,
    the last one back home. So rank i sends the n - 1 blocks other than i + 1, and n results.

    - LV-XAttn forward: a = e (Q), b = e + h (O and LSE).
    - LV-XAttn backward here: a = 2e + 2h (Q, dO, LSE, D), b = e (dQ). D is sent in place of O.
    - The paper's backward: a = 3e + h (Q, O, dO, LSE), b = e.
    - Ring Attention, over the keys: a = 2e (K, V); b = 0 forward, 2e backward (dK, dV).
    - Ulysses: all-to-all of Q, K, V and O, or of their gradients.

    Main results.
    - [volume_uneven]            the messages, added up over uneven blocks
    - [volume_equal]             equal blocks: (n - 1) S a / n + S b
    - [lv_forward_uneven], [lv_backward_uneven], [ring_uneven]  the same, by name
    - [lv_forward_equal], [lv_backward_equal], [lv_backward_paper_equal], [ring_forward_equal],
      [ring_backward_equal]      the closed forms
    - [ulysses_equal]            Ulysses in closed form, the same in both passes
    - [one_rank]                 a single rank sends nothing
    - [lv_backward_saves]        sending D in place of O sends no more exactly when h <= e
    - [lv_beats_ring_forward], [lv_beats_ring_backward]        exact conditions
    - [lv_beats_ring_forward_simple], [lv_beats_ring_forward_twice], [lv_beats_ring_forward_many]
                                 S_KV > 5/2 S_Q is enough; S_KV >= 2 S_Q is with a head dimension
                                 above 2, or on four ranks or more
    - [ring_forward_twice_fails] on two ranks with head dimension 1 S_KV = 2 S_Q is not enough
    - [lv_beats_ring_backward_simple], [lv_beats_ring_backward_same]
                                 S_KV >= 5/4 S_Q is enough; S_KV >= S_Q is with a head dimension
                                 of 2 or more
    - [ring_preferable]          S_Q = S_KV: Ring Attention sends less forward
    - [lv_beats_ulysses_forward], [lv_beats_ulysses_backward]  exact conditions
    - [ulysses_forward_ratio], [ulysses_backward_ratio]        the exact thresholds of S_KV / S_Q
    - [ulysses_forward_needs], [ulysses_backward_needs]        S_KV > (n - 1/2) S_Q is needed, and
                                 S_KV > (3n - 1)/2 S_Q backward
    - [ulysses_forward_enough], [ulysses_backward_enough]      S_KV > n (1 + h/e) S_Q is enough, and
                                 S_KV > n (3/2 + h/e) S_Q backward
    - [all_better]               one condition under which LV-XAttn sends least in both passes

    Dependencies. Coq's Reals and lists. *)

From Coq Require Import Reals Lra Lia List Permutation Arith.
Import ListNotations.
Open Scope R_scope.

Definition total (l : list R) : R := fold_right Rplus 0 l.

(** ** The messages *)

(** Which block rank i works on at step t: its own first, then its predecessors'. *)
Definition block_at (n i t : nat) : nat := ((i + (n - t)) mod n)%nat.

Definition rows_at (blocks : list R) (i t : nat) : R := nth (block_at (length blocks) i t) blocks 0.

(** Sent by rank i: the block of every step but the last goes on, and every step's result does. A
    single rank sends nothing. *)
Definition volume (blocks : list R) (i : nat) (a b : R) : R :=
  let n := length blocks in
  if (n <=? 1)%nat then 0
  else total (map (fun t => rows_at blocks i t * a) (seq 0 (n - 1)))
    + total (map (fun t => rows_at blocks i t * b) (seq 0 n)).

Lemma total_app : forall l m, total (l ++ m) = total l + total m.
Proof. induction l as [|x l IH]; intros m; simpl; [ring | rewrite IH; ring]. Qed.

Lemma total_perm : forall l m, Permutation l m -> total l = total m.
Proof. induction 1; simpl; lra. Qed.

Lemma total_scale : forall (f : nat -> R) a l,
  total (map (fun t => f t * a) l) = total (map f l) * a.
Proof. intros f a l. induction l as [|x l IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma block_at_lt : forall n i t, (t < n)%nat -> (block_at n i t < n)%nat.
Proof. intros n i t H. apply Nat.mod_upper_bound. lia. Qed.

Lemma block_at_injective : forall n i t u,
  (t < n)%nat -> (u < n)%nat -> block_at n i t = block_at n i u -> t = u.
Proof.
  intros n i t u Ht Hu H. unfold block_at in H.
  pose proof (Nat.div_mod (i + (n - t)) n ltac:(lia)) as Et.
  pose proof (Nat.div_mod (i + (n - u)) n ltac:(lia)) as Eu.
  rewrite H in Et.
  destruct (Nat.lt_trichotomy ((i + (n - t)) / n) ((i + (n - u)) / n)) as [Hlt|[Heq|Hlt]]; nia.
Qed.

Lemma map_nth_seq : forall (l : list R), map (fun t => nth t l 0) (seq 0 (length l)) = l.
Proof.
  induction l as [|x l IH]; simpl; [reflexivity|]. f_equal.
  rewrite <- seq_shift, map_map. exact IH.
Qed.

(** In n steps a rank meets every block once. *)
Lemma every_block : forall n i, Permutation (map (block_at n i) (seq 0 n)) (seq 0 n).
Proof.
  intros n i. apply NoDup_Permutation_bis.
  - apply NoDup_nth with (d := 0%nat). rewrite map_length, seq_length. intros t u Ht Hu.
    rewrite !(nth_indep _ 0%nat (block_at n i 0)) by (rewrite map_length, seq_length; lia).
    rewrite !map_nth, !seq_nth by lia. simpl. apply block_at_injective; assumption.
  - rewrite map_length. lia.
  - intros b Hb. apply in_map_iff in Hb. destruct Hb as [t [<- Ht]]. apply in_seq in Ht.
    apply in_seq. split; [lia|]. simpl. apply block_at_lt. lia.
Qed.

Lemma total_steps : forall blocks i,
  total (map (rows_at blocks i) (seq 0 (length blocks))) = total blocks.
Proof.
  intros blocks i. unfold rows_at.
  rewrite <- (map_map (block_at (length blocks) i) (fun t => nth t blocks 0)).
  rewrite (total_perm _ _ (Permutation_map _ (every_block (length blocks) i))).
  rewrite map_nth_seq. reflexivity.
Qed.

(** The block that rank i does not send on is its successor's. *)
Theorem volume_uneven : forall blocks i a b, (2 <= length blocks)%nat ->
  volume blocks i a b
  = (total blocks - nth ((i + 1) mod length blocks) blocks 0) * a + total blocks * b.
Proof.
  intros blocks i a b H. unfold volume.
  destruct (Nat.leb_spec (length blocks) 1) as [Hle|_]; [lia|].
  rewrite !total_scale, total_steps. f_equal. f_equal.
  pose proof (total_steps blocks i) as Hs.
  replace (length blocks) with (length blocks - 1 + 1)%nat in Hs at 1 by lia.
  rewrite seq_app, map_app, total_app in Hs. simpl in Hs.
  unfold rows_at at 2 in Hs. unfold block_at in Hs.
  replace (length blocks - (length blocks - 1))%nat with 1%nat in Hs by lia. lra.
Qed.

Lemma total_repeat : forall (x : R) n, total (repeat x n) = INR n * x.
Proof.
  intros x n. induction n as [|n IH]; [simpl; ring|]. rewrite S_INR. simpl. rewrite IH. ring.
Qed.

Lemma nth_repeat_lt : forall (x : R) n k, (k < n)%nat -> nth k (repeat x n) 0 = x.
Proof.
  intros x n. induction n as [|n IH]; intros k H; [lia|]. destruct k as [|k]; simpl; [reflexivity|].
  apply IH. lia.
Qed.

(** Equal blocks of S / n rows. *)
Theorem volume_equal : forall n i s a b, (2 <= n)%nat ->
  volume (repeat (s / INR n) n) i a b = (INR n - 1) * s * a / INR n + s * b.
Proof.
  intros n i s a b H. assert (Hn : 0 < INR n) by (apply lt_0_INR; lia).
  rewrite volume_uneven; rewrite repeat_length; [|exact H].
  rewrite nth_repeat_lt by (apply Nat.mod_upper_bound; lia). rewrite total_repeat. field. lra.
Qed.

(** ** The three methods *)

Definition lv_forward blocks i e h : R := volume blocks i e (e + h).
Definition lv_backward blocks i e h : R := volume blocks i (2 * e + 2 * h) e.
Definition lv_backward_paper blocks i e h : R := volume blocks i (3 * e + h) e.
Definition ring_forward blocks i e : R := volume blocks i (2 * e) 0.
Definition ring_backward blocks i e : R := volume blocks i (2 * e) (2 * e).

(** An all-to-all moves (n - 1) / n of the s / n rows that a rank holds. *)
Definition all_to_all n s e : R := (INR n - 1) / INR n * (s / INR n * e).

Definition ulysses_forward n sq skv e : R :=
  all_to_all n sq e + all_to_all n skv e + all_to_all n skv e + all_to_all n sq e.

(** dO in; dQ, dK, dV out. *)
Definition ulysses_backward n sq skv e : R :=
  all_to_all n sq e + all_to_all n sq e + all_to_all n skv e + all_to_all n skv e.

Definition equal (n : nat) (s : R) : list R := repeat (s / INR n) n.

Theorem lv_forward_uneven : forall blocks i e h, (2 <= length blocks)%nat ->
  lv_forward blocks i e h
  = (total blocks - nth ((i + 1) mod length blocks) blocks 0) * e + total blocks * (e + h).
Proof. intros. apply volume_uneven. assumption. Qed.

Theorem lv_backward_uneven : forall blocks i e h, (2 <= length blocks)%nat ->
  lv_backward blocks i e h
  = (total blocks - nth ((i + 1) mod length blocks) blocks 0) * (2 * e + 2 * h) + total blocks * e.
Proof. intros. apply volume_uneven. assumption. Qed.

Theorem ring_uneven : forall blocks i e, (2 <= length blocks)%nat ->
  ring_forward blocks i e = (total blocks - nth ((i + 1) mod length blocks) blocks 0) * (2 * e)
  /\ ring_backward blocks i e
     = (total blocks - nth ((i + 1) mod length blocks) blocks 0) * (2 * e)
       + total blocks * (2 * e).
Proof.
  intros blocks i e H. unfold ring_forward, ring_backward. rewrite !volume_uneven by exact H.
  split; ring.
Qed.

Theorem one_rank : forall blocks i e h, (length blocks <= 1)%nat ->
  lv_forward blocks i e h = 0 /\ lv_backward blocks i e h = 0.
Proof.
  intros blocks i e h H. unfold lv_forward, lv_backward, volume.
  destruct (Nat.leb_spec (length blocks) 1); [auto | lia].
Qed.

Theorem lv_forward_equal : forall n i sq e h, (2 <= n)%nat ->
  lv_forward (equal n sq) i e h = (INR n - 1) * sq * e / INR n + sq * e + sq * h.
Proof. intros. unfold lv_forward, equal. rewrite volume_equal by assumption. ring. Qed.

Theorem lv_backward_equal : forall n i sq e h, (2 <= n)%nat ->
  lv_backward (equal n sq) i e h = (INR n - 1) * (2 * sq * e + 2 * sq * h) / INR n + sq * e.
Proof.
  intros. unfold lv_backward, equal. rewrite volume_equal by assumption. unfold Rdiv. ring.
Qed.

Theorem lv_backward_paper_equal : forall n i sq e h, (2 <= n)%nat ->
  lv_backward_paper (equal n sq) i e h = (INR n - 1) * (3 * sq * e + sq * h) / INR n + sq * e.
Proof.
  intros. unfold lv_backward_paper, equal. rewrite volume_equal by assumption. unfold Rdiv. ring.
Qed.

Theorem ring_forward_equal : forall n i skv e, (2 <= n)%nat ->
  ring_forward (equal n skv) i e = (INR n - 1) * 2 * skv * e / INR n.
Proof.
  intros. unfold ring_forward, equal. rewrite volume_equal by assumption. unfold Rdiv. ring.
Qed.

Theorem ring_backward_equal : forall n i skv e, (2 <= n)%nat ->
  ring_backward (equal n skv) i e = (INR n - 1) * 2 * skv * e / INR n + 2 * skv * e.
Proof.
  intros. unfold ring_backward, equal. rewrite volume_equal by assumption. unfold Rdiv. ring.
Qed.

Theorem ulysses_equal : forall n sq skv e, (1 <= n)%nat ->
  ulysses_forward n sq skv e = 2 * (INR n - 1) / INR n ^ 2 * (sq + skv) * e
  /\ ulysses_backward n sq skv e = ulysses_forward n sq skv e.
Proof.
  intros n sq skv e H. assert (0 < INR n) by (apply lt_0_INR; lia).
  unfold ulysses_backward, ulysses_forward, all_to_all. split; field; lra.
Qed.

(** ** Which sends less *)

Section Compare.

Variable n : nat.
Variables i i' : nat.
Variables sq skv e h : R.
Hypothesis ranks : (2 <= n)%nat.

Let r := INR n.

Lemma two_ranks : 2 <= INR n.
Proof using ranks. apply le_INR in ranks. simpl in ranks. lra. Qed.

(** a / n < b / n exactly when a < b. *)
Lemma less_over : forall x y p q c, 0 < c -> p = x / c -> q = y / c -> (p < q <-> x < y).
Proof using.
  intros x y p q c Hc -> ->. unfold Rdiv. split; intros H.
  - apply Rmult_lt_reg_r with (/ c); [apply Rinv_0_lt_compat|]; assumption.
  - apply Rmult_lt_compat_r; [apply Rinv_0_lt_compat|]; assumption.
Qed.

Theorem lv_backward_saves : 0 < sq ->
  (lv_backward (equal n sq) i e h <= lv_backward_paper (equal n sq) i e h <-> h <= e).
Proof using ranks.
  intros Hs. pose proof two_ranks as Hn.
  rewrite lv_backward_equal, lv_backward_paper_equal by exact ranks.
  assert (Hc : 0 < (INR n - 1) * sq / INR n).
  { apply Rdiv_lt_0_compat; [apply Rmult_lt_0_compat|]; lra. }
  replace ((INR n - 1) * (2 * sq * e + 2 * sq * h) / INR n + sq * e)
    with ((INR n - 1) * (3 * sq * e + sq * h) / INR n + sq * e
      - (INR n - 1) * sq / INR n * (e - h)) by (field; lra).
  split; intros H; nra.
Qed.

Theorem lv_beats_ring_forward :
  lv_forward (equal n sq) i e h < ring_forward (equal n skv) i' e
  <-> ((2 * r - 1) * e + r * h) * sq < 2 * (r - 1) * e * skv.
Proof using ranks.
  pose proof two_ranks as Hn. rewrite lv_forward_equal, ring_forward_equal by exact ranks.
  apply less_over with (INR n); [lra | |]; unfold r; field; lra.
Qed.

Theorem lv_beats_ring_backward :
  lv_backward (equal n sq) i e h < ring_backward (equal n skv) i' e
  <-> ((3 * r - 2) * e + 2 * (r - 1) * h) * sq < (4 * r - 2) * e * skv.
Proof using ranks.
  pose proof two_ranks as Hn. rewrite lv_backward_equal, ring_backward_equal by exact ranks.
  apply less_over with (INR n); [lra | |]; unfold r; field; lra.
Qed.

Theorem lv_beats_ulysses_forward :
  lv_forward (equal n sq) i e h < ulysses_forward n sq skv e
  <-> ((2 * r ^ 2 - 3 * r + 2) * e + r ^ 2 * h) * sq < 2 * (r - 1) * e * skv.
Proof using ranks.
  pose proof two_ranks as Hn. rewrite lv_forward_equal by exact ranks.
  rewrite (proj1 (ulysses_equal n sq skv e ltac:(lia))).
  transitivity (r * ((2 * r - 1) * e + r * h) * sq < 2 * (r - 1) * (sq + skv) * e).
  - apply less_over with (INR n ^ 2); [nra | |]; unfold r; field; lra.
  - split; intros H; nra.
Qed.

Theorem lv_beats_ulysses_backward :
  lv_backward (equal n sq) i e h < ulysses_backward n sq skv e
  <-> ((3 * r ^ 2 - 4 * r + 2) * e + 2 * r * (r - 1) * h) * sq < 2 * (r - 1) * e * skv.
Proof using ranks.
  pose proof two_ranks as Hn. rewrite lv_backward_equal by exact ranks.
  destruct (ulysses_equal n sq skv e ltac:(lia)) as [Hf Hb]. rewrite Hb, Hf.
  transitivity (r * ((3 * r - 2) * e + 2 * (r - 1) * h) * sq < 2 * (r - 1) * (sq + skv) * e).
  - apply less_over with (INR n ^ 2); [nra | |]; unfold r; field; lra.
  - split; intros H; nra.
Qed.

(** *** Simple conditions *)

Hypothesis sq_pos : 0 < sq.
Hypothesis e_pos : 0 < e.

(** More than a multiple of S_Q is enough when the coefficients compare. *)
Lemma enough : forall x y c, x <= c * y -> 0 < y -> c * sq < skv -> x * sq < y * skv.
Proof using sq_pos.
  intros x y c Hx Hy Hc. apply Rle_lt_trans with (c * y * sq).
  - apply Rmult_le_compat_r; lra.
  - replace (c * y * sq) with (y * (c * sq)) by ring. apply Rmult_lt_compat_l; assumption.
Qed.

Lemma enough_strict : forall x y c, x < c * y -> 0 < y -> c * sq <= skv -> x * sq < y * skv.
Proof using sq_pos.
  intros x y c Hx Hy Hc. apply Rlt_le_trans with (c * y * sq).
  - apply Rmult_lt_compat_r; assumption.
  - replace (c * y * sq) with (y * (c * sq)) by ring. apply Rmult_le_compat_l; lra.
Qed.

(** For any number of ranks. Two ranks with h = e need all of it. *)
Theorem lv_beats_ring_forward_simple : h <= e -> 5 / 2 * sq < skv ->
  lv_forward (equal n sq) i e h < ring_forward (equal n skv) i' e.
Proof using ranks sq_pos e_pos.
  intros Hh Hs. pose proof two_ranks as Hn. apply lv_beats_ring_forward.
  apply enough with (5 / 2); unfold r; nra.
Qed.

(** A head dimension above 2. *)
Theorem lv_beats_ring_forward_twice : 2 * h < e -> 2 * sq <= skv ->
  lv_forward (equal n sq) i e h < ring_forward (equal n skv) i' e.
Proof using ranks sq_pos e_pos.
  intros Hh Hs. pose proof two_ranks as Hn. apply lv_beats_ring_forward.
  apply enough_strict with 2; unfold r; nra.
Qed.

Theorem lv_beats_ring_forward_many : (4 <= n)%nat -> h <= e -> 2 * sq <= skv ->
  lv_forward (equal n sq) i e h < ring_forward (equal n skv) i' e.
Proof using ranks sq_pos e_pos.
  intros H4 Hh Hs. apply le_INR in H4. simpl in H4. apply lv_beats_ring_forward.
  apply enough_strict with 2; unfold r; nra.
Qed.

Theorem lv_beats_ring_backward_simple : h <= e -> 5 / 4 * sq <= skv ->
  lv_backward (equal n sq) i e h < ring_backward (equal n skv) i' e.
Proof using ranks sq_pos e_pos.
  intros Hh Hs. pose proof two_ranks as Hn. apply lv_beats_ring_backward.
  apply enough_strict with (5 / 4); unfold r; nra.
Qed.

Theorem lv_beats_ring_backward_same : 2 * h <= e -> sq <= skv ->
  lv_backward (equal n sq) i e h < ring_backward (equal n skv) i' e.
Proof using ranks sq_pos e_pos.
  intros Hh Hs. pose proof two_ranks as Hn. apply lv_beats_ring_backward.
  apply enough_strict with 1; unfold r; nra.
Qed.

(** Self-attention: queries are as long as keys. *)
Theorem ring_preferable : 0 <= h -> skv = sq ->
  ring_forward (equal n skv) i' e < lv_forward (equal n sq) i e h.
Proof using ranks sq_pos e_pos.
  intros Hh ->. pose proof two_ranks as Hn.
  rewrite lv_forward_equal, ring_forward_equal by exact ranks.
  apply less_over with (x := 2 * (INR n - 1) * e * sq)
    (y := ((2 * INR n - 1) * e + INR n * h) * sq) (c := INR n); [lra | field; lra | field; lra|].
  apply Rmult_lt_compat_r; nra.
Qed.

(** *** Thresholds against Ulysses *)

Lemma ratio : forall x y, 0 < y -> (x * sq < y * skv <-> x / y < skv / sq).
Proof using sq_pos.
  intros x y Hy. symmetry. apply less_over with (y * sq).
  - apply Rmult_lt_0_compat; assumption.
  - field. lra.
  - field. lra.
Qed.

Theorem ulysses_forward_ratio :
  lv_forward (equal n sq) i e h < ulysses_forward n sq skv e
  <-> r - / 2 + / (2 * (r - 1)) + r ^ 2 / (2 * (r - 1)) * (h / e) < skv / sq.
Proof using ranks sq_pos e_pos.
  pose proof two_ranks as Hn. rewrite lv_beats_ulysses_forward, ratio by (unfold r; nra).
  replace (((2 * r ^ 2 - 3 * r + 2) * e + r ^ 2 * h) / (2 * (r - 1) * e))
    with (r - / 2 + / (2 * (r - 1)) + r ^ 2 / (2 * (r - 1)) * (h / e))
    by (unfold r; field; lra).
  reflexivity.
Qed.

Theorem ulysses_backward_ratio :
  lv_backward (equal n sq) i e h < ulysses_backward n sq skv e
  <-> (3 * r - 1) / 2 + / (2 * (r - 1)) + r * (h / e) < skv / sq.
Proof using ranks sq_pos e_pos.
  pose proof two_ranks as Hn. rewrite lv_beats_ulysses_backward, ratio by (unfold r; nra).
  replace (((3 * r ^ 2 - 4 * r + 2) * e + 2 * r * (r - 1) * h) / (2 * (r - 1) * e))
    with ((3 * r - 1) / 2 + / (2 * (r - 1)) + r * (h / e)) by (unfold r; field; lra).
  reflexivity.
Qed.

Theorem ulysses_forward_needs : 0 <= h ->
  lv_forward (equal n sq) i e h < ulysses_forward n sq skv e -> (r - 1 / 2) * sq < skv.
Proof using ranks sq_pos e_pos.
  intros Hh H. pose proof two_ranks as Hn. apply lv_beats_ulysses_forward in H.
  apply Rmult_lt_reg_l with (2 * (r - 1) * e); [unfold r; nra|].
  eapply Rle_lt_trans; [|exact H].
  replace (2 * (r - 1) * e * ((r - 1 / 2) * sq)) with ((2 * r ^ 2 - 3 * r + 1) * e * sq) by field.
  apply Rmult_le_compat_r; [lra|]. pose proof (pow2_ge_0 r). nra.
Qed.

Theorem ulysses_backward_needs : 0 <= h ->
  lv_backward (equal n sq) i e h < ulysses_backward n sq skv e -> (3 * r - 1) / 2 * sq < skv.
Proof using ranks sq_pos e_pos.
  intros Hh H. pose proof two_ranks as Hn. apply lv_beats_ulysses_backward in H.
  apply Rmult_lt_reg_l with (2 * (r - 1) * e); [unfold r; nra|].
  eapply Rle_lt_trans; [|exact H].
  replace (2 * (r - 1) * e * ((3 * r - 1) / 2 * sq)) with ((3 * r ^ 2 - 4 * r + 1) * e * sq)
    by field.
  apply Rmult_le_compat_r; [lra|].
  assert (0 <= 2 * r * (r - 1) * h) by (apply Rmult_le_pos; [unfold r; nra | exact Hh]). nra.
Qed.

Theorem ulysses_forward_enough : 0 <= h -> r * (1 + h / e) * sq < skv ->
  lv_forward (equal n sq) i e h < ulysses_forward n sq skv e.
Proof using ranks sq_pos e_pos.
  intros Hh Hs. pose proof two_ranks as Hn. apply lv_beats_ulysses_forward.
  apply enough with (r * (1 + h / e)); [|unfold r; nra | exact Hs].
  replace (r * (1 + h / e) * (2 * (r - 1) * e))
    with (2 * r * (r - 1) * e + 2 * r * (r - 1) * h) by (field; lra).
  apply Rplus_le_compat; apply Rmult_le_compat_r; try assumption; unfold r; nra.
Qed.

Theorem ulysses_backward_enough : 0 <= h -> r * (3 / 2 + h / e) * sq < skv ->
  lv_backward (equal n sq) i e h < ulysses_backward n sq skv e.
Proof using ranks sq_pos e_pos.
  intros Hh Hs. pose proof two_ranks as Hn. apply lv_beats_ulysses_backward.
  apply enough with (r * (3 / 2 + h / e)); [|unfold r; nra | exact Hs].
  replace (r * (3 / 2 + h / e) * (2 * (r - 1) * e))
    with (3 * r * (r - 1) * e + 2 * r * (r - 1) * h) by (field; lra).
  apply Rplus_le_compat; apply Rmult_le_compat_r; try assumption; try (unfold r; nra); lra.
Qed.

(** At most one LSE per element: S_KV > 5/2 n S_Q is enough against both, in both passes. *)
Theorem all_better : 0 <= h -> h <= e -> 5 / 2 * r * sq < skv ->
  lv_forward (equal n sq) i e h < ring_forward (equal n skv) i' e
  /\ lv_backward (equal n sq) i e h < ring_backward (equal n skv) i' e
  /\ lv_forward (equal n sq) i e h < ulysses_forward n sq skv e
  /\ lv_backward (equal n sq) i e h < ulysses_backward n sq skv e.
Proof using ranks sq_pos e_pos.
  intros Hh Hhe Hs. pose proof two_ranks as Hn.
  assert (Hq : h / e <= 1).
  { apply Rmult_le_reg_r with e; [exact e_pos|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l; lra. }
  assert (Hr : 2 * sq <= r * sq) by (apply Rmult_le_compat_r; unfold r; lra).
  assert (H0 : 0 < r * sq) by lra.
  repeat split.
  - apply lv_beats_ring_forward_simple; [exact Hhe | lra].
  - apply lv_beats_ring_backward_simple; [exact Hhe | lra].
  - apply ulysses_forward_enough; [exact Hh|]. nra.
  - apply ulysses_backward_enough; [exact Hh|]. nra.
Qed.

End Compare.

(** Twice as many keys as queries are not always enough. *)
Theorem ring_forward_twice_fails :
  exists n i sq skv e h, (2 <= n)%nat /\ 0 < sq /\ 0 < e /\ 0 <= h <= e /\ 2 * sq <= skv
    /\ ring_forward (equal n skv) i e < lv_forward (equal n sq) i e h.
Proof.
  exists 2%nat, 0%nat, 1, 2, 1, 1. repeat split; try lra; try lia.
  rewrite ring_forward_equal, lv_forward_equal by lia. simpl. lra.
Qed.
