// node examples/embedding/commonjs.cjs: as CommonJS. What ES modules of the process import is the same instance.
const { JcsError } = require('jcs-ct')

async function main() {
  await import('./esm.mjs')
  const imported = await import('jcs-ct')
  console.log(imported.JcsError === JcsError ? 'one instance' : 'two instances')
}

main()
