import { lesionColor } from './overlay'

export const diagnosisStyle = `
.verdict { display: grid; grid-template-columns: minmax(0, 1.1fr) minmax(0, 1fr); gap: 24px; align-items: center; border-left-width: 8px; }
.verdict.is-positive { border-left-color: var(--positive); background: var(--positive-back); }
.verdict.is-negative { border-left-color: var(--negative); background: var(--negative-back); }
.verdict .tiles { grid-template-columns: 1fr 1fr; }
.verdict .tile { background: var(--card); }
.word { font-size: 2.1rem; font-weight: 750; line-height: 1.1; margin: 0; }
.is-positive .word { color: var(--positive); }
.is-negative .word { color: var(--negative); }
.reason { margin: 6px 0 14px; }
.gauge { position: relative; height: 12px; border-radius: 6px; background: var(--card); border: 1px solid var(--line); }
.gauge .fill { position: absolute; inset: 0 auto 0 0; border-radius: 6px; background: var(--negative); }
.is-positive .gauge .fill { background: var(--positive); }
.gauge .mark { position: absolute; top: -5px; bottom: -5px; width: 3px; margin-left: -1px; background: var(--ink); border-radius: 2px; }
@media (max-width: 760px) { .verdict { grid-template-columns: 1fr; } }
.bar-chart { width: 100%; height: auto; display: block; font-size: 12px; }
.bar-chart text { fill: var(--soft); font-variant-numeric: tabular-nums; }
.bar-chart .level { stroke: var(--line); }
.bar .reach { fill: transparent; }
.bar:hover .reach, .bar.current .reach { fill: var(--ink); opacity: 0.08; }
.bar.positive .value, .bar.positive circle { fill: var(--positive); }
.bar.negative .value { fill: var(--negative); }
.key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; vertical-align: -1px; margin: 0 4px 0 12px; }
.key:first-child { margin-left: 0; }
.key.positive { background: var(--positive); }
.key.negative { background: var(--negative); }
.key.lesion { background: rgb(${lesionColor.join(' ')} / 0.35); border: 2px solid rgb(${lesionColor.join(' ')}); margin-left: 0; }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; margin-bottom: 14px; }
.controls input[type=range] { flex: 1 1 200px; accent-color: var(--accent); }
.controls output { min-width: 15ch; font-variant-numeric: tabular-nums; font-weight: 600; }
button { font: inherit; font-size: 1.2rem; line-height: 1; width: 36px; height: 36px; border-radius: 8px; border: 1px solid var(--line); background: var(--page); color: var(--ink); cursor: pointer; }
.stage { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 18px; }
.stage figure { margin: 0; }
.stage figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 6px; }
.stack { position: relative; display: block; background: #000; border-radius: 8px; overflow: hidden; }
.stack img { display: block; width: 100%; height: 100%; }
.stack img + img { position: absolute; inset: 0; }
.stage .stack { min-height: 40px; }
.ramp { display: inline-block; width: 90px; height: 10px; border-radius: 3px; }
.strip { list-style: none; display: grid; grid-template-columns: repeat(auto-fill, minmax(86px, 1fr)); gap: 8px; padding: 0; margin: 18px 0 0; max-height: 430px; overflow-y: auto; }
.thumb { display: block; border-radius: 8px; padding: 3px; color: inherit; text-decoration: none; border: 2px solid transparent; }
.thumb.current { border-color: var(--accent); }
.thumb .stack img.activation { display: none; }
.lungs { display: grid; grid-template-columns: minmax(0, 1.3fr) minmax(0, 1fr); gap: 24px; align-items: start; }
@media (max-width: 760px) { .lungs { grid-template-columns: 1fr; } }
.coronal { margin: 0; }
.coronal img { display: block; width: 100%; height: auto; max-height: 340px; object-fit: contain; }
.coronal figcaption { color: var(--soft); font-size: 0.9rem; margin-top: 6px; }
.side { position: absolute; top: 6px; left: 10px; color: #cfd6dc; font-weight: 650; }
.side.end { left: auto; right: 10px; }
.filters { position: absolute; }
.hash { font-size: 0.8rem; color: var(--soft); overflow-wrap: anywhere; }
h3 { font-size: 0.95rem; margin: 18px 0 6px; }
select { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--line); border-radius: 6px; padding: 4px; }
.label { display: flex; justify-content: space-between; font-size: 0.78rem; padding: 2px 3px 0; font-variant-numeric: tabular-nums; }
.thumb.positive .label span { color: var(--positive); font-weight: 700; }
.thumb.negative .label span { color: var(--negative); }
.no-lesions .lesions { display: none !important; }
.lesion-list { max-height: 420px; overflow: auto; }
.lesion-list thead th { position: sticky; top: 0; background: var(--card); }
tr.total th, tr.total td { font-weight: 650; }
tbody th { text-align: left; font-weight: 400; }
.number { text-align: right; padding-right: 24px; }
a { color: var(--accent); }
.stage .stack { touch-action: pan-x; }
@media print {
  html { font-size: 11px; }
  .card, .notes { padding: 10px 12px; border-radius: 6px; }
  main { gap: 8px; padding-top: 8px; }
  header.top { padding-top: 0; }
  footer { padding: 8px 20px 0; }
  th, td { padding: 2px 8px 2px 0; }
  .controls, #lesions, #time, .strip li:not(.key-slice), #stage-activation, .hint { display: none; }
  .strip { grid-template-columns: repeat(6, 1fr); max-height: none; margin: 8px 0 0; }
  .stage { max-width: 300px; }
  .bar-chart { max-height: 130px; }
  .coronal img { max-height: 200px; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
`

/** Without it the page still shows everything but the large view. */
export const diagnosisScript = `
const viewer = document.getElementById('viewer')
const thumbs = [...document.querySelectorAll('.thumb')]
const position = document.getElementById('position')
let current = 0

function copy(target, thumb, layers) {
  const stage = document.getElementById(target)
  if (!stage) return
  stage.replaceChildren(...layers.flatMap((layer) => {
    const picture = thumb.querySelector('img.' + layer)
    return picture ? [picture.cloneNode()] : []
  }))
}

function show(index) {
  current = Math.min(thumbs.length - 1, Math.max(0, index))
  const thumb = thumbs[current]
  copy('stage-lesions', thumb, ['base', 'lesions'])
  copy('stage-activation', thumb, ['base', 'activation'])
  position.value = current + 1
  document.getElementById('caption').textContent = thumb.dataset.caption
  for (const link of document.querySelectorAll('[data-slice]')) {
    link.classList.toggle('current', Number(link.dataset.slice) === current)
  }
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-slice]')
  if (!link) return
  event.preventDefault()
  show(Number(link.dataset.slice))
  if (link.closest('.lesion-list')) viewer.scrollIntoView({ behavior: 'smooth' })
})
position.addEventListener('input', () => show(Number(position.value) - 1))
document.getElementById('previous').addEventListener('click', () => show(current - 1))
document.getElementById('next').addEventListener('click', () => show(current + 1))
document.addEventListener('keydown', (event) => {
  if (event.target === position || event.altKey || event.ctrlKey || event.metaKey) return
  if (event.target.tagName === 'SELECT') return
  if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') show(current - 1)
  else if (event.key === 'ArrowRight' || event.key === 'ArrowDown') show(current + 1)
  else if (event.key === 'Home') show(0)
  else if (event.key === 'End') show(thumbs.length - 1)
  else return
  event.preventDefault()
})
const stage = document.querySelector('.stage')
// A wheel's turn is many small steps.
let turned = 0
stage.addEventListener('wheel', (event) => {
  if (event.ctrlKey) return
  event.preventDefault()
  turned += event.deltaY
  if (Math.abs(turned) < 30) return
  show(current + Math.sign(turned))
  turned = 0
}, { passive: false })
let touchedAt
stage.addEventListener('touchstart', (event) => { touchedAt = event.touches[0].clientY }, { passive: true })
stage.addEventListener('touchmove', (event) => {
  const moved = event.touches[0].clientY - touchedAt
  if (Math.abs(moved) < 14) return
  show(current - Math.sign(moved))
  touchedAt = event.touches[0].clientY
}, { passive: true })
document.getElementById('window')?.addEventListener('change', (event) => {
  for (const { value } of event.target.options) viewer.classList.toggle('window-' + value, value === event.target.value)
})
document.getElementById('show-lesions')?.addEventListener('change', (event) => {
  document.body.classList.toggle('no-lesions', !event.target.checked)
})
show(Number(viewer.dataset.start))
`
