/**
 * Double-double, two lanes at once: the operations of reference/numbers/double-double.ts.
 *
 * A number is a pair of vectors, high and low. A function gives one of the two; where both are
 * wanted both are called on the same operands, and the compiler computes what they share once.
 * @module
 */
import { powerOfTwo, round } from './elementary';

const LOG2_E: f64 = 1.4426950408889634;
/** ln 2 in three words, the first two of 40 bits: their multiples by |k| < 2¹³ are exact. */
const LN2_FIRST: f64 = 0.6931471805592082;
const LN2_SECOND: f64 = 7.371002565161996e-13;
const LN2_THIRD: f64 = 5.8029889835956905e-25;
/** 2²⁷ + 1: Veltkamp's splitting. */
const SPLITTER: f64 = 134217729.0;

/** What a + b = s leaves behind, exactly. Knuth. */
@inline
export function sumError(a: v128, b: v128, s: v128): v128 {
  const part = f64x2.sub(s, b);
  return f64x2.add(f64x2.sub(a, part), f64x2.sub(b, f64x2.sub(s, part)));
}

/** The same for |a| ≥ |b|. Dekker. */
@inline
export function fastError(a: v128, b: v128, s: v128): v128 {
  return f64x2.sub(b, f64x2.sub(s, a));
}

@inline
function highPart(a: v128): v128 {
  const wide = f64x2.mul(f64x2.splat(SPLITTER), a);
  return f64x2.sub(wide, f64x2.sub(wide, a));
}

/** What a·b = p leaves behind, exactly. Dekker. */
@inline
export function productError(a: v128, b: v128, p: v128): v128 {
  const ah = highPart(a);
  const bh = highPart(b);
  const al = f64x2.sub(a, ah);
  const bl = f64x2.sub(b, bh);
  let rest = f64x2.sub(p, f64x2.mul(ah, bh));
  rest = f64x2.sub(rest, f64x2.mul(al, bh));
  rest = f64x2.sub(rest, f64x2.mul(ah, bl));
  return f64x2.sub(f64x2.mul(al, bl), rest);
}

/** AccurateDWPlusDW. */
@inline
export function addHigh(ah: v128, al: v128, bh: v128, bl: v128): v128 {
  const sh = f64x2.add(ah, bh);
  const sl = sumError(ah, bh, sh);
  const th = f64x2.add(al, bl);
  const tl = sumError(al, bl, th);
  const c = f64x2.add(sl, th);
  const vh = f64x2.add(sh, c);
  const vl = fastError(sh, c, vh);
  return f64x2.add(vh, f64x2.add(tl, vl));
}

@inline
export function addLow(ah: v128, al: v128, bh: v128, bl: v128): v128 {
  const sh = f64x2.add(ah, bh);
  const sl = sumError(ah, bh, sh);
  const th = f64x2.add(al, bl);
  const tl = sumError(al, bl, th);
  const c = f64x2.add(sl, th);
  const vh = f64x2.add(sh, c);
  const vl = fastError(sh, c, vh);
  const w = f64x2.add(tl, vl);
  return fastError(vh, w, f64x2.add(vh, w));
}

/** DWPlusFP. */
@inline
export function addNumberHigh(ah: v128, al: v128, b: v128): v128 {
  const s = f64x2.add(ah, b);
  return f64x2.add(s, f64x2.add(al, sumError(ah, b, s)));
}

@inline
export function addNumberLow(ah: v128, al: v128, b: v128): v128 {
  const s = f64x2.add(ah, b);
  const v = f64x2.add(al, sumError(ah, b, s));
  return fastError(s, v, f64x2.add(s, v));
}

/** DWTimesDW1. */
@inline
export function mulHigh(ah: v128, al: v128, bh: v128, bl: v128): v128 {
  const p = f64x2.mul(ah, bh);
  const cross = f64x2.add(f64x2.mul(ah, bl), f64x2.mul(al, bh));
  return f64x2.add(p, f64x2.add(productError(ah, bh, p), cross));
}

@inline
export function mulLow(ah: v128, al: v128, bh: v128, bl: v128): v128 {
  const p = f64x2.mul(ah, bh);
  const cross = f64x2.add(f64x2.mul(ah, bl), f64x2.mul(al, bh));
  const rest = f64x2.add(productError(ah, bh, p), cross);
  return fastError(p, rest, f64x2.add(p, rest));
}

/** e^r − 1, high part, of the terms from r¹⁵/15! on, over r¹⁴: in float64, below 2⁻¹⁰⁸ of the whole. */
@inline
function tail(r: v128): v128 {
  let sum = f64x2.splat(9.183689863795546e-29);
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(2.4795962632247976e-27));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(6.446950284384474e-26));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.6117375710961184e-24));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(3.868170170630684e-23));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(8.896791392450574e-22));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.9572941063391263e-20));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(4.110317623312165e-19));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(8.22063524662433e-18));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(1.5619206968586225e-16));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(2.8114572543455206e-15));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(4.779477332387385e-14));
  sum = f64x2.add(f64x2.mul(sum, r), f64x2.splat(7.647163731819816e-13));
  return f64x2.mul(sum, r);
}

/** The inverse factorials 1/14! … 1/1!, in memory: laid out by `factorials`. */
const TERMS: usize = 14;
/**
 * Behind them is room for what the steps of a row leave to each other, ROOM bytes for each two lanes: k, r
 * and the sum so far, and what tanh keeps.
 */
const ROOM: usize = 96;
const ROOM_AT: usize = TERMS << 4;

/** Writes the coefficients of `expRow` to `at`, 28 doubles. */
export function factorials(at: usize): void {
  store<f64>(at, 1.1470745597729725e-11, 0);
  store<f64>(at, 2.065551275283075e-28, 8);
  store<f64>(at, 1.6059043836821613e-10, 16);
  store<f64>(at, 1.2585294588752098e-26, 24);
  store<f64>(at, 2.08767569878681e-9, 32);
  store<f64>(at, -1.2073450591132597e-25, 40);
  store<f64>(at, 2.505210838544172e-8, 48);
  store<f64>(at, -1.4488140709359118e-24, 56);
  store<f64>(at, 2.755731922398589e-7, 64);
  store<f64>(at, 2.3767714622250297e-23, 72);
  store<f64>(at, 0.0000027557319223985893, 80);
  store<f64>(at, -1.858393274046472e-22, 88);
  store<f64>(at, 0.0000248015873015873, 96);
  store<f64>(at, 2.1511947866775805e-23, 104);
  store<f64>(at, 0.0001984126984126984, 112);
  store<f64>(at, 1.7209558293420644e-22, 120);
  store<f64>(at, 0.001388888888888889, 128);
  store<f64>(at, -5.3005439543735777e-20, 136);
  store<f64>(at, 0.008333333333333333, 144);
  store<f64>(at, 1.1564823173178711e-19, 152);
  store<f64>(at, 0.041666666666666664, 160);
  store<f64>(at, 2.3129646346357427e-18, 168);
  store<f64>(at, 0.16666666666666666, 176);
  store<f64>(at, 9.25185853854297e-18, 184);
  store<f64>(at, 0.5, 192);
  store<f64>(at, 0, 200);
  store<f64>(at, 1, 208);
  store<f64>(at, 0, 216);
}

/**
 * e^x of the pairs of a row of `bytes` bytes at `high` and `low`, in place; `table` holds the factorials and the
 * room. The steps and the bound of double-double.ts; zero below −745.14, infinite above 700. Each step is taken
 * for the whole row before the next, for the steps of one pair wait for each other.
 */
export function expRow(high: usize, low: usize, bytes: usize, table: usize): void {
  const first = v128.load64_splat(table);
  const firstLow = v128.load64_splat(table, 8);
  for (let n: usize = 0, room = table + ROOM_AT; n < bytes; n += 16, room += ROOM) {
    const xh = v128.load(high + n);
    const xl = v128.load(low + n);
    const k = round(f64x2.mul(f64x2.max(xh, f64x2.splat(-746)), f64x2.splat(LOG2_E)));
    const k1 = f64x2.neg(f64x2.mul(k, f64x2.splat(LN2_FIRST)));
    const k2 = f64x2.neg(f64x2.mul(k, f64x2.splat(LN2_SECOND)));
    const k3 = f64x2.neg(f64x2.mul(k, f64x2.splat(LN2_THIRD)));
    const ah = addNumberHigh(xh, xl, k1);
    const al = addNumberLow(xh, xl, k1);
    const bh = addNumberHigh(ah, al, k2);
    const bl = addNumberLow(ah, al, k2);
    const rh = addNumberHigh(bh, bl, k3);
    const t = f64x2.add(firstLow, tail(rh));
    const sh = f64x2.add(first, t);
    v128.store(room, k);
    v128.store(room, rh, 16);
    v128.store(room, addNumberLow(bh, bl, k3), 32);
    v128.store(room, sh, 48);
    v128.store(room, fastError(first, t, sh), 64);
  }
  for (let at = table + 16; at < table + ROOM_AT; at += 16) {
    const ch = v128.load64_splat(at);
    const cl = v128.load64_splat(at, 8);
    for (let n: usize = 0, room = table + ROOM_AT; n < bytes; n += 16, room += ROOM) {
      const rh = v128.load(room, 16);
      const rl = v128.load(room, 32);
      const sh = v128.load(room, 48);
      const sl = v128.load(room, 64);
      const ph = mulHigh(sh, sl, rh, rl);
      const pl = mulLow(sh, sl, rh, rl);
      v128.store(room, addHigh(ph, pl, ch, cl), 48);
      v128.store(room, addLow(ph, pl, ch, cl), 64);
    }
  }
  const one = f64x2.splat(1);
  for (let n: usize = 0, room = table + ROOM_AT; n < bytes; n += 16, room += ROOM) {
    const xh = v128.load(high + n);
    const k = v128.load(room);
    const rh = v128.load(room, 16);
    const rl = v128.load(room, 32);
    const sh = v128.load(room, 48);
    const sl = v128.load(room, 64);
    const eh = mulHigh(sh, sl, rh, rl);
    const el = mulLow(sh, sl, rh, rl);
    const yh = addNumberHigh(eh, el, one);
    const yl = addNumberLow(eh, el, one);
    const half = f64x2.floor(f64x2.mul(k, f64x2.splat(0.5)));
    const p = powerOfTwo(half);
    const q = powerOfTwo(f64x2.sub(k, half));
    const gone = f64x2.lt(xh, f64x2.splat(-745.14));
    const value = v128.andnot(f64x2.mul(f64x2.mul(yh, p), q), gone);
    v128.store(high + n, v128.bitselect(f64x2.splat(Infinity), value, f64x2.gt(xh, f64x2.splat(700))));
    v128.store(low + n, v128.andnot(f64x2.mul(f64x2.mul(yl, p), q), gone));
  }
}

/** 2/b of a pair: DWDivDW2. Its high part goes to `high`, its low one to `low`. */
@inline
function twoOver(bh: v128, bl: v128, high: usize, low: usize): void {
  const two = f64x2.splat(2);
  const th = f64x2.div(two, bh);
  const p = f64x2.mul(bh, th);
  const pe = productError(bh, th, p);
  const c = f64x2.mul(bl, th);
  const s = f64x2.add(p, c);
  const v = f64x2.add(fastError(p, c, s), pe);
  const backHigh = f64x2.add(s, v);
  const backLow = fastError(s, v, backHigh);
  const tl = f64x2.div(f64x2.sub(f64x2.sub(two, backHigh), backLow), bh);
  const qh = f64x2.add(th, tl);
  v128.store(high, qh);
  v128.store(low, fastError(th, tl, qh));
}

/** tanh of the pairs of a row, in place: 1 − 2/(e^{2|x|} + 1), whose absolute error is below 2⁻⁹⁷. */
export function tanhRow(high: usize, low: usize, bytes: usize, table: usize): void {
  const two = f64x2.splat(2);
  for (let n: usize = 0, room = table + ROOM_AT; n < bytes; n += 16, room += ROOM) {
    const xh = v128.load(high + n);
    const xl = v128.load(low + n);
    const negative = f64x2.lt(xh, f64x2.splat(0));
    const twice = f64x2.mul(two, f64x2.abs(xh));
    const large = f64x2.gt(twice, f64x2.splat(80));
    const twiceLow = f64x2.mul(two, v128.bitselect(f64x2.neg(xl), xl, negative));
    v128.store(high + n, v128.bitselect(f64x2.splat(80), twice, large));
    v128.store(low + n, v128.andnot(twiceLow, large));
    v128.store(room, negative, 80);
  }
  expRow(high, low, bytes, table);
  const one = f64x2.splat(1);
  for (let n: usize = 0, room = table + ROOM_AT; n < bytes; n += 16, room += ROOM) {
    const h = high + n;
    const l = low + n;
    const eh = v128.load(h);
    const el = v128.load(l);
    twoOver(addNumberHigh(eh, el, one), addNumberLow(eh, el, one), h, l);
    const qh = f64x2.neg(v128.load(h));
    const ql = f64x2.neg(v128.load(l));
    const yh = addNumberHigh(qh, ql, one);
    const yl = addNumberLow(qh, ql, one);
    const negative = v128.load(room, 80);
    v128.store(h, v128.bitselect(f64x2.neg(yh), yh, negative));
    v128.store(l, v128.bitselect(f64x2.neg(yl), yl, negative));
  }
}
