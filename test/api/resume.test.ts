import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

/** A run in a process of its own, which may be killed. */
function trainInChild(directory: string, iterations: number, resume = '-', killAfter = 0) {
  const script = join(__dirname, 'resume-run.ts')
  const loader = pathToFileURL(require.resolve('tsx')).href
  const args = ['--import', loader, script, directory, String(iterations), resume, String(killAfter)]
  // Without the hooks that tap puts into its own processes' NODE_OPTIONS.
  const env = { ...process.env, NODE_OPTIONS: '' }
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: join(__dirname, '../..'), env })
}

/** Hash of every tensor of a checkpoint: weights, statistics, moments; and the position that seeds what is random. */
function fingerprint(directory: string) {
  const bytes = readFileSync(join(directory, 'checkpoint.safetensors'))
  const headerBytes = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes))
  const names = Object.keys(header).filter((name) => name !== '__metadata__')
  const data = createHash('sha256')
    .update(bytes.subarray(8 + headerBytes))
    .digest('hex')
  return { names, data, iteration: JSON.parse(header.__metadata__['jcs.checkpoint']).iteration }
}

t.test('a killed run resumes bit for bit', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'jcs-resume-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const [whole, parts] = [join(folder, 'whole'), join(folder, 'parts')]

  const uninterrupted = trainInChild(whole, 20)
  t.equal(uninterrupted.status, 0, uninterrupted.stderr)
  const killed = trainInChild(parts, 20, '-', 10)
  t.equal(killed.signal, 'SIGKILL', killed.stderr)
  const half = fingerprint(parts)
  t.equal(half.iteration, 10)
  const resumed = trainInChild(parts, 20, join(parts, 'checkpoint.safetensors'))
  t.equal(resumed.status, 0, resumed.stderr)

  const expected = fingerprint(whole)
  for (const kind of ['optimizer/', 'raw/', 'best/'])
    t.ok(
      expected.names.some((name) => name.startsWith(kind)),
      `${kind} is compared, too`,
    )
  t.not(half.data, expected.data, 'the second half changed something')
  t.same(fingerprint(parts), expected)
})
