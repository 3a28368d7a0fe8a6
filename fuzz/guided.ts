// guided.ts READER RUNS SEED CORPUS CURRENT: a child of run.ts. Changes files, keeps those that run what has not run
// before in the folder CORPUS, and writes each to the file CURRENT before it is read. Prints how far it is.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Coverage } from './coverage'
import { mutate, randomOf } from './mutate'
import { readers } from './readers'

/** Coverage takes longer to ask for than most files to read. */
const perLook = 20

async function main(): Promise<void> {
  const [name, runsText, seed, corpus, current] = process.argv.slice(2) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const reader = readers.find((one) => one.name === name)
  if (!reader) throw new Error(`there is no reader '${name}'`)
  const runs = Number(runsText)
  const random = randomOf(Number(seed))
  const coverage = new Coverage()
  mkdirSync(corpus, { recursive: true })
  const kept: Uint8Array[] = []
  const keep = (bytes: Uint8Array) => {
    kept.push(bytes)
    writeFileSync(join(corpus, createHash('sha256').update(bytes).digest('hex').slice(0, 16)), bytes)
  }
  const read = async (bytes: Uint8Array) => {
    writeFileSync(current, bytes)
    await reader.read(new Uint8Array(bytes))
  }

  const seen = new Set<string>()
  const before = readdirSync(corpus).map((file) => readFileSync(join(corpus, file)))
  for (const bytes of [...reader.seeds(), ...before]) {
    await read(bytes)
    const pieces = coverage.take().filter((piece) => !seen.has(piece))
    for (const piece of pieces) seen.add(piece)
    if (pieces.length > 0) keep(bytes)
  }
  for (let done = 0; done < runs; ) {
    const tried: Uint8Array[] = []
    for (; tried.length < perLook && done < runs; done++) {
      const [bytes, other] = [kept[random(kept.length)]!, kept[random(kept.length)]!]
      const changed = mutate(bytes, other, { longest: reader.longest, random })
      tried.push(changed)
      await read(changed)
    }
    const wanted = new Set(coverage.take().filter((piece) => !seen.has(piece)))
    for (const piece of wanted) seen.add(piece)
    // Which of them it was.
    for (const bytes of tried) {
      if (wanted.size === 0) break
      await read(bytes)
      const pieces = coverage.take().filter((piece) => wanted.delete(piece))
      if (pieces.length > 0) keep(bytes)
    }
    console.log(JSON.stringify({ done, pieces: seen.size, files: kept.length }))
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
