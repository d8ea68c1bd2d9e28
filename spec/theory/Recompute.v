(** * Recompute: the gradients of recomputed keys and values

    Purpose. Equations (24)-(26) of attention.md: K and V are projections of the visual features Y,
    so a gradient in K and V is carried back to Y and to the projection weights.

    Positions are pairs of batch entry and key; columns are head-major, as pairs of head and
    component or otherwise: any lists of indices do.

    Main results.
    - [recompute_vjp]    along any curve of Y, W_K and W_V: (25) and (26) together
    - [grad_y]           dY = dK W_K^T + dV W_V^T (25)
    - [grad_w_k]         dW_K = Y^T dK (26)
    - [grad_w_v]         dW_V = Y^T dV (26)
    - [shared_features]  layers that read the same Y: their dY add up (25)
    - [layer_weights]    a layer's weights get that layer's gradient alone (26)
    - [rows_have_gradient]  attention rows have the gradient (dK, dV) of (16) and (10), so that all
                         of the above holds of attention over recomputed keys and values

    Dependencies. Gradient.v; Coquelicot. *)

From Coq Require Import Reals Lra List FunctionalExtensionality.
Set Warnings "-ambiguous-paths".
From Coquelicot Require Import Coquelicot.
From Xattn Require Import Gradient.
Import ListNotations.
Open Scope R_scope.

Section Recompute.

Context {J E N M : Type}.
Variable positions : list J.
Variable features : list E.
Variable columns_k : list N.
Variable columns_v : list M.

(** Equation (24). *)
Definition project {X : Type} (y : J -> E -> R) (w : E -> X -> R) (j : J) (n : X) : R :=
  sum (fun e => y j e * w e n) features.

(** The loss, as a function of keys and values, has the gradient (dK, dV) at (K, V): along every
    differentiable curve through (K, V) its derivative is the gradient times the curve's. *)
Definition has_gradient (L : (J -> N -> R) -> (J -> M -> R) -> R) (K : J -> N -> R)
    (V : J -> M -> R) (dK : J -> N -> R) (dV : J -> M -> R) : Prop :=
  forall (k : R -> J -> N -> R) (v : R -> J -> M -> R) t0 k' v',
    (forall j n, k t0 j n = K j n) -> (forall j m, v t0 j m = V j m) ->
    (forall j n, is_derive (fun t => k t j n) t0 (k' j n)) ->
    (forall j m, is_derive (fun t => v t j m) t0 (v' j m)) ->
    is_derive (fun t => L (k t) (v t)) t0
      (sum (fun j => sum (fun n => dK j n * k' j n) columns_k) positions
       + sum (fun j => sum (fun m => dV j m * v' j m) columns_v) positions).

(** Equations (25), (26). *)
Definition dY (wk : E -> N -> R) (wv : E -> M -> R) (dK : J -> N -> R) (dV : J -> M -> R)
    (j : J) (e : E) : R :=
  sum (fun n => dK j n * wk e n) columns_k + sum (fun m => dV j m * wv e m) columns_v.

Definition dW {X : Type} (y : J -> E -> R) (dK : J -> X -> R) (e : E) (n : X) : R :=
  sum (fun j => y j e * dK j n) positions.

Lemma derive_project : forall X (y : R -> J -> E -> R) (w : R -> E -> X -> R) t0 y' w' j n,
  (forall i e, is_derive (fun t => y t i e) t0 (y' i e)) ->
  (forall e x, is_derive (fun t => w t e x) t0 (w' e x)) ->
  is_derive (fun t => project (y t) (w t) j n) t0
    (sum (fun e => y' j e * w t0 e n + y t0 j e * w' e n) features).
Proof.
  intros X y w t0 y' w' j n Hy Hw. unfold project.
  apply (derive_sum _ (fun t e => y t j e * w t e n)). intros e _.
  apply (derive_mult (fun t => y t j e)); [apply Hy | apply Hw].
Qed.

(** dK against the derivative of a projection: the part that Y moves, and the part that W moves. *)
Lemma pair_project : forall X (columns : list X) (d : J -> X -> R) (y y' : J -> E -> R)
    (w w' : E -> X -> R),
  sum (fun j => sum (fun n => d j n
    * sum (fun e => y' j e * w e n + y j e * w' e n) features) columns) positions
  = sum (fun j => sum (fun e => sum (fun n => d j n * w e n) columns * y' j e) features) positions
    + sum (fun e => sum (fun n => dW y d e n * w' e n) columns) features.
Proof.
  intros X columns d y y' w w'.
  transitivity (sum (fun j => sum (fun e => sum (fun n => d j n * w e n * y' j e) columns) features)
      positions
    + sum (fun j => sum (fun e => sum (fun n => y j e * d j n * w' e n) columns) features)
      positions).
  - rewrite <- sum_plus. apply sum_ext. intros j. rewrite <- sum_plus.
    rewrite (sum_ext _ _ (fun n => sum (fun e => d j n * (y' j e * w e n + y j e * w' e n))
      features)) by (intros n; symmetry; apply sum_scal).
    rewrite sum_swap. apply sum_ext. intros e. rewrite <- sum_plus. apply sum_ext. intros n. ring.
  - f_equal.
    + apply sum_ext. intros j. apply sum_ext. intros e. apply sum_scal_r.
    + rewrite sum_swap. apply sum_ext. intros e. rewrite sum_swap. apply sum_ext. intros n.
      apply sum_scal_r.
Qed.

Theorem recompute_vjp : forall L (y : R -> J -> E -> R) (wk : R -> E -> N -> R)
    (wv : R -> E -> M -> R) t0 y' wk' wv' dK dV,
  has_gradient L (project (y t0) (wk t0)) (project (y t0) (wv t0)) dK dV ->
  (forall j e, is_derive (fun t => y t j e) t0 (y' j e)) ->
  (forall e n, is_derive (fun t => wk t e n) t0 (wk' e n)) ->
  (forall e m, is_derive (fun t => wv t e m) t0 (wv' e m)) ->
  is_derive (fun t => L (project (y t) (wk t)) (project (y t) (wv t))) t0
    (sum (fun j => sum (fun e => dY (wk t0) (wv t0) dK dV j e * y' j e) features) positions
     + sum (fun e => sum (fun n => dW (y t0) dK e n * wk' e n) columns_k) features
     + sum (fun e => sum (fun m => dW (y t0) dV e m * wv' e m) columns_v) features).
Proof.
  intros L y wk wv t0 y' wk' wv' dK dV HL Hy Hk Hv. eapply derive_eq.
  - apply (HL (fun t => project (y t) (wk t)) (fun t => project (y t) (wv t)) t0
      (fun j n => sum (fun e => y' j e * wk t0 e n + y t0 j e * wk' e n) features)
      (fun j m => sum (fun e => y' j e * wv t0 e m + y t0 j e * wv' e m) features));
      try reflexivity; intros; apply derive_project; assumption.
  - rewrite !pair_project. unfold dY.
    set (a := sum (fun e => sum (fun n => dW (y t0) dK e n * wk' e n) columns_k) features).
    set (b := sum (fun e => sum (fun m => dW (y t0) dV e m * wv' e m) columns_v) features).
    rewrite (sum_ext _ (fun j => sum (fun e => (sum (fun n => dK j n * wk t0 e n) columns_k
      + sum (fun m => dV j m * wv t0 e m) columns_v) * y' j e) features)
      (fun j => sum (fun e => sum (fun n => dK j n * wk t0 e n) columns_k * y' j e) features
        + sum (fun e => sum (fun m => dV j m * wv t0 e m) columns_v * y' j e) features)).
    + rewrite sum_plus. ring.
    + intros j. rewrite <- sum_plus. apply sum_ext. intros e. ring.
Qed.

Variable decJ : decidable J.
Variable decE : decidable E.
Hypothesis positions_once : NoDup positions.
Hypothesis features_once : NoDup features.

(** Equation (25): one entry of Y moves. *)
Theorem grad_y : forall L y wk wv dK dV j e,
  has_gradient L (project y wk) (project y wv) dK dV ->
  In j positions -> In e features ->
  is_derive (fun x => L (project (update2 decJ decE y j e x) wk)
    (project (update2 decJ decE y j e x) wv)) (y j e) (dY wk wv dK dV j e).
Proof using positions_once features_once.
  intros L y wk wv dK dV j e HL Hj He. eapply derive_eq.
  - apply (recompute_vjp L (fun x => update2 decJ decE y j e x) (fun _ => wk) (fun _ => wv) (y j e)
      (fun i f => unit_at decJ j i * unit_at decE e f) (fun _ _ => 0) (fun _ _ => 0) dK dV);
      intros; first [rewrite update2_same; exact HL | apply derive_update2 | apply derive_const].
  - rewrite sum_unit2, !sum_times_zero2 by assumption. ring.
Qed.

(** Equation (26): one entry of a weight moves. *)
Theorem grad_w_k : forall (decN : decidable N) L y wk wv dK dV e n,
  has_gradient L (project y wk) (project y wv) dK dV ->
  NoDup columns_k -> In n columns_k -> In e features ->
  is_derive (fun x => L (project y (update2 decE decN wk e n x)) (project y wv)) (wk e n)
    (dW y dK e n).
Proof using features_once.
  intros decN L y wk wv dK dV e n HL Hn Hin He. eapply derive_eq.
  - apply (recompute_vjp L (fun _ => y) (fun x => update2 decE decN wk e n x) (fun _ => wv)
      (wk e n) (fun _ _ => 0) (fun f i => unit_at decE e f * unit_at decN n i) (fun _ _ => 0)
      dK dV);
      intros; first [rewrite update2_same; exact HL | apply derive_update2 | apply derive_const].
  - rewrite sum_unit2, !sum_times_zero2 by assumption. ring.
Qed.

Theorem grad_w_v : forall (decM : decidable M) L y wk wv dK dV e m,
  has_gradient L (project y wk) (project y wv) dK dV ->
  NoDup columns_v -> In m columns_v -> In e features ->
  is_derive (fun x => L (project y wk) (project y (update2 decE decM wv e m x))) (wv e m)
    (dW y dV e m).
Proof using features_once.
  intros decM L y wk wv dK dV e m HL Hm Hin He. eapply derive_eq.
  - apply (recompute_vjp L (fun _ => y) (fun _ => wk) (fun x => update2 decE decM wv e m x)
      (wv e m) (fun _ _ => 0) (fun _ _ => 0) (fun f i => unit_at decE e f * unit_at decM m i)
      dK dV);
      intros; first [rewrite update2_same; exact HL | apply derive_update2 | apply derive_const].
  - rewrite sum_unit2, !sum_times_zero2 by assumption. ring.
Qed.

(** ** Layers that share Y *)

(** A layer: its loss as a function of its keys and values, and its weights. *)
Definition layer : Type :=
  (((J -> N -> R) -> (J -> M -> R) -> R) * (E -> N -> R) * (E -> M -> R))%type.

Definition layer_loss (y : J -> E -> R) (l : layer) : R :=
  let '(L, wk, wv) := l in L (project y wk) (project y wv).

(** Each layer with the dK and dV that its own backward pass finds. *)
Definition layer_gradient (y : J -> E -> R) (g : layer * (J -> N -> R) * (J -> M -> R)) : Prop :=
  let '(L, wk, wv, dK, dV) := g in has_gradient L (project y wk) (project y wv) dK dV.

Definition layer_dY (g : layer * (J -> N -> R) * (J -> M -> R)) (j : J) (e : E) : R :=
  let '(L, wk, wv, dK, dV) := g in dY wk wv dK dV j e.

(** Equation (25). *)
Theorem shared_features : forall layers y j e,
  (forall g, In g layers -> layer_gradient y g) ->
  In j positions -> In e features ->
  is_derive (fun x => sum (fun g => layer_loss (update2 decJ decE y j e x) (fst (fst g))) layers)
    (y j e) (sum (fun g => layer_dY g j e) layers).
Proof using positions_once features_once.
  intros layers y j e Hg Hj He.
  apply (rows_vjp _ (fun x g => layer_loss (update2 decJ decE y j e x) (fst (fst g)))).
  intros [[[[L wk] wv] dK] dV] Hin. apply (grad_y L); [exact (Hg _ Hin) | |]; assumption.
Qed.

(** Equation (26): what other layers add to the loss does not depend on this layer's weights. *)
Theorem layer_weights : forall (decN : decidable N) (decM : decidable M) L y wk wv dK dV others,
  has_gradient L (project y wk) (project y wv) dK dV ->
  NoDup columns_k -> NoDup columns_v ->
  (forall e n, In e features -> In n columns_k ->
     is_derive (fun x => layer_loss y (L, update2 decE decN wk e n x, wv)
       + sum (layer_loss y) others) (wk e n) (dW y dK e n))
  /\ (forall e m, In e features -> In m columns_v ->
     is_derive (fun x => layer_loss y (L, wk, update2 decE decM wv e m x)
       + sum (layer_loss y) others) (wv e m) (dW y dV e m)).
Proof using features_once.
  intros decN decM L y wk wv dK dV others HL Hk Hv. split; intros e n He Hn;
    (eapply derive_eq; [apply derive_plus; [|apply derive_const] | apply Rplus_0_r]).
  - apply grad_w_k with (dV := dV); assumption.
  - apply grad_w_v with (dK := dK); assumption.
Qed.

End Recompute.

(** ** Attention over recomputed keys and values *)

(** The rows of Gradient.v, with columns (head, component). *)
Theorem rows_have_gradient : forall (I A C E H : Type) (decH : decidable H) (positions : list A)
    (comps : list C) (features : list E) sees head kappa dO dLSE scale cap
    (rows : list I) heads q K V bias sink,
  NoDup heads -> (forall r, In r rows -> In (head r) heads) ->
  has_gradient positions (list_prod heads features) (list_prod heads comps)
    (fun k v => rows_loss positions comps features sees head kappa dO dLSE scale cap rows q k v
      bias sink) K V
    (dK_rows decH positions comps features sees head kappa dO dLSE scale cap rows q K V bias sink)
    (dV_rows decH positions features sees head kappa dO scale cap rows q K bias sink).
Proof.
  intros I A C E H decH positions comps features sees head kappa dO dLSE scale cap rows heads
    q K V bias sink Hn Hin k v t0 k' v' Hk Hv Hk' Hv'.
  assert (HK : k t0 = K) by (apply functional_extensionality; intros j;
    apply functional_extensionality; intros n; apply Hk).
  assert (HV : v t0 = V) by (apply functional_extensionality; intros j;
    apply functional_extensionality; intros n; apply Hv).
  subst K V. apply rows_kv_vjp; assumption.
Qed.
