import { disclaimer } from '../base/disclaimer'
import { Html, html } from './html'

export interface PageOptions {
  title: string
  subtitle?: string
  /** Shown in the footer; the default is now. */
  createdAt?: Date | undefined
  /** Said in the footer, full sentences. */
  notices?: readonly string[]
}

/**
 * A page in one file that asks the network for nothing; its content policy forbids it to. `script` and `style` are ours,
 * never data.
 */
export function page(options: PageOptions, content: Html, style: string, script = ''): string {
  const { title, subtitle, createdAt = new Date(), notices = [] } = options
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(baseStyle + style)}</style>
</head>
<body>
<header class="top">
  <div><h1>${title}</h1>${subtitle && html`<p class="subtitle">${subtitle}</p>`}</div>
  <p class="brand">jcs-ct</p>
</header>
<main>
${content}
</main>
<footer>
  <p class="disclaimer"><strong>${disclaimer}.</strong></p>
  ${notices.map((notice) => html`<p>${notice}</p>`)}
  <p>Made by jcs-ct on <time datetime="${createdAt.toISOString()}">${createdAt.toISOString().slice(0, 16).replace('T', ' ')} UTC</time>.</p>
</footer>
${script && html`<script>${new Html(script)}</script>`}
</body>
</html>
`.text
}

/** Rows of a name and a value. */
export function factTable(facts: readonly (readonly [string, string | Html])[]): Html {
  return html`<table class="facts"><tbody>${facts.map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  )}</tbody></table>`
}

export function notes(sentences: readonly string[]): Html | undefined {
  if (sentences.length === 0) return undefined
  return html`<aside class="notes"><h2>Please note</h2><ul>${sentences.map((text) => html`<li>${text}</li>`)}</ul></aside>`
}

// Colours: the Okabe-Ito palette, shifted a little for contrast on each background.
const baseStyle = `
:root {
  --page: #f4f6f8; --card: #ffffff; --ink: #17202a; --soft: #5b6875; --line: #dde3e9; --accent: #00659f;
  --positive: #c04f00; --negative: #00659f; --positive-back: #fdeee3; --negative-back: #e5f1f8;
  --s0: #00659f; --s1: #c04f00; --s2: #007a57; --s3: #a8538a; --s4: #8a6d00; --s5: #3b8fc4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1418; --card: #182027; --ink: #e8edf2; --soft: #9aa8b5; --line: #2b3640; --accent: #6bbcec;
    --positive: #ff9b4a; --negative: #6bbcec; --positive-back: #3a2414; --negative-back: #12303f;
    --s0: #6bbcec; --s1: #ff9b4a; --s2: #3fc79a; --s3: #e29bc6; --s4: #e3c54a; --s5: #a7d5f2;
  }
}
* { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
body { margin: 0; background: var(--page); color: var(--ink); }
header.top, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header.top { display: flex; justify-content: space-between; align-items: baseline; gap: 20px; padding-top: 28px; }
h1 { font-size: 1.65rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 12px; }
.subtitle { margin: 4px 0 0; color: var(--soft); overflow-wrap: anywhere; }
.brand { margin: 0; white-space: nowrap; color: var(--soft); font-weight: 600; letter-spacing: 0.06em; }
main { padding-top: 20px; display: grid; gap: 18px; }
.card, .notes { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px; min-width: 0; }
.notes { border-left: 4px solid var(--s4); }
.notes ul { margin: 0; padding-left: 20px; }
.hint { color: var(--soft); font-size: 0.9rem; margin: 8px 0 0; }
footer { color: var(--soft); font-size: 0.9rem; padding: 22px 20px 40px; }
.disclaimer { color: var(--ink); border-top: 1px solid var(--line); padding-top: 18px; margin: 0 0 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child > * { border-bottom: 0; }
th { color: var(--soft); font-weight: 500; }
.facts td { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; }
.tile { background: var(--page); border-radius: 10px; padding: 12px 14px; }
.tile dt { color: var(--soft); font-size: 0.85rem; }
.tile dd { margin: 2px 0 0; font-size: 1.35rem; font-weight: 650; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
dl { margin: 0; }
@media print { body { background: #fff; } .card { break-inside: avoid; } }
`
