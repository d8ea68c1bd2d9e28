(** * DoubleWord: the operations of double-double, from float64 alone

    Purpose. TwoSum, Fast2Sum, TwoProduct, the sum of two pairs, of a pair and a number, and the
    product, operation by operation as in reference/numbers/double-double.ts and in
    reference/kernels/assembly/double-double.ts (quoted in DoubleConstants.v), with every + - *
    rounded to nearest even in binary64 (gradual underflow; exponents unbounded above). u = 2^-53.
    A pair is ok for M when its first word is at most M and its second at most 1.02 u M.

    Main results. Errors in terms of sizes, for what DoubleKernels.v needs. The bounds relative to
    a result that cancels (Joldes, Muller and Popescu 2017) are not proved here.
    - [two_sum_exact]       TwoSum loses nothing
    - [fast_two_sum_exact]  Fast2Sum loses nothing where |b| <= |a|
    - [two_product_error]   TwoProduct loses at most 7/2 * 2^-1074
    - [add_number_error]    pair + number: at most u^2 (2.05 A + 4.01 T), T their first words'
    - [add_error]           pair + pair: at most 10.2 u^2 (A + B)
    - [mul_pair_error]      pair * pair: at most 13.4 u^2 A B + 16 * 2^-1074

    Dependencies. Kernels.v (rounding), DoubleConstants.v; Flocq (Pff2Flocq: Knuth and Dekker). *)

From Coq Require Import Reals ZArith List Lra Lia.
From Flocq Require Import Core Plus_error Mult_error.
From Flocq Require Import Pff.Pff2Flocq.
From Xattn Require Import Kernels DoubleConstants.
Open Scope R_scope.

Local Existing Instance prec_53.

(** ** The operations *)

Definition dd : Type := (R * R)%type.
Definition val (x : dd) : R := fst x + snd x.

Definition fast_two_sum (a b : R) : dd :=
  let hi := rnd (a + b) in (hi, rnd (b - rnd (hi - a))).
Definition two_sum (a b : R) : dd :=
  let hi := rnd (a + b) in
  let from_a := rnd (hi - b) in
  let from_b := rnd (hi - from_a) in
  (hi, rnd (rnd (a - from_a) + rnd (b - from_b))).
Definition high_part (a : R) : R := let wide := rnd (SPLITTER * a) in rnd (wide - rnd (wide - a)).
Definition two_product (a b : R) : dd :=
  let hi := rnd (a * b) in
  let ah := high_part a in let bh := high_part b in
  let al := rnd (a - ah) in let bl := rnd (b - bh) in
  (hi, rnd (rnd (al * bl) - rnd (rnd (rnd (hi - rnd (ah * bh)) - rnd (al * bh)) - rnd (ah * bl)))).
Definition add (a b : dd) : dd :=
  let high := two_sum (fst a) (fst b) in
  let low := two_sum (snd a) (snd b) in
  let sum := fast_two_sum (fst high) (rnd (snd high + fst low)) in
  fast_two_sum (fst sum) (rnd (snd low + snd sum)).
Definition add_number (a : dd) (b : R) : dd :=
  let sum := two_sum (fst a) b in fast_two_sum (fst sum) (rnd (snd a + snd sum)).
Definition mul (a b : dd) : dd :=
  let product := two_product (fst a) (fst b) in
  let cross := rnd (rnd (fst a * snd b) + rnd (snd a * fst b)) in
  fast_two_sum (fst product) (rnd (snd product + cross)).

Lemma choice_sym : forall x, (fun z => negb (Z.even z)) x
  = negb ((fun z => negb (Z.even z)) (- (x + 1))%Z).
Proof.
  intros x. cbv beta. rewrite Bool.negb_involutive, Z.even_opp, Z.even_add. simpl.
  destruct (Z.even x); reflexivity.
Qed.

Lemma rnd_opp : forall x, rnd (- x) = - rnd x.
Proof.
  intros x. apply (round_N_opp_sym (-1074) 53 (fun z => negb (Z.even z))); apply choice_sym.
Qed.

Lemma rnd_turn : forall x y z, rnd (x + rnd (y - z)) = rnd (x - rnd (z - y)).
Proof. intros. replace (y - z) with (- (z - y)) by ring. rewrite rnd_opp. f_equal. Qed.

Lemma format_opp : forall x, format x -> format (- x).
Proof. intros. now apply generic_format_opp. Qed.

(** Knuth's sum is exact, whatever its operands. *)
Theorem two_sum_exact : forall a b, format a -> format b -> val (two_sum a b) = a + b.
Proof.
  intros a b Fa Fb. unfold val, two_sum. cbv zeta. cbn [fst snd].
  pose proof (TwoSum_correct (-1074) 53 (fun z => negb (Z.even z)) eq_refl ltac:(lia) choice_sym
    b a Fb Fa) as T.
  cbv zeta in T. rewrite (Rplus_comm b a) in T.
  rewrite (Rplus_comm (rnd (a - _))). exact T.
Qed.

(** Dekker's is where the first word is the larger. *)
Theorem fast_two_sum_exact : forall a b, format a -> format b -> Rabs b <= Rabs a ->
  val (fast_two_sum a b) = a + b.
Proof.
  intros a b Fa Fb H. unfold val, fast_two_sum. cbv zeta. cbn [fst snd].
  pose proof (Fast2Sum_correct (-1074) 53 (fun z => negb (Z.even z)) eq_refl ltac:(lia) choice_sym
    a b Fa Fb H) as T.
  rewrite rnd_turn in T. exact T.
Qed.

Lemma tiny_1074 : pow2 (-1074) = 2 * tiny.
Proof. unfold tiny. change (-1074)%Z with (1 + -1075)%Z. rewrite bpow_plus. reflexivity. Qed.

(** Dekker's product loses at most 7/2 of the least number to underflow. *)
Theorem two_product_error : forall a b, format a -> format b ->
  Rabs (val (two_product a b) - a * b) <= 7 * tiny.
Proof.
  intros a b Fa Fb. unfold val, two_product. cbv zeta. cbn [fst snd].
  destruct (Dekker radix2 (-1074) 53 (fun z => negb (Z.even z)) ltac:(lia) ltac:(lia)
    b a Fb Fa (or_introl eq_refl)) as [_ T].
  rewrite tiny_1074 in T. replace (7 / 2 * (2 * tiny)) with (7 * tiny) in T by field.
  rewrite Rabs_minus_sym. eapply Rle_trans; [right | exact T]. clear T. f_equal.
  assert (S : bpow radix2 (53 - Z.div2 53) + 1 = SPLITTER).
  { unfold SPLITTER. change (53 - Z.div2 53)%Z with 27%Z. simpl. lra. }
  rewrite S. clear S.
  assert (V : forall x, rnd (rnd (x - rnd (x * SPLITTER)) + rnd (x * SPLITTER)) = high_part x).
  { intros x. unfold high_part. cbv zeta. rewrite (Rmult_comm SPLITTER), Rplus_comm.
    apply rnd_turn. }
  rewrite !V. clear V. rewrite (Rmult_comm b a).
  set (hi := rnd (a * b)). set (ah := high_part a). set (bh := high_part b).
  set (al := rnd (a - ah)). set (bl := rnd (b - bh)).
  rewrite (Rmult_comm bh ah), (Rmult_comm bh al), (Rmult_comm bl ah), (Rmult_comm bl al).
  replace (- hi + rnd (ah * bh)) with (- (hi - rnd (ah * bh))) by ring. rewrite rnd_opp.
  set (t1 := rnd (hi - _)).
  replace (- t1 + rnd (al * bh)) with (- (t1 - rnd (al * bh))) by ring. rewrite rnd_opp.
  set (t2 := rnd (t1 - _)).
  replace (- t2 + rnd (ah * bl)) with (- (t2 - rnd (ah * bl))) by ring. rewrite rnd_opp.
  set (t3 := rnd (t2 - _)).
  replace (- t3 + rnd (al * bl)) with (rnd (al * bl) - t3) by ring. reflexivity.
Qed.

(** ** What they lose, in terms of sizes: nothing is assumed about cancellation *)

(** Two words of float64, the first at most M, the second at most about half its last place. *)
Definition ok (x : dd) (M : R) : Prop :=
  format (fst x) /\ format (snd x) /\ Rabs (fst x) <= M /\ Rabs (snd x) <= 1.02 * u * M.

Lemma rnd_sum : forall a b M, format a -> format b -> Rabs (a + b) <= M ->
  Rabs (rnd (a + b) - (a + b)) <= u * M.
Proof.
  intros a b M Fa Fb H. eapply Rle_trans; [now apply rnd_plus|].
  apply Rmult_le_compat_l; [unfold u; lra | exact H].
Qed.

Lemma rnd_difference : forall a b M, format a -> format b -> Rabs (a - b) <= M ->
  Rabs (rnd (a - b) - (a - b)) <= u * M.
Proof. intros a b M Fa Fb H. apply rnd_sum; [exact Fa | now apply format_opp | exact H]. Qed.

Lemma fast_error : forall a b M N, format a -> format b -> Rabs (a + b) <= M -> Rabs b <= N ->
  format (fst (fast_two_sum a b)) /\ format (snd (fast_two_sum a b)) /\
  Rabs (fst (fast_two_sum a b) - (a + b)) <= u * M /\
  Rabs (snd (fast_two_sum a b)) <= 1.001 * u * (M + N) /\
  Rabs (val (fast_two_sum a b) - (a + b)) <= 1.001 * u * N + 2.001 * (u * u) * M.
Proof.
  intros a b M N Fa Fb HM HN. unfold val, fast_two_sum. cbv zeta. cbn [fst snd].
  pose proof (rnd_sum _ _ _ Fa Fb HM) as E1.
  assert (Fh : format (rnd (a + b))) by apply format_rnd.
  set (h := rnd (a + b)) in *. clearbody h.
  assert (D : Rabs (h - a) <= N + u * M).
  { replace (h - a) with ((h - (a + b)) + b) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. lra. }
  pose proof (rnd_difference _ _ _ Fh Fa D) as E2.
  assert (Fz : format (rnd (h - a))) by apply format_rnd.
  set (z := rnd (h - a)) in *. clearbody z.
  assert (B : Rabs (b - z) <= u * M + u * (N + u * M)).
  { replace (b - z) with ((a + b - h) - (z - (h - a))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, (Rabs_minus_sym (a + b)). lra. }
  pose proof (rnd_difference _ _ _ Fb Fz B) as E3.
  assert (Fl : format (rnd (b - z))) by apply format_rnd.
  set (l := rnd (b - z)) in *. clearbody l.
  pose proof (Rabs_pos b). pose proof (Rabs_pos (a + b)).
  repeat apply conj; try assumption.
  - replace l with ((l - (b - z)) + (b - z)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    unfold u in *. lra.
  - replace (h + l - (a + b)) with ((l - (b - z)) - (z - (h - a))) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold u in *. lra.
Qed.

Lemma two_sum_parts : forall a b M, format a -> format b -> Rabs (a + b) <= M ->
  format (fst (two_sum a b)) /\ format (snd (two_sum a b)) /\
  fst (two_sum a b) + snd (two_sum a b) = a + b /\ Rabs (snd (two_sum a b)) <= u * M.
Proof.
  intros a b M Fa Fb H. pose proof (two_sum_exact a b Fa Fb) as E. unfold val in E.
  pose proof (rnd_sum _ _ _ Fa Fb H) as E1.
  assert (F : fst (two_sum a b) = rnd (a + b)) by reflexivity.
  repeat apply conj; try apply format_rnd; [exact E|].
  rewrite F in E. replace (snd (two_sum a b)) with (- (rnd (a + b) - (a + b))) by lra.
  now rewrite Rabs_Ropp.
Qed.

(** A pair and a number. T bounds the sum of the first words. *)
Theorem add_number_error : forall a b A T, ok a A -> format b -> Rabs (fst a + b) <= T ->
  Rabs (val (add_number a b) - (val a + b)) <= (u * u) * (2.05 * A + 4.01 * T) /\
  forall M, T + 6 * u * (A + T) <= M -> ok (add_number a b) M.
Proof.
  intros a b A T (F1 & F2 & B1 & B2) Fb HT.
  destruct (two_sum_parts _ _ _ F1 Fb HT) as (G1 & G2 & E & B3).
  unfold add_number. cbv zeta. set (s := two_sum (fst a) b) in *.
  unfold val at 2.
  set (sh := fst s) in *. set (sl := snd s) in *. clearbody sh sl. clear s.
  assert (V : Rabs (snd a + sl) <= u * (1.02 * A + T)).
  { eapply Rle_trans; [apply Rabs_triang|]. lra. }
  pose proof (rnd_sum _ _ _ F2 G2 V) as E2.
  assert (Fv : format (rnd (snd a + sl))) by apply format_rnd.
  set (v := rnd (snd a + sl)) in *. clearbody v.
  set (ah := fst a) in *. set (al := snd a) in *. clearbody ah al.
  pose proof (Rabs_pos ah) as PA. pose proof (Rabs_pos (ah + b)) as PT.
  assert (BV : Rabs v <= 1.001 * u * (1.02 * A + T)).
  { replace v with ((v - (al + sl)) + (al + sl)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  assert (BM : Rabs (sh + v) <= T + u * (3 * A + 4 * T)).
  { replace (sh + v) with ((ah + b) + (v - (al + sl)) + al) by lra.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  destruct (fast_error _ _ _ _ G1 Fv BM BV) as (K1 & K2 & K3 & K4 & K5).
  set (x := fast_two_sum sh v) in *. clearbody x. split.
  - replace (val x - (ah + al + b)) with ((val x - (sh + v)) + (v - (al + sl))) by lra.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
  - intros M HM. repeat split; try assumption.
    + replace (fst x) with ((fst x - (sh + v)) + (sh + v)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
    + eapply Rle_trans; [exact K4|]. unfold u in *. lra.
Qed.

(** Two pairs, of which nothing need cancel: the error is relative to their sizes. *)
Theorem add_error : forall a b A B, ok a A -> ok b B ->
  Rabs (val (add a b) - (val a + val b)) <= 10.2 * (u * u) * (A + B) /\
  forall M, (A + B) * (1 + 20 * u) <= M -> ok (add a b) M.
Proof.
  intros a b A B (F1 & F2 & B1 & B2) (F3 & F4 & B3 & B4). unfold add. cbv zeta.
  assert (H1 : Rabs (fst a + fst b) <= A + B) by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  assert (H2 : Rabs (snd a + snd b) <= 1.02 * u * (A + B))
    by (eapply Rle_trans; [apply Rabs_triang|]; lra).
  pose proof (Rabs_pos (fst a)) as PA. pose proof (Rabs_pos (fst b)) as PB.
  set (S := A + B) in *. assert (PS : 0 <= S) by (unfold S; lra).
  destruct (two_sum_parts _ _ _ F1 F3 H1) as (G1 & G2 & E1 & D1).
  destruct (two_sum_parts _ _ _ F2 F4 H2) as (G3 & G4 & E2 & D2).
  unfold val at 2 3.
  set (sh := fst (two_sum (fst a) (fst b))) in *. set (sl := snd (two_sum (fst a) (fst b))) in *.
  set (th := fst (two_sum (snd a) (snd b))) in *. set (tl := snd (two_sum (snd a) (snd b))) in *.
  clearbody sh sl th tl.
  set (ah := fst a) in *. set (al := snd a) in *. set (bh := fst b) in *. set (bl := snd b) in *.
  clearbody ah al bh bl S. clear F1 F2 F3 F4 B1 B2 B3 B4 PA PB.
  assert (T1 : Rabs th <= 1.021 * u * S).
  { replace th with ((al + bl) - tl) by lra. eapply Rle_trans; [apply Rabs_triang|].
    rewrite Rabs_Ropp. unfold u in *. lra. }
  assert (C : Rabs (sl + th) <= 2.03 * u * S).
  { eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  pose proof (rnd_sum _ _ _ G2 G3 C) as E3.
  assert (Fc : format (rnd (sl + th))) by apply format_rnd.
  set (c := rnd (sl + th)) in *. clearbody c.
  assert (BC : Rabs c <= 2.031 * u * S).
  { replace c with ((c - (sl + th)) + (sl + th)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  assert (BM : Rabs (sh + c) <= S * (1 + 4 * u)).
  { replace (sh + c) with ((ah + bh) + (c - (sl + th)) + th) by lra.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  destruct (fast_error _ _ _ _ G1 Fc BM BC) as (K1 & K2 & K3 & K4 & K5).
  unfold val in K5.
  set (vh := fst (fast_two_sum sh c)) in *. set (vl := snd (fast_two_sum sh c)) in *.
  clearbody vh vl.
  assert (W : Rabs (tl + vl) <= 1.003 * u * S).
  { eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  pose proof (rnd_sum _ _ _ G4 K2 W) as E4.
  assert (Fw : format (rnd (tl + vl))) by apply format_rnd.
  set (w := rnd (tl + vl)) in *. clearbody w.
  assert (BW : Rabs w <= 1.004 * u * S).
  { replace w with ((w - (tl + vl)) + (tl + vl)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  assert (BN : Rabs (vh + w) <= S * (1 + 8 * u)).
  { replace (vh + w) with ((vh - (sh + c)) + (sh + c) + w) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  destruct (fast_error _ _ _ _ K1 Fw BN BW) as (L1 & L2 & L3 & L4 & L5).
  set (x := fast_two_sum vh w) in *. clearbody x. split.
  - replace (val x - (ah + al + (bh + bl))) with ((val x - (vh + w)) + (w - (tl + vl))
      + (vh + vl - (sh + c)) + (c - (sl + th))) by lra.
    eapply Rle_trans; [apply abs_sum4|]. unfold u in *. lra.
  - intros M HM. repeat apply conj; try assumption.
    + replace (fst x) with ((fst x - (vh + w)) + (vh + w)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
    + eapply Rle_trans; [exact L4|]. unfold u in *. lra.
Qed.

Lemma abs_product : forall a A b B, Rabs a <= A -> Rabs b <= B -> Rabs (a * b) <= A * B.
Proof. intros. rewrite Rabs_mult. apply Rmult_le_compat; auto using Rabs_pos. Qed.

Theorem mul_pair_error : forall a b A B, ok a A -> ok b B ->
  Rabs (val (mul a b) - val a * val b) <= 13.4 * (u * u) * (A * B) + 32 * tiny /\
  forall M, A * B * (1 + 10 * u) + 32 * tiny <= M -> ok (mul a b) M.
Proof.
  intros a b A B (F1 & F2 & B1 & B2) (F3 & F4 & B3 & B4). unfold mul. cbv zeta.
  pose proof (abs_product _ _ _ _ B1 B3) as P1. pose proof (abs_product _ _ _ _ B1 B4) as P2.
  pose proof (abs_product _ _ _ _ B2 B3) as P3. pose proof (abs_product _ _ _ _ B2 B4) as P4.
  replace (A * (1.02 * u * B)) with (1.02 * u * (A * B)) in P2 by ring.
  replace (1.02 * u * A * B) with (1.02 * u * (A * B)) in P3 by ring.
  replace (1.02 * u * A * (1.02 * u * B)) with (1.02 * 1.02 * (u * u) * (A * B)) in P4 by ring.
  pose proof (two_product_error _ _ F1 F3) as E1.
  pose proof (rnd_rel (fst a * fst b)) as E0.
  pose proof (rnd_rel (fst a * snd b)) as E2. pose proof (rnd_rel (snd a * fst b)) as E3.
  assert (G1 : format (fst (two_product (fst a) (fst b)))) by apply format_rnd.
  assert (G2 : format (snd (two_product (fst a) (fst b)))) by apply format_rnd.
  assert (G3 : format (rnd (fst a * snd b))) by apply format_rnd.
  assert (G4 : format (rnd (snd a * fst b))) by apply format_rnd.
  change (rnd (fst a * fst b)) with (fst (two_product (fst a) (fst b))) in E0.
  unfold val in E1. unfold val at 2 3.
  set (p := fst (two_product (fst a) (fst b))) in *.
  set (q := snd (two_product (fst a) (fst b))) in *.
  set (y := rnd (fst a * snd b)) in *. set (z := rnd (snd a * fst b)) in *.
  clearbody p q y z.
  replace ((fst a + snd a) * (fst b + snd b)) with (fst a * fst b + fst a * snd b + snd a * fst b
    + snd a * snd b) by ring.
  pose proof (Rabs_pos (fst a * fst b)) as PP. pose proof tiny_bound as TB.
  set (P := A * B) in *. clearbody P.
  set (ab := fst a * fst b) in *. set (al := fst a * snd b) in *. set (lb := snd a * fst b) in *.
  set (ll := snd a * snd b) in *. clearbody ab al lb ll.
  clear F1 F2 F3 F4 B1 B2 B3 B4 a b A B.
  assert (Q : Rabs q <= u * P + 8 * tiny).
  { replace q with ((p + q - ab) - (p - ab)) by ring. eapply Rle_trans; [apply Rabs_triang|].
    rewrite Rabs_Ropp. unfold u in *. lra. }
  assert (Y : Rabs (y - al) <= 1.02 * (u * u) * P + tiny).
  { clear - E2 P2. unfold u in *. lra. }
  assert (Z : Rabs (z - lb) <= 1.02 * (u * u) * P + tiny).
  { clear - E3 P3. unfold u in *. lra. }
  assert (C : Rabs (y + z) <= 2.041 * u * P + 2 * tiny).
  { replace (y + z) with ((y - al) + al + (z - lb) + lb) by ring.
    eapply Rle_trans; [apply abs_sum4|]. unfold u in *. lra. }
  pose proof (rnd_sum _ _ _ G3 G4 C) as E4.
  assert (Fc : format (rnd (y + z))) by apply format_rnd.
  set (c := rnd (y + z)) in *. clearbody c.
  assert (D : Rabs (q + c) <= 3.042 * u * P + 11 * tiny).
  { replace (q + c) with (q + (c - (y + z)) + (y + z)) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  pose proof (rnd_sum _ _ _ G2 Fc D) as E5.
  assert (Fr : format (rnd (q + c))) by apply format_rnd.
  set (r := rnd (q + c)) in *. clearbody r.
  assert (BR : Rabs r <= 3.043 * u * P + 12 * tiny).
  { replace r with ((r - (q + c)) + (q + c)) by ring.
    eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra. }
  assert (BM : Rabs (p + r) <= P * (1 + 5 * u) + 13 * tiny).
  { replace (p + r) with ((p - ab) + ab + r) by ring.
    eapply Rle_trans; [apply Rabs_triang|].
    eapply Rle_trans; [apply Rplus_le_compat_r, Rabs_triang|]. unfold u in *. lra. }
  destruct (fast_error _ _ _ _ G1 Fr BM BR) as (K1 & K2 & K3 & K4 & K5).
  set (x := fast_two_sum p r) in *. clearbody x. split.
  - replace (val x - (ab + al + lb + ll)) with
      ((val x - (p + r)) + (r - (q + c)) + (c - (y + z))
       + ((p + q - ab) + (y - al) + (z - lb) + - ll))
      by ring.
    eapply Rle_trans; [apply abs_sum4|].
    eapply Rle_trans; [apply Rplus_le_compat_l, abs_sum4|]. rewrite Rabs_Ropp.
    unfold u in *. lra.
  - intros M HM. repeat apply conj; try assumption.
    + replace (fst x) with ((fst x - (p + r)) + (p + r)) by ring.
      eapply Rle_trans; [apply Rabs_triang|]. unfold u in *. lra.
    + eapply Rle_trans; [exact K4|]. unfold u in *. lra.
Qed.
