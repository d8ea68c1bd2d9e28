/**
 * The diagnosis on the page of a report: what the failing cases have in common.
 * @module
 */
import type { Behaviour, MemoryPattern, Share, TraitPattern } from '../diagnosis/diagnosis.ts';
import type { Report } from '../report.ts';
import { html, type Markup } from './markup.ts';

const shareText = ({ cases, of }: Share): string => `${cases} of ${of}`;

function behaviourPart(behaviour: Behaviour | null): Markup {
  if (behaviour === null) return html``;
  const rows = behaviour.fits.map(
    ({ faults, wrong, failing, passing }) =>
      html`<tr><td>${faults.join(' and ')}</td><td>${wrong.join(' ')}</td><td class="n">${shareText(failing)}</td><td class="n">${shareText(passing)}</td></tr>`,
  );
  const table = html`<div class="wide"><table><thead><tr><th>known fault</th><th>what goes wrong</th><th class="n">failing cases alike</th><th class="n">passing cases alike</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  return html`<h4>By behaviour</h4><p>${behaviour.sentence}</p>${rows.length === 0 ? '' : table}`;
}

function memoryPart(memory: MemoryPattern | null): Markup {
  if (memory === null) return html``;
  const rows = memory.after.map(
    ({ id, before }) => html`<tr><td>${id}</td><td>${before.join(', ')}</td></tr>`,
  );
  const table = html`<div class="wide"><table><thead><tr><th>case</th><th>fails after</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  return html`<h4>By the order of questions</h4><p>${memory.sentence}</p>${rows.length === 0 ? '' : table}`;
}

function traitsPart(head: string, pattern: TraitPattern | null): Markup {
  if (pattern === null) return html``;
  return html`<h4>${head}</h4><p>${pattern.sentence}</p>`;
}

/** Empty where no diagnosis was made. */
export function diagnosisSection({ diagnosis }: Report): Markup {
  if (diagnosis === undefined) return html``;
  const { headline, memory, behaviour, traits, broken_traits, outputs, smallest } = diagnosis;
  const rows = outputs.map(({ output, wrong, findings }) => {
    const found = findings.map(({ sentence, holds }) => `${sentence} (${shareText(holds)})`);
    return html`<tr><td>${output}</td><td class="n">${shareText(wrong)}</td><td>${found.join('; ')}</td></tr>`;
  });
  const table = html`<h4>Output by output</h4><div class="wide"><table><thead><tr><th>output</th><th class="n">wrong in</th><th>how</th></tr></thead><tbody>${rows}</tbody></table></div>`;
  const links = smallest.map(
    (id, n) => html`${n === 0 ? '' : ', '}<a href="#case-${id}">${id}</a>`,
  );
  return html`<section id="diagnosis"><h2>Diagnosis</h2>
<p><strong id="diagnosis-headline">${headline}</strong></p>${memoryPart(memory)}${behaviourPart(behaviour)}
${traitsPart('By the cases that fail', traits)}${traitsPart('By the cases without a usable answer', broken_traits)}
${rows.length === 0 ? '' : table}
${links.length === 0 ? '' : html`<p>Look first at ${links}.</p>`}</section>`;
}
