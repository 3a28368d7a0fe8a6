import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

/** scripts/gpu-check with programs that end in all the ways in which programs of a GPU end. */

const script = join(__dirname, '..', '..', 'scripts', 'gpu-check')
const timing = (seconds: number): string =>
  `echo '{"job":"x","engine":"jcs-ct","precision":"bf16","device":"a GPU","library":"cuDNN","firstRunSeconds":1,"seconds":{"median":${seconds}}}'`

/** Shell scripts in the place of the native programs, by name; runs the parts and gives what was printed. */
function check(folder: string, programs: Record<string, string>, ...parts: string[]) {
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  const args = [script, '--bin', folder, '--out', join(folder, 'out'), ...parts]
  const { status, stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' })
  return { status, stdout, stderr, last: stdout.trim().split('\n').at(-1) }
}

t.test('counts what programs say, and how they end', async (t) => {
  const folder = t.testdir()
  const all = check(folder, { jcs_native_tests: 'echo "3 passed, 0 failed, 1 skipped"' }, 'tests')
  t.match(all, { status: 0, last: '3 passed, 0 failed, 1 skipped' }, all.stderr)

  const failing = check(
    folder,
    { jcs_native_tests: 'echo "FAIL of this name"; echo "2 passed, 1 failed, 0 skipped"; exit 1' },
    'tests',
  )
  t.match(failing, { status: 1, last: '2 passed, 1 failed, 0 skipped' })
  t.match(failing.stdout, 'FAIL of this name')

  const crashed = check(folder, { jcs_native_tests: 'echo "so far"; kill -8 $$' }, 'tests')
  t.match(crashed, { status: 1, last: '0 passed, 1 failed, 0 skipped' })
  t.match(crashed.stdout, /ended with -8/)

  const hanging = check(folder, { jcs_native_tests: 'exec sleep 60' }, '--seconds', '3', 'tests')
  t.match(hanging, { status: 1, last: '0 passed, 1 failed, 0 skipped' })
  t.match(hanging.stdout, /did not end in time/)
})

t.test('a device that cannot be used ends the check, and says why', async (t) => {
  const unusable = `echo '{"job":"x","error":"there is no NVIDIA driver"}'; exit 1`
  const result = check(t.testdir(), { jcs_device_bench: unusable }, 'device', 'tests')
  t.match(result, { status: 1, last: '0 passed, 1 failed, 0 skipped' })
  t.match(result.stdout, 'there is no NVIDIA driver')
})

t.test('timings are lines of JSON, whatever else is printed, and only of this run', async (t) => {
  const folder = t.testdir()
  for (const seconds of [0.5, 0.25]) {
    const body = `echo '{"num_choices": 10}'; ${timing(seconds)}; printf '{"job": "cut o'`
    const { status, stdout, stderr } = check(folder, { jcs_device_bench: body }, 'bench')
    t.equal(status, 0, stderr)
    t.match(stdout, `${(1000 * seconds).toFixed(3)} ms`)
    const lines = readFileSync(join(folder, 'out', 'bench.jsonl'), 'utf8')
      .trim()
      .split('\n')
    t.ok(lines.length > 5)
    for (const line of lines)
      t.equal((JSON.parse(line) as { seconds: { median: number } }).seconds.median, seconds)
  }
})
