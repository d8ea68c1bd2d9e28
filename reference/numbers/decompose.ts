/**
 * A finite double as significand · 2^exponent, exactly.
 * @module
 */

const buffer = new DataView(new ArrayBuffer(8));

/** `value` = significand · 2^exponent; throws RangeError for NaN and infinities. */
export function decompose(value: number): { significand: bigint; exponent: number } {
  if (!Number.isFinite(value))
    throw new RangeError(`"value" expected a finite number, got ${value}`);
  buffer.setFloat64(0, value);
  const bits = buffer.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = biased === 0 ? fraction : fraction | 0x10000000000000n;
  return {
    significand: bits >> 63n ? -magnitude : magnitude,
    exponent: (biased === 0 ? 1 : biased) - 1075,
  };
}
