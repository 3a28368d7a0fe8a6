// Builds what `npm run fuzz` runs: the engine as Clang compiles it, with libFuzzer and the sanitizers.
import { buildPreset } from './preset.mjs'
import { exitWith } from './process.mjs'

await buildPreset('fuzz').catch(exitWith)
