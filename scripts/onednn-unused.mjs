// node scripts/onednn-unused.mjs: which objects of oneDNN's archive leave nothing in libjcs_cpu.so, by the linker's map
// of it. Their sources belong into cmake/onednn/left-out.txt. The build folder has to be built.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { buildFolder } from './target.mjs'

const mapFile = path.join(buildFolder, 'libjcs_cpu.map')
const library = path.join('Release', 'libjcs_cpu.so')

const commands = execFileSync('ninja', ['-C', buildFolder, '-t', 'commands', library], { encoding: 'utf8' })
const link = commands.trim().split('\n').at(-1).replace(library, `${library}.unused -Wl,-Map=${mapFile}`)
execFileSync('bash', ['-c', `${link}; rm -f ${library}.unused`], { cwd: buildFolder })

const map = readFileSync(mapFile, 'utf8')
const members = new Set(map.match(/libdnnl\.a\([^)]+\)/g))
// Behind the memory map stands what is kept, each section with its address, its size and the object that it is of.
const kept = new Set(
  [
    ...map
      .slice(map.indexOf('Linker script and memory map'))
      .matchAll(
        /^ \.(?:text|rodata|data|bss)\S*\s+0x[0-9a-f]+\s+0x(?!0\s)[0-9a-f]+\s+\S*(libdnnl\.a\([^)]+\))/gm,
      ),
  ].map(([, member]) => member),
)
for (const member of [...members].filter((one) => !kept.has(one)).sort())
  console.log(member.replace(/^libdnnl\.a\((.+)\.o\)$/, '$1'))
