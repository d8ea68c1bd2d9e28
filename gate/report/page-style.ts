/**
 * How the page of a report looks: light, dark, narrow, wide and on paper.
 * @module
 */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d1d9e0;--soft:#f6f8fa;
--pass:#1a7f37;--fail:#b3261e;--broken:#8250df;--skip:#7d6608;--link:#0a5cc2;--plot-background:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e6eaee;--dim:#9aa6b2;--line:#36404a;
--soft:#181e25;--pass:#4ac26b;--fail:#ff7b72;--broken:#c297ff;--skip:#d9b949;--link:#6cb0ff;
--plot-background:#181e25}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
a{color:var(--link)}
main,header,footer,nav{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.25rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}
h3{font-size:1rem;margin:0;display:inline;overflow-wrap:anywhere}
h4{font-size:.95rem;margin:1rem 0 .35rem}
p{margin:.4rem 0;overflow-wrap:anywhere}
.dim{color:var(--dim)}
nav{position:sticky;top:0;background:var(--bg);padding:.5rem 1.25rem;z-index:2;border-bottom:1px solid var(--line)}
nav a{margin-right:1rem;white-space:nowrap}
.tiles{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0;padding:0;list-style:none}
.tiles li{border:1px solid var(--line);border-radius:.5rem;background:var(--soft);padding:.4rem .9rem;min-width:6rem}
.tiles b{display:block;font-size:1.5rem;line-height:1.2;font-variant-numeric:tabular-nums}
.pass{color:var(--pass)}.impossible,.improbable,.fail{color:var(--fail)}.broken{color:var(--broken)}.skip{color:var(--skip)}
.verdict{font-weight:600}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.2rem .7rem .2rem 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right}
td.n{white-space:nowrap}
.wide{overflow-x:auto}
details.case{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.5rem .9rem}
details.case>summary{cursor:pointer}
pre{background:var(--soft);border:1px solid var(--line);border-radius:.4rem;padding:.5rem .7rem;margin:.4rem 0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}
.replay{display:flex;gap:.5rem;align-items:flex-start}
.replay pre{flex:1;min-width:0}
button,input,select{font:inherit;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:.4rem;padding:.25rem .7rem}
button{cursor:pointer;margin-top:.4rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.figures{display:flex;flex-wrap:wrap;gap:1rem 1.5rem;align-items:flex-start}
figure{margin:.4rem 0;max-width:100%;overflow-x:auto}
figcaption{font-size:.85rem;color:var(--dim);max-width:30rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem .9rem;font-size:.85rem;list-style:none;margin:.4rem 0;padding:0}
.legend i{display:inline-block;width:.9rem;height:.9rem;border:1px solid var(--line);margin-right:.35rem;vertical-align:-.1rem}
.timeline{max-width:100%;height:auto;border:1px solid var(--line);border-radius:.4rem;background:#fff}
.filters{display:flex;flex-wrap:wrap;gap:.75rem;margin:.5rem 0}
.filters label{display:flex;gap:.4rem;align-items:center}
[hidden]{display:none}
footer{margin-top:2.5rem;padding-bottom:2.5rem;font-size:.9rem}
@media (max-width:40rem){.replay{flex-direction:column}nav a{margin-right:.7rem}}
@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#fff;--pass:#1a7f37;--fail:#b3261e;--broken:#8250df;--skip:#7d6608;--plot-background:#fff}
body{font-size:10.5pt}nav,.filters,button{display:none}
figure,tr,.tiles{break-inside:avoid}h2,h3,h4,summary{break-after:avoid}main,header,footer{max-width:none;padding:0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
