/**
 * The report as one page: a file that needs no network and no other file, and in which every text is
 * there without its script.
 *
 * What a candidate or a case says is escaped wherever it stands, and the page's policy lets run
 * nothing but our script, by its hash. The page is bounded: what it leaves out, it says.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isFailing, judgedCount, type Report, type ReportedCase, skipReasons } from '../report.ts';
import { NOT_REACHED } from '../run-suite.ts';
import type { Histogram } from './chart.ts';
import { type Charted, chartedCases } from './charted.ts';
import { histograms } from './charts.ts';
import { evidence } from './evidence.ts';
import { caseDetails } from './html-case.ts';
import { diagnosisSection } from './html-diagnosis.ts';
import { html, jsonMarkup, Markup } from './markup.ts';
import { PAGE_STYLE } from './page-style.ts';
import { claimLine, noteLines, summaryLine } from './text.ts';

/** Failing cases told in full, rows of the list, and names of what was skipped for one reason. */
const [TOLD, LISTED, NAMED] = [60, 3000, 200];

/** The script of the page, which the build makes (page/bundle.mjs). */
function pageScript(): string {
  const places = ['./page.js', '../../dist/gate/report/page.js'];
  const found = places.map((one) => new URL(one, import.meta.url)).find((one) => existsSync(one));
  if (found === undefined) throw new Error('page.js is missing: npm run build makes it');
  return readFileSync(found, 'utf8');
}

/** Nothing is fetched, nothing runs but the script with this hash; Plot styles its pictures. */
const policy = (script: string): string =>
  [
    "default-src 'none'",
    `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');

function tiles({ summary }: Report): Markup {
  const { pass, fail, broken, skip } = summary;
  const all = [
    ['pass', pass, 'pass'],
    ['fail', fail, 'fail'],
    ['broken', broken, 'broken'],
    ['skip', skip, 'skipped'],
  ] as const;
  return html`<ul class="tiles">${all.map(
    ([name, count, text]) =>
      html`<li class="${count > 0 ? name : 'dim'}"><b id="count-${name}">${count}</b>${text}</li>`,
  )}</ul>`;
}

/** One sentence for whoever reads no further. */
function headline({ summary, incomplete }: Report): string {
  const { fail, broken, pass } = summary;
  const judged = judgedCount(summary);
  const rest = incomplete === undefined ? '' : ` This is not the whole run: ${incomplete}.`;
  if (judged === 0) return `Nothing was judged, so there is no verdict.${rest}`;
  if (fail + broken === 0) return `All of ${judged} judged cases pass.${rest}`;
  const wrong = fail === 0 ? '' : `${fail} of ${judged} judged cases are wrong`;
  const dead = broken === 0 ? '' : `${broken} gave no usable answer`;
  return `${[wrong, dead].filter((part) => part !== '').join(', ')}; ${pass} pass.${rest}`;
}

function facts(report: Report): Markup {
  const { version, profile, asked, seed, shard, seconds } = report;
  const rows = [
    ['asked', asked],
    ['judged as', profile.name],
    ...(seed === undefined ? [] : [['seed', String(seed)]]),
    ...(shard === undefined ? [] : [['shard', `${shard.index} of ${shard.count}`]]),
    ['seconds', seconds.toFixed(1)],
    ['judged by', `lv-xattn-oracle ${version}`],
  ];
  return html`<div class="wide"><table>${rows.map(
    ([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>`,
  )}</table></div>`;
}

function summarySection(report: Report): Markup {
  const lines = [summaryLine(report), claimLine(report), ...noteLines(report)];
  return html`<section id="summary"><h2>Summary</h2>
<p><strong id="headline">${headline(report)}</strong></p>${tiles(report)}
${lines.map((line) => html`<p class="dim">${line}</p>`)}${facts(report)}</section>`;
}

/** Drawn by the script; without it the list has the numbers. */
const distancesSection = (report: Report): Markup =>
  overall(report).length === 0
    ? html``
    : html`<section id="distances"><h2>Distance from the bound</h2>
<p class="dim">The worst element of each case, output by output; beyond 1 it is wrong.</p>
<div class="figures" id="overall"></div></section>`;

function failingSection(failing: readonly ReportedCase[], charted: readonly Charted[]): Markup {
  if (failing.length === 0) return html``;
  const drawn = new Set(charted.map(({ reported }) => reported));
  const rest = failing.filter((one) => !drawn.has(one));
  const told = rest.slice(0, Math.max(0, TOLD - charted.length));
  const left = rest.length - told.length;
  return html`<section id="failing"><h2>Failing cases</h2>
${charted.map((one, n) => caseDetails(one.reported, evidence(one.reported), one, n))}
${told.map((one) => caseDetails(one, evidence(one), undefined, -1))}
${left === 0 ? '' : html`<p id="left-out">${left} more failing cases are not told one by one; they are in the list below, and in full in the JSON report.</p>`}
</section>`;
}

function skippedSection({ cases }: Report): Markup {
  const reasons = skipReasons(cases);
  if (reasons.length === 0) return html``;
  return html`<section id="skipped"><h2>Not judged</h2>${reasons.map(([reason, count]) => {
    const ids = cases.flatMap(({ id, verdict }) =>
      verdict.verdict === 'skip' && verdict.reason === reason ? [id] : [],
    );
    const more = ids.length > NAMED ? ` and ${ids.length - NAMED} more` : '';
    const head = reason === NOT_REACHED ? 'not reached' : 'skipped';
    return html`<details><summary><span class="skip">${head} ${count}</span>: ${reason}</summary>
<p class="dim">${ids.slice(0, NAMED).join(', ')}${more}</p></details>`;
  })}</section>`;
}

/** The largest fraction of the bound in a case. */
const worstOf = ({ verdict }: ReportedCase): number | null => {
  const all = Object.values(verdict.outputs).map((one) => one.max_bound_fraction);
  return all.length === 0 ? null : Math.max(...all);
};

function listSection(report: Report): Markup {
  const order = (one: ReportedCase): number => (isFailing(one) ? 0 : 1);
  const all = [...report.cases].sort((a, b) => order(a) - order(b));
  const rows = all.slice(0, LISTED).map((one) => {
    const { verdict, reason } = one.verdict;
    const worst = worstOf(one);
    const size = worst === null ? '' : Number.isFinite(worst) ? worst.toPrecision(3) : '∞';
    return html`<tr data-verdict="${verdict}"><td class="verdict ${verdict}">${verdict}</td><td>${one.id}</td><td class="n">${size}</td><td class="n">${one.seconds.toFixed(2)}</td><td>${verdict === 'pass' ? '' : reason.slice(0, 300)}</td></tr>\n`;
  });
  const left = all.length - rows.length;
  const verdicts = [...new Set(report.cases.map(({ verdict }) => verdict.verdict))];
  return html`<section id="all"><h2>All cases</h2>
<form class="filters" hidden><label>contains <input id="filter-text" type="search"></label>
<label>verdict <select id="filter-verdict"><option value="">any</option>${verdicts.map(
    (one) => html`<option>${one}</option>`,
  )}</select></label><span class="dim" id="filter-shown" role="status"></span></form>
<div class="wide"><table id="list"><thead><tr><th>verdict</th><th>case</th><th class="n">of the bound</th><th class="n">seconds</th><th>reason</th></tr></thead><tbody>${rows}</tbody></table></div>
${left === 0 ? '' : html`<p>${left} more cases are not listed; they are in the JSON report.</p>`}</section>`;
}

/** Of all cases: their worst fraction, output by output. */
function overall({ cases }: Report): { name: string; fractions: Histogram }[] {
  const byOutput = new Map<string, number[]>();
  for (const { verdict } of cases) {
    for (const [name, { max_bound_fraction }] of Object.entries(verdict.outputs)) {
      const list = byOutput.get(name) ?? [];
      byOutput.set(name, list);
      list.push(max_bound_fraction);
    }
  }
  const drawn = histograms([...byOutput.values()], true);
  return [...byOutput.keys()].flatMap((name, n) => {
    const fractions = drawn[n];
    return fractions === undefined ? [] : [{ name, fractions }];
  });
}

/** What the script draws from; the texts are in the page already. */
const dataOf = (report: Report, charted: readonly Charted[]): Markup =>
  jsonMarkup({
    overall: overall(report),
    charts: charted.map(({ chart }) =>
      chart === null ? null : { outputs: chart.outputs.map(({ worst: _, ...one }) => one) },
    ),
  });

function timelineSection({ timeline }: Report): Markup {
  if (timeline === undefined) return html``;
  const source = `data:image/svg+xml;base64,${Buffer.from(timeline.svg).toString('base64')}`;
  return html`<section id="schedule"><h2>Schedule</h2><p>${timeline.caption}</p>
<div class="wide"><img class="timeline" src="${source}" alt="${timeline.caption}"></div></section>`;
}

/** The page; pictures of failing cases where `whole`, since they are evaluated again for them. */
export function htmlReport(report: Report, whole: boolean): string {
  const script = pageScript();
  const failing = report.cases.filter(isFailing);
  const charted = whole ? chartedCases(failing, report.profile, report.diagnosis?.smallest) : [];
  const title = `${report.candidate}: ${headline(report)}`;
  const parts = [
    ['summary', 'Summary', summarySection(report)],
    ['diagnosis', 'Diagnosis', diagnosisSection(report)],
    ['failing', 'Failing', failingSection(failing, charted)],
    ['distances', 'Distances', distancesSection(report)],
    ['schedule', 'Schedule', timelineSection(report)],
    ['skipped', 'Not judged', skippedSection(report)],
    ['all', 'All cases', listSection(report)],
  ] as const;
  const shown = parts.filter(([, , part]) => part.text !== '');
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(script)}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title><style>${new Markup(PAGE_STYLE)}</style></head><body>
<header><h1>${report.candidate}</h1></header>
<nav aria-label="Parts of the page">${shown.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}</nav>
<main>${shown.map(([, , part]) => part)}</main>
<footer class="dim"><p>Written by xattn of lv-xattn-oracle ${report.version}. Pictures: Observable Plot, whose licence and D3’s stand in the page’s script.</p></footer>
<script type="application/json" id="data">${dataOf(report, charted)}</script>
<script>${new Markup(script)}</script></body></html>
`;
  return page.text;
}
