(** * DotAccuracy: lemmas Dot, Recompute and Score of bounds.md

    Purpose. What reference/bounds/lemmas/step-errors.ts allows a score, from rounded or recomputed operands through the
    dot product and the scale. [projection_error] and [raw_score_error] are the expressions of
    reference/bounds/lemmas/step-errors.ts.

    Main results. us, uo, ui: roundoffs of sums, operands, inputs; eta: operandTiny + tiny, tiny.
    - [dot_approx]        any order, operands with errors: T grows by n u
    - [recompute_bound]   K = Y W: projection_error
    - [score_bound]       scale before or after, on Q, K or both: raw_score_error

    Conditions: n u + other <= 1/2, so that e^T <= 2 for the absolute parts.

    Dependencies. SumAccuracy.v, DotModel.v; Kernels.v for e^(1/2) <= 2 by Coq-Interval. *)

From Coq Require Import Reals Lra Lia List Permutation.
From Flocq Require Import Core.
From Xattn Require Kernels.
From Xattn Require Import Growth SumModel SumAccuracy DotModel.
Import ListNotations.
Open Scope R_scope.

Lemma operand_approx : forall {B : Type} (t h T : B -> R) j x, operand (T j) (h j) (t j) x ->
  approx [j] t h T 0 x.
Proof.
  intros B t h T j x H. unfold approx, operand in *. simpl. rewrite !Rplus_0_r. exact H.
Qed.

Section Dot.

Context {A : Type}.

Lemma forall2_products : forall u h (a b : A -> R) js products,
  Forall2 (fun p x => rounds u h (fst p * snd p) x) (map (fun j => (a j, b j)) js) products ->
  exists ps : list (A * R), map fst ps = js /\ map snd ps = products /\
    forall p, In p ps -> rounds u h (a (fst p) * b (fst p)) (snd p).
Proof.
  intros u h a b js. induction js as [|j js IH]; intros products F; inversion F; subst.
  - exists []. repeat split. intros p [].
  - destruct (IH _ H3) as (ps & <- & <- & G). exists ((j, y) :: ps). repeat split.
    intros p [<- | I]; [exact H1 | apply G, I].
Qed.

Lemma total_fst : forall (f : A -> R) (ps : list (A * R)),
  total (fun p => f (fst p)) ps = total f (map fst ps).
Proof. intros f ps. induction ps as [|p ps IH]; simpl; [reflexivity | now rewrite IH]. Qed.

Theorem dot_approx : forall u eta (a b ca cb ea eb : A -> R) Ta Tb js z,
  0 <= u -> 0 <= eta -> 0 <= Ta -> 0 <= Tb ->
  (forall j, In j js -> 0 <= ea j /\ 0 <= eb j) ->
  (forall j, In j js -> operand Ta (ea j) (a j) (ca j) /\ operand Tb (eb j) (b j) (cb j)) ->
  dot_any u eta (map (fun j => (ca j, cb j)) js) z ->
  approx js (fun j => a j * b j)
    (fun j => Rabs (a j) * eb j + Rabs (b j) * ea j + ea j * eb j + eta)
    (fun _ => INR (length js) * u + (Ta + Tb))
    ((INR (length js) - 1) * eta * exp ((INR (length js) - 1) * u)) z.
Proof.
  intros u eta a b ca cb ea eb Ta Tb js z U HE HTa HTb P O (products & F & S).
  destruct (forall2_products _ _ _ _ _ _ F) as (ps & Fst & Snd & G). subst products.
  assert (Len : length js = length ps) by (rewrite <- Fst, map_length; reflexivity).
  pose proof (sum_approx u eta snd (fun p => a (fst p) * b (fst p))
    (fun p => Rabs (a (fst p)) * eb (fst p) + Rabs (b (fst p)) * ea (fst p)
      + ea (fst p) * eb (fst p) + eta) (fun _ => Ta + Tb + u) U HE ps z S) as X.
  rewrite Len. unfold approx in X |- *.
  rewrite (total_fst (fun j => a j * b j)), Fst in X.
  eapply Rle_trans; [apply X|].
  - intros p I. assert (J : In (fst p) js) by (rewrite <- Fst; now apply in_map).
    destruct (P _ J) as [Pa Pb], (O _ J) as [Oa Ob]. split.
    + pose proof (Rabs_pos (a (fst p))). pose proof (Rabs_pos (b (fst p))).
      repeat apply Rplus_le_le_0_compat; try apply Rmult_le_pos; assumption.
    + apply (operand_approx (fun p => a (fst p) * b (fst p))). cbv beta.
      apply operand_round with (y := ca (fst p) * cb (fst p)); try assumption.
      * lra.
      * pose proof (Rabs_pos (a (fst p))). pose proof (Rabs_pos (b (fst p))).
        repeat apply Rplus_le_le_0_compat; try apply Rmult_le_pos; assumption.
      * now apply operand_product.
      * now apply G.
  - apply Rplus_le_compat_r. rewrite <- Fst at 1. rewrite <- total_fst. apply total_le.
    intros p _. apply Req_le. do 3 f_equal. ring.
Qed.

Lemma exp_half : forall T, T <= 1 / 2 -> exp T <= 2.
Proof. intros T H. eapply Rle_trans; [apply (exp_le _ (1 / 2) H) | Kernels.bound]. Qed.

(** An approximation whose budget is one number, read with error-model.ts's growth. *)
Lemma approx_read : forall (t h : A -> R) js T E x, 0 <= T <= 1 / 2 -> (forall j, In j js -> 0 <= h j) ->
  approx js t h (fun _ => T) E x ->
  Rabs (x - total t js) <= growth T * total (fun j => Rabs (t j)) js + 2 * total h js + E.
Proof.
  intros t h js T E x HT H X. unfold approx in X. eapply Rle_trans; [exact X|].
  apply Rplus_le_compat_r. rewrite <- !total_scale, <- total_plus. apply total_le. intros j I.
  pose proof (H j I). pose proof (Rabs_pos (t j)). pose proof (exp_half T (proj2 HT)).
  pose proof (growth_bounds T (proj1 HT)). nra.
Qed.

(** ** Recompute *)

(** step-errors.ts, projectionError. *)
Definition projection_error (us uo ui itiny otiny tiny n magnitude sizes x : R) : R :=
  let absolute := 2 * itiny * (sizes + n * itiny) + 4 * n * tiny in
  let sum := magnitude * growth ((n + 2) * us + 2 * ui) + absolute in
  sum + uo * (x + sum) + otiny.

Lemma growth_le : forall S T, 0 <= S <= T -> growth S <= growth T.
Proof.
  intros S T H. replace T with (S + (T - S)) by ring.
  pose proof (growth_superadditive S (T - S) ltac:(lra) ltac:(lra)).
  pose proof (growth_pos (T - S) ltac:(lra)). lra.
Qed.

Lemma total_nonneg_abs : forall (f : A -> R) js, 0 <= total (fun j => Rabs (f j)) js.
Proof. intros f js. apply total_pos. intros. apply Rabs_pos. Qed.

(** X = Y W in any order, inputs rounded to the operand format, the result stored in it. *)
Theorem recompute_bound : forall us uo ui eta otiny tiny (y w cy cw : A -> R) js z x,
  0 <= us -> 0 <= uo -> 0 <= ui -> 0 <= eta -> 0 <= tiny ->
  (INR (length js) + 2) * us + 2 * ui <= 1 / 2 ->
  (forall j, In j js -> operand ui eta (y j) (cy j) /\ operand ui eta (w j) (cw j)) ->
  dot_any us tiny (map (fun j => (cy j, cw j)) js) z -> rounds uo otiny z x ->
  let exact := total (fun j => y j * w j) js in
  Rabs (x - exact) <= projection_error us uo ui eta otiny tiny (INR (length js))
    (total (fun j => Rabs (y j * w j)) js) (total (fun j => Rabs (y j) + Rabs (w j)) js)
    (Rabs exact).
Proof.
  intros us uo ui eta otiny tiny y w cy cw js z x U UO UI HE HT N O D R exact.
  pose proof (pos_INR (length js)) as N0. set (n := INR (length js)) in *.
  assert (Nu : 0 <= n * us) by (apply Rmult_le_pos; assumption).
  pose proof (dot_approx us tiny y w cy cw (fun _ => eta) (fun _ => eta) ui ui js z U HT UI UI
    (fun _ _ => conj HE HE) O D) as X. fold n in X.
  apply approx_read in X; [|lra|].
  2: { intros j _. pose proof (Rabs_pos (y j)). pose proof (Rabs_pos (w j)).
       repeat apply Rplus_le_le_0_compat; try apply Rmult_le_pos; assumption. }
  fold exact in X.
  assert (H : total (fun j => Rabs (y j) * eta + Rabs (w j) * eta + eta * eta + tiny) js
    = eta * total (fun j => Rabs (y j) + Rabs (w j)) js + n * (eta * eta + tiny)).
  { unfold n. rewrite <- (total_const (eta * eta + tiny)), <- total_scale, <- total_plus.
    apply total_ext. intros. ring. }
  rewrite H in X. clear H. pose proof (half_budget n us tiny N0 U HT ltac:(lra)) as E.
  pose proof (growth_le (n * us + (ui + ui)) ((n + 2) * us + 2 * ui) ltac:(lra)) as G.
  pose proof (total_nonneg_abs (fun j => y j * w j) js) as M.
  unfold projection_error. cbv zeta.
  set (m := total (fun j => Rabs (y j * w j)) js) in *.
  set (s := total (fun j => Rabs (y j) + Rabs (w j)) js) in *.
  set (sum := m * growth _ + _).
  assert (Z : Rabs (z - exact) <= sum).
  { eapply Rle_trans; [exact X|]. unfold sum.
    apply (Rmult_le_compat_r m) in G; [|exact M]. lra. }
  unfold rounds in R. replace (x - exact) with ((x - z) + (z - exact)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  pose proof (Rabs_triang (z - exact) exact) as A1.
  replace (z - exact + exact) with z in A1 by ring.
  assert (uo * Rabs z <= uo * (Rabs exact + sum)) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** ** Score *)

(** step-errors.ts, rawScoreError. *)
Definition raw_score_error (us uo ui eta tiny scale d magnitude carried sizes : R) : R :=
  let absolute := 4 * (1 + scale) * (sizes * eta + 2 * d * (eta * eta) + (d + 1) * tiny) in
  scale * (magnitude + carried) * growth ((d + 3) * us + (4 * uo + 2 * ui))
    + scale * carried + absolute.

(** The scale split as alpha beta gamma: (scale, 1, 1), (sqrt scale, sqrt scale, 1), (1, 1, scale). *)
Definition split_scale (scale alpha beta gamma : R) : Prop :=
  0 <= alpha /\ 0 <= beta /\ alpha * beta * Rabs gamma = scale /\ Rabs gamma <= 1 + scale /\
  alpha * Rabs gamma <= 1 + scale /\ beta * Rabs gamma <= 1 + scale.

Theorem score_bound : forall us uo ui eta tiny scale alpha beta gamma cgamma
    (q k dk ck cq cc : A -> R) js x r,
  0 <= us -> 0 <= uo -> 0 <= ui -> 0 <= eta -> 0 <= tiny -> split_scale scale alpha beta gamma ->
  (INR (length js) + 3) * us + (4 * uo + 2 * ui) <= 1 / 2 ->
  (forall j, In j js -> Rabs (ck j - k j) <= dk j) ->
  (forall j, In j js -> operand (2 * uo + ui) ((alpha + 1) * eta) (alpha * q j) (cq j) /\
    operand (2 * uo + ui) ((beta + 1) * eta) (beta * ck j) (cc j)) ->
  dot_any us tiny (map (fun j => (cq j, cc j)) js) x ->
  rounds us 0 gamma cgamma -> rounds us tiny (cgamma * x) r ->
  Rabs (r - alpha * beta * gamma * total (fun j => q j * k j) js)
    <= raw_score_error us uo ui eta tiny scale (INR (length js))
         (total (fun j => Rabs (q j * k j)) js) (total (fun j => Rabs (q j) * dk j) js)
         (total (fun j => Rabs (q j) + Rabs (k j) + dk j) js).
Proof.
  intros us uo ui eta tiny scale alpha beta gamma cgamma q k dk ck cq cc js x r U UO UI HE HT
    (HA & HB & S & SG & SA & SB) N K O D RG RR.
  pose proof (pos_INR (length js)) as N0. set (n := INR (length js)) in *.
  assert (Nu : 0 <= n * us) by (apply Rmult_le_pos; assumption).
  set (ea := (alpha + 1) * eta) in *. set (eb := (beta + 1) * eta) in *.
  assert (Ea : 0 <= ea) by (apply Rmult_le_pos; lra).
  assert (Eb : 0 <= eb) by (apply Rmult_le_pos; lra).
  pose proof (dot_approx us tiny (fun j => alpha * q j) (fun j => beta * ck j) cq cc (fun _ => ea)
    (fun _ => eb) (2 * uo + ui) (2 * uo + ui) js x U HT ltac:(lra) ltac:(lra)
    (fun _ _ => conj Ea Eb) O D) as X. fold n in X.
  set (h := fun j => Rabs (alpha * q j) * eb + Rabs (beta * ck j) * ea + ea * eb + tiny) in X.
  assert (Hh : forall j, In j js -> 0 <= h j).
  { intros j _. unfold h. repeat apply Rplus_le_le_0_compat; try apply Rmult_le_pos; try assumption;
      apply Rabs_pos. }
  assert (N1 : 1 <= n).
  { destruct js as [|j js']; [exfalso | unfold n; simpl length; rewrite S_INR;
      pose proof (pos_INR (length js')); lra].
    destruct D as (ps & F & L). inversion F; subst. now apply sum_any_nonempty in L. }
  pose proof (half_budget n us tiny N0 U HT ltac:(lra)) as HEx.
  assert (E0 : 0 <= (n - 1) * tiny * exp ((n - 1) * us)).
  { pose proof (exp_pos ((n - 1) * us)). repeat apply Rmult_le_pos; lra. }
  destruct (rounds_split _ _ _ _ U (Rle_refl 0) RG) as (d1 & e1 & D1 & E1 & ->).
  destruct (rounds_split _ _ _ _ U HT RR) as (d2 & e2 & D2 & E2 & ->).
  assert (Z1 : e1 = 0).
  { destruct (Req_dec e1 0) as [|X0]; [assumption|]. pose proof (Rabs_pos_lt e1 X0). lra. }
  subst e1.
  apply (approx_mul _ _ _ _ _ (us + us) ((1 + d1) * (1 + d2))) in X; [|exact Hh | exact E0 |].
  2: { apply factor_mul; apply factor_round; assumption. }
  apply (approx_scale _ _ _ _ _ gamma) in X.
  apply (approx_add _ _ _ _ _ tiny _ e2) in X; [|exact E2].
  set (E := Rabs gamma * _ + tiny) in X.
  apply (approx_weaken _ _ _ (fun j => Rabs gamma * h j) _
    (fun _ => (n + 3) * us + (4 * uo + 2 * ui)) E E) in X; [| | |lra].
  2: { intros j J. split; [apply Rmult_le_pos; [apply Rabs_pos | apply Hh, J] | lra]. }
  2: { intros j _. lra. }
  apply approx_read in X; [|lra|].
  2: { intros j J. apply Rmult_le_pos; [apply Rabs_pos | apply Hh, J]. }
  replace ((gamma * (1 + d1) + 0) * x * (1 + d2) + e2)
    with (gamma * ((1 + d1) * (1 + d2) * x) + e2) by ring.
  set (r := gamma * _ + e2) in *. clearbody r.
  set (g := growth _) in X. assert (G : 0 <= g) by (apply growth_pos; lra).
  set (m := total (fun j => Rabs (q j * k j)) js).
  set (c := total (fun j => Rabs (q j) * dk j) js).
  set (sz := total (fun j => Rabs (q j) + Rabs (k j) + dk j) js).
  assert (Kabs : forall j, In j js -> Rabs (ck j) <= Rabs (k j) + dk j).
  { intros j J. pose proof (K j J). pose proof (Rabs_triang (ck j - k j) (k j)) as A1.
    replace (ck j - k j + k j) with (ck j) in A1 by ring. lra. }
  assert (Scale : forall j, Rabs (gamma * (alpha * q j * (beta * ck j))) = scale * Rabs (q j * ck j)).
  { intros j. replace (gamma * (alpha * q j * (beta * ck j)))
      with (alpha * (beta * (gamma * (q j * ck j)))) by ring.
    rewrite 3!Rabs_mult, (Rabs_pos_eq _ HA), (Rabs_pos_eq _ HB), <- S. ring. }
  assert (S0 : 0 <= scale) by (rewrite <- S; repeat apply Rmult_le_pos; try assumption; apply Rabs_pos).
  (* magnitudes *)
  assert (M : total (fun j => Rabs (gamma * (alpha * q j * (beta * ck j)))) js <= scale * (m + c)).
  { unfold m, c. rewrite <- total_plus, <- total_scale. apply total_le. intros j J. rewrite Scale.
    apply Rmult_le_compat_l; [exact S0|]. rewrite !Rabs_mult. pose proof (Kabs j J).
    pose proof (Rabs_pos (q j)). nra. }
  (* the carried error of K *)
  assert (C : Rabs (total (fun j => gamma * (alpha * q j * (beta * ck j))) js
    - alpha * beta * gamma * total (fun j => q j * k j) js) <= scale * c).
  { replace (total (fun j => gamma * (alpha * q j * (beta * ck j))) js
      - alpha * beta * gamma * total (fun j => q j * k j) js)
      with (total (fun j => (alpha * beta * gamma) * (q j * (ck j - k j))) js).
    - eapply Rle_trans; [apply total_abs|]. unfold c. rewrite <- total_scale. apply total_le.
      intros j J. rewrite !Rabs_mult, (Rabs_pos_eq _ HA), (Rabs_pos_eq _ HB), S.
      apply Rmult_le_compat_l; [exact S0|]. apply Rmult_le_compat_l; [apply Rabs_pos | apply K, J].
    - unfold Rminus at 2. rewrite Ropp_mult_distr_l, <- total_scale, <- total_plus.
      apply total_ext. intros. ring. }
  (* the absolute parts *)
  assert (Hsum : total (fun j => Rabs gamma * h j) js
    <= 2 * (1 + scale) * (eta * sz) + n * (4 * (1 + scale) * (eta * eta) + (1 + scale) * tiny)).
  { unfold n, sz. rewrite <- total_const, <- !total_scale, <- total_plus. apply total_le.
    intros j J. unfold h, ea, eb. rewrite !Rabs_mult, (Rabs_pos_eq _ HA), (Rabs_pos_eq _ HB).
    pose proof (Kabs j J) as KA. pose proof (Rabs_pos (q j)) as Q0. pose proof (Rabs_pos (ck j)) as K0.
    set (ag := alpha * Rabs gamma) in *. set (bg := beta * Rabs gamma) in *.
    replace (Rabs gamma * (alpha * Rabs (q j) * ((beta + 1) * eta) + beta * Rabs (ck j) * ((alpha + 1) * eta)
      + (alpha + 1) * eta * ((beta + 1) * eta) + tiny))
      with ((scale + ag) * (Rabs (q j) * eta) + (scale + bg) * (Rabs (ck j) * eta)
        + (scale + ag + bg + Rabs gamma) * (eta * eta) + Rabs gamma * tiny)
      by (unfold ag, bg; rewrite <- S; ring).
    assert (0 <= Rabs (q j) * eta) by (apply Rmult_le_pos; assumption).
    assert (0 <= Rabs (ck j) * eta) by (apply Rmult_le_pos; assumption).
    assert (Rabs (ck j) * eta <= (Rabs (k j) + dk j) * eta) by (apply Rmult_le_compat_r; assumption).
    assert (0 <= eta * eta) by (apply Rmult_le_pos; assumption).
    assert ((scale + ag) * (Rabs (q j) * eta) <= 2 * (1 + scale) * (Rabs (q j) * eta))
      by (apply Rmult_le_compat_r; lra).
    assert ((scale + bg) * (Rabs (ck j) * eta) <= 2 * (1 + scale) * ((Rabs (k j) + dk j) * eta))
      by (apply Rmult_le_compat; try lra; unfold bg; pose proof (Rmult_le_pos _ _ HB (Rabs_pos gamma)); lra).
    assert ((scale + ag + bg + Rabs gamma) * (eta * eta) <= 4 * (1 + scale) * (eta * eta))
      by (apply Rmult_le_compat_r; lra).
    assert (Rabs gamma * tiny <= (1 + scale) * tiny) by (apply Rmult_le_compat_r; lra). lra. }
  assert (HE' : E <= (1 + scale) * (2 * (n - 1) * tiny) + tiny).
  { unfold E. apply Rplus_le_compat_r. apply Rmult_le_compat; [apply Rabs_pos | | exact SG |].
    - apply Rmult_le_pos; [exact E0 | left; apply exp_pos].
    - rewrite Rmult_assoc, <- exp_plus.
      assert (Hx : exp ((n - 1) * us + (us + us)) <= 2) by (apply exp_half; lra).
      replace (2 * (n - 1) * tiny) with ((n - 1) * tiny * 2) by ring.
      apply Rmult_le_compat_l; [apply Rmult_le_pos; lra | exact Hx]. }
  unfold raw_score_error. fold m c sz. cbv zeta. fold g.
  assert (MG : g * total (fun j => Rabs (gamma * (alpha * q j * (beta * ck j)))) js
    <= g * (scale * (m + c))) by (apply Rmult_le_compat_l; assumption).
  match goal with |- Rabs (r - ?exact) <= _ => pose proof (Rabs_triang
    (r - total (fun j => gamma * (alpha * q j * (beta * ck j))) js)
    (total (fun j => gamma * (alpha * q j * (beta * ck j))) js - exact)) as TR end.
  match type of TR with Rabs ?a <= _ => match goal with |- Rabs ?b <= _ =>
    replace a with b in TR by ring end end.
  assert (0 <= scale * tiny) by (apply Rmult_le_pos; assumption). nra.
Qed.

End Dot.
