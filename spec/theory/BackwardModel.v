(** * BackwardModel: what a backward pass may compute, and the bounds that bounds-backward.ts allows it

    Purpose. One row of attention as any honest backward pass computes it: P recomputed from a rounded
    LSE or kept from the forward pass, perhaps rounded to the operand format; D from the candidate's
    own rounded output or as a sum of P G; the scale before or after the sums, on dS, Q and K or both;
    dS and P rounded before their matrix products; every sum in any order, over any ranks. Beside it,
    line by line, the functions of reference/bounds/lemmas/gradient-errors.ts (and finishSum) with the worst-case count of roundings.

    Main definitions. [model] is an ErrorModel; [row] the exact row, its P, G, D and dS those of
    Gradient.v; [held] what RowMagnitudes and RowBound hold of it; [run] what was computed.
    - [probability_run], [cotangent_run], [d_run], [dS_run]    P, G, D and dS of one key
    - [capped_run]                             dS through the softcap, derived step by step
    - [value_run], [key_run], [bias_run], [projection_run]     terms of dV, of dQ and dK, of dBias and
                                                               dSink, of dY and dW
    - [finish_run]                                             the sum of the terms, scaled, rounded

    Dependencies. Gradient.v; SumModel.v, DotModel.v, AttentionModel.v (exponential). *)

From Coq Require Import Reals Lra List.
From Xattn Require Gradient.
From Xattn Require Import Growth SumModel SumAccuracy DotModel DotAccuracy AttentionModel.
Import ListNotations.
Open Scope R_scope.

(** ErrorModel: roundoffs of operands, dot products (scores), exponential, P and dS (probabilities),
    sums (accumulation), output, input, stored; and the absolute parts tiny, eta = operandTiny + tiny,
    outputTiny, eta_in = inputTiny + tiny, eta_st = storedTiny + tiny. *)
Record model := {
  uo : R; us : R; ue : R; up : R; ua : R; uout : R; ui : R; ust : R;
  tiny : R; eta : R; eta_out : R; eta_in : R; eta_st : R }.

(** True of every profile of reference/bounds/lemmas/profile.ts. *)
Definition sane (m : model) : Prop :=
  0 <= uo m /\ 0 <= us m /\ 0 <= ue m <= 1 / 4 /\ 0 <= up m /\ 0 <= ua m <= 1 / 16 /\
  0 <= uout m /\ 0 <= ui m /\ 0 <= ust m <= 1 / 16 /\ 0 <= tiny m <= ua m / 4 /\ 0 <= eta m /\
  0 <= eta_out m /\ 0 <= eta_in m /\ 0 <= eta_st m.

(** error-model.ts, sumGrowth, with everyRounding. *)
Definition sum_growth (n extra u other : R) : R := growth ((n + extra) * u + other).

Section Bounds.

Variable m : model.

(** recomputedWeight *)
Definition recomputed_weight (lse lseError score fromLse weight : R) : R :=
  let stored := lseError + 2 * ua m * (lse + lseError) in
  (weight + stored + ue m * (score + 2 * lse + 5 * fromLse + 4)) * (1 + 8 * ue m) + up m.

(** probabilityError *)
Definition probability_error (p grown : R) : R := p * grown + (2 * tiny m + eta m) * (1 + grown).

(** farProbabilityError: of a key by [below] below the LSE, whatever [weight] may be *)
Definition far_probability_error (p below weight : R) : R :=
  p + 2 * exp (weight - below) + 2 * (2 * tiny m + eta m).

(** gradientError: G = kappa dO V *)
Definition gradient_error (width kappa products carried sizes : R) : R :=
  let grown := sum_growth width 3 (us m) (2 * ui m) in
  let absolute := (2 * (width + 1) * tiny m + eta_in m * sizes) * (1 + grown) in
  kappa * ((products + carried) * grown + carried + absolute).

(** fromOutput, fromKey: D from the output, or one key of it from P G *)
Definition from_output (width products carried sizes : R) : R :=
  let grown := sum_growth width 3 (ua m) (ui m) in
  carried + (products + carried) * grown + (2 * width * tiny m + eta_in m * sizes) * (1 + grown).

Definition from_key (count p pError g gError : R) : R :=
  let perKey := sum_growth count 3 (ua m) 0 in
  let term := pError * (g + gError) + p * gError in
  term + (p * g + term) * perKey + 2 * tiny m * (1 + perKey).

(** scoreGradientError *)
Definition score_gradient_error (d dLse dError p pError g gError : R) : R :=
  let sizes := g + d + dLse in
  let errors := gError + dError in
  let bracket :=
    errors + (4 * ua m + ust m) * (sizes + errors) + 2 * eta_st m + 4 * tiny m in
  pError * (sizes + bracket) + p * bracket + 8 * tiny m.

(** factorError: 1 - t^2 *)
Definition factor_error (t tError : R) : R :=
  (2 * t * tError + tError * tError) * (1 + 4 * ua m) + 4 * ua m.

(** rawGradientError: (factor, factorError) is (1, 0) without softcap *)
Definition raw_error (dS dSError factor factorError : R) : R :=
  dSError * (factor + factorError) + dS * factorError.

(** cappedGradientError: the same as the derivative of c tanh(raw / c) step by step *)
Definition capped_error (cap dS dSError factor factorError : R) : R :=
  let grown := growth (4 * ua m) in
  let made := raw_error dS dSError factor (factorError * (1 + ua m)) in
  made + (dS * factor + made) * grown
  + (8 * (1 + factor + factorError) * (tiny m / cap) + tiny m) * (1 + grown).

(** valueTermError: one component of dV, with x = |dO| *)
Definition value_error (kappa p pError x : R) : R :=
  let grown := growth (up m + 3 * ua m + ui m) in
  kappa * (pError + (p + pError) * grown + (tiny m + eta m) * (1 + grown)) * x
  + (kappa * eta_in m * (p + pError + tiny m + eta m) + tiny m) * (1 + grown).

(** keyTermError: one component of dQ, y of K with error carried, or of dK, y of Q with none *)
Definition key_error (scale raw rawError y carried : R) : R :=
  let rounded := growth (up m + 6 * ua m + 2 * uo m + ui m) in
  let error := rawError + (raw + rawError) * rounded in
  let flush := (1 + scale) * (1 + rounded) in
  scale * (error * (y + carried) + raw * carried)
  + flush * ((y + carried) * (eta m + 2 * tiny m) + 2 * (raw + rawError) * eta m
             + 4 * (tiny m + eta m) * eta m + 2 * tiny m).

(** storedGradientError: dS where it is summed as it stands, for dBias and dSink *)
Definition bias_error (dS dSError : R) : R := dSError + (up m * (dS + dSError) + eta m).

(** projectionTermError: one term of dY, a = |w|, or of dW, a = |y| *)
Definition projection_error (size error a : R) : R :=
  let rounded := growth (uo m + ui m + ua m) in
  let flush := eta m * a + eta_in m * (size + error) + eta m * eta_in m + tiny m in
  error * a + (size * a + error * a) * rounded + flush * (1 + rounded).

(** finishSum *)
Definition finish_sum (n ranks made magnitude exact : R) : R :=
  let grown := sum_growth n (ranks + 1) (ua m) 0 in
  let summed := made + (magnitude + made) * grown + n * tiny m * (1 + grown) in
  summed + (uout m * (exact + summed) + eta_out m).

(** ** Computations *)

(** P from a stored LSE L, subtracted from the score perhaps by a fused multiply-add in base 2,
    flushed or not, and rounded to the operand format or not. *)
Definition recomputed (s L P : R) : Prop :=
  exists y e f, Rabs (y - (s - L)) <= ue m * (Rabs s + Rabs L + Rabs (s - L)) /\
    Rabs e <= (4 + 4 * Rabs y) * ue m /\ rounds 0 (tiny m) (exp y * (1 + e)) f /\
    rounds (up m) (eta m) f P.

(** P kept from the forward pass: a weight w over the denominator l, of true values x and z; l is off
    by no more than its logarithm, the LSE. *)
Definition kept (weight q x z P : R) : Prop :=
  exists w l f, operand weight (tiny m) x w /\ 0 < l /\ Rabs (ln (l / z)) <= q /\
    rounds (ua m) (tiny m) (w / l) f /\ rounds (up m) (eta m) f P.

(** The same of a key whose score may be of any size: its weight is an exponential. *)
Definition kept_far (weight q x z P : R) : Prop :=
  exists w l f, exponential weight (tiny m) x w /\ 0 < l /\ Rabs (ln (l / z)) <= q /\
    rounds (ua m) (tiny m) (w / l) f /\ rounds (up m) (eta m) f P.

(** dS from P and the bracket G - D + dLSE in any order, or from the products with P. *)
Definition dS_run (P G D dLSE dS : R) : Prop :=
  exists L, rounds (ust m) (eta_st m) dLSE L /\
    ((exists y, sum_any (ua m) (tiny m) [G; - D; L] y /\ rounds (ua m) (tiny m) (P * y) dS) \/
     (exists x y z, rounds (ua m) (tiny m) (P * G) x /\ rounds (ua m) (tiny m) (P * - D) y /\
        rounds (ua m) (tiny m) (P * L) z /\ sum_any (ua m) (tiny m) [x; y; z] dS)).

(** 1 - t^2 from the computed tanh, one way or the other. *)
Definition factor_run (t f : R) : Prop :=
  (exists a, rounds (ua m) (tiny m) (t * t) a /\ rounds (ua m) (tiny m) (1 - a) f) \/
  (exists a b, rounds (ua m) 0 (1 - t) a /\ rounds (ua m) 0 (1 + t) b /\
     rounds (ua m) (tiny m) (a * b) f).

(** g (1 - t^2) from the computed tanh: times that slope, or as (g + g t) (1 - t). *)
Definition sloped (g t q : R) : Prop :=
  (exists f, factor_run t f /\ rounds (ua m) (tiny m) (g * f) q) \/
  (exists a b d, rounds (ua m) (tiny m) (g * t) a /\ rounds (ua m) (tiny m) (g + a) b /\
     rounds (ua m) 0 (1 - t) d /\ rounds (ua m) (tiny m) (b * d) q).

(** c tanh(raw / c) derived step by step, as automatic differentiation does: dS times c, the slope,
    then divided by c or multiplied by its rounded inverse. *)
Definition capped_run (cap t dS x : R) : Prop :=
  exists g q k, rounds (ua m) (tiny m) (cap * dS) g /\ sloped g t q /\
    rounds (ua m) 0 (/ cap) k /\ rounds (ua m) (tiny m) (q * k) x.

(** A term kappa P dO of dV: kappa is known up to one rounding, and is 0 or at least 1. *)
Definition value_run (kappa P x term : R) : Prop :=
  exists k w z y, rounds (ua m) 0 kappa k /\ rounds (ua m) (kappa * tiny m) (k * P) w /\
    rounds (up m) (kappa * eta m) w z /\ rounds (ui m) (eta_in m) x y /\
    rounds (ua m) (tiny m) (z * y) term.

(** A term of dQ or dK before gamma: dS times the softcap's factor, times alpha, rounded to the
    operand format, times y, itself perhaps scaled and rounded twice. *)
Definition key_run (alpha beta dS f y term : R) : Prop :=
  exists x a z w v, rounds (ua m) (tiny m) (dS * f) x /\ rounds (ua m) 0 alpha a /\
    rounds (ua m) (tiny m) (a * x) w /\ rounds (up m) (eta m) w z /\
    operand (2 * uo m + ui m) ((Rabs beta + 1) * eta m) (beta * y) v /\
    rounds (ua m) (tiny m) (z * v) term.

Definition bias_run (dS term : R) : Prop := rounds (up m) (eta m) dS term.

Definition projection_run (x w term : R) : Prop :=
  exists a b, rounds (uo m) (eta m) x a /\ rounds (ui m) (eta_in m) w b /\
    rounds (ua m) (tiny m) (a * b) term.

(** The terms summed in any order, gamma, and the rounding to the output format. *)
Definition finish_run (gamma : R) (terms : list R) (out : R) : Prop :=
  exists z c w, sum_any (ua m) (tiny m) terms z /\ rounds (ua m) 0 gamma c /\
    (rounds (ua m) (tiny m) (c * z) w) /\ rounds (uout m) (eta_out m) w out.

End Bounds.
