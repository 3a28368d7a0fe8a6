import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { repositoryRoot } from './small'

t.test('the short form of npm run soak', { timeout: 600_000 }, async (t) => {
  const program = join(repositoryRoot, 'soak', 'run.ts')
  // Without the hooks that tap puts into its own processes' NODE_OPTIONS.
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program, '--short'], {
    cwd: repositoryRoot,
    env,
  }).catch((error) => error)
  t.match(stdout, /^7 passed, 0 failed, 0 skipped$/m, stdout)
})
