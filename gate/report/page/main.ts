/**
 * The script of a report's page: pictures drawn by Observable Plot from the data in the page, copying
 * of replay lines, and the filter of the list of cases. Without it every text is still there.
 *
 * Nothing from the data becomes markup: Plot and `textContent` write text.
 * @module
 */
import * as Plot from '@observablehq/plot';
import type { CaseChart, ErrorMap, GroupCount, Histogram, OutputChart } from '../chart.ts';
import { BINS, binOf, fractionOf, spoken } from '../map-code.ts';

interface PageData {
  /** Of all cases: the worst fraction of each, by output. */
  readonly overall: readonly { readonly name: string; readonly fractions: Histogram }[];
  readonly charts: readonly (CaseChart | null)[];
}

const COLORS = BINS.map(({ color }) => color);
const INSIDE = '#4f8fc4';
const OUTSIDE = '#d9622b';
const BASE = { style: { background: 'transparent', fontSize: '12px' } } as const;

function data(): PageData {
  const text = document.getElementById('data')?.textContent ?? '';
  return JSON.parse(text) as PageData;
}

function element(name: string, text = '', className = ''): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== '') made.className = className;
  return made;
}

function figure(caption: string, picture: Element, label: string): HTMLElement {
  const made = element('figure');
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', label);
  made.append(picture, element('figcaption', caption));
  return made;
}

function histogram(
  { labels, counts, outside }: Histogram,
  of: string,
  what: string,
  width: number,
) {
  const bars = labels.map((label, n) => ({
    ...{ label, of, count: counts[n] ?? 0 },
    color: outside !== null && n >= outside ? OUTSIDE : INSIDE,
  }));
  const every = Math.ceil((labels.length * 34) / (width - 70));
  return Plot.plot({
    ...BASE,
    ...{ width, height: 170, marginLeft: 44, marginBottom: 40, marginRight: 20 },
    x: {
      ...{ domain: labels, label: what, labelAnchor: 'center', labelArrow: 'none', tickSize: 3 },
      ticks: labels.filter((_, n) => n % every === 0),
    },
    y: { type: 'sqrt', label: of, grid: true, ticks: 4, tickFormat: whole, labelArrow: 'none' },
    marks: [
      Plot.barY(bars, { x: 'label', y: 'count', fill: 'color', title: barTitle, tip: true }),
      Plot.ruleY([0]),
    ],
  });
}

/** Counts are whole numbers; a tick between two of them has no text. */
const whole = (n: number): string => (Number.isInteger(n) ? String(n) : '');

const barTitle = (bar: { label: string; of: string; count: number }): string =>
  `up to ${bar.label}: ${bar.count} ${bar.of}`;

const cellText = (code: number): string => BINS[binOf(code)]?.label ?? '';

/** The elements that a cell stands for, `5` or `10–14`. */
const span = (n: number, step: number): string =>
  step === 1 ? String(n) : `${n * step}–${n * step + step - 1}`;

function errorMap(map: ErrorMap): Element {
  const { rows, columns, rowName, columnName, step } = map;
  const bytes = Uint8Array.from(atob(map.codes), (char) => char.charCodeAt(0));
  const side = Math.min(18, Math.max(4, Math.floor(320 / Math.max(columns, 12))));
  const [width, height] = [
    columns * side,
    rows * Math.min(18, Math.max(4, Math.floor(300 / rows))),
  ];
  const cells = Array.from(bytes, (code, n) => {
    const [row, column] = [Math.floor(n / columns), n % columns];
    const size =
      code > 1 && code < 255 ? `about ${spoken(fractionOf(code))} of the bound` : cellText(code);
    const title = `${rowName} ${span(row, step[0])}, ${columnName} ${span(column, step[1])}: ${size}`;
    return { x: (column + 0.5) * step[1], y: (row + 0.5) * step[0], title, bin: binOf(code) };
  });
  const room = { marginLeft: 52, marginBottom: 38, marginTop: 24, marginRight: 14 };
  return Plot.plot({
    ...{ ...BASE, ...room },
    width: Math.max(190, width + room.marginLeft + room.marginRight),
    height: height + room.marginTop + room.marginBottom,
    x: axis(columnName, columns * step[1], false),
    y: axis(rowName, rows * step[0], true),
    color: { type: 'ordinal', domain: BINS.map((_, n) => n), range: COLORS },
    marks: [
      Plot.raster(
        cells.map(({ bin }) => bin),
        {
          ...{ width: columns, height: rows, x1: 0, x2: columns * step[1] },
          ...{ y1: 0, y2: rows * step[0], imageRendering: 'pixelated' },
        },
      ),
      Plot.frame({ stroke: 'currentColor', strokeOpacity: 0.35 }),
      Plot.tip(cells, Plot.pointer({ x: 'x', y: 'y', title: 'title', maxRadius: 40 })),
    ],
  });
}

function axis(label: string, extent: number, reverse: boolean) {
  return {
    ...{ domain: [0, extent], label, reverse, nice: false, labelArrow: 'none' as const },
    ...(extent <= 6 ? { ticks: Array.from({ length: extent + 1 }, (_, n) => n) } : { ticks: 5 }),
    tickFormat: whole,
  };
}

function groups(counts: readonly GroupCount[]): Element {
  return Plot.plot({
    ...BASE,
    ...{
      width: 330,
      height: 62 + counts.length * 17,
      marginBottom: 38,
      marginLeft: 64,
      marginRight: 44,
    },
    x: { label: 'outside, % of the elements', domain: [0, 100], grid: true, ticks: 5 },
    y: { label: null, domain: counts.map(({ name }) => name) },
    marks: [
      Plot.barX(counts, { y: 'name', x: percent, fill: OUTSIDE, inset: 1 }),
      Plot.text(counts, {
        ...{ y: 'name', x: percent, dx: 4, textAnchor: 'start', fill: 'currentColor' },
        text: ({ outside }: GroupCount) => String(outside),
      }),
      Plot.ruleX([0]),
    ],
  });
}

const percent = ({ outside, of }: GroupCount): number => (of === 0 ? 0 : (100 * outside) / of);

function drawOutput(place: Element, chart: OutputChart): void {
  for (const map of chart.maps) {
    const size = map.step[0] * map.step[1];
    const under =
      size > 1 ? `; a cell is the worst of ${map.step[0]} × ${map.step[1]} elements` : '';
    const caption = `${chart.name}, ${map.title}${under}`;
    place.append(figure(caption, errorMap(map), `error map of ${caption}`));
  }
  const bound = histogram(chart.fractions, 'elements', 'error / bound, at most', 330);
  place.append(figure(`${chart.name}: fractions of the bound`, bound, 'histogram of fractions'));
  const ulps = histogram(chart.ulps, 'elements', 'error in ULPs, at most', 330);
  place.append(figure(`${chart.name}: distance in ULPs`, ulps, 'histogram of ULPs'));
  for (const [what, counts] of [
    ['head', chart.heads],
    ['rank', chart.ranks],
  ] as const) {
    if (counts.length === 0) continue;
    const caption = `${chart.name}: elements outside the bound by ${what}`;
    place.append(figure(caption, groups(counts), caption));
  }
}

/** Draw what a part of the page has room for, once. */
function draw(part: ParentNode, given: PageData): void {
  for (const place of part.querySelectorAll<HTMLElement>('[data-case]:not([data-drawn])')) {
    place.dataset.drawn = 'true';
    const chart = given.charts[Number(place.dataset.case)];
    const output = chart?.outputs.find(({ name }) => name === place.dataset.output);
    if (output !== undefined) drawOutput(place, output);
  }
}

function drawOverall(given: PageData): void {
  const place = document.getElementById('overall');
  for (const { name, fractions } of place === null ? [] : given.overall) {
    const picture = histogram(fractions, 'cases', 'worst error / bound, at most', 270);
    place?.append(figure(`${name}: cases by their worst element`, picture, `histogram of ${name}`));
  }
}

async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

function prepareCopying(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>('button.copy')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      await copy(button.parentElement?.querySelector('pre')?.textContent ?? '');
      button.textContent = 'Copied';
      setTimeout(() => {
        button.textContent = 'Copy';
      }, 1500);
    });
  }
}

function prepareFilter(): void {
  const [text, verdict] = ['filter-text', 'filter-verdict'].map((id) =>
    document.getElementById(id),
  );
  if (!(text instanceof HTMLInputElement) || !(verdict instanceof HTMLSelectElement)) return;
  const rows = [...document.querySelectorAll<HTMLTableRowElement>('#list tbody tr')];
  const shown = document.getElementById('filter-shown');
  const apply = (): void => {
    const wanted = text.value.toLowerCase();
    let count = 0;
    for (const row of rows) {
      const fits = verdict.value === '' || row.dataset.verdict === verdict.value;
      row.hidden = !(fits && (row.textContent ?? '').toLowerCase().includes(wanted));
      if (!row.hidden) count++;
    }
    if (shown !== null) shown.textContent = `${count} of ${rows.length} shown`;
  };
  text.form?.removeAttribute('hidden');
  text.addEventListener('input', apply);
  verdict.addEventListener('change', apply);
  apply();
}

function start(): void {
  prepareCopying();
  prepareFilter();
  const given = data();
  for (const part of document.querySelectorAll<HTMLDetailsElement>('details.case')) {
    if (part.open) draw(part, given);
    part.addEventListener('toggle', () => {
      if (part.open) draw(part, given);
    });
  }
  drawOverall(given);
  // What a link leads to is opened.
  const follow = (): void => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener('hashchange', follow);
  follow();
  document.documentElement.dataset.ready = 'true';
}

start();
