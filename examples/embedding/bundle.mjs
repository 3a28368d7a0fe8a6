// node examples/embedding/bundle.mjs: bundles esm.mjs with esbuild into application.mjs, which runs wherever jcs-ct is
// installed.
import { build } from 'esbuild'

await build({
  entryPoints: [new URL('esm.mjs', import.meta.url).pathname],
  outfile: process.argv[2] ?? 'application.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  // Addon, threads and sharp's libraries are files of their own, which no bundle can hold.
  external: ['jcs-ct'],
})
