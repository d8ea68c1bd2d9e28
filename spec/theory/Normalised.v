(** * Normalised: partial results as (O, LSE), the form that travels

    Purpose. Equation (22) of attention.md. LV-XAttn sends normalised outputs and log-sum-exps; this
    shows that merging those is merging partial results.

    Main results.
    - [lse_mass]           E (LSE) is the mass: the LSE does not depend on the maximum
    - [normalised_merge]   (O, LSE) of a merge is the normalised merge of the (O, LSE)s
    - [phantom_key]        an accumulator that starts at LSE = 0 instead of nothing has one more key,
                           with score 0 and value 0: the output shrinks by l / (l + E 0) and is wrong
                           whenever it is not zero

    Assumed, besides the exponential: its inverse L on positive numbers.

    Dependencies. Merge.v. *)

From Coq Require Import Reals Lra.
From Xattn Require Import Merge.
Open Scope R_scope.

Section Normalised.

Variable E L : R -> R.
Hypothesis E_add : forall a b, E (a + b) = E a * E b.
Hypothesis E_pos : forall a, 0 < E a.
Hypothesis E_L : forall x, 0 < x -> E (L x) = x.
Hypothesis L_E : forall x, L (E x) = x.

(** Output and log-sum-exp of a partial with keys. *)
Definition lse (m l : R) : R := m + L l.

Theorem lse_mass : forall m l, 0 < l -> E (lse m l) = E m * l.
Proof. intros m l Hl. unfold lse. rewrite E_add, E_L by assumption. reflexivity. Qed.

(** Equation (22): LSE = log (E LSE_a + E LSE_b), O the weighted mean. *)
Definition merged_lse (x y : R) : R := L (E x + E y).
Definition merged_out (ox x oy y : R) : R :=
  E (x - merged_lse x y) * ox + E (y - merged_lse x y) * oy.

Lemma E_sub : forall a b, E (a - b) = E a / E b.
Proof.
  intros a b. replace a with ((a - b) + b) at 2 by ring. rewrite E_add. field.
  apply Rgt_not_eq, E_pos.
Qed.

Theorem normalised_merge : forall ma la oa mb lb ob,
  0 < la -> 0 < lb ->
  exists m l o,
    merge E (Some (ma, la, oa)) (Some (mb, lb, ob)) = Some (m, l, o) /\
    lse m l = merged_lse (lse ma la) (lse mb lb) /\
    o / l = merged_out (oa / la) (lse ma la) (ob / lb) (lse mb lb).
Proof.
  intros ma la oa mb lb ob Ha Hb. simpl.
  set (m := Rmax ma mb).
  assert (Hm : forall a, E m * E (a - m) = E a) by (intros a; rewrite <- E_add; f_equal; ring).
  assert (Pm := E_pos m). assert (Pa := E_pos ma). assert (Pb := E_pos mb).
  set (l := E (ma - m) * la + E (mb - m) * lb).
  assert (Hl : 0 < l).
  { unfold l. assert (P1 := E_pos (ma - m)). assert (P2 := E_pos (mb - m)).
    pose proof (Rmult_lt_0_compat _ _ P1 Ha). pose proof (Rmult_lt_0_compat _ _ P2 Hb). lra. }
  assert (Hmass : E m * l = E (lse ma la) + E (lse mb lb)).
  { rewrite !lse_mass by assumption. unfold l.
    rewrite Rmult_plus_distr_l, <- !Rmult_assoc, !Hm. reflexivity. }
  exists m, l, (E (ma - m) * oa + E (mb - m) * ob). split; [reflexivity|]. split.
  - unfold merged_lse. rewrite <- Hmass, <- lse_mass by assumption. rewrite L_E. reflexivity.
  - unfold merged_out, merged_lse.
    rewrite <- Hmass, !E_sub, E_L by (apply Rmult_lt_0_compat; assumption).
    rewrite !lse_mass by assumption.
    rewrite <- (Hm ma), <- (Hm mb). field.
    repeat split; apply Rgt_not_eq; assumption.
Qed.

(** Starting an accumulator at output 0 and LSE 0 adds a key with score 0 and value 0. *)
Theorem phantom_key : forall m l o,
  0 < l -> o <> 0 ->
  exists m' l' o',
    merge E (single 0 0) (Some (m, l, o)) = Some (m', l', o') /\
    o' / l' = (o / l) * (E m * l / (E m * l + E 0)) /\
    o' / l' <> o / l.
Proof.
  intros m l o Hl Ho. simpl. set (m' := Rmax 0 m).
  assert (Hm : forall a, E m' * E (a - m') = E a) by (intros a; rewrite <- E_add; f_equal; ring).
  assert (Pm := E_pos m'). assert (P0 := E_pos 0). assert (P1 := E_pos m).
  assert (Q0 := E_pos (0 - m')). assert (Q1 := E_pos (m - m')).
  pose proof (Rmult_lt_0_compat _ _ Q1 Hl) as Hp. pose proof (Rmult_lt_0_compat _ _ P1 Hl) as Hq.
  assert (Heq : (E (0 - m') * 0 + E (m - m') * o) / (E (0 - m') * 1 + E (m - m') * l)
                = (o / l) * (E m * l / (E m * l + E 0))).
  { rewrite <- (Hm m), <- (Hm 0). field.
    repeat split; apply Rgt_not_eq; try assumption; try lra.
    rewrite Rmult_assoc, <- Rmult_plus_distr_l. apply Rmult_lt_0_compat; lra. }
  exists m', (E (0 - m') * 1 + E (m - m') * l), (E (0 - m') * 0 + E (m - m') * o).
  split; [reflexivity|]. split; [exact Heq|]. rewrite Heq. intros Hsame.
  assert (Hne : o / l <> 0).
  { unfold Rdiv. apply Rmult_integral_contrapositive_currified; [exact Ho|].
    apply Rinv_neq_0_compat. lra. }
  assert (Hone : E m * l / (E m * l + E 0) = 1).
  { apply Rmult_eq_reg_l with (o / l); [rewrite Hsame; ring | exact Hne]. }
  assert (Hmul : E m * l = E m * l + E 0).
  { rewrite <- (Rmult_1_l (E m * l + E 0)), <- Hone at 1. field. lra. }
  lra.
Qed.

End Normalised.
