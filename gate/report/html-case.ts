/**
 * A failing case on the page of a report: what is wrong, how to ask again, and, output by output, the
 * worst elements and the places of its pictures.
 * @module
 */
import { digits } from '../../reference/verdict/judge.ts';
import type { ReportedCase } from '../report.ts';
import type { GroupCount, OutputChart } from './chart.ts';
import type { Charted } from './charted.ts';
import { BINS, spoken } from './map-code.ts';
import { html, Markup } from './markup.ts';

const replayLine = (replay: string | null): Markup =>
  replay === null
    ? html``
    : html`<div class="replay"><pre>${replay}</pre><button class="copy" type="button" hidden>Copy</button></div>`;

/** Those with elements outside, the worst first. */
function groupLine(what: string, groups: readonly GroupCount[]): Markup {
  const outside = groups.filter((one) => one.outside > 0);
  if (groups.length === 0) return html``;
  const all = outside.length === groups.length ? `all ${groups.length} ${what}s` : '';
  const named = outside
    .sort((a, b) => b.outside - a.outside)
    .slice(0, 12)
    .map((one) => `${one.name} (${one.outside} of ${one.of})`);
  const more = outside.length > 12 ? `, and ${outside.length - 12} more` : '';
  const text =
    outside.length === 0 ? 'none' : `${all === '' ? '' : `${all}: `}${named.join(', ')}${more}`;
  return html`<p>Outside by ${what}: ${text}.</p>`;
}

function outputPart(chart: OutputChart, at: number): Markup {
  const { name, shape, count, notAsked, worst } = chart;
  const rows = worst.map(
    ({ index, fraction, ulp, expected, got }) =>
      html`<tr><td>[${index.join(', ')}]</td><td class="n">${digits(expected)}</td><td class="n">${digits(got)}</td><td class="n">${spoken(fraction)}</td><td class="n">${Number.isNaN(ulp) ? '' : spoken(ulp)}</td></tr>`,
  );
  const open = notAsked === 0 ? '' : `; of ${notAsked} nothing is asked`;
  return html`<h4>${name} <span class="dim">[${shape.join(' × ')}]</span></h4>
<p>${count.outside} of ${count.of} elements outside the bound${open}.</p>
${groupLine('head', chart.heads)}${groupLine('rank', chart.ranks)}
${rows.length === 0 ? '' : html`<div class="wide"><table><thead><tr><th>worst elements</th><th class="n">expected</th><th class="n">got</th><th class="n">of the bound</th><th class="n">ULPs</th></tr></thead><tbody>${rows}</tbody></table></div>`}
<div class="figures" data-case="${at}" data-output="${name}"></div>`;
}

const legend = (): Markup =>
  html`<ul class="legend" aria-label="Colours of the maps, in units of the bound">${BINS.map(
    ({ color, label }) => html`<li><i style="background:${color}"></i>${label}</li>`,
  )}</ul>`;

/** `at`: its place among those with pictures; the first is open. */
export function caseDetails(
  { id, verdict, replay }: ReportedCase,
  lines: readonly string[],
  charted: Charted | undefined,
  at: number,
): Markup {
  const { verdict: name, reason } = verdict;
  const texts = lines.filter((line) => line !== replay);
  const failing = charted?.chart?.outputs.filter(({ count }) => count.outside > 0) ?? [];
  const fine = charted?.chart?.outputs.filter(({ count }) => count.outside === 0) ?? [];
  const within =
    fine.length === 0 ? '' : `Within the bounds: ${fine.map((one) => one.name).join(', ')}.`;
  return html`<details class="case" id="case-${id}"${new Markup(at === 0 ? ' open' : '')}><summary><h3><span class="${name}">${name}</span> ${id}</h3></summary>
<p>${reason}</p>${texts.map((line) => html`<p class="dim">${line}</p>`)}${replayLine(replay)}
${charted === undefined || charted.chart !== null ? '' : html`<p class="dim">No pictures: ${charted.why}.</p>`}
${failing.length === 0 ? '' : legend()}${failing.map((one) => outputPart(one, at))}
${within === '' ? '' : html`<p class="dim">${within}</p>`}</details>\n`;
}
