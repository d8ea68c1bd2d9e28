/** The page of a report in headless Chromium: from a file, in the dark, on paper, by keyboard. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithTools } from '../spec/tools.ts';
import { htmlReport } from './report/html.ts';
import { type Browser, browser } from './testing/browser.ts';
import { failingReport, HOSTILE } from './testing/failing-report.ts';

describeWithTools('the page of a report in Chromium', ['chromium'], () => {
  const root = mkdtempSync(join(tmpdir(), 'xattn-page-'));
  const file = join(root, 'report.html');
  let chromium: Browser;
  beforeAll(() => {
    writeFileSync(file, htmlReport(failingReport(root, 70), true));
    chromium = browser();
  });
  afterAll(async () => {
    await chromium.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('has the right numbers, draws, copies, and complains of nothing', async () => {
    const page = await chromium.open(file, { scheme: 'dark' });
    expect(await page.evaluate('document.documentElement.dataset.ready')).toBe('true');
    const counts =
      "['pass','fail','broken','skip'].map((n) => +document.getElementById('count-' + n).textContent)";
    expect(await page.evaluate(counts)).toEqual([1, 71, 1, 1]);
    const title = await page.evaluate<string>('document.title');
    expect(title).toContain('<img src=x onerror="document.title=1">');
    expect(title).toContain('71 of 73 judged cases are wrong');
    const drawn = `[...document.querySelectorAll('[data-output=out] figcaption')].map((x) => x.textContent)`;
    expect(await page.evaluate(drawn)).toEqual([
      'out, worst channel of each query, all heads',
      'out, batch 0, head 1',
      'out, batch 0, head 0',
      'out: fractions of the bound',
      'out: distance in ULPs',
      'out: elements outside the bound by head',
      'out: elements outside the bound by rank',
    ]);
    const texts =
      "[...document.querySelectorAll('#failing details[open] p')].map((x) => x.textContent)";
    const said = await page.evaluate<string[]>(texts);
    expect(said).toContain('4 of 24 elements outside the bound.');
    expect(said).toContain('Outside by head: head 1 (4 of 12).');
    expect(said).toContain('Outside by rank: rank 1 (4 of 8).');
    // By keyboard: to the first button, and press it.
    await page.evaluate('navigator.clipboard.writeText = async (x) => { window.copied = x }');
    await page.evaluate("document.querySelector('details summary').focus()");
    await page.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Copy');
    await page.press('Enter');
    const copied = await page.evaluate<string>('window.copied');
    expect(copied).toBe(await page.evaluate("document.querySelector('.replay pre').textContent"));
    expect(copied).toContain(`--candidate 'python3 "my kernel".py; </script>`);
    await page.evaluate(
      "document.getElementById('filter-text').value = 'fine'; document.getElementById('filter-text').dispatchEvent(new Event('input'))",
    );
    expect(await page.evaluate("document.getElementById('filter-shown').textContent")).toBe(
      '1 of 74 shown',
    );
    const background = 'getComputedStyle(document.body).backgroundColor';
    expect(await page.evaluate(background)).toBe('rgb(15, 19, 24)');
    expect(page.complaints).toEqual([]);
    expect((await page.pdf()).length).toBeGreaterThan(20_000);
  });

  it('runs no script but its own, and fits a narrow screen and paper without any', async () => {
    const forged = join(root, 'forged.html');
    const whole = htmlReport(failingReport(root), false);
    const added = whole.replace(
      '</main>',
      '<script>window.forged = 1</script><img src="http://127.0.0.1:9/x"></main>',
    );
    expect(added).not.toBe(whole);
    writeFileSync(forged, added);
    const page = await chromium.open(forged);
    expect(await page.evaluate('window.forged ?? 0')).toBe(0);
    expect(page.complaints.join('\n')).toMatch(/Content Security Policy/);
    const narrow = await chromium.open(file, { width: 380, media: 'print', scripts: false });
    const fits = 'document.documentElement.scrollWidth <= 380';
    expect(await narrow.evaluate(fits)).toBe(true);
    const text = await narrow.evaluate<string>('document.body.innerText');
    expect(text).toContain('71 of 73 judged cases are wrong, 1 gave no usable answer; 1 pass.');
    expect(HOSTILE).toContain(']]>');
    expect(await narrow.evaluate("document.querySelector('nav').offsetHeight")).toBe(0);
    expect(narrow.complaints).toEqual([]);
  });
});
