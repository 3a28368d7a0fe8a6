import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createModel, loadModel } from '../../ts/index'
import { classifierSpec, repositoryRoot, segmenterSpec } from './small'

const execute = promisify(execFile)

function withHeader(header: string, data = Buffer.alloc(0), length = Buffer.byteLength(header)): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(length))
  return Buffer.concat([prefix, Buffer.from(header), data])
}

t.test('hostile model files', async (t) => {
  const entry = (dtype: string, shape: number[], offsets: number[]) => ({
    dtype,
    shape,
    data_offsets: offsets,
  })
  const files: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    'a header longer than the file': withHeader('{}', undefined, 1000),
    'a header of 2^63': Buffer.concat([Buffer.from('ffffffffffffff7f', 'hex'), Buffer.from('{}')]),
    'a header that is no JSON': withHeader('{"a":'),
    '10 GB claimed': withHeader(JSON.stringify({ a: entry('F32', [2_500_000_000], [0, 10_000_000_000]) })),
    'overlapping tensors': withHeader(
      JSON.stringify({ a: entry('F32', [2], [0, 8]), b: entry('F32', [2], [4, 12]) }),
      Buffer.alloc(12),
    ),
    'duplicate keys': withHeader(
      `{"a":${JSON.stringify(entry('F32', [1], [0, 4]))},"a":${JSON.stringify(entry('F32', [1], [0, 4]))}}`,
      Buffer.alloc(4),
    ),
    'a size that is not the shape’s': withHeader(
      JSON.stringify({ a: entry('F32', [3], [0, 8]) }),
      Buffer.alloc(8),
    ),
  }
  for (const [name, bytes] of Object.entries(files)) {
    await t.rejects(loadModel(bytes, { spec: classifierSpec }), { code: 'CORRUPT_FILE' }, name)
  }
  await t.rejects(loadModel(join(t.testdir(), 'none.safetensors')), { code: 'FILE_NOT_FOUND' })
  await t.rejects(loadModel(t.testdir()), { code: 'FILE_UNREADABLE' })
})

t.test('good files that do not fit', async (t) => {
  const path = join(t.testdir(), 'model.safetensors')
  await using model = await createModel(segmenterSpec)
  await model.save(path)
  const bytes = readFileSync(path)
  for (const cut of [9, 100, bytes.length - 1]) {
    await t.rejects(loadModel(bytes.subarray(0, cut)), { code: 'CORRUPT_FILE' }, `cut after ${cut} bytes`)
  }
  await t.rejects(loadModel(path, { spec: classifierSpec }), { code: 'WRONG_VARIANT' })
})

t.test('files appear whole or not at all', async (t) => {
  const directory = t.testdir({ kept: 'the old content' })
  await using model = await createModel(segmenterSpec)
  await t.rejects(model.save(join(directory, 'none', 'model.safetensors')), { code: 'FILE_UNWRITABLE' })
  await t.rejects(model.exportOnnx(join(directory, 'none', 'x.onnx')), { code: 'FILE_UNWRITABLE' })
  t.same(readdirSync(directory), ['kept'])

  // A limit on the size of files stands in for a full disk: writes fail midway all the same.
  const program = `
    const { createModel } = require(${JSON.stringify(join(repositoryRoot, 'dist'))})
    createModel({ network: 'jcs-segmentation', width: 0.125 })
      .then((model) => model.save(process.argv[1]))
      .then(() => console.log('written'), (error) => console.log(error.code))`
  // Without what tap loads into its children: that takes the signal of the limit, which Node ignores, for fatal.
  const limited = (path: string) =>
    execute('sh', [
      '-c',
      'unset NODE_OPTIONS; ulimit -f 40; exec "$0" -e "$1" "$2"',
      process.execPath,
      program,
      path,
    ])
  t.equal((await limited(join(directory, 'kept'))).stdout.trim(), 'DISK_FULL')
  t.equal(readFileSync(join(directory, 'kept'), 'utf8'), 'the old content')
  t.same(readdirSync(directory), ['kept'], 'nothing half-written is left')
})

t.test('memory that there is not is refused before it is taken', async (t) => {
  await using model = await createModel({ network: 'unet' })
  await t.rejects(model.profile({ batch: 512, height: 4096, width: 4096 }), { code: 'OUT_OF_MEMORY' })
  const zeros = { data: new Float32Array(3 * 32 * 32), shape: [1, 3, 32, 32] }
  t.ok((await model.forward(zeros)).side1, 'and the model still works')
})

t.test('an addon that is missing says what to do', async (t) => {
  const directory = t.testdir()
  t.ok(existsSync(join(repositoryRoot, 'dist', 'native.js')))
  const program = `
    const Module = require('node:module')
    const load = Module._load
    Module._load = (name, ...rest) => {
      if (name === 'node-gyp-build') return () => { throw new Error('No native build was found for platform=linux') }
      return load(name, ...rest)
    }
    const { createModel } = require(${JSON.stringify(join(repositoryRoot, 'dist'))})
    createModel({ network: 'unet' }).catch((error) => console.log(error.code, error.message))`
  writeFileSync(join(directory, 'program.cjs'), program)
  const { stdout } = await execute(process.execPath, [join(directory, 'program.cjs')])
  t.match(stdout, /^NATIVE_LOAD_FAILED .*npm run/)
})
