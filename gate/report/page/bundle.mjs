/**
 * Bundles the script of a report's page, Observable Plot and D3 included, into one file without
 * imports, which every report carries: dist/gate/report/page.js. The licences of what is in it stand
 * at its head, once for each text.
 *
 *   node gate/report/page/bundle.mjs
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = fileURLToPath(new URL('./', import.meta.url));
const target = path.join(here, '../../../dist/gate/report/page.js');

/** The package of a module, and its folder. */
function packageOf(id) {
  const [, folder] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id) ?? [];
  return folder;
}

function licence(folder) {
  const { name, version, license } = JSON.parse(
    readFileSync(path.join(folder, 'package.json'), 'utf8'),
  );
  const file = readdirSync(folder).find((one) => /^licen[sc]e/i.test(one));
  const text = file === undefined ? license : readFileSync(path.join(folder, file), 'utf8').trim();
  return { name: `${name} ${version}`, text: text.replaceAll('*/', '* /') };
}

function notices(modules) {
  const folders = new Set(modules.flatMap((id) => packageOf(id) ?? []));
  const byText = new Map();
  for (const folder of [...folders].sort()) {
    if (!existsSync(path.join(folder, 'package.json'))) continue;
    const { name, text } = licence(folder);
    byText.set(text, [...(byText.get(text) ?? []), name]);
  }
  return [...byText].map(([text, names]) => `${names.join(', ')}\n\n${text}`).join('\n\n---\n\n');
}

const build = await rolldown({ input: path.join(here, 'main.ts'), platform: 'browser' });
const { output } = await build.generate({ format: 'iife', minify: true });
await build.close();
const [chunk] = output;
if (output.length !== 1 || chunk === undefined) throw new Error('expected one file');
// Nothing in it may end the script element that it is put into.
const code = chunk.code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
mkdirSync(path.dirname(target), { recursive: true });
writeFileSync(target, `/*! ${notices(Object.keys(chunk.modules))} */\n${code.trim()}\n`);
