import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job, Settings } from './job'
import { type Measurement, readResults } from './results'

/** What oneDNN calls instruction sets that many machines end with. */
const isas = ['AVX2', 'AVX512_CORE']
const inferences = ['res2net50-v1b/1x224', 'jcs-segmentation/1x512']

export const isaJobs = (settings: Settings): Job[] =>
  isas.flatMap((isa) =>
    inferences.map((inference) => {
      const name = `isa/${isa.toLowerCase()}/${inference}`
      return { name, quick: false, measure: () => measureWith(isa, name, inference, settings) }
    }),
  )

/** This benchmark's own inference in a process whose oneDNN is held to an instruction set. */
async function measureWith(
  isa: string,
  name: string,
  inference: string,
  { threads, repetitions }: Settings,
): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'jcs-bench-'))
  try {
    const out = join(directory, 'results.json')
    const numbers = ['--threads', String(threads), '--repetitions', String(repetitions)]
    const child = fork(
      join(__dirname, 'run.ts'),
      ['--only', `inference/${inference}`, '--out', out, ...numbers],
      {
        env: { ...process.env, ONEDNN_MAX_CPU_ISA: isa },
        silent: true,
      },
    )
    let errors = ''
    child.stderr?.on('data', (text) => {
      errors += text
    })
    child.stdout?.resume()
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`with oneDNN held to ${isa}: ${errors.trim() || `ended with ${code}`}`)
    const measurement = readResults(out).measurements[0]!
    return {
      ...measurement,
      name,
      kind: 'isa',
      note: 'Emulated by ONEDNN_MAX_CPU_ISA: oneDNN generates code of the older set only, and with it our matrix products and our loops over blocks of numbers; other loops of ours and ONNX Runtime still take what the processor has.',
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
