import { disclaimer } from '../base/disclaimer'
import { escapeHtml } from '../report/html'

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); --accent: #0072b2 }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1.5rem }
h1 { font-size: 1.4rem; margin: 0 0 1rem }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center }
label.drop { flex: 1 1 100%; border: 2px dashed var(--line); border-radius: .75rem; padding: 2rem; text-align: center; cursor: pointer }
label.drop:focus-within, label.drop.over { border-color: var(--accent) }
label.drop input { position: absolute; opacity: 0; pointer-events: none }
button, input { font: inherit; padding: .45rem 1rem; border-radius: .5rem; border: 1px solid var(--line) }
button.primary { background: var(--accent); color: #fff; border-color: transparent }
button:disabled { opacity: .5 }
progress { width: 100%; height: .6rem; accent-color: var(--accent) }
#phases div { margin: .75rem 0 }
#error { color: #b3261e }
iframe { width: 100%; height: 80vh; border: 1px solid var(--line); border-radius: .75rem; margin-top: 1rem; background: Canvas }
footer { margin-top: 2rem; font-size: .85rem; opacity: .8 }
`

/** Runs in the browser. Text that comes from files or the server is only ever set as text. */
const script = `
const form = document.querySelector('form'), input = document.querySelector('#files'), drop = document.querySelector('.drop')
const chosen = document.querySelector('#chosen'), start = document.querySelector('#start'), stop = document.querySelector('#stop')
const phases = document.querySelector('#phases'), verdict = document.querySelector('#verdict'), error = document.querySelector('#error')
const frame = document.querySelector('iframe'), token = document.querySelector('#token')
const names = { decode: 'Decoding', classify: 'Classifying', segment: 'Segmenting', lungs: 'Finding the lungs' }
let files = [], controller
const choose = (list) => {
  files = [...list]
  chosen.textContent = files.length === 0 ? 'Drop the files of a scan here, or choose them' : files.length + (files.length === 1 ? ' file' : ' files')
  start.disabled = files.length === 0
}
input.addEventListener('change', () => choose(input.files))
for (const name of ['dragover', 'dragleave', 'drop']) drop.addEventListener(name, (event) => {
  event.preventDefault()
  drop.classList.toggle('over', name === 'dragover')
  if (name === 'drop') choose(event.dataTransfer.files)
})
const show = ({ phase, done, total }) => {
  if (!names[phase]) return
  let row = document.getElementById('phase-' + phase)
  if (!row) {
    row = document.createElement('div')
    row.id = 'phase-' + phase
    row.append(document.createElement('span'), document.createElement('progress'))
    phases.append(row)
  }
  row.firstChild.textContent = names[phase] + ': ' + done + (total ? ' of ' + total : '')
  row.lastChild.max = total || 1
  if (total) row.lastChild.value = done
}
const finish = ({ positive, positiveSlices, totalSlices, involvement, report }) => {
  verdict.textContent = (positive ? 'Positive' : 'Negative') + ': ' + positiveSlices + ' of ' + totalSlices + ' slices'
    + (involvement ? ', ' + involvement.percent.toFixed(1) + ' % of the lungs' : '')
  frame.srcdoc = report
  frame.hidden = false
}
const events = async (response, on) => {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    text += value
    for (let end; (end = text.indexOf('\\n\\n')) >= 0; text = text.slice(end + 2)) {
      const [, name, data] = /^event: (.*)\\ndata: (.*)$/.exec(text.slice(0, end)) || []
      if (name) on(name, JSON.parse(data))
    }
  }
}
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  phases.replaceChildren(); verdict.textContent = error.textContent = ''; frame.hidden = true
  controller = new AbortController()
  start.disabled = true; stop.disabled = false
  const body = new FormData()
  body.append('options', JSON.stringify({ report: true }))
  for (const file of files) body.append('images', file, file.name)
  try {
    const headers = { accept: 'text/event-stream' }
    if (token.value) headers.authorization = 'Bearer ' + token.value
    const response = await fetch(location.pathname.replace(/\\/$/, '') + '/v1/diagnose', { method: 'POST', body, headers, signal: controller.signal })
    if (!response.ok) throw new Error((await response.json()).error.message)
    await events(response, (name, data) => {
      if (name === 'progress') show(data)
      else if (name === 'result') finish(data)
      else throw new Error(data.message)
    })
  } catch (failure) {
    error.textContent = controller.signal.aborted ? 'Stopped.' : failure.message
  }
  start.disabled = false; stop.disabled = true
})
stop.addEventListener('click', () => controller.abort())
choose([])
`

/** A page on which a case is sent, watched and read. */
export const page = {
  headers: {
    // The report in its frame lives under the same policy: pictures in it, scripts of its own, no network.
    'content-security-policy':
      "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  },
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Diagnosis of a case</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Diagnosis of a case</h1>
<form>
<label class="drop"><input type="file" id="files" multiple><span id="chosen"></span></label>
<input type="password" id="token" placeholder="Key or token, if one is asked for" autocomplete="off" aria-label="Key or token">
<button class="primary" id="start">Diagnose</button>
<button type="button" id="stop" disabled>Stop</button>
</form>
<div id="phases" role="status"></div>
<p id="verdict" role="status"></p>
<p id="error" role="alert"></p>
<iframe hidden title="Report" sandbox="allow-scripts"></iframe>
</main>
<footer>${escapeHtml(disclaimer)}.</footer>
<script>${script}</script>
</body>
</html>
`,
} as const
