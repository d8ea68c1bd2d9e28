/**
 * A timeline as an SVG picture: ranks as rows, computing and waiting in the upper part of each, messages
 * under it, a time axis with its unit, and a legend. Of many ranks the first are drawn, and how many are
 * not is written below.
 *
 * Every text is escaped. Spans of a lane too small to see are drawn together, so that a picture stays
 * small however many there are; a title that appears under the pointer says how many.
 * @module
 */

/** `wait`: for a message, or until a channel is free. */
export type TimelineLane = 'compute' | 'send' | 'wait';

export interface TimelineSpan {
  readonly rank: number;
  readonly lane: TimelineLane;
  /** Seconds from the picture's beginning. */
  readonly start_s: number;
  readonly end_s: number;
  readonly label: string;
}

export interface Timeline {
  readonly title: string;
  /** A sentence or two under the picture. */
  readonly notes: readonly string[];
  /** All of them; spans are of the first RANKS_SHOWN. */
  readonly ranks: number;
  readonly seconds: number;
  /** Where passes begin, by name. */
  /** What a span of lane `send` is, for the legend. */
  readonly sending: string;
  readonly passes: readonly { readonly name: string; readonly start_s: number }[];
  readonly spans: readonly TimelineSpan[];
}

/** Rows of a picture; further ranks are left out, and the picture says so. */
export const RANKS_SHOWN = 16;

const [LEFT, PLOT, RIGHT, TOP] = [70, 1000, 30, 78];
const ROW = { height: 36, busy: 16, link: 9, gap: 2 } as const;
/** Pixels: spans closer and smaller are drawn as one; labels need so much for a character. */
const [SMALL, CHARACTER] = [0.7, 5.2];
const COLORS: Readonly<Record<TimelineLane, string>> = {
  ...{ compute: '#3b7dd8', send: '#6aa84f', wait: '#f2b8a0' },
};
/** Classes of a label on its span: white is hard to read on what is pale. */
const ON: Readonly<Record<TimelineLane, string>> = {
  ...{ compute: 'on', send: 'on dark small', wait: 'on dark' },
};
const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
};

/** Text as XML has it; what XML 1.0 has no place for is shown as �. */
export const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

const px = (value: number): string => String(Math.round(value * 100) / 100);

const UNITS: readonly (readonly [number, string])[] = [
  ...([[1, 's']] as const),
  ...([[1e-3, 'ms']] as const),
  ...([[1e-6, 'µs']] as const),
  ...([[1e-9, 'ns']] as const),
];

/** The unit that makes a length one to a thousand, and steps of 1, 2 or 5 that give 4 to 10 ticks. */
export function ticksOf(seconds: number): {
  readonly unit: string;
  readonly ticks: readonly { readonly at_s: number; readonly text: string }[];
} {
  const [scale, unit] = UNITS.find(([least]) => seconds >= least) ?? [1e-9, 'ns'];
  const length = seconds / scale;
  const raw = length / 8;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? raw;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const count = Math.floor(length / step + 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, n) => ({
    at_s: n * step * scale,
    text: (n * step).toFixed(digits),
  }));
  return { unit, ticks };
}

/** Spans drawn as one, with the longest one's label. */
interface Bar {
  start_s: number;
  end_s: number;
  label: string;
  longest_s: number;
  count: number;
}

/** A row's spans of a lane, small neighbours together. `small` in seconds. */
function barsOf(spans: readonly TimelineSpan[], small: number): Bar[] {
  const bars: Bar[] = [];
  for (const { start_s, end_s, label } of [...spans].sort((a, b) => a.start_s - b.start_s)) {
    const last = bars.at(-1);
    const joins =
      last !== undefined &&
      start_s - last.end_s < small &&
      (end_s - start_s < small || last.end_s - last.start_s < small);
    if (!joins) {
      bars.push({ start_s, end_s, label, longest_s: end_s - start_s, count: 1 });
      continue;
    }
    last.end_s = Math.max(last.end_s, end_s);
    last.count++;
    if (end_s - start_s > last.longest_s) [last.label, last.longest_s] = [label, end_s - start_s];
  }
  return bars;
}

const shownLabel = (label: string, width: number): string => {
  const room = Math.floor(width / CHARACTER) - 1;
  return [...label].length <= room ? label : '';
};

function rowOf(timeline: Timeline, own: readonly TimelineSpan[], rank: number): string {
  const { seconds } = timeline;
  const [perSecond, top] = [PLOT / seconds, TOP + rank * ROW.height];
  const lines = [
    `<text x="${LEFT - 8}" y="${top + ROW.busy - 3}" class="name">rank ${rank}</text>`,
  ];
  for (const lane of ['wait', 'compute', 'send'] as const) {
    const [y, height] = lane === 'send' ? [top + ROW.busy + ROW.gap, ROW.link] : [top, ROW.busy];
    const spans = own.filter((span) => span.lane === lane);
    for (const bar of barsOf(spans, SMALL / perSecond)) {
      const x = LEFT + bar.start_s * perSecond;
      const width = Math.max(0.3, (bar.end_s - bar.start_s) * perSecond);
      const label =
        bar.count === 1 ? bar.label : `${bar.count} together, the longest: ${bar.label}`;
      const place = `x="${px(x)}" y="${y}" width="${px(width)}" height="${height}"`;
      lines.push(`<rect class="${lane}" ${place}><title>${escaped(label)}</title></rect>`);
      const text = bar.longest_s * perSecond > 0.9 * width ? shownLabel(bar.label, width) : '';
      if (text === '') continue;
      const at = `x="${px(x + width / 2)}" y="${y + height - (lane === 'send' ? 1.5 : 4.5)}"`;
      lines.push(`<text class="${ON[lane]}" ${at}>${escaped(text)}</text>`);
    }
  }
  return lines.join('\n');
}

function axisOf({ seconds, passes }: Timeline, bottom: number): string[] {
  const perSecond = PLOT / seconds;
  const { unit, ticks } = ticksOf(seconds);
  const marks = ticks.flatMap(({ at_s, text }) => {
    const x = px(LEFT + at_s * perSecond);
    return [
      `<line class="tick" x1="${x}" y1="${TOP - 4}" x2="${x}" y2="${bottom}"/>`,
      `<text class="axis" x="${x}" y="${bottom + 14}">${text}</text>`,
    ];
  });
  const begins = passes.flatMap(({ name, start_s }) => {
    const x = px(LEFT + start_s * perSecond);
    return [
      `<line class="pass" x1="${x}" y1="${TOP - 16}" x2="${x}" y2="${bottom}"/>`,
      `<text class="passname" x="${Number(x) + 4}" y="${TOP - 8}">${escaped(name)}</text>`,
    ];
  });
  const label = `<text class="axis" x="${LEFT + PLOT / 2}" y="${bottom + 30}">time, ${unit}</text>`;
  return [...marks, ...begins, label];
}

function legendOf({ sending }: Timeline): string[] {
  const legend = [
    ...[['compute', 'computing'] as const, ['wait', 'waiting (exposed communication)'] as const],
    ['send', sending] as const,
  ];
  return legend.map(([lane, text], n) => {
    const x = LEFT + n * 260;
    return (
      `<rect class="${lane}" x="${x}" y="36" width="14" height="12"/>` +
      `<text class="plain" x="${x + 20}" y="46">${escaped(text)}</text>`
    );
  });
}

const STYLE = [
  'text{font:11px system-ui,sans-serif;fill:#222}',
  '.name{text-anchor:end}.axis,.on{text-anchor:middle}.on{font-size:9px;fill:#fff;pointer-events:none}',
  '.dark{fill:#222}.small{font-size:8px}.title{font-size:14px;font-weight:600}.passname{font-style:italic}',
  '.tick{stroke:#ddd;stroke-width:1}.pass{stroke:#555;stroke-width:1;stroke-dasharray:4 3}',
  ...Object.entries(COLORS).map(([lane, color]) => `.${lane}{fill:${color}}`),
].join('');

/** The picture. Throws RangeError for a timeline without ranks or of no length. */
export function timelineSvg(timeline: Timeline): string {
  const { title, ranks, seconds, spans } = timeline;
  if (!(ranks >= 1)) throw new RangeError(`"ranks" expected 1 or more, got ${ranks}`);
  if (!(seconds > 0 && seconds < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`"seconds" expected a length above 0, got ${seconds}`);
  }
  const shown = Math.min(ranks, RANKS_SHOWN);
  const rows = Array.from({ length: shown }, (): TimelineSpan[] => []);
  for (const span of spans) rows[span.rank]?.push(span);
  const left =
    ranks === shown
      ? []
      : [`Not drawn: ranks ${shown} to ${ranks - 1}, ${ranks - shown} of ${ranks}.`];
  const notes = [...left, ...timeline.notes];
  const bottom = TOP + shown * ROW.height;
  const [width, height] = [LEFT + PLOT + RIGHT, bottom + 44 + 16 * notes.length];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text class="title" x="${LEFT}" y="22">${escaped(title)}</text>`,
    ...legendOf(timeline),
    ...axisOf(timeline, bottom),
    ...rows.map((own, rank) => rowOf(timeline, own, rank)),
    ...notes.map(
      (note, n) =>
        `<text class="plain" x="${LEFT}" y="${bottom + 50 + 16 * n}">${escaped(note)}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n');
}
