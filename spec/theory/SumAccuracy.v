(** * SumAccuracy: lemma Sum of bounds.md, for any order, tree and blocking

    Purpose. One calculus for all that follows. A computed x approximates the sum of terms t with
    budgets T, allowances h and an absolute part E when
      |x - Sum t| <= Sum ((|t| + h) e^T - |t|) + E,
    that is: each term carries factors of total budget T and an absolute error h. Roundings add to T,
    sums put lists together.

    Main results.
    - [approx_app], [approx_mul], [approx_add], [approx_scale], [approx_abs]   the calculus
    - [sum_approx]      a sum of n terms in any order: T grows by (n - 1) u, E by (n - 1) h e^((n-1) u)
    - [sum_error]       exact terms: |x - Sum t| <= growth (n u) Sum |t|  + 2 n h  for n u <= 1/2
    - [float_sum_error] the same for floating point numbers rounded to nearest, without any h

    Dependencies. Growth.v, SumModel.v. *)

From Coq Require Import Reals ZArith Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel.
Import ListNotations.
Open Scope R_scope.

Section Approx.

Context {A : Type}.

Definition total (f : A -> R) (js : list A) : R := fold_right (fun j sum => f j + sum) 0 js.

Definition approx (js : list A) (t h T : A -> R) (E x : R) : Prop :=
  Rabs (x - total t js) <= total (fun j => (Rabs (t j) + h j) * exp (T j) - Rabs (t j)) js + E.

Lemma total_app : forall f a b, total f (a ++ b) = total f a + total f b.
Proof. intros f a b. induction a as [|j a IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma total_perm : forall f a b, Permutation a b -> total f a = total f b.
Proof. intros f a b P. induction P; simpl; lra. Qed.

Lemma total_le : forall f g js, (forall j, In j js -> f j <= g j) -> total f js <= total g js.
Proof.
  intros f g js. induction js as [|j js IH]; intros H; simpl; [lra|].
  apply Rplus_le_compat; [apply H; now left | apply IH; intros; apply H; now right].
Qed.

Lemma total_ext : forall f g js, (forall j, In j js -> f j = g j) -> total f js = total g js.
Proof.
  intros f g js H. apply Rle_antisym; apply total_le; intros j I; rewrite (H j I); lra.
Qed.

Lemma total_scale : forall c f js, total (fun j => c * f j) js = c * total f js.
Proof. intros c f js. induction js as [|j js IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma total_plus : forall f g js, total (fun j => f j + g j) js = total f js + total g js.
Proof. intros f g js. induction js as [|j js IH]; simpl; [ring | rewrite IH; ring]. Qed.

Lemma total_const : forall c js, total (fun _ => c) js = INR (length js) * c.
Proof.
  intros c js. induction js as [|j js IH]; [simpl; ring|].
  simpl total. simpl length. rewrite IH, S_INR. ring.
Qed.

Lemma total_pos : forall f js, (forall j, In j js -> 0 <= f j) -> 0 <= total f js.
Proof.
  intros f js H. replace 0 with (total (fun _ => 0) js) by (rewrite total_const; ring).
  apply total_le, H.
Qed.

Lemma total_abs : forall f js, Rabs (total f js) <= total (fun j => Rabs (f j)) js.
Proof.
  intros f js. induction js as [|j js IH]; simpl; [rewrite Rabs_R0; lra|].
  eapply Rle_trans; [apply Rabs_triang | lra].
Qed.

Lemma total_map : forall {B} (g : B -> A) (f : A -> R) (js : list B),
  total f (map g js) = fold_right (fun j sum => f (g j) + sum) 0 js.
Proof. intros B g f js. induction js as [|j js IH]; simpl; [reflexivity | now rewrite IH]. Qed.

(** What an approximation can amount to. *)
Lemma approx_abs : forall js t h T E x, approx js t h T E x ->
  Rabs x <= total (fun j => (Rabs (t j) + h j) * exp (T j)) js + E.
Proof.
  intros js t h T E x H. unfold approx in H.
  pose proof (Rabs_triang (x - total t js) (total t js)) as X.
  replace (x - total t js + total t js) with x in X by ring. pose proof (total_abs t js) as Y.
  assert (Z : total (fun j => (Rabs (t j) + h j) * exp (T j) - Rabs (t j)) js
    = total (fun j => (Rabs (t j) + h j) * exp (T j)) js - total (fun j => Rabs (t j)) js).
  { replace (- total (fun j => Rabs (t j)) js) with (-1 * total (fun j => Rabs (t j)) js) by ring.
    unfold Rminus at 2. replace (- total (fun j => Rabs (t j)) js)
      with (-1 * total (fun j => Rabs (t j)) js) by ring.
    rewrite <- total_scale, <- total_plus. apply total_ext. intros. ring. }
  lra.
Qed.

Lemma approx_weaken : forall js t h h' T T' E E' x,
  (forall j, In j js -> 0 <= h j <= h' j) -> (forall j, In j js -> T j <= T' j) -> E <= E' ->
  approx js t h T E x -> approx js t h' T' E' x.
Proof.
  intros js t h h' T T' E E' x H B L X. unfold approx in *. eapply Rle_trans; [exact X|].
  apply Rplus_le_compat; [|exact L]. apply total_le. intros j I.
  pose proof (H j I). pose proof (exp_le _ _ (B j I)). pose proof (exp_pos (T j)).
  pose proof (Rabs_pos (t j)). nra.
Qed.

(** Only the terms' values on the list matter. *)
Lemma approx_ext : forall js t t' h h' T T' E x,
  (forall j, In j js -> t j = t' j /\ h j = h' j /\ T j = T' j) ->
  approx js t h T E x -> approx js t' h' T' E x.
Proof.
  intros js t t' h h' T T' E x H X. unfold approx in *.
  rewrite (total_ext t' t) by (intros j I; symmetry; apply (H j I)).
  eapply Rle_trans; [exact X|]. apply Req_le. f_equal. apply total_ext. intros j I.
  destruct (H j I) as (-> & -> & ->). reflexivity.
Qed.

Lemma approx_perm : forall a b t h T E x, Permutation a b -> approx a t h T E x -> approx b t h T E x.
Proof. intros a b t h T E x P X. unfold approx in *. rewrite <- 2(total_perm _ a b P). exact X. Qed.

Lemma approx_app : forall a b t h T E F x y, approx a t h T E x -> approx b t h T F y ->
  approx (a ++ b) t h T (E + F) (x + y).
Proof.
  intros a b t h T E F x y X Y. unfold approx in *. rewrite !total_app.
  replace (x + y - (total t a + total t b)) with ((x - total t a) + (y - total t b)) by ring.
  eapply Rle_trans; [apply Rabs_triang | lra].
Qed.

(** An absolute error. *)
Lemma approx_add : forall js t h T E F x e, approx js t h T E x -> Rabs e <= F ->
  approx js t h T (E + F) (x + e).
Proof.
  intros js t h T E F x e X H. unfold approx in *.
  replace (x + e - total t js) with ((x - total t js) + e) by ring.
  eapply Rle_trans; [apply Rabs_triang | lra].
Qed.

(** An absolute error borne by the terms. *)
Lemma approx_spread : forall js t h g T E x, (forall j, In j js -> 0 <= g j /\ 0 <= T j) ->
  approx js t h T (E + total g js) x -> approx js t (fun j => h j + g j) T E x.
Proof.
  intros js t h g T E x G X. unfold approx in *. eapply Rle_trans; [exact X|].
  replace (total (fun j => (Rabs (t j) + h j) * exp (T j) - Rabs (t j)) js + (E + total g js))
    with (total (fun j => (Rabs (t j) + h j) * exp (T j) - Rabs (t j) + g j) js + E)
    by (rewrite total_plus; ring).
  apply Rplus_le_compat_r, total_le. intros j I. destruct (G j I) as [G1 G2].
  pose proof (exp_ge_1 _ G2). nra.
Qed.

(** A factor multiplies, its budget adds. *)
Lemma approx_mul : forall js t h T E S f x, (forall j, In j js -> 0 <= h j) -> 0 <= E ->
  factor S f -> approx js t h T E x -> approx js t h (fun j => T j + S) (E * exp S) (f * x).
Proof.
  intros js t h T E S f x H HE F X. pose proof (factor_abs _ _ F) as FA. unfold approx, factor in *.
  replace (f * x - total t js) with (f * (x - total t js) + (f - 1) * total t js) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult.
  pose proof (total_abs t js) as Y. pose proof (Rabs_pos (f - 1)). pose proof (Rabs_pos f).
  apply Rle_trans with (exp S * (total (fun j => (Rabs (t j) + h j) * exp (T j) - Rabs (t j)) js + E)
    + (exp S - 1) * total (fun j => Rabs (t j)) js).
  - apply Rplus_le_compat; apply Rmult_le_compat; try apply Rabs_pos; assumption.
  - rewrite Rmult_plus_distr_l, <- !total_scale, Rplus_assoc, (Rplus_comm (exp S * E)),
      <- Rplus_assoc, <- total_plus.
    apply Rplus_le_compat; [|lra]. apply total_le. intros j I. rewrite exp_plus. lra.
Qed.

(** An exact multiple. *)
Lemma approx_scale : forall js t h T E c x, approx js t h T E x ->
  approx js (fun j => c * t j) (fun j => Rabs c * h j) T (Rabs c * E) (c * x).
Proof.
  intros js t h T E c x X. unfold approx in *. rewrite total_scale.
  replace (c * x - c * total t js) with (c * (x - total t js)) by ring. rewrite Rabs_mult.
  apply Rle_trans with (1 := Rmult_le_compat_l _ _ _ (Rabs_pos c) X).
  rewrite Rmult_plus_distr_l, <- total_scale. apply Req_le. f_equal. apply total_ext. intros j _.
  rewrite Rabs_mult. ring.
Qed.

(** ** The sum, in any order *)

Lemma sizes_total : forall (f : A -> R) js, sizes (map f js) = total (fun j => Rabs (f j)) js.
Proof. intros f js. induction js as [|j js IH]; simpl; [reflexivity | now rewrite IH]. Qed.

Lemma exp_INR : forall n u, 0 <= u -> 1 <= exp (INR n * u).
Proof. intros n u U. apply exp_ge_1, Rmult_le_pos; [apply pos_INR | exact U]. Qed.

(** While the budget is at most a half, e^T is at most two. *)
Lemma half_budget : forall n u eta, 0 <= n -> 0 <= u -> 0 <= eta -> n * u <= 1 / 2 ->
  (n - 1) * eta * exp ((n - 1) * u) <= 2 * n * eta.
Proof.
  intros n u eta N U H B. assert (L : exp ((n - 1) * u) <= 2).
  { eapply Rle_trans; [apply (exp_le _ (1 / 2)); lra|]. Kernels.bound. }
  pose proof (exp_pos ((n - 1) * u)). assert (0 <= n * eta) by (apply Rmult_le_pos; assumption). nra.
Qed.

(** Leaves f j, each an approximation of its term t j. *)
Theorem sum_approx : forall u eta (f t h T : A -> R), 0 <= u -> 0 <= eta ->
  forall js x, sum_any u eta (map f js) x ->
  (forall j, In j js -> 0 <= h j /\ approx [j] t h T 0 (f j)) ->
  approx js t h (fun j => T j + (INR (length js) - 1) * u)
    ((INR (length js) - 1) * eta * exp ((INR (length js) - 1) * u)) x.
Proof.
  intros u eta f t h T U HE.
  cut (forall l x, sum_any u eta l x -> forall js, l = map f js ->
    (forall j, In j js -> 0 <= h j /\ approx [j] t h T 0 (f j)) ->
    1 <= INR (length js) /\
    approx js t h (fun j => T j + (INR (length js) - 1) * u)
      ((INR (length js) - 1) * eta * exp ((INR (length js) - 1) * u)) x).
  { intros G js x S L. destruct (G _ x S js eq_refl L) as [_ X]. exact X. }
  intros l x S. induction S as [x | a b x y z Sa IHa Sb IHb AD | a b x P S IH]; intros js M L.
  - destruct js as [|j [|]]; try discriminate. simpl in M. injection M as ->.
    simpl INR. split; [lra|]. destruct (L j (or_introl eq_refl)) as [H X].
    apply (approx_weaken [j] t h h T _ 0); try exact X.
    + intros i [<- | []]. lra.
    + intros i _. lra.
    + lra.
  - symmetry in M. apply map_eq_app in M. destruct M as (ja & jb & -> & <- & <-).
    destruct (IHa ja eq_refl) as [Na Xa]; [intros; apply L, in_or_app; now left|].
    destruct (IHb jb eq_refl) as [Nb Xb]; [intros; apply L, in_or_app; now right|].
    rewrite app_length, plus_INR. set (na := INR (length ja)) in *. set (nb := INR (length jb)) in *.
    split; [lra|].
    set (m := na + nb - 2). assert (Hm : na - 1 <= m /\ nb - 1 <= m) by (unfold m; lra).
    assert (W : forall js, (forall j, In j js -> In j (ja ++ jb)) ->
      forall j, In j js -> 0 <= h j <= h j).
    { intros js I j J. split; [apply L, I, J | lra]. }
    apply (approx_weaken ja t h h _ (fun j => T j + m * u) _ ((na - 1) * eta * exp (m * u))) in Xa.
    2: { apply W. intros; apply in_or_app; now left. }
    2: { intros; apply Rplus_le_compat_l, Rmult_le_compat_r; [exact U | apply Hm]. }
    2: { apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|].
         apply exp_le, Rmult_le_compat_r; [exact U | apply Hm]. }
    apply (approx_weaken jb t h h _ (fun j => T j + m * u) _ ((nb - 1) * eta * exp (m * u))) in Xb.
    2: { apply W. intros; apply in_or_app; now right. }
    2: { intros; apply Rplus_le_compat_l, Rmult_le_compat_r; [exact U | apply Hm]. }
    2: { apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|].
         apply exp_le, Rmult_le_compat_r; [exact U | apply Hm]. }
    pose proof (approx_app _ _ _ _ _ _ _ _ _ Xa Xb) as X. unfold adds in AD.
    pose proof (approx_abs _ _ _ _ _ _ Xa) as Ya. pose proof (approx_abs _ _ _ _ _ _ Xb) as Yb.
    set (big := fun j => (Rabs (t j) + h j) * exp (T j + m * u)) in *.
    assert (Leaves : sizes (map f ja) + sizes (map f jb) <= total big (ja ++ jb)).
    { rewrite !sizes_total, <- total_app. apply total_le. intros j I.
      destruct (L j I) as [H G]. apply approx_abs in G. simpl in G. unfold big.
      rewrite !Rplus_0_r in G. eapply Rle_trans; [exact G|].
      apply Rmult_le_compat_l; [pose proof (Rabs_pos (t j)); lra|]. apply exp_le.
      assert (0 <= m * u) by (apply Rmult_le_pos; unfold m; lra). lra. }
    set (E := (na - 1) * eta * exp (m * u) + (nb - 1) * eta * exp (m * u)) in *.
    assert (E0 : 0 <= E).
    { unfold E. pose proof (exp_pos (m * u)).
      apply Rplus_le_le_0_compat; (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra). }
    assert (Node : Rabs (z - (x + y)) <= u * (total big (ja ++ jb) + E) + eta).
    { eapply Rle_trans; [exact AD|]. apply Rplus_le_compat_r, Rmult_le_compat_l; [exact U|].
      apply Rmax_lub; [rewrite total_app; unfold E; lra | lra]. }
    assert (T' : exp (m * u) * (1 + u) <= exp ((na + nb - 1) * u)).
    { replace ((na + nb - 1) * u) with (m * u + u) by (unfold m; ring). rewrite exp_plus.
      apply Rmult_le_compat_l; [left; apply exp_pos | apply exp_ineq1_le]. }
    unfold approx in *. replace (z - total t (ja ++ jb))
      with ((x + y - total t (ja ++ jb)) + (z - (x + y))) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat; [exact X | exact Node]|].
    rewrite Rmult_plus_distr_l, <- total_scale.
    match goal with |- ?a + E + (?b + u * E + eta) <= ?c + ?d =>
      cut (a + b <= c /\ E + u * E + eta <= d); [lra|] end.
    split.
    + rewrite <- total_plus. apply total_le. intros j I. unfold big.
      replace (T j + (na + nb - 1) * u) with (T j + m * u + u) by (unfold m; ring).
      rewrite (exp_plus (T j + m * u) u). pose proof (exp_ineq1_le u).
      pose proof (proj1 (L j I)). pose proof (Rabs_pos (t j)). pose proof (exp_pos (T j + m * u)).
      set (e := exp (T j + m * u)) in *. assert (0 <= (Rabs (t j) + h j) * e) by (apply Rmult_le_pos; lra).
      nra.
    + apply Rle_trans with ((na + nb - 2) * eta * (exp (m * u) * (1 + u)) + eta * exp ((na + nb - 1) * u)).
      * unfold E. pose proof (exp_ge_1 ((na + nb - 1) * u) ltac:(apply Rmult_le_pos; lra)). nra.
      * assert (0 <= (na + nb - 2) * eta) by (apply Rmult_le_pos; lra). nra.
  - subst. pose proof (Permutation_map_inv _ _ P) as (js' & Ma & P').
    pose proof (Permutation_length P') as Len. rewrite Len.
    destruct (IH js' Ma) as [N X].
    + intros j I. apply L. eapply Permutation_in; [apply Permutation_sym, P' | exact I].
    + split; [exact N|]. apply approx_perm with js'; [apply Permutation_sym, P' | exact X].
Qed.

(** Exact terms: what error-model.ts's sumGrowth allows, with n (and not only n - 1) roundings. *)
Theorem sum_error : forall u eta (t : A -> R) js x, 0 <= u -> 0 <= eta ->
  INR (length js) * u <= 1 / 2 -> sum_any u eta (map t js) x ->
  Rabs (x - total t js)
    <= growth (INR (length js) * u) * total (fun j => Rabs (t j)) js + 2 * INR (length js) * eta.
Proof.
  intros u eta t js x U HE N S. set (n := INR (length js)) in *.
  assert (N0 : 0 <= n) by apply pos_INR.
  assert (X : approx js t (fun _ => 0) (fun _ => 0 + (n - 1) * u) ((n - 1) * eta * exp ((n - 1) * u)) x).
  { apply (sum_approx u eta t t (fun _ => 0) (fun _ => 0) U HE js x S).
    intros j _. split; [lra|]. unfold approx. simpl. rewrite exp_0.
    rewrite Rminus_diag_eq by ring. rewrite Rabs_R0. lra. }
  unfold approx in X. eapply Rle_trans; [exact X|]. apply Rplus_le_compat.
  - rewrite <- total_scale. apply total_le. intros j _. pose proof (Rabs_pos (t j)).
    pose proof (growth_bounds (n * u) ltac:(apply Rmult_le_pos; lra)).
    pose proof (exp_le (0 + (n - 1) * u) (n * u) ltac:(lra)). nra.
  - apply half_budget; lra.
Qed.

End Approx.

(** Floating point numbers of any format, added up in any order, rounded to nearest. *)
Theorem float_sum_error : forall emin prec (P : Prec_gt_0 prec) choice (l : list R) x,
  INR (length l) * bpow radix2 (- prec) <= 1 / 2 -> float_sum emin prec (Znearest choice) l x ->
  Rabs (x - total (fun t => t) l)
    <= growth (INR (length l) * bpow radix2 (- prec)) * total Rabs l.
Proof.
  intros emin prec P choice l x N S. apply float_sum_nearest in S; [|exact P].
  rewrite <- (map_id l) in S.
  pose proof (sum_error _ 0 (fun t => t) l x (bpow_ge_0 _ _) (Rle_refl 0) N S) as X.
  rewrite Rmult_0_r, Rplus_0_r in X. exact X.
Qed.
