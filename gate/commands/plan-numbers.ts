/**
 * Numbers and tables as `xattn plan` prints them: three digits, units, columns to the right.
 * @module
 */

/** Three significant digits; whole from 100 on. */
export function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(1);
  if (size >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}

/** `12.3×`. */
export const times = (value: number): string => `${short(value)}×`;

/** An error as a share, `+7 %`; factors from 3 on. */
export function error(share: number): string {
  if (share >= 2) return `${short(share + 1)}×`;
  if (share <= -2 / 3) return `1/${short(1 / (share + 1))}`;
  const percent = Math.round(100 * share);
  return `${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${Math.abs(percent)} %`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function bytes(value: number): string {
  let [left, unit] = [value, 0];
  while (left >= 1000 && unit < UNITS.length - 1) [left, unit] = [left / 1024, unit + 1];
  return `${short(left)} ${UNITS[unit] ?? ''}`;
}

/** `2K`, `1.5M`: lengths in units of 1024, whole numbers as they are. */
export function length(value: number): string {
  const [unit, name] =
    value >= 2 ** 20 ? [2 ** 20, 'M'] : value >= 2 ** 10 ? [2 ** 10, 'K'] : [1, ''];
  return Number.isInteger(value / unit) ? `${value / unit}${name}` : value.toLocaleString('en');
}

/** Columns as wide as their widest cell, the first `left` of them to the left, the others right. */
export function columns(rows: readonly (readonly string[])[], left = 1): string {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, c) =>
    Math.max(0, ...rows.map((row) => [...(row[c] ?? '')].length)),
  );
  const cellOf = (text: string, c: number): string => {
    const gap = ' '.repeat(Math.max(0, (widths[c] ?? 0) - [...text].length));
    return c < left ? text + gap : gap + text;
  };
  return rows.map((row) => row.map(cellOf).join('  ').trimEnd()).join('\n');
}
